"""The packet socket of the host's loopback: opened by a minimal helper that sudo or pkexec runs, or by root
itself, who becomes the calling user then: no screen runs as root.

ports -> `capture/opener.py` with privilege -> the socket, by SCM_RIGHTS -> an agent without privilege.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from inspector.capture import opener
from inspector.capture.choice import choose_program
from inspector.lab.errors import LabError
from inspector.lab.files.ownership import called_by, under_sudo
from inspector.lab.network import namespace
from inspector.lab.options import Limits
from inspector.lab.programs.processes import inspectable


def asker() -> list[str]:
    """The command that asks for the privilege, where a terminal allows asking: sudo, or pkexec; else none."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return []
    if path := shutil.which("sudo"):
        return [path, "-p", "[sudo] password for %p, for one packet socket: ", "--"]
    path = shutil.which("pkexec")
    return [path] if path else []


def borrow(ask: list[str], ports: tuple[int, ...], snaplen: int, pid: int = 0) -> socket.socket:
    """The packet socket that the helper opens for us; `pid`: in this process's network. LabError if not."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    words = [sys.executable, "-I", str(Path(opener.__file__).resolve())]
    words += map(str, (snaplen, *((0, pid) if pid else ()), *ports))
    with ours:
        with theirs:
            try:
                status = subprocess.run([*ask, *words], stdin=theirs.fileno(), check=False).returncode
            except OSError as error:
                raise LabError(f"{ask[0]} cannot be run: {error.strerror}.") from error
        ours.setblocking(False)
        try:
            _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
        except BlockingIOError:
            descriptors = []
    if not descriptors:
        raise LabError(f"{Path(ask[0]).name} gave no packet socket (status {status}).")
    return socket.socket(fileno=descriptors[0])


def opened(ports: tuple[int, ...], limits: Limits) -> socket.socket:
    """The packet socket, opened by this process. LabError where it may not."""
    program, _ = choose_program(ports, limits.filter, limits.snaplen)
    try:
        return opener.opened(program)
    except OSError as error:
        raise LabError(f"The packet socket was refused: {error.strerror or error}.") from error


def caller_has_a_lab() -> bool:
    """Whether who called sudo may have a private network, and read and run this program: a child tries."""
    return _caller_can(namespace.enter)


def leave_root(*, lab: bool) -> str:
    """Be who called sudo, for a screen; "" where nothing speaks against it, else why it stays root's.

    `lab`: a private network is wanted, which a root may have where its caller may not.
    """
    if not under_sudo():
        return ""
    if not _caller_can(lambda: None):
        return "The screen runs as root: who called sudo may not read this program."
    if lab and not caller_has_a_lab():
        return "The screen runs as root: who called sudo may have no private network here."
    become_caller()
    return ""


def _caller_can(do: Callable[[], object]) -> bool:
    """Whether who called sudo may read and run this program, and do that: a child tries."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            become_caller()
            if os.access(sys.executable, os.X_OK) and os.access(__file__, os.R_OK):
                do()
                status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0


def become_caller() -> None:
    """Be who called sudo, for good: user, groups, home. LabError where that cannot be."""
    number = called_by()
    try:
        user = pwd.getpwuid(number) if number is not None else None
        if user is None:
            return
        os.initgroups(user.pw_name, user.pw_gid)
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    except (KeyError, OSError) as error:
        raise LabError(f"The user who called cannot be had again (uid {number}).") from error
    inspectable()
    os.environ.update(HOME=user.pw_dir, USER=user.pw_name, LOGNAME=user.pw_name)
    for name in ("SUDO_UID", "SUDO_GID", "SUDO_USER", "PKEXEC_UID"):
        os.environ.pop(name, None)
