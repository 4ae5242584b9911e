"""More captures in which ONE thing grows with `size`: protocols of services, and what stands beside packets.

As `growth.KINDS`, and in the same form: `SERVICES[name](size)` gives the bytes of a pcapng file.
"""

from __future__ import annotations

import ssl
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from inspector.model.numbers import ICMP, TCP, UDP
from inspector.model.records import EventKind, KernelSample
from inspector.wire import pcapng
from inspector.wire.journal import CallRecord, EventRecord, Record, to_fields
from tests.support.captures.growth import CLIENT, GET, OK, SERVER, START, STEP, Wire
from tests.support.captures.tcp import ip, segment
from tests.support.running.tls import certificate

Turn = tuple[int, bytes]
CLIENTS_END, SERVERS_END = "10.0.0.1:40000", "10.0.0.2:80"


def _talk(service: int, turns: Iterable[Turn], each: int = 1400) -> bytes:
    """One connection to the port of a service, closed at its end; `each`: bytes of a segment."""
    wire = Wire()
    del wire.blocks[2:]
    wire.begin(service=service)
    for direction, data in turns:
        wire.say(direction, data, each)
    wire.close()
    return wire.file()


# HTTP/2

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST, _SETTINGS, _PING, _WINDOW, _CONTINUATION = 0, 1, 3, 4, 6, 8, 9
_END_STREAM, _END_HEADERS = 1, 4
_ASK, _ANSWER = b"\x82\x86\x84\x41\x01x", b"\x88"         # GET / of x by http; 200


def _frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
    return len(body).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + body


def _ask(number: int, more: bytes = b"", ends: int = _END_STREAM) -> bytes:
    return _frame(_HEADERS, ends | _END_HEADERS, 2 * number + 1, _ASK + more)


def _answer(number: int, more: bytes = b"", ends: int = _END_STREAM) -> bytes:
    return _frame(_HEADERS, ends | _END_HEADERS, 2 * number + 1, _ANSWER + more)


def _http2(turns: Iterable[Turn], each: int = 1400) -> bytes:
    settings = _frame(_SETTINGS, 0, 0)
    return _talk(80, [(CLIENT, _PREFACE + settings), (SERVER, settings), *turns], each)


def _named(number: int, indexed: bool = False) -> bytes:
    """A field of a header block whose name is as new as its value."""
    name = b"x-%d" % number
    return (b"\x40" if indexed else b"\0") + bytes((len(name),)) + name + b"\1v"


def http2_streams_in_turn(size: int) -> bytes:
    return _http2(turn for n in range(size) for turn in ((CLIENT, _ask(n)), (SERVER, _answer(n))))


def http2_streams_at_once(size: int) -> bytes:
    return _http2([(CLIENT, b"".join(map(_ask, range(size)))), (SERVER, b"".join(map(_answer, range(size))))])


def http2_streams_without_answer(size: int) -> bytes:
    return _http2((CLIENT, _ask(number)) for number in range(size))


def http2_streams_that_are_reset(size: int) -> bytes:
    reset = struct.pack(">I", 2)
    return _http2(turn for n in range(size)
                  for turn in ((CLIENT, _ask(n)), (SERVER, _frame(_RST, 0, 2 * n + 1, reset))))


def http2_frames_of_a_message(size: int) -> bytes:
    parts = [(SERVER, _frame(_DATA, _END_STREAM * (n == size - 1), 1, b"0123456789")) for n in range(size)]
    return _http2([(CLIENT, _ask(0)), (SERVER, _answer(0, ends=0)), *parts])


def http2_frames_of_messages_that_mingle(size: int) -> bytes:
    asked = [(CLIENT, _ask(number)) for number in range(8)]
    begun = [(SERVER, _answer(number, ends=0)) for number in range(8)]
    parts = [(SERVER, _frame(_DATA, 0, 2 * (n % 8) + 1, b"0123456789")) for n in range(size)]
    ended = [(SERVER, _frame(_DATA, _END_STREAM, 2 * number + 1)) for number in range(8)]
    return _http2([*asked, *begun, *parts, *ended])


def http2_fields_of_a_header_block(size: int) -> bytes:
    return _http2([(CLIENT, _ask(0, b"".join(map(_named, range(size))))), (SERVER, _answer(0))], 100)


def http2_frames_of_a_header_block(size: int) -> bytes:
    parts = [(CLIENT, _frame(_CONTINUATION, _END_HEADERS * (n == size - 1), 1, _named(n)))
             for n in range(size)]
    return _http2([(CLIENT, _frame(_HEADERS, _END_STREAM, 1, _ASK)), *parts, (SERVER, _answer(0))])


def http2_entries_of_the_dynamic_table(size: int) -> bytes:
    return _http2(turn for n in range(size)
                  for turn in ((CLIENT, _ask(n, _named(n, True))), (SERVER, _answer(n, _named(n, True)))))


def http2_pings_and_windows(size: int) -> bytes:
    one = _frame(_PING, 0, 0, b"12345678") + _frame(_WINDOW, 0, 0, struct.pack(">I", 1))
    return _http2([(CLIENT, one * size), (SERVER, _frame(_PING, 1, 0, b"12345678") * size)])


def grpc_messages_of_a_call(size: int) -> bytes:
    kind = b"\0\x0ccontent-type\x10application/grpc"
    said = _frame(_DATA, 0, 1, b"\0\0\0\0\2ab")
    turns = [turn for _ in range(size) for turn in ((CLIENT, said), (SERVER, said))]
    return _http2([(CLIENT, _ask(0, kind, 0)), (SERVER, _answer(0, kind, 0)), *turns])


# DNS

_QUESTION = b"\1x\7example\0\0\1\0\1"


def _dns(number: int, answers: int = -1) -> bytes:
    """A query, or its response with so many answers."""
    head = struct.pack(">HHHHHH", number, 0x0100 if answers < 0 else 0x8180, 1, max(answers, 0), 0, 0)
    records = (b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + struct.pack(">I", 0x0A000000 + n) for n in range(answers))
    return head + _QUESTION + b"".join(records)


def _datagrams(turns: Iterable[Turn]) -> bytes:
    wire = Wire()
    for direction, data in turns:
        ports = (53, 5300) if direction else (5300, 53)
        wire.frame(ip(direction, UDP, struct.pack(">HHHH", *ports, 8 + len(data), 0) + data))
    return wire.file()


def _by_tcp(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


def dns_queries_in_turn(size: int) -> bytes:
    return _datagrams(turn for n in range(size) for turn in ((CLIENT, _dns(n)), (SERVER, _dns(n, 1))))


def dns_queries_of_one_id(size: int) -> bytes:
    return _datagrams(turn for n in range(size) for turn in ((CLIENT, _dns(7)), (SERVER, _dns(7, 1))))


def dns_queries_at_once(size: int) -> bytes:
    answers = [(SERVER, _dns(number, 1)) for number in range(size)]
    return _datagrams([*((CLIENT, _dns(number)) for number in range(size)), *answers])


def dns_queries_without_answer(size: int) -> bytes:
    return _datagrams((CLIENT, _dns(number)) for number in range(size))


def dns_answers_of_a_query(size: int) -> bytes:
    return _talk(53, [(CLIENT, _by_tcp(_dns(1))), (SERVER, _by_tcp(_dns(1, size)))], each=100)


def dns_queries_on_one_connection(size: int) -> bytes:
    return _talk(53, [turn for n in range(size)
                      for turn in ((CLIENT, _by_tcp(_dns(n))), (SERVER, _by_tcp(_dns(n, 1))))])


# MQTT

def _mqtt_packet(kind: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    left, digits = len(body), b""
    while True:
        left, digit = left >> 7, left & 127
        digits += bytes((digit | 128 * (left > 0),))
        if not left:
            return bytes((kind,)) + digits + body


def _word(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text


def _mqtt(turns: Iterable[Turn]) -> bytes:
    hello = _mqtt_packet(0x10, _word(b"MQTT"), b"\4\2\0\x3c", _word(b"me"))
    return _talk(1883, [(CLIENT, hello), (SERVER, b"\x20\2\0\0"), *turns, (CLIENT, b"\xe0\0")])


def _publish(number: int) -> bytes:
    return _mqtt_packet(0x32, _word(b"a/%d" % number), (number + 1).to_bytes(2, "big"), b"said")


def mqtt_publishes_in_turn(size: int) -> bytes:
    return _mqtt(turn for n in range(size)
                 for turn in ((CLIENT, _publish(n)), (SERVER, b"\x40\2" + (n + 1).to_bytes(2, "big"))))


def mqtt_publishes_without_answer(size: int) -> bytes:
    return _mqtt((CLIENT, _publish(number)) for number in range(size))


def mqtt_publishes_at_once(size: int) -> bytes:
    acknowledged = b"".join(b"\x40\2" + (n + 1).to_bytes(2, "big") for n in range(size))
    return _mqtt([(CLIENT, b"".join(map(_publish, range(size)))), (SERVER, acknowledged)])


def mqtt_topics_of_a_subscription(size: int) -> bytes:
    topics = b"".join(_word(b"a/%d" % number) + b"\0" for number in range(size))
    return _mqtt([(CLIENT, _mqtt_packet(0x82, b"\0\1", topics)),
                  (SERVER, _mqtt_packet(0x90, b"\0\1", bytes(size)))])


def mqtt_pings(size: int) -> bytes:
    return _mqtt([(CLIENT, b"\xc0\0"), (SERVER, b"\xd0\0")] * size)


# PostgreSQL

def _pg(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack(">I", len(body) + 4) + body


_READY = _pg(b"Z", b"I")
_ROW, _DONE = _pg(b"D", b"\0\1\0\0\0\1x"), _pg(b"C", b"SELECT 1\0") + _READY
_COLUMNS = _pg(b"T", b"\0\1name\0" + bytes(6) + struct.pack(">IhIh", 25, -1, 0xFFFFFFFF, 0))


def _postgresql(turns: Iterable[Turn], each: int = 1400) -> bytes:
    hello = b"\0\3\0\0user\0ada\0\0"
    return _talk(5432, [(CLIENT, struct.pack(">I", len(hello) + 4) + hello),
                        (SERVER, _pg(b"R", bytes(4)) + _READY), *turns, (CLIENT, _pg(b"X"))], each)


def _query(number: int) -> bytes:
    return _pg(b"Q", b"SELECT %d\0" % number)


def _prepared(number: int) -> bytes:
    name = b"s%d\0" % number
    parse = _pg(b"P", name + b"SELECT %d\0\0\0" % number)
    return parse + _pg(b"B", b"\0" + name + bytes(6)) + _pg(b"E", bytes(5)) + _pg(b"S")


def postgresql_queries_in_turn(size: int) -> bytes:
    return _postgresql(turn for n in range(size)
                       for turn in ((CLIENT, _query(n)), (SERVER, _COLUMNS + _ROW + _DONE)))


def postgresql_queries_at_once(size: int) -> bytes:
    queries = b"".join(map(_query, range(size)))
    return _postgresql([(CLIENT, queries), (SERVER, (_COLUMNS + _ROW + _DONE) * size)], 100)


def postgresql_rows_of_an_answer(size: int) -> bytes:
    return _postgresql([(CLIENT, _query(0)), (SERVER, _COLUMNS + _ROW * size + _DONE)])


def postgresql_columns_of_an_answer(size: int) -> bytes:
    one = b"name\0" + bytes(6) + struct.pack(">IhIh", 25, -1, 0xFFFFFFFF, 0)
    columns = _pg(b"T", struct.pack(">H", size) + one * size)
    row = _pg(b"D", struct.pack(">H", size) + b"\0\0\0\1x" * size)
    return _postgresql([(CLIENT, _query(0)), (SERVER, columns + row + _DONE)], 100)


def postgresql_prepared_statements(size: int) -> bytes:
    answer = _pg(b"1") + _pg(b"2") + _ROW + _DONE
    return _postgresql(turn for n in range(size) for turn in ((CLIENT, _prepared(n)), (SERVER, answer)))


def postgresql_notices(size: int) -> bytes:
    notice = _pg(b"N", b"SNOTICE\0C00000\0Mhear\0\0")
    return _postgresql([(CLIENT, _query(0)), (SERVER, notice * size + _COLUMNS + _ROW + _DONE)])


def postgresql_pieces_of_a_copy(size: int) -> bytes:
    copied = _pg(b"d", b"a\tb\n") * size + _pg(b"c")
    asked = [(CLIENT, _query(0)), (SERVER, _pg(b"G", b"\0\0\0"))]
    return _postgresql([*asked, (CLIENT, copied), (SERVER, _DONE)], 100)


# MySQL

def _my(sequence: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "little") + bytes((sequence & 255,)) + body


def _mysql(turns: Iterable[Turn]) -> bytes:
    greeting = (b"\x0a8.0.36\0" + bytes(4) + b"saltsalt\0" + b"\xff\xff\x21\2\0\xff\xc1\x15" + bytes(10)
                + b"saltsaltsalt\0mysql_native_password\0")
    login = (0x200 | 0x8000 | 1 << 24).to_bytes(4, "little") + bytes(4) + b"\x21" + bytes(23) + b"ada\0\0"
    return _talk(3306, [(SERVER, _my(0, greeting)), (CLIENT, _my(1, login)),
                        (SERVER, _my(2, b"\0\0\0\2\0\0\0")), *turns, (CLIENT, _my(0, b"\1"))])


def _asked(number: int) -> bytes:
    return _my(0, b"\3SELECT %d" % number)


def _rows(columns: int, rows: int) -> bytes:
    parts = [bytes((columns,)), *[b"\3def"] * columns, *[b"\0011" * columns] * rows, b"\xfe\0\0\2\0\0\0"]
    return b"".join(_my(number, body) for number, body in enumerate(parts, 1))


def mysql_queries_in_turn(size: int) -> bytes:
    return _mysql(turn for n in range(size) for turn in ((CLIENT, _asked(n)), (SERVER, _rows(1, 1))))


def mysql_rows_of_an_answer(size: int) -> bytes:
    return _mysql([(CLIENT, _asked(0)), (SERVER, _rows(1, size))])


def mysql_columns_of_answers(size: int) -> bytes:
    return _mysql(turn for n in range(size // 20) for turn in ((CLIENT, _asked(n)), (SERVER, _rows(200, 1))))


def mysql_prepared_statements(size: int) -> bytes:
    def turns(number: int) -> tuple[Turn, ...]:
        name = number.to_bytes(4, "little")
        ready = _my(1, b"\0" + name + b"\0\1\0\1\0\0\0\0") + _my(2, b"\3def") + _my(3, b"\3def")
        execute = _my(0, b"\x17" + name + b"\0\1\0\0\0")
        return ((CLIENT, _my(0, b"\x16SELECT ?")), (SERVER, ready), (CLIENT, execute), (SERVER, _rows(1, 1)))

    return _mysql(turn for number in range(size) for turn in turns(number))


# Redis: what comes without being asked for

def redis_messages_that_are_pushed(size: int) -> bytes:
    pushed = b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n"
    begun = b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"
    asked = b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n"
    return _talk(6379, [(CLIENT, asked), (SERVER, begun), *[(SERVER, pushed)] * size])


def redis_commands_without_answer(size: int) -> bytes:
    return _talk(6379, [(CLIENT, b"*1\r\n$4\r\nPING\r\n")] * size)


# TLS

def _tls(turns: Iterable[Turn], opened: bool = True) -> bytes:
    """Real records: OpenSSL seals each turn. `opened`: the file holds their secrets."""
    with tempfile.TemporaryDirectory() as folder:
        made, keys = certificate(Path(folder)), Path(folder, "keys.log")
        asks = ssl.create_default_context(cafile=str(made.certificate))
        asks.keylog_filename = str(keys)
        pipes = [(ssl.MemoryBIO(), ssl.MemoryBIO()) for _ in (CLIENT, SERVER)]
        ends = (asks.wrap_bio(*pipes[CLIENT], server_hostname="localhost"),
                made.server().wrap_bio(*pipes[SERVER], server_side=True))
        wire = Wire()
        del wire.blocks[2:]
        wire.begin(service=443)

        def hand_on(direction: int) -> None:
            data = pipes[direction][1].read()
            wire.say(direction, data)
            pipes[1 - direction][0].write(data)

        for direction in (CLIENT, SERVER, CLIENT, SERVER):
            with suppress(ssl.SSLWantReadError):
                ends[direction].do_handshake()
            hand_on(direction)
        for direction, data in turns:
            ends[direction].write(data)
            hand_on(direction)
        wire.close()
        if opened:
            wire.blocks.insert(2, pcapng.decryption_secrets(keys.read_bytes()))
    return wire.file()


def tls_records_in_turn(size: int) -> bytes:
    return _tls([(CLIENT, GET), (SERVER, OK)] * size)


def tls_records_of_a_message(size: int) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (size * 10)
    return _tls([(CLIENT, GET), (SERVER, head), *[(SERVER, b"0123456789")] * size])


def tls_records_that_stay_sealed(size: int) -> bytes:
    return _tls([(CLIENT, GET), (SERVER, OK)] * size, opened=False)


# What stands beside packets

def _beside(blocks: Iterable[bytes], packets: int = 0) -> bytes:
    """An exchange with so many datagrams behind it, and blocks."""
    wire = Wire()
    wire.say(CLIENT, GET)
    wire.say(SERVER, OK)
    wire.blocks += blocks
    for number in range(packets):
        wire.frame(ip(CLIENT, UDP, struct.pack(">HHHH", 1, 2, 12, 0) + struct.pack(">I", number)))
    return wire.file()


def _journal(records: Iterable[Record]) -> bytes:
    return _beside(pcapng.journal(to_fields(record)) for record in records)


def _event(kind: EventKind, number: int, **fields: str) -> EventRecord:
    return EventRecord(kind, f"line {number}", START + number * STEP, "server", 7, tuple(fields.items()))


def kernel_samples_of_a_socket(size: int) -> bytes:
    second = 1_000_000_000
    return _journal(KernelSample(START + number * second, SERVERS_END, CLIENTS_END, "ESTABLISHED",
                                 number % 3, 0, "srv", 7, (("rtt", 20),)) for number in range(size))


def kernel_samples_of_many_sockets(size: int) -> bytes:
    return _journal(KernelSample(START + number, SERVERS_END, f"10.0.0.1:{1024 + number}", "CLOSE-WAIT", 5, 0,
                                 "srv", 7) for number in range(size))


def kernel_samples_of_a_listener(size: int) -> bytes:
    second = 1_000_000_000
    return _journal(KernelSample(START + number * second, SERVERS_END, "0.0.0.0:0", "LISTEN", number % 3, 2,
                                 "srv", 7) for number in range(size))


def _call(number: int, name: str, fd: int, returned: bool = True) -> CallRecord:
    moment = START + number * STEP
    call = CallRecord(number, 7, 7, "server", name, f"{fd}, 5", moment, fd=fd, local=SERVERS_END,
                      peer=CLIENTS_END, protocol="tcp")
    return replace(call, end_ns=moment + STEP, result=5) if returned else call


def calls_of_a_socket(size: int) -> bytes:
    return _journal(_call(number, "recv" if number % 2 else "send", 4) for number in range(size))


def calls_that_are_written_twice(size: int) -> bytes:
    return _journal(_call(n, "recv", 4, returned) for n in range(size) for returned in (False, True))


def calls_of_many_sockets(size: int) -> bytes:
    return _journal(_call(number, name, number + 3) for number in range(size) for name in ("socket", "send"))


def events_of_waiting(size: int) -> bytes:
    kinds: tuple[EventKind, ...] = ("waiting", "resumed")
    return _journal(_event(kind, n, call="recv(4)", tid="7") for n in range(size) for kind in kinds)


def events_of_the_wire(size: int) -> bytes:
    """Each packet is held, then dropped."""
    wire = Wire()
    for number in range(size):
        frame = ip(CLIENT, UDP, struct.pack(">HHHHI", 5300, 5301, 12, 0, number))
        wire.frame(frame)
        found = f"{zlib.crc32(frame):08x}"
        wire.blocks += [pcapng.journal(to_fields(_event("wire", number, packet=str(number + 1), sum=found,
                                                        fate=fate, by="you", sender="client")))
                        for fate in ("held", "dropped")]
    return wire.file()


def events_of_the_kernels_clock(size: int) -> bytes:
    return _journal(_event("kernel-time", n, stage="sent", byte=str(n), local=CLIENTS_END, peer=SERVERS_END)
                    for n in range(size))


def events_of_the_relay(size: int) -> bytes:
    return _journal(_event("relayed", n, inside=f"10.0.0.1:{1024 + n}", outside=f"127.0.0.1:{1024 + n}",
                           process="curl 8") for n in range(size))


def packets_with_a_comment(size: int) -> bytes:
    wire = Wire()
    wire.say(CLIENT, GET)
    wire.blocks += [pcapng.enhanced_packet(ip(CLIENT, UDP, bytes(8)), START + n, comment=f"mark {n}")
                    for n in range(size)]
    return wire.file()


def comments_of_a_packet(size: int) -> bytes:
    wire = Wire()
    frame = ip(CLIENT, UDP, bytes(8))
    block = pcapng.enhanced_packet(frame, START)
    words = [f"word {number}" for number in range(size)]
    wire.blocks.append(pcapng.recommented(block, "=", words, len(frame)))
    return wire.file()


def _names(numbers: Iterable[int]) -> bytes:
    records = b""
    for number in numbers:
        value = struct.pack(">I", 0x0A000000 + number) + b"host%d\0" % number
        records += struct.pack("=HH", 1, len(value)) + value + bytes(-len(value) % 4)
    length = len(records) + 16
    return struct.pack("=II", 4, length) + records + bytes(4) + struct.pack("=I", length)


def blocks_of_names(size: int) -> bytes:
    return _beside((_names([number]) for number in range(size)), size)


def names_of_a_block(size: int) -> bytes:
    return _beside([_names(range(size))], size)


def blocks_of_secrets(size: int) -> bytes:
    return _beside(pcapng.decryption_secrets(_secret(number)) for number in range(size))


def secrets_of_a_block(size: int) -> bytes:
    return _beside([pcapng.decryption_secrets(b"".join(map(_secret, range(size))))])


def _secret(number: int) -> bytes:
    return b"CLIENT_RANDOM %064x %096x\n" % (number, number)


# Other packets

def _echo(kind: int, number: int) -> bytes:
    return struct.pack(">BBHHH", kind, 0, 0, 7, number & 0xFFFF) + b"abcdefgh"


def echoes_of_icmp(size: int) -> bytes:
    wire = Wire()
    for number in range(size):
        wire.frame(ip(CLIENT, ICMP, _echo(8, number)))
        wire.frame(ip(SERVER, ICMP, _echo(0, number)))
    return wire.file()


def datagrams_without_answer(size: int) -> bytes:
    wire = Wire()
    for _ in range(size):
        wire.frame(ip(CLIENT, UDP, struct.pack(">HHHH", 5300, 5301, 12, 0) + b"said"))
    return wire.file()


def datagrams_to_many_ports(size: int) -> bytes:
    wire = Wire()
    for number in range(size):
        wire.frame(ip(CLIENT, UDP, struct.pack(">HHHH", 5300, 1024 + number, 12, 0) + b"said"))
    return wire.file()


def fragments_that_never_meet(size: int) -> bytes:
    """The first fragments of as many datagrams."""
    wire = Wire()
    for number in range(size):
        frame = bytearray(ip(CLIENT, UDP, struct.pack(">HHHH", 5300, 5301, 200, 0)))
        frame[4:8] = struct.pack(">HH", number & 0xFFFF, 0x2000)
        wire.frame(bytes(frame))
    return wire.file()


def fragmented_segments(size: int) -> bytes:
    """Segments of TCP, each in two fragments."""
    wire = Wire()
    for number in range(size):
        whole = segment(CLIENT, "PA", 100 + number * 20, 300, b"x" * 20)
        for start in (0, 24):
            frame = bytearray(ip(CLIENT, TCP, whole[20 + start : 44 + start]))
            frame[4:8] = struct.pack(">HH", number & 0xFFFF, start // 8 | (0 if start else 0x2000))
            wire.frame(bytes(frame))
    return wire.file()


SERVICES: dict[str, Callable[[int], bytes]] = {
    name: thing for name, thing in list(globals().items())
    if callable(thing) and getattr(thing, "__module__", "") == __name__ and not name.startswith("_")
    and isinstance(thing, type(tls_records_in_turn))
}
