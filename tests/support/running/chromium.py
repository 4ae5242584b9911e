"""A Chromium without a window, looked at and typed into from outside by its DevTools protocol."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from inspector.sessions.kinds.browser.programs import find_browser
from tests.support.running.lab import wait_until

_FOUND = find_browser()
needs_chromium = pytest.mark.skipif(_FOUND is None or _FOUND.is_firefox, reason="no Chromium is here")


class Tab:
    """One page. `asked` and `answered` grow with what it requests: addresses, and (status, address)."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0
        self.asked: list[str] = []
        self.answered: list[tuple[int, str]] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; events that come before its answer are kept."""
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            got = json.loads(self._connection.recv(60))
            if got.get("id") == self._number:
                assert "error" not in got, got
                answer: dict[str, Any] = got["result"]
                return answer
            self._event(got)

    def _event(self, got: dict[str, Any]) -> None:
        if got["method"] == "Network.requestWillBeSent":
            self.asked.append(got["params"]["request"]["url"])
        elif got["method"] == "Network.responseReceived":
            answer = got["params"]["response"]
            self.answered.append((answer["status"], answer["url"]))

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript is worth in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    def until(self, expression: str, what: str) -> None:
        """Wait until an expression is true."""
        wait_until(lambda: self.value(expression), what)

    def press(self, key: str) -> None:
        """Press a key that writes a letter."""
        for kind in ("keyDown", "keyUp"):
            written = {"text": key} if kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=ord(key.upper()),
                      **written)

    def enter(self) -> None:
        """Press Enter."""
        for kind, written in (("keyDown", {"text": "\r"}), ("keyUp", {})):
            self.call("Input.dispatchKeyEvent", type=kind, key="Enter", windowsVirtualKeyCode=13, **written)


@contextmanager
def chromium(profile: Path) -> Iterator[Tab]:
    """One that runs, with an empty page; `profile`: a folder for it, which is made."""
    assert _FOUND is not None
    profile.mkdir()
    address = "about:blank"
    command = [*_FOUND.command(profile, address)[:-1], "--remote-debugging-port=0", address]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            port_file = profile / "DevToolsActivePort"
            wait_until(lambda: port_file.exists() and port_file.read_text().count("\n"), "Chromium's port")
            port = port_file.read_text().split()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=60) as answer:
                page = next(one for one in json.load(answer) if one["type"] == "page")
            with connect(page["webSocketDebuggerUrl"], max_size=None) as connection:
                tab = Tab(connection)
                tab.call("Network.enable")
                tab.call("Emulation.setFocusEmulationEnabled", enabled=True)
                yield tab
        finally:
            process.terminate()
            process.wait(60)
