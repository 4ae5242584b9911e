"""What a lesson's expressions are asked of: the joint trace of the run, and where the present step began.

trace -> packets (columns, flows, protocols), system calls, who is held before which call, TCP states,
queues of the kernel. It follows a trace that grows; `begin_step` marks what is "new" from now on.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.model.packets import Row
from inspector.views.conversations.compare.happenings import FLAGS, packet_name
from inspector.views.json.findings import findings_of
from inspector.views.ladder.header import ladder_ends
from inspector.views.ladder.ladder import Ladder
from inspector.views.ladder.layout import LEFT

if TYPE_CHECKING:
    from inspector.model.records import Call, Event
    from inspector.trace.trace import Trace

ROLES = ("client", "server")
NOTHING = "nothing"
# How the rows of the ladder are named where the next one is asked for: who sends, and what.
PACKETS = (*FLAGS, "data", "datagram", "ICMP")
ROWS = (NOTHING, *(f"{role} {packet}" for role in ROLES for packet in PACKETS))
STATES = ("CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2",
          "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT")       # RFC 9293 section 3.3.2


class TooMuchError(Exception):
    """The run has more packets than a lesson asks about; the text is one sentence."""


MOST_PACKETS = 5000        # of a run: checks go over all of them


@dataclass(slots=True)
class Held:
    """Who is held at the gate before which calls, the longest first, and how many were let go so far."""

    waiting: dict[str, list[tuple[str, str]]]      # role -> (thread, name of the call)
    let: dict[str, list[str]]                      # role -> names of the calls that passed
    seen: int = 0

    def update(self, events: Sequence[Event]) -> None:
        """Read on in the trace's events."""
        for event in events[self.seen :]:
            if event.role not in ROLES:
                continue
            fields = event.known
            name = fields.get("call", "").partition("(")[0]
            queue, thread = self.waiting[event.role], fields.get("tid", "")
            if event.kind == "waiting":
                queue.append((thread, name))
            elif event.kind == "resumed":
                if (thread, name) in queue:
                    queue.remove((thread, name))
                self.let[event.role].append(name)
            elif event.kind == "endpoint-ended":
                queue.clear()
        self.seen = len(events)


class Scene:
    """One run as the checks see it."""

    def __init__(self, trace: Trace, most_packets: int | None = MOST_PACKETS) -> None:
        self.trace, self._most = trace, most_packets
        self.held = Held({role: [] for role in ROLES}, {role: [] for role in ROLES})
        self.first_packet = self.first_call = 0       # of the present step
        self._ladder: Ladder | None = None
        self.update()

    def update(self) -> None:
        """Take in what the trace gained; TooMuchError where it is more than a lesson needs."""
        self.held.update(self.trace.events)
        if self._most is not None and self.trace.index.count > self._most:
            raise TooMuchError(f"This run has more than {self._most} packets, too many for a lesson.")

    def begin_step(self) -> None:
        """What comes from now on is new."""
        self.first_packet, self.first_call = self.trace.index.count, len(self.trace.calls)

    @property
    def ladder(self) -> Ladder:
        """The ladder of all that happened, up to now."""
        if self._ladder is None:
            self._ladder = Ladder(self.trace)
        else:
            self._ladder.update()
        return self._ladder

    def state(self, role: str) -> str:
        """The TCP state of one end now."""
        left, right, _ = ladder_ends(self.ladder, None)
        return (left if role == "client" else right).state

    def calls(self, role: str, name: str) -> list[Call]:
        """The calls of this name that one end has entered, in order."""
        return [call for call in self.trace.calls if call.role == role and call.name == name]

    def row_name(self, row: Row) -> str:
        """Packet `row` (0-based) as one of ROWS."""
        sender = "client" if self.ladder.side.direction(row) == LEFT else "server"
        return packet_name(self.trace.index, row, sender)

    def queue(self, role: str) -> int | None:
        """Bytes in the receive queue of one end's connection, as the kernel last said; None: unknown."""
        left, right, _ = ladder_ends(self.ladder, None)
        own, other = (left, right) if role == "client" else (right, left)
        for sample in reversed(self.trace.kernel):
            if (sample.local, sample.peer) == (own.address, other.address):
                return sample.unread
        return None

    def findings(self, pattern: str) -> int:
        """How many findings have an id that matches, such as "tcp.*"."""
        return sum(fnmatch.fnmatchcase(one.id, pattern) for one in findings_of(self.trace, None))
