"""MQTT: what is said of the sessions that make_mqtt.py recorded, and of planted faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.trace.application.application import ApplicationLayers
from inspector.trace.filter.filter import Filter
from inspector.trace.trace import Trace
from tests.data.protocols.make_mqtt import packet, text
from tests.protocols.test_redis import Turn, exchange

CAPTURE = Path(__file__).parents[1] / "data" / "protocols" / "mqtt.pcapng"
LISTENER, SECOND, THIRD, REFUSED, HAND = 0, 2, 3, 7, 8


def lines(application: ApplicationLayers) -> list[str]:
    decoder = application.layers[0].decoder
    return [decoder.summary(one) for one in decoder.records]


def partners(application: ApplicationLayers) -> list[int | None]:
    decoder = application.layers[0].decoder
    return [decoder.partner(position) for position in range(len(decoder.records))]


def test_packets_are_told_with_what_acknowledges_them(trace: Trace) -> None:
    assert lines(trace.application(SECOND))[2:4] == [
        'PUBLISH  fruit/pear  QoS 1  id 1  retain  {"price": 2.25}', "PUBACK  id 1"]
    assert partners(trace.application(SECOND)) == [1, 0, 3, 2, None]
    assert lines(trace.application(THIRD))[2].endswith("Käse und Feigen")
    assert partners(trace.application(THIRD)) == [1, 0, 3, 2, 5, 4, None]


def test_a_topic_alias_is_named(trace: Trace) -> None:
    assert lines(trace.application(HAND))[4:6] == [
        "PUBLISH  fruit/alias  QoS 0  one", "PUBLISH  fruit/alias  QoS 0  two"]
    assert len(Filter('mqtt.topic == "fruit/alias"').rows(trace)) == 3


def test_faults_are_found(trace: Trace) -> None:
    found = {stream: [one.text.partition(". ")[0] for one in trace.application(stream).findings
                      if one.id.startswith("mqtt.")] for stream in range(9)}
    for stream, rule in ((REFUSED, "mqtt.refused"), (HAND, "mqtt.will")):
        assert rule in [one.id for one in trace.application(stream).findings]
    assert found[REFUSED] == ["The server refuses the connection: 0x87 not authorized"]
    assert found[HAND] == ['The connection ends without DISCONNECT: the will on "fruit/last" is published']
    assert found[LISTENER] == found[SECOND] == found[THIRD] == []
    assert not any("secret" in line for line in lines(trace.application(REFUSED)))


def begin(version: int = 4) -> list[Turn]:
    properties = b"\0" if version == 5 else b""
    return [(0, packet(0x10, text("MQTT"), bytes([version, 2]), b"\0\x3c", properties, text("me"))),
            (1, packet(0x20, b"\0\0", properties))]


PUBLISH = packet(0x32, text("a"), b"\0\1", b"hello")


@pytest.mark.parametrize(("turns", "ids"), [
    ([*begin(), (0, PUBLISH), (1, packet(0x40, b"\0\1")), (0, packet(0xE0))], []),
    ([*begin(), (0, PUBLISH)], ["mqtt.unacknowledged"]),
    ([*begin(), (0, packet(0xC0))], ["mqtt.unanswered"]),
    ([*begin(), (0, PUBLISH), (0, bytes([PUBLISH[0] | 8]) + PUBLISH[1:]), (1, packet(0x40, b"\0\1"))], []),
    ([*begin(5), (1, packet(0xE0, b"\x8d\0"))], ["mqtt.disconnected"]),
    ([*begin(5), (0, packet(0x82, b"\0\1\0", text("a"), b"\1")), (1, packet(0x90, b"\0\1\0\x87"))],
     ["mqtt.negative-answer"]),
    ([*begin(), (0, b"GET / HTTP/1.1\r\n\r\n")], ["mqtt.no-packet"]),
])
def test_planted_faults(turns: list[Turn], ids: list[str]) -> None:
    assert [one.id for one in exchange(*turns, port=1883).findings] == ids


def test_a_capture_that_begins_later_is_told_by_its_port() -> None:
    found = exchange((0, PUBLISH), (1, packet(0x40, b"\0\1")), port=1883, begin=False)
    assert found.protocol == "mqtt" and found.inferred and found.findings == []
    assert partners(found) == [1, 0]
    assert exchange((0, PUBLISH), (1, packet(0x40, b"\0\1")), port=9000, begin=False).protocol == ""
    assert exchange((0, PUBLISH), port=1883, begin=False).protocol == "mqtt"
