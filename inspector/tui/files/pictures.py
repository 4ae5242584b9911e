"""Where a screenshot goes: SVG text -> a file in the first folder of the user's that takes one.

Downloads where there is one, as browsers do; a new account has none, so the home folder, then the one that
the program was started in.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from inspector.lab.files.folders import home, is_folder
from inspector.lab.files.ownership import HANDED_ON, TakenError, create_file, write_created


def keep_picture(svg: str) -> Path:
    """Write it, and say where; OSError with the last folder's reason and name where no folder takes it."""
    problem = OSError(errno.ENOENT, os.strerror(errno.ENOENT), "any folder")
    name = f"inspector_{datetime.now():%Y-%m-%dT%H_%M_%S_%f}.svg"
    for folder in _folders():
        try:
            made = create_file(folder / name, overwrite=False, mode=HANDED_ON)
            write_created(folder / name, made, svg.encode("utf-8", "backslashreplace"))
            return folder / name
        except TakenError:                     # made in the same microsecond
            continue
        except OSError as error:
            problem = OSError(error.errno, error.strerror, str(folder))
    raise problem


def _folders() -> Iterator[Path]:
    base = home()
    if base is not None and is_folder(base / "Downloads"):
        yield base / "Downloads"
    if base is not None and is_folder(base):
        yield base
    try:
        yield Path.cwd()
    except OSError:                            # it was removed
        return
