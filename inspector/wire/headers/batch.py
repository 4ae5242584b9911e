"""A batch of frames in one buffer, and the columns that are read from them.

`Batch` gathers the same field of many frames at once: strided views over the whole buffer, indexed by
absolute positions, so a field of 10,000 frames costs one numpy call. `Headers` are the resulting columns.
Numbers in columns are in this machine's byte order; the wire's is big-endian.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.wire.arrays import Bools, Int64s, Integers, UInt8s, UInt16s, UInt32s, UInt64s

PADDING = 64           # readable bytes that the buffer must hold after the last frame's captured bytes

FRAGMENT = 1           # part of a fragmented IP datagram
CUT = 2                # fewer bytes captured than were on the wire
MALFORMED = 4          # a header contradicts itself; what stands after it is not read
SHORT = 8              # the IP or transport header is not whole in the captured bytes
UNSIZED = 16           # TCP whose payload's length cannot be known (first fragment, bogus data offset)
BOGUS = 32             # TCP whose header claims to be shorter than 20 bytes; its length is counted still
PORTS = 64             # of a transport header that is SHORT the ports are there
DEEP = 128             # more stands in it than is read: too many tags, tunnels or extension headers

NO_LAYER = 255         # Headers.l3 where there is no IP or ARP header
NO_OFFSET = 65535      # Headers.l4 and Headers.payload where there is none

IPV4_HEADER = np.dtype(
    [("version", "u1"), ("tos", "u1"), ("total", ">u2"), ("id", ">u2"), ("fragment", ">u2"), ("ttl", "u1"),
     ("protocol", "u1"), ("checksum", ">u2"), ("source", ">u4"), ("destination", ">u4")]
)
IPV6_HEADER = np.dtype(
    [("version", "u1"), ("flow", "V3"), ("length", ">u2"), ("next", "u1"), ("hops", "u1"),
     ("source_high", ">u8"), ("source_low", ">u8"), ("destination_high", ">u8"), ("destination_low", ">u8")]
)
TCP_HEADER = np.dtype(
    [("sport", ">u2"), ("dport", ">u2"), ("seq", ">u4"), ("ack", ">u4"), ("flags", ">u2"), ("window", ">u2"),
     ("checksum", ">u2"), ("urgent", ">u2")]
)
UDP_HEADER = np.dtype([("sport", ">u2"), ("dport", ">u2"), ("length", ">u2"), ("checksum", ">u2")])


class Batch:
    """Frames in one buffer: `starts`, `captured` and `lengths` (on the wire) of each, in bytes.

    `data` must be readable for PADDING bytes after every frame. All positions below are offsets in a
    frame; they may not exceed its captured length.
    """

    def __init__(self, data: UInt8s, starts: Int64s, captured: Int64s, lengths: Int64s) -> None:
        self.data = data
        self.starts = starts
        self.captured = captured
        self.lengths = lengths
        self.deep: list[Int64s] = []               # frames of which not all headers are read
        self._views: dict[np.dtype[Any], NDArray[Any]] = {}

    def __len__(self) -> int:
        return len(self.starts)

    def gather(self, dtype: np.dtype[Any] | str, rows: Int64s, at: Int64s | int) -> NDArray[Any]:
        """The structure or number of `dtype` that stands at `at` in each of the frames `rows`."""
        kind = np.dtype(dtype)
        view = self._views.get(kind)
        if view is None:
            # Structures are gathered as opaque bytes (one copy each) and given their fields afterwards.
            raw = np.dtype((np.void, kind.itemsize)) if kind.names else kind
            shape = (max(len(self.data) - kind.itemsize + 1, 0),)
            view = self._views[kind] = np.ndarray(shape, raw, self.data, 0, (1,))
        found: NDArray[Any] = view[self.starts[rows] + at]
        return found.view(kind) if kind.names else found


@dataclass(slots=True)
class Headers:
    """Columns of a batch, one value a frame; 0 where a frame has no such field.

    `sport`, `dport` are type and code for ICMP and ICMPv6, the operation (in `sport`) for ARP; `window` is
    the length field for UDP. `src`, `dst` hold IPv4 addresses; `rows6` and `addresses6` (a row each: source
    high and low, destination high and low 64 bits) those of IPv6. `tcp_flags` are Wireshark's 12 bits.
    `outer` are the headers around these (of tunnels, outermost first), `quoted` those that ICMP errors quote.
    `routed`: by row, where an IPv6 routing header leads in the end.
    """

    l3: UInt8s
    l4: UInt16s
    payload: UInt16s
    payload_length: UInt32s
    network: UInt8s
    protocol: UInt8s
    src: UInt32s
    dst: UInt32s
    sport: UInt16s
    dport: UInt16s
    tcp_flags: UInt16s
    seq: UInt32s
    ack: UInt32s
    window: UInt16s
    status: UInt8s
    addressed: Bools                            # source and destination are there
    in_flow: Bools                                # the frame belongs to a TCP or UDP conversation
    rows6: list[Int64s] = field(default_factory=list)
    addresses6: list[UInt64s] = field(default_factory=list)
    outer: list[Beside] = field(default_factory=list)
    quoted: list[Beside] = field(default_factory=list)
    fragments: list[Fragments] = field(default_factory=list)
    routed: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def empty(cls, count: int) -> Headers:
        """Columns of `count` frames of which nothing is known."""
        def zeros(dtype: str) -> NDArray[Any]:
            return np.zeros(count, dtype)

        return cls(
            l3=np.full(count, NO_LAYER, "u1"), l4=np.full(count, NO_OFFSET, "u2"),
            payload=np.full(count, NO_OFFSET, "u2"), payload_length=zeros("u4"), network=zeros("u1"),
            protocol=zeros("u1"), src=zeros("u4"), dst=zeros("u4"), sport=zeros("u2"), dport=zeros("u2"),
            tcp_flags=zeros("u2"), seq=zeros("u4"), ack=zeros("u4"), window=zeros("u2"), status=zeros("u1"),
            addressed=np.zeros(count, np.bool_), in_flow=np.zeros(count, np.bool_),
        )

    def columns(self) -> tuple[Integers | Bools, ...]:
        """All columns, in the order in which they stand above."""
        return tuple(getattr(self, name) for name in _COLUMNS)

    def put(self, rows: Int64s, part: Headers) -> None:
        """Take over what was read of the frames `rows`, which have no values here yet."""
        for name in _COLUMNS:
            getattr(self, name)[rows] = getattr(part, name)
        self.rows6 += [rows[own] for own in part.rows6]
        self.addresses6 += part.addresses6
        self.outer += [one.at(rows) for one in part.outer]
        self.quoted += [one.at(rows) for one in part.quoted]
        self.routed |= {int(rows[row]): address for row, address in part.routed.items()}
        self.fragments += [replace(one, rows=rows[one.rows]) for one in part.fragments]

    def taken(self, rows: Int64s) -> Headers:
        """What is known so far of the frames `rows`, in columns of their own."""
        part = Headers(*(getattr(self, name)[rows] for name in _COLUMNS))
        for mine, words in zip(self.rows6, self.addresses6, strict=True):
            own = np.flatnonzero(np.isin(rows, mine))
            part.rows6.append(own)
            part.addresses6.append(words[np.searchsorted(mine, rows[own])])
        return part


_COLUMNS = [one.name for one in fields(Headers) if one.default_factory is MISSING]


@dataclass(frozen=True, slots=True)
class Beside:
    """Headers of datagrams beside their frames' own: columns with a value for each of the frames `rows`."""

    rows: Int64s
    headers: Headers

    def at(self, rows: Int64s) -> Beside:
        """The same where the frames are `rows` of others."""
        return Beside(rows[self.rows], self.headers)


@dataclass(frozen=True, slots=True)
class Fragments:
    """Fragments of IP with TCP: bytes [start, stop) of the payload stand at `place` of their frames."""

    rows: Int64s
    identification: UInt32s
    start: Int64s
    stop: Int64s
    place: Int64s
    more: Bools


@dataclass(slots=True)
class Layer:
    """Where the next header of some frames stands: `rows`, offset `at`, and where the datagram ends."""

    rows: Int64s
    at: Int64s
    end: Int64s                                  # offset of the first byte after it on the wire
    kind: Int64s = field(default_factory=lambda: np.zeros(0, "i8"))   # EtherType or IP protocol

    def where(self, mask: Bools) -> Layer:
        """The frames for which `mask` holds."""
        if mask.all():
            return self
        return Layer(self.rows[mask], self.at[mask], self.end[mask], self.kind[mask])

    def moved(self, at: Int64s, kind: Int64s) -> Layer:
        """The same frames with their next header further on."""
        return Layer(self.rows, at, self.end, kind)
