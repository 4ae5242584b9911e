"""A running capture of one loopback into a trace: socket, ring (or recvmsg), writer and scapy's sniffer.

`Capture(...)` receives from its first moment on (frames wait in the ring); `start` then brings in scapy,
which takes a while, in a thread of its own; `stop` writes the last frame and closes.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from inspector.capture.batch import Source
from inspector.capture.bpf import ACCEPT_ALL, Program
from inspector.capture.packet_socket import ANY, Counts, open_everywhere, open_packet_socket
from inspector.capture.receive import Receiver
from inspector.capture.ring import BLOCKS, Ring
from inspector.capture.writer import TraceWriter
from inspector.model.memory import NO_MEMORY_TO_CAPTURE, is_lack_of_memory, memory_remedy
from inspector.wire.journal import Record

if TYPE_CHECKING:
    from inspector.capture.sniffer import Sniffer


def open_source(
    program: Program = ACCEPT_ALL, blocks: int = BLOCKS, given: socket.socket | None = None,
    interface: str = "lo",
) -> Source:
    """The best source of loopback frames that the kernel gives; OSError (EPERM) without CAP_NET_RAW.

    `given`: a packet socket that is open already, with its filter, and not bound. `interface`: "any" for all
    of this network, "wire" for all that comes in from one.
    """
    opened = open_packet_socket if interface != ANY else open_everywhere
    if given is not None:
        return Ring(given, blocks, interface=interface)
    try:
        return Ring(opened(program), blocks, interface=interface)
    except PermissionError:
        raise
    except OSError:
        return Receiver(opened(program), interface)


class Capture:
    """One capture into the file `descriptor`; `woken` is called after each write, `failed` when it broke.

    `failed` hears the sentence, and the command that mends it ("": none is known).
    """

    def __init__(
        self, descriptor: int, *, description: str, woken: Callable[[], None],
        failed: Callable[[str, str], None],
        program: Program = ACCEPT_ALL, filter: str = "", snaplen: int = 0, max_size: int = 0, most: int = 0,
        source: Source | None = None, blocks: int = BLOCKS, interface: str = "lo", waits: float = 0.0,
    ) -> None:
        """`waits`: seconds for which the source may keep frames back."""
        self._source = source or open_source(program, blocks)
        self._failed = failed
        self.last_counts = Counts()                        # after `stop`: the kernel's counts
        self._nudge = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._sniffer: Sniffer | None = None
        self._starter = threading.Thread(target=self._start, name="start-sniffer", daemon=True)
        self.writer = TraceWriter(descriptor, woken, max_size, most, waits)
        self.writer.begin(
            application="inspector", interface=interface, description=description, filter=filter,
            snaplen=snaplen,
        )

    @property
    def kind(self) -> str:
        """How frames come: "ring", "recvmsg", or "narrowed" by what is known of them later."""
        return {Ring: "ring", Receiver: "recvmsg"}.get(type(self._source), "narrowed")

    def start(self) -> None:
        """Start writing what is captured, soon and in another thread."""
        self._starter.start()

    def record(self, *records: Record) -> None:
        """Put system calls and events into the trace, at their times; from any thread.

        Who has many gives them together: each time wakes the sniffer, and both threads want the interpreter.
        """
        if records:
            self.writer.record(*records)
            os.eventfd_write(self._nudge, 1)

    def wake(self) -> None:
        """Have the source asked once more, though no frame came; from any thread."""
        os.eventfd_write(self._nudge, 1)

    def counts(self) -> Counts:
        """The kernel's counts so far."""
        return self._source.counts()

    def stop(self) -> None:
        """Write all that was captured until now and close."""
        if self._starter.ident is not None:
            self._starter.join()
        if self._sniffer is not None:
            self._sniffer.stop()
        self.last_counts = self._source.counts()
        self._source.close()
        os.close(self._nudge)

    def _start(self) -> None:
        try:
            from inspector.capture.sniffer import Sniffer  # scapy, while this socket captures already

            sniffer = Sniffer(self._source, self.writer, self._nudge, self._broke)
            sniffer.start()
            self._sniffer = sniffer                        # which can be stopped, now that its thread runs
        except Exception as error:
            self._broke(error)

    def _broke(self, error: Exception) -> None:
        if isinstance(error, OSError):
            self._failed(f"The trace could not be written: {error.strerror or error}.", "")
        elif is_lack_of_memory(error):
            self._failed(NO_MEMORY_TO_CAPTURE, memory_remedy())
        else:
            self._failed(f"The capture broke: {error!r}.", "")
