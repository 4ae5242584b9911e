"""Messages that answer each other as JSON lines, many at a time: the same as `messages` gives as objects.

Blocks of conversations, in order of their first packets -> columns of records -> what comes before all the
conversations still to be read is sorted, numbered and printed. Records of plain conversations that are alike
share the text of their fields; all others are told one by one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from inspector.model.numbers import TCP
from inspector.protocols.api import Protocol
from inspector.trace.application.plain import LooseOne, PlainBlock
from inspector.trace.index.columns import Growing
from inspector.views.json.messages import (
    Entry,
    ObjectNumber,
    decoded_records,
    fields_of,
    object_number,
    object_of,
    pair_of,
    streams_of,
)
from inspector.wire.arrays import Bools, Int64s, Objects

if TYPE_CHECKING:
    from inspector.trace.flows.together.partly import Packets
    from inspector.trace.flows.together.spoken import Block
    from inspector.trace.trace import Trace

_TEXTS = 4096            # records whose text is kept, as others may be alike
_TOGETHER = 1 << 13      # records that are printed together
_FEW = 256               # records for which those that wait are not sorted anew
_NOTHING = -1            # the partner of a record that has none
_encode: Callable[[Any], str] = json.JSONEncoder(ensure_ascii=True).encode


def paired_lines(trace: Trace, protocol: Protocol, rows: Int64s | None = None) -> Iterator[list[str]]:
    """One JSON object a record of `protocol`; with `rows` only those that touch one of these packets."""
    plain, waiting = trace.known.plain_conversations(), _Waiting(trace, protocol, rows)
    streams = np.array(streams_of(trace, None), np.int64)
    first = trace.index.streams[TCP].first_row[streams]
    order = np.argsort(first, kind="stable")
    taken = np.zeros(len(trace.index.streams[TCP]), np.bool_)
    for stream, begins in zip(streams[order].tolist(), first[order].tolist(), strict=True):
        if taken[stream]:
            continue
        if waiting.fresh >= max(_FEW, waiting.old):
            yield from waiting.ready(begins)
        place = -1 if plain is None else plain.place(stream)
        if plain is None or place < 0:
            waiting.add_other(stream)
            continue
        block = plain.block(place)
        members = plain.streams[place : place + len(block.parsed)]
        taken[members] = True
        waiting.add_block(block, members)
    yield from waiting.ready(trace.index.count)


@dataclass(slots=True)
class _Records:
    """Records as columns. `key`: the row by which they are listed, in order of which they stand once sorted.

    `last`: the row of its last packet; `number`: which one it is of all that came; `partner`: which one
    answers it, or is answered by it. `text`:
    its fields as JSON, or the record itself where it is told by itself. `frames`: the numbers of its packets
    as text, "" where it is that of `key` alone. `chosen`: whether it is printed.
    """

    key: Int64s
    last: Int64s
    stream: Int64s
    number: Int64s
    partner: Int64s
    start_ns: Int64s
    end_ns: Int64s
    chosen: Bools
    text: Objects
    frames: Objects

    def at(self, places: slice | Int64s) -> _Records:
        """The records at these places."""
        return _Records(*[getattr(self, name)[places] for name in self.__slots__])

    def __len__(self) -> int:
        return len(self.key)


def _joined(parts: list[_Records]) -> _Records:
    columns = ([getattr(part, name) for part in parts] for name in _Records.__slots__)
    return parts[0] if len(parts) == 1 else _Records(*map(np.concatenate, columns))


def _objects(values: Sequence[Any]) -> Objects:
    return np.fromiter(values, object, len(values))


def _frames(rows: Int64s, bounds: Int64s, turns: Int64s) -> Objects:
    """The numbers of each turn's packets as text, "" where it has one packet; turns begin at `bounds`."""
    found = _objects([""] * len(turns))
    for place in np.flatnonzero(np.diff(bounds)[turns] > 1).tolist():
        turn = turns[place]
        numbers = rows[bounds[turn] : bounds[turn + 1]] + 1
        found[place] = ", ".join(map(str, numbers.tolist()))
    return found


class _Decoded(NamedTuple):
    """A record of a conversation that was decoded; its partner by its position, itself where it has none."""

    entry: Entry
    partner: int


class _Waiting:
    """The records that came and are not printed, since some still to come may belong before them.

    `fresh` came since they were looked through last, `old` before.
    """

    def __init__(self, trace: Trace, protocol: Protocol, rows: Int64s | None) -> None:
        self._trace, self._protocol = trace, protocol
        self._all = rows is None
        self._chosen = np.full(trace.index.count, self._all, np.bool_)
        if rows is not None:
            self._chosen[rows] = True
        self._texts: dict[Any, str] = {}
        self._parts: list[_Records] = []
        self._decoded: list[tuple[int, int, _Decoded]] = []      # number, that of its partner, record
        self._loose: list[tuple[int, int, LooseOne]] = []        # number of the first record, conversation
        self._printed = 0
        self._came = 0                                   # records so far
        self._numbers = Growing(np.uint32)      # of each that came the one it is printed with, or 0
        self._ends = Growing(np.int64)       # of each that came the time of its last packet,
        self._lasts = Growing(np.uint32)        # and its row
        self.fresh = self.old = 0

    # --- what comes ----------------------------------------------------------------------------------

    def add_other(self, stream: int) -> None:
        """Take the records of a conversation that is not plain by columns."""
        one = None if self._protocol.scan is None else self._trace.known.loose(stream)
        if one is not None:
            self._add_loose(stream, one)
            return
        if self._trace.known.is_strange(stream):
            return
        block = None if self._protocol.scan is None else self._trace.known.exchanged(stream)
        if block is not None:
            self.add_block(block, np.array([stream]))
        else:
            self._add_decoded(stream)

    def _add_decoded(self, stream: int) -> None:
        """Take the records of a conversation that has to be decoded."""
        layer, base, count = -1, 0, 0
        for entry in decoded_records(self._trace, self._protocol, stream):
            decoder, position = entry.layer.decoder, entry.position
            if entry.place != layer:
                layer, base, count = entry.place, self._came, len(decoder.records)
            partner = decoder.partner(position)
            partner = position if partner is None or partner >= count else partner
            number = _NOTHING if partner == position else base + partner
            self._decoded.append((self._came, number, _Decoded(entry, partner)))
            self._came += 1
            self.fresh += 1

    def _take_decoded(self) -> None:
        """Make columns of those that were decoded."""
        if not self._decoded:
            return
        numbers, partners, records = zip(*self._decoded, strict=True)
        self._decoded = []
        entries = [record.entry for record in records]
        nothing = np.zeros(len(entries), np.int64)
        chosen = [self._all or bool(self._chosen[list(entry.rows)].any()) for entry in entries]
        self._parts.append(_Records(
            np.array([entry.key for entry in entries]),
            np.array([max(entry.rows, default=-1) for entry in entries]),
            np.array([entry.stream for entry in entries]),
            np.array(numbers), np.array(partners), nothing, nothing, np.array(chosen, np.bool_),
            _objects(records), _objects([""] * len(entries)),
        ))

    def _add_loose(self, stream: int, one: LooseOne) -> None:
        """Take the records of a conversation that lacks something, or has no end."""
        if one.protocol is not self._protocol:
            return
        self._loose.append((self._came, stream, one))
        count = len(one.found.records) - one.found.records.count(None)
        self._came += count
        self.fresh += count

    def _take_loose(self) -> None:
        """Make columns of those, of many conversations at a time."""
        pending, self._loose = self._loose, []
        if not pending:
            return
        numbers, streams, found = zip(*pending, strict=True)
        heads = [head for one in found for head in one.found.records]
        present = np.fromiter((head is not None for head in heads), np.bool_, len(heads))
        counts = np.array([len(one.found.records) for one in found])
        before = np.repeat(np.cumsum(counts) - counts, counts)                # turns of those before it
        came = np.cumsum(present)
        number = came - 1 - (came - present)[before] + np.repeat(np.array(numbers, np.int64), counts)
        partner = np.concatenate([np.asarray(one.found.partners, np.int64) for one in found])
        partner = np.where(partner >= 0, number[np.maximum(partner, 0) + before], _NOTHING)
        packets = [one.packets for one in found]
        rows = np.concatenate([one.rows for one in packets])
        sizes = np.array([len(one.rows) for one in packets])
        begins = np.concatenate([one.turns[:-1] for one in packets])
        begins += np.repeat(np.cumsum(sizes) - sizes, counts)
        missing = np.add.reduceat(np.concatenate([one.lengths - one.captured for one in packets]), begins)
        kept = self._kept(packets, rows, begins)
        partly = missing > 0
        partly[np.cumsum(counts) - 1] |= np.array([not one.found.whole for one in found])
        times, chosen, turns = self._trace.index.time_ns[rows], self._chosen[rows], np.flatnonzero(present)
        texts = self._texts_of([heads[turn] for turn in turns.tolist()])
        for place in np.flatnonzero(partly[turns]).tolist():
            lacks, snaplen = int(missing[turns[place]]), int(kept[turns[place]])
            lack = f', "bytes_missing": {lacks}, "snaplen": {snaplen}' if lacks else ""
            texts[place] = f', "incomplete": true{lack}{texts[place]}'
        self._parts.append(_Records(
            rows[begins][turns], np.maximum.reduceat(rows, begins)[turns],
            np.repeat(np.array(streams, np.int64), counts)[turns], number[turns], partner[turns],
            np.minimum.reduceat(times, begins)[turns], np.maximum.reduceat(times, begins)[turns],
            np.logical_or.reduceat(chosen, begins)[turns], _objects(texts),
            _frames(rows, np.append(begins, len(rows)), turns),
        ))

    def _kept(self, packets: Sequence[Packets], rows: Int64s, begins: Int64s) -> Int64s:
        """Of each turn how many bytes the capture kept of its first packet that is cut short."""
        cut = np.concatenate([one.captured < one.lengths for one in packets])
        first = np.minimum.reduceat(np.where(cut, np.arange(len(rows)), len(rows) - 1), begins)
        kept: Int64s = self._trace.index.cap_len[rows[first]].astype(np.int64)
        return kept

    def add_block(self, block: PlainBlock, streams: Int64s) -> None:
        """Take the conversations of a block; `streams` are their numbers."""
        mine: list[int] = []
        parsed: list[Any] = []
        for number, (stream, found, silent) in enumerate(
                zip(streams.tolist(), block.parsed, block.silent, strict=True)):
            if found is None:
                if not silent:
                    self.add_other(stream)
            elif block.protocol[number] is self._protocol:
                mine.append(number)
                parsed += found
        if mine:
            self._add_plain(block.block, np.array(mine), streams[mine], parsed)

    def _add_plain(self, block: Block, mine: Int64s, streams: Int64s, parsed: list[Any]) -> None:
        """Take the turns of the conversations `mine` of a block, which are one record each."""
        bounds, begins = np.array(block.bounds), block.turns[:-1]
        sizes = bounds[mine + 1] - bounds[mine]
        position = np.arange(len(parsed)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        turns = np.repeat(bounds[mine], sizes) + position
        number = np.arange(self._came, self._came + len(parsed))
        times, chosen = self._trace.index.time_ns[block.rows], self._chosen[block.rows]
        self._parts.append(_Records(
            block.rows[begins][turns], np.maximum.reduceat(block.rows, begins)[turns],
            np.repeat(streams, sizes), number, number + 1 - 2 * (position & 1),
            np.minimum.reduceat(times, begins)[turns], np.maximum.reduceat(times, begins)[turns],
            np.logical_or.reduceat(chosen, begins)[turns],
            _objects(self._texts_of(parsed)), _frames(block.rows, block.turns, turns),
        ))
        self._came += len(parsed)
        self.fresh += len(parsed)

    def _texts_of(self, parsed: list[Any]) -> list[str]:
        """The fields of each record as JSON, ready to stand in an object."""
        known, scan, found = self._texts, self._protocol.scan, []
        for one in parsed:
            text = known.get(one)
            if text is None:
                assert scan is not None
                text = _encode(fields_of(self._protocol.fields, scan.reader(), one.record))[1:-1]
                text = f", {text}" if text else ""
                if len(known) >= _TEXTS:
                    known.clear()
                known[one] = text
            found.append(text)
        return found

    # --- what goes -----------------------------------------------------------------------------------

    def ready(self, before: int) -> Iterator[list[str]]:
        """The lines of those that stand before row `before`, up to the first whose partner does not."""
        self._take_decoded()
        self._take_loose()
        if not self._parts:
            return
        fresh = sum(len(part) for part in self._parts) - self.old
        self._numbers.extend(np.zeros(self._came - self._numbers.count, np.uint32))
        self._ends.extend(np.zeros(self._came - self._ends.count, np.int64))
        self._lasts.extend(np.zeros(self._came - self._lasts.count, np.uint32))
        records = _joined(self._parts)
        if fresh:
            records = records.at(np.argsort(records.key, kind="stable"))
        count = int(np.searchsorted(records.key, before))
        go = records.at(slice(count))
        self._numbers.values[go.number] = np.arange(self._printed + 1, self._printed + count + 1)
        self._ends.values[go.number], self._lasts.values[go.number] = go.end_ns, go.last
        waits = np.flatnonzero((go.partner >= 0) & (self._numbers.values[go.partner] == 0))
        count = int(waits[0]) if len(waits) else count
        for start in range(0, count, _TOGETHER):
            if lines := self._lines(records.at(slice(start, min(start + _TOGETHER, count)))):
                yield lines
        self._parts = [records.at(slice(count, None))]
        self.old, self.fresh = len(records) - count, 0

    def _lines(self, records: _Records) -> list[str]:
        """The lines of the next records."""
        others, frames_of = self._numbers.values[records.partner], self._lasts.values[records.partner] + 1
        waited = records.start_ns - self._ends.values[records.partner]
        took = records.end_ns - self._ends.values[records.partner]
        number, name, lines = self._printed, self._protocol.name, []
        self._printed += len(records)
        columns = (records.key, records.stream, records.start_ns, records.end_ns, records.text,
                   records.frames, others, frames_of, waited, took, records.partner >= 0, records.chosen)
        for key, stream, start, end, text, frames, other, there, wait, whole, has_one, chosen in zip(
                *[column.tolist() for column in columns], strict=True):
            number += 1
            if not chosen:
                continue
            if text.__class__ is not str:
                lines.append(self._by_itself(text, object_number(number),
                                             object_number(other) if has_one and other else None))
                continue
            way = "response" if other > number else "request"
            pair = f'"number": {number}'
            if has_one:
                pair += f', "{way}_in": {there}, "{way}_number": {other}'
            if has_one and other <= number and wait >= 0:  # else it came before the request had ended
                pair += (f', "{name}.time": {round(whole / 1e9, 9)!r}'
                         f', "{name}.first_byte": {round(wait / 1e9, 9)!r}')
            lines.append(f'{{"tcp.stream": {stream}, "frames": [{frames or key + 1}], "time_ns": {start}, '
                         f'"end_ns": {end}{text}, {pair}}}')
        return lines

    def _by_itself(self, record: _Decoded, number: ObjectNumber, partner: ObjectNumber | None) -> str:
        found = object_of(self._trace, record.entry) | {"number": number}
        if partner is not None:
            found |= pair_of(self._trace, record.entry, record.partner, partner)
        return _encode(found)
