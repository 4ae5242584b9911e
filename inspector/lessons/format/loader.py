"""A lesson's folder -> `Lesson`, or every fault of its files with file, line and key.

Nothing of a stranger's file is trusted: sizes, depths and numbers are bounded, no key is unknown, every
expression and display filter is compiled, every word is escaped. Reading a lesson runs nothing.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from inspector.lessons.asking.functions import Expression, Kind, compiled
from inspector.lessons.asking.scene import ROWS, STATES
from inspector.lessons.asking.syntax import ExpressionError
from inspector.lessons.format.faults import Fault, LessonError
from inspector.lessons.format.lines import Path as KeyPath
from inspector.lessons.format.lines import line_at, lines_of
from inspector.lessons.format.model import (
    ASKS,
    KINDS,
    LANGUAGES,
    Action,
    Blank,
    Choice,
    Disorder,
    Item,
    Lesson,
    LessonText,
    Look,
    Step,
    Wrong,
)
from inspector.lessons.format.moves import Move, MoveError, OnWire, move_of
from inspector.lessons.format.texts import read_texts
from inspector.model.commands import Wire
from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import kind_of, resolved
from inspector.trace.filter.filter import Filter, FilterError
from inspector.wire.text import escaped

FORMAT_VERSION = 1
FACTS = "lesson.toml"
MOST_BYTES = 256 * 1024      # of one file
MOST_STEPS, MOST_ENTRIES, LONGEST = 60, 12, 400
PANES = ("ladder", "packets", "messages", "stream", "handshake", "sockets", "findings", "detail", "bytes")
BLANK_FIELDS = ("tcp.seq", "tcp.ack", "tcp.len")       # numbers that the ladder's arrows say
ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
# What each kind of step may have beside id, kind, light and values; those with ! it must have.
PARTS = {
    "tell": "", "explain": "", "look": "look!", "do": "run! until!",
    "predict": "ask! choices choice truth wrong run until change",
    "order": "item! wrong", "blank": "blank! wrong",
    "change": "change! run! until!", "fix": "action! solve! until!",
}
Got = TypeVar("Got")


def load(folder: Path) -> Lesson:
    """The lesson in `folder`; LessonError with all its faults where it is not right."""
    faults: list[Fault] = []
    source = _text_of(folder / FACTS, faults)
    data = _parsed(source, str(folder / FACTS), faults)
    if faults:
        raise LessonError(faults)
    reader = _Reader(str(folder / FACTS), lines_of(source), faults)
    lesson = _lesson(folder, _Table(reader, data, ()), faults)
    if faults:
        raise LessonError(faults)
    return lesson


def _text_of(path: Path, faults: list[Fault]) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError("it is no ordinary file")
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            faults.append(Fault(str(path), 1, "", f"The file is longer than {MOST_BYTES // 1024} KiB."))
            return ""
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        faults.append(Fault(str(path), line, "", "The file is not UTF-8 text."))
    except OSError as error:
        faults.append(Fault(str(path), 1, "", f"The file cannot be read: {error.strerror or error}."))
    return ""


def _parsed(source: str, file: str, faults: list[Fault]) -> dict[str, Any]:
    try:
        return tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        words = re.sub(r"\s*\(at .*\)$", "", str(error))
        line = int(place[1]) if place else source.count("\n") + 1
        faults.append(Fault(file, line, "", f"The file is not TOML: {escaped(words, 200)}."))
    except (RecursionError, ValueError):             # nested without end; a number too long to be one
        faults.append(Fault(file, 1, "", "The file is nested too deeply, or a number in it is too long."))
    return {}


class _Reader:
    """Knows the file, its lines, and collects what is wrong."""

    def __init__(self, file: str, lines: dict[KeyPath, int], faults: list[Fault]) -> None:
        self.file, self.lines, self.faults = file, lines, faults

    def fault(self, path: KeyPath, sentence: str) -> None:
        names = [f"[{part + 1}]" if isinstance(part, int) else f".{escaped(part, 40)}" for part in path]
        key = "".join(names).lstrip(".")
        self.faults.append(Fault(self.file, line_at(self.lines, path), key, sentence))


class _Table:
    """One table of the file: its values are taken by key and kind, what is left over is unknown."""

    def __init__(self, reader: _Reader, data: dict[str, Any], path: KeyPath) -> None:
        self._reader, self._data, self.path = reader, dict(data), path

    def has(self, key: str) -> bool:
        return key in self._data

    def fault(self, key: str, sentence: str) -> None:
        self._reader.fault((*self.path, key) if key else self.path, sentence)

    @property
    def line(self) -> int:
        return line_at(self._reader.lines, self.path)

    def text(self, key: str, default: str | None = None, most: int = LONGEST) -> str:
        value = self._take(key, str, "a text", default)
        if isinstance(value, str) and len(value) > most:
            self.fault(key, f"A text of at most {most} characters should stand here.")
            return ""
        return value or ""

    def name(self, key: str, default: str | None = None) -> str:
        value = self.text(key, default)
        if value and not ID.fullmatch(value):
            self.fault(key, f"{escaped(value, 40)!r} is no id: a-z, 0-9 and -, at most 40.")
            return ""
        return value

    def one_of(self, key: str, choices: tuple[Got, ...], default: Got | None = None) -> Got:
        value = self._take(key, str, "a text", default)
        for choice in choices:
            if choice == value:
                return choice
        if value is not None:
            known = ", ".join(str(choice) for choice in choices)
            self.fault(key, f"There is no {key} {escaped(str(value), 40)!r}; choose from {known}.")
        return choices[0]

    def number(self, key: str, low: int, high: int, default: int | None = None) -> int:
        value = self._take(key, int, "a whole number", default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            if value is not None:
                self.fault(key, f"A whole number from {low} to {high} should stand here.")
            return low
        return value

    def texts(self, key: str, default: list[str] | None = None, most: int = 24) -> list[str]:
        value = self._take(key, list, "a list of texts", default)
        if not isinstance(value, list):
            return []
        if len(value) > most or not all(isinstance(one, str) and len(one) <= LONGEST for one in value):
            self.fault(key, f"A list of at most {most} texts of at most {LONGEST} characters goes here.")
            return []
        return value

    def table(self, key: str) -> _Table | None:
        if key not in self._data:
            return None
        value = self._take(key, dict, "a table", None)
        return _Table(self._reader, value, (*self.path, key)) if isinstance(value, dict) else None

    def tables(self, key: str, most: int) -> list[_Table]:
        value = self._take(key, list, f"[[{key}]]", [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            if value is not None:
                self.fault(key, f"Here tables should stand, each as [[{key}]].")
            return []
        if len(value) > most:
            self.fault(key, f"At most {most} may stand here, not {len(value)}.")
            return []
        return [_Table(self._reader, one, (*self.path, key, place)) for place, one in enumerate(value)]

    def expression(self, key: str, wanted: Kind | None, default: str | None = None) -> Expression | None:
        text = self.text(key, default, most=2000)
        if not text:
            return None
        try:
            return compiled(text, wanted)
        except ExpressionError as error:
            self.fault(key, f"The expression is wrong at {error.position + 1}: {escaped(str(error), 300)}")
            return None

    def filter(self, key: str) -> Filter | None:
        text = self.text(key)
        if not text:
            return None
        try:
            return Filter(text)
        except FilterError as error:
            place = error.position + 1
            self.fault(key, f"The display filter is wrong at {place}: {escaped(str(error), 300)}")
            return None

    def rest(self) -> dict[str, Any]:
        """What was not taken; it is not unknown then."""
        found, self._data = self._data, {}
        return found

    def rest_keys(self) -> list[str]:
        """Keys that were not taken so far."""
        return list(self._data)

    def finish(self) -> None:
        """What was not taken is unknown."""
        for key in self._data:
            self.fault(key, f"There is no key {escaped(key, 40)!r} here.")

    def _take(self, key: str, kind: type, what: str, default: Any) -> Any:
        if key not in self._data:
            if default is None:
                self._reader.fault(self.path, f"The key {key} is missing.")
            return default
        value = self._data.pop(key)
        if not isinstance(value, kind):
            self.fault(key, f"Here {what} should stand.")
            return None
        return value


# --- the lesson ---


def _lesson(folder: Path, table: _Table, faults: list[Fault]) -> Lesson:
    version = table.number("format_version", 1, 1 << 30)
    if version != FORMAT_VERSION and not faults:
        table.fault("format_version", f"This is format {version}; format {FORMAT_VERSION} is read here.")
        return _NONE
    number, minutes = table.number("number", 0, 999, 0), table.number("minutes", 1, 120)
    prerequisites, concepts = table.texts("prerequisites", []), table.texts("concepts")
    languages = table.texts("languages", list(LANGUAGES))
    for language in languages:
        if language not in LANGUAGES:
            table.fault("languages", f"There is no language {escaped(language, 20)!r}; there are en and zh.")
    scenario = table.table("scenario")
    if scenario is None:
        table.fault("", "The table [scenario] is missing.")
    base = {} if scenario is None else scenario.rest()
    for forced in ("interactive", "paused"):
        if scenario is not None and forced in base:
            scenario.fault(forced, "Every run of a lesson is held and led by its steps; leave this out.")
    spec = _spec(scenario or table, base)
    tables = table.tables("step", MOST_STEPS)
    if not tables:
        table.fault("step", "A lesson has at least one [[step]].")
    steps: list[Step] = []
    runs = spec
    for one in tables:
        steps.append(_step(one, base, runs))
        runs = steps[-1].change or runs
    for one, step in zip(tables, steps, strict=True):
        if sum(step.id == other.id for other in steps) > 1:
            one.fault("id", f"Two steps are called {step.id}.")
    table.finish()
    texts: dict[str, LessonText] = {}
    if not faults:                               # the words are held against right facts alone
        for language in languages:
            file = folder / f"{language}.md"
            texts[language] = read_texts(_text_of(file, faults), str(file), steps, faults)
    return Lesson(folder.name, folder, number, minutes, tuple(prerequisites),
                  tuple(escaped(one, 60) for one in concepts), spec, tuple(steps), texts)


_NONE = Lesson("", Path(), 0, 1, (), (), SessionSpec(), (), {})


def _spec(table: _Table, data: dict[str, Any]) -> SessionSpec:
    """The session that `data` describes, held before each call."""
    try:
        return resolved(SessionSpec.from_json(
            {"messages": [], **data, "interactive": True, "paused": True}))
    except ValueError as error:
        table.fault("", escaped(str(error), 300))
        return SessionSpec()


def _step(table: _Table, base: dict[str, Any], runs: SessionSpec) -> Step:
    """One step. `base`: the scenario, which a change changes; `runs`: the session that runs until then."""
    kind = table.one_of("kind", KINDS)
    name = table.name("id")
    parts = PARTS[kind].split()
    for part in parts:
        if part.endswith("!") and not table.has(part[:-1]):
            table.fault("", f"A step of kind {kind} needs {part[:-1]}.")
    for part in {part.rstrip("!") for parts in PARTS.values() for part in parts.split()}:
        if part not in PARTS[kind].replace("!", "").split() and table.has(part):
            table.fault(part, f"A step of kind {kind} has no {part}.")
    ask = table.one_of("ask", ASKS, "choice")
    changed = table.table("change") if table.has("change") else None
    change = None if changed is None else _spec(changed, base | changed.rest())
    runs = change or runs
    light, values = _optional(table, "light", table.filter), table.table("values")
    step = Step(
        id=name, kind=kind, line=table.line, ask=ask, choices=_choices(table, ask),
        truth=_truth(table, kind, ask),
        wrongs=() if kind == "order" else tuple(_wrong(one) for one in _entries(table, "wrong")),
        moves=_moves(table, "run", runs),
        until=table.expression("until", "flag") if table.has("until") else None, change=change,
        items=tuple(_item(one) for one in _entries(table, "item")),
        disorders=tuple(_disorder(one) for one in _entries(table, "wrong")) if kind == "order" else (),
        blanks=tuple(_blank(one) for one in _entries(table, "blank")),
        actions=tuple(_action(one, runs) for one in _entries(table, "action")),
        solve=tuple(table.texts("solve", [])), look=_look(table), light=light,
        values={} if values is None else _values(values),
    )
    if step.moves and step.until is None:
        table.fault("", "A step that runs something says in `until` what that leads to.")
    if kind == "predict" and ask == "choice" and len(step.choices) < 2:
        table.fault("", "A choice has at least two [[step.choice]].")
    if len(step.items) == 1 or len(set(_ids(step))) != len(_ids(step)):
        table.fault("", "What is to be ordered is two things at least, and no id stands twice in a step.")
    for disorder in step.disorders:
        if not {disorder.early, disorder.late} <= {item.id for item in step.items}:
            table.fault("wrong", f"`before` of {disorder.id} names two items of this step.")
    for wrong in step.wrongs:
        if not wrong.blanks <= {blank.id for blank in step.blanks}:
            table.fault("wrong", f"`blanks` of {wrong.id} names [[step.blank]]s of this step.")
    for one in step.solve:
        if one not in [action.id for action in step.actions]:
            table.fault("solve", f"There is no action {escaped(one, 40)!r} in this step.")
    table.finish()
    return step


def _ids(step: Step) -> list[str]:
    lists = (step.choices, step.wrongs, step.disorders, step.items, step.blanks, step.actions)
    return [one.id for several in lists for one in several]


def _optional(table: _Table, key: str, read: Callable[[str], Got]) -> Got | None:
    return read(key) if table.has(key) else None


def _entries(table: _Table, key: str) -> list[_Table]:
    return table.tables(key, MOST_ENTRIES) if table.has(key) else []


def _choices(table: _Table, ask: str) -> tuple[Choice, ...]:
    """The choices: tables with a condition each, or names of rows and states."""
    if ask == "choice":
        found = []
        for one in _entries(table, "choice"):
            found.append(Choice(one.name("id"), one.expression("when", "flag")))
            one.finish()
        return tuple(found)
    if ask == "number":
        return ()
    known = ROWS if ask == "row" else STATES
    names = table.texts("choices", most=MOST_ENTRIES)
    for name in names:
        if name not in known:
            table.fault("choices", f"There is no {ask} {escaped(name, 40)!r}; there are {', '.join(known)}.")
    if len(set(names)) < max(len(names), 2):
        table.fault("choices", "At least two different ones should stand here.")
    return tuple(Choice(name, None) for name in names)


def _truth(table: _Table, kind: str, ask: str) -> Expression | None:
    if kind != "predict" or ask == "choice":
        if table.has("truth"):
            table.fault("truth", "Here the truth is told by the `when` of each choice.")
        return None
    default = "row(1)" if ask == "row" else None
    return table.expression("truth", "number" if ask == "number" else "text", default)


def _wrong(table: _Table) -> Wrong:
    value = table.expression("value", "number")
    blanks = frozenset(table.texts("blanks", most=MOST_ENTRIES) if table.has("blanks") else [])
    found = Wrong(table.name("id"), value or compiled("0"), blanks)
    table.finish()
    return found


def _disorder(table: _Table) -> Disorder:
    name, before = table.name("id"), table.texts("before")
    table.finish()
    if len(before) != 2:
        table.fault("before", "Two ids of items stand here: the first before the second is the wrong order.")
        before = ["", ""]
    return Disorder(name, *before)


def _item(table: _Table) -> Item:
    found = Item(table.name("id"), table.expression("at", "number") or compiled("0"))
    table.finish()
    return found


def _blank(table: _Table) -> Blank:
    name, packet, field = table.name("id"), table.filter("packet"), table.one_of("field", BLANK_FIELDS)
    table.finish()
    return Blank(name, packet or Filter("frame"), field)


def _action(table: _Table, runs: SessionSpec) -> Action:
    found = Action(table.name("id"), _moves(table, "run", runs))
    table.finish()
    return found


def _moves(table: _Table, key: str, runs: SessionSpec) -> tuple[Move, ...]:
    moves = []
    for line in table.texts(key, []):
        try:
            moves.append(move_of(line, kind_of(runs).read))
        except MoveError as error:
            table.fault(key, escaped(str(error), 300))
    if runs.wiring is None and any(isinstance(move, OnWire | Wire) for move in moves):
        table.fault(key, 'There is no wire in this run: the scenario says wire = "open" or "held" then.')
    return tuple(moves)


def _look(table: _Table) -> Look | None:
    inner = table.table("look") if table.has("look") else None
    if inner is None:
        return None
    pane, packet = inner.one_of("pane", PANES), inner.filter("packet")
    field, heading = inner.text("field", "", most=80), inner.text("heading", "", most=80)
    if heading and pane != "handshake":
        inner.fault("heading", "The pane handshake alone has headings.")
    inner.finish()
    return Look(pane, packet or Filter("frame"), field, heading)


def _values(table: _Table) -> dict[str, Expression]:
    found = {}
    for key in table.rest_keys():
        if not re.fullmatch("[a-z][a-z0-9_]*", key):
            table.fault(key, "A value's name is of a-z, 0-9 and _.")
        value = table.expression(key, None)
        if value is not None:
            found[key] = value
    return found
