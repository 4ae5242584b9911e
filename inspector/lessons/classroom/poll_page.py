"""A prediction as a class sees it: the options, what was answered in both rounds as bars, then the truth.

Player and `Poll` -> `StepPage`. The words for a wrong answer stand below its bars once it has happened:
before, they would tell which answer is right.
"""

from __future__ import annotations

from inspector.lessons.classroom.poll import Poll, option_words, wrong_words
from inspector.lessons.format.page import page
from inspector.lessons.pages.step_page import StepPage, Writer
from inspector.lessons.pages.words import Word
from inspector.lessons.play.player import Player
from inspector.views.line.spans import Span, Style, cell_width, fit

_STAGES: dict[str, Word] = {"first": "poll-first", "talk": "poll-talk", "second": "poll-second",
                            "counted": "poll-counted", "told": "poll-counted"}
_FOOTS: dict[str, Word] = {"before": "poll-before", "first": "poll-close", "second": "poll-close",
                           "talk": "poll-open-2", "counted": "poll-happen"}
_LEAD, _MOST_BAR = 4, 40
_MOST_NUMBERS = 8                      # of numbers that were answered, the most frequent ones


def poll_page(player: Player, poll: Poll, language: str, width: int) -> StepPage:
    """The question that is seen, and how far the vote on it is."""
    return _PollWriter(player, language, width, poll).write()


class _PollWriter(Writer):
    """Writes one page."""

    def __init__(self, player: Player, language: str, width: int, poll: Poll) -> None:
        super().__init__(player, language, width, ())
        self.poll = poll
        self._bars_begin = 0
        judged = self.record.judged
        self.truth = judged.truth[0] if judged is not None and self.record.phase == "over" else None

    def outcome(self) -> None:
        """What is said when it has happened."""
        if self.record.phase == "running":
            self.put()
            self.put(Span(self.word("running"), "warning"))
        elif self.record.phase == "over" and self.text.after:
            self.put()
            self.prose(self.text.after)

    def write(self) -> StepPage:
        """The page; what comes last in it are the bars, with all that stands below."""
        page = super().write()
        page.news = self._bars_begin if self.poll.results_seen else 0
        return page

    def options(self) -> None:
        """Each answer, with its bars where they may be seen."""
        poll = self.poll
        if poll.stage in _STAGES:
            self._bars_begin = len(self.page.lines) + 1
            self.put()
            nobody = poll.results_seen and not poll.rounds
            self.words(Span(self.word("poll-nobody" if nobody else _STAGES[poll.stage]), "title"))
            if poll.is_open or poll.stage == "talk":
                count: Word = "poll-browsers" if poll.there else "poll-count"
                self.put(Span(self.word(count).format(poll.count, poll.there), "dim"))
        words = option_words(self.player.lesson, self.step, self.language)
        feedback = wrong_words(self.player, self.language) if self.truth is not None else {}
        for number, name in enumerate(self._answers(), 1):
            if number == 1 or poll.results_seen:
                self.put()
            self._option(number, name, words.get(name, name))
            if poll.results_seen:
                self._bars(name)
                if name != self.truth and name in feedback and any(
                        poll.tally(one).get(name) for one in poll.rounds):
                    self._words(feedback[name])

    def _answers(self) -> list[str]:
        """The options; of numbers nothing but their count is told while a round is open, then those given."""
        poll = self.poll
        if poll.options:
            return list(poll.options)
        if not poll.results_seen:
            return [one for one in poll.answers() if poll.hands(one) is not None]
        given = list(poll.answers()[:_MOST_NUMBERS])
        return given if self.truth is None or self.truth in given else [self.truth, *given]

    def _option(self, number: int, name: str, text: str) -> None:
        right = name == self.truth
        mark = "✓  " if right else f"{number}  " if self.poll.options else "   "
        hands = self.poll.hands(name) if self.poll.is_open else None
        shown = text if hands is None else f"{text}   {self.word('hands').format(hands)}"
        style: Style = "" if self.truth is None or right else "dim"
        for line_number, line in enumerate(page(shown, self.width - cell_width(mark) - 1)):
            lead = mark if line_number == 0 else " " * cell_width(mark)
            if self.record.phase == "ask":
                self.page.options[len(self.page.lines)] = name
            self.put(Span(" " + lead, "ok" if right else "key"),
                     *(Span(one.text, one.style or style) for one in line))

    def _bars(self, name: str) -> None:
        """A bar a round: which share of it gave this answer."""
        labels = {1: self.word("poll-alone"), 2: self.word("poll-discussed")}
        room = max(cell_width(label) for label in labels.values())
        full = min(max(self.width - _LEAD - room - 14, 6), _MOST_BAR)
        for number in self.poll.rounds:
            tally = self.poll.tally(number)
            count, total = tally.get(name, 0), sum(tally.values())
            cells = max(round(full * count / total), 1) if count else 0
            style: Style = "ok" if name == self.truth else "value" if self.truth is None else "warning"
            self.put(Span(" " * _LEAD), Span(fit(labels[number], room) + " ", "dim"),
                     Span("█" * cells + " " * (full - cells), style), Span(f" {count:>3}", "bold"),
                     Span(f"  {count / total:4.0%}" if total else "", "dim"))

    def _words(self, text: str) -> None:
        for line in page(text, self.width - _LEAD):
            self.put(Span(" " * _LEAD), *line)

    def foot(self) -> None:
        """What the teacher can do now."""
        foot: list[Word] = []
        if self.record.phase == "ask":
            number = self.poll.is_open and not self.poll.options
            foot.append("poll-close-number" if number else _FOOTS[self.poll.stage])
        elif self.record.phase == "over":
            foot.append("finished" if self.player.is_last else "next")
        for name in foot:
            self.put()
            self.words(Span(self.word(name), "dim"))
