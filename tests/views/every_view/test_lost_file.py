"""A file that is cut, emptied or overwritten while it is open: views go on, none shows foreign bytes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inspector.cli.exports import exports
from inspector.model.packets import first_rows
from inspector.trace.trace import Trace
from inspector.views.conversation.messages import MessageList
from inspector.views.conversation.opening import handshake
from inspector.views.conversation.stream.follow import MODES, FollowStream
from inspector.views.conversations.list import ConversationList
from inspector.views.detail.bytes import HexDump
from inspector.views.detail.tree import Detail, packet_tree
from inspector.views.findings.list import FindingList
from inspector.views.ladder.ladder import Ladder
from inspector.views.packets.list import PacketList
from inspector.views.session.sockets_table import SocketLines
from tests.support.captures.traces import TRACES
from tests.support.tiers import sweep

MARK = "OVERWRITTEN"


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def overwrite(path: Path) -> None:
    path.write_bytes(MARK.encode() * (path.stat().st_size // len(MARK) + 1000))


def overwrite_in_place(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(MARK.encode() * (path.stat().st_size // len(MARK)))


def overwrite_in_the_middle(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 3)
        file.write(MARK.encode() * (size // 3 // len(MARK)))


def everything(trace: Trace) -> Iterator[object]:
    """What commands print and panes show."""
    for export in exports():
        yield from export.objects(trace, None)
    for lines in (PacketList(trace), FindingList(trace), SocketLines(trace), ConversationList(trace)):
        yield [lines.line(number, 100) for number in range(lines.count)]
    for row in first_rows(trace.index.count):
        dump = HexDump(trace.frame(row))
        yield [dump.line(number, 100) for number in range(dump.count)]
        tree = Detail(packet_tree(trace, row))
        yield [tree.line(number, 100) for number in range(tree.count)]
    for conversation in (("tcp", 0), ("udp", 0)):
        ladder = Ladder(trace, conversation)
        yield [ladder.line(number, 100) for number in range(ladder.count)]
        if len(trace.rows_of(*conversation)):
            yield handshake(trace, conversation)
    for stream in range(len(trace.conversations("tcp"))):
        messages = MessageList(trace, stream)
        yield [messages.line(number, 100) for number in range(messages.count)]
        for mode in MODES:
            followed = FollowStream(trace, stream, mode)
            yield [followed.line(number, 100) for number in range(followed.count)]


@pytest.mark.parametrize("harm", [cut_in_half, empty, overwrite, overwrite_in_place, overwrite_in_the_middle])
@pytest.mark.parametrize("looked", [False, True], ids=["at once", "after all was shown"])
@sweep("name", ["tcp", "udp-refused", "http", "websocket-deflate"],
       lambda name: name in ("tcp", "websocket-deflate"))
def test_every_view_goes_on(
    name: str, looked: bool, harm: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "x.pcapng"
    path.write_bytes((TRACES / f"{name}.pcapng").read_bytes())
    os.utime(path, (1, 1))
    with Trace.open(path) as trace:
        trace.finish()
        if looked:
            list(everything(trace))
        harm(path)
        shown = str(list(everything(trace)))
        assert MARK not in shown
        assert trace.refresh() and not trace.refresh()
        assert trace.truncated is not None and "x.pcapng" in trace.truncated
