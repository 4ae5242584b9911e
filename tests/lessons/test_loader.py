"""Reading lessons: what is right is read, what is wrong is told by file, line and key, and nothing harms."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.lessons.format.faults import LessonError
from inspector.lessons.format.lines import line_at, lines_of
from inspector.lessons.format.loader import MOST_BYTES, load
from inspector.lessons.library import EXAMPLE, UnknownLessonError, find, names
from tests.support.tiers import sweep

README = EXAMPLE.parent / "README.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A lesson that is right, to be spoilt."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "mine"))


def faults(folder: Path) -> list[str]:
    with pytest.raises(LessonError) as caught:
        load(folder)
    return [f"{Path(one.file).name}:{one.line}: {one.key}: {one.sentence}" for one in caught.value.faults]


def spoil(folder: Path, file: str, old: str, new: str) -> list[str]:
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return faults(folder)


def test_the_example_is_right_and_is_the_one_that_the_page_shows() -> None:
    lesson = load(EXAMPLE)
    assert [step.kind for step in lesson.steps] == ["tell", "predict", "blank", "predict"]
    assert lesson.text("zh").steps["packets"].hints
    page = README.read_text(encoding="utf-8")
    files = [(EXAMPLE / name).read_text(encoding="utf-8").rstrip() for name in ("lesson.toml", "en.md")]
    assert all(file in page for file in files)


@pytest.mark.parametrize(("file", "old", "new", "words"), [
    ("lesson.toml", 'kind = "tell"', 'kind = "sing"', "lesson.toml:11: step[1].kind: There is no kind"),
    ("lesson.toml", "minutes = 5", "minutes = 5\nhours = 1", "lesson.toml:3: hours: There is no key 'hours'"),
    ("lesson.toml", "minutes = 5", 'minutes = "5"', "lesson.toml:2: minutes: Here a whole number"),
    ("lesson.toml", "minutes = 5\n", "", "lesson.toml:1: : The key minutes is missing"),
    ("lesson.toml", "format_version = 1", "format_version = 2", "lesson.toml:1: format_version: This is"),
    ("lesson.toml", "count(new_packets)", "count(new_packets", "step[2].truth: The expression is wrong at 1"),
    ("lesson.toml", "count(new_packets)", "system(1)", "step[2].truth: The expression is wrong at 1: There"),
    ("lesson.toml", "tcp.flags.ack == 1", "tcp.flags.akc == 1", "step[3].blank[1].packet: The display"),
    ("lesson.toml", "let client connect", "let client conect", "step[2].run: There is no call 'conect'"),
    ("lesson.toml", "let client connect", "exec client id", "step[2].run: There is no move 'exec'"),
    ("lesson.toml", '["let client connect"]', '["hold wire"]', "step[4].run: There is no wire in this run"),
    ("lesson.toml", "let client connect", "open client", "step[2].run: After open client or server should"),
    ("lesson.toml", 'kind = "tcp"', 'kind = "tcp"\nwire = "wet"', "scenario: There is no wire 'wet'"),
    ("lesson.toml", 'kind = "tcp"', 'kind = "smtp"', "scenario: There is no session kind 'smtp'"),
    ("lesson.toml", 'kind = "tcp"', 'kind = "tcp"\npaused = false', "scenario.paused: Every run of a"),
    ("lesson.toml", "[scenario", "[scenario\n[", "lesson.toml:6: : The file is not TOML"),
    ("lesson.toml", '"server RST ACK"', '"server REFUSE"', "step[4].choices: There is no row"),
    ("lesson.toml", 'id = "refused"', 'id = "packets"', "Two steps are called packets"),
    ("lesson.toml", "until = 'returned", "# until = 'returned", "A step that runs something says in"),
    ("en.md", "## packets", "## pakcets", "en.md:7: pakcets: The section pakcets is no step"),
    ("en.md", "## packets", "## pakcets", "en.md:1: packets: The step packets has no words"),
    ("en.md", "### if two", "### if three", "packets: Each foreseen wrong answer needs words"),
    ("en.md", "### hint", "### hin", "packets: hin: hin is no section of a step"),
    ("en.md", "{port}", "{prot}", "packets: after: {prot} is not among the values"),
    ("zh.md", "### if nothing", "", "refused: Each foreseen wrong answer needs words"),
    ("zh.md", "# 一个", "一个", "zh.md:1: : Words stand before the first heading"),
])
def test_what_is_wrong_is_told_by_file_line_and_key(
    folder: Path, file: str, old: str, new: str, words: str
) -> None:
    faults = spoil(folder, file, old, new)
    assert any(words in one for one in faults), faults


@pytest.mark.parametrize(("new", "words"), [
    ('before = ["syn"]', "Two ids of items stand here"),
    ('before = ["syn", "fin"]', "names two items of this step"),
    ('value = "1"', "The key before is missing"),
])
def test_a_wrong_order_names_two_items(tmp_path: Path, new: str, words: str) -> None:
    folder = Path(shutil.copytree(find("handshake").folder, tmp_path / "mine"))
    faults = spoil(folder, "lesson.toml", 'before = ["syn-ack", "syn"]', new)
    assert any(words in one for one in faults), faults


def test_all_faults_are_told_at_once(folder: Path) -> None:
    spoil(folder, "lesson.toml", "minutes = 5", "minutes = 500")
    faults = spoil(folder, "lesson.toml", 'kind = "tell"', 'kind = "sing"')
    assert len(faults) == 2


@sweep("hostile", [
    b"x = " + b"[" * 100_000, b"a" * (MOST_BYTES + 1), b"\xff\xfe", b"", b"x = " + b"9" * 10_000,
    b"format_version = 1\n" + b"[[step]]\n" * 5000, b"[" + b"a." * 20_000 + b"b]",
    b"format_version = 1\nminutes = 1\nconcepts = []\nscenario = {messages = [[[1]]]}\nstep = [[1]]",
], lambda hostile: not hostile.endswith(b"b]"))      # tomllib takes seconds for that one
def test_a_hostile_file_is_refused(folder: Path, hostile: bytes) -> None:
    (folder / "lesson.toml").write_bytes(hostile)
    assert faults(folder)


def test_a_file_that_would_block_is_refused(folder: Path) -> None:
    (folder / "lesson.toml").unlink()
    (folder / "lesson.toml").symlink_to("/dev/zero")
    assert "no ordinary file" in faults(folder)[0]


def test_words_are_made_safe(folder: Path) -> None:
    path = folder / "en.md"
    path.write_text(path.read_text() + "\n\x1b[2J[@click=app.bell]\u202e\n", encoding="utf-8")
    text = load(folder).text("en").steps["refused"].after
    assert "\x1b" not in text and "\u202e" not in text and "[@click" in text


@given(st.text(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    target = tmp_path_factory.mktemp("any") / "lesson"
    shutil.copytree(EXAMPLE, target)
    (target / "lesson.toml").write_text(text, encoding="utf-8", errors="replace")
    assert faults(target)


@given(st.sampled_from(("lesson.toml", "en.md", "zh.md")), st.integers(0, 3000), st.text(max_size=12))
@settings(max_examples=200, deadline=None)
def test_a_spoilt_lesson_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, file: str, place: int, text: str
) -> None:
    target = tmp_path_factory.mktemp("spoilt") / "lesson"
    shutil.copytree(EXAMPLE, target)
    whole = (target / file).read_text(encoding="utf-8")
    at = place % len(whole)
    (target / file).write_text(whole[:at] + text + whole[at + len(text):], encoding="utf-8", errors="replace")
    try:
        load(target)
    except LessonError as error:
        assert all(one.line >= 1 and one.sentence for one in error.faults)


def test_lines_of_tables_and_keys() -> None:
    text = 'a = 1\n[b]\nc.d = 2\n[[step]]\nid = "x"\n[[step.choice]]\nid = "y"\n' \
           '[[step]]\nid = """\nz = 3\n"""\n'
    found = lines_of(text)
    assert found["a",] == 1 and found["b", "c", "d"] == 3
    assert found["step", 0, "id"] == 5 and found["step", 0, "choice", 0, "id"] == 7
    assert found["step", 1, "id"] == 9 and ("step", 1, "z") not in found
    assert line_at(found, ("step", 1, "nothing", 4)) == 8


@pytest.mark.parametrize("name", ["nowhere", "../..", "a\0b", "x" * 5000, "/dev/null"])
def test_a_lesson_that_is_not_there(name: str) -> None:
    with pytest.raises(UnknownLessonError, match="No lesson is named"):
        find(name)


@pytest.mark.quick
def test_the_lessons_of_the_program_are_right() -> None:
    numbers = {find(name).number: name for name in names()}
    assert len(numbers) == len(names()) and 0 not in numbers
    for name in names():
        lesson = find(name)
        assert set(lesson.texts) == {"en", "zh"} and set(lesson.prerequisites) <= set(names())
        assert {"predict"} < {step.kind for step in lesson.steps}
