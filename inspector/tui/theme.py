"""The theme that was chosen, kept for the next start: `ctrl+p`, Theme -> a name in the settings folder.

Where nothing is kept, or a theme that there is not, Textual's own default holds. $TEXTUAL_THEME comes first.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from inspector.lab.folders import FolderError, settings_folder
from inspector.lab.ownership import make_folder


def kept_theme() -> str:
    """The name of the theme that was chosen last; "" where there is none, or none that can be read."""
    with contextlib.suppress(FolderError, OSError, ValueError):
        return _path().read_text(encoding="utf-8").strip()
    return ""


def keep_theme(name: str) -> None:
    """Keep it for the next start; where that cannot be, it holds for this one."""
    with contextlib.suppress(FolderError, OSError):
        path = _path()
        make_folder(path.parent)
        path.write_text(f"{name}\n", encoding="utf-8")


def _path() -> Path:
    return settings_folder() / "theme"
