"""Results on stdout: one JSON object a line, each at once."""

from __future__ import annotations

import json
import sys
from typing import Any


def write_line(value: dict[str, Any]) -> None:
    """One JSON object on one line of stdout, flushed."""
    sys.stdout.write(json.dumps(value, ensure_ascii=True) + "\n")
    sys.stdout.flush()
