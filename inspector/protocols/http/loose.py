"""HTTP found by scanning where packets were cut short, or the capture ends in the middle of a message.

Turns as far as they are there -> the messages that `HttpConnection` makes of them. A body may lack any of its
bytes; an answer whose head is cut is no message, and neither is the next one certain to answer what was asked
last. None where it is not as simple as that, for which the decoder is there.
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
    request_of,
)

_ANSWER = b"HTTP/1."
_KEPT, _SHORT = 4096, 2048      # exchanges that are known, of so few bytes
_Exchange = tuple[bytes, int, bytes, int]
_Found = tuple[Head, Head | None]
_known: dict[_Exchange, _Found] = {}


def exchanges(turns: Turns) -> Loose | None:
    """The heads of turns, of which the first is the client's; None where they have to be decoded."""
    sent, sizes = turns.sent, turns.sizes
    inner = (len(sent) - 1) & ~1                 # the turns of all exchanges behind which another one begins
    each = list(zip(sent[:inner:2], sizes[:inner:2], sent[1:inner:2], sizes[1:inner:2], strict=True))
    known = list(map(_known.get, each))
    if None in known:
        known = [found or _exchange(exchange) for found, exchange in zip(known, each, strict=True)]
    heads: list[Head | None] = []
    for found in known:
        if found is None:
            return None
        heads += found
    whole = _take_end(heads, turns, inner)
    if whole is None or not _lost_for_good(heads, turns):
        return None
    partners = _partners(heads, sent)
    return None if partners is None else Loose(heads, partners, whole)


def _exchange(exchange: _Exchange) -> _Found | None:
    """A whole request, and its answer as far as it is there; None: not as simple as that."""
    request, request_size, answer, answer_size = exchange
    found = _known.get(exchange)
    if found is not None:
        return found
    request_head = _request(request, request_size)
    answer_head = False if request_head is None else _answer(answer, answer_size, request_head.bodiless)
    if request_head is None or answer_head is False:
        return None
    if len(request) + len(answer) <= _SHORT:
        if len(_known) >= _KEPT:
            _known.clear()
        _known[exchange] = request_head, answer_head
    return request_head, answer_head


def _size_of_head(data: bytes) -> int:
    """0: it is not all there, or longer than what is looked at here."""
    size = data.find(b"\r\n\r\n", 0, LONGEST) + 4
    return size if size >= 4 else 0


def _request(request: bytes, size: int) -> Head | None:
    """The head of a request that has all its bytes but some of its body."""
    head = _size_of_head(request)
    request_head = request_of(request[:head]) if head else None
    return request_head if request_head is not None and size == head + request_head.body else None


def _answer(answer: bytes, size: int, bodiless: bool) -> Head | Literal[False] | None:
    """The same of an answer; None: its head is cut. False: something else."""
    head = _size_of_head(answer)
    if not head:
        return None if len(answer) < size and _may_begin(answer, "response") else False
    answer_head = answer_of(answer[:head], bodiless)
    return answer_head if answer_head is not None and size == head + answer_head.body else False


def _may_begin(data: bytes, kind: str) -> bool:
    """Whether these may be the first bytes of a head, and all of it does not stand there."""
    if not data or data[:1] in (b"\r", b"\n") or len(data) > LONGEST or head_end(data) >= 0:
        return False
    return looks_like_http(data) in ("perhaps", kind)


def _take_end(heads: list[Head | None], turns: Turns, inner: int) -> bool | None:
    """Take the last request and what there is of its answer; whether nothing of them is still to come.

    None: they have to be decoded.
    """
    request, size = turns.sent[inner], turns.sizes[inner]
    if len(turns.sent) == inner + 1:
        head = _size_of_head(request)
        request_head = request_of(request[:head]) if head else None
        if not head and inner and len(request) == size and _may_begin(request, "request"):
            heads.append(None)
            return True
        return _take_last(heads, request_head, size - head)
    request_head = _request(request, size)
    if request_head is None:
        return None
    heads.append(request_head)
    answer, size = turns.sent[inner + 1], turns.sizes[inner + 1]
    head = _size_of_head(answer)
    if not head:
        heads.append(None)
        return True if _may_begin(answer, "response") else None
    return _take_last(heads, answer_of(answer[:head], request_head.bodiless), size - head)


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
    if turns.later is None:
        return True
    for number, head in enumerate(heads):
        if head is None and len(turns.sent[number]) < turns.sizes[number]:
            later = turns.later(number)
            if later is None or any(map(_may_be_answer, later)):
                return False
    return True


def _may_be_answer(piece: bytes) -> bool:
    start = piece[: len(_ANSWER) + 2].lstrip(b"\r\n")[: len(_ANSWER)]
    return _ANSWER.startswith(start)


def _partners(heads: Sequence[Head | None], sent: Sequence[bytes]) -> Sequence[int] | None:
    """What belongs together; None where that is in doubt.

    Behind an answer that is cut it is not certain any more which request the next one is for (it may be
    without a body, as the answer to HEAD is): where a body begins as an answer does nobody can tell.
    """
    partners = array("q", range(1, len(heads) + 1))
    partners[1::2] = array("q", range(0, len(heads) - 1, 2))
    if len(heads) % 2:
        partners[-1] = -1
    if None not in heads:
        return partners
    if not any(heads[1::2]):                       # no answer has a head
        return array("q", [-1]) * len(heads)
    lost = False                                   # an answer was
    for number in range(1, len(heads), 2):
        request_head, head = heads[number - 1], heads[number]
        before = lost and heads[number - 2] is None
        if head is None:
            lost = True
        elif lost and not _has_plain_body(head, sent[number]):
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
        self._start, offsets = array("q"), [0, 0]
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
        body = head.body_start + start
        return HttpMessage(
            side, not side, start, head.line_stop + start, body, body + found.body, head.version, head.method,
            head.target, head.status, head.reason, headers, framing=head.framing, body_length=found.body,
            complete=self._whole or turn < len(self._heads) - 1, number=number,
            partner=None if partner < 0 else partner,
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
