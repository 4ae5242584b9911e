"""Server-sent events (WHATWG HTML section 9.2): what a body of type text/event-stream says, event by event.

HTTP's decoder feeds them while it reads; what reads them is loaded with the first such answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from inspector.protocols.api import Field, Protocol
from inspector.protocols.sse.findings import BOOK

if TYPE_CHECKING:
    from inspector.protocols.sse.decoder import EventsDecoder
    from inspector.protocols.sse.event import Event

_Get = Callable[["EventsDecoder", "Event"], Sequence[Any]]
_READ = 1 << 20          # bytes of an event's data that are printed and searched


def _value(get: Callable[[Event], Any]) -> _Get:
    def read(decoder: EventsDecoder, event: Event) -> Sequence[Any]:
        value = get(event)
        return [] if value is None else [value]

    return read


def _data(decoder: EventsDecoder, event: Event) -> Sequence[str]:
    return [decoder.data(event, _READ).decode("utf-8", "replace")] if event.has_data else []


def _truncated(decoder: EventsDecoder, event: Event) -> Sequence[bool]:
    return [True] if event.size > _READ else []


SSE = Protocol(
    name="sse", title="Server-Sent Events", colour="messages", book=BOOK, within="http", record="event",
    fields=(
        Field("sse.event", "text", _value(lambda event: event.event_type)),
        Field("sse.data", "text", _data),
        Field("sse.id", "text", _value(lambda event: event.id)),
        Field("sse.retry", "number", _value(lambda event: event.retry)),
        Field("sse.comment", "text", lambda decoder, event: event.comments, many=True),
        Field("sse.data_length", "number", _value(lambda event: event.size if event.has_data else None)),
        Field("sse.dispatched", "flag", lambda decoder, event: [event.dispatched]),
        Field("truncated", "flag", _truncated, filtered=False),
    ),
)
