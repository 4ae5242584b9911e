"""Files that programs write TLS secrets to (SSLKEYLOGFILE) while they run: read on where they have grown.

The files of this process, as an option gives them; each trace reads them for itself.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from inspector.wire.text import escaped

_MOST = 64 << 20             # bytes of a file that are read

_chosen: list[Path] = []


def choose(path: Path) -> None:
    """Let traces that are opened from now on read this file too."""
    _chosen.append(path)


def require(path: Path) -> None:
    """OSError where the file cannot be read now."""
    os.close(_no_waiting(str(path), os.O_RDONLY))


def _no_waiting(path: str, flags: int) -> int:
    """Open a file, but no pipe: nobody may ever write to it (and it can be read once, not by each trace)."""
    found = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(found).st_mode):
        return found
    os.close(found)
    raise OSError(errno.ESPIPE, "it is no ordinary file")


class KeyLogFiles:
    """What stands in the chosen files; `fresh` gives whole lines, each once."""

    def __init__(self) -> None:
        self._offsets = dict.fromkeys(_chosen, 0)
        self.cut = ""                    # a sentence where a file holds more than is read of it

    def fresh(self) -> bytes:
        """The lines that were not given before; b"" where a file is not there (yet)."""
        found = b""
        for path, offset in self._offsets.items():
            try:
                with open(path, "rb", opener=_no_waiting) as file:
                    file.seek(offset)
                    data = file.read(max(_MOST - offset, 0))
                    if offset + len(data) >= _MOST and file.read(1):
                        self.cut = (f"Of the secrets in {escaped(path.name, 60)} the first"
                                    f" {_MOST >> 20} MB are read.")
            except OSError:
                continue
            whole = data[: data.rfind(b"\n") + 1]
            self._offsets[path] = offset + len(whole)
            found += whole
        return found
