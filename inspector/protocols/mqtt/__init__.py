"""MQTT 3.1, 3.1.1 and 5.0: topics and messages, acknowledgements with what they acknowledge, reasons.

What reads it is loaded with the first connection that may speak it. Passwords are never shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from inspector.protocols.api import Field, Opening, Protocol, Source, Start
from inspector.protocols.mqtt.findings import BOOK
from inspector.protocols.mqtt.packet import CONNACK, PUBLISH, SUBACK
from inspector.wire.tcp.delivery import Pump

if TYPE_CHECKING:
    from inspector.protocols.mqtt.decoder import MqttDecoder, MqttPacket
    from inspector.protocols.mqtt.packet import Parsed

_Get = Callable[["MqttDecoder", "MqttPacket"], Sequence[Any]]


def _sniff(opening: Opening) -> Start | None:
    from inspector.protocols.mqtt.start import sniff  # here and below: for the time of start-up

    return sniff(opening)


def _decoder(source: Source, pump: Pump, start: Start) -> MqttDecoder:
    from inspector.protocols.mqtt.decoder import MqttDecoder

    return MqttDecoder(source, pump, start)


def _parsed(get: Callable[[Parsed], Any]) -> _Get:
    def read(decoder: MqttDecoder, record: MqttPacket) -> Sequence[Any]:
        value = get(decoder.parsed(record))
        return [] if value is None else [value]

    return read


def _published(get: Callable[[MqttPacket], Any]) -> _Get:
    return lambda decoder, record: [get(record)] if record.type == PUBLISH else []


def _reasons(decoder: MqttDecoder, record: MqttPacket) -> Sequence[int]:
    return decoder.parsed(record).reasons


def _return_code(decoder: MqttDecoder, record: MqttPacket) -> Sequence[int]:
    return decoder.parsed(record).reasons if record.type == CONNACK and decoder.version < 5 else ()


def _granted(decoder: MqttDecoder, record: MqttPacket) -> Sequence[int]:
    return decoder.parsed(record).reasons if record.type == SUBACK and decoder.version < 5 else ()


def _topics(decoder: MqttDecoder, record: MqttPacket) -> Sequence[str]:
    return [record.topic] if record.topic else [one for one in decoder.parsed(record).topics if one]


def _truncated(decoder: MqttDecoder, record: MqttPacket) -> Sequence[bool]:
    """Whether its values are those of the beginning alone: it is very large."""
    from inspector.protocols.mqtt.decoder import READ

    large = record.stop - record.start > READ
    return [True] if large or decoder.parsed(record).left else []


def _message(decoder: MqttDecoder, record: MqttPacket) -> Sequence[bytes]:
    return [data] if (data := decoder.message(record)) else []


MQTT = Protocol(
    name="mqtt", title="MQTT", colour="messages", sniff=_sniff, decoder=_decoder, book=BOOK, pairs=True,
    ordered="last", record="packet",
    fields=(
        Field("mqtt.msgtype", "number", lambda decoder, record: [record.type], bits=8),
        Field("mqtt.len", "number", lambda decoder, record: [record.stop - decoder.body_start(record)],
              bits=32),
        Field("mqtt.topic", "text", _topics, many=True),
        Field("mqtt.qos", "number", _published(lambda record: record.qos), bits=8),
        Field("mqtt.retain", "flag", _published(lambda record: bool(record.first & 1)), bits=1),
        Field("mqtt.dupflag", "flag", _published(lambda record: bool(record.first & 8)), bits=1),
        Field("mqtt.msgid", "number", _parsed(lambda parsed: parsed.packet_id), bits=16),
        Field("mqtt.msg", "bytes", _message, json=""),
        Field("truncated", "flag", _truncated, filtered=False),
        Field("mqtt.sub.qos", "number", lambda decoder, record: decoder.parsed(record).qos, many=True,
              bits=8),
        Field("mqtt.suback.qos", "number", _granted, many=True, bits=8),
        Field("mqtt.reason", "number", _reasons, many=True, bits=8),
        Field("mqtt.conack.val", "number", _return_code, bits=8),
        Field("mqtt.ver", "number", _parsed(lambda parsed: parsed.version), bits=8),
        Field("mqtt.clientid", "text", _parsed(lambda parsed: parsed.client_id)),
        Field("mqtt.username", "text", _parsed(lambda parsed: parsed.user)),
        Field("mqtt.willtopic", "text", _parsed(lambda parsed: parsed.will)),
        Field("mqtt.kalive", "number", _parsed(lambda parsed: parsed.keep_alive), bits=16),
    ),
)
