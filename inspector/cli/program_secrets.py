"""Secrets of TLS that a program in the lab tells: its SSLKEYLOGFILE, and at the end a block of the trace.

Programs with OpenSSL, NSS, Python, Node, curl and browsers write them where the variable says so.
Who sets it already keeps it, and what is written there from then on is taken too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from inspector.cli.output import notice
from inspector.sessions import temporary

_VARIABLE = "SSLKEYLOGFILE"
_MOST = 8 << 20              # bytes of secrets that a trace takes


class ProgramSecrets:
    """`file`: where the program writes its secrets; those before `start` are not its own."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.start = file.stat().st_size if file.exists() else 0

    def keep(self, trace: Path) -> None:
        """Put the secrets into a finished trace, in front of its packets, where others look for them."""
        from inspector.trace.file.secrets import put_first  # here: help is to be instant

        with suppress(OSError), self.file.open("rb") as file:
            file.seek(self.start)
            put_first(trace, file.read(_MOST))
            if file.read(1):
                notice(f"The trace has the first {_MOST >> 20} MB of the program's secrets of TLS, not all.")


@contextmanager
def _folder() -> Iterator[Path | None]:
    """A folder of our own for a moment; None where none can be had: the secrets stay the program's then."""
    made = None
    try:
        with suppress(OSError):
            made = temporary.folder("inspector-secrets-")
        yield made
    finally:
        if made is not None:
            temporary.give_back(made)


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
