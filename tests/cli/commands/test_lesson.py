"""`inspector lesson`: what it lists, checks, begins and asks, and its exit statuses."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from inspector.lessons import progress
from inspector.lessons.classroom import notes
from inspector.lessons.classroom.ballot import BallotBox
from inspector.lessons.classroom.results import LessonResult, StepResult
from inspector.lessons.library import names
from inspector.lessons.pages.words import WORDS
from inspector.lessons.quiz import Question, questions
from inspector.trace.trace import Trace
from inspector.views.line.spans import cell_width
from tests.support.captures.traces import TRACES
from tests.support.running.commands import inspector
from tests.support.running.lab import needs_lab


def lesson(*words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return inspector("lesson", *words, input=typed)


def test_the_list_says_what_there_is_and_how_far_it_is_done() -> None:
    progress.keep("socket", progress.Progress(0, 10, True, 4, 5))
    listed = [json.loads(line) for line in lesson("list", "--json").stdout.splitlines()]
    assert {one["name"] for one in listed} == set(names())
    assert [one["number"] for one in listed] == sorted(one["number"] for one in listed)
    first = listed[0]
    assert (first["name"], first["done"], first["right"], first["asked"]) == ("socket", True, 4, 5)
    chinese = lesson("list", "--lang", "zh").stdout
    assert "✓  1  socket" in chinese and "什么是套接字" in chinese
    assert lesson("reset").returncode == 0
    assert not progress.of("socket").done


@needs_lab
def test_a_lesson_is_begun_checked_and_spoilt(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    made = lesson("new", str(mine))
    assert made.returncode == 0 and len(made.stdout.splitlines()) == 3
    assert lesson("new", str(mine)).returncode == 2                        # nothing is overwritten
    checked = lesson("check", str(mine))
    assert (checked.returncode, checked.stdout) == (0, "✓ mine  4 steps, en, zh\n")
    facts = mine / "lesson.toml"
    text = facts.read_text()
    facts.write_text(text.replace("value = '2'", "value = '3'"))
    failed = lesson("check", str(mine))
    assert failed.returncode == 1 and "is none, or the truth" in failed.stdout and "✗ mine" in failed.stdout
    facts.write_text(text.replace("minutes = 5", "minutes = \"5\""))
    wrong = lesson("check", str(mine))
    assert wrong.returncode == 4 and f"{facts}:2: minutes: Here a whole number should stand." in wrong.stderr
    refused = lesson(str(mine))
    assert refused.returncode == 4 and "cannot be opened" in refused.stderr


@pytest.mark.parametrize(("words", "status", "sentence"), [
    (("check",), 2, "Name lessons or folders to check"),
    (("check", "socket", "--all"), 2, "Name lessons or folders to check"),
    (("reset", "nosuch"), 2, "No lesson is named nosuch"),
    (("nowhere",), 2, "No lesson is named nowhere: 'inspector lesson list' shows them"),
    (("handshakes",), 2, "No lesson is named handshakes: did you mean handshake?"),
    (("check", "handshake", "nowhere"), 2, "No lesson is named nowhere"),
    (("/tmp",), 2, "No lesson is named /tmp"),
    (("socket",), 3, "The app needs a terminal"),
    ((), 3, "The app needs a terminal"),
    (("new", "/nonexistent/x"), 3, "/nonexistent/x cannot be made"),
    (("quiz", "/nonexistent"), 4, ""),
    (("list", "--lang", "fr"), 2, "'fr' is not one of"),
    (("results", "--steps"), 2, "--steps goes with --csv"),
    (("results", "/nonexistent"), 4, "/nonexistent: No such file or directory"),
    (("results", ""), 2, "An empty text names no file"),
    (("teach", "nowhere"), 2, "No lesson is named nowhere"),
    (("teach", "socket"), 3, "The app needs a terminal"),
    (("teach", "--class", "/proc/x"), 3, "The class cannot be kept in /proc/x"),
])
def test_what_cannot_be_done_is_one_sentence(words: tuple[str, ...], status: int, sentence: str) -> None:
    done = lesson(*words)
    assert done.returncode == status and sentence in done.stderr and done.stderr.count("\n") == 1


def test_what_reset_forgets_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert lesson("reset").stderr == "inspector: There is nothing to forget: no lesson was begun.\n"
    for name in ("http", "udp", "window"):
        progress.keep(name, progress.Progress(1, 9))
    assert lesson("reset", "socket").stderr == (
        "inspector: There is nothing to forget: socket was not begun.\n")
    assert lesson("reset", "http").stderr == "inspector: It is forgotten how far http was done.\n"
    assert lesson("reset").stderr == "inspector: It is forgotten how far udp, window were done.\n"
    assert progress.names() == ()


def test_the_words_alone_can_be_checked() -> None:
    done = lesson("check", "--all", "--words-only")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == len(names())


def made(file: str, language: str) -> list[Question]:
    with Trace.open(file) as trace:
        trace.finish()
        return questions(trace, 6, language, 5)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_quiz_is_graded_answer_by_answer(language: str) -> None:
    trace = str(TRACES / "tcp.pcapng")
    words = ("quiz", trace, "--seed", "5", "--questions", "6", "--lang", language)
    nothing = lesson(*words)
    assert nothing.returncode == 1 and "✗" not in nothing.stdout and "0 / 6" in nothing.stdout
    shown = lesson(*words, typed="s\n" * 6)
    assert shown.returncode == 1 and "✗" not in shown.stdout and "0 / 6" in shown.stdout
    left = lesson(*words, typed="s\nabc\n\n99x\nS\nq\n1\n")      # what is no answer is asked again
    assert left.returncode == 1 and "✗" not in left.stdout and left.stdout.count("> ") == 6
    assert f"0 / 2 {WORDS[language]['score']}, 4 {WORDS[language]['left-out']}" in left.stdout
    assert left.stdout.count(WORDS[language]["truth"]) == 2            # shown, not held against anybody
    assert all(cell_width(line) <= 100 for line in left.stdout.splitlines())
    answers = [one.truth if not one.choices else str(one.choices.index(one.truth) + 1)
               for one in made(trace, language)]
    right = lesson(*words, typed=f"{answers[0]}\n{answers[1]}\nq\n")       # who leaves has said nothing wrong
    assert "2 / 2" in right.stdout and right.returncode == 0
    assert lesson(*words, typed="q\n").returncode == 1                      # and here nothing at all
    assert lesson(*words, typed="".join(f"{one}\n" for one in answers)).returncode == 0
    some = lesson(*words, typed="1\n" * 6)
    assert some.stdout.count("✓") + some.stdout.count("✗") == 6


def test_the_ladder_of_a_quiz_speaks_its_language() -> None:
    words = ("quiz", str(TRACES / "tcp-push.pcapng"), "--questions", "50", "--lang", "zh")
    assert " after " not in lesson(*words, typed="s\n" * 50).stdout


def test_own_results_are_handed_in_and_a_class_is_read_together(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    nothing = lesson("results")
    assert (nothing.returncode, nothing.stdout) == (0, "") and "There are no results" in nothing.stderr
    notes.keep(LessonResult("socket", "2026-03-02T08:15:00Z", 10, False, (
        StepResult("number", "predict", ("5",), False, "", 1, 0, False, True, 30),
        StepResult("silent", "predict", ("none",), True, "", 1, 1, False, True, 12))))
    own = lesson("results", "--json", "--name", "=Ada")
    assert own.returncode == 0 and own.stdout.count("\n") == 1
    folder = tmp_path / "class"
    folder.mkdir()
    (folder / "ada.json").write_text(own.stdout)
    assert lesson("results", "--json", str(folder)).stdout == own.stdout        # as it was handed in
    table = lesson("results", "--csv", str(folder)).stdout.splitlines()
    assert table[0].startswith("learner,lesson,begun,done,") and len(table) == 2
    assert table[1] == ("'=Ada,socket,2026-03-02T08:15:00Z,no,10,2,1,2,1,0,42,number=5,ada.json")
    assert len(lesson("results", "--csv", "--steps", str(folder)).stdout.splitlines()) == 3
    shown = lesson("results", str(folder), "--lang", "zh").stdout
    assert "什么是套接字，number：1 人中 0 人第一次就答对" in shown and " 1/2 " in shown
    shown = lesson("results", str(folder), "--lang", "en").stdout
    assert "socket, number: 0 of 1 right at the first try" in shown and "1 of 2" in shown
    (folder / "bo.json").write_text("no")
    both = lesson("results", "--csv", str(folder))
    assert both.returncode == 4 and both.stdout.splitlines() == table
    assert both.stderr == f"inspector: {folder}/bo.json: it is no JSON.\n"
    assert "socket" in lesson("reset").stderr and notes.own() is None


def test_a_class_is_kept_where_nobody_else_writes(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o770)
    refused = lesson("teach", "socket", "--class", str(shared))
    assert refused.returncode == 3 and "Others can write in" in refused.stderr
    assert f"chmod go-w {shared}" in refused.stderr
    made = tmp_path / "new" / "class"
    assert "needs a terminal" in lesson("teach", "socket", "--class", str(made)).stderr
    assert made.stat().st_mode & 0o777 == 0o700 and (made / "votes").is_dir()
    with BallotBox(made):
        second = lesson("teach", "socket", "--class", str(made))
    assert second.returncode == 3 and "asks this class; it has to end first" in second.stderr
