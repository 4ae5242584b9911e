"""One learner on the way through one lesson: which step, what was answered, what is to happen next.

A host (the screen, or headless.py) starts the sessions that `wants` names, calls `begin` with each one's
trace, `advance` whenever it grew, and sends the agent what that gives. The player itself waits for nothing.

    read ──next──> ask ──answer──> running ──the trace says so──> over ──next──> …
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from inspector.lessons.asking.scene import Scene
from inspector.lessons.format.model import Lesson, Step
from inspector.lessons.format.moves import Move
from inspector.lessons.play.answers import Answer, Judged, judge, truth_of
from inspector.lessons.play.performance import Performance
from inspector.model.commands import Command
from inspector.model.spec import SessionSpec

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

# read: there is only to read; ask: an answer is awaited; ready: what it does may begin; running; over.
Phase = Literal["read", "ask", "ready", "running", "over"]
ASKED = ("predict", "order", "blank")
TRIES = ("order", "blank")         # may be answered until they are right


@dataclass(slots=True)
class Record:
    """What became of one step."""

    phase: Phase
    given: Answer | None = None
    judged: Judged | None = None
    first: Judged | None = None                # what became of the first answer
    tries: int = 0
    hints: int = 0
    revealed: bool = False                     # the answer of explain, or the truth that was not found
    acted: str = ""                            # of fix: what was done last
    values: dict[str, str] = field(default_factory=dict)


class Player:
    """The way through `lesson`. `place`: the step that is seen; `reached`: the furthest one."""

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson
        self.place = self.reached = 0
        self.records = [Record(_first_phase(step)) for step in lesson.steps]
        self.scene: Scene | None = None
        self.former: Scene | None = None       # of the run before a change, to compare with
        self.wants: SessionSpec | None = lesson.spec
        self._performance: Performance | None = None
        self._skip_to = 0

    @property
    def step(self) -> Step:
        """The step that is seen."""
        return self.lesson.steps[self.place]

    @property
    def record(self) -> Record:
        """What became of it so far."""
        return self.records[self.place]

    @property
    def is_last(self) -> bool:
        """Whether it is the last one."""
        return self.place == len(self.lesson.steps) - 1

    @property
    def finished(self) -> bool:
        """Whether every step was done."""
        return all(record.phase in ("over", "read") for record in self.records) and (
            self.reached == len(self.lesson.steps) - 1)

    @property
    def catching_up(self) -> bool:
        """Whether steps of before are played again, unasked."""
        return self.reached < self._skip_to

    @property
    def score(self) -> tuple[int, int]:
        """How many answers were right at the first try, of how many that were asked for."""
        judged = [(record, record.judged) for record in self.records if record.judged is not None]
        return sum(one.all_right and record.tries == 1 for record, one in judged), len(judged)

    # --- for the host ---

    def begin(self, trace: Trace) -> None:
        """The session that was wanted runs, and this is its trace."""
        self.former, self.scene, self.wants = self.scene, Scene(trace), None
        self.note_values()

    def advance(self) -> list[Command]:
        """The trace grew: commands that are due. TooMuchError where the run is too long for a lesson."""
        scene = self.scene
        if scene is None or self.wants is not None:
            return []
        scene.update()
        commands: list[Command] = []
        while True:
            if self._performance is not None:
                commands += self._performance.advance(scene)
                if not self._performance.done:
                    return commands
                if not self._truth_is_there(scene):
                    return commands
                self._performance = None
                self._happened(scene)
            self._look_whether_fixed(scene)
            self._note_what_came_late(scene)
            if not self.catching_up:
                return commands
            self._skip()
            if self.wants is not None:
                return commands

    # --- for the learner ---

    def answer(self, given: Answer) -> None:
        """Say what will happen, in which order, or what is hidden; a prediction is answered once."""
        record, step = self.record, self.step
        if record.phase != "ask" or self.scene is None:
            return
        record.given, record.tries = given, record.tries + 1
        if step.moves or step.change is not None:
            self._perform(step.moves)
        else:
            self._judge(self.scene)

    def go(self) -> None:
        """Let happen what the step is about."""
        if self.record.phase == "ready" and self.step.kind != "fix":
            self._perform(self.step.moves)

    def act(self, action: str) -> None:
        """Do one of the things that a step of kind fix offers."""
        chosen = next((one for one in self.step.actions if one.id == action), None)
        if self.record.phase == "ready" and chosen is not None and self.scene is not None:
            self.record.tries += 1
            self.record.acted = action
            self._performance = Performance(chosen.moves, None)

    def hint(self) -> None:
        """Ask for one hint more."""
        self.record.hints += 1

    def reveal(self, given: Answer = ()) -> None:
        """See the answer of explain; or give up on an order or blanks, and see the truth.

        `given`: what was said since the last try, beside which the truth is to stand.
        """
        self.record.revealed = True
        if self.record.phase == "ask" and self.step.kind in TRIES and self.scene is not None:
            if "".join(given):
                self.record.given = given
            self._judge(self.scene)
            self.record.phase = "over"

    def forth(self) -> bool:
        """The next step, where this one is done; False where it is not, or is the last."""
        if self.record.phase not in ("over", "read") or self.is_last:
            return False
        self.place += 1
        if self.place > self.reached:
            self.reached = self.place
            self.note_values()
        return True

    def back(self) -> bool:
        """The step before; what happened stays."""
        if not self.place:
            return False
        self.place -= 1
        return True

    def resume_at(self, place: int) -> None:
        """Play everything before step `place` again, unasked, and stand there then."""
        self._skip_to = min(place, len(self.lesson.steps) - 1)

    # --- what happens ---

    def _perform(self, moves: tuple[Move, ...]) -> None:
        step, record = self.step, self.record
        if step.change is not None:
            self.wants = step.change
        elif self.scene is not None:
            self.scene.begin_step()
        record.phase = "running"
        self._performance = Performance(moves, step.until)

    def _truth_is_there(self, scene: Scene) -> bool:
        """Whether an answer can be judged: the trace may tell it a moment after what was waited for."""
        step, record = self.lesson.steps[self.reached], self.records[self.reached]
        asked = step.kind in ASKED and record.given is not None
        return not asked or truth_of(step, scene) is not None

    def _note_what_came_late(self, scene: Scene) -> None:
        step, record = self.lesson.steps[self.reached], self.records[self.reached]
        if record.phase == "over":
            for name in step.values.keys() - record.values.keys():
                if (value := step.values[name].of(scene)) is not None:
                    record.values[name] = str(value)

    def _happened(self, scene: Scene) -> None:
        step, record = self.lesson.steps[self.reached], self.records[self.reached]
        if step.kind == "fix" and step.until is not None and not step.until.holds(scene):
            record.phase = "ready"
            return
        if step.kind in ASKED and record.given is not None:
            self._judge(scene)
        record.phase = "over"
        self.note_values()

    def _look_whether_fixed(self, scene: Scene) -> None:
        """What an action led to may be seen a moment after it."""
        step, record = self.lesson.steps[self.reached], self.records[self.reached]
        acted = step.kind == "fix" and record.phase == "ready" and record.tries > 0
        if acted and step.until is not None and step.until.holds(scene):
            record.phase = "over"
            self.note_values()

    def _judge(self, scene: Scene) -> None:
        step, record = self.step, self.record
        truth = truth_of(step, scene)
        if truth is not None:
            record.judged = judge(step, record.given or (), truth, scene)
            if record.tries:                       # else it was given up without one
                record.first = record.first or record.judged
        if step.kind == "predict" or record.judged is None or record.judged.all_right:
            record.phase = "over"
        self.note_values()

    def note_values(self) -> None:
        """The numbers that the text of the furthest step speaks of, as they are now."""
        step, record = self.lesson.steps[self.reached], self.records[self.reached]
        if self.scene is not None:
            for name, expression in step.values.items():
                value = expression.of(self.scene)
                if value is not None:
                    record.values[name] = str(value)

    def _skip(self) -> None:
        """Do the furthest step without asking, or go on from it."""
        step, record = self.step, self.record
        if record.phase in ("over", "read"):
            self.forth()
        elif step.kind == "fix":
            chosen = {one.id: one.moves for one in step.actions}
            self._perform(tuple(move for name in step.solve for move in chosen[name]))
        elif step.moves or step.change is not None:
            self._perform(step.moves)
        else:
            record.phase = "over"


def _first_phase(step: Step) -> Phase:
    if step.kind in ASKED:
        return "ask"
    return "ready" if step.kind in ("do", "change", "fix") else "read"
