"""One hand-made conversation for each TCP finding, none on clean ones; real captures beside them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.protocols import RULES
from inspector.trace.flows.tcp import TcpFlow
from inspector.trace.trace import Trace
from inspector.wire.findings import Finding
from tests.support.captures.tcp import CAPTURES, MemoryTrace, ip, segment

MS = 1_000_000
Timed = tuple[int, bytes]


def at(ms: float, *arguments: object, **more: object) -> Timed:
    return int(ms * MS), segment(*arguments, **more)  # type: ignore[arg-type]


OPEN = [at(0, 0, "S", 100), at(0.05, 1, "SA", 300, 101), at(0.1, 0, "A", 101, 301)]
CLOSE = [at(900, 0, "FA", 106, 307), at(901, 1, "FA", 307, 107), at(902, 0, "A", 107, 308)]
BOTH = [at(1, 0, "PA", 101, 301, b"hello"), at(2, 1, "A", 301, 106), at(3, 1, "PA", 301, 106, b"world!"),
        at(4, 0, "A", 106, 307)]


def findings(*packets: Timed) -> list[Finding]:
    trace = MemoryTrace()
    trace.add([frame for _, frame in packets], [time for time, _ in packets])
    return TcpFlow(trace, 0).findings()


def only(rule: str, *packets: Timed) -> Finding:
    found = findings(*packets)
    assert [one.id for one in found] == [rule]
    assert found[0].text.endswith(RULES[rule].instead) and found[0].stream == 0
    return found[0]


def test_clean_conversations_give_nothing() -> None:
    assert findings(*OPEN, *BOTH, *CLOSE) == []
    assert findings(*OPEN, *BOTH) == []
    assert findings(*BOTH, *CLOSE) == []
    assert findings(OPEN[0]) == []
    # A server's close, answered by a client's reset after all was read: common, and harmless.
    assert findings(*OPEN, *BOTH, at(5, 1, "FA", 307, 106), at(6, 0, "RA", 106, 308)) == []


def test_bytes_that_came_twice_and_differ() -> None:
    again = at(5, 0, "PA", 101, 307, b"heLLo")
    one = only("tcp.conflicting-retransmission", *OPEN, *BOTH, again)
    assert one.rows == (7, 3) and (one.direction, one.start, one.stop) == (0, 2, 4)
    assert "Bytes 2 to 3" in one.text and "10.0.0.1:40000" in one.text
    assert findings(*OPEN, *BOTH, at(5, 0, "PA", 101, 307, b"hello")) == []
    overlapping = "suricata-verify__eve-overlap-payload-01__tcp-overlap.pcap"
    with Trace.open(CAPTURES / "captures" / "tcp" / overlapping) as trace:
        trace.finish()
        found = [one.id for one in trace.flow(0).findings()]
        assert found.count("tcp.conflicting-retransmission") == 1
    # A keep-alive brings one byte that was acknowledged, with any value (RFC 9293 section 3.8.4).
    assert findings(*OPEN, *BOTH, at(45_000, 0, "A", 105, 307, b"\0"), at(45_001, 1, "A", 307, 106)) == []


def test_connection_refused() -> None:
    one = only("tcp.connection-refused", OPEN[0], at(0.1, 1, "RA", 0, 101))
    assert one.rows == (0, 1) and "10.0.0.2:80" in one.text


def test_no_answer() -> None:
    one = only("tcp.no-answer", OPEN[0], at(1000, 0, "S", 100), at(3000, 0, "S", 100))
    assert one.rows == (0, 1, 2) and "3 SYNs in 3.0 s" in one.text
    one_direction = [OPEN[0], at(1000, 0, "S", 100), at(1000.1, 0, "A", 101, 301)]
    assert findings(*one_direction) == []


def test_a_late_answer() -> None:
    again, answered = at(1000, 0, "S", 100), [at(1000.1, 1, "SA", 300, 101), at(1000.2, 0, "A", 101, 301)]
    one = only("tcp.late-answer", OPEN[0], again, *answered)
    assert one.rows == (0, 1, 2) and "sent SYN 2 times before 10.0.0.2:80 answered, 1.0 s after" in one.text
    assert findings(OPEN[0], at(0.1, 0, "S", 100), *OPEN[1:]) == []           # one SYN, captured twice


def prohibited(quoted: bytes) -> bytes:
    return ip(1, 1, b"\3\x0d" + bytes(6) + quoted[:28])


def test_a_firewall_that_answers_for_the_peer_is_named() -> None:
    again = at(1000, 0, "S", 100)
    refusals = [(MS, prohibited(OPEN[0][1])), (1001 * MS, prohibited(again[1]))]
    one = only("tcp.unreachable", OPEN[0], refusals[0], again, refusals[1])
    assert one.rows == (0, 1, 3, 2) and "Communication administratively filtered" in one.text
    assert only("tcp.unreachable", OPEN[0], refusals[0]).rows == (0, 1)


def test_a_listener_that_leaves_some_waiting() -> None:
    first, second = (40001, 80), (40002, 80)
    trace = MemoryTrace()
    packets = [at(0, 0, "S", 1, ports=first), at(1, 1, "SA", 5, 2, ports=first),
               at(2, 0, "A", 2, 6, ports=first), at(3, 0, "S", 9, ports=second),
               at(1003, 0, "S", 9, ports=second)]
    trace.add([frame for _, frame in packets], [time for time, _ in packets])
    assert TcpFlow(trace, 0).findings() == []
    (one,) = TcpFlow(trace, 1).findings()
    assert one.id == "tcp.backlog-full" and one.rows == (3, 4)


def test_a_socket_kept_in_close_wait() -> None:
    fin = [at(5, 0, "FA", 106, 307), at(6, 1, "A", 307, 107)]
    one = only("tcp.close-wait", *OPEN, *BOTH, *fin, (20_000 * MS, segment(0, "S", 1, ports=(1, 2))))
    assert one.rows == (7, 8) and "10.0.0.2:80 acknowledged the FIN" in one.text and "20 s" in one.text
    assert findings(*OPEN, *BOTH, *fin) == []                                  # not long enough to say
    late = at(19_000, 1, "PA", 307, 107, b"more")                              # it still speaks
    assert findings(*OPEN, *BOTH, *fin, late, at(20_000, 0, "A", 107, 311)) == []
    assert findings(*OPEN, *BOTH, fin[0], (20_000 * MS, segment(0, "S", 1, ports=(1, 2)))) == []


def test_a_close_that_the_capture_lost_is_no_close_wait() -> None:
    later = (20_000 * MS, segment(0, "S", 1, ports=(1, 2)))
    lost = [at(901, 1, "A", 307, 107), at(902, 0, "A", 107, 308)]      # the ACK of a FIN that is not here
    assert findings(*OPEN, *BOTH, CLOSE[0], *lost, later) == []
    assert findings(*OPEN, *BOTH, CLOSE[0], at(902, 1, "A", 308, 107), at(903, 0, "A", 107, 308), later) == []
    assert findings(CLOSE[1], CLOSE[2], later) == []                   # it began at the last FIN
    only("tcp.close-wait", *BOTH[2:], CLOSE[0], lost[0], later)        # had spoken, and did not close
    assert findings(*OPEN, *BOTH, at(9000, 0, "PA", 106, 308, b"there?"), at(9001, 1, "R", 308)) == []
    one = only("tcp.half-open", at(9000, 0, "PA", 106, 308, b"there?"), at(9001, 1, "R", 308))
    assert "may have closed before the capture began" in one.text


def test_bytes_that_came_twice_count_once() -> None:
    sent = [at(5 + i, 0, "PA", 101, 301, b"hello") for i in range(3)]
    one = only("tcp.reset-with-unread-data", *OPEN, *sent, at(50, 1, "RA", 301, 106))
    assert "after 5 bytes" in one.text


def test_reset_with_unread_data() -> None:
    one = only("tcp.reset-with-unread-data", *OPEN, BOTH[0], BOTH[1], at(50, 1, "RA", 301, 106))
    assert (one.direction, one.rows) == (None, (5, 3))
    one = only("tcp.reset-with-unread-data", *OPEN, at(5, 1, "FA", 301, 101),
               at(7, 0, "PA", 101, 301, b"more"), at(8, 1, "R", 302))
    assert one.rows == (5, 4) and "had closed" in one.text


def test_a_reset_right_behind_its_own_end() -> None:
    """As Python's http.server closes: shutdown(), then close(), with a body that nobody read."""
    ended = [*OPEN, BOTH[0], at(5, 1, "FA", 301, 106)]
    one = only("tcp.reset-with-unread-data", *ended, at(5.1, 1, "RA", 302, 106))
    assert one.rows == (5, 4) and one.text.startswith("10.0.0.2:80 sent FIN and then RST, and ")
    assert findings(*ended, at(5.1, 1, "R", 302)) == []             # it answers what the capture lacks
    assert findings(*ended, at(5.05, 0, "FA", 106, 302), at(5.1, 1, "RA", 302, 107)) == []


def test_data_after_an_end_that_was_known() -> None:
    one = only("tcp.sent-after-close", *OPEN, at(5, 1, "FA", 301, 101), at(6, 0, "A", 101, 302),
               at(305, 0, "PA", 101, 302, b"more"), at(306, 1, "R", 302))
    assert one.rows == (3, 5) and (one.direction, one.start, one.stop) == (0, 0, 4)
    assert one.text.startswith(
        "10.0.0.1:40000 sent 4 bytes 300 ms after 10.0.0.2:80 had closed the connection, and got RST. ")


def test_data_that_an_end_overtook_was_sent_before_it() -> None:
    """Its FIN came first, and knows the peer's: the bytes before that FIN prove no such thing."""
    one = only("tcp.reset-with-unread-data", *OPEN, at(5, 1, "FA", 301, 101), at(6, 0, "FA", 105, 302),
               at(7, 0, "PA", 101, 302, b"more"), at(8, 1, "R", 302))
    assert one.rows[0] == 6


def test_a_reset_where_the_client_had_closed() -> None:
    """close() with a part of the request unread, long after the answer: a FIN was due."""
    ended = [*OPEN, *BOTH, at(5, 0, "FA", 106, 307), at(6, 1, "A", 307, 107)]
    one = only("tcp.reset-with-unread-data", *ended, at(300, 1, "RA", 307, 107))
    assert one.rows == (9, 7) and one.severity == "note"
    assert one.text.startswith("10.0.0.2:80 ended with RST the connection that 10.0.0.1:40000 had closed; ")
    assert findings(*ended, at(300, 1, "R", 307)) == []                 # it answers what the capture lacks
    assert findings(*OPEN, at(5, 0, "FA", 101, 301), at(6, 1, "RA", 301, 102)) == []   # nothing was said
    again = at(4.5, 0, "PA", 106, 307, b"more")                         # the last of it has no answer
    late = [at(5, 0, "FA", 110, 307), at(300, 1, "RA", 307, 111)]
    assert only("tcp.reset-with-unread-data", *OPEN, *BOTH, again, *late).severity == "note"


def test_reset_before_anything_was_said() -> None:
    one = only("tcp.reset-after-open", *OPEN, at(5, 1, "RA", 301, 101))
    assert one.severity == "note" and one.rows == (0, 3) and "10.0.0.2:80" in one.text.split(" ")[0]
    assert findings(*OPEN[:2], at(5, 0, "R", 101)) == []                   # a look whether somebody listens
    assert findings(OPEN[0], OPEN[2], at(5, 1, "RA", 301, 101)) == []      # the capture lacks a part
    assert findings(*OPEN, at(5, 1, "RA", 301, 106)) == []               # it answers what is not there
    assert findings(*OPEN, at(5, 1, "RA", 309, 101)) == []                 # or had said something


def test_reset_after_data() -> None:
    assert only("tcp.reset-after-data", *OPEN, *BOTH, at(50, 0, "RA", 106, 307)).rows == (7,)


def test_half_open_found_out_by_data() -> None:
    one = only("tcp.half-open", *OPEN, *BOTH, at(9000, 0, "PA", 106, 307, b"there?"), at(9001, 1, "R", 307))
    assert one.rows == (7, 8) and "10.0.0.2:80 answered with RST" in one.text


def test_half_open_found_out_by_a_syn() -> None:
    one = only("tcp.half-open", at(0, 0, "S", 400), at(1, 1, "A", 300, 100), at(2, 0, "R", 100))
    assert one.rows == (1, 2)


def test_half_open_without_any_answer() -> None:
    again = [at(300 * 2**i, 0, "PA", 106, 307, b"there?") for i in range(5)]
    one = only("tcp.half-open", *OPEN, *BOTH, *again)
    assert "4 repetitions" in one.text and one.rows == (8, 9, 10, 11)


def test_small_writes_and_a_delayed_ack() -> None:
    late = [at(5, 0, "PA", 106, 307, b"head"), at(45, 1, "A", 307, 110), at(45.2, 0, "PA", 110, 307, b"body")]
    one = only("tcp.small-write-stall", *OPEN, *BOTH, *late)
    assert one.rows == (7, 8, 9) and (one.direction, one.start, one.stop) == (0, 5, 13)
    prompt = [late[0], at(5.1, 1, "A", 307, 110), at(5.2, 0, "PA", 110, 307, b"body")]
    assert findings(*OPEN, *BOTH, *prompt) == []
    idle = [late[0], late[1], at(200, 0, "PA", 110, 307, b"body")]       # it had nothing to write until then
    assert findings(*OPEN, *BOTH, *idle) == []
    late = [late[0], late[1], at(47, 0, "PA", 110, 307, b"body")]        # a program, not the kernel
    assert findings(*OPEN, *BOTH, *late) == []
    far = [at(0, 0, "S", 100), at(40, 1, "SA", 300, 101), at(41, 0, "A", 101, 301)]
    slow = [at(50, 0, "PA", 101, 301, b"a"), at(91, 1, "A", 301, 102), at(91.1, 0, "PA", 102, 301, b"b")]
    assert findings(*far, *slow) == []


def test_zero_window_stall() -> None:
    shut = [at(10, 1, "A", 307, 106, window=0), at(210, 0, "A", 105, 307),
            at(211, 1, "A", 307, 106, window=0)]
    one = only("tcp.zero-window-stall", *OPEN, *BOTH, *shut, at(800, 1, "A", 307, 106, window=900))
    assert one.rows == (7, 8, 10) and "10.0.0.2:80 does not read" in one.text and "0.79 s" in one.text
    assert only("tcp.zero-window-stall", *OPEN, *BOTH, *shut).rows == (7, 8, 9)
    assert findings(*OPEN, *BOTH, shut[0], at(60, 1, "A", 307, 106, window=900)) == []


@pytest.mark.parametrize(("name", "rules"), [
    ("half-close", []), ("half-open", ["tcp.half-open"]), ("loss-3", ["tcp.late-answer"]), ("loss-10", []),
    ("slow-reader", []), ("loss-without-options", []), ("keep-alive", ["tcp.reset-with-unread-data"]),
    ("simultaneous-open", []),
    ("refused-and-unanswered", ["tcp.connection-refused", "tcp.no-answer"]), ("reordered", []),
    ("ports-again", ["tcp.reset-after-data"] * 3), ("small-writes", ["tcp.small-write-stall"]),
    ("unread-data", ["tcp.reset-with-unread-data"]), ("zero-window", ["tcp.zero-window-stall"]),
])
def test_real_conversations(name: str, rules: list[str]) -> None:
    with Trace.open(CAPTURES / "tcp" / f"{name}.pcap") as trace:
        trace.finish()
        streams = [conversation.stream for conversation in trace.conversations("tcp")]
        assert [one.id for stream in streams for one in trace.flow(stream).findings()] == rules


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(
    st.integers(0, 1), st.text("FSRPA", max_size=3), st.sampled_from([0, 1, 5, 6, 0xFFFFFFFF]),
    st.sampled_from([0, 1, 5, 7]), st.binary(max_size=3), st.sampled_from([0, 700]), st.integers(0, 400),
), min_size=1, max_size=30))
def test_any_packets_give_findings_in_order(
    packets: list[tuple[int, str, int, int, bytes, int, int]]
) -> None:
    trace, time = MemoryTrace(), 0
    for end, flags, seq, ack, payload, window, step in packets:
        time += step * MS
        trace.add([segment(end, "".join(set(flags)), seq, ack, payload, window)], [time])
    for stream in set(trace.index.stream.tolist()) - {-1}:
        found = TcpFlow(trace, stream).findings()
        assert [one.rows for one in found] == sorted(one.rows for one in found)
        assert all(one.rows and one.start <= one.stop for one in found)
