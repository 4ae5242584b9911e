"""States of both ends after every packet, held against the figures of RFC 9293."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.model.packets import Row, first_rows
from inspector.wire.tcp.state import STATES, TcpStates

pytestmark = pytest.mark.quick

NUMBERS = st.sampled_from([0, 1, 2, 5, 6, 0xFFFFFFFF])
FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16}


def play(*packets: tuple[int, str, int, int, int]) -> list[tuple[str, str]]:
    """The states after each packet (direction, flags, seq, ack, length), asked for at the end."""
    states = TcpStates()
    for row, (direction, flags, seq, ack, length) in enumerate(packets):
        states.see(Row(row), direction, sum(FLAGS[flag] for flag in flags), seq, ack, length)
    assert states.current == states.at(Row(len(packets) - 1))
    return [states.at(row) for row in first_rows(len(packets))]


OPEN = ((0, "S", 100, 0, 0), (1, "SA", 300, 101, 0), (0, "A", 101, 301, 0))
OPENED = [("SYN-SENT", "SYN-RECEIVED"), ("ESTABLISHED", "SYN-RECEIVED"), ("ESTABLISHED", "ESTABLISHED")]


def test_three_way_handshake_figure_6() -> None:
    assert play(*OPEN) == OPENED


def test_lone_syn_leaves_the_peer_unknown() -> None:
    assert play(OPEN[0]) == [("SYN-SENT", "unknown")]
    assert play(OPEN[0], OPEN[0]) == [("SYN-SENT", "unknown")] * 2


def test_simultaneous_open_figure_7() -> None:
    assert play((0, "S", 100, 0, 0), (1, "S", 300, 0, 0), (0, "SA", 100, 301, 0), (1, "SA", 300, 101, 0)) == [
        ("SYN-SENT", "CLOSED"), ("SYN-RECEIVED", "SYN-RECEIVED"), ("SYN-RECEIVED", "SYN-RECEIVED"),
        ("ESTABLISHED", "ESTABLISHED"),
    ]


def test_normal_close_figure_12() -> None:
    assert play(*OPEN, (0, "FA", 101, 301, 0), (1, "A", 301, 102, 0), (1, "FA", 301, 102, 0),
                (0, "A", 102, 302, 0))[3:] == [
        ("FIN-WAIT-1", "CLOSE-WAIT"), ("FIN-WAIT-2", "CLOSE-WAIT"), ("TIME-WAIT", "LAST-ACK"),
        ("TIME-WAIT", "CLOSED"),
    ]


def test_close_in_three_packets() -> None:
    assert play(*OPEN, (1, "FA", 301, 101, 0), (0, "FA", 101, 302, 0), (1, "A", 302, 102, 0))[3:] == [
        ("CLOSE-WAIT", "FIN-WAIT-1"), ("LAST-ACK", "TIME-WAIT"), ("CLOSED", "TIME-WAIT"),
    ]


def test_simultaneous_close_figure_13() -> None:
    assert play(*OPEN, (0, "FA", 101, 301, 0), (1, "FA", 301, 101, 0), (0, "A", 102, 302, 0),
                (1, "A", 302, 102, 0))[3:] == [
        ("FIN-WAIT-1", "ESTABLISHED"), ("CLOSING", "CLOSING"), ("CLOSING", "TIME-WAIT"),
        ("TIME-WAIT", "TIME-WAIT"),
    ]


def test_half_close_keeps_the_other_direction_open() -> None:
    assert play(*OPEN, (0, "FA", 101, 301, 0), (1, "A", 301, 102, 0), (1, "PA", 301, 102, 9),
                (0, "A", 102, 310, 0), (1, "FA", 310, 102, 0), (0, "A", 102, 311, 0))[3:] == [
        ("FIN-WAIT-1", "CLOSE-WAIT"), *[("FIN-WAIT-2", "CLOSE-WAIT")] * 3, ("TIME-WAIT", "LAST-ACK"),
        ("TIME-WAIT", "CLOSED"),
    ]


def test_refused() -> None:
    assert play((0, "S", 100, 0, 0), (1, "RA", 0, 101, 0)) == [("SYN-SENT", "CLOSED"), ("CLOSED", "CLOSED")]


def test_a_reset_that_acknowledges_nothing_sent_does_not_refuse() -> None:
    assert play((0, "S", 100, 0, 0), (1, "RA", 0, 77, 0))[1][0] == "SYN-SENT"


def test_reset_while_established_and_while_opening() -> None:
    assert play(*OPEN, (1, "RA", 301, 101, 0))[3] == ("CLOSED", "CLOSED")
    assert play(*OPEN[:2], (0, "R", 101, 0, 0))[2] == ("CLOSED", "LISTEN")
    assert play(*OPEN, (1, "R", (301 + (1 << 31)) & 0xFFFFFFFF, 0, 0))[3][0] == "ESTABLISHED"


def test_lost_fin_is_corrected_by_what_its_receiver_sends() -> None:
    assert play(*OPEN, (0, "FA", 101, 301, 0), (1, "PA", 301, 101, 5), (0, "FA", 101, 306, 0),
                (1, "A", 306, 102, 0))[3:] == [
        ("FIN-WAIT-1", "ESTABLISHED"), ("FIN-WAIT-1", "CLOSE-WAIT"), ("FIN-WAIT-1", "CLOSE-WAIT"),
        ("FIN-WAIT-2", "CLOSE-WAIT"),
    ]


def test_lost_answers_are_corrected_by_the_repetition() -> None:
    assert play(*OPEN[:2], OPEN[0], OPEN[1], OPEN[2]) == [
        ("SYN-SENT", "SYN-RECEIVED"), ("SYN-SENT", "SYN-RECEIVED"), ("SYN-SENT", "SYN-RECEIVED"),
        ("ESTABLISHED", "SYN-RECEIVED"), ("ESTABLISHED", "ESTABLISHED"),
    ]
    assert play(*OPEN, (1, "SA", 300, 101, 0), (0, "A", 101, 301, 0))[2:] == [
        ("ESTABLISHED", "SYN-RECEIVED"), ("ESTABLISHED", "SYN-RECEIVED"), ("ESTABLISHED", "ESTABLISHED"),
    ]


def test_parts_of_the_handshake_missing() -> None:
    assert play(*OPEN[1:]) == [("ESTABLISHED", "SYN-RECEIVED"), ("ESTABLISHED", "ESTABLISHED")]
    whole = play(OPEN[0], OPEN[2], (1, "PA", 301, 101, 5))
    assert whole == [("SYN-SENT", "SYN-RECEIVED"), *[("ESTABLISHED", "ESTABLISHED")] * 2]
    assert play(OPEN[0], OPEN[1], (0, "PA", 101, 301, 5))[2] == ("ESTABLISHED", "ESTABLISHED")


def test_without_the_start_unknown_until_proven() -> None:
    packets = ((0, "PA", 500, 900, 10), (1, "A", 900, 510, 0), (0, "PA", 510, 900, 10),
               (1, "PA", 900, 520, 5), (0, "FA", 520, 905, 0), (1, "FA", 905, 521, 0), (0, "A", 521, 906, 0))
    assert play(*packets) == [
        *[("unknown", "unknown")] * 3, ("ESTABLISHED", "ESTABLISHED"), ("FIN-WAIT-1", "CLOSE-WAIT"),
        ("TIME-WAIT", "LAST-ACK"), ("TIME-WAIT", "CLOSED"),
    ]
    assert play((0, "FA", 500, 900, 0), (1, "A", 900, 501, 0)) == [("unknown", "unknown")] * 2
    assert play((0, "R", 500, 900, 0)) == [("CLOSED", "CLOSED")]


def test_seen_from_one_side_alone_nobody_knows() -> None:
    """The other end closed too, and acknowledged; not one packet of it is in the capture."""
    client = (OPEN[0], OPEN[2], (0, "PA", 101, 301, 5), (0, "A", 106, 401, 0), (0, "FA", 106, 401, 0),
              (0, "A", 107, 402, 0))
    assert play(*client) == [("SYN-SENT", "SYN-RECEIVED"), *[("unknown", "unknown")] * 5]
    server = (OPEN[1], (1, "PA", 301, 106, 100), (1, "FA", 401, 107, 0))
    assert play(*server) == [("unknown", "unknown")] * 3
    assert play(*client[:3], (0, "R", 106, 0, 0))[-1] == ("CLOSED", "CLOSED")


def test_a_socket_connected_to_itself() -> None:
    states = TcpStates(to_itself=True)
    for row, packet in enumerate(((2, 100, 0, 0), (18, 100, 101, 0), (16, 101, 101, 5), (16, 106, 106, 0),
                                  (17, 106, 106, 0), (16, 107, 107, 0))):
        states.see(Row(row), 0, *packet)
    found = [states.at(row) for row in first_rows(6)]
    assert [a for a, _ in found] == ["SYN-RECEIVED", *["ESTABLISHED"] * 3, "CLOSING", "TIME-WAIT"]
    assert all(a == b for a, b in found)


def test_half_open_discovery_figure_9() -> None:
    assert play((0, "S", 400, 0, 0), (1, "A", 300, 100, 0), (0, "R", 100, 0, 0), (0, "S", 400, 0, 0)) == [
        ("SYN-SENT", "CLOSED"), ("SYN-SENT", "CLOSED"), ("SYN-SENT", "CLOSED"), ("SYN-SENT", "CLOSED"),
    ]


def test_the_same_ports_used_again() -> None:
    states = play((0, "S", 100, 0, 0), (1, "RA", 0, 101, 0), (0, "S", 7000, 0, 0), (1, "SA", 9, 7001, 0),
                  (0, "A", 7001, 10, 0))
    assert states[1:] == [("CLOSED", "CLOSED"), *OPENED]


PACKETS = st.tuples(st.integers(0, 1), st.integers(0, 63), NUMBERS, NUMBERS, st.sampled_from([0, 1, 4]))


@settings(max_examples=100, deadline=None)
@given(st.lists(PACKETS, max_size=40))
def test_any_packets_give_states(packets: list[tuple[int, int, int, int, int]]) -> None:
    states = TcpStates()
    for row, packet in enumerate(packets):
        states.see(Row(row), *packet)
        assert set(states.current) <= set(STATES)
    for row in first_rows(len(packets)):
        assert set(states.at(row)) <= set(STATES)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
def test_states_do_not_depend_on_where_the_numbers_start(a: int, b: int) -> None:
    base = ((0, "S", 0, 0, 0), (1, "SA", 0, 1, 0), (0, "A", 1, 1, 0), (0, "PA", 1, 1, 5), (1, "FA", 1, 6, 0),
            (0, "FA", 6, 2, 0), (1, "A", 2, 7, 0))
    moved = []
    for direction, flags, seq, ack, length in base:
        mine, other = (a, b) if direction == 0 else (b, a)
        ack = (ack + other) % 2**32 if "A" in flags else 0
        moved.append((direction, flags, (seq + mine) % 2**32, ack, length))
    assert play(*moved) == play(*base)


SECOND = 1_000_000_000
Sent = tuple[int, str, int, int, int, float, float | None]      # a packet, when it was sent, when it came


def on_the_wire(*packets: Sent) -> list[tuple[str, str]]:
    """The states after each packet, and after all that came in the end: packets wait on the wire."""
    states = TcpStates()
    for row, (direction, flags, seq, ack, length, sent, came) in enumerate(packets):
        states.see(Row(row), direction, sum(FLAGS[flag] for flag in flags), seq, ack, length,
                   sent_ns=int(sent * SECOND), arrived_ns=None if came is None else int(came * SECOND))
    return [*(states.at(row) for row in first_rows(len(packets))), states.current]


def test_a_packet_that_waits_counts_for_its_receiver_when_it_comes() -> None:
    assert on_the_wire(
        (0, "S", 100, 0, 0, 0, 2), (0, "S", 100, 0, 0, 1, 2.5), (1, "SA", 300, 101, 0, 2.1, 4.05),
        (1, "SA", 300, 101, 0, 2.6, None), (0, "S", 100, 0, 0, 3, None), (0, "A", 101, 301, 0, 4.1, 6),
        (1, "SA", 300, 101, 0, 5, None), (0, "PA", 101, 301, 5, 5.5, 6),
    ) == [
        *[("SYN-SENT", "LISTEN")] * 2, *[("SYN-SENT", "SYN-RECEIVED")] * 3,
        *[("ESTABLISHED", "SYN-RECEIVED")] * 3, ("ESTABLISHED", "ESTABLISHED"),
    ]


def test_who_got_a_syn_ack_is_established_while_its_own_ack_waits() -> None:
    """Between the SYN ACK's arrival and the next packet nothing is told; then all that came is known."""
    packets = ((0, "S", 100, 0, 0, 0, 0), (1, "SA", 300, 101, 0, 1, 3), (0, "A", 101, 301, 0, 3.1, 5),
               (1, "A", 301, 101, 0, 6, 6))
    assert on_the_wire(*packets) == [
        *[("SYN-SENT", "SYN-RECEIVED")] * 2, ("ESTABLISHED", "SYN-RECEIVED"),
        *[("ESTABLISHED", "ESTABLISHED")] * 2,
    ]
    states = TcpStates()
    for row, (direction, flags, *numbers, sent, came) in enumerate(packets):
        states.see(Row(row), direction, sum(FLAGS[flag] for flag in flags), *numbers[:3],
                   sent_ns=int(sent * 10), arrived_ns=int(came * 10))
        if row == 1:
            assert [states.at(Row(1), time)[0] for time in (29, 30)] == ["SYN-SENT", "ESTABLISHED"]
    assert [states.at(Row(2), time)[1] for time in (0, 49, 50)] == [*["SYN-RECEIVED"] * 2, "ESTABLISHED"]
    assert [states.at(Row(1), time)[0] for time in (29, 30)] == ["SYN-SENT", "ESTABLISHED"]
    assert on_the_wire(*packets[:2]) == [*[("SYN-SENT", "SYN-RECEIVED")] * 2, ("ESTABLISHED", "SYN-RECEIVED")]


def test_a_syn_that_is_dropped_leaves_the_server_listening() -> None:
    assert on_the_wire((0, "S", 100, 0, 0, 0, None), (0, "S", 100, 0, 0, 1, 1), (1, "SA", 300, 101, 0, 1, 1))[
        :3] == [("SYN-SENT", "LISTEN"), ("SYN-SENT", "SYN-RECEIVED"), ("ESTABLISHED", "SYN-RECEIVED")]


def test_a_close_that_waits() -> None:
    opened = [(*packet, number / 10, number / 10) for number, packet in enumerate(OPEN)]
    assert on_the_wire(*opened, (0, "FA", 101, 301, 0, 1, 3), (1, "PA", 301, 101, 5, 2, 2),
                       (1, "A", 306, 102, 0, 3.1, 5), (1, "FA", 306, 102, 0, 4, 4.5),
                       (0, "A", 102, 307, 0, 4.6, 7))[3:] == [
        *[("FIN-WAIT-1", "ESTABLISHED")] * 2, ("FIN-WAIT-1", "CLOSE-WAIT"), ("FIN-WAIT-1", "LAST-ACK"),
        ("TIME-WAIT", "LAST-ACK"), ("TIME-WAIT", "CLOSED"),
    ]


def test_a_reset_that_waits() -> None:
    opened = [(*packet, 0, 0) for packet in OPEN]
    assert on_the_wire(*opened, (1, "RA", 301, 101, 0, 1, 3), (0, "PA", 101, 301, 5, 2, 2),
                       (1, "R", 301, 0, 0, 4, None))[3:] == [
        *[("ESTABLISHED", "CLOSED")] * 2, *[("CLOSED", "CLOSED")] * 2]


def test_an_ack_proves_that_the_syn_ack_had_come() -> None:
    """RFC 9293 section 3.10.7.3: SYN-SENT sends no bare ACK. Captured at the server, the SYN came again."""
    assert play(*OPEN[:2], OPEN[0], OPEN[2])[2:] == [
        ("SYN-SENT", "SYN-RECEIVED"), ("ESTABLISHED", "ESTABLISHED")]
    assert play(*OPEN[:2], OPEN[0], (1, "A", 301, 101, 0), OPEN[2])[-1] == ("ESTABLISHED", "ESTABLISHED")
