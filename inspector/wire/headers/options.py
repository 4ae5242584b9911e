"""The options of TCP and IPv4 headers, which have one form (RFC 9293 section 3.2, RFC 791 section 3.1).

Bytes between the fixed header and what follows -> each option with its place. What kinds mean is told
elsewhere: `wire.tcp.options` decodes TCP's, `wire.dissection.parts` shows both.
"""

from __future__ import annotations

from typing import NamedTuple

END_OF_LIST, NO_OPERATION = 0, 1     # the two kinds of one byte
SOURCE_ROUTES = LOOSE_ROUTE, STRICT_ROUTE = 131, 137         # of IPv4


class Option(NamedTuple):
    """One option: its kind, its bytes after kind and length, and where it starts in the options field."""

    kind: int
    data: bytes
    offset: int

    @property
    def stop(self) -> int:
        """Where the next one starts."""
        return self.offset + (1 if self.kind <= NO_OPERATION else 2 + len(self.data))


def walk_options(field: bytes) -> tuple[tuple[Option, ...], int]:
    """The options in `field`, up to the end of the list, and where reading ended.

    Any bytes do. Where the last option is not END_OF_LIST and bytes are left, those do not make an option:
    their length is less than 2 or leads out of the field.
    """
    options: list[Option] = []
    at, end = 0, len(field)
    while at < end:
        kind = field[at]
        if kind <= NO_OPERATION:
            options.append(Option(kind, b"", at))
            at += 1
            if kind == END_OF_LIST:
                break
            continue
        size = field[at + 1] if at + 1 < end else 0
        if size < 2 or at + size > end:
            break
        options.append(Option(kind, field[at + 2 : at + size], at))
        at += size
    return tuple(options), at
