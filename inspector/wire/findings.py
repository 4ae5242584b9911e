"""What is wrong with, or noteworthy in, the bytes: findings, and the books of rules behind them.

Decoders make a `Finding` of their protocol's `Rulebook`, with the stream's byte range; `trace/` adds the
conversation and the packets that carry those bytes (`Finding.at`); views and exports only show it.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, Self

from inspector.model.endpoint import Transport
from inspector.model.language import Sentence, sentence
from inspector.model.packets import Row

Severity = Literal["error", "warning", "note"]


MOST_ROWS = 30       # packets that a finding names


class Rule(NamedTuple):
    """A rule that can be seen kept or broken on the wire; `instead` says what should stand there."""

    id: str
    severity: Severity
    clause: str
    instead: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a rule is broken (or worth a word).

    `direction` is the end that sent the bytes (0: a to b, 1: b to a; None: no bytes to point at), [start,
    stop) their bytes in that direction's reassembled stream, and [bit_start, bit_stop) the offending bits,
    counted from the most significant bit of the byte at `start`. `text` is English, a Sentence that screens
    show in their language. `rows` are packet rows of the trace, the
    first one is where to look; `more_rows`: how many there are beside them. `stream` counts the conversations
    of `carrier`. `alike`: packets of further findings of the rule, of which this is the last one kept.
    """

    id: str
    severity: Severity
    clause: str
    text: str
    stream: int = -1
    rows: tuple[Row, ...] = ()
    direction: int | None = None
    start: int = 0
    stop: int = 0
    bit_start: int | None = None
    bit_stop: int | None = None
    carrier: Transport = "tcp"
    more_rows: int = 0
    alike: tuple[Row, ...] = ()

    def at(self, stream: int, rows: Iterable[Row]) -> Finding:
        """The same with its place in a trace: the first of the packets, and how many more there are."""
        kept = tuple(rows)
        more = self.more_rows + max(len(kept) - MOST_ROWS, 0)
        return replace(self, stream=stream, rows=kept[:MOST_ROWS], more_rows=more)


REPEATS = 1000       # findings of one rule and direction that are kept; the rest is counted,
PLACES = 100_000     # and of so many of these it is known where they are


@dataclass(slots=True)
class Folded:
    """Findings of a rule beyond those that are kept: how many, and where, each direction's for itself."""

    count: int = 0
    starts: tuple[array[int], array[int]] = field(default_factory=lambda: (array("q"), array("q")))

    def add(self, direction: int | None, starts: Sequence[int]) -> None:
        """Some more, which begin there."""
        self.count += len(starts)
        places = self.starts[direction or 0]
        if len(places) < PLACES:
            places.extend(starts[: PLACES - len(places)])


def joined(*several: Mapping[str, Folded]) -> dict[str, Folded]:
    """What several decoders of one connection have folded."""
    found: defaultdict[str, Folded] = defaultdict(Folded)
    for rule, one in (pair for each in several for pair in each.items()):
        found[rule].count += one.count
        for mine, theirs in zip(found[rule].starts, one.starts, strict=True):
            mine.extend(theirs)
    return found


class FirstFindings(list[Finding]):
    """The findings of one connection: of each rule and direction the first, and how many `more` there are."""

    def __init__(self) -> None:
        super().__init__()
        self.more: defaultdict[str, Folded] = defaultdict(Folded)         # by the rule's id
        self._kept: Counter[tuple[str, int | None]] = Counter()

    def full(self, rule: str, direction: int | None, start: int) -> bool:
        """Whether one more of a rule is only counted, which is done then: nobody needs to make it."""
        if self._kept[rule, direction] < REPEATS:
            return False
        self.more[rule].add(direction, (start,))
        return True

    def all_full(self, rules: tuple[str, ...], direction: int | None, starts: Sequence[int]) -> bool:
        """Whether more of each of the rules, beginning at `starts`, are only counted, which is done then."""
        if any(self._kept[rule, direction] < REPEATS for rule in rules):
            return False
        for rule in rules if len(starts) else ():
            self.more[rule].add(direction, starts)
        return True

    def append(self, one: Finding) -> None:
        """Keep or count a finding."""
        if not self.full(one.id, one.direction, one.start):
            self._kept[one.id, one.direction] += 1
            super().append(one)

    def __iadd__(self, found: Iterable[Finding]) -> Self:  # type: ignore[override, misc]
        for one in found:
            self.append(one)
        return self


def _as_sentence(text: str) -> Sentence:
    """The text as a sentence that has a translation, where catalogues know it."""
    return text if isinstance(text, Sentence) else sentence(text)


class Rulebook:
    """The rules of one protocol. `finding` makes findings of them, which only its own decoder does.

    Every protocol keeps its book beside its decoder; `protocols.RULES` lists the rules of all books.
    """

    def __init__(self, *rules: Rule) -> None:
        self.rules = rules
        self._by_id = {rule.id: rule for rule in rules}

    def finding(
        self,
        rule_id: str,
        what: str,
        direction: int | None = None,
        start: int = 0,
        stop: int = 0,
        bits: tuple[int, int] | None = None,
        instead: str = "",
    ) -> Finding:
        """A finding of one of the rules: `what` is a sentence; `instead` replaces the rule's own remedy.

        KeyError for an id that is not in the book (a mistake of the caller, never of the data).
        """
        rule = self._by_id[rule_id]
        text, remedy = _as_sentence(what), instead or rule.instead
        return Finding(
            rule.id, rule.severity, rule.clause,
            sentence("{what} {remedy}", what=text, remedy=_as_sentence(remedy)) if remedy else text,
            direction=direction, start=start, stop=stop,
            bit_start=bits[0] if bits else None, bit_stop=bits[1] if bits else None,
        )
