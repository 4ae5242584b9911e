"""More hostile captures of about a given size, a kind each: floods and bombs of single protocols.

What a protocol lets one end say in few bytes, again and again, and what a file lets its author say beside
packets. `CASES[name](size)` gives a file; those of `hostile` are among them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import cast

from inspector.model.numbers import LINK_ETHERNET, LINK_RAW
from inspector.model.records import KernelSample
from inspector.wire import journal, pcapng
from inspector.wire.journal import CallRecord, EventRecord
from tests.support.captures import hostile
from tests.support.captures.growth import CLIENT, GET, SERVER, START, Wire
from tests.support.captures.hostile import Case, File, pcap
from tests.support.captures.tcp import ip, segment

_END_HEADERS = 4
_DATA, _HEADERS, _RST, _SETTINGS, _PING, _WINDOW, _CONTINUATION = 0, 1, 3, 4, 6, 8, 9
_GET = b"\x82\x84\x86\x41\x01a"              # :method GET, :path /, :scheme http, :authority a
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def _frames(port: int, *turns: tuple[int, bytes], each: int = 1400, end: bool = True) -> File:
    """A conversation with a port."""
    wire = Wire()
    wire.blocks = wire.blocks[:2]
    wire._ports = (40000, port)
    wire.next = [99, 299]
    for direction, flags in ((CLIENT, "S"), (SERVER, "SA"), (CLIENT, "A")):
        wire.send(direction, flags)
    for direction, data in turns:
        wire.write(direction, data, each)
    if end:
        wire.close()
    return File(wire.file())


def _again(one: bytes, size: int) -> bytes:
    return one * (size // len(one) + 1)


# --- HTTP/2, gRPC ------------------------------------------------------------------------------------------


def _frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body


def _http2(asked: bytes, answer: bytes = b"") -> File:
    opening = PREFACE + _frame(_SETTINGS, 0, 0)
    settings = _frame(_SETTINGS, 0, 0)
    return _frames(80, (CLIENT, opening), (SERVER, settings), (CLIENT, asked), (SERVER, answer))


def continuations(size: int) -> File:
    """One block of headers that never ends (CVE-2024-27316)."""
    return _http2(_frame(_HEADERS, 0, 1, _GET) + _again(_frame(_CONTINUATION, 0, 1, b"\x01a\x01b"), size))


def empty_continuations(size: int) -> File:
    return _http2(_frame(_HEADERS, 0, 1, _GET) + _again(_frame(_CONTINUATION, 0, 1), size))


def hpack_bomb(size: int) -> File:
    """An entry of 4,000 bytes, then a byte for each time that it is meant (CVE-2016-6581)."""
    entry = b"\x40\x01a\x7f\xa1\x1e" + b"x" * 4000
    block = _GET + entry + b"\xbe" * 16000
    return _http2(b"".join(_frame(_HEADERS, 5, 1 + 2 * n, block) for n in range(size // len(block))))


def hpack_sizes(size: int) -> File:
    block = _GET + b"\x20\x3f\xe1\x1f" * 4000
    return _http2(b"".join(_frame(_HEADERS, 5, 1 + 2 * n, block) for n in range(size // len(block))))


def hpack_evictions(size: int) -> File:
    """Each header pushes another one out of the table."""
    block = _GET + b"\x40\x01a\x01b" * 3000
    return _http2(b"".join(_frame(_HEADERS, 5, 1 + 2 * n, block) for n in range(size // len(block))))


def rapid_resets(size: int) -> File:
    """Asked and taken back at once (CVE-2023-44487)."""
    frames = (_frame(_HEADERS, 5, 1 + 2 * n, _GET) + _frame(_RST, 0, 1 + 2 * n, b"\0\0\0\x08")
              for n in range(size // 30))
    return _http2(b"".join(frames))


def shortest_http2_frames(size: int) -> File:
    return _http2(_again(_frame(_DATA, 0, 1) + _frame(_WINDOW, 0, 0, b"\0\0\0\1"), size))


def settings_and_pings(size: int) -> File:
    return _http2(_again(_frame(_SETTINGS, 0, 0, b"\0\4\0\0\xff\xff") + _frame(_PING, 0, 0, bytes(8)), size))


def unknown_http2_frames(size: int) -> File:
    return _http2(_again(_frame(200, 255, 0x7FFFFFFF), size))


def shortest_grpc_messages(size: int) -> File:
    block = b"\x83\x84\x86\x41\x01a" + b"\x0f\x10\x10application/grpc"
    return _http2(_frame(_HEADERS, _END_HEADERS, 1, block)
                  + _again(_frame(_DATA, 0, 1, bytes(5) * 2000), size))


# --- names -------------------------------------------------------------------------------------------------


def _udp(direction: int, ports: tuple[int, int], body: bytes) -> bytes:
    source, target = ports if direction == CLIENT else ports[::-1]
    return ip(direction, 17, struct.pack(">HHHH", source, target, 8 + len(body), 0) + body)


def _answers(count: int, records: bytes, name: bytes = b"\1a\0") -> bytes:
    return struct.pack(">HHHHHH", 7, 0x8180, 1, count, 0, 0) + name + b"\0\1\0\1" + records


_RECORD = struct.pack(">HHIH", 1, 1, 60, 4) + bytes(4)


def dns_pointer_chains(size: int) -> File:
    """Each record's name points to the one before it."""
    records, place = [b"\xc0\x0c" + _RECORD], 12 + 7
    for _ in range(1000):
        records.append(b"\1b" + struct.pack(">H", 0xC000 | place) + _RECORD)
        place += len(records[-2])
    whole = _answers(len(records), b"".join(records))
    return File(pcap(_udp(SERVER, (40000, 53), whole) for _ in range(size // len(whole))), ".pcap")


def dns_pointers_to_themselves(size: int) -> File:
    whole = _answers(4000, (b"\xc0\x13" + _RECORD) * 4000)
    return File(pcap(_udp(SERVER, (40000, 53), whole) for _ in range(size // len(whole))), ".pcap")


def dns_long_names(size: int) -> File:
    """A name of 255 bytes, and two bytes for each time that it is meant."""
    name = b"".join(b"\x3f" + bytes([97 + n]) * 63 for n in range(3)) + b"\x3c" + b"z" * 60 + b"\0"
    whole = _answers(4000, (b"\xc0\x0c" + _RECORD) * 4000, name)
    return File(pcap(_udp(SERVER, (40000, 53), whole) for _ in range(size // len(whole))), ".pcap")


def dns_over_tcp(size: int) -> File:
    asked = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"\1a\0\0\1\0\1"
    return _frames(53, (CLIENT, _again(struct.pack(">H", len(asked)) + asked, size)))


def shortest_dns(size: int) -> File:
    asked = struct.pack(">HHHHHH", 7, 0x100, 0, 0, 0, 0)
    return File(pcap(_udp(CLIENT, (1024 + n % 60000, 53), asked) for n in range(size // 56)), ".pcap")


# --- other protocols ---------------------------------------------------------------------------------------


def shortest_mqtt(size: int) -> File:
    connect = b"\x10\x0d\0\4MQTT\4\2\0\x3c\0\1a"
    return _frames(1883, (CLIENT, connect), (SERVER, b"\x20\2\0\0"), (CLIENT, _again(b"\xc0\0", size)))


def mqtt_publishes(size: int) -> File:
    connect = b"\x10\x0d\0\4MQTT\4\2\0\x3c\0\1a"
    sent = b"".join(b"\x32\x05\0\1a" + struct.pack(">H", n & 0xFFFF) for n in range(size // 7))
    return _frames(1883, (CLIENT, connect), (SERVER, b"\x20\2\0\0"), (CLIENT, sent))


def mqtt_properties(size: int) -> File:
    """Of version 5: pairs of a user, in one packet of 128 kB."""
    connect = b"\x10\x0e\0\4MQTT\5\2\0\x3c\0\0\1a"
    pairs = b"\x26\0\0\0\0" * 26000
    body = b"\0\1a" + b"\xd0\xf7\7" + pairs
    length = len(body)
    head = b"\x30" + bytes([length & 127 | 128, length >> 7 & 127 | 128, length >> 14])
    return _frames(1883, (CLIENT, connect), (SERVER, b"\x20\3\0\0\0"), (CLIENT, _again(head + body, size)))


def mqtt_topics(size: int) -> File:
    connect = b"\x10\x0d\0\4MQTT\4\2\0\x3c\0\1a"
    body = b"\0\1" + b"\0\1a\0" * 4000
    one = b"\x82" + bytes([len(body) & 127 | 128, len(body) >> 7]) + body
    return _frames(1883, (CLIENT, connect), (SERVER, b"\x20\2\0\0"), (CLIENT, _again(one, size)))


_PG_START = struct.pack(">II", 17, 196608) + b"user\0a\0\0"
_PG_READY = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"


def shortest_postgresql(size: int) -> File:
    return _frames(5432, (CLIENT, _PG_START), (SERVER, _PG_READY), (CLIENT, _again(b"S\0\0\0\4", size)))


def postgresql_notices(size: int) -> File:
    return _frames(5432, (CLIENT, _PG_START), (SERVER, _PG_READY), (CLIENT, b"Q\0\0\0\x06a\0"),
                   (SERVER, _again(b"N\0\0\0\5\0", size)))


def postgresql_columns(size: int) -> File:
    """Rows of 2,000 columns, each null."""
    columns = b"".join(b"a\0" + bytes(18) for _ in range(2000))
    answer = b"T" + struct.pack(">IH", 6 + len(columns), 2000) + columns
    row = b"D" + struct.pack(">IH", 6 + 8000, 2000) + b"\xff\xff\xff\xff" * 2000
    return _frames(5432, (CLIENT, _PG_START), (SERVER, _PG_READY), (CLIENT, b"Q\0\0\0\x06a\0"),
                   (SERVER, answer + _again(row, size)))


_GREETING = (b"\x0a8.0\0" + bytes(4) + b"abcdefgh\0\xff\xf7\x21\2\0\xff\x81\x15" + bytes(10)
             + b"abcdefghijkl\0mysql_native_password\0")


def _mysql(number: int, body: bytes) -> bytes:
    return struct.pack("<I", len(body))[:3] + bytes([number & 255]) + body


def shortest_mysql(size: int) -> File:
    login = struct.pack("<IIB", 0x200, 1 << 24, 33) + bytes(23) + b"a\0\0"
    return _frames(3306, (SERVER, _mysql(0, _GREETING)), (CLIENT, _mysql(1, login)),
                   (SERVER, _mysql(2, b"\0\0\0\2\0\0\0")), (CLIENT, _again(_mysql(0, b"\x0e"), size)))


def empty_mysql(size: int) -> File:
    return _frames(3306, (SERVER, _mysql(0, _GREETING)), (CLIENT, _again(_mysql(1, b""), size)))


def mysql_rows(size: int) -> File:
    login = struct.pack("<IIB", 0x200, 1 << 24, 33) + bytes(23) + b"a\0\0"
    column = _mysql(2, b"\3def\0\0\0\1a\0\x0c\x21\0\1\0\0\0\xfd\0\0\0\0\0")
    rows = b"".join(_mysql(n, b"\xfb") for n in range(size // 5))
    return _frames(3306, (SERVER, _mysql(0, _GREETING)), (CLIENT, _mysql(1, login)),
                   (SERVER, _mysql(2, b"\0\0\0\2\0\0\0")), (CLIENT, _mysql(0, b"\3select")),
                   (SERVER, _mysql(1, b"\1") + column + _mysql(3, b"\xfe\0\0\2\0") + rows))


def _record(kind: int, body: bytes) -> bytes:
    return bytes([kind, 3, 3]) + struct.pack(">H", len(body)) + body


_HELLO = b"\1\0\0\x2b\3\3" + bytes(32) + b"\0\0\2\x13\1\1\0\0\0"


def shortest_tls_records(size: int) -> File:
    return _frames(443, (CLIENT, _record(22, _HELLO)), (SERVER, _again(_record(23, b"x"), size)))


def tls_handshake_in_bytes(size: int) -> File:
    """A message of a handshake in records of one byte."""
    return _frames(443, (CLIENT, _record(22, _HELLO)),
                   (SERVER, _record(22, b"\x0b\xff\xff\xff") + _again(_record(22, b"x"), size)))


def tls_hellos(size: int) -> File:
    return _frames(443, (CLIENT, _again(_record(22, _HELLO), size)))


def tls_extensions(size: int) -> File:
    body = b"\3\3" + bytes(32) + b"\0\0\2\x13\1\1\0" + struct.pack(">H", 16000) + b"\xfa\xfa\0\0" * 4000
    return _frames(443, (CLIENT, _again(_record(22, b"\1" + struct.pack(">I", len(body))[1:] + body), size)))


def tls_alerts(size: int) -> File:
    return _frames(443, (CLIENT, _record(22, _HELLO)), (SERVER, _again(_record(21, b"\1\x5a"), size)))


def shortest_events(size: int) -> File:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    return _frames(80, (CLIENT, GET), (SERVER, head + _again(b"data:\n\n", size)))


def one_event_of_lines(size: int) -> File:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    return _frames(80, (CLIENT, GET), (SERVER, head + _again(b"data:\n", size)))


def comments_of_events(size: int) -> File:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    return _frames(80, (CLIENT, GET), (SERVER, head + _again(b":\n", size)))


def nulls_of_redis(size: int) -> File:
    return _frames(6379, (CLIENT, b"*1\r\n$4\r\nPING\r\n"), (SERVER, b"+PONG\r\n" + _again(b"_\r\n", size)))


def inline_redis(size: int) -> File:
    return _frames(6379, (CLIENT, _again(b"PING\r\n", size)))


# --- TCP, IP -----------------------------------------------------------------------------------------------


def sack_blocks(size: int) -> File:
    """Acknowledgments with three blocks each, which grow."""
    frames = []
    for n in range(size // 84):
        blocks = b"".join(struct.pack(">II", 1000 + 3 * (n + k), 1001 + 3 * (n + k)) for k in range(3))
        frames.append(segment(CLIENT, "A", 100, 300, options=b"\1\1\5\x1a" + blocks))
    return File(pcap(frames), ".pcap")


def sack_with_data(size: int) -> File:
    """Each segment before a hole, and what tells of it."""
    frames = []
    for n in range(size // 140):
        frames.append(segment(CLIENT, "A", 100 + 4 * n, 300, b"xx"))
        block = struct.pack(">II", 100 + 4 * n, 102 + 4 * n)
        frames.append(segment(SERVER, "A", 300, 100, options=b"\1\1\5\x0a" + block))
    return File(pcap(frames), ".pcap")


def options_of_each_segment(size: int) -> File:
    frames = (segment(n % 2, "A", 100, 300, options=b"\x08\x0a" + struct.pack(">II", n, n) + b"\xfe\2" * 15)
              for n in range(size // 96))
    return File(pcap(frames), ".pcap")


def urgent_bytes(size: int) -> File:
    frames = []
    for n in range(size // 60):
        frame = bytearray(segment(CLIENT, "PAU", 100 + 4 * n, 300, b"abcd"))
        frame[38:40] = struct.pack(">H", n % 5)
        frames.append(bytes(frame))
    return File(pcap(frames), ".pcap")


def swapped_segments(size: int) -> File:
    """Out of order at every packet."""
    frames = (segment(CLIENT, "PA", 100 + 4 * (n ^ 1), 300, b"abcd") for n in range(size // 60))
    return File(pcap(frames), ".pcap")


def shuffled_segments(size: int) -> File:
    """By a distance that changes; each acknowledgment another."""
    count = size // 116
    frames = []
    for n in range(count):
        frames.append(segment(CLIENT, "PA", 100 + 4 * (n * 7919 % count), 300, b"abcd"))
        frames.append(segment(SERVER, "A", 300, 100 + 4 * (n * 31 % count)))
    return File(pcap(frames), ".pcap")


def keep_alives(size: int) -> File:
    frames = (segment(n % 2, "A", 99 if n % 2 else 299, 300 if n % 2 else 100, b"\0" * (n & 1))
              for n in range(size // 57))
    return File(pcap(frames), ".pcap")


_UDP_HEAD = struct.pack(">HHHH", 5, 53, 3000, 0)


def _fragment(number: int, offset: int, more: bool, body: bytes) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), number & 0xFFFF, more << 13 | offset, 64, 17, 0)
    return head + bytes([10, 0, 0, 1]) + bytes([10, 0, 0, 2]) + body


def overlapping_fragments(size: int) -> File:
    """Of one datagram, each over half of the one before it."""
    frames = (_fragment(1, n % 8000, True, bytes(16)) for n in range(size // 52))
    return File(pcap(frames), ".pcap")


def fragments_without_an_end(size: int) -> File:
    """First fragments, each of a datagram of its own."""
    frames = (_fragment(n, 0, True, _UDP_HEAD + bytes(8)) for n in range(size // 52))
    return File(pcap(frames), ".pcap")


def first_fragments_of_one_datagram(size: int) -> File:
    """All of the same one: each begins what none of them ends."""
    frames = (_fragment(7, 0, True, _UDP_HEAD + bytes(8)) for _ in range(size // 52))
    return File(pcap(frames), ".pcap")


def last_and_first_fragments(size: int) -> File:
    """A beginning and an end, and nothing between them, of datagram after datagram."""
    frames = (_fragment(n // 2, n % 2 * 300, n % 2 == 0, _UDP_HEAD + bytes(8))
              for n in range(size // 52))
    return File(pcap(frames), ".pcap")


def fragments_again_and_again(size: int) -> File:
    frames = (_fragment(n // 4, (n % 2) * 2, n % 2 == 0, bytes(16)) for n in range(size // 52))
    return File(pcap(frames), ".pcap")


def datagrams_of_garbage(size: int) -> File:
    """As of QUIC: any bytes to port 443, each from a port of its own."""
    frames = (_udp(CLIENT, (1024 + n % 60000, 443), struct.pack(">BQ", 0xC0 | n % 64, n * 2654435761))
              for n in range(size // 53))
    return File(pcap(frames), ".pcap")


def datagrams_of_one_conversation(size: int) -> File:
    return File(pcap(_udp(n % 2, (40000, 443), b"") for n in range(size // 44)), ".pcap")


def icmp_of_icmp(size: int) -> File:
    quoted = segment(CLIENT, "S", 1, ports=(40000, 81))[:28]
    inner = ip(SERVER, 1, struct.pack(">BBHI", 3, 1, 0, 0) + quoted)
    frame = ip(CLIENT, 1, struct.pack(">BBHI", 3, 3, 0, 0) + inner)
    return File(pcap([frame] * (size // 100)), ".pcap")


def echo_requests(size: int) -> File:
    return File(pcap(ip(CLIENT, 1, struct.pack(">BBHHH", 8, 0, 0, 1, n & 0xFFFF)) for n in range(size // 44)),
                ".pcap")


def tunnels_of_each_packet(size: int) -> File:
    """IP in IP in IP: 40 times."""
    frame = segment(CLIENT, "S", 1)
    for _ in range(40):
        frame = ip(CLIENT, 4, frame)
    return File(pcap([frame] * (size // (len(frame) + 16))), ".pcap")


def extension_headers(size: int) -> File:
    """IPv6 with as many headers before the last one as a packet holds."""
    count = 150
    body = (b"\x3c\0" + bytes(6)) * count + b"\x3b\0" + bytes(6)
    frame = struct.pack(">IHBB", 6 << 28, len(body), 60, 64) + bytes(31) + b"\1" + bytes(31) + b"\2" + body
    return File(pcap([frame] * (size // (len(frame) + 16))), ".pcap")


def _ethernet(frames: Iterable[bytes]) -> File:
    head = pcapng.section_header() + pcapng.interface_description(LINK_ETHERNET)
    return File(head + b"".join(pcapng.enhanced_packet(frame, START + n) for n, frame in enumerate(frames)))


def labels_of_each_frame(size: int) -> File:
    """VLAN tags, one within the other."""
    frame = bytes(12) + b"\x81\0\0\1" * 60 + b"\x08\0" + segment(CLIENT, "S", 1)
    return _ethernet([frame] * (size // (len(frame) + 32)))


def arp_of_many(size: int) -> File:
    """Each address claimed again by another one."""
    frames = []
    for n in range(size // 76):
        hardware, address = struct.pack(">HI", 2, n), bytes([10, 0, n >> 4 & 255, n & 15])
        frames.append(b"\xff" * 6 + hardware + b"\x08\x06\0\1\x08\0\6\4\0\2" + hardware + address + bytes(6)
                      + address)
    return _ethernet(frames)


# --- what a file says beside packets -----------------------------------------------------------------------


def custom_blocks(size: int) -> File:
    block = struct.pack("=IIII", 0xBAD, 16, 32473, 16)
    return File(pcapng.section_header() + pcapng.interface_description(LINK_RAW) + _again(block, size))


def secrets_of_tls(size: int) -> File:
    """Lines of a key log, each in a block of its own."""
    blocks = (pcapng.decryption_secrets(b"CLIENT_RANDOM %064x %096x\n" % (n, n)) for n in range(size // 200))
    return File(pcapng.section_header() + b"".join(blocks) + pcapng.interface_description(LINK_RAW))


def shortest_secrets(size: int) -> File:
    block = pcapng.decryption_secrets(b"a")
    return File(pcapng.section_header() + pcapng.interface_description(LINK_RAW) + _again(block, size))


def options_of_each_packet(size: int) -> File:
    """Comments of one letter, 60 of each packet."""
    one = struct.pack("=HH", 1, 1) + b"x\0\0\0"
    body = struct.pack("=IIIII", 0, 0, 0, 0, 0) + one * 60 + bytes(4)
    block = struct.pack("=II", 6, len(body) + 12) + body + struct.pack("=I", len(body) + 12)
    return File(pcapng.section_header() + pcapng.interface_description(LINK_RAW) + _again(block, size))


def one_comment(size: int) -> File:
    """Of lines without end, in the head of the file; 65,535 bytes each."""
    lines = "\n" * 65000
    return File(b"".join(pcapng.section_header(comment=lines) for _ in range(size // 65000))
                + pcapng.interface_description(LINK_RAW))


def names_of_one_address(size: int) -> File:
    names = b"\xffa" + b"\0b" * 15000 + b"\0"
    record = struct.pack("=HHI", 1, 4 + len(names), 7)[:8] + names
    record = struct.pack("=HH", 1, 4 + len(names)) + bytes([10, 0, 0, 1]) + names
    record += bytes(-len(record) % 4)
    body = record * (size // len(record)) + bytes(4)
    return File(pcapng.section_header() + pcapng.interface_description(LINK_RAW)
                + struct.pack("=II", 4, len(body) + 12) + body + struct.pack("=I", len(body) + 12))


def _journal(records: Iterable[EventRecord | CallRecord | KernelSample]) -> File:
    head = pcapng.section_header() + pcapng.interface_description(LINK_RAW)
    return File(head + b"".join(pcapng.journal(journal.to_fields(one)) for one in records))


def journal_of_calls(size: int) -> File:
    """System calls that begin and never return, of a process each."""
    return _journal(CallRecord(n, 1 + n, 1 + n, "client", "recv", "3, 1024", START + n, None, None, None, "")
                    for n in range(size // 360))


def journal_of_samples(size: int) -> File:
    """A socket more with each sample."""
    return _journal(
        KernelSample(START + n, f"127.0.0.1:{1024 + n % 60000}", "127.0.0.1:80", "ESTABLISHED", n, 0)
        for n in range(size // 330))


def journal_of_events(size: int) -> File:
    return _journal(EventRecord("listening", "", START) for _ in range(size // 140))


_OWN = {name: cast("Case", thing) for name, thing in list(globals().items())
        if callable(thing) and getattr(thing, "__module__", "") == __name__ and not name.startswith("_")}
CASES: dict[str, Case] = hostile.CASES | _OWN
