"""A class on the screen: the teacher's vote in two rounds, and learners who vote in the same folder."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from inspector.lessons import progress
from inspector.lessons.classroom import notes, tallies
from inspector.lessons.classroom.ballot import Ballot, BallotBox, Seat
from inspector.lessons.classroom.gather import gathered
from inspector.lessons.library import EXAMPLE, find
from inspector.model.spec import SessionSpec
from inspector.trace.trace import Trace
from inspector.tui.launcher.screen import LauncherScreen
from inspector.tui.lessons.map import LessonMapScreen
from inspector.tui.lessons.page_list import NumberInput, PageList
from inspector.tui.lessons.run import Runs
from inspector.tui.lessons.screen import LessonScreen
from inspector.tui.lessons.teach import TeachScreen
from inspector.tui.lessons.vote import VoteScreen
from inspector.tui.messages import LessonsAsked
from inspector.tui.visitor import VisitorApp
from inspector.tui.widgets.prompt import PromptScreen
from inspector.views.line.spans import plain
from tests.support.running.lab import needs_lab
from tests.support.screen.live import SMALL, USUAL, QuietApp, grid, idle, until, until_shown
from tests.support.tiers import sweep, thorough


class Visitor(VisitorApp, QuietApp):
    """A learner's app without its preloading."""


@pytest.fixture
def classroom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "class"
    (folder / "votes").mkdir(parents=True)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return folder


def teaching(pilot: Pilot[Any]) -> TeachScreen:
    screen = pilot.app.screen
    assert isinstance(screen, TeachScreen)
    return screen


def words(pilot: Pilot[Any]) -> str:
    page = pilot.app.screen.query_one(PageList).page
    assert page is not None
    return " ".join(" ".join(plain(line) for line in page.lines).split())


@asynccontextmanager
async def teacher(
    name: str, folder: Path | None, size: tuple[int, int] = USUAL, language: str = "en"
) -> AsyncIterator[Pilot[Any]]:
    with BallotBox(folder) as box:
        app = QuietApp(lessons=LessonsAsked(find(name), language, box))
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: isinstance(app.screen, TeachScreen), "the lesson")
            await until(pilot, lambda: teaching(pilot).player.scene, "its run")
            yield pilot


@asynccontextmanager
async def learner(folder: Path, seat: str) -> AsyncIterator[Pilot[Any]]:
    app = Visitor(None, Seat(folder, seat))
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: isinstance(app.screen, VoteScreen | PromptScreen), "the vote")
        yield pilot
    app.last_act()


def at(screen: TeachScreen, place: int) -> bool:
    return screen.player.place == place and not screen.player.catching_up


def types(pilot: Pilot[Any]) -> bool:
    return pilot.app.screen.query_one(NumberInput).has_focus


async def until_read(pilot: Pilot[Any], text: str) -> None:
    """Wait until it stands on the page of a step or a vote."""
    await until(pilot, lambda: pilot.app.screen.query(PageList) and text in words(pilot), text)


async def until_over(pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: teaching(pilot).player.record.phase == "over", "the end of the step")
    await idle(pilot)


def test_a_vote_that_is_only_being_opened_takes_what_is_asked(tmp_path: Path) -> None:
    (tmp_path / "votes").mkdir(mode=0o700)
    asked = Ballot("q", 1, "open", "A lesson", "How many?", (("a", "one"), ("b", "two")))
    screen = VoteScreen(Seat(tmp_path, "A" * 22), "en")
    screen.show(asked)                                     # nothing is composed yet
    assert screen.ballot is asked


async def test_a_learner_is_told_what_a_key_cannot_do_here(classroom: Path) -> None:
    """Enter before anything is chosen, a digit that is no answer; where nothing is asked it is no key."""
    notes.give_name("Ada")
    screen = VoteScreen(Seat(classroom, "A" * 22), "en")
    app = QuietApp()
    async with app.run_test(size=USUAL) as pilot:
        await app.push_screen(screen)
        assert "Answer" not in grid(screen).splitlines()[-1]
        screen.show(Ballot("q", 1, "open", "A lesson", "How many?", (("a", "one"), ("b", "two"))))
        await until(pilot, lambda: "Answer" in grid(screen).splitlines()[-1], "Enter answers")
        await pilot.press("7")
        await until_shown(pilot, "Choose, then Enter.")
        screen.show(Ballot("q", 1, "closed", "A lesson", "How many?", (("a", "one"), ("b", "two"))))
        await until(pilot, lambda: "Answer" not in grid(screen).splitlines()[-1], "Enter answers nothing")


@needs_lab
@sweep("size", [SMALL, USUAL], lambda size: size == SMALL)
async def test_hands_are_counted_in_two_rounds_and_the_truth_is_held_back(size: tuple[int, int]) -> None:
    progress.keep(EXAMPLE.name, progress.Progress(2, 4))       # the teacher's own way is another one
    async with teacher(str(EXAMPLE), None, size) as pilot:
        screen = teaching(pilot)
        await pilot.press("enter")
        assert "Enter opens round 1" in words(pilot) and not screen.query_one(NumberInput).display
        await pilot.press("2", "enter")                        # digits answer nothing here: the class does
        assert screen.poll is not None and screen.poll.stage == "first"
        number = screen.query_one(NumberInput)
        await until(pilot, lambda: number.has_focus, "the line for numbers")
        assert number.placeholder == "A number that is called, then Enter"
        await pilot.press("2", "enter")
        assert number.placeholder == "Hands for 2, then Enter"
        await pilot.press("1", "4", "enter", "3", "enter", "6", "enter")
        assert "2 hands: 14 3 hands: 6" in words(pilot) and "answers: 20" in words(pilot)
        await pilot.press("enter")
        assert "convince them" in words(pilot) and "70%" not in words(pilot)
        await pilot.press("t")
        assert "alone" in words(pilot) and "70%" in words(pilot)
        await pilot.press("t")
        assert "70%" not in words(pilot)
        await pilot.press("enter", "3", "enter", "2", "0", "enter", "enter")
        assert "discussed" in words(pilot) and "100%" in words(pilot)
        assert screen.player.record.phase == "ask" and screen.player.scene is not None
        assert screen.player.scene.trace.index.count == 0      # nothing has happened, nothing was told
        assert "must also say" not in words(pilot)
        await pilot.press("enter")
        await until_over(pilot)
        assert "✓ 3" in words(pilot) and "must also say that it heard" in words(pilot)
        assert "Not so" not in words(pilot) and "to port 9000" in words(pilot)
        await pilot.press("enter", "1", "enter")               # a blank is filled in as ever
        await until_over(pilot)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: number.has_focus, "the line for numbers")
        assert number.placeholder == "Hands for 1, then Enter"
        await pilot.press("5", "enter")
        assert number.placeholder == "Hands for 2, then Enter"
        await pilot.press("up", "4", "enter", "down", "9", "enter")
        assert screen.poll is not None
        assert screen.poll.tally(1) == {"server SYN ACK": 4, "server RST ACK": 0, "nothing": 9}
        await pilot.press("enter")
        await pilot.press("h")                                 # no second round
        await until_over(pilot)
        assert "69%" in words(pilot) and "silence means a firewall" in words(pilot)
        assert screen.comparing                                # a change: both runs stand side by side
        await pilot.press("left")
        await pilot.press("left")
        assert "discussed" in words(pilot)                     # a vote of before is still there
    assert notes.own() is None and progress.of(EXAMPLE.name).step == 2
    alone, discussed = tallies.own()[0].rounds                 # what was counted stays
    assert (alone.hands, discussed.hands) == ({"2": 14, "3": 6}, {"3": 20})
    (only,) = tallies.own()[1].rounds
    assert only.hands == {"server SYN ACK": 4, "nothing": 9} and tallies.own()[1].truth == "server RST ACK"


@thorough
@needs_lab
async def test_what_is_not_voted_on_and_what_nobody_answered_is_said() -> None:
    async with teacher(str(EXAMPLE), None) as pilot:
        await pilot.press("enter", "enter", "enter", "enter", "enter")
        assert "Nobody answered" in words(pilot) and "What was answered" not in words(pilot)
        poll = teaching(pilot).poll
        assert poll is not None and (poll.stage, poll.round) == ("counted", 2)      # the round that was last
        await pilot.press("enter")
        await until_over(pilot)
        await pilot.press("enter")                             # a blank
        assert "No vote here" in words(pilot)
        await pilot.press("1", "enter")
        await until_over(pilot)
        assert "No vote here" not in words(pilot)
    assert tallies.own() == []


@needs_lab
async def test_enter_before_the_run_is_there_is_taken_when_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    pressed, start = threading.Event(), Runs.start

    def late(runs: Runs, spec: SessionSpec) -> Trace | None:
        assert pressed.wait(60)
        return start(runs, spec)

    monkeypatch.setattr(Runs, "start", late)
    app = QuietApp(lessons=LessonsAsked(find(str(EXAMPLE)), "en", BallotBox(None)))
    async with app.run_test(size=USUAL) as pilot:
        await until(pilot, lambda: isinstance(app.screen, TeachScreen), "the lesson")
        assert teaching(pilot).player.scene is None
        await pilot.press("enter")
        pressed.set()
        await until(pilot, lambda: teaching(pilot).player.scene, "its run")
        await until(pilot, partial(at, teaching(pilot), 1), "the second step")


@thorough
@needs_lab
async def test_steps_can_be_passed_by_and_the_map_leads_on_to_lessons_for_a_class() -> None:
    async with teacher("socket", None) as pilot:
        screen = teaching(pilot)
        await pilot.press("enter")
        for place in (2, 3):
            await pilot.press("right")
            await until(pilot, partial(at, screen, place), "the next step")
        assert screen.poll is not None and screen.poll.stage == "before"
        await pilot.press("R")
        await until(pilot, lambda: screen.player.place == 0 and screen.player.scene and not screen._starting,
                    "the beginning")
        await pilot.press("m")
        await until(pilot, lambda: isinstance(pilot.app.screen, LessonMapScreen), "the map")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, TeachScreen), "a lesson for the class")
    assert notes.own() is None


@thorough
@needs_lab
async def test_three_learners_vote_alone_and_after_talking(classroom: Path) -> None:
    async with AsyncExitStack() as all_of_them:
        pilot = await all_of_them.enter_async_context(teacher(str(EXAMPLE), classroom))
        screen = teaching(pilot)
        seats = [await all_of_them.enter_async_context(learner(classroom, name)) for name in "abc"]
        for each in seats:
            await each.press("escape")                         # no name
            await until_read(each, "next question appears here")
        await pilot.press("enter", "enter")
        for each, key in zip(seats, ("2", "2", "3"), strict=True):
            await until_read(each, "How many packets does that take?")
            await until(each, partial(types, each), "the line for numbers")
            await each.press(key, "enter")
            await until_read(each, f"Your answer: {key}")
        await until(pilot, lambda: screen.poll and screen.poll.count == 3, "three votes")
        assert "answers: 3 browsers here: 3" in words(pilot) and "%" not in words(pilot)
        await seats[0].press("4", "enter")                     # another opinion, in time
        await pilot.press("enter")                             # what came at the last moment counts
        assert screen.poll is not None and screen.poll.tally(1) == {"2": 1, "3": 1, "4": 1}
        for each in seats:
            await until_read(each, "The round is closed")
        await pilot.press("enter")
        for each in seats:
            await until_read(each, "Round 2")
            assert "Your answer" not in grid(each.app.screen)
        await seats[1].press("L")                              # on to lessons of one's own
        await until(seats[1], lambda: isinstance(seats[1].app.screen, LessonMapScreen), "the map")
        for each in (seats[0], seats[2]):
            await each.press("3", "enter")
        await until(pilot, lambda: screen.poll and screen.poll.count == 2, "two votes")
        await pilot.press("enter", "enter")
        await until_over(pilot)
        assert "50%" not in words(pilot) and "33%" in words(pilot) and "100%" in words(pilot)
        await until_read(seats[0], "Right. You said: 3")
        await seats[1].press("V")
        await until_read(seats[1], "You said: 2")             # of round 1
        await until_read(seats[1], "The client must also say that it heard")
        await pilot.press("enter")                             # no vote at the next step
        for each in seats:
            await until_read(each, "next question appears here")
        await pilot.press("1", "enter")
        await until_over(pilot)
        await pilot.press("enter", "enter")
        await until_read(seats[0], "client ◀── RST ACK ── server")
        await seats[0].press("2", "enter")
        await until_read(seats[0], "Your answer: client ◀── RST ACK ── server")
        await seats[1].press("L")
        await until(seats[1], lambda: isinstance(seats[1].app.screen, LessonMapScreen), "the map")
        await pilot.press("enter", "enter")
        await until_shown(seats[1], "Your teacher asks")       # who looks elsewhere is called
    assert not list((classroom / "votes").glob("[abc].json"))
    assert not (classroom / "votes" / "ballot.json").exists()


@thorough
@needs_lab
@pytest.mark.parametrize("back", [False, True])
async def test_who_voted_and_closed_the_browser_is_in_the_results(classroom: Path, back: bool) -> None:
    async with teacher(str(EXAMPLE), classroom) as pilot:
        screen = teaching(pilot)
        async with learner(classroom, "cid") as leaves:
            await leaves.press("escape")
            await pilot.press("enter", "enter")
            await until_read(leaves, "How many packets does that take?")
            await until(leaves, partial(types, leaves), "the line for numbers")
            await leaves.press("2", "enter")
            await until(pilot, lambda: screen.poll and screen.poll.count == 1, "a vote")
            await pilot.press("enter")
        async with AsyncExitStack() as again:
            if back:                                           # the page was loaded again: it knows no vote
                await again.enter_async_context(learner(classroom, "cid"))
            await pilot.press("enter", "enter", "enter")
            await until_over(pilot)
            await pilot.press("enter")
        kept = notes.own(classroom / "cid.json")
    assert kept is not None
    (answer,) = kept.lessons[0].answers
    assert (answer.first, answer.right, answer.foreseen, answer.tries) == (("2",), False, "two", 1)
    found = gathered([classroom])
    assert not found.faults and len(found.learners) == 1
    (tally,) = found.tallies
    assert tally.rounds == (tallies.Round({}, {"2": 1}),) and tally.truth == "3"


@needs_lab
async def test_a_learner_of_a_class_is_asked_for_a_name_once_and_their_answers_stay(
    classroom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSPECTOR_CLASS", str(classroom))
    monkeypatch.setenv("INSPECTOR_SEAT", "a")
    async with learner(classroom, "a") as pilot:
        await until(pilot, lambda: "Your name, for your teacher" in grid(pilot.app.screen), "the question")
        await pilot.press(*"Ada", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, VoteScreen), "the vote")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, LauncherScreen), "the launcher")
        await pilot.press("L")
        await until(pilot, lambda: isinstance(pilot.app.screen, LessonMapScreen), "the map")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, LessonScreen), "a lesson")
        screen = pilot.app.screen
        assert isinstance(screen, LessonScreen) and not isinstance(screen, TeachScreen)
        await until(pilot, lambda: screen.player.scene, "its run")
        await pilot.press("enter", "5", "enter")
        await until(pilot, lambda: screen.player.record.phase == "over", "the answer")
    async with learner(classroom, "a") as pilot:               # the page was loaded again
        assert isinstance(pilot.app.screen, VoteScreen)
    kept = notes.own()
    assert kept is not None and kept.name == "Ada"
    assert kept.lessons[0].asked == 1 and kept.lessons[0].answers[1].first == ("5",)
