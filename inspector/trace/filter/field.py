"""A field that columns cannot answer: how it is read from a packet, and which packets can have it.

`DeepField`s are asked packet by packet, and only for packets that could have them (`possible`, by columns).
Their values are numbers, texts or bytes; an empty sequence says that the packet has no such field.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from inspector.model.packets import Row
from inspector.protocols.api import Protocol
from inspector.trace.filter.column_fields import COLUMNS, Rows, Type
from inspector.wire.arrays import Bools

if TYPE_CHECKING:
    from inspector.trace.index.index import Index
    from inspector.trace.trace import Trace

Value = int | str | bytes
Read = Callable[["Trace", Row], Sequence[Value]]
Possible = Callable[["Index", Rows], Bools]


class Alike(NamedTuple):
    """A field of a protocol that says the same of records that are alike.

    `get(record)`: its values, of a record of the protocol's `scan`.
    """

    protocol: Protocol
    get: Callable[[Any], Sequence[Value]]


@dataclass(frozen=True, slots=True)
class DeepField:
    """A field read packet by packet; `alike`: how many are read at once, where it is one of that kind."""

    type: Type
    read: Read
    possible: Possible
    bits: int = 64
    alike: Alike | None = None


def of(name: str) -> Possible:
    """The packets whose own (innermost) header has the column field `name`."""
    return lambda index, rows: COLUMNS[name].read(index, rows).present


def of_any(name: str) -> Possible:
    """The packets of which any header has the column field `name`."""
    return lambda index, rows: COLUMNS[name].present(index, rows)


anywhere, where_tcp, where_udp = of("frame"), of("tcp.stream"), of("udp.stream")


def stream_of(trace: Trace, row: Row) -> int:
    """The number of the packet's conversation."""
    return int(trace.index.stream[row])
