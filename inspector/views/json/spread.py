"""Work on many conversations, part by part: here, one after the other (`map`), or in several processes.

A view says what is to be done with a part, and `Spread` who does it; results come in order of the parts. What
columns tell is done sooner than handed round: only conversations that are walked one by one are worth it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from inspector.model.numbers import TCP
from inspector.wire.arrays import Int64s

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

Part = TypeVar("Part")
Result = TypeVar("Result")
_CONVERSATIONS, _PACKETS = 1024, 1 << 17      # of a part, at most (but one conversation at least)
_LEAST = 200_000         # packets that are walked, from which on processes are worth their start


class Spread(Protocol):
    """What does `do` with each of some parts."""

    def __call__(self, do: Callable[[Part], Result], parts: Sequence[Part], /) -> Iterator[Result]: ...


def parts_of(packets: Int64s) -> list[slice]:
    """Conversations that have so many packets, some at a time."""
    ends, found, start = np.cumsum(packets), [], 0
    while start < len(ends):
        before = int(ends[start - 1]) if start else 0
        stop = int(np.searchsorted(ends, before + _PACKETS, "right"))
        stop = min(max(stop, start + 1), start + _CONVERSATIONS)
        found.append(slice(start, stop))
        start = stop
    return found


def worth(trace: Trace, streams: Int64s, packets: Int64s, spread: Spread) -> Spread:
    """`spread` where so much of these TCP conversations is walked that it is worth it, else `map`."""
    plain = trace.known.plain_conversations()
    if plain is None or int(packets[plain.irregular(streams)].sum()) < _LEAST:
        return map
    return spread


def packets_of(trace: Trace, streams: Int64s) -> Int64s:
    """How many packets each of some TCP conversations has."""
    index = trace.index
    mine = index.stream[(index.protocol == TCP) & (index.stream >= 0)]
    found: Int64s = np.bincount(mine, minlength=len(index.streams[TCP]))[streams]
    return found
