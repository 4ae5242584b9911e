"""The WebSocket opening handshake (RFC 6455 §4): its proof step by step, and what is missing or wrong in it.

Takes the request and the response as `http.HttpMessage`s, gives an `Upgrade`: one `Check` per header that
counts, the proof (key + GUID -> SHA-1 -> base64) beside what the server sent, what was negotiated, findings.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Literal

from inspector.model.language import sentence
from inspector.protocols.http.message import Header, HttpMessage, tokens
from inspector.protocols.websocket.findings import finding
from inspector.protocols.websocket.session.deflate import (
    DeflateParameters,
    Extension,
    negotiate,
    parse_extensions,
)
from inspector.wire.findings import Finding
from inspector.wire.text import escaped

_PROXIES = ("nginx", "openresty", "apache", "caddy", "envoy", "haproxy", "traefik", "cloudflare", "squid",
            "varnish")
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass(frozen=True, slots=True)
class Proof:
    """Sec-WebSocket-Accept as it must be for a key (RFC 6455 §4.2.2), every step as a value."""

    key: str
    joined: str       # key + GUID
    sha1: bytes       # 20 bytes
    expected: str     # base64 of sha1


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the handshake needs: the header (or line) by name, what should stand, what stands."""

    side: Literal["request", "response"]
    name: str
    expected: str
    actual: str | None     # None: the header is missing
    ok: bool


@dataclass(frozen=True, slots=True)
class Upgrade:
    """An attempt to open a WebSocket; `accepted`: the server switched protocols, rightly or not."""

    request: HttpMessage
    response: HttpMessage | None
    key: str | None
    accept: str | None
    proof: Proof | None
    checks: tuple[Check, ...]
    accepted: bool
    offered_subprotocols: tuple[str, ...]
    subprotocol: str | None
    offered_extensions: tuple[Extension, ...]
    extensions: tuple[Extension, ...]
    deflate: DeflateParameters | None
    findings: tuple[Finding, ...]

    @property
    def valid(self) -> bool:
        """The server switched protocols and every check holds."""
        return self.accepted and all(check.ok for check in self.checks)

    @property
    def foreign(self) -> tuple[str, ...]:
        """Names of the extensions that were chosen and are not told here."""
        return tuple(one.name for one in self.extensions if one.name != "permessage-deflate")

    @property
    def wrong(self) -> tuple[Check, ...]:
        """The checks that do not hold, in the order of the handshake."""
        return tuple(check for check in self.checks if not check.ok)


def prove(key: str) -> Proof:
    """The steps from a Sec-WebSocket-Key to the accept value; any text gives a result."""
    joined = key.strip() + GUID
    digest = hashlib.sha1(joined.encode("utf-8", "surrogateescape"), usedforsecurity=False).digest()
    return Proof(key, joined, digest, base64.b64encode(digest).decode())


def is_upgrade_request(message: HttpMessage) -> bool:
    """True when a request means to open a WebSocket: it says so in Upgrade or has a Sec-WebSocket-Key."""
    return message.is_request and (
        "websocket" in (token.lower() for token in tokens(message, "upgrade"))
        or message.first("sec-websocket-key") is not None
    )


def is_switch(message: HttpMessage) -> bool:
    """True for a server's 101 to WebSocket."""
    upgrades = (token.lower() for token in tokens(message, "upgrade"))
    return not message.is_request and message.status == 101 and "websocket" in upgrades


def examine(request: HttpMessage, response: HttpMessage | None) -> Upgrade:
    """Judge a handshake; `response` is None while it has not come (or was not captured)."""
    work = _Examination(request, response)
    work.check_request()
    accepted = False
    if response is not None:
        accepted = response.status == 101
        work.check_response()
    return work.result(accepted)


class _Examination:
    """Collects checks and findings on the way through one handshake."""

    def __init__(self, request: HttpMessage, response: HttpMessage | None) -> None:
        self.request, self.response = request, response
        self.checks: list[Check] = []
        self.findings: list[Finding] = []
        key = request.first("sec-websocket-key")
        self.key = key.value if key else None
        self.proof = prove(self.key) if self.key is not None else None
        self.offered = tuple(tokens(request, "sec-websocket-protocol"))
        self.offered_extensions = parse_extensions(request.values("sec-websocket-extensions"))
        self.subprotocol: str | None = None
        self.extensions: tuple[Extension, ...] = ()
        self.deflate: DeflateParameters | None = None
        self.accept: str | None = None

    def check_request(self) -> None:
        request = self.request
        line = f"{request.method} {request.version}"
        good = request.method == "GET" and request.version not in ("HTTP/1.0", "HTTP/0.9")
        self._add(request, sentence(
            "request line"), sentence(
            "GET, HTTP/1.1"), line, good, None, "websocket.wrong-method")
        host = request.first("host")
        self._header(request, "Host", "any", host, host is not None, "websocket.missing-host")
        if not self._dropped(request):
            self._switch(request)
        self._check_key(request)
        version = request.first("sec-websocket-version")
        good = version is not None and version.value.strip() == "13"
        self._header(request, "Sec-WebSocket-Version", "13", version, good, "websocket.wrong-version")

    def check_response(self) -> None:
        response = self.response
        assert response is not None
        line = f"{response.status} {response.reason}".strip()
        if response.status != 101:
            rule, remedy = "websocket.refused-upgrade", self._remedy(response)
            what = sentence(
                "The server answered \"{line}\" to the WebSocket handshake.", line=escaped(line, 80))
            if self._asks_for_what_it_has(response):
                rule, remedy = "websocket.upgrade-dropped", ""
                what = sentence("The answer \"{line}\" asks for what the request has: a proxy between them "
                                "dropped it.", line=escaped(line, 80))
            self._add(response, sentence("status line"), sentence("101 Switching Protocols"), line, False,
                      None, rule, what, remedy)
            return
        self._add(response, sentence("status line"), sentence("101 Switching Protocols"), line, True, None,
                  "")
        self._switch(response)
        self._check_accept(response)
        self._check_subprotocol(response)
        self._check_extensions(response)

    def _asks_for_what_it_has(self, response: HttpMessage) -> bool:
        """Whether who answered had another request before it than this one, whose form is right.

        A server of HTTP/1.1 says 505 to the HTTP/1.0 of a proxy, and 426 where no Upgrade came.
        """
        if not all(check.ok for check in self.checks):
            return False
        if response.status == 505:
            return self.request.version == "HTTP/1.1" and response.version == "HTTP/1.1"
        wanted = [token.lower() for token in tokens(response, "upgrade")]
        return response.status == 426 and response.first("sec-websocket-version") is None \
            and (not wanted or "websocket" in wanted)

    def _remedy(self, response: HttpMessage) -> str:
        wrong = [check.name for check in self.checks if not check.ok]
        if wrong:
            return sentence("In the request this is missing or wrong: {names}.", names=", ".join(wrong))
        supported = response.first("sec-websocket-version")
        if supported:
            return f"The server supports Sec-WebSocket-Version {escaped(supported.value, 40)}."
        if response.status in (401, 403):
            return sentence("The request's form is right: the server wants other credentials, or another "
                            "Origin.")
        if response.status in (301, 302, 303, 307, 308):
            return sentence("The request's form is right: connect to the address in Location.")
        return self._remedy_of_a_proxy(response)

    def _remedy_of_a_proxy(self, response: HttpMessage) -> str:
        """Of an answer that a server gives to what it does not take for a handshake."""
        proxy = _proxy(response)
        if response.status == 200 or 400 <= response.status < 500:
            if proxy:
                return sentence(
                    "The request's form is right. If {proxy} hands on to another server, that one may have "
                    "got no Upgrade: a proxy hands it on only where it is told to (nginx: proxy_http_version "
                    "1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;). "
                    "Or the path is not the WebSocket's.", proxy=proxy)
            if response.status in (200, 404, 426):
                return sentence("The request's form is right: perhaps the path is not the WebSocket's, or a "
                                "proxy dropped Upgrade.")
        return ""

    def _switch(self, message: HttpMessage) -> None:
        upgrade = message.first("upgrade")
        good = "websocket" in (token.lower() for token in tokens(message, "upgrade"))
        self._header(message, "Upgrade", "websocket", upgrade, good, "websocket.wrong-upgrade")
        connection = message.first("connection")
        good = "upgrade" in (token.lower() for token in tokens(message, "connection"))
        self._header(message, "Connection", "Upgrade", connection, good, "websocket.wrong-connection")

    def _dropped(self, request: HttpMessage) -> bool:
        """What a proxy leaves of a handshake: the key goes on, what counts for one hop does not."""
        options = [token.lower() for token in tokens(request, "connection")]
        if self.key is None or request.first("upgrade") or not {"close", "keep-alive"}.issuperset(options):
            return False
        what = sentence(
            "The request has Sec-WebSocket-Key, and no Upgrade: a proxy that handed it on dropped that.")
        self._add(request, "Upgrade", "websocket", None, False, None, "websocket.upgrade-dropped", what)
        header = request.first("connection")
        actual = header.value if header else None
        self.checks.append(Check("request", "Connection", "Upgrade", actual, False))
        return True

    def _check_key(self, request: HttpMessage) -> None:
        key = request.first("sec-websocket-key")
        rule = "websocket.missing-key" if key is None else "websocket.invalid-key"
        good = key is not None and _is_key(key.value)
        if len(request.values("sec-websocket-key")) > 1:
            good = False
        self._header(request, "Sec-WebSocket-Key", "16 bytes in base64", key, good, rule)

    def _check_accept(self, response: HttpMessage) -> None:
        accept = response.first("sec-websocket-accept")
        self.accept = accept.value if accept else None
        expected = self.proof.expected if self.proof else ""
        if accept is None:
            self._header(response, "Sec-WebSocket-Accept", expected, None, False, "websocket.missing-accept")
            return
        good = bool(expected) and accept.value.strip() == expected
        remedy = "" if not expected else sentence(
            "It should be \"{expected}\", the base64 of SHA-1(key + GUID).", expected=expected)
        rule = "websocket.wrong-accept"
        self._header(response, "Sec-WebSocket-Accept", expected, accept, good, rule, remedy)

    def _check_subprotocol(self, response: HttpMessage) -> None:
        header = response.first("sec-websocket-protocol")
        if header is None:
            return
        self.subprotocol = header.value.strip()
        good = self.subprotocol in self.offered
        offered = ", ".join(self.offered) or "none"
        remedy = sentence("The client offered {offered}.", offered=escaped(offered, 80))
        rule = "websocket.unoffered-subprotocol"
        self._header(response, "Sec-WebSocket-Protocol", offered, header, good, rule, remedy)

    def _check_extensions(self, response: HttpMessage) -> None:
        self.extensions = parse_extensions(response.values("sec-websocket-extensions"))
        header = response.first("sec-websocket-extensions")
        offered = {extension.name for extension in self.offered_extensions}
        unknown = [extension.name for extension in self.extensions if extension.name not in offered]
        if unknown:
            expected = ", ".join(sorted(offered)) or "none"
            rule = "websocket.unoffered-extension"
            self._header(response, "Sec-WebSocket-Extensions", expected, header, False, rule)
        foreign = [one.name for one in self.extensions if one.name != "permessage-deflate"]
        if foreign and header:
            what = sentence(
                "The extension \"{value}\" was negotiated.", value=escaped(", ".join(foreign), 80))
            self.findings.append(finding(
                "websocket.foreign-extension", what, response.direction, header.start, header.stop))
        self.deflate, problem = negotiate(self.offered_extensions, self.extensions)
        if problem and header:
            self.checks.append(Check("response", "Sec-WebSocket-Extensions", problem, header.value, False))
            what = sentence(
                "The server's permessage-deflate \"{value}\" is wrong: {problem}.",
                value=escaped(header.value, 120), problem=problem)
            self.findings.append(finding(
                "websocket.invalid-extension", what, response.direction, header.start, header.stop))

    def _header(
        self, message: HttpMessage, name: str, expected: str, header: Header | None, ok: bool, rule: str,
        remedy: str = "",
    ) -> None:
        self._add(message, name, expected, header.value if header else None, ok, header, rule, remedy=remedy)

    def _add(
        self, message: HttpMessage, name: str, expected: str, actual: str | None, ok: bool,
        header: Header | None, rule: str, what: str = "", remedy: str = "",
    ) -> None:
        side: Literal["request", "response"] = "request" if message.is_request else "response"
        self.checks.append(Check(side, name, expected, actual, ok))
        if ok:
            return
        if not what and actual is None:
            what = sentence("The {side} has no {name} header.", side=sentence(side), name=name)
        elif not what:
            what = sentence(
                "The {side}'s {name} is \"{value}\".", side=sentence(side), name=name,
                value=escaped(actual or "", 120))
        start, stop = (header.start, header.stop) if header else (message.start, message.line_stop)
        self.findings.append(finding(rule, what, message.direction, start, stop, instead=remedy))

    def result(self, accepted: bool) -> Upgrade:
        return Upgrade(
            self.request, self.response, self.key, self.accept, self.proof, tuple(self.checks), accepted,
            self.offered, self.subprotocol, self.offered_extensions, self.extensions, self.deflate,
            tuple(self.findings),
        )


def _proxy(response: HttpMessage) -> str:
    """The proxy that an answer names, or a server that often is one; "" for none."""
    via, server = response.first("via"), response.first("server")
    if via is not None:
        return escaped(via.value, 40)
    named = server is not None and server.value.lower().startswith(_PROXIES)
    return escaped(server.value, 40) if server is not None and named else ""


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text.strip(), validate=True)) == 16
    except (binascii.Error, ValueError):
        return False
