"""Where PostgreSQL begins: by its first packet, or later by how its messages fill segments."""

from __future__ import annotations

from inspector.protocols.api import CERTAIN, GUESSED, LIKELY, Opening, Start
from inspector.protocols.postgresql.values import BACKEND, CODES, FRONTEND
from inspector.wire.tcp.stream import ByteStream

PORT = 5432
LONGEST_STARTUP = 10_000         # bytes of a startup packet that a server takes
LONGEST = 1 << 30
_VERSIONS = (3 << 16, (3 << 16) + 2)
_READY = b"Z\0\0\0\5"
_SHORTEST = 5                    # bytes of a message
_TRIED = 64                      # segments that are looked at for a place to begin


def startup_size(head: bytes) -> int:
    """Bytes of the packet that begins a connection; 0: cannot be told as yet, -1: it is none."""
    if len(head) < 8:
        return 0
    size, code = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:8], "big")
    if code in CODES:
        return size if size == (16 if CODES[code] == "cancel" else 8) else -1
    return size if code in _VERSIONS and 8 < size <= LONGEST_STARTUP else -1


def message_size(frontend: bool, head: bytes) -> int:
    """Bytes of the message that begins so; 0: cannot be told as yet, -1: it is none."""
    if len(head) < 5:
        return 0
    size = int.from_bytes(head[1:5], "big")
    known = chr(head[0]) in (FRONTEND if frontend else BACKEND)
    return 1 + size if known and 4 <= size < LONGEST else -1


def _fills(stream: ByteStream, frontend: bool, start: int, stop: int) -> bool:
    """Whether messages fill [start, stop) to its end, the last one as one after which nothing comes."""
    last = b""
    while start < stop:
        head = stream.read(start, min(start + 6, stop))
        size = message_size(frontend, head)
        if size <= 0:
            return False
        start, last = start + size, head
    if frontend:
        return start == stop and last[:1] in (b"Q", b"S") and stream.read(stop - 1, stop) in (b"\0", b"\4")
    return start == stop and last[:5] == _READY and last[5:] in (b"I", b"T", b"E")


def sniff(opening: Opening) -> Start | None:
    """By the first packet; else by an answer that fills segments to its end."""
    first, second = opening.streams
    for client, stream in enumerate(opening.streams):
        head = stream.read(stream.start, stream.start + 8)
        if startup_size(head) > 0:
            return Start(client, (first.start, second.start), CERTAIN)
    if all(stream.start_known for stream in opening.streams):
        return None
    for client in (1, 0) if opening.ports[0] == PORT else (0, 1):
        places = _place(opening.streams[client], True), _place(opening.streams[1 - client], False)
        known = opening.ports[1 - client] == PORT
        if (places[0] is None and places[1] is None) or (None in places and not known):
            continue
        ends = [opening.streams[end] for end in (client, 1 - client)]
        offsets = [end.contiguous_from(end.start) if place is None else place
                   for end, place in zip(ends, places, strict=True)]
        if client:
            offsets.reverse()
        return Start(client, (offsets[0], offsets[1]), LIKELY if known else GUESSED)
    return None


def _place(stream: ByteStream, frontend: bool) -> int | None:
    """Where a segment begins whose bytes (and perhaps those of the next ones) are whole messages."""
    if stream.captured < _SHORTEST:
        return None
    segments = stream.first_segments(_TRIED, stream.length)
    ends = [stop for _, stop in segments]
    for number, (start, _) in enumerate(segments):
        size = message_size(frontend, stream.read(start, start + 5))
        if size > 0 and any(_fills(stream, frontend, start, end) for end in ends[number : number + 3]
                            if start + size <= end):
            return start
    return None


def resumes(frontend: bool, head: bytes) -> bool:
    """Whether behind lost bytes a message may begin so: and, as far as there is one, the next one too."""
    size = message_size(frontend, head)
    if size <= 0 or size > 1 << 24:
        return False
    return len(head) < size + 5 or message_size(frontend, head[size:]) > 0
