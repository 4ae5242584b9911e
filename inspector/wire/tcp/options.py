"""TCP options (RFC 9293 section 3.2, RFC 7323, RFC 2018, RFC 7413) out of a header's bytes.

Any bytes give a value: what does not fit ends the list and is kept as it stands.
"""

from __future__ import annotations

from typing import NamedTuple

from inspector.wire.headers.options import END_OF_LIST, Option, walk_options

NAMES = {
    0: "End of Option List", 1: "No-Operation", 2: "Maximum Segment Size", 3: "Window Scale",
    4: "SACK Permitted", 5: "SACK", 8: "Timestamps", 19: "MD5 Signature", 28: "User Timeout",
    29: "Authentication (TCP-AO)", 30: "Multipath TCP", 34: "Fast Open Cookie",
}
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


NO_OPTIONS = TcpOptions()


def parse_options(field: bytes) -> TcpOptions:
    """Decode the bytes between the fixed TCP header and the payload (network byte order, at most 40)."""
    if not field:
        return NO_OPTIONS
    options, end = walk_options(field)
    broken = ""
    for kind, data, _ in options:
        if len(data) + 2 != _SIZES.get(kind, len(data) + 2):
            broken = f"{NAMES[kind]} has length {len(data) + 2} and should have {_SIZES[kind]}."
    if end < len(field) and not (options and options[-1].kind == END_OF_LIST):
        size, left = field[end + 1] if end + 1 < len(field) else 0, len(field) - end
        broken = f"Option {field[end]} at byte {end} has length {size}, but {left} bytes are left."
    return _decode(options, broken)


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
