"""Files that programs write TLS secrets to (SSLKEYLOGFILE) while they run: read on where they have grown.

The files of this process, as an option gives them; each trace reads them for itself.
"""

from __future__ import annotations

from pathlib import Path

_MOST = 64 << 20             # bytes of a file that are read

_chosen: list[Path] = []


def choose(path: Path) -> None:
    """Let traces that are opened from now on read this file too."""
    _chosen.append(path)


class KeyLogFiles:
    """What stands in the chosen files; `fresh` gives whole lines, each once."""

    def __init__(self) -> None:
        self._offsets = dict.fromkeys(_chosen, 0)

    def fresh(self) -> bytes:
        """The lines that were not given before; b"" where a file is not there (yet)."""
        found = b""
        for path, offset in self._offsets.items():
            try:
                with path.open("rb") as file:
                    file.seek(offset)
                    data = file.read(max(_MOST - offset, 0))
            except OSError:
                continue
            whole = data[: data.rfind(b"\n") + 1]
            self._offsets[path] = offset + len(whole)
            found += whole
        return found
