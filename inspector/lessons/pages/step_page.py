"""What the learner reads and answers at one step, as lines: text, choices, hints, the answer and the truth.

Player and language -> `StepPage`; which lines are an option that can be chosen stands beside them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from inspector.lessons.format.model import Step, StepText
from inspector.lessons.format.page import page, styled, wrapped_spans
from inspector.lessons.pages.words import Word, row_words, word
from inspector.lessons.play.answers import Answer, blank_row, is_number, next_blank
from inspector.lessons.play.player import TRIES, Player
from inspector.model.packets import packet_number
from inspector.views.line.spans import Line, Span, Style, cell_width

_MARGIN = 1


@dataclass(slots=True)
class StepPage:
    """Lines, and for those of an option its id."""

    lines: list[Line] = field(default_factory=list)
    options: dict[int, str] = field(default_factory=dict)
    news: int = 0                  # the line where begins what came last

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self.lines)

    def line(self, index: int, width: int) -> Line:
        """Line `index`; `width` is that of the page."""
        return self.lines[index]

    def target(self, index: int) -> str | None:
        """The option on line `index`."""
        return self.options.get(index)


def step_page(player: Player, language: str, width: int, given: Answer = ()) -> StepPage:
    """The step that is seen. `given`: the part of an answer (order, blanks) that was given so far."""
    return Writer(player, language, width, given).write()


def options_of(step: Step) -> tuple[str, ...]:
    """The ids of what can be chosen at a step, in the order in which they stand there."""
    if step.kind == "order":
        return tuple(one.id for one in step.items)
    return tuple(one.id for one in (step.choices if step.kind == "predict" else step.actions))


def how_to_answer(step: Step, given: Answer) -> list[Word]:
    """How one answers a step of this kind, with the part that was given so far."""
    if step.kind == "order":
        if len(given) == len(step.items):
            return ["order-give"]
        return ["order-how", "undo"] if given else ["order-how"]
    if step.kind == "blank":
        return ["blank-how"]
    return [] if step.ask == "number" else ["answer"]        # the line for numbers says so itself


class Writer:
    """Writes one page; classroom/poll_page.py writes those of a class with it."""

    def __init__(self, player: Player, language: str, width: int, given: Answer) -> None:
        self.player, self.language, self.given = player, language, given
        self.step, self.record = player.step, player.record
        self.text: StepText = player.lesson.text(language).steps[self.step.id]
        self.width = max(width - 2 * _MARGIN, 12)
        self.page = StepPage()

    def word(self, name: Word) -> str:
        return word(self.language, name)

    def write(self) -> StepPage:
        self.heading()
        self.prose(self.text.body)
        self.hints()
        if self.record.phase == "ask":       # what is to be answered comes last, where it is always in sight
            self.outcome()
            self.options()
        else:
            begins = len(self.page.lines)
            self.options()
            if self.step.kind != "blank":          # there the truth stands beside what was filled in
                begins = len(self.page.lines)
            nothing_new = self.record.phase in ("read", "ready") and not self.record.revealed and (
                not self.text.feedback.get(self.record.acted))
            self.page.news = 0 if nothing_new else begins
            self.outcome()
        self.foot()
        return self.page

    def heading(self) -> None:
        count = len(self.player.lesson.steps)
        number = f"{self.player.place + 1} / {count}"
        self.put(Span(self.word(self.step.kind), "title"), Span(f"   {number}", "dim"))
        self.put()

    def put(self, *spans: Span) -> None:
        self.page.lines.append((Span(" " * _MARGIN), *spans) if spans else ())

    def words(self, *spans: Span, lead: str = "") -> None:
        """A few words in as many lines as they need, behind `lead`."""
        room = cell_width(lead)
        for number, line in enumerate(wrapped_spans(list(spans), self.width - room)):
            self.put(*([Span(" " * room if number else lead, "number")] if lead else []), *line)

    def prose(self, text: str, style: Style = "") -> None:
        for line in page(text, self.width, self.record.values):
            self.put(*(Span(span.text, span.style or style) for span in line))

    def options(self) -> None:
        step, record = self.step, self.record
        if step.kind == "blank":
            self.blanks()
        if record.phase in ("running", "over") and step.kind != "predict":
            return
        for number, name in enumerate(options_of(step), 1):
            if number == 1:
                self.put()
            place = self.given.index(name) + 1 if step.kind == "order" and name in self.given else 0
            mark = f"{number}  "
            shown = self.option(name) + (f"  **← {self.word('place').format(place)}**" if place else "")
            chosen = record.given == (name,) and step.kind == "predict"
            style: Style = "dim" if place or (record.phase == "over" and not chosen) else ""
            for line_number, line in enumerate(page(shown, self.width - cell_width(mark) - 1)):
                lead = mark if line_number == 0 else " " * cell_width(mark)
                if record.phase in ("ask", "ready"):
                    self.page.options[len(self.page.lines)] = name
                self.put(Span(" " + lead, "key"), *(Span(one.text, one.style or style) for one in line))

    def option(self, name: str) -> str:
        step, text = self.step, self.text
        if step.kind == "predict" and step.ask == "row":
            return row_words(self.language, name)
        if step.kind == "predict" and step.ask == "state":
            return name
        lists = {"predict": text.choices, "order": text.items, "fix": text.actions}
        return lists[step.kind].get(name, name)

    def blanks(self) -> None:
        scene = self.player.scene
        if scene is None:
            return
        self.put()
        for place, blank in enumerate(self.step.blanks):
            row = blank_row(self.step, place, scene)
            what = f"{self.word('packet')} {'?' if row is None else packet_number(row)}  {blank.field} = "
            judged = self.record.judged
            given = self.given[place] if place < len(self.given) else ""
            if given and not (judged is not None and judged.right[place]):
                judged = None                    # it is another number than the one that was judged
            elif judged is not None and place < len(judged.given):
                given = judged.given[place]
            sign = ""
            style: Style = "value"
            if judged is not None and given:
                sign, style = ("  ✓", "ok") if judged.right[place] else ("  ✗", "error")
            if judged is not None and self.record.phase == "over" and not judged.right[place]:
                sign += f" {judged.truth[place]}"
            is_next = self.record.phase == "ask" and place == next_blank(self.step, self.given)
            self.put(Span("▸ " if is_next else "  ", "key"), Span(what, "name"),
                     Span(given or "____", "bold"), Span(sign, style))

    def hints(self) -> None:
        for number, hint in enumerate(self.text.hints[: self.record.hints], 1):
            self.put()
            self.put(Span(f"{self.word('hint')} {number}", "warning"))
            self.prose(hint)

    def outcome(self) -> None:
        """What came of it: the answer beside the truth, words for it, and what there is to say now."""
        record = self.record
        if record.phase == "running":
            self.put()
            self.put(Span(self.word("running"), "warning"))
            return
        judged = record.judged
        if judged is not None:
            self.put()
            self.verdict()
            if judged.foreseen and not judged.all_right:
                self.prose(self.text.feedback.get(judged.foreseen, ""))
        if record.phase == "ready" and (feedback := self.text.feedback.get(record.acted)):
            self.put()
            self.prose(feedback)
        if record.phase == "over" and self.step.kind == "fix":
            self.put()
            self.put(Span("✓ ", "ok"), Span(self.word("right"), "ok"))
        if record.phase == "over" and self.text.after:
            self.put()
            self.prose(self.text.after)
        if self.step.kind == "explain" and record.revealed:
            self.put()
            self.put(Span(self.word("show-answer"), "title"))
            self.prose(self.text.answer)

    def verdict(self) -> None:
        judged = self.record.judged
        assert judged is not None
        if judged.all_right:
            self.words(Span("✓ ", "ok"), Span(self.word("right"), "ok"), *self.fact("truth", judged.truth))
            self.right_order()
            return
        part = self.step.kind in TRIES and any(judged.right)
        self.put(Span("✗ ", "error"), Span(self.word("partly" if part else "wrong"), "error"))
        if self.step.kind == "predict":
            self.words(*self.fact("you-said", judged.given), lead="  ")
            self.words(*self.fact("truth", judged.truth), lead="  ")
        self.right_order()

    def right_order(self) -> None:
        judged = self.record.judged
        if judged is not None and self.step.kind == "order" and self.record.phase == "over":
            for number, name in enumerate(judged.truth, 1):
                self.words(*styled(self.option(name)), lead=f" {number}  ")

    def fact(self, label: Word, answer: Answer) -> list[Span]:
        if self.step.kind != "predict":
            return []
        shown_one = self._number if is_number(self.step) else self.option
        shown = ", ".join(map(shown_one, answer))
        colon = "：" if self.language == "zh" else ": "
        return [Span(f" {self.word(label)}{colon}", "dim"), Span(shown, "bold")]

    def _number(self, text: str) -> str:
        """A number as it was typed; the truth beside one in hexadecimal is in both notations."""
        judged = self.record.judged
        is_hex = judged is not None and any(part.strip().lower().startswith("0x") for part in judged.given)
        return f"{text} (0x{int(text):x})" if is_hex and text.isdecimal() else text

    def foot(self) -> None:
        """What can be done now."""
        record, step = self.record, self.step
        hints: list[Word] = []
        if record.phase == "ask":
            if record.judged is not None:
                hints.append("try-again")
            hints += how_to_answer(step, self.given)
        elif record.phase == "ready":
            hints.append("answer" if step.kind == "fix" else "go")
        elif step.kind == "explain" and not record.revealed:
            hints.append("think")
        elif record.phase in ("over", "read"):
            hints.append("finished" if self.player.is_last else "next")
        if record.phase in ("ask", "ready") and record.hints < len(self.text.hints):
            hints.append("more-hints" if record.hints else "first-hint")
        for name in hints:
            self.put()
            self.words(Span(self.word(name), "dim"))
