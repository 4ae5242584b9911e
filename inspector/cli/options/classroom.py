"""`--class DIR`: the folder of a class, where its results are kept and its votes pass."""

from __future__ import annotations

from pathlib import Path

from inspector.cli.errors import MISSING, CommandError
from inspector.wire.text import escaped


def class_folder(name: str) -> Path:
    """The folder, made where it is missing; CommandError where others could write there, or we cannot."""
    import os  # here and below: help is to be instant

    from inspector.lab.files.ownership import make_folder

    path = Path(name).absolute()
    shown = escaped(str(path), 200)
    try:
        make_folder(path / "votes")
        status = path.stat()
        if not os.access(path / "votes", os.W_OK | os.X_OK) or not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(13, os.strerror(13))
    except OSError as error:
        raise CommandError(f"The class cannot be kept in {shown}: {error.strerror}.", MISSING) from error
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise CommandError(f"Others can write in {shown}, and would vote and answer for your class.", MISSING,
                           f"chmod go-w {shown}" if status.st_uid == os.geteuid() else "")
    return path
