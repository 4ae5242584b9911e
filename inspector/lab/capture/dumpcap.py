"""dumpcap in the place of our own capture: for users whom the system lets run it, and nothing else.

It appends its own pcapng section to the trace file, behind ours with the first events; what happens
meanwhile is written when it has ended. It looks like a `Capture` to the supervisor.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable

from inspector.capture.packet_socket import Counts
from inspector.capture.writer import TraceWriter
from inspector.lab.options import AgentOptions
from inspector.model.language import spoken
from inspector.wire.journal import Record

_LOOK_EVERY = 0.05                 # seconds
_END_WITHIN = 5.0


class Dumpcap:
    """Runs dumpcap into `descriptor`; `born`, called in its process, lets it not outlive the agent."""

    kind = "dumpcap"

    def __init__(
        self, path: str, descriptor: int, options: AgentOptions, filter: str, *, woken: Callable[[], None],
        failed: Callable[[str, str], None], born: Callable[[], None],
    ) -> None:
        self._descriptor, self._limits = descriptor, options.limits
        self._woken, self._failed, self._born = woken, failed, born
        self._command = dumpcap_command(path, options, filter)
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = False
        self._words = b""
        self._watcher = threading.Thread(target=self._watch, name="dumpcap", daemon=True)
        self.last_counts = Counts()
        self.writer = TraceWriter(descriptor, woken)
        self.writer.begin(
            application="inspector", interface="lo", description="loopback of the host, by dumpcap",
            filter=filter, snaplen=options.limits.snaplen,
        )

    def record(self, *records: Record) -> None:
        """Keep events until dumpcap has ended."""
        self.writer.record(*records)

    def wake(self) -> None:
        """Nothing waits here."""

    def start(self) -> None:
        """Write what was recorded until now, then have dumpcap write."""
        self.writer.flush()
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=self._descriptor, stderr=subprocess.PIPE,
            start_new_session=True, preexec_fn=self._born,
        )
        self._watcher.start()

    def stop(self) -> None:
        """End dumpcap and complete the file."""
        self._ending = True
        process = self._process
        if process is not None:
            self._signal(process, signal.SIGINT)
            self._watcher.join(_END_WITHIN)
            if self._watcher.is_alive():
                self._signal(process, signal.SIGKILL)
                self._watcher.join()
        self.writer.size = os.fstat(self._descriptor).st_size
        self.writer.flush()

    @staticmethod
    def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        # Not process.send_signal: the supervisor, which collects every child, knows whether it has ended.
        try:
            os.kill(process.pid, number)
        except OSError:
            pass

    def _watch(self) -> None:
        """Read what dumpcap says until it ends, and tell when the file has grown."""
        assert self._process is not None and self._process.stderr is not None
        stream = self._process.stderr
        os.set_blocking(stream.fileno(), False)
        size = 0
        while True:
            try:
                chunk = os.read(stream.fileno(), 65536)
                if not chunk:
                    break
                self._words += chunk
            except BlockingIOError:
                pass
            now = os.fstat(self._descriptor).st_size
            if now != size:
                size = now
                self._woken()
            time.sleep(_LOOK_EVERY)
        stream.close()
        self._ended(self._words.decode("utf-8", "replace"))

    def _ended(self, text: str) -> None:
        found = re.search(r"received/dropped on interface .*?: (\d+)/(\d+)", text)
        if found is not None:
            self.writer.packets = int(found[1])
            self.last_counts = Counts(int(found[1]) + int(found[2]), int(found[2]))
        size, most = os.fstat(self._descriptor).st_size, self._limits.max_size
        if found is None:
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            self._failed(f"dumpcap could not capture: {lines[-1] if lines else 'it did not say why.'}", "")
        elif self._limits.packets and self.writer.packets >= self._limits.packets:
            text = spoken(f"The capture ended: {self._limits.packets:,} packets were captured.")
            self.writer.limit(text, time.time_ns())
        elif most and not self._ending:
            text = spoken(f"The capture ended: the file has reached its limit of {most:,} bytes.")
            self.writer.limit(text, time.time_ns())
        elif not self._ending:
            self._failed(f"dumpcap ended by itself, after {size:,} bytes.", "")


def dumpcap_command(path: str, options: AgentOptions, filter: str) -> list[str]:
    """How dumpcap is called to write to its standard output what is asked for."""
    command = [path, "-q", "-i", "lo", "-B", "64", "-w", "-"]
    if filter:
        command += ["-f", filter]
    if options.limits.snaplen:
        command += ["-s", str(options.limits.snaplen)]
    if options.limits.packets:
        command += ["-c", str(options.limits.packets)]
    if options.limits.max_size:
        command += ["-a", f"filesize:{max(1, options.limits.max_size // 1000)}"]
    return command
