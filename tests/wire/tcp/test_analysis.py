"""Each flag of the TCP analysis on the shortest conversation that shows it, and what must not matter."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from inspector.wire.tcp.analysis import Columns, TcpAnalysis
from inspector.wire.tcp.flags import names_of
from inspector.wire.tcp.options import TcpOptions

FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16}
Packet = tuple[int, str, int, int, int, int]        # direction, flags, seq, ack, length, window
OPEN: tuple[Packet, ...] = (
    (0, "S", 100, 0, 0, 1000), (1, "SA", 300, 101, 0, 1000), (0, "A", 101, 301, 0, 1000))


def analysed(*packets: Packet, step: int = 1_000_000, shift: tuple[int, int] = (0, 0)) -> TcpAnalysis:
    analysis = TcpAnalysis(lambda row: TcpOptions())
    rows = []
    for row, (direction, flags, seq, ack, length, window) in enumerate(packets):
        seq = (seq + shift[direction]) % 2**32
        ack = (ack + shift[1 - direction]) % 2**32 if "A" in flags else 0
        bits = sum(FLAGS[flag] for flag in flags)
        rows.append((row, direction, bits, seq, ack, length, window, row * step, 20))
    analysis.feed(Columns(*np.array(rows, np.int64).T))
    return analysis


def last(*packets: Packet, step: int = 1_000_000) -> set[str]:
    """The flags of the last packet; all before it but those that are said to must have none."""
    analysis = analysed(*OPEN, *packets, step=step)
    bits = analysis.flags.get(len(OPEN) + len(packets) - 1, 0)
    return {name.removeprefix("tcp.analysis.") for name in names_of(bits)}


def a(seq: int, length: int, ack: int = 301, window: int = 1000) -> Packet:
    return 0, "A", seq, ack, length, window


def b(ack: int, length: int = 0, seq: int = 301, window: int = 1000) -> Packet:
    return 1, "A", seq, ack, length, window


def test_plain_data_has_no_flag() -> None:
    assert not analysed(*OPEN, a(101, 10), b(111), b(111, 5), a(111, 0, 306), a(111, 10, 306)).flags


def test_retransmissions() -> None:
    assert last(a(101, 10), a(101, 10), step=10_000_000) == {"retransmission"}
    assert last(a(101, 10), b(111), a(101, 10)) == {"retransmission", "spurious_retransmission"}
    fast = (a(101, 10), a(111, 10), b(101), b(101), b(101), a(101, 10))
    assert last(*fast) == {"retransmission", "fast_retransmission"}
    assert last(*fast, step=30_000_000) == {"retransmission"}      # too long after its ACK
    assert last((0, "S", 100, 0, 0, 1000)) == {"retransmission"}


def test_order_and_holes() -> None:
    assert last(a(111, 10)) == {"lost_segment"}
    assert last(a(111, 10), a(101, 9)) == {"out_of_order"}
    assert last(b(150)) == {"ack_lost_segment"}


def test_duplicates_are_counted() -> None:
    analysis = analysed(*OPEN, a(101, 10), b(101), b(101), b(101), b(111))
    assert analysis.duplicates == {5: (2, 1), 6: (3, 1), 4: (1, 1)}
    assert last(a(101, 10), b(101)) == {"duplicate_ack"}


def test_windows() -> None:
    assert last(b(101, window=0)) == {"zero_window"}
    assert last(b(101, window=0), a(101, 1)) == {"zero_window_probe"}
    assert last(b(101, window=0), a(101, 1), b(101, window=0)) == {"zero_window", "zero_window_probe_ack"}
    assert last(b(101, window=900)) == {"window_update"}
    assert last(a(101, 1000)) == {"window_full"}


def test_keep_alive() -> None:
    assert last(a(101, 10), b(111), a(110, 1)) == {"keep_alive"}
    assert last(a(101, 10), b(111), a(110, 0), b(111)) == {"keep_alive_ack"}


def test_measures() -> None:
    analysis = analysed(*OPEN, a(101, 10), a(111, 10), b(116), b(121))
    assert list(analysis.in_flight)[3:] == [10, 20, 0, 0]
    assert analysis.rtt_ns[6] == 2_000_000 and analysis.rtt_ns[5] < 0
    assert analysis.initial_rtt_ns == 2_000_000
    assert analysis.base(0) == 100 and analysis.scale(0) == 0


PACKETS = st.tuples(
    st.integers(0, 1), st.sampled_from(["A", "A", "A", "PA", "FA", "RA"]), st.integers(0, 40),
    st.integers(0, 40), st.sampled_from([0, 0, 1, 5, 10]), st.sampled_from([0, 500, 1000]))


@settings(max_examples=100, deadline=None)
@given(st.lists(PACKETS, max_size=25), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_the_numbers_may_wrap_anywhere(packets: list[Packet], mine: int, theirs: int) -> None:
    # 0 stands for "nothing yet", as in Wireshark: it must not be one of the numbers.
    assume(all(not 0 <= -base % 2**32 <= 60 for base in (100 + mine, 300 + theirs)))
    moved = [(d, f, 101 + s if d == 0 else 301 + s, 301 + k if d == 0 else 101 + k, n, w)
             for d, f, s, k, n, w in packets]
    here = analysed(*OPEN, *moved)
    there = analysed(*OPEN, *moved, shift=(mine, theirs))
    assert here.flags == there.flags and here.duplicates == there.duplicates
    assert list(here.in_flight) == list(there.in_flight) and list(here.rtt_ns) == list(there.rtt_ns)
    assert here.states.current == there.states.current
