"""Questions out of any trace, the learner's own for instance: next packet, flags, numbers, states.

Trace and a seed -> `Question`s: the rows of the ladder that are shown, what is hidden in them, the answers
that can be chosen (none: a number is asked for), the truth, and what to say of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from inspector.lessons.asking.functions import field_value
from inspector.lessons.asking.scene import NOTHING, ROWS, STATES, Scene
from inspector.lessons.pages.lit_ladder import LitLadder
from inspector.lessons.pages.words import row_words
from inspector.lessons.play.answers import number_of
from inspector.model.endpoint import Transport
from inspector.model.numbers import ACK, SYN, TCP, UDP
from inspector.model.packets import Row, first_rows, packet_number, row_after
from inspector.trace.trace import Trace
from inspector.views.line.spans import Line

SHOWN = 6                # packets before the one that is asked about
FIRST_ROWS = 2000        # of a large trace, of which questions are made
_USUAL = 100             # cells of the ladder
Kind = Literal["next", "flags", "ack", "seq", "state"]
_ASKS: dict[str, dict[Kind, str]] = {
    "en": {
        "next": "Which packet comes next in this conversation?",
        "flags": "The flags of packet {number} are {bits} (CWR ECE URG ACK PSH RST SYN FIN). What is it?",
        "ack": "Which acknowledgement number (tcp.ack, relative) stands in packet {number}?",
        "seq": "Which sequence number (tcp.seq, relative) stands in packet {number}?",
        "state": "In which TCP state is the {role} after packet {number}?",
    },
    "zh": {
        "next": "这个会话中下一个数据包是什么？",
        "flags": "数据包 {number} 的标志是 {bits}（CWR ECE URG ACK PSH RST SYN FIN）。它是什么？",
        "ack": "数据包 {number} 的确认号（tcp.ack，相对值）是多少？",
        "seq": "数据包 {number} 的序列号（tcp.seq，相对值）是多少？",
        "state": "数据包 {number} 之后，{role}处于哪个 TCP 状态？",
    },
}
_NOTES: dict[str, dict[Kind, str]] = {
    "en": {
        "next": "",          # it follows from the packet before: _FOLLOWS
        "flags": "Each flag is one bit of the TCP header (RFC 9293 §3.1); those that are 1 give it its name.",
        "ack": "It names the next byte that is awaited: SYN and FIN count as one byte each.",
        "seq": "It counts the bytes that were sent before, from the SYN on, which counts as one.",
        "state": "RFC 9293 §3.3.2: each end moves with every SYN, FIN and ACK that it sends or gets.",
    },
    "zh": {
        "next": "",
        "flags": "每个标志（flag）是 TCP 首部中的一个比特（RFC 9293 §3.1）；为 1 的那些就是它的名字。",
        "ack": "它给出期望的下一个字节的编号；SYN 和 FIN 各算一个字节。",
        "seq": "它数的是此前发送的字节数，从 SYN 开始，SYN 算一个字节。",
        "state": "RFC 9293 §3.3.2：每发出或收到 SYN、FIN、ACK，一端的状态就会改变。",
    },
}


# What follows a packet because of that packet alone, by no timer or program: its answer by the other end,
# with what else that end could do then (which is not offered beside it), and why.
_FOLLOWS: dict[tuple[str, str], tuple[tuple[str, ...], dict[str, str]]] = {
    ("SYN", "SYN ACK"): (("RST", "RST ACK"), {
        "en": "A SYN is answered by SYN ACK where somebody listens (RFC 9293 §3.5).",
        "zh": "有人监听时，SYN 由 SYN ACK 来回答（RFC 9293 §3.5）。"}),
    ("SYN", "RST ACK"): (("SYN ACK", "RST"), {
        "en": "A SYN to a port on which nobody listens is answered by RST ACK (RFC 9293 §3.5.2).",
        "zh": "没有人监听的端口收到 SYN 时，回答是 RST ACK（RFC 9293 §3.5.2）。"}),
    ("SYN ACK", "ACK"): (("data", "RST", "RST ACK"), {
        "en": "The SYN in a SYN ACK is acknowledged: the third packet of the handshake (RFC 9293 §3.5).",
        "zh": "SYN ACK 里的 SYN 也要被确认：这是握手的第三个数据包（RFC 9293 §3.5）。"}),
    ("FIN ACK", "ACK"): (("FIN ACK", "data", "RST", "RST ACK"), {
        "en": "A FIN counts as a byte, and is acknowledged (RFC 9293 §3.6).",
        "zh": "FIN 算一个字节，需要被确认（RFC 9293 §3.6）。"}),
    ("FIN ACK", "FIN ACK"): (("ACK", "data", "RST", "RST ACK"), {
        "en": "The other end closes, too, and its FIN acknowledges this one (RFC 9293 §3.6).",
        "zh": "另一端也关闭，它的 FIN 同时确认了这个 FIN（RFC 9293 §3.6）。"}),
}


# Why the state of an end where nobody listens stays what it was.
_REFUSED = {"en": "A port on which nobody listens is CLOSED, and answers a SYN by a reset (RFC 9293 §3.5.2).",
            "zh": "没有人监听的端口处于 CLOSED，它用复位回答 SYN（RFC 9293 §3.5.2）。"}


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `choices`: none where a number is asked for; `upto`: the last packet that is shown."""

    kind: Kind
    text: str
    note: str
    upto: Row
    stream: tuple[Transport, int]
    choices: tuple[str, ...]
    truth: str
    hidden: tuple[Row, str] | None = None       # a number of the ladder that is not shown

    def right(self, answer: str) -> bool:
        """Whether this is the truth: a choice by its number from 1, or the number that was asked for."""
        number = number_of(answer)
        if not self.choices:
            return number is not None and number == number_of(self.truth)
        return number is not None and 1 <= number <= len(self.choices) and (
            self.choices[number - 1] == self.truth)


def questions(trace: Trace, count: int, language: str, seed: int | None = None) -> list[Question]:
    """At most `count` questions, of as many kinds as there are in the trace; the same for the same seed."""
    chance = random.Random(seed)
    maker = _Maker(trace, language, chance)
    kinds: list[tuple[Kind, Callable[[], Iterator[Question]]]] = [
        ("next", maker.nexts), ("flags", maker.flags), ("ack", lambda: maker.numbers("ack")),
        ("seq", lambda: maker.numbers("seq")), ("state", maker.states),
    ]
    pools = [pool for _, make in kinds if (pool := list(make()))]
    for pool in pools:
        chance.shuffle(pool)
    found: list[Question] = []
    while pools and len(found) < count:
        for pool in list(pools):
            one = pool.pop()
            if one.hidden is None or _is_seen(trace, one):
                found.append(one)
            if not pool:
                pools.remove(pool)
    return sorted(found[:count], key=lambda one: one.upto)


def _is_seen(trace: Trace, question: Question) -> bool:
    """Whether the ladder would show the number that is asked for: of a message it tells other things."""
    return "?" in "".join(span.text for span in picture(trace, question, _USUAL)[-1])


def picture(trace: Trace, question: Question, width: int) -> list[Line]:
    """The rows of the ladder that are shown with a question, the newest last."""
    ladder = LitLadder(trace, question.stream)
    if question.hidden is not None:
        ladder.hidden = {question.hidden[0]: frozenset({question.hidden[1]})}
    lines: list[Line] = []
    for index in range(ladder.layout_count):
        row = ladder.target(index).row
        if row is not None and row > question.upto:
            break
        if row is not None:
            lines.append(ladder.line(index, width))
    return lines[-SHOWN:]


class _Maker:
    """Makes the questions of one trace."""

    def __init__(self, trace: Trace, language: str, chance: random.Random) -> None:
        self.trace, self.language, self.chance = trace, language, chance
        self.scene = Scene(trace, most_packets=None)
        index = trace.index
        self.rows = [row for row in first_rows(min(index.count, FIRST_ROWS))
                     if int(index.stream[row]) >= 0 and int(index.protocol[row]) in (TCP, UDP)]

    def stream(self, row: Row) -> tuple[Transport, int]:
        index = self.trace.index
        return "tcp" if int(index.protocol[row]) == TCP else "udp", int(index.stream[row])

    def made(self, kind: Kind, upto: Row, row: Row, truth: str, choices: tuple[str, ...] = (),
             hidden: tuple[Row, str] | None = None, role: str = "", note: str = "") -> Question:
        bits = f"{int(self.trace.index.tcp_flags[row]) & 0xff:08b}"
        text = _ASKS[self.language][kind].format(number=packet_number(row), role=role,
                                                 bits=f"{bits[:4]} {bits[4:]}")
        note = note or _NOTES[self.language][kind]
        return Question(kind, text, note, upto, self.stream(row), choices, truth, hidden)

    def sender(self, row: Row) -> str:
        return self.scene.row_name(row).partition(" ")[0]

    def among(self, truth: str, others: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [one for one in others if one != truth]
        found = [truth, *self.chance.sample(wrong, min(3, len(wrong)))]
        self.chance.shuffle(found)
        return tuple(found)

    def pairs(self) -> Iterator[tuple[Row, Row]]:
        """Packets of one conversation that follow each other."""
        last: dict[tuple[Transport, int], Row] = {}
        for row in self.rows:
            stream = self.stream(row)
            if stream in last:
                yield last[stream], row
            last[stream] = row

    def names(self, row: Row) -> tuple[str, ...]:
        udp = self.stream(row)[0] == "udp"
        return tuple(one for one in ROWS if one.endswith("datagram") == udp and "ICMP" not in one
                     and one != NOTHING)

    def nexts(self) -> Iterator[Question]:
        """What follows from the packet before; all else a timer or a program decides, and nobody knows."""
        for before, row in self.pairs():
            cause, truth = self.scene.row_name(before), self.scene.row_name(row)
            asker, _, packet = cause.partition(" ")
            answerer, _, answer = truth.partition(" ")
            if answerer == asker or (packet, answer) not in _FOLLOWS:
                continue
            as_well, why = _FOLLOWS[packet, answer]
            possible = {f"{answerer} {one}" for one in as_well} | {cause}         # it might be sent again
            others = tuple(one for one in self.names(row) if one not in possible)
            yield self.made("next", before, row, truth, self.among(truth, others), note=why[self.language])

    def flags(self) -> Iterator[Question]:
        for row in self.rows:
            if self.stream(row)[0] == "tcp" and not int(self.trace.index.payload_length[row]):
                truth = self.scene.row_name(row)
                same = tuple(one for one in self.names(row) if one.split(" ")[0] == truth.split(" ")[0]
                             and not one.endswith("data"))
                before = row_after(max(row - 1, 0))
                if before < row and self.stream(before) == self.stream(row):
                    yield self.made("flags", before, row, truth, self.among(truth, same))

    def numbers(self, kind: Literal["ack", "seq"]) -> Iterator[Question]:
        """Numbers that can be told from what stands above: relative ones, of an end that sent its SYN."""
        index, field = self.trace.index, f"tcp.{kind}"
        opened: set[tuple[tuple[Transport, int], str]] = set()
        for before, row in self.pairs():
            flags = int(index.tcp_flags[row])
            for one in (before, row):
                if int(index.tcp_flags[one]) & SYN:
                    opened.add((self.stream(one), self.sender(one)))
            if kind == "seq" and (self.stream(row), self.sender(row)) not in opened:
                continue
            if self.stream(row)[0] != "tcp" or (kind == "ack" and not flags & ACK) or (
                    kind == "seq" and flags & SYN):
                continue
            value = field_value(self.scene, row, field)
            if value is not None and before >= 0:
                yield self.made(kind, row, row, str(value), hidden=(row, field))

    def states(self) -> Iterator[Question]:
        client = "client" if self.language == "en" else "客户端"
        server = "server" if self.language == "en" else "服务器"
        for row in self.rows:
            protocol, number = self.stream(row)
            if protocol != "tcp":
                continue
            flow = self.trace.flow(number)
            ends = flow.states(row)
            first = self.trace.client(number)
            for place, role in ((first, client), (1 - first, server)):
                if ends[place] in STATES:
                    choices = self.among(ends[place], STATES)
                    alone = flow.handshake == "refused" and place != first
                    note = _REFUSED[self.language] if alone else ""
                    yield self.made("state", row, row, ends[place], choices, role=role, note=note)


def shown(question: Question, name: str, language: str) -> str:
    """A choice as people read it."""
    return row_words(language, name) if question.kind in ("next", "flags") else name
