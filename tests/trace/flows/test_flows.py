"""TcpFlow on frames in memory: ends, numbers, handshake, streams, and growing traces."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.model.packets import Row, first_rows, rows_in
from inspector.trace.flows.tcp import TcpFlow
from tests.support.captures.tcp import MemoryTrace, segment

pytestmark = pytest.mark.quick

MS = 1_000_000
EXCHANGE = [
    segment(0, "S", 100, options=bytes([2, 4, 5, 180, 3, 3, 7])),
    segment(1, "SA", 300, 101, options=bytes([3, 3, 2])),
    segment(0, "A", 101, 301, window=100),
    segment(0, "PA", 101, 301, b"hello", window=100),
    segment(1, "A", 301, 106, window=50),
    segment(1, "PA", 301, 106, b"world!", window=50),
    segment(0, "FA", 106, 307),
    segment(1, "FA", 307, 107),
    segment(0, "A", 107, 308),
]


def flow_of(*frames: bytes, step: int = MS) -> TcpFlow:
    trace = MemoryTrace()
    trace.add(frames, [step * i for i in range(len(frames))])
    return TcpFlow(trace, 0)


def test_a_whole_conversation() -> None:
    flow = flow_of(*EXCHANGE)
    assert (flow.a, flow.b, flow.client) == (("10.0.0.1", 40000), ("10.0.0.2", 80), 0)
    assert (flow.handshake, flow.handshake_rows, flow.rtt_ns) == ("complete", (0, 1, 2), 2 * MS)
    assert [flow.direction(row) for row in first_rows(9)] == [0, 1, 0, 0, 1, 1, 0, 1, 0]
    assert [flow.relative(Row(row)) for row in (0, 1, 2, 5, 8)] == [(0, 0), (0, 1), (1, 1), (1, 6), (7, 8)]
    assert flow.state == ("TIME-WAIT", "CLOSED") and flow.states(Row(5)) == ("ESTABLISHED", "ESTABLISHED")
    assert [stream.read(0, 99) for stream in flow.streams] == [b"hello", b"world!"]
    assert [stream.end for stream in flow.streams] == [5, 6]
    (piece,) = flow.streams[1].pieces(2, 3)
    assert EXCHANGE[piece.row][piece.frame_offset : piece.frame_offset + 1] == b"r"
    assert not flow.flagged()


def test_details() -> None:
    flow = flow_of(*EXCHANGE)
    opening, data, ack = flow.detail(Row(0)), flow.detail(Row(3)), flow.detail(Row(4))
    assert opening is not None and (opening.options.mss, opening.options.scale) == (1460, 7)
    assert opening.window == 65535
    assert data is not None and (data.window, data.in_flight, data.rtt_ns) == (12800, 5, None)
    assert ack is not None and (ack.window, ack.in_flight, ack.rtt_ns) == (200, None, MS)
    assert flow.detail(Row(77)) is None
    rows, times = flow.round_trips()
    assert rows.tolist() == [1, 2, 4, 6, 7, 8] and times.tolist() == [MS, MS, MS, MS, MS, MS]


def test_handshakes_that_are_not_whole() -> None:
    assert flow_of(EXCHANGE[0], segment(1, "RA", 0, 101)).handshake == "refused"
    assert flow_of(*EXCHANGE[:2]).handshake == "partial"
    assert flow_of(*EXCHANGE[1:]).handshake == "partial" and flow_of(*EXCHANGE[1:]).client == 1
    late = flow_of(*EXCHANGE[3:])
    assert late.handshake == "missing" and late.client is None and late.rtt_ns is None
    assert late.streams[0].read(0, 9) == b"hello" and late.relative(Row(3)) == (6, 7)


def test_a_trace_that_grows_gives_the_same_as_one_read_whole() -> None:
    whole = flow_of(*EXCHANGE)
    trace = MemoryTrace()
    trace.add(EXCHANGE[:1], [0])
    flow = TcpFlow(trace, 0)
    for i, frame in enumerate(EXCHANGE[1:], 1):
        trace.add([frame], [MS * i])
        assert flow.update()
    assert not flow.update()
    assert flow.rows.tolist() == whole.rows.tolist()
    for row in first_rows(len(EXCHANGE)):
        assert flow.states(row) == whole.states(row) and flow.detail(row) == whole.detail(row)
    assert [stream.read(0, 99) for stream in flow.streams] == [b"hello", b"world!"]
    assert (flow.handshake, flow.rtt_ns) == (whole.handshake, whole.rtt_ns)


def test_cut_frames_and_segments_of_unknown_length() -> None:
    trace = MemoryTrace()
    frames = [*EXCHANGE[:3], EXCHANGE[3][:-2], segment(0, "PA", 106, 301, b" again")]
    trace.add(frames, [MS * i for i in range(5)], [len(frame) for frame in EXCHANGE[:4]] + [len(frames[4])])
    flow = TcpFlow(trace, 0)
    stream = flow.streams[0]
    assert stream.read(0, 99) == b"hel" and stream.gaps == [(3, 5, True)] and stream.length == 11
    assert stream.read(5, 99) == b" again"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(
    st.integers(0, 1), st.text("FSRPAU", max_size=4), st.sampled_from([0, 1, 5, 6, 0xFFFFFFFF, 0x7FFFFFFF]),
    st.sampled_from([0, 1, 5, 7, 0xFFFFFFFE]), st.binary(max_size=6), st.sampled_from([0, 1, 700]),
    st.binary(max_size=12), st.integers(0, 30 * MS),
), max_size=30), st.integers(1, 30))
def test_any_headers_in_any_batches(packets: list[tuple[int, str, int, int, bytes, int, bytes, int]],
                                    batch: int) -> None:
    frames = [segment(d, "".join(set(f)), s, a, p, w, o) for d, f, s, a, p, w, o, _ in packets]
    times = [sum(packet[-1] for packet in packets[: i + 1]) for i in range(len(packets))]
    whole, parts = MemoryTrace(), MemoryTrace()
    whole.add(frames, times)
    flows: dict[int, TcpFlow] = {}
    for start in range(0, len(frames), batch):
        parts.add(frames[start : start + batch], times[start : start + batch])
        for stream in set(parts.index.stream.tolist()) - {-1}:
            flows[stream] = flows.get(stream) or TcpFlow(parts, stream)
            flows[stream].update()
    for stream, grown in flows.items():
        flow = TcpFlow(whole, stream)
        assert flow.flagged() == grown.flagged()
        for row in rows_in(flow.rows):
            assert flow.states(row) == grown.states(row) and flow.detail(row) == grown.detail(row)
            flow.relative(row)
        for direction in (0, 1):
            assert flow.streams[direction].captured <= sum(len(packet[4]) for packet in packets)
