"""The list of conversations: against the index's own, sorted, narrowed, grown; any capture, any width."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.trace.filter.filter import Filter
from inspector.trace.packet.deeds import wire_findings
from inspector.trace.trace import Trace
from inspector.views.conversations.columns import COLUMNS, SORTED_BY
from inspector.views.conversations.list import ConversationList
from inspector.views.json.conversations import conversations
from inspector.views.ladder.ends import Conversation
from inspector.views.line.spans import cell_width, plain
from tests.support.captures.growth_services import events_of_the_wire
from tests.support.captures.tcp import usual
from tests.support.tiers import sweep

DATA = Path(__file__).parents[2] / "data"
CAPTURES = sorted(path for path in DATA.rglob("*.pcap*") if path.suffix in (".pcap", ".pcapng"))
REDIS = DATA / "protocols" / "redis.pcapng"


def listed(trace: Trace) -> ConversationList:
    found = ConversationList(trace)
    while not found.complete:
        found.update(), found.decode(range(20), 1.0)
    found.decode(range(found.count), 10.0)
    return found


@sweep("path", CAPTURES, usual(1), ids=lambda path: path.name[:60])
def test_they_are_those_of_the_index(path: Path) -> None:
    with Trace.open(path) as trace:
        trace.finish()
        found = listed(trace)
        table = found.table
        numbers = {table.conversation(number): number for number in range(len(table))}
        once = {(one["protocol"], one["stream"]): one for one in conversations(trace)}    # without copies
        for protocol in ("tcp", "udp"):
            for row in trace.conversations(protocol):
                printed = once[protocol, row.stream]
                number = numbers[Conversation(protocol, row.stream)]
                assert found.index_of(number) is not None
                assert found.ends(number) == (row.a, row.b)
                assert int(table.column("carries")[number]) == row.carries
                assert int(table.column("packets_ab")[number]) == printed["packets_ab"], (path, row)
                assert int(table.column("packets_ba")[number]) == printed["packets_ba"], (path, row)
        packets = int(table.column("packets_ab").sum() + table.column("packets_ba").sum())
        copies = sum(one.get("copies", 0) for one in once.values())
        assert packets + copies - int(table.column("carries").sum()) == trace.index.count
        for width in (20, 60, 80, 133):
            assert cell_width(plain(found.title(width))) == width
            assert all(cell_width(plain(found.line(line, width))) == width for line in range(found.count))


# tshark -q -z conv,udp: ends, frames and bytes of frames from a to b.
AROUND = {
    "18A-gtpu.pcap": [("192.0.2.1:2152", "192.0.2.2:2152", 10, 992)],
    "vxlan-linux.pcap": [
        ("10.1.0.1:41035", "10.1.0.2:4789", 7, 904), ("10.1.0.2:49759", "10.1.0.1:4789", 5, 1108),
        ("10.1.0.1:36716", "10.1.0.2:4789", 2, 320), ("10.1.0.2:58107", "10.1.0.1:4789", 2, 330),
        ("10.1.0.2:33948", "10.1.0.1:4789", 1, 160),
    ],
}


@pytest.mark.parametrize("name", AROUND)
def test_tunnels_have_lines_of_their_own(name: str) -> None:
    tunnel = {"18A-gtpu.pcap": "gtp", "vxlan-linux.pcap": "vxlan"}[name]
    with Trace.open(DATA / "cases" / name) as trace:
        trace.finish()
        found = listed(trace)
        carrying = {found.ends(number): number for number in range(len(found.table))
                    if found.table.column("carries")[number]}
        if name == "vxlan-linux.pcap":
            assert len(carrying) == 17
        for a, b, packets, size in AROUND[name]:
            number = carrying[a, b]
            column = found.table.column
            assert (column("packets_ab")[number], column("bytes_ab")[number]) == (packets, size)
            assert [found.cell(number, name)[0] for name in ("protocol", "state")] == [
                tunnel.upper(), "carries"]
        by_ends = {(one["a"], one["b"]): one for one in conversations(trace) if "carries" in one}
        assert by_ends.keys() == carrying.keys()
        assert all(one["application"] == tunnel for one in by_ends.values())
        found.narrow("http")
        while not found.complete:
            found.update()
        shown = {found.target(line) for line in range(found.count)}
        assert carrying[AROUND[name][0][:2]] in shown
        rows = Filter("http").rows(trace)
        assert AROUND[name][0][:2] in {(one["a"], one["b"]) for one in conversations(trace, rows)}


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


def test_the_mark_of_those_to_be_compared_takes_no_letter_of_them() -> None:
    with Trace.open(DATA / "protocols" / "redis.pcapng") as trace:
        trace.finish()
        found = ConversationList(trace)
        while not found.complete:
            found.update()
        for width in (58, 79, 118):
            before, titles = plain(found.line(0, width)), plain(found.title(width))
            first = found.column_at(0, width)
            assert found.mark(found.target(0))
            assert plain(found.line(0, width)).startswith(f"= {before[:5]}")
            assert plain(found.line(1, width)).startswith("  ")
            assert plain(found.title(width)).startswith(f"  {titles[:5]}")
            assert {len(plain(line)) for line in (found.line(0, width), found.title(width))} == {width}
            assert found.column_at(2, width) == first
            assert not found.mark(found.target(0)) and plain(found.line(0, width)) == before


def test_what_was_done_on_the_wire_is_among_the_findings_of_its_conversation(tmp_path: Path) -> None:
    (tmp_path / "wire.pcapng").write_bytes(events_of_the_wire(3))
    with Trace.open(tmp_path / "wire.pcapng") as trace:
        trace.finish()
        found = listed(trace)
        number = next(one for one in range(2) if found.table.conversation(one) == Conversation("udp", 0))
        text, _ = found.cell(number, "findings")
        assert len(wire_findings(trace)) == 3 and text.endswith(" 3")
