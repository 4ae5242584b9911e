"""`inspector serve`: the app in a browser, for who has the key and nobody else, and gone when they leave."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.error import HTTPError

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from inspector.lessons.classroom.ballot import Ballot, BallotBox
from inspector.lessons.classroom.gather import gathered
from tests.support.running.chromium import chromium, needs_chromium
from tests.support.running.lab import needs_lab, wait_until
from tests.support.running.processes import marked
from tests.support.tiers import sweep, thorough

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

    def visit(self, *cookies: str) -> ClientConnection:
        return connect(
            f"ws://127.0.0.1:{self.port}/ws?width=120&height=40", origin=Origin(self.origin), max_size=None,
            additional_headers={"Cookie": "; ".join([f"inspector-key={KEY}", *cookies])},
        )

    def seat(self, *cookies: str) -> str:
        """The seat of the class that the page gives a browser with these cookies; "" for none."""
        cookie = {"Cookie": "; ".join([f"inspector-key={KEY}", *cookies])}
        asked = urllib.request.Request(self.origin, headers=cookie)
        with urllib.request.urlopen(asked, timeout=20) as answer:
            given = [one for one in answer.headers.get_all("Set-Cookie", []) if "inspector-seat=" in one]
            assert all("HttpOnly" in one and "SameSite=Strict" in one for one in given)
            return given[0].partition("=")[2].partition(";")[0] if given else ""

    @property
    def apps(self) -> list[int]:
        """Pids of what was started for visitors."""
        return marked(f"{self.folder}/inspector-visitor-".encode())


@contextmanager
def serving(folder: Path, most: int = 4, classroom: Path | None = None) -> Iterator[Serving]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder.mkdir(exist_ok=True)
    app = f"exec {sys.executable} -P -m inspector.tui.visitor"
    given = {"command": app, "host": "127.0.0.1", "port": port, "key": KEY, "most": most,
             "class": None if classroom is None else str(classroom)}
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "inspector.serve"],
        env={**os.environ, "INSPECTOR_SERVE": json.dumps(given), "TMPDIR": str(folder)},
    ) as process:
        try:
            wait_until(lambda: listens(port), "the server")
            yield Serving(port, process, folder)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) in (0, -signal.SIGKILL)


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
        wait_until(lambda: server.get("/")[0] == 200, "the place to be free")


@thorough
@needs_lab
def test_a_server_that_is_killed_leaves_no_visitors(tmp_path: Path) -> None:
    """Their apps notice that it has gone, end what they started, and take their folders along."""
    with serving(tmp_path) as server, server.visit() as first, server.visit() as second:
        until(first, b"WebSocket")
        until(second, b"WebSocket")
        first.send('["stdin", "w"]')
        until(first, b"Upgrade")
        assert len(server.apps) > 3
        server.process.kill()
        wait_until(lambda: not server.apps, "the end of what the visitors started")
        wait_until(lambda: not list(tmp_path.iterdir()), "the visitors' folders to go")


@thorough
def test_a_later_server_removes_what_a_dead_one_left(tmp_path: Path) -> None:
    left, fresh, other, link = (tmp_path / f"inspector-visitor-{name}" for name in ("a", "b", "c", "d"))
    for folder in (left, fresh, other):
        (folder / "state").mkdir(parents=True)
    link.symlink_to(tmp_path / "elsewhere")
    os.utime(left, (0, 0))
    os.utime(other, (0, 0))
    os.utime(fresh, (time.time() + 3600,) * 2)           # however long this server takes to begin
    with serving(tmp_path) as server:
        assert server.get("/")[0] == 200
        assert not left.exists() and not other.exists()
        assert fresh.exists() and link.is_symlink()      # one that another server may be making; no folder
        with server.visit() as visit:
            until(visit, b"WebSocket")
            (folder,) = (one for one in tmp_path.glob("inspector-visitor-*") if one not in (fresh, link))
            os.utime(folder, (0, 0))
            with serving(tmp_path) as second:
                assert second.get("/")[0] == 200
            assert folder.exists() and server.apps           # its server lives


@thorough
@needs_lab
@needs_chromium
def test_the_page_hears_keys_at_once_and_asks_nobody_else(tmp_path: Path) -> None:
    with serving(tmp_path / "server") as server, chromium(tmp_path / "profile") as tab:
        tab.call("Page.navigate", url=f"{server.origin}/?key={KEY}")
        tab.until("document.body?.classList.contains('-first-byte')", "the first picture")
        tab.until("document.activeElement.matches('.xterm-helper-textarea')", "the terminal's focus")
        tab.until("document.documentElement.scrollHeight <= innerHeight", "a page that need not be scrolled")
        tab.until("innerHeight - document.querySelector('.xterm-screen').getBoundingClientRect().bottom < 30",
                  "the last line at the window's end")
        tab.press("t")                                                  # without a click: TCP's session
        wait_until(lambda: len(server.apps) > 2, "the agent and both ends")
        assert all(url.startswith((server.origin, f"ws://127.0.0.1:{server.port}", "data:"))
                   for url in tab.asked), tab.asked
        assert all(status < 400 for status, _ in tab.answered), tab.answered
        tab.press("q")
        tab.until("document.body.classList.contains('-closed')", "the end")
        assert tab.value("document.activeElement.textContent") == "Restart"


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


def press(visit: ClientConnection, *keys: str) -> None:
    for key in keys:
        visit.send(json.dumps(["stdin", key]))


def a_class(folder: Path) -> Path:
    (folder / "class" / "votes").mkdir(parents=True, mode=0o700)
    return folder / "class"


@thorough
@needs_lab
def test_a_browser_keeps_its_seat_in_a_class_and_nobody_takes_anothers(tmp_path: Path) -> None:
    folder = a_class(tmp_path)
    with serving(tmp_path / "server", classroom=folder) as server:
        seat = server.seat()
        assert len(seat) == 22 and server.seat() not in ("", seat)
        assert server.seat(f"inspector-seat={seat}") == ""                      # it is kept
        for forged in ("../../x", "A" * 22, "lead"):
            assert len(server.seat(f"inspector-seat={forged}")) == 22
        with server.visit(f"inspector-seat={seat}") as visit:
            until(visit, b"Your name")
            wait_until(lambda: (folder / "votes" / f"{seat}.json").exists(), "the learner to be there")
            press(visit, *"Ada", "\r")
            wait_until(lambda: (folder / f"{seat}.json").exists(), "the name to be kept")
        wait_until(lambda: not server.apps, "the end of the visitor")
        wait_until(lambda: not list((folder / "votes").iterdir()), "the vote to go")
        assert json.loads((folder / f"{seat}.json").read_text())["learner"] == "Ada"
    with serving(tmp_path / "later", classroom=folder) as server:
        assert server.seat(f"inspector-seat={seat}") == ""                      # from the lesson before
        with server.visit(f"inspector-seat={seat}") as visit:
            until(visit, b"next question appears")
            server.process.kill()
            wait_until(lambda: not server.apps, "the end of the visitor")
        wait_until(lambda: not list((folder / "votes").iterdir()), "the vote to go")


@thorough
@needs_lab
def test_three_browsers_vote_and_their_answers_stay_with_the_class(tmp_path: Path) -> None:
    folder = a_class(tmp_path)
    asked = Ballot("q", 1, "open", "A lesson", "How many?", (("a", "one"), ("b", "two")))
    with (BallotBox(folder) as box, serving(tmp_path / "server", classroom=folder) as server,
          ExitStack() as all_of_them):
        visits = [all_of_them.enter_context(server.visit()) for _ in range(3)]
        for name, visit in zip(("Ada", "Bo", "Cy"), visits, strict=True):
            until(visit, b"Your name")
            press(visit, *name, "\r")
            until(visit, b"next question appears")
        box.publish(asked)
        for number, visit in zip("122", visits, strict=True):
            until(visit, b"How many?")
            press(visit, number, "\r")
            until(visit, b"Your answer")
        assert box.votes(asked) == (3, {"a": 1, "b": 2})
        box.publish(Ballot("q", 1, "told", "A lesson", "How many?", asked.options, truth="b",
                           foreseen={"a": "a"}, lesson="udp", step="many", steps=9))
        for words, visit in zip((b"Not so.", b"Right.", b"Right."), visits, strict=True):
            until(visit, words)
        press(visits[0], "L")
        until(visits[0], b"What a socket is")
        press(visits[0], "\r")
        until(visits[0], b"paused")
        press(visits[0], "\r")
        until(visits[0], b"Which number will")
        press(visits[0], "5", "\r")
        until(visits[0], b"It was")
    found = gathered([folder])
    assert not found.faults and sorted(one.name for one, _ in found.learners) == ["Ada", "Bo", "Cy"]
    (ada,) = (one for one, _ in found.learners if one.name == "Ada")
    votes = {one.name: one.lessons[0].answers[0] for one, _ in found.learners}
    assert {name: (one.first, one.right, one.foreseen) for name, one in votes.items()} == {
        "Ada": (("a",), False, "a"), "Bo": (("b",), True, ""), "Cy": (("b",), True, "")}
    assert ada.lessons[1].lesson == "socket" and ada.lessons[1].answers[1].first == ("5",)


@thorough                        # keys, the page and seats are held above, each by itself
@needs_lab
@needs_chromium
def test_a_real_browser_votes_by_key_and_a_page_that_is_loaded_again_is_the_same_learner(
    tmp_path: Path,
) -> None:
    folder = a_class(tmp_path)
    asked = Ballot("q", 1, "open", "A lesson", "How many?", (("a", "one"), ("b", "two")))
    with (BallotBox(folder) as box, serving(tmp_path / "server", classroom=folder) as server,
          chromium(tmp_path / "profile") as tab):
        box.publish(asked)
        for again in (False, True):
            tab.call("Page.navigate", url=f"{server.origin}/?key={KEY}")
            tab.until("document.body?.classList.contains('-first-byte')", "the first picture")
            tab.until("document.activeElement.matches('.xterm-helper-textarea')", "the terminal's focus")
            wait_until(lambda: box.votes(asked)[0] == 1, "the learner")
            if not again:
                for key in "Bo":
                    tab.press(key)
                tab.enter()
                wait_until(lambda: len(list(folder.glob("*.json"))) == 1, "the name")
            tab.press("1" if again else "2")
            tab.enter()
            wait_until(partial(_counts, box, asked, "a" if again else "b"), "the vote")
    (learner, _), = gathered([folder]).learners
    assert learner.name == "Bo"


def _counts(box: BallotBox, asked: Ballot, choice: str) -> bool:
    return box.votes(asked)[1] == {choice: 1}


@needs_lab
@sweep("messages", [('["stdin", "\\ud800"]',), ('["resize", 5]', "x", '"x"', '["stdin"]', "[]")],
       lambda messages: len(messages) == 1, ids=["some", "others"])
def test_a_browser_that_sends_what_is_no_message_goes(tmp_path: Path, messages: tuple[str, ...]) -> None:
    with serving(tmp_path) as server:
        for message in messages:
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
