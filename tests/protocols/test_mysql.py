"""MySQL: what is said of the sessions that make_mysql.py recorded, and of planted faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.trace.application.application import ApplicationLayers
from inspector.trace.trace import Trace
from tests.protocols.test_redis import Turn, exchange
from tests.support.captures.application import first_messages

CAPTURE = Path(__file__).parents[1] / "data" / "protocols" / "mysql.pcapng"
STATEMENTS, REFUSED, LEFT, SEVERAL = range(4)


def lines(application: ApplicationLayers) -> list[str]:
    decoder = application.layers[-1].decoder
    return [decoder.message_summary(number) for number in first_messages(decoder.count)]


def test_commands_and_their_answers(trace: Trace) -> None:
    spoken = lines(trace.application(STATEMENTS))
    assert spoken[spoken.index("QUERY  SELECT * FROM fruit ORDER BY id") + 1] == "ROWS  3 rows"
    assert spoken[spoken.index("QUERY  SELECT nothing FROM nowhere") + 1] == (
        "ERROR  1146  42S02  Table 'shop.nowhere' doesn't exist")
    assert "OK  3 rows affected  id 1  Records: 3  Duplicates: 0  Warnings: 0" in spoken
    assert lines(trace.application(SEVERAL))[4] == "ROWS  2 rows"
    decoder = trace.application(STATEMENTS).layers[0].decoder
    for position, record in enumerate(decoder.records[1:], 1):
        assert decoder.partner(position) is not None or record.command == 1


def test_faults_are_found(trace: Trace) -> None:
    found = {stream: [one.id for one in trace.application(stream).findings] for stream in range(4)}
    assert found == {STATEMENTS: ["mysql.error-response"], REFUSED: ["mysql.refused"],
                     LEFT: ["mysql.open-transaction"], SEVERAL: []}


def packet(sequence: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "little") + bytes([sequence]) + body


GREETING = packet(0, b"\x0a8.0.36\0" + bytes(4) + b"saltsalt\0" + b"\xff\xff\x21\2\0\xff\xc1\x15" + bytes(10)
                  + b"saltsaltsalt\0mysql_native_password\0")
CAPABILITIES = (0x200 | 0x8000 | 1 << 24).to_bytes(4, "little")
LOGIN = packet(1, CAPABILITIES + bytes(4) + b"\x21" + bytes(23) + b"ada\0\0")
OK = b"\0\0\0\2\0\0\0"
BEGIN: list[Turn] = [(1, GREETING), (0, LOGIN), (1, packet(2, OK))]
QUERY: Turn = (0, packet(0, b"\3SELECT 1"))
ROWS = (packet(1, b"\1") + packet(2, b"\3def") + packet(3, b"\0011") + packet(4, b"\0012")
        + packet(5, b"\xfe\0\0\2\0\0\0"))


@pytest.mark.parametrize(("turns", "ids"), [
    ([QUERY, (1, ROWS), QUERY, (1, ROWS)], []), ([QUERY], ["mysql.unanswered"]),
    ([QUERY, (1, ROWS[:-3])], ["mysql.incomplete-packet"]),
    ([(0, packet(0, b"\3BEGIN")), (1, packet(1, b"\0\0\0\3\0\0\0"))], ["mysql.open-transaction"]),
    ([QUERY, (1, packet(1, b"\xff\x28\x04#42000bad"))], ["mysql.error-response"]),
])
def test_planted_faults(turns: list[Turn], ids: list[str]) -> None:
    assert [one.id for one in exchange(*BEGIN, *turns, port=3306).findings] == ids


def test_rows_are_counted_and_what_is_prepared_is_named() -> None:
    prepare: Turn = (0, packet(0, b"\x16SELECT ?"))
    ready = packet(1, b"\0\7\0\0\0\1\0\1\0\0\0\0") + packet(2, b"\3def") + packet(3, b"\3def")
    execute: Turn = (0, packet(0, b"\x17\7\0\0\0\0\1\0\0\0"))
    found = exchange(*BEGIN, prepare, (1, ready), execute, (1, ROWS), port=3306)
    assert lines(found)[3:] == [
        "PREPARE  SELECT ?", "OK  1 column  1 parameter", "EXECUTE  SELECT ?", "ROWS  2 rows"]


def test_tls_and_compression_end_what_is_told() -> None:
    wish = packet(1, (0x200 | 0x8000 | 0x800).to_bytes(4, "little") + bytes(4) + b"\x21" + bytes(23))
    hello = b"\x16\x03\x01\x00\x05\x01\0\0\1\0"
    found = exchange((1, GREETING), (0, wish + hello))
    assert [layer.protocol.name for layer in found.layers] == ["mysql", "tls"]
    compressed = (0x200 | 0x8000 | 0x20).to_bytes(4, "little")
    packed = packet(1, compressed + bytes(4) + b"\x21" + bytes(23) + b"ada\0\0")
    found = exchange((1, GREETING), (0, packed), (1, packet(2, OK)), (0, bytes(20)))
    assert found.rest(0).text == "compressed, as both agreed" and found.findings == []


def test_a_capture_that_begins_later_is_told_by_its_port() -> None:
    found = exchange(QUERY, (1, ROWS), QUERY, (1, ROWS), port=3306, begin=False)
    assert found.protocol == "mysql" and found.inferred and found.findings == []
    assert lines(found)[0] == "QUERY  SELECT 1" and lines(found)[1].startswith("ROWS")
