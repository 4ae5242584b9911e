"""Votes of a class: rounds, hands, browsers and their files, and what is seen of it when."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.lessons.classroom.ballot import Ballot, BallotBox, LedError, Seat
from inspector.lessons.classroom.poll import Poll
from inspector.lessons.classroom.poll_page import poll_page
from inspector.lessons.classroom.vote_page import vote_page
from inspector.lessons.library import EXAMPLE, find
from inspector.lessons.pages.step_page import StepPage
from inspector.lessons.play.headless import Stage
from inspector.lessons.play.player import Player
from inspector.views.line.spans import cell_width, plain
from tests.support.running.lab import needs_lab

BALLOT = Ballot("q1", 1, "open", "A lesson", "How **many**?", (("a", "one"), ("b", "two")))


def classroom(folder: Path) -> Path:
    (folder / "votes").mkdir(mode=0o700)
    return folder


def words(page: StepPage, width: int = 60) -> str:
    assert all(cell_width(plain(line)) <= width for line in page.lines)
    return "\n".join(plain(line).rstrip() for line in page.lines)


# --- the vote ---


def test_a_vote_goes_through_its_stages_and_hides_what_was_answered_meanwhile() -> None:
    poll = Poll(("a", "b"))
    poll.raise_hands("a", 5)                               # no round is open
    assert (poll.stage, poll.results_seen, poll.rounds) == ("before", False, ())
    poll.go()
    poll.raise_hands("a", 5)
    poll.raise_hands("a", 4)                               # counted again
    poll.raise_hands("nonsense", 4)
    assert poll.take(3, {"a": 1, "b": 2}) and not poll.take(3, {"a": 1, "b": 2})
    assert (poll.stage, poll.round, poll.count, poll.results_seen) == ("first", 1, 7, False)
    poll.go()
    assert not poll.take(3, {"a": 9}) and not poll.results_seen   # it is closed
    poll.shown = True
    assert poll.results_seen and poll.tally(1) == {"a": 5, "b": 2}
    poll.go()
    assert (poll.stage, poll.round, poll.count, poll.results_seen) == ("second", 2, 0, False)
    poll.take(3, {"b": 3})
    poll.go()
    assert (poll.stage, poll.results_seen, poll.rounds) == ("counted", True, (1, 2))
    poll.go()
    assert poll.stage == "counted"                         # what comes next is no vote
    poll.reveal()
    assert poll.tally(1) == {"a": 5, "b": 2} and poll.tally(2) == {"a": 0, "b": 3}


def test_numbers_that_were_given_stand_in_the_order_of_their_frequency() -> None:
    poll = Poll(())
    poll.go()
    poll.raise_hands("3", 2)
    poll.take(4, {"12": 3, "0": 1})
    poll.skip()
    assert poll.answers() == ("12", "3", "0") and poll.round == 1


# --- between processes ---


def test_a_vote_counts_once_a_seat_in_its_round_while_it_is_open(tmp_path: Path) -> None:
    folder = classroom(tmp_path)
    one, two = Seat(folder, "one"), Seat(folder, "two")
    with BallotBox(folder) as box:
        assert one.ballot() is None and box.votes(BALLOT) == (0, {})
        box.publish(BALLOT)
        for seat in (one, two):
            seat.be_there()
            assert seat.ballot() == BALLOT
        assert box.votes(BALLOT) == (2, {})
        assert one.vote(BALLOT, "a") and one.vote(BALLOT, "b") and two.vote(BALLOT, "b")
        assert not two.vote(BALLOT, "c") and one.choice(BALLOT) == "b"
        assert box.votes(BALLOT) == (2, {"b": 2})
        second = Ballot("q1", 2, "open", options=BALLOT.options)
        assert box.votes(second) == (2, {}) and one.choice(second) is None
        assert one.vote(second, "a") and box.votes(second) == (2, {"a": 1})
        closed = Ballot("q1", 2, "closed", options=BALLOT.options)
        assert not two.vote(closed, "a")
        last = Ballot("q1", 2, "told", options=BALLOT.options, truth="a")
        assert (one.choice(last), two.choice(last)) == ("a", "b")      # who did not answer again: as at first
        two.leave()
        assert box.votes(second) == (1, {"a": 1})
        two.be_there()                                     # another page of the same learner went
        assert box.votes(BALLOT)[1] == {"b": 1}
    assert one.ballot() is None                            # the teacher has gone
    assert not any(path.stat().st_mode & 0o077 for path in (folder / "votes").iterdir())


def test_one_at_a_time_leads_a_class(tmp_path: Path) -> None:
    folder = classroom(tmp_path)
    with BallotBox(folder), pytest.raises(LedError, match="has to end first"), BallotBox(folder):
        pass
    with BallotBox(folder):
        pass


def test_without_a_folder_nothing_goes_out() -> None:
    with BallotBox(None) as box:
        box.publish(BALLOT)
        assert not box.takes_votes and box.votes(BALLOT) == (0, {})


def test_numbers_are_counted_by_their_value(tmp_path: Path) -> None:
    folder = classroom(tmp_path)
    asked = Ballot("n", 1, "open")
    with BallotBox(folder) as box:
        for name, choice in (("a", "0x10"), ("b", " 16 "), ("c", "1,000")):
            assert Seat(folder, name).vote(asked, choice)
        assert not Seat(folder, "d").vote(asked, "many")
        assert box.votes(asked) == (3, {"16": 2, "1000": 1})


def test_what_else_stands_in_the_folder_is_no_vote(tmp_path: Path) -> None:
    folder = classroom(tmp_path)
    votes = folder / "votes"
    good = json.dumps({"ballot": "q1", "round": 1, "choice": "a"})
    texts = {"long": good + " " * 2000, "none": "", "list": "[]", "deep": "[" * 900, "bad": "{",
             "choice": good.replace('"a"', "[]"), "other": good.replace("q1", "q0"), "an other": good}
    for name, text in texts.items():
        (votes / f"{name}.json").write_text(text)
    (votes / "link.json").symlink_to(votes / "long.json")
    os.mkfifo(votes / "pipe.json")
    (votes / "folder.json").mkdir()
    Seat(folder, "mine").vote(BALLOT, "a")
    with BallotBox(folder) as box:
        there, counted = box.votes(BALLOT)
    assert counted == {"a": 1} and there <= 12


KEYS = st.sampled_from(["id", "round", "state", "options", "words", "title", "question"])


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner),
    max_leaves=12).map(lambda data: json.dumps(data).encode()))
def test_any_bytes_are_a_ballot_or_none(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = classroom(tmp_path_factory.mktemp("class"))
    (folder / "votes" / "ballot.json").write_bytes(data)
    ballot = Seat(folder, "one").ballot()
    assert ballot is None or words(vote_page(ballot, None, "en", 60)).replace("\n", "").isprintable()


def test_a_ballot_of_a_stranger_is_safe_to_show(tmp_path: Path) -> None:
    folder = classroom(tmp_path)
    with BallotBox(folder) as box:
        box.publish(Ballot("q", 1, "told", "\x1b[31m", "a\n\n\x9b2J", (("a", "\u202eb"),), "xx", "a",
                           {"a": "\x07"}))
        ballot = Seat(folder, "one").ballot()
    assert ballot is not None
    shown = words(vote_page(ballot, "a", "en", 60))
    assert shown.replace("\n", "").isprintable() and "\\x9b2J" in shown


# --- what is seen ---


@needs_lab
def test_the_truth_and_the_words_for_misconceptions_stand_there_when_it_has_happened() -> None:
    lesson = find(str(EXAMPLE))
    player = Player(lesson)
    with Stage(player) as stage:
        assert stage.until(lambda: player.scene is not None)
        player.forth()
        poll = Poll(())
        poll.go()
        poll.raise_hands("2", 6)
        poll.take(3, {"3": 1, "7": 1})
        assert "hands: 6" in words(poll_page(player, poll, "en", 60))
        assert "7" not in words(poll_page(player, poll, "en", 60)).partition("browsers here: 3")[2]
        assert poll.ballot(player, "en").question.startswith("The server listens")
        for _ in range(3):
            poll.go()
        before = words(poll_page(player, poll, "en", 60))
        assert "alone" in before and "75%" in before and "discussed" not in before
        assert "must also say" not in before and "✓" not in before
        assert poll.ballot(player, "en").words == {}
        player.answer(("",))
        assert stage.until(lambda: player.record.phase == "over")
        poll.reveal()
        after = words(poll_page(player, poll, "en", 60))
        assert "✓  3" in after and "The client must also say that it heard" in after
        assert "Not so" not in after and "Three, to port" in after
        last = poll.ballot(player, "en")
        assert last.truth == "3" and "must also say" in last.words["2"] and last.foreseen == {"2": "two"}
        assert (last.lesson, last.step, last.steps) == (f"./{EXAMPLE.name}", "packets", 4)
        player.forth()
        player.reveal()
        player.forth()
        poll = Poll(tuple(one.id for one in player.step.choices))
        poll.go()
        poll.take(2, {"nothing": 2})
        page = poll_page(player, poll, "zh", 60)
        assert "客户端 ◀── RST ACK ── 服务器" in words(page) and "第一轮" in words(page)
        assert set(page.options.values()) == set(poll.options)
        assert poll.ballot(player, "zh").options[1] == ("server RST ACK", "客户端 ◀── RST ACK ── 服务器")


def test_a_learner_reads_the_question_then_what_it_was() -> None:
    assert "next question appears here" in words(vote_page(None, None, "en", 60))
    assert "老师的下一个问题" in words(vote_page(None, None, "zh", 60))
    shown = vote_page(BALLOT, None, "zh", 60)
    assert "Round 1\n" in words(shown) and "How many?" in words(shown)    # in the class's language
    assert list(shown.options.values()) == ["a", "b"]
    assert "▸ Your answer: two" in words(vote_page(BALLOT, "b", "en", 60))
    closed = vote_page(Ballot("q1", 1, "closed", options=BALLOT.options), "b", "en", 60)
    assert "The round is closed" in words(closed) and not closed.options
    last = Ballot("q1", 2, "told", options=BALLOT.options, truth="a", words={"b": "Two is too many."})
    wrong, right = words(vote_page(last, "b", "en", 60)), words(vote_page(last, "a", "en", 60))
    assert "Not so. You said: two" in wrong and "It was: one" in wrong and "Two is too many." in wrong
    assert "Right. You said: one" in right and "too many" not in right
    assert "You said" not in words(vote_page(last, None, "en", 60))
