"""SOCKS 4, 4a and 5 (RFC 1928, RFC 1929): a client asks a proxy for a connection, which then is a tunnel.

Greeting, choice of a method, perhaps a name and password, request, reply; what follows a granted CONNECT is
another protocol, found out then. Passwords are never shown.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from inspector.model.endpoint import join_endpoint
from inspector.model.language import marked, sentence
from inspector.protocols.api import CERTAIN, Field, Hole, Opening, Part, Protocol, Start
from inspector.protocols.framing.units import FOREIGN, MORE, Unit, UnitDecoder
from inspector.wire.findings import Rule, Rulebook
from inspector.wire.text import escaped, worded

Step = Literal["greeting", "method", "login", "verdict", "request", "reply", "tunnel"]

PORT = 1080
_COMMANDS = {1: "CONNECT", 2: "BIND", 3: "UDP ASSOCIATE"}
_METHODS = {0: "no authentication", 1: "GSSAPI", 2: "name and password", 255: "none of those offered"}
_REPLIES5 = {
    0: "granted", 1: "general failure", 2: "not allowed by the rules", 3: "network unreachable",
    4: "host unreachable", 5: "connection refused", 6: "TTL expired", 7: "command not supported",
    8: "address type not supported",
}
_REPLIES4 = {90: "granted", 91: "rejected or failed", 92: "no identd on the client", 93: "identd differs"}
WORDS = (*_METHODS.values(), *_REPLIES5.values(), *_REPLIES4.values())
"""The words of these tables, for catalogues of other languages."""
_LABELS: dict[Step, str] = {
    "greeting": marked("Greeting"), "method": marked("Method"), "login": marked("Login"),
    "verdict": marked("Verdict"), "request": marked("Request"), "reply": marked("Reply"),
    "tunnel": marked("Tunnel"),
}
_ADDRESSES = {1: 4, 4: 16}           # type of address: bytes
_LOGIN, _NO_METHOD = 2, 255

BOOK = Rulebook(
    Rule("socks.refused", "warning", "RFC 1928 §6",
         "Look at the proxy's rules, and whether it reaches that address."),
    Rule("socks.no-method", "warning", "RFC 1928 §3",
         "The client should offer a method that the proxy takes, often a name and password."),
    Rule("socks.login-failed", "warning", "RFC 1929 §2", "The name or the password should be another."),
    Rule("socks.unanswered", "warning", "RFC 1928 §6",
         "The proxy should answer before the connection ends, if only by a refusal."),
)


@dataclass(frozen=True, slots=True)
class SocksMessage:
    """One message of either end. `code`: command, method or result; `host`, `port`: where to, or from."""

    direction: int
    start: int
    stop: int
    version: int
    step: Step
    code: int
    host: str = ""
    port: int | None = None
    user: str = ""
    methods: tuple[int, ...] = ()


def _size5(head: bytes, step: Step) -> int:
    """How long a message of version 5 is that begins so."""
    if step == "greeting":
        return MORE if len(head) < 2 else 2 + head[1]
    if step in ("method", "verdict"):
        return 2
    if step == "login":
        if len(head) < 2 or len(head) < 3 + head[1]:
            return MORE
        return 3 + head[1] + head[2 + head[1]]
    if len(head) < 5:
        return MORE
    size = head[4] + 1 if head[3] == 3 else _ADDRESSES.get(head[3], -1)
    return FOREIGN if size < 0 or head[0] != 5 else 6 + size


def _size4(head: bytes, step: Step) -> int:
    """How long a message of version 4 is: a request ends with NUL, in 4a with the name after it."""
    if step == "reply":
        return 8
    end = head.find(b"\0", 8)
    if end < 0 or len(head) < 9:
        return FOREIGN if len(head) > 512 else MORE
    if head[4:7] == b"\0\0\0" and head[7]:
        end = head.find(b"\0", end + 1)
    return end + 1 if end >= 0 else FOREIGN if len(head) > 1024 else MORE


def _address(data: bytes) -> tuple[str, int]:
    """Host and port of a request or reply of version 5, from its address type on."""
    if data[0] == 3:
        return escaped(data[2:-2], 255), int.from_bytes(data[-2:], "big")
    return str(ipaddress.ip_address(data[1:-2])), int.from_bytes(data[-2:], "big")


class SocksDecoder(UnitDecoder[SocksMessage]):
    """The conversation with the proxy, up to the tunnel."""

    cut_short = frozenset({"socks.unanswered"})
    takes_cut = False
    head = 1100

    def measure(self, direction: int, head: bytes) -> int:
        step = self._step(direction)
        if self._version == 4 or (not self._records and head[:1] == b"\x04"):
            return _size4(head, "reply" if direction != self.client else "request")
        if not self._records and head[:1] != b"\x05":
            return FOREIGN
        return _size5(head, step)

    @property
    def _version(self) -> int:
        return self._records[0].version if self._records else 0

    def _last(self, step: Step) -> SocksMessage | None:
        return next((one for one in reversed(self._records) if one.step == step), None)

    def _step(self, direction: int) -> Step:
        """What the next message of a direction is."""
        chosen, login = self._last("method"), self._last("login")
        if direction != self.client:
            if self._version == 4:
                return "reply"
            return "method" if chosen is None else "reply" if chosen.code != _LOGIN or self._last(
                "verdict") is not None else "verdict"
        if not self._records:
            return "greeting"
        return "login" if chosen is not None and chosen.code == _LOGIN and login is None else "request"

    def ready(self, direction: int) -> bool:
        """Each end waits for the other, but a client may send its request early."""
        if direction != self.client:
            return bool(self._records)
        return not self._records or (self._version == 5 and self._last("request") is None
                                     and self._last("method") is not None)

    def make(self, unit: Unit, data: bytes) -> None:
        if not unit.whole:
            self._go_on()
            return
        where = unit.direction, unit.start, unit.stop
        step = self._step(unit.direction)
        if self._version == 4 or (not self._records and data[0] == 4):
            message = self._read4(where, data, unit.direction == self.client)
        else:
            message = self._read5(where, data, step)
        self._records.append(message)
        self._judge(message)

    @staticmethod
    def _read4(where: tuple[int, int, int], data: bytes, asks: bool) -> SocksMessage:
        port, host = int.from_bytes(data[2:4], "big"), str(ipaddress.ip_address(data[4:8]))
        words = data[8:].split(b"\0") if asks else [b""]
        if asks and data[4:7] == b"\0\0\0" and data[7]:
            host = escaped(words[1], 255)
        step: Step = "request" if asks else "reply"
        return SocksMessage(*where, 4, step, data[1], host, port, escaped(words[0], 80))

    @staticmethod
    def _read5(where: tuple[int, int, int], data: bytes, step: Step) -> SocksMessage:
        if step == "greeting":
            return SocksMessage(*where, 5, step, 0, methods=tuple(data[2:]))
        if step == "login":
            return SocksMessage(*where, 5, step, 0, user=escaped(data[2 : 2 + data[1]], 80))
        if step in ("method", "verdict"):
            return SocksMessage(*where, 5, step, data[1])
        return SocksMessage(*where, 5, step, data[1], *_address(data[3:]))

    def _judge(self, message: SocksMessage) -> None:
        """What the proxy's answer means; after the last one the tunnel begins."""
        place = message.direction, message.start, message.stop
        if message.step == "method" and message.code == _NO_METHOD:
            what = sentence("The proxy takes none of the methods that the client offers.")
            self.findings.append(BOOK.finding("socks.no-method", what, *place))
        elif message.step == "verdict" and message.code:
            what = sentence("The proxy does not take the client's name and password.")
            self.findings.append(BOOK.finding("socks.login-failed", what, *place))
        elif message.step == "method" and message.code not in (0, _LOGIN):
            self.over = True                   # what GSSAPI wraps is not told here
        elif message.step == "reply":
            self._answered(message, place)

    def _answered(self, message: SocksMessage, place: tuple[int, int, int]) -> None:
        request = self._last("request")
        if message.code != (90 if message.version == 4 else 0):
            wish = sentence(" {target}", target=self._target(request)) if request is not None else ""
            what = sentence(
                "The proxy refuses the connection{wish}: {result}.", wish=wish, result=self._result(message))
            self.findings.append(BOOK.finding("socks.refused", what, *place))
        elif request is None or request.code == 1 or sum(one.step == "reply" for one in self._records) > 1:
            self._go_on()

    def _go_on(self) -> None:
        first, second = self.pump.position
        self.successor = Start(self.client, (first, second))

    def lose(self, hole: Hole) -> bool:
        """What is left of the preface cannot be told from the tunnel: what follows is looked at anew."""
        if self._done:
            return False
        self.doubted = True
        self.pump.position[hole.direction] = hole.stop
        self._go_on()
        return True

    def partner(self, position: int) -> int | None:
        answers: dict[Step, Step] = {"method": "greeting", "verdict": "login", "reply": "request"}
        asked = {answer: question for question, answer in answers.items()}
        step = self._records[position].step
        if step in answers:
            places = range(position - 1, -1, -1)
            wanted = answers[step]
        else:
            places, wanted = range(position + 1, len(self._records)), asked.get(step, step)
        return next((place for place in places if self._records[place].step == wanted), None)

    def unanswered(self) -> Sequence[int]:
        """The client's last message, where the proxy has not spoken since: they speak in turn."""
        last = len(self._records) - 1
        waits = last >= 0 and not self.doubted and self._records[last].direction == self.client
        return (last,) if waits and not any(self._lost) else ()

    def end(self, first: int, reset: bool) -> None:
        who = sentence("client") if first == self.client else sentence("proxy")
        how = sentence("resets") if reset else sentence("ends")
        for position in self.unanswered():
            record = self._records[position]
            what = sentence("\"{message_summary}\" got no answer before the {who} {how} the connection.",
                            message_summary=self.summary(record), who=who, how=how)
            place = record.direction, record.start, record.stop
            self.findings.append(BOOK.finding("socks.unanswered", what, *place))

    @staticmethod
    def _target(message: SocksMessage) -> str:
        known = _COMMANDS.get(message.code) or sentence("command {number}", number=message.code)
        return worded((known, join_endpoint(message.host, str(message.port))), between=" ")

    @staticmethod
    def _result(message: SocksMessage) -> str:
        names = _REPLIES4 if message.version == 4 else _REPLIES5
        known = names.get(message.code, "")
        return sentence(known) if known else sentence("code {code}", code=message.code)

    @staticmethod
    def _method(number: int) -> str:
        known = _METHODS.get(number, "")
        return sentence(known) if known else sentence("method {number}", number=number)

    def kind_and_text(self, record: SocksMessage) -> tuple[str, str]:
        kind = f"SOCKS{record.version}"
        if record.step == "greeting":
            offered = worded((self._method(one) for one in record.methods[:8]), between=", ")
            return kind, sentence("offers {methods}", methods=offered or sentence("no method"))
        if record.step == "method":
            return kind, sentence("chooses {method}", method=self._method(record.code))
        if record.step == "login":
            return kind, sentence("logs in as {user}", user=record.user)
        if record.step == "verdict":
            return kind, sentence("login not taken") if record.code else sentence("login taken")
        return kind, self._target(record) if record.step == "request" else self._result(record)

    def heading(self, record: SocksMessage) -> tuple[str, str]:
        return sentence("SOCKS version {version}", version=record.version), self.kind_and_text(record)[1]

    def parts(self, record: SocksMessage) -> Sequence[Part]:
        return [Part(f"socks.{record.step}", _LABELS[record.step], self.kind_and_text(record)[1],
                     record.start, record.stop)]


def sniff(opening: Opening) -> Start | None:
    """By a greeting or request and what fits as its answer; on its port by the first one alone.

    What has been said once is not taken back: live it is told before an answer that does not fit.
    """
    for client, asking in enumerate(opening.streams):
        answering = opening.streams[1 - client]
        head = asking.read(asking.start, asking.start + 600)
        answer = answering.read(answering.start, answering.start + 8)
        served = opening.ports[1 - client] == PORT
        if _is_greeting(head, answer, served) or _is_request(head, answer, served):
            return Start(client, (opening.streams[0].start, opening.streams[1].start), CERTAIN)
    return None


def _is_greeting(head: bytes, answer: bytes, served: bool) -> bool:
    if len(head) < 3 or head[0] != 5 or not 0 < head[1] <= 16 or len(head) < 2 + head[1]:
        return False
    methods = head[2 : 2 + head[1]]
    fits = len(answer) >= 2 and answer[0] == 5 and (answer[1] in methods or answer[1] == _NO_METHOD)
    return served or fits


def _is_request(head: bytes, answer: bytes, served: bool) -> bool:
    if len(head) < 9 or head[0] != 4 or head[1] not in (1, 2) or b"\0" not in head[8:]:
        return False
    return served or (len(answer) >= 2 and answer[0] == 0 and answer[1] in _REPLIES4)


def _of(name: str, *steps: Step) -> Callable[[Any, SocksMessage], Sequence[Any]]:
    def read(decoder: object, record: SocksMessage) -> Sequence[Any]:
        value = getattr(record, name)
        return [] if (steps and record.step not in steps) or value in ("", None) else [value]

    return read


SOCKS = Protocol(
    name="socks", title="SOCKS", colour="dim", sniff=sniff, decoder=SocksDecoder, book=BOOK, pairs=True,
    fields=(
        Field("socks.version", "number", _of("version"), bits=8),
        Field("socks.step", "text", _of("step")),
        Field("socks.command", "number", _of("code", "request"), bits=8),
        Field("socks.auth_accepted_method", "number", _of("code", "method"), bits=8),
        Field("socks.results", "number", _of("code", "reply"), bits=8),
        Field("socks.username", "text", _of("user")),
        Field("socks.host", "text", _of("host")),
        Field("socks.port", "number", _of("port"), bits=16),
    ),
)
