"""A walk of random keys: `python -m tests.tools.walk [--seed N] [--keys N] [--in-process] [START ...]`.

Each walk starts the app on its launcher, in a session of each kind, a lesson, on a file, at a real service
(`exchange`, and `watch`, which needs root or CAP_NET_RAW), and does what nobody foresaw: keys singly and in
bursts, pastes, clicks, changes of size. It fails where the app ends in error, prints a traceback, does not
hear ctrl+q at the end, leaves the terminal otherwise or a process behind.
The app runs on a real terminal; `--in-process` drives it by Textual's pilot, with exceptions as they are.
A seed gives the same walk again.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import socket
import socketserver
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from textual.pilot import Pilot

from inspector.tui.app import InspectorApp
from tests.support.running.services import EchoesStreams
from tests.support.screen.keys import burst, type_together
from tests.support.screen.window import LEFT, SECONDS, Terminal, inspector, terminal, wait_until

DATA = Path(__file__).parents[1] / "data"
KINDS = {"tcp": "t", "udp": "u", "http": "h", "websocket": "w", "slow": "r", "held": "it"}
FILES = {"small": DATA / "traces" / "websocket.pcapng", "many": DATA / "traces" / "http-connections.pcapng"}
PROGRAM = (sys.executable, "-m", "http.server", "8000", "--bind", "127.0.0.1")
COMMANDS = {                               # on a terminal alone
    "lessons": ["lesson"], "lesson": ["lesson", "handshake"], "via": ["via", "45883:45884"],
    "join": ["exec", "--join", "--publish", "8000", "--", *PROGRAM],
    "talk": ["talk", "tcp://127.0.0.1:PORT"], "watch": ["watch", "PORT"],      # PORT: of `company`
}
STATUS = {"join": 128 + signal.SIGTERM}    # of the program, which leaving the app ends
STARTS = ("launcher", *KINDS, *FILES, *COMMANDS)
ASKED = "it is lost"                   # before what was marked and commented in a file is
SIZES = ((80, 24), (120, 40), (200, 50), (60, 16), (59, 15), (110, 30), (40, 10), (300, 80))
# Without q, ctrl+q, ctrl+c and ctrl+z: they end a walk or stop it, and tests of their own know them.
PLAIN = "abcdefghijklmnoprstuvwxyzGNRTIS0123456789/:[]?.<> =&|-+#~'\"\\äß漢"
NAMED = {
    "enter": "\r", "tab": "\t", "back": "\x7f", "up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C",
    "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F", "page up": "\x1b[5~", "page down": "\x1b[6~",
    "shift+tab": "\x1b[Z", "F1": "\x1bOP", "ctrl+p": "\x10", "ctrl+s": "\x13", "ctrl+t": "\x14",
    "ctrl+u": "\x15", "ctrl+w": "\x17", "ctrl+a": "\x01", "delete": "\x1b[3~", "escape": "\x1b",
}
WORDS = ("/tcp.len > 0\r", "/http or (\r", ":12\r", ":1.5s\r", "chello\r", "vnews\r", "six\rseven\r", "R",
         "ss", "  ", "xc", "xfff", "xaaa", "n", "o/nowhere\r", "\x13kept\r", "\x10theme\r", "zz", "Tz", "0\r",
         "1\r")
PASTES = ("one line", "two\r\nlines\n", "\n", "a\tb\x07", "漢字\r" * 40, "")


@dataclass(frozen=True, slots=True)
class Step:
    """What is typed in one write, how many keys that are, or the size that the terminal gets."""

    text: str = ""
    keys: int = 0
    size: tuple[int, int] | None = None


class WalkError(Exception):
    """What went wrong, and where on the walk."""


def steps(seed: int, keys: int) -> Iterator[Step]:
    """A walk of about so many keys."""
    chance = random.Random(seed)
    done = 0
    while done < keys:
        step = _step(chance)
        done += step.keys
        yield step


def _step(chance: random.Random) -> Step:
    kind = chance.random()
    if kind < 0.03:
        return Step(size=chance.choice(SIZES))
    if kind < 0.06:
        text = chance.choice(PASTES)
        return Step(f"\x1b[200~{text}\x1b[201~", 1)
    if kind < 0.16:
        x, y, button = chance.randint(1, 130), chance.randint(1, 42), chance.choice((0, 0, 0, 2, 64, 65, 35))
        up = f"\x1b[<{button};{x};{y}m" if button < 3 else ""
        return Step(f"\x1b[<{button};{x};{y}M{up}" * chance.choice((1, 1, 2)), 1)
    if kind < 0.26:
        text = chance.choice(WORDS)
        return Step(text, len(text))
    count = chance.choice((1, 1, 1, 2, 3, 5, 9))
    return Step("".join(_key(chance) for _ in range(count)), count)


def _key(chance: random.Random) -> str:
    if chance.random() < 0.45:
        return chance.choice(PLAIN)
    return chance.choice(list(NAMED.values()))


def start_of(name: str) -> tuple[list[str], str]:
    """The command's arguments, and the keys that come first."""
    if name in FILES:
        return ["open", str(FILES[name])], ""
    if name in COMMANDS:
        return COMMANDS[name], ""
    if name in KINDS or name == "launcher":
        return [], KINDS.get(name, "")
    return ["open", name], ""


@contextmanager
def company() -> Iterator[int]:
    """A service on the loopback that sends back what it gets, and a client that talks to it; its port."""
    ended = threading.Event()

    def exchange(port: int) -> None:
        while not ended.wait(0.1):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as client:
                client.sendall(b"GET /walk HTTP/1.1\r\nHost: walk\r\n\r\n")
                client.recv(65536)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), EchoesStreams) as server:
        server.daemon_threads = True
        port: int = server.server_address[1]
        threads = [threading.Thread(target=server.serve_forever, daemon=True),
                   threading.Thread(target=exchange, args=(port,), daemon=True)]
        for thread in threads:
            thread.start()
        try:
            yield port
        finally:
            ended.set()
            server.shutdown()
            for thread in threads:
                thread.join()


def walk_on_terminal(name: str, seed: int, keys: int, directory: Path) -> int:
    """One walk on a real terminal; the number of keys. WalkError."""
    arguments, first = start_of(name)
    with company() as port, terminal(
            directory, inspector(*(one.replace("PORT", str(port)) for one in arguments)), size=SIZES[seed % 2]
    ) as app:
        app.until_shown("Help")
        app.write(first.encode())
        seen, done, chance = b"", 0, random.Random(seed)
        for step in steps(seed, keys):
            if step.size is not None:
                app.resize(*step.size)
            app.write(step.text.encode())
            done += step.keys
            seen = (seen + app.read_for(chance.choice((0, 0, 0.01, 0.05, 0.2))))[-200000:]
            if not app.runs():
                break
        _end(app, STATUS.get(name, 0), seen, f"{name}, seed {seed}, {done} keys, {step}")
    return done


def _end(app: Terminal, expected: int, seen: bytes, walk: str) -> None:
    """End the app, if "Quit" of the palette or the line of keys was not what the walk chose.

    It has to end with the `expected` status.
    """
    if app.runs():
        app.resize(80, 24)
        seen += app.read_for(0.3)
        with suppress(OSError):
            app.write(b" \x11")          # an escape just before would make another key of the first
    try:
        with suppress(OSError):          # nothing is on the terminal any more
            seen += _left(app)
        seen += app.read_for(0.1)
        status = app.ended()
        wait_until(lambda: not app.family(), "the end of all that was started")
    except AssertionError as error:
        raise WalkError(f"{walk}: {error}") from error
    if status != expected or b"Traceback" in seen:
        raise WalkError(f"{walk}: status {status}\n{_words(seen)}")


def _left(app: Terminal) -> bytes:
    """What is written until it has left the screen; where it asks about what was marked, it is told again."""
    seen, pressed = b"", False
    deadline = time.monotonic() + SECONDS
    while LEFT not in seen:
        assert time.monotonic() < deadline, f"it does not leave:\n{app.painted.text}"
        seen += app.read_for(0.5)
        if not app.runs():
            break
        if not pressed and ASKED in app.painted.text:
            pressed = True
            app.write(b"\x11")
    return seen


def _words(seen: bytes) -> str:
    return seen[-3000:].decode("utf-8", "replace")


async def walk_in_process(name: str, seed: int, keys: int) -> int:
    """One walk by the pilot; the number of keys. What the app raises is raised."""
    arguments, first = start_of(name)
    assert name not in COMMANDS
    app = InspectorApp(trace_path=Path(arguments[1]) if arguments else None)
    done = 0
    async with app.run_test(size=SIZES[seed % 2]) as pilot:
        await type_together(pilot, first)
        for number, step in enumerate(steps(seed, keys)):
            await _go(pilot, step, settle=number % 4 == 0)
            done += step.keys
    return done


async def _go(pilot: Pilot[int], step: Step, *, settle: bool) -> None:
    if step.size is not None:
        await pilot.resize_terminal(*step.size)
    elif settle:
        await type_together(pilot, step.text)
    else:
        burst(pilot.app, step.text)


def main() -> None:
    """Walk, and say how far it came."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keys", type=int, default=300, help="of each walk")
    parser.add_argument("--rounds", type=int, default=1, help="walks of each start, each with the next seed")
    parser.add_argument("--in-process", action="store_true")
    parser.add_argument("starts", nargs="*", metavar="START", default=STARTS,
                        help=f"{', '.join(STARTS)}, or a file")
    options = parser.parse_args()
    total = failed = 0
    for seed in range(options.seed, options.seed + options.rounds):
        for name in options.starts:
            with tempfile.TemporaryDirectory() as directory:
                os.chdir(directory)                      # what a walk saves
                os.environ["XDG_STATE_HOME"] = os.environ["XDG_CONFIG_HOME"] = directory
                try:
                    if options.in_process:
                        done = asyncio.run(walk_in_process(name, seed, options.keys))
                    else:
                        done = walk_on_terminal(name, seed, options.keys, Path(directory))
                except WalkError as error:
                    failed += 1
                    print(f"FAILED {error}", flush=True)
                else:
                    total += done
                    print(f"{name:<10} seed {seed}: {done} keys", flush=True)
    print(f"{total} keys without a fall, {failed} walks that fell")
    raise SystemExit(bool(failed))


if __name__ == "__main__":
    main()
