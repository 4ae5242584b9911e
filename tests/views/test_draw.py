"""Pictures without a screen: headers as the RFCs draw them, and ladders as SVG, HTML and Mermaid."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from inspector.model.packets import Row
from inspector.trace.trace import Trace
from inspector.views.detail.tree import packet_tree
from inspector.views.draw.header import BITS, CELL, header_diagram
from inspector.views.draw.ladder import ladder_lines, ladder_mermaid
from inspector.views.draw.pictures import PICTURES, as_html, as_svg
from inspector.views.line.spans import Span, cell_width, plain
from inspector.wire.dissection.field import Field
from tests.support.captures.traces import TRACES, open_trace

DATA = TRACES.parent
CAPTURES = [*sorted(TRACES.glob("*.pcapng")), *sorted((DATA / "frames").glob("*.pcapng"))]
UDP = """\
User Datagram Protocol
 0                   1                   2                   3
┌───────────────────────────────┬───────────────────────────────┐
│          Source port          │       Destination port        │
│             48855             │             9001              │
├───────────────────────────────┼───────────────────────────────┤
│            Length             │           Checksum            │
│              13               │            0xfe20             │
└───────────────────────────────┴───────────────────────────────┘"""
TCP_FLAGS = """\
├───────┬─────┬─┬─┬─┬─┬─┬─┬─┬─┬─┬───────────────────────────────┤
│       │     │A│C│E│U│A│P│R│S│F│                               │
│       │     │E│W│C│R│C│S│S│Y│I│                               │
│Header │     │ │R│E│G│K│H│T│N│N│                               │
│length │Rese…│ │ │ │ │ │ │ │ │ │            Window             │
│  40   │  0  │0│0│0│0│0│0│0│1│0│             65495             │
├───────┴─────┴─┴─┴─┴─┴─┴─┴─┴─┴─┼───────────────────────────────┤"""


def drawn(trace: Trace, row: Row, name: str) -> str:
    layer = next(field for field in packet_tree(trace, row) if field.name == name)
    return "\n".join(plain(line) for line in header_diagram(layer))


def test_a_header_stands_as_in_its_rfc() -> None:
    """RFC 768, and the row of flags in RFC 9293 section 3.1."""
    with open_trace("udp") as trace:
        assert drawn(trace, Row(0), "udp") == UDP
    with open_trace("websocket") as trace:
        assert TCP_FLAGS in drawn(trace, Row(0), "tcp")


def test_a_field_that_goes_on_in_the_next_row_says_so() -> None:
    """RFC 6455 section 5.2: the masking key begins in the middle of a row."""
    with open_trace("websocket") as trace:
        lines = drawn(trace, Row(7), "websocket").splitlines()
    assert lines[-5:-4] == ["│          (continued)          │          (continued)          │"]


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.name)
def test_every_layer_of_every_packet_is_drawn_in_its_width(capture: Path) -> None:
    with Trace.open(capture) as trace:
        trace.finish()
        for row in range(min(trace.index.count, 60)):
            for layer in packet_tree(trace, Row(row)):
                lines = header_diagram(layer)
                widths = {cell_width(plain(line)) for line in lines[2:]}
                assert not widths or max(widths) <= BITS * CELL + 1


def test_any_fields_can_be_drawn() -> None:
    """Overlapping, empty, out of order and very long ones, as damaged packets have."""
    odd: list[tuple[int, int, int | None, int | None]] = [
        (0, 1, 4, 8), (0, 1, 0, 4), (0, 2, None, None), (1, 1, None, None), (9, 2000, None, None),
        (2, 9, 3, 50),
    ]
    fields = tuple(Field(f"f{n}", f"Field {n}", "v" * n, *place) for n, place in enumerate(odd))
    lines = header_diagram(Field("x", "X", "", 0, 2000, children=fields))
    assert max(cell_width(plain(line)) for line in lines) <= BITS * CELL + 1


def test_pictures_are_well_formed_and_hold_the_ladder() -> None:
    with open_trace("http") as trace:
        lines = ladder_lines(trace, 100)
    for name, picture in PICTURES.items():
        assert "SYN ACK" in picture(lines, "x"), name
    root = ElementTree.fromstring(as_svg(lines, "a <title> & more").encode())
    assert root.tag.endswith("svg")
    assert root.findtext("{http://www.w3.org/2000/svg}title") == "a <title> & more"


def test_what_was_on_the_wire_is_text_in_every_picture() -> None:
    line = ((Span('</text></pre><script>alert("x")</script>&'),),)
    assert "<script" not in as_svg(line, "<script>")

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag != "script"

    Tags().feed(as_html(line, "<script>"))


def test_mermaid_has_the_ends_the_packets_and_the_calls() -> None:
    with open_trace("websocket") as trace:
        lines = ladder_mermaid(trace).splitlines()
    assert lines[0] == "sequenceDiagram"
    assert lines[1].startswith("    participant L as client 127.0.0.1#58;")
    assert sum(line.startswith(("    L->>R: ", "    R->>L: ")) for line in lines) == 16
    assert "    L->>R: 8 TEXT #34;hello#34; masked" in lines
    assert all(";" not in re.sub(r"#\d+;", "", line) for line in lines)
