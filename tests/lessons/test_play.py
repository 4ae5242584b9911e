"""Every lesson is played with real packets, as `inspector lesson check` does, which finds what is wrong."""

from __future__ import annotations

import shutil
from functools import partial
from itertools import permutations
from pathlib import Path

import pytest

from inspector.lessons import progress
from inspector.lessons.asking.scene import Scene
from inspector.lessons.format.faults import Fault
from inspector.lessons.library import EXAMPLE, find, lacking, names, write_example
from inspector.lessons.pages.lights import lights
from inspector.lessons.pages.step_page import step_page
from inspector.lessons.play import headless
from inspector.lessons.play.answers import (
    disorder_of,
    filled_in,
    judge,
    next_blank,
    number_of,
    what_stays,
)
from inspector.lessons.play.headless import Stage, proved
from inspector.lessons.play.player import Player
from inspector.sessions.kinds.browser.programs import NONE
from inspector.views.line.spans import plain
from tests.support.running.lab import needs_lab
from tests.support.tiers import sweep

pytestmark = needs_lab


def is_over(player: Player) -> bool:
    return player.record.phase == "over"


def test_what_a_lesson_needs_and_lacks_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert lacking(find("loss")) == ""
    monkeypatch.setenv("PATH", str(tmp_path))                  # where there is no browser
    assert lacking(find("browser")) == NONE
    assert NONE.count(".") == 1


def complaints(folder: str) -> list[str]:
    return [f"{fault.key}: {fault.sentence}" for _, several in proved(find(folder)) for fault in several]


@sweep("name", (*names(), str(EXAMPLE)), lambda name: name in ("handshake", "frames", "udp", str(EXAMPLE)))
def test_each_step_fails_untouched_and_passes_when_solved(name: str) -> None:
    lesson = find(name)
    if sentence := lacking(lesson):
        pytest.skip(sentence)
    played = list(proved(lesson))
    assert [fault for _, several in played for fault in several] == []
    assert len(played) == len(lesson.steps)


@sweep(("old", "new", "sentence"), [
    ("until = 'returned(client, \"connect\")'\ntruth = 'count(new_packets)'",
     "until = 'count(packets) == 0'\ntruth = 'count(new_packets)'", "true already before"),
    ("value = '2'", "value = '3'", "is none, or the truth"),
    ('"server RST ACK", "nothing"]', '"client RST", "nothing"]', "none of the choices"),
    ("light = 'tcp.flags.syn == 1'", "light = 'udp'", "Nothing is lit up"),
], lambda case: case[0].startswith("value"))
def test_the_check_finds_what_is_wrong(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    folder = tmp_path / "mine"
    write_example(str(folder))
    text = (folder / "lesson.toml").read_text()
    assert old in text
    (folder / "lesson.toml").write_text(text.replace(old, new))
    for words in ("en.md", "zh.md"):
        path = folder / words
        if "client RST" in new:
            path.write_text(path.read_text() + "\n### if client RST\nNo.\n")
    found = complaints(str(folder))
    assert any(sentence in one for one in found), found


ORDERS = {"handshake": "syn syn-ack ack", "http": "syn request response second",
          "socket": "bind listen connect accept", "life": "bind accept connect send recv",
          "upgrade": "syn request answer frame"}


@pytest.mark.parametrize("name", [name for name in names()
                                  if any(step.kind == "order" for step in find(name).steps)])
def test_each_wrong_order_of_a_lesson_has_words(name: str) -> None:
    lesson = find(name)
    step = next(step for step in lesson.steps if step.kind == "order")
    truth = tuple(ORDERS[name].split())
    for given in permutations(truth):
        foreseen = disorder_of(step, given)
        assert bool(foreseen) == (given != truth), given
        assert not foreseen or all(text.steps[step.id].feedback[foreseen] for text in lesson.texts.values())


def test_the_check_finds_a_wrong_order_that_is_the_right_one(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(find("handshake").folder, tmp_path / "mine"))
    facts = folder / "lesson.toml"
    facts.write_text(facts.read_text().replace('["syn-ack", "syn"]', '["syn", "syn-ack"]'))
    found = complaints(str(folder))
    assert any("The wrong order answer-first is the right one" in one for one in found), found


def test_a_wrong_answer_that_was_right_by_chance_is_tried_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum of a mask and a masked byte is their XOR for one mask in 64."""
    lesson = find(str(EXAMPLE))
    by_chance = Fault("lesson.toml", 1, "packets", "The wrong answer two has no value.", by_chance=True)
    runs = [[by_chance], []]
    monkeypatch.setattr(headless, "_played", lambda one: [(one.steps[0], runs.pop(0))])
    assert proved(lesson) == [(lesson.steps[0], [])] and not runs


@pytest.mark.quick
def test_a_learner_goes_back_and_forth_and_resumes() -> None:
    player = Player(find(str(EXAMPLE)))
    with Stage(player) as stage:
        assert stage.until(lambda: player.scene is not None)
        assert player.forth() and not player.forth()           # a prediction is not passed by
        assert (lights(player).chosen, lights(player).seen, player.score) == (None, True, (0, 0))
        player.answer(("0x2",))
        assert stage.until(lambda: player.record.phase == "over")
        judged = player.record.judged
        assert judged is not None and not judged.all_right
        assert judged.foreseen == "two" and judged.truth == ("3",)
        assert "It was: 3 (0x3)" in page_of(player)
        assert player.record.values["port"] == "9000"
        assert player.back() and player.forth() and player.record.judged is judged
    again = Player(player.lesson)
    again.resume_at(3)
    with Stage(again) as stage:
        assert stage.until(lambda: again.place == 3 and not again.catching_up)
        assert again.scene is not None and again.scene.trace.index.count == 3


def test_an_answer_that_needs_several_numbers() -> None:
    player = Player(find(str(EXAMPLE)))
    player.resume_at(2)
    with Stage(player) as stage:
        assert stage.until(lambda: player.place == 2 and not player.catching_up)
        player.answer(("7",))
        assert not is_over(player) and player.record.tries == 1
        assert list(lights(player).hidden.values()) == [{blank.field for blank in player.step.blanks}]
        player.reveal()
        assert not lights(player).hidden
        assert is_over(player)
        assert player.scene is not None
        assert judge(player.step, ("0x1",), ("1",), player.scene).all_right


def test_a_foreseen_wrong_number_of_several_has_words_wherever_it_stands() -> None:
    lesson = find("handshake")
    player = Player(lesson)
    player.resume_at([step.id for step in lesson.steps].index("numbers"))
    with Stage(player) as stage:
        assert stage.until(lambda: player.step.id == "numbers" and not player.catching_up)
        for given, foreseen in ((("0", "1"), "zero"), (("1", "0"), "zero"), (("7", "1"), "")):
            player.answer(given)
            judged = player.record.judged
            assert judged is not None and judged.foreseen == foreseen and not is_over(player)
            words = lesson.text("en").steps["numbers"].feedback["zero"].split(".")[0]
            assert (words in page_of(player)) == bool(foreseen)
        player.answer(("7", "1"))
        kept = what_stays(player.record.judged)                # the other one is asked again
        assert kept == ("", "1") and next_blank(player.step, kept) == 0
        player.answer(filled_in(player.step, kept, "1"))
        assert is_over(player) and player.score == (0, 1)


def more_than(scene: Scene, count: int) -> bool:
    return scene.trace.index.count > count


def page_of(player: Player) -> str:
    """What stands there, on wide paper."""
    page = step_page(player, "en", 300)
    return "\n".join(plain(line) for line in page.lines)


@pytest.mark.parametrize(("name", "place", "astray"), [
    ("closing", "half", ("server-says", "client-says")), ("loss", "hand", ("send", "pass")),
])
def test_what_does_not_lead_there_is_answered_and_bars_no_way(
    name: str, place: str, astray: tuple[str, ...]
) -> None:
    lesson = find(name)
    player = Player(lesson)
    player.resume_at([step.id for step in lesson.steps].index(place))
    with Stage(player) as stage:
        assert stage.until(lambda: player.step.id == place and not player.catching_up)
        scene = player.scene
        assert scene is not None
        for action in astray:
            before = scene.trace.index.count
            player.act(action)
            assert stage.until(partial(more_than, scene, before))
            if is_over(player):              # on a busy machine the kernel may have sent its copies by now
                return
            assert lesson.text("en").steps[place].feedback[action].split(".")[0] in page_of(player)
        for action in player.step.solve:
            player.act(action)
            stage.settle()
        assert stage.until(lambda: is_over(player))


def test_the_check_names_the_fields_that_can_be_looked_at(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write_example(str(folder))
    step = '\n[[step]]\nid = "seen"\nkind = "look"\n[step.look]\npane = "detail"\n' \
        'packet = "tcp"\nfield = "tcp.payload"\n'
    (folder / "lesson.toml").write_text((folder / "lesson.toml").read_text() + step)
    for words in ("en.md", "zh.md"):
        (folder / words).write_text((folder / words).read_text() + "\n## seen\nLook.\n")
    found = complaints(str(folder))
    assert len(found) == 1
    assert "no field tcp.payload" in found[0] and "tcp.flags.syn, " in found[0]


@pytest.mark.parametrize(("text", "wanted"), [
    ("42", 42), (" 0x2A ", 42), ("1,000", 1000), ("", None), ("x", None), ("-1", None), ("1e3", None),
    ("9" * 40, None), ("٣", None),
])
def test_numbers_as_people_type_them(text: str, wanted: int | None) -> None:
    assert number_of(text) == wanted


def test_progress_is_kept_and_reset(tmp_path: Path) -> None:
    assert progress.of("socket") == progress.Progress()
    progress.keep("socket", progress.Progress(3, 10, False, 2, 3))
    progress.keep("life", progress.Progress(0, 9, True))
    assert progress.of("socket").step == 3
    progress.keep("life", progress.Progress(1, 9, False))
    assert progress.of("life").done                            # once done stays done
    progress.reset("life")
    assert not progress.of("life").done and progress.of("socket").step == 3
    (tmp_path / "state/inspector/lessons.json").write_text('{"socket": {"step": -1}, "life": 3}')
    assert progress.of("socket") == progress.of("life") == progress.Progress()
