"""Commands as another user, whom the system does not know: root alone can start them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

UNKNOWN = 54321                    # a uid that is in no passwd
FINDS = """
import importlib.util
assert all(map(importlib.util.find_spec, ("inspector", "textual", "numpy")))
"""
ROOT = Path(__file__).parents[3]


@cache
def interpreter() -> str:
    """A Python that the other user may run too and that finds our packages; "" where there is none."""
    if os.geteuid() != 0:
        return ""
    for path in (sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"):
        try:
            subprocess.run([path, "-c", FINDS], user=UNKNOWN, group=UNKNOWN,
                           extra_groups=[], env=environment(), check=True, capture_output=True, cwd="/")
        except (OSError, subprocess.CalledProcessError):
            continue
        return path
    return ""


def environment(**changes: str | None) -> dict[str, str]:
    """A plain environment in which that Python finds what this one finds; None: not set."""
    plain: dict[str, str | None] = {
        "PATH": os.defpath, "LANG": "C.UTF-8", "TERM": "xterm-256color",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *(path for path in sys.path if "site-packages" in path)]),
    }
    return {name: value for name, value in (plain | changes).items() if value is not None}


def run_as_unknown(
    *words: str, environment: Mapping[str, str], stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """`inspector WORDS` as the unknown user, its current folder the root."""
    return subprocess.run(
        [interpreter(), "-m", "inspector", *words], user=UNKNOWN, group=UNKNOWN, extra_groups=[], cwd="/",
        env=dict(environment), input=stdin, capture_output=True, timeout=60, check=False,
    )
