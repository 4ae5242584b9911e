"""Where in a TCP conversation HTTP begins, and which end is the client.

Looks at the first bytes of both streams. A capture that began late may cut into a body; then the starts of
segments are tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from inspector.protocols.api import CERTAIN, LATE, Opening, Start
from inspector.protocols.framing.segments import MOST, ends_before, marks_of, starts_between, with_mark
from inspector.protocols.http.message import (
    HEAD_LIMIT,
    LONG_LINE,
    METHODS,
    head_end,
    looks_like_http,
    parse_head,
)
from inspector.protocols.http.upgrade import is_switch
from inspector.protocols.websocket.start import next_frame
from inspector.wire.tcp.stream import ByteStream

_METHOD = 40           # bytes among which a request's method must end
_LINE = 2048           # bytes that are looked at where a message may begin
_METHODS, _VERSION = marks_of(METHODS), re.compile(rb"HTTP/1\.")


def sniff(opening: Opening) -> Start | None:
    """HTTP by the first bytes of either side, or by a head that begins later."""
    streams = opening.streams
    first, second = (stream.start for stream in streams)
    looks = tuple(looks_like_http(stream.read(stream.start, stream.start + _LINE), whole=_is_whole(stream))
                  for stream in streams)
    undecided = False
    for direction in (0, 1):
        if looks[direction] in ("request", "response"):
            if not _has_line(streams[direction]):          # the one word that is there may be anybody's
                answer = looks[1 - direction]
                more = not _is_whole(streams[direction]) and not _is_whole(streams[1 - direction])
                waits = answer == "perhaps" and more
                undecided = undecided or waits             # what the other end says will tell
                if waits or not answer:
                    continue
            client = direction if looks[direction] == "request" else 1 - direction
            other = 1 - direction
            offsets = [first, second]
            # Without a SYN, what is no HTTP may be the rest of something that began before the capture.
            if not looks[other] and not streams[other].start_known:
                late = _after_switch(streams, client) if other == client else None
                if late is not None:
                    return late
                wanted = "request" if other == client else "response"
                offsets[other] = next(_starts(streams[other], wanted), streams[other].contiguous)
            if not streams[client].start_known:
                offsets[client] = _behind_body(streams[client], offsets[client])
            return Start(client, (offsets[0], offsets[1]), CERTAIN)
    if undecided or any(
        look == "perhaps" and stream.start_known and stream.length > 0 and not _is_whole(stream)
        for look, stream in zip(looks, streams, strict=True)
    ):
        return None                        # its first line has not ended, and is not searched for others
    return _late(streams)


def _has_line(stream: ByteStream) -> bool:
    """Whether the first line of a direction is there, or so much of it that it is nobody else's."""
    data = stream.read(stream.start, stream.start + _LINE).lstrip(b"\r\n")
    return b"\n" in data or len(data) >= LONG_LINE


def _is_whole(stream: ByteStream) -> bool:
    """Whether nothing can follow the first bytes: the stream has ended, or the capture lacks what does."""
    stop = stream.contiguous_from(stream.start)
    return stop < stream.length or (stream.end is not None and stop >= stream.end)


def _after_switch(streams: tuple[ByteStream, ByteStream], client: int) -> Start | None:
    """The start of WebSocket where of its upgrade only the server's 101 was captured."""
    asking, answering = streams[client], streams[1 - client]
    data = answering.read(answering.start, answering.start + HEAD_LIMIT)
    stop = head_end(data)
    message = parse_head(data[:stop], answering.start, 1 - client, False)[0] if stop > 0 else None
    if message is None or not is_switch(message):
        return None
    offsets = [answering.start + stop] * 2
    offsets[client] = next_frame(asking, asking.start, True)
    return Start(client, (offsets[0], offsets[1]), CERTAIN, "websocket")


def _marks(data: bytes) -> list[int]:
    """Where something stands of which every first line has one."""
    return _METHODS(data) + [match.start() for match in _VERSION.finditer(data)]


def _late(streams: tuple[ByteStream, ByteStream]) -> Start | None:
    found = [_first_starts(stream) for stream in streams]
    for client in (0, 1):
        request, response = found[client]["request"], found[1 - client]["response"]
        if request is None and response is None:
            continue
        offsets = [0, 0]
        offsets[client] = streams[client].contiguous if request is None else \
            _behind_body(streams[client], request)
        offsets[1 - client] = streams[1 - client].contiguous if response is None else response
        return Start(client, (offsets[0], offsets[1]), LATE)
    return None


def next_message(stream: ByteStream, offset: int, kind: str, stop: int | None = None) -> int:
    """Where after lost bytes a message begins: the start of a segment; else the end of what there is.

    That is `stop`, where all up to there is to be looked at; a first line may be cut then.
    """
    end = stream.contiguous_from(offset) if stop is None else stop
    starts = starts_between(stream, offset, end)
    while True:
        for start in starts:
            if _look(stream, start, cut=stop is not None) == kind:
                return _behind_body(stream, start) if kind == "request" else start
        if stop is None or len(starts) < MOST:
            return end
        starts = starts_between(stream, starts[-1] + 1, end)[1:]      # the first is the rest of one


def _behind_body(stream: ByteStream, start: int) -> int:
    """Where a request begins that stands at `start`, where a body may end: behind that, if it is a word."""
    if stream.read(start, start + _METHOD).startswith(METHODS):
        return start
    line = stream.read(start, start + HEAD_LIMIT).split(b"\n")[0]
    return next((place for place in starts_between(stream, start + 1, start + len(line))
                 if line[place - start :].startswith(METHODS)), start)


def _begins(stream: ByteStream, start: int, kind: str) -> bool:
    """Whether a message of `kind` begins at `start`."""
    return _look(stream, start) == kind


def _look(stream: ByteStream, start: int, *, cut: bool = False) -> str:
    """What begins at `start`; most places are ruled out by their first few bytes.

    `cut`: of a first line the beginning is enough, where the capture lacks what follows it.
    """
    head = stream.read(start, start + _METHOD)
    look = looks_like_http(head)
    if look != "perhaps" or (len(head) == _METHOD and b" " not in head):
        return look
    data = stream.read(start, start + _LINE)
    whole = cut and len(data) < _LINE and start + len(data) < stream.length
    return looks_like_http(data, whole=whole)


def _first_starts(stream: ByteStream) -> dict[str, int | None]:
    """Where the first request begins, and the first response."""
    found: dict[str, int | None] = {"request": None, "response": None}
    if not stream.captured or _has_none(stream):
        return found
    for start in with_mark(stream, ends_before(stream, stream.length), _marks, _LINE):
        look = _look(stream, start)
        if look in found and found[look] is None:
            found[look] = start
            if None not in found.values():
                break
    return found


def _has_none(stream: ByteStream) -> bool:
    """Whether no message begins in a stream of few bytes: a first line has a space, or a version."""
    data = stream.all_at_start()
    return data is not None and b" " not in data and b"HTTP/1." not in data


def _starts(stream: ByteStream, kind: str) -> Iterator[int]:
    for start in with_mark(stream, ends_before(stream, stream.length), _marks, _LINE):
        if _begins(stream, start, kind):
            yield start
