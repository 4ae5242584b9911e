"""Where in a TCP conversation HTTP or WebSocket begins, and which end is the client.

Looks at the first bytes of both streams. A capture that began late may cut into a body or a frame; then the
starts of segments are tried, since programs begin a message with a write.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from inspector.protocols.http.message import HEAD_LIMIT, head_end, looks_like_http, parse_head
from inspector.protocols.websocket.guess import SAMPLE, Sample, frames_follow, guess_websocket
from inspector.protocols.websocket.upgrade import is_switch
from inspector.wire.tcp.stream import ByteStream

_SEGMENTS = 256        # segment starts at which HTTP is looked for
_METHOD = 40           # octets among which a request's method must end


class Start(NamedTuple):
    """What is spoken, the direction of its client, and the stream offsets at which to begin."""

    protocol: Literal["http", "websocket"]
    client: int
    offsets: tuple[int, int]


def find_start(streams: tuple[ByteStream, ByteStream]) -> Start | None:
    """The start, or None when nothing known is spoken, or too little was seen to tell."""
    first, second = (stream.start for stream in streams)
    looks = tuple(looks_like_http(stream.read(stream.start, stream.start + 2048)) for stream in streams)
    for direction in (0, 1):
        if looks[direction] in ("request", "response"):
            client = direction if looks[direction] == "request" else 1 - direction
            other = 1 - direction
            offsets = [first, second]
            if not looks[other]:
                late = _after_switch(streams, client) if other == client else None
                if late is not None:
                    return late
                wanted = "request" if other == client else "response"
                # Without a SYN, what is no HTTP may be the rest of something that began before the capture.
                rest = first if streams[other].start_known else streams[other].contiguous
                offsets[other] = next(_http_starts(streams[other], wanted), rest)
            return Start("http", client, (offsets[0], offsets[1]))
    guess = guess_websocket((_sample(streams[0]), _sample(streams[1])))
    if guess is not None:
        return Start("websocket", guess.client, guess.starts)
    return _late_http(streams)


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
    return Start("websocket", client, (offsets[0], offsets[1]))


def _late_http(streams: tuple[ByteStream, ByteStream]) -> Start | None:
    for client in (0, 1):
        request = next(_http_starts(streams[client], "request"), None)
        response = next(_http_starts(streams[1 - client], "response"), None)
        if request is None and response is None:
            continue
        offsets = [0, 0]
        offsets[client] = streams[client].contiguous if request is None else request
        offsets[1 - client] = streams[1 - client].contiguous if response is None else response
        return Start("http", client, (offsets[0], offsets[1]))
    return None


def next_http(stream: ByteStream, offset: int, kind: str) -> int:
    """Where after lost octets a message begins: the start of a segment; else the end of what there is."""
    stop = stream.contiguous_from(offset)
    for start in _starts(stream, offset, stop):
        if _begins(stream, start, kind):
            return start
    return stop


def _begins(stream: ByteStream, start: int, kind: str) -> bool:
    """Whether a message of `kind` begins at `start`; most places are ruled out by their first few octets."""
    head = stream.read(start, start + _METHOD)
    look = looks_like_http(head)
    if look != "perhaps" or (len(head) == _METHOD and b" " not in head):
        return look == kind
    return looks_like_http(stream.read(start, start + 2048)) == kind


def next_frame(stream: ByteStream, offset: int, masked: bool) -> int:
    """Where after lost octets a WebSocket frame begins, by the same rules as a guess."""
    stop = stream.contiguous_from(offset)
    starts = _starts(stream, offset, stop)
    for start in starts:
        sample = Sample(start, stream.read(start, min(stop, start + SAMPLE)), starts)
        if frames_follow(sample, start, masked):
            return start
    return stop


def _starts(stream: ByteStream, offset: int, stop: int) -> list[int]:
    starts: list[int] = stream.columns(offset, stop).offset[:_SEGMENTS].tolist()
    return starts


def _segments(stream: ByteStream, stop: int) -> list[int]:
    found = stream.columns(stream.start, min(stop, stream.contiguous_from(stream.start)))
    ends: list[int] = (found.offset + found.length)[:_SEGMENTS].tolist()
    return ends


def _http_starts(stream: ByteStream, kind: str) -> Iterator[int]:
    for start in _segments(stream, stream.length):
        if _begins(stream, start, kind):
            yield start


def _sample(stream: ByteStream) -> Sample:
    start = stream.start
    return Sample(start, stream.read(start, start + SAMPLE), _segments(stream, start + SAMPLE))
