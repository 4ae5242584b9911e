"""Another machine whose traffic is watched: `ssh://USER@HOST[:PORT]`, where tcpdump runs.

URL -> `Remote` -> ssh, whose standard output is a capture; what ssh and tcpdump complain of is one sentence.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO
from urllib.parse import urlsplit

from inspector.cli.errors import MISSING, USAGE, CommandError
from inspector.wire.text import escaped

_USER, _HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*"), re.compile(r"[A-Za-z0-9:][A-Za-z0-9.:_-]*")
_FIND = "PATH=\"$PATH:/usr/sbin:/sbin\"; export PATH; "
_LEAVE_WITHIN = 3.0            # seconds
_NOTE = re.compile(r"^(tcpdump: (listening on|verbose output|data link type)|\d+ packets? |sudo: a password)")


@dataclass(slots=True)
class Remote:
    """A machine that is reached by ssh; `port` 0: as ssh itself is set up for that host."""

    url: str
    user: str
    host: str
    port: int = 0
    _words: IO[bytes] | None = None          # what ssh and tcpdump complain of

    @contextmanager
    def listening(self, ports: tuple[int, ...]) -> Iterator[int]:
        """A descriptor of what tcpdump writes there, for as long as it is wanted."""
        if shutil.which("ssh") is None:
            raise CommandError("There is no program ssh here, which would lead there.", MISSING)
        to = f"{self.user}@{self.host}" if self.user else self.host
        port = ["-p", str(self.port)] if self.port else []
        with tempfile.TemporaryFile() as words:
            self._words = words
            process = subprocess.Popen(
                ["ssh", "-T", *port, "--", to, remote_command(ports, self.port or 22)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=words,
            )
            assert process.stdout is not None
            try:
                yield process.stdout.fileno()
            finally:
                process.terminate()
                try:
                    process.wait(_LEAVE_WITHIN)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                process.stdout.close()

    def failure(self) -> str:
        """Why nothing came, in one sentence."""
        if self._words is None:
            return ""
        self._words.seek(0)
        text = self._words.read(1 << 16).decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip() and not _NOTE.match(line.strip())]
        if "tcpdump: not found" in text or "tcpdump: command not found" in text:
            return f"{self.host} has no tcpdump, which would capture there."
        if "permission" in text and "tcpdump:" in text:
            return (f"{self.user or 'The user'} may not capture on {self.host}: tcpdump needs root there, or "
                    "sudo without a password.")
        shown = escaped(lines[-1].rstrip("."), 200) if lines else "ssh said nothing"
        return f"Nothing comes from {self.host}: {shown}."


def remote_of(url: str) -> Remote:
    """The machine of a URL. CommandError where it names none."""
    try:
        parts = urlsplit(url)
        user, host, port = parts.username or "", parts.hostname or "", parts.port or 0
    except ValueError as error:
        raise CommandError(f"{url!r:.80} is no URL: {error}.", USAGE) from error
    if not _HOST.fullmatch(host) or (user and not _USER.fullmatch(user)) or parts.password is not None \
            or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise CommandError(f"{url!r:.80} is no machine: ssh://[USER@]HOST[:PORT] is.", USAGE)
    return Remote(url, user, host, port)


def remote_command(ports: tuple[int, ...], own: int) -> str:
    """What the other machine's shell is to run: tcpdump on all interfaces, by sudo where it has to.

    Without `ports` it hears all but the connection that brings it here (to port `own`).
    """
    wanted = " or ".join(f"port {port}" for port in ports) if ports else f"not tcp port {own}"
    listen = f"tcpdump -i any -U -s 0 -w - '{wanted}'"
    return f"{_FIND}{listen} || sudo -n {listen}"
