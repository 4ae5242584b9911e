"""What a program in the lab asked for in vain, though this machine has it: the option that leads there.

Trace (refused SYNs) + this machine's listeners -> one sentence a port. The lab has a loopback of its own,
which is the first thing that a program in it stumbles over.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from inspector.kernel.services import services
from inspector.model.numbers import ACK, RST, SYN, TCP
from inspector.trace.trace import Trace
from inspector.wire.text import escaped

_MOST = 5


def missed(path: Path) -> Iterator[str]:
    """Sentences about ports that were refused in the lab while something listens on them outside."""
    with Trace.open(path) as trace:
        trace.finish()
        refused = refused_ports(trace)
    if not refused:
        return
    try:
        found = {service.port: service.chain for service in services()}
    except OSError:                                # a kernel without sock_diag: nothing is known of outside
        return
    for port in sorted(refused & found.keys())[:_MOST]:
        owner = f", {escaped(found[port][0], 40)}," if found[port] else ""
        yield (
            f"Port {port} was refused: the lab has a loopback of its own. This machine has a listener "
            f"there{owner} and --reach {port} leads to it."
        )


def refused_ports(trace: Trace) -> set[int]:
    """Ports that a SYN was sent to and a RST came back from."""
    index = trace.index
    rows = np.flatnonzero(index.protocol[: index.count] == TCP)
    flags = index.tcp_flags[rows]
    asked = rows[(flags & (SYN | ACK)) == SYN]
    reset = rows[(flags & RST) != 0]
    return {int(port) for port in np.intersect1d(index.dport[asked], index.sport[reset])}
