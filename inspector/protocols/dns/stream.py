"""DNS on TCP (RFC 7766): each message follows its length; answers find their queries by number.

Streams -> units of two bytes of length and a message -> `DnsRecord`s (`message.parse_dns`) -> queries and
answers paired.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from inspector.model.language import sentence
from inspector.protocols.api import CERTAIN, LIKELY, Opening, Part, Source, Start
from inspector.protocols.dns.findings import BOOK, refusal
from inspector.protocols.dns.message import DnsMessage, parse_dns
from inspector.protocols.framing.segments import starts_between
from inspector.protocols.framing.units import FOREIGN, MORE, Unit, UnitDecoder
from inspector.wire.tcp.delivery import Pump
from inspector.wire.tcp.stream import ByteStream

PORT = 53
_LENGTH, _HEADER = 2, 12
_OPCODES = (0, 1, 2, 4, 5, 6)
_MOST = 64             # questions, and records of each kind, of a header that is taken for one


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """A message on a stream, its length included in [start, stop). `partner`: position of query or answer."""

    direction: int
    start: int
    stop: int
    message: DnsMessage


class DnsDecoder(UnitDecoder[DnsRecord]):
    """The messages of both ends; answers may come in another order than their queries."""

    in_turn = False

    head = _LENGTH + _HEADER

    def __init__(self, source: Source, pump: Pump, start: Start) -> None:
        super().__init__(source, pump, start)
        self._asked: dict[int, deque[int]] = {}      # number of queries without an answer -> positions
        self._partners: dict[int, int] = {}

    def measure(self, direction: int, head: bytes) -> int:
        if len(head) < _LENGTH:
            return MORE
        size = int.from_bytes(head[:_LENGTH], "big")
        return _LENGTH + size if size >= _HEADER else FOREIGN

    def plausible(self, direction: int, head: bytes) -> bool:
        return is_message(head)

    def make(self, unit: Unit, data: bytes) -> None:
        message = parse_dns(data[_LENGTH:])
        if message is None:
            return
        position = len(self._records)
        self._records.append(DnsRecord(unit.direction, unit.start, unit.stop, message))
        if not message.response:
            self._asked.setdefault(message.id, deque()).append(position)
        elif self._asked.get(message.id):
            asked = self._asked[message.id].popleft()
            self._partners |= {asked: position, position: asked}
        refused = refusal(message)
        if refused is not None:
            self.findings.append(BOOK.finding(*refused, unit.direction, unit.start, unit.stop))

    def partner(self, position: int) -> int | None:
        return self._partners.get(position)

    def unanswered(self) -> Sequence[int]:
        if self.doubted or any(self._lost):
            return ()
        return sorted(position for waiting in self._asked.values() for position in waiting)

    def kind_and_text(self, record: DnsRecord) -> tuple[str, str]:
        return sentence("answer") if record.message.response else sentence("query"), record.message.info

    def summary(self, record: DnsRecord) -> str:
        return record.message.info

    def heading(self, record: DnsRecord) -> tuple[str, str]:
        return "Domain Name System", record.message.info

    def parts(self, record: DnsRecord) -> Sequence[Part]:
        message, start = record.message, record.start + _LENGTH
        found = [Part("dns.length", "Length", str(record.stop - start), record.start, start),
                 Part("dns.id", "Transaction ID", f"0x{message.id:04x}", start, start + 2),
                 Part("dns.flags", "Flags", f"0x{message.flags:04x}", start + 2, start + 4)]
        for question in message.questions:
            text = f"{question.type_name} {question.name}"
            found.append(Part("dns.qry.name", "Question", text, start + _HEADER, record.stop))
        for one in (*message.answers, *message.authorities, *message.additionals):
            text = f"{one.name} {one.type_name} {one.text}".rstrip()
            found.append(Part("dns.resp", "Record", text, start + one.start, start + one.stop))
        return found


def is_message(head: bytes) -> bool:
    """Whether a length and a header of DNS may begin so."""
    if len(head) < _LENGTH + _HEADER:
        return False
    size, flags = int.from_bytes(head[:2], "big"), int.from_bytes(head[4:6], "big")
    counts = [int.from_bytes(head[at : at + 2], "big") for at in (6, 8, 10, 12)]
    return (size >= _HEADER and flags >> 11 & 15 in _OPCODES and not flags & 0x40
            and counts[0] <= 1 and max(counts) <= _MOST and any(counts))


def sniff(opening: Opening) -> Start | None:
    """By the port, and a message at the start of either direction or of one of its segments."""
    if PORT not in opening.ports:
        return None
    server = opening.ports.index(PORT)
    client = 1 - server if opening.ports[1 - server] != PORT else 0
    places = [_place(stream) for stream in opening.streams]
    if places == [None, None]:
        return None
    offsets = [stream.contiguous_from(stream.start) if place is None and not stream.start_known
               else stream.start if place is None else place
               for stream, place in zip(opening.streams, places, strict=True)]
    sure = CERTAIN if places == [stream.start for stream in opening.streams] else LIKELY
    return Start(client, (offsets[0], offsets[1]), sure)


def _place(stream: ByteStream) -> int | None:
    """Where a message begins; None where none is seen."""
    starts = [stream.start]
    if not stream.start_known:
        starts += starts_between(stream, stream.start, stream.length)[:64]
    return next((at for at in starts if is_message(stream.read(at, at + _LENGTH + _HEADER))), None)
