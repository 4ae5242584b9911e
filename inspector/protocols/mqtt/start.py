"""Where MQTT begins: by CONNECT, or later, on its port, by packets that fill segments."""

from __future__ import annotations

from itertools import pairwise

from inspector.protocols.api import CERTAIN, LIKELY, Opening, Start
from inspector.protocols.framing.segments import starts_between
from inspector.wire.tcp.stream import ByteStream

PORT = 1883
_CONNECTS = (b"\0\x04MQTT\x04", b"\0\x04MQTT\x05", b"\0\x06MQIsdp\x03")
_FLAGGED = {6: 2, 8: 2, 10: 2}               # types whose flags are not 0
_NEEDED = {12: 0, 13: 0, 2: 2, 4: 2, 5: 2, 6: 2, 7: 2, 8: 5, 9: 3, 10: 4, 11: 2, 1: 12, 3: 2}


def packet_size(head: bytes) -> int:
    """Bytes of the packet that begins so; 0: cannot be told as yet, -1: it is none."""
    if not head:
        return 0
    kind, flags = head[0] >> 4, head[0] & 15
    if not kind or (flags >> 1 == 3 or flags >> 1 == 7 if kind == 3 else flags != _FLAGGED.get(kind, 0)):
        return -1
    if len(head) > 1 and head[1] < 0x80:             # as most are
        size = head[1]
        return -1 if size < _NEEDED.get(kind, 0) or (kind in (12, 13) and size) else 2 + size
    size = 0
    for place, byte in enumerate(head[1:5]):
        size |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            if size < _NEEDED.get(kind, 0) or (kind in (12, 13) and size):
                return -1
            return 2 + place + size
    return -1 if len(head) >= 5 else 0


def sniff(opening: Opening) -> Start | None:
    """By a CONNECT; with the port alone by packets that fill a segment."""
    first, second = opening.streams
    for client, stream in enumerate(opening.streams):
        head = stream.read(stream.start, stream.start + 16)
        behind = 1 + next((place + 1 for place, byte in enumerate(head[1:5]) if byte < 0x80), 15)
        if head[:1] == b"\x10" and head[behind:].startswith(_CONNECTS):
            return Start(client, (first.start, second.start), CERTAIN)
    if PORT not in opening.ports or all(stream.start_known for stream in opening.streams):
        return None
    places = [_place(stream) for stream in opening.streams]
    if places == [None, None]:
        return None
    offsets = [stream.contiguous_from(stream.start) if place is None else place
               for stream, place in zip(opening.streams, places, strict=True)]
    return Start(1 - opening.ports.index(PORT), (offsets[0], offsets[1]), LIKELY)


def _place(stream: ByteStream) -> int | None:
    """Where a segment begins that packets fill to its end."""
    starts = starts_between(stream, stream.start, stream.length)
    for start, end in pairwise([*starts, stream.length]):
        at = start
        while at < end and (size := packet_size(stream.read(at, at + 5))) > 0:
            at += size
        if at == end > start:
            return start
    return None
