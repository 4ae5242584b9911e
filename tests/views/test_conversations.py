"""The list of conversations: against the index's own, sorted, narrowed, grown; any capture, any width."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.trace.trace import Trace
from inspector.views.conversations.columns import COLUMNS, SORTED_BY
from inspector.views.conversations.list import ConversationList
from inspector.views.line.spans import cell_width, plain

DATA = Path(__file__).parents[1] / "data"
CAPTURES = sorted(path for path in DATA.rglob("*.pcap*") if path.suffix in (".pcap", ".pcapng"))
REDIS = DATA / "protocols" / "redis.pcapng"


def listed(trace: Trace) -> ConversationList:
    found = ConversationList(trace)
    while not found.complete:
        found.update(), found.decode(range(20), 1.0)
    found.decode(range(found.count), 10.0)
    return found


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name[:60])
def test_they_are_those_of_the_index(path: Path) -> None:
    with Trace.open(path) as trace:
        trace.finish()
        found = listed(trace)
        for protocol in ("tcp", "udp"):
            for row in trace.conversations(protocol):
                line = found.index_of(found.table.number_of(row.first_row) or 0)
                assert line is not None
                number = found.target(line)
                table = found.table
                assert int(table.column("packets_ab")[number]) == row.packets_ab, (path, row)
                assert int(table.column("packets_ba")[number]) == row.packets_ba, (path, row)
        assert int(found.table.column("packets_ab").sum() + found.table.column("packets_ba").sum()) == \
            trace.index.count
        for width in (20, 60, 80, 133):
            assert cell_width(plain(found.title(width))) == width
            assert all(cell_width(plain(found.line(line, width))) == width for line in range(found.count))


def test_sorted_both_ways_by_every_column() -> None:
    with Trace.open(REDIS) as trace:
        trace.finish()
        found = listed(trace)
        everyone = sorted(found.target(line) for line in range(found.count))
        for name in SORTED_BY:
            for descending in (False, True):
                found.sort(name, descending=descending)
                assert sorted(found.target(line) for line in range(found.count)) == everyone
        found.sort("packets", descending=True)
        sizes = [int(found.table.column("packets_ab")[number] + found.table.column("packets_ba")[number])
                 for number in map(found.target, range(found.count))]
        assert sizes == sorted(sizes, reverse=True)


def test_narrowed_by_a_filter_or_by_words() -> None:
    with Trace.open(REDIS) as trace:
        trace.finish()
        found = listed(trace)
        whole = found.count
        for text in ('redis.command == "HELLO"', "redis closed"):
            found.narrow(text)
            while not found.complete:
                found.update()
            assert 0 < found.count < whole or text == "redis closed"
        found.narrow("no such words at all")
        while not found.complete:
            found.update()
        assert found.count == 0
        found.narrow("")
        assert found.count == whole


def test_they_say_what_is_spoken() -> None:
    with Trace.open(REDIS) as trace:
        trace.finish()
        found = listed(trace)
        assert "Redis" in {found.application(number) for number in range(len(found.table))}


def test_a_title_has_room_for_the_arrow_that_tells_the_order() -> None:
    cut = [column.title for column in COLUMNS if column.sorts and len(column.title) >= column.width]
    assert cut == []
