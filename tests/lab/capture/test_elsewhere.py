"""Another network of this machine: a process's, a container's; heard by a socket that is made in there."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from inspector.capture.packet_socket import ANY, bind
from inspector.lab.capture.elsewhere import Place, container, opened_in, place_of
from inspector.lab.capture.privilege import borrow
from inspector.lab.errors import LabError
from inspector.lab.options import NO_LIMITS
from tests.support.running.commands import inspector
from tests.support.running.lab import needs_lab, needs_root
from tests.support.running.processes import first_line
from tests.support.running.users import UNKNOWN, environment, interpreter
from tests.support.screen.terminal import Terminal
from tests.support.screen.window import LEFT, terminal
from tests.support.tiers import thorough

COMMAND = [sys.executable, "-m", "inspector"]
PORT = 4711
PROGRAM = f"""
import socket, sys
from inspector.lab.network import namespace
namespace.enter()
server = socket.create_server(("127.0.0.1", {PORT}))
print("there", flush=True)
for line in sys.stdin:
    with socket.create_connection(("127.0.0.1", {PORT})) as client:
        client.sendall(line.encode())
        accepted, _ = server.accept()
        accepted.recv(100)
        accepted.close()
"""


@contextmanager
def elsewhere() -> Iterator[subprocess.Popen[str]]:
    """A process in a network of its own that says each line of its input to itself, on PORT."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:  # fmt: skip
        assert first_line(process) == "there\n"
        yield process
        assert process.stdin is not None
        process.stdin.close()


def command(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{text}\n")
    process.stdin.flush()


def hears(place: Place, process: subprocess.Popen[str], text: str) -> bool:
    """Whether a socket in that network hears what the process says to itself."""
    with opened_in(place, (PORT,), NO_LIMITS) as packets:
        bind(packets, ANY)
        packets.settimeout(20)
        command(process, text)
        return any(text.encode() in packets.recv(1 << 16) for _ in range(8))


@needs_lab
def test_a_process_s_network_is_heard() -> None:
    with elsewhere() as process:
        assert hears(place_of(str(process.pid)), process, "hello over there")


@needs_lab
def test_a_container_is_found_by_its_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with elsewhere() as process:
        tool = tmp_path / "docker"
        tool.write_text(f"""#!/bin/sh
case "$6" in
  web) echo {process.pid} ;;
  old) echo 0 ;;
  *) echo "Error: No such container: $6" >&2; exit 1 ;;
esac
""")
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(tmp_path))              # without the tools of this machine
        assert hears(container("web"), process, "hello from a container")
        with pytest.raises(LabError, match="old does not run"):
            container("old")
        with pytest.raises(LabError, match=r"nobody.*was not found \(.*No such container: nobody\)"):
            container("nobody")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(LabError, match="Neither docker nor podman"):
        container("web")


@pytest.mark.parametrize("netns", ["", "../x", "no-such-network", "999999999", "-1", "a/b", "\x1b[31m"])
def test_what_is_no_network_is_one_sentence(netns: str) -> None:
    with pytest.raises(LabError) as raised:
        place_of(netns)
    assert raised.value.sentence.isprintable() and raised.value.sentence.endswith(".")


@needs_lab
@pytest.mark.skipif(not interpreter(), reason="a second user needs root, and a Python that it may run")
def test_another_user_s_network_needs_root() -> None:
    with elsewhere() as process:
        program = ("from inspector.lab.capture.elsewhere import *\n"
                   f"opened_in(place_of('{process.pid}'), (), Limits())")
        done = subprocess.run(
            [interpreter(), "-c", program], user=UNKNOWN, group=UNKNOWN, extra_groups=[], env=environment(),
            capture_output=True, text=True, check=False, cwd="/",
        )
    assert f"process {process.pid} belongs to another user: entering it needs root." in done.stderr


@needs_lab
@needs_root
def test_the_helper_opens_a_socket_in_another_network_for_its_ports_alone() -> None:
    with elsewhere() as process, borrow([], (PORT,), 0, process.pid) as packets:
        bind(packets, ANY)
        packets.settimeout(20)
        command(process, "by the helper")
        assert any(b"by the helper" in packets.recv(1 << 16) for _ in range(8))
    with elsewhere() as process, borrow([], (PORT + 1,), 0, process.pid) as packets:
        bind(packets, ANY)
        packets.setblocking(False)
        command(process, "not its port")
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
        with pytest.raises(BlockingIOError):
            packets.recv(1 << 16)


@thorough
@needs_lab
@pytest.mark.skipif(not interpreter(), reason="a second user needs root, and a Python that it may run")
def test_a_helper_is_asked_where_entering_needs_privilege() -> None:
    with tempfile.TemporaryDirectory() as folder, elsewhere() as process:
        lends = Path(folder, "pkexec")       # runs its words as root, as pkexec does on a yes
        shutil.copy("/usr/bin/env", lends)
        lends.chmod(0o4755)
        Path(folder).chmod(0o777)
        words = [str(shutil.which("setpriv")), f"--reuid={UNKNOWN}", f"--regid={UNKNOWN}", "--clear-groups",
                 interpreter(), "-m", "inspector", "watch", "--netns", str(process.pid), str(PORT)]
        given = environment(PATH=folder, XDG_STATE_HOME=folder, HOME=folder)
        with Terminal.of(words, given) as app:
            app.until_shown(f"process {process.pid}", "● live")
            command(process, "hello by pkexec")
            app.until_shown("hello by pkexec")
            app.press("\x11")
            assert app.end() == 0


@needs_lab
def test_the_app_watches_another_network(tmp_path: Path) -> None:
    with elsewhere() as process:
        words = [*COMMAND, "watch", "--netns", str(process.pid), str(PORT)]
        with terminal(tmp_path, words, size=(120, 40)) as app:
            app.until_shown(f"process {process.pid}", "● live")
            command(process, "hello on the screen")
            app.until_shown("hello on the screen")
            app.write(b"\x11")
            app.read_until(LEFT)
            assert app.ended() == 0


def test_two_places_at_once_are_refused() -> None:
    words = [*COMMAND, "watch", "--netns", "1", "--container", "x"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        2, "inspector: One place at a time: a machine, --pid, --name, --netns or --container.\n")


@pytest.mark.parametrize("words", ["--netns nope", "--netns 4000000", "--netns ..", "--container nope",
                                   "--container -x"])
def test_what_has_no_such_name_is_a_mistake_of_who_wrote_it(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "docker"
    tool.write_text('#!/bin/sh\necho "Error: No such container: $6" >&2; exit 1\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    done = inspector("watch", *words.split())
    assert done.returncode == 2, done.stderr
    tool.write_text('#!/bin/sh\necho "Cannot connect to the Docker daemon." >&2; exit 1\n')
    if words == "--container nope":
        done = inspector("watch", *words.split())
        assert done.returncode == 3 and "Cannot connect" in done.stderr
        tool.unlink()
        assert inspector("watch", *words.split()).returncode == 3       # nobody knows
