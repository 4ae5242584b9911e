"""A system call in few cells: `connect(:8765) …`, `= 4  from :50412`, `send("hello")`, `recv() = 11`.

Call -> wordings from the richest to the poorest -> the first that fits a margin of the ladder, as spans.
The file descriptor and the loopback address go first: they say nothing that the margin does not.
"""

from __future__ import annotations

import re
from typing import Literal

from inspector.model.language import marked, tr
from inspector.model.records import END_OF_STREAM, WOKEN, Call
from inspector.views.line.spans import Line, Span, Style, cell_width, fit
from inspector.wire.text import escaped

Form = Literal["whole", "entry", "return"]
_LOOPBACK = re.compile(r"(?:127\.\d+\.\d+\.\d+|\[::1\]):(\d+)")
_UNREADABLE = re.compile("\\\\x[0-9a-f]{2}|[\u2400-\u2408\u240b\u240c\u240e-\u2421]")
_SENDING = re.compile(r'^(?P<data>".*"…?), (?P<size>\d+)(?:, (?P<to>\S+))?$', re.DOTALL)
_SENDERS = ("send", "sendto", "write", "sendall", "sendmsg")
_WOKEN = marked("woken")
_SHORT = {END_OF_STREAM: marked("end"), WOKEN: _WOKEN}
_ROLES = (marked("client"), marked("server"))
_RECEIVERS = ("recv", "recvfrom", "recvmsg", "read")


def call_line(call: Call, form: Form, width: int, *, named: bool = False, full: bool = False) -> Line:
    """The call in exactly `width` cells.

    `whole`: entry and return in one; `entry`: it blocks from here; `return`: what came back, with the
    call's name where `named` (other calls stand between). `full`: as it stands in the journal, if it fits.
    """
    candidates = _candidates(call, form, named=named, full=full)
    for spans in candidates:
        size = sum(cell_width(span.text) for span in spans)
        if size <= width:
            return (*spans, Span(" " * (width - size))) if size < width else spans
    text = "".join(span.text for span in candidates[-1])
    return (Span(fit(text, width), "error" if call.errno else candidates[-1][0].style),) if width > 0 else ()


def short_addresses(text: str) -> str:
    """The text with the host taken off loopback addresses: `127.0.0.1:8000` -> `:8000`."""
    return _LOOPBACK.sub(r":\1", text)


def held_wordings(text: str) -> list[str]:
    """How a call that an endpoint is held before, `name(arguments)`, can be written: the richest first."""
    name, bracket, arguments = text.partition("(")
    if not bracket:
        return [text]
    arguments = arguments.removesuffix(")")
    descriptor = arguments.partition(",")[0]
    call = Call(0, 0, 0, "", name, arguments, 0, None, None, None,
                fd=int(descriptor) if descriptor.isdecimal() else None)
    return [text, *(f"{name}({head})" for head in _heads(call, full=False))]


def _candidates(call: Call, form: Form, *, named: bool, full: bool) -> list[Line]:
    role: Style = "client" if call.role == "client" else "server" if call.role == "server" else "name"
    name = escaped(call.name, 20)
    heads = _heads(call, full=full)
    if form == "entry":
        return [_line((name, role), (f"({head})", ""), (" …", "blocked")) for head in heads]
    if form == "return":
        tails = _tails(call, always=True)
        if call.was_woken:                      # a bare 0 would say that the stream has ended
            tails[-1] = [(tr(_WOKEN), "dim")]
        before = [_line((f"{name}() ", role), *tail) for tail in tails] if named else []
        return before + [_line(*tail) for tail in tails]
    tails = _tails(call, always=False)
    lines = [_line((name, role), (f"({head})", ""), (" " if tail[0][0] else "", ""), *tail)
             for head in heads for tail in tails]
    lines.sort(key=_richness)
    value, style = next((tail[0] for tail in reversed(tails) if tail[0][0]), ("", ""))
    if value and call.name != "getsockname":               # how much it was is worth more than the brackets
        lines += [_line((name, role), (" ", ""), (value, style)),
                  _line((name, role), (" ", ""), (value.removeprefix("= "), style))]
    return lines if call.errno else [*lines, _line((name, role))]


def _richness(line: Line) -> int:
    # An error or the count outweighs the arguments: the shortest head loses less than the shortest tail.
    return -sum(cell_width(span.text) for span in line)


def _heads(call: Call, *, full: bool) -> list[str]:
    """The arguments, richest first; "" at last."""
    arguments = escaped(call.arguments)
    found = [arguments] if full else []
    inner = arguments
    if call.fd is not None:
        inner = arguments.removeprefix(f"{call.fd}, ") if arguments != str(call.fd) else ""
    inner = short_addresses(inner)
    if call.name in _SENDERS:
        match = _SENDING.match(inner)
        if match and _UNREADABLE.search(match["data"]):
            found += [match["size"]]
        elif match:
            to = " " + tr("to {address}", address=match["to"]) if match["to"] else ""
            found += [match["data"] + to, match["data"], match["size"] + to, match["size"]]
        else:
            found.append(inner)
    elif call.name == "socket":
        found.append(", ".join(part for part in inner.split(", ") if not part.startswith("IPPROTO_")))
        found.append("TCP" if "SOCK_STREAM" in inner else "UDP" if "SOCK_DGRAM" in inner else "")
    elif call.name == "setsockopt":
        found += [inner.split(", ", 1)[-1], inner.split(", ")[1] if inner.count(", ") else inner]
    elif call.name == "close":
        return [*found, arguments]              # which of its sockets, is the point
    elif call.name == "shutdown":
        return [*found, inner, inner.removeprefix("SHUT_")]      # which direction, is the point
    elif call.name not in _RECEIVERS:
        found.append(inner)
    return [*found, ""]


def _tails(call: Call, *, always: bool) -> list[list[tuple[str, Style]]]:
    """What came back, richest first: value, then what a reader wants beside it."""
    detail = short_addresses(escaped(call.detail))
    if detail.startswith('"') and _UNREADABLE.search(detail):
        detail = ""                             # bytes that are no text say nothing in a margin
    if call.errno:
        errno = escaped(call.errno, 24)
        return [[(f"= -1 {errno}", "error")], [(errno, "error")]]
    if call.result is None:
        return [[("…", "blocked")]]
    value: tuple[str, Style] = (f"= {call.result}", "ok" if call.result else "")
    if call.name in _SENDERS and not always:
        match = _SENDING.match(short_addresses(escaped(call.arguments)).removeprefix(f"{call.fd}, "))
        if match and int(match["size"]) == call.result:
            return [[("", "")]]
    if call.name == "getsockname":
        return [[(f"= {detail}", "")], [value]]
    tails: list[list[tuple[str, Style]]] = [[value, (f"  {detail_words(detail)}", "dim")]] if detail else []
    if detail in _SHORT:
        tails.append([value, (f"  {tr(_SHORT[detail])}", "dim")])
    tails.append([value])
    if call.result == 0 and call.name not in _RECEIVERS and not always:
        tails.append([("", "")])
    return tails


def role_name(name: str) -> str:
    """Of an end: its role in the language of the screens; a program's name as it is."""
    return tr(name) if name in _ROLES else name


def detail_words(detail: str) -> str:
    """What the journal says beside a call's result, in the language of the screens."""
    if detail.startswith("from ") and " " not in detail[5:]:
        return tr("from {address}", address=detail[5:])
    return tr(detail) if detail in _SHORT else detail


def _line(*parts: tuple[str, Style]) -> Line:
    return tuple(Span(text, style) for text, style in parts if text)
