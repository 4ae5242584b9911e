"""What captures packets into the trace, as the agent knows it: our own sniffer (`Capture`) or `Dumpcap`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from inspector.capture.packet_socket import Counts
    from inspector.capture.writer import TraceWriter
    from inspector.wire.journal import Record


class Capturing(Protocol):
    """One capture into one file; `record` from any thread, the rest from one."""

    writer: TraceWriter
    last_counts: Counts

    @property
    def kind(self) -> str:
        """How frames come: "ring", "recvmsg", "narrowed" or "dumpcap"."""

    def start(self) -> None:
        """Start writing what is captured."""

    def record(self, record: Record) -> None:
        """Put a system call or event into the trace, at its time."""

    def wake(self) -> None:
        """Look whether there is something to write, though no packet came."""

    def stop(self) -> None:
        """Write all that was captured until now; `last_counts` and `writer` say what it was."""
