"""What has to be decoded for the lines of conversations: what each speaks, how much is wrong in it.

Lines that are seen -> `decode`, in turns -> what is kept of each (`Decoded`); of a large conversation what it
speaks alone, by its first packets (`Opening`). Beside it what the kernel's samples and the wire tell of each.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from inspector.model.packets import row_at
from inspector.trace.application.opening import Opening
from inspector.trace.kernel import KernelFindings
from inspector.trace.packet.deeds import wire_findings
from inspector.trace.packet.facts import facts
from inspector.trace.packet.info import protocol_name
from inspector.trace.packet.protocol_names import tunnel_name
from inspector.views.conversations.table import ConversationTable
from inspector.views.findings.list import MARKS, STYLES
from inspector.views.line.spans import Style

if TYPE_CHECKING:
    from inspector.trace.trace import Trace
    from inspector.wire.findings import Finding, Severity

DECODED_PACKETS = 1_000      # of a conversation that is decoded for its line alone: some 20 ms


class Decoded(NamedTuple):
    """What decoding tells of a conversation that had so many `packets` then; `application` "": nothing."""

    packets: int
    application: str
    findings: int
    worst: Severity | None


class DecodedConversations:
    """What was decoded of the conversations of `table`, by their numbers there."""

    def __init__(self, trace: Trace, table: ConversationTable) -> None:
        self.trace, self.table = trace, table
        self._decoded: dict[int, Decoded] = {}
        # By conversation: what the kernel's samples prove, and what was done to it on the wire.
        self._beside: dict[tuple[str, int], list[Finding]] = {}
        self._proofs = KernelFindings(trace)
        self._beside_of = 0, 0, 0                   # samples, fates and packets of which that is
        self.openings: dict[int, str] = {}          # of those not decoded: what their first packets speak
        self._opening: tuple[int, Opening] | None = None     # the one that is looked at now

    def decode(self, numbers: Iterable[int], seconds: float) -> bool:
        """Decode these conversations until the time is over; True when there is more to do."""
        until = time.monotonic() + seconds
        self._look_beside()
        for number in numbers:
            wants = self.wants(number)
            if not (wants or self.is_unopened(number)):
                continue
            if time.monotonic() > until or not (self._decode if wants else self.open)(number, until):
                return True
        return False

    def _look_beside(self) -> None:
        """What the kernel's samples prove and what was done on the wire, anew where there is more."""
        fates = self.trace.fates
        of = self.trace.samples, fates.version if fates else 0, self.trace.index.count if fates else 0
        if of != self._beside_of:
            self._beside_of, self._beside = of, {}
            for one in (*self._proofs.look(), *(wire_findings(self.trace) if fates else ())):
                self._beside.setdefault((one.carrier, one.stream), []).append(one)

    def _packets(self, number: int) -> int:
        return int(self.table.column("packets_ab")[number] + self.table.column("packets_ba")[number])

    def wants(self, number: int) -> bool:
        """Whether it is to be decoded for its line: it has grown, and is not too large."""
        packets = self._packets(number)
        known = self._decoded.get(number)
        if known is not None and known.packets == packets:
            return False
        conversation = self.table.conversation(number)
        if conversation is None or conversation.protocol != "tcp":
            return conversation is not None
        return packets <= DECODED_PACKETS or self.trace.share(conversation.stream) == 1.0

    def is_unknown(self, number: int) -> bool:
        """Whether it is a TCP conversation of which nobody knows what it speaks, or that it is nothing."""
        known = self._decoded.get(number)
        if number in self.openings or (known is not None and (known.application or not self._stale(number))):
            return False
        conversation = self.table.conversation(number)
        return conversation is not None and conversation.protocol == "tcp"

    def is_unopened(self, number: int) -> bool:
        """Whether its first packets are to be read for its line: it is too large to be decoded for it."""
        return self.is_unknown(number) and not self.wants(number)

    def open(self, number: int, until: float) -> bool:
        """Find out what a conversation speaks by its first packets; False where it takes another turn."""
        conversation = self.table.conversation(number)
        assert conversation is not None
        if self._opening is None or self._opening[0] != number:
            self._opening = number, Opening(self.trace, conversation.stream)
        opening = self._opening[1]
        while not opening.done:
            if time.monotonic() > until:
                return False
            opening.step()
        if opening.title or self._packets(number) > DECODED_PACKETS:     # a small one may grow: asked again
            self.openings[number] = opening.title
        self._opening = None
        opening.let_go()
        return True

    def _stale(self, number: int) -> bool:
        """Whether packets have come since it was decoded."""
        return self._decoded[number].packets != self._packets(number)

    def _decode(self, number: int, until: float) -> bool:
        """Decode a conversation for its line; False where it takes another turn."""
        conversation = self.table.conversation(number)
        assert conversation is not None
        if conversation.protocol == "tcp":
            if not self.trace.advance(conversation.stream, until - time.monotonic()):
                return False
            decoded = self.trace.application(conversation.stream)
            name = decoded.layer.protocol.title if decoded.layer is not None else ""
            findings = decoded.findings
        else:
            name = self._plain_name(number)
            findings = self.trace.datagrams(conversation.stream).findings()
        severities = {one.severity for one in findings}
        worst = next((severity for severity in MARKS if severity in severities), None)
        self._decoded[number] = Decoded(self._packets(number), name, len(findings), worst)
        return True

    def _plain_name(self, number: int) -> str:
        row = row_at(self.table.column("first_row"), number)
        if self.table.column("carries")[number]:
            return tunnel_name(self.trace, row, int(self.table.column("stream")[number])).upper() or "UDP"
        return protocol_name(self.trace, facts(self.trace, row, relative=False, deep=0))

    def application(self, number: int) -> str:
        """The innermost protocol as far as it is known: "HTTP", else "TCP"."""
        known = self._decoded.get(number)
        name = known.application if known is not None else ""
        return name or self.openings.get(number, "") or self._plain_name(number)

    def findings(self, number: int) -> tuple[str, Style]:
        """The text and style of the cell that counts them."""
        known, conversation = self._decoded.get(number), self.table.conversation(number)
        key = ("", -1) if conversation is None else (conversation.protocol, conversation.stream)
        beside = self._beside.get(key, [])
        if known is None and self.wants(number):        # part of them would be a wrong number
            return "…", "dim"
        if known is None and not beside:
            return "", "dim"
        severities = {one.severity for one in beside} | ({known.worst} if known is not None else set())
        worst = next((severity for severity in MARKS if severity in severities), None)
        if worst is None:                # it may have grown large since: nobody knows then
            return ("", "dim") if self._stale(number) and not self.wants(number) else ("0", "dim")
        count = len(beside) + (known.findings if known is not None else 0)
        return f"{MARKS[worst]} {count}", STYLES[worst]
