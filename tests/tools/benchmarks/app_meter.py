"""`python app_meter.py RESULT`: the app watching a port, with a meter of its event loop's lag inside.

A task sleeps for 5 ms again and again and notes how much later it woke: first while nothing happens, then
while another process floods the port at a set rate. What it found is written to RESULT as JSON, then the app
ends. Run in a terminal (a headless app would draw nothing) and in a private network, where it is root.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from inspector.lab.options import Watch
from inspector.trace.trace import Trace
from inspector.tui.app import InspectorApp
from inspector.tui.workbench.trace_screen import TraceScreen
from tests.tools.benchmarks.capture_load import PORT

RATE, SECONDS, SIZE = 100_000, 5, 100
STEP = 0.005                       # seconds of each sleep
_SETTLE = 3.0                      # seconds until what the app imports in the background is there
_STILL = 0.6                       # seconds without a new packet: all are shown
_LOAD = "tests.tools.benchmarks.capture_load"


class MeteredApp(InspectorApp):
    """The app on PORT, measuring itself."""

    def __init__(self, result: Path) -> None:
        super().__init__(watch=Watch((PORT,)))
        self._result = result

    def on_ready(self) -> None:
        self.run_worker(self._measure(), exit_on_error=True)

    async def _measure(self) -> None:
        trace = await trace_of(self)
        await asyncio.sleep(_SETTLE)
        quiet = await lags_until(asyncio.create_task(asyncio.sleep(SECONDS)))
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", _LOAD, "flood", str(RATE * SECONDS), str(SIZE), str(RATE),
            stdout=asyncio.subprocess.PIPE,
        )
        while not trace.index.count:                   # the sender is still starting
            await asyncio.sleep(STEP)
        output = asyncio.create_task(child.communicate())
        busy = await lags_until(output)
        await self._until_still(trace)
        found: dict[str, Any] = {
            "quiet": quiet, "busy": busy, "sent": RATE * SECONDS, "seconds": float(output.result()[0]),
            "shown": trace.index.count, "dropped": trace.statistics.dropped,
        }
        self._result.write_text(json.dumps(found), encoding="utf-8")
        self.exit(0)

    async def _until_still(self, trace: Trace) -> None:
        count = -1
        while count != trace.index.count:
            count = trace.index.count
            await asyncio.sleep(_STILL)


async def trace_of(app: InspectorApp) -> Trace:
    """The trace that the app shows, as soon as it shows one."""
    while True:
        screen = app.screen
        if isinstance(screen, TraceScreen) and screen.trace is not None:
            return screen.trace
        await asyncio.sleep(STEP)


async def lags_until(task: asyncio.Task[Any]) -> list[tuple[float, float]]:
    """Of each sleep until the task is done: how much later than asked for it ended, in seconds, and how
    long this thread had the CPU in all that time: on a free machine the lag would be no more than that.
    """
    loop, lags = asyncio.get_running_loop(), []
    while not task.done():
        began, used = loop.time(), time.thread_time()
        await asyncio.sleep(STEP)
        lags.append((loop.time() - began - STEP, time.thread_time() - used))
    return lags


if __name__ == "__main__":
    MeteredApp(Path(sys.argv[1])).run()
