"""How long answers were waited for: the column, the order, and the sentence that says with whom."""

from pathlib import Path

from inspector.protocols.api import MessageNumber
from inspector.trace.application.answers import wait_of
from inspector.trace.trace import Trace
from inspector.views.conversation.messages import MessageList
from inspector.views.conversation.waits import wait_text
from inspector.views.detail.application import application_fields
from inspector.views.line.spans import plain
from inspector.wire.pcapng import enhanced_packet, interface_description, section_header
from tests.support.captures.frames import START, trace_of
from tests.support.captures.tcp import segment
from tests.support.captures.traces import open_trace

MS = 1_000_000
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


CASES = Path(__file__).parents[2] / "data" / "cases"
RAW = 101                # link type: IP without a link header


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def slow(path: Path) -> Trace:
    """Three requests on one connection, answered after 5, 840 and 30 ms; the round trip takes 2 ms."""
    packets = [(0, segment(0, "S", 99)), (2, segment(1, "SA", 299, 100)), (2, segment(0, "A", 100, 300))]
    seq, ack, now = 100, 300, 10
    for name, wait in (("/a", 5), ("/slow", 840), ("/c", 30)):
        request = get(name)
        packets.append((now, segment(0, "PA", seq, ack, request)))
        seq += len(request)
        for late, part in ((wait, OK), (wait + 7, b"ok")):
            packets.append((now + late, segment(1, "PA", ack, seq, part)))
            ack += len(part)
        now += wait + 20
    blocks = [enhanced_packet(frame, START + at * MS) for at, frame in packets]
    trace = trace_of(path / "slow.pcapng", section_header() + interface_description(RAW) + b"".join(blocks))
    trace.finish()
    return trace


def test_an_answer_says_how_long_it_was_waited_for(tmp_path: Path) -> None:
    with slow(tmp_path) as trace:
        messages = MessageList(trace, 0)
        assert "     Wait  Kind" in plain(messages.title(80))
        lines = [plain(messages.line(number, 80)) for number in range(messages.count)]
        waits = [line[29:38].strip() for line in lines]
        assert waits == ["", "5.0 ms", "", "840 ms", "", "30 ms"]


def test_the_slowest_answers_stand_first_and_are_found_again(tmp_path: Path) -> None:
    with slow(tmp_path) as trace:
        messages = MessageList(trace, 0)
        messages.choose(slowest=True)
        assert [messages.target(line).message for line in range(messages.count)] == [4, 6, 2]
        assert [messages.index_of(MessageNumber(number)) for number in (2, 4, 6, 1)] == [2, 0, 1, None]
        messages.toggle(0)
        assert messages.count == 3
        messages.choose()
        assert messages.count == 6 and messages.index_of(MessageNumber(4)) == 3


def test_without_calls_the_round_trip_is_the_wires_part(tmp_path: Path) -> None:
    with slow(tmp_path) as trace:
        decoder = trace.application(0).layers[-1].decoder
        wait = wait_of(trace, decoder, 3)
        assert wait is not None and wait_of(trace, decoder, 2) is None
        assert (wait.first_ns, wait.whole_ns) == (840 * MS, 847 * MS)
        assert wait_text(trace, wait, 0) == (
            "840 ms after the request (packet 7), 838 ms of them in the server (a round trip takes 2.0 ms)"
            "; its last byte 7.0 ms later")
        children = [child for one in application_fields(trace, wait.began) for child in one.children]
        assert any(child.label == "Came" and child.value.startswith("840 ms after") for child in children)


def test_the_servers_calls_tell_when_it_read_and_wrote() -> None:
    with open_trace("http") as trace:
        decoder = trace.application(0).layers[-1].decoder
        wait = wait_of(trace, decoder, 1)
        assert wait is not None
        assert ": the server read it after " in wait_text(trace, wait, 0)


def test_answers_of_dns_on_tcp_were_waited_for() -> None:
    with Trace.open(CASES / "24a-dns-over-tcp.pcap") as trace:
        trace.finish()
        messages = MessageList(trace, 0)
        assert " Wait" in plain(messages.title(100))
        assert sum(" 2.0 ms " in plain(messages.line(index, 100)) for index in range(messages.count)) == 3
