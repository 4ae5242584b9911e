"""What was made of single conversations, kept and brought up to date when more packets have come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Growing(Protocol):
    """Something that goes on where its trace has grown."""

    def update(self) -> object:
        """Take the packets that came since the last time, or since it was made."""


T = TypeVar("T", bound=Growing)


class Kept(Generic[T]):
    """Things by their conversation's number, made by `make` when first asked for."""

    def __init__(self, make: Callable[[int], T]) -> None:
        self._make = make
        self._things: dict[int, tuple[int, T]] = {}      # packets of the trace when it was updated, thing

    def __contains__(self, stream: int) -> bool:
        return stream in self._things

    def of(self, stream: int, count: int) -> T:
        """The thing of conversation `stream`, up to date with a trace of `count` packets."""
        seen, thing = self._things.get(stream) or (-1, self._make(stream))
        if seen != count:
            thing.update()
            self._things[stream] = count, thing
        return thing
