"""Where a fuzzer begins: what the captures and lessons of the tests hold, as inputs of the targets.

Captures are read once a process; what is large is left out, as a fuzzer is slow with it.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import zstandard

from inspector.lab import summary
from inspector.lab.network import commands as relay_commands
from inspector.lessons.classroom.results import Learner, LessonResult, StepResult, object_of
from inspector.lessons.library import EXAMPLE
from inspector.model import commands
from inspector.model.messages import Message
from inspector.model.packets import Row, first_rows, rows_in
from inspector.model.spec import SessionSpec
from inspector.model.wiring import wire_number
from inspector.trace.application.packets import packet_payloads
from inspector.trace.trace import Trace, TraceError
from inspector.wire import journal
from inspector.wire.keylog import KeyLog
from tests.support.fuzzing.conversation import input_of, read, read_input

DATA = Path(__file__).parents[2] / "data"
LESSONS = EXAMPLE.parent / "content"
FOUND = DATA / "fuzz"                    # what was found once, a folder a target
LARGEST = 8192
LINKS = (1, 0, 101, 108, 113, 276, 228, 229, 127, 239)      # of frames, by their first byte
_FOLDERS = "traces", "sessions", "protocols", "cases", "frames"
Seeds = Callable[[], Iterator[bytes]]


def files(*suffixes: str) -> list[Path]:
    """The captures."""
    return [path for folder in _FOLDERS for path in sorted((DATA / folder).iterdir())
            if path.suffix in suffixes]


def whole_files(*suffixes: str) -> Seeds:
    """Captures as they stand, those that are small."""
    def seeds() -> Iterator[bytes]:
        others = sorted(one for one in (DATA / "captures").rglob("*") if one.suffix in suffixes)
        for path in files(*suffixes) + others:
            if path.stat().st_size <= LARGEST:
                yield path.read_bytes()

    return seeds


@cache
def secrets() -> KeyLog:
    """The secrets of TLS in all captures."""
    found = KeyLog()
    for path in files(".pcapng"):
        with Trace.open(path) as trace:
            trace.finish()
            found._secrets |= trace.secrets._secrets
    return found


@cache
def conversations() -> list[tuple[bytes, frozenset[str]]]:
    """The small conversations of all captures as inputs, and the protocols of each."""
    found = []
    for path in files(".pcapng", ".pcap"):
        try:
            with Trace.open(path) as trace:
                trace.finish()
                streams_found = [one for stream in range(min(len(trace.index.streams[6]), 40))
                                 if len(one := _bytes_of(trace, stream)) <= LARGEST]
        except TraceError:
            continue
        for one in streams_found:
            layers = read(read_input(one), secrets()).layers
            found.append((one, frozenset(layer.protocol.name for layer in layers)))
    return found


def _bytes_of(trace: Trace, stream: int) -> bytes:
    """A conversation as an input, what is said in turn."""
    flow = trace.flow(stream)
    turns: list[tuple[int, bytes]] = []
    for row in rows_in(flow.rows):
        end = flow.direction(row)
        data = b"".join(flow.streams[end].read(*part) for part in flow.streams[end].ranges_of(row))
        if data and turns and turns[-1][0] == end:
            turns[-1] = end, turns[-1][1] + data
        elif data:
            turns.append((end, data))
    return input_of(flow.b[1], turns)


def spoken(protocol: str = "") -> Seeds:
    """Conversations in which a protocol is spoken; all without a name."""
    return lambda: (one for one, names in conversations() if not protocol or protocol in names)


def frames() -> Iterator[bytes]:
    """A byte for the link type, then a frame."""
    for path in files(".pcapng", ".pcap"):
        try:
            with Trace.open(path) as trace:
                trace.finish()
                for row in first_rows(min(trace.index.count, 40)):
                    link = trace.link_type(row)
                    yield bytes([LINKS.index(link) if link in LINKS else 0]) + trace.frame(row)[:LARGEST]
        except TraceError:
            continue


def packets_of(protocol: str) -> Seeds:
    """A byte that counts hops, then what stands in one packet, from the protocol's header on."""
    def seeds() -> Iterator[bytes]:
        for path in files(".pcapng", ".pcap"):
            with Trace.open(path) as trace:
                trace.finish()
                for row in map(Row, range(min(trace.index.count, 40))):
                    for known, data in packet_payloads(trace, row):
                        if known.name == protocol:
                            yield b"\x40" + data

    return seeds


def packed() -> Iterator[bytes]:
    """Compressed captures."""
    for path in files(".pcapng", ".pcap"):
        if path.stat().st_size <= 2 * LARGEST:
            data = path.read_bytes()
            yield gzip.compress(data)
            yield gzip.compress(data[:500]) + gzip.compress(data[500:])
            yield zstandard.compress(data)


def bodies() -> Iterator[bytes]:
    """A byte of options, then what is compressed: messages behind each other, gzip, zlib, Zstandard."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -9)
    words = [b"hello hello hello", bytes(600), b"", b"the same again, the same again"]
    messages = [(packer.compress(one) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4] for one in words]
    for bits in range(16):
        yield bytes([bits]) + b"\xff\xfe\xfd".join(messages)
    packers: list[Callable[[bytes], bytes]] = [gzip.compress, zlib.compress, zstandard.compress]
    for number, pack in enumerate(packers):
        yield bytes([number << 4]) + pack(b"hello " * 50)
        yield bytes([number << 4]) + pack(b"a") * 3
    yield b"\x30" + zlib.compress(gzip.compress(b"hello"))


def blocks() -> Iterator[bytes]:
    """HPACK: the examples of RFC 7541, Appendix C, each behind its length."""
    parts = [bytes.fromhex(one) for one in (
        "400a637573746f6d2d6b65790d637573746f6d2d686561646572", "040c2f73616d706c652f70617468",
        "100870617373776f726406736563726574", "82", "828684410f7777772e6578616d706c652e636f6d",
        "828684be58086e6f2d6361636865", "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        "828684418cf1e3c2e5f23a6ba0ab90f4ff", "3fe11f82", "20")]
    yield from (bytes([len(one)]) + one for one in parts)
    yield b"".join(bytes([len(one)]) + one for one in parts)


def filters() -> Iterator[bytes]:
    """Display filters that were asked of Wireshark, right ones and wrong ones."""
    known = json.loads((DATA / "filters.json").read_text())
    yield from (text.encode() for text in [*next(iter(known["right"].values())), *known["wrong"]])
    yield from (text.encode() for text in known["right"])


def expressions() -> Iterator[bytes]:
    """The expressions of all lessons."""
    asked = re.compile(r"(?:truth|until|solve|when|holds|value) = (?:'([^']+)'|\"([^\"]+)\")")
    for path in sorted(LESSONS.rglob("lesson.toml")):
        yield from (max(found).encode() for found in asked.findall(path.read_text()))
    yield b'count(packets, "tcp.flags.syn == 1") == 2 and returned(client, "connect")'
    yield b'letter(byte(packets, "tcp.len > 0", "tcp.payload", 1))'


def lines() -> Iterator[bytes]:
    """Lines between processes: one of each command, of the journal, of a summary."""
    yield commands.to_line(commands.Start(SessionSpec(kind="websocket", messages=("hello", "ping:x"))))
    yield commands.to_line(commands.Send(Message(b"\xff\0", "binary", 3), "client"))
    yield commands.to_line(commands.Close("server", 1001, "away"))
    yield commands.to_line(commands.Wire("delay", wire_number(7)))
    yield commands.to_line(commands.Execute(("true", "x")))
    yield relay_commands.to_line(relay_commands.Publish(80, 8080))
    yield relay_commands.to_line(relay_commands.Resolve("10.0.0.1", "::1", 53))
    yield journal.to_line(journal.CallRecord(1, 20, 21, "client", "connect", "3, x", 5, 9, 0, None, "", 3))
    yield journal.to_line(journal.EventRecord("session-ended", "Over.", 7, "client", 20, (("ok", "true"),)))
    yield summary.to_line(summary.Summary(1, 2, 3)).encode()


def some_texts() -> Iterator[bytes]:
    """What small readers take: system calls, secrets, options, names, extensions of WebSocket."""
    yield from (DATA / "strace" / "echo.txt").read_bytes().splitlines()
    yield b"CLIENT_RANDOM " + b"ab" * 32 + b" " + b"cd" * 48
    yield bytes.fromhex("020405b40402080a00000007000000000103030701")
    yield bytes(12) + b"\3www\7example\3com\0\xc0\x0c"
    yield b"permessage-deflate; client_max_window_bits=9, x; y=\"z\""
    yield "\u202e\x9b\x1b]8;;x\x07".encode()


def diagnoses() -> Iterator[bytes]:
    """An answer of the kernel's about a socket, with and without its netlink header."""
    body = bytes([2, 1, 0, 0]) + bytes(68) + (4).to_bytes(2, "little") + (2).to_bytes(2, "little")
    yield body
    yield (16 + len(body)).to_bytes(4, "little") + bytes([20, 0, 0, 0, 1, 0, 0, 0]) + bytes(4) + body


def a_lesson() -> Iterator[bytes]:
    """The example: its facts, a NUL, its words in English."""
    yield b"\0".join((EXAMPLE / name).read_bytes() for name in ("lesson.toml", "en.md"))


def a_class() -> Iterator[bytes]:
    """A learner's results, two of them a line each, and the question of a vote."""
    step = StepResult("isn", "predict", ("=zero", "2"), False, "zero", 1, 2, False, True, 31)
    lessons = (LessonResult("handshake", "2026-03-02T08:15:00Z", 11, True, (step,)),)
    one = json.dumps(object_of(Learner("Ada", lessons)))
    yield one.encode()
    yield f"{one}\n{one}\n".encode()
    yield json.dumps({"id": "a", "round": 2, "state": "told", "title": "t", "question": "**q** `c`\n\n- x",
                      "options": [["a", "one"], ["b", "two"]], "language": "zh", "truth": "a",
                      "words": {"b": "no"}, "foreseen": {"b": "b"}, "lesson": "handshake", "step": "isn",
                      "steps": 11}).encode()


def spoilt(data: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, left out, or said again."""
    found = bytearray(data)
    for _ in range(chance.randrange(1, 5)):
        at, size = chance.randrange(len(found) + 1), chance.randrange(1, 9)
        found[at : at + size] = chance.choice((b"", chance.randbytes(size), found[at : at + size] * 2))
    return bytes(found)
