"""The packet socket of another network of this machine: a process's, a named one's, a container's.

    PID, name of `ip netns`, container ─> Place ─> a child enters it, opens the socket ─> the socket, for us

A socket belongs to the network in which it was made, whoever uses it. Entering needs root, or that the
network's user namespace is the caller's own (rootless containers, the lab).
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from inspector.capture.choice import choose_program
from inspector.capture.packet_socket import lock_filter, open_everywhere
from inspector.lab.errors import LabError, NeedsRootError, NoSuchError
from inspector.lab.network.namespace import CLONE_NEWNET, CLONE_NEWUSER
from inspector.lab.options import Limits
from inspector.wire.text import escaped

_NAMED = Path("/run/netns")                # where `ip netns add` keeps them
_TOOLS = ("docker", "podman")
_NO_SUCH = re.compile(r"\bno such (container|object)\b", re.IGNORECASE)
_PATIENCE = 20.0                           # seconds for a container tool's answer


@dataclass(frozen=True, slots=True)
class Place:
    """A network: `words` for people ("process 812", "container web"), `pid` 0 where it has a name alone."""

    words: str
    network: Path
    pid: int = 0


def place_of(netns: str) -> Place:
    """The network of a process id, or of a name of `ip netns`. LabError where there is none."""
    if netns.isascii() and netns.isdigit() and len(netns) < 10:
        if not Path("/proc", netns).is_dir():
            raise NoSuchError(f"There is no process {netns}.")
        return Place(f"process {netns}", Path("/proc", netns, "ns/net"), int(netns))
    shown = escaped(netns, 40)
    if not netns or "/" in netns or netns.startswith("."):
        raise NoSuchError(f"\"{shown}\" is no process id, and no name of a network namespace.")
    if not (_NAMED / netns).exists():
        raise NoSuchError(f"There is no network namespace \"{shown}\".", "ip netns list")
    return Place(f"network {shown}", _NAMED / netns)


def container(name: str) -> Place:
    """The network of a running container, as docker or podman tell. LabError where there is none."""
    shown = escaped(name, 40)
    if not name or name.startswith("-"):
        raise NoSuchError(f"\"{shown}\" is no name of a container.")
    tools = [path for tool in _TOOLS if (path := shutil.which(tool))]
    if not tools:
        raise LabError("Neither docker nor podman is installed here, which would tell of containers.")
    complaint, knows_none = "", True
    for tool in tools:
        try:
            asked = subprocess.run(
                [tool, "inspect", "--type", "container", "--format", "{{.State.Pid}}", name], check=False,
                capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=_PATIENCE,
            )
        except (OSError, subprocess.TimeoutExpired):
            complaint, knows_none = f"{Path(tool).name} does not answer", False
            continue
        answer = asked.stdout.strip()
        if asked.returncode == 0 and answer.isascii() and answer.isdigit():
            if int(answer) == 0:
                raise LabError(f"The container {shown} does not run.", f"{Path(tool).name} start {shown}")
            return Place(f"container {shown}", Path("/proc", answer, "ns/net"), int(answer))
        lines = [line for line in asked.stderr.splitlines() if line.strip()]
        complaint = f"{Path(tool).name}: {escaped(lines[-1].strip(), 200)}" if lines else complaint
        knows_none = knows_none and _NO_SUCH.search(asked.stderr) is not None
    sentence = f"The container {shown} was not found ({complaint or 'nobody knows it'})."
    raise NoSuchError(sentence) if knows_none else LabError(sentence)      # else a tool could not say


def opened_in(place: Place, ports: tuple[int, ...], limits: Limits) -> socket.socket:
    """A packet socket of all interfaces of that network, its filter locked, not bound. LabError if not.

    NeedsRootError: this process may not enter it; `privilege.borrow` asks somebody who may.
    """
    program, _ = choose_program(ports, limits.filter, limits.snaplen)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child = os.fork()
    if child == 0:
        try:
            _enter(place)
            made = open_everywhere(program)
            lock_filter(made)
            socket.send_fds(theirs, [b"s"], [made.fileno()])
        except OSError as error:
            theirs.send(f"{error.errno or 0} {error.strerror or error}".encode())
        finally:
            os._exit(0)
    theirs.close()
    with ours:
        answer, descriptors, _, _ = socket.recv_fds(ours, 4096, 1)
        os.waitpid(child, 0)
    if descriptors:
        return socket.socket(fileno=descriptors[0])
    number, _, reason = answer.decode("utf-8", "replace").partition(" ")
    if number in ("1", "13"):                                # EPERM, EACCES
        raise NeedsRootError(
            f"The network of {place.words} belongs to another user: entering it needs root.",
            "run the same command with sudo",
        )
    raise LabError(f"The network of {place.words} cannot be watched: {reason or 'nothing was said'}.")


def _enter(place: Place) -> None:
    """Move this process into a network; by its user namespace where that is needed."""
    network = os.open(place.network, os.O_RDONLY | os.O_CLOEXEC)
    owner = Path("/proc", str(place.pid), "ns/user")
    if os.geteuid() != 0 and place.pid and owner.stat().st_ino != Path("/proc/self/ns/user").stat().st_ino:
        user = os.open(owner, os.O_RDONLY | os.O_CLOEXEC)
        _setns(user, CLONE_NEWUSER)
    _setns(network, CLONE_NEWNET)


def _setns(descriptor: int, kind: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, kind) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
