"""What RFC 9110 and 9112 ask of a message beyond its syntax: how its body is framed, what contradicts itself.

Pure functions from messages to a framing or to findings; `connection` calls them as heads come in.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from inspector.model.language import sentence
from inspector.protocols.http.findings import finding
from inspector.protocols.http.message import (
    Framing,
    Header,
    HttpMessage,
    bound,
    decode_content,
    tokens,
)
from inspector.protocols.http.text import as_bytes, as_text
from inspector.wire.findings import Finding
from inspector.wire.text import escaped


def content_length(message: HttpMessage) -> int | None:
    """Content-Length as a number; None where it is missing, no number, or said in different ways."""
    values = set(tokens(message, "content-length"))
    if len(values) != 1:
        return None
    text = values.pop()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else None


def body_framing(message: HttpMessage, request: HttpMessage | None) -> Framing:
    """How the body of `message` ends (RFC 9112 §6.3); `request` is what a response answers."""
    if not message.is_request:
        method = request.method if request else ""
        if message.status == 101 or (method == "CONNECT" and 200 <= message.status < 300):
            return "switch"
        if message.status // 100 == 1 or message.status in (204, 304) or method == "HEAD":
            return "none"
    codings = [coding.lower() for coding in tokens(message, "transfer-encoding")]
    if codings:
        return "chunked" if codings[-1] == "chunked" else "close"
    if content_length(message) is not None:
        return "length"
    return "none" if message.is_request else "close"


EVENT_CODINGS = ("gzip", "x-gzip", "deflate", "zstd")


def brings_events(message: HttpMessage) -> bool:
    """Whether an answer brings server-sent events (WHATWG HTML §9.2.3)."""
    kind = message.first("content-type")
    if kind is None or message.is_request or not 200 <= message.status < 300:
        return False
    return kind.value.partition(";")[0].strip().lower() == "text/event-stream"


def is_endless(request: HttpMessage, answer: HttpMessage) -> bool:
    """Whether an answer's body ends with the connection, and nothing says that it is meant to.

    Not what brings parts for as long as somebody listens, nor where one of both heads says `close`.
    """
    if answer.framing != "close" or answer.version != "HTTP/1.1" or brings_events(answer) \
            or any(map(answer.first, ("content-length", "transfer-encoding"))):
        return False
    options = tokens(request, "connection") + tokens(answer, "connection")
    return not _brings_parts(answer) and not any(one.lower() == "close" for one in options)


def is_unfinished(answer: HttpMessage) -> bool:
    """Whether an answer announces more than has come, and not as long as somebody listens."""
    return not answer.complete and answer.framing in ("chunked", "length") \
        and not brings_events(answer) and not _brings_parts(answer)


def _brings_parts(answer: HttpMessage) -> bool:
    kind = answer.first("content-type")
    return kind is not None and kind.value.strip().lower().startswith("multipart/")


def prefers_to_wait(value: str) -> bool:
    """Whether a `Prefer` header asks for an answer that comes late (RFC 7240 §4.3): `wait=10`."""
    return any(part.partition("=")[0].strip().lower() == "wait" for part in re.split("[,;]", value))


def event_coding(message: HttpMessage) -> str | None:
    """How an answer that brings events is compressed, "" for not at all; None: as they cannot be read."""
    framed = all(coding.lower() in ("chunked", "identity") for coding in tokens(message, "transfer-encoding"))
    codings = [coding.lower() for coding in tokens(message, "content-encoding")]
    codings = [coding for coding in codings if coding != "identity"]
    if not framed or len(codings) > 1 or (codings and codings[0] not in EVENT_CODINGS):
        return None
    return codings[0] if codings else ""


def is_event_stream(message: HttpMessage) -> bool:
    """Whether an answer brings events that can be read as they come."""
    return brings_events(message) and event_coding(message) is not None


def check_request(message: HttpMessage) -> list[Finding]:
    """What a request's head gets wrong."""
    findings = _check_length(message)
    hosts = [header for header in message.headers if header.key == "host"]
    if not hosts and message.version == "HTTP/1.1":
        findings.append(finding("http.missing-host", sentence(
            "The request has no Host header."), message.direction,
                                message.start, message.line_stop))
    if len(hosts) > 1:
        what = sentence("The request has {count} Host headers.", count=len(hosts))
        findings.append(_about("http.duplicate-host", what, message, hosts[1]))
    return findings


def check_response(message: HttpMessage) -> list[Finding]:
    """What a response's head gets wrong."""
    findings = _check_length(message)
    if message.status // 100 == 1 or message.status == 204:
        for name in ("transfer-encoding", "content-length"):
            header = message.first(name)
            if header is not None:
                what = sentence(
                    "The {status} answer has {name}.", status=message.status, name=escaped(header.name, 40))
                findings.append(_about("http.body-not-allowed", what, message, header))
    return findings


def check_body(message: HttpMessage, body: bytes, limit: int) -> list[Finding]:
    """What undoing Content-Encoding of a whole body shows."""
    header = message.first("content-encoding")
    if header is None or not body or message.status == 206:
        return []
    problem = decode_content(body, tokens(message, "content-encoding"), limit).problem
    if problem == "data":
        rule = "http.invalid-content-encoding"
        what = sentence("The body is not in the encoding \"{value}\".", value=escaped(header.value, 40))
    elif problem == "cut":
        rule = "http.invalid-content-encoding"
        what = sentence(
            "The body ends before its encoding \"{value}\" does.", value=escaped(header.value, 40))
    elif problem == "limit":
        rule, what = "http.inflation-limit", \
            sentence(
                "{body_length} bytes inflate to more than {bound}.", body_length=message.body_length,
                bound=bound(len(body), limit))
    else:
        return []
    return [finding(rule, what, message.direction, message.body_start, message.stop)]


def is_inner_part(message: HttpMessage) -> bool:
    """Whether a body is a part of an encoded one (RFC 9110 §14.4) without its beginning, not to be undone."""
    if message.status != 206:
        return False
    place = message.first("content-range")
    return place is None or re.match(r"bytes\s+0+-", place.value.strip(), re.IGNORECASE) is None


_WANTS_TLS = (b"plain HTTP request was sent to HTTPS port", b"HTTP request to an HTTPS server",
              b"plain HTTP to an SSL-enabled server port")


def check_scheme(response: HttpMessage) -> list[Finding]:
    """A server for TLS that answers plain HTTP says so: in the words of nginx, Go and Apache."""
    if not any(words in response.body for words in _WANTS_TLS):
        return []
    what = sentence("The server says that this port speaks TLS, and the client sent plain HTTP.")
    return [finding("http.tls-and-plain", what, response.direction, response.start, response.line_stop)]


def reflected(request: HttpMessage, response: HttpMessage) -> list[Finding]:
    """Response splitting: a header that came out of CR LF inside the request's target (RFC 9112 §11.1)."""
    if "%0" not in request.target and "\r" not in request.target and "\n" not in request.target:
        return []
    decoded = as_text(unquote_to_bytes(as_bytes(request.target)))
    injected = {line.strip() for line in decoded.replace("\r", "\n").split("\n")[1:] if line.strip()}
    for header in response.headers:
        if f"{header.name}: {header.value}" in injected or f"{header.name}:{header.value}" in injected:
            what = sentence(
                "The header \"{name}: {value}\" came from a line break in the request's target.",
                name=escaped(header.name, 40), value=escaped(header.value, 60))
            return [_about("http.response-splitting", what, response, header)]
    return []


def _check_length(message: HttpMessage) -> list[Finding]:
    findings: list[Finding] = []
    lengths = [header for header in message.headers if header.key == "content-length"]
    encoding = message.first("transfer-encoding")
    if not lengths and encoding is None:
        return findings
    values = set(tokens(message, "content-length"))
    if len(values) > 1:
        what = sentence(
            "Content-Length is said to be {value}.", value=escaped(" and ".join(sorted(values)), 60))
        findings.append(_about("http.conflicting-length", what, message, lengths[-1]))
    elif lengths and content_length(message) is None:
        what = sentence("Content-Length is \"{value}\".", value=escaped(lengths[0].value, 40))
        findings.append(_about("http.invalid-content-length", what, message, lengths[0]))
    if encoding is None:
        return findings
    if message.version == "HTTP/1.0":
        what = sentence(
            "A message of HTTP/1.0 has Transfer-Encoding \"{value}\".", value=escaped(encoding.value, 40))
        findings.append(_about("http.chunked-in-http-1.0", what, message, encoding))
    if lengths:
        what = sentence("Both Transfer-Encoding and Content-Length stand in the head.")
        findings.append(_about("http.conflicting-length", what, message, lengths[0]))
    codings = [coding.lower() for coding in tokens(message, "transfer-encoding")]
    if "chunked" in codings[:-1] or (message.is_request and codings[-1:] != ["chunked"]):
        what = sentence("Transfer-Encoding is \"{value}\".", value=escaped(encoding.value, 40))
        findings.append(_about("http.unknown-transfer-encoding", what, message, encoding))
    return findings


def _about(rule: str, what: str, message: HttpMessage, header: Header) -> Finding:
    return finding(rule, what, message.direction, header.start, header.stop)
