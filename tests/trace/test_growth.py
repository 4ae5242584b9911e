"""Work grows linearly with whatever grows in a capture: calls that were made, bytes that were read.

For each kind of `tests.support.captures.growth`, `growth_services` and `growth_pieces` the cost of one more
piece is compared, near the start and further on: of all that commands print, and of all lines that panes
show. Nothing is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from cProfile import Profile
from itertools import product
from pathlib import Path
from typing import Protocol
from unittest.mock import patch

import pytest

from inspector.cli.exports import exports
from inspector.model.numbers import TCP
from inspector.model.packets import first_rows
from inspector.trace.file import window
from inspector.trace.file.plain import FileSource
from inspector.trace.flows.together import spoken
from inspector.trace.trace import Trace
from inspector.views.conversation.messages import MessageList
from inspector.views.conversation.stream.follow import FollowStream
from inspector.views.conversations.list import ConversationList
from inspector.views.detail.tree import Detail, packet_tree
from inspector.views.findings.list import FindingList
from inspector.views.ladder.ladder import Ladder, Target
from inspector.views.line.spans import Line
from inspector.views.packets.list import PacketList
from inspector.views.session.sockets_table import SocketLines
from inspector.wire.tcp import stream as tcp_stream
from tests.support.captures.growth import KINDS
from tests.support.captures.growth_pieces import PIECES
from tests.support.captures.growth_services import SERVICES
from tests.support.tiers import sweep

STEP = 24
# A conversation costs much, and above 256 they are read many at a time, at another price: stay below.
SIZES = dict.fromkeys(("conversations", "reused_ports", "reset_connections"), (16, 32, 96, 112))
# Above half a kilobyte a stream is read in windows, at another price: stay above.
SIZES |= dict.fromkeys((
    "fragments_in_packets_of_their_own", "interleaved_messages", "mqtt_topics_of_a_subscription",
), (6 * STEP, 7 * STEP, 20 * STEP, 21 * STEP))
COSTLY = (                  # more than half of all the work
    "refused_upgrades", "reused_ports", "reset_connections", "holes_in_http", "syns_without_answer",
    "interleaved_messages", "icmp_errors", "unanswered_pings", "compressed_fragments", "reversed_segments",
    "fragments_in_packets_of_their_own", "upgrades_without_answer", "segments_of_nothing_known",
    "conversations", "unfinished_datagrams", "pings_inside_a_message", "pipelined_requests",
    "missing_segments", "answers_that_nobody_asked_for", "server_sent_events",
)
ALL = KINDS | SERVICES | PIECES
TRIED = {                   # one a protocol, and one for each thing that stands beside packets
    "http2_frames_of_a_message", "dns_answers_of_a_query", "mqtt_publishes_in_turn",
    "postgresql_rows_of_an_answer", "mysql_rows_of_an_answer", "tls_records_of_a_message",
    "kernel_samples_of_a_socket", "calls_of_a_socket", "events_of_the_wire", "packets_with_a_comment",
    "names_of_a_block", "blocks_of_secrets", "fragments_that_never_meet",
}
SEEN = {"fragments_of_a_message", "calls_of_a_socket", "events_of_the_wire"}


class Lines(Protocol):
    """A view as lines on demand."""

    @property
    def count(self) -> int: ...

    def line(self, index: int, width: int) -> Line: ...


class Work:
    """Calls (of functions, builtins, generators) and bytes read from files, while it is entered.

    Nothing is read ahead meanwhile: what is asked for counts, not the size of the pieces it comes in.
    """

    def __init__(self) -> None:
        self.calls = self.size = 0
        self._profile = Profile()

    def __enter__(self) -> Work:
        read, read_each = FileSource.read, FileSource.read_each

        def counted(source: FileSource, offset: int, into: memoryview) -> int:
            count = read(source, offset, into)
            self.size += count
            return count

        def counted_each(source: FileSource, offsets: list[int], sizes: list[int]) -> list[bytes]:
            found = read_each(source, offsets, sizes)
            self.size += sum(map(len, found))
            return found

        self._patches = ExitStack()
        self._patches.enter_context(patch.object(FileSource, "read", counted))
        self._patches.enter_context(patch.object(FileSource, "read_each", counted_each))
        self._patches.enter_context(patch.multiple(window, _AHEAD=0, _APART=0, _BETWEEN=0))
        self._patches.enter_context(patch.object(spoken, "_CONVERSATIONS", 8))
        self._patches.enter_context(patch.multiple(tcp_stream, _HEAD=0, _AHEAD=512))
        self._profile.enable()
        return self

    def __exit__(self, *error: object) -> None:
        self._profile.disable()
        self._patches.close()
        self.calls = sum(entry.callcount for entry in self._profile.getstats())


def printed(trace: Trace) -> None:
    """All that commands and the pane of findings make of a capture."""
    for export in exports():
        for _ in export.objects(trace, None):
            pass
        for _ in export.lines(trace, None):
            pass
    found = FindingList(trace)
    while not found.complete:
        found.update()
    for line in range(found.count):
        found.line(line, 100)


def shown(trace: Trace) -> None:
    """All lines of the panes, a packet after the other chosen."""
    listed = ConversationList(trace)
    while not listed.complete:
        listed.update()
    ladder = Ladder(trace)
    views: list[Lines] = [listed, PacketList(trace), ladder, SocketLines(trace)]
    if listed.count and len(trace.index.streams[TCP].first_row):
        messages, stream = MessageList(trace, 0), FollowStream(trace, 0, "json")
        views += [messages, stream]
        while not messages.complete:
            messages.update()
        for row in first_rows(trace.index.count):
            messages.index_of_row(row)
            stream.index_of(row)
    for view in views:
        for line in range(view.count):
            view.line(line, 100)
    for row in first_rows(trace.index.count):
        ladder.header(100, ladder.index_of(Target(row=row)))
        Detail(packet_tree(trace, row))


def make(path: Path, what: Callable[[Trace], None]) -> None:
    """Read a capture to its end, and make something of it."""
    with Trace.open(path) as trace:
        trace.finish()
        what(trace)


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is imported and compiled at first use does not count."""
    path = tmp_path_factory.mktemp("warm") / "x.pcapng"
    for name in ("requests_in_turn", "fragments_of_a_message", "icmp_errors", "tls_records_in_turn"):
        path.write_bytes(ALL[name](10))
        for what in (printed, shown):
            make(path, what)


def is_usual(case: tuple[str, Callable[[Trace], None]]) -> bool:
    kind, what = case
    return kind in SEEN if what is shown else kind in TRIED or (kind in KINDS and kind not in COSTLY)


@sweep(("kind", "what"), list(product(ALL, (printed, shown))), is_usual)
def test_one_more_piece_costs_what_the_others_did(
    kind: str, what: Callable[[Trace], None], tmp_path: Path
) -> None:
    path = tmp_path / "growth.pcapng"
    calls, sizes = [], []
    path.write_bytes(ALL[kind](STEP))
    make(path, what)                   # what this kind imports at first use does not count either
    for size in SIZES.get(kind, (STEP, 2 * STEP, 6 * STEP, 7 * STEP)):
        path.write_bytes(ALL[kind](size))
        with Work() as work:
            make(path, what)
        calls.append(work.calls)
        sizes.append(work.size)
    for name, allowed, (first, second, late, last) in (("calls", 1.4, calls), ("bytes", 2.0, sizes)):
        assert last - late <= allowed * max(second - first, 0) + 5 * STEP, (name, second - first, last - late)
