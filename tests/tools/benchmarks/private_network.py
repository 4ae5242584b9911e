"""`python -m tests.tools.benchmarks.private_network CMD...`: a command as root of a private network.

Root gets a network namespace; others a user namespace around it, in which they are root, so that tcpdump
and dumpcap may capture there too. Imports nothing that starts threads: with these it would be refused.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from inspector.lab.network import namespace


def enter_as_root() -> None:
    """Make the network and bring its loopback up."""
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        namespace.enter()
        return
    namespace.unshare(namespace.CLONE_NEWUSER | namespace.CLONE_NEWNET)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    namespace.loopback_up()


if __name__ == "__main__":
    enter_as_root()
    os.execvp(sys.argv[1], sys.argv[1:])
