"""Fields of the display filter held against tshark's answers (tools/fields.py), value by value.

An answer (a capture) -> `Difference`s: of which field and packet, what we have, what tshark has. None: the
packet has no such field. Of protocols and of times of day it is compared alone whether they are there.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatch
from typing import Any, NamedTuple

import numpy as np

from inspector.model.numbers import READ_LINKS
from inspector.model.packets import PacketNumber, row_at, row_of
from inspector.trace.filter.column_fields import COLUMNS, ColumnField
from inspector.trace.filter.deep_fields import DEEP
from inspector.trace.trace import Trace
from inspector.wire.headers.read import BOGUS, CUT, FRAGMENT, MALFORMED, SHORT
from tests.tools.oracle import DATA

FRAMES = ("http.request_in", "http.response_in", "dns.response_in", "dns.response_to",
          "tcp.analysis.duplicate_ack_frame")
"""Fields whose values are packets' numbers, which Wireshark counts with system calls among them."""


_OTHERWISE = ("http.file_data", "http.request.line", "http.response.line", "websocket.payload")
"""Fields whose values tshark writes in another way: bytes as text or a mark, lines with their ends."""


class Difference(NamedTuple):
    """A packet (number from 1) in which a field differs."""

    field: str
    number: int
    ours: list[Any] | None
    theirs: list[Any] | None


def values_of(trace: Trace, name: str) -> dict[int, list[Any]]:
    """The field's values in each packet (by number) that has it."""
    index = trace.index
    everything = slice(0, index.count)
    field = COLUMNS.get(name) or DEEP[name]
    found = {}
    if isinstance(field, ColumnField):
        rows = np.flatnonzero(field.present(index, everything))
        for place in range(len(rows)):
            row = row_at(rows, place)
            values = field.values(index, row)
            if field.type == "ipv4":
                values = [index.addresses.text_of(int(value).to_bytes(4, "big")) for value in values]
            found[row + 1] = [index.address(value) if field.type == "ipv6" else value for value in values]
        return found
    rows = np.flatnonzero(field.possible(index, everything))
    for place in range(len(rows)):
        row = row_at(rows, place)
        if values := list(field.read(trace, row)):
            found[row + 1] = [value.hex() if isinstance(value, bytes) else value for value in values]
    return found


def _theirs(name: str, values: list[str], others: list[int]) -> list[Any]:
    kind = (COLUMNS.get(name) or DEEP[name]).type
    try:
        if kind in ("number", "flag"):
            numbers = [int(value, 0) for value in values]
            return [number - bisect_left(others, number) for number in numbers] if name in FRAMES else numbers
        if kind == "seconds":
            return [int(Decimal(value) * 1_000_000_000) for value in values]
    except (ValueError, InvalidOperation):
        return values
    return values


def differences(answer: dict[str, Any], names: list[str]) -> Iterator[tuple[Difference, str]]:
    """What differs of the fields `names` in the packets of an answer's capture, and why ("": unknown)."""
    with Trace.open(DATA / answer["capture"]) as trace:
        trace.finish()
        assert trace.index.count == answer["packets"]
        for name in names:
            mine = values_of(trace, name)
            theirs = {number: _theirs(name, values, answer["others"])
                      for number, values in answer["fields"].get(name, ())}
            there = (COLUMNS.get(name) or DEEP[name]).type in ("protocol", "time") or name in _OTHERWISE
            for number in sorted({*mine, *theirs}):
                a, b = mine.get(number), theirs.get(number)
                if (a is None) != (b is None) or (a != b and not there):
                    one = Difference(name, number, a, b)
                    yield one, reason(trace, answer["capture"], one)


REASONS = {
    "link": "a link type that is not read; what stands before IP on those that are",
    "journal": "Wireshark counts system calls as frames, in numbers and times",
    "interface": "a pcap file has the interface 0; interfaces of several sections are counted through",
    "names": "protocols that are not taken apart: their names; payload of theirs is data here",
    "damaged": "headers that are cut, malformed or made wrong: what of them is told",
    "reassembled": "fragments are put together here, the segment is its last one's; tshark was asked not to",
    "quoted": "a quoted header is no packet of its conversation: analysis, relative numbers",
    "preface": "PROXY and SOCKS are read whatever the port, and what follows them too",
    "begun": "messages without an end, of a wrong length or behind a gap are told with what came of them",
    "http": "CONNECT's tunnel is TLS; an interim answer is the request's too; tshark cuts data at a 0",
    "websocket": "frames behind a gap are told without their text; text is whole, its length the true one",
    "http2": "HTTP/2 is told from its preface on, in the packets that hold the frames",
    "tls": "a record is told where its last octet is; QUIC's is not read; one that answers HTTP",
    "dns": "DNS over TCP is not paired; nothing is told of a name that loops",
}
_UNKNOWN_NAMES = ("frame.protocols", "data")
_DAMAGED = ("frames/mutations.pcapng", "frames/lengths.pcapng", "frames/extensions.pcapng",
            "frames/tags.pcapng", "captures/malformed/")
_ABOVE_IP = ("tcp.", "udp.", "http.", "dns.", "socks.", "tls.", "tcp", "udp", "http", "dns", "socks")
_KNOWN = (
    ("link", ("ip.version", "llc", "null", "sll"), "frames/links.pcapng"),
    ("names", ("lldp",), "frames/stacks.pcapng"), ("names", ("quic",), "captures/linktype/*geneve*"),
    ("damaged", ("vxlan",), "frames/tunnels.pcapng"),
    ("damaged", ("udp.time",), "captures/udp/*ipv6_options*"),
    ("damaged", ("tcp.payload",), "captures/tcp/tcpdump__tcp_rst_data.pcap"),
    ("damaged", ("tcp.analysis.initial_rtt",), "captures/http/zeek__http__261*"),
    ("quoted", ("tcp.", "udp.payload"), "frames/errors.pcapng"),
    ("preface", ("proxy", "http"), "cases/08*"), ("preface", ("socks", "tcp.payload"), "cases/09f*"),
    ("begun", ("http",), "cases/21*"), ("begun", ("http",), "captures/http/*http-evader-073*"),
    ("begun", ("http",), "captures/http/*content-length-overflow*"),
    ("begun", ("http",), "sessions/sse.pcapng"), ("begun", ("http.response_for.uri",), "cases/23*"),
    ("http", ("http",), "captures/http/arkime__https-connect.pcap"),
    ("http", ("http.request_in",), "captures/http/*100-continue*"),
    ("http", ("http.file_data",), "cases/01*"),
    ("http", ("http.response.phrase",), "captures/websocket/*compressed*"),
    ("websocket", ("websocket",), "cases/21*"), ("websocket", ("websocket.payload.text",), "cases/06*"),
    ("websocket", ("websocket.payload",), "*"),
    ("http2", ("http2",), "sessions/curl-*"), ("tls", ("tls",), "*"), ("dns", ("dns.",), "cases/24a*"),
    ("dns", ("dns.qry",), "captures/udp/*pointer_loop.pcap"),
)


def reason(trace: Trace, capture: str, one: Difference) -> str:
    """Why a field differs, of what the packet shows or is known of the capture; "" where nothing says it."""
    row = row_of(PacketNumber(one.number))
    status = int(trace.index.status[row])
    if trace.link_type(row) not in READ_LINKS:
        return "link"
    if one.field in ("frame.number", "frame.time_delta", "frame.time_relative"):
        return "journal" if trace.index.other_frames.count else ""
    if one.field == "frame.interface_id":
        return "interface"
    if one.field in _UNKNOWN_NAMES:
        return "names"
    if status & (SHORT | MALFORMED | CUT | BOGUS) or capture.startswith(_DAMAGED):
        return "damaged"
    fragments = trace.index.reassembly.segments or (trace.index.status & FRAGMENT).any()
    if fragments and one.field.startswith(_ABOVE_IP):
        return "reassembled"
    return next((why for why, fields, pattern in _KNOWN
                 if one.field.startswith(fields) and fnmatch(capture, pattern)), "")
