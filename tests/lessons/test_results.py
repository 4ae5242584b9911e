"""What became of a learner's answers: noted while it is played, kept, handed in, gathered; hostile ones."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.lessons.classroom import notes, tables, tallies
from inspector.lessons.classroom.ballot import Ballot
from inspector.lessons.classroom.gather import MOST_FILES, gathered
from inspector.lessons.classroom.notes import MOST, Notes
from inspector.lessons.classroom.results import (
    Learner,
    LessonResult,
    ResultsError,
    StepResult,
    learner_of,
    object_of,
)
from inspector.lessons.library import EXAMPLE, find, lessons
from inspector.lessons.play.headless import Stage
from inspector.lessons.play.player import Player
from tests.support.running.commands import inspector
from tests.support.running.lab import needs_lab

WRONG = StepResult("isn", "predict", ("zero",), False, "zero", 1, 2, False, True, 31)
ADA = Learner("Ada", (
    LessonResult("handshake", "2026-03-02T08:15:00Z", 11, True, (
        StepResult("begin", "tell", over=True, seconds=9), WRONG,
        StepResult("order", "order", ("a", "b"), True, "", 1, 0, False, True, 20))),))


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@needs_lab
def test_first_answers_tries_hints_and_time_are_noted_and_stay() -> None:
    lesson, clock = find(str(EXAMPLE)), Clock()
    key = notes.key_of(lesson)
    assert key == f"./{EXAMPLE.name}"                      # never taken for one that comes with the program
    player, ours = Player(lesson), Notes(lesson, clock)
    with Stage(player) as stage:
        assert stage.until(lambda: player.scene is not None)
        ours.look(player.step)
        clock.now += 7
        player.forth()
        ours.look(player.step)
        player.hint()
        clock.now += 20
        player.answer(("2",))
        assert stage.until(lambda: player.record.phase == "over")
        player.forth()
        ours.look(player.step)
        clock.now += 4000                                  # somebody went away
        player.answer(("5" + "," * 200,))                  # still a number, and no reason to lose all
        player.answer(("1",))
        notes.keep(ours.result(player))
        ours.look(player.step)
        clock.now += 1
        player.forth()
        player.forth()
        ours.look(player.step)
        notes.keep(ours.result(player))
    learner = notes.own()
    assert learner is not None
    kept = learner.lesson(key)
    assert kept is not None and kept.steps == len(lesson.steps) and not kept.done
    assert [(one.step, one.seconds) for one in kept.answers] == [
        ("begin", 7), ("packets", 20), ("acknowledged", 301), ("refused", 0)]
    assert kept.answers[1] == StepResult("packets", "predict", ("2",), False, "two", 1, 1, False, True, 20)
    assert kept.answers[2] == StepResult(
        "acknowledged", "blank", ("5".ljust(80, ","),), False, "", 2, 0, False, True, 301)
    assert (kept.asked, kept.right, kept.seconds) == (2, 0, 328)

    again, ours = Player(lesson), Notes(lesson, clock)     # another day, from where one stopped
    again.resume_at(2)
    with Stage(again) as stage:
        assert stage.until(lambda: not again.catching_up)
        ours.look(again.step)
        again.answer(("1",))
        notes.keep(ours.result(again, done=True))
    learner = notes.own()
    later = None if learner is None else learner.lesson(key)
    assert later is not None
    assert later.answers[:2] == kept.answers[:2]           # played again unasked: nothing was answered
    assert later.answers[2].first == kept.answers[2].first and later.answers[2].tries == 3
    assert later.done and later.begun == kept.begun


@needs_lab
def test_what_was_given_up_was_not_answered() -> None:
    lesson = find(str(EXAMPLE))
    player, ours = Player(lesson), Notes(lesson)
    with Stage(player) as stage:
        assert stage.until(lambda: player.scene is not None)
        player.forth()
        player.answer(("3",))
        assert stage.until(lambda: player.record.phase == "over")
        player.forth()
        ours.look(player.step)
        player.reveal()
        one = ours.result(player).step("acknowledged")
    assert one is not None and (one.first, one.tries, one.shown, one.over) == ((), 0, True, True)
    assert not one.answered


def test_a_lesson_that_was_done_stays_done_when_it_is_left() -> None:
    """Its screen keeps the results once more as it goes."""
    for done in (False, True, False):
        notes.keep(LessonResult("udp", "2026-03-02T08:15:00Z", 10, done))
    learner = notes.own()
    assert learner is not None and learner.lesson("udp") == LessonResult(
        "udp", "2026-03-02T08:15:00Z", 10, True)


def test_a_name_is_kept_on_one_line_and_answers_can_be_forgotten() -> None:
    assert notes.own() is None
    notes.give_name("  Ada\n\x1b[31mLovelace ")
    learner = notes.own()
    assert learner is not None and learner.name == "Ada ␛[31mLovelace"
    assert notes.own_file().stat().st_mode & 0o077 == 0
    for one in (ADA.lessons[0], LessonResult("udp", "2026-03-02T08:15:00Z", 9)):
        notes.keep(one)
    notes.forget("handshake")
    learner = notes.own()
    assert learner is not None and [one.lesson for one in learner.lessons] == ["udp"]
    notes.forget()
    assert notes.own() is None and not notes.own_file().exists()


def test_who_is_of_a_class_keeps_answers_in_its_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INSPECTOR_CLASS", str(tmp_path / "class"))
    monkeypatch.setenv("INSPECTOR_SEAT", "a-seat")
    notes.keep(ADA.lessons[0])
    assert [path.name for path in (tmp_path / "class").iterdir()] == ["a-seat.json"]
    (learner, file), = gathered([tmp_path / "class"]).learners
    assert learner.lessons == ADA.lessons and file == "a-seat.json"


def test_a_vote_is_an_answer_and_the_first_one_stays() -> None:
    ballot = Ballot("q", 2, "told", truth="b", options=(("a", "one"), ("b", "two")), lesson="handshake",
                    foreseen={"a": "a", "b": "b"}, step="isn", steps=11)
    notes.note_vote(ballot, ())
    assert notes.own() is None                             # who said nothing
    notes.note_vote(ballot, ("a", "b"))
    learner = notes.own()
    assert learner is not None and learner.lessons[0].steps == 11
    assert learner.lessons[0].answers == (StepResult("isn", "predict", ("a",), False, "a", 2, over=True),)
    kept = replace(ADA.lessons[0], answers=(replace(WRONG, first=("b",), right=True, foreseen=""),))
    notes.keep(kept)                                       # a lesson that was open when it was noted
    notes.note_vote(replace(ballot, step="other", truth="a"), ("a",))
    learner = notes.own()
    assert learner is not None
    isn, other = learner.lessons[0].answers
    assert (isn.first, isn.right, isn.foreseen, isn.seconds) == (("a",), False, "a", 31)
    assert (other.first, other.right, other.foreseen) == (("a",), True, "")


texts = st.text(max_size=60)
results = st.builds(
    Learner, texts, st.lists(st.builds(
        LessonResult, texts, st.just("2026-03-02T08:15:00Z"), st.integers(0, 60), st.booleans(),
        st.lists(st.builds(
            StepResult, texts, texts, st.lists(texts, max_size=16).map(tuple), st.booleans(), texts,
            st.integers(0, 99), st.integers(0, 9), st.booleans(), st.booleans(), st.integers(0, 10**6)),
            max_size=5, unique_by=lambda one: one.step).map(tuple)),
        max_size=4, unique_by=lambda one: one.lesson).map(tuple))


@given(results)
def test_what_is_written_is_read_again(learner: Learner) -> None:
    assert learner_of(json.loads(json.dumps(object_of(learner)))) == learner


KEYS = st.sampled_from(["inspector_results", "learner", "lessons", "lesson", "answers"])


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=20))
def test_whatever_stands_there_is_a_learner_or_a_sentence(data: Any) -> None:
    try:
        learner_of(data)
    except ResultsError as error:
        assert str(error).isprintable()


def changed(**changes: Any) -> dict[str, Any]:
    return object_of(ADA) | changes


def lesson(**changes: Any) -> dict[str, Any]:
    return changed(lessons=[object_of(ADA)["lessons"][0] | changes])


def answer(**changes: Any) -> dict[str, Any]:
    return lesson(answers=[object_of(ADA)["lessons"][0]["answers"][1] | changes])


@pytest.mark.parametrize(("data", "words"), [
    ([], "it holds no results of lessons"),
    ({"name": "x"}, "it holds no results of lessons"),
    (changed(inspector_results=2), "not of format 1"),
    (changed(learner=7), "learner of the learner is no text of at most 60"),
    (changed(learner="x" * 61), "learner of the learner is no text of at most 60"),
    (changed(lessons={}), "lessons of the learner is no list"),
    (changed(lessons=[7]), "a lesson of it is no object"),
    (changed(lessons=object_of(ADA)["lessons"] * 2), "it has a lesson twice"),
    (lesson(begun="yesterday"), "begun of a lesson is no time"),
    (lesson(steps=True), "steps of a lesson is no number"),
    (lesson(steps=10**400), "steps of a lesson is no number"),
    (lesson(answers=[{}] * 101), "answers of a lesson is no list of at most 100"),
    (answer(right="yes"), "right of an answer is neither true nor false"),
    (answer(seconds=-1), "seconds of an answer is no number from 0"),
    (answer(seconds=float("inf")), "seconds of an answer is no number from 0"),
    (answer(first=["x" * 81]), "first of an answer is no text of at most 80"),
    (answer(first=["x"] * 17), "first of an answer is no list of at most 16"),
])
def test_what_is_of_another_shape_is_refused_in_a_sentence(data: Any, words: str) -> None:
    with pytest.raises(ResultsError, match=words):
        learner_of(data)


def test_results_of_many_are_gathered_and_what_is_none_is_told(tmp_path: Path) -> None:
    folder, inner = tmp_path / "in", tmp_path / "in" / "below"
    inner.mkdir(parents=True)
    line = json.dumps(object_of(ADA))
    (folder / "a.json").write_text(json.dumps(object_of(ADA), indent=2))
    (folder / "b.jsonl").write_text(f"{line}\n\n{json.dumps(object_of(Learner('Bo', ADA.lessons)))}\n")
    (folder / "c.json").write_bytes(b"\xef\xbb\xbf" + line.encode())          # as an editor writes it
    (inner / "d.json").write_text(line)
    (folder / "notes.txt").write_text("x")
    (folder / ".e.json").write_text("x")
    bad = {"f.json": b"{", "g.json": b"[" * 100_000, "h.json": b"\xff\xfe", "i.json": b"",
           "j.json": b"1" * 10_000, "k.json": b" " * (MOST + 1), "l\x1b[31m.json": b"7"}
    for name, data in bad.items():
        (folder / name).write_bytes(data)
    (folder / "m.json").symlink_to(folder / "a.json")
    os.mkfifo(folder / "n.json")
    found = gathered([folder, folder / "a.json", tmp_path / "nowhere"])
    assert [(one.name, file) for one, file in found.learners] == [
        ("Ada", "a.json"), ("Ada", "b.jsonl"), ("Bo", "b.jsonl"), ("Ada", "c.json"), ("Ada", "a.json")]
    assert len(found.faults) == len(bad) + 3 and all(fault.isprintable() for fault in found.faults)
    assert any("longer than 1 MiB" in fault for fault in found.faults)
    assert sum("it is no JSON" in fault for fault in found.faults) == 5


def test_there_is_a_bound_on_how_many_files_are_read(tmp_path: Path) -> None:
    for number in range(MOST_FILES + 2):
        (tmp_path / f"{number:05}.json").write_text(json.dumps(object_of(ADA)))
    found = gathered([tmp_path])
    assert len(found.learners) == MOST_FILES
    assert "of which the first 1000 are read" in found.faults[0]


# --- tables ---


EVIL = ["=cmd|'/c calc'!A0", "+1", "-1+1", "@SUM(A1)", " =1", "\t=1", "\r=1", "＝1", "\x1b[31mred",
        "a\u202eb", 'a",b', "a\nb", "\ud800"]


@pytest.mark.parametrize("text", EVIL)
def test_no_cell_is_a_formula_and_none_breaks_its_line(text: str) -> None:
    learner = Learner(text, (LessonResult(text, "2026-03-02T08:15:00Z", 3, False, (
        StepResult(text, "predict", (text,), False, text, 1),)),))
    found = [(learner, text)]
    for rows in (tables.lesson_rows, tables.step_rows):
        (row,) = rows(found)
        line = tables.csv_line(row)
        assert line.isprintable() and line.encode()
        cells = next(csv.reader(io.StringIO(line)))
        assert len(cells) == len(row)
        assert all(cell.lstrip()[:1] not in {*"=+-@", "＝"} for cell in cells)
    assert list(tables.class_lines(found, lessons(), "en", 100))[1].endswith(" -")       # no time was counted
    for shown in tables.class_lines(found, lessons(), "en", 100):
        assert shown == "" or shown.isprintable()


def test_the_tables_have_a_row_a_lesson_or_a_question() -> None:
    found = [(ADA, "a.json"), (Learner("", ADA.lessons), "bo.json")]
    rows = list(tables.lesson_rows(found))
    assert all(len(row) == len(tables.LESSON_COLUMNS) for row in rows)
    assert [row[0] for row in rows] == ["Ada", "bo"]       # where no name was given, the file's
    first = dict(zip(tables.LESSON_COLUMNS, rows[0], strict=True))
    assert (first["asked"], first["right"], first["hints"], first["seconds"], first["wrong"]) == (
        2, 1, 2, 60, "isn=zero")
    steps = list(tables.step_rows(found))
    assert all(len(row) == len(tables.STEP_COLUMNS) for row in steps)
    assert [row[2] for row in steps] == ["isn", "order"] * 2
    assert tables.csv_line(steps[0]) == "Ada,handshake,isn,predict,zero,no,zero,1,2,no,yes,31,a.json"


def test_a_class_is_shown_with_the_words_for_its_misconceptions() -> None:
    socket = find("socket")
    step = next(one for one in socket.steps if one.kind == "predict" and one.ask == "choice")
    text = socket.text("en").steps[step.id]
    wrong = next(one.id for one in step.choices if one.id in text.feedback)
    several = [(Learner(name, (LessonResult("socket", "2026-03-02T08:15:00Z", 10, False, (
        StepResult(step.id, "predict", (one,), one != wrong, wrong if one == wrong else "", 1, over=True),
    )),)), "") for name, one in (("Ada", wrong), ("Bo", wrong), ("Cy", "none"))]
    shown = "\n".join(tables.class_lines(several, lessons(), "en", 200))
    assert f"socket, {step.id}: 1 of 3 right at the first try" in shown
    assert f"  2 × {text.choices[wrong].split(':')[0]}" in shown
    assert " ".join(text.feedback[wrong].split())[:40] in shown
    assert "Ada" in shown and "0 of 1" in shown and "1 of 1" in shown


def test_what_a_class_was_counted_to_say_is_kept_shown_and_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    voted = tallies.Tally("handshake", "isn", "2026-03-02T08:15:00Z", "any", (
        tallies.Round({"zero": 17, "any": 27}, {"any": 2}), tallies.Round({"zero": 3, "any": 42}, {})))
    passed = tallies.Tally("./mine", "one", "2026-03-02T08:20:00Z", "", (tallies.Round({"=2": 4}, {}),))
    for one in (voted, passed):
        tallies.keep(tallies.own_file(), one)
        tallies.keep(tmp_path / "class" / "tallies.jsonl", one)
    assert tallies.own() == gathered([tmp_path / "class"]).tallies == [voted, passed]
    rows = inspector("lesson", "results").stdout.splitlines()
    assert rows[0] == "handshake, isn: put to a class 2026-03-02 08:15 UTC, 46 alone, then 45 after talking"
    assert rows[1].startswith("  ✓  29  63% →  42  93%  ") and rows[2].startswith("     17  37% →   3   7%  ")
    assert rows[4].endswith("UTC, 4 alone") and rows[5].startswith("      4 100%  =2")
    assert inspector("lesson", "results", str(tmp_path / "class")).stdout.splitlines() == rows
    rows = inspector("lesson", "results", "--json").stdout.splitlines()
    assert [tallies.tally_of(json.loads(line)) for line in rows] == [voted, passed]
    done = inspector("lesson", "reset", "handshake")
    assert done.returncode == 0 and tallies.own() == [passed]


@pytest.mark.parametrize(("changes", "words"), [
    ({"inspector_tally": 2}, "not of format 1"), ({"asked": "now"}, "is no time"),
    ({"rounds": [1]}, "no object"), ({"rounds": [{}] * 3}, "no list of at most 2"),
    ({"rounds": [{"hands": {"a": -1}, "browsers": {}}]}, "is no number"),
    ({"rounds": [{"hands": {"a" * 81: 1}, "browsers": {}}]}, "longer than 80"),
])
def test_a_tally_of_another_shape_is_refused_in_a_sentence(changes: dict[str, Any], words: str) -> None:
    plain = {"inspector_tally": 1, "lesson": "x", "step": "y", "asked": "2026-03-02T08:15:00Z", "truth": "",
             "rounds": [{"hands": {"a": 1}, "browsers": {}}]}
    assert tallies.tally_of(plain).rounds[0].of("a") == 1
    with pytest.raises(ResultsError, match=words):
        tallies.tally_of(plain | changes)
