"""The ladder's lines: every packet and call once, in order, whatever comes; grown step by step as at once."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.views.ladder.layout import LEFT, RIGHT, Layout, Moment
from inspector.wire.arrays import Int64s

STEP = 1_000_000


def _moments(raw: list[tuple[int, int, int]]) -> list[Moment]:
    made = []
    for number, (time, side, kind) in enumerate(sorted(raw)):
        part = ("whole", "entry", "return")[kind % 3]
        until = time * STEP + 100_000
        made.append(Moment(time * STEP, number, part, side, kind == 0, kind == 2, until))  # type: ignore[arg-type]
    return made


packets = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 1)), max_size=30)
calls = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 1), st.integers(0, 3)), max_size=30)


def _layout(times: Int64s, moments: list[Moment], sides: list[int]) -> Layout:
    layout = Layout()
    layout.update(times, moments, lambda position: sides[position], 0)
    return layout


@given(packets, calls)
@settings(max_examples=100, deadline=None)
def test_everything_stands_once_and_is_found_again(raw_packets: list[tuple[int, int]],
                                                   raw_calls: list[tuple[int, int, int]]) -> None:
    raw_packets = sorted(raw_packets)
    times = np.array([time * STEP + 500_000 for time, _ in raw_packets], np.int64)
    moments = _moments(raw_calls)
    layout = _layout(times, moments, [side for _, side in raw_packets])
    places = [layout.place(line) for line in range(layout.count)]
    assert [place.packet for place in places if place.packet is not None] == list(range(len(times)))
    shown = [m for place in places for m in (place.left, place.right) if m is not None]
    assert sorted(shown) == list(range(len(moments)))
    for packet in range(len(times)):
        assert layout.place(layout.line_of_packet(packet)).packet == packet
    for number, moment in enumerate(moments):
        place = layout.place(layout.line_of_moment(number))
        assert (place.right if moment.side == RIGHT else place.left) == number
    for side in (LEFT, RIGHT):
        order = [m for place in places if (m := place.right if side else place.left) is not None]
        assert order == sorted(order)


@given(packets, calls, st.lists(st.integers(0, 200), max_size=4))
@settings(max_examples=100, deadline=None)
def test_growing_gives_the_same_as_all_at_once(
    raw_packets: list[tuple[int, int]], raw_calls: list[tuple[int, int, int]], cuts: list[int]
) -> None:
    raw_packets = sorted(raw_packets)
    times = np.array([time * STEP + 500_000 for time, _ in raw_packets], np.int64)
    sides = [side for _, side in raw_packets]
    moments = _moments(raw_calls)
    whole = _layout(times, moments, sides)
    layout = Layout()
    shown: list[Moment] = []
    for cut in [*sorted(cuts), 201]:
        now = [moment for moment in moments if moment.time_ns < cut * STEP]
        layout.update(times[times < cut * STEP], now, lambda position: sides[position], len(shown))
        shown = now
    assert layout.count == whole.count
    for line in range(layout.count):
        assert layout.place(line) == whole.place(line)


def test_a_call_stands_beside_the_packet_that_it_sent_and_that_woke_it() -> None:
    times = np.array([2 * STEP], np.int64)
    send = Moment(2 * STEP - 1000, 0, "whole", LEFT, cause=True, until_ns=2 * STEP + 1000)
    receive = Moment(2 * STEP + 9000, 1, "whole", RIGHT, effect=True)
    layout = _layout(times, [send, receive], [LEFT])
    assert layout.count == 1
    assert layout.place(0)[:3] == (0, 0, 1)


def test_a_silence_gets_a_line() -> None:
    times = np.array([0, 500 * STEP, 501 * STEP], np.int64)
    layout = _layout(times, [], [LEFT, LEFT, RIGHT])
    assert [layout.place(line).gap_ns for line in range(layout.count)] == [0, 500 * STEP, 0, 0]
