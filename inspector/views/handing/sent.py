"""What the chosen packet says, as a message that a composer can send again, edited or as it is.

Packet (and a byte of its frame) -> the message that its protocol would say again, else its bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from inspector.model.language import tr
from inspector.model.messages import Message
from inspector.model.numbers import TCP
from inspector.model.packets import Row, packet_number, row_at
from inspector.trace.application.application import Carried
from inspector.trace.flows.udp import datagram_payload
from inspector.views.handing.chosen import holds
from inspector.views.ladder.current import conversation_at

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

LONGEST = 1 << 16            # bytes of a message that are taken


class NothingSentError(Exception):
    """There is nothing that could be said again; the text is one sentence."""


class Sent(NamedTuple):
    """A message, and whether the client said it."""

    message: Message
    by_client: bool


def sent_at(trace: Trace, row: Row, byte: int | None = None) -> Sent:
    """What packet `row` says at a byte of its frame (None: first of all). NothingSentError where nothing."""
    conversation = conversation_at(trace, row)
    if conversation is None:
        raise NothingSentError(tr("Packet {number} belongs to no conversation.", number=packet_number(row)))
    if conversation.protocol != "tcp":
        first = row_at(trace.rows_of("udp", conversation.stream), 0)
        return _bytes(datagram_payload(trace, row), row, trace.index.sport[row] == trace.index.sport[first])
    flow = trace.flow(conversation.stream)
    direction = flow.direction(row)
    by_client = direction == trace.client(conversation.stream)
    one = _chosen(trace, conversation.stream, row, byte)
    message = None if one is None else one.layer.decoder.repeatable(one.position, LONGEST)
    if message is not None:
        return Sent(message, by_client)
    start = int(trace.index.payload[row])
    size = int(trace.index.payload_length[row]) if int(trace.index.protocol[row]) == TCP else 0
    return _bytes(trace.frame(row)[start : start + size] if size else b"", row, by_client)


def _bytes(data: bytes, row: Row, by_client: bool) -> Sent:
    if not data:
        raise NothingSentError(tr("Packet {number} says nothing that could be said again.",
                                  number=packet_number(row)))
    data = data[:LONGEST]
    try:
        readable = all(letter.isprintable() or letter == "\n" for letter in data.decode())
    except UnicodeDecodeError:
        readable = False
    return Sent(Message(data, "text" if readable else "binary"), by_client)


def _chosen(trace: Trace, stream: int, row: Row, byte: int | None) -> Carried | None:
    """The innermost record with the byte, else the first one of the packet's last layer."""
    found = list(trace.application(stream).carried(row))
    marked = [one for one in found if byte is not None and holds(trace, stream, one, row, byte)]
    if marked:
        return marked[-1]
    return next((one for one in found if one.layer.decoder is found[-1].layer.decoder), None)
