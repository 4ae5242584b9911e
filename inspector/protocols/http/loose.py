"""HTTP found by scanning where packets were cut short, or the capture ends in the middle of a message.

Turns as far as they are there -> the messages that `HttpConnection` makes of them. A body may lack any of
its bytes, of a head that is cut there is what was captured; an answer that is cut before its status is no
message, and neither is the next one certain to answer what was asked last. None where it is not as simple as
that, for which the decoder is there.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from inspector.protocols.api import Loose, Source, Turns
from inspector.protocols.http.message import HttpMessage, Moved, head_end, looks_like_http
from inspector.protocols.http.plain import (
    LONGEST,
    Head,
    Messages,
    PlainHttpDecoder,
    answer_of,
    cut_answer_of,
    cut_request_of,
    request_of,
)

_ANSWER = b"HTTP/1."
_STATUS = len(b"HTTP/1.1 200")           # bytes of an answer in which its status stands
_SHORTEST = len(b"GET / HTTP/1.0\r\n\r\n")
_KEPT, _SHORT = 4096, 2048      # exchanges that are known, of so few bytes
_Turn = tuple[bytes, int, int]  # what is there of one, how many bytes it has, and what was kept (see `Turns`)
_Exchange = tuple[_Turn, _Turn]
_Found = tuple[Head, Head | None]
_known: dict[_Exchange, _Found] = {}


def exchanges(turns: Turns) -> Loose | None:
    """The heads of turns, of which the first is the client's; None where they have to be decoded."""
    every = list(zip(turns.sent, turns.sizes, turns.kept, strict=True))
    inner = (len(every) - 1) & ~1                # the turns of all exchanges behind which another one begins
    each = list(zip(every[:inner:2], every[1:inner:2], strict=True))
    known = list(map(_known.get, each))
    if None in known:
        known = [found or _exchange(exchange) for found, exchange in zip(known, each, strict=True)]
    heads: list[Head | None] = []
    for found in known:
        if found is None:
            return None
        heads += found
    whole = _take_end(heads, every[inner:])
    if whole is None or not _begins_certainly(heads) or not _lost_for_good(heads, turns):
        return None
    partners, early = _partners(heads, turns), _early(heads, turns)
    return None if partners is None or early is None else Loose(heads, partners, whole, early)


def _exchange(exchange: _Exchange) -> _Found | None:
    """A request, and its answer as far as it is there; None: not as simple as that."""
    found = _known.get(exchange)
    if found is not None:
        return found
    request, answer = exchange
    request_head = _request(request)
    answer_head = False if request_head is None else _answer(answer, request_head)
    if request_head is None or answer_head is False:
        return None
    if len(request[0]) + len(answer[0]) <= _SHORT:
        if len(_known) >= _KEPT:
            _known.clear()
        _known[exchange] = request_head, answer_head
    return request_head, answer_head


def _size_of_head(data: bytes) -> int:
    """0: it is not all there, or longer than what is looked at here."""
    size = data.find(b"\r\n\r\n", 0, LONGEST) + 4
    return size if size >= 4 else 0


def _request(request: _Turn, *, last: bool = False) -> Head | None:
    """The head of a request that has all its bytes but some of its body, or of which the head is cut.

    `last`: its body may still be on the way.
    """
    data, size, kept = request
    head = _size_of_head(data)
    if head:
        request_head = request_of(data[:head])
        return request_head if request_head is not None and size == head + request_head.body else None
    if not kept or not _may_begin(data, "request"):
        return None
    request_head = cut_request_of(data, kept)
    if request_head is None or not (last or len(data) + request_head.body <= size):
        return None
    return request_head


def _answer(answer: _Turn, request_head: Head, *, last: bool = False) -> Head | Literal[False] | None:
    """The same of an answer; None: its head is cut before its status. False: something else."""
    data, size, kept = answer
    head = _size_of_head(data)
    if head:
        answer_head = answer_of(data[:head], request_head.bodiless)
        return answer_head if answer_head is not None and size == head + answer_head.body else False
    if not kept or not _may_begin(data, "response"):
        return False
    if len(data) < _STATUS:
        return None
    answer_head = cut_answer_of(data, kept, request_head.bodiless)
    if answer_head is None or not (last or len(data) + answer_head.body <= size):
        return False
    return answer_head


def _may_begin(data: bytes, kind: str) -> bool:
    """Whether these may be the first bytes of a head, and all of it does not stand there."""
    if not data or data[:1] in (b"\r", b"\n") or len(data) > LONGEST or head_end(data) >= 0:
        return False
    return looks_like_http(data) in ("perhaps", kind)


def _take_end(heads: list[Head | None], rest: Sequence[_Turn]) -> bool | None:
    """Take the last request and what there is of its answer; whether nothing of them is still to come.

    None: they have to be decoded.
    """
    data, size, kept = rest[0]
    if len(rest) == 1:
        head = _size_of_head(data)
        if head:
            return _take_last(heads, request_of(data[:head]), size - head)
        if not kept and heads and _may_begin(data, "request"):
            heads.append(None)
            return True
        request_head = _request(rest[0], last=True)
        heads.append(request_head)
        return None if request_head is None else True
    request_head = _request(rest[0])
    if request_head is None:
        return None
    heads.append(request_head)
    data, size, kept = rest[1]
    head = _size_of_head(data)
    if head:
        return _take_last(heads, answer_of(data[:head], request_head.bodiless), size - head)
    answer_head = _answer(rest[1], request_head, last=True) if kept else None
    if answer_head is False or (answer_head is None and not _may_begin(data, "response")):
        return None
    heads.append(answer_head)
    return True


def _begins_certainly(heads: Sequence[Head | None]) -> bool:
    """Whether it is HTTP by its first line, or by an answer where that line is cut."""
    first = heads[0]
    if first is None or first.record.version or not first.record.cut:
        return True
    return len(heads) > 1 and heads[1] is not None


def _take_last(heads: list[Head | None], last: Head | None, came: int) -> bool | None:
    """Take a message of whose body so many bytes came."""
    if last is None or came > last.body:
        return None
    if came == last.body:
        heads.append(last)
        return True
    heads.append(replace(last, record=last.record._replace(body_length=came), body=came))
    return False


def _lost_for_good(heads: list[Head | None], turns: Turns) -> bool:
    """Whether behind each head that is cut reading goes on with the next turn, and not within this one."""
    if turns.packets is None:
        return True
    for number, head in enumerate(heads):
        if head is None and len(turns.sent[number]) < turns.sizes[number]:
            packets, ends = turns.packets(number)
            if ends or any(map(_may_be_answer, packets[1:])):
                return False
        elif head is not None and head.record.cut:
            packets, _ = turns.packets(number)
            if any(map(_may_be_answer if number & 1 else _may_be_request, packets[1:])):
                return False
    return True


def _early(heads: Sequence[Head | None], turns: Turns) -> Sequence[int] | None:
    """Turns of several packets whose head is cut: they count for the packet with the end of the start line.

    None: for some of them that is not the first.
    """
    if turns.packets is None:
        return ()
    early = []
    for number, head in enumerate(heads):
        if head is not None and head.record.cut:
            if head.record.line_stop > len(turns.packets(number)[0][0]):
                return None
            early.append(number)
    return early


def _may_be_answer(piece: bytes) -> bool:
    start = piece[: len(_ANSWER) + 2].lstrip(b"\r\n")[: len(_ANSWER)]
    return _ANSWER.startswith(start)


def _may_be_request(piece: bytes) -> bool:
    return looks_like_http(piece[:LONGEST], whole=True) != ""


def _partners(heads: Sequence[Head | None], turns: Turns) -> Sequence[int] | None:
    """What belongs together; None where that is in doubt.

    Behind an answer that is cut before its status it is not certain any more which request the next one is
    for (it may be without a body, as the answer to HEAD is): where a body begins as an answer does nobody can
    tell. So it is where the rest of a request that is cut may hide another one.
    """
    partners = array("q", range(1, len(heads) + 1))
    partners[1::2] = array("q", range(0, len(heads) - 1, 2))
    if len(heads) % 2:
        partners[-1] = -1
    hides = [request_head is not None and request_head.record.cut > 0 and
             size - len(data) - request_head.body >= _SHORTEST
             for request_head, data, size in zip(heads[::2], turns.sent[::2], turns.sizes[::2], strict=True)]
    if None not in heads and not any(hides):
        return partners
    if not any(heads[1::2]):                       # no answer has a head
        return array("q", [-1]) * len(heads)
    if None in heads and any(one is not None and one.record.cut for one in heads[::2]):
        return None
    lost = False                                   # an answer was, or a request may have been
    for number in range(1, len(heads), 2):
        request_head, head = heads[number - 1], heads[number]
        before = lost and heads[number - 2] is None
        lost = lost or hides[number // 2] or head is None
        if lost and not (head is None or head.record.cut or _has_plain_body(head, turns.sent[number])):
            return None
        if before and request_head is not None and request_head.bodiless:
            return None
        if head is None or before:
            partners[number - 1] = partners[number] = -1
    return partners


def _has_plain_body(head: Head, data: bytes) -> bool:
    """Whether a message has no body, or one that does not begin as an answer."""
    if head.record.framing != "length":
        return True
    body = data[head.record.body_start :][: len(_ANSWER)]
    return not head.body or (body != b"" and not _ANSWER.startswith(body))


class LooseExchanges(Messages):
    """Requests and answers as far as they are there; a message is made when it is asked for."""

    def __init__(self, found: Loose, turns: Turns) -> None:
        self._heads, self._whole = found.records, found.whole
        self._turns = array("q", [number for number, head in enumerate(found.records) if head is not None])
        places = dict(zip(self._turns, range(len(self._turns)), strict=True))
        self.partners = array("q", [places.get(found.partners[turn], -1) for turn in self._turns])
        self._start, self._sizes, offsets = array("q"), turns.sizes, [0, 0]
        for number, size in enumerate(turns.sizes):
            self._start.append(offsets[number & 1])
            offsets[number & 1] += size

    def __len__(self) -> int:
        return len(self._turns)

    def _message(self, number: int) -> HttpMessage:
        turn, partner = self._turns[number], self.partners[number]
        found, start, side = self._heads[turn], self._start[turn], turn & 1
        head = found.record
        headers = Moved(head.headers, start) if start else head.headers
        body, size, cut = head.body_start + start, found.body, head.cut
        stop = start + self._sizes[turn] if cut else body + size
        return HttpMessage(
            side, not side, start, head.line_stop + start, body, stop, head.version, head.method,
            head.target, head.status, head.reason, headers, framing=head.framing,
            body_length=0 if cut else size,
            complete=not cut and (self._whole or turn < len(self._heads) - 1), number=number,
            partner=None if partner < 0 else partner, cut=cut,
        )


class _LooseDecoder(PlainHttpDecoder):
    """The decoder of such a conversation: it has its messages, and reads no more."""

    def __init__(self, source: Source, messages: LooseExchanges) -> None:
        super().__init__(source, messages)
        self._partners = messages.partners

    def partner(self, position: int) -> int | None:
        found: int = self._partners[position]
        return None if found < 0 else found


def decoder(source: Source, found: Loose, turns: Turns) -> PlainHttpDecoder:
    """See `Scan.loose_decoder`."""
    return _LooseDecoder(source, LooseExchanges(found, turns))
