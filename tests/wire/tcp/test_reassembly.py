"""ByteStream: any cutting, reordering and duplicating of segments gives the same bytes, and their origin."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.model.packets import Row, first_rows
from inspector.wire.tcp.stream import ByteStream, Conflict, Gap, Piece
from tests.support.tiers import thorough


class Wire:
    """Frames that hold a payload after `HEAD` bytes of header, and a stream that reads from them."""

    HEAD = 7

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.stream = ByteStream(lambda row, start, length: self.frames[row][start : start + length])

    def send(self, seq: int, payload: bytes, captured: int | None = None) -> int:
        size = len(payload) if captured is None else captured
        self.frames.append(b"h" * self.HEAD + payload[:size])
        return self.stream.add(seq & 0xFFFFFFFF, len(payload), Row(len(self.frames) - 1), self.HEAD, captured)


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=1, max_size=60), st.sets(st.integers(0, 59), max_size=6),
       st.randoms(use_true_random=False),
       st.integers(0, 0xFFFFFFFF))
def test_urgent_bytes_have_numbers_and_no_offsets(
    data: bytes, places: set[int], chance: Random, first: int
) -> None:
    """Whatever the order, and however it is cut: the others follow each other."""
    wire, urgent = Wire(), sorted(place for place in places if place < len(data))
    wire.stream.open_at(first)
    for place in chance.sample(urgent, len(urgent)):
        wire.stream.take_out(first, place + 1, Row(99))
    cuts = sorted({0, len(data), *(chance.randrange(len(data)) for _ in range(5))})
    segments = list(pairwise(cuts))
    for start, stop in chance.sample(segments, len(segments)):
        wire.send(first + start, data[start:stop])
    wire.stream.finish_at(first + len(data) & 0xFFFFFFFF)
    stream = wire.stream
    rest = bytes(byte for at, byte in enumerate(data) if at not in urgent)
    assert stream.read(0, 1000) == rest and stream.gaps == []
    assert stream.end == stream.length == stream.captured == len(rest)
    for at in range(len(data) + 1):
        assert stream.offset_of(first + at) == at - sum(place < at for place in urgent)
    assert [one.offset for one in stream.urgent] == [place - at for at, place in enumerate(urgent)]


def test_in_order_with_provenance() -> None:
    wire = Wire()
    wire.stream.open_at(1001)
    assert wire.send(1001, b"hello ") == 0
    assert wire.send(1007, b"world") == 6
    wire.stream.finish_at(1012)
    stream = wire.stream
    assert stream.read(0, 100) == b"hello world"
    assert (stream.length, stream.contiguous, stream.end, stream.gaps) == (11, 11, 11, [])
    assert next(stream.pieces(8, 20)) == Piece(Row(1), 9, 8, 3)
    assert [stream.ranges_of(row) for row in first_rows(3)] == [[(0, 6)], [(6, 11)], []]


def test_gap_then_filled() -> None:
    wire = Wire()
    wire.stream.open_at(0)
    wire.send(0, b"aaa")
    wire.send(6, b"ccc")
    assert wire.stream.gaps == [Gap(3, 6, False)] and wire.stream.contiguous == 3
    assert wire.stream.read(0, 9) == b"aaa" and wire.stream.read(6, 9) == b"ccc"
    assert list(wire.stream.pieces(4, 5)) == []
    wire.send(3, b"bbb")
    assert wire.stream.gaps == [] and wire.stream.contiguous == 9 and wire.stream.read(0, 9) == b"aaabbbccc"


def test_the_first_bytes_win_and_a_conflict_is_told() -> None:
    wire = Wire()
    wire.stream.open_at(0)
    wire.send(0, b"abcd")
    wire.send(2, b"cdef")
    wire.send(3, b"XXXXgh")
    assert wire.stream.read(0, 20) == b"abcdefXgh"
    assert wire.stream.conflicts() == (Conflict(Row(2), Row(0), 3, 6),)
    wire.send(4, b"efX")
    assert wire.stream.conflicts() == (Conflict(Row(2), Row(0), 3, 6),)
    wire.send(5, b"fYg")
    assert wire.stream.conflicts() == (Conflict(Row(2), Row(0), 3, 6), Conflict(Row(4), Row(2), 6, 7))
    assert wire.stream.ranges_of(Row(1)) == [(4, 6)] and wire.stream.range_of(Row(1)) == (2, 6)


def test_cut_frames_leave_gaps_that_say_so() -> None:
    wire = Wire()
    wire.stream.open_at(0)
    wire.send(0, b"abcdef", captured=2)
    wire.send(6, b"ghi", captured=0)
    wire.send(9, b"jkl")
    assert wire.stream.gaps == [Gap(2, 9, True)]
    assert wire.stream.length == 12 and wire.stream.contiguous == 2 and wire.stream.captured == 5


def test_without_a_syn_earlier_bytes_lie_below_zero() -> None:
    wire = Wire()
    wire.send(5000, b"later")
    wire.send(4995, b"early")
    assert wire.stream.start == -5 and wire.stream.read(-5, 5) == b"earlylater"
    assert wire.stream.read(0, 5) == b"later" and wire.stream.contiguous == 5


def test_bytes_before_a_syn_are_no_part_of_the_stream() -> None:
    wire = Wire()
    wire.stream.open_at(100)
    wire.send(99, b"?")               # a keep-alive's byte of garbage
    wire.send(98, b"??abc")
    assert wire.stream.start == 0 and wire.stream.read(0, 9) == b"abc"


def test_sequence_numbers_wrap_often() -> None:
    wire = Wire()
    sizes = []
    stream = ByteStream(lambda row, start, length: b"")
    stream.open_at(0xFFFFFF00)
    seq, total = 0xFFFFFF00, 0
    for row in first_rows(40):
        size = 0x20000000
        sizes.append(size)
        assert stream.add(seq, size, row, 0) == total
        seq, total = (seq + size) & 0xFFFFFFFF, total + size
    assert stream.length == stream.contiguous == total and total > 4 << 32
    assert next(stream.pieces(total - 1, total)) == Piece(Row(39), 0x1FFFFFFF, total - 1, 1)
    wire.send(0xFFFFFFFE, b"abcd")
    wire.send(2, b"ef")
    assert wire.stream.read(0, 9) == b"abcdef"


def test_many_at_once_equal_one_by_one() -> None:
    wire, other = Wire(), Wire()
    parts = [b"one", b"two2", b"three", b"x"]
    starts, position = [], 0
    for part in parts:
        starts.append(position)
        position += len(part)
        other.send(77 + starts[-1], part)
    wire.frames = other.frames
    sizes = [len(part) for part in parts]
    assert wire.stream.add_run(77, [Row(0), Row(1)], starts[:2], sizes[:2], [7, 7])
    assert wire.stream.add_run(84, [Row(2), Row(3)], [0, 5], sizes[2:], [7, 7])
    assert not wire.stream.add_run(91, [Row(4)], [0], [1], [7])
    assert wire.stream.read(0, 99) == other.stream.read(0, 99) == b"".join(parts)
    for row in first_rows(4):
        assert wire.stream.ranges_of(row) == other.stream.ranges_of(row) != []
    assert wire.stream.contiguous == other.stream.contiguous and wire.stream.gaps == []


DATA = bytes(range(256)) * 2


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_cutting_reordering_and_duplicating_gives_the_same_stream(data: st.DataObject) -> None:
    first = data.draw(st.sampled_from([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFF80, 0xFFFFFFFF]))
    edges = sorted({0, len(DATA), *data.draw(st.lists(st.integers(0, len(DATA)), max_size=20))})
    parts = list(pairwise(edges))
    parts += data.draw(st.lists(st.tuples(st.integers(0, 511), st.integers(0, 512)), max_size=10))
    wire = Wire()
    wire.stream.open_at(first)
    for start, end in data.draw(st.permutations(parts)):
        wire.send(first + start, DATA[start:end])
    stream = wire.stream
    assert stream.read(0, len(DATA) + 9) == DATA
    assert stream.contiguous == stream.length == stream.captured == len(DATA)
    assert stream.gaps == [] and stream.conflicts() == ()
    for offset in range(len(DATA)):
        (piece,) = stream.pieces(offset, offset + 1)
        assert (piece.offset, piece.length) == (offset, 1)
        assert wire.frames[piece.row][piece.frame_offset] == DATA[offset]
    owned = sorted(span for row in first_rows(len(wire.frames)) for span in stream.ranges_of(row))
    assert [start for start, _ in owned] == [0, *[end for _, end in owned[:-1]]] and owned[-1][1] == len(DATA)
    left, right = sorted(data.draw(st.tuples(st.integers(0, 512), st.integers(0, 512))))
    assert stream.read(left, right) == DATA[left:right]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=9), st.integers(0, 9)), max_size=30))
def test_any_segments_keep_the_books_straight(segments: list[tuple[int, bytes, int]]) -> None:
    wire = Wire()
    for seq, payload, captured in segments:
        wire.send(seq, payload, captured)
    stream = wire.stream
    pieces = list(stream.pieces(stream.start, stream.length))
    assert sum(piece.length for piece in pieces) == stream.captured
    assert stream.captured + sum(gap.end - gap.start for gap in stream.gaps) == stream.length - stream.start
    spans = [(piece.offset, piece.offset + piece.length) for piece in pieces]
    assert spans == sorted(spans) and all(a[1] <= b[0] for a, b in pairwise(spans))
    stream.conflicts()


@thorough
def test_gigabytes_are_read_in_windows_of_bounded_memory() -> None:
    size = 60_000
    stream = ByteStream(lambda row, start, length: row.to_bytes(4, "big") * (length // 4))
    stream.open_at(7)
    tracemalloc.start()
    try:
        for row in first_rows(40_000):
            stream.add((7 + row * size) & 0xFFFFFFFF, size, row, 0)
        assert stream.contiguous == 2_400_000_000
        place = 2_100_000_000
        assert stream.read(place, place + 8) == (place // size).to_bytes(4, "big") * 2
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


PLACES = st.tuples(st.integers(0, 400), st.integers(1, 12))


@given(st.lists(PLACES, min_size=1, max_size=120), st.integers(1, 40))
def test_the_first_segments_are_the_first_pieces(segments: list[tuple[int, int]], most: int) -> None:
    stream = ByteStream(lambda row, start, length: bytes(length))
    stream.open_at(1000)
    for row, (offset, size) in enumerate([(12 * number, 12) for number in range(20)] + segments):
        stream.add(1000 + offset, size, Row(row), 0)
    for end in (stream.length, stream.length // 2):
        wanted = [(piece.offset, piece.offset + piece.length) for piece in stream.pieces(stream.start, end)]
        assert stream.first_segments(most, end) == wanted[:most]


def test_the_latest_packet_of_many_ranges_is_that_of_each() -> None:
    data = bytes(range(200))
    for order in ([*range(20)], [*reversed(range(20))], [0, 5, 3, 1, 2, 9, 15, 19, 7]):
        stream = ByteStream(lambda row, place, length: data[row * 10 :][place : place + length])
        for row, at in enumerate(order):
            stream.add(at * 10, 10, Row(row), 0)
        ranges = [(start, start + size) for start in range(0, 205, 3) for size in (1, 4, 25)]
        found = stream.last_rows(*(np.array(one, np.int64) for one in zip(*ranges, strict=True)))
        assert found.tolist() == [max((piece.row for piece in stream.pieces(*one)), default=-1)
                                  for one in ranges]
