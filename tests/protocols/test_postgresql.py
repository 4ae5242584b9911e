"""PostgreSQL: what is said of the sessions that make_postgresql.py recorded, and of planted faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.trace.application.answers import wait_of
from inspector.trace.application.application import ApplicationLayers
from inspector.trace.filter.filter import Filter
from inspector.trace.trace import Trace
from tests.protocols.test_redis import Turn, exchange
from tests.support.captures.application import first_messages

CAPTURE = Path(__file__).parents[1] / "data" / "protocols" / "postgresql.pcapng"
PSQL, SCRAM, WRONG_DATABASE, PREPARED, EXTENDED, LEFT = 2, 3, 5, 7, 8, 9


def lines(application: ApplicationLayers) -> list[str]:
    decoder = application.layers[0].decoder
    return [f"{line.kind} {line.text}".strip() for line in map(decoder.line, first_messages(decoder.count))]


def test_queries_and_their_answers(trace: Trace) -> None:
    spoken = lines(trace.application(PSQL))
    asked = spoken.index("QUERY SELECT * FROM fruit ORDER BY id;")
    assert spoken[asked + 1] == "ROWS 3 rows  SELECT 3  id, name, price"
    assert spoken[spoken.index("QUERY SELECT nothing FROM nowhere;") + 1] == (
        'ERROR 42P01 relation "nowhere" does not exist')
    assert "OK UPDATE 1  in a transaction" in spoken and "COPY 1 piece, 32 bytes" in spoken
    assert "NOTIFY news  it rains" in spoken and "ROWS 5 rows  COPY 5" in spoken


def test_each_answer_has_its_query_and_its_time(trace: Trace) -> None:
    for stream in (PSQL, PREPARED, EXTENDED):
        decoder = trace.application(stream).layers[0].decoder
        for position, record in enumerate(decoder.records):
            partner = decoder.partner(position)
            if record.direction != decoder.client and record.type != "A":
                assert partner is not None and decoder.records[partner].direction == decoder.client
    decoder = trace.application(PSQL).layers[0].decoder
    sleeps = "Simple query  SELECT pg_sleep"
    slept = next(one for one in decoder.records if decoder.summary(one).startswith(sleeps))
    wait = wait_of(trace, decoder, decoder.partner(slept.number) or 0)
    assert wait is not None and wait.first_ns > 45_000_000
    assert Filter("pgsql.time > 0.045").rows(trace).tolist() == [wait.ended, *Filter("pgsql.time > 4").rows(
        trace).tolist()]


def test_what_is_prepared_is_named_where_it_is_run(trace: Trace) -> None:
    assert lines(trace.application(PREPARED))[4:8] == [
        "PREPARE SELECT name FROM fruit WHERE id = $1;", "OK",
        "EXECUTE SELECT name FROM fruit WHERE id = $1;  (2)", "ROWS 1 row  SELECT 1  name"]
    spoken = lines(trace.application(EXTENDED))
    assert spoken[6:9] == ["EXECUTE SELECT $1::int + $2::int AS sum  (40, 2)"] * 3
    assert spoken[9:12] == ["ROWS 1 row  SELECT 1"] * 3


def test_passwords_are_not_shown(trace: Trace) -> None:
    assert "LOGIN 104 bytes, not shown" in lines(trace.application(SCRAM))
    assert not any("secret" in line for stream in (SCRAM, 4) for line in lines(trace.application(stream)))


def test_faults_are_found(trace: Trace) -> None:
    found = {stream: [one.text for one in trace.application(stream).findings] for stream in range(10)}
    rules = {one.id for stream in range(10) for one in trace.application(stream).findings}
    assert rules >= {"pgsql.error-response", "pgsql.fatal-error", "pgsql.open-transaction"}
    assert found[WRONG_DATABASE][0].startswith(
        'The server answers FATAL 3D000 "database "nowhere" does not exist"')
    assert found[LEFT] == ["The client ends the connection in a transaction: what it changed is rolled back. "
                           "COMMIT or ROLLBACK should come first."]
    assert found[SCRAM] == found[PREPARED] == []


def message(kind: str, body: bytes = b"") -> bytes:
    return kind.encode() + (len(body) + 4).to_bytes(4, "big") + body


BEGIN: list[Turn] = [(0, b"\0\0\0\x10\0\3\0\0user\0x\0\0"),
                     (1, message("R", bytes(4)) + message("Z", b"I"))]
SSL: Turn = (0, b"\0\0\0\x08\x04\xd2\x16\x2f")


@pytest.mark.parametrize(("turns", "ids"), [
    ([*BEGIN, (0, message("Q", b"SELECT 1\0"))], ["pgsql.unanswered-query"]),
    ([*BEGIN, (0, message("Q", b"SELECT 1\0")), (1, message("T", bytes(2))[:6])],
     ["pgsql.incomplete-message"]),
    ([*BEGIN, (0, message("Q", b"BEGIN\0")), (1, message("C", b"BEGIN\0") + message("Z", b"T"))],
     ["pgsql.open-transaction"]),
    ([*BEGIN, (1, b"what is this\0")], ["pgsql.no-message"]),
    ([SSL, (1, b"N")], ["pgsql.no-tls"]), ([SSL, (1, b"N"), *BEGIN, (0, message("X"))], []),
    ([SSL, (1, b"S"), (0, b"\x16\x03\x01\x00\x05\x01\0\0\1\0"), (1, b"\x15\x03\x03\0\2\2\x28")],
     ["tls.alert"]),
])
def test_planted_faults(turns: list[Turn], ids: list[str]) -> None:
    assert [one.id for one in exchange(*turns, port=5432).findings] == ids


def test_a_capture_that_begins_later_is_told_by_its_form(trace: Trace) -> None:
    query = [(0, message("Q", b"SELECT 1\0")), (1, message("C", b"SELECT 1\0") + message("Z", b"I"))]
    for port in (5432, 9999):
        found = exchange(*query * 4, port=port, begin=False)
        decoder = found.layers[0].decoder
        assert found.protocol == "pgsql" and found.inferred and found.findings == []
        assert [decoder.partner(one) for one in range(3)] == [1, 0, 0]
