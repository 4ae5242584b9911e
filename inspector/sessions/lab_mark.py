"""What the processes of one lab know of it: its mark, and a folder that is gone with the lab.

The agent hands the mark to what it starts, by the environment; the folder's name follows from it. Who needs
the folder makes it; the agent, or its guardian, removes it when no process of the lab is left.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

MARK = "INSPECTOR_LAB"             # environment variable that names the lab


def lab_folder(mark: str | None = None) -> Path:
    """The folder of the lab with this mark, of the own one by default; nobody can foretell its name."""
    mark = os.environ.get(MARK, "") if mark is None else mark
    return Path(tempfile.gettempdir()) / f"inspector-lab-{mark or os.getpid()}"


def remove_lab_folder(mark: str) -> None:
    """Remove it, where it is there."""
    with contextlib.suppress(OSError):         # without a folder for temporary files there is none
        shutil.rmtree(lab_folder(mark), ignore_errors=True)
