"""HTTP that is cut by a snaplen, or whose capture ends anywhere, is told by scanning as by the decoder."""

from __future__ import annotations

import struct
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.trace.filter.filter import Filter
from inspector.trace.filter.tests import DeepTest
from inspector.trace.trace import Trace
from inspector.wire.arrays import Bools, Int64s
from tests.support.captures.growth import CLIENT, GET, OK, SERVER, Wire
from tests.trace.application.test_plain import compare

ANSWER = b"HTTP/1.1 200 OK\r\nServer: something with a name\r\nContent-Length: %d\r\n\r\n%s"
BODIES = b"", b"H", b"HTTP/1.x", b"HTTP/1.1 200 OK\r\n\r\n", b"hello", b"z" * 400, b"\r\nHTTP/1.1"
HEADS = [
    *[ANSWER % (len(body), body) for body in BODIES], OK, b"HTTP/1.1 204 No\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\n\nhello", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!",
]
REQUESTS = [
    GET, GET, b"HEAD / HTTP/1.0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60\r\n\r\n" + b"y" * 60,
    b"GET /" + b"a" * 90 + b" HTTP/1.1\r\nHost: x\r\n\r\n", GET[:-2] + b"Upgrade: websocket\r\n\r\n",
]
TURN = st.tuples(st.sampled_from(REQUESTS), st.sampled_from(HEADS), st.sampled_from([40, 90, 1400]),
                 st.booleans())
SPOKEN = st.lists(st.lists(TURN, min_size=1, max_size=4), min_size=1, max_size=3)


def capture(conversations: list[list[tuple[bytes, bytes, int, bool]]], keep: int, snaplen: int,
            closed: bool) -> bytes:
    """A file of these conversations, of each `keep` packets of ten, cut to `snaplen` bytes."""
    wire = Wire()
    for number, turns in enumerate(conversations):
        wire.begin(41_000 + number)
        for asked, answer, size, acknowledged in turns:
            wire.write(CLIENT, asked, size)
            head = answer.split(b"\r\n\r\n")[0] + b"\r\n\r\n"
            wire.write(SERVER, answer if asked[:4] != b"HEAD" else head, size)
            if acknowledged:
                wire.send(CLIENT, "A")
        if closed:
            wire.close()
    return cut(wire.file(), keep, snaplen)


def cut(file: bytes, keep: int, snaplen: int) -> bytes:
    """Of the enhanced packet blocks of a file so many of ten, each with so much of its packet."""
    found: list[bytes] = []
    packets: list[bytes] = []
    at = 0
    while at < len(file):
        kind, size = struct.unpack_from("<II", file, at)
        (packets if kind == 6 else found).append(file[at : at + size])
        at += size
    for block in packets[: max(len(packets) * keep // 10, 1)]:
        interface, high, low, _, original = struct.unpack_from("<5I", block, 8)
        data = block[28 : 28 + min(snaplen, original)]
        body = struct.pack("<5I", interface, high, low, len(data), original) + data + bytes(-len(data) % 4)
        size = struct.pack("<I", len(body) + 12)
        found.append(struct.pack("<I", 6) + size + body + size)
    return b"".join(found)


@settings(max_examples=24, deadline=None)
@given(spoken=SPOKEN, keep=st.integers(3, 10), snaplen=st.sampled_from([66, 80, 100, 134, 200, 9999]),
       closed=st.booleans())
def test_both_ways_tell_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    spoken: list[list[tuple[bytes, bytes, int, bool]]], keep: int, snaplen: int, closed: bool,
) -> None:
    path = tmp_path_factory.getbasetemp() / "loose.pcapng"
    path.write_bytes(capture(spoken, keep, snaplen, closed))
    compare(path)


def test_nothing_is_decoded(tmp_path: Path) -> None:
    """Heads cut, bodies cut, and no end: no conversation is decoded for findings, filters and lists."""
    turns = [(GET, ANSWER % (400, b"z" * 400), 1400, False)] * 30
    path = tmp_path / "x.pcapng"
    for snaplen, keep in ((100, 10), (200, 10), (9999, 9)):
        path.write_bytes(capture([turns] * 3, keep, snaplen, False))
        with Trace.open(path) as trace, patch.object(Trace, "application", side_effect=AssertionError):
            trace.finish()
            spoken = range(1, 4)
            assert [trace.known.findings_of(stream) for stream in spoken] == [[], [], []]
            assert [trace.known.spoken(stream) for stream in spoken] == ["http"] * 3


FILTERS = (
    "http", "http.request", "!http.response", "http.response.code == 200", "http.content_length > 5",
    'http.request.uri contains "aaa"', 'http.request.line contains "Host"', "body_length != 5",
    'http.request.method == "HEAD" || tcp.flags.reset == 1', "http.response_for.uri",
)


@pytest.mark.parametrize(("keep", "snaplen"), [(10, 9999), (6, 9999), (10, 134)])
def test_a_filter_reads_records_that_are_alike_once(tmp_path: Path, keep: int, snaplen: int) -> None:
    """The same packets pass as where each record is asked, of what is scanned, and of what is decoded."""
    turns = [[(asked, answer, size, False) for answer in (HEADS[4], HEADS[5], OK) for size in (40, 200)]
             for asked in REQUESTS]
    path = tmp_path / "x.pcapng"
    path.write_bytes(capture([*turns, [(GET, HEADS[5], 200, True)] * 9], keep, snaplen, False))
    by_itself, at_once = DeepTest._of_others, 0

    def counted(self: DeepTest, trace: Trace, numbers: Int64s, places: list[int], found: Bools) -> list[int]:
        nonlocal at_once
        others = by_itself(self, trace, numbers, places, found)
        at_once += len(places) - len(others)
        return others

    for text in FILTERS:
        with Trace.open(path) as trace, patch.object(DeepTest, "_of_others", counted):
            trace.finish()
            found = Filter(text).rows(trace).tolist()
        with Trace.open(path) as trace, patch.object(
                DeepTest, "_of_others", lambda self, trace, numbers, places, found: places):
            trace.finish()
            assert Filter(text).rows(trace).tolist() == found, text
    assert at_once > 100
