"""The display filter: tshark's answers (tests/data/filters.py), what is wrong and where, steps, calls."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.model.packets import Row, row_of
from inspector.model.records import Call
from inspector.protocols.http import HTTP
from inspector.trace.filter.calls import call_matches
from inspector.trace.filter.column_fields import COLUMNS
from inspector.trace.filter.deep_fields import DEEP
from inspector.trace.filter.filter import Filter, FilterError
from inspector.trace.filter.syntax import Parser
from inspector.trace.packet.facts import facts
from inspector.trace.packet.info import protocol_name
from inspector.trace.trace import Trace
from inspector.views.json.messages import messages
from inspector.wire import pcapng
from inspector.wire.journal import CallRecord, to_fields
from tests.support.captures.frames import FRAME, pcap_bytes, pcapng_bytes, trace_of

DATA = Path(__file__).parents[2] / "data"
ANSWERS = json.loads((DATA / "filters.json").read_text())
EXPLAINED = {
    # What ICMP errors quote is no packet of its conversation; in a redirect tshark searches the header alone.
    "frames/errors.pcapng": ("tcp.analysis.flags", "tcp.time_relative == 0", 'udp contains "data"',
                             "udp.payload[0:2] != 00:01"),
    # Datagrams in fragments are put together here; Wireshark was told to leave them.
    "captures/udp/zeek__ipv6-fragmented-dns.pcap": (
        "dns.ns", "dns.resp.ttl < 100", "dns.time", "dns.time > 0.001", "dns.response_in",
        "count(dns.a) >= 1"),
    # An interim response belongs to its request, too.
    "captures/http/zeek__http__100-continue.pcap": ("http.request_in",),
}
CAPTURES = list(next(iter(ANSWERS["right"].values())))


@pytest.mark.parametrize("capture", CAPTURES)
def test_answers_are_those_of_tshark(capture: str) -> None:
    with Trace.open(DATA / capture) as trace:
        trace.finish()
        different = {}
        for text, answers in ANSWERS["right"].items():
            found = [int(row) + 1 for row in Filter(text).rows(trace)]
            if found != answers[capture] and text not in EXPLAINED.get(capture, ()):
                different[text] = (found, answers[capture])
        assert not different


@pytest.mark.parametrize("text", ANSWERS["wrong"])
def test_what_tshark_finds_wrong_is_wrong_with_its_place(text: str) -> None:
    assert ANSWERS["wrong"][text] is None
    with pytest.raises(FilterError) as caught:
        Filter(text)
    error = caught.value
    assert str(error).endswith(".") and 0 <= error.position <= len(text)
    first, second = error.marked().split("\n")
    assert first == text and second.strip().strip("~") == "^" and second.index("^") == error.position


@pytest.mark.parametrize(("text", "words", "mark"), [
    ("ip.addr == 5", "5 is no IPv4 address.", "5"),
    ("tcp and ipv6.src == 10.0.0.1", "10.0.0.1 is an address for ip.src, not for ipv6.src.", "10.0.0.1"),
    ("tcp.port == 70000", "70000 is too large for tcp.port, whose largest value is 65535.", "70000"),
    ("tcp.prot == 80", "There is no field or protocol tcp.prot; tcp.port there is.", "tcp.prot"),
    ("tcp.port = 80", "“equals” is written ==.", "="),
    ("(tcp", "This parenthesis is not closed.", "("),
    ('frame contains "abc', "A string begins here and does not end.", '"abc'),
    ("tcp.len == -1", "-1 is less than 0, which tcp.len never is.", "-1"),
    ("tcp == 5", "tcp can only be searched with contains or matches.", "tcp"),
    ("ip.src == tcp.srcport", "ip.src and tcp.srcport are of different types.", "tcp.srcport"),
    ("and tcp", "A condition should stand before 'and'.", "and"),
    ("tcp or && udp", "A condition should stand before '&&'.", "&&"),
    ("tcp udp", "Nothing can follow here, but there is 'udp'; “and” or “or” joins two conditions.", "udp"),
    ("tcp.port == {80}", "A value should stand here, not '{'.", "{"),
    ("", "The filter is empty.", ""),
    ("syn == 1", "There is no field or protocol syn; tcp.flags.syn there is.", "syn"),
    ("http.respons.code > 1", "There is no field or protocol http.respons.code; http.response.code there is.",
     "http.respons.code"),
    ("TCP", "There is no field or protocol TCP; tcp there is.", "TCP"),
    ("qqqqqqqq", "There is no field or protocol qqqqqqqq.", "qqqqqqqq"),
    ("port 80", "Here port 80 is written tcp.port == 80.", "port"),
    ("tcp and host 10.0.0.1", "Here host 10.0.0.1 is written ip.addr == 10.0.0.1.", "host"),
    ("eth.src == 5", "5 is no hardware address, such as 02:42:ac:11:00:02.", "5"),
    ("tcp & udp", "“and” is written &&.", "&"),
    ("tcp.port == 80 & udp", "“and” is written &&.", "&"),
    ("tcp & 1", "tcp is no number, of which & takes bits; “and” is written &&.", "1"),
    ("ip.src & 10.0.0.0", "“and” is written &&.", "&"),
    ("ip.src & 10", "& takes bits of numbers; a network is written ip.src == 10.0.0.0/8.", "10"),
    ("tcp.port[0] == 1", "tcp.port is no text and no bytes, so it has no slices.", "tcp.port"),
    ("http[0:4]", "http cannot be taken apart; frame[0:4] and tcp.payload[0:4] can.", "http"),
    ("tcp.payload[4:0]", "A slice is written [0:4] (place and length), [0-3], [4:] or [2].", "["),
    ("tcp.payload[0:4", "This bracket is not closed.", "["),
    ("tcp.payload[0:3] == GET", "GET is no bytes; write them in hexadecimal (47:45:54), or a text in quotes.",
     "GET"),
    ("len(tcp.payload)", "After a function a comparison should stand: len(tcp.payload) > 200.", ""),
    ("len() > 1", "In a function one field stands: len(tcp.payload).", ")"),
    ("max(tcp.len) > 1", "There is no function max here; len, lower, upper and count there are.", "max"),
    ("lower(tcp.port) == 1", "tcp.port is nothing of which lower can be asked.", "tcp.port"),
    ("count(tcp) == 1", "tcp is a protocol; count counts the values of a field.", "tcp"),
    ("ssl.record.versio", "There is no field or protocol tls.record.versio; tls.record.version there is.",
     "ssl.record.versio"),
    ('frame.time > "noon"', 'noon is no time, such as "2024-05-31 14:03:05".', '"noon"'),
])
def test_errors_say_what_is_wrong_and_where(text: str, words: str, mark: str) -> None:
    with pytest.raises(FilterError) as caught:
        Filter(text)
    error = caught.value
    assert str(error) == words
    assert text[error.position : error.position + error.length] == mark


def test_hostile_filters_are_errors() -> None:
    long = "tcp or " * 10000 + "tcp", "tcp.port in {" + "1," * 9000
    for text in ("(" * 5000 + "tcp", "not " * 5000 + "tcp", *long):
        with pytest.raises(FilterError):
            Filter(text)


WORDS = st.one_of(
    st.sampled_from([*COLUMNS, *DEEP]),
    st.sampled_from(["==", "!=", "<", ">=", "in", "{", "}", "..", ",", "(", ")", "and", "or", "not", "any"]),
    st.sampled_from(["contains", "matches", "!", "&", "'", "[0:4]", "[-1]", "[", "]", "len(", "count("]),
    st.sampled_from(["80", "1.2.3.4", "::1/8", '"a"', "0x1f", "-1", '"']),
    st.text(max_size=5),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(WORDS, max_size=9))
def test_any_text_is_a_filter_or_wrong(words: list[str]) -> None:
    text = " ".join(words)
    try:
        found = Filter(text)
    except FilterError as error:
        assert str(error) and len(error.marked().split("\n")) == 2
        return
    with Trace.open(DATA / CAPTURES[0]) as trace:
        trace.finish()
        assert len(found.rows(trace)) <= trace.index.count


@pytest.mark.parametrize("text", [
    "tcp\u00a0", "tcp.port == 80\u00a0", "\u2003tcp", "tcp.port == \ud800", "\udc80",
    'info matches "\ud800"', 'info matches "(?L)a"', 'info matches "(?=a)"', 'info matches "(a{1000}){1000}"',
])
def test_strange_characters_and_expressions_are_wrong_with_their_place(text: str) -> None:
    with pytest.raises(FilterError) as error:
        Filter(text)
    assert error.value.marked()


def test_no_expression_takes_for_ever(tmp_path: Path) -> None:
    """`re` would need 2 ** 40 steps for these."""
    trace = trace_of(tmp_path / "x.pcap", pcap_bytes([FRAME + b"a" * 40 + b"!"] * 3))
    trace.finish()
    for pattern in ("(a+)+$", "(a|aa)+$", "(.*a){20}b", "(x+x+)+y"):
        assert list(Filter(f'frame matches "{pattern}"').rows(trace)) == []
    assert list(Filter('frame matches "A+!"').rows(trace)) == [0, 1, 2]
    assert list(Filter('frame matches "\\\\x08.*a"').rows(trace)) == [0, 1, 2]      # a dot is any byte
    assert list(Filter('info contains "\udcff"').rows(trace)) == []
    trace.close()


def test_no_expression_takes_for_ever_on_a_system_call() -> None:
    call = Call(1, 2, 2, "client", "send", "3, " + "a" * 40 + "!", 0, 1, 40, None)
    tree = Parser('syscall.arguments matches "(a+)+$"').parse()
    assert not call_matches(tree, call)
    assert call_matches(Parser('syscall.arguments matches "A+!"').parse(), call)


def test_every_field_can_be_asked_of_every_packet() -> None:
    for capture in CAPTURES:
        with Trace.open(DATA / capture) as trace:
            trace.finish()
            for name in (*COLUMNS, *DEEP):
                rows = Filter(name).rows(trace)
                assert rows.tolist() == sorted({*rows.tolist()})


def test_high_and_low_addresses(tmp_path: Path) -> None:
    frames = [FRAME[:26] + bytes(address) + FRAME[30:] for address in (
        (255, 255, 255, 255), (240, 0, 0, 1), (0, 0, 0, 0), (239, 255, 255, 255), (240, 0, 0, 2)
    )]
    with trace_of(tmp_path / "capture", pcap_bytes(frames)) as trace:
        trace.finish()
        for text, rows in (
            ("ip.src == 255.255.255.255", [0]), ("ip.src == 240.0.0.0/4", [0, 1, 4]),
            ("ip.src < 240.0.0.1", [2, 3]),
            ("ip.src != 240.0.0.1", [0, 2, 3, 4]), ("ip.src in {240.0.0.1..240.0.0.9, 0.0.0.0}", [1, 2, 4]),
        ):
            assert Filter(text).rows(trace).tolist() == rows, text


def test_steps_tell_progress_can_end_and_go_on(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    with trace_of(path, pcapng_bytes([FRAME] * 3000)) as trace:
        trace.finish()
        slow = Filter('udp contains "hello"')
        assert slow.deep and not Filter("udp.port == 40001").deep
        steps: list[float] = []
        assert len(slow.rows(trace, steps.append)) == 3000
        assert steps == sorted(steps) and len(steps) > 3 and steps[0] < 0.5
        assert 0 < len(slow.rows(trace, lambda share: False)) < 3000
        evaluation = slow.evaluate(trace)
        while not evaluation.run(0.001):
            assert evaluation.progress < 1
        assert len(evaluation.rows) == 3000 and evaluation.done
        with path.open("ab") as file:
            file.write(pcapng.enhanced_packet(FRAME, 1) + pcapng.enhanced_packet(FRAME[:-1] + b"!", 2))
        assert trace.refresh() and not evaluation.done
        while not evaluation.step():
            pass
        assert evaluation.rows.tolist() == [*range(3001)]
        assert slow.matches(trace, 3000) and not slow.matches(trace, 3001)


def test_bytes_are_asked_only_where_columns_leave_it_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trace_of(tmp_path / "capture", pcap_bytes([FRAME] * 50)) as trace:
        trace.finish()
        read: list[int] = []
        frame = trace.frame

        def noted(row: Row) -> bytes:
            read.append(row)
            return frame(row)

        monkeypatch.setattr(trace, "frame", noted)
        some = Filter('frame contains "hello" and frame.number in {7, 9}')
        assert some.rows(trace).tolist() == [6, 8]
        assert read == [6, 8]
        read.clear()
        Filter('frame.number > 3 or frame contains "hello"').rows(trace)
        assert read == [0, 1, 2]


def test_system_calls_are_asked_for_their_own_fields(tmp_path: Path) -> None:
    records = [
        CallRecord(1, 20, 20, "server", "accept", "3", 1, 2, 4),
        CallRecord(2, 21, 21, "client", "connect", "3, 127.0.0.1:8000", 1, 2, None, "ECONNREFUSED"),
        CallRecord(3, 21, 21, "client", "close", "3", 3),
    ]
    data = pcapng_bytes([FRAME]) + b"".join(pcapng.journal(to_fields(record)) for record in records)
    with trace_of(tmp_path / "capture", data) as trace:
        trace.finish()
        for text, calls in (
            ("syscall", [0, 1, 2]), ("tcp", []), ("not tcp", [0, 1, 2]), ("call == connect", [1]),
            ("syscall.role == client and errno", [1]), ("pid == 20", [0]), ("result > 3", [0]),
            ('arguments contains "8000"', [1]), ('call matches "^C"', [1, 2]),
            ("errno in {ECONNREFUSED}", [1]), ('lower(errno) contains "refused"', [1]),
            ('arguments[0:4] == "3, 1"', [1]), ("len(call) > 5", [0, 1]), ("tcp.payload[0:4]", []),
        ):
            assert Filter(text).calls(trace) == calls, text
        assert len(Filter("syscall").rows(trace)) == 0


def test_what_the_list_says_of_a_packet_can_be_asked_for() -> None:
    import inspector.trace.packet.info  # noqa: F401 - it gives the field its meaning

    with Trace.open(DATA / CAPTURES[0]) as trace:
        trace.finish()
        assert Filter('info contains "SYN"').rows(trace).tolist() == [0, 1]
        assert Filter('info matches "101 web socket"').rows(trace).tolist() == [6]


NAMED = [*sorted(DATA.glob("frames/*.pcapng")), *sorted(DATA.glob("captures/*/*.pcap"))]


@pytest.mark.parametrize("path", NAMED, ids=lambda path: path.name)
def test_every_protocol_that_the_list_shows_can_be_asked_for(path: Path) -> None:
    with Trace.open(path) as trace:
        trace.finish()
        for row in range(min(trace.index.count, 60)):
            shown = protocol_name(trace, facts(trace, Row(row)))
            if shown not in ("Ethernet", "Link", "IPv4", "IPv6"):       # nothing is known but what carries it
                assert Filter(shown.lower().replace("-", "")).matches(trace, Row(row)), (row, shown)


def test_the_time_of_an_answer_ends_with_it_and_the_first_byte_has_a_time_of_its_own() -> None:
    """As Wireshark's, on the packet that it is attached to; a stream of events has both."""
    with Trace.open(DATA / "sessions" / "chunked.pcapng") as trace:
        trace.finish()
        answers = [one for one in messages(trace, HTTP) if "http.time" in one]
        assert answers and any(one["http.time"] > one["http.first_byte"] for one in answers)
        for name in ("http.time", "http.first_byte"):
            ends = [row_of(one["frames"][-1]) for one in answers]
            assert [int(row) for row in Filter(name).rows(trace)] == ends
            for one, row in zip(answers, ends, strict=True):
                found = list(DEEP[name].read(trace, row))
                assert found == [round(one[name] * 1e9)]
