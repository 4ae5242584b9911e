"""Redis: real traffic of redis-server held against hiredis, and whatever else may stand on a wire."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import hiredis
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inspector.model.packets import Row, rows_in
from inspector.protocols import REGISTRY, by_name
from inspector.protocols.redis.decoder import RedisDecoder, RedisMessage
from inspector.protocols.redis.findings import BOOK
from inspector.protocols.redis.scanner import Scanner, Unit
from inspector.protocols.redis.values import Node
from inspector.trace.application.application import ApplicationLayers
from inspector.trace.filter.filter import Filter
from inspector.trace.flows.tcp import TcpFlow
from inspector.trace.trace import Trace
from inspector.views.json.messages import messages
from tests.support.captures.tcp import MemoryTrace, segment
from tests.support.tiers import thorough

DATA = Path(__file__).parents[1] / "data"
CAPTURE = DATA / "protocols" / "redis.pcapng"
CLIENT, SERVER = 0, 1
Turn = tuple[int, bytes]
Pair = tuple[int, str, int, str]


def pack(*words: str | int | bytes) -> bytes:
    return bytes(hiredis.pack_command(words))  # type: ignore[arg-type]  # its stub knows tuples of one


def client(*words: str | int | bytes) -> Turn:
    return CLIENT, pack(*words)


def server(data: bytes) -> Turn:
    return SERVER, data


def frames_of(turns: Sequence[Turn], size: int = 1400, port: int = 6379, begin: bool = True,
              end: bool = True) -> list[bytes]:
    """A connection in which the ends speak in turn, each segment acknowledging all that came."""
    at, ports = [1000, 5000], (40000, port)
    frames = []
    if begin:
        frames = [segment(0, "S", 999, ports=ports), segment(1, "SA", 4999, 1000, ports=ports),
                  segment(0, "A", 1000, 5000, ports=ports)]
    for direction, data in turns:
        for place in range(0, len(data), size):
            part = data[place : place + size]
            frames.append(segment(direction, "PA", at[direction], at[1 - direction], part, ports=ports))
            at[direction] += len(part)
    if end:
        frames += [segment(0, "FA", at[0], at[1], ports=ports),
                   segment(1, "FA", at[1], at[0] + 1, ports=ports),
                   segment(0, "A", at[0] + 1, at[1] + 1, ports=ports)]
    return frames


def read(frames: Sequence[bytes], link_type: int = 101) -> ApplicationLayers:
    trace = MemoryTrace(link_type)
    trace.add(frames, [1_000_000 * row for row in range(len(frames))])
    return ApplicationLayers(trace, TcpFlow(trace, 0))


def exchange(*turns: Turn, **options: Any) -> ApplicationLayers:
    return read(frames_of(turns, **options))


def decoder_of(application: ApplicationLayers) -> RedisDecoder:
    found = application.decoder("redis")
    assert isinstance(found, RedisDecoder)
    return found


def lines(application: ApplicationLayers) -> list[str]:
    decoder = decoder_of(application)
    return [decoder.summary(record) for record in decoder.records]


def ids(application: ApplicationLayers) -> list[str]:
    return [one.id for one in application.findings]


def partners(application: ApplicationLayers) -> list[int | None]:
    decoder = decoder_of(application)
    return [decoder.partner(position) for position in range(len(decoder.records))]


def field(application: ApplicationLayers, name: str, position: int) -> list[Any]:
    protocol = by_name("redis")
    assert protocol is not None
    decoder = decoder_of(application)
    one = next(one for one in protocol.fields if one.name == name)
    return list(one.get(decoder, decoder.records[position]))


# --- real traffic --------------------------------------------------------------------------------------


def connections(trace: Trace) -> list[ApplicationLayers]:
    return [trace.application(stream) for stream in range(len(trace.conversations("tcp")))]


def test_every_conversation_of_the_capture_is_redis_and_read_to_its_end(trace: Trace) -> None:
    for application in connections(trace):
        assert (application.protocol, application.client, application.inferred) == ("redis", 0, False)
    *clean, _ = connections(trace)
    for application in clean:
        records = decoder_of(application).records
        for direction, stream in enumerate(application.streams):
            places = [(one.start, one.stop) for one in records if one.direction == direction]
            assert [start for start, _ in places] == [0, *(stop for _, stop in places)][: len(places)]
            assert not places or places[-1][1] == stream.length


def test_the_capture_says_what_redis_cli_was_told(trace: Trace) -> None:
    first = lines(connections(trace)[0])
    asked, answered = first[4::2], first[5::2]
    assert list(zip(asked, answered, strict=True))[:7] == [
        ('SET greeting "hello"', "OK"), ("GET greeting", '"hello"'), ("GET nothing", "(nil)"),
        ("INCR visits", "(integer) 1"), ("STRLEN greeting", "(integer) 5"),
        ('RPUSH list "a" "b" "c"', "(integer) 3"), ("LRANGE list 0 -1", '1) "a" 2) "b" 3) "c"'),
    ]
    assert "(error) WRONGTYPE Operation against a key holding the wrong kind of value" in answered
    assert answered[asked.index("EXEC")] == "1) OK 2) (integer) 2"


def test_only_what_is_wrong_in_the_capture_is_found(trace: Trace) -> None:
    found = [accused(application) for application in connections(trace)]
    note = {"redis.error-reply"}
    assert found == [note, note, *[set()] * 9, {"redis.invalid-type", *note}]     # (BLPOP's client may leave)


def test_requests_and_replies_of_the_capture_belong_together(trace: Trace) -> None:
    for application in connections(trace):
        decoder = decoder_of(application)
        for record in decoder.records:
            if record.partner is None:
                continue
            other = decoder.records[record.partner]
            assert {record.kind, other.kind} == {"request", "reply"} and record.command == other.command
            time = decoder.time_ns(record)
            assert time is None if record.kind == "request" else time is not None and time > 0
    texts = lines(connections(trace)[3])
    echoed = [texts[position] for position in range(120, 160)]
    assert echoed == [f'"{"v" * number}"' for number in range(40)]


def as_python(node: Node) -> Any:
    """A value as hiredis gives it."""
    if node.is_null:
        return None
    assert node.whole
    if node.type in ("*", "~", ">"):
        return [as_python(child) for child in node.children]
    if node.type == "%":
        values = [as_python(child) for child in node.children]
        return dict(zip(values[::2], values[1::2], strict=True))
    text = node.text
    if node.type == "-":
        return ("error", text.decode())
    numbers: dict[str, Callable[[bytes], Any]] = {
        ":": int, ",": float, "#": lambda data: data == b"t", "=": lambda data: data[4:]}
    return numbers[node.type](text) if node.type in numbers else text


def hiredis_value(data: bytes) -> Any:
    """The last value of `data`: hiredis gives attributes as values of their own."""
    nothing = object()
    reader = hiredis.Reader(notEnoughData=nothing)
    reader.feed(data)
    values = list(iter(reader.gets, nothing))
    return plain(values[-1])


def plain(value: Any) -> Any:
    if isinstance(value, list):
        return [plain(one) for one in value]
    return ("error", str(value)) if isinstance(value, hiredis.ReplyError) else value


def test_hiredis_reads_the_same_values(trace: Trace) -> None:
    count = 0
    for application in connections(trace):
        decoder = decoder_of(application)
        for record in decoder.records:
            if not record.type or not record.complete:
                continue
            data = application.streams[record.direction].read(record.start, record.stop)
            assert as_python(decoder.value(record, 1 << 20)) == hiredis_value(data)
            count += 1
    assert count > 200


def frames_in(trace: Trace, application: ApplicationLayers, stream: int) -> list[bytes]:
    return [trace.frame(row) for row in rows_in(trace.rows_of("tcp", stream))]


def pairs(application: ApplicationLayers, rows: Sequence[int]) -> set[Pair]:
    """Which packet's request is answered by which packet's reply."""
    decoder = application.decoder("redis")
    if not isinstance(decoder, RedisDecoder):
        return set()
    found = set()
    for record in decoder.records:
        if record.kind == "reply" and record.partner is not None:
            asked = decoder.records[record.partner]
            found.add((rows[max(decoder.rows_of(asked))], decoder.summary(asked),
                       rows[max(decoder.rows_of(record))], decoder.summary(record)))
    return found


def accused(application: ApplicationLayers) -> set[str]:
    return {one for one in ids(application) if one.startswith("redis.")}


@thorough
def test_without_any_one_packet_nobody_is_accused_and_nothing_is_matched_wrongly(trace: Trace) -> None:
    for stream, application in enumerate(connections(trace)):
        frames = frames_in(trace, application, stream)
        everything = list(range(len(frames)))
        link = trace.link_type(Row(0))
        whole, findings = pairs(read(frames, link), everything), accused(read(frames, link))
        for lost in everything:
            rows = [row for row in everything if row != lost]
            found = read([frames[row] for row in rows], link)
            assert accused(found) <= findings, (stream, lost)
            assert pairs(found, rows) <= whole, (stream, lost)


@thorough
def test_from_any_packet_on_nobody_is_accused_and_nothing_is_matched_wrongly(trace: Trace) -> None:
    for stream, application in enumerate(connections(trace)):
        frames = frames_in(trace, application, stream)
        link = trace.link_type(Row(0))
        whole = pairs(read(frames, link), range(len(frames)))
        findings = accused(read(frames, link))
        for first in range(1, len(frames)):
            found = read(frames[first:], link)
            assert accused(found) <= findings, (stream, first)
            assert pairs(found, range(first, len(frames))) <= whole, (stream, first)


def test_a_reply_answers_no_request_that_the_server_had_not_got() -> None:
    full = server(b"-ERR max number of clients reached\r\n")
    assert partners(exchange(full, client("GET", "a"))) == [None, None]


def test_a_request_that_was_captured_after_its_reply_is_answered_by_it() -> None:
    frames = frames_of([client("PING"), server(b"+PONG\r\n"), client("GET", "a"), server(b"$1\r\nx\r\n")])
    frames[3], frames[4] = frames[4], frames[3]
    assert partners(read(frames)) == [1, 0, 3, 2]


def test_a_capture_that_begins_late_is_matched_again_after_two_turns(trace: Trace) -> None:
    frames = frames_in(trace, connections(trace)[0], 0)
    found = read(frames[20:], trace.link_type(Row(0)))
    assert found.inferred and len(pairs(found, range(20, len(frames)))) > 10


# --- what it is told by --------------------------------------------------------------------------------


def captures() -> list[Path]:
    found = (path for path in DATA.rglob("*.pcap*") if path.suffix in (".pcap", ".pcapng"))
    return sorted(path for path in found if path != CAPTURE)


@pytest.mark.parametrize("path", captures(), ids=lambda path: path.name)
def test_no_other_capture_is_redis(path: Path) -> None:
    with Trace.open(path) as other:
        other.finish()
        spoken = {other.application(stream).protocol for stream in range(len(other.conversations("tcp")))}
    assert "redis" not in spoken


OTHERS: dict[str, list[Turn]] = {
    "smtp": [(1, b"220 mail ready\r\n"), (0, b"HELP\r\n"), (1, b"214 commands\r\n"), (0, b"QUIT\r\n"),
             (1, b"221 bye\r\n")],
    "pop3": [(1, b"+OK POP3 ready\r\n"), (0, b"AUTH\r\n"), (1, b"+OK\r\n"), (0, b"QUIT\r\n"),
             (1, b"+OK bye\r\n")],
    "imap": [(1, b"* OK ready\r\n"), (0, b"a1 CAPABILITY\r\n"),
             (1, b"* CAPABILITY IMAP4rev1\r\na1 OK done\r\n")],
    "ftp": [(1, b"220 ftp\r\n"), (0, b"TYPE I\r\n"), (1, b"200 ok\r\n")],
    "irc": [(0, b"NICK me\r\nPING :x\r\n"), (1, b":server 001 me :hello\r\n")],
    "memcached": [(0, b"set k 0 0 5\r\nhello\r\n"), (1, b"STORED\r\n"), (0, b"get k\r\n"),
                  (1, b"VALUE k 0 5\r\n")],
    "nats": [(1, b'INFO {"server_id":"x"}\r\n'), (0, b"CONNECT {}\r\nPING\r\n"), (1, b"+OK\r\nPONG\r\n")],
    "http": [(0, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), (1, b"HTTP/1.1 204 No Content\r\n\r\n")],
    "tls": [(0, b"\x16\x03\x01\x02\x00\x01" + bytes(100)), (1, b"\x16\x03\x03\x00\x7a" + bytes(100))],
    "lines": [(0, b"hello\n"), (1, b"hello\n"), (0, b"*stars*\n"), (1, b"$5 please\n")],
    "binary": [(0, bytes(range(256))), (1, bytes(range(255, -1, -1)))],
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("begin", [True, False])
def test_other_protocols_are_not_claimed(name: str, begin: bool) -> None:
    assert exchange(*OTHERS[name], port=1234, begin=begin).protocol != "redis"


def test_any_port_and_one_half_will_do() -> None:
    dialogue = [client("SET", "a", 1), server(b"+OK\r\n"), client("GET", "a"), server(b"$1\r\n1\r\n")]
    assert exchange(*dialogue, port=1234).protocol == "redis"
    assert exchange(*(turn for turn in dialogue if turn[0] == CLIENT), port=1234).protocol == "redis"
    assert exchange(*(turn for turn in dialogue if turn[0] == SERVER), port=1234).protocol == "redis"
    assert exchange((CLIENT, b"PING\r\n"), server(b"+PONG\r\n"), port=1234).protocol == "redis"


# --- values --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "text"), [
    (b"+OK\r\n", "OK"), (b"-ERR no\r\n", "(error) ERR no"), (b":-5\r\n", "(integer) -5"),
    (b"$-1\r\n", "(nil)"),
    (b"*-1\r\n", "(nil)"), (b"_\r\n", "(nil)"), (b"$0\r\n\r\n", '""'), (b"*0\r\n", "(empty array)"),
    (b"%0\r\n", "(empty hash)"), (b"~0\r\n", "(empty set)"), (b"#t\r\n", "(true)"),
    (b",inf\r\n", "(double) inf"),
    (b"(123456789012345678901\r\n", "(big number) 123456789012345678901"),
    (b"!5\r\nERR x\r\n", "(error) ERR x"),
    (b"=7\r\ntxt:abc\r\n", "abc"), (b"*2\r\n*1\r\n:1\r\n$1\r\na\r\n", '1) [1) (integer) 1] 2) "a"'),
    (b"%1\r\n+k\r\n:1\r\n", "1# k => (integer) 1"), (b"~1\r\n+a\r\n", "1~ a"),
    (b"|1\r\n+ttl\r\n:3\r\n$1\r\na\r\n", '"a"'),
    (b">2\r\n+invalidate\r\n_\r\n", "push: 1) invalidate 2) (nil)"),
    (b"$?\r\n;4\r\nHell\r\n;1\r\no\r\n;0\r\n", '"Hello"'), (b"*?\r\n:1\r\n*1\r\n:2\r\n.\r\n", None),
    (b"%?\r\n+a\r\n:1\r\n.\r\n", "1# a => (integer) 1"), (b"$3\r\n\x1b[m\r\n", '"␛[m"'),
])
def test_a_reply_as_redis_cli_prints_it(data: bytes, text: str | None) -> None:
    found = exchange(client("GET", "x"), server(data))
    assert lines(found)[1:] == [text or "1) (integer) 1 2) [1) (integer) 2]"]
    assert set(ids(found)) <= {"redis.error-reply", "redis.unanswered-request"}


@pytest.mark.parametrize(("data", "rule"), [
    (b"?what\r\n", "redis.invalid-type"), (b"$x\r\n", "redis.invalid-length"),
    (b"$-2\r\n", "redis.invalid-length"),
    (b"*99999999999999999999\r\n", "redis.invalid-length"), (b"$" + b"1" * 99, "redis.invalid-length"),
    (b":one\r\n", "redis.invalid-value"), (b"#x\r\n", "redis.invalid-value"),
    (b"+OK\n", "redis.invalid-line-end"),
    (b"$2\r\nabcd+OK\r\n", "redis.invalid-line-end"), (b"*?\r\n" * 40, "redis.too-deep"),
    (b"*2\r\n:1\r\n", "redis.incomplete-message"), (b"$9\r\nabc", "redis.incomplete-message"),
    (b"*1\r\n.\r\n", "redis.invalid-type"),
])
def test_a_reply_that_breaks_a_rule(data: bytes, rule: str) -> None:
    found = exchange(client("PING"), server(b"+PONG\r\n"), client("GET", "x"), server(data))
    assert rule in ids(found)
    one = next(one for one in found.findings if one.id == rule)
    assert one.direction == SERVER and one.start < one.stop and one.rows


@pytest.mark.parametrize(("data", "rule"), [
    (b"*1\r\n+PING\r\n", "redis.invalid-type"), (b"*1\r\n$-1\r\n", "redis.invalid-length"),
    (b"*one\r\n", "redis.invalid-length"), (b"x" * 70_000, "redis.inline-too-long"),
])
def test_a_request_that_breaks_a_rule(data: bytes, rule: str) -> None:
    found = exchange(client("PING"), server(b"+PONG\r\n"), (CLIENT, data), server(b"-ERR Protocol error\r\n"))
    assert rule in ids(found) and "redis.error-reply" in ids(found)


def test_every_rule_is_tested_here() -> None:
    text = Path(__file__).read_text(encoding="utf8")
    assert all(f'"{rule.id}"' in text for rule in BOOK.rules)


def test_a_request_without_an_answer() -> None:
    found = exchange(client("GET", "x"), server(b"$1\r\na\r\n"), client("GET", "y"), client("SHUTDOWN"))
    assert ids(found) == ["redis.unanswered-request"] and '"GET y"' in found.findings[0].text


def test_the_fields_of_a_request_and_of_its_reply() -> None:
    found = exchange(client("set", "greeting", "hello"), server(b"$3\r\nold\r\n"), client("MGET", "a", "b"),
                     server(b"-ERR no\r\n"), client("MSET", "a", 1, "b", 2), server(b":7\r\n"))
    assert field(found, "redis.command", 0) == ["SET"] and field(found, "redis.key", 0) == ["greeting"]
    assert field(found, "redis.argument", 0) == ["greeting", "hello"]
    assert field(found, "redis.reply", 1) == ["old"]
    assert field(found, "redis.reply.type", 1) == ["bulk string"]
    assert field(found, "redis.command", 1) == ["SET"] and field(found, "redis.time", 1) == [1_000_000]
    assert field(found, "redis.key", 2) == ["a", "b"] and field(found, "redis.key", 4) == ["a", "b"]
    assert field(found, "redis.error", 3) == field(found, "resp.error", 3) == ["ERR no"]
    assert field(found, "redis.reply", 3) == [] and field(found, "resp.integer", 5) == [7]
    assert field(found, "resp.bulk_string.value", 0) == [b"set", b"greeting", b"hello"]
    assert field(found, "resp.array.length", 0) == [3] and field(found, "redis.inline", 0) == [False]
    assert found.info(Row(3)) == 'set greeting "hello"' and found.protocols(Row(3)) == ("redis",)


def test_json_has_one_object_a_message(trace: Trace) -> None:
    protocol = by_name("redis")
    assert protocol is not None
    found = [one for one in messages(trace, protocol) if one["tcp.stream"] == 0]
    asked, answered = found[-2], found[-1]
    assert asked["redis.command"] == "DEL" and asked["redis.key"] == ["a", "greeting"]
    assert asked["redis.argument"] == ["a", "greeting"] and asked["redis.inline"] is False
    assert (answered["redis.reply.type"], answered["redis.reply"]) == ("integer", "2")
    assert found[asked["response_number"] - 1] is answered and answered["redis.time"] > 0


# What tshark 4.0 finds in the same capture: (filter, frames).
TSHARK = [
    ("resp.integer == 5", 2), ("resp.bulk_string.length == 3", 24),
    ('resp.error contains "WRONG"', 1), ("resp.array.length == 3", 38), ('resp.string == "OK"', 11),
]


@pytest.mark.parametrize(("expression", "count"), TSHARK)
def test_wireshark_names_find_what_wireshark_finds(trace: Trace, expression: str, count: int) -> None:
    assert len(Filter(expression).rows(trace)) == count


def test_every_field_of_every_record_can_be_read(trace: Trace) -> None:
    protocol = by_name("redis")
    assert protocol in REGISTRY and protocol is not None
    for application in connections(trace):
        decoder = decoder_of(application)
        for position, record in enumerate(decoder.records):
            for one in protocol.fields:
                one.get(decoder, record)
            assert decoder.line(decoder.message_of(position)).text.isprintable()
            assert decoder.heading(record) and decoder.short(record)
            decoder.parts(record)
            decoder.shown(decoder.message_of(position), 1 << 16)
            assert decoder.within(record.direction, record.start, record.stop) == [position]


# --- large, deep, cut ----------------------------------------------------------------------------------


def test_a_large_string_is_not_held() -> None:
    scanner = Scanner(is_request=True)
    head = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % (1 << 30)
    scanner.feed(head)
    piece = bytes(1 << 20)
    for _ in range(1 << 10):
        scanner.feed(piece)
    scanner.feed(b"\r\n")
    assert scanner.units == [Unit(0, len(head) + (1 << 30) + 2, "*", (b"SET", b"k", bytes(32)), 3)]
    assert not scanner.problems


def test_a_large_value_is_read_again_from_the_stream() -> None:
    value = random.Random(1).randbytes(300_000)
    found = exchange(client("SET", "k", value, "EX", 5), server(b"+OK\r\n"), size=60_000)
    decoder = decoder_of(found)
    assert [node.length for node in decoder.arguments(decoder.records[0])] == [3, 1, 300_000, 2, 1]
    assert decoder.arguments(decoder.records[0], 1 << 20)[2].text == value
    assert decoder.payload(decoder.records[0], 1 << 20) == pack("SET", "k", value, "EX", 5)
    assert lines(found)[0].endswith("EX 5")


@pytest.mark.parametrize("opening", [b"*1\r\n", b"%1\r\n+k\r\n", b"|1\r\n+k\r\n"])
def test_any_depth_is_cut_and_a_bounded_one_is_shown(opening: bytes) -> None:
    depth = 50_000
    values = depth + 1 if opening[:1] == b"|" else 1
    found = exchange(client("GET", "x"), server(opening * depth + b":1\r\n" * values), client("PING"),
                     server(b"+PONG\r\n"), size=60_000)
    assert partners(found) == [1, 0, 3, 2] and len(lines(found)[1]) <= 250 and ids(found) == []


def test_a_hole_in_a_string_leaves_everything_else() -> None:
    turns = [client("GET", "big"), server(b"$1000\r\n" + b"x" * 1000 + b"\r\n"), client("GET", "a"),
             server(b"$1\r\na\r\n")]
    frames = frames_of(turns, size=200)
    found = read([*frames[:6], *frames[7:]])
    assert partners(found) == [1, 0, 3, 2] and ids(found) == []
    assert [one.complete for one in decoder_of(found).records] == [True, False, True, True]


def test_after_a_hole_matching_begins_again_when_turns_are_even() -> None:
    turns = [turn for number in range(8) for turn in (client("INCR", "n"), server(b":%d\r\n" % number))]
    frames = frames_of(turns)
    found = read([*frames[:7], *frames[8:]])      # the third request's reply has none
    texts, other = lines(found), partners(found)
    answers = {texts[place]: other[place] for place in range(len(texts)) if texts[place].startswith("(")}
    assert [answers[f"(integer) {number}"] is not None for number in range(8)] == [
        True, True, False, True, True, True, True, True]
    assert ids(found) == []


def test_a_replication_stream_is_left_alone() -> None:
    found = exchange(client("PSYNC", "?", -1), server(b"+FULLRESYNC abc 0\r\n$5\r\nREDIS\x00\xfe not RESP"))
    assert lines(found)[-1] == "FULLRESYNC abc 0" and ids(found) == [] and decoder_of(found).over


# --- any bytes, any cutting ----------------------------------------------------------------------------

TOKENS = st.sampled_from([
    b"*1\r\n", b"*2\r\n", b"*0\r\n", b"*-1\r\n", b"*?\r\n", b".\r\n", b"$1\r\na\r\n", b"$4\r\nPING\r\n",
    b"$?\r\n",
    b";1\r\nx\r\n", b";0\r\n", b"+OK\r\n", b"-ERR x\r\n", b":1\r\n", b"%1\r\n", b"~1\r\n", b">2\r\n",
    b"|1\r\n",
    b"_\r\n", b"#t\r\n", b",1.5\r\n", b"(12\r\n", b"=5\r\ntxt:a\r\n", b"!3\r\nERR\r\n", b"PING\r\n",
    b"\r\n", b"\n",
    b"\r", b"$-1\r\n", b"$5\r\nab", b"*x\r\n", b"+" + b"y" * 100, b"$" + b"0" * 40,
    pack("SUBSCRIBE", "c"), b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
    b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n",
    pack("MONITOR"), b"+1.2 [0 x] \"GET\"\r\n", pack("CLIENT", "REPLY", "SKIP"), pack("HELLO", 3),
])
STREAM = st.lists(st.one_of(TOKENS, st.binary(max_size=6)), max_size=20).map(b"".join)


@given(st.booleans(), STREAM, st.lists(st.integers(0, 400), max_size=12))
@example(False, b"$" + b"0" * 40 + b"\n", [])
@settings(max_examples=150, deadline=None)
def test_any_cutting_gives_the_same(is_request: bool, data: bytes, cuts: list[int]) -> None:
    whole, cut, single = (Scanner(is_request) for _ in range(3))
    whole.feed(data)
    places = sorted({min(place, len(data)) for place in cuts} | {0, len(data)})
    for start, stop in pairwise(places):
        if cut.lost < 0:
            cut.feed(data[start:stop])
    for place in range(len(data)):
        if single.lost < 0:
            single.feed(data[place : place + 1])
    for other in (cut, single):
        assert (other.units, other.problems, other.lost) == (whole.units, whole.problems, whole.lost)
        assert whole.lost >= 0 or other.offset == whole.offset == len(data)


@given(st.lists(st.tuples(st.sampled_from([0, 1]), STREAM), max_size=6), st.integers(1, 60), st.booleans(),
       st.booleans(), st.sets(st.integers(0, 30), max_size=3))
@settings(max_examples=100, deadline=None)
def test_any_bytes_give_records_or_findings(turns: list[Turn], size: int, begin: bool, end: bool,
                                            lost: set[int]) -> None:
    turns = [client("PING"), server(b"+PONG\r\n"), *turns]
    frames = frames_of(turns, size=size, begin=begin, end=end)
    found = read([frame for row, frame in enumerate(frames) if row not in lost])
    assert isinstance(found.findings, list)
    decoder = found.decoder("redis")
    if isinstance(decoder, RedisDecoder):
        check(found, decoder)


def check(found: ApplicationLayers, decoder: RedisDecoder) -> None:
    protocol = by_name("redis")
    assert protocol is not None
    last = [-1 << 40, -1 << 40]
    for position, record in enumerate(decoder.records):
        assert isinstance(record, RedisMessage) and record.number == position
        assert last[record.direction] <= record.start < record.stop
        last[record.direction] = record.stop
        assert decoder.summary(record).isprintable() and decoder.line(decoder.message_of(position))
        for one in protocol.fields:
            one.get(decoder, record)
        decoder.parts(record)
        decoder.shown(decoder.message_of(position), 100)


COMMANDS = st.lists(st.lists(st.binary(max_size=50), min_size=1, max_size=6), min_size=1, max_size=8)


@given(COMMANDS, st.integers(1, 200))
@settings(max_examples=50, deadline=None)
def test_what_hiredis_packs_is_read_back(commands: list[list[bytes]], size: int) -> None:
    turns: list[Turn] = [client("PING"), *((CLIENT, pack(*words)) for words in commands)]
    found = exchange(*turns, size=size)
    decoder = decoder_of(found)
    words = [[node.text for node in decoder.arguments(one)] for one in decoder.records]
    assert words == [[b"PING"], *commands]


@given(st.integers(0, 2**32), st.integers(10, 60))
@settings(max_examples=10, deadline=None)
def test_growing_gives_what_all_at_once_gives(seed: int, size: int) -> None:
    chance = random.Random(seed)
    turns: list[Turn] = []
    for _ in range(10):
        count = chance.randint(1, 4)
        turns.append((CLIENT, b"".join(pack("GET", f"k{chance.random()}") for _ in range(count))))
        turns.append((SERVER, b"".join(b"$%d\r\n%s\r\n" % (n, b"x" * n) for n in range(count))))
    frames = frames_of(turns, size=size)
    trace = MemoryTrace()
    trace.add(frames[:4], range(4))
    flow = TcpFlow(trace, 0)
    live = ApplicationLayers(trace, flow)
    for row in range(4, len(frames)):
        trace.add([frames[row]], [row])
        flow.update()
        live.update()
    whole = read(frames)
    assert lines(live) == lines(whole) and partners(live) == partners(whole) and ids(live) == ids(whole) == []
