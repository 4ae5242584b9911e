"""Plain conversations told by scanning are told the same as by the decoder: records, findings, JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.cli.exports import Export, export_of
from inspector.model.numbers import TCP
from inspector.model.packets import rows_in
from inspector.protocols import REGISTRY
from inspector.protocols.http import HTTP
from inspector.trace.application.known import Known
from inspector.trace.application.plain import PlainConversations
from inspector.trace.filter.deep_fields import BYTES_OF, DEEP
from inspector.trace.trace import Trace
from inspector.wire.arrays import Int64s
from tests.support.captures.growth import CLIENT, GET, OK, SERVER, Wire
from tests.support.captures.hostile import CASES
from tests.support.captures.tcp import CAPTURES, usual
from tests.support.tiers import sweep

EXPORTS = "http", "findings", "packets", "conversations"
FILES = sorted(path for path in CAPTURES.rglob("*.pcap*") if path.suffix in (".pcap", ".pcapng"))
ASKED = 500                # packets of a capture of which a filter reads all fields
NO_CAPTURE = {"gz_of_zeros"}
HOSTILE = sorted(CASES.keys() - NO_CAPTURE)
COSTLY = {                 # half of all the work
    "reuse", "random", "mutations", "postgresql", "tls", "gz_of_short_packets", "broken_headers",
    "shortest_headers", "small_window_of_noise", "ten_megabytes_of_short_connections", "errors_in_frames",
}


def exports() -> list[Export]:
    return [export for name in EXPORTS if (export := export_of(name)) is not None]


def printed(path: Path, step: int = 1, lines: bool = False) -> list[str]:
    """All lines of the exports, of every `step`th packet; `lines`: as they are printed many at a time."""
    found = []
    with Trace.open(path) as trace:
        trace.finish()
        rows = None if step == 1 else np.arange(0, trace.index.count, step)
        for export in exports():
            if lines:
                found += [line for several in export.lines(trace, rows) for line in several]
            else:
                found += [json.dumps(one) for one in export.writer()(trace, rows)]
    return found


def decoded(path: Path) -> list[str]:
    """The same with every conversation decoded."""
    with patch.object(Known, "plain_conversations", lambda known: None):
        return printed(path)


def asked(path: Path) -> list[Any]:
    """What a filter reads of the protocols that are scanned, packet by packet."""
    protocols = [protocol for protocol in REGISTRY if protocol.scan is not None]
    names = ["application", *(f.name for protocol in protocols for f in protocol.fields if f.filtered)]
    reads = [DEEP[name].read for name in names] + [BYTES_OF[protocol.name] for protocol in protocols]
    with Trace.open(path) as trace:
        trace.finish()
        index = trace.index
        rows = np.flatnonzero((index.protocol == TCP) & (index.payload_length > 0) & (index.stream >= 0))
        found = [list(read(trace, row)) for row in rows_in(rows[:ASKED]) for read in reads]
        return [found, trace.searched_in_part]


def compare(path: Path) -> None:
    """Scanned, decoded, and printed many at a time: all packets and some are told the same."""
    lines = printed(path)
    assert lines == decoded(path)
    assert lines == printed(path, lines=True)
    assert printed(path, 3) == printed(path, 3, lines=True)
    read = asked(path)
    with patch.object(Known, "plain_conversations", lambda known: None):
        assert read == asked(path)


def scanned(path: Path) -> int:
    """How many conversations are plain."""
    with Trace.open(path) as trace:
        trace.finish()
        streams = range(len(trace.conversations("tcp")))
        return sum(trace.known.plain(stream) is not None for stream in streams)


@sweep("path", FILES, lambda path: path.stem not in COSTLY and usual(1)(path), ids=lambda path: path.name)
def test_captures_are_told_the_same(path: Path) -> None:
    compare(path)


@sweep("name", HOSTILE, lambda name: name not in COSTLY and HOSTILE.index(name) % 6 == 0)
def test_hostile_ones_are_told_the_same(name: str, tmp_path: Path) -> None:
    file = CASES[name](6_000)
    path = tmp_path / ("x" + file.suffix)
    path.write_bytes(file.data)
    compare(path)


def test_what_tcp_repaired_is_told_without_being_decoded(tmp_path: Path) -> None:
    wire = Wire()
    for number, trouble in enumerate(("asked again", "swapped", "a piece late", "no ACK")):
        wire.begin(41_000 + number)
        for one in (trouble, ""):
            exchange(wire, GET, OK, 20, one)
    path = tmp_path / "x.pcapng"
    path.write_bytes(wire.file())
    with Trace.open(path) as trace:
        trace.finish()
        parsed = [trace.known.exchanged(stream) for stream in range(1, 5)]
        assert [len(one.parsed[0] or ()) for one in parsed if one is not None] == [4] * 4
    compare(path)


def test_most_short_connections_are_plain(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    path.write_bytes(CASES["conversations"](20_000).data)
    assert scanned(path) > 10


REQUESTS = [
    GET, b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", b"HEAD / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n", b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PROXY a HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /%0d%0aa:b HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\nHost: x\n\n", GET + GET, GET[:10],
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n", b"\r\n" + GET, b"\x16\x03\x01\0\0",
    b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab", b"GET  /  HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
]
ANSWERS = [
    OK, b"HTTP/1.1 204 No\r\n\r\n", b"HTTP/1.1 304\r\nContent-Length: 9\r\n\r\n",
    b"HTTP/1.1 100 Go\r\n\r\n" + OK, OK + OK,
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nrest", b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n", OK[:12], b"\0\1",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", b"HTTP/1.1 2x0 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\na:b\r\n c\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 408 T\r\nContent-Length: 0\r\n\r\n",
]
TROUBLES = st.sampled_from(
    ["", "", "asked again", "swapped", "a piece late", "answer first", "no ACK", "other bytes"])
TURN = st.tuples(st.sampled_from(REQUESTS), st.sampled_from(ANSWERS), st.integers(1, 200), TROUBLES)
TURNS = st.lists(TURN, max_size=4)
ENDS = st.sampled_from(["", "close", "reset", "client closes", "repeat", "hole", "zero window", "late"])


def exchange(wire: Wire, asked: bytes, answer: bytes, size: int, trouble: str) -> None:
    """A request and its answer in segments of `size` bytes, of which some come twice, late, or too early."""
    first, second = wire.next
    pieces = [(second + at, answer[at : at + size]) for at in range(0, len(answer), size)]
    if trouble == "answer first":
        wire.send(SERVER, "PA", answer, second)
        wire.next[SERVER] += len(answer)
    wire.write(CLIENT, asked, size)
    if trouble in ("asked again", "other bytes"):
        wire.send(CLIENT, "PA", asked if trouble == "asked again" else asked.swapcase(), first)
    if trouble == "answer first":
        return
    if trouble != "no ACK":
        wire.send(SERVER, "A")
    wire.next[SERVER] += len(answer)
    if trouble == "swapped":
        pieces.reverse()
    elif trouble == "a piece late":
        pieces = [*pieces[:1], *pieces[2:], *pieces[1:2]]
    for at, piece in pieces:
        wire.send(SERVER, "PA", piece, at)


def conversation(wire: Wire, turns: list[tuple[bytes, bytes, int, str]], end: str) -> None:
    for asked, answer, size, trouble in turns:
        if end == "late":
            wire._time += 40_000_000
        exchange(wire, asked, answer, size, trouble)
    if end == "close":
        wire.close()
    elif end == "reset":
        wire.send(SERVER, "R")
    elif end == "client closes":
        wire.send(CLIENT, "FA")
        wire.send(SERVER, "A")
    elif end == "repeat":
        wire.send(CLIENT, "PA", b"G", wire.next[CLIENT] - 1)
    elif end == "hole":
        wire.next[SERVER] += 3
        wire.write(SERVER, OK)
        wire.send(CLIENT, "A")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TURNS, ENDS), min_size=1, max_size=4))
def test_any_conversations_are_told_the_same(
    tmp_path_factory: pytest.TempPathFactory, several: list[tuple[Any, str]]
) -> None:
    wire = Wire()
    wire.blocks = wire.blocks[:2]
    for number, (turns, end) in enumerate(several):
        wire.begin(40000 + number)
        conversation(wire, turns, end)
    path = tmp_path_factory.mktemp("plain") / "x.pcapng"
    path.write_bytes(wire.file())
    compare(path)


@pytest.mark.parametrize(("head", "expected"), [
    (b"G", True), (b"GET", True), (b"GET ", True), (b"GET /a", True), (b"GET /a HT", True),
    (b"GET /" + b"a" * 59, True), (b"GET /a HTTP/1.1\r\nHost: x\r\n", True), (b"GET /a HTTP/2.0", False),
    (b"x" * 64, False), (b"PROXY TCP4", False),
    (b"\0\1\2", False), (b"+OK\r\n", False), (b"*1\r\n$4\r\nPING\r\n", False), (b"", False)])
def test_what_is_read_whole_is_told_by_its_first_bytes(head: bytes, expected: bool) -> None:
    scan = HTTP.scan
    assert scan is not None and scan.begins(head) is expected


def test_of_what_is_large_and_nothing_known_only_the_beginning_is_read(tmp_path: Path) -> None:
    sizes = []
    for data in (GET + b"x" * 40_000, b"x" * 40_000):
        wire = Wire()
        wire.write(CLIENT, data)
        path = tmp_path / "a.pcapng"
        path.write_bytes(wire.file())
        with Trace.open(path) as trace:
            trace.finish()
            read: list[int] = []

            def pieces(rows: Int64s, positions: Int64s, lengths: Int64s,
                       trace: Trace = trace, read: list[int] = read) -> list[bytes]:
                read.append(int(lengths.sum()))
                return trace.pieces(rows, positions, lengths)

            plain = PlainConversations(trace.index, pieces, trace.application)
            plain.layer(0)
            sizes.append(sum(read))
    assert sizes[0] > 40_000 and sizes[1] == 64
