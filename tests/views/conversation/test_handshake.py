"""What the handshake pane tells, where it is not told by the grids: attempts that failed in other ways."""

import struct
from pathlib import Path
from typing import Any

import pytest

from inspector.model.endpoint import Transport
from inspector.trace.trace import Trace
from inspector.views.conversation.opening import handshake
from inspector.views.conversations.table import STATES, ConversationTable
from inspector.views.json.conversations import conversations
from tests.support.captures.network import CLIENT, SERVER, Network
from tests.support.captures.tcp import MemoryTrace, segment
from tests.support.captures.traces import open_trace
from tests.support.screen.views import all_lines, text_of

pytestmark = pytest.mark.quick


def _text(trace: Trace, protocol: Transport = "tcp") -> str:
    page = handshake(trace, (protocol, 0)).page(100)
    return text_of(all_lines(page.count, page.line, 100), 100)


def test_a_syn_that_nobody_answers(tmp_path: Path) -> None:
    network = Network(step_ns=1_000_000_000)
    for _ in range(3):
        network.tcp(CLIENT, "S", seq=3_000_000_000)
    with network.open(tmp_path / "silent.pcapng") as trace:
        text = _text(trace)
    assert "the SYN was sent 3 times over 2.0 s" in text and "ETIMEDOUT" in text
    assert "No answer had come" in text


def test_a_syn_ack_that_was_answered_is_not_said_to_wait(tmp_path: Path) -> None:
    """On a wire that is held a SYN that came again is answered once more, after the first answer's ACK."""
    network = Network()
    network.handshake()
    network.tcp(CLIENT, "S", seq=3_000_000_000)
    network.tcp(SERVER, "SA", seq=1_000_000_000, ack=3_000_000_001)
    with network.open(tmp_path / "again.pcapng") as trace:
        text = _text(trace)
    assert "The client had answered it already: this goes to a SYN that came again." in text


def test_a_conversation_whose_beginning_is_missing(tmp_path: Path) -> None:
    network = Network()
    network.tcp(CLIENT, "PA", b"hello")
    network.tcp(SERVER, "FA")
    with network.open(tmp_path / "middle.pcapng") as trace:
        text = _text(trace)
    assert "begins in the middle" in text
    assert "half-closed" in text and "not seen" in text


def test_an_open_connection_is_not_yet_closed(tmp_path: Path) -> None:
    network = Network()
    network.handshake()
    with network.open(tmp_path / "open.pcapng") as trace:
        text = _text(trace)
    assert "✓" in text and "Neither side has closed" in text


def test_a_reset_that_loses_data_is_no_orderly_close(tmp_path: Path) -> None:
    """The client closes, what the server still sends is answered by resets; the server's FIN is not heard."""
    network = Network()
    network.handshake()
    network.tcp(CLIENT, "FA")
    network.tcp(SERVER, "PA", b"lost")
    network.tcp(SERVER, "FA")
    network.tcp(CLIENT, "R")
    network.tcp(CLIENT, "R")
    with network.open(tmp_path / "lost.pcapng") as trace:
        text, states = " ".join(_text(trace).split()), ConversationTable(trace)
        while states.update():
            pass
    assert "orderly" not in text and "by RST" in text
    assert "4 bytes that the server sent were not acknowledged by the client" in text
    assert "The client's recv() returns 0" not in text and "would return 0" in text
    assert STATES[states.states()[0]] == "reset"


def test_a_reset_after_both_ends_had_closed_loses_nothing(tmp_path: Path) -> None:
    network = Network()
    network.handshake()
    network.tcp(CLIENT, "FA")
    network.tcp(SERVER, "FA")
    network.tcp(CLIENT, "A")
    network.tcp(CLIENT, "R")
    with network.open(tmp_path / "after.pcapng") as trace:
        text, states = " ".join(_text(trace).split()), ConversationTable(trace)
        while states.update():
            pass
    assert "orderly, a reset after it" in text and "nothing is lost" in text
    assert STATES[states.states()[0]] == "closed"


@pytest.mark.parametrize("closes", [True, False])
def test_who_hears_of_a_fin_is_what_the_calls_say(closes: bool, tmp_path: Path) -> None:
    network = Network()
    client, server = "127.0.0.1:50412", "127.0.0.1:9000"
    ends: dict[str, Any] = {"local": client, "peer": server, "fd": 3, "protocol": "tcp"}
    network.handshake()
    if closes:
        network.call("client", "close", "3", **ends)
    else:
        network.call("client", "shutdown", "3, SHUT_WR", **ends)
    network.tcp(CLIENT, "FA")
    network.tcp(SERVER, "FA")
    network.tcp(CLIENT, "A")
    if not closes:
        network.call("client", "recv", "3, 65536", detail="end of stream", **ends)
    with network.open(tmp_path / "calls.pcapng") as trace:
        text = " ".join(_text(trace).split())
    assert ("The client's recv() returns 0, the end of the stream." in text) != closes
    assert ("No recv() of the client hears of it" in text) == closes


def test_a_wrong_proof_is_told(tmp_path: Path) -> None:
    network = Network()
    network.handshake()
    network.tcp(CLIENT, "PA", b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
    network.tcp(SERVER, "PA", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n")
    with network.open(tmp_path / "wrong.pcapng") as trace:
        text = _text(trace)
    assert "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in text           # RFC 6455 section 1.3
    assert "wrong  ✗  not the same" in text and "accepted, but not rightly" in text


def test_lines_lead_to_their_packets() -> None:
    with open_trace("websocket") as trace:
        page = handshake(trace, ("tcp", 0)).page(80)
        rows = {page.target(index) for index in range(page.count)}
    assert {0, 1, 2, 3, 5} <= rows


def test_udp_without_an_error(tmp_path: Path) -> None:
    network = Network()
    network.udp(CLIENT, b"hello")
    with network.open(tmp_path / "udp.pcapng") as trace:
        text = _text(trace, "udp")
    assert "UDP has no handshake" in text and "ICMP" not in text


def test_a_section_is_found_again_in_a_page_of_another_width() -> None:
    with open_trace("websocket") as trace:
        document = handshake(trace, ("tcp", 0))
        narrow, wide = document.page(20), document.page(100)
    assert narrow.count > 2 * wide.count
    for heading, line in narrow.headings:
        there = wide.same_place(narrow, line)
        assert there == dict(wide.headings)[heading]
        assert narrow.same_place(wide, there) == line
        assert narrow.same_place(narrow, line + 1) == line + 1
    end = wide.same_place(narrow, narrow.count - 1)
    assert wide.headings[-1][1] < end < wide.count


def test_fast_open_acknowledges_the_data_of_the_syn(tmp_path: Path) -> None:
    network = Network()
    network.tcp(CLIENT, "S", b"GET /", options=[(34, b"12345678")])
    network.tcp(SERVER, "SA")
    network.tcp(CLIENT, "A")
    with network.open(tmp_path / "fast.pcapng") as trace:
        text = _text(trace)
    assert "3000000006 = 3000000000 + 1 + 5  ✓" in text and "✗" not in text
    assert "5 bytes  already in the SYN: TCP Fast Open" in text and "Fast Open cookie" in text


def test_a_simultaneous_open_answers_and_repeats_nothing(tmp_path: Path) -> None:
    network = Network()
    network.tcp(CLIENT, "S")
    network.tcp(SERVER, "S")
    network.tcp(CLIENT, "SA", seq=3_000_000_000, ack=1_000_000_001)
    network.tcp(SERVER, "SA", seq=1_000_000_000, ack=3_000_000_001)
    network.tcp(CLIENT, "A", seq=3_000_000_001, ack=1_000_000_001)
    with network.open(tmp_path / "both.pcapng") as trace:
        text = _text(trace)
        assert not {2, 3} & trace.flow(0).flagged().keys() and trace.flow(0).rtt_ns is None
    assert "TCP simultaneous open" in text and "No answer had come" not in text and "✗" not in text


def test_a_first_ack_with_data_may_be_late_for_other_reasons_than_the_way(tmp_path: Path) -> None:
    network = Network()
    network.tcp(CLIENT, "S")
    network.tcp(SERVER, "SA")
    network.tcp(CLIENT, "PA", b"hello")
    with network.open(tmp_path / "lost.pcapng") as trace:
        assert "round trip unknown, at most 20 µs: the first ACK came with data" in _text(trace)
        (line,), (table,) = list(conversations(trace)), [ConversationTable(trace)]
        assert line["handshake"] == "complete" and "rtt_ns" not in line
        assert table.update() and table.rtt_ns().tolist() == [-1]


def test_a_round_trip_is_of_the_syn_that_was_answered(tmp_path: Path) -> None:
    """RFC 7323 section 4: the echo tells; else it could be either (Karn's algorithm)."""
    def stamped(time: int, echo: int) -> bytes:
        return b"\x01\x01\x08\x0a" + struct.pack(">II", time, echo)

    def opened(name: str, syns: tuple[int, int], echo: int, *, stamps: bool = True) -> tuple[str, int]:
        options = stamped if stamps else lambda time, echo: b""
        trace = MemoryTrace()
        ends = [(0, "S", 7, 0), (1, "SA", 9, 8), (0, "S", 7, 0), (1, "SA", 9, 8), (0, "A", 8, 10)]
        stamps_of = [(syns[0], 0), (5000, echo), (syns[1], 0), (6000, echo), (syns[1] + 9, 5000)]
        trace.add([
            segment(*end, options=options(*stamp)) for end, stamp in zip(ends, stamps_of, strict=True)
        ], [second * 10**9 for second in (0, 2, 3, 4, 5)])
        trace.save(tmp_path / name)
        with Trace.open(tmp_path / name) as found:
            found.finish()
            table = ConversationTable(found)
            assert table.update() and found.flow(0).initial_rtt_ns == 2 * 10**9       # as Wireshark has it
            return _text(found), int(table.rtt_ns()[0])

    text, trip = opened("first.pcapng", (100, 3100), 100)
    assert "complete  round trip 5.0" in text and trip == 5 * 10**9
    text, trip = opened("again.pcapng", (100, 3100), 3100)
    assert "round trip unknown: SYN was sent again" in text and trip == -1      # its SYN ACK came before it
    for name, syns, stamps in (("alike.pcapng", (100, 100), True), ("none.pcapng", (100, 3100), False)):
        text, trip = opened(name, syns, 100, stamps=stamps)
        assert "complete  round trip unknown: SYN was sent again" in text and trip == -1


def test_the_list_and_the_pane_tell_one_round_trip(tmp_path: Path) -> None:
    """Also where the server answers a SYN that came twice by an ACK, before the one that opens it."""
    def stamped(time: int, echo: int) -> bytes:
        return b"\x01\x01\x08\x0a" + struct.pack(">II", time, echo)

    trace = MemoryTrace()
    frames = [segment(end, flags, seq, ack, options=stamped(at, echo)) for end, flags, seq, ack, at, echo in (
        (0, "S", 7, 0, 100, 0), (0, "S", 7, 0, 1100, 0), (1, "SA", 9, 8, 5000, 1100),
        (1, "A", 10, 8, 5000, 1100), (1, "SA", 9, 8, 6000, 1100), (0, "A", 8, 10, 3100, 6000),
    )]
    trace.add(frames, [second * 10**9 for second in range(len(frames))])
    trace.save(tmp_path / "twice.pcapng")
    with Trace.open(tmp_path / "twice.pcapng") as found:
        found.finish()
        table = ConversationTable(found)
        assert table.update() and table.rtt_ns().tolist() == [-1]
        assert "complete  round trip unknown: SYN was sent again" in _text(found)


def test_nothing_ends_before_it_began_where_the_clock_was_set_back(tmp_path: Path) -> None:
    trace = MemoryTrace()
    opening = [segment(0, "S", 0), segment(1, "SA", 0, 1), segment(0, "A", 1, 1)]
    moments = [10**12, 10**12 + 1000, 5 * 10**11, 5 * 10**11 + 1000]
    trace.add([*opening, segment(0, "PA", 1, 1, b"x")], moments)
    trace.save(tmp_path / "back.pcapng")
    with Trace.open(tmp_path / "back.pcapng") as found:
        found.finish()
        (line,), table = list(conversations(found)), ConversationTable(found)
        assert not {"end_ns", "rtt_ns"} & line.keys() and line["start_ns"] == 10**12
        assert table.update() and table.rtt_ns().tolist() == [-1]


def test_seen_from_one_side_alone(tmp_path: Path) -> None:
    """Both ends closed; of the server not one packet was captured."""
    network = Network()
    network.tcp(CLIENT, "S", seq=100)
    network.tcp(CLIENT, "A", seq=101, ack=301)
    network.tcp(CLIENT, "FA", seq=101, ack=901)
    network.tcp(CLIENT, "A", seq=102, ack=902)
    with network.open(tmp_path / "one.pcapng") as trace:
        (line,), table = list(conversations(trace)), ConversationTable(trace)
        assert (line["state_a"], line["state_b"]) == ("unknown", "unknown") and "rtt_ns" not in line
        assert table.update() and STATES[table.states()[0]] == "one way"
        assert "Seen from one side: not one packet of " in _text(trace)
        assert "rest of the handshake" not in _text(trace)


def test_bytes_before_the_capture_are_not_counted(tmp_path: Path) -> None:
    network = Network()
    network.tcp(CLIENT, "FA")
    network.tcp(SERVER, "A")
    with network.open(tmp_path / "middle.pcapng") as trace:
        text = " ".join(_text(trace).split())
    assert "ends after 0 bytes, counted from the first that was captured" in text
