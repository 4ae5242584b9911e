"""Messages too large to be searched or printed whole: JSON, filter and search say what is left out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from inspector.cli.exports import export_of
from inspector.model.language import translated
from inspector.model.packets import Row
from inspector.protocols.websocket.frame import TEXT, encode
from inspector.trace.filter.filter import Filter
from inspector.trace.trace import Trace
from inspector.views.checks.asked import Checks
from inspector.views.checks.report import FORMATS, as_text
from inspector.views.checks.verdicts import verdicts
from inspector.views.conversation.messages import MessageList
from inspector.views.conversations.list import ConversationList
from inspector.views.detail.application import application_fields
from inspector.views.findings.list import FindingList
from inspector.views.json.findings import findings
from inspector.views.line.spans import plain
from inspector.wire import pcapng
from tests.support.captures.tcp import MemoryTrace, ip, segment
from tests.support.captures.websocket import UPGRADE

CLIENT, SERVER = 0, 1
SIZES = {"small": 1000, "large": (1 << 20) + 5000}
Turns = Sequence[tuple[int, bytes]]


def http(size: int) -> Turns:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (size + 6)
    return [(CLIENT, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), (SERVER, head + b"a" * size + b"needle")]


def websocket(size: int) -> Turns:
    return [*UPGRADE, (SERVER, encode(b"a" * size + b"needle", TEXT))]


def redis(size: int) -> Turns:
    value = b"a" * size + b"needle"
    words = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n" % (len(value), value)
    return [(CLIENT, words), (SERVER, b"+OK\r\n")]


ASKED = {
    "http": (http, 'http contains "needle"'), "websocket": (websocket, 'websocket contains "needle"'),
    "websocket field": (websocket, 'websocket.payload contains "needle"'),
    "redis": (redis, 'redis contains "needle"'),
    "redis field": (redis, 'resp.bulk_string.value contains "needle"'),
}


def trace_of(path: Path, turns: Turns, port: int) -> Trace:
    at, ports = [1000, 5000], (40000, port)
    frames = [segment(0, "S", 999, ports=ports), segment(1, "SA", 4999, 1000, ports=ports),
              segment(0, "A", 1000, 5000, ports=ports)]
    for direction, data in turns:
        for place in range(0, len(data), 60_000):
            part = data[place : place + 60_000]
            frames.append(segment(direction, "PA", at[direction], at[1 - direction], part, ports=ports))
            at[direction] += len(part)
    blocks = [pcapng.section_header(), pcapng.interface_description(101)]
    path.write_bytes(b"".join([*blocks, *(pcapng.enhanced_packet(one, n) for n, one in enumerate(frames))]))
    trace = Trace.open(path)
    trace.finish()
    return trace


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("asked", ASKED)
def test_a_filter_finds_it_or_says_that_it_did_not_look(asked: str, size: int, tmp_path: Path) -> None:
    make, text = ASKED[asked]
    with trace_of(tmp_path / "x.pcapng", make(size), 6379 if make is redis else 80) as trace:
        found = len(Filter(text).rows(trace))
        assert found or trace.searched == (
            "1 message is large and was searched from the beginning only, up to a limit; more of them may"
            " match."
        )
        assert found if size == 1000 else not found
        assert (trace.searched is None) == (size == 1000)
        Filter("tcp").rows(trace)
        assert trace.searched is None                              # of another filter it says nothing


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_checks_and_conversations_say_so_too(size: int, tmp_path: Path) -> None:
    make, text = ASKED["http"]
    sentence = "1 message is large and was searched from the beginning only"
    with trace_of(tmp_path / "x.pcapng", make(size), 80) as trace:
        found = verdicts(trace, Checks(expect=(Filter(text), Filter("tcp"))))
        assert [one.searched_in_part for one in found] == [int(size > 1000), 0]
        for report in FORMATS.values():
            assert ("searched" in "".join(report(found, 0))) is (size > 1000)
        assert (sentence in "".join(as_text(found))) is (size > 1000)
        listed = ConversationList(trace)
        listed.narrow(text)
        while not listed.complete:
            listed.update()
        Filter("tcp").rows(trace)                                  # what another one looked at is its own
        assert (listed.count, listed.searched_in_part) == ((1, 0) if size == 1000 else (0, 1))
        listed.narrow("")
        assert listed.searched_in_part == 0


@pytest.mark.parametrize("words", [("draw", "--filter"), ("decode", "--json", "packets", "--filter")])
def test_commands_say_so_too(words: tuple[str, ...], tmp_path: Path) -> None:
    make, text = ASKED["http"]
    trace_of(tmp_path / "x.pcapng", make(SIZES["large"]), 80).close()
    command, *rest = words
    asked = [command, str(tmp_path / "x.pcapng"), *rest, text]
    done = subprocess.run([sys.executable, "-m", "inspector", *asked], capture_output=True, text=True,
                          timeout=60, check=False)
    assert "1 message is large and was searched from the beginning only" in done.stderr


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_json_marks_a_value_that_is_cut(size: int, tmp_path: Path) -> None:
    with trace_of(tmp_path / "x.pcapng", redis(size), 6379) as trace:
        export = export_of("redis")
        assert export is not None
        asked, reply = export.objects(trace, None)
        assert asked.get("truncated") == (True if size > 1000 else None) and "truncated" not in reply


def frame(kind: int, stream: int, payload: bytes, flags: int = 4) -> bytes:
    """A frame of HTTP/2."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def http2_headers(count: int) -> Turns:
    block = b"\x82\x86\x84\x41\1x" + b"\0\1a\1b" * (count - 4)
    return [(CLIENT, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, b"", 0) + frame(1, 1, block, 5)),
            (SERVER, frame(4, 0, b"", 0) + frame(1, 1, b"\x88", 5))]


def mqtt_topics(count: int) -> Turns:
    def packet(first: int, body: bytes) -> bytes:
        size, lengths = len(body), bytearray()
        while True:
            size, low = size >> 7, size & 0x7F
            lengths.append(low | (0x80 if size else 0))
            if not size:
                return bytes([first, *lengths]) + body

    topics = b"".join(b"\0\4" + b"%04d" % number + b"\0" for number in range(count))
    return [(CLIENT, packet(0x10, b"\0\4MQTT\4\2\0\x3c\0\1c")), (SERVER, b"\x20\2\0\0"),
            (CLIENT, packet(0x82, b"\0\1" + topics)), (SERVER, packet(0x90, b"\0\1" + bytes(count)))]


def postgresql_values(count: int) -> Turns:
    def message(kind: bytes, body: bytes) -> bytes:
        return kind + (len(body) + 4).to_bytes(4, "big") + body

    startup = b"\0\3\0\0user\0me\0\0"
    row = count.to_bytes(2, "big") + b"\0\0\0\1x" * count
    return [(CLIENT, (len(startup) + 4).to_bytes(4, "big") + startup),
            (SERVER, message(b"R", bytes(4)) + message(b"Z", b"I")), (CLIENT, message(b"Q", b"SELECT\0")),
            (SERVER, message(b"D", row) + message(b"C", b"SELECT 1\0") + message(b"Z", b"I"))]


def mysql_query(size: int) -> Turns:
    greeting = b"\x0a8.0\0" + bytes(4) + b"12345678\0" + bytes(31)
    query = b"\3SELECT '" + b"x" * size + b"'"
    return [(SERVER, len(greeting).to_bytes(3, "little") + b"\0" + greeting),
            (CLIENT, b"\x24\0\0\1" + b"\x0d\xa6\0\0" + bytes(28) + b"me\0\0"),
            (SERVER, b"\7\0\0\2\0\0\0\2\0\0\0"),
            (CLIENT, len(query).to_bytes(3, "little") + b"\0" + query),
            (SERVER, b"\7\0\0\1\0\0\0\2\0\0\0")]


@pytest.mark.parametrize(("name", "make", "few", "many", "port"), [
    ("http2", http2_headers, 2000, 2001, 80), ("mqtt", mqtt_topics, 1000, 1001, 1883),
    ("pgsql", postgresql_values, 1664, 1665, 5432), ("mysql", mysql_query, 60_000, 66_000, 3306),
])
def test_json_marks_what_is_not_read_to_its_end(
    name: str, make: Callable[[int], Turns], few: int, many: int, port: int, tmp_path: Path
) -> None:
    export = export_of(name)
    assert export is not None
    for size in (few, many):
        with trace_of(tmp_path / "x.pcapng", make(size), port) as trace:
            objects = list(export.objects(trace, None))
            assert len(objects) > 2 and any("truncated" in one for one in objects) is (size == many)


def test_detail_says_how_many_records_it_does_not_show(tmp_path: Path) -> None:
    turns = [(CLIENT, b"*1\r\n$4\r\nPING\r\n" * 100), (SERVER, b"+PONG\r\n" * 100)]
    with trace_of(tmp_path / "x.pcapng", turns, 6379) as trace:
        fields = application_fields(trace, Row(3))
        assert len(fields) == 65 and fields[-1].value == "and 36 more records, not shown"


def test_a_finding_says_how_many_packets_it_does_not_name(tmp_path: Path) -> None:
    trace = MemoryTrace()
    length = (9).to_bytes(2, "big")
    datagram = ip(0, 17, b"\x13\x88\x1e\x61" + length + bytes(2) + b"x")
    other = ip(0, 17, b"\0\7\0\7" + length + bytes(2) + b"x")
    trace.add([*[datagram] * 100, other], [*range(100), 9_000_000_000])
    trace.save(tmp_path / "x.pcapng")
    with Trace.open(tmp_path / "x.pcapng") as read:
        read.finish()
        (finding,) = findings(read)
        assert (finding["frames"], finding["frames_more"]) == (list(range(1, 31)), 70)
        assert any("and 88 more" in plain(line) for line in FindingList(read).detail(0, 80))


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_a_search_counts_what_it_did_not_look_at(size: int, tmp_path: Path) -> None:
    with trace_of(tmp_path / "x.pcapng", websocket(size), 80) as trace:
        messages = MessageList(trace, 0)
        messages.choose(search="needle")
        while not messages.complete:
            messages.update()
        assert (messages.count, messages.searched_in_part) == ((1, 0) if size == 1000 else (0, 1))
        messages.choose()
        assert messages.searched_in_part == 0


def test_a_packet_of_a_large_message_shows_what_lies_in_it_and_how_much_lies_elsewhere(
    tmp_path: Path
) -> None:
    """Redis values of four bytes each, in segments that hold five of them and a part of the next."""
    value = b"*200\r\n" + b"".join(b":%03d\r\n" % number for number in range(200))
    pieces = [(SERVER, value[at : at + 33]) for at in range(0, len(value), 33)]
    with trace_of(tmp_path / "x.pcapng", [(CLIENT, b"*1\r\n$4\r\nPING\r\n"), *pieces], 6379) as trace:
        (field,) = application_fields(trace, Row(14))
        array = next(one for one in field.children if one.name == "resp.array")
        *shown, more = array.children
        here = [one for one in shown if one.start < one.stop]
        assert [translated(one.value).partition("  ")[0] for one in here] == [
            f"(integer) {number:03d}" for number in range(54, 60)]
        for number, one in enumerate(shown[:16]):
            first = 5 + (6 + 6 * number) // 33
            assert translated(one.value).startswith(f"(integer) {number:03d}  (begins in packet {first}")
        assert more.value == "and 178 more in other packets, not shown" and len(shown) == 16 + 6
