"""What one control packet of MQTT says (3.1, 3.1.1: OASIS MQTT 3.1.1; 5.0: OASIS MQTT 5.0): bytes to values.

Any bytes give a value; what is missing is absent. Numbers are big-endian, strings have two bytes of length.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from inspector.model.language import sentence
from inspector.wire.text import escaped, worded

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE = range(1, 9)
SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = range(9, 16)
NAMES = ("", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK",
         "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH")
REFUSALS = ("accepted", "unacceptable protocol version", "identifier rejected", "server unavailable",
            "bad user name or password", "not authorized")
"""Return codes of CONNACK before 5.0."""
REASONS = {
    0x00: "success", 0x01: "granted QoS 1", 0x02: "granted QoS 2", 0x04: "disconnect with will",
    0x10: "no matching subscribers", 0x11: "no subscription existed", 0x18: "continue",
    0x19: "re-authenticate",
    0x80: "unspecified error", 0x81: "malformed packet", 0x82: "protocol error",
    0x83: "implementation specific error", 0x84: "unsupported protocol version",
    0x85: "client identifier not valid", 0x86: "bad user name or password", 0x87: "not authorized",
    0x88: "server unavailable", 0x89: "server busy", 0x8A: "banned", 0x8B: "server shutting down",
    0x8C: "bad authentication method", 0x8D: "keep alive timeout", 0x8E: "session taken over",
    0x8F: "topic filter invalid", 0x90: "topic name invalid", 0x91: "packet identifier in use",
    0x92: "packet identifier not found", 0x93: "receive maximum exceeded", 0x94: "topic alias invalid",
    0x95: "packet too large", 0x96: "message rate too high", 0x97: "quota exceeded",
    0x98: "administrative action", 0x99: "payload format invalid", 0x9A: "retain not supported",
    0x9B: "QoS not supported", 0x9C: "use another server", 0x9D: "server moved",
    0x9E: "shared subscriptions not supported", 0x9F: "connection rate exceeded",
    0xA0: "maximum connect time", 0xA1: "subscription identifiers not supported",
    0xA2: "wildcard subscriptions not supported",
}
FAILED = 0x80                # reasons from here on are errors
_PROPERTIES = {
    0x01: "payload format", 0x02: "message expiry", 0x03: "content type", 0x08: "response topic",
    0x09: "correlation data", 0x0B: "subscription identifier", 0x11: "session expiry",
    0x12: "assigned client identifier", 0x13: "server keep alive", 0x15: "authentication method",
    0x16: "authentication data", 0x17: "request problem information", 0x18: "will delay",
    0x19: "request response information", 0x1A: "response information", 0x1C: "server reference",
    0x1F: "reason", 0x21: "receive maximum", 0x22: "topic alias maximum", 0x23: "topic alias",
    0x24: "maximum QoS", 0x25: "retain available", 0x26: "user property", 0x27: "maximum packet size",
    0x28: "wildcards available", 0x29: "subscription identifiers available", 0x2A: "shared available",
}
_NUMBERS = {1: (0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A), 2: (0x13, 0x21, 0x22, 0x23),
            4: (0x02, 0x11, 0x18, 0x27)}
_SIZE = {name: size for size, names in _NUMBERS.items() for name in names}
_VARIABLE, _PAIR, _BINARY, _ALIAS = 0x0B, 0x26, (0x09, 0x16), 0x23
_MOST = 1000                 # topics and properties of a packet that are read


@dataclass(slots=True)
class Parsed:
    """What a packet says. `body`: where in it its payload begins; `reasons`: one a topic in SUBACK.

    `left`: whether it has more topics, reasons or properties than are read.
    """

    packet_id: int | None = None
    topics: tuple[str, ...] = ()
    qos: tuple[int, ...] = ()                    # asked for, of each topic
    reasons: tuple[int, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    alias: int | None = None
    body: int | None = None
    version: int | None = None
    client_id: str | None = None
    user: str | None = None
    will: str | None = None
    keep_alive: int | None = None
    clean: bool = False
    present: bool = False
    left: bool = False


NOTHING = Parsed()
"""What a packet says that is its type alone."""


class _Reader:
    """Takes values from bytes, from `place` on; what is not there is empty."""

    def __init__(self, data: bytes, place: int) -> None:
        self.data, self.place = data, place
        self.cut = False                         # more of something than is read

    @property
    def more(self) -> bool:
        return self.place < len(self.data)

    def number(self, size: int) -> int:
        found = int.from_bytes(self.data[self.place : self.place + size], "big")
        self.place += size
        return found

    def binary(self) -> bytes:
        size = self.number(2)
        found = self.data[self.place : self.place + size]
        self.place += size
        return found

    def text(self) -> str:
        return escaped(self.binary())

    def varint(self) -> int:
        value, size = variable(self.data[self.place : self.place + 4])
        self.place += max(size, 1)
        return value

    def properties(self, version: int) -> tuple[tuple[tuple[str, str], ...], int | None]:
        """The properties of MQTT 5 and the topic alias among them; none before 5."""
        if version < 5:
            return (), None
        size = self.varint()
        stop = min(self.place + size, len(self.data))
        found: list[tuple[str, str]] = []
        alias = None
        while self.place < stop and len(found) < _MOST:
            name = self.number(1)
            if name in _SIZE:
                value = self.number(_SIZE[name])
                alias = value if name == _ALIAS else alias
                text = str(value)
            elif name == _VARIABLE:
                text = str(self.varint())
            elif name == _PAIR:
                text = f"{self.text()}={self.text()}"
            else:
                data = self.binary()
                text = data[:64].hex() if name in _BINARY else escaped(data)
            found.append((_PROPERTIES.get(name, f"property {name}"), text))
        self.cut = self.cut or self.place < stop
        self.place = stop
        return tuple(found), alias


def variable(data: bytes) -> tuple[int, int]:
    """A number of at most four bytes of seven bits (section 2.2.3), and its size; size 0: not whole."""
    value = 0
    for place in range(min(len(data), 4)):
        value |= (data[place] & 0x7F) << 7 * place
        if not data[place] & 0x80:
            return value, place + 1
    return 0, 0


def read(first: int, data: bytes, version: int) -> Parsed:
    """What the packet says whose first byte is `first`; `data`: what stands behind its length."""
    reader = _Reader(data, 0)
    found = _read(first, reader, version)
    return replace(found, left=True) if reader.cut else found


def _read(first: int, reader: _Reader, version: int) -> Parsed:
    kind = first >> 4
    if kind == CONNECT:
        return _connect(reader)
    if kind == CONNACK:
        present, reason = reader.number(1), reader.number(1)
        return Parsed(reasons=(reason,), present=bool(present & 1), properties=reader.properties(version)[0])
    if kind == PUBLISH:
        topic = reader.text()
        number = reader.number(2) if first & 6 else None
        properties, alias = reader.properties(version)
        return Parsed(number, (topic,), properties=properties, alias=alias, body=reader.place)
    if kind in (SUBSCRIBE, UNSUBSCRIBE, SUBACK, UNSUBACK):
        return _topics(kind, reader, version)
    if kind in (PUBACK, PUBREC, PUBREL, PUBCOMP):
        number = reader.number(2)
        reasons = (reader.number(1),) if reader.more and version >= 5 else ()
        properties = reader.properties(version)[0] if reader.more else ()
        return Parsed(number, reasons=reasons, properties=properties)
    if kind in (DISCONNECT, AUTH) and reader.more:
        return Parsed(reasons=(reader.number(1),), properties=reader.properties(5)[0] if reader.more else ())
    return Parsed()


def _topics(kind: int, reader: _Reader, version: int) -> Parsed:
    number = reader.number(2)
    properties, _ = reader.properties(version)
    if kind in (SUBACK, UNSUBACK):
        reasons = reader.data[reader.place :]
        reader.cut = reader.cut or len(reasons) > _MOST
        return Parsed(number, reasons=tuple(reasons[:_MOST]), properties=properties)
    topics: list[str] = []
    qos: list[int] = []
    while reader.more and len(topics) < _MOST:
        topics.append(reader.text())
        if kind == SUBSCRIBE:
            qos.append(reader.number(1) & 3)
    reader.cut = reader.cut or reader.more
    return Parsed(number, tuple(topics), tuple(qos), properties=properties)


def _connect(reader: _Reader) -> Parsed:
    reader.binary()
    version, flags, keep = reader.number(1), reader.number(1), reader.number(2)
    properties, _ = reader.properties(version)
    client, will = reader.text(), None
    if flags & 4:
        reader.properties(version)
        will = reader.text()
        reader.binary()
    user = reader.text() if flags & 0x80 else None
    return Parsed(version=version, client_id=client, user=user, will=will, keep_alive=keep,
                 clean=bool(flags & 2), properties=properties)


def reason_text(kind: int, reason: int, version: int) -> str:
    """`135 not authorized`."""
    if kind == CONNACK and version < 5:
        known = sentence(REFUSALS[reason]) if reason < len(REFUSALS) else ""
        return worded((str(reason), known), between=" ")
    if kind == SUBACK and reason <= 2:
        return sentence("granted QoS {level}", level=reason)
    if kind == SUBACK and version < 5:
        return sentence("refused") if reason == FAILED else str(reason)
    if not reason:
        return sentence("success")
    return worded((f"0x{reason:02x}", sentence(REASONS[reason]) if reason in REASONS else ""), between=" ")
