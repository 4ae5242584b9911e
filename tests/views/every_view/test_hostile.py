"""Text from the wire and from the journal of a foreign file does no harm in any view."""

import struct
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from inspector.model.packets import Row, first_rows
from inspector.trace.trace import Trace
from inspector.views.conversation.opening import handshake
from inspector.views.conversations.compare.compare import Comparison, Side
from inspector.views.detail.bytes import HexDump
from inspector.views.detail.tree import Detail, packet_tree
from inspector.views.ladder.ends import Conversation
from inspector.views.ladder.ladder import Ladder
from inspector.views.ladder.printed import LadderText
from inspector.views.line.ansi import to_text
from inspector.views.packets.list import PacketList
from inspector.views.session.sockets_table import SocketLines
from inspector.wire.journal import EventRecord
from inspector.wire.text import escaped
from tests.support.captures.network import CLIENT, SERVER, Network
from tests.support.screen.views import all_lines, assert_safe, text_of

EVIL = "\x1b[31m\x1b]0;t\x07[@click=quit]\u202eexe\u200b\u2066\x9b2J\r\n漢字\U000e0041\ufe0f\udc80\x00"
BYTES = EVIL.encode("utf-8", "surrogateescape")


def _hostile(path: Path) -> Trace:
    network = Network()
    network.record(EventRecord("session-started", EVIL, network.now_ns, EVIL, 1, (("session", EVIL),)))
    network.record(EventRecord("endpoint-started", EVIL, network.now_ns, "server", 1))
    for role in (EVIL, "server", "client"):
        network.call(role, EVIL, EVIL, detail=EVIL, fd=3, local=EVIL, peer=EVIL, protocol=EVIL)
        ends = {"local": "127.0.0.1:50412", "peer": "127.0.0.1:9000"}
        network.call(role, "connect", EVIL, None, errno=EVIL, fd=4, **ends)
        network.call(role, "send", f'3, "{EVIL}", 5', 5, detail=f"from {EVIL}", fd=3)
        network.call(role, "getsockname", "3", 0, detail=EVIL, fd=3)
    network.record(EventRecord("waiting", EVIL, network.now_ns, "client", 1, (("call", EVIL),)))
    network.handshake()
    clean = BYTES.replace(b"\r\n", b"").replace(b"\0", b"")
    headers = b"\r\nHost: " + clean + b"\r\nX" + clean + b": " + clean + b"\r\nUpgrade: websocket\r\n"
    line = b"GET /" + clean.replace(b" ", b"") + b" HTTP/1.1"
    network.tcp(CLIENT, "PA", line + headers + b"Connection: Upgrade"
                b"\r\nSec-WebSocket-Key: " + clean + b"\r\nSec-WebSocket-Version: 13\r\n\r\n")
    network.tcp(SERVER, "PA", b"HTTP/1.1 101 " + clean + b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + clean + b"\r\nSec-WebSocket-Protocol: " + clean + b"\r\n\r\n")
    text = BYTES[:100]
    network.tcp(SERVER, "PA", bytes((0x81, len(text))) + text)
    network.tcp(SERVER, "PA", bytes((0x88, len(text) + 2)) + struct.pack(">H", 1000) + text)
    network.tcp(CLIENT, "PA", BYTES)
    network.udp(CLIENT, BYTES)
    network.frame(Ether() / IP() / UDP(sport=53, dport=53) / DNS(qd=DNSQR(qname=b"\x05" + BYTES[:5] + b"\0")))
    network.frame(BYTES)
    return network.open(path)


def test_no_view_hands_on_anything_harmful(tmp_path: Path) -> None:
    with _hostile(tmp_path / "hostile.pcapng") as trace:
        for conversation in (None, ("tcp", 0), ("udp", 0)):
            ladder = Ladder(trace, conversation)
            for width in (60, 80, 200):
                text_of([*ladder.header(width), *all_lines(ladder.count, ladder.line, width)], width)
        printed = LadderText(trace, 100)
        for line in [*printed.update(), *printed.footer()]:
            assert_safe(to_text(line))
        sides = [Side(trace, Conversation("tcp", 0), escaped(EVIL)), Side(trace, Conversation("udp", 0))]
        compared = Comparison(sides).finish()
        for width in (80, 200):
            text_of(all_lines(compared.count, compared.line, width), width)
        for index in range(compared.count):
            assert_safe(compared.whole(index).replace("\n", ""))
        packets, sockets = PacketList(trace), SocketLines(trace)
        for width in (78, 120, 200):
            text_of(all_lines(packets.count, packets.line, width), width)
            text_of(all_lines(sockets.count, sockets.line, width), width)
        for stream in (("tcp", 0), ("udp", 0)):
            page = handshake(trace, stream).page(80)
            text_of(all_lines(page.count, page.line, 80), 80)
        for row in first_rows(trace.index.count):
            _check_detail(trace, row)


def _check_detail(trace: Trace, row: Row) -> None:
    fields = packet_tree(trace, row)
    stack, paths = list(fields), []
    while stack:
        one = stack.pop()
        for text in (one.name, one.label, one.value):
            assert_safe(text)
        stack += one.children
    detail = Detail(fields)
    for _ in range(6):
        paths = [line.path for line in detail.rows if line.opens]
        detail = detail.with_opened(frozenset(paths))
    text_of(all_lines(detail.count, detail.line, 80), 80)
    dump = HexDump(trace.frame(row))
    text_of(all_lines(dump.count, dump.line, 80), 80)


@given(st.lists(st.binary(max_size=120), max_size=8), st.sampled_from([0, 1, 12, 101, 108, 113, 276, 147]))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_frames_can_be_seen(tmp_path: Path, frames: list[bytes], link_type: int) -> None:
    network = Network(link_type=link_type)
    network.call("client", "connect", "3, 127.0.0.1:9000", fd=3, local="127.0.0.1:1", peer="127.0.0.1:9000")
    for frame in frames:
        network.frame(b"\x45\x00\x00\x28" + frame if link_type == 101 else frame)
    with network.open(tmp_path / "any.pcapng") as trace:
        ladder, packets = Ladder(trace), PacketList(trace)
        text_of([*ladder.header(90), *all_lines(ladder.count, ladder.line, 90)], 90)
        text_of(all_lines(packets.count, packets.line, 90), 90)
        for row in first_rows(trace.index.count):
            _check_detail(trace, row)


def test_colour_codes_come_from_styles_alone(tmp_path: Path) -> None:
    with _hostile(tmp_path / "hostile.pcapng") as trace:
        ladder = Ladder(trace)
        for index in range(ladder.count):
            text = to_text(ladder.line(index, 100), colour=True)
            assert_safe(text.replace("\x1b[", "").replace("\x1b", "!"))
            assert "\x1b]" not in text and "\x9b" not in text
