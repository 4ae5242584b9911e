"""HTTP/1.1 messages (RFC 9110, 9112) as values, and how their heads are read.

`parse_head` turns the bytes of one head into an `HttpMessage`, `body_framing` says how its body ends, and
`decode_content` undoes Content-Encoding within bounds. `connection` cuts both directions of a
connection into messages with them. Any bytes give a value, or a finding that says why not.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, overload

from inspector.model.language import marked, sentence
from inspector.protocols.http.findings import finding
from inspector.protocols.http.text import as_text
from inspector.wire.findings import FirstFindings
from inspector.wire.text import escaped

Framing = Literal["none", "length", "chunked", "close", "switch"]

HEAD_LIMIT = 256 << 10
_PIECE, _LEAST_PIECE = 1024, 16      # bytes of Zstandard that are unpacked at once: each may be 32 KB
INFLATE_LIMIT = 16 << 20
_RATIO, _ROOM = 1100, 64 << 10       # DEFLATE makes 1032 bytes of one, at most
_MOST_KNOWN, _LONGEST_KNOWN = 512, 2048      # heads that are known again, and bytes of one
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") +(\S(?:.*\S)?) +(HTTP/1\.\d)[ \t]*\Z", re.DOTALL)
STATUS_LINE = re.compile(rb"(HTTP/1\.\d) +(\S+)(?: (.*))?\Z", re.DOTALL)
# The first bytes of them: a method that is known, as anything may begin as a token does.
_CUT_REQUEST = re.compile(
    rb"(GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH) ([!-~\x80-\xff]+)(?: (?:H|HT|HTT|HTTP|HTTP/|"
    rb"HTTP/1|HTTP/1\.|(HTTP/1\.\d)\r?)?)?\Z")
_CUT_STATUS = re.compile(rb"(HTTP/1\.\d) ([1-5]\d\d)(?: ([^\r\n]*))?\r?\Z")
_NAME = re.compile(_TOKEN + rb"\Z")
_EMPTY_LINE = re.compile(rb"\n\r?\n")
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
# A request line, and as much of one as may have come: what is the one began as the other, however it is cut.
_TARGET = rb"[^ \r\n]"
_REQUEST_START = re.compile(_TOKEN + rb" +" + _TARGET + rb"+ +HTTP/1\.\d")
_REQUEST_PREFIX = re.compile(_TOKEN + rb"(?: +(?:" + _TARGET + rb"+(?: +[HTP/1.]{0,8})?)?)?\r?\Z")
LONG_LINE = 2000        # bytes of a first line that is taken for one before its end
METHODS = (
    b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"CONNECT ", b"OPTIONS ", b"TRACE ", b"PATCH ",
)


class Header(NamedTuple):
    """One header line; text as `as_text` gives it. Offsets in the direction's stream."""

    name: str
    value: str
    start: int
    stop: int
    key: str = ""         # the name in lower case


class Moved(Sequence[Header]):
    """Headers of a head that stood elsewhere before, `by` so many bytes; each is made when asked for."""

    __slots__ = ("_by", "_headers")

    def __init__(self, headers: Sequence[Header], by: int) -> None:
        self._headers, self._by = headers, by

    def __len__(self) -> int:
        return len(self._headers)

    @overload
    def __getitem__(self, index: int) -> Header: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Header, ...]: ...

    def __getitem__(self, index: int | slice) -> Header | tuple[Header, ...]:
        if isinstance(index, slice):
            return tuple([self._moved(one) for one in self._headers[index]])
        return self._moved(self._headers[index])

    def __iter__(self) -> Iterator[Header]:
        return map(self._moved, self._headers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Moved | tuple) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def _moved(self, header: Header) -> Header:
        name, value, start, stop, key = header
        return Header(name, value, start + self._by, stop + self._by, key)

    def first(self, name: str) -> Header | None:
        """The first header of that (lower-case) name."""
        return next((self._moved(one) for one in self._headers if one.key == name), None)

    def values(self, name: str) -> tuple[str, ...]:
        """The values of every header of that (lower-case) name."""
        return tuple([one.value for one in self._headers if one.key == name])


class HttpMessage(NamedTuple):
    """One request or response. All offsets count bytes of its direction's stream.

    [start, line_stop) is the start line, [start, body_start) the head, [start, stop) the message as far as it
    has come. `body_length` counts bytes after chunked coding is undone and before Content-Encoding is;
    `body` holds the first of them, up to the connection's bound. `partner` is the number of the request that
    a response answers, and of the final response to a request. `cut`: the capture cut the head after so
    many bytes of a packet; there is what stands before `body_start`, and what of the bytes up to `stop` is
    its body is not known.
    """

    direction: int
    is_request: bool
    start: int
    line_stop: int
    body_start: int
    stop: int
    version: str
    method: str = ""
    target: str = ""
    status: int = 0
    reason: str = ""
    headers: tuple[Header, ...] | Moved = ()
    trailers: tuple[Header, ...] = ()
    framing: Framing = "none"
    body_length: int = 0
    body: bytes = b""
    complete: bool = False
    number: int = 0
    partner: int | None = None
    cut: int = 0

    def first(self, name: str) -> Header | None:
        """The first header of that (lower-case) name."""
        headers = self.headers
        if isinstance(headers, Moved):
            return headers.first(name)
        for header in headers:
            if header.key == name:
                return header
        return None

    def values(self, name: str) -> tuple[str, ...]:
        """The values of every header of that (lower-case) name."""
        headers = self.headers
        if isinstance(headers, Moved):
            return headers.values(name)
        return tuple([header.value for header in headers if header.key == name])

    @property
    def start_line(self) -> str:
        """"GET /chat HTTP/1.1" or "HTTP/1.1 101 Switching Protocols", as text off the wire."""
        if self.is_request:
            return f"{self.method} {self.target} {self.version}"
        return f"{self.version} {self.status} {self.reason}".rstrip()


def tokens(message: HttpMessage, name: str) -> list[str]:
    """The elements of a comma-separated header (all lines of it), stripped, empty ones left out."""
    values = message.values(name)
    return [part.strip() for value in values for part in value.split(",") if part.strip()] if values else []


def looks_like_http(data: bytes, *, whole: bool = False) -> Literal["request", "response", "perhaps", ""]:
    """What a stream that begins with `data` is; "perhaps": too few bytes to tell.

    A method alone is none: other protocols ask "GET key" too. Only where the line does not end, because no
    more of it can come (`whole`) or it is longer than theirs, it is taken for a request.
    """
    data = data[:HEAD_LIMIT].lstrip(b"\r\n")
    if not data:
        return "perhaps"
    if data.startswith(b"HTTP/1."):
        return "response"
    if b"HTTP/1.".startswith(data):
        return "perhaps"
    line, end, _ = data.partition(b"\n")
    if _REQUEST_START.match(line):
        return "request"
    begun = not end and _REQUEST_PREFIX.match(line) is not None
    if not end and line.startswith(METHODS) and (whole or (begun and len(line) >= LONG_LINE)):
        return "request"
    return "perhaps" if begun else ""


def head_end(data: bytes | bytearray, start: int = 0) -> int:
    """Where the bytes after the empty line begin, or -1; lines may end with LF alone."""
    found = _EMPTY_LINE.search(data, start)
    return found.end() if found else -1


def parse_head(
    data: bytes, start: int, direction: int, is_request: bool, found: FirstFindings | None = None
) -> tuple[HttpMessage | None, FirstFindings]:
    """The message that a whole head announces (without framing), None when its start line is none.

    What is wrong in it goes to `found`, where the connection's are. A head of which the same bytes were read
    before, and nothing was wrong in them, is not read again: programs say the same again and again.
    """
    findings = FirstFindings() if found is None else found
    known = _heads.get((data, is_request))
    if known is not None:
        return known._replace(
            direction=direction, start=start, line_stop=start + known.line_stop, body_start=start + len(data),
            stop=start + len(data), headers=Moved(known.headers, start)), findings
    clean = not findings
    message, findings = _read_head(data, start, direction, is_request, findings)
    if message is not None and clean and not findings and len(data) <= _LONGEST_KNOWN:
        if len(_heads) >= _MOST_KNOWN:
            _heads.clear()
        _heads[data, is_request] = message._replace(
            line_stop=message.line_stop - start, headers=tuple(Moved(message.headers, -start)))
    return message, findings


_heads: dict[tuple[bytes, bool], HttpMessage] = {}


def _read_head(
    data: bytes, start: int, direction: int, is_request: bool, findings: FirstFindings
) -> tuple[HttpMessage | None, FirstFindings]:
    line, line_stop = _first_line(data)
    match = (REQUEST_LINE if is_request else STATUS_LINE).match(line)
    if match is None:
        kind = marked("request") if is_request else marked("status")
        what = sentence("\"{line}\" is no {kind} line.", line=escaped(line, 80), kind=sentence(kind))
        stop = start + max(line_stop, 1)
        findings.append(finding("http.invalid-start-line", what, direction, start, stop))
        return None, findings
    bare = not line_stop or data[line_stop - 2 : line_stop] != b"\r\n"
    if bare and not findings.full("http.bare-line-feed", direction, start):
        findings.append(finding("http.bare-line-feed", sentence(
            "The start line ends with LF alone."), direction,
                                start, start + line_stop))
    headers = tuple(_headers(data, line_stop, start, direction, findings, bare))
    first, second, third = (as_text(part) if part is not None else "" for part in match.groups())
    stop = start + len(data)
    if is_request:
        message = HttpMessage(direction, True, start, start + line_stop, stop, stop, third, method=first,
                              target=second, headers=headers)
    else:
        digits = re.match("[0-9]{0,9}", second)
        status = int(digits[0] or 0) if digits else 0
        if len(second) != 3 or not 100 <= status <= 599:
            what = sentence("The status code is {second}.", second=escaped(second, 20))
            findings.append(finding("http.invalid-status", what, direction, start, start + line_stop))
        message = HttpMessage(direction, False, start, start + line_stop, stop, stop, first, status=status,
                              reason=third, headers=headers)
    return message, findings


def parse_cut_head(
    data: bytes, start: int, direction: int, is_request: bool, findings: FirstFindings, cut: int
) -> HttpMessage | None:
    """What the first bytes of a head announce, of which the rest is not there (`cut`): its whole lines.

    Of the start line so much is enough that a status, or a method and the beginning of its target, stands
    there for certain. Only what is wrong in these bytes goes to `findings`.
    """
    stop = data.rfind(b"\n") + 1
    if stop:
        message, _ = parse_head(data[:stop], start, direction, is_request, findings)
        return None if message is None else message._replace(
            body_start=start + len(data), stop=start + len(data), cut=cut)
    match = (_CUT_REQUEST if is_request else _CUT_STATUS).match(data)
    if match is None:
        return None
    end = start + len(data)
    first, second, third = (as_text(part) if part is not None else "" for part in match.groups())
    if is_request:
        return HttpMessage(direction, True, start, end, end, end, third, method=first, target=second, cut=cut)
    return HttpMessage(direction, False, start, end, end, end, first, status=int(second), reason=third,
                       cut=cut)


def parse_fields(data: bytes, start: int, direction: int, findings: FirstFindings) -> tuple[Header, ...]:
    """Header lines that stand alone (the trailers of a chunked body)."""
    return tuple(_headers(data, 0, start, direction, findings, False))


def _first_line(data: bytes) -> tuple[bytes, int]:
    end = data.find(b"\n")
    stop = len(data) if end < 0 else end + 1
    return data[:stop].rstrip(b"\r\n"), stop


def _headers(
    data: bytes, position: int, base: int, direction: int, findings: FirstFindings, bare_reported: bool
) -> Iterator[Header]:
    """The lines from `position` on; obsolete folding is undone, what is no header is told and left out."""
    pending: Header | None = None
    folded: list[str] = []
    last = 0
    bare: tuple[int, int] | None = None
    while position < len(data):
        end = data.find(b"\n", position)
        stop = len(data) if end < 0 else end + 1
        raw = data[position:stop]
        line = raw[:-2] if raw.endswith(b"\r\n") else raw.rstrip(b"\n")
        if not raw.endswith(b"\r\n") and bare is None:
            bare = (base + position, base + stop)
        at = (direction, base + position, base + stop)
        position = stop
        if not line:
            continue
        if _CONTROLS.search(line) and not findings.full("http.control-in-header", direction, at[1]):
            what = sentence("The header line \"{line}\" holds a control character.", line=escaped(line, 80))
            findings.append(finding("http.control-in-header", what, *at))
        if line[:1] in b" \t" and pending is not None:
            if not folded and not findings.full("http.folded-header", direction, at[1]):
                findings.append(finding("http.folded-header", sentence(
                    "{name} is folded.", name=escaped(pending.name, 40)), *at))
            folded.append(as_text(line.strip()))
            last = base + stop
            continue
        if pending is not None:
            yield _unfolded(pending, folded, last)
            folded.clear()
        pending = _header(line, at, findings)
    if pending is not None:
        yield _unfolded(pending, folded, last)
    if bare is not None and not bare_reported:
        what = sentence("A line of the head ends with LF alone.")
        findings.append(finding("http.bare-line-feed", what, direction, *bare))


def _unfolded(header: Header, folded: list[str], stop: int) -> Header:
    """A header with the lines on which it goes on."""
    if not folded:
        return header
    value = " ".join(part for part in (header.value, *folded) if part)
    return header._replace(value=value, stop=stop)


def _header(line: bytes, at: tuple[int, int, int], findings: FirstFindings) -> Header | None:
    name, colon, value = line.partition(b":")
    if name != name.rstrip() and colon:
        what = sentence("A space stands before the colon of \"{name}\".", name=escaped(name.strip(), 40))
        findings.append(finding("http.space-before-colon", what, *at))
        name = name.rstrip()
    if not colon or not _NAME.match(name):
        if not findings.full("http.invalid-header", at[0], at[1]):
            findings.append(finding("http.invalid-header", sentence(
                "\"{line}\" is no header.", line=escaped(line, 80)), *at))
        if not colon:
            return None
    text = as_text(name)
    return Header(text, as_text(value.strip(b" \t")), at[1], at[2], text.lower())


class Decoded(NamedTuple):
    """A body with its Content-Encoding undone; `problem`: "" or "data", "cut", "limit", "unknown", "part"."""

    data: bytes
    problem: str


def bound(size: int, limit: int) -> int:
    """The bytes that all codings together may make of a body of `size`: what one of DEFLATE can, at most.

    Of codings in codings a hundred bytes could make any number. A limit that was raised holds as it is.
    """
    return limit if limit > INFLATE_LIMIT else min(limit, _ROOM + _RATIO * size)


def decode_content(body: bytes, codings: list[str], limit: int = INFLATE_LIMIT) -> Decoded:
    """Undo the codings that Content-Encoding names (applied in that order), at most `limit` bytes out.

    """
    problem = ""
    limit = bound(len(body), limit)
    for coding in reversed([coding.lower() for coding in codings]):
        if coding in ("identity", ""):
            continue
        if coding not in ("gzip", "x-gzip", "deflate", "zstd"):
            return Decoded(body, problem or "unknown")
        body, now = _unpack_zstd(body, limit) if coding == "zstd" else _inflate(body, coding, limit)
        problem = problem or now
        limit = max(limit - len(body), 0)
    return Decoded(body, problem)


def _inflate(body: bytes, coding: str, limit: int) -> tuple[bytes, str]:
    # "deflate" means the zlib format (RFC 9110 §8.4.1.2), but many senders leave its wrapping away.
    bits = 31 if coding != "deflate" else 15 if _has_zlib_header(body) else -15
    parts: list[bytes] = []
    size = 0
    try:
        while body:
            context = zlib.decompressobj(bits)
            part = context.decompress(body, max(limit - size + 1, 1))
            parts.append(part)
            size += len(part)
            if size > limit:
                return b"".join(parts)[:limit], "limit"
            if not context.eof:
                return b"".join(parts), "cut"
            # Further members may follow, and zeros that pad to a block (as gzip(1) itself takes them).
            body = context.unused_data.lstrip(b"\0") if bits == 31 else b""
    except zlib.error:
        return b"".join(parts), "data"
    return b"".join(parts), ""


def _unpack_zstd(body: bytes, limit: int) -> tuple[bytes, str]:
    """The bytes of Zstandard frames (RFC 8878), and what is wrong: "data", "cut", "limit" or ""."""
    import zstandard  # here: few bodies have it, and start-up would wait

    parts: list[bytes] = []
    size, left = 0, body
    try:
        while left:
            engine = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
            at = 0
            while at < len(left) and not engine.eof:         # in pieces, so that a bomb stops at the limit
                piece = min(max(_LEAST_PIECE, (limit - size) >> 15), _PIECE)
                part = engine.decompress(left[at : at + piece])
                at += piece
                parts.append(part)
                size += len(part)
                if size > limit:
                    return b"".join(parts)[:limit], "limit"
            if not engine.eof:
                return b"".join(parts), "cut"
            left = engine.unused_data + left[at:]
    except zstandard.ZstdError:
        return b"".join(parts), "data"
    return b"".join(parts), ""


def _has_zlib_header(body: bytes) -> bool:
    return len(body) >= 2 and body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0
