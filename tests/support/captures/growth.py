"""Captures in which ONE thing grows with `size`, a kind each: what costs more than its share shows here.

`KINDS[name](size)` gives the bytes of a pcapng file. `python -m tests.support.captures.growth NAME SIZE FILE`
writes one, `python -m tests.support.captures.growth times [NAME ...]` decodes each at two sizes and prints
seconds.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from inspector.model.numbers import LINK_RAW
from inspector.protocols.websocket.frame import BINARY, CONTINUATION, PING, TEXT, encode
from inspector.wire import pcapng
from tests.support.captures.tcp import ip, segment
from tests.support.captures.websocket import DEFLATE, UPGRADE, request, response

CLIENT, SERVER = 0, 1
KEY = b"\1\2\3\4"
START = 1_700_000_000_000_000_000
STEP = 10_000


class Wire:
    """Packets of raw IPv4 one after the other, ten microseconds apart; one TCP conversation at a time."""

    def __init__(self) -> None:
        self.blocks = [pcapng.section_header(), pcapng.interface_description(LINK_RAW)]
        self._time = START
        self.begin()

    def begin(self, port: int = 40000, isn: int = 99, service: int = 80) -> None:
        """A conversation opens."""
        self._ports, self.next = (port, service), [isn, 299]
        self.send(CLIENT, "S")
        self.send(SERVER, "SA")
        self.send(CLIENT, "A")

    def send(self, direction: int, flags: str, payload: bytes = b"", at: int | None = None) -> None:
        """A segment, the next one (or at another sequence number)."""
        seq = self.next[direction] if at is None else at
        ack = self.next[1 - direction] if "A" in flags else 0
        self.frame(segment(direction, flags, seq, ack, payload, ports=self._ports))
        if at is None:
            self.next[direction] += len(payload) + ("S" in flags) + ("F" in flags)

    def write(self, direction: int, data: bytes, size: int = 1400) -> None:
        """Data in segments of `size` bytes."""
        for start in range(0, len(data), size):
            self.send(direction, "PA", data[start : start + size])

    def upgrade(self, deflate: bool = False) -> None:
        """The opening handshake of WebSocket."""
        turns = ((CLIENT, request(DEFLATE)), (SERVER, response(DEFLATE))) if deflate else UPGRADE
        for direction, data in turns:
            self.write(direction, data)

    def close(self) -> None:
        """Both ends close."""
        self.send(CLIENT, "FA")
        self.send(SERVER, "FA")
        self.send(CLIENT, "A")

    def frame(self, frame: bytes) -> None:
        """Any packet."""
        self.blocks.append(pcapng.enhanced_packet(frame, self._time))
        self._time += STEP

    def file(self) -> bytes:
        """The whole capture."""
        return b"".join(self.blocks)


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def _websocket(size: int, frames: Callable[[int], bytes], each: int = 1400, deflate: bool = False) -> bytes:
    """A client's frames after the upgrade; `each`: bytes of a segment, 0: a segment a frame."""
    wire = Wire()
    wire.upgrade(deflate)
    parts = [frames(number) for number in range(size)]
    for part in parts if not each else [b"".join(parts)]:
        wire.write(CLIENT, part, each or 1400)
    return wire.file()


def _fragment(number: int, size: int) -> bytes:
    return encode(b"x", CONTINUATION if number else TEXT, fin=number == size - 1, key=KEY)


def fragments_of_a_message(size: int) -> bytes:
    return _websocket(size, lambda number: _fragment(number, size))


def fragments_in_packets_of_their_own(size: int) -> bytes:
    return _websocket(size, lambda number: _fragment(number, size), 0)


def pings_inside_a_message(size: int) -> bytes:
    return _websocket(size, lambda n: _fragment(n, size) + encode(b"p", PING, key=KEY), 0)


def unanswered_pings(size: int) -> bytes:
    return _websocket(size, lambda n: encode(b"%d" % n, PING, key=KEY), 0)


def interleaved_messages(size: int) -> bytes:
    return _websocket(size, lambda n: encode(b"x", TEXT, fin=n % 2 == 1, key=KEY), 0)


def errors_in_frames(size: int) -> bytes:
    return _websocket(size, lambda n: encode(b"x", TEXT, rsv=2))


def compressed_fragments(size: int) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)

    def frame(number: int) -> bytes:
        data = packer.compress(b"word %d" % number) + packer.flush(zlib.Z_SYNC_FLUSH)
        last = number == size - 1
        return encode(data[:-4] if last else data, CONTINUATION if number else BINARY, fin=last,
                      rsv=0 if number else 4, key=KEY)

    return _websocket(size, frame, 0, deflate=True)


def final_blocks_of_deflate(size: int) -> bytes:
    """Each message ends its deflate stream (BFINAL), some thousand times in it."""
    block = zlib.compressobj(6, zlib.DEFLATED, -15)
    part = (block.compress(b"a") + block.flush()) * 10
    return _websocket(size // 10, lambda n: encode(part, BINARY, rsv=4, key=KEY), deflate=True)


def one_message_of_final_blocks(size: int) -> bytes:
    block = zlib.compressobj(6, zlib.DEFLATED, -15)
    part = (block.compress(b"a") + block.flush()) * size
    return _websocket(1, lambda n: encode(part, BINARY, rsv=4, key=KEY), deflate=True)


def _http(*turns: tuple[int, bytes], each: int = 1400, close: bool = True) -> bytes:
    wire = Wire()
    for direction, data in turns:
        wire.write(direction, data, each)
    if close:
        wire.close()
    return wire.file()


def segments_of_a_message(size: int) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (size * 10)
    return _http((CLIENT, GET), (SERVER, head), (SERVER, b"0123456789" * size), each=10)


def segments_of_a_head(size: int) -> bytes:
    return _http((CLIENT, b"GET /" + b"a" * size + b" HTTP/1.1\r\nHost: x\r\n\r\n"), (SERVER, OK), each=1)


def segments_of_nothing_known(size: int) -> bytes:
    return _http((CLIENT, b"\xff\xfe\xfd\xfc" * size), (SERVER, b"\0\1\2\3" * size), each=4)


def chunks_of_a_body(size: int) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return _http((CLIENT, GET), (SERVER, head + b"1\r\na\r\n" * size + b"0\r\n\r\n"))


def headers_of_a_message(size: int) -> bytes:
    head = b"".join(b"a: %d\r\n" % number for number in range(size))
    return _http((CLIENT, b"GET / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n"), (SERVER, OK))


def malformed_headers(size: int) -> bytes:
    head = b"a\x01\r\n" * size
    return _http((CLIENT, b"GET / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n"), (SERVER, OK))


def folded_headers(size: int) -> bytes:
    head = b"GET / HTTP/1.1\r\nHost: x\r\na: b\r\n" + b" c\r\n" * size + b"\r\n"
    return _http((CLIENT, head), (SERVER, OK))


def pipelined_requests(size: int) -> bytes:
    return _http((CLIENT, GET * size), (SERVER, OK * size))


def requests_in_turn(size: int) -> bytes:
    return _http(*[turn for _ in range(size) for turn in ((CLIENT, GET), (SERVER, OK))])


def unanswered_requests(size: int) -> bytes:
    return _http((CLIENT, GET * size), (SERVER, OK))


def answers_that_nobody_asked_for(size: int) -> bytes:
    return _http((CLIENT, GET), (SERVER, OK * size))


def interim_answers(size: int) -> bytes:
    return _http((CLIENT, GET), (SERVER, b"HTTP/1.1 102 Processing\r\n\r\n" * size + OK))


def server_sent_events(size: int) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    events = [b"id: %d\r\ndata: x\r\n\r\n" % number for number in range(1_000_000, 1_000_000 + size)]
    chunks = [(SERVER, b"%x\r\n%s\r\n" % (len(one), one)) for one in events]
    return _http((CLIENT, GET), (SERVER, head), *chunks)


def upgrades_without_answer(size: int) -> bytes:
    return _http(*[(CLIENT, request())] * size)


def refused_upgrades(size: int) -> bytes:
    turns = ((CLIENT, request()), (SERVER, b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"))
    return _http(*turns * size)


def holes_in_http(size: int) -> bytes:
    """Of every second request a part is missing in the capture."""
    wire = Wire()
    for number in range(size):
        if number % 2:
            wire.next[CLIENT] += 10
        wire.send(CLIENT, "PA", GET)
        wire.send(SERVER, "PA", OK)
    return wire.file()


def nested_gzip(size: int) -> bytes:
    body = b"a" * (size * 100)
    for _ in range(8):
        body = gzip.compress(body, 1)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: " + b", ".join([b"gzip"] * 8)
    return _http((CLIENT, GET), (SERVER, head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body))


def members_of_gzip(size: int) -> bytes:
    body = gzip.compress(b"a", 1) * size
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    return _http((CLIENT, GET), (SERVER, head + body))


def reversed_segments(size: int) -> bytes:
    wire = Wire()
    base = wire.next[SERVER]
    data = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (size * 10) + b"0123456789" * size
    wire.write(CLIENT, GET)
    for start in reversed(range(0, len(data), 10)):
        wire.send(SERVER, "PA", data[start : start + 10], base + start)
    return wire.file()


def repeated_segments(size: int) -> bytes:
    wire = Wire()
    for _ in range(size):
        wire.send(CLIENT, "PA", GET, 100)
    return wire.file()


def unacknowledged_segments(size: int) -> bytes:
    """One end sends, of the other nothing was captured; every second one comes late."""
    wire = Wire()
    base = wire.next[CLIENT]
    for number in (*range(0, size, 2), *range(1, size, 2)):
        wire.send(CLIENT, "PA", b"0123456789", base + number * 10)
    return wire.file()


def missing_segments(size: int) -> bytes:
    """Every second segment is missing, though all is acknowledged."""
    wire = Wire()
    for _ in range(size):
        wire.next[CLIENT] += 10
        wire.send(CLIENT, "PA", b"0123456789")
        wire.send(SERVER, "A")
    return wire.file()


def conversations(size: int) -> bytes:
    """Short HTTP connections of nine packets."""
    wire = Wire()
    wire.blocks, connections = wire.blocks[:2], size
    for number in range(connections):
        wire.begin(1024 + number % 60000, 99 + number)
        wire.write(CLIENT, GET)
        wire.write(SERVER, OK)
        wire.close()
    return wire.file()


def syns_without_answer(size: int) -> bytes:
    wire = Wire()
    for number in range(size):
        wire.frame(segment(CLIENT, "S", 1, ports=(1024 + number % 60000, 80 + number // 60000)))
    return wire.file()


def reused_ports(size: int) -> bytes:
    wire = Wire()
    for number in range(size):
        wire.begin(40000, 1_000_000 + number * 100_000)
        wire.write(CLIENT, GET)
        wire.close()
    return wire.file()


def reset_connections(size: int) -> bytes:
    """Each has a finding."""
    wire = Wire()
    for number in range(size):
        wire.begin(1024 + number % 60000, 99 + number)
        wire.write(CLIENT, GET)
        wire.send(SERVER, "R")
    return wire.file()


def repeated_acknowledgments(size: int) -> bytes:
    wire = Wire()
    wire.write(SERVER, b"0123456789")
    for _ in range(size):
        wire.send(CLIENT, "A")
    return wire.file()


def syns_in_one_conversation(size: int) -> bytes:
    """SYN ACKs with another number each."""
    wire = Wire()
    for number in range(size):
        wire.frame(segment(SERVER, "SA", number * 7, 100, ports=(40000, 80)))
    return wire.file()


def zero_windows(size: int) -> bytes:
    wire = Wire()
    for number in range(size):
        window = 0 if number % 2 else 65535
        wire.frame(segment(SERVER, "A", 300, 100, window=window, ports=(40000, 80)))
    return wire.file()


def icmp_errors(size: int) -> bytes:
    """Datagrams to a port at which nobody is bound, and the error that each caused."""
    wire = Wire()
    for number in range(size):
        datagram = ip(CLIENT, 17, b"\x13\x88\0\x35\0\x0c\0\0abcd")
        wire.frame(datagram)
        if number % 2:
            wire.frame(ip(SERVER, 1, b"\3\3" + bytes(6) + datagram))
    return wire.file()


def fragmented_datagrams(size: int) -> bytes:
    """One datagram in ever more fragments of eight bytes (at most 8000)."""
    wire = Wire()
    whole = (53).to_bytes(2, "big") * 2 + (8 * size).to_bytes(2, "big") + b"\0\0" + b"x" * (8 * size - 8)
    for number in range(size):
        frame = bytearray(ip(CLIENT, 17, whole[number * 8 : number * 8 + 8]))
        frame[6:8] = (number | 0x2000 * (number < size - 1)).to_bytes(2, "big")
        wire.frame(bytes(frame))
    return wire.file()


def unfinished_datagrams(size: int) -> bytes:
    """Ever more datagrams of which the first fragment alone came."""
    wire = Wire()
    for number in range(size):
        frame = bytearray(ip(CLIENT, 17, (53).to_bytes(2, "big") * 2 + b"\x0b\xb8\0\0" + bytes(8)))
        frame[4:8] = number.to_bytes(2, "big") + b"\x20\0"
        wire.frame(bytes(frame))
    return wire.file()


def alternating_interfaces(size: int) -> bytes:
    """A new interface before each packet, of two link types in turn."""
    wire = Wire()
    frame = segment(CLIENT, "A", 1, 1)
    for number in range(size):
        wire.blocks.append(pcapng.interface_description(LINK_RAW if number % 2 else 1, name=f"eth{number}"))
        wire.blocks.append(pcapng.enhanced_packet(frame, START + number, interface=number + 1))
    return wire.file()


def repeated_interfaces(size: int) -> bytes:
    wire = Wire()
    wire.blocks += [pcapng.interface_description(LINK_RAW)] * size
    return wire.file()


def packets_of_many_interfaces(size: int) -> bytes:
    """Interfaces first, then packets that alternate between them."""
    wire = Wire()
    wire.blocks += [pcapng.interface_description(LINK_RAW, name=f"eth{n}", snaplen=n) for n in range(size)]
    frame = segment(CLIENT, "A", 1, 1)
    wire.blocks += [pcapng.enhanced_packet(frame, START + n, interface=n + 1) for n in range(size)]
    return wire.file()


def statistics_blocks(size: int) -> bytes:
    wire = Wire()
    wire.blocks += [pcapng.interface_description(LINK_RAW, name=f"eth{n}") for n in range(size)]
    wire.blocks += [pcapng.interface_statistics(START, n, 0, interface=n + 1) for n in range(size)]
    return wire.file()


def sections(size: int) -> bytes:
    wire = Wire()
    frame = pcapng.enhanced_packet(segment(CLIENT, "A", 1, 1), START)
    wire.blocks += [pcapng.section_header(), pcapng.interface_description(LINK_RAW), frame] * size
    return wire.file()


def journal_blocks(size: int) -> bytes:
    wire = Wire()
    wire.blocks += [pcapng.journal({"MESSAGE": f"line {n}", "_PID": "7"}) for n in range(size)]
    return wire.file()


def resp_commands(size: int) -> bytes:
    return _http((CLIENT, b"*1\r\n$4\r\nPING\r\n" * size), (SERVER, b"+PONG\r\n" * size))


def elements_of_resp(size: int) -> bytes:
    reply = b"*%d\r\n" % size + b"$1\r\na\r\n" * size
    return _http((CLIENT, b"*1\r\n$4\r\nKEYS\r\n"), (SERVER, reply), each=100)


def nested_resp(size: int) -> bytes:
    return _http((CLIENT, b"*1\r\n$4\r\nKEYS\r\n"), (SERVER, b"*1\r\n" * size + b":1\r\n"), each=100)


KINDS: dict[str, Callable[[int], bytes]] = {
    name: thing for name, thing in list(globals().items())
    if callable(thing) and getattr(thing, "__module__", "") == __name__ and not name.startswith("_")
    and isinstance(thing, type(conversations))
}


def seconds(path: Path, what: str) -> tuple[float, int]:
    """CPU seconds of `decode --json WHAT`, and the lines it printed; stopped after two minutes."""
    command = [sys.executable, "-m", "inspector", "decode", str(path), "--json", what]
    start = time.perf_counter()
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120)
    except subprocess.TimeoutExpired:
        return float("inf"), 0
    return time.perf_counter() - start, done.stdout.count(b"\n")


def main() -> None:
    """Write one capture, or print how long all take."""
    if sys.argv[1] != "times":
        Path(sys.argv[3]).write_bytes(KINDS[sys.argv[1]](int(sys.argv[2])))
        return
    small, large = 5_000, 20_000
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[2:] or KINDS:
            path = Path(folder, "growth.pcapng")
            row = [f"{name:36}"]
            for what in ("findings", "packets", "conversations", "http", "websocket"):
                times = []
                for size in (small, large):
                    path.write_bytes(KINDS[name](min(size, 8000) if "datagrams" in name else size))
                    times.append(seconds(path, what)[0])
                row.append(f"{what} {times[0]:6.2f} {times[1]:6.2f}")
            print("  ".join(row), flush=True)


if __name__ == "__main__":
    main()
