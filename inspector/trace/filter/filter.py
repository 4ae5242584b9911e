"""The display filter: text -> tree -> tests -> rows of a trace, in steps that can be watched and ended.

`Filter` checks the text once. `Evaluation` goes over a trace's packets block by block: fast where columns
answer, slower where bytes must be read; it goes on where a trace has grown.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from inspector.model.packets import Row
from inspector.trace.filter.calls import asks_calls, call_matches
from inspector.trace.filter.syntax import FilterError, Parser
from inspector.trace.filter.tests import compile_tree
from inspector.trace.flows.turns import UndecodedError
from inspector.trace.index.columns import Growing
from inspector.trace.index.conversations import by_stream
from inspector.wire.arrays import Bools, Int32s, Int64s

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

__all__ = ["Evaluation", "Filter", "FilterError"]

_BLOCK, _DEEP_BLOCK = 1 << 18, 64        # packets a step: both take about a millisecond
_REGION = 1 << 20                        # packets that are looked at conversation by conversation
_DECODING = 0.004                        # seconds a step, where a conversation has to be decoded first


class Filter:
    """A display filter that was found right; FilterError (with its place) where `text` is wrong."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tree = Parser(text).parse()
        self.test = compile_tree(self._tree, text)

    @property
    def deep(self) -> bool:
        """Whether columns alone cannot answer it, so that it takes time over many packets."""
        return self.test.deep

    @property
    def asks_calls(self) -> bool:
        """Whether it names system calls or a field of theirs."""
        return asks_calls(self._tree)

    def evaluate(self, trace: Trace) -> Evaluation:
        """Begin to go over the packets of `trace`."""
        return Evaluation(self, trace)

    def rows(self, trace: Trace, progress: Callable[[float], bool | None] | None = None) -> Int64s:
        """Rows of the packets that it lets through, in order.

        `progress` is told the part done, 0 to 1, from time to time; where it answers False, that is the end,
        and the rows found so far are returned.
        """
        evaluation = self.evaluate(trace)
        while not evaluation.step():
            if progress is not None and progress(evaluation.progress) is False:
                break
        return evaluation.rows

    def matches(self, trace: Trace, row: Row) -> bool:
        """Whether it lets packet `row` through."""
        return bool(self.test.mask(trace, slice(row, row + 1))[0])

    def calls(self, trace: Trace) -> list[int]:
        """Which of `trace.calls` it lets through: `syscall`, and comparisons of a call's own fields."""
        return [place for place, call in enumerate(trace.calls) if call_matches(self._tree, call)]


class Evaluation:
    """One way over the packets of a trace. `rows` are those found so far, in order.

    `in_part`: (protocol, packet) of messages so large that their beginning alone was looked at.
    """

    def __init__(self, filter: Filter, trace: Trace) -> None:
        self.text = filter.text
        self._test = filter.test
        self._trace = trace
        self._awaited: int | None = None     # the conversation that has to be decoded before it goes on
        self.in_part: set[tuple[str, Row]] = set()
        trace.searched_in_part = self.in_part
        self._found = Growing(np.int64, room=trace.index.count)
        self.position = 0                    # packets looked at, all before it
        self._region: Int64s = np.zeros(0, "i8")         # packets from there on, by conversation,
        self._stream: Int32s = np.zeros(0, "i4")         # of each its conversation,
        self._place = 0                                  # how many of them were looked at,
        self._passing: Bools = np.zeros(0, np.bool_)     # and which pass
        self._in_order: tuple[int, Int64s] = 0, self._found.values

    @property
    def rows(self) -> Int64s:
        """Rows found so far."""
        if not self._place:
            return self._found.values
        if self._in_order[0] != self._place:
            more = np.flatnonzero(self._passing) + self.position
            self._in_order = self._place, np.concatenate((self._found.values, more))
        return self._in_order[1]

    @property
    def progress(self) -> float:
        """Which part of the packets was looked at, 0 to 1."""
        count = self._trace.index.count
        return (self.position + self._place) / count if count else 1.0

    @property
    def decoded(self) -> float | None:
        """Which part is decoded of the conversation that it waits for, 0 to 1; None: it waits for none."""
        return None if self._awaited is None else self._trace.share(self._awaited)

    @property
    def lacks(self) -> bool:
        """Whether it asks what packets carry, of which the capture cut some off."""
        return self._test.deep and bool(self._trace.cut)

    @property
    def done(self) -> bool:
        """Whether every packet that was read so far was looked at."""
        return self.position >= self._trace.index.count

    def step(self) -> bool:
        """Look at the next block of packets; whether that was the last one for now."""
        if self._test.deep:
            return self._deep_step()
        stop = min(self.position + _BLOCK, self._trace.index.count)
        if stop > self.position:
            self._trace.searched_in_part = self.in_part
            mask = self._test.mask(self._trace, slice(self.position, stop))
            self._found.extend(np.flatnonzero(mask) + self.position)
            self.position = stop
        return self.done

    def _deep_step(self) -> bool:
        """The same for what has to be decoded: conversation by conversation, each is decoded once."""
        self._trace.let_dropped_go()           # many conversations are decoded for one filter
        if self._place == len(self._region):
            self._begin_region()
        block = np.sort(self._region[self._place : self._stop()])
        try:
            with self._trace.strictly():
                mask = self._test.mask(self._trace, block)
        except UndecodedError as one:
            self._awaited = one.stream
            self._trace.advance(one.stream, _DECODING)
            return False
        self._awaited = None
        self._passing[block[mask] - self.position] = True
        self._place += len(block)
        if self._place == len(self._region):
            self._found.extend(np.flatnonzero(self._passing) + self.position)
            self.position += len(self._region)
            self._region, self._place = self._region[:0], 0
        return self.done

    def _stop(self) -> int:
        """Where the next block ends: within a large conversation, or behind some small ones.

        One that is large shares no block: together they may be more than is kept, and drive each other out.
        """
        place, stream = self._place, self._stream
        if place >= len(stream):
            return place

        def bounds(at: int) -> tuple[int, int]:
            return int(np.searchsorted(stream, stream[at])), int(np.searchsorted(stream, stream[at], "right"))

        start, stop = bounds(place)
        if stop - start > _DEEP_BLOCK:
            return min(place + _DEEP_BLOCK, stop)
        while stop < min(place + _DEEP_BLOCK, len(stream)):
            start, end = bounds(stop)
            if end - start > _DEEP_BLOCK:
                break
            stop = end
        return stop

    def _begin_region(self) -> None:
        index, start = self._trace.index, self.position
        stop = min(start + _REGION, index.count)
        order = by_stream(index.stream[start:stop])
        self._region, self._stream = order + start, index.stream[start:stop][order]
        self._passing = np.zeros(stop - start, np.bool_)

    def run(self, seconds: float) -> bool:
        """Step for at most about `seconds`; whether all was looked at. Call again to go on."""
        end = time.monotonic() + seconds
        while not self.step():
            if time.monotonic() >= end:
                return False
        return True
