"""More captures in which ONE thing grows with `size`: what has many pieces, and its bytes many segments.

As `growth.KINDS`, and in the same form: `PIECES[name](size)` gives the bytes of a pcapng file. Where the
others ask what one more piece costs, these ask what it costs every packet of what it belongs to.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable

from inspector.protocols.websocket.frame import BINARY, CONTINUATION, TEXT, encode
from tests.support.captures.growth import CLIENT, GET, KEY, OK, SERVER, Wire
from tests.support.captures.services import (
    COLUMNS,
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

_EACH = 64                       # bytes of a segment


def _web(turns: Iterable[Turn]) -> bytes:
    return exchange(80, turns, _EACH)


def _answered(head: bytes, body: bytes) -> bytes:
    return _web([(CLIENT, GET), (SERVER, b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body)])


# HTTP

def http_headers_in_segments(size: int) -> bytes:
    head = b"".join(b"a%05d: %05d\r\n" % (n, n) for n in range(size))
    return _answered(head + b"Content-Length: 0\r\n", b"")


def http_chunks_in_segments(size: int) -> bytes:
    return _answered(b"Transfer-Encoding: chunked\r\n", b"3;x=y\r\nabc\r\n" * size + b"0\r\n\r\n")


def http_trailers_in_segments(size: int) -> bytes:
    trailers = b"".join(b"a%05d: %05d\r\n" % (n, n) for n in range(size))
    return _answered(b"Transfer-Encoding: chunked\r\n", b"1\r\na\r\n0\r\n" + trailers + b"\r\n")


def http_folded_lines_in_segments(size: int) -> bytes:
    return _answered(b"a: b\r\n" + b" and so on\r\n" * size + b"Content-Length: 0\r\n", b"")


def http_segments_of_an_upload(size: int) -> bytes:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (size * 20)
    return _web([(CLIENT, head + b"0123456789" * 2 * size), (SERVER, OK)])


def http_segments_of_a_packed_body(size: int) -> bytes:
    body = zlib.compress(bytes(n * n % 251 for n in range(size * 20)))
    return _answered(b"Content-Encoding: deflate\r\nContent-Length: %d\r\n" % len(body), body)


def http_segments_until_the_end(size: int) -> bytes:
    return _answered(b"", b"0123456789" * 2 * size)


def sse_lines_of_an_event(size: int) -> bytes:
    return _answered(b"Content-Type: text/event-stream\r\n", b"data: said and done\n" * size + b"\n")


def sse_comments_of_an_event(size: int) -> bytes:
    return _answered(b"Content-Type: text/event-stream\r\n", b": said and done\n" * size + b"data: x\n\n")


# WebSocket

def _websocket(frames: Iterable[bytes], deflate: bool = False) -> bytes:
    wire = Wire()
    wire.upgrade(deflate)
    wire.write(CLIENT, b"".join(frames), _EACH)
    return wire.file()


def websocket_segments_of_a_frame(size: int) -> bytes:
    return _websocket([encode(b"0123456789" * 2 * size, TEXT, key=KEY)])


def websocket_segments_of_fragments(size: int) -> bytes:
    return _websocket(encode(b"0123456789" * 10, CONTINUATION if n else TEXT, fin=n == size - 1, key=KEY)
                      for n in range(size))


def websocket_segments_of_a_packed_frame(size: int) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    data = packer.compress(bytes(n * n % 251 for n in range(size * 20))) + packer.flush(zlib.Z_SYNC_FLUSH)
    return _websocket([encode(data[:-4], BINARY, rsv=4, key=KEY)], deflate=True)


# HTTP/2

def http2_segments_of_a_frame(size: int) -> bytes:
    body = frame(0, 1, 1, b"0123456789" * 2 * size)
    return http2([(CLIENT, ask(0)), (SERVER, answer(0, ends=0) + body)], _EACH)


def http2_settings_of_a_frame(size: int) -> bytes:
    settings = b"".join(struct.pack(">HI", 0xF000 + n % 4096, n) for n in range(size))
    return http2([(CLIENT, frame(4, 0, 0, settings)), (CLIENT, ask(0)), (SERVER, answer(0))], _EACH)


def http2_trailers_of_a_message(size: int) -> bytes:
    block = b"".join(b"\0\x08%08d\1v" % number for number in range(size))
    sent = answer(0, ends=0) + frame(0, 0, 1, b"body") + frame(1, 5, 1, block)
    return http2([(CLIENT, ask(0)), (SERVER, sent)], _EACH)


def grpc_messages_of_a_frame(size: int) -> bytes:
    kind = b"\0\x0ccontent-type\x10application/grpc"
    sent = frame(0, 1, 1, b"\0\0\0\0\x0aabcdefghij" * size)
    return http2([(CLIENT, ask(0, kind, 0) + sent), (SERVER, answer(0, kind))], _EACH)


# MQTT

def mqtt_topics_in_segments(size: int) -> bytes:
    topics = b"".join(word(b"topics/%06d" % number) + b"\0" for number in range(size))
    acknowledged = mqtt_packet(0x90, b"\0\1", bytes(size))
    return mqtt([(CLIENT, mqtt_packet(0x82, b"\0\1", topics)), (SERVER, acknowledged)], _EACH)


def mqtt_properties_of_a_packet(size: int) -> bytes:
    properties = b"".join(b"\x26" + word(b"k%05d" % number) + word(b"v") for number in range(size))
    hello = mqtt_packet(0x10, word(b"MQTT"), b"\5\2\0\x3c\0", word(b"me"))
    sent = mqtt_packet(0x30, word(b"a"), mqtt_packet(0, properties)[1:], b"said")
    turns = [(CLIENT, hello), (SERVER, b"\x20\3\0\0\0"), (CLIENT, sent), (CLIENT, b"\xe0\0")]
    return exchange(1883, turns, _EACH)


def mqtt_segments_of_a_message(size: int) -> bytes:
    return mqtt([(CLIENT, mqtt_packet(0x30, word(b"a"), b"0123456789" * 2 * size))], _EACH)


# PostgreSQL

def postgresql_parameters_of_a_session(size: int) -> bytes:
    words = b"".join(b"name%05d\0value\0" % number for number in range(size))
    hello = b"\0\3\0\0user\0ada\0" + words + b"\0"
    return exchange(5432, [(CLIENT, struct.pack(">I", len(hello) + 4) + hello),
                           (SERVER, pg(b"R", bytes(4)) + pg(b"Z", b"I"))], _EACH)


def postgresql_values_in_segments(size: int) -> bytes:
    row = pg(b"D", struct.pack(">H", size) + b"\0\0\0\x0a0123456789" * size)
    done = pg(b"C", b"SELECT 1\0") + pg(b"Z", b"I")
    return postgresql([(CLIENT, query(0)), (SERVER, COLUMNS + row + done)], _EACH)


def postgresql_fields_of_an_error(size: int) -> bytes:
    error = pg(b"E", b"SERROR\0C42601\0" + b"Mno such thing\0" * size + b"\0")
    return postgresql([(CLIENT, query(0)), (SERVER, error + pg(b"Z", b"I"))], _EACH)


def postgresql_segments_of_a_query(size: int) -> bytes:
    asked = pg(b"Q", b"SELECT " + b"0123456789" * 2 * size + b"\0")
    done = pg(b"C", b"SELECT 1\0") + pg(b"Z", b"I")
    return postgresql([(CLIENT, asked), (SERVER, done)], _EACH)


# MySQL

def mysql_segments_of_a_query(size: int) -> bytes:
    asked = my(0, b"\3SELECT " + b"0123456789" * 2 * size)
    return mysql([(CLIENT, asked), (SERVER, rows(1, 1))], _EACH)


def mysql_segments_of_a_row(size: int) -> bytes:
    parts = (b"\1", b"\3def", b"\xfd" + (20 * size).to_bytes(3, "little") + b"0123456789" * 2 * size,
             b"\xfe\0\0\2\0\0\0")
    sent = b"".join(my(number, part) for number, part in enumerate(parts, 1))
    return mysql([(CLIENT, my(0, b"\3SELECT 1")), (SERVER, sent)], _EACH)


# Redis

def _redis(command: bytes, answered: bytes) -> bytes:
    return exchange(6379, [(CLIENT, command), (SERVER, answered)], _EACH)


_KEY = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"


def redis_arguments_of_a_command(size: int) -> bytes:
    words = b"".join(b"$10\r\n%010d\r\n" % number for number in range(size))
    return _redis(b"*%d\r\n$3\r\nDEL\r\n" % (size + 1) + words, b":%d\r\n" % size)


def redis_words_of_an_inline_command(size: int) -> bytes:
    return _redis(b"DEL" + b" a-long-key" * size + b"\r\n", b":1\r\n")


def redis_entries_of_a_map(size: int) -> bytes:
    entries = b"".join(b"$6\r\n%06d\r\n:1\r\n" % number for number in range(size))
    return _redis(_KEY, b"%%%d\r\n" % size + entries)


def redis_chunks_of_a_string(size: int) -> bytes:
    return _redis(_KEY, b"$?\r\n" + b";4\r\nabcd\r\n" * size + b";0\r\n")


def redis_segments_of_a_string(size: int) -> bytes:
    return _redis(_KEY, b"$%d\r\n" % (size * 20) + b"0123456789" * 2 * size + b"\r\n")


# What stands before other protocols, and around them

def proxy_segments_of_a_preface(size: int) -> bytes:
    body = struct.pack(">4s4sHH", b"\x0a\0\0\1", b"\x0a\0\0\2", 40000, 80)
    body += b"".join(b"\xe0\0\x09said:%04d" % (number % 10000) for number in range(size))
    preface = b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + len(body).to_bytes(2, "big") + body
    return _web([(CLIENT, preface + GET), (SERVER, OK)])


def tls_segments_of_a_record(size: int) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (size * 20)
    return tls([(CLIENT, GET), (SERVER, head + b"0123456789" * 2 * size)], each=_EACH)


def tls_records_of_messages_that_mingle(size: int) -> bytes:
    """HTTP/2 inside, whose frames lie in records of their own."""
    sent = (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)) + b"".join(ask(n) for n in range(4))
    parts = [(SERVER, frame(0, 0, 2 * (n % 4) + 1, b"0123456789")) for n in range(size)]
    begun = frame(4, 0, 0) + b"".join(answer(n, ends=0) for n in range(4))
    return tls([(CLIENT, sent), (SERVER, begun), *parts])


PIECES: dict[str, Callable[[int], bytes]] = {
    name: thing for name, thing in list(globals().items())
    if callable(thing) and getattr(thing, "__module__", "") == __name__ and not name.startswith("_")
    and isinstance(thing, type(http_headers_in_segments))
}
