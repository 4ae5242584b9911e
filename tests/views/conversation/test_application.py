"""Follow stream, messages, findings, sparklines: lines of any width, safe to show; targets, and back."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.model.packets import Row
from inspector.protocols.api import MessageNumber, message_numbers
from inspector.protocols.websocket.frame import BINARY, CONTINUATION, PING, PONG, encode
from inspector.trace.trace import Trace
from inspector.views.conversation.messages import MessageList
from inspector.views.conversation.place import StreamPlace, place_of
from inspector.views.conversation.sparkline import sparkline, sparklines
from inspector.views.conversation.stream.follow import MODES, FollowStream, Mode
from inspector.views.findings.list import FindingList
from inspector.views.line.spans import Line, cell_width, plain
from inspector.views.line.wrap import wrap
from tests.support.captures.websocket import (
    CLIENT,
    CLOSING,
    SERVER,
    UPGRADE,
    Traffic,
    client,
    exchange,
    server,
    traced,
)

WIDTHS = (20, 60, 80, 133)


def held(*turns: tuple[int, bytes], end: str = "", size: int = 1400) -> Trace:
    return traced(exchange(*turns, end=end, size=size))


class View(Protocol):
    @property
    def count(self) -> int: ...

    def line(self, index: int, width: int) -> Line: ...

    def target(self, index: int) -> StreamPlace: ...


def check_lines(view: View) -> None:
    for width in WIDTHS:
        for index in range(view.count):
            text = plain(view.line(index, width))
            assert cell_width(text) == width
            assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in text)


def texts(view: View, width: int = 100) -> list[str]:
    return [plain(view.line(index, width)).rstrip() for index in range(view.count)]


SPOKEN = [*UPGRADE, client(b'{"a": [1, 2]}'), server(b"line one\nline two"), server(b"\0\1\2", BINARY),
          server(b"?", PING), client(b"?", PONG), client(b"a", fin=False), client(b"b", CONTINUATION),
          *CLOSING]


def test_follow_stream_as_text() -> None:
    view = FollowStream(held((CLIENT, b"hello\nworld, this is long"), (SERVER, b"yes\r\n")), 0, wrap=10)
    assert view.complete and texts(view) == ["→ hello", "  world, thi", "  s is long", "← yes"]
    assert [span.style for span in view.line(3, 50)] == ["dim", "server"]
    check_lines(view)


def test_follow_stream_as_hex() -> None:
    view = FollowStream(held((CLIENT, bytes(range(20)))), 0, "hex")
    assert texts(view) == [
        "→ 00000000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  ................",
        "  00000010  10 11 12 13                                       ...."]
    check_lines(view)


def test_follow_stream_decoded() -> None:
    view = FollowStream(held(*SPOKEN), 0, "json")
    lines = texts(view)
    assert lines[0] == "→ GET /chat HTTP/1.1" and "← HTTP/1.1 101 Switching Protocols" in lines
    start = lines.index("→ {")
    assert lines[start : start + 6] == ["→ {", '    "a": [', "      1,", "      2", "    ]", "  }"]
    assert "← line one" in lines and "  line two" in lines and "  CLOSE 1000 normal closure" in lines
    check_lines(view)


@pytest.mark.parametrize("mode", MODES)
def test_a_line_knows_its_packet_and_the_packet_its_line(mode: Mode) -> None:
    trace = held(*SPOKEN)
    view = FollowStream(trace, 0, mode)
    for index in range(view.count):
        place = view.target(index)
        assert place.row is not None and place.start is not None
        back = view.index_of(place.row)
        assert back is not None and back <= index
        assert view.index_at(place.direction, place.first) is not None


def test_a_cell_knows_its_byte_and_back() -> None:
    data = "grüß漢!\x1bz".encode() + b"\xffq"
    trace = held((CLIENT, data), size=4)
    for mode in ("text", "hex"):
        view = FollowStream(trace, 0, mode)
        shown = plain(view.line(0, 100))
        for letter in "gz!q":
            cell = cell_width(shown[: shown.rindex(letter)])
            place = view.target(0, cell)
            assert place.row is not None and place.start is not None
            assert trace.frame(place.row)[place.start : place.stop] == letter.encode()


def test_one_side_alone_and_growth() -> None:
    made = exchange((CLIENT, b"ask"), (SERVER, b"answer\n"), (CLIENT, b"more"))
    view = FollowStream(traced(made), 0)
    view.choose("text", direction=1)
    assert texts(view) == ["← answer"]
    made.write(SERVER, b"again")
    made.trace.save(Path(view.trace.path))
    assert view.trace.refresh()
    assert view.update() and texts(view) == ["← answer", "  again"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.binary(min_size=1, max_size=80)), max_size=6),
       st.sampled_from(MODES), st.integers(8, 40))
def test_any_stream_can_be_followed(turns: list[tuple[int, bytes]], mode: Mode, size: int) -> None:
    view = FollowStream(held(*turns), 0, mode, wrap=size)
    check_lines(view)
    if mode != "json":
        for direction in (0, 1):
            places = [view.target(i) for i in range(view.count)]
            spans = [(p.first, p.last) for p in places if p.direction == direction]
            assert [start for start, _ in spans] == [0, *(stop for _, stop in spans)][: len(spans)]
            assert (spans[-1][1] if spans else 0) == sum(len(data) for d, data in turns if d == direction)


def test_a_few_bytes_are_counted_and_many_have_a_rate() -> None:
    few, many = held((CLIENT, b"hello"), (SERVER, b"hello")), held((CLIENT, b"x" * 40_000), (SERVER, b"ok"))
    lines = [plain(line) for line in sparklines(few, 0, 80)]
    assert lines[0].endswith(" 5 bytes") and lines[2].startswith("data to ACK")
    assert "top " in plain(sparklines(many, 0, 80)[0]) and "B/s" in plain(sparklines(many, 0, 80)[0])


# --- messages ---

def test_messages_and_their_frames() -> None:
    trace = held(*SPOKEN)
    view = MessageList(trace, 0)
    assert view.count == 8 and view.complete
    lines = texts(view)
    assert '{"a": [1, 2]}' in lines[0] and lines[0].split()[:2] == ["1", "→"]
    assert "line one␊line two" in lines[1] and "00 01 02" in lines[2] and "round trip 1" in lines[3]
    assert "2 frames" in lines[5] and "ab" in lines[5] and "1000 normal closure" in lines[6]
    view.toggle(5)
    assert view.count == 10
    assert "continuation" in texts(view)[7] and texts(view)[8].split()[0] == "7"
    whole, second = view.target(5), view.target(7)
    assert (whole.message, whole.frame, len(whole.rows)) == (6, None, 2)
    assert (second.message, second.frame, second.rows) == (6, 7, whole.rows[1:])
    assert second.row is not None
    data = trace.flow(0).streams[0].read(second.first, second.last)
    assert trace.frame(second.row)[second.start : second.stop] == data
    check_lines(view)
    view.toggle(7)
    assert view.count == 8
    assert [view.index_of(number) for number in message_numbers(0, 8)] == list(range(8))


def test_messages_are_hidden_and_found() -> None:
    view = MessageList(held(*SPOKEN), 0)
    view.choose(control=False)
    assert view.count == 4 and view.index_of(MessageNumber(4)) is None
    for search, count in (("LINE TWO", 1), ("ab", 1), ("nothing", 0), ("hex:00 01", 1), ("?", 2)):
        view.choose(search=search)
        assert view.count == count, search
    view.choose(direction=1)
    assert all("←" in line for line in texts(view)) and view.count == 4
    assert view.index_of_row(view.target(0).row or Row(0)) == 0


def test_messages_are_looked_at_in_steps() -> None:
    view = MessageList(held(*UPGRADE, (SERVER, encode(b"x") * 5000)), 0)
    assert not view.complete and 0 < view.progress < 1
    while view.update():
        pass
    assert view.complete and view.count == 5000


def test_a_conversation_without_messages() -> None:
    view = MessageList(held((CLIENT, b"hello")), 0)
    assert view.count == 0 and view.complete and not view.update()


# --- findings, sparklines ---

def broken() -> Trace:
    return held(*UPGRADE, (CLIENT, encode(b"hi")), server(b"\xff"), end="F")


def test_findings_and_their_places() -> None:
    trace = broken()
    view = FindingList(trace)
    assert view.complete and view.counts == {"error": 2, "warning": 1} and view.count == 3
    place = view.target(0)
    assert place.row is not None and (place.bit_start, place.bit_stop) == (0, 1)
    assert place.start is not None and trace.frame(place.row)[place.start] == 2      # MASK 0, length 2
    assert view.target(2).row == 7 and view.target(2).start is None
    assert view.index_of(place.row) == 0 and view.index_of(Row(0)) is None
    check_lines(view)
    detail = [plain(line) for line in view.detail(0, 40)]
    assert detail[0].startswith("websocket.unmasked-client-frame")
    assert all(cell_width(line) <= 40 for line in detail)
    view.choose("warning")
    assert view.count == 1 and view.finding(0).id == "websocket.missing-close"


def test_sparklines() -> None:
    assert sparkline([0, 1, 4, 8]) == " ▁▄█" and sparkline([]) == "" and sparkline([0, 0]) == "  "
    lines = sparklines(broken(), 0, 80)
    assert [cell_width(plain(line)) for line in lines] == [80, 80, 80]
    assert "bytes" in plain(lines[0]) and "ms" in plain(lines[2])
    assert all(cell_width(plain(line)) == 9 for line in sparklines(broken(), 0, 9))


def test_wrapping() -> None:
    assert wrap("one two three", 7) == ["one two", "three"]
    assert wrap("abcdefgh", 4) == ["abc…"] and wrap("", 4) == []


def _real() -> Iterator[Path]:
    yield from sorted((Path(__file__).parents[2] / "data" / "captures" / "websocket").glob("*.pcap"))


@pytest.mark.parametrize("path", list(_real()), ids=lambda path: path.name)
def test_real_traces_in_every_view(path: Path) -> None:
    with Trace.open(path) as trace:
        trace.finish()
        views: list[View] = [MessageList(trace, 0), FindingList(trace)]
        for view in (*views, *(FollowStream(trace, 0, mode) for mode in MODES)):
            check_lines(view)
        place = place_of(trace, 0, 0, 0, 4)
        assert place.row is not None and place.start is not None
        assert trace.frame(place.row)[place.start : place.start + 4] == b"GET "


def test_arrows_lead_from_the_client_wherever_the_capture_begins() -> None:
    turns = [*UPGRADE, server(b"pushed"), client(b"hi"), server(b"there")]
    arrows = {"GET": "→", "101": "←", "pushed": "←", "hi": "→", "there": "←"}
    made = exchange(*turns)
    whole = made.trace.index.count
    for begins in range(whole - 1):
        frames = [made.trace.frame(Row(row)) for row in range(begins, whole)]
        late = Traffic(syn=False)
        late._add(*frames)
        trace = traced(late)
        seen = 0
        for view in (MessageList(trace, 0), FollowStream(trace, 0)):
            for text in texts(view):
                word = next((word for word in arrows if word in text), None)
                if word and set("→←") & set(text[:12]):
                    assert arrows[word] in text[:12], (begins, text)
                    seen += 1
        assert seen or begins > whole - 3
        assert "client 10.0.0.1:40000" in plain(FollowStream(trace, 0).title(100)), begins
