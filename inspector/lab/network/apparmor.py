"""AppArmor's profile for this program alone, where user namespaces need one (Ubuntu 23.10 and later).

A profile goes with the file that is started. Python's would be everybody's, so this one goes with our own
command, a script: the kernel looks for it before the interpreter. What the command starts keeps it, as mode
unconfined hands it on; nothing else may do more than before.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

_PLACE = "/etc/apparmor.d/terminal-network-inspector"
_MEANT = re.compile(r"""([\\"*?\[\]{}^])""")          # what means something in the path of a profile
_OURS = b"inspector.__main__"                        # stands in the script that an installer makes


def script() -> Path | None:
    """The command that was installed, without links; None where there is only `python -m inspector`."""
    for found in (str(Path(sys.executable).with_name("inspector")), shutil.which("inspector")):
        try:
            if found is not None and _OURS in Path(found).read_bytes()[:2000]:
                return Path(found).resolve()
        except OSError:
            continue
    return None


def profile(command: Path) -> str:
    """The profile for the command, as apparmor_parser 4.0 reads it."""
    path = _MEANT.sub(r"\\\1", str(command))
    return (f"# {command} may make user namespaces: started by this name, not by python -m.\n"
            "abi <abi/4.0>,\n"
            "include <tunables/global>\n\n"
            f'profile terminal-network-inspector "{path}" flags=(unconfined) {{\n'
            "  userns,\n"
            "  include if exists <local/terminal-network-inspector>\n"
            "}\n")


def remedy() -> str:
    """The command that allows it to this program; "" where there is no command of ours to allow it to."""
    command = script()
    if command is None:
        return ""
    on_path = shutil.which("inspector")
    name = "inspector" if on_path is not None and Path(on_path).resolve() == command else str(command)
    return f"{name} doctor --apparmor | sudo tee {_PLACE} | sudo apparmor_parser --replace"
