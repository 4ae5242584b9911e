"""A lesson's words as lines of spans: a small part of Markdown, wrapped by cells, Chinese too.

Paragraphs, `- ` lists, ``` fences (kept as they are), **bold**, `code`; `{name}` is a value of the step.
Chinese has no blanks to break at: a line may end after any of its characters, but none begins with a closing
sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from inspector.views.line.spans import Line, Span, Style, cell_width, fit
from inspector.views.line.wrap import may_break

_MARKS = re.compile(r"\*\*(.+?)\*\*|\*([^*\s](?:[^*]*[^*\s])?)\*|`([^`]+)`")
_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
UNKNOWN = "…"


def page(text: str, width: int, values: Mapping[str, str] | None = None) -> list[Line]:
    """The text in lines of at most `width` cells."""
    lines: list[Line] = []
    for block, kind in _blocks(filled(text, values or {})):
        if lines:
            lines.append(())
        if kind == "code":
            lines += [(Span(fit("  " + line, width).rstrip(), "value"),) for line in block]
            continue
        for item in block:
            dash = "- " if kind == "list" else ""
            for place, line in enumerate(wrapped(item, width - len(dash))):
                lead = dash if place == 0 else " " * len(dash)
                lines.append((Span(lead, "dim"), *line) if lead else line)
    return lines


def places_in(text: str) -> set[str]:
    """The names of the values that the text speaks of."""
    return set(_PLACE.findall(text))


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with the step's values in their places."""
    return _PLACE.sub(lambda match: values.get(match[1], UNKNOWN), text)


def _blocks(text: str) -> Iterator[tuple[list[str], str]]:
    """Paragraphs (one item), lists (an item each), code (a line each)."""
    current: list[str] = []
    kind = "prose"
    for line in text.splitlines():
        if line.startswith("```"):
            if current:
                yield current, kind
            current, kind = [], "prose" if kind == "code" else "code"
        elif kind == "code":
            current.append(line)
        elif not line.strip():
            if current:
                yield current, kind
            current, kind = [], "prose"
        elif line.startswith("- "):
            if current and kind != "list":
                yield current, kind
                current = []
            current, kind = [*current, line[2:]], "list"
        elif current:
            current[-1] = _joined(current[-1], line.strip())
        else:
            current = [line.strip()]
    if current:
        yield current, kind


def _joined(one: str, other: str) -> str:
    """Two lines of a source as one: between wide characters there is no blank."""
    wide = cell_width(one[-1:]) > 1 and cell_width(other[:1]) > 1
    return one + ("" if wide else " ") + other


def styled(text: str) -> list[Span]:
    """One paragraph's marks as spans."""
    spans: list[Span] = []
    at = 0
    for match in _MARKS.finditer(text):
        if match.start() > at:
            spans.append(Span(text[at : match.start()]))
        style: Style = "name" if match[3] else "bold"
        spans.append(Span(match[1] or match[2] or match[3], style))
        at = match.end()
    if at < len(text):
        spans.append(Span(text[at:]))
    return spans


def wrapped(text: str, width: int) -> list[Line]:
    """One paragraph in lines of at most `width` cells."""
    return wrapped_spans(styled(text), width)


def wrapped_spans(spans: list[Span], width: int) -> list[Line]:
    """The same of spans that are there already."""
    lines: list[list[Span]] = [[]]
    used = 0
    for piece in _pieces(spans):
        size = sum(cell_width(span.text) for span in piece)
        blank = all(not span.text.strip() for span in piece)
        if used + size > width and used:
            while lines[-1] and not lines[-1][-1].text.strip():
                lines[-1].pop()
            lines.append([])
            used = 0
        if blank and not used:
            continue
        if size > width:
            piece, size = [Span(fit(piece[0].text, width), piece[0].style)], width
        lines[-1] += piece
        used += size
    return [tuple(_merged(line)) for line in lines if line]


def _merged(spans: list[Span]) -> Iterator[Span]:
    current: Span | None = None
    for span in spans:
        if current is not None and current.style == span.style:
            current = Span(current.text + span.text, current.style)
            continue
        if current is not None:
            yield current
        current = span
    if current is not None:
        yield current


def _pieces(spans: list[Span]) -> Iterator[list[Span]]:
    """What must not be broken: words, blanks, wide characters with the signs that stay with them."""
    letters = [(letter, span.style) for span in spans for letter in span.text]
    piece: list[tuple[str, Style]] = []
    for place, (letter, style) in enumerate(letters):
        before = letters[place - 1][0] if place else ""
        if piece and _may_break(before, letter):
            yield _spans(piece)
            piece = []
        piece.append((letter, style))
    if piece:
        yield _spans(piece)


def _may_break(before: str, letter: str) -> bool:
    if before == " " or letter == " ":
        return before != letter
    return may_break(before, letter)


def _spans(piece: list[tuple[str, Style]]) -> list[Span]:
    return list(_merged([Span(letter, style) for letter, style in piece]))
