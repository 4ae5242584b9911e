"""Packets in memory for tests: frames in, the real index, and what flows need of a trace (`Packets`)."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from inspector.model.endpoint import Transport
from inspector.model.numbers import ICMP, ICMPV6, LINK_RAW, TCP_FLAGS
from inspector.model.packets import Row
from inspector.trace.index.conversations import PROTOCOLS
from inspector.trace.index.fates import Fates
from inspector.trace.index.index import Index
from inspector.trace.index.packets import Packets
from inspector.wire import pcapng
from inspector.wire.headers.read import read_headers
from inspector.wire.keylog import KeyLog

PADDING = bytes(64)
CAPTURES = Path(__file__).parents[2] / "data"


def usual(third: int) -> Callable[[Path], bool]:
    """For a sweep over all captures: those of protocols and sessions, and each third of the others."""
    def is_usual(path: Path) -> bool:
        return path.parent.name in ("protocols", "sessions") or crc32(path.name.encode()) % 3 == third

    return is_usual


class MemoryTrace(Packets):
    """Frames of one link type (default: raw IP) with times in nanoseconds."""

    def __init__(self, link_type: int = LINK_RAW, secrets: KeyLog | None = None) -> None:
        self._index = Index()
        self.frames: list[bytes] = []
        self._secrets = secrets or KeyLog()
        self._link_type = link_type

    @property
    def index(self) -> Index:
        return self._index

    @property
    def fates(self) -> Fates:
        return Fates()

    @property
    def dropped(self) -> int:
        return 0

    @property
    def end_ns(self) -> int:
        return int(self.index.time_ns[-1])

    @property
    def secrets(self) -> KeyLog:
        return self._secrets

    def add(self, frames: Sequence[bytes], times: Sequence[int],
            lengths: Sequence[int] | None = None) -> None:
        """Append captured frames; `lengths` on the wire where they differ."""
        captured = np.array([len(frame) for frame in frames], "i8")
        wire = captured if lengths is None else np.array(lengths, "i8")
        starts = np.cumsum(captured) - captured
        data = np.frombuffer(b"".join(frames) + PADDING, "u1")
        headers = read_headers(data, starts, captured, wire, self._link_type)
        count = len(frames)
        self.index.append(headers, np.array(times, "i8"), wire.astype("u4"), captured.astype("u4"),
                          starts.astype("u8"), np.zeros(count, "i8"))
        self.frames += frames

    def save(self, path: Path) -> None:
        """Write the packets as a pcapng file, for what needs a whole `Trace`."""
        blocks = [pcapng.section_header(), pcapng.interface_description(self._link_type)]
        blocks += [pcapng.enhanced_packet(frame, time_ns, length) for time_ns, frame, length in zip(
            self.index.time_ns.tolist(), self.frames, self.index.length.tolist(), strict=True)]
        path.write_bytes(b"".join(blocks))

    def frame(self, row: Row) -> bytes:
        return self.frames[row]

    def gather(
        self, rows: NDArray[np.int64], positions: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> bytes:
        places = zip(rows.tolist(), positions.tolist(), lengths.tolist(), strict=True)
        return b"".join(self.frames[row][start : start + length] for row, start, length in places)

    def link_type(self, row: Row) -> int:
        return self._link_type

    def rows_of(self, protocol: Transport, stream: int) -> NDArray[np.int64]:
        quotes = np.isin(self.index.protocol, (ICMP, ICMPV6))
        mine = (self.index.protocol == PROTOCOLS[protocol]) | quotes
        return np.flatnonzero((self.index.stream == stream) & mine)


FLAGS = {flag.name[0]: flag.bit for flag in TCP_FLAGS[:6]}


def segment(direction: int, flags: str, seq: int, ack: int = 0, payload: bytes = b"", window: int = 65535,
            options: bytes = b"", ports: tuple[int, int] = (40000, 80)) -> bytes:
    """A TCP segment in raw IPv4 between 10.0.0.1 (direction 0) and 10.0.0.2."""
    options += b"\1" * (-len(options) % 4)
    bits = (20 + len(options)) // 4 << 12 | sum(FLAGS[flag] for flag in flags)
    source, destination = (ports, ports[::-1])[direction]
    tcp = source.to_bytes(2, "big") + destination.to_bytes(2, "big")
    tcp += (seq & 0xFFFFFFFF).to_bytes(4, "big") + (ack & 0xFFFFFFFF).to_bytes(4, "big")
    tcp += bits.to_bytes(2, "big") + window.to_bytes(2, "big") + bytes(4) + options + payload
    return ip(direction, 6, tcp)


def ip(direction: int, protocol: int, body: bytes) -> bytes:
    """An IPv4 datagram between the same two."""
    ends = (bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
    head = bytes([0x45, 0]) + (20 + len(body)).to_bytes(2, "big") + bytes([0, 0, 0x40, 0, 64, protocol, 0, 0])
    return head + ends[direction] + ends[1 - direction] + body


def read_table(path: Path) -> list[dict[str, str]]:
    """A table as tshark writes it: a header line, columns by tabs, no quotes."""
    with path.open(encoding="utf8", errors="replace", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def first(text: str | None) -> str:
    """The first of values joined by commas (the outermost of a tunnel)."""
    return re.split(",", text or "")[0]


def many(values: Iterable[Any]) -> list[Any]:
    return list(values)


def cut_http(path: Path, kept: int = 30) -> Path:
    """A request, and its answer, of which a snapshot length left so many bytes of each payload."""
    asked, answer = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    frames = [segment(0, "S", 0), segment(1, "SA", 0, 1), segment(0, "A", 1, 1),
              segment(0, "PA", 1, 1, asked), segment(1, "PA", 1, 1 + len(asked), answer),
              segment(0, "A", 1 + len(asked), 1 + len(answer))]
    trace = MemoryTrace()
    trace.add([frame[:40 + kept] for frame in frames], range(len(frames)), [len(frame) for frame in frames])
    trace.save(path)
    return path
