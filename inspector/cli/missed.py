"""What a program in the lab asked for in vain, though this machine has it: the option that leads there.

Trace (refused SYNs, unresolved names) + this machine's listeners -> one sentence each. The lab has a loopback
of its own and no outside, which is the first thing that a program in it stumbles over.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import numpy as np

from inspector.kernel.services import services
from inspector.model.endpoint import join_endpoint
from inspector.model.numbers import ACK, RST, SYN, TCP, UDP
from inspector.model.packets import rows_in
from inspector.protocols.dns.message import DnsMessage
from inspector.trace.application.packets import packet_records
from inspector.trace.trace import Trace
from inspector.wire.text import escaped

_MOST = 5
_LOOKED_AT = 200               # datagrams of a resolver
_DOMAIN = 53
_ADDRESSES = (1, 28)           # A (RFC 1035 section 3.2.2), AAAA (RFC 3596 section 2.1)


def missed(path: Path, *, outside: bool = False) -> Iterator[str]:
    """Sentences about what was refused in the lab, and is or may be there; `outside`: it was led there."""
    with Trace.open(path) as trace:
        trace.finish()
        refused = refused_ports(trace)
        away = [] if outside else refused_elsewhere(trace)
        names = [] if outside else unresolved(trace)
    if names:
        listed = ", ".join(escaped(name, 80) for name in names[:_MOST])
        yield f"Nobody resolves names in the lab ({listed}): with --reach NAME:PORT they are, and led there."
    for where in away[:_MOST]:
        yield f"{escaped(where, 80)} is outside of the lab: --reach {escaped(where, 80)} leads there."
    if not refused:
        return
    try:
        found = {service.port: service.chain for service in services()
                 if service.protocol == "tcp" and not service.elsewhere}
    except OSError:                                # a kernel without sock_diag: nothing is known of outside
        return
    for port in sorted(refused & found.keys())[:_MOST]:
        owner = f", {escaped(found[port][0], 40)}," if found[port] else ""
        yield (
            f"Port {port} was refused: the lab has a loopback of its own. This machine has a listener "
            f"there{owner} and --reach {port} leads to it."
        )


def refused_ports(trace: Trace) -> set[int]:
    """Ports of the loopback that a SYN was sent to and a RST came back from."""
    return {port for host, port in _refused(trace) if ip_address(host).is_loopback}


def refused_elsewhere(trace: Trace) -> list[str]:
    """Other addresses that were refused, "192.0.2.7:80", by the names that were asked for where they were."""
    away = sorted(end for end in _refused(trace) if not ip_address(end[0]).is_loopback)
    names = {one.text: message.questions[0].name for message in _dns(trace) if message.questions
             for one in message.answers if one.type in _ADDRESSES}  # fmt: skip
    return list(dict.fromkeys(join_endpoint(names.get(host, host), port) for host, port in away))


def unresolved(trace: Trace) -> list[str]:
    """Names that were asked for where no answer came to any question, in their order."""
    messages = list(_dns(trace))
    if any(message.response for message in messages):
        return []
    return list(dict.fromkeys(one.name for message in messages for one in message.questions))


def _dns(trace: Trace) -> Iterator[DnsMessage]:
    """The first messages to and from a resolver, in datagrams."""
    index = trace.index
    ports = (index.dport[: index.count] == _DOMAIN) | (index.sport[: index.count] == _DOMAIN)
    for row in rows_in(np.flatnonzero(ports & (index.protocol[: index.count] == UDP))[:_LOOKED_AT]):
        for _, message in packet_records(trace, row):
            if isinstance(message, DnsMessage):
                yield message


def _refused(trace: Trace) -> set[tuple[str, int]]:
    """Addresses and ports that a SYN was sent to and a RST came back from, and never a SYN ACK."""
    index = trace.index
    rows = np.flatnonzero(index.protocol[: index.count] == TCP)
    flags = index.tcp_flags[rows]
    asked = rows[(flags & (SYN | ACK)) == SYN]
    reset, listens = rows[(flags & RST) != 0], rows[(flags & (SYN | ACK)) == SYN | ACK]
    ends = set(zip(index.dst[asked].tolist(), index.dport[asked].tolist(), strict=True))
    ends &= set(zip(index.src[reset].tolist(), index.sport[reset].tolist(), strict=True))
    ends -= set(zip(index.src[listens].tolist(), index.sport[listens].tolist(), strict=True))    # its own
    return {(index.address(number), port) for number, port in ends}
