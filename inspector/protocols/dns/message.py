"""DNS messages (RFC 1035) out of bytes, and one line about each as Wireshark words it.

Any bytes give a message or None. Names are bounded by RFC 1035's 255 bytes and pointers must lead backwards,
so that no message can loop; at most `MOST_RECORDS` records of one are decoded.
"""

from __future__ import annotations

from typing import NamedTuple

from inspector.model.language import sentence
from inspector.protocols.dns.data import CutError, NameReader, ShortError, record_text
from inspector.wire.text import worded

MOST_RECORDS = 400
_HEADER = 12

TYPES = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 13: "HINFO", 15: "MX", 16: "TXT", 17: "RP", 24: "SIG",
    25: "KEY", 28: "AAAA", 29: "LOC", 33: "SRV", 35: "NAPTR", 37: "CERT", 39: "DNAME", 41: "OPT", 43: "DS",
    44: "SSHFP", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 50: "NSEC3", 51: "NSEC3PARAM", 52: "TLSA",
    59: "CDS", 60: "CDNSKEY", 61: "OPENPGPKEY", 64: "SVCB", 65: "HTTPS", 99: "SPF", 108: "EUI48",
    249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR", 255: "ANY", 256: "URI", 257: "CAA",
}
OPCODES = {0: "Standard query", 1: "Inverse query", 2: "Server status request", 4: "Zone change notification",
           5: "Dynamic update", 6: "DNS Stateful operations"}
RESPONSE_CODES = {
    0: "No error", 1: "Format error", 2: "Server failure", 3: "No such name", 4: "Not implemented",
    5: "Refused", 6: "Name exists", 7: "RRset exists", 8: "RRset does not exist", 9: "Not authoritative",
    10: "Name out of zone", 11: "DSO-TYPE not implemented",
}


class Question(NamedTuple):
    """What is asked. `name` is escaped, without the final dot; "<Root>" is the root."""

    name: str
    type: int
    class_: int

    @property
    def type_name(self) -> str:
        return type_name(self.type)


class Record(NamedTuple):
    """One resource record; `text` is its data as people write it, `start` .. `stop` its bytes."""

    name: str
    type: int
    class_: int
    ttl: int
    text: str
    start: int
    stop: int

    @property
    def type_name(self) -> str:
        return type_name(self.type)


class DnsMessage(NamedTuple):
    """One message. `broken` says in one sentence why reading ended early, "" when all was read.

    `short`: since bytes of it lack. `left`: questions and records that were not read, since there are more
    than `MOST_RECORDS`.
    """

    id: int
    flags: int
    questions: tuple[Question, ...]
    answers: tuple[Record, ...]
    authorities: tuple[Record, ...]
    additionals: tuple[Record, ...]
    counts: tuple[int, int, int, int]
    broken: str
    left: int = 0
    short: bool = False

    @property
    def response(self) -> bool:
        return bool(self.flags & 0x8000)

    @property
    def opcode(self) -> int:
        return self.flags >> 11 & 15

    @property
    def rcode(self) -> int:
        """The response code, with the extended bits of an OPT record (RFC 6891 section 6.1.3)."""
        extended = [record.ttl >> 24 for record in self.additionals if record.type == 41]
        return self.flags & 15 | (extended[0] << 4 if extended else 0)

    @property
    def truncated(self) -> bool:
        return bool(self.flags & 0x0200)

    @property
    def info(self) -> str:
        """`Standard query 0x1032 TXT google.com`; answers follow with type and data."""
        asked = OPCODES.get(self.opcode, "")
        words: list[str] = [sentence(asked) if asked else
                            sentence("Unknown operation ({number})", number=self.opcode)]
        if self.response:
            words.append(sentence("response"))
        words.append(f"0x{self.id:04x}")
        if self.response and self.rcode:
            known = RESPONSE_CODES.get(self.rcode, "")
            words.append(sentence(known) if known else
                         sentence("Unknown error ({number})", number=self.rcode))
        for question in self.questions:
            words += [question.type_name, question.name]
        for record in (*self.answers, *self.authorities, *self.additionals):
            words.append(record.type_name)
            if record.text and record.type in _SHOWN:
                words.append(record.text)
        if self.left:
            words.append(sentence("[and {count:,} more, not read]", count=self.left))
        if self.broken:
            words.append(sentence("[cut short]") if self.short else sentence("[malformed]"))
        return worded(words, between=" ")


_SHOWN = frozenset({1, 2, 5, 12, 15, 28, 33, 39, 6, 65, 64})


def type_name(number: int) -> str:
    """`AAAA`, or `Unknown (49164)`."""
    return TYPES.get(number, f"Unknown ({number})")


def parse_dns(data: bytes) -> DnsMessage | None:
    """The message in a datagram's payload; None when it has no whole header (12 bytes)."""
    if len(data) < _HEADER:
        return None
    words = [int.from_bytes(data[i : i + 2], "big") for i in range(0, _HEADER, 2)]
    reader = NameReader(data)
    questions: list[Question] = []
    sections: list[list[Record]] = [[], [], []]
    at, broken, short, left, budget = _HEADER, "", False, 0, MOST_RECORDS
    try:
        for _ in range(min(words[2], MOST_RECORDS)):
            name, at = reader.name(at)
            questions.append(Question(name, reader.number(at, 2), reader.number(at + 2, 2)))
            at += 4
        if words[2] > MOST_RECORDS:
            budget = 0                             # where the records begin is not known
        for section, count in zip(sections, words[3:], strict=True):
            for _ in range(min(count, budget)):
                budget -= 1
                record = _record(reader, at)
                section.append(record)
                at = record.stop
        left = sum(words[2:]) - len(questions) - sum(map(len, sections))
    except CutError as reason:
        broken, short = str(reason), isinstance(reason, ShortError)
    return DnsMessage(
        words[0], words[1], tuple(questions), tuple(sections[0]), tuple(sections[1]), tuple(sections[2]),
        (words[2], words[3], words[4], words[5]), broken, left, short,
    )


def _record(reader: NameReader, start: int) -> Record:
    name, at = reader.name(start)
    kind, class_, ttl = reader.number(at, 2), reader.number(at + 2, 2), reader.number(at + 4, 4)
    size = reader.number(at + 8, 2)
    at += 10
    if at + size > len(reader.data):
        raise ShortError("The message is cut short inside a record.")
    return Record(name, kind, class_, ttl, record_text(reader, kind, at, size), start, at + size)
