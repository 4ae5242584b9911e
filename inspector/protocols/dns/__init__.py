"""DNS (RFC 1035) in datagrams and on TCP; its sisters of the local link: mDNS (RFC 6762), LLMNR (4795).

One table of fields for the three; packets and streams are both read by `message.parse_dns`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from inspector.protocols.api import Field, PacketReader, Pairing, Protocol
from inspector.protocols.dns.findings import BOOK, judge
from inspector.protocols.dns.message import DnsMessage, Record, parse_dns
from inspector.protocols.dns.stream import DnsDecoder, DnsRecord, sniff

_Get = Callable[[Any, DnsMessage | DnsRecord], Sequence[Any]]


def _each(get: Callable[[DnsMessage], Sequence[Any]]) -> _Get:
    """Values of a message, which stands in a datagram or on a stream."""
    return lambda decoder, one: get(one.message if isinstance(one, DnsRecord) else one)


def _of(get: Callable[[DnsMessage], Any]) -> _Get:
    return _each(lambda message: [get(message)])


def _answers(kind: int) -> _Get:
    return _each(lambda message: [one.text for one in message.answers if one.type == kind])


def _everywhere(kind: int) -> _Get:
    """The same in any section, as the filter asks it."""
    return _each(lambda message: [one.text for one in _records(message) if one.type == kind])


def _texts(message: DnsMessage) -> Sequence[str]:
    """The strings of TXT records, one by one."""
    return [text for one in _records(message) if one.type == TXT and one.text
            for text in one.text[1:-1].split('" "')]


def _bit(bit: int) -> _Get:
    return _each(lambda message: [
        int(message.flags & bit != 0)] if message.response or not bit & _ANSWERED else [])


def _records(message: DnsMessage) -> Sequence[Record]:
    return (*message.answers, *message.authorities, *message.additionals)


TXT, SRV, OPT = 16, 33, 41             # types of records; an SRV's name is dns.srv's in Wireshark
_ADDRESSES = {"dns.a": 1, "dns.aaaa": 28, "dns.cname": 5}
_ANSWERED = 0x04A0           # bits that mean something in responses alone
_BITS = {"authoritative": 0x0400, "recdesired": 0x0100, "recavail": 0x0080, "authenticated": 0x0020,
         "checkdisable": 0x0010}
_FIELDS: tuple[Field[Any], ...] = (
    Field("dns.flags", "number", _of(lambda message: message.flags), json="", bits=16),
    *(Field(f"dns.flags.{name}", "flag", _bit(bit), json="", bits=1) for name, bit in _BITS.items()),
    Field("dns.id", "number", _of(lambda message: message.id), bits=16),
    Field("dns.flags.response", "flag", _of(lambda message: int(message.response)), bits=1),
    Field("dns.flags.opcode", "number", _of(lambda message: message.opcode), bits=4),
    Field("dns.flags.truncated", "flag", _of(lambda message: int(message.truncated)), bits=1),
    Field("dns.flags.rcode", "number",
          _each(lambda message: [message.rcode] if message.response else []), bits=12),
    Field("dns.qry.name", "text", _each(lambda message: [one.name for one in message.questions]),
          many=True),
    Field("dns.qry.type", "number", _each(lambda message: [one.type for one in message.questions]),
          many=True, bits=16),
    Field("dns.count.queries", "number", _of(lambda message: message.counts[0]), bits=16),
    Field("dns.count.answers", "number", _of(lambda message: message.counts[1]), bits=16),
    Field("dns.count.auth_rr", "number", _of(lambda message: message.counts[2]), json="", bits=16),
    Field("dns.count.add_rr", "number", _of(lambda message: message.counts[3]), json="", bits=16),
    Field("dns.qry.class", "number", _each(lambda message: [one.class_ for one in message.questions]),
          json="", bits=16),
    Field("dns.resp.ttl", "number", _each(lambda message: [
        one.ttl for one in _records(message) if one.type != OPT]),
          json="", bits=32),
    # JSON has what answers; the filter, as Wireshark, looks at all sections.
    Field("dns.resp.name", "text", _each(lambda message: [
        one.name for one in _records(message) if one.type != SRV]), json=""),
    Field("dns.resp.type", "number", _each(lambda message: [one.type for one in _records(message)]),
          json="", bits=16),
    Field("dns.resp.name", "text", _each(lambda message: [one.name for one in message.answers]),
          many=True, filtered=False),
    Field("dns.resp.type", "number", _each(lambda message: [one.type for one in message.answers]),
          many=True, filtered=False),
    *(Field(name, "text", _everywhere(kind), json="") for name, kind in _ADDRESSES.items()),
    *(Field(name, "text", _answers(kind), many=True, filtered=False) for name, kind in _ADDRESSES.items()),
    Field("truncated", "flag", _each(lambda message: [True] if message.left else []), filtered=False),
    Field("dns.txt", "text", _each(_texts), json=""),
    Field("dns.txt", "text", _answers(TXT), many=True, filtered=False),
    Field("dns.ns", "text", _each(lambda message: [one.text for one in _records(message) if one.type == 2]),
          json=""),
    Field("dns.ptr.domain_name", "text", _everywhere(12), json=""),
)


def _multicast(field: Field[Any]) -> Field[Any]:
    """The same for mDNS, which has a flag of its own in the first bit of a class (RFC 6762 section 18.12)."""
    if field.name != "dns.qry.class":
        return field
    return replace(field, get=_each(lambda message: [one.class_ & 0x7FFF for one in message.questions]))


_PAIRING: Pairing[DnsMessage] = Pairing(              # by number (RFC 1035 section 4.1.1)
    lambda message: message.id, lambda message: message.response,
    "dns.time", "dns.response_to", "dns.response_in")


def _protocol(name: str, title: str, port: int) -> Protocol:
    reader: PacketReader[DnsMessage] = PacketReader(
        "udp", lambda data, hops: parse_dns(data), lambda message: message.info, (port,), pairing=_PAIRING)
    return Protocol(name=name, title=title, colour="udp", packets=reader, fields=_FIELDS)


_UNICAST = _protocol("dns", "DNS", 53)
assert _UNICAST.packets is not None
DNS = replace(_UNICAST, packets=replace(_UNICAST.packets, judge=judge), sniff=sniff, decoder=DnsDecoder,
              book=BOOK)
MDNS = replace(_protocol("mdns", "mDNS", 5353), fields=tuple(_multicast(field) for field in _FIELDS))
_UNLIKE = {f"dns.flags.{name}" for name in _BITS}             # bits that mean something else in RFC 4795
LLMNR = replace(_protocol("llmnr", "LLMNR", 5355),
                fields=tuple(field for field in _FIELDS if field.name not in _UNLIKE))
