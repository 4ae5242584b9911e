"""The file that a command's trace goes to: one the user names, one that is kept, or one without a name.

It is opened first and used by its descriptor: what becomes of its name while a program runs breaks nothing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from inspector.cli.errors import USAGE, CommandError, Terminated
from inspector.cli.output import notice


@dataclass(frozen=True, slots=True)
class TraceFile:
    """`path` opens it as long as the command runs; `name` is where a person finds it, "" where nowhere."""

    path: Path
    name: str
    descriptor: int

    @property
    def size(self) -> int:
        """Bytes of it so far."""
        return os.fstat(self.descriptor).st_size

    @property
    def is_there(self) -> bool:
        """Whether a person finds it under its name."""
        try:
            return bool(self.name) and Path(self.name).samefile(self.path)
        except OSError:
            return False

    def restore(self) -> None:
        """Write it anew where its name was removed; CommandError where that cannot be."""
        if not self.name or self.is_there:
            return
        from inspector.lab.ownership import create_file  # here and below: help is to be instant

        notice(f"{self.name} was removed meanwhile; it is written anew.")
        try:
            created = create_file(Path(self.name), overwrite=False)
            with self.path.open("rb") as trace, os.fdopen(created.descriptor, "wb") as copy:
                shutil.copyfileobj(trace, copy, 1 << 20)
        except OSError as error:
            raise CommandError(f"{self.name} cannot be written: {error.strerror or error}.", USAGE) from error


@contextmanager
def trace_file(save: str | None, *, overwrite: bool = False, keep: str = "") -> Iterator[TraceFile]:
    """Where the trace of a command goes: the file it is saved to, or one that goes with the command.

    `keep`: without `save` it is one of the kept traces, with this label; where none can be kept, that is
    said. CommandError where the file cannot be written, or has contents that are not to be overwritten.
    """
    with _saved(Path(save), overwrite) if save is not None else _kept(keep) if keep else _nameless() as trace:
        try:
            yield trace
        except (KeyboardInterrupt, Terminated):
            if trace.name and trace.size:
                notice(f"What was captured is in {trace.name}.")
            raise


@contextmanager
def _nameless() -> Iterator[TraceFile]:
    from inspector.trace.file.scratch import path_of, scratch

    with scratch() as file:
        yield TraceFile(path_of(file.fileno()), "", file.fileno())


@contextmanager
def _kept(label: str) -> Iterator[TraceFile]:
    from inspector.tui import traces

    trace = traces.begin(label)
    try:
        if trace.problem:
            notice(f"{trace.problem} This trace is gone when the command ends; --save FILE keeps it.")
        yield TraceFile(trace.held, "" if trace.problem else str(trace.path), trace.descriptor)
    finally:
        trace.close()


@contextmanager
def _saved(path: Path, overwrite: bool) -> Iterator[TraceFile]:
    from inspector.lab.ownership import TakenError, create_file
    from inspector.trace.file.scratch import path_of

    try:
        created = create_file(path, overwrite=overwrite)
    except TakenError as error:
        raise CommandError(f"{error} --overwrite writes it anew.", USAGE) from error
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror or error}.", USAGE) from error
    try:
        yield TraceFile(path_of(created.descriptor), str(path), created.descriptor)
    finally:
        with suppress(OSError):
            if created.made and not os.fstat(created.descriptor).st_size:
                path.unlink()
        os.close(created.descriptor)
