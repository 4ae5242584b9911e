"""The extension headers of IPv6 (RFC 8200 section 4), and the authentication header (RFC 4302) of IPv4 too.

`walk_extensions` goes through those of one frame. `network.extensions` goes through a whole batch's at once;
both know the kinds and their lengths from `UNITS` alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from inspector.model.numbers import AUTHENTICATION, DESTINATION, HOP_BY_HOP, IPV6_FRAGMENT, ROUTING, SHIM6

FIRST = 8              # bytes that every extension header has
UNITS = {HOP_BY_HOP: 8, ROUTING: 8, IPV6_FRAGMENT: 0, AUTHENTICATION: 4, DESTINATION: 8, SHIM6: 8}
"""IP protocol -> bytes that its length field counts, beyond the first 8. A fragment header has no length."""


class Extension(NamedTuple):
    """One header of kind `kind` from `start` to `stop` (which may lie behind the captured bytes).

    `next` is the protocol that follows; None where the header's first 8 bytes were not captured.
    """

    kind: int
    start: int
    stop: int
    next: int | None


def walk_extensions(frame: bytes, at: int, kind: int) -> Iterator[Extension]:
    """The extension headers that begin at `at`, where a header of the IP protocol `kind` stands.

    Ends with the first that is cut short. `Extension.stop` may lie behind the end of `frame`.
    """
    while kind in UNITS:
        if at + FIRST > len(frame):
            yield Extension(kind, at, at, None)
            return
        stop = at + FIRST + UNITS[kind] * frame[at + 1]
        yield Extension(kind, at, stop, frame[at])
        kind, at = frame[at], stop
