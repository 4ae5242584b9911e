"""The wire between two ends that a person, or a rule, stands in: what it does, and to which packets.

`--drop data:2` -> `Rule` -> the agent's wire, which shows it each packet in the order in which they come; a
rule counts those that it means. `Wiring`: all that is asked of one session's wire.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NewType, get_args

from inspector.model.language import marked

Act = Literal["pass", "drop", "double", "delay", "swap"]
Sender = Literal["client", "server"]
What = Literal["data", "syn", "fin", "rst", "ack"]
FateWord = Literal[                # what becomes of a packet there
    "held", "passed", "dropped", "doubled", "put off", "delayed", "swapped", "overtaken", "lost",
    "overflowed", "unsent", "under way", "arrived",
]
FateBy = Literal["you", "rule", "chance", "rate", "full", "kernel", ""]      # who, or what, decided it
WireNumber = NewType("WireNumber", int)      # of a packet there, from 1 in the order in which they came
LONGEST_WAITING = WireNumber(0)              # stands for the number of the packet that waits longest

ACTS: tuple[Act, ...] = get_args(Act)
SENDERS: tuple[Sender, ...] = get_args(Sender)
WHATS: tuple[What, ...] = get_args(What)
FATE_WORDS: tuple[FateWord, ...] = get_args(FateWord)
FATE_BYS: tuple[FateBy, ...] = get_args(FateBy)
# The addresses of the two ends of a wire, of IPv4 and of IPv6 (private ones: RFC 1918, RFC 4193).
WIRE_ADDRESSES: dict[Sender, tuple[str, str]] = {
    "client": ("10.0.0.1", "fd00::1"), "server": ("10.0.0.2", "fd00::2"),
}  # fmt: skip
LATER = 1.0                        # seconds by which a packet is delayed
NONE_HELD = marked(
    "The wire holds no packet now: it waits here when an end sends one, or sends one again.")
LEAST_MTU, LEAST_IPV6_MTU, MOST_MTU = 256, 1280, 65_535     # IPv6: RFC 8200 section 5
_NUMBERS = re.compile(r"([1-9]\d{0,8})(?:-([1-9]\d{0,8}))?")


def wire_number(number: int) -> WireNumber:
    """The number that was counted there, or read."""
    return WireNumber(number)


class RuleError(ValueError):
    """A text that is no rule of a wire; one sentence."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Which packets have what done to them: of this sender and kind ("": any), the `first` to the `last`.

    Both count from 1, among the packets that sender and kind mean; `last` 0: all from the first one on.
    `data`: carries bytes of the application; `ack`: acknowledges, and does nothing else.
    """

    act: Act
    sender: Sender | Literal[""] = ""
    what: What | Literal[""] = ""
    first: int = 1
    last: int = 0

    def means(self, sender: Sender, kinds: frozenset[What]) -> bool:
        """Whether such a packet is counted."""
        return self.sender in ("", sender) and (not self.what or self.what in kinds)

    def covers(self, number: int) -> bool:
        """Whether packet `number` of those that it means (from 1) has it done."""
        return self.first <= number and (not self.last or number <= self.last)


def rule_of(text: str) -> Rule:
    """Read `drop:client:data:2-4`: an act, then a sender, a kind, numbers, each may be left out.

    RuleError for any other text.
    """
    act, *words = text.split(":")
    rule: dict[str, str] = {}
    first, last = 1, 0
    for word in words:
        numbers = _NUMBERS.fullmatch(word)
        if numbers and "numbers" not in rule:
            rule["numbers"] = word
            first, last = int(numbers[1]), int(numbers[2] or numbers[1])
        elif word in SENDERS and not rule:
            rule["sender"] = word
        elif word in WHATS and "what" not in rule and "numbers" not in rule:
            rule["what"] = word
        else:
            given = ":".join(words)
            raise RuleError(f"{given!r:.60} names no packets, as 3, data:2, client:syn, server:data:1-3 do.")
    if act not in ACTS or not words:
        raise RuleError(f"{text!r:.60} is no rule of the wire, as in drop:data:2.")
    if last and last < first:
        raise RuleError(f"{first}-{last} are no packets: the second number is the smaller one.")
    chosen: Act = next(one for one in ACTS if one == act)
    sender: Sender | Literal[""] = next((one for one in SENDERS if one == rule.get("sender")), "")
    what: What | Literal[""] = next((one for one in WHATS if one == rule.get("what")), "")
    return Rule(chosen, sender, what, first, last)


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the wire of a session is like. `rules`: as `rule_of` reads them; of the rest 0 is as it comes."""

    held: bool = False                 # from the first packet on, each waits until it is let pass
    rules: tuple[str, ...] = ()
    mtu: int = 0                       # bytes of a packet at most
    loss: float = 0.0                  # percent of all packets, each by chance
    rate: int = 0                      # kilobits a second, each way
    latency: float = 0.0               # milliseconds, one way
