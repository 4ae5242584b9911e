"""What a learner sees in the browser while the class is asked: question, options, then what it was."""

from __future__ import annotations

from inspector.lessons.classroom.ballot import Ballot
from inspector.lessons.format.page import page, wrapped_spans
from inspector.lessons.pages.step_page import StepPage
from inspector.lessons.pages.words import Word, word
from inspector.views.line.spans import Span, Style, cell_width

_MARGIN = 1


def vote_page(ballot: Ballot | None, choice: str | None, language: str, width: int) -> StepPage:
    """The page. `choice`: the learner's own answer in the round that is, or was last; None without one."""
    written = _VotePage(language if ballot is None else ballot.language, width)
    if ballot is None:
        written.add(Span(word(written.language, "vote-wait"), "dim"))
    else:
        written.ballot(ballot, choice)
    return written.page


class _VotePage:
    def __init__(self, language: str, width: int) -> None:
        self.language, self.width = language, max(width - 2 * _MARGIN, 12)
        self.page = StepPage()

    def put(self, *spans: Span) -> None:
        self.page.lines.append((Span(" " * _MARGIN), *spans) if spans else ())

    def add(self, *spans: Span) -> None:
        for line in wrapped_spans(list(spans), self.width):
            self.put(*line)

    def prose(self, text: str) -> None:
        for line in page(text, self.width):
            self.put(*line)

    def word(self, name: Word) -> str:
        return word(self.language, name)

    def ballot(self, ballot: Ballot, choice: str | None) -> None:
        self.add(Span(self.word("vote-round").format(ballot.round), "title"))
        self.put()
        self.prose(ballot.question)
        self._options(ballot, choice)
        self.put()
        if ballot.state == "told":
            self._truth(ballot, choice)
            return
        if choice is not None:
            self.add(Span(f"▸ {self.word('vote-own')}{self._colon}", "key"),      # it may be wrong
                     Span(_in_a_line(ballot, choice), "bold"))
        states: dict[str, Word] = {"open": "vote-number" if ballot.asks_number else "vote-open",
                                   "closed": "vote-closed"}
        self.add(Span(self.word(states[ballot.state]), "dim"))

    @property
    def _colon(self) -> str:
        return "：" if self.language == "zh" else ": "

    def _options(self, ballot: Ballot, choice: str | None) -> None:
        for number, (name, text) in enumerate(ballot.options, 1):
            if number == 1:
                self.put()
            right = ballot.state == "told" and name == ballot.truth
            mark = f"{'✓' if right else number}  "
            style: Style = "bold" if name == choice else "dim" if ballot.state != "open" else ""
            for line_number, line in enumerate(page(text, self.width - cell_width(mark) - 1)):
                lead = mark if line_number == 0 else " " * cell_width(mark)
                if ballot.state == "open":
                    self.page.options[len(self.page.lines)] = name
                self.put(Span(" " + lead, "ok" if right else "key"),
                         *(Span(one.text, one.style or style) for one in line))

    def _truth(self, ballot: Ballot, choice: str | None) -> None:
        right = choice == ballot.truth
        if choice is not None:
            self.add(Span("✓ " if right else "✗ ", "ok" if right else "error"),
                     Span(self.word("right" if right else "wrong"), "ok" if right else "error"),
                     Span(f" {self.word('you-said')}{self._colon}", "dim"),
                     Span(_in_a_line(ballot, choice), "bold"))
        self.add(Span(f"{self.word('truth')}{self._colon}", "dim"),
                 Span(_in_a_line(ballot, ballot.truth), "bold"))
        if choice is not None and not right and choice in ballot.words:
            self.put()
            self.prose(ballot.words[choice])


def _in_a_line(ballot: Ballot, answer: str) -> str:
    """An option's text, which may be of several lines; a number as it is."""
    return " ".join(dict(ballot.options).get(answer, answer).splitlines())
