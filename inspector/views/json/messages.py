"""What a protocol says in a trace as flat JSON objects: one a record, the fields of its table.

Pure functions: a `Trace` (read as far as wanted) and rows, or None for all -> dictionaries, one a line of
output, over all conversations in order of the records' first (or last) bytes. With rows only what touches
one of these packets is given. Payload is exact (JSON escapes what a terminal could trip over).
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappop, heappush, merge
from typing import TYPE_CHECKING, Any, NamedTuple, NewType

from inspector.model.numbers import TCP, UDP
from inspector.model.packets import PacketNumber, Row, first_rows, packet_number, row_at, rows_in
from inspector.protocols.api import Field, Protocol, Record
from inspector.trace.application.engine import Layer
from inspector.trace.application.packets import packet_records
from inspector.trace.flows.missing import cut_of
from inspector.trace.index.conversations import grown
from inspector.wire.arrays import Int64s

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

Object = dict[str, Any]
ObjectNumber = NewType("ObjectNumber", int)     # of an object in the list of all of its kind, from 1


def object_number(count: int) -> ObjectNumber:
    """The number of the object that is the `count`-th."""
    return ObjectNumber(count)


class Entry(NamedTuple):
    """A record to be printed. `key`: the row by which records of different conversations are ordered."""

    key: Row
    stream: int
    place: int                  # of its layer in the connection
    position: int
    layer: Layer
    record: Record
    rows: tuple[Row, ...]       # of the packets that carry it


def messages(trace: Trace, protocol: Protocol, rows: Int64s | None = None) -> Iterator[Object]:
    """One object a record of `protocol`."""
    carried = _carried(trace, protocol, rows) if "tcp" in protocol.carriers else iter(())
    if protocol.packets is None:
        yield from carried
    else:
        yield from merge(_packets(trace, protocol, rows), carried, key=lambda one: one["frames"][-1])


def conversation_messages(trace: Trace, stream: int) -> Iterator[Object]:
    """The objects of one TCP conversation, protocol by protocol; those of one name each other by its numbers.

    They are the objects of a file that holds this conversation alone, but for the numbers of packets.
    """
    for protocol in dict.fromkeys(layer.protocol for layer in trace.application(stream).layers):
        if protocol.pairs:
            yield from _paired(trace, protocol, None, (stream,))
            continue
        for entry in _entries(trace, protocol, (stream,)):
            found = _object(trace, entry, None)
            if found is not None:
                yield found


def _carried(trace: Trace, protocol: Protocol, rows: Int64s | None) -> Iterator[Object]:
    """The records of its layers on TCP."""
    chosen = None if rows is None else frozenset(rows_in(rows))
    if protocol.pairs:
        yield from _paired(trace, protocol, chosen, streams_of(trace, None))
        return
    for entry in _entries(trace, protocol, streams_of(trace, rows)):
        found = _object(trace, entry, chosen)
        if found is not None:
            yield found


def _entries(trace: Trace, protocol: Protocol, streams: Iterable[int]) -> Iterator[Entry]:
    """The records of all conversations in order; none is decoded before its first packet's turn comes."""
    first = trace.index.streams[TCP].first_row
    later = sorted(((row_at(first, stream), stream) for stream in streams), reverse=True)
    waiting: _Waiting = []
    while waiting or later:
        while later and (not waiting or later[-1][0] <= waiting[0][1].key):
            _advance(waiting, _of_stream(trace, protocol, later.pop()[1]))
        if waiting:
            _, entry, rest = heappop(waiting)
            yield entry
            _advance(waiting, rest)


_Waiting = list[tuple[tuple[Row, int, int], Entry, Iterator[Entry]]]


def _advance(waiting: _Waiting, rest: Iterator[Entry]) -> None:
    entry = next(rest, None)
    if entry is not None:
        heappush(waiting, ((entry.key, entry.stream, entry.place), entry, rest))


def _of_stream(trace: Trace, protocol: Protocol, stream: int) -> Iterator[Entry]:
    """The records of one conversation; keys never go down, so that conversations can be merged."""
    plain = trace.known.plain(stream)
    if plain is None:
        if trace.known.is_strange(stream):
            return iter(())
        return decoded_records(trace, protocol, stream)
    return _of_layers(trace, protocol, stream, [plain])


def decoded_records(trace: Trace, protocol: Protocol, stream: int) -> Iterator[Entry]:
    """The same of a conversation that is decoded for it."""
    return _of_layers(trace, protocol, stream, trace.application(stream).layers)


def _of_layers(trace: Trace, protocol: Protocol, stream: int, layers: Sequence[Layer]) -> Iterator[Entry]:
    key = row_at(trace.index.streams[TCP].first_row, stream)
    for place, layer in enumerate(layers):
        name, decoder, _ = layer
        if name is not protocol:
            continue
        last = protocol.ordered == "last"
        for position in range(len(decoder.records)):
            record = decoder.records[position]
            rows = decoder.rows_of(record)
            key = max(key, *rows) if last else max(key, min(rows, default=key))
            yield Entry(key, stream, place, position, layer, record, rows)


def _paired(trace: Trace, protocol: Protocol, chosen: frozenset[Row] | None,
            streams: Iterable[int]) -> Iterator[Object]:
    """Objects that name each other: by their frames, as Wireshark does, and by their numbers (from 1) in the
    list of all in these conversations. An object waits for its answer, and those behind it wait with it.
    """
    numbers: dict[tuple[int, int], array[int]] = {}      # ObjectNumbers of each layer's records, by positions
    held: deque[_Held] = deque()
    for number, entry in enumerate(_entries(trace, protocol, streams), 1):
        mine = numbers.setdefault((entry.stream, entry.place), array("I"))
        mine.append(number)
        partner = entry.layer.decoder.partner(entry.position)
        partner = entry.position if partner is None else partner
        held.append(_Held(entry, object_number(number), partner, mine, _object(trace, entry, chosen)))
        while held and held[0].partner < len(held[0].numbers):
            yield from _named(trace, held.popleft())
    for one in held:
        yield from _named(trace, one)


class _Held(NamedTuple):
    """An object that waits for the number of what it names (`partner`, by its position; itself: nothing)."""

    entry: Entry
    number: ObjectNumber
    partner: int
    numbers: array[int]         # ObjectNumbers of the records of its layer, as far as they came
    found: Object | None


def _named(trace: Trace, held: _Held) -> Iterator[Object]:
    """The object with its number, and what names its partner, where it is one of those that were chosen."""
    entry, number, partner, numbers, found = held
    if found is None:
        return
    found["number"] = number
    if partner != entry.position and partner < len(numbers):
        found |= pair_of(trace, entry, partner, object_number(numbers[partner]))
    yield found


def pair_of(trace: Trace, entry: Entry, partner: int, number: ObjectNumber) -> Object:
    """Which object is the other one, the frame in which that ends, and for an answer how long it took.

    That is in seconds, to its end and to its first byte.
    """
    protocol, decoder, _ = entry.layer
    rows = decoder.rows_of(decoder.records[partner])
    other = "response" if partner > entry.position else "request"
    found: Object = {f"{other}_in": packet_number(max(rows))} if rows else {}
    found[f"{other}_number"] = number
    if other == "response":
        return found
    asked, answered = _times(trace, rows), _times(trace, entry.rows)
    if asked and answered and answered[0] >= asked[1]:     # else it came before the request had ended
        found[f"{protocol.name}.time"] = round((answered[1] - asked[1]) / 1e9, 9)
        found[f"{protocol.name}.first_byte"] = round((answered[0] - asked[1]) / 1e9, 9)
    return found


def _object(trace: Trace, entry: Entry, chosen: frozenset[Row] | None) -> Object | None:
    """The object of a record; None where none of its packets is among those that were chosen."""
    return object_of(trace, entry) if touches(entry.rows, chosen) else None


def object_of(trace: Trace, entry: Entry) -> Object:
    """The object of a record, without its partner."""
    protocol, decoder, _ = entry.layer
    record, rows = entry.record, entry.rows
    found: Object = {"tcp.stream": entry.stream, "frames": numbers_of(rows)}
    found |= _when(trace, rows)
    missing = decoder.source.missing_in(record.direction, record.start, record.stop)
    partly = missing > 0 or not getattr(record, "complete", True)
    if partly:
        found["incomplete"] = True
    if missing:
        found["bytes_missing"] = missing
    cut = decoder.cut(record) if partly else None
    if cut is not None:
        found["snaplen"] = cut.snaplen
    return found | fields_of(protocol.fields, decoder, record)


def _packets(trace: Trace, protocol: Protocol, rows: Int64s | None) -> Iterator[Object]:
    for row in first_rows(trace.index.count) if rows is None else rows_in(rows):
        for name, record in packet_records(trace, row):
            if name is protocol:
                found: Object = {"frames": [packet_number(row)], "time_ns": int(trace.index.time_ns[row])}
                if int(trace.index.protocol[row]) == UDP:
                    found["udp.stream"] = int(trace.index.stream[row])
                    cut = cut_of(trace.index, row, 0)
                    if cut is not None:
                        found |= {"incomplete": True, "bytes_missing": cut.stop, "snaplen": cut.snaplen}
                yield found | fields_of(protocol.fields, None, record)


def fields_of(fields: tuple[Field[Any], ...], decoder: Any, record: Any) -> Object:
    """The keys and values of one record; a key is absent where the record has no such field."""
    found: Object = {}
    for key, get, many, empty in _printed(fields):
        values = get(decoder, record)
        if many and (values or empty):
            found[key] = list(values)
        elif values:
            found[key] = values[0]
    return found


_Printed = tuple[str, Callable[[Any, Any], Sequence[Any]], bool, bool]
_printed_of: dict[int, tuple[tuple[Field[Any], ...], tuple[_Printed, ...]]] = {}


def _printed(fields: tuple[Field[Any], ...]) -> tuple[_Printed, ...]:
    """Key, getter, and whether it is a list, of the fields that have a key; tables are few, and stay."""
    known = _printed_of.get(id(fields))
    if known is None or known[0] is not fields:
        chosen = tuple((field.key, field.get, field.many, field.empty) for field in fields if field.key)
        known = _printed_of[id(fields)] = fields, chosen
    return known[1]


def _times(trace: Trace, rows: Iterable[Row]) -> tuple[int, int] | None:
    time_ns = trace.index.time_ns
    times = [time_ns.item(row) for row in rows]
    return (min(times), max(times)) if times else None


def _when(trace: Trace, rows: Iterable[Row]) -> Object:
    times = _times(trace, rows)
    return {} if times is None else {"time_ns": times[0], "end_ns": times[1]}


def streams_of(trace: Trace, rows: Int64s | None) -> list[int]:
    """The TCP conversations that have one of the rows; None: all."""
    if rows is None:
        streams: list[int] = grown(trace.index, "tcp", 0)[0].tolist()
        return streams
    index = trace.index
    tcp = rows[index.protocol[rows] == TCP]
    return sorted({int(stream) for stream in index.stream[tcp].tolist() if stream >= 0})


def touches(carried: Iterable[Row], chosen: frozenset[Row] | None) -> bool:
    """Whether one of the rows is among those that were chosen (None: all are)."""
    return chosen is None or any(row in chosen for row in carried)


def numbers_of(rows: Iterable[Row]) -> list[PacketNumber]:
    """Packet numbers (from 1) of rows, ascending."""
    return sorted(packet_number(row) for row in rows)
