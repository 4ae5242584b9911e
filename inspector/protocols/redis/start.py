"""Where in a TCP conversation Redis begins, which end is the client, and where it goes on after a hole.

By its form: a request, replies, an inline command with its reply; the port only helps where a form is weak.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from inspector.protocols.api import CERTAIN, LATE, LIKELY, Opening, Start
from inspector.protocols.framing.segments import ends_before, starts_between, with_mark
from inspector.protocols.redis.commands import is_known
from inspector.protocols.redis.scanner import LINE, Scanner
from inspector.wire.tcp.stream import ByteStream

PORT = 6379
_SAMPLE = 4096           # bytes of each direction by which it is recognised
_REQUEST = re.compile(rb"\*[1-9]\d{0,6}\r\n\$[1-9]\d{0,8}\r\n([!-~]{1,32})")
_MARK = re.compile(rb"\*")             # with which a request begins
_REPLY = re.compile(rb"[+-][^\r\n]*\r\n|:[+-]?\d+\r\n|[$*](?:-1|\d+|\?)\r\n|[%~>|!=]\d+\r\n|_\r\n"
                    rb"|#[tf]\r\n|,[+\-\d.einfa]+\r\n|\([+-]?\d+\r\n")
_CUT_REPLY = re.compile(rb"[+-][ -~]+\Z|[:(]\d+\Z")        # of which the capture cut the line's end
_INLINE_COMMAND = re.compile(rb"([A-Za-z_]{2,20})(?:[ \t][^\r\n]*)?\r?\n")


def next_start(stream: ByteStream, offset: int, stop: int, is_request: bool) -> int:
    """Where after lost bytes a message begins: the start of a segment; else `stop`, where bytes end."""
    form = _REQUEST if is_request else _REPLY
    for start in starts_between(stream, offset, stop):
        data = stream.read(start, start + LINE) if start >= offset else b""
        cut_line = not is_request and _CUT_REPLY.match(data) and stream.cut_in(start, start + LINE)
        if form.match(data) or cut_line:
            return start
    return stop


def _is_reply(data: bytes, strong: bool) -> bool:
    """Whether bytes are replies; `strong`: not alone by + and -, which other protocols have too.

    By the first one that tells: what comes later changes nothing, so that a conversation is the same live.
    """
    if not strong or not _REPLY.match(data):
        return _REPLY.match(data) is not None
    scanner = Scanner(False)
    scanner.feed(data)
    return any(unit.type not in "+-" for unit in scanner.units)


def sniff(opening: Opening) -> Start | None:
    """Redis by its form: a request, replies, an inline command with its reply; the port only helps."""
    client, sure = _client(opening)
    if client is None:
        return _late(opening.streams)
    offsets = [0, 0]
    for direction, stream in enumerate(opening.streams):
        offsets[direction] = stream.start
        form = _REQUEST if direction == client else _REPLY
        if not stream.start_known and not form.match(stream.read(stream.start, stream.start + LINE)):
            stop = stream.contiguous_from(stream.start)
            offsets[direction] = next_start(stream, stream.start, stop, direction == client)
    return Start(client, (offsets[0], offsets[1]), sure)


def _client(opening: Opening) -> tuple[int | None, int]:
    """The client's direction by the first bytes, and how sure it is."""
    heads = [stream.read(stream.start, stream.start + _SAMPLE) for stream in opening.streams]
    requests = [_REQUEST.match(head) for head in heads]
    served = [port == PORT for port in opening.ports]                 # a server's direction by its port
    over = any(stream.end is not None for stream in opening.streams)
    cut = [stream.start + len(head) < min(stream.length, stream.start + _SAMPLE)
           for stream, head in zip(opening.streams, heads, strict=True)]
    for direction in (0, 1):
        match = requests[direction]
        if match is not None and is_known(match[1]) and not served[direction]:
            return direction, CERTAIN
    for direction in (0, 1):
        answered = heads[1 - direction]
        by_port = cut[direction] and served[1 - direction]        # of a command that is cut
        if requests[direction] and not served[direction] and (
            _is_reply(answered, False) or (over and not answered) or by_port
        ):
            return direction, LIKELY
    for client in (0, 1):
        asked, answered = heads[client], heads[1 - client]
        by_port = served[1 - client]
        inline = _INLINE_COMMAND.match(asked)
        if inline is not None and is_known(inline[1]):
            strong = not by_port and inline[1].upper() != b"PING"
            if _is_reply(answered, strong):
                return client, LIKELY
        # That one end is silent is known when it is over: before, it may not have spoken yet.
        one_half = not opening.streams[client].start_known or (over and not asked)
        if one_half and _is_reply(answered, not by_port):
            return client, LIKELY
    return None, 0


def _late(streams: tuple[ByteStream, ByteStream]) -> Start | None:
    """By a request that begins with a later segment."""
    for client in (0, 1):
        asking, answering = streams[client], streams[1 - client]
        start = next((start for start in _starts(asking) if is_known(start[1])), None)
        if start is not None:
            offsets = [0, 0]
            offsets[client] = start[0]
            stop = answering.contiguous_from(answering.start)
            offsets[1 - client] = next_start(answering, answering.start, stop, False)
            return Start(client, (offsets[0], offsets[1]), LATE)
    return None


def _marks(data: bytes) -> list[int]:
    return [match.start() for match in _MARK.finditer(data)]


def _starts(stream: ByteStream) -> Iterator[tuple[int, bytes]]:
    few = stream.all_at_start()
    if few is not None and b"*" not in few:
        return
    for start in with_mark(stream, ends_before(stream, stream.length), _marks, 1):
        match = _REQUEST.match(stream.read(start, start + LINE))
        if match is not None:
            yield start, match[1]
