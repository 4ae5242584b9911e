"""Secrets of TLS that a program in the lab tells: its SSLKEYLOGFILE, and at the end a block of the trace.

Programs with OpenSSL, NSS, Python, Node, curl and browsers write them where the variable says so.
Who sets it already keeps it, and what is written there from then on is taken too.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_VARIABLE = "SSLKEYLOGFILE"
_MOST = 8 << 20              # bytes of secrets that a trace takes
_STEP = 1 << 20
_ENDS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class ProgramSecrets:
    """`file`: where the program writes its secrets; those before `start` are not its own."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.start = file.stat().st_size if file.exists() else 0

    def keep(self, trace: Path) -> None:
        """Put the secrets into a finished trace, in front of its packets, where others look for them."""
        from inspector.wire import pcapng
        from inspector.wire.keylog import KeyLog  # here: help is to be instant

        with suppress(OSError), self.file.open("rb") as file:
            file.seek(self.start)
            lines = file.read(_MOST)
            if KeyLog().add(lines) and trace.is_file():
                with trace.open("rb") as captured:
                    head = pcapng.block_at(captured.read(1 << 16), 0, "=")
                if head is not None and head.type == pcapng.SECTION_HEADER:
                    _insert(trace, head.end, pcapng.decryption_secrets(lines))


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


@contextmanager
def _folder() -> Iterator[Path | None]:
    """A folder of our own for a moment; None where none can be had: the secrets stay the program's then."""
    try:
        made = tempfile.TemporaryDirectory(prefix="inspector-secrets-", ignore_cleanup_errors=True)
    except OSError:
        yield None
        return
    with made as name:
        yield Path(name)


@contextmanager
def program_secrets() -> Iterator[ProgramSecrets]:
    """Let programs that are started now tell their secrets; traces of this process read them at once."""
    from inspector.trace.file import keylog  # here: help is to be instant

    named = os.environ.get(_VARIABLE)
    if named == "":
        yield ProgramSecrets(Path(os.devnull))
        return
    if named:
        keylog.choose(Path(named))
        yield ProgramSecrets(Path(named))
        return
    with _folder() as folder:
        if folder is None:
            yield ProgramSecrets(Path(os.devnull))
            return
        file = folder / "keylog"
        os.environ[_VARIABLE] = str(file)
        keylog.choose(file)
        try:
            yield ProgramSecrets(file)
        finally:
            os.environ.pop(_VARIABLE, None)
