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

from inspector.model.language import Sentence, marked, sentence, sentence_as
from inspector.model.numbers import FIN, RST, SYN, TCP, UDP, flag_names
from inspector.model.packets import Row, packet_number, row_at, rows_in
from inspector.model.units import amount, duration
from inspector.model.wiring import FateBy, FateWord, Sender
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
_RULES: dict[FateWord, str] = {
    "dropped": "wire.lost", "lost": "wire.lost", "overflowed": "wire.lost", "unsent": "wire.lost",
    "doubled": "wire.doubled", "put off": "wire.late", "delayed": "wire.late",
    "held": "wire.late", "passed": "wire.late",
    "swapped": "wire.swapped", "overtaken": "wire.swapped",
}
_DELAYED = marked("You delayed {which}: {after}.")
_PUT_BEHIND = marked("You put {which} behind the next one: {after}.")
_DEEDS: dict[FateWord, str] = {
    "put off": _DELAYED, "delayed": _DELAYED, "swapped": _PUT_BEHIND, "overtaken": _PUT_BEHIND,
}
_OF_MANY: dict[tuple[FateWord, FateBy], str] = {
    ("dropped", "rule"): marked("dropped by a rule"), ("lost", "chance"): marked("lost by chance"),
    ("overflowed", "rate"): marked("lost: the slow wire's queue was full"),
    ("overflowed", "full"): marked("lost: too many waited already"),
    ("unsent", "kernel"): marked("lost: they never left"),
    ("doubled", "rule"): marked("doubled by a rule"), ("delayed", "rule"): marked("delayed by a rule"),
    ("put off", "rule"): marked("delayed by a rule"),
    ("swapped", "rule"): marked("put behind the next one by a rule"),
    ("overtaken", "rule"): marked("put behind the next one by a rule"),
}
_LOOKED_AHEAD = 20_000      # packets of a conversation in which what follows is looked for
_NAMED = 6                  # packets that a sentence names


class Place(NamedTuple):
    """A conversation: which kind (of UDP, else of TCP), and its number; -1: none."""

    is_udp: bool
    stream: int


def wire_findings(trace: Trace) -> list[Finding]:
    """What was done on the wire, in order of the packets."""
    singly: list[Fate] = []
    together: dict[tuple[Place, Sender, str, FateWord], list[Fate]] = {}
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
    which = sentence("packet {number} of the {sender} ({contents})", number=packet_number(fate.row),
                     sender=sentence(fate.sender), contents=_contents(trace, fate.row))
    rows: tuple[Row, ...] = (fate.row, *again)
    if fate.fate in ("held", "passed"):
        meanwhile = [row for row in again if fate.fate == "held" or _time(trace, row) < fate.time_ns]
        if not meanwhile:
            return None
        waits = sentence("waits on the wire") if fate.fate == "held" else sentence(
            "waited on the wire for {time}, until you let it pass",
            time=duration(fate.time_ns - fate.held_ns))
        first = sentence_as(f"{which[0].upper()}{which[1:]}", which.template, which.values)
        text = sentence("{which} {waits}; meanwhile {again}.", which=first, waits=waits,
                        again=_again_words(trace, fate.row, meanwhile))
        rows = (fate.row, *meanwhile)
    elif fate.is_lost:
        after = _after_loss(trace, fate.row, again)
        text = sentence("The wire lost {which}: {after}.", which=which, after=after)
        if fate.fate == "dropped":
            text = sentence("You dropped {which}: {after}.", which=which, after=after)
    elif fate.fate == "doubled":
        twice = _acknowledged_twice(trace, fate.row, ahead)
        rows = (fate.row, *twice)
        answered = sentence(", and was acknowledged twice, in packets {numbers}",
                            numbers=_numbers(twice)) if twice else ""
        text = sentence("You doubled {which}: it arrived twice{answered}.", which=which, answered=answered)
    else:
        text = sentence(_DEEDS[fate.fate], which=which, after=_after_delay(trace, fate, again))
    return _finding(trace, fate, text, rows)


def _after_loss(trace: Trace, row: Row, again: list[Row]) -> Sentence:
    if again:
        return _again_words(trace, row, again)
    if _place(trace, row).is_udp:
        return sentence("UDP itself sends nothing again")
    if not _occupies(trace, row):
        later = _later_acknowledgment(trace, row)
        if later is None:
            return sentence("an ACK is not sent again")
        return sentence("an ACK is not sent again, but packet {number} acknowledges as much or more",
                        number=packet_number(later))
    return sentence("it was not sent again up to now")


def _after_delay(trace: Trace, fate: Fate, again: list[Row]) -> Sentence:
    if fate.fate in ("swapped", "put off"):
        swapped = fate.fate == "swapped"
        return sentence("it waits for the next one") if swapped else sentence("it waits a second")
    what = (sentence("it arrived after packets that were sent later") if fate.fate == "overtaken" else
            sentence("it arrived a second later"))
    if not again:
        return what
    return sentence("{what}; {again}", what=what, again=_again_words(trace, fate.row, again))


def _again_words(trace: Trace, row: Row, again: list[Row]) -> Sentence:
    after = duration(_time(trace, again[0]) - _time(trace, row))
    if len(again) == 1:
        return sentence("it was sent again as packet {number}, {after} later", number=packet_number(again[0]),
                        after=after)
    return sentence("it was sent again {count} times, first {after} later (packets {numbers})",
                    count=len(again), after=after, numbers=_numbers(again))


# --- many to which the wire itself did something --------------------------------------------------------


def _of_many(trace: Trace, place: Place, sender: str, deed: str, kind: str, fates: list[Fate]) -> Finding:
    rows = sorted(fate.row for fate in fates)
    more: str = ""
    if kind in ("dropped", "lost", "overflowed", "unsent") and not place.is_udp and place.stream >= 0:
        own = _own(trace, rows[0])
        if len(own) <= _LOOKED_AHEAD:
            lost = [row for row in rows if _occupies(trace, row)]
            count = sum(bool(_sent_again(trace, row, own[own > row][:_LOOKED_AHEAD])) for row in lost[:1000])
            if len(lost) == len(rows) == 1:
                more = sentence(", and sent again") if count else sentence(", and not sent again up to now")
            elif lost and len(lost) <= 1000:
                more = sentence("; {count:,} of the {lost:,} that carry something were sent again",
                                count=count, lost=len(lost))
    form = _ONE if len(rows) == 1 else _SOME
    what = sentence_as(deed.replace("they never", "it never") if len(rows) == 1 else deed, deed, {})
    text = sentence(form, packets=amount(len(rows), "packet"), sender=sentence(sender), deed=what, more=more)
    return _finding(trace, fates[0], text, rows)


_ONE = marked("{packets} of the {sender} was {deed}{more}.")
_SOME = marked("{packets} of the {sender} were {deed}{more}.")


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


def _numbers(rows: Iterable[Row]) -> Sentence:
    named = [str(packet_number(row)) for row in rows]
    more = sentence(" and {count} more", count=len(named) - _NAMED) if len(named) > _NAMED else ""
    return sentence("{numbers}{more}", numbers=", ".join(named[:_NAMED]), more=more)


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
