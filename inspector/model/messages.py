"""The messages of a script, as people write them, and the bytes they stand for.

`hello`, `hex:00ff`, `repeat:1000:ab`, and for WebSocket also `binary:…`, `ping:…`, `pong:…` and
`fragments:3:…`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from inspector.model.language import tr

Opcode = Literal["text", "binary", "ping", "pong"]
_METHOD = re.compile("[A-Za-z]+")
_TARGET = re.compile(r"(/|\*|http://)[!-~]*")
_CLOSE_CODES = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})
MAX_REPEATED = 1 << 20             # bytes of a text that is repeated
MAX_FRAGMENTS = 1000
MAX_CONTROL = 125      # RFC 6455 §5.5
AGENT, PLAIN_TEXT = "inspector", "text/plain; charset=utf-8"       # what our client of HTTP says by itself
_FRAMING = frozenset({"content-length", "transfer-encoding"})
_NAME = r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)"         # RFC 9110 section 5.1
_HEADER = re.compile(rf'-H "{_NAME}:((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\["\\])*)"(?: |$)')
_BEGINS_HEADER = re.compile(r"-H(?![A-Za-z0-9-])|-H[A-Za-z0-9-]+:")
_SPECIAL = re.compile(rf"(hex|binary|ping|pong|repeat|fragments):|HTTP/|{_BEGINS_HEADER.pattern}")
_FIELD = re.compile(rf"{_NAME}:([^\x00-\x08\x0a-\x1f\x7f]*)")
_BY_ADDRESS = re.compile(r"(localhost|[0-9.]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?")
_ESCAPED, _BACKSLASHED, _BACKSLASH = re.compile(r'(["\\])'), re.compile(r'\\(["\\])'), r"\\\1"


@dataclass(frozen=True, slots=True)
class Message:
    """What one send is to carry; `opcode` and `fragments` matter to WebSocket alone."""

    data: bytes
    opcode: Opcode = "text"
    fragments: int = 1


def parse_message(text: str) -> Message:
    """Read a message of a script; ValueError with one sentence when it cannot be one."""
    kind, colon, rest = text.partition(":")
    if not colon:
        return Message(text.encode())
    if kind == "hex":
        return Message(parse_hex(rest), "binary")
    if kind == "binary":
        return Message(rest.encode(), "binary")
    if kind in ("ping", "pong"):
        return checked(Message(rest.encode(), "ping" if kind == "ping" else "pong"))
    if kind == "repeat":
        return _repeated(text, rest)
    if kind == "fragments":
        count, _, inner = rest.partition(":")
        if not (count.isascii() and count.isdigit() and 1 <= int(count[:9]) <= MAX_FRAGMENTS):
            raise ValueError(f"{text[:40]!r} must say a number of fragments from 1 to {MAX_FRAGMENTS}.")
        return checked(replace(parse_message(inner), fragments=int(count)))
    return Message(text.encode())


def _repeated(text: str, rest: str) -> Message:
    """`1000:abc`: that text so many times."""
    count, _, inner = rest.partition(":")
    message = parse_message(inner)
    times = int(count) if count.isascii() and count.isdigit() and len(count) < 8 else 0
    if not 0 < times * len(message.data) <= MAX_REPEATED:
        raise ValueError(f"{text[:40]!r} must say how often, and what: at most {MAX_REPEATED} bytes in all.")
    return replace(message, data=message.data * times)


class Request(NamedTuple):
    """An HTTP request a person wrote; without a method, bytes that are sent as they are.

    `headers`: beside the client's own, and in place of those of the same name.
    """

    method: str
    target: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def written_request(request: Request) -> str:
    """A request as `parse_request` reads it; what the client says by itself is left out."""
    headers = [f'-H "{name}: {_ESCAPED.sub(_BACKSLASH, value)}"' for name, value in request.headers
               if re.fullmatch(_NAME, name) and not _is_usual(name.lower(), value)]
    words = [request.method, request.target, *headers]
    if request.body:
        text = request.body.decode("utf-8", "replace")
        plain = text.encode() == request.body and all(one.isprintable() or one == "\n" for one in text)
        stands = plain and not _SPECIAL.match(text)
        words.append(text if stands else f"hex:{request.body.hex()}")
    return " ".join(words)


def _is_usual(name: str, value: str) -> bool:
    """Whether a header is what our client says anyway: whom it talks to, who it is, the framing."""
    if name == "host":
        return _BY_ADDRESS.fullmatch(value) is not None
    return name in _FRAMING or (name, value) in (("user-agent", AGENT), ("content-type", PLAIN_TEXT))


def parse_request(message: str | Message) -> Request:
    """Read `GET /path`, `POST /path body` (or `hex:…` as body), or `hex:…`; ValueError with one sentence.

    Headers stand before the body, as curl takes them: `GET /path -H "Accept: text/plain"`. A request as it
    goes over the wire (`GET /path HTTP/1.1`, lines of headers, an empty line, a body) is read too.
    """
    if isinstance(message, Message):
        if message.opcode == "binary":
            return Request("", "", message.data)
        message = message.data.decode()
    if message.startswith("hex:"):
        return Request("", "", parse_hex(message[4:]))
    first, _, lines = message.partition("\n")
    words = first.rstrip("\r").split(" ")
    if len(words) == 3 and words[2].startswith("HTTP/"):
        return _raw_request(words[0], words[1], words[2], lines)
    method, _, rest = message.partition(" ")
    target, _, body = rest.partition(" ")
    headers = []
    while (found := _HEADER.match(body)) is not None:
        name, value = found[1], _BACKSLASHED.sub(r"\1", found[2])
        _check_header(name)
        headers.append((name, value.strip()))
        body = body[found.end() :]
    _check_target(method, target, message)
    if _BEGINS_HEADER.match(body):
        raise ValueError(tr('{text!r} is no header; write -H "Name: value", and a body behind it.',
                            text=body[:40]))
    return Request(method.upper(), target, parse_message(body).data, tuple(headers))


def _raw_request(method: str, target: str, version: str, lines: str) -> Request:
    """A request as it goes over the wire: what stands behind its first line are headers, then the body."""
    _check_target(method, target, f"{method} {target}")
    if version != "HTTP/1.1":
        raise ValueError(tr("The client speaks HTTP/1.1, not {version!r}; 'hex:…' sends any bytes.",
                            version=version[:20]))
    headers = []
    while lines:
        line, _, lines = lines.partition("\n")
        if not (line := line.rstrip("\r")):
            break
        if (found := _FIELD.fullmatch(line)) is None:
            raise ValueError(tr("{text!r} is no header; write Name: value, and an empty line before a body.",
                                text=line[:40]))
        headers.append((found[1], found[2].strip()))
    body = lines.encode()
    for name, value in headers:
        if (name.lower(), value) != ("content-length", str(len(body))):      # else the client says the same
            _check_header(name)
    return Request(method.upper(), target, body,
                   tuple(one for one in headers if one[0].lower() not in _FRAMING))


def _check_target(method: str, target: str, message: str) -> None:
    if not (_METHOD.fullmatch(method) and _TARGET.fullmatch(target)):
        raise ValueError(tr("{text!r} is no request; write for example GET / or POST /echo hello.",
                            text=message[:40]))


def _check_header(name: str) -> None:
    if name.lower() in _FRAMING:
        raise ValueError(tr("{name} is said by the client, as the body is; 'hex:…' sends any bytes.",
                            name=name))


def parse_hex(text: str) -> bytes:
    """Bytes from hexadecimal digits, spaces allowed; ValueError with one sentence."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not hexadecimal.") from None


def check_close(code: int, reason: str) -> None:
    """ValueError with one sentence where a close frame may not carry this (RFC 6455 §5.5.1, §7.4)."""
    if not (code in _CLOSE_CODES or 3000 <= code <= 4999):
        raise ValueError(f"{code} is no close code to send; take 1000-1003, 1007-1014 or 3000-4999.")
    if len(reason.encode()) > MAX_CONTROL - 2:
        raise ValueError(f"The reason of a close is at most {MAX_CONTROL - 2} bytes long.")


def checked(message: Message) -> Message:
    """The message itself; ValueError where RFC 6455 §5.5 forbids it: control frames are short and whole."""
    if not 1 <= message.fragments <= MAX_FRAGMENTS:
        raise ValueError(f"A message is sent in 1 to {MAX_FRAGMENTS} fragments.")
    if message.opcode in ("ping", "pong"):
        if len(message.data) > MAX_CONTROL:
            raise ValueError(tr("A {opcode} carries at most {most} bytes.",
                                opcode=message.opcode, most=MAX_CONTROL))
        if message.fragments > 1:
            raise ValueError(tr("A {opcode} cannot be fragmented.", opcode=message.opcode))
    return message
