"""PostgreSQL's protocol 3.0: startup, simple and extended queries with their answers, COPY, notifications.

What reads it is loaded with the first connection that may speak it. Passwords are never shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from inspector.protocols.api import Field, Opening, Protocol, Source, Start
from inspector.protocols.postgresql.findings import BOOK
from inspector.wire.tcp.delivery import Pump

if TYPE_CHECKING:
    from inspector.protocols.postgresql.decoder import PgMessage, PostgresqlDecoder
    from inspector.protocols.postgresql.values import Body

_Get = Callable[["PostgresqlDecoder", "PgMessage"], Sequence[Any]]


def _sniff(opening: Opening) -> Start | None:
    from inspector.protocols.postgresql.start import sniff  # here and below: for the time of start-up

    return sniff(opening)


def _decoder(source: Source, pump: Pump, start: Start) -> PostgresqlDecoder:
    from inspector.protocols.postgresql.decoder import PostgresqlDecoder

    return PostgresqlDecoder(source, pump, start)


def _of_body(get: Callable[[Body], Any]) -> _Get:
    """A value of what a message says; none where it is empty."""
    def read(decoder: PostgresqlDecoder, record: PgMessage) -> Sequence[Any]:
        value = get(decoder.body_of(record))
        return [] if value is None or value == "" else [value]

    return read


def _each(get: Callable[[Body], Sequence[Any]]) -> _Get:
    return lambda decoder, record: get(decoder.body_of(record))


def _error(name: str) -> _Get:
    return _of_body(lambda body: body.of_error(name))


def _time(decoder: PostgresqlDecoder, record: PgMessage) -> Sequence[int]:
    time = decoder.time_ns(record)
    return [] if time is None else [time]


def _truncated(decoder: PostgresqlDecoder, record: PgMessage) -> Sequence[bool]:
    """Whether its values are those of the beginning alone: it is very large."""
    from inspector.protocols.postgresql.decoder import READ

    body = decoder.body_of(record)
    some = len(body.columns) + len(body.values) < body.count and record.complete
    return [True] if some or record.stop - record.start > READ else []


def _length(decoder: PostgresqlDecoder, record: PgMessage) -> Sequence[int]:
    size = record.stop - record.start
    return [] if size == 1 else [size - (len(record.type) == 1)]


POSTGRESQL = Protocol(
    name="pgsql", title="PostgreSQL", colour="exchange", sniff=_sniff, decoder=_decoder, book=BOOK,
    pairs=True, ordered="last",
    fields=(
        Field("pgsql.type", "text", lambda decoder, record: [decoder.type_name(record)]),
        Field("pgsql.frontend", "flag", lambda decoder, record: [record.direction == decoder.client], bits=1),
        Field("pgsql.length", "number", _length, bits=32),
        Field("pgsql.query", "text", _of_body(lambda body: body.query)),
        Field("pgsql.statement", "text", _of_body(lambda body: body.statement)),
        Field("pgsql.portal", "text", _of_body(lambda body: body.portal)),
        Field("pgsql.tag", "text", _of_body(lambda body: body.tag)),
        Field("pgsql.status", "number", _of_body(lambda body: body.status), bits=8),
        Field("pgsql.authtype", "number", _of_body(lambda body: body.authentication), bits=32),
        Field("pgsql.parameter_name", "text", _each(lambda body: [name for name, _ in body.parameters]),
              many=True),
        Field("pgsql.parameter_value", "text", _each(lambda body: [value for _, value in body.parameters]),
              many=True),
        Field("pgsql.field.count", "number",
              _of_body(lambda body: body.count or None), bits=16),
        Field("truncated", "flag", _truncated, filtered=False),
        Field("pgsql.col.name", "text", _each(lambda body: body.columns), many=True),
        Field("pgsql.val.data", "bytes", _each(lambda body: [one for one in body.values if one is not None]),
              json=""),
        Field("pgsql.severity", "text", _error("severity")),
        Field("pgsql.code", "text", _error("code")),
        Field("pgsql.message", "text", _error("message")),
        Field("pgsql.detail", "text", _error("detail")),
        Field("pgsql.hint", "text", _error("hint")),
        Field("pgsql.condition", "text", _of_body(lambda body: body.channel)),
        Field("pgsql.text", "text", _of_body(lambda body: body.text)),
        Field("pgsql.pid", "number", _of_body(lambda body: body.pid), bits=32),
        Field("pgsql.time", "seconds", _time, json=""),
    ),
)
