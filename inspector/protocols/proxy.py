"""The PROXY protocol, versions 1 and 2: a preface by which a load balancer says whom it speaks for.

One unit at the very beginning of what the client sends; what follows is another protocol, found out then.
Source: haproxy.org, "The PROXY protocol", sections 2.1 (a line of text) and 2.2 (binary).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from inspector.model.language import marked, sentence
from inspector.protocols.api import CERTAIN, Field, Opening, Part, Protocol, Start
from inspector.protocols.framing.units import FOREIGN, MORE, Unit, UnitDecoder
from inspector.wire.findings import Rule, Rulebook
from inspector.wire.text import escaped

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_LINE = 107                    # bytes of the longest line of version 1, CR LF included
_FIXED = 16                    # bytes of version 2 before the addresses
_FAMILIES = {1: 4, 2: 16, 3: 108}            # AF_INET, AF_INET6, AF_UNIX: bytes of an address
_TRANSPORTS = {0: "unspecified", 1: "stream", 2: "datagram"}
_WORDS = re.compile(rb"PROXY (TCP4|TCP6) (\S+) (\S+) (\d{1,5}) (\d{1,5})\r\n")
_SPECIFICATION = "PROXY protocol §2"

BOOK = Rulebook(
    Rule("proxy.invalid-header", "error", _SPECIFICATION,
         "PROXY TCP4 or TCP6, both addresses, both ports, CR LF; or the binary form of version 2."),
)


@dataclass(frozen=True, slots=True)
class Preface:
    """What the proxy says. `command`: "PROXY", or "LOCAL" (it speaks for itself). Addresses: "" for none."""

    direction: int
    start: int
    stop: int
    version: int
    command: str
    transport: str = ""
    source: str = ""
    target: str = ""
    source_port: int | None = None
    target_port: int | None = None
    rest: bytes = b""          # TLVs of version 2, words of an UNKNOWN line


def _text(line: bytes, unit: Unit) -> Preface | None:
    """Version 1, a line of text; None where it is not as it should be."""
    where = unit.direction, unit.start, unit.stop
    if line.startswith(b"PROXY UNKNOWN"):
        return Preface(*where, 1, "PROXY", "UNKNOWN", rest=line[13:].strip())
    words = _WORDS.fullmatch(line)
    if words is None:
        return None
    try:
        kind = ipaddress.IPv4Address if words[1] == b"TCP4" else ipaddress.IPv6Address
        source, target = (str(kind(word.decode("ascii"))) for word in words.group(2, 3))
    except (ValueError, UnicodeDecodeError):
        return None
    ports = int(words[4]), int(words[5])
    if max(ports) > 65535:
        return None
    return Preface(*where, 1, "PROXY", words[1].decode(), source, target, *ports)


def _binary(data: bytes, unit: Unit) -> Preface | None:
    """Version 2; None where version, command, family or length are not as they should be."""
    where = unit.direction, unit.start, unit.stop
    version, command, family, transport = data[12] >> 4, data[12] & 15, data[13] >> 4, data[13] & 15
    if version != 2 or command > 1 or transport not in _TRANSPORTS:
        return None
    body, size = data[_FIXED:], _FAMILIES.get(family, 0)
    if not command or not size:
        return Preface(*where, 2, "PROXY" if command else "LOCAL", _TRANSPORTS[transport], rest=body)
    first, second, rest = body[:size], body[size : 2 * size], body[2 * size :]
    if family == 3:
        paths = [escaped(path.rstrip(b"\0")) for path in (first, second)]
        return Preface(*where, 2, "PROXY", "unix", paths[0], paths[1], rest=rest)
    if len(rest) < 4:
        return None
    addresses = [str(ipaddress.ip_address(packed)) for packed in (first, second)]
    ports = [int.from_bytes(rest[at : at + 2], "big") for at in (0, 2)]
    return Preface(*where, 2, "PROXY", _TRANSPORTS[transport], addresses[0], addresses[1], ports[0], ports[1],
                   rest[4:])


class ProxyDecoder(UnitDecoder[Preface]):
    """One preface, then whatever is recognised behind it."""

    takes_cut = False
    head = _LINE + 1

    def measure(self, direction: int, head: bytes) -> int:
        if head.startswith(SIGNATURE):
            size = int.from_bytes(head[14:16], "big")
            return MORE if len(head) < _FIXED else _FIXED + size
        end = head.find(b"\r\n") + 2
        return end if end >= 2 else FOREIGN if len(head) >= _LINE else MORE

    def make(self, unit: Unit, data: bytes) -> None:
        read = _binary if data.startswith(SIGNATURE) else _text
        found = read(data, unit) if unit.whole else None
        if found is not None:
            self._records.append(found)
        elif unit.whole:
            self.foreign(unit.direction, unit.start)
        self._go_on()

    def foreign(self, direction: int, start: int) -> None:
        what = sentence("The PROXY header that begins this connection is not as it should be.")
        self.findings.append(BOOK.finding("proxy.invalid-header", what, direction, start,
                                          max(self.pump.position[direction], start + 5)))
        self._go_on()

    def _go_on(self) -> None:
        first, second = self.pump.position
        self.successor = Start(self.client, (first, second))

    def ready(self, direction: int) -> bool:
        return direction == self.client

    def lose(self, hole: object) -> bool:
        return False            # the preface is recognised by its first bytes, and its packet is whole

    def kind_and_text(self, record: Preface) -> tuple[str, str]:
        if record.command == "LOCAL":
            return "PROXY", sentence("LOCAL: the proxy speaks for itself")
        if not record.source:
            transport = escaped(record.transport, 20)
            return "PROXY", sentence("{transport}: for whom is not said", transport=transport)
        ends = [f"[{host}]" if ":" in host else host for host in (record.source, record.target)]
        if record.source_port is not None:
            ends = [f"{ends[0]}:{record.source_port}", f"{ends[1]}:{record.target_port}"]
        return "PROXY", sentence("for {source} to {target}", source=ends[0], target=ends[1])

    def heading(self, record: Preface) -> tuple[str, str]:
        text = sentence("version {version}, {said}", version=record.version,
                        said=self.kind_and_text(record)[1])
        return marked("PROXY protocol"), text

    def parts(self, record: Preface) -> Sequence[Part]:
        values = (("command", marked("Command"), record.command),
                  ("transport", marked("Transport"), record.transport),
                  ("source", marked("Source"), record.source),
                  ("destination", marked("Destination"), record.target))
        return [Part(f"proxy.{name}", label, escaped(value, 120), record.start, record.stop)
                for name, label, value in values if value]


def sniff(opening: Opening) -> Start | None:
    """By the first bytes that an end sends."""
    for direction, stream in enumerate(opening.streams):
        head = stream.read(stream.start, stream.start + len(SIGNATURE))
        if head.startswith((b"PROXY TCP", b"PROXY UNKN", SIGNATURE)):
            return Start(direction, (opening.streams[0].start, opening.streams[1].start), CERTAIN)
    return None


def _of(name: str, version: int = 0) -> Callable[[Any, Preface], Sequence[Any]]:
    """A value of a preface; `version` 4 or 6: of those with addresses of that version of IP."""
    def read(decoder: object, record: Preface) -> Sequence[Any]:
        value = getattr(record, name)
        if value in ("", None) or (version and (record.source_port is None
                                                or (":" in record.source) != (version == 6))):
            return []
        return [value]

    return read


PROXY = Protocol(
    name="proxy", title="PROXY", colour="dim", sniff=sniff, decoder=ProxyDecoder, book=BOOK, record="preface",
    fields=(
        Field("proxy.version", "number", _of("version"), bits=8),
        Field("proxy.command", "text", _of("command")),
        Field("proxy.v1.proto", "text", lambda decoder, one: [one.transport] if one.version == 1 else []),
        Field("proxy.src.ipv4", "text", _of("source", 4)),
        Field("proxy.dst.ipv4", "text", _of("target", 4)),
        Field("proxy.src.ipv6", "text", _of("source", 6)),
        Field("proxy.dst.ipv6", "text", _of("target", 6)),
        Field("proxy.srcport", "number", _of("source_port"), bits=16),
        Field("proxy.dstport", "number", _of("target_port"), bits=16),
    ),
)
