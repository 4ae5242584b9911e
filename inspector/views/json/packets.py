"""Packets and system calls as flat JSON objects, keyed by Wireshark's field names.

Pure functions: a `Trace` (read as far as wanted) and rows, or None for all -> dictionaries, one a line
of output. A key is absent where the packet has no such field. All texts are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from inspector.model.numbers import ICMP, ICMPV6, TCP, UDP
from inspector.model.packets import Row, first_rows, packet_number, rows_in
from inspector.trace.packet.facts import facts
from inspector.trace.packet.header_bytes import HeaderBytes
from inspector.trace.packet.info import packet_info
from inspector.trace.packet.protocol_names import frame_protocols
from inspector.wire.arrays import Int64s
from inspector.wire.headers.read import BOGUS, MALFORMED, NO_OFFSET, UNSIZED

if TYPE_CHECKING:
    from inspector.model.records import Call
    from inspector.trace.index.beside import OtherHeader
    from inspector.trace.trace import Trace


def packets(trace: Trace, rows: Int64s | None = None) -> Iterator[dict[str, Any]]:
    """One object a frame, in order of the file."""
    if rows is None:
        trace.known.look_for_plain()
    for row in first_rows(trace.index.count) if rows is None else rows_in(rows):
        yield packet(trace, row)


def packet(trace: Trace, row: Row) -> dict[str, Any]:
    """The object of packet `row`."""
    index, fact = trace.index, facts(trace, row)
    frame = HeaderBytes(trace, row)
    network, protocol = int(index.network[row]), int(index.protocol[row])
    found: dict[str, Any] = {
        "frame.number": packet_number(row),
        **_wireshark_number(trace, row),
        "frame.time_epoch_ns": int(index.time_ns[row]),
        "frame.len": int(index.length[row]),
        "frame.cap_len": int(index.cap_len[row]),
        "frame.protocols": ":".join(frame_protocols(trace, row, fact.protocols)),
    }
    if comments := trace.comments.shown(row):
        found["frame.comment"] = comments
    if fact.same_as is not None:
        found["same_as"] = packet_number(fact.same_as)
    source, destination = index.address(index.src[row]), index.address(index.dst[row])
    if network in (4, 6) and source:
        prefix = "ip" if network == 4 else "ipv6"
        found |= {f"{prefix}.src": source, f"{prefix}.dst": destination}
    if network == 4 and (value := frame.ip_protocol()) is not None:
        found["ip.proto"] = value
    if protocol == TCP:
        found |= _tcp(trace, row, frame)
        if fact.analysis:
            found["analysis"] = list(fact.analysis)
    elif protocol == UDP:
        found |= _udp(trace, row, frame)
    elif protocol in (ICMP, ICMPV6) and (available := frame.available()) > 0:
        name = "icmp" if protocol == ICMP else "icmpv6"
        found[f"{name}.type"] = int(index.sport[row])
        if available > 1:
            found[f"{name}.code"] = int(index.dport[row])
        found |= _quoted(trace, row)
    if outer := _outer(trace, row):
        found["outer"] = outer
    found["info"] = packet_info(trace, fact)
    return found


def _wireshark_number(trace: Trace, row: Row) -> dict[str, int]:
    """The packet's number in Wireshark, in files where it counts more than packets."""
    if not trace.index.other_frames.count:
        return {}
    return {"wireshark.frame.number": trace.index.wireshark_number(row)}


def _tcp(trace: Trace, row: Row, frame: HeaderBytes) -> dict[str, Any]:
    """TCP's fields, those that are there."""
    index, stream, status = trace.index, int(trace.index.stream[row]), int(trace.index.status[row])
    if not frame.has_ports():
        return {}
    ports = {"tcp.srcport": int(index.sport[row]), "tcp.dstport": int(index.dport[row])}
    if stream < 0:
        return ports
    found = {"tcp.stream": stream, **ports, "tcp.seq_raw": int(index.seq[row])}
    odd = status & MALFORMED and int(index.payload[row]) == NO_OFFSET
    if not (status & BOGUS or (odd and frame.data_offset() < 20)):
        found |= {
            "tcp.ack_raw": int(index.ack[row]), "tcp.flags": int(index.tcp_flags[row]),
            "tcp.window_size_value": int(index.window[row]),
        }
    if not status & UNSIZED or status & BOGUS:
        found["tcp.len"] = int(index.payload_length[row])
    return found


def _udp(trace: Trace, row: Row, frame: HeaderBytes) -> dict[str, Any]:
    index, stream, available = trace.index, int(trace.index.stream[row]), frame.available()
    if not frame.has_ports():
        return {}
    found = {"udp.stream": stream} if stream >= 0 else {}
    found |= {"udp.srcport": int(index.sport[row]), "udp.dstport": int(index.dport[row])}
    return found | ({"udp.length": int(index.window[row])} if available >= 6 else {})


def _quoted(trace: Trace, row: Row) -> dict[str, Any]:
    """The conversation and ports of the datagram that an ICMP error quotes."""
    quoted = trace.index.quoted.innermost(row)
    return _ports_of(quoted) if quoted is not None else {}


def _outer(trace: Trace, row: Row) -> list[dict[str, Any]]:
    """The headers around the packet's own, outermost first: addresses, and what UDP says."""
    address, found = trace.index.address, []
    for one in trace.index.outer.of(row):
        version = "ip" if one.network == 4 else "ipv6"
        ends: dict[str, Any] = {f"{version}.src": address(one.src), f"{version}.dst": address(one.dst)}
        if one.network == 4:
            ends["ip.proto"] = one.protocol
        found.append(ends | (_ports_of(one) if one.protocol == UDP and one.l4 != NO_OFFSET else {}))
    return found


def _ports_of(header: OtherHeader) -> dict[str, Any]:
    """The conversation and ports that a header of TCP or UDP names."""
    name = "tcp" if header.protocol == TCP else "udp"
    found = {f"{name}.stream": header.stream} if header.stream >= 0 else {}
    found |= {f"{name}.srcport": header.sport, f"{name}.dstport": header.dport}
    return found | ({"udp.length": header.window} if name == "udp" else {})


def syscalls(trace: Trace, places: Sequence[int] | None = None) -> Iterator[dict[str, Any]]:
    """One object a system call, in order of entry: all, or those at `places` of `trace.calls`."""
    calls = trace.calls if places is None else [trace.calls[place] for place in places]
    for call in sorted(calls, key=lambda call: call.time_ns):    # a late record stands further on
        yield syscall(call)


def syscall(call: Call) -> dict[str, Any]:
    """The object of one system call; `end_ns` and `result` are absent while it blocks."""
    found: dict[str, Any] = {"time_ns": call.time_ns}
    if call.end_ns is not None:
        found["end_ns"] = call.end_ns
    found |= {"pid": call.pid, "role": call.role, "call": call.name, "arguments": call.arguments}
    if call.errno:
        found["errno"] = call.errno
    elif call.result is not None:
        found["result"] = call.result
    return found
