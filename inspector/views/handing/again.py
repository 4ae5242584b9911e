"""The command that sends a request again: curl for HTTP/1 and HTTP/2, websocat for a WebSocket.

Packet (and a byte of its frame) -> the request it belongs to -> `Request` -> `Again`, a command for `sh`. It
goes to the address that the trace has, by the name that the request gives. What curl would add by itself is
taken back, so that the service gets the same headers; what it has to make anew is left to it (lengths).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from inspector.model.endpoint import join_endpoint, split_endpoint
from inspector.model.language import tr
from inspector.model.packets import Row, packet_number
from inspector.model.units import amount
from inspector.protocols.api import MessageIndex
from inspector.protocols.http.text import as_bytes
from inspector.protocols.http.upgrade import is_upgrade_request
from inspector.trace.application.application import Carried
from inspector.views.handing.chosen import holds
from inspector.views.handing.shell import printed, quoted, readable, word
from inspector.views.ladder.current import conversation_at

if TYPE_CHECKING:
    from inspector.protocols.http.message import HttpMessage
    from inspector.trace.application.application import ApplicationLayers
    from inspector.trace.trace import Trace

LONGEST_BODY = 24 << 10      # bytes of a body that stand in the command; a longer one is read from a file
_MOST = 64 << 20             # bytes of a body that are read
_ASKS_LEAVE = 1 << 20        # from so many bytes on curl asks first, by "Expect: 100-continue"
_FEW = 64                    # records of a connection among which the only request is looked for
_BREAK = " \\\n  "
_SPOKEN = ("http", "http2", "websocket")
_TARGET = re.compile(rb"/[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*")
_ABSOLUTE = re.compile(rb"(https?)://([^/?#]+)(.*)", re.DOTALL | re.IGNORECASE)
_AUTHORITY = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_OWN_HANDSHAKE = (b"upgrade", b"connection", b"sec-websocket-key", b"sec-websocket-version",
                  b"sec-websocket-extensions", b"sec-websocket-protocol", b"origin")
Pairs = tuple[tuple[bytes, bytes], ...]


class NothingToSendError(Exception):
    """There is no request that could be sent again; the text is one sentence."""


class Again(NamedTuple):
    """A command for `sh`. `notes`: sentences about what it lacks. `body`: to be written to the file that the
    command names, where it is too long to stand in it; else empty."""

    command: str
    notes: tuple[str, ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, and where: `server` is the address and port that it went to.

    `authority`: the Host header, or :authority; None where there was none. `version`: "1.0", "1.1", "2".
    """

    method: bytes
    target: bytes
    authority: bytes | None
    headers: Pairs
    body: bytes
    version: str
    server: tuple[str, int]
    secure: bool = False
    notes: tuple[str, ...] = ()
    counted: bool = field(default=False)     # it had a Content-Length, even of an empty body

    def first(self, name: bytes) -> bytes | None:
        """The value of the first header of that (lower-case) name."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def without(self, *names: bytes) -> Request:
        """The same without these headers (lower-case)."""
        return replace(self, headers=tuple(one for one in self.headers if one[0].lower() not in names))


def sent_again(trace: Trace, row: Row, byte: int | None = None, *, body_file: str = "body.bin") -> Again:
    """The command for the request that packet `row` carries, or answers, or whose WebSocket it belongs to.

    `byte`: one of the frame's, where the packet carries several messages. `body_file`: what the command calls
    the file of a long body. NothingToSendError where there is none, or it cannot be sent so.
    """
    conversation = conversation_at(trace, row)
    if conversation is None or conversation.protocol != "tcp":
        raise NothingToSendError(tr("Packet {number} belongs to no TCP connection: there is no request to "
                                    "send again.", number=packet_number(row)))
    stream = conversation.stream
    application = trace.application(stream)
    found = [one for one in application.carried(row) if _is_message(one)]
    chosen = next((one for one in found if byte is not None and holds(trace, stream, one, row, byte)),
                  found[0] if found else _only(application))
    if chosen is None and application.protocol == "tls":
        raise NothingToSendError(tr("What this connection says is encrypted: no request can be read in it."))
    if chosen is None:
        raise NothingToSendError(tr("Packet {number} is part of no request and no answer; choose one of HTTP "
                                    "or WebSocket, in Messages for instance.", number=packet_number(row)))
    return _command(trace, stream, chosen, body_file)


def _is_message(one: Carried) -> bool:
    """Whether a record is of a request, an answer or a WebSocket, not of what serves the connection."""
    if one.layer.protocol.name != "http2":
        return one.layer.protocol.name in _SPOKEN
    decoder = one.layer.decoder
    return not decoder.line(decoder.message_of(one.position)).control


def _only(application: ApplicationLayers) -> Carried | None:
    """What a connection says where it is one WebSocket or one request, for packets that carry nothing."""
    carried = [Carried(layer, place, layer.decoder.records[place]) for layer in application.layers
            if layer.protocol.name in _SPOKEN for place in range(min(len(layer.decoder.records), _FEW))]
    for one in carried:
        if one.layer.protocol.name == "websocket":
            return one
    asked = {one.layer.decoder.message_of(one.position): one for one in carried
             if _is_message(one) and one.record.direction == one.layer.decoder.client}
    return next(iter(asked.values())) if len(asked) == 1 else None


def _command(trace: Trace, stream: int, chosen: Carried, body_file: str) -> Again:
    application, decoder = trace.application(stream), chosen.layer.decoder
    name = chosen.layer.protocol.name
    flow = trace.flow(stream)
    server = flow.a if decoder.client else flow.b
    secure = "tls" in (layer.protocol.name for layer in application.layers)
    if name == "http2":
        request = _of_http2(decoder, decoder.message_of(chosen.position), server, secure)
        return _curl(_reachable(trace, request), body_file)
    message, frames = (_opening(application), decoder) if name == "websocket" else (chosen.record, None)
    if not message.is_request:
        if message.partner is None:
            raise NothingToSendError(tr("The request of this answer is not in the capture."))
        message = decoder.records[message.partner]
    http = next(layer.decoder for layer in application.layers if layer.protocol.name == "http")
    request = _of_http(http, message, server, secure)
    answer = None if message.partner is None else http.records[message.partner]
    if is_upgrade_request(message) and (answer is None or answer.status == 101):
        frames = next((layer.decoder for layer in application.layers if layer.protocol.name == "websocket"),
                      frames)
        return _websocat(_reachable(trace, request), binary=_sends_binary(frames))
    return _curl(_reachable(trace, request), body_file)


def _opening(application: ApplicationLayers) -> HttpMessage:
    """The request that opened the WebSocket."""
    for layer in application.layers:
        upgrade = getattr(layer.decoder, "upgrade", None)
        if upgrade is not None:
            found: HttpMessage = upgrade.request
            return found
    raise NothingToSendError(tr("The request that opened this WebSocket is not in the capture: its URL is "
                                "not known."))


def _sends_binary(frames: Any) -> bool:
    """Whether the client's first message of data is binary."""
    carried = () if frames is None else (frames.messages[at] for at in range(min(len(frames.messages), 1000)))
    kinds = (one.opcode for one in carried if one.from_client and not one.is_control)
    return next(kinds, 1) == 2


# --- requests -----------------------------------------------------------------------------------------


def _of_http(decoder: Any, message: HttpMessage, server: tuple[str, int], secure: bool) -> Request:
    headers = tuple((as_bytes(one.name), as_bytes(one.value)) for one in message.headers)
    host = message.first("host")
    body = decoder.body(message, _MOST) if message.body_length else b""
    missing = decoder.source.missing_in(message.direction, message.start, message.stop)
    notes = []
    if missing:
        notes.append(tr("The capture lacks {size} of this request.", size=amount(missing, "byte")))
    elif not message.complete or len(body) < message.body_length:
        notes.append(tr("The body is not all of it: the request is not whole here."))
    return Request(
        as_bytes(message.method), as_bytes(message.target), None if host is None else as_bytes(host.value),
        headers, body, message.version.removeprefix("HTTP/"), server, secure, tuple(notes),
        message.first("content-length") is not None,
    ).without(b"host", b"content-length")


def _of_http2(decoder: Any, number: MessageIndex, server: tuple[str, int], secure: bool) -> Request:
    first = decoder.records[decoder.records_of(number)[0]]
    if first.direction != decoder.client:
        partner = decoder.partner(decoder.records_of(number)[0])
        if partner is None:
            raise NothingToSendError(tr("This message of HTTP/2 answers no request that is in the capture."))
        number = decoder.message_of(partner)
    frames = [decoder.records[at] for at in decoder.records_of(number) if decoder.records[at].headers]
    headers = [one for frame in frames for one in frame.headers if one.known]
    lost = sum(not one.known for frame in frames for one in frame.headers)
    pseudo = {one.name: one.value for one in headers if one.name.startswith(b":")}
    if b":method" not in pseudo:
        raise NothingToSendError(tr("This message of HTTP/2 is no request whose headers are known here."))
    cookies = b"; ".join(one.value for one in headers if one.name == b"cookie")      # RFC 9113 §8.2.3
    pairs = [(one.name, one.value) for one in headers if one.name[:1] != b":" and one.name != b"cookie"]
    notes = []
    if lost:
        notes.append(tr("{headers} could not be read, and stand not in it.", headers=amount(lost, "header")))
    if not decoder.complete(number):
        notes.append(tr("The request is not whole in the capture."))
    authority = pseudo.get(b":authority") or dict(pairs).get(b"host")
    return Request(
        pseudo[b":method"], pseudo.get(b":path", b"/"), authority,
        (*pairs, *([(b"cookie", cookies)] if cookies else [])), decoder.body(number, _MOST), "2", server,
        secure or pseudo.get(b":scheme") == b"https", tuple(notes), b"content-length" in dict(pairs),
    ).without(b"host", b"content-length")


def _reachable(trace: Trace, request: Request) -> Request:
    """The request to where the service is reached from outside, where it ran in the lab."""
    facts = [(event.kind, event.known) for event in trace.events]
    if ("agent-ready", "lab") not in ((kind, found.get("mode")) for kind, found in facts):
        return request
    server = _endpoint(request.server)
    ways = {found.get("inside"): found.get("outside", "") for kind, found in facts if kind == "published"}
    if outside := ways.get(server):
        return replace(request, server=split_endpoint(outside))
    note = tr("{server} was in the lab: from outside it is reached where it is published (exec --publish).",
              server=server)
    return replace(request, notes=(*request.notes, note))


# --- commands -----------------------------------------------------------------------------------------


def _curl(request: Request, body_file: str) -> Again:
    if request.method == b"CONNECT":
        raise NothingToSendError(tr("CONNECT opens a tunnel; what is said within it can be sent again."))
    if request.first(b"http2-settings") is not None:           # curl --http2 says all of this itself
        request = replace(request.without(b"upgrade", b"connection", b"http2-settings"), version="h2c")
    address, to = _address(request)
    options = [_version(request), *_method(request), *address]
    lines = [" ".join(["curl", *(one for one in options if one), to]), *_headers(request)]
    body, long, before = request.body, len(request.body) > LONGEST_BODY, ""
    if long:
        lines.append(f"--data-binary {word(b'@' + body_file.encode())}")
    elif body and not readable(body):
        lines.append("--data-binary @-")
        before = f"{printed(body)} |{_BREAK}"
    elif body or (request.counted and request.method not in (b"GET", b"HEAD")):
        lines.append(f"--data-raw {word(body)}")
    return Again(before + _BREAK.join(lines), request.notes, body if long else b"")


def _version(request: Request) -> str:
    if request.version == "2":
        return "--http2" if request.secure else "--http2-prior-knowledge"
    if request.version == "h2c":
        return "--http2"
    return "--http1.0" if request.version == "1.0" else "--http1.1" if request.secure else ""


def _method(request: Request) -> list[str]:
    has_body = bool(request.body) or (request.counted and request.method != b"GET")
    if request.method == b"HEAD":
        return ["--head"]
    usual = b"POST" if has_body else b"GET"
    return [] if request.method == usual else ["-X", word(request.method)]


def _address(request: Request) -> tuple[list[str], str]:
    """Options that lead the request where it went, and its URL."""
    absolute = _ABSOLUTE.fullmatch(request.target)
    if absolute is not None:                                    # it was asked of a proxy
        scheme, authority, target = absolute.groups()
        host = _AUTHORITY.fullmatch(authority)
        named = authority if host else _endpoint(request.server).encode()
        way = ["--proxy", word(f"http://{_endpoint(request.server)}".encode()), *_host(request, named)]
        if not host or not _TARGET.fullmatch(target or b"/"):
            way += ["--request-target", word(request.target)]
            target = b"/"
        return way, word(scheme.lower() + b"://" + named + (target or b"/"))
    scheme = b"https" if request.secure else b"http"
    authority, way = _authority(request)
    target = request.target
    if not _TARGET.fullmatch(target) or b"/." in target:
        way += ["--request-target", word(target)]
        target = b"/"
    return way, word(scheme + b"://" + authority + target)


def _authority(request: Request) -> tuple[bytes, list[str]]:
    """What stands in the URL for the host, and options that lead to the address where it is another one."""
    server = _endpoint(request.server).encode()
    match = None if request.authority is None else _AUTHORITY.fullmatch(request.authority)
    if match is None or int(match[2] or 0) > 65535:
        return server, _host(request, server)
    assert request.authority is not None
    if _same_host(match[1].decode(), request) and _port(match, request) == request.server[1]:
        return request.authority, []
    return request.authority, ["--connect-to", word(b"::" + server)]


def _host(request: Request, named: bytes) -> list[str]:
    """The Host header where it is not the one that follows from the URL."""
    if request.authority == named:
        return []
    if not request.authority:
        return ["-H", "Host:" if request.authority is None else "'Host;'"]
    return ["-H", word(b"Host: " + request.authority)]


def _port(match: re.Match[bytes], request: Request) -> int:
    return int(match[2]) if match[2] else 443 if request.secure else 80


def _same_host(name: str, request: Request) -> bool:
    """Whether a name certainly means the server's address on any machine."""
    address = ipaddress.ip_address(request.server[0])
    if name.lower() == "localhost":
        return address.is_loopback
    try:
        return ipaddress.ip_address(name.strip("[]")) == address
    except ValueError:
        return False


def _endpoint(server: tuple[str, int]) -> str:
    return join_endpoint(*server)


def _headers(request: Request) -> Iterator[str]:
    """The headers as they came, and those taken back that curl would add."""
    sent = {name.lower() for name, _ in request.headers}
    for name, value in request.headers:
        if _TOKEN.fullmatch(name):
            yield f"-H {word(name + b': ' + value)}" if value.strip() else f"-H {word(name + b';')}"
    if b"accept-encoding" in sent:
        yield "--compressed"                                    # the answer is unpacked; the header stays
    added = [b"User-Agent", b"Accept"]
    if request.body or request.counted:
        added.append(b"Content-Type")
    if len(request.body) >= _ASKS_LEAVE:
        added.append(b"Expect")
    if _ABSOLUTE.fullmatch(request.target):
        added.append(b"Proxy-Connection")
    for name in added:
        if name.lower() not in sent:
            yield f"-H {quoted(name.decode() + ':')}"


def _websocat(request: Request, *, binary: bool) -> Again:
    if not _TARGET.fullmatch(request.target):
        raise NothingToSendError(tr("websocat cannot ask for this target: it is none that a URL can have."))
    authority, way = _authority(request)
    url = (b"wss" if request.secure else b"ws") + b"://" + authority + request.target
    notes, start = request.notes, "websocat --binary" if binary else "websocat"
    if way[:1] == ["--connect-to"] and not request.secure:
        tcp = b"ws-c:tcp:" + _endpoint(request.server).encode()
        lines = [f"{start} --ws-c-uri={word(url)} - {word(tcp)}"]
    else:
        lines = [f"{start} {word(url)}"]
        if way:
            notes += (tr("It goes where the name in its URL leads from here."),)
    for name, option in ((b"sec-websocket-protocol", "--protocol"), (b"origin", "--origin")):
        value = request.first(name)
        if value:
            lines.append(f"{option} {word(value)}")
    lines += [f"-H={word(name + b': ' + value)}" for name, value in request.without(*_OWN_HANDSHAKE).headers
              if _TOKEN.fullmatch(name)]
    return Again(_BREAK.join(lines), notes)
