"""What services and their clients say, byte by byte: units of protocols, and whole connections made of turns.

Turns (direction, bytes) -> `exchange`, `http2`, `mqtt`, `postgresql`, `mysql`, `tls` -> the bytes of a file.
"""

from __future__ import annotations

import ssl
import struct
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from inspector.wire import pcapng
from tests.support.captures.growth import CLIENT, SERVER, Wire
from tests.support.running.tls import certificate

Turn = tuple[int, bytes]
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS, PING, WINDOW, CONTINUATION = 0, 1, 3, 4, 6, 8, 9
END_STREAM, END_HEADERS = 1, 4
ASK, ANSWER = b"\x82\x86\x84\x41\x01x", b"\x88"         # GET / of x by http; 200


def exchange(service: int, turns: Iterable[Turn], each: int = 1400) -> bytes:
    """One connection to the port of a service, closed at its end; `each`: bytes of a segment."""
    wire = Wire()
    del wire.blocks[2:]
    wire.begin(service=service)
    for direction, data in turns:
        wire.write(direction, data, each)
    wire.close()
    return wire.file()


# HTTP/2

def frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
    return len(body).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + body


def ask(number: int, more: bytes = b"", ends: int = END_STREAM) -> bytes:
    return frame(HEADERS, ends | END_HEADERS, 2 * number + 1, ASK + more)


def answer(number: int, more: bytes = b"", ends: int = END_STREAM) -> bytes:
    return frame(HEADERS, ends | END_HEADERS, 2 * number + 1, ANSWER + more)


def http2(turns: Iterable[Turn], each: int = 1400) -> bytes:
    settings = frame(SETTINGS, 0, 0)
    return exchange(80, [(CLIENT, PREFACE + settings), (SERVER, settings), *turns], each)


# MQTT

def mqtt_packet(kind: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    left, digits = len(body), b""
    while True:
        left, digit = left >> 7, left & 127
        digits += bytes((digit | 128 * (left > 0),))
        if not left:
            return bytes((kind,)) + digits + body


def word(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text


def mqtt(turns: Iterable[Turn], each: int = 1400) -> bytes:
    hello = mqtt_packet(0x10, word(b"MQTT"), b"\4\2\0\x3c", word(b"me"))
    return exchange(1883, [(CLIENT, hello), (SERVER, b"\x20\2\0\0"), *turns, (CLIENT, b"\xe0\0")], each)


# PostgreSQL

def pg(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack(">I", len(body) + 4) + body


READY = pg(b"Z", b"I")
ROW, DONE = pg(b"D", b"\0\1\0\0\0\1x"), pg(b"C", b"SELECT 1\0") + READY
COLUMNS = pg(b"T", b"\0\1name\0" + bytes(6) + struct.pack(">IhIh", 25, -1, 0xFFFFFFFF, 0))


def postgresql(turns: Iterable[Turn], each: int = 1400) -> bytes:
    hello = b"\0\3\0\0user\0ada\0\0"
    return exchange(5432, [(CLIENT, struct.pack(">I", len(hello) + 4) + hello),
                        (SERVER, pg(b"R", bytes(4)) + READY), *turns, (CLIENT, pg(b"X"))], each)


def query(number: int) -> bytes:
    return pg(b"Q", b"SELECT %d\0" % number)


# MySQL

def my(sequence: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "little") + bytes((sequence & 255,)) + body


def mysql(turns: Iterable[Turn], each: int = 1400) -> bytes:
    greeting = (b"\x0a8.0.36\0" + bytes(4) + b"saltsalt\0" + b"\xff\xff\x21\2\0\xff\xc1\x15" + bytes(10)
                + b"saltsaltsalt\0mysql_native_password\0")
    login = (0x200 | 0x8000 | 1 << 24).to_bytes(4, "little") + bytes(4) + b"\x21" + bytes(23) + b"ada\0\0"
    return exchange(3306, [(SERVER, my(0, greeting)), (CLIENT, my(1, login)),
                        (SERVER, my(2, b"\0\0\0\2\0\0\0")), *turns, (CLIENT, my(0, b"\1"))], each)


def rows(columns: int, rows: int) -> bytes:
    parts = [bytes((columns,)), *[b"\3def"] * columns, *[b"\0011" * columns] * rows, b"\xfe\0\0\2\0\0\0"]
    return b"".join(my(number, body) for number, body in enumerate(parts, 1))


# TLS

def tls(turns: Iterable[Turn], opened: bool = True, each: int = 1400) -> bytes:
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
            wire.write(direction, data, each)
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
