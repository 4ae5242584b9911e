"""Which request a response answers: the oldest without an answer (RFC 9112 §9.3.2), if none may be missing.

Where the capture may lack requests stands an `_Unseen` among those that wait: how many may be there, at least
and at most. What answers one of these is paired with nothing. Where there may be none the next request is
taken, as long as the client waits for each answer; what later contradicts that takes back all pairs since.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

ENDLESS = 1 << 60
_SHORTEST = len(b"GET / HTTP/1.0\r\n\r\n")


@dataclass(slots=True)
class _Unseen:
    """Requests without an answer that were not captured: at least `low`, at most `high`.

    They were sent before request `before` (the number that the next message had). `pairs`: answers that were
    paired since, as if none of them were left.
    """

    before: int
    low: int
    high: int
    pairs: list[int] = field(default_factory=list)


class Pairing:
    """Requests (by their numbers) and answers of one connection, in the order in which they came.

    `whole`: no request was sent before the first one. `sure` tells of the last answer whether it is certain
    what it answers.
    """

    def __init__(self, whole: bool) -> None:
        self.waiting: deque[int] = deque()       # requests without a final answer
        self.sure = True
        self._unseen = [] if whole else [_Unseen(0, 0, ENDLESS)]
        self._ahead = 0                          # answers before whose requests a hole will be met
        self._pipelined = False                  # the client does not wait for each answer

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
        for one in self._before_first():
            if one.low:
                return None
            if self._pipelined or len(self.waiting) > 1:
                return None
        return self.waiting[0] if self.waiting else None

    def answer(self, number: int, asked: int | None, *, hidden: bool) -> list[int]:
        """A final answer came to `asked`; given back are answers whose pairs are in doubt now."""
        if asked is not None:
            for one in self._before_first():
                one.pairs.append(number)
            self._pipelined = self._pipelined or len(self.waiting) > 1
            self.waiting.popleft()
            return []
        if hidden and not self.waiting and not any(one.low for one in self._unseen):
            self._ahead += 1
            return []
        first = next((one for one in self._unseen if one.low), None)
        if first is not None and first in self._before_first():
            return self._take(first, [])
        if self.waiting:
            return self._give_up(number)
        return self._take(self._unseen[-1], self._unseen[-1].pairs) if self._unseen else []

    def _before_first(self) -> list[_Unseen]:
        """What may have been asked before the first request that waits."""
        if not self.waiting:
            return self._unseen
        return [one for one in self._unseen if one.before <= self.waiting[0]]

    def _take(self, one: _Unseen, wrong: list[int]) -> list[int]:
        """An answer went to one of the unseen; `wrong`: answers that were paired as if there was none."""
        one.low, one.high = max(one.low - 1, 0), one.high - (one.high < ENDLESS)
        if wrong:
            self._pipelined, one.pairs = True, []
        if one.high <= 0:
            self._unseen.remove(one)
        return wrong

    def _give_up(self, number: int) -> list[int]:
        """It is not known which of several was answered: none of them is paired."""
        self._pipelined = True
        wrong = [pair for one in self._before_first() for pair in one.pairs]
        low = sum(one.low for one in self._unseen) + len(self.waiting) - 1
        high = min(sum(one.high for one in self._unseen) + len(self.waiting) - 1, ENDLESS)
        self.waiting.clear()
        self._unseen = [_Unseen(number, low, high)] if high else []
        return wrong

    def miss_requests(self, number: int, size: int, *, begins: bool) -> None:
        """`size` bytes of the client are missing before message `number`; `begins`: with a request."""
        low = int(begins)
        high = ENDLESS if size >= ENDLESS else max(size // _SHORTEST, low)
        low, high = max(low - self._ahead, 0), high - self._ahead * (high < ENDLESS)
        self._ahead = 0
        if high > 0:
            self._unseen.append(_Unseen(number, low, high))

    def miss_answers(self, number: int) -> None:
        """Of what waits some were answered that the capture lacks, before message `number`."""
        high = min(sum(one.high for one in self._unseen) + len(self.waiting), ENDLESS)
        self.waiting.clear()
        self._unseen = [_Unseen(number, 0, high)] if high else []
