"""Conversations decoded by turns, for a screen that never waits: some packets at a time, the visible first.

Whoever asks for a conversation gets it as far as it was decoded, as one of a capture that still grows, and
the rest is noted as `wanted`; `Trace.advance` goes on with it between keys. Commands have no turns: they get
all of a conversation at once.

On the loop and not beside it: what is decoded is some ten objects a packet, which a process of its own would
have to pickle and the loop to read again, and a thread holds the interpreter's lock as long as it decodes.
A turn of some milliseconds needs neither.
"""

from __future__ import annotations

from collections.abc import Callable

AT_ONCE = 64             # packets that are decoded for who asks, between two turns: some 3 ms
FIRST = 16               # and of a conversation that nobody asked for before
STEP = 128               # packets of a turn between looks at the clock, at most
LONG = 0.003             # seconds of such a step after which the next ones are shorter


class UndecodedError(Exception):
    """All of a conversation is needed, which is not decoded yet: `Trace.advance(stream, …)`, then again."""

    def __init__(self, stream: int) -> None:
        super().__init__(stream)
        self.stream = stream


class Turns:
    """What may be decoded now, and what is to be decoded when there is time.

    `strict`: a conversation that is not whole is `UndecodedError`, for who must not judge by a part.
    """

    def __init__(self) -> None:
        self.left = AT_ONCE
        self.strict = False
        self.step = 16
        self.wanted: dict[int, None] = {}            # conversations, who was asked for last stands last
        self.on_wanted: Callable[[], None] = lambda: None

    def grant(self, fresh: int, taken: int) -> int:
        """How many of `fresh` packets a conversation may take now that has taken so many before."""
        given = min(fresh, max(self.left, 0 if taken else FIRST))
        self.left -= given
        return given

    def took(self, seconds: float) -> None:
        """A step took so long: what costs much a packet (a bomb in each) is decoded in shorter ones."""
        self.step = max(self.step // 2, 1) if seconds > LONG else min(self.step + self.step // 2 + 1, STEP)

    def want(self, stream: int) -> None:
        """Note that there is more to decode of a conversation that is looked at."""
        first = not self.wanted
        self.wanted.pop(stream, None)
        self.wanted[stream] = None
        if first:
            self.on_wanted()

    def next(self) -> int | None:
        """The conversation that was asked for last; None where there is none."""
        return next(reversed(self.wanted), None)
