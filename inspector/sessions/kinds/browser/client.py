"""The client's end: a browser that is started, watched, and ended with all its processes.

What it does follows from the page. A script's client ends when the server has ended; a person's when told.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from functools import partial
from pathlib import Path

from inspector.model.commands import Abort, Close, Connect, SocketCommand
from inspector.sessions import temporary
from inspector.sessions.context import Context, FailedError
from inspector.sessions.kinds.browser.programs import NONE, find_browser
from inspector.sessions.lab_mark import lab_folder
from inspector.sessions.sockets.calls import Caller
from inspector.sessions.sockets.strace import address_text

_LOOK = 0.1            # seconds between looks at whether the server is still there
_LONGEST_TMPDIR = 60   # characters: Chromium makes a Unix socket below it, whose path has 107 at most
_LONGEST = 120.0       # seconds that a script's browser may take
_ENDS_WITHIN = 0.7     # seconds, each time: an endpoint itself has two


class BrowserClient:
    """Starts the browser on the server's page."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._process: subprocess.Popen[bytes] | None = None
        self._profile: Path | None = None

    def run(self) -> None:
        """Open the page; for ever when interactive, else until the server has ended."""
        context = self.context
        self._open()
        if context.spec.interactive:
            context.wait_for_ever()
        self._look()
        if not context.loop.wait(lambda: not self._served() or self._has_ended(), lambda: _LONGEST):
            raise FailedError(f"The server did not end within {_LONGEST:g} seconds.")
        if self._served():
            raise FailedError("The browser ended by itself.")
        self.close()

    def command(self, command: SocketCommand) -> None:
        """Close ends the browser, connect starts it again; all else is the page's."""
        match command:
            case Close() | Abort():
                self.close()
            case Connect() if self._process is None or self._has_ended():
                self.close()
                self._open()
            case Connect():
                self.context.journal.note("The browser is there already.")
            case _:
                self.context.journal.note("A browser says what the script of its page tells it to.")

    def interrupt(self) -> None:
        """Nothing of ours blocks here."""

    def close(self) -> None:
        """End the browser, and forget its profile."""
        process, self._process = self._process, None
        if process is not None:
            hurried = self.context.gate.ended          # we shall be killed ourselves in a second
            for number in (signal.SIGKILL,) if hurried else (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(OSError):
                    os.killpg(process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_ENDS_WITHIN)
        if self._profile is not None:          # what is still written there goes with the lab's folder
            shutil.rmtree(self._profile, ignore_errors=True)
            self._profile = None

    def _open(self) -> None:
        browser = find_browser()
        if browser is None:
            raise FailedError(NONE)
        folder = lab_folder()
        folder.mkdir(mode=0o700, exist_ok=True)
        temporary.hold(folder)
        self._profile = Path(tempfile.mkdtemp(prefix="browser-", dir=folder))
        address = f"http://{address_text(self.context.address)}/"
        words = browser.command(self._profile, address)
        caller = Caller(self.context.journal, self.context.gate, "")
        try:
            self._process = caller.call(
                "execve", f"{browser.name}, {address}", partial(_started, words, self._profile),
                lambda process: (0, f"pid {process.pid}"),
            )  # fmt: skip
        except OSError as error:
            raise FailedError(f"{browser.name} could not be started: {error.strerror}.") from error

    def _has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _look(self) -> None:
        """Have the loop ask again from time to time: neither end of the browser's connections is here."""
        self.context.loop.later(_LOOK, self._look)

    def _served(self) -> bool:
        """Whether somebody listens on the server's port, as the kernel lists it (proc(5), net/tcp)."""
        listens, port = "0A", f":{self.context.spec.port:04X}"
        for table in ("tcp", "tcp6"):
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
                    words = line.split()
                    if words[1].endswith(port) and words[3] == listens:
                        return True
        return False


def _started(words: list[str], home: Path) -> subprocess.Popen[bytes]:
    """Start it in a session of its own, with a home of its own."""
    long = len(tempfile.gettempdir()) > _LONGEST_TMPDIR
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    environment |= {"HOME": str(home)} | ({"TMPDIR": "/tmp"} if long else {})
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, start_new_session=True, env=environment)
