"""Texts take the cells that the screen gives them: rich's measure, which is Textual's, in every script."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from inspector.trace.trace import Trace
from inspector.views.ladder.ladder import Ladder
from inspector.views.line.document import Document
from inspector.views.line.spans import cell_width, fit, plain
from inspector.views.packets.list import PacketList
from inspector.wire.journal import EventRecord
from inspector.wire.text import escaped
from tests.support.captures.network import CLIENT, SERVER, Network
from tests.support.tiers import thorough

TEXTS = {
    "thai": "สวัสดีครับ ยินดีต้อนรับสู่เครือข่าย น้ำใจ",
    "hangul": "안녕하세요 \u1112\u1161\u11ab\u1100\u1173\u11af 네트워크",      # also letters that join
    "emoji": "ok 👍🏽 🏳 🚀 ☎ ⌚ e\u0301 🇩🇪",
    "devanagari": "नमस्ते दुनिया क्षत्रिय",
    "han": "你好，世界",
}
WIDTHS = (20, 61, 80, 105, 133, 200)


@thorough
def test_every_code_point_is_as_wide_as_on_the_screen() -> None:
    assigned = (*range(0x40000), *range(0xE0000, 0xE1000), *range(0xF0000, sys.maxunicode, 0x1000))
    wrong = [code for code in assigned if cell_width(chr(code)) != cell_len(chr(code))]
    assert not wrong


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_is_cut_or_filled_is_exact(text: str) -> None:
    shown = escaped(text)
    for width in range(1, 60):
        for align in ("left", "right", "centre"):
            assert cell_len(fit(shown, width, align=align)) == width
    document = Document()
    document.fact(shown, shown + " " + shown, shown)
    document.heading(shown, shown)
    for width in (30, 80):
        assert {cell_len(plain(line)) for line in document.page(width).lines} == {width}


def _trace(path: Path, text: str) -> Trace:
    network, data = Network(), text.encode()
    network.record(EventRecord("session-started", text, network.now_ns, text, 1, ()))
    for role in ("server", text):
        network.call(role, text, text, detail=text, fd=3, local=text, peer=text)
        network.call(role, "send", f'3, "{text}", {len(data)}', len(data), fd=3, local="127.0.0.1:50412",
                     peer="127.0.0.1:9000")
        network.call(role, "connect", "3, 127.0.0.1:9000", None, errno=text, fd=4)
    network.record(EventRecord("waiting", text, network.now_ns, "client", 1, (("call", text),)))
    network.handshake()
    network.tcp(CLIENT, "PA", data)
    network.tcp(SERVER, "PA", b"HTTP/1.1 200 " + data + b"\r\nContent-Length: 0\r\n\r\n")
    network.udp(CLIENT, data)
    return network.open(path)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_no_line_of_a_ladder_or_list_is_torn(tmp_path: Path, text: str) -> None:
    with _trace(tmp_path / "text.pcapng", text) as trace:
        for conversation in (None, ("tcp", 0), ("udp", 0)):
            ladder = Ladder(trace, conversation)
            for width in WIDTHS[1:]:
                lines = [*ladder.header(width), *(ladder.line(at, width) for at in range(ladder.count))]
                assert {cell_len(plain(line)) for line in lines} == {width}
        packets = PacketList(trace)
        for width in WIDTHS[1:]:
            assert {cell_len(plain(packets.line(at, width))) for at in range(packets.count)} == {width}
