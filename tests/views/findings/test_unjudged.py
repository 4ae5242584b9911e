"""What the capture lacks is told above the findings."""

from __future__ import annotations

from pathlib import Path

from inspector.model.numbers import LINK_RAW
from inspector.trace.trace import Trace
from inspector.views.findings.unjudged import lacking_words, unjudged_words
from inspector.wire import pcapng
from tests.support.captures.tcp import segment


def words(tmp_path: Path, cut: int, dropped: int) -> str:
    frame = segment(0, "PA", 1, 1, b"x" * 100)
    path = tmp_path / "x.pcapng"
    path.write_bytes(
        pcapng.section_header() + pcapng.interface_description(LINK_RAW)
        + pcapng.enhanced_packet(frame[: len(frame) - cut], 1, length=len(frame))
        + pcapng.interface_statistics(2, 1, dropped))
    with Trace.open(path) as trace:
        trace.finish()
        return unjudged_words(trace)


def test_drops_and_cuts_are_told(tmp_path: Path) -> None:
    assert words(tmp_path, 0, 0) == ""
    assert words(tmp_path, 50, 60) == (
        "Not all can be judged: 60 packets dropped, 1 packet cut short.")


def test_damaged_records_of_a_session_are_told_on_screens_and_by_commands() -> None:
    path = Path(__file__).parents[2] / "data" / "cases" / "journal-time-overflow.pcapng"
    with Trace.open(path) as trace:
        trace.finish()
        assert unjudged_words(trace) == "Not all can be judged: 1 record of a session damaged."
        assert lacking_words(trace) == "The capture lacks something: 1 record of a session damaged."
