"""A trace in memory for tests: frames in, the real index, and what flows need of a `Trace`."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inspector.trace.index.index import Index
from inspector.wire.headers.read import read_headers

PADDING = bytes(64)
CAPTURES = Path(__file__).parents[1] / "data"


class MemoryTrace:
    """Frames of one link type (default: raw IP) with times in nanoseconds."""

    def __init__(self, link_type: int = 101) -> None:
        self.index = Index()
        self.frames: list[bytes] = []
        self._link_type = link_type

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

    def frame(self, row: int) -> bytes:
        return self.frames[row]

    def gather(self, rows: Any, positions: Any, lengths: Any) -> bytes:
        places = zip(rows.tolist(), positions.tolist(), lengths.tolist(), strict=True)
        return b"".join(self.frames[row][start : start + length] for row, start, length in places)

    def link_type(self, row: int) -> int:
        return self._link_type

    def rows_of(self, protocol: str, stream: int) -> Any:
        number = {"tcp": 6, "udp": 17}[protocol]
        quotes = np.isin(self.index.protocol, (1, 58))
        return np.flatnonzero((self.index.stream == stream) & ((self.index.protocol == number) | quotes))


FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32}


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
