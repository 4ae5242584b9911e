"""Endpoints as processes for tests: started on loopback, driven by commands, read by their journal.

An agent starts `python -m inspector.sessions.endpoint`; here the same is forked off what has imported it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import resolved
from inspector.wire.journal import CallRecord, EventRecord, Reported, from_line
from tests.support.running.commands import Running

LIMIT = 30.0     # seconds until a test that hangs fails; never a measure of speed
CODE = "import sys; from inspector.sessions.endpoint import main; sys.exit(main(sys.argv[1:]))"


def has_ipv6() -> bool:
    """Whether ::1 can be bound here."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def free_port(kind: str = "tcp", ipv6: bool = False) -> int:
    """A port nobody has right now, of those that the kernel gives to nobody who does not ask for it."""
    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    for port in random.SystemRandom().sample(range(10_000, 32_000), 100):
        with socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("::1" if ipv6 else "127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


class Endpoint:
    """One endpoint's process and what its journal has told so far."""

    def __init__(self, role: str, spec: SessionSpec) -> None:
        self.spec = spec
        read_end, write_end = os.pipe()
        self.process = Running([role, "--journal-fd"], code=CODE, handed=[write_end], has_stdin=True)
        self._status: int | None = None
        os.close(write_end)
        self.records: list[Reported] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, args=(read_end,), daemon=True)
        self._reader.start()
        self._write(spec.to_json())

    def _read(self, fd: int) -> None:
        with os.fdopen(fd, "rb") as lines:
            for line in lines:
                record = from_line(line)
                with self._changed:
                    self.records.append(record)
                    self._changed.notify_all()

    def _write(self, value: dict[str, Any]) -> None:
        self.process.stdin.write(json.dumps(value).encode() + b"\n")
        self.process.stdin.flush()

    def do(self, command: str, **fields: Any) -> None:
        """Send a command."""
        self._write({"do": command, **fields})

    def wait(self, until: Callable[[Endpoint], bool]) -> None:
        """Wait until the journal makes `until(self)` true."""
        with self._changed:
            assert self._changed.wait_for(lambda: until(self), LIMIT), self.report()

    def end(self) -> int:
        """End its input; the exit status."""
        self.process.stdin.close()
        return self.finish()

    def finish(self) -> int:
        """Wait for its own end; the exit status."""
        if self._status is None:
            self._status = self.process.wait(LIMIT)
        self._reader.join(LIMIT)
        errors = self.process.stderr.read()
        assert not errors, errors.decode()
        return self._status

    def kill(self) -> None:
        """Leave nothing behind."""
        if self._status is None:
            with suppress(ProcessLookupError):           # it has just ended
                self.process.send_signal(signal.SIGKILL)
            self._status = self.process.wait(LIMIT)
        self._reader.join(LIMIT)
        self.process.close()

    # -- the journal ---------------------------------------------------------------------------------

    def calls(self, name: str = "") -> list[CallRecord]:
        """The calls in order of their entry, each in its latest state."""
        latest: dict[int, CallRecord] = {}
        for record in list(self.records):
            if isinstance(record, CallRecord):
                latest[record.id] = record
        return [call for call in latest.values() if name in ("", call.name)]

    def names(self) -> list[str]:
        """The names of all calls, in order of entry."""
        return [call.name for call in self.calls()]

    def events(self, kind: str = "") -> list[EventRecord]:
        """The events of a kind, in order."""
        return [
            record for record in list(self.records)
            if isinstance(record, EventRecord) and kind in ("", record.kind)
        ]  # fmt: skip

    def failures(self) -> list[str]:
        """The sentences of what went wrong."""
        return [event.text for event in self.events("failed")]

    def report(self) -> str:
        """The journal as text, for a failing test."""
        return "\n".join(
            record.message if isinstance(record, CallRecord) else f"{record.kind}: {record.text}"
            for record in self.records
        )


class Pair:
    """A server and a client; the client starts when the server listens."""

    def __init__(self, spec: SessionSpec) -> None:
        self.spec = spec
        self.endpoints: list[Endpoint] = []
        if spec.with_server:
            self.server = self._start("server")
            self.server.wait(lambda end: bool(end.events("listening") or end.events("failed") or spec.paused))
        self.client = self._start("client")

    def _start(self, role: str) -> Endpoint:
        endpoint = Endpoint(role, self.spec)
        self.endpoints.append(endpoint)
        return endpoint

    def finish(self) -> list[int]:
        """Wait for both to end by themselves; exit statuses, server's first."""
        return [endpoint.finish() for endpoint in self.endpoints]

    def end(self) -> list[int]:
        """End both by the end of their input, client first; exit statuses, server's first."""
        return [endpoint.end() for endpoint in reversed(self.endpoints)][::-1]


@contextmanager
def session(**options: Any) -> Iterator[Pair]:
    """A running pair on a free port, whatever happens gone afterwards."""
    kind = options.get("kind", "tcp")
    options.setdefault("port", free_port(kind, options.get("ipv6", False)))
    pair = Pair(resolved(SessionSpec(**options)))
    try:
        yield pair
    finally:
        for endpoint in pair.endpoints:
            endpoint.kill()


@contextmanager
def led_server(**options: Any) -> Iterator[tuple[Endpoint, Callable[[], socket.socket]]]:
    """A client of ours whose server the test leads: call for its connection."""
    with socket.socket() as listener, ExitStack() as accepted:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = Endpoint("client", resolved(SessionSpec(port=listener.getsockname()[1], **options)))
        accepted.callback(client.kill)
        yield client, lambda: accepted.enter_context(listener.accept()[0])
