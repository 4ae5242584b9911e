"""The journal of an endpoint: system calls and events, one JSON line each, into a file descriptor.

A call is written when it is entered and again, with the same id, when it returned, so that a reader
sees it block. Every record is one write of less than PIPE_BUF bytes: the lines of several threads,
and of several endpoints on one pipe, never mix.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Unpack

from inspector.model.records import EventFields, EventKind, pairs_of
from inspector.model.spec import Role
from inspector.wire.journal import CallRecord, EventRecord, Reported, to_line
from inspector.wire.text import escaped

TEXT_LIMIT = 300


class Journal:
    """Writes the records of one endpoint; may be used from any thread."""

    def __init__(self, fd: int, role: Role) -> None:
        self.role = role
        self.failed = False            # an event "failed" was written
        self._fd: int | None = fd
        self._lock = threading.Lock()
        self._last_id = 0
        self._pid = os.getpid()

    def enter(
        self,
        name: str,
        arguments: str,
        *,
        fd: int | None = None,
        local: str | None = None,
        peer: str | None = None,
        protocol: str = "",
    ) -> CallRecord:
        """Write that a call is about to be made; the record is handed to `leave` when it returned."""
        with self._lock:
            self._last_id += 1
            record = CallRecord(
                id=self._last_id,
                pid=self._pid,
                tid=threading.get_native_id(),
                role=self.role,
                name=name,
                arguments=escaped(arguments, TEXT_LIMIT),
                time_ns=time.time_ns(),
                fd=fd,
                local=local,
                peer=peer,
                protocol=protocol,
            )
            self._write(record)
        return record

    def leave(self, record: CallRecord, deliver: Callable[[], None] | None = None) -> None:
        """Write a call that returned: the entered record with `end_ns`, `result` or `errno` filled in.

        `deliver` hands on what it returned, before any reader of the journal can know of it, and before
        anything that follows from it can be written.
        """
        record = replace(record, detail=escaped(record.detail, TEXT_LIMIT))
        with self._lock:
            if deliver is not None:
                deliver()
            self._write(record)

    def event(self, kind: EventKind, text: str, **fields: Unpack[EventFields]) -> None:
        """Write an event: one sentence, and what programs read of it as fields."""
        extra = tuple((key, escaped(value, TEXT_LIMIT)) for key, value in pairs_of(fields))
        with self._lock:
            self.failed = self.failed or kind == "failed"
            self._write(
                EventRecord(kind, escaped(text, TEXT_LIMIT), time.time_ns(), self.role, self._pid, extra)
            )

    def kernel_time(self, stage: str, byte: int, moment: int, local: str, peer: str) -> None:
        """Write when the kernel did something with the byte at an offset of a stream (ns since the epoch)."""
        fields = pairs_of({"stage": stage, "byte": str(byte), "local": local, "peer": peer})
        with self._lock:
            text = f"The kernel of the {self.role}: byte {byte} {stage}."
            self._write(EventRecord("kernel-time", text, moment, self.role, self._pid, fields))

    def secret(self, line: str, moment: int) -> None:
        """Write a line of TLS's key log for the packets from `moment` on (ns since the epoch)."""
        with self._lock:
            self._write(EventRecord("secret", "A secret of TLS.", moment, self.role, self._pid,
                                    pairs_of({"line": line})))

    def note(self, text: str) -> None:
        """Say one sentence to the person that is no failure."""
        self.event("note", text)

    def _write(self, record: Reported) -> None:
        if self._fd is None:
            return
        line = to_line(record)
        try:
            while line:
                line = line[os.write(self._fd, line) :]
        except OSError:
            # Nobody reads any more. The end of standard input, which comes with it, ends the endpoint.
            self._fd = None
