"""Records of TLS on one connection: what the handshake says, alerts, and what is opened by known secrets.

Names of the server (SNI), protocols offered and chosen (ALPN), versions, alerts. Application data goes into
the plain streams of `session`, where other decoders read on; without secrets it stays sealed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from inspector.model.language import marked, sentence
from inspector.model.units import amount
from inspector.protocols.api import MessageIndex, Part, Shown, Start
from inspector.protocols.framing.units import FOREIGN, MORE, Unit, UnitDecoder
from inspector.protocols.tls.findings import BOOK
from inspector.protocols.tls.session import Session
from inspector.wire.text import escaped, worded

_HEADER = 5
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
    40: sentence("The two should have a version, a cipher and a signature algorithm in common."),
    42: sentence("The certificate should be one that the other end can read."),
    45: sentence("The certificate should be valid today."),
    46: sentence("The certificate should be signed by someone whom the other end trusts."),
    48: sentence("The issuer of the certificate should be among those that the other end trusts."),
    70: sentence("The two should have a version of TLS in common."),
    112: sentence("The server should know the name that the client asks for (SNI)."),
    116: sentence("The client should send a certificate."),
    120: sentence("The two should have a protocol in common (ALPN)."),
}
_SCHEME = sentence(
    "Both should speak TLS (https, wss), or both plain (http, ws): see the URL's scheme, and the port.")
_SERVER_NAME, _ALPN, _SUPPORTED_VERSIONS = 0, 16, 43


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
    opened: int = 0                          # the true type, where it was sealed and is known


class TlsDecoder(UnitDecoder[TlsRecord]):
    """Records of both ends."""

    head, seals = _HEADER, True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._sealed = [self.doubted, self.doubted]          # what a direction sends now is encrypted
        self._session = Session(self.source, self.client, self.pump)
        self._explained = False

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
        where, body = (direction, unit.start, unit.stop), data[_HEADER:]
        clear = not self._sealed[direction] and kind not in (CHANGE_CIPHER_SPEC, DATA)
        clear = clear or (kind == HANDSHAKE and _is_hello(body))     # the second one, after HelloRetryRequest
        self._sealed[direction] = not clear
        if kind == HANDSHAKE and clear:
            self._records.append(_handshake(where, version, body))
            self._learn(body)
        elif kind == ALERT and len(body) == 2 and unit.whole:
            self._warn(where, version, (body[0], body[1]))
        elif kind == CHANGE_CIPHER_SPEC:
            self._records.append(TlsRecord(*where, kind, version))
            self._session.change(direction)
        elif unit.whole:
            self._open(where, version, data)
        else:
            self._session.skip(*where)
            self._records.append(TlsRecord(*where, kind, version, encrypted=True))

    def _learn(self, body: bytes) -> None:
        """Tell the session of the hellos in a record."""
        at = 0
        while at + 4 <= len(body) and body[at] in (CLIENT_HELLO, SERVER_HELLO):
            stop = at + 4 + int.from_bytes(body[at + 1 : at + 4], "big")
            self._session.learn(body[at], body[at + 4 : stop])
            at = stop

    def _open(self, where: tuple[int, int, int], version: int, data: bytes) -> None:
        """A sealed record, which may open."""
        found = self._session.open(where[0], data, where[1])
        if self.inside is None and self._session.opens:
            self.inside = self._session.inside
        if self._session.why and not self._explained:
            self._explained = True
            what = sentence(
                "What is said inside is not shown, though its secrets are known: {why}.",
                why=self._session.why)
            self.findings.append(BOOK.finding("tls.not-opened", what, *where,
                                              instead=self._session.remedy))
        if found is not None and found.type == ALERT and len(found.content) == 2:
            self._warn(where, version, (found.content[0], found.content[1]), data[0], ALERT)
            return
        messages = tuple(one for one in found.messages if one in MESSAGES) if found is not None else ()
        self._records.append(TlsRecord(*where, data[0], version, messages, encrypted=True,
                                       opened=0 if found is None else found.type))

    def _warn(self, where: tuple[int, int, int], version: int, alert: tuple[int, int], kind: int = ALERT,
              opened: int = 0) -> None:
        self._records.append(TlsRecord(*where, kind, version, alert=alert, encrypted=bool(opened),
                                       opened=opened))
        self._judge(alert, where)

    def _resume(self, direction: int, offset: int) -> int:
        start, found = self.pump.position[direction], super()._resume(direction, offset)
        self._session.lose(direction, start, found)
        return found

    def _judge(self, alert: tuple[int, int], where: tuple[int, int, int]) -> None:
        level, code = alert
        if level < 2 or not code:
            return
        self.explained_end = True
        who = "client" if where[0] == self.client else "server"
        what = sentence("The {who} ends the connection by the alert {alert}.", who=sentence(who),
                        alert=_alert(code))
        self.findings.append(BOOK.finding("tls.alert", what, *where, instead=_REMEDIES.get(code, "")))

    def foreign(self, direction: int, start: int) -> None:
        head = self.source.streams[direction].read(start, start + _HEADER)
        first = not any(one.direction == direction for one in self._records)
        who, other = ("client", "server") if direction == self.client else ("server", "client")
        what = sentence(
            "\"{head}\" from the {who} begins no record of TLS, which the {other} speaks.",
            head=escaped(head), who=sentence(who), other=sentence(other))
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
        how = marked("resets") if reset and first == server else marked("ends")
        who = "server" if first == server else "client"
        hello = self._records[0]
        what = sentence(
            "The {who} {how} the connection, and the server sent nothing after the Client Hello.",
            who=sentence(who),
            how=sentence(how))
        self.findings.append(BOOK.finding("tls.closed-in-handshake", what, hello.direction, hello.start,
                                          hello.stop))

    def kind_and_text(self, record: TlsRecord) -> tuple[str, str]:
        if record.alert is not None:
            level = sentence("fatal") if record.alert[0] == 2 else sentence("warning")
            return "Alert", worded((level, _alert(record.alert[1])))
        size = amount(record.stop - record.start - _HEADER, "byte")
        if not record.messages:
            name = TYPES.get(record.opened or record.type, "")
            sealed = record.encrypted and record.type != DATA and not record.opened
            if sealed:
                return name, sentence("encrypted, {size}", size=size)
            return name, "" if record.type == CHANGE_CIPHER_SPEC else size
        names: list[str] = [MESSAGES.get(one) or sentence("message {number}", number=one)
                            for one in record.messages]
        words = names[1:]
        if record.spoken:
            words.append(VERSIONS.get(record.spoken, f"0x{record.spoken:04x}"))
        if record.server_name:
            words.append(sentence("for {name}", name=record.server_name))
        if record.protocols:
            words.append(f"ALPN {', '.join(record.protocols)}")
        return names[0], worded(words)

    def plain(self, record: TlsRecord) -> bytes:
        """What an opened record of application data holds."""
        if record.opened != DATA:
            return b""
        return self._session.streams[record.direction].of_record(record.start)

    def content(self, index: MessageIndex, limit: int) -> bytes:
        record = self._records[index]
        return self.plain(record)[:limit] if record.opened == DATA else super().content(index, limit)

    def shown(self, index: MessageIndex, limit: int) -> Shown:
        record = self._records[index]
        data = self.plain(record)[:limit]
        return Shown((self.summary(record),), data, binary=b"\0" in data)

    def heading(self, record: TlsRecord) -> tuple[str, str]:
        return marked("Transport Layer Security"), self.summary(record)

    def parts(self, record: TlsRecord) -> Sequence[Part]:
        start, length = record.start, record.stop - record.start - _HEADER
        plain = self.plain(record)
        found = [
            Part("tls.record.content_type", "Content type", f"{TYPES.get(record.type, '')} ({record.type})",
                 start, start + 1),
            Part("tls.record.length", "Length", str(length), start + 3, start + _HEADER),
            Part("tls.record.payload", "Payload", self.summary(record), start + _HEADER, record.stop),
        ]
        if plain:
            text = escaped(plain, 400)
            found.append(Part("tls.app_data", "Opened", text, start + _HEADER, record.stop))
        return found


def _alert(code: int) -> str:
    return ALERTS.get(code) or sentence("number {code}", code=code)


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


def _is_hello(body: bytes) -> bool:
    """Whether a hello fills a record, which nothing that is sealed looks like."""
    return (len(body) > 4 + 34 and body[0] in (CLIENT_HELLO, SERVER_HELLO) and body[4:6] == b"\x03\x03"
            and 4 + int.from_bytes(body[1:4], "big") == len(body))


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
