"""The whole outside world for a lab: pasta or slirp4netns, which carry its packets without any privilege.

Made before the lab is entered, since they work from outside; `open` once it is there: they bring an interface
with the machine's own addresses (pasta) or ones of their own (slirp4netns), routes, and no door to the host's
loopback.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from inspector.lab.errors import LabError
from inspector.wire.text import escaped

_WITHIN = 10.0                     # seconds until there is a way out
_CLOSED = ("-t", "none", "-u", "none", "-T", "none", "-U", "none", "--no-map-gw")
_SLIRP = ("-c", "-m", "65520", "--disable-host-loopback", "--netns-type=path")


def carrier() -> str:
    """The path of what carries packets out of a lab. LabError where nothing does."""
    # Root's lab has no user namespace of its own, and pasta gives its privilege up before it looks there.
    for name in ("pasta", "slirp4netns") if os.geteuid() else ("slirp4netns", "pasta"):
        if found := shutil.which(name):
            return found
    raise LabError("--net needs pasta or slirp4netns, and neither is here.",
                   "sudo apt install passt   (or your system's package of pasta or slirp4netns)")


class World:
    """A keeper outside of the lab: it starts the carrier when told, and ends it when we close or are gone."""

    def __init__(self, path: str) -> None:
        """`path`: as `carrier` gives it. Make it before any thread, and before the lab is entered."""
        self._path = path
        self._namespace = Path("/proc/self/ns/user").stat().st_ino
        self._words = os.memfd_create("carrier's words")
        reader, self._writer = os.pipe()
        self._keeper = os.fork()
        if self._keeper == 0:
            try:
                self._keep(reader)
            finally:
                os._exit(0)
        os.close(reader)

    def open(self) -> None:
        """Called in the lab: have the carrier join it, and wait until there is a way out; or LabError."""
        os.write(self._writer, b"\0".join(map(os.fsencode, self._command())))
        until = time.monotonic() + _WITHIN
        while not _way_out():
            if time.monotonic() > until:
                name = Path(self._path).name
                raise LabError(f"{name} did not bring the outside world: {self._last_words()}")
            time.sleep(0.02)

    def close(self) -> None:
        """End the carrier."""
        os.close(self._writer)
        os.close(self._words)

    def _command(self) -> list[str]:
        here = f"/proc/{os.getpid()}/ns/"
        own_user = Path("/proc/self/ns/user").stat().st_ino != self._namespace
        if Path(self._path).name == "pasta":
            user = ["--userns", f"{here}user"] if own_user else ["--netns-only"]
            return [self._path, "-f", "--config-net", *_CLOSED, "--netns", f"{here}net", *user]
        user = [f"--userns-path={here}user"] if own_user else []
        return [self._path, *_SLIRP, *user, f"{here}net", "tap0"]

    def _keep(self, reader: int) -> None:
        """The keeper: hold nothing of the agent's but the pipe, whose end ends the carrier."""
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.dup2(reader, 0)
        os.dup2(self._words, 1)
        os.dup2(self._words, 2)
        os.closerange(3, 1 << 16)
        words = os.read(0, 1 << 16)
        if not words:
            return
        process = subprocess.Popen(words.split(b"\0"), stdin=subprocess.DEVNULL)
        while os.read(0, 1):
            pass
        process.kill()
        process.wait()

    def _last_words(self) -> str:
        data = os.pread(self._words, 1 << 16, 0).decode("utf-8", "replace").strip()
        return escaped(data.splitlines()[-1], 200) if data else "it said nothing."


def _way_out() -> bool:
    """Whether this network has a default route."""
    try:
        lines = Path("/proc/self/net/route").read_text().splitlines()[1:]
    except OSError:
        return False
    return any(line.split()[1] == "00000000" for line in lines)
