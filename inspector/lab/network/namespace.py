"""A private network for this process: a user namespace and a network namespace of its own.

`enter()` moves the calling, still single-threaded process (the agent) into them: it keeps its uid, gets a
loopback of its own that is up (IPv4 and IPv6), and may open packet sockets on it; what it starts later
lives there too. `reason_forbidden()` turns a refusal into the sentence and command that mend it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

from inspector.lab.errors import LabError
from inspector.lab.network import apparmor
from inspector.model.language import spoken

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_IFF_UP, _IFF_RUNNING = 0x1, 0x40

_SYSCTL = "/proc/sys/"
_AS_ROOT = "run the same command with sudo (it then uses this machine's own loopback)"
_CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")


def enter() -> None:
    """Move this process into a network of its own; raises LabError where that is forbidden.

    Root that may do so gets a network namespace alone, so that it stays root for files; everyone else
    a user namespace around it. Must be called before any thread is started. When it fails half way
    (mapping refused), the process has lost its privileges: try it in a child first (`probe`).
    """
    uid, gid = os.geteuid(), os.getegid()
    try:
        if uid != 0 or not _try_network_alone():
            unshare(CLONE_NEWUSER | CLONE_NEWNET)
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"{uid} {uid} 1")
            _write("/proc/self/gid_map", f"{gid} {gid} 1")
        settle(gid)
    except OSError as error:
        raise reason_forbidden(error) from error


def settle(gid: int | None = None) -> None:
    """Make a network that is new fit to live in: its loopback up, any port free to all."""
    _loosen(os.getegid() if gid is None else gid)
    loopback_up()


def probe(then: Callable[[], object] = lambda: None) -> LabError | None:
    """Try `enter()`, and what is to work in there, in a child; None when it does, else why not."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        answer = b"ok"
        try:
            os.close(reader)
            enter()
            then()
        except LabError as error:
            answer = f"{error.sentence}\0{error.remedy}".encode()
        except BaseException as error:
            answer = f"The private network failed: {error!r}.\0".encode()
        finally:
            os.write(writer, answer)
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        answer = stream.read()
    os.waitpid(child, 0)
    if answer == b"ok":
        return None
    sentence, _, remedy = answer.decode("utf-8", "replace").partition("\0")
    return LabError(sentence or "The private network failed.", remedy)


def loopback_up() -> None:
    """Bring `lo` of this network namespace up; OSError where that is not permitted."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack_from("H", fcntl.ioctl(control, _SIOCGIFFLAGS, request), 16)[0]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP | _IFF_RUNNING))


def has_ipv6() -> bool:
    """True when ::1 is there (in this process's network)."""
    try:
        return "00000000000000000000000000000001" in Path("/proc/net/if_inet6").read_text()
    except OSError:
        return False


def keep_half_closed(seconds: int) -> None:
    """Have this private network keep FIN-WAIT-2 for so long (Linux: 60 s), where that may be set."""
    with contextlib.suppress(OSError):                 # a file system that is read-only: it waits as ever
        _write(f"{_SYSCTL}net/ipv4/tcp_fin_timeout", str(seconds))


def identity(pid: int | str = "self") -> int:
    """The inode of a process's network namespace; processes with the same one share it."""
    return Path(f"/proc/{pid}/ns/net").stat().st_ino


def reason_forbidden(error: OSError) -> LabError:
    """Why the namespaces were refused, as one sentence, and the command that mends this cause."""
    for path, bad, sentence, remedy in _SWITCHES:
        if _read(path) == bad:
            return LabError(sentence, remedy or apparmor.remedy() or _AS_ROOT)
    if error.errno in (errno.ENOSPC, errno.EUSERS):
        return LabError(
            "The limit of namespaces on this system is used up.",
            "sudo sysctl -w user.max_user_namespaces=15000 user.max_net_namespaces=15000",
        )
    if error.errno == errno.EINVAL:
        return LabError("This kernel was built without user or network namespaces.", _AS_ROOT)
    if _in_container():
        return LabError(
            "This container forbids the lab's private network (its seccomp profile refuses user namespaces).",
            "start the container with: --security-opt seccomp=unconfined --security-opt apparmor=unconfined",
        )
    return LabError(f"The lab's private network was refused: {error.strerror or error}.", _AS_ROOT)


_SWITCHES = (
    (
        "kernel/apparmor_restrict_unprivileged_userns", "1",
        spoken("AppArmor forbids user namespaces to programs without a profile (Ubuntu 23.10 and later)."),
        "",                                # a profile for this program, not the switch that opens all
    ),
    (
        "kernel/unprivileged_userns_clone", "0",
        spoken("This system forbids user namespaces to ordinary users."),
        "sudo sysctl -w kernel.unprivileged_userns_clone=1",
    ),
    (
        "user/max_user_namespaces", "0",
        spoken("This system allows no user namespaces (user.max_user_namespaces is 0)."),
        "sudo sysctl -w user.max_user_namespaces=15000",
    ),
    (
        "user/max_net_namespaces", "0",
        spoken("This system allows no network namespaces (user.max_net_namespaces is 0)."),
        "sudo sysctl -w user.max_net_namespaces=15000",
    ),
)


def _try_network_alone() -> bool:
    try:
        unshare(CLONE_NEWNET)
    except OSError:
        return False
    return True


def unshare(flags: int) -> None:
    """Leave the namespaces of these kinds for new ones (unshare(2)); OSError where that is refused."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _loosen(gid: int) -> None:
    """Let any port be bound and `ping` work in there, and IPv6 be on; each is a comfort, none a need."""
    for name, value in (
        ("net/ipv4/ip_unprivileged_port_start", "0"),
        ("net/ipv4/ping_group_range", f"{gid} {gid}"),
        ("net/ipv6/conf/all/disable_ipv6", "0"),
        ("net/ipv6/conf/lo/disable_ipv6", "0"),
    ):
        try:
            _write(_SYSCTL + name, value)
        except OSError:
            continue


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _read(name: str) -> str:
    try:
        return Path(_SYSCTL + name).read_text().strip()
    except OSError:
        return ""


def _in_container() -> bool:
    if any(Path(mark).exists() for mark in _CONTAINER_MARKS):
        return True
    try:
        return "Seccomp:\t2" in Path("/proc/self/status").read_text()
    except OSError:
        return False
