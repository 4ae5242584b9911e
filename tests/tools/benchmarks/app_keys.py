"""Keys pressed in the app on a large file, through a real terminal, and what each of them costs.

`python -m tests.tools.benchmarks.app_keys app FILE RESULT` is the app with a probe in its event loop: a task
that sleeps 5 ms again and again and notes when it woke late. `press` starts it in a pseudo terminal, types,
and lays the probe's notes beside the time of each key. `python -m ...app_keys FILE ROWS [KEYS]` prints them;
ROWS: a text of the first rows.
"""

from __future__ import annotations

import asyncio
import json
import mmap
import os
import struct
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from inspector.tui.app import InspectorApp
from tests.tools.benchmarks.app_terminal import Terminal

STEP = 0.005               # seconds of each sleep of the probe
BEAT = struct.Struct("d")  # when it woke last, for whoever types
LOOK, STANDS = 0.02, 0.05  # seconds between looks at where the loop stands, and until it stands still
NOTED = 0.002              # seconds of lag from which it is noted
STARTS_WITHIN = 60.0
STILL = 0.3                # seconds without output after which a key has done its work
PATIENCE = 6.0             # and seconds that are waited for that at most: work that goes on behind
HERE = "tests.tools.benchmarks.app_keys"


class Key(NamedTuple):
    """What is typed, and the name of it. `loaded`: wait until the file has been read."""

    name: str
    text: str


class Cost(NamedTuple):
    """Of one key, in seconds: until the first answer on the terminal, the longest time for which the loop
    stood still after it, how long its thread had the CPU in that, and until nothing was drawn any more;
    `where` it stood."""

    name: str
    answer: float
    still: float
    cpu: float
    settled: float
    where: str = ""


class Run(NamedTuple):
    """One run: seconds from the start of the process to rows on the screen, the keys, memory in MB."""

    rows: float
    keys: list[Cost]
    megabytes: float
    peak: float


class ProbedApp(InspectorApp):
    """The app on a file, with the probe."""

    def __init__(self, path: Path, result: Path) -> None:
        super().__init__(trace_path=path)
        self._result = result
        self._lags: list[tuple[float, float, float]] = []
        self._stands: list[tuple[float, str]] = []
        with result.with_suffix(".beat").open("r+b") as file:
            self._beat = mmap.mmap(file.fileno(), BEAT.size)
        threading.Thread(target=self._look, daemon=True).start()

    def on_ready(self) -> None:
        self._probing = asyncio.create_task(self._probe())

    async def _probe(self) -> None:
        loop, beat = asyncio.get_running_loop(), self._beat
        while True:
            began, used = loop.time(), time.thread_time()
            await asyncio.sleep(STEP)
            now = loop.time()
            BEAT.pack_into(beat, 0, now)
            lag = now - began - STEP
            if lag > NOTED:
                self._lags.append((now, lag, time.thread_time() - used))

    def _look(self) -> None:
        """On a thread: where the loop stands when it stands still."""
        me = threading.main_thread().ident
        while True:
            time.sleep(LOOK)
            now = time.monotonic()
            since, = BEAT.unpack_from(self._beat, 0)
            frame = sys._current_frames().get(me or 0)
            if since and now - since > STANDS and frame is not None:
                places = [f"{Path(one.f_code.co_filename).stem}.{one.f_code.co_name}:{line}"
                          for one, line in traceback.walk_stack(frame)
                          if "inspector" in one.f_code.co_filename]
                self._stands.append((now, " < ".join(places[:9])))

    def write(self) -> None:
        """What the probe noted: (monotonic time, lag, CPU) each, and (time, where the loop stood)."""
        self._result.write_text(json.dumps([self._lags, self._stands]), encoding="utf-8")


ROWS = "40000"
OPENING = "127.0.0.1:"
"""What stands on the screen as soon as there are rows."""

PANES = tuple(Key(f"pane {key}", key) for key in "1234567890")
AGAIN = tuple(Key(f"pane {key} again", key) for key in "1234567890")
LISTS = (
    Key("packets", "2"), Key("down", "j"), Key("page down", "\x1b[6~"), Key("packets: last", "G"),
    Key("packets: first", "g"), Key("packets: go to", ":400000\r"), Key("packets: up", "k"),
    Key("packets: filter by columns", "/tcp.port == 40001\r"), Key("filtered: last", "G"),
    Key("filtered: down", "k"), Key("packets: clear", "\x1b"),
    Key("packets: filter by HTTP", "/http.response.code == 404\r"), Key("searching: down", "j"),
    Key("searching: first", "g"),
    Key("searching: pane 3", "3"), Key("searching: pane 2", "2"), Key("searching: clear", "\x1b"),
)
CONVERSATIONS = (
    Key("conversations", "0"), *(Key(f"conversations: sort {n}", ">") for n in range(14)),
    Key("conversations: invert", "i"), Key("conversations: last", "G"), Key("conversations: first", "g"),
    Key("conversations: words", "f4000\r"), Key("conversations: all", "\x1b"),
    Key("conversations: display filter", "fhttp.response.code == 404\r"), Key("conversations: all 2", "\x1b"),
    Key("conversations: down", "j"), Key("conversations: down 2", "j"), Key("conversations: open", "\r"),
)
ONE = (
    Key("messages", "3"), Key("messages: last", "G"), Key("messages: first", "g"),
    Key("messages: down", "j"), Key("messages: open", "\r"), Key("back", "\x1b"), Key("messages 2", "3"),
    Key("messages: search", "fserver\r"), Key("messages: search, down", "j"), Key("messages: all", "\x1b"),
    Key("messages: slowest", "w"), Key("messages: all 2", "\x1b"), Key("messages: sides", "d"),
    Key("messages: both", "\x1b"),
    Key("stream", "4"), Key("stream: last", "G"), Key("stream: text", "m"), Key("stream: hex", "m"),
    Key("stream: decoded", "m"), Key("stream: sides", "d"), Key("stream: first", "g"),
    Key("handshake", "5"), Key("findings", "7"), Key("findings: last", "G"), Key("findings: first", "g"),
    Key("ladder", "1"), Key("ladder: last", "G"), Key("ladder: all", "a"), Key("ladder: last 2", "G"),
    Key("ladder: first", "g"), Key("ladder: down", "j"), Key("ladder: one", "a"), Key("ladder: raw", "r"),
    Key("detail", "8"), Key("detail: down", "j"), Key("bytes", "9"), Key("bytes: down", "j"),
)
KEYS = (*PANES, *LISTS, *CONVERSATIONS, *ONE, *AGAIN)


class Typist:
    """Whoever types: the terminal, and the file in which the probe says that the loop is awake."""

    def __init__(self, terminal: Terminal, beat: Path) -> None:
        self.terminal, self._beat = terminal, beat

    def awake(self) -> bool:
        """Whether the loop goes round."""
        last: float = BEAT.unpack(self._beat.read_bytes())[0]
        return time.monotonic() - last < STILL / 2

    def until_done(self, seconds: float, still: float = STILL) -> tuple[float, float]:
        """Wait until nothing is drawn and the loop is awake: seconds to the first answer, and to the last."""
        began = time.monotonic()
        answer = last = 0.0
        while (now := time.monotonic() - began) < seconds:
            first, end = self.terminal.until_still(still, max(seconds - now, still))
            if first:
                answer, last = answer or now + first, now + end
            elif self.awake():
                break
        return answer, last

    def press(self, key: Key) -> tuple[str, float, float, float]:
        """Type it; its name, when (time.monotonic), and what `until_done` says."""
        began = time.monotonic()
        self.terminal.type(key.text)
        return key.name, began, *self.until_done(PATIENCE)


def press(path: Path, keys: Sequence[Key] = KEYS, rows: str = OPENING, first: Key | None = None) -> Run:
    """The app on `path`: wait for rows, press `first` at once, then each key when the one before is done."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "lags.json")
        beat = result.with_suffix(".beat")
        beat.write_bytes(bytes(BEAT.size))
        environment = {"XDG_CONFIG_HOME": folder, "XDG_STATE_HOME": folder}
        command = (sys.executable, "-m", HERE, "app", str(path), str(result))
        with Terminal(command, environment) as terminal:
            typist = Typist(terminal, beat)
            shown = terminal.wait_for(rows, STARTS_WITHIN) - terminal.began
            pressed = [typist.press(key) for key in ([first] if first is not None else [])]
            typist.until_done(STARTS_WITHIN, 1.0)
            pressed += [typist.press(key) for key in keys]
            now, peak = memory(terminal.pid)
        lags, stands = json.loads(result.read_text(encoding="utf-8"))
    return Run(shown, [_cost(one, lags, stands) for one in pressed], now, peak)


def _cost(pressed: tuple[str, float, float, float], lags: list[tuple[float, float, float]],
          stands: list[tuple[float, str]]) -> Cost:
    name, began, answer, settled = pressed
    end = began + max(settled, STILL)
    mine = [(lag, cpu) for at, lag, cpu in lags if began < at and at - lag < end]
    where = Counter(place for at, place in stands if began < at < end + STANDS)
    return Cost(name, answer, max((lag for lag, _ in mine), default=0.0),
                max((cpu for _, cpu in mine), default=0.0), settled,
                "\n".join(f"{count * LOOK:8.2f} s  {place}" for place, count in where.most_common(3)))


def memory(pid: int) -> tuple[float, float]:
    """MB that a process (0: this one) keeps resident, and the most it did."""
    lines = Path(f"/proc/{pid or 'self'}/status").read_text(encoding="ascii").splitlines()
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(found["VmRSS"].split()[0]) / 1000, int(found["VmHWM"].split()[0]) / 1000


def main() -> None:
    """The app, or the table of one run."""
    if sys.argv[1] == "app":
        app = ProbedApp(Path(sys.argv[2]), Path(sys.argv[3]))
        app.run()
        app.write()
        return
    wanted = sys.argv[3:]
    keys = [Key(text, text.encode().decode("unicode_escape")) for text in wanted] or KEYS
    run: Any = press(Path(sys.argv[1]), keys, sys.argv[2], first=Key("first key, while reading", "j"))
    print(f"rows after {run.rows:.2f} s; {run.megabytes:.0f} MB, peak {run.peak:.0f} MB; "
          f"load {os.getloadavg()[0]:.1f}")
    print(f"{'key':32} {'answer':>8} {'still':>8} {'CPU':>8} {'settled':>8}  ms")
    for one in run.keys:
        mark = " !" if max(one.still, one.answer) > 0.1 else ""
        print(f"{one.name:32} {one.answer * 1000:8.0f} {one.still * 1000:8.0f} {one.cpu * 1000:8.0f} "
              f"{one.settled * 1000:8.0f}{mark}")
        if one.where and one.still > 0.1:
            print(one.where)


if __name__ == "__main__":
    main()
