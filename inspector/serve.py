"""The app in a browser: `python -m inspector.serve`, a process that imports nothing else of ours.

browser -> its key (once, in the address), then a cookie -> WebSocket -> `inspector.tui.visitor`, one process
a visitor, with folders of its own that go when it goes. In a class each browser has a seat (a second cookie):
who loads the page again is the same learner, and the class's folder keeps the answers of each seat.
textual-serve carries the pictures; aiohttp below it is under a licence that may not be joined with scapy's,
which is why this process and the visitors' are apart.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hmac
import json
import logging
import os
import re
import secrets
import shutil
import signal
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from aiohttp import web
from textual_serve.app_service import AppService
from textual_serve.server import Server, to_int

_COOKIE, _SEAT_COOKIE = "inspector-key", "inspector-seat"
_SEAT = re.compile(r"[A-Za-z0-9_-]{22}")
_LEAVE = 5.0               # seconds for a visitor's app to end by itself
_LEAST, _WIDEST, _TALLEST = 10, 500, 200         # columns and lines
_NO_MESSAGE = (ValueError, LookupError, TypeError, AttributeError, AssertionError)   # of a strange browser
_FOLDERS = {"XDG_STATE_HOME": "state", "XDG_CONFIG_HOME": "config", "XDG_DATA_HOME": "data", "TMPDIR": "tmp"}
_VISITOR = "inspector-visitor-"    # begins the names of visitors' folders
_FRESH = 5.0               # seconds in which a folder may not be locked yet
_asked_at: ContextVar[str] = ContextVar("asked_at", default="http://localhost")
_OURS_ALONE = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' data: blob:; "
    "connect-src 'self' ws: wss: data:"
)
_LINK = re.compile(r"<link\b[^>]*\bhref=[\"']?(https?://[^\"' >]*)[^>]*>")
_IN_HEAD = """<link rel="icon" href="data:," />
    <script>
      // What is typed is for the terminal as soon as it is shown, and for the button once all is over.
      addEventListener("load", () => {
        const take = () => {
          const ended = document.body.classList.contains("-closed");
          const taker = ended ? ".closed-dialog button" : ".xterm-helper-textarea";
          if (ended || document.activeElement === document.body)
            document.querySelector(taker)?.focus({ preventScroll: true });
        };
        new MutationObserver(take).observe(document.body, { attributeFilter: ["class"] });
        addEventListener("focus", take);
        addEventListener("keydown", take, true);
      });
    </script>
  </head>"""
Handler = Any              # aiohttp's own type for it stands in no public module


class Visitor(AppService):
    """One visitor's process and its folders."""

    process: Process | None = None
    classroom: Path | None = None          # the class's folder, and this learner's seat in it
    seat = ""

    def take_folder(self) -> None:
        """Make the folder, and hold it: who can lock one knows that its server has gone."""
        self.folder = Path(tempfile.mkdtemp(prefix=_VISITOR))
        self._held = _lock(self.folder)

    def _build_environment(self, width: int = 80, height: int = 24) -> dict[str, str]:
        environment: dict[str, str] = super()._build_environment(width, height)
        for name, folder in _FOLDERS.items():
            path = self.folder / folder
            path.mkdir(mode=0o700, exist_ok=True)
            environment[name] = str(path)
        environment["INSPECTOR_VISITOR"] = str(self.folder)
        for name in ("INSPECTOR_CLASS", "INSPECTOR_SEAT"):
            environment.pop(name, None)
        if self.classroom is not None:
            environment |= {"INSPECTOR_CLASS": str(self.classroom), "INSPECTOR_SEAT": self.seat}
        return environment

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        self.process = await super()._open_app_process(width, height)
        return self.process

    async def leave(self) -> None:
        """End the process, by force where it does not go, and take its folders away."""
        process = self.process
        try:
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout(_LEAVE):
                    await self.stop()
                    if process is not None:
                        await process.wait()
        finally:
            if process is not None and process.returncode is None:
                process.kill()                     # its agent and all that one started end with it
                await process.wait()
            if self.classroom is not None:
                with contextlib.suppress(OSError):             # another page of the same seat says it again
                    (self.classroom / "votes" / f"{self.seat}.json").unlink(missing_ok=True)
            shutil.rmtree(self.folder, ignore_errors=True)
            if self._held is not None:
                os.close(self._held)
                self._held = None


def _lock(folder: Path) -> int | None:
    """A descriptor that holds the folder for this process, as long as it lives; None where another has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def remove_left_folders() -> None:
    """Take away the folders of visitors whose server was killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_VISITOR}*"):
        with contextlib.suppress(OSError):
            status = folder.lstat()
            if status.st_uid != os.geteuid() or time.time() - status.st_mtime < _FRESH:
                continue
            held = _lock(folder)
            if held is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(held)


class VisitorServer(Server):
    """Lets in who has the key, at most `most` at a time, each with an app of their own."""

    def __init__(self, command: str, host: str, port: int, key: str, most: int,
                 classroom: Path | None = None) -> None:
        super().__init__(command, host, port, title="inspector", public_url="http://localhost")
        self._key, self._most = key, most
        self._visitors: set[Visitor] = set()
        self._classroom = classroom
        self._seats: set[str] = set()          # that were given out

    @property
    def public_url(self) -> str:
        """The address that the browser itself asked: this server may have many names."""
        return _asked_at.get()

    @public_url.setter
    def public_url(self, url: str) -> None:
        _asked_at.set(url)

    def initialize_logging(self) -> None:
        """Only what went wrong."""
        logging.basicConfig(level=logging.ERROR, format="inspector: %(message)s")

    async def on_startup(self, app: web.Application) -> None:
        """The address is said by who started us."""

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Only who has the key, and for the WebSocket only our own page: others' pages send cookies too."""
        if _same(request.query.get("key", ""), self._key):
            answer = web.HTTPSeeOther("/")         # the key leaves the address bar, and the history of links
            answer.set_cookie(_COOKIE, self._key, httponly=True, samesite="Strict")
            raise answer
        if not _same(request.cookies.get(_COOKIE, ""), self._key):
            raise web.HTTPForbidden(text="Open the address that 'inspector serve' printed, with its key.\n")
        _asked_at.set(f"{request.scheme}://{request.host}")
        if request.path == "/ws" and request.headers.get("Origin") != _asked_at.get():
            raise web.HTTPForbidden(text="Another page asks for this WebSocket.\n")
        if request.path in ("/", "/ws") and len(self._visitors) >= self._most:
            raise web.HTTPServiceUnavailable(
                text=f"All {self._most} places are taken: load this page again when somebody has left.\n")
        answered: web.StreamResponse = await handler(request)
        if not answered.prepared:
            answered.headers["Content-Security-Policy"] = _OURS_ALONE
            if self._classroom is not None and request.path == "/" and not self._seat_of(request):
                answered.set_cookie(_SEAT_COOKIE, self._new_seat(), httponly=True, samesite="Strict")
        return answered

    def _seat_of(self, request: web.Request) -> str:
        """The browser's seat in the class; "" where it has none that was given out here or before."""
        seat = str(request.cookies.get(_SEAT_COOKIE, ""))
        if self._classroom is None or not _SEAT.fullmatch(seat):
            return ""
        return seat if seat in self._seats or (self._classroom / f"{seat}.json").is_file() else ""

    def _new_seat(self) -> str:
        seat = secrets.token_urlsafe(16)
        self._seats.add(seat)
        return seat

    async def handle_index(self, request: web.Request) -> web.StreamResponse:
        """textual-serve's page, which asks nobody but us, and hears keys from the first moment on."""
        page: web.StreamResponse = await super().handle_index(request)
        assert isinstance(page, web.Response)
        own = self.public_url.rstrip("/") + "/"        # and somebody else's font

        def ours(link: re.Match[str]) -> str:
            return link[0] if link[1].startswith(own) else ""

        page.text = _LINK.sub(ours, page.text or "").replace("</head>", _IN_HEAD, 1)
        return page

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """One visit: from the browser's WebSocket to its end."""
        websocket = web.WebSocketResponse(heartbeat=15)
        visitor = Visitor(
            self.command, write_bytes=websocket.send_bytes, write_str=websocket.send_str,
            close=self._close_of(websocket), download_manager=self.download_manager,
        )  # fmt: skip
        self._visitors.add(visitor)
        visitor.take_folder()
        if self._classroom is not None:
            visitor.classroom, visitor.seat = self._classroom, self._seat_of(request) or self._new_seat()
        try:
            await websocket.prepare(request)
            width, height = (to_int(request.query.get(name, ""), 0) for name in ("width", "height"))
            await visitor.start(min(max(width, _LEAST), _WIDEST), min(max(height, _LEAST), _TALLEST))
            with contextlib.suppress(ConnectionError, *_NO_MESSAGE):
                await self._process_messages(websocket, visitor)
        finally:
            try:
                await asyncio.shield(visitor.leave())
            finally:
                self._visitors.discard(visitor)
        return websocket

    @staticmethod
    def _close_of(websocket: web.WebSocketResponse) -> Callable[[], Awaitable[None]]:
        async def close() -> None:
            await websocket.close()

        return close

    async def on_shutdown(self, app: web.Application) -> None:
        """All who are there leave."""
        await asyncio.gather(*(visitor.leave() for visitor in set(self._visitors)), return_exceptions=True)


def _same(text: str, key: str) -> bool:
    return hmac.compare_digest(text.encode("utf-8", "replace"), key.encode())


def main() -> None:
    """The process: INSPECTOR_SERVE is a JSON object: command, host, port, key, most, class (a folder)."""
    given = json.loads(os.environ.pop("INSPECTOR_SERVE"))
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    remove_left_folders()
    classroom = Path(given["class"]) if given.get("class") else None
    server = VisitorServer(given["command"], given["host"], given["port"], given["key"], given["most"],
                           classroom)
    try:
        server.serve()
    except OSError as error:
        print(f"inspector: Port {given['port']} of {given['host']} cannot be had: "
              f"{error.strerror or error}.", file=sys.stderr)
        sys.exit(3)


if __name__ == "__main__":
    main()
