"""What the handshake pane tells, where it is not told by the grids: attempts that failed in other ways."""

from pathlib import Path

import pytest

from inspector.trace.trace import Trace
from inspector.views.conversation.opening import handshake
from tests.support.captures.network import CLIENT, SERVER, Network
from tests.support.captures.traces import open_trace
from tests.support.screen.views import all_lines, text_of

pytestmark = pytest.mark.quick


def _text(trace: Trace, protocol: str = "tcp") -> str:
    page = handshake(trace, (protocol, 0)).page(100)
    return text_of(all_lines(page.count, page.line, 100), 100)


def test_a_syn_that_nobody_answers(tmp_path: Path) -> None:
    network = Network(step_ns=1_000_000_000)
    for _ in range(3):
        network.tcp(CLIENT, "S", seq=3_000_000_000)
    with network.open(tmp_path / "silent.pcapng") as trace:
        text = _text(trace)
    assert "the SYN was sent 3 times over 2.0 s" in text and "ETIMEDOUT" in text
    assert "No answer had come" in text


def test_a_conversation_whose_beginning_is_missing(tmp_path: Path) -> None:
    network = Network()
    network.tcp(CLIENT, "PA", b"hello")
    network.tcp(SERVER, "FA")
    with network.open(tmp_path / "middle.pcapng") as trace:
        text = _text(trace)
    assert "begins in the middle" in text
    assert "half-closed" in text and "not seen" in text


def test_an_open_connection_is_not_yet_closed(tmp_path: Path) -> None:
    network = Network()
    network.handshake()
    with network.open(tmp_path / "open.pcapng") as trace:
        text = _text(trace)
    assert "✓" in text and "Neither side has closed" in text


def test_a_wrong_proof_is_told(tmp_path: Path) -> None:
    network = Network()
    network.handshake()
    network.tcp(CLIENT, "PA", b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
    network.tcp(SERVER, "PA", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n")
    with network.open(tmp_path / "wrong.pcapng") as trace:
        text = _text(trace)
    assert "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in text           # RFC 6455 section 1.3
    assert "wrong  ✗  not the same" in text and "accepted, but not rightly" in text


def test_lines_lead_to_their_packets() -> None:
    with open_trace("websocket") as trace:
        page = handshake(trace, ("tcp", 0)).page(80)
        rows = {page.target(index) for index in range(page.count)}
    assert {0, 1, 2, 3, 5} <= rows


def test_udp_without_an_error(tmp_path: Path) -> None:
    network = Network()
    network.udp(CLIENT, b"hello")
    with network.open(tmp_path / "udp.pcapng") as trace:
        text = _text(trace, "udp")
    assert "UDP has no handshake" in text and "ICMP" not in text
