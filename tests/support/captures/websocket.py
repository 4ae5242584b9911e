"""Conversations in memory for tests of the application layer: turns -> segments -> `ApplicationLayers`."""

from __future__ import annotations

import tempfile
from itertools import accumulate
from pathlib import Path

from inspector.protocols.http.upgrade import prove
from inspector.protocols.websocket.frame import BINARY, CLOSE, TEXT, encode
from inspector.trace.flows.tcp import TcpFlow
from inspector.trace.trace import Trace
from tests.support.captures.application import WebLayers
from tests.support.captures.tcp import MemoryTrace, segment

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
MS = 1_000_000
CLIENT, SERVER = 0, 1


def request(
    *lines: str, key: str | None = KEY, start: str = "GET /chat HTTP/1.1", **changed: str | None
) -> bytes:
    """An opening handshake; `changed` replaces (None: leaves out) headers by their names with `_` for `-`."""
    headers: dict[str, str | None] = {
        "Host": "example.com", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
    }
    return _head(start, headers, changed, lines)


def response(
    *lines: str, key: str = KEY, start: str = "HTTP/1.1 101 Switching Protocols", **changed: str | None
) -> bytes:
    """The server's answer, right for `key`."""
    headers: dict[str, str | None] = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": prove(key).expected,
    }
    return _head(start, headers, changed, lines)


def _head(
    start: str, headers: dict[str, str | None], changed: dict[str, str | None], lines: tuple[str, ...]
) -> bytes:
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    text = [start, *(f"{name}: {value}" for name, value in headers.items() if value is not None), *lines]
    return "\r\n".join([*text, "", ""]).encode("latin-1")


DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
UPGRADE = [(CLIENT, request()), (SERVER, response())]


class Keys:
    """Masking keys that differ from frame to frame and are the same in every run."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> bytes:
        self.count += 1
        return (0x37FA213D + self.count * 0x01030507 & 0xFFFFFFFF).to_bytes(4, "big")


_keys = Keys()


def client(
    payload: bytes = b"hello", opcode: int = TEXT, *, fin: bool = True, rsv: int = 0
) -> tuple[int, bytes]:
    """A frame of the client, masked."""
    return CLIENT, encode(payload, opcode, fin=fin, rsv=rsv, key=_keys())


def server(
    payload: bytes = b"hello", opcode: int = TEXT, *, fin: bool = True, rsv: int = 0
) -> tuple[int, bytes]:
    """A frame of the server."""
    return SERVER, encode(payload, opcode, fin=fin, rsv=rsv)


CLOSING = [client(b"\x03\xe8", CLOSE), server(b"\x03\xe8", CLOSE)]
CLEAN = [*UPGRADE, client(), server(), client(b"\0\1", BINARY), *CLOSING]


class Traffic:
    """A TCP conversation; `size` cuts what is said into segments of at most that many bytes."""

    def __init__(self, size: int = 1400, syn: bool = True) -> None:
        self.size = size
        self.trace = MemoryTrace()
        self._next = [100, 300]
        self._time = 0
        if syn:
            self._add(segment(0, "S", 99), segment(1, "SA", 299, 100), segment(0, "A", 100, 300))

    def _add(self, *frames: bytes) -> None:
        self.trace.add(frames, [self._time + MS * number for number in range(len(frames))])
        self._time += MS * len(frames)

    def write(self, direction: int, data: bytes) -> None:
        """One end sends."""
        parts = [data[start : start + self.size] for start in range(0, len(data), self.size)]
        ends = accumulate(map(len, parts), initial=self._next[direction])
        self._add(*(segment(direction, "PA", at, self._next[1 - direction], part)
                    for at, part in zip(ends, parts, strict=False)))
        self._next[direction] += len(data)

    def lose(self, direction: int, size: int) -> None:
        """One end sends bytes that the capture lacks."""
        self._next[direction] += size

    def end(self, how: str = "F", first: int = CLIENT) -> None:
        """Both ends close, or (`how` "R") the first one resets."""
        self._add(segment(first, how + "A", self._next[first], self._next[1 - first]))
        self._next[first] += 1
        if how == "F":
            self._add(segment(1 - first, "FA", self._next[1 - first], self._next[first]))

    def application(self, limit: int = 1 << 20) -> WebLayers:
        """What it says."""
        return WebLayers(self.trace, TcpFlow(self.trace, 0), limit)


def exchange(
    *turns: tuple[int, bytes], end: str = "", first: int = CLIENT, size: int = 1400, syn: bool = True
) -> Traffic:
    """A conversation of these turns, ended by "F" or "R" where `end` says so."""
    made = Traffic(size, syn)
    for direction, data in turns:
        made.write(direction, data)
    if end:
        made.end(end, first)
    return made


def application(
    *turns: tuple[int, bytes], end: str = "", first: int = CLIENT, size: int = 1400, limit: int = 1 << 20,
    syn: bool = True,
) -> WebLayers:
    """The application layer of a conversation of these turns."""
    return exchange(*turns, end=end, first=first, size=size, syn=syn).application(limit)


def ids(found: WebLayers) -> list[str]:
    """The ids of its findings, each once, sorted."""
    return sorted({one.id for one in found.findings})


_FOLDER = tempfile.TemporaryDirectory()
_OPENED: list[Trace] = []


def traced(made: Traffic) -> Trace:
    """A whole trace, in a file, of that conversation alone. `close_traced` closes it."""
    path = Path(_FOLDER.name, "talk.pcapng")
    path.unlink(missing_ok=True)
    made.trace.save(path)
    trace = Trace.open(path)
    trace.finish()
    _OPENED.append(trace)
    return trace


def close_traced() -> None:
    """Close what `traced` opened."""
    while _OPENED:
        _OPENED.pop().close()
