"""Who may capture on this machine's own loopback: root, a holder of CAP_NET_RAW, or dumpcap for its users."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from pathlib import Path


def may_capture() -> bool:
    """True when this process itself may open packet sockets (CAP_NET_RAW over this network): it is tried."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except OSError:                    # also root's in a container whose network is another's
        return False
    return True


def dumpcap() -> str | None:
    """The path of a dumpcap that is installed with its privilege and that this user may run, or None."""
    path = _installed()
    if path is None or not os.access(path, os.X_OK):
        return None
    return path if may_capture() or _is_privileged(path) else None


def how_to_capture() -> str:
    """The command after which this user may capture on the host."""
    path = _installed()
    if path is None:
        return "sudo inspector record -o trace.pcapng"
    if not os.access(path, os.X_OK):
        return f"sudo usermod -aG {_group(path)} {_user()}   (then log in again)"
    return f"sudo setcap cap_net_raw,cap_net_admin=eip {path}"


def _installed() -> str | None:
    """dumpcap wherever it lies, executable for us or not (its group may be another one)."""
    found = shutil.which("dumpcap")
    if found is not None:
        return found
    for folder in ("/usr/bin", "/usr/sbin", "/usr/local/bin"):
        if Path(folder, "dumpcap").exists():
            return f"{folder}/dumpcap"
    return None


def _is_privileged(path: str) -> bool:
    status = Path(path).stat()
    if status.st_mode & stat.S_ISUID and status.st_uid == 0:
        return True
    try:
        return bool(os.getxattr(path, "security.capability"))
    except OSError:
        return False


def _group(path: str) -> str:
    try:
        return Path(path).group()
    except (KeyError, OSError):
        return "wireshark"


def _user() -> str:
    return os.environ.get("USER") or str(os.getuid())
