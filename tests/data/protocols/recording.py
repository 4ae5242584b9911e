"""Records a module of this folder in the lab, while it plays what its capture is to hold.

`python -m tests.data.protocols.make_NAME`, at the top of the checkout, records the same module with the
argument `play`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def recorded(capture: Path, *arguments: str, player: str = sys.executable) -> None:
    """Make a capture anew; `player`: the Python that has what the module needs."""
    module = f"tests.data.protocols.make_{capture.stem}"
    capture.unlink(missing_ok=True)
    subprocess.run([sys.executable, "-m", "inspector", "record", "-o", str(capture), "--lab", "--",
                    player, "-m", module, "play", *arguments], check=True)
    keep(capture, capture.read_bytes())


def keep(capture: Path, data: bytes) -> None:
    """Write it down, without the name of the machine's kernel."""
    capture.write_bytes(re.sub(rb"Linux \d[\x20-\x7e]*", lambda found: b"Linux".ljust(len(found[0])), data))
    capture.chmod(0o644)
