"""A lesson's words as lines: wrapped by cells in both languages; and questions out of traces."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.lessons.asking.scene import Scene
from inspector.lessons.format.page import page, wrapped
from inspector.lessons.library import lessons
from inspector.lessons.pages.map_lines import MapLines
from inspector.lessons.pages.step_page import options_of, step_page
from inspector.lessons.pages.words import WORDS, Word
from inspector.lessons.play.answers import Judged
from inspector.lessons.play.player import ASKED, Player
from inspector.lessons.progress import Progress
from inspector.lessons.quiz import picture, questions
from inspector.trace.trace import Trace
from inspector.views.line.spans import cell_width, plain
from tests.support.captures.traces import TRACES


def test_paragraphs_lists_code_and_values() -> None:
    text = "Two **bold**\nlines, `code` {x} {y}.\n\n- one\n- two\n\n```\n  kept  as is\n```"
    lines = page(text, 40, {"x": "7"})
    assert [plain(line) for line in lines] == [
        "Two bold lines, code 7 ….", "", "- one", "- two", "", "    kept  as is"]
    assert ("bold", "bold") in lines[0] and ("code", "name") in lines[0]


def test_chinese_is_wrapped_by_cells_and_no_line_begins_with_a_closing_sign() -> None:
    text = "套接字是系统交给程序的一个句柄。它不是程序，也不是协议，而是“柜台”。"
    lines = [plain(line) for line in wrapped(text, 16)]
    assert all(cell_width(line) <= 16 for line in lines) and len(lines) > 3
    assert not any(line[0] in "，。”" for line in lines) and not any(line[-1] == "“" for line in lines)
    assert plain(page("第一行\n第二行", 40)[0]) == "第一行第二行"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_map_s_columns_stand_below_each_other_and_none_is_cut(language: str) -> None:
    several = lessons()
    half = Progress(step=3, steps=9)
    done = {one.name: (Progress(done=True), half, Progress())[place % 3] for place, one in enumerate(several)}
    made = MapLines(several, done, language)
    lines = [plain(made.line(index, 80)) for index in range(made.count)]
    rests = WORDS[language]["rests"]
    assert len({cell_width(line[: line.index(rests)]) for line in lines if rests in line}) == 1
    assert not any("…" in line for line in lines)


@given(st.text(alphabet="ab 套，。“”**`{x}-\n#", max_size=80), st.integers(8, 60))
@settings(max_examples=300, deadline=None)
def test_no_line_is_wider_than_asked(text: str, width: int) -> None:
    assert all(sum(cell_width(span.text) for span in line) <= width for line in page(text, width))


def test_both_languages_have_every_word() -> None:
    assert WORDS["en"].keys() == WORDS["zh"].keys()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_line_of_any_step_is_cut_in_narrow_words(language: str) -> None:
    """Whatever was answered: the verdict, the truth and what can be done now are wrapped as the text is."""
    for width in (40, 60):
        for lesson in lessons():
            player = Player(lesson)
            for place, (step, record) in enumerate(zip(lesson.steps, player.records, strict=True)):
                player.place = place
                options = options_of(step)
                for phase, part in (("ask", options[:1]), ("ask", options), ("over", ())):
                    if step.kind in ASKED and (phase == "over" or step.kind == "order"):
                        right = (False,) * max(len(options), 1)
                        record.judged = Judged(options or ("12",), options or ("1234",), right)
                    if step.kind in ASKED or phase == "over":
                        record.phase = "over" if phase == "over" else "ask"
                    record.hints = 1
                    lines = step_page(player, language, width, part if step.kind == "order" else ()).lines
                    assert all(cell_width(plain(line)) <= width for line in lines), (lesson.name, step.id)
                    text = "".join("".join(plain(line) for line in lines).split())
                    if record.phase == "ask" and record.judged is not None:
                        assert "".join(WORDS[language]["try-again"].split()) in text
                    if record.phase == "over" and place == len(lesson.steps) - 1:
                        last: Word = "think" if step.kind == "explain" else "finished"
                        assert "".join(WORDS[language][last].split()) in text


@pytest.mark.parametrize("name", ["tcp.pcapng", "udp.pcapng", "websocket.pcapng", "tcp-refused.pcapng"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_quiz_of_any_trace(name: str, language: str) -> None:
    with Trace.open(TRACES / name) as trace:
        trace.finish()
        found = questions(trace, 10, language, seed=3)
        assert found == questions(trace, 10, language, seed=3)
        for one in found:
            answers = [str(place) for place in range(1, len(one.choices) + 1)] or [one.truth]
            assert sum(one.right(answer) for answer in answers) == 1
            assert not one.right("") and not one.right("x")
            lines = [plain(line) for line in picture(trace, one, 100)]
            if one.hidden:
                assert any("?" in line for line in lines)
    assert found if name != "udp.pcapng" else True


def test_a_quiz_asks_for_relative_numbers_of_an_end_that_began_them() -> None:
    """A reset of a port where nobody listens has SEQ=0 (RFC 9293 §3.5.2), shown relative to nothing."""
    with Trace.open(TRACES / "tcp-refused.pcapng") as trace:
        trace.finish()
        found = questions(trace, 50, "en", seed=1)
    assert not [one for one in found if one.kind == "seq"]
    states = {one.truth: one.note for one in found if one.kind == "state" and "server" in one.text}
    assert "nobody listens" in states["CLOSED"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_quiz_asks_for_the_next_packet_only_where_the_one_before_decides_it(language: str) -> None:
    """Not what a timer or a program does, nor beside what could come as well; and it says why."""
    asked: set[tuple[str, str]] = set()
    for name in ("tcp", "tcp-half-close", "tcp-refused", "tcp-push", "websocket", "http-connections"):
        with Trace.open(TRACES / f"{name}.pcapng") as trace:
            trace.finish()
            scene = Scene(trace, most_packets=None)
            for one in questions(trace, 200, language, seed=1):
                assert one.note
                if one.kind == "flags":
                    assert not any(choice.endswith("data") for choice in one.choices)
                if one.kind != "next":
                    continue
                cause = scene.row_name(one.upto)
                asker, _, packet = cause.partition(" ")
                answerer, _, answer = one.truth.partition(" ")
                asked.add((packet, answer))
                assert asker != answerer and packet in ("SYN", "SYN ACK", "FIN ACK")
                assert cause not in one.choices
                if packet == "FIN ACK":
                    possible = {f"{answerer} {what}" for what in ("ACK", "FIN ACK", "data")}
                    assert len(possible & {*one.choices}) == 1
    assert {("SYN", "SYN ACK"), ("SYN ACK", "ACK"), ("SYN", "RST ACK"), ("FIN ACK", "ACK")} <= asked
