"""Domain names as DNS messages hold them: labels, and pointers to names that stood earlier (RFC 1035 4.1.4).

Any bytes give a `DomainName`. Pointers must lead backwards, and a name has at most 255 bytes, so that no
message can make a reader loop.
"""

from __future__ import annotations

from typing import NamedTuple

MOST_NAME = 255          # bytes of a name with its lengths (RFC 1035 section 2.3.4)
_MOST_JUMPS = 127        # a name has no more labels than this
_POINTER = 0xC0


class DomainName(NamedTuple):
    """`labels` as they stand there; `stop`: where the name ends in the message, before any pointer's target.

    `fault` is one sentence where the name breaks a rule or the message ends in it, which is `short`, else "".
    `labels` are then those before that place, and `stop` is as far as the name could be followed.
    """

    labels: tuple[bytes, ...]
    stop: int
    fault: str = ""
    short: bool = False


def read_name(message: bytes, start: int) -> DomainName:
    """The name at `start` of a message that begins with its DNS header."""
    labels: list[bytes] = []
    at, limit, size, jumps = start, start, 0, 0
    stop: int | None = None              # known from the first pointer on
    fault, short = "", False
    while True:
        if at >= len(message):
            fault, short = "The message is cut short.", True
            break
        length = message[at]
        if length >= _POINTER:
            if at + 2 > len(message):
                fault, short = "The message is cut short.", True
                break
            target = int.from_bytes(message[at : at + 2], "big") & 0x3FFF
            stop = at + 2 if stop is None else stop
            jumps += 1
            if target >= limit or jumps > _MOST_JUMPS:
                fault = "A name's pointer leads forwards or in a circle."
                break
            at = limit = target
            continue
        if length > 63:
            fault = "A name has a label of an unknown kind."
            break
        at += 1
        if length == 0:
            break
        if at + length > len(message):
            fault, short = "The message is cut short inside a name.", True
            break
        size += length + 1
        if size >= MOST_NAME:
            fault = "A name is longer than 255 bytes."
            break
        labels.append(message[at : at + length])
        at += length
    return DomainName(tuple(labels), at if stop is None else stop, fault, short)
