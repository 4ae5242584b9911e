"""The process whose ports are watched: by its number, or by a name that it has or will have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from inspector.cli.errors import MISSING, USAGE, CommandError
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.lab.options import Process


def process_of(pid: int | None, name: str | None) -> Process:
    """What --pid or --name say. CommandError where nobody can be meant."""
    from inspector.lab.options import Process  # here and below: help is to be instant

    if pid is None:
        if not name or "/" in name or not name.isprintable():
            shown = escaped(name or "", 40)
            raise CommandError(f"\"{shown}\" is no name of a process; 'ps -e' tells them.", USAGE)
        return Process(0, name)
    try:
        called = Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        raise CommandError(f"There is no process {pid}; --name waits for one.", USAGE) from None
    return Process(pid, escaped(called, 40))


def require_sockets_of(process: Process) -> None:
    """CommandError where this user may not know which sockets the process has, or they are elsewhere."""
    from inspector.kernel.followed import can_be_followed

    if not process.pid:
        return
    if not can_be_followed(process.pid):
        raise CommandError(
            f"{process.name} {process.pid} is another user's: which sockets it has, only root may know.",
            MISSING, "inspector watch PORT, with the ports that it listens on",
        )
    network = Path(f"/proc/{process.pid}/ns/net").stat().st_ino
    if network != Path("/proc/self/ns/net").stat().st_ino:
        raise CommandError(f"{process.name} {process.pid} lives in another network than this one.", MISSING,
                           f"inspector watch --netns {process.pid}")
