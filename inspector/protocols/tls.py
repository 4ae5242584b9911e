"""TLS (RFC 8446, RFC 5246): its records, what the handshake says in the clear, and alerts.

Names of the server (SNI), protocols offered and chosen (ALPN), versions, alerts. What is encrypted stays so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from inspector.protocols.api import CERTAIN, Field, Opening, Part, Protocol, Start
from inspector.protocols.units import FOREIGN, MORE, Unit, UnitDecoder
from inspector.wire.findings import Rule, Rulebook
from inspector.wire.text import escaped

_HEADER = 5
_SMALLEST = 38                               # bytes of a hello without extensions
_LONGEST = (1 << 14) + 2048                  # RFC 5246 section 6.2.3; TLS 1.3 allows 256 more than 2^14
CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
TYPES = {CHANGE_CIPHER_SPEC: "Change Cipher Spec", ALERT: "Alert", HANDSHAKE: "Handshake",
         DATA: "Application Data", 24: "Heartbeat"}
CLIENT_HELLO, SERVER_HELLO = 1, 2
MESSAGES = {0: "Hello Request", CLIENT_HELLO: "Client Hello", SERVER_HELLO: "Server Hello",
            4: "New Session Ticket", 8: "Encrypted Extensions", 11: "Certificate", 12: "Server Key Exchange",
            13: "Certificate Request", 14: "Server Hello Done", 15: "Certificate Verify",
            16: "Client Key Exchange", 20: "Finished", 22: "Certificate Status", 24: "Key Update"}
VERSIONS = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
ALERTS = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow",
    40: "handshake_failure", 42: "bad_certificate", 43: "unsupported_certificate", 44: "certificate_revoked",
    45: "certificate_expired", 46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca",
    49: "access_denied", 50: "decode_error", 51: "decrypt_error", 70: "protocol_version",
    71: "insufficient_security", 80: "internal_error", 86: "inappropriate_fallback", 90: "user_canceled",
    109: "missing_extension", 110: "unsupported_extension", 112: "unrecognized_name",
    116: "certificate_required", 120: "no_application_protocol",
}
_REMEDIES = {
    40: "The two should have a version, a cipher and a signature algorithm in common.",
    42: "The certificate should be one that the other end can read.",
    45: "The certificate should be valid today.",
    46: "The certificate should be signed by someone whom the other end trusts.",
    48: "The issuer of the certificate should be among those that the other end trusts.",
    70: "The two should have a version of TLS in common.",
    112: "The server should know the name that the client asks for (SNI).",
    116: "The client should send a certificate.",
    120: "The two should have a protocol in common (ALPN).",
}
_SCHEME = "Both should speak TLS (https, wss), or both plain (http, ws): see the URL's scheme, and the port."
_SERVER_NAME, _ALPN, _SUPPORTED_VERSIONS = 0, 16, 43

BOOK = Rulebook(
    Rule("tls.alert", "warning", "RFC 8446 §6.2", "Look at what the alert names."),
    Rule("tls.closed-in-handshake", "warning", "RFC 8446 §6.2",
         "The server should answer a Client Hello, or say by an alert why not; is it a port for TLS?"),
    Rule("tls.no-record", "error", "RFC 8446 §5.1", "Every record has five bytes of header."),
)


@dataclass(frozen=True, slots=True)
class TlsRecord:
    """One record. `messages`: types of the handshake messages that begin in it, as far as they are clear.

    `version` is that of the record's header, `spoken` the highest one that a hello offers, or chooses.
    """

    direction: int
    start: int
    stop: int
    type: int
    version: int
    messages: tuple[int, ...] = ()
    spoken: int = 0
    server_name: str = ""
    protocols: tuple[str, ...] = ()
    alert: tuple[int, int] | None = None     # level, description
    encrypted: bool = False


class TlsDecoder(UnitDecoder[TlsRecord]):
    """Records of both ends."""

    head = _HEADER

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._sealed = [self.doubted, self.doubted]          # what a direction sends now is encrypted

    def measure(self, direction: int, head: bytes) -> int:
        if len(head) < _HEADER:
            return MORE
        length = int.from_bytes(head[3:5], "big")
        good = head[0] in TYPES and head[1] == 3 and head[2] <= 4 and 0 < length <= _LONGEST
        return _HEADER + length if good else FOREIGN

    def plausible(self, direction: int, head: bytes) -> bool:
        return self.measure(direction, head) > 0

    def make(self, unit: Unit, data: bytes) -> None:
        direction, (kind, version) = unit.direction, (data[0], int.from_bytes(data[1:3], "big"))
        if kind in (CHANGE_CIPHER_SPEC, DATA):
            self._sealed[direction] = True
        clear = not self._sealed[direction]
        where, body = (direction, unit.start, unit.stop), data[_HEADER:]
        if kind == HANDSHAKE and clear:
            self._records.append(_handshake(where, version, body))
        elif kind == ALERT and len(body) == 2 and unit.whole:
            alert = body[0], body[1]
            self._records.append(TlsRecord(*where, kind, version, alert=alert))
            self._judge(alert, where)
        else:
            sealed = kind != CHANGE_CIPHER_SPEC
            self._records.append(TlsRecord(*where, kind, version, encrypted=sealed))

    def _judge(self, alert: tuple[int, int], where: tuple[int, int, int]) -> None:
        level, code = alert
        if level < 2 or not code:
            return
        self.explained_end = True
        who = "client" if where[0] == self.client else "server"
        what = f"The {who} ends the connection by the alert {_alert(code)}."
        self.findings.append(BOOK.finding("tls.alert", what, *where, instead=_REMEDIES.get(code, "")))

    def foreign(self, direction: int, start: int) -> None:
        head = self.source.streams[direction].read(start, start + _HEADER)
        first = not any(one.direction == direction for one in self._records)
        who, other = ("client", "server") if direction == self.client else ("server", "client")
        what = f"\"{escaped(head)}\" from the {who} begins no record of TLS, which the {other} speaks."
        instead = _SCHEME if first else ""
        self.findings.append(BOOK.finding("tls.no-record", what, direction, start, start + _HEADER,
                                          instead=instead))
        if first and head == b"HTTP/" and direction != self.client:
            places = self.pump.position
            self.successor = Start(self.client, (places[0], places[1]), protocol="http")

    def end(self, first: int, reset: bool) -> None:
        server = 1 - self.client
        if self.doubted or any(one.direction == server for one in self._records) or not self._records:
            return
        stream = self.source.streams[server]
        if stream.length > 0 or (stream.end or 0) > 0:
            return
        how = "resets" if reset and first == server else "ends"
        who = "server" if first == server else "client"
        hello = self._records[0]
        what = f"The {who} {how} the connection, and the server sent nothing after the Client Hello."
        self.findings.append(BOOK.finding("tls.closed-in-handshake", what, hello.direction, hello.start,
                                          hello.stop))

    def kind_and_text(self, record: TlsRecord) -> tuple[str, str]:
        if record.alert is not None:
            return "Alert", f"{'fatal' if record.alert[0] == 2 else 'warning'}  {_alert(record.alert[1])}"
        size = f"{record.stop - record.start - _HEADER} bytes"
        if not record.messages:
            name = TYPES.get(record.type, "")
            sealed = record.encrypted and record.type != DATA
            return name, f"encrypted, {size}" if sealed else "" if record.type == CHANGE_CIPHER_SPEC else size
        names = [MESSAGES.get(one, f"message {one}") for one in record.messages]
        words = names[1:]
        if record.spoken:
            words.append(VERSIONS.get(record.spoken, f"0x{record.spoken:04x}"))
        if record.server_name:
            words.append(f"for {record.server_name}")
        if record.protocols:
            words.append(f"ALPN {', '.join(record.protocols)}")
        return names[0], "  ".join(words)

    def heading(self, record: TlsRecord) -> tuple[str, str]:
        return "Transport Layer Security", self.summary(record)

    def parts(self, record: TlsRecord) -> Sequence[Part]:
        start, length = record.start, record.stop - record.start - _HEADER
        return [
            Part("tls.record.content_type", "Content type", f"{TYPES.get(record.type, '')} ({record.type})",
                 start, start + 1),
            Part("tls.record.length", "Length", str(length), start + 3, start + _HEADER),
            Part("tls.record.payload", "Payload", self.summary(record), start + _HEADER, record.stop),
        ]


def _alert(code: int) -> str:
    return ALERTS.get(code, f"number {code}")


def _handshake(where: tuple[int, int, int], version: int, body: bytes) -> TlsRecord:
    """The messages of a record; of a hello its extensions too."""
    kinds: list[int] = []
    protocols: tuple[str, ...] = ()
    name, spoken, at = "", 0, 0
    while at + 4 <= len(body) and len(kinds) < 16:
        kind, size = body[at], int.from_bytes(body[at + 1 : at + 4], "big")
        if kind not in MESSAGES:
            break                        # the rest of a message that began earlier
        kinds.append(kind)
        if kind in (CLIENT_HELLO, SERVER_HELLO):
            spoken, name, protocols = _hello(body[at + 4 : at + 4 + size], kind)
        at += 4 + size
    return TlsRecord(*where, HANDSHAKE, version, tuple(kinds), spoken, name, protocols)


def _hello(body: bytes, kind: int) -> tuple[int, str, tuple[str, ...]]:
    """Version, server name and protocols of a hello (RFC 8446 section 4.1), as far as it is whole."""
    if len(body) < 35:
        return 0, "", ()
    protocols: tuple[str, ...] = ()
    version, name = int.from_bytes(body[:2], "big"), ""
    at = 35 + body[34]
    if kind == SERVER_HELLO:
        at += 3                          # the cipher suite and the compression method that were chosen
    else:
        at += 2 + int.from_bytes(body[at : at + 2], "big")
        at += 1 + (body[at] if at < len(body) else 0)
    for number, data in _extensions(body, at):
        if number == _SERVER_NAME and len(data) > 5:
            name = escaped(data[5 : 5 + int.from_bytes(data[3:5], "big")], 255)
        elif number == _ALPN:
            protocols = tuple(_strings(data[2:]))
        elif number == _SUPPORTED_VERSIONS:
            words = data if kind == SERVER_HELLO else data[1:]
            pairs = [int.from_bytes(words[i : i + 2], "big") for i in range(0, len(words) - 1, 2)]
            version = max((one for one in pairs if one in VERSIONS), default=version)
    return version, name, protocols


def _extensions(body: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    stop = min(at + 2 + int.from_bytes(body[at : at + 2], "big"), len(body))
    at += 2
    while at + 4 <= stop:
        number, size = (int.from_bytes(body[at + i : at + i + 2], "big") for i in (0, 2))
        yield number, body[at + 4 : min(at + 4 + size, stop)]
        at += 4 + size


def _strings(data: bytes) -> Iterator[str]:
    while data:
        yield escaped(data[1 : 1 + data[0]], 40)
        data = data[1 + data[0] :]


def sniff(opening: Opening) -> Start | None:
    """By a Client Hello, or a Server Hello."""
    for direction, stream in enumerate(opening.streams):
        head = stream.read(stream.start, stream.start + 9)
        if len(head) < 9 or head[:2] != b"\x16\x03" or head[2] > 4 or head[5] not in (1, 2) \
                or head[6] or int.from_bytes(head[7:9], "big") < _SMALLEST:
            continue
        client = direction if head[5] == CLIENT_HELLO else 1 - direction
        return Start(client, (opening.streams[0].start, opening.streams[1].start), CERTAIN)
    return None


def _some(get: Callable[[TlsRecord], Sequence[Any]]) -> Callable[[Any, TlsRecord], Sequence[Any]]:
    return lambda decoder, record: get(record)


TLS = Protocol(
    name="tls", title="TLS", colour="data", sniff=sniff, decoder=TlsDecoder, book=BOOK, record="record",
    fields=(
        Field("tls.record.content_type", "number", _some(lambda one: [one.type]), bits=8),
        Field("tls.record.version", "number", _some(lambda one: [one.version]), bits=16),
        Field("tls.record.length", "number", _some(lambda one: [one.stop - one.start - _HEADER]), bits=16),
        Field("tls.handshake.type", "number", _some(lambda one: one.messages), many=True, bits=8),
        Field("tls.handshake.extensions_server_name", "text",
              _some(lambda one: [one.server_name] if one.server_name else [])),
        Field("tls.handshake.extensions_alpn_str", "text", _some(lambda one: one.protocols), many=True),
        Field("tls.alert_message.level", "number", _some(lambda one: list((one.alert or ())[:1])), bits=8),
        Field("tls.alert_message.desc", "number", _some(lambda one: list((one.alert or ())[1:])), bits=8),
    ),
)
