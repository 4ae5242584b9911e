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
from inspector.views.ladder.ladder import Ladder
from inspector.views.line.spans import Span, cell_width, plain
from inspector.wire.dissection.field import Field
from inspector.wire.journal import CallRecord
from tests.support.captures.network import Network
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
│length │Rsrvd│ │ │ │ │ │ │ │ │ │            Window             │
│  10   │  0  │0│0│0│0│0│0│0│1│0│             65495             │
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


def test_a_picture_has_every_pause_that_the_app_shows(tmp_path: Path) -> None:
    """Calls a second apart, as in a session that was stepped through: several silences before one packet."""
    network = Network()
    ends = {"client": {"fd": 3, "protocol": "tcp"}, "server": {"fd": 4, "protocol": "tcp"}}
    for role, name in (("server", "socket"), ("server", "bind"), ("client", "socket"), ("server", "listen")):
        network.call(role, name, "…", **ends[role])  # type: ignore[arg-type]
        network.now_ns += 1_100_000_000
    began = network.now_ns
    network.handshake()
    network.now_ns += 2_000_000_000
    network.record(CallRecord(99, 1, 1, "server", "accept", "4", began - 500_000_000, network.now_ns, 5))
    with network.open(tmp_path / "stepped.pcapng") as trace:
        ladder = Ladder(trace)
        app = [line for index in range(ladder.count) if (line := plain(ladder.line(index, 100)))]
        picture = [plain(line) for line in ladder_lines(trace, 100)]
        diagram = ladder_mermaid(trace)
    pauses = [line for line in app if "·  ·" in line]
    assert len(pauses) == 6 and picture[2:-2] == app
    assert sum("Note over L,R" in line for line in diagram.splitlines()) == len(pauses)
    assert any("blocked 2.5 s" in line for line in picture)
    assert picture[1].count("CLOSED") == 2                 # nothing had happened


def test_a_picture_of_packets_alone_begins_without_states(tmp_path: Path) -> None:
    network = Network()
    network.handshake()
    with network.open(tmp_path / "alone.pcapng") as trace:
        picture = [plain(line) for line in ladder_lines(trace, 100)]
    assert "ESTABLISHED" not in picture[1] and picture[-2].count("ESTABLISHED") == 2


def test_a_field_that_goes_on_in_the_next_row_says_so() -> None:
    """RFC 6455 section 5.2: the masking key begins in the middle of a row."""
    with open_trace("websocket") as trace:
        lines = drawn(trace, Row(7), "websocket").splitlines()
    assert lines[-4] == "│    Masking key (continued)    │        79 1e 62 c9 7e         │"


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


WIDE = ((Span("│", "dim"), Span("  目的é地址: 1  ", "name"), Span("│", "dim")),)


def test_a_sign_of_two_cells_has_a_place_of_its_own() -> None:
    """The font that lends it has another width: what stands behind it must not move."""
    root = ElementTree.fromstring(as_svg(WIDE, "x").encode())
    places = {text.text: float(text.attrib["x"]) for text in root.iter("{http://www.w3.org/2000/svg}text")
              if text.text != "│"}
    first, cell = places["目"], (places["的"] - places["目"]) / 2
    assert first == pytest.approx(12 + 3 * cell)
    assert [round((places[one] - first) / cell) for one in ("的", "é", "地", "址", ": 1")] == [2, 4, 5, 7, 9]
    page = as_html(WIDE, "x")
    assert '<span class="name">  <i>目</i><i>的</i>é<i>地</i><i>址</i>: 1  </span>' in page
    assert "display:inline-block;width:2ch" in page


def test_an_accent_stays_with_its_sign() -> None:
    line = ((Span("ae\u0301か\u3099か\u3099b"),),)
    assert "ae\u0301<i>か\u3099</i><i>か\u3099</i>b" in as_html(line, "x")
    assert ">か\u3099</text>" in as_svg(line, "x")


def test_mermaid_has_the_ends_the_packets_and_the_calls() -> None:
    with open_trace("websocket") as trace:
        lines = ladder_mermaid(trace).splitlines()
    assert lines[0] == "sequenceDiagram"
    assert lines[1].startswith("    participant L as client 127.0.0.1#58;")
    assert sum(line.startswith(("    L->>R: ", "    R->>L: ")) for line in lines) == 16
    assert "    L->>R: 8 TEXT #34;hello#34; masked" in lines
    assert all(";" not in re.sub(r"#\d+;", "", line) for line in lines)
