"""The file that a command's trace goes to: one the user names, one that is kept, or one without a name.

It is opened first and used by its descriptor: what becomes of its name while a program runs breaks nothing.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from inspector.cli.errors import USAGE, CommandError, Terminated, unwritable
from inspector.cli.output import notice

if TYPE_CHECKING:
    from inspector.lab.files.ownership import Created


class TraceFile(NamedTuple):
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
        from inspector.lab.files.ownership import create_file  # here and below: help is to be instant

        notice(f"{self.name} was removed meanwhile; it is written anew.")
        try:
            created = create_file(Path(self.name), overwrite=False)
            with self.path.open("rb") as trace, os.fdopen(created.descriptor, "wb") as copy:
                shutil.copyfileobj(trace, copy, 1 << 20)
        except OSError as error:
            raise unwritable(self.name, error) from error


@contextmanager
def trace_file(
    save: str | None, *, overwrite: bool = False, keep: str = "", read: bool = True
) -> Iterator[TraceFile]:
    """Where the trace of a command goes: the file it is saved to, or one that goes with the command.

    `read`: it is read here too, which a device or a pipe is not good for. `keep`: without `save` it is one
    of the kept traces, with this label; where none can be kept, that is said. CommandError where the file
    cannot be written, or has contents that are not to be overwritten.
    """
    kept = _kept(keep) if keep else _nameless()
    with kept if save is None else _saved(Path(save), overwrite, read) as trace:
        try:
            yield trace
        except (KeyboardInterrupt, Terminated):
            if trace.name and trace.size:
                notice(f"What was captured is in {trace.name}.")
            raise


def refuse_taken(name: str, *, overwrite: bool) -> None:
    """CommandError for a file with contents that is not to be overwritten; before anything is started."""
    with suppress(OSError, ValueError):                    # what else is wrong is said where it is opened
        status = Path(name).stat()
        if stat.S_ISREG(status.st_mode) and status.st_size and not overwrite:
            raise _taken(f"{name} exists already.")


def _taken(sentence: object) -> CommandError:
    return CommandError(f"{sentence} --overwrite writes it anew.", USAGE)


def empty_file(name: str, capture: str | Path, *, overwrite: bool, mode: int = 0o600) -> Created:
    """The file `name`, emptied for what is to be written; CommandError where it cannot be.

    So too for one that has contents, without `overwrite`. A pipe that nobody reads is not waited for, and
    `capture`, which is still read, is never emptied. `mode`: of a new file, less the umask.
    """
    from inspector.lab.files.ownership import TakenError, create_file  # here: help is to be instant

    try:
        created = create_file(Path(name), overwrite=overwrite, mode=mode)
        file = created.descriptor
        if stat.S_ISREG(os.fstat(file).st_mode):
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file), Path(capture).stat()):
                    os.close(file)
                    raise CommandError(f"{name} is the capture itself; name another file.", USAGE)
            os.ftruncate(file, 0)
    except TakenError as error:
        raise _taken(error) from error
    except OSError as error:
        raise unwritable(name, error) from error
    return created


def write_file(name: str, text: str, capture: str | Path, *, overwrite: bool) -> None:
    """Write the file `name`, to be handed on, in UTF-8; CommandError as of `empty_file`."""
    from inspector.lab.files.ownership import HANDED_ON, write_created  # help is to be instant

    file = empty_file(name, capture, overwrite=overwrite, mode=HANDED_ON)
    try:
        write_created(Path(name), file, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise unwritable(name, error) from error


@contextmanager
def _nameless() -> Iterator[TraceFile]:
    from inspector.trace.file.scratch import path_of, scratch

    with scratch() as file:
        yield TraceFile(path_of(file.fileno()), "", file.fileno())


@contextmanager
def _kept(label: str) -> Iterator[TraceFile]:
    from inspector.tui.files import traces

    trace = traces.begin(label)
    try:
        if trace.problem:
            notice(f"{trace.problem} This trace is gone when the command ends; --save FILE keeps it.")
        yield TraceFile(trace.held, "" if trace.problem else str(trace.path), trace.descriptor)
    finally:
        trace.close()


@contextmanager
def _saved(path: Path, overwrite: bool, read: bool) -> Iterator[TraceFile]:
    from inspector.lab.files.ownership import TakenError, create_file
    from inspector.trace.file.scratch import path_of

    try:
        created = create_file(path, overwrite=overwrite)
    except TakenError as error:
        raise _taken(error) from error
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        if read and not stat.S_ISREG(os.fstat(created.descriptor).st_mode):
            raise CommandError(f"{path} is no ordinary file; the trace is read from it again.", USAGE)
        yield TraceFile(path_of(created.descriptor), str(path), created.descriptor)
    finally:
        with suppress(OSError):
            if created.made and not os.fstat(created.descriptor).st_size:
                path.unlink()
        os.close(created.descriptor)
