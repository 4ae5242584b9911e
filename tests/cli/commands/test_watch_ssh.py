"""`inspector watch ssh://…`: what tcpdump hears on another machine, by a real sshd where there is one."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.cli.errors import CommandError
from inspector.cli.options.remote import remote_command, remote_of
from inspector.lab.capture.access import may_capture
from tests.support.running.lab import wait_until
from tests.support.running.sessions import free_port
from tests.support.screen.window import LEFT, terminal

COMMAND = [sys.executable, "-m", "inspector"]
SSHD = shutil.which("sshd", path=f"{os.defpath}:/usr/sbin")
needs_sshd = pytest.mark.skipif(
    not (SSHD and shutil.which("ssh-keygen") and shutil.which("ssh")), reason="no sshd is installed here")
needs_tcpdump = pytest.mark.skipif(
    not (shutil.which("tcpdump") and may_capture()), reason="tcpdump needs CAP_NET_RAW")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of an sshd of our own, at which `ssh` of the path logs in by a key of our own."""
    for name in ("host", "user"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(words, check=True)
    port, ssh = free_port(), shutil.which("ssh")
    shutil.copy(tmp_path / "user.pub", tmp_path / "authorized")
    (tmp_path / "sshd").write_text(f"""Port {port}
ListenAddress 127.0.0.1
HostKey {tmp_path}/host
AuthorizedKeysFile {tmp_path}/authorized
PidFile {tmp_path}/pid
StrictModes no
UsePAM no
PermitRootLogin yes
""")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "ssh").write_text(f"""#!/bin/sh
exec {ssh} -F none -o IdentityFile={tmp_path}/user -o IdentitiesOnly=yes -o BatchMode=yes \\
    -o UserKnownHostsFile={tmp_path}/known -o StrictHostKeyChecking=accept-new "$@"
""")
    (tools / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    words = [str(SSHD), "-D", "-e", "-f", str(tmp_path / "sshd")]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as ran:
        wait_until(lambda: _answers(port), "sshd")
        yield port
        ran.terminate()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class Echoes(socketserver.BaseRequestHandler):
    """Sends back what comes."""

    def handle(self) -> None:
        while data := self.request.recv(1 << 16):
            self.request.sendall(data)


@needs_sshd
@needs_tcpdump
def test_the_app_watches_another_machine(machine: int, tmp_path: Path) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echoes) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        words = [*COMMAND, "watch", f"ssh://{getpass.getuser()}@127.0.0.1:{machine}", str(port)]
        with terminal(tmp_path, words, size=(120, 40)) as app:
            app.until_shown("Packets")
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"hello from afar")
                client.recv(100)
            app.until_shown("hello from afar")
            app.write(b"\x11")
            app.read_until(LEFT)
            assert app.ended() == 0
        server.shutdown()


@needs_sshd
def test_a_machine_that_knows_us_not_is_one_sentence(machine: int, tmp_path: Path) -> None:
    (tmp_path / "authorized").write_text("")
    words = [*COMMAND, "watch", f"ssh://{getpass.getuser()}@127.0.0.1:{machine}"]
    with terminal(tmp_path, words) as app:
        app.read_until(b"Permission denied")
        assert app.ended() == 4


def test_a_machine_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with terminal(tmp_path, [*COMMAND, "watch", f"ssh://nobody@127.0.0.1:{free_port()}"]) as app:
        app.read_until(b"Nothing comes from 127.0.0.1")
        assert app.ended() == 4


@pytest.mark.parametrize("url", [
    "ssh://", "ssh://-oProxyCommand=x", "ssh://a b", "ssh://u@-x", "ssh://-l@x", "ssh://x/path", "ssh://u:p@x",
    "ssh://x:99999", "ssh:x", "ssh://x;id", "ssh://$(id)@x", "ssh://\x1b[31m",
])
def test_what_is_no_machine_is_one_sentence(url: str) -> None:
    with pytest.raises(CommandError) as raised:
        remote_of(url)
    assert "\n" not in str(raised.value) and "\x1b" not in str(raised.value)


def test_a_url_is_a_machine() -> None:
    found = remote_of("ssh://me@build.example:2222")
    assert (found.user, found.host, found.port) == ("me", "build.example", 2222)
    assert remote_of("ssh://[::1]").host == "::1"
    assert "'port 80 or port 443'" in remote_command((80, 443), 22)
    assert "'not tcp port 2222'" in remote_command((), 2222)
