"""Hostile captures of about a given size, a kind each: what makes work far beyond its bytes shows here.

All kinds of `growth`, each grown to the size, and beside them what a size alone does not tell: bombs of
compression, the shortest packets, connections and messages there can be. `CASES[name](size)` gives a file.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable, Iterable
from typing import NamedTuple, cast

import zstandard

from inspector.model.numbers import LINK_RAW
from inspector.protocols.websocket.frame import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, encode
from inspector.wire import pcapng
from tests.support.captures import growth
from tests.support.captures.growth import CLIENT, GET, KEY, OK, SERVER, START, Wire
from tests.support.captures.tcp import segment
from tests.support.captures.websocket import DEFLATE, request, response

MEGABYTE = 1_000_000


class File(NamedTuple):
    """A capture as it stands on disk."""

    data: bytes
    suffix: str = ".pcapng"


Case = Callable[[int], File]


def pcap(frames: Iterable[bytes]) -> bytes:
    """A classic pcap file of raw IP, which takes the fewest bytes a packet."""
    head = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, LINK_RAW)
    parts = [head]
    for number, frame in enumerate(frames):
        parts.append(struct.pack("<IIII", 1_700_000_000, number, len(frame), len(frame)) + frame)
    return b"".join(parts)


def grown(kind: Callable[[int], bytes]) -> Case:
    """A kind of `growth` in the size that comes nearest."""
    def case(wanted: int) -> File:
        small, large = len(kind(100)), len(kind(200))
        each = max((large - small) / 100, 0.01)
        size = int(max(wanted - small, 0) / each) // 10 * 10 + 100
        if kind is growth.fragmented_datagrams:
            size = min(size, 8000)
        while len(data := kind(size)) > 1.3 * wanted:        # it grows by more than its pieces
            size = int(size * wanted / len(data) * 0.98)
        return File(data)

    return case


# --- packets -----------------------------------------------------------------------------------------------


def shortest_packets(size: int) -> File:
    return File(pcap([b""] * (size // 16)), ".pcap")


def shortest_packet_blocks(size: int) -> File:
    block = struct.pack("=IIII", 3, 16, 0, 16)
    head = pcapng.section_header() + pcapng.interface_description(LINK_RAW)
    return File(head + block * (size // 16))


def truncated_headers(size: int) -> File:
    frames = [segment(CLIENT, "A", n, 1)[: 20 + n % 20] for n in range(size // 46)]
    return File(pcap(frames), ".pcap")


def acknowledgments_of_one_conversation(size: int) -> File:
    return File(pcap(segment(n % 2, "A", n, n) for n in range(size // 56)), ".pcap")


def bytes_of_a_stream(size: int) -> File:
    return File(pcap(segment(CLIENT, "A", n, 1, b"x") for n in range(size // 57)), ".pcap")


def bytes_of_a_stream_backwards(size: int) -> File:
    return File(pcap(segment(CLIENT, "A", 1_000_000 - n, 1, b"x") for n in range(size // 57)), ".pcap")


def bytes_with_holes(size: int) -> File:
    return File(pcap(segment(n % 2, "A", 2 * n, 2 * n, b"x") for n in range(size // 57)), ".pcap")


def overlapping_segments(size: int) -> File:
    frames = (segment(CLIENT, "A", n * 3 % 1000, 1, bytes([n % 251]) * 60) for n in range(size // 116))
    return File(pcap(frames), ".pcap")


def resets_and_syns(size: int) -> File:
    flags = ("S", "SA", "A", "R", "RA", "F", "FA", "SF", "")
    frames = (segment(n % 2, flags[n * 7 % 9], n * 977, n * 31) for n in range(size // 56))
    return File(pcap(frames), ".pcap")


def window_flips(size: int) -> File:
    frames = (segment(n % 2, "A", 300, 100, window=n % 3) for n in range(size // 56))
    return File(pcap(frames), ".pcap")


# --- conversations -----------------------------------------------------------------------------------------


def _ports(number: int) -> tuple[int, int]:
    return 1024 + number % 60000, 80 + number // 60000


def conversations_of_a_byte(size: int) -> File:
    frames = (segment(CLIENT, "PA", 5, 5, b"G", ports=_ports(n)) for n in range(size // 57))
    return File(pcap(frames), ".pcap")


def conversations_of_two_holes(size: int) -> File:
    frames = [segment(n % 2, "PA", 5 + 7 * (n & 2), 5, b"GET / HTTP/1.1\r\n", ports=_ports(n // 4))
              for n in range(size // 72)]
    return File(pcap(frames), ".pcap")


def conversations_of_resets(size: int) -> File:
    frames = [segment(n % 2, ("S", "RA")[n % 2], 5, 6, ports=_ports(n // 2)) for n in range(size // 56)]
    return File(pcap(frames), ".pcap")


def conversations_of_nothing_known(size: int) -> File:
    frames = [segment(n % 2, "PA", 5, 5, b"\x80\x81\x82", ports=_ports(n // 2)) for n in range(size // 59)]
    return File(pcap(frames), ".pcap")


def port_reuse(size: int) -> File:
    frames = (segment(CLIENT, "S", 1_000_000 * n & 0xFFFFFFFF, 0) for n in range(size // 56))
    return File(pcap(frames), ".pcap")


def port_reuse_with_data(size: int) -> File:
    frames = []
    for n in range(size // 250):
        isn = 1_000_000 * n & 0xFFFFFFFF
        frames += [segment(CLIENT, "S", isn, 0), segment(SERVER, "SA", isn, isn + 1 & 0xFFFFFFFF),
                   segment(CLIENT, "PA", isn + 1 & 0xFFFFFFFF, isn + 1 & 0xFFFFFFFF, GET),
                   segment(CLIENT, "R", isn + 1 + len(GET) & 0xFFFFFFFF, 0)]
    return File(pcap(frames), ".pcap")


def ten_megabytes_of_short_connections(size: int) -> File:
    """Ten times the size, with ten times as long to take."""
    return grown(growth.conversations)(10 * size)


# --- HTTP --------------------------------------------------------------------------------------------------


def _spoken(*turns: tuple[int, bytes], each: int = 1400, close: bool = True) -> File:
    wire = Wire()
    for direction, data in turns:
        wire.write(direction, data, each)
    if close:
        wire.close()
    return File(wire.file())


def shortest_requests(size: int) -> File:
    return _spoken((CLIENT, b"A B HTTP/1.0\n\n" * (size // 15)))


def shortest_answers(size: int) -> File:
    answer = b"HTTP/1.0 204 \n\n"
    return _spoken((CLIENT, GET), (SERVER, answer * (size // (len(answer) + 1))))


def shortest_exchanges(size: int) -> File:
    count = size // 35
    return _spoken((CLIENT, b"A B HTTP/1.0\r\n\r\n" * count), (SERVER, b"HTTP/1.0 204\r\n\r\n" * count))


def exchanges_in_turn(size: int) -> File:
    asked, answer = b"A B HTTP/1.0\r\n\r\n", b"HTTP/1.0 204\r\n\r\n"
    turns = [(n % 2, (asked, answer)[n % 2]) for n in range(size // 92)]
    return _spoken(*turns)


def shortest_chunks(size: int) -> File:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return _spoken((CLIENT, GET), (SERVER, head + b"1\na\n" * (size // 5)))


def shortest_headers(size: int) -> File:
    head = b"A B HTTP/1.0\n" + b"a:\n" * (80_000) + b"\n"
    return _spoken((CLIENT, head * (size // len(head) + 1)))


def broken_headers(size: int) -> File:
    head = b"A B HTTP/1.0\n" + b"\x01\n" * (120_000) + b"\n"
    return _spoken((CLIENT, head * (size // len(head) + 1)))


def folded_lines(size: int) -> File:
    head = b"A B HTTP/1.0\na:\n" + b" b\n" * (80_000) + b"\n"
    return _spoken((CLIENT, head * (size // len(head) + 1)))


def broken_heads(size: int) -> File:
    head = b"A B HTTP/1.1\n: \x01\nContent-Length: 0, x\nTransfer-Encoding: a\n\n"
    asked = b"GET /%0d%0aa:b HTTP/1.1\n\x01\n\n"
    answer = b"HTTP/1.1 2x0 OK\na: b\nContent-Length: 0\nContent-Length: 1\n\n"
    return _spoken((CLIENT, asked * (size // 70)), (SERVER, answer * (size // 130)), (CLIENT, head))


def long_tokens(size: int) -> File:
    head = b"GET / HTTP/1.1\r\nConnection: " + b"a," * 100_000 + b"\r\nTransfer-Encoding: " + b"b," * 20_000
    return _spoken((CLIENT, (head + b"\r\n\r\n") * (size // len(head) + 1)))


def upgrades_in_one_head(size: int) -> File:
    asked = request("Sec-WebSocket-Extensions: " + "a;b=c," * 30_000)
    return _spoken(*[(CLIENT, asked), (SERVER, b"HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n")]
                   * (size // len(asked) + 1))


def refusals_of_upgrades(size: int) -> File:
    asked = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
    answer = b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n"
    return _spoken(*[(CLIENT, asked), (SERVER, answer)] * (size // 200))


def connects(size: int) -> File:
    asked, answer = b"CONNECT a HTTP/1.1\r\n\r\n", b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n"
    return _spoken(*[(CLIENT, asked), (SERVER, answer)] * (size // 200))


def tunnels_in_tunnels(size: int) -> File:
    asked, answer = b"CONNECT a HTTP/1.1\r\n\r\n", b"HTTP/1.1 200\r\n\r\n"
    return _spoken(*[(CLIENT, asked), (SERVER, answer)] * (size // 180))


def holes_between_answers(size: int) -> File:
    wire = Wire()
    for number in range(size // 250):
        wire.next[number % 2] += 10
        wire.send(CLIENT, "PA", GET)
        wire.send(SERVER, "PA", OK)
    return File(wire.file())


def holes_in_one_direction(size: int) -> File:
    wire = Wire()
    wire.write(CLIENT, GET)
    for number in range(size // 90):
        wire.next[SERVER] += 1
        wire.send(SERVER, "PA", b"HTTP/1.1 204\r\n\r\n"[: 8 + number % 9])
    wire.send(CLIENT, "A")
    return File(wire.file())


# --- compression -------------------------------------------------------------------------------------------


def _zeros(size: int, bits: int = 31) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, bits)
    return b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)),
                     packer.compress(bytes(size & (1 << 20) - 1)), packer.flush()])


def _answer(body: bytes, codings: str = "gzip", chunked: bool = False) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {codings}\r\n".encode()
    if chunked:
        return head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _answers(each: bytes, size: int) -> File:
    count = size // (len(each) + len(GET)) + 1
    return _spoken((CLIENT, GET * count), (SERVER, each * count))


def body_of_zeros(size: int) -> File:
    return _answers(_answer(_zeros(size * 1000)), size)


def bodies_of_zeros(size: int) -> File:
    return _answers(_answer(_zeros(1 << 20)), size)


def large_bodies_of_zeros(size: int) -> File:
    return _answers(_answer(_zeros(16 << 20)), size)


def chunked_bodies_of_zeros(size: int) -> File:
    return _answers(_answer(_zeros(16 << 20), chunked=True), size)


def zstd_bodies_of_zeros(size: int) -> File:
    return _answers(_answer(zstandard.compress(bytes(16 << 20), 19), "zstd"), size)


def gzip_in_gzip(size: int) -> File:
    body = _zeros(16 << 20)
    for _ in range(9):
        body = gzip.compress(body, 9)
    return _answers(_answer(body, ", ".join(["gzip"] * 10)), size)


def many_codings(size: int) -> File:
    body = bytes(1000)
    for _ in range(60):
        body = gzip.compress(body, 0)
    return _answers(_answer(body, ",".join(["gzip"] * 60)), size)


def empty_gzip_members(size: int) -> File:
    return _answers(_answer(gzip.compress(b"", 0) * (size // 30)), size)


def bodies_in_connections(size: int) -> File:
    """A bomb in each of many connections: the bound of one is no bound of the file."""
    body = _answer(_zeros(256 << 10))
    wire = Wire()
    wire.blocks = wire.blocks[:2]
    for _ in range(size // 1400):
        wire.begin(1024 + len(wire.blocks) % 60000)
        wire.write(CLIENT, GET)
        wire.write(SERVER, body)
        wire.close()
    return File(wire.file())


def _deflate(size: int, parameters: str, payload: bytes, opcode: int = BINARY, each: int = 1400) -> File:
    wire = Wire()
    line = DEFLATE + parameters
    wire.write(CLIENT, request(line))
    wire.write(SERVER, response(line))
    frame = encode(payload, opcode, rsv=4, key=KEY)
    wire.write(CLIENT, frame * (size // len(frame) + 1), each)
    return File(wire.file())


def _raw(data: bytes, bits: int = 15, level: int = 9, flush: int = zlib.Z_SYNC_FLUSH) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -bits)
    packed = packer.compress(data) + packer.flush(flush)
    return packed[:-4] if flush == zlib.Z_SYNC_FLUSH else packed


_SMALL = "; client_max_window_bits=9"
_NOISE = b"".join(struct.pack("<I", n * 2654435761 & 0xFFFFFFFF) for n in range(1 << 16))


def small_window_of_noise(size: int) -> File:
    return _deflate(size, _SMALL, _raw(_NOISE[:100_000], 9, 0))


def small_window_of_zeros(size: int) -> File:
    return _deflate(size, _SMALL, _raw(bytes(1 << 20), 9))


def small_window_of_words(size: int) -> File:
    return _deflate(size, _SMALL, _raw(b"word %d " * 200, 9), TEXT)


def small_window_of_final_blocks(size: int) -> File:
    return _deflate(size, _SMALL, _raw(b"a", 9, flush=zlib.Z_FINISH) * 1000)


def small_window_restarted(size: int) -> File:
    return _deflate(size, _SMALL + "; client_no_context_takeover", _raw(b"hello" * 9, 9))


def messages_of_zeros(size: int) -> File:
    return _deflate(size, "", _raw(bytes(1 << 20)))


def large_messages_of_zeros(size: int) -> File:
    return _deflate(size, "", _raw(bytes(16 << 20)))


def text_of_zeros(size: int) -> File:
    return _deflate(size, "", _raw(bytes(1 << 20)), TEXT)


def text_of_umlauts(size: int) -> File:
    return _deflate(size, "", _raw("ä".encode() * (1 << 19)), TEXT)


def shortest_final_blocks(size: int) -> File:
    return _deflate(size, "", b"\x03\x00" * 40)


def final_blocks_after_a_full_window(size: int) -> File:
    """Each block's end asks for a new inflater, which is given all of a full window."""
    return _deflate(size, "", _raw(bytes(1 << 16)) + b"\0\0\xff\xff" + b"\x03\x00" * 1000)


def shortest_compressed_messages(size: int) -> File:
    return _deflate(size, "", b"\x00")


# --- WebSocket ---------------------------------------------------------------------------------------------


def _frames(size: int, frames: bytes, each: int = 1400) -> File:
    wire = Wire()
    wire.upgrade()
    wire.write(CLIENT, frames * (size // len(frames) + 1), each)
    return File(wire.file())


def shortest_frames(size: int) -> File:
    return _frames(size, encode(b"", BINARY, key=KEY))


def unmasked_frames(size: int) -> File:
    return _frames(size, encode(b"", BINARY))


def shortest_pings(size: int) -> File:
    return _frames(size, encode(b"", PING, key=KEY))


def shortest_pongs(size: int) -> File:
    return _frames(size, encode(b"", PONG, key=KEY))


def pings_in_messages(size: int) -> File:
    return _frames(size, encode(b"x", TEXT, fin=False, key=KEY) + encode(b"p", PING, key=KEY)
                   + encode(b"x", CONTINUATION, key=KEY))


def pings_in_one_message(size: int) -> File:
    wire = Wire()
    wire.upgrade()
    one = encode(b"x", CONTINUATION, fin=False, key=KEY) + encode(b"p", PING, key=KEY)
    wire.write(CLIENT, encode(b"x", TEXT, fin=False, key=KEY) + one * (size // len(one)))
    return File(wire.file())


def closes(size: int) -> File:
    return _frames(size, encode(b"\x03\xe8", CLOSE, key=KEY))


def every_error_in_a_frame(size: int) -> File:
    return _frames(size, encode(b"\xff" * 126, 11, fin=False, rsv=7))


def messages_in_messages(size: int) -> File:
    return _frames(size, encode(b"", TEXT, fin=False, key=KEY))


def text_that_is_none(size: int) -> File:
    return _frames(size, encode(b"\xff", TEXT, key=KEY))


def frames_in_packets(size: int) -> File:
    return _frames(size // 13, encode(b"", BINARY, key=KEY), 6)


# --- pcapng, and files that are compressed -----------------------------------------------------------------


def shortest_interfaces(size: int) -> File:
    block = struct.pack("=IIHHII", 1, 20, 1, 0, 0, 20)
    return File(pcapng.section_header() + block * (size // 20))


def differing_interfaces(size: int) -> File:
    blocks = [struct.pack("=IIHHII", 1, 20, n & 0xFFFF, 0, n, 20) for n in range(size // 20)]
    return File(pcapng.section_header() + b"".join(blocks))


def interfaces_between_packets(size: int) -> File:
    blocks = []
    for number in range(size // 52):
        blocks.append(struct.pack("=IIHHII", 1, 20, (1, 101)[number % 2], 0, number, 20))
        blocks.append(pcapng.enhanced_packet(b"", START, interface=number))
    return File(pcapng.section_header() + b"".join(blocks))


def shortest_sections(size: int) -> File:
    return File(pcapng.section_header() * (size // 28))


def sections_that_turn(size: int) -> File:
    """Each of the other byte order than the one before."""
    little = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    return File((little + struct.pack(">IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)) * (size // 56))


def shortest_statistics(size: int) -> File:
    head = pcapng.section_header() + pcapng.interface_description(LINK_RAW)
    return File(head + struct.pack("=IIIIII", 5, 24, 0, 0, 0, 24) * (size // 24))


def names_of_addresses(size: int) -> File:
    body = b"".join(struct.pack("=HHI", 1, 8, n) + b"a\0\0\0" for n in range(size // 12)) + bytes(4)
    return File(pcapng.section_header() + struct.pack("=II", 4, len(body) + 12) + body
                + struct.pack("=I", len(body) + 12))


def comments_of_packets(size: int) -> File:
    head = pcapng.section_header() + pcapng.interface_description(LINK_RAW)
    return File(head + pcapng.enhanced_packet(b"", START, comment="x") * (size // 44))


def foreign_journal(size: int) -> File:
    block = pcapng.journal({"MESSAGE": "x"})
    return File(pcapng.section_header() + block * (size // len(block)))


def claimed_lengths(size: int) -> File:
    """Blocks that say to be 16 MB, of which a byte is there."""
    return File(pcapng.section_header() + struct.pack("=II", 6, 1 << 24) + bytes(size))


def gz_of_zeros(size: int) -> File:
    return File(_zeros(size * 1000), ".gz")


def _packets_of_zeros(size: int) -> bytes:
    head = pcapng.section_header() + pcapng.interface_description(LINK_RAW)
    return head + pcapng.enhanced_packet(bytes(65536), START) * (size // 65568)


def gz_of_packets(size: int) -> File:
    return File(gzip.compress(_packets_of_zeros(size * 900), 9), ".pcapng.gz")


def gz_of_short_packets(size: int) -> File:
    head = pcapng.section_header() + pcapng.interface_description(LINK_RAW)
    data = head + pcapng.enhanced_packet(b"", START) * (size * 200 // 32)
    return File(gzip.compress(data, 9), ".pcapng.gz")


def zst_of_packets(size: int) -> File:
    data = _packets_of_zeros(size * 300)
    return File(zstandard.compress(data, 3) * max(1, size // 40_000), ".pcapng.zst")


def zst_of_zeros(size: int) -> File:
    return File(zstandard.compress(_packets_of_zeros(1 << 22), 3)
                + zstandard.compress(bytes(64 << 20), 19) * (size // 6000), ".zst")


_HELPERS = "grown", "pcap"
CASES: dict[str, Case] = {name: grown(kind) for name, kind in growth.KINDS.items()}
CASES |= {
    name: cast("Case", thing) for name, thing in list(globals().items())
    if isinstance(thing, type(grown)) and thing.__module__ == __name__ and not name.startswith("_")
    and name not in _HELPERS
}
