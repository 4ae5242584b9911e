"""`python app_behind.py RESULT`: the app watching nginx while wrk asks it as fast as it can; how far behind?

Every 50 ms it notes how old the newest packet on its picture is, and whether the title says so; at the end
what of the memory was resident at most. Written to RESULT as JSON. In a private network, in a terminal.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from inspector.lab.options import Watch
from inspector.trace.trace import Trace
from inspector.tui.app import InspectorApp
from inspector.tui.widgets.title_bar import LEAST_BEHIND, TitleBar
from tests.tools.benchmarks.app_keys import memory
from tests.tools.benchmarks.app_meter import lags_until, trace_of

PORT, SECONDS, CONNECTIONS = 8080, 15, 8
STEP, OLD = 0.05, 1.0              # seconds between looks, and of age from which the title has to say it
CONFIG = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{ access_log off; keepalive_requests 100000000;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{body}"; }} }} }}
"""



class BehindApp(InspectorApp):
    """The app on PORT, measuring itself."""

    def __init__(self, result: Path) -> None:
        super().__init__(watch=Watch((PORT,)))
        self._result = result
        self._ages: list[tuple[float, int, bool]] = []

    def on_ready(self) -> None:
        self.run_worker(self._measure(), exit_on_error=True)

    async def _measure(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder, "nginx.conf")
            config.write_text(CONFIG.format(folder=folder, port=PORT, body="x" * 600), encoding="utf-8")
            nginx = await _started("nginx", "-p", folder, "-c", str(config))
            trace = await trace_of(self)
            await asyncio.sleep(2)
            looking = asyncio.create_task(self._look(trace))
            wrk = await _started("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}",
                                 f"http://127.0.0.1:{PORT}/")
            output = asyncio.create_task(wrk.communicate())
            lags = await lags_until(output)
            sent, ended = trace.index.count, time.monotonic()
            while trace.behind:
                await asyncio.sleep(STEP)
            looking.cancel()
            nginx.terminate()
            await nginx.wait()
        words = output.result()[0].decode().split()
        found: dict[str, Any] = {
            "rate": float(words[words.index("Requests/sec:") + 1]), "ages": self._ages, "lags": lags,
            "shown": sent, "packets": trace.index.count, "after": time.monotonic() - ended,
            "dropped": trace.statistics.dropped, "megabytes": memory(0)[1],
        }
        self._result.write_text(json.dumps(found), encoding="utf-8")
        self.exit(0)

    async def _look(self, trace: Trace) -> None:
        """Note seconds of age, packets behind, and whether the title says that it is behind."""
        while True:
            index = trace.index
            if index.count:
                age = time.time() - int(index.time_ns[index.count - 1]) / 1e9
                shows_behind = self.screen.query_one(TitleBar).facts.behind >= LEAST_BEHIND
                self._ages.append((age, trace.behind, shows_behind))
            await asyncio.sleep(STEP)


async def _started(*command: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)


if __name__ == "__main__":
    BehindApp(Path(sys.argv[1])).run()
