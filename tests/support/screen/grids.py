"""Text that is kept in a file and read in review, such as a view or a screen as it is seen.

`UPDATE_SNAPSHOTS=1 pytest tests/views tests/tui/test_snapshots.py` writes all of it anew; look at the
difference before it is committed.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import pytest


def assert_kept(path: Path, text: str) -> None:
    """The text is what stands in the file; a failure shows the lines that differ, no more."""
    __tracebackhide__ = True
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(text, encoding="utf-8")
    kept = path.read_text(encoding="utf-8") if path.exists() else ""
    if text != kept:
        words = f"{path.name} differs (UPDATE_SNAPSHOTS=1 renews it):\n{difference(kept, text)}"
        pytest.fail(words, pytrace=False)


def difference(kept: str, text: str) -> str:
    """The lines that differ, each with its place (`@@`): `-` as kept, `+` as it is now."""
    lines = difflib.unified_diff(kept.splitlines(), text.splitlines(), n=0, lineterm="")
    return "\n".join(line for line in lines if not line.startswith(("---", "+++")))
