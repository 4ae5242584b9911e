"""How the tree is kept: folders hold about a dozen entries, an import inside a function says why it is there.

Circles between siblings are import-linter's; it sees imports inside functions too, so that none hides one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.running.tried import recorded
from tests.support.tiers import sweep
from tests.tools.trust import PAGE, written

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "inspector").rglob("*.py"))
MOST = 13
LISTS = {                  # folders in which every entry is one of a list, beside what all of them share
    "inspector": "the rooms",
    "inspector/protocols": "protocols (REGISTRY)",
    "inspector/sessions/kinds": "kinds of session (REGISTRY)",
    "inspector/tui/panes": "panes (PANES)",
    "inspector/cli/commands": "commands (COMMANDS)",
    "inspector/lessons/content": "lessons",
    "tests/tools/benchmarks": "benchmarks",
    "inspector/views/json": "what is printed (EXPORTS)",
    "tests/protocols": "protocols",
    "tests": "the rooms",
}
# Words that no name is made of: each stood for several things, and CONTRIBUTING.md has one for each of them.
VAGUE = {"said", "say", "says", "told", "tell", "tells", "talk", "talks", "talked", "harmless", "mend",
         "mends", "octet", "octets", "breath"}
KEPT = ("tests/data", "tests/tui/snapshots", "tests/tui/lessons/snapshots")       # captures and pictures


def test_folders_hold_about_a_dozen_entries() -> None:
    crowded = {}
    for folder in (one for top in ("inspector", "tests") for one in [ROOT / top, *(ROOT / top).rglob("*/")]):
        name = folder.relative_to(ROOT).as_posix()
        entries = [one for one in folder.iterdir() if one.name != "__pycache__" and one.name[0] != "."]
        if len(entries) > MOST and name not in LISTS and not name.startswith(KEPT) and "__py" not in name:
            crowded[name] = len(entries)
    assert not crowded


def reasons(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Line, text, and whether it has its reason, of every import inside a function of a file.

    A reason is a comment on its line or the line before; it holds for the imports that follow at once, and
    one that begins "here and below" for all that come later in the file.
    """
    text = path.read_text(encoding="utf-8")
    lines = text.split("\n")
    below = False
    for block in blocks(tree_of(path)):
        last = -1
        for node in block:
            first = node.lineno - 1
            comment = text_of(lines[first : node.end_lineno]) or text_of(lines[first - 1 : first], whole=True)
            below = below or comment.startswith("here and below")
            has = bool(comment) or below or first == last + 1
            last = (node.end_lineno or node.lineno) - 1 if has else -1
            yield node.lineno, lines[first].strip(), has


@cache
def tree_of(path: Path) -> ast.Module:
    """A file's syntax, parsed once for all tests."""
    return ast.parse(path.read_text(encoding="utf-8"))


def blocks(tree: ast.Module) -> list[list[ast.Import | ast.ImportFrom]]:
    """The imports inside of functions, those of one list of statements together, in order of the file."""
    found = []
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                for _, value in ast.iter_fields(node):
                    if isinstance(value, list):
                        found.append([one for one in value if isinstance(one, ast.Import | ast.ImportFrom)])
    unique = {block[0].lineno: block for block in found if block}
    return [unique[line] for line in sorted(unique)]


def text_of(lines: list[str], whole: bool = False) -> str:
    """The comment on these lines, without what is said to tools; `whole`: where it is all of a line."""
    for line in lines:
        match = re.search(r"^\s*#\s*(.*)" if whole else r"#\s*(.*)", line)
        comment = re.sub(r"(noqa|type):\s*\S+\s*[-–]?\s*", "", match[1]) if match else ""
        if comment:
            return comment
    return ""


def test_an_import_inside_a_function_says_why() -> None:
    assert [f"{path.relative_to(ROOT)}:{line}: {text}" for path in SOURCES
            for line, text, has in reasons(path) if not has] == []


def test_what_counts_as_a_reason(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(
        "import os\n\ndef one():\n    import a  # for the time of start-up\n    import b\n"
        "    c()\n    import d\n"
        "\ndef two():\n    if x:\n        # here and below: few need it\n        import e\n    import f\n"
        "\ndef three():\n    import g  # noqa: F401\n"
    )
    assert [(text, has) for _, text, has in reasons(file)] == [
        ("import a  # for the time of start-up", True), ("import b", True), ("import d", False),
        ("import e", True), ("import f", True), ("import g  # noqa: F401", True)]
    file = tmp_path / "b.py"
    file.write_text("def one():\n    import g  # noqa: F401\n")
    assert [has for *_, has in reasons(file)] == [False]


def names_made(path: Path) -> Iterator[tuple[int, str]]:
    """Line and name of all that a file names: variables, attributes, parameters, functions, classes."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Name | ast.Attribute):
            if isinstance(node.ctx, ast.Store):
                yield node.lineno, node.id if isinstance(node, ast.Name) else node.attr
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
              and not node.name.startswith("test_")):      # a sentence
            yield node.lineno, node.name


@cache
def words_of(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}


@sweep("room", ["inspector", "tests"], lambda room: room == "inspector")
def test_no_name_is_made_of_a_word_that_stands_for_several_things(room: str) -> None:
    assert [f"{path.relative_to(ROOT)}:{line}: {name}" for path in sorted((ROOT / room).rglob("*.py"))
            for line, name in names_made(path) if not VAGUE.isdisjoint(words_of(name))] == []


def test_the_handbook_names_the_rooms_that_there_are() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `inspector/(\w+)/` \|[^|]*\|([^|]*)\|$", page, re.M)
    folders = {path.name for path in (ROOT / "inspector").iterdir() if (path / "__init__.py").exists()}
    assert {room for room, _ in rows} == folders
    places = [Path(room, place) for room, second in rows for place in re.findall(r"`([\w/]+/)`", second)]
    files = map(Path, re.findall(r"`((?:inspector|tests|views|wire|lab|model|cli|trace)/[\w/]+\.py)`", page))
    assert [place for place in (*places, *files)
            if not (ROOT / place).exists() and not (ROOT / "inspector" / place).exists()] == []


ORIGINS = {               # types of numbers, each made of an int in one file alone
    "Row": "model/packets.py", "PacketNumber": "model/packets.py", "WireNumber": "model/wiring.py",
    "MessageIndex": "protocols/api.py", "MessageNumber": "protocols/api.py",
    "FrameIndex": "protocols/websocket/frame.py", "FrameNumber": "protocols/websocket/frame.py",
    "ObjectNumber": "views/json/messages.py",
}


def test_rows_and_numbers_are_made_in_one_file_each() -> None:
    """By calling the type, or by a cast: all others take them from there."""
    made = re.compile(rf"\b({'|'.join(ORIGINS)})\(|\bmap\(({'|'.join(ORIGINS)}),|"
                      rf"cast\([^()]*\b({'|'.join(ORIGINS)})\b[^()]*, ")
    found = [(path.relative_to(ROOT / "inspector").as_posix(), next(filter(None, match.groups())))
             for path in SOURCES for match in made.finditer(path.read_text(encoding="utf-8"))]
    assert {name for _, name in found} == set(ORIGINS)
    assert [(path, name) for path, name in found
            if path != ORIGINS[name] and path != "tui/launcher/screen.py"] == []     # its rows are lines


def test_no_view_parses_bytes() -> None:
    """Nor does a screen or a command: what bytes mean is wire's, protocols' and trace's."""
    parsing = re.compile(r"\bfrom_bytes\b|^\s*(import|from) struct\b", re.M)
    names = [path.relative_to(ROOT).as_posix() for path in SOURCES
             if parsing.search(path.read_text(encoding="utf-8"))]
    assert [name for name in names if name.split("/")[1] in ("views", "lessons", "tui", "cli")] == []


def test_what_was_tried_stands_in_the_page_on_security() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert written(page, recorded()) == page, "python -m tests.tools.trust"
