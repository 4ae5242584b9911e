"""MySQL and MariaDB, protocol 10: greeting, login, commands and prepared statements with their answers.

What reads it is loaded with the first connection that may speak it. What logs in is never shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from inspector.protocols.api import CERTAIN, LIKELY, Field, Opening, Protocol, Source, Start
from inspector.protocols.framing.segments import starts_between
from inspector.protocols.mysql.packets import (
    BOOK,
    COMMANDS,
    EOF,
    ERR,
    OK,
    begins_greeting,
    is_greeting,
    is_login,
    number,
)
from inspector.wire.tcp.delivery import Pump
from inspector.wire.tcp.stream import ByteStream

if TYPE_CHECKING:
    from inspector.protocols.mysql.decoder import MyPacket, MysqlDecoder
    from inspector.protocols.mysql.packets import Parsed

PORT = 3306
_Get = Callable[["MysqlDecoder", "MyPacket"], Sequence[Any]]


def sniff(opening: Opening) -> Start | None:
    """By the server's greeting, or a login behind TLS; on its port by a command that fills a segment."""
    first, second = opening.streams
    for server, stream in enumerate(opening.streams):
        greeting = stream.read(stream.start, stream.start + 128)
        if is_greeting(greeting):
            return Start(1 - server, (first.start, second.start), CERTAIN)
        if begins_greeting(greeting) and stream.start_known and len(greeting) < stream.length:
            return Start(1 - server, (first.start, second.start), LIKELY)
        if stream.start_known and is_login(stream.read(stream.start, stream.start + 36)):
            return Start(server, (first.start, second.start), CERTAIN)
    if PORT not in opening.ports or all(stream.start_known for stream in opening.streams):
        return None
    client = 1 - opening.ports.index(PORT)
    place = _command(opening.streams[client])
    if place is None:
        return None
    answers = opening.streams[1 - client]
    places = place, answers.contiguous_from(answers.start) if not answers.length else _answer(answers)
    return Start(client, places if client == 0 else (places[1], places[0]), LIKELY)


def _command(stream: ByteStream) -> int | None:
    """Where a segment begins that is one command."""
    starts = starts_between(stream, stream.start, stream.length)
    for start, end in zip(starts, [*starts[1:], stream.length], strict=False):
        head = stream.read(start, start + 5)
        if len(head) == 5 and number(head, 0, 3) == end - start - 4 and not head[3] and head[4] in COMMANDS:
            return start
    return None


def _answer(stream: ByteStream) -> int:
    """Where a segment begins with the first packet of an answer, else the end of what there is."""
    for start in starts_between(stream, stream.start, stream.length):
        if stream.read(start + 3, start + 4) == b"\1":
            return start
    return stream.contiguous_from(stream.start)


def _decoder(source: Source, pump: Pump, start: Start) -> MysqlDecoder:
    from inspector.protocols.mysql.decoder import MysqlDecoder  # here and below: for the time of start-up

    return MysqlDecoder(source, pump, start)


def _parsed(get: Callable[[Parsed], Any]) -> _Get:
    def read(decoder: MysqlDecoder, record: MyPacket) -> Sequence[Any]:
        value = get(decoder.parsed(record))
        return [] if value is None or value == "" else [value]

    return read


def _truncated(decoder: MysqlDecoder, record: MyPacket) -> Sequence[bool]:
    """Whether its values are those of the beginning alone: it is very large."""
    from inspector.protocols.mysql.decoder import READ

    return [True] if record.stop - record.start > READ else []


def _query(decoder: MysqlDecoder, record: MyPacket) -> Sequence[str]:
    return [decoder.parsed(record).text] if record.command in (3, 22) else []


def _message(decoder: MysqlDecoder, record: MyPacket) -> Sequence[str]:
    return [decoder.parsed(record).text] if record.kind == "ERR" else []


def _response(decoder: MysqlDecoder, record: MyPacket) -> Sequence[int]:
    return {"OK": [OK], "ERR": [ERR], "prepared": [OK], "auth switch": [EOF]}.get(record.kind, [])


def _time(decoder: MysqlDecoder, record: MyPacket) -> Sequence[int]:
    time = decoder.time_ns(record)
    return [] if time is None else [time]


MYSQL = Protocol(
    name="mysql", title="MySQL", colour="exchange", sniff=sniff, decoder=_decoder, book=BOOK, pairs=True,
    ordered="last", record="packet",
    fields=(
        Field("mysql.packet_length", "number", lambda decoder, one: [one.stop - one.start - 4], bits=24),
        Field("mysql.packet_number", "number", lambda decoder, one: [one.sequence], bits=8),
        Field("mysql.kind", "text", lambda decoder, one: [one.kind]),
        Field("mysql.command", "number", lambda decoder, one: [one.command] if one.command >= 0 else [],
              bits=8),
        Field("mysql.query", "text", _query),
        Field("truncated", "flag", _truncated, filtered=False),
        Field("mysql.response_code", "number", _response, bits=8),
        Field("mysql.error_code", "number", _parsed(lambda parsed: parsed.error), bits=16),
        Field("mysql.sqlstate", "text", _parsed(lambda parsed: parsed.state)),
        Field("mysql.error.message", "text", _message),
        Field("mysql.version", "text", _parsed(lambda parsed: parsed.version)),
        Field("mysql.user", "text", _parsed(lambda parsed: parsed.user)),
        Field("mysql.schema", "text", _parsed(lambda parsed: parsed.schema)),
        Field("mysql.stmt_id", "number", _parsed(lambda parsed: parsed.statement), bits=32),
        Field("mysql.num_fields", "number", _parsed(lambda parsed: parsed.columns), bits=64),
        Field("mysql.affected_rows", "number", _parsed(lambda parsed: parsed.affected), bits=64),
        Field("mysql.insert_id", "number", _parsed(lambda parsed: parsed.inserted or None), bits=64),
        Field("mysql.time", "seconds", _time, json=""),
    ),
)
