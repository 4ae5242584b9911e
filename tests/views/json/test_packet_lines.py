"""Packets printed many at a time say what each says alone: windows, marks, options, what is carried."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.trace.packet.calm import Calm
from inspector.trace.trace import Trace
from inspector.views.json.packet_lines import packet_lines
from inspector.views.json.packets import packets
from tests.support.captures.growth import CLIENT, GET, OK, SERVER, Wire
from tests.support.captures.tcp import segment

SCALES = st.sampled_from([b"", b"\3\3\7\0", b"\3\3\0\0", b"\2\4\5\xb4\3\3\x0f\0", b"\1\1\1\3\3\x09"])
WINDOWS = st.sampled_from([0, 1, 2, 28, 39, 40, 41, 512, 65535])
ISNS = st.sampled_from([99, 2**32 - 15, 2**32 - 1])
ENDS = st.sampled_from(["", "close", "reset", "silent reset", "repeated ACK", "new window", "ports again"])


class Exchange(Wire):
    """A conversation whose segments have options (of a SYN) and windows."""

    options: tuple[bytes, bytes] = b"", b""
    windows: tuple[int, int] = 65535, 65535

    def send(self, direction: int, flags: str, payload: bytes = b"", at: int | None = None) -> None:
        """A segment, the next one."""
        seq = self.next[direction] if at is None else at
        ack = self.next[1 - direction] if "A" in flags else 0
        options = self.options[direction] if "S" in flags else b""
        self.frame(segment(direction, flags, seq, ack, payload, ports=self._ports, options=options,
                           window=self.windows[direction]))
        self.next[direction] += len(payload) + ("S" in flags) + ("F" in flags)


def exchange(wire: Wire, windows: tuple[int, int], end: str, isn: int) -> None:
    for number in range(2):
        wire.write(CLIENT, GET, 14)
        if isinstance(wire, Exchange) and number:
            wire.windows = windows
        wire.send(SERVER, "A")
        wire.write(SERVER, OK, 20)
        wire.send(CLIENT, "A")
    if end == "close":
        wire.close()
    elif end == "reset":
        wire.send(SERVER, "RA")
    elif end == "silent reset":
        wire.send(CLIENT, "R")
    elif end in ("repeated ACK", "new window"):
        if isinstance(wire, Exchange) and end == "new window":
            wire.windows = 7, 7
        wire.send(CLIENT, "A")
    elif end == "ports again":
        wire.begin(wire._ports[0], isn + 5_000_000)


def compared(path: Path, some: int = 1) -> int:
    """How many packets are calm, after all lines were held against the objects."""
    with Trace.open(path) as first, Trace.open(path) as second:
        first.finish()
        second.finish()
        rows = None if some == 1 else np.arange(0, first.index.count, some)
        lines = [line for several in packet_lines(first, rows) for line in several]
        second.following = True                      # nothing is told by columns
        assert lines == [json.dumps(one) for one in packets(second, rows)]
        plain = first.known.plain_conversations()
        assert plain is not None
        return int(Calm(first, plain).look_at(np.arange(first.index.count)).sum())


@settings(max_examples=120, deadline=None)
@given(st.lists(st.tuples(SCALES, SCALES, WINDOWS, WINDOWS, ENDS, ISNS), min_size=1, max_size=3))
def test_any_windows_and_marks(
    tmp_path_factory: pytest.TempPathFactory, several: list[tuple[bytes, bytes, int, int, str, int]]
) -> None:
    wire = Exchange()
    wire.blocks = wire.blocks[:2]
    for number, (first, second, window, other, end, isn) in enumerate(several):
        wire.options, wire.windows = (first, second), (65535, 65535)
        wire.begin(41000 + number, isn)
        exchange(wire, (window, other), end, isn)
    path = tmp_path_factory.mktemp("packets") / "x.pcapng"
    path.write_bytes(wire.file())
    compared(path)


def test_most_packets_of_ordinary_connections_are_told_by_columns(tmp_path: Path) -> None:
    wire = Exchange()
    wire.options = b"\2\4\5\xb4\3\3\7\0", b"\2\4\5\xb4\3\3\7\0"
    for number in range(150):
        wire.begin(41000 + number)
        exchange(wire, (512, 512), "close" if number % 2 else "repeated ACK", 99)
    path = tmp_path / "x.pcapng"
    path.write_bytes(wire.file())
    assert compared(path) > 1000
    assert compared(path, 2) > 1000
