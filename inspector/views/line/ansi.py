"""Lines as text for a terminal or a file: style names -> ANSI colours, or nothing.

The sixteen colours of the terminal's own scheme are used, so that light and dark ones both stay readable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inspector.views.line.spans import Span, Style, plain

_CODES: dict[Style, str] = {
    "dim": "2", "bold": "1", "title": "1", "client": "36", "server": "35", "syn": "1;32", "data": "1",
    "exchange": "1;33", "messages": "1;34", "udp": "1", "fin": "33", "rst": "1;31", "ack": "2", "icmp": "31",
    "ok": "32", "warning": "33", "error": "1;31", "number": "2", "name": "36", "blocked": "2;3",
    "marked": "7", "key": "1",
}  # fmt: skip


def wants_colour(is_terminal: bool, environment: Mapping[str, str]) -> bool:
    """Whether to colour: only on a terminal, unless NO_COLOR is set (no-color.org) or it is a dumb one."""
    return is_terminal and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def to_text(line: Iterable[Span], *, colour: bool = False) -> str:
    """The line as one text without trailing blanks and without a line end."""
    spans = list(line)
    if not colour:
        return plain(spans).rstrip()
    while spans and not spans[-1].text.strip() and spans[-1].style != "marked":
        spans.pop()
    parts = []
    for text, style in spans:
        code = _CODES.get(style)
        parts.append(f"\x1b[{code}m{text}\x1b[0m" if code and text.strip() else text)
    return "".join(parts).rstrip()
