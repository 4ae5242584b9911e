"""Comments and marks: those of files, those made here, the filter that finds them, JSON that gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.model.packets import Row
from inspector.trace.contents.comments import LONGEST, MARK, Comments
from inspector.trace.filter.filter import Filter
from inspector.views.detail.tree import packet_tree
from inspector.views.json.packets import packet
from inspector.views.packets.list import COMMENTED, MARKED, packet_row
from inspector.wire import pcapng
from tests.support.captures.frames import ETHERNET, FRAMES, trace_of

ROW = Row(1)


def made(*texts: str) -> Comments:
    comments = Comments()
    comments.read(ROW, texts)
    return comments


def test_a_mark_is_a_comment_that_comes_and_goes() -> None:
    comments = made("slow")
    assert comments.toggle_mark(ROW) and comments.is_marked(ROW) and comments.of(ROW) == (MARK, "slow")
    assert comments.changed == {ROW: (MARK, "slow")} and comments.rows == {ROW}
    assert not comments.toggle_mark(ROW) and comments.of(ROW) == ("slow",) and not comments.changed


@pytest.mark.parametrize(("before", "own", "after"), [
    ((), "", ("new",)),
    (("one",), "one", ("new",)),
    (("one", "two"), "two", ("one", "new")),
    (("one", "of\nlines"), "", ("one", "of\nlines", "new")),
    ((MARK,), "", (MARK, "new")),
    (("same", "other", "same"), "same", ("same", "other", "new")),
])
def test_a_comment_takes_the_place_of_the_last_one(before: tuple[str, ...], own: str,
                                                   after: tuple[str, ...]) -> None:
    comments = made(*before)
    assert comments.own(ROW) == own
    comments.write(ROW, "new")
    assert comments.of(ROW) == after
    comments.write(ROW, "")
    assert comments.of(ROW) == after[:-1]


def test_what_is_too_long_is_cut_to_what_an_option_holds() -> None:
    comments = made()
    comments.write(ROW, "\N{GRINNING FACE}" * (LONGEST + 1))
    assert len(comments.of(ROW)[0].encode()) <= 65535


def test_comments_of_a_file_are_shown_and_found(tmp_path: Path) -> None:
    data = pcapng.section_header() + pcapng.interface_description(ETHERNET)
    for frame, comment in zip(FRAMES, ("", "slow \x1b[31m"), strict=False):
        data += pcapng.enhanced_packet(frame, 1, comment=comment)
    with trace_of(tmp_path / "a.pcapng", data) as trace:
        trace.finish()
        for text, rows in (("frame.comment", [1]), ('frame.comment contains "slow"', [1]),
                           ('frame.comment matches "FAST"', []), ("not frame.comment", [0])):
            assert Filter(text).rows(trace).tolist() == rows, text
        assert packet(trace, ROW)["frame.comment"] == ["slow ␛[31m"]
        assert "frame.comment" not in packet(trace, Row(0))
        (field,) = (one for one in packet_tree(trace, ROW)[0].children if one.name == "frame.comment")
        assert field.value == "slow ␛[31m"
        assert [packet_row(trace, row).note for row in (Row(0), ROW)] == ["", COMMENTED]
        trace.comments.toggle_mark(ROW)
        assert packet_row(trace, ROW).note == MARKED
        assert Filter('frame.comment == "marked"').rows(trace).tolist() == [1]
