"""Secrets of TLS in a finished trace, put in front of its packets: other readers look for them there alone.

pcapng wants a Decryption Secrets Block before the packets that need it; secrets of a session that runs come
after its first ones, and are written as they come.
"""

from __future__ import annotations

import os
import signal
import struct
from pathlib import Path

from inspector.wire import pcapng
from inspector.wire.keylog import KeyLog

_HEAD = 12
_MOST = 8 << 20              # bytes of secrets that a trace takes
_STEP = 1 << 20
_ENDS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_PACKETS = frozenset({pcapng.ENHANCED_PACKET, pcapng.SIMPLE_PACKET, pcapng.PACKET})


def late_secrets(path: Path) -> bytes:
    """The lines of secrets that stand behind a packet, of a file that we wrote (in this machine's order)."""
    found, packets = b"", False
    with path.open("rb") as file:
        while len(head := file.read(_HEAD)) == _HEAD and len(found) < _MOST:
            kind, total = struct.unpack_from("=II", head)
            if not _HEAD <= total <= pcapng.MAX_BLOCK:
                break
            packets = packets or kind in _PACKETS
            if kind == pcapng.DECRYPTION_SECRETS and packets:
                body = head[8:] + file.read(total - _HEAD)
                found += pcapng.parse_secrets(body[: total - _HEAD], "=")
            else:
                file.seek(total - _HEAD, os.SEEK_CUR)
    return found


def put_first(path: Path, lines: bytes) -> None:
    """Write secrets behind the section header of a trace that nobody else writes, if there are any."""
    if not KeyLog().add(lines) or not path.is_file():
        return
    with path.open("rb") as file:
        head = pcapng.block_at(file.read(1 << 16), 0, "=")
    if head is not None and head.type == pcapng.SECTION_HEADER:
        _insert(path, head.end, pcapng.decryption_secrets(lines))


def _insert(path: Path, offset: int, data: bytes) -> None:
    """Put bytes into a file at an offset. What ends us in order waits meanwhile."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    try:
        with path.open("r+b") as file:
            place = file.seek(0, os.SEEK_END)
            while place > offset:
                size = min(_STEP, place - offset)
                place -= size
                file.seek(place)
                chunk = file.read(size)
                file.seek(place + len(data))
                file.write(chunk)
            file.seek(offset)
            file.write(data)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
