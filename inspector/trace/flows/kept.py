"""What was made of single conversations, kept and brought up to date when more packets have come.

What was asked for longest ago is given back where all of it takes more than a budget; it is made again from
the file when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

BUDGET = 256 << 20       # bytes, about, that is kept of decoded conversations


class Growing(Protocol):
    """Something that goes on where its trace has grown; it is made up to date."""

    def update(self) -> object:
        """Take the packets that came since the last time, or since it was made."""


T = TypeVar("T", bound=Growing)


class Kept(Generic[T]):
    """Things by their conversation's number, made by `make` when first asked for.

    `cost` says about how many bytes a thing takes; where they pass `budget`, `drop` is called with each that
    is given back.
    """

    def __init__(self, make: Callable[[int], T], cost: Callable[[T], int] = lambda thing: 0,
                 drop: Callable[[T], object] = lambda thing: None, budget: int = BUDGET) -> None:
        self._make, self._cost, self._drop, self._budget = make, cost, drop, budget
        # Packets of the trace when it was updated, thing, cost; who was asked for last stands last.
        self._things: dict[int, tuple[int, T, int]] = {}
        self._cost_kept = 0

    def __contains__(self, stream: int) -> bool:
        return stream in self._things

    def of(self, stream: int, count: int) -> T:
        """The thing of conversation `stream`, up to date with a trace of `count` packets."""
        known = self._things.pop(stream) if stream in self._things else None
        seen, thing, cost = known or (-1, self._make(stream), 0)
        if seen != count:
            if known is not None:             # what was just made is up to date
                thing.update()
            self._cost_kept -= cost
            cost = self._cost(thing)
            self._cost_kept += cost
        self._things[stream] = count, thing, cost
        self._give_back()
        return thing

    def so_far(self, stream: int) -> T | None:
        """The thing of a conversation as it was left, None where there is none."""
        known = self._things.get(stream)
        return None if known is None else known[1]

    def weigh(self, stream: int) -> None:
        """What a thing takes is more than before."""
        count, thing, cost = self._things[stream]
        self._things[stream] = count, thing, self._cost(thing)
        self._cost_kept += self._things[stream][2] - cost
        self._give_back()

    def _give_back(self) -> None:
        while self._cost_kept > self._budget and len(self._things) > 1:
            oldest = next(iter(self._things))
            _, thing, cost = self._things.pop(oldest)
            self._cost_kept -= cost
            self._drop(thing)

    def known(self, stream: int) -> T | None:
        """The thing of conversation `stream` as it was last seen, None where there is none."""
        return self._things[stream][1] if stream in self._things else None

    def allow(self, budget: int) -> None:
        """Keep so many bytes, about, from now on."""
        self._budget = budget
        self._give_back()

    def clear(self) -> None:
        """Give back all of them."""
        self._things.clear()
        self._cost_kept = 0

    def forget(self, stream: int) -> None:
        """Give back the thing of a conversation, where there is one."""
        found = self._things.pop(stream, None)
        self._cost_kept -= found[2] if found else 0
