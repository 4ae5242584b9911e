"""TCP options (RFC 9293 section 3.2, RFC 7323, RFC 2018, RFC 7413) out of a header's bytes.

Any bytes give a value: what does not fit ends the list and is kept as it stands.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from inspector.model.units import amount
from inspector.wire.headers.options import END_OF_LIST, Option, walk_options

NAMES = {
    0: "End of Option List", 1: "No-Operation", 2: "Maximum Segment Size", 3: "Window Scale",
    4: "SACK Permitted", 5: "SACK", 8: "Timestamps", 19: "MD5 Signature", 28: "User Timeout",
    29: "Authentication (TCP-AO)", 30: "Multipath TCP", 34: "Fast Open Cookie",
}
_STAMP, _SACK = b"\1\1\x08\x0a", b"\1\1\5"
_ALIGN, _ALIGN_SACK = (Option(1, b"", 0), Option(1, b"", 1)), (Option(1, b"", 12), Option(1, b"", 13))
_BLOCK, _LENGTHS = struct.Struct(">II"), (24, 32, 40)
_SIZES = {2: 4, 3: 3, 4: 2, 8: 10}


class TcpOptions(NamedTuple):
    """The options field, decoded. `scale` is the shift as sent (RFC 7323 uses at most 14); SACK blocks
    are (left, right) raw sequence numbers; `broken` is what could not be read, "" when all could."""

    options: tuple[Option, ...] = ()
    mss: int | None = None
    scale: int | None = None
    sack_permitted: bool = False
    sack: tuple[tuple[int, int], ...] = ()
    timestamp: int | None = None
    timestamp_echo: int | None = None
    broken: str = ""


class Stamped(NamedTuple):
    """When a segment was captured, its timestamp, and the one that it echoes; None without the option."""

    time_ns: int
    timestamp: int | None
    echo: int | None


NO_OPTIONS = TcpOptions()


def parse_options(field: bytes) -> TcpOptions:
    """Decode the bytes between the fixed TCP header and the payload (network byte order, at most 40)."""
    if not field:
        return NO_OPTIONS
    if field[:4] == _STAMP and (len(field) == 12 or (
            len(field) in _LENGTHS and field[12:16] == _SACK + bytes([len(field) - 14]))):
        return _usual(field)
    options, end = walk_options(field)
    broken = ""
    for kind, data, _ in options:
        if len(data) + 2 != _SIZES.get(kind, len(data) + 2):
            broken = f"{NAMES[kind]} has length {len(data) + 2} and should have {_SIZES[kind]}."
    if end < len(field) and not (options and options[-1].kind == END_OF_LIST):
        size, left = field[end + 1] if end + 1 < len(field) else 0, len(field) - end
        broken = f"Option {field[end]} at byte {end} has length {size}, but {amount(left, 'byte')} are left."
    return _decode(options, broken)


def _usual(field: bytes) -> TcpOptions:
    """As Linux and others lay them out (RFC 7323 appendix A): timestamps, and perhaps blocks of SACK."""
    options: tuple[Option, ...] = *_ALIGN, Option(8, field[4:12], 2)
    blocks: tuple[tuple[int, int], ...] = ()
    if len(field) > 12:
        options = *options, *_ALIGN_SACK, Option(5, field[16:], 14)
        blocks = tuple(_BLOCK.iter_unpack(field[16:]))
    return TcpOptions(options, sack=blocks, timestamp=int.from_bytes(field[4:8], "big"),
                      timestamp_echo=int.from_bytes(field[8:12], "big"))


def _decode(options: tuple[Option, ...], broken: str) -> TcpOptions:
    mss = scale = timestamp = echo = None
    permitted = False
    blocks: list[tuple[int, int]] = []
    for kind, data, _ in options:
        size = len(data)
        if kind == 2 and size == 2:
            mss = int.from_bytes(data, "big")
        elif kind == 3 and size == 1:
            scale = data[0]
        elif kind == 4:
            permitted = True
        elif kind == 5:
            numbers = [int.from_bytes(data[i : i + 4], "big") for i in range(0, size - size % 8, 4)]
            blocks += zip(numbers[::2], numbers[1::2], strict=True)
        elif kind == 8 and size == 8:
            timestamp, echo = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:], "big")
    return TcpOptions(options, mss, scale, permitted, tuple(blocks), timestamp, echo, broken)


def echoed_trip(syns: Sequence[Stamped], accepts: Sequence[Stamped], ack: Stamped) -> int | None:
    """The round trip of a handshake, in nanoseconds, by all its SYNs and SYN ACKs, and the ACK that ended it.

    Where one was sent again timestamps tell which was answered (RFC 7323 section 4); None where they do not:
    it could be either (Karn's algorithm, RFC 6298 section 3). None too where the clock was set back.
    """
    accept = _echoed(accepts, ack)
    syn = None if accept is None else _echoed(syns, accept)
    if accept is None or syn is None:
        return None
    first = next(one for one in accepts if one.echo == accept.echo)       # the others were sent for its loss
    there, back = first.time_ns - syn.time_ns, ack.time_ns - accept.time_ns
    if len(syns) == len(accepts) == 1:
        return there + back if there + back >= 0 else None
    return there + back if min(there, back) >= 0 else None


def _echoed(tries: Sequence[Stamped], answer: Stamped) -> Stamped | None:
    """The one of several segments whose timestamp `answer` echoes; None: none of them, or several."""
    if len(tries) == 1:
        return tries[0]
    found = [one for one in tries if one.timestamp == answer.echo is not None]
    return found[0] if len(found) == 1 else None
