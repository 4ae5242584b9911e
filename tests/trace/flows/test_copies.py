"""A pcapng behind another one in a file, as `cat` puts it: sections that may have the same packets."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.model.packets import Row
from inspector.trace.trace import Trace
from inspector.views.findings.list import FindingList
from inspector.views.findings.unjudged import unjudged_words
from inspector.views.json.conversations import conversations
from inspector.views.json.findings import findings
from inspector.views.json.packets import packets
from inspector.wire import pcapng
from tests.support.captures.tcp import segment
from tests.support.captures.traces import TRACES

SESSIONS = ["http", "tcp-abort", "tcp-refused", "udp", "udp-refused", "websocket"]


def packets_of(path: Path) -> list[dict[str, object]]:
    with Trace.open(path) as trace:
        trace.finish()
        return list(packets(trace))


@pytest.mark.parametrize("name", SESSIONS)
def test_what_stands_twice_was_sent_once(name: str, tmp_path: Path) -> None:
    """tshark calls each a retransmission; the stream is the one that it says, and nothing came again."""
    once, path = TRACES / f"{name}.pcapng", tmp_path / "twice.pcapng"
    path.write_bytes(once.read_bytes() * 2)
    with Trace.open(once) as trace:
        trace.finish()
        ids = [one["id"] for one in findings(trace)]
    alone, twice = packets_of(once), packets_of(path)
    count = len(alone)
    assert [one.get("analysis") for one in twice[:count]] == [one.get("analysis") for one in alone]
    for number, one in enumerate(twice[count:], 1):
        if "icmp" not in str(one["frame.protocols"]):
            assert one["same_as"] == number and "analysis" not in one
            assert str(one["info"]).startswith(f"[Packet {number} again] ")
            assert one.get("tcp.stream") == alone[number - 1].get("tcp.stream")
    with Trace.open(path) as trace:
        trace.finish()
        assert [one["id"] for one in findings(trace)] == ids


def test_a_section_that_is_appended_while_the_file_is_open(tmp_path: Path) -> None:
    once, path = TRACES / "http.pcapng", tmp_path / "grows.pcapng"
    path.write_bytes(once.read_bytes())
    with Trace.open(path) as trace:
        while trace.refresh():
            pass
        lines = FindingList(trace)
        flow, rows = trace.flow(0), list(trace.flow(0).rows)
        with path.open("ab") as file:
            file.write(once.read_bytes())
        while trace.refresh():
            pass
        lines.update()
        assert list(trace.flow(0).rows) == rows and trace.flow(0).flagged() == {} and lines.count == 0
        assert trace.flow(0) is flow and flow.copies == {Row(12 + n): Row(n) for n in range(12)}


def section(*frames: tuple[float, bytes]) -> bytes:
    blocks = [pcapng.section_header(), pcapng.interface_description(101)]
    return b"".join([*blocks, *(pcapng.enhanced_packet(one, int(at * 1e9)) for at, one in frames)])


def test_a_conversation_goes_on_in_the_next_section_and_is_not_judged_where_that_is_earlier(
    tmp_path: Path,
) -> None:
    before = (1, segment(0, "S", 99)), (1.1, segment(1, "SA", 299, 100)), (1.2, segment(0, "A", 100, 300))
    data = (1.3, segment(0, "PA", 100, 300, b"a" * 10)), (1.4, segment(1, "A", 300, 110))
    again = section(*((2 + n / 10, segment(0, "PA", 110 + 10 * n, 300, b"b" * 10)) for n in range(5)))
    path = tmp_path / "x.pcapng"
    path.write_bytes(section(*before, *data) + again)
    with Trace.open(path) as trace:
        trace.finish()
        (one,) = conversations(trace)
        assert (one["packets_ab"], one["bytes_ab"]) == (8, 60)
        assert trace.flow(0).flagged() == {} and unjudged_words(trace) == ""
    path.write_bytes(again + section(*data, (1.5, segment(1, "R", 300))))
    with Trace.open(path) as trace:
        trace.finish()
        assert len(list(conversations(trace))) == 1 and list(findings(trace)) == []
        assert unjudged_words(trace) == "Not all can be judged: its sections are not in order of time."
