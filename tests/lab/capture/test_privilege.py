"""The packet socket of the host: a helper with privilege opens it and takes numbers alone; used without."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.capture import opener
from inspector.lab.capture.access import may_capture
from inspector.lab.capture.privilege import borrow
from inspector.lab.errors import LabError
from tests.support.captures.traces import TRACES
from tests.support.running.lab import needs_lab
from tests.support.running.users import UNKNOWN, environment, interpreter
from tests.support.screen.terminal import Terminal
from tests.support.tiers import sweep

needs_privilege = pytest.mark.skipif(not may_capture(), reason="the helper needs root or CAP_NET_RAW")
HELPER = [sys.executable, "-I", str(Path(opener.__file__))]


@given(st.lists(st.text(max_size=8)))
def test_any_words_are_numbers_in_range_or_refused(words: list[str]) -> None:
    try:
        snaplen, pid, ports = opener.numbers(words)
    except ValueError:
        return
    place = ("0", str(pid)) if pid else ()
    assert [str(snaplen), *place, *map(str, ports)] == [str(int(word)) for word in words]
    assert 0 <= snaplen <= 1 << 18
    assert all(0 < port < 1 << 16 for port in ports)


@pytest.mark.parametrize("words", [
    [], ["x"], ["0", "/etc/shadow"], ["0", "-i", "eth0"], ["0", "0"], ["0", "65536"], ["-1"], ["262145"],
    ["0", "٨٠"], ["0", "8000;id"], ["0", *["80"] * 65], ["0", "80", "--help"], ["0", "0", "0"],
    ["0", "0", "4194305"], ["0", "0", "-1"], ["0", "80", "0", "812"], ["0", "0", "812", "0"],
    ["0", "0", "../1"], ["0", "0", "812", *["80"] * 65],
])  # fmt: skip
def test_what_is_no_number_of_ports_gets_nothing(words: list[str]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done = subprocess.run(
            [*HELPER, *words], stdin=theirs.fileno(), capture_output=True, text=True, check=False
        )
        theirs.close()
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert ours.recv(10) == b""


@needs_privilege
@pytest.mark.parametrize("kind", ["a file", "nothing", "TCP"])
def test_only_a_unix_socket_is_answered(kind: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, (tmp_path / "x").open("wb") as file:
        stdin = {"a file": file.fileno(), "nothing": subprocess.DEVNULL, "TCP": listener.fileno()}[kind]
        done = subprocess.run([*HELPER, "0", "80"], stdin=stdin, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert not (tmp_path / "x").read_bytes()


@needs_privilege
def test_this_machine_s_own_network_is_not_opened_as_another_one() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done = subprocess.run([*HELPER, "0", "0", str(os.getpid())], stdin=theirs.fileno(),
                              capture_output=True, text=True, check=False)
        theirs.close()
        assert (done.returncode, done.stderr) == (2, "inspector: that is this machine's own network.\n")
        assert ours.recv(10) == b""


@needs_privilege
def test_the_socket_hears_its_ports_on_the_loopback_and_keeps_its_filter() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as wanted, socket.socket(type=socket.SOCK_DGRAM) as other:
        wanted.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        with borrow([], (wanted.getsockname()[1],), 0) as packets:
            packets.bind(("lo", 3))
            packets.settimeout(20)
            for text in (b"before", b"after"):
                other.sendto(b"not for us", other.getsockname())
                wanted.sendto(text, wanted.getsockname())
                assert packets.recv(1 << 16).endswith(text)


@needs_privilege
@pytest.mark.skipif(not interpreter(), reason="a second user needs root, and a Python that it may run")
def test_who_has_the_socket_cannot_change_its_filter() -> None:
    program = """
import socket, sys
from inspector.capture.bpf import ACCEPT_ALL
from inspector.capture.packet_socket import attach
attach(socket.socket(fileno=int(sys.argv[1])), ACCEPT_ALL)
"""
    with borrow([], (80,), 0) as packets:
        done = subprocess.run(
            [interpreter(), "-c", program, str(packets.fileno())], pass_fds=[packets.fileno()], check=False,
            user=UNKNOWN, group=UNKNOWN, extra_groups=[], capture_output=True, text=True, cwd="/",
            env=environment(),
        )
    assert "Operation not permitted" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_under_sudo_becomes_who_called_for_good() -> None:
    program = """
import os
from inspector.lab.capture.privilege import become_caller, under_sudo
assert under_sudo()
become_caller()
assert not under_sudo()
print(os.getresuid(), os.getresgid(), os.getgroups(), os.environ["USER"])
os.setuid(0)
"""
    nobody = pwd.getpwnam("nobody")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False,
        env={**os.environ, "SUDO_UID": str(nobody.pw_uid)},
    )
    users, groups = ((number,) * 3 for number in (nobody.pw_uid, nobody.pw_gid))
    assert done.stdout.strip() == f"{users} {groups} {[nobody.pw_gid]} nobody"
    assert "Operation not permitted" in done.stderr


def test_a_helper_that_gives_nothing_is_a_sentence() -> None:
    with pytest.raises(LabError, match=r"false gave no packet socket \(status 1\)"):
        borrow(["/bin/false"], (80,), 0)
    with pytest.raises(LabError, match="cannot be run"):
        borrow(["/nowhere/sudo"], (80,), 0)


@needs_lab
@pytest.mark.skipif(not interpreter(), reason="a second user needs root, and a Python that it may run")
@sweep("command", [["exec", "--reach", "9"], ["record", "-o", "x.pcapng", "--lab"]],
       lambda command: command[0] == "exec")
def test_a_program_under_sudo_is_the_callers(command: list[str], tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    program = ["sh", "-c", "id -u; readlink /proc/self/ns/user; nsenter --net=/proc/1/ns/net true"]
    done = subprocess.run(
        [interpreter(), "-m", "inspector", *command, "--", *program], capture_output=True, text=True,
        env=environment(SUDO_UID=str(nobody.pw_uid), XDG_STATE_HOME=str(tmp_path)), cwd=tmp_path, check=False,
    )
    user, namespace = done.stdout.splitlines()[:2]
    assert user == str(nobody.pw_uid), done.stderr
    assert namespace != str(Path("/proc/self/ns/user").readlink())
    assert done.returncode != 0                            # of nsenter, which is refused


SHOWS = """
import os, sys
from inspector.tui.app import InspectorApp
InspectorApp.run = lambda app: print("the screen is", os.getresuid(), flush=True) or 0
from inspector.cli import main
sys.argv[1:] = {words}
main()
"""


@needs_lab
@pytest.mark.skipif(not interpreter(), reason="a second user needs root, and a Python that it may run")
@sweep("words", [["open", "x.pcapng"], ["talk", "tcp://127.0.0.1:{port}"], []],
       lambda words: words[:1] != ["talk"])
def test_no_screen_runs_as_root_under_sudo(words: list[str], tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    shutil.copy(TRACES / "tcp.pcapng", tmp_path / "x.pcapng")
    for path in (tmp_path, *tmp_path.parents[:3]):
        path.chmod(path.stat().st_mode | 0o055)
    with socket.create_server(("127.0.0.1", 0)) as service:
        given = [word.format(port=service.getsockname()[1]) for word in words]
        terminal = Terminal.of(
            [interpreter(), "-c", SHOWS.format(words=[
                str(tmp_path / word) if word == "x.pcapng" else word for word in given])],
            environment(SUDO_UID=str(nobody.pw_uid), XDG_STATE_HOME=str(tmp_path)))
        with terminal:
            terminal.until_shown(f"the screen is ({nobody.pw_uid}, {nobody.pw_uid}, {nobody.pw_uid})")


@pytest.mark.skipif(not interpreter(), reason="a second user needs root, and a Python that it may run")
def test_a_file_that_the_caller_may_not_read_is_one_sentence(tmp_path: Path) -> None:
    secret = tmp_path / "secret.pcapng"
    shutil.copy(TRACES / "tcp.pcapng", secret)
    secret.chmod(0o600)
    done = subprocess.run(
        [interpreter(), "-m", "inspector", "open", str(secret)], capture_output=True, text=True, check=False,
        env=environment(SUDO_UID=str(pwd.getpwnam("nobody").pw_uid)), cwd="/",
    )
    assert done.returncode == 4 and done.stderr.count("\n") == 1
    assert done.stderr.endswith("Under sudo the app is the calling user's, who reads it.\n")
