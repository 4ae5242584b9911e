"""Header diagrams set beside the figures of their RFCs: each box's name and bits, row for row.

The figures are written here as data (bits of each field, in the order of the RFC); what is drawn is read back
from its characters alone, so that a box of a wrong width or in a wrong place cannot agree by accident.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest

from inspector.model.packets import Row
from inspector.protocols.websocket.frame import BINARY
from inspector.trace.trace import Trace
from inspector.views.detail.tree import packet_tree
from inspector.views.draw.header import header_diagram
from inspector.views.line.spans import plain
from tests.support.captures.traces import open_trace
from tests.support.captures.websocket import UPGRADE, client, exchange, server, traced

Figure = Sequence[tuple[str, int]]           # the words that stand in the box, and how many bits it has

# RFC 791 section 3.1; the second octet as RFC 2474 section 3 has it, reserved bit and flags one by one.
IPV4: Figure = (
    ("Version", 4), ("Header length", 4), ("Differentiated services", 8), ("Total length", 16),
    ("Identification", 16), ("Rsv", 1), ("DF", 1), ("MF", 1), ("Fragment offset", 13),
    ("Time to live", 8), ("Protocol", 8), ("Header checksum", 16),
    ("Source address", 32), ("Destination address", 32),
)
# RFC 8200 section 3.
IPV6: Figure = (
    ("Version", 4), ("Traffic class", 8), ("Flow label", 20),
    ("Payload length", 16), ("Next header", 8), ("Hop limit", 8),
    ("Source address", 128), ("Destination address", 128),
)
# RFC 768.
UDP: Figure = (("Source port", 16), ("Destination port", 16), ("Length", 16), ("Checksum", 16))
# RFC 9293 section 3.1; of its four reserved bits the last is AE since RFC 9768.
TCP: Figure = (
    ("Source port", 16), ("Destination port", 16), ("Sequence number", 32), ("Acknowledgment number", 32),
    ("Header length", 4), ("Rsrvd", 3), ("AE", 1), ("CWR", 1), ("ECE", 1), ("URG", 1), ("ACK", 1), ("PSH", 1),
    ("RST", 1), ("SYN", 1), ("FIN", 1), ("Window", 16), ("Checksum", 16), ("Urgent pointer", 16),
)
# RFC 6455 section 5.2: the length in 7, 7+16 or 7+64 bits, the key where MASK is set.
_FRAME: Figure = (("FIN", 1), ("RSV1", 1), ("RSV2", 1), ("RSV3", 1), ("Opcode", 4), ("MASK", 1),
                  ("Payload length, 7 bits", 7))  # fmt: skip
_KEY: Figure = (("Masking key", 32),)


def figure_of(drawn: str) -> list[tuple[str, int]]:
    """(words, bits) of each box of a drawn header, from left to right and from the top down."""
    found: list[tuple[str, int]] = []
    for row in _rows_of(drawn.splitlines()[2:]):
        edges = [at for at, character in enumerate(row[0]) if character == "│"]
        for left, right in pairwise(edges):
            words = [word for line in row if (word := line[left + 1 : right].strip())]
            bits = (right - left) // 2
            if not words or words[-1].endswith("(continued)"):
                of = words[-1].removesuffix("(continued)").strip() if words else ""
                at = next((at for at, one in enumerate(found) if one[0] == of), len(found) - 1)
                found[at] = (found[at][0], found[at][1] + bits)
                continue
            found.append(("".join(words[:-1]) if bits == 1 else " ".join(words[:-1]), bits))     # value last
    return found


def _rows_of(lines: Sequence[str]) -> Iterator[list[str]]:
    """The lines between two borders."""
    row: list[str] = []
    for line in lines:
        if line[0] == "│" and "─" not in line:
            row.append(line)
        elif row:
            yield row
            row = []


def drawn(trace: Trace, row: int, name: str) -> str:
    layer = next(field for field in packet_tree(trace, Row(row)) if field.name == name)
    return "\n".join(plain(line) for line in header_diagram(layer))


@pytest.mark.parametrize(("session", "layer", "figure"), [
    ("udp", "ip", IPV4), ("tcp-push", "ipv6", IPV6), ("udp", "udp", UDP), ("websocket", "tcp", TCP),
])  # fmt: skip
def test_a_header_has_the_boxes_of_its_rfc(session: str, layer: str, figure: Figure) -> None:
    with open_trace(session) as trace:
        assert figure_of(drawn(trace, 0, layer))[: len(figure)] == list(figure)


@pytest.mark.parametrize(("length", "extended"), [(5, 0), (125, 0), (126, 16), (65535, 16), (65536, 64)])
@pytest.mark.parametrize("masked", [True, False])
def test_a_frame_has_the_boxes_of_its_rfc(length: int, extended: int, masked: bool) -> None:
    frame = client if masked else server
    trace = traced(exchange(*UPGRADE, frame(bytes(length), BINARY), size=60_000))
    size: Figure = ((f"Extended payload length, {extended} bits", extended),) if extended else ()
    expected = [*_FRAME, *size, *(_KEY if masked else ())]
    assert figure_of(drawn(trace, 5, "websocket"))[: len(expected)] == expected


@pytest.mark.parametrize("length", [126, 200, 4478, 65536])
def test_what_is_left_out_of_a_long_payload_is_seen(length: int) -> None:
    """Wherever its last row ends, the margin is broken; the bytes that stand there say there are more."""
    trace = traced(exchange(*UPGRADE, client(bytes(length), BINARY), size=60_000))
    lines = drawn(trace, 5, "websocket").splitlines()
    assert any("╎" in line for line in lines)
    value = next(line for at, line in enumerate(lines) if "bytes)" in lines[at - 1])
    assert value.rstrip("│").endswith("…") and len(value.split()) > 15
