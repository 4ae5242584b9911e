"""More captures in which ONE thing grows with `size`: protocols of services, and what stands beside packets.

As `growth.KINDS`, and in the same form: `SERVICES[name](size)` gives the bytes of a pcapng file.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import replace

from inspector.model.numbers import ICMP, TCP, UDP
from inspector.model.records import EventKind, KernelSample
from inspector.wire import pcapng
from inspector.wire.journal import CallRecord, EventRecord, Record, to_fields
from tests.support.captures.growth import CLIENT, GET, OK, SERVER, START, STEP, Wire
from tests.support.captures.services import (
    ASK,
    COLUMNS,
    CONTINUATION,
    DATA,
    DONE,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    ROW,
    RST,
    WINDOW,
    Turn,
    answer,
    ask,
    exchange,
    frame,
    http2,
    mqtt,
    mqtt_packet,
    my,
    mysql,
    pg,
    postgresql,
    query,
    rows,
    tls,
    word,
)
from tests.support.captures.tcp import ip, segment

CLIENTS_END, SERVERS_END = "10.0.0.1:40000", "10.0.0.2:80"


# HTTP/2



def _named(number: int, indexed: bool = False) -> bytes:
    """A field of a header block whose name is as new as its value."""
    name = b"x-%d" % number
    return (b"\x40" if indexed else b"\0") + bytes((len(name),)) + name + b"\1v"


def http2_streams_in_turn(size: int) -> bytes:
    return http2(turn for n in range(size) for turn in ((CLIENT, ask(n)), (SERVER, answer(n))))


def http2_streams_at_once(size: int) -> bytes:
    return http2([(CLIENT, b"".join(map(ask, range(size)))), (SERVER, b"".join(map(answer, range(size))))])


def http2_streams_without_answer(size: int) -> bytes:
    return http2((CLIENT, ask(number)) for number in range(size))


def http2_streams_that_are_reset(size: int) -> bytes:
    reset = struct.pack(">I", 2)
    return http2(turn for n in range(size)
                  for turn in ((CLIENT, ask(n)), (SERVER, frame(RST, 0, 2 * n + 1, reset))))


def http2_frames_of_a_message(size: int) -> bytes:
    parts = [(SERVER, frame(DATA, END_STREAM * (n == size - 1), 1, b"0123456789")) for n in range(size)]
    return http2([(CLIENT, ask(0)), (SERVER, answer(0, ends=0)), *parts])


def http2_frames_of_messages_that_mingle(size: int) -> bytes:
    asked = [(CLIENT, ask(number)) for number in range(8)]
    begun = [(SERVER, answer(number, ends=0)) for number in range(8)]
    parts = [(SERVER, frame(DATA, 0, 2 * (n % 8) + 1, b"0123456789")) for n in range(size)]
    ended = [(SERVER, frame(DATA, END_STREAM, 2 * number + 1)) for number in range(8)]
    return http2([*asked, *begun, *parts, *ended])


def http2_fields_of_a_header_block(size: int) -> bytes:
    return http2([(CLIENT, ask(0, b"".join(map(_named, range(size))))), (SERVER, answer(0))], 100)


def http2_frames_of_a_header_block(size: int) -> bytes:
    parts = [(CLIENT, frame(CONTINUATION, END_HEADERS * (n == size - 1), 1, _named(n)))
             for n in range(size)]
    return http2([(CLIENT, frame(HEADERS, END_STREAM, 1, ASK)), *parts, (SERVER, answer(0))])


def http2_entries_of_the_dynamic_table(size: int) -> bytes:
    return http2(turn for n in range(size)
                  for turn in ((CLIENT, ask(n, _named(n, True))), (SERVER, answer(n, _named(n, True)))))


def http2_pings_and_windows(size: int) -> bytes:
    one = frame(PING, 0, 0, b"12345678") + frame(WINDOW, 0, 0, struct.pack(">I", 1))
    return http2([(CLIENT, one * size), (SERVER, frame(PING, 1, 0, b"12345678") * size)])


def grpc_messages_of_a_call(size: int) -> bytes:
    kind = b"\0\x0ccontent-type\x10application/grpc"
    sent = frame(DATA, 0, 1, b"\0\0\0\0\2ab")
    turns = [turn for _ in range(size) for turn in ((CLIENT, sent), (SERVER, sent))]
    return http2([(CLIENT, ask(0, kind, 0)), (SERVER, answer(0, kind, 0)), *turns])


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
    return exchange(53, [(CLIENT, _by_tcp(_dns(1))), (SERVER, _by_tcp(_dns(1, size)))], each=100)


def dns_queries_on_one_connection(size: int) -> bytes:
    return exchange(53, [turn for n in range(size)
                      for turn in ((CLIENT, _by_tcp(_dns(n))), (SERVER, _by_tcp(_dns(n, 1))))])


# MQTT

def _publish(number: int) -> bytes:
    return mqtt_packet(0x32, word(b"a/%d" % number), (number + 1).to_bytes(2, "big"), b"said")


def mqtt_publishes_in_turn(size: int) -> bytes:
    return mqtt(turn for n in range(size)
                 for turn in ((CLIENT, _publish(n)), (SERVER, b"\x40\2" + (n + 1).to_bytes(2, "big"))))


def mqtt_publishes_without_answer(size: int) -> bytes:
    return mqtt((CLIENT, _publish(number)) for number in range(size))


def mqtt_publishes_at_once(size: int) -> bytes:
    acknowledged = b"".join(b"\x40\2" + (n + 1).to_bytes(2, "big") for n in range(size))
    return mqtt([(CLIENT, b"".join(map(_publish, range(size)))), (SERVER, acknowledged)])


def mqtt_topics_of_a_subscription(size: int) -> bytes:
    topics = b"".join(word(b"a/%d" % number) + b"\0" for number in range(size))
    return mqtt([(CLIENT, mqtt_packet(0x82, b"\0\1", topics)),
                  (SERVER, mqtt_packet(0x90, b"\0\1", bytes(size)))])


def mqtt_pings(size: int) -> bytes:
    return mqtt([(CLIENT, b"\xc0\0"), (SERVER, b"\xd0\0")] * size)


# PostgreSQL



def _prepared(number: int) -> bytes:
    name = b"s%d\0" % number
    parse = pg(b"P", name + b"SELECT %d\0\0\0" % number)
    return parse + pg(b"B", b"\0" + name + bytes(6)) + pg(b"E", bytes(5)) + pg(b"S")


def postgresql_queries_in_turn(size: int) -> bytes:
    return postgresql(turn for n in range(size)
                       for turn in ((CLIENT, query(n)), (SERVER, COLUMNS + ROW + DONE)))


def postgresql_queries_at_once(size: int) -> bytes:
    queries = b"".join(map(query, range(size)))
    return postgresql([(CLIENT, queries), (SERVER, (COLUMNS + ROW + DONE) * size)], 100)


def postgresql_rows_of_an_answer(size: int) -> bytes:
    return postgresql([(CLIENT, query(0)), (SERVER, COLUMNS + ROW * size + DONE)])


def postgresql_columns_of_an_answer(size: int) -> bytes:
    one = b"name\0" + bytes(6) + struct.pack(">IhIh", 25, -1, 0xFFFFFFFF, 0)
    columns = pg(b"T", struct.pack(">H", size) + one * size)
    row = pg(b"D", struct.pack(">H", size) + b"\0\0\0\1x" * size)
    return postgresql([(CLIENT, query(0)), (SERVER, columns + row + DONE)], 100)


def postgresql_prepared_statements(size: int) -> bytes:
    answer = pg(b"1") + pg(b"2") + ROW + DONE
    return postgresql(turn for n in range(size) for turn in ((CLIENT, _prepared(n)), (SERVER, answer)))


def postgresql_notices(size: int) -> bytes:
    notice = pg(b"N", b"SNOTICE\0C00000\0Mhear\0\0")
    return postgresql([(CLIENT, query(0)), (SERVER, notice * size + COLUMNS + ROW + DONE)])


def postgresql_pieces_of_a_copy(size: int) -> bytes:
    copied = pg(b"d", b"a\tb\n") * size + pg(b"c")
    asked = [(CLIENT, query(0)), (SERVER, pg(b"G", b"\0\0\0"))]
    return postgresql([*asked, (CLIENT, copied), (SERVER, DONE)], 100)


# MySQL

def _asked(number: int) -> bytes:
    return my(0, b"\3SELECT %d" % number)


def mysql_queries_in_turn(size: int) -> bytes:
    return mysql(turn for n in range(size) for turn in ((CLIENT, _asked(n)), (SERVER, rows(1, 1))))


def mysql_rows_of_an_answer(size: int) -> bytes:
    return mysql([(CLIENT, _asked(0)), (SERVER, rows(1, size))])


def mysql_columns_of_answers(size: int) -> bytes:
    return mysql(turn for n in range(size // 20) for turn in ((CLIENT, _asked(n)), (SERVER, rows(200, 1))))


def mysql_prepared_statements(size: int) -> bytes:
    def turns(number: int) -> tuple[Turn, ...]:
        name = number.to_bytes(4, "little")
        ready = my(1, b"\0" + name + b"\0\1\0\1\0\0\0\0") + my(2, b"\3def") + my(3, b"\3def")
        execute = my(0, b"\x17" + name + b"\0\1\0\0\0")
        return ((CLIENT, my(0, b"\x16SELECT ?")), (SERVER, ready), (CLIENT, execute), (SERVER, rows(1, 1)))

    return mysql(turn for number in range(size) for turn in turns(number))


# Redis: what comes without being asked for

def redis_messages_that_are_pushed(size: int) -> bytes:
    pushed = b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n"
    begun = b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"
    asked = b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n"
    return exchange(6379, [(CLIENT, asked), (SERVER, begun), *[(SERVER, pushed)] * size])


def redis_commands_without_answer(size: int) -> bytes:
    return exchange(6379, [(CLIENT, b"*1\r\n$4\r\nPING\r\n")] * size)


# TLS

def tls_records_in_turn(size: int) -> bytes:
    return tls([(CLIENT, GET), (SERVER, OK)] * size)


def tls_records_of_a_message(size: int) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (size * 10)
    return tls([(CLIENT, GET), (SERVER, head), *[(SERVER, b"0123456789")] * size])


def tls_records_that_stay_sealed(size: int) -> bytes:
    return tls([(CLIENT, GET), (SERVER, OK)] * size, opened=False)


# What stands beside packets

def _beside(blocks: Iterable[bytes], packets: int = 0) -> bytes:
    """An exchange with so many datagrams behind it, and blocks."""
    wire = Wire()
    wire.write(CLIENT, GET)
    wire.write(SERVER, OK)
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
    wire.write(CLIENT, GET)
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
