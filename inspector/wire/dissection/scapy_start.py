"""What must be so before scapy is imported: imported first by every module that imports scapy.

scapy warns while it is imported, makes folders in the user's home (root's ones under sudo), and keeps parsed
tables in one of them; where it may not use that, its import would raise. Here the folders go again, and it
uses the user's cache folder where there is one that it can use.
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path


def _folder(variable: str, usual: str) -> Path | None:
    """A user's folder of the XDG base directories; None where there is no home."""
    with contextlib.suppress(RuntimeError):
        return Path(os.environ.get(variable) or Path.home() / usual)
    return None


def _is_missing(folder: Path | None) -> bool:
    try:
        return folder is not None and not folder.exists()
    except OSError:
        return False


_CACHE = _folder("XDG_CACHE_HOME", ".cache")
_missing = [one for one in (_CACHE, _folder("XDG_CONFIG_HOME", ".config"),
                            _folder("XDG_DATA_HOME", ".local/share")) if _is_missing(one)]
logging.getLogger("scapy").setLevel(logging.CRITICAL)
import scapy.main  # noqa: E402

for _made in _missing:
    if _made is not None:
        with contextlib.suppress(OSError):       # another program uses it already, or it was not made
            _made.rmdir()


def cache_folder() -> Path | None:
    """Where scapy may keep its tables; None where it may not, or where we are root in a user's place."""
    if _CACHE is None or (os.geteuid() == 0 and "SUDO_UID" in os.environ):
        return None
    folder = _CACHE / "scapy"
    try:
        if not _CACHE.is_dir() or not os.access(_CACHE, os.W_OK | os.X_OK):
            return None
        with os.scandir(folder) as entries:
            usable = os.access(folder, os.W_OK | os.X_OK) and all(entry.is_file() for entry in entries)
            return folder if usable else None
    except FileNotFoundError:
        return folder
    except OSError:
        return None


scapy.main.SCAPY_CACHE_FOLDER = cache_folder()
