"""What was done to packets on the wire between the ends, and what followed, as findings that accuse nobody.

Fates -> a note for each packet that a person dropped, doubled, delayed or swapped, or kept waiting until it
was sent again; one for all that a rule, chance, or a full queue did to the packets of one end. What follows
is looked for in the packets of the same conversation: what was sent again, what was acknowledged twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from inspector.model.numbers import FIN, RST, SYN, TCP, UDP, flag_names
from inspector.model.packets import Row, packet_number, row_at, rows_in
from inspector.model.units import amount, duration
from inspector.trace.index.fates import Fate
from inspector.wire.findings import Finding, Rule, Rulebook

if TYPE_CHECKING:
    from inspector.trace.trace import Trace
    from inspector.wire.arrays import Int64s

BOOK = Rulebook(
    Rule("wire.lost", "note", "RFC 9293 §3.8.1", "It was done on the wire; no end is to blame."),
    Rule("wire.doubled", "note", "RFC 9293 §3.10.7.4", "It was done on the wire; no end is to blame."),
    Rule("wire.late", "note", "RFC 6298", "It was done on the wire; no end is to blame."),
    Rule("wire.swapped", "note", "RFC 9293 §3.10.7.4", "It was done on the wire; no end is to blame."),
)
_RULES = {
    "dropped": "wire.lost", "lost": "wire.lost", "overflowed": "wire.lost", "unsent": "wire.lost",
    "doubled": "wire.doubled", "put off": "wire.late", "delayed": "wire.late",
    "held": "wire.late", "passed": "wire.late",
    "swapped": "wire.swapped", "overtaken": "wire.swapped",
}
_DEEDS = {"put off": "delayed {}", "delayed": "delayed {}", "swapped": "put {} behind the next one",
          "overtaken": "put {} behind the next one"}
_OF_MANY = {
    ("dropped", "rule"): "dropped by a rule", ("lost", "chance"): "lost by chance",
    ("overflowed", "rate"): "lost: the slow wire's queue was full",
    ("overflowed", "full"): "lost: too many waited already", ("unsent", "kernel"): "lost: they never left",
    ("doubled", "rule"): "doubled by a rule", ("delayed", "rule"): "delayed by a rule",
    ("put off", "rule"): "delayed by a rule",
    ("swapped", "rule"): "put behind the next one by a rule",
    ("overtaken", "rule"): "put behind the next one by a rule",
}  # fmt: skip
_LOOKED_AHEAD = 20_000      # packets of a conversation in which what follows is looked for
_NAMED = 6                  # packets that a sentence names


class Place(NamedTuple):
    """A conversation: which kind (of UDP, else of TCP), and its number; -1: none."""

    is_udp: bool
    stream: int


def wire_findings(trace: Trace) -> list[Finding]:
    """What was done on the wire, in order of the packets."""
    singly: list[Fate] = []
    together: dict[tuple[Place, str, str, str], list[Fate]] = {}
    for fate in trace.fates.all:
        if fate.by == "you" and fate.fate in _RULES:
            singly.append(fate)
        elif (fate.fate, fate.by) in _OF_MANY:
            deed = _OF_MANY[fate.fate, fate.by]
            together.setdefault((_place(trace, fate.row), fate.sender, deed, fate.fate), []).append(fate)
    found: list[Finding] = []
    repeats: set[Row] = set()                   # as sent again while another one waited
    for fate in sorted(singly):
        one = _of_one(trace, fate)
        if one is not None and not (fate.fate in ("held", "passed") and fate.row in repeats):
            found.append(one)
            repeats.update(one.rows)
    found += [_of_many(trace, *key, fates) for key, fates in together.items()]
    return sorted(found, key=lambda one: one.rows[0])


def _place(trace: Trace, row: Row) -> Place:
    index = trace.index
    protocol = int(index.protocol[row])
    return Place(protocol == UDP, int(index.stream[row]) if protocol in (TCP, UDP) else -1)


# --- one packet that a person did something to ---------------------------------------------------------


def _of_one(trace: Trace, fate: Fate) -> Finding | None:
    """None where it only waited for a while, and nobody noticed."""
    ahead = _ahead(trace, fate.row)
    again = _sent_again(trace, fate.row, ahead)
    which = f"packet {packet_number(fate.row)} of the {fate.sender} ({_contents(trace, fate.row)})"
    rows: tuple[Row, ...] = (fate.row, *again)
    if fate.fate in ("held", "passed"):
        meanwhile = [row for row in again if fate.fate == "held" or _time(trace, row) < fate.time_ns]
        if not meanwhile:
            return None
        waits = "waits on the wire" if fate.fate == "held" else \
            f"waited on the wire for {duration(fate.time_ns - fate.held_ns)}, until you let it pass"
        text = f"{which[0].upper()}{which[1:]} {waits}; meanwhile {_again_words(trace, fate.row, meanwhile)}."
        rows = (fate.row, *meanwhile)
    elif fate.is_lost:
        what = "You dropped" if fate.fate == "dropped" else "The wire lost"
        text = f"{what} {which}: {_after_loss(trace, fate.row, again)}."
    elif fate.fate == "doubled":
        twice = _acknowledged_twice(trace, fate.row, ahead)
        rows = (fate.row, *twice)
        text = f"You doubled {which}: it arrived twice" + (
            f", and was acknowledged twice, in packets {_numbers(twice)}." if twice else ".")
    else:
        text = f"You {_DEEDS[fate.fate].format(which)}: {_after_delay(trace, fate, again)}."
    return _finding(trace, fate, text, rows)


def _after_loss(trace: Trace, row: Row, again: list[Row]) -> str:
    if again:
        return _again_words(trace, row, again)
    if _place(trace, row).is_udp:
        return "UDP itself sends nothing again"
    if not _occupies(trace, row):
        later = _later_acknowledgment(trace, row)
        return "an ACK is not sent again" + (
            f", but packet {packet_number(later)} acknowledges as much or more" if later is not None else "")
    return "it was not sent again up to now"


def _after_delay(trace: Trace, fate: Fate, again: list[Row]) -> str:
    if fate.fate in ("swapped", "put off"):
        return "it waits for the next one" if fate.fate == "swapped" else "it waits a second"
    what = "it arrived after packets that were sent later" if fate.fate == "overtaken" else \
        "it arrived a second later"
    return f"{what}; {_again_words(trace, fate.row, again)}" if again else what


def _again_words(trace: Trace, row: Row, again: list[Row]) -> str:
    after = duration(_time(trace, again[0]) - _time(trace, row))
    if len(again) == 1:
        return f"it was sent again as packet {packet_number(again[0])}, {after} later"
    return f"it was sent again {len(again)} times, first {after} later (packets {_numbers(again)})"


# --- many to which the wire itself did something --------------------------------------------------------


def _of_many(trace: Trace, place: Place, sender: str, deed: str, kind: str, fates: list[Fate]) -> Finding:
    rows = sorted(fate.row for fate in fates)
    one = len(rows) == 1
    text = f"{amount(len(rows), 'packet')} of the {sender} {'was' if one else 'were'} {deed}"
    if one:
        text = text.replace("they never", "it never")
    if kind in ("dropped", "lost", "overflowed", "unsent") and not place.is_udp and place.stream >= 0:
        own = _own(trace, rows[0])
        if len(own) <= _LOOKED_AHEAD:
            lost = [row for row in rows if _occupies(trace, row)]
            count = sum(bool(_sent_again(trace, row, own[own > row][:_LOOKED_AHEAD])) for row in lost[:1000])
            if len(lost) == len(rows) == 1:
                text += ", and sent again" if count else ", and not sent again up to now"
            elif lost and len(lost) <= 1000:
                text += f"; {count:,} of the {len(lost):,} that carry something were sent again"
    return _finding(trace, fates[0], f"{text}.", rows)


# --- what follows in the conversation -------------------------------------------------------------------


def _own(trace: Trace, row: Row) -> Int64s:
    """The packets of its conversation that its sender sent."""
    index = trace.index
    place = _place(trace, row)
    rows = trace.rows_of("udp" if place.is_udp else "tcp", place.stream)
    own: Int64s = rows[(index.src[rows] == index.src[row]) & (index.sport[rows] == index.sport[row])]
    return own


def _ahead(trace: Trace, row: Row) -> Int64s:
    """The packets of its TCP conversation behind it, not all of a very long one."""
    place = _place(trace, row)
    if place.is_udp or place.stream < 0:
        return np.zeros(0, "i8")
    rows = trace.rows_of("tcp", place.stream)
    start = int(rows.searchsorted(row, side="right"))
    return rows[start : start + _LOOKED_AHEAD]


def _occupies(trace: Trace, row: Row) -> bool:
    """Whether the packet takes numbers of its stream, so that it has to be sent again when it is lost."""
    index = trace.index
    return bool(index.payload_length[row]) or bool(int(index.tcp_flags[row]) & (SYN | FIN))


def _sent_again(trace: Trace, row: Row, ahead: Int64s) -> list[Row]:
    """The later packets of the same end that carry bytes of it (its SYN, its FIN) once more."""
    index = trace.index
    if not _occupies(trace, row) or not len(ahead):
        return []
    size, flags = int(index.payload_length[row]), int(index.tcp_flags[row]) & (SYN | FIN)
    own = ahead[(index.src[ahead] == index.src[row]) & (index.sport[ahead] == index.sport[row])]
    sizes = index.payload_length[own].astype(np.int64)
    distance = (index.seq[own].astype(np.int64) - int(index.seq[row])) & 0xFFFFFFFF
    overlaps = (distance < size) | (((-distance) & 0xFFFFFFFF) < sizes)
    alike = (index.tcp_flags[own].astype(np.int64) & flags) == flags
    same = (sizes > 0) & overlaps if size else alike & (distance == 0)
    same &= (index.tcp_flags[own].astype(np.int64) & RST) == 0
    return list(rows_in(own[same]))


def _acknowledged_twice(trace: Trace, row: Row, ahead: Int64s) -> list[Row]:
    """The peer's first two packets without data that acknowledge the end of this one."""
    index = trace.index
    flags = int(index.tcp_flags[row])
    end = int(index.seq[row]) + int(index.payload_length[row]) + bool(flags & SYN) + bool(flags & FIN)
    peers = ahead[(index.src[ahead] != index.src[row]) | (index.sport[ahead] != index.sport[row])]
    bare = peers[(index.payload_length[peers] == 0) & (index.ack[peers] == end & 0xFFFFFFFF)
                 & ((index.tcp_flags[peers].astype(np.int64) & (SYN | FIN | RST)) == 0)]  # fmt: skip
    return list(rows_in(bare[:2])) if len(bare) > 1 and _occupies(trace, row) else []


def _later_acknowledgment(trace: Trace, row: Row) -> Row | None:
    """The next packet of the same end that acknowledges as much, or more."""
    index, ahead = trace.index, _ahead(trace, row)
    own = ahead[(index.src[ahead] == index.src[row]) & (index.sport[ahead] == index.sport[row])]
    further = (index.ack[own].astype(np.int64) - int(index.ack[row])) & 0xFFFFFFFF
    found = own[further < 1 << 31]
    return row_at(found, 0) if len(found) else None


# --- words ----------------------------------------------------------------------------------------------


def _contents(trace: Trace, row: Row) -> str:
    index = trace.index
    size, flags = int(index.payload_length[row]), flag_names(int(index.tcp_flags[row]))
    return " ".join(flags) if flags and not size else amount(size, "byte")


def _numbers(rows: Iterable[Row]) -> str:
    named = [str(packet_number(row)) for row in rows]
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return ", ".join(named[:_NAMED]) + more


def _time(trace: Trace, row: Row) -> int:
    return int(trace.index.time_ns[row])


def _finding(trace: Trace, fate: Fate, text: str, rows: Iterable[Row]) -> Finding:
    place = _place(trace, fate.row)
    found = BOOK.finding(_RULES[fate.fate], text)
    if place.is_udp:
        found = replace(found, carrier="udp", clause="RFC 768")
    elif place.stream < 0:
        found = replace(found, clause="RFC 791 §1.4")
    return found.at(place.stream, rows)
