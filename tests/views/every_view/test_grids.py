"""Every view of real traces, as grids that one can read in tests/data/views."""

import pytest

from inspector.model.endpoint import Transport
from inspector.model.packets import Row
from inspector.views.conversation.opening import handshake
from inspector.views.detail.bytes import HexDump, Mark, bytes_per_line
from inspector.views.detail.tree import Detail, packet_tree
from inspector.views.ladder.ladder import Ladder, default_conversation
from inspector.views.ladder.printed import LadderText
from inspector.views.packets.list import PacketList
from inspector.views.session.sockets_table import SocketLines
from tests.support.captures.traces import SESSIONS, open_trace
from tests.support.screen.views import all_lines, assert_grid, text_of

pytestmark = pytest.mark.quick

DETAILS = {"tcp": 0, "udp-refused": 1, "http": 3, "websocket": 7, "websocket-deflate": 13}


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("name", SESSIONS)
def test_ladder(name: str, width: int) -> None:
    with open_trace(name) as trace:
        ladder = Ladder(trace, default_conversation(trace))
        lines = [*ladder.header(width), *all_lines(ladder.count, ladder.line, width)]
        assert_grid(f"ladder-{name}-{width}", text_of(lines, width))


@pytest.mark.parametrize("width", [60, 100])
def test_ladder_of_one_conversation(width: int) -> None:
    with open_trace("http-connections") as trace:
        ladder = Ladder(trace, ("tcp", 1), relative=False)
        lines = [*ladder.header(width), *all_lines(ladder.count, ladder.line, width)]
        assert_grid(f"ladder-conversation-{width}", text_of(lines, width))


@pytest.mark.parametrize("width", [78, 120, 200])
@pytest.mark.parametrize("name", ["tcp", "tcp-push", "udp-refused", "websocket"])
def test_packets(name: str, width: int) -> None:
    with open_trace(name) as trace:
        packets = PacketList(trace)
        lines = [packets.title(width), *all_lines(packets.count, packets.line, width)]
        assert_grid(f"packets-{name}-{width}", text_of(lines, width))


@pytest.mark.parametrize("name", DETAILS)
def test_detail_and_bytes(name: str) -> None:
    with open_trace(name) as trace:
        row, width = DETAILS[name], 80
        detail = Detail(packet_tree(trace, Row(row)))
        detail = detail.revealing("tcp/tcp.flags/tcp.flags.syn")
        frame = trace.frame(Row(row))
        dump = HexDump(frame, bytes_per_line(width, len(frame)), [Mark(14, 34)])
        lines = all_lines(detail.count, detail.line, width) + all_lines(dump.count, dump.line, width)
        assert_grid(f"detail-{name}", text_of(lines, width))


@pytest.mark.parametrize("name", ["tcp-half-close", "tcp-abort", "tcp-refused", "udp-refused", "websocket"])
def test_handshake(name: str) -> None:
    with open_trace(name) as trace:
        protocol: Transport = "udp" if name.startswith("udp") else "tcp"
        page = handshake(trace, (protocol, 0)).page(80)
        assert_grid(f"handshake-{name}", text_of(all_lines(page.count, page.line, 80), 80))


@pytest.mark.parametrize("name", ["tcp-refused", "udp", "http-connections"])
def test_sockets(name: str) -> None:
    with open_trace(name) as trace:
        sockets = SocketLines(trace)
        lines = [sockets.title(110), *all_lines(sockets.count, sockets.line, 110)]
        assert_grid(f"sockets-{name}", text_of(lines, 110))


@pytest.mark.parametrize("name", ["tcp", "websocket", "tcp-refused"])
def test_printed_ladder(name: str) -> None:
    with open_trace(name) as trace:
        printed = LadderText(trace, 100)
        lines = [*printed.update(), *printed.footer()]
        assert_grid(f"printed-{name}", text_of(lines, 100))
