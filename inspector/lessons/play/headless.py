"""Plays a lesson in the lab without a screen; proves that each step fails untouched and can be solved.

Lesson -> agent and trace of each run -> `Player`, answered rightly and wrongly -> faults with their lines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from inspector.lab.errors import LabError
from inspector.lab.launch import Agent, start_agent
from inspector.lessons.asking.scene import Scene, TooMuchError
from inspector.lessons.format.faults import Fault
from inspector.lessons.format.loader import FACTS
from inspector.lessons.format.model import Lesson, Step
from inspector.lessons.format.page import places_in
from inspector.lessons.play.answers import Answer, judge, number_of, truth_of
from inspector.lessons.play.player import TRIES, Player
from inspector.model.commands import Start
from inspector.model.packets import Row, row_at
from inspector.model.spec import SessionSpec
from inspector.trace.file.scratch import path_of, scratch
from inspector.trace.trace import Trace
from inspector.views.conversation.opening import handshake
from inspector.views.detail.tree import packet_tree
from inspector.views.ladder.current import current_conversation

PATIENCE = 20.0          # seconds in which something has to come

QUIET = 0.25             # seconds without news after which a held session does nothing more by itself


class Stage:
    """The lab around one player: starts the runs that it wants, and gives the agent its commands."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self._agent: Agent | None = None
        self._trace: Trace | None = None
        self._things = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._things.close()

    def until(self, condition: Callable[[], bool]) -> bool:
        """Lead the player until it holds; False when it does not within PATIENCE."""
        deadline = time.monotonic() + PATIENCE
        while True:
            self.turn()
            if condition():
                return True
            if time.monotonic() > deadline:
                return False
            self._wait(0.1)

    def settle(self) -> None:
        """Lead it until nothing comes any more; the kernel's samples are no news."""
        while True:
            before = self._size()
            end = time.monotonic() + QUIET
            while time.monotonic() < end:
                self._wait(0.05)
                self.turn()
            if before == self._size():
                return

    def turn(self) -> None:
        """Read on, and do what is due. LabError where the lab broke: that is no fault of the lesson."""
        if self.player.wants is not None:
            self._begin(self.player.wants)
        if self._trace is not None and self._agent is not None:
            if (failure := self._agent.failure()) is not None:
                raise failure
            self._trace.refresh()
            for event in self._trace.events:
                if event.kind == "failed" and event.known.get("missing"):      # an end that could not start
                    raise LabError(event.text)
            for command in self.player.advance():
                self._agent.send(command)

    def _begin(self, spec: SessionSpec) -> None:
        if self._agent is not None:
            self._agent.close()
        file = self._things.enter_context(scratch())
        path = path_of(file.fileno())
        self._agent = self._things.enter_context(start_agent(path, ports=(spec.port,), wiring=spec.wiring))
        self._trace = self._things.enter_context(Trace.open(path, following=True))
        self._agent.send(Start(spec))
        self.player.begin(self._trace)

    def _wait(self, seconds: float) -> None:
        if self._agent is not None:
            self._agent.wait_for_news(seconds)

    def _size(self) -> tuple[int, ...]:
        trace = self._trace
        return () if trace is None else (trace.index.count, len(trace.calls), len(trace.events))


def proved(lesson: Lesson) -> list[tuple[Step, list[Fault]]]:
    """Play the lesson; of each step what is wrong with it. Ends where it cannot go on.

    A wrong answer may be right by chance, as of four random bytes of a mask: then it is played once more.
    LabError where there is no lab.
    """
    played = list(_played(lesson))
    if any(fault.by_chance for _, faults in played for fault in faults):
        played = list(_played(lesson))
    return played


def _played(lesson: Lesson) -> Iterator[tuple[Step, list[Fault]]]:
    player = Player(lesson)
    with Stage(player) as stage:
        for step in lesson.steps:
            prover = _Prover(lesson, step, player, stage)
            try:
                prover.prove()
            except TooMuchError as error:
                prover.fault(str(error))
            yield step, prover.faults
            if player.record.phase not in ("over", "read"):
                return
            player.forth()


class _Prover:
    """Proves one step, at which the player stands."""

    def __init__(self, lesson: Lesson, step: Step, player: Player, stage: Stage) -> None:
        self.lesson, self.step, self.player, self.stage = lesson, step, player, stage
        self.faults: list[Fault] = []

    def fault(self, sentence: str, *, by_chance: bool = False) -> None:
        where = str(self.lesson.folder / FACTS), self.step.line, self.step.id
        self.faults.append(Fault(*where, sentence, by_chance))

    @property
    def scene(self) -> Scene:
        assert self.player.scene is not None
        return self.player.scene

    def prove(self) -> None:
        step, player = self.step, self.player
        if not self.stage.until(lambda: player.scene is not None):
            self.fault("Its run did not begin.")
            return
        self.stage.settle()
        player.note_values()
        self._prove_known()
        if step.kind in TRIES:
            self._prove_tries()
        elif step.kind == "predict":
            self._prove_prediction()
        elif step.kind in ("do", "change"):
            self._untouched()
            player.go()
            self._come_true()
        elif step.kind == "fix":
            self._prove_fix()
        elif step.look is not None:
            self._prove_look()
        self._prove_words()

    def _untouched(self) -> None:
        """What the step leads to is not there before; of a new run, before anything is let pass in it."""
        step = self.step
        self.scene.begin_step()
        if step.change is None and step.until is not None and step.until.holds(self.scene):
            self.fault("What it leads to (`until`) is true already before anything was done.")

    def _come_true(self) -> None:
        if not self.stage.until(lambda: self.player.record.phase == "over"):
            self.fault(f"What it leads to (`until`) did not come true within {PATIENCE:g} seconds.")

    def _prove_prediction(self) -> None:
        step, player = self.step, self.player
        self._untouched()
        player.answer(("",))
        self._come_true()
        self.stage.settle()
        truth = truth_of(step, self.scene)
        if truth is None:
            self.fault("When it has happened, nothing is the truth.")
            return
        true = [one.id for one in step.choices if one.when is not None and one.when.holds(self.scene)]
        if len(true) > 1:
            self.fault(f"Several choices are the truth: {', '.join(true)}.")
        if step.choices and truth[0] not in [one.id for one in step.choices]:
            self.fault(f"The truth is {truth[0]!r}, which is none of the choices.")
        for language, words in self.lesson.texts.items():
            for choice in step.choices:
                if choice.id not in words.steps[step.id].feedback and (choice.id,) != truth:
                    self.fault(f"The wrong answer {choice.id!r} has no words in {language}.md.")
        self._judged_rightly(truth, [(one.id,) for one in step.choices if one.id != truth[0]])
        self._prove_wrongs(truth)

    def _prove_wrongs(self, truth: Answer) -> None:
        """Each foreseen wrong number is one, and is wrong somewhere."""
        for wrong in self.step.wrongs:
            value = wrong.value.of(self.scene)
            if value is None or all(number_of(part) == value for part in truth):
                self.fault(f"The wrong answer {wrong.id} has the value {value}: it is none, or the truth.",
                           by_chance=True)

    def _prove_disorders(self, truth: Answer) -> None:
        """Each foreseen wrong order is one, and gets its words when it is the only mistake."""
        for wrong in self.step.disorders:
            early, late = truth.index(wrong.early), truth.index(wrong.late)
            if early < late:
                self.fault(f"The wrong order {wrong.id} is the right one: {wrong.early} before {wrong.late}.")
                continue
            given = list(truth)
            given.insert(late, given.pop(early))
            if (other := judge(self.step, tuple(given), truth, self.scene).foreseen) != wrong.id:
                self.fault(f"With {wrong.early} before {wrong.late}, {other} is said, and never {wrong.id}.")

    def _prove_tries(self) -> None:
        truth = truth_of(self.step, self.scene)
        if truth is None:
            self.fault("The trace does not tell the answer.")
            return
        if truth == tuple(item.id for item in self.step.items):
            self.fault("The items stand in the right order in lesson.toml, and are shown so.")
        self._prove_wrongs(truth)
        self._prove_disorders(truth)
        wrong = truth[::-1] if self.step.items else ("",) * len(truth)
        self.player.answer(wrong)
        if self.player.record.phase != "ask":
            self.fault("A wrong answer passes.")
        self.player.answer(truth)
        if self.player.record.phase != "over":
            self.fault("The right answer does not pass.")

    def _judged_rightly(self, truth: Answer, wrong: list[Answer]) -> None:
        if not judge(self.step, truth, truth, self.scene).all_right:
            self.fault("The right answer does not pass.")
        if any(judge(self.step, one, truth, self.scene).all_right for one in wrong):
            self.fault("A wrong answer passes.")

    def _prove_fix(self) -> None:
        self._untouched()
        for name in self.step.solve:
            self.player.act(name)
            self.stage.settle()
        self._come_true()

    def _headings(self) -> list[str]:
        found = current_conversation(self.scene.trace, None, None, stay=False, live=True)
        document = None if found is None else handshake(self.scene.trace, found)
        return [] if document is None else [one.text for one in document.items if one.kind == "heading"]

    def _prove_look(self) -> None:
        look = self.step.look
        assert look is not None
        rows = look.packet.rows(self.scene.trace)
        if not len(rows):
            self.fault("There is no packet to look at.")
        elif look.field and not any(
            name == look.field for name in field_paths(self.scene.trace, row_at(rows, 0))
        ):
            names = field_paths(self.scene.trace, row_at(rows, 0))
            layer = look.field.partition(".")[0]
            near = [name for name in names if name.startswith(f"{layer}.")] or list(names)
            self.fault(f"The packet has no field {look.field} in its detail; there are {', '.join(near)}.")
        elif look.heading and look.heading not in self._headings():
            self.fault(f"The pane handshake has no heading \"{look.heading}\".")

    def _prove_known(self) -> None:
        """What the words say before it happens is known then: nobody reads a hole."""
        for language, words in self.lesson.texts.items():
            text = words.steps[self.step.id]
            options = (text.choices, text.items, text.actions)
            early = [text.body, *text.hints, *(one for each in options for one in each.values())]
            if self.step.kind != "predict":          # there it has happened when they are said
                early += text.feedback.values()
            unknown = places_in(" ".join(early)) - self.player.record.values.keys()
            if unknown:
                self.fault(f"In {language}.md {', '.join(sorted(unknown))} is not known yet when it is read.")

    def _prove_words(self) -> None:
        """What the words speak of is there, and what is to be lit up."""
        record = self.player.record
        missing = [name for name in self.step.values if name not in record.values]
        if missing and record.phase in ("over", "read"):
            self.fault(f"These values have none when the step is over: {', '.join(missing)}.")
        light, trace = self.step.light, self.scene.trace
        if light is not None and not len(light.calls(trace) if light.asks_calls else light.rows(trace)):
            self.fault("Nothing is lit up by `light`.")


def field_paths(trace: Trace, row: Row) -> dict[str, str]:
    """The fields of a packet's detail: their names in the display filter, and their paths in the tree."""
    found: dict[str, str] = {}
    stack = [(field, "") for field in reversed(packet_tree(trace, row))]
    while stack:
        field, above = stack.pop()
        path = f"{above}/{field.name}" if above else field.name
        found.setdefault(field.name, path)
        stack += [(child, path) for child in reversed(field.children)]
    return found
