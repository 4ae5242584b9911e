"""`inspector serve`: the app in a browser, for who has the key and nobody else, and gone when they leave."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.support.running.lab import needs_lab, wait_until
from tests.support.running.processes import marked

KEY = "a-key-for-tests"


@dataclass
class Serving:
    """A server that runs: its port, process, and the folder of temporary files of all it started."""

    port: int
    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, *, key: str = KEY, **headers: str) -> tuple[int, str]:
        cookie = {"Cookie": f"inspector-key={key}"}
        asked = urllib.request.Request(self.origin + path, headers=cookie | headers)
        try:
            with urllib.request.urlopen(asked, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def visit(self) -> ClientConnection:
        return connect(
            f"ws://127.0.0.1:{self.port}/ws?width=120&height=40", origin=Origin(self.origin), max_size=None,
            additional_headers={"Cookie": f"inspector-key={KEY}"},
        )

    @property
    def apps(self) -> list[int]:
        """Pids of what was started for visitors."""
        return marked(f"{self.folder}/inspector-visitor-".encode())


@contextmanager
def serving(folder: Path, most: int = 4) -> Iterator[Serving]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    app = f"exec {sys.executable} -P -m inspector.tui.visitor"
    given = {"command": app, "host": "127.0.0.1", "port": port, "key": KEY, "most": most}
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "inspector.serve"],
        env={**os.environ, "INSPECTOR_SERVE": json.dumps(given), "TMPDIR": str(folder)},
    ) as process:
        try:
            wait_until(lambda: listens(port), "the server")
            yield Serving(port, process, folder)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0


def listens(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def until(visit: ClientConnection, text: bytes) -> None:
    """Read what is painted until `text` stands in it."""
    seen = b""
    while text not in seen:
        got = visit.recv(30)
        seen = (seen + (got if isinstance(got, bytes) else got.encode()))[-200_000:]


def test_only_who_has_the_key_comes_in(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        for path in ("/", "/ws", "/static/js/textual.js", "/download/x"):
            assert server.get(path, key="another")[0] == 403
            assert server.get(path + "?key=another", key="")[0] == 403
        assert server.get("/ws", Origin="http://127.0.0.1:1")[0] == 403         # another page's script
        assert server.get("/ws")[0] == 403
        status, page = server.get("/")
        assert (status, f"ws://127.0.0.1:{server.port}/ws" in page) == (200, True)
        assert not server.apps


@needs_lab
def test_a_visitor_has_an_app_and_a_lab_that_go_with_them(tmp_path: Path) -> None:
    with serving(tmp_path, most=1) as server:
        with server.visit() as visit:
            until(visit, b"WebSocket")
            assert server.get("/")[0] == 503                                    # all places are taken
            visit.send('["stdin", "w"]')
            until(visit, b"Upgrade")
            assert len(server.apps) > 2                                         # the agent and both ends
        wait_until(lambda: not server.apps, "the end of what the visitor started")
        wait_until(lambda: not list(tmp_path.iterdir()), "the visitor's folders to go")
        assert server.get("/")[0] == 200


@needs_lab
def test_files_and_services_of_this_machine_are_not_for_visitors(tmp_path: Path) -> None:
    with serving(tmp_path) as server, server.visit() as visit:
        until(visit, b"WebSocket")
        for key in ("o", "v", "\x1a"):
            visit.send(json.dumps(["stdin", key]))
        visit.send('["stdin", "?"]')                                            # its box: all were read
        seen = b""
        while b"Keys" not in seen:
            got = visit.recv(30)
            seen += got if isinstance(got, bytes) else got.encode()
        for words in (b"Open which capture", b"listens on this machine", b"Open a file"):
            assert words not in seen


@needs_lab
def test_a_browser_that_sends_what_is_no_message_goes(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        for message in ('"x"', '["stdin"]', '["resize", 5]', "[]", '["stdin", "\\ud800"]', "x"):
            with server.visit() as visit:
                until(visit, b"WebSocket")
                visit.send(message)
                wait_until(lambda: not server.apps, f"the end of the app of who sent {message}")
            assert server.get("/")[0] == 200


def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        given = {"command": "x", "host": "127.0.0.1", "port": server.port, "key": KEY, "most": 1}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "inspector.serve"], capture_output=True, text=True, timeout=60,
            check=False, env={**os.environ, "INSPECTOR_SERVE": json.dumps(given)},
        )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"inspector: Port {server.port} of 127.0.0.1 cannot be had")
    assert done.stderr.count("\n") == 1
