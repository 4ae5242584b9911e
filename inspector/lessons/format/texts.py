"""The words of a lesson: one Markdown file a language, its sections keyed by the ids of lesson.toml.

    # Title                       and below it a line about the lesson
    ## step-id                    what stands there when the step begins
    ### choice ID   ### item ID   ### action ID
    ### if ID                     what is said to who gave this wrong answer
    ### hint                      several, each a degree more
    ### after                     once it happened; for explain: ### answer

file -> sections with their lines -> `LessonText`, held against the steps, which say what is to be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from inspector.lessons.format.faults import Fault
from inspector.lessons.format.model import LessonText, Step, StepText
from inspector.lessons.format.page import places_in
from inspector.wire.text import escaped

LONGEST = 4000           # characters of one section
_NAMED = ("choice", "if", "item", "action")
_SINGLE = ("after", "answer")


@dataclass(slots=True)
class _Section:
    level: int
    name: str
    line: int
    body: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.body).strip("\n")


def read_texts(source: str, file: str, steps: Sequence[Step], faults: list[Fault]) -> LessonText:
    """The words of one language; what is missing, unknown or too long is added to `faults`."""
    sections = list(_sections(source, file, faults))
    title = sections.pop(0) if sections and sections[0].level == 1 else None
    if title is None or not title.name:
        faults.append(Fault(file, 1, "#", "The file begins with the lesson's title, as # Title."))
    known = {step.id: step for step in steps}
    found: dict[str, StepText] = {}
    while sections:
        head = sections.pop(0)
        parts = []
        while sections and sections[0].level > 2:
            parts.append(sections.pop(0))
        step = known.get(head.name)
        if step is None or head.level != 2 or head.name in found:
            why = "is there twice" if head.name in found else "is no step of lesson.toml"
            faults.append(Fault(file, head.line, head.name, f"The section {head.name or '##'} {why}."))
            continue
        found[step.id] = _step_text(step, head, parts, file, faults)
    faults.extend(Fault(file, 1, name, f"The step {name} has no words: a section ## {name} is missing.")
                  for name in known if name not in found)
    return LessonText(title.name if title else "", title.text if title else "", found)


def _sections(source: str, file: str, faults: list[Fault]) -> Iterator[_Section]:
    """The sections in order; every text is escaped from here on."""
    current: _Section | None = None
    fenced = False
    for number, line in enumerate(source.splitlines(), 1):
        safe = escaped(line.rstrip().expandtabs(4))
        fenced ^= safe.startswith("```")
        heading = None if fenced else re.match(r"(#{1,6})(?:\s+(.*))?$", safe)
        if heading is None:
            if current is not None:
                current.body.append(safe)
            elif safe:
                faults.append(Fault(file, number, "", "Words stand before the first heading."))
                current = _Section(1, "", number)
            continue
        if current is not None:
            yield current
        current = _Section(len(heading[1]), (heading[2] or "").strip(), number)
    if current is not None:
        yield current


def _step_text(step: Step, head: _Section, parts: list[_Section], file: str, faults: list[Fault]) -> StepText:
    def fault(section: _Section, sentence: str) -> None:
        where = step.id if section is head else f"{step.id}: {section.name}"
        faults.append(Fault(file, section.line, where, sentence))

    single: dict[str, str] = {}
    named: dict[str, dict[str, str]] = {kind: {} for kind in _NAMED}
    hints: list[str] = []
    for section in (head, *parts):
        if len(section.text) > LONGEST:
            fault(section, f"A section has at most {LONGEST} characters, this one {len(section.text)}.")
        for name in sorted(places_in(section.text)):
            if name not in step.values:
                fault(section, f"{{{name}}} is not among the values of this step.")
    for section in parts:
        kind, _, name = section.name.partition(" ")
        if section.level != 3:
            fault(section, "Below a step only ### sections stand.")
        elif kind == "hint" and not name:
            hints.append(section.text)
        elif kind in _SINGLE and not name and kind not in single:
            single[kind] = section.text
        elif kind in _NAMED and name.strip() and name.strip() not in named[kind]:
            named[kind][name.strip()] = section.text
        else:
            fault(section, f"{section.name or '###'} is no section of a step, or is there twice.")
        if not section.text:
            fault(section, "This section is empty.")
    if not head.text:
        fault(head, "This step says nothing.")
    _hold_against(step, head, single, named, fault)
    return StepText(head.text, single.get("after", ""), single.get("answer", ""), tuple(hints),
                    named["choice"], named["if"], named["item"], named["action"])


def _hold_against(step: Step, head: _Section, single: dict[str, str], named: dict[str, dict[str, str]],
                  fault: _FaultAt) -> None:
    """What the step needs is there, and nothing of what it has not."""
    with_words = step.kind == "predict" and step.ask == "choice"
    wanted = {
        "choice": [choice.id for choice in step.choices] if with_words else [],
        "item": [item.id for item in step.items], "action": [action.id for action in step.actions],
    }
    answers = [one.id for several in (step.choices, step.wrongs, step.disorders) for one in several]
    for kind, ids in wanted.items():
        for name in ids:
            if name not in named[kind]:
                fault(head, f"The section ### {kind} {name} is missing.")
        for name in named[kind]:
            if name not in ids:
                fault(head, f"### {kind} {name}: lesson.toml has no such {kind} in this step.")
    may_have_words = [*answers, *(action.id for action in step.actions)]
    for name in named["if"]:
        if name not in may_have_words:
            fault(head, f"### if {name}: lesson.toml has no such answer in this step.")
    without = [name for name in answers if name not in named["if"]]
    if len(without) > (1 if step.choices else 0):
        fault(head, f"Each foreseen wrong answer needs words, as ### if ID; missing: {', '.join(without)}.")
    if ("answer" in single) != (step.kind == "explain"):
        fault(head, "A step of kind explain has ### answer, and no other has.")


class _FaultAt(Protocol):
    """A function that notes what is wrong with a section."""

    def __call__(self, section: _Section, sentence: str) -> None: ...
