"""Every view in Chinese: no line is wider than asked, and columns stand where they do in English."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import pytest

from inspector.model import language
from inspector.model.packets import first_rows
from inspector.trace.trace import Trace
from inspector.views.conversation.messages import MessageList
from inspector.views.conversation.opening import handshake
from inspector.views.conversation.sparkline import sparklines
from inspector.views.conversation.stream.follow import FollowStream
from inspector.views.conversations.compare.compare import Side, comparison, conversations_of
from inspector.views.conversations.list import ConversationList
from inspector.views.detail.bytes import bits_lines
from inspector.views.detail.call import call_fields
from inspector.views.detail.tree import Detail, packet_tree
from inspector.views.draw.header import header_diagram
from inspector.views.findings.list import FindingList
from inspector.views.ladder.ladder import Ladder, default_conversation
from inspector.views.ladder.printed import LadderText
from inspector.views.line.spans import Line, cell_width, plain
from inspector.views.packets.list import PacketList
from inspector.views.session.sockets_table import SocketLines
from inspector.wire.dissection.field import Field
from tests.support.captures.traces import open_trace

LESS = ["tcp", "tcp-refused", "udp-refused", "websocket"]
_HEADERS = ("ip", "ipv6", "tcp", "udp", "icmp")



def _pages(trace: Trace, width: int) -> Iterator[tuple[str, Line]]:
    """Name of the view, and each of its lines."""
    ladder = Ladder(trace, default_conversation(trace))
    yield from (("ladder", line) for line in ladder.header(width))
    yield from (("ladder", ladder.line(index, width)) for index in range(ladder.count))
    text = LadderText(trace, width, whole=True)
    yield from (("printed", line) for line in [*text.update(None), *text.footer()])
    packets = PacketList(trace)
    yield from _list("packets", packets.title, packets.line, packets.count, width)
    found = FindingList(trace)
    while not found.complete:
        found.update()
    yield from _list("findings", found.title, found.line, found.count, width)
    yield from (("findings", line) for index in range(found.count) for line in found.detail(index, width))
    sockets = SocketLines(trace)
    yield from _list("sockets", sockets.title, sockets.line, sockets.count, width)
    conversations = ConversationList(trace)
    conversations.update()
    while conversations.decode(range(conversations.count), 1.0):
        pass
    yield from _list("conversations", conversations.title, conversations.line, conversations.count, width)
    yield from _of_conversations(trace, width)
    yield from _details(trace, width)


def _list(name: str, title: Callable[[int], Line], line: Callable[[int, int], Line], count: int,
          width: int) -> Iterator[tuple[str, Line]]:
    yield name, title(width)
    yield from ((name, line(index, width)) for index in range(count))


def _of_conversations(trace: Trace, width: int) -> Iterator[tuple[str, Line]]:
    every = conversations_of(trace, None, 4)
    for one in every:
        yield from (("handshake", line) for line in handshake(trace, one).page(width).lines)
        if one.protocol != "tcp":
            continue
        messages = MessageList(trace, one.stream)
        yield from _list("messages", messages.title, messages.line, messages.count, width)
        stream = FollowStream(trace, one.stream, "json")
        yield from _list("stream", stream.title, stream.line, stream.count, width)
        yield from (("sparkline", line) for line in sparklines(trace, one.stream, width))
    if len(every) > 1:
        sides = [Side(trace, one) for one in every]
        yield from (("compare", line) for line in comparison(sides, width))


def _details(trace: Trace, width: int) -> Iterator[tuple[str, Line]]:
    for row in islice(first_rows(trace.index.count), 12):
        fields = packet_tree(trace, row)
        detail = Detail(fields)
        paths = [path for path, _ in _every(fields)]
        detail = detail.with_opened(frozenset(paths))
        yield from (("detail", detail.line(index, width)) for index in range(detail.count))
        frame = bytes(trace.frame(row))
        yield from (("bits", line) for _, one in _every(fields) for line in bits_lines(frame, one, width))
        layers = [one for one in fields if one.name in _HEADERS]
        yield from (("header", line) for one in layers for line in header_diagram(one))
    for call in trace.calls[:30]:
        tree = Detail(call_fields(trace, call))
        tree = tree.with_opened(frozenset(path for path, _ in _every(tree.fields)))
        yield from (("call", tree.line(index, width)) for index in range(tree.count))


def _every(fields: Sequence[Field], above: str = "") -> Iterator[tuple[str, Field]]:
    for one in fields:
        path = f"{above}/{one.name}" if above else one.name
        yield path, one
        yield from _every(one.children, path)


@pytest.fixture
def chinese() -> Iterator[None]:
    language.use("zh")
    yield
    language.use("en")


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", LESS)
def test_lines_in_chinese_are_as_wide_as_asked(name: str, width: int, chinese: None) -> None:
    with open_trace(name) as trace:
        wrong = {plain(line): view for view, line in _pages(trace, width)
                 if cell_width(plain(line)) > width and view != "header"}
    assert not wrong


@pytest.mark.parametrize("name", LESS)
def test_columns_stand_below_their_titles_in_chinese(name: str) -> None:
    """The same cells begin in the same places in both languages."""
    places = []
    for chosen in ("en", "zh"):
        language.use(chosen)
        try:
            with open_trace(name) as trace:
                places.append([_starts(line) for line in _columns(trace)])
        finally:
            language.use("en")
    assert places[0] == places[1]


def _columns(trace: Trace) -> Iterator[Line]:
    packets, sockets, conversations = PacketList(trace), SocketLines(trace), ConversationList(trace)
    conversations.update()
    for width in (80, 120):
        yield packets.title(width)
        yield from (packets.line(index, width) for index in range(packets.count))
        yield sockets.title(width)
        yield from (sockets.line(index, width) for index in range(len(sockets.rows)))
        yield conversations.title(width)
        yield from (conversations.line(index, width) for index in range(conversations.count))


def _starts(line: Line) -> list[int]:
    """The cell at which each span begins."""
    found, cell = [], 0
    for span in line:
        found.append(cell)
        cell += cell_width(span.text)
    return found
