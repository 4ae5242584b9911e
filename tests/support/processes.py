"""Programs that a test starts and listens to."""

from __future__ import annotations

import subprocess
from typing import AnyStr


def first_line(process: subprocess.Popen[AnyStr]) -> AnyStr:
    """The next line of its standard output, which is a pipe."""
    assert process.stdout is not None
    return process.stdout.readline()
