"""What a lesson is once it was read and found right: facts of lesson.toml, words of each language's file.

lesson.toml and each language's file -> `loader` and `texts` -> a `Lesson` of `Step`s, and a `LessonText` of
`StepText`s -> player, pages, check. Values only: nothing here reads or decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from inspector.lessons.asking.functions import Expression
from inspector.lessons.format.moves import Move
from inspector.model.spec import SessionSpec
from inspector.trace.filter.filter import Filter

StepKind = Literal["tell", "do", "predict", "order", "blank", "change", "fix", "look", "explain"]
Ask = Literal["choice", "number", "state", "row"]
KINDS: tuple[StepKind, ...] = get_args(StepKind)
ASKS: tuple[Ask, ...] = get_args(Ask)
LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Choice:
    """One possible answer. `when`: it is the truth; None where the step's `truth` is compared with `id`."""

    id: str
    when: Expression | None


@dataclass(frozen=True, slots=True)
class Wrong:
    """A number that is foreseen as a wrong answer, since it gets words of its own.

    `blanks`: ids of those in which it is meant; empty: in any.
    """

    id: str
    value: Expression
    blanks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Disorder:
    """A wrong order that gets words of its own: item `early` stands before item `late`, which came first."""

    id: str
    early: str
    late: str


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to be put in order, and the time in ns at which it happened. They are shown as they stand."""

    id: str
    at: Expression


@dataclass(frozen=True, slots=True)
class Blank:
    """A number of the ladder that is hidden and asked for: of the first packet that `packet` lets through."""

    id: str
    packet: Filter
    field: str


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that the learner may do in a step of kind fix."""

    id: str
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """Which pane is shown, on which packet, and on which field of its tree ("" for none).

    `heading`: the section of pane Handshake that stands at its top ("" for its first one).
    """

    pane: str
    packet: Filter
    field: str
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step; which of its parts are there follows from its kind. `line`: where it begins in the file."""

    id: str
    kind: StepKind
    line: int = 1
    ask: Ask = "choice"
    choices: tuple[Choice, ...] = ()
    truth: Expression | None = None            # of a number, a state, a row
    wrongs: tuple[Wrong, ...] = ()
    moves: tuple[Move, ...] = ()
    until: Expression | None = None            # what the moves lead to
    change: SessionSpec | None = None          # a new run, with one knob turned
    items: tuple[Item, ...] = ()
    disorders: tuple[Disorder, ...] = ()
    blanks: tuple[Blank, ...] = ()
    actions: tuple[Action, ...] = ()
    solve: tuple[str, ...] = ()                # ids of actions that lead to `until`
    look: Look | None = None
    light: Filter | None = None                # the packets that it is about
    values: Mapping[str, Expression] = field(default_factory=dict)     # what {name} in the text stands for


@dataclass(frozen=True, slots=True)
class StepText:
    """The words of one step in one language: paragraphs in the markup of page.py, escaped.

    `feedback`: by the id of a wrong answer. `after`: once it happened. `answer`: of explain, when asked for.
    """

    body: str = ""
    after: str = ""
    answer: str = ""
    hints: tuple[str, ...] = ()
    choices: Mapping[str, str] = field(default_factory=dict)
    feedback: Mapping[str, str] = field(default_factory=dict)
    items: Mapping[str, str] = field(default_factory=dict)
    actions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LessonText:
    """The words of a lesson in one language."""

    title: str
    about: str
    steps: Mapping[str, StepText]


@dataclass(frozen=True, slots=True)
class Lesson:
    """One lesson. `name` is its folder's; `number` its place on the map, 0 for none."""

    name: str
    folder: Path
    number: int
    minutes: int
    prerequisites: tuple[str, ...]
    concepts: tuple[str, ...]
    spec: SessionSpec
    steps: tuple[Step, ...]
    texts: Mapping[str, LessonText]

    def text(self, language: str) -> LessonText:
        """Its words in this language, or in the first it has."""
        return self.texts.get(language) or next(iter(self.texts.values()))
