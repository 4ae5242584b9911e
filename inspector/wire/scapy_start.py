"""What must be so before scapy is imported: imported first by every module that imports scapy.

scapy warns while it is imported, and it keeps parsed tables in the user's cache folder; a folder that it may
not use (root's, after `sudo -E`) would raise out of its import, so that it is told to keep none.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

logging.getLogger("scapy").setLevel(logging.CRITICAL)

import scapy.main  # noqa: E402  (after the line that keeps it silent)


def usable(folder: Path) -> bool:
    """Whether scapy can keep its tables in `folder`: it is not there yet, or it can be read and written."""
    try:
        with os.scandir(folder) as entries:
            return os.access(folder, os.W_OK | os.X_OK) and all(entry.is_file() for entry in entries)
    except FileNotFoundError:
        return True
    except OSError:
        return False


if scapy.main.SCAPY_CACHE_FOLDER is not None and not usable(scapy.main.SCAPY_CACHE_FOLDER):
    scapy.main.SCAPY_CACHE_FOLDER = None
