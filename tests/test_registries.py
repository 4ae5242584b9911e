"""What stands in a room of one list is in the list, with all its parts; a lesson's folder is whole.

mypy sees a part that a spec lacks, not a file that nobody names, nor a module without its object. What else a
recipe of CONTRIBUTING.md asks for is looked for here too: a book of rules that no spec names, a rule that no
test speaks of, data without what made it, a word in the README.
"""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from inspector.cli.commands import COMMANDS
from inspector.cli.exports import EXPORTS
from inspector.lessons.format.loader import PANES as LESSON_PANES
from inspector.lessons.format.loader import load
from inspector.lessons.library import CONTENT, lessons
from inspector.protocols import REGISTRY as PROTOCOLS
from inspector.protocols import RULES
from inspector.protocols.api import Protocol
from inspector.sessions.kinds import REGISTRY as KINDS
from inspector.sessions.kinds.kind import Kind
from inspector.tui.lessons.beside import SPECS
from inspector.tui.panes.base import PaneSpec
from inspector.tui.panes.registry import PANES
from inspector.wire.findings import Rulebook
from tests.tools.protocol_oracle import FIELDS

TESTS = Path(__file__).parent
ROOT = TESTS.parent
UNTOLD = {"redis"}         # captures of which hiredis, not tshark, gives the answers

pytestmark = pytest.mark.quick


class Room(NamedTuple):
    """A package whose modules are each one of a list, but for what they share."""

    package: str
    shared: frozenset[str]
    name: str                                # of the list, as people know it
    is_one: Callable[[object], bool]         # whether an object of a module is what the list has
    known: Callable[[str, object], bool]     # whether the list has it, of a module of this name


ROOMS = {
    "protocol": Room("inspector.protocols", frozenset({"api", "framing"}), "REGISTRY",
                     lambda one: isinstance(one, Protocol), lambda _, one: one in PROTOCOLS),
    "session kind": Room("inspector.sessions.kinds", frozenset({"kind", "options"}), "REGISTRY",
                         lambda one: isinstance(one, Kind), lambda _, one: one in KINDS),
    "pane": Room("inspector.tui.panes",
                 frozenset({"base", "registry", "conversation", "comparison", "ladder_list"}), "PANES",
                 lambda one: isinstance(one, PaneSpec), lambda _, one: one in PANES),
    "command": Room("inspector.cli.commands", frozenset(), "COMMANDS",
                    lambda one: isinstance(one, click.Command),
                    lambda module, _: module in {entry.name for entry in COMMANDS}),
}


def test_each_file_of_a_room_is_one_of_its_list() -> None:
    faults = []
    for what, room in ROOMS.items():
        modules = {one.name for one in pkgutil.iter_modules(import_module(room.package).__path__)}
        assert room.shared <= modules, "what is named as shared is there"
        for name in sorted(modules - room.shared):
            found = [one for one in vars(import_module(f"{room.package}.{name}")).values()
                     if room.is_one(one)]
            if not found:
                faults.append(f"{room.package}.{name} has no {what}: it lacks its part, or is shared")
            elif not any(room.known(name, one) for one in found):
                faults.append(f"the {what} of {room.package}.{name} has no line in {room.name}")
    assert not faults


def test_each_book_of_rules_is_that_of_a_protocol() -> None:
    named = {id(protocol.book) for protocol in PROTOCOLS}
    package = import_module("inspector.protocols")
    books = {f"{one.name}.{name}": id(book)
             for one in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
             for name, book in vars(import_module(one.name)).items() if isinstance(book, Rulebook)}
    assert not [name for name, book in books.items() if book not in named]


def test_a_test_speaks_of_each_rule() -> None:
    spoken = "".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))
    assert not [rule for rule in RULES if not re.search(rf"{re.escape(rule)}(?![\w-])", spoken)]


def test_each_capture_of_a_protocol_is_there_with_what_made_it_and_what_tshark_says_of_it() -> None:
    folder = TESTS / "data" / "protocols"
    captures = {path.stem for path in folder.glob("*.pcap*")}
    assert captures == {path.stem.removeprefix("make_") for path in folder.glob("make_*.py")}
    assert {path.stem for path in folder.glob("*.tsv")} == FIELDS.keys()
    assert {name.partition(".")[0] for name in FIELDS} | UNTOLD == captures


def test_what_prints_json_is_printed() -> None:
    """A view of `views/json/` that nothing else imports is the writer of an export that was forgotten."""
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "inspector").rglob("*.py"))
    modules = pkgutil.iter_modules(import_module("inspector.views.json").__path__)
    assert not [one.name for one in modules if f"inspector.views.json.{one.name} import" not in sources]


def test_the_readme_tells_of_each() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    words = re.sub(r"\s+", " ", page)
    missing = {
        "protocol": [one.name for one in PROTOCOLS if f"`{one.name}`" not in words],
        "session kind": [one.name for one in KINDS if f"inspector run {one.name} " not in words],
        "pane": [one.title for one in PANES if f"**{one.title}**" not in words],
        "command": [one.name for one in COMMANDS if f"inspector {one.name}" not in words],
        "export": [one.name for one in EXPORTS if f"`{one.name}`" not in words],
    }
    assert not {what: names for what, names in missing.items() if names}


def test_each_command_has_the_object_of_its_name() -> None:
    modules = {entry.name: import_module(f"inspector.cli.commands.{entry.name}") for entry in COMMANDS}
    missing = [name for name, module in modules.items()
               if not isinstance(getattr(module, "command", None), click.Command)]
    assert not missing, "a file of a command holds it as `command`"


def test_each_export_has_a_writer_and_words() -> None:
    assert not [export.name for export in EXPORTS if not callable(export.writer()) or not export.one]


def test_no_pane_lacks_what_every_pane_must_say() -> None:
    """mypy says it where the spec names the pane; Textual's classes are made even so."""
    lacking = [f"{spec.pane.__name__}.{name}" for spec in PANES for name, one in inspect.getmembers(spec.pane)
               if getattr(one, "__isabstractmethod__", False)]
    assert not lacking


def test_a_lesson_may_look_at_each_pane_that_stands_beside_it() -> None:
    """The format cannot import the screens, which stand above it."""
    assert set(LESSON_PANES) == {spec.id for spec in SPECS}


def test_a_test_runs_each_kind() -> None:
    spoken = "".join(path.read_text(encoding="utf-8") for path in (TESTS / "sessions").glob("*.py"))
    assert not [kind.name for kind in KINDS if f'"{kind.name}"' not in spoken]


def test_each_folder_of_lessons_is_a_whole_lesson() -> None:
    broken = []
    for folder in sorted(one for one in CONTENT.iterdir() if one.is_dir() and one.name[0] not in "._"):
        if missing := {"lesson.toml", "en.md", "zh.md"} - {one.name for one in folder.iterdir()}:
            broken.append(f"{folder.name} lacks {', '.join(sorted(missing))}")
        else:
            load(folder)
    assert not broken


def test_lessons_are_numbered_one_after_the_other() -> None:
    numbers = [lesson.number for lesson in lessons()]
    assert numbers == list(range(1, len(numbers) + 1)), "the map has them in this order"
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"{len(numbers)} lessons:" in page
