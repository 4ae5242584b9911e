"""The wire itself: takes each packet from one cable, keeps it or not, and gives it to the other one.

A cable's packet socket -> a `Packet`, in the order of arrival -> what becomes of it: by a rule, by chance,
by the person who holds the wire (`obey`), else it passes -> the other cable. Each fate is told as an event
that names the packet by its number on this wire, and by a sum of its bytes: the capture has it too, with a
time of its own (TCP's packets have their time of sending with them, so that no two sockets agree on theirs).
"""

from __future__ import annotations

import contextlib
import heapq
import random
import socket
import time
import zlib
from dataclasses import dataclass
from typing import Protocol, Unpack

from inspector.capture.bpf import ACCEPT_ALL
from inspector.capture.packet_socket import bind, open_packet_socket
from inspector.lab.network.wire.frame import kinds_of
from inspector.model.commands import WireAct
from inspector.model.language import marked
from inspector.model.records import EventFields
from inspector.model.wiring import (
    LATER,
    LONGEST_WAITING,
    NONE_HELD,
    SENDERS,
    FateBy,
    FateWord,
    Sender,
    What,
    WireNumber,
    Wiring,
    rule_of,
    wire_number,
)

_SO_RCVBUFFORCE = 33
_LARGEST, _BUFFER = 1 << 17, 1 << 24
_MOST_AT_ONCE = 64                 # packets of one cable in a turn
_MOST_HELD = 1000
_QUEUE = 1 << 16                   # bytes that wait for a slow wire; what comes then is lost
_DONE: dict[WireAct, tuple[FateWord, str]] = {
    "pass": ("passed", "let pass"), "drop": ("dropped", "dropped"), "double": ("doubled", "doubled"),
    "delay": ("put off", f"put off for {LATER:g} s"), "swap": ("swapped", "put behind the next one"),
}  # fmt: skip


class Report(Protocol):
    """Puts an event of the wire into the trace; `fields` are its fields."""

    def __call__(self, text: str, **fields: Unpack[EventFields]) -> None: ...


@dataclass(frozen=True, slots=True)
class Packet:
    """A frame that came from one end; `number`: from 1, in the order in which they came."""

    number: WireNumber
    sender: Sender
    frame: bytes


class Wire:
    """`cables`: by the sender's name what `receive` is to be called for when it is readable."""

    def __init__(self, wiring: Wiring, report: Report) -> None:
        """OSError where the cables cannot be listened to."""
        self._wiring, self._report = wiring, report
        self.cables = {end: _cable(end) for end in SENDERS}
        self._chance = random.Random()
        self._seen = 0
        self.begin()

    def begin(self) -> None:
        """A session begins: nothing is held any more, and the rules count anew."""
        self.holds = self._wiring.held
        self._rules = [rule_of(text) for text in self._wiring.rules]
        self._counts = [0] * len(self._rules)
        self._met = [False] * len(self._rules)
        self._held: list[Packet] = []
        self._behind: list[Packet] = []        # swapped: they go after the next one of their sender
        self._due: list[tuple[float, int, Packet, FateWord | None]] = []   # when, which, what, its fate then
        self._later_count = 0
        self._busy: dict[Sender, float] = dict.fromkeys(SENDERS, 0.0)

    @property
    def due(self) -> float | None:
        """In how many seconds `tick` has something to do; None where nothing waits for its time."""
        return max(self._due[0][0] - time.monotonic(), 0.0) if self._due else None

    def receive(self, sender: Sender) -> None:
        """Take what this end has sent."""
        for _ in range(_MOST_AT_ONCE):
            try:
                frame = self.cables[sender].recv(_LARGEST)
            except (BlockingIOError, InterruptedError):
                return
            kinds = kinds_of(frame)
            if kinds is not None:
                self._seen += 1
                packet = Packet(wire_number(self._seen), sender, frame)
                self._decide(packet, self._act_of_rules(sender, kinds))

    def obey(self, act: WireAct, packet: WireNumber) -> None:
        """Do what a person asks; a sentence in the trace where it cannot be done."""
        if act == "hold":
            self.holds = True
            self._report("The wire is held: each packet waits until it is let pass.", fate="hold")
        elif act == "open":
            self.holds = False
            self._report("The wire lets every packet pass.", fate="open")
            held, self._held = self._held, []
            for each in held:
                self._do("pass", each, "you")
            self._release_swapped()
        else:
            chosen = next((each for each in self._held if packet in (LONGEST_WAITING, each.number)), None)
            if chosen is None:
                self._report(NONE_HELD if packet == LONGEST_WAITING else
                             marked("The wire holds no such packet."), fate="none")
                return
            self._held.remove(chosen)
            self._do(act, chosen, "you")

    def unmet(self) -> list[str]:
        """A sentence for each rule that nothing has been done by."""
        sentences = []
        counters = zip(self._wiring.rules, self._rules, self._counts, self._met, strict=True)
        for text, rule, count, met in counters:
            if not met:
                such = f"{count or 'no'} such packet{'s' if count > 1 else ''} came"
                sentences.append(f"No packet was {_DONE[rule.act][1]} by the rule {text}: {such}.")
        return sentences

    def tick(self) -> None:
        """Hand on what has become due."""
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            _, _, packet, fate = heapq.heappop(self._due)
            if fate is not None:
                self._report_fate(fate, fate, packet, "")
            self._put(packet)

    def close(self) -> None:
        """Let the cables go."""
        for cable in self.cables.values():
            cable.close()

    # --- what becomes of a packet ---

    def _act_of_rules(self, sender: Sender, kinds: frozenset[What]) -> WireAct | None:
        """What the first rule that covers it says; every rule counts those that it means."""
        found: WireAct | None = None
        for place, rule in enumerate(self._rules):
            if rule.means(sender, kinds):
                self._counts[place] += 1
                if found is None and rule.covers(self._counts[place]):
                    found = rule.act
                    self._met[place] = True
        return found

    def _decide(self, packet: Packet, act: WireAct | None) -> None:
        if act is not None:
            self._do(act, packet, "rule")
        elif self._wiring.loss and self._chance.random() * 100 < self._wiring.loss:
            self._report_fate("lost", "lost by chance", packet, "chance")
        elif self.holds and len(self._held) >= _MOST_HELD:
            self._report_fate("overflowed", "lost: too many wait already", packet, "full")
        elif self.holds:
            self._held.append(packet)
            self._report_fate("held", "waits", packet, "you")
        else:
            self._pass(packet, plainly=True)

    def _do(self, act: WireAct, packet: Packet, by: FateBy) -> None:
        if act == "swap" and any(each.sender == packet.sender for each in self._behind):
            if self.holds or by == "you":      # it waited, or none has told that it does not
                self._report_fate(*_DONE["pass"], packet, by)
            self._pass(packet)                 # it is the next one, which an earlier one waits for
            return
        fate, word = _DONE[act]
        self._report_fate(fate, word, packet, by)
        if act == "delay":
            self._later(time.monotonic() + LATER, packet, "delayed")
        elif act == "swap":
            self._behind.append(packet)
        elif act != "drop":
            self._pass(packet)
            if act == "double":
                self._pass(packet)

    def _pass(self, packet: Packet, *, plainly: bool = False) -> None:
        """Put it on the wire's further half, which may be slow or long.

        `plainly`: nothing was done with it, so that it is told when it leaves and when it arrives.
        """
        rate, latency = self._wiring.rate * 1000 / 8, self._wiring.latency / 1000
        now = time.monotonic()
        start = now
        if rate:
            start = max(now, self._busy[packet.sender])
            if (start - now) * rate + len(packet.frame) > _QUEUE:
                self._report_fate("overflowed", "lost: the slow wire's queue is full", packet, "rate")
                return
            self._busy[packet.sender] = start = start + len(packet.frame) / rate
        if start + latency > now and plainly:
            self._report_fate("under way", "under way", packet, "")
            self._later(start + latency, packet, "arrived")
        elif start + latency > now:
            self._later(start + latency, packet)
        else:
            self._put(packet)
        behind = [each for each in self._behind if each.sender == packet.sender]
        self._behind = [each for each in self._behind if each.sender != packet.sender]
        for each in behind:
            self._go_after(each)

    def _release_swapped(self) -> None:
        behind, self._behind = self._behind, []
        for each in behind:
            self._go_after(each)

    def _go_after(self, packet: Packet) -> None:
        """A swapped packet goes now."""
        self._report_fate("overtaken", "overtaken", packet, "")
        self._pass(packet)

    def _later(self, moment: float, packet: Packet, fate: FateWord | None = None) -> None:
        self._later_count += 1
        heapq.heappush(self._due, (moment, self._later_count, packet, fate))

    def _put(self, packet: Packet) -> None:
        other: Sender = "server" if packet.sender == "client" else "client"
        try:
            self.cables[other].send(packet.frame)
        except OSError as error:
            self._report_fate("unsent", f"lost: {error.strerror}", packet, "kernel")

    def _report_fate(self, fate: FateWord, word: str, packet: Packet, by: FateBy) -> None:
        whose = f"A packet of the {packet.sender}"
        text = f"{whose} {_WORDS[fate]}." if fate in _WORDS else f"{whose} was {word}{_BY.get(by, '')}."
        sum_of_bytes = f"{zlib.crc32(packet.frame):08x}"
        number = str(packet.number)
        self._report(text, packet=number, sum=sum_of_bytes, fate=fate, by=by, sender=packet.sender)


_WORDS: dict[FateWord, str] = {
    "held": "waits on the wire", "under way": "is on its way", "arrived": "arrived",
}  # fmt: skip
_BY: dict[FateBy, str] = {"you": " by you", "rule": " by a rule"}


def _cable(end: Sender) -> socket.socket:
    """A packet socket that gets all that this end sends."""
    cable = open_packet_socket(ACCEPT_ALL)
    cable.setblocking(False)
    with contextlib.suppress(OSError):
        cable.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    with contextlib.suppress(OSError):
        cable.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    bind(cable, end)
    return cable

