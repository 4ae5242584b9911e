"""Which request a response answers: the oldest without an answer (RFC 9112 §9.3.2), if none may be missing.

Where the capture may lack requests stands an `_Unseen` among those that wait: how many may be there, at least
and at most. What answers one of these is paired with nothing. Where there may be none the next request is
taken, as long as the client waits for each answer; what later contradicts that takes back all pairs since.
A capture may lack thousands of pieces: each answer looks at the first and the last of these places alone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

ENDLESS = 1 << 60
_SHORTEST = len(b"GET / HTTP/1.0\r\n\r\n")


@dataclass(slots=True, eq=False)
class _Unseen:
    """Requests without an answer that were not captured: at least `low`, at most `high`; 0: none any more.

    They were sent before request `before` (the number that the next message had). `since`: of the answers
    that were paired (`Pairing._paired`) the first one that was paired as if none of them were left; -1: none.
    """

    before: int
    low: int
    high: int
    since: int = -1


class Pairing:
    """Requests (by their numbers) and answers of one connection, in the order in which they came.

    `whole`: no request was sent before the first one. `sure` tells of the last answer whether it is certain
    what it answers. `steps` counts the places that were looked at.
    """

    def __init__(self, whole: bool) -> None:
        self.waiting: deque[int] = deque()       # requests without a final answer
        self.sure = True
        self.steps = 0
        self._unseen: deque[_Unseen] = deque()   # in order of `before`
        self._certain: deque[_Unseen] = deque()  # those of them of which some are there for sure
        self._later: deque[_Unseen] = deque()    # those that no answer was paired in spite of, so far
        self._paired: list[int] = []
        self._ahead = 0                          # answers before whose requests a hole will be met
        self._pipelined = False                  # the client does not wait for each answer
        if not whole:
            self._add(_Unseen(0, 0, ENDLESS))

    @property
    def doubted(self) -> bool:
        """Whether requests may be missing among those that wait."""
        return bool(self._unseen)

    def ask(self, number: int) -> None:
        """A request came."""
        self.waiting.append(number)

    def asked_by(self, *, hidden: bool) -> int | None:
        """The request that an answer that begins now is for; None: it was not captured, or is not known.

        `hidden`: the client had sent bytes before it that the capture lacks.
        """
        self.sure = not self._unseen and not (hidden and not self.waiting)
        if self._unseen and self._is_before_first(self._unseen[0]) and (
                self._pipelined or len(self.waiting) > 1 or self._first_certain() is not None):
            return None
        return self.waiting[0] if self.waiting else None

    def answer(self, number: int, asked: int | None, *, hidden: bool) -> list[int]:
        """A final answer came to `asked`; given back are answers whose pairs are in doubt now."""
        if asked is not None:
            self._pair(number)
            return []
        if hidden and not self.waiting and not self._certain:
            self._ahead += 1
            return []
        first = self._first_certain()
        if first is not None:
            return self._take(first, [])
        if self.waiting:
            return self._give_up(number)
        return self._take(self._unseen[-1], self._pairs_since(self._unseen[-1].since)) if self._unseen else []

    def _pair(self, number: int) -> None:
        """Answer `number` is for the first request that waits, as if none before it were left."""
        while self._later and self._is_before_first(self._later[0]):
            self.steps += 1
            self._later.popleft().since = len(self._paired)
        if self._unseen:
            self._paired.append(number)
        self._pipelined = self._pipelined or len(self.waiting) > 1
        self.waiting.popleft()

    def _is_before_first(self, one: _Unseen) -> bool:
        """Whether these may have been asked before the first request that waits."""
        return not self.waiting or one.before <= self.waiting[0]

    def _first_certain(self) -> _Unseen | None:
        """The first of which some are there for sure, if they were asked before the first that waits."""
        while self._certain and not self._certain[0].low:
            self.steps += 1
            self._certain.popleft()
        return self._certain[0] if self._certain and self._is_before_first(self._certain[0]) else None

    def _pairs_since(self, since: int) -> list[int]:
        return self._paired[since:] if since >= 0 else []

    def _add(self, one: _Unseen) -> None:
        for places in (self._unseen, self._later, *([self._certain] if one.low else [])):
            places.append(one)

    def _take(self, one: _Unseen, wrong: list[int]) -> list[int]:
        """An answer went to one of the unseen; `wrong`: answers that were paired as if there was none."""
        one.low, one.high = max(one.low - 1, 0), one.high - (one.high < ENDLESS)
        if wrong:
            self._pipelined, one.since = True, len(self._paired)
        self._first_certain()
        for places in (self._unseen, self._later):
            while places and places[0].high <= 0:
                self.steps += 1
                places.popleft()
            while places and places[-1].high <= 0:
                self.steps += 1
                places.pop()
        if not self._unseen:
            self._paired.clear()
        return wrong

    def _replace_all(self, number: int, low: int, high: int) -> None:
        """Of what waits, and was not captured, so many may be left: it is not known which."""
        self.waiting.clear()
        for places in (self._unseen, self._later, self._certain):
            places.clear()
        self._paired.clear()
        if high:
            self._add(_Unseen(number, low, high))

    def _sums(self) -> tuple[int, int]:
        """How many of all the unseen there are, at least and at most."""
        self.steps += len(self._unseen)
        return sum(one.low for one in self._unseen), sum(one.high for one in self._unseen)

    def _give_up(self, number: int) -> list[int]:
        """It is not known which of several was answered: none of them is paired."""
        self._pipelined = True
        known = [one.since for one in self._unseen
                 if one.since >= 0 and one.high and self._is_before_first(one)]
        wrong = self._pairs_since(min(known, default=-1))
        low, high = self._sums()
        rest = len(self.waiting) - 1
        self._replace_all(number, low + rest, min(high + rest, ENDLESS))
        return wrong

    def miss_requests(self, number: int, size: int, *, begins: bool) -> None:
        """`size` bytes of the client are missing before message `number`; `begins`: with a request."""
        low = int(begins)
        high = ENDLESS if size >= ENDLESS else max(size // _SHORTEST, low)
        low, high = max(low - self._ahead, 0), high - self._ahead * (high < ENDLESS)
        self._ahead = 0
        if high > 0:
            self._add(_Unseen(number, low, high))

    def miss_answers(self, number: int) -> None:
        """Of what waits some were answered that the capture lacks, before message `number`."""
        high = min(self._sums()[1] + len(self.waiting), ENDLESS)
        self._replace_all(number, 0, high)
