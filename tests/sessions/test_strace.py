"""How calls are written: safe to show, short, and as strace would."""

from __future__ import annotations

import socket
import struct

from hypothesis import given
from hypothesis import strategies as st

from inspector.sessions.sockets.strace import (
    IP_RECVERR,
    PREVIEW,
    QueuedError,
    address_text,
    option_text,
    preview,
    queued_error,
)
from inspector.wire.text import escaped
from tests.support.running.sessions import session


def test_addresses_and_options() -> None:
    assert address_text(("127.0.0.1", 80)) == "127.0.0.1:80"
    assert address_text(("::1", 80, 0, 0)) == "[::1]:80"
    assert option_text(socket.SOL_SOCKET, socket.SO_REUSEADDR) == "SOL_SOCKET, SO_REUSEADDR"
    assert option_text(99, 7) == "99, 7"


def test_a_preview_is_cut_between_characters() -> None:
    assert preview(b'say "hi"') == '"say \\"hi\\""'
    assert preview(b"x" * PREVIEW) == f'"{"x" * PREVIEW}"'
    assert preview("你好世界".encode() * 9) == '"你好世界你好世界你好"…'
    assert preview(b"\xff" * 99) == '"' + "\\xff" * PREVIEW + '"…'


@given(st.binary(max_size=200))
def test_a_preview_is_safe_and_short(data: bytes) -> None:
    text = preview(data)
    assert escaped(text) == text
    assert len(text) <= 4 * PREVIEW + 3
    assert text.endswith("…") == (len(data) > PREVIEW)


@given(st.binary(max_size=40))
def test_any_control_message_is_read(value: bytes) -> None:
    queued = queued_error(b"data", [(socket.IPPROTO_IP, IP_RECVERR, value), (1, 2, value)])
    assert isinstance(queued, QueuedError) and queued.data == b"data"


def test_a_queued_error_names_its_cause() -> None:
    value = struct.pack("=IBBBBII", 111, 2, 3, 3, 0, 0, 0)
    queued = queued_error(b"x", [(socket.IPPROTO_IP, IP_RECVERR, value)])
    assert queued == QueuedError(b"x", 111, "ICMP port unreachable (type 3, code 3)")
    assert queued_error(b"", []).cause == "no cause given"


def test_hostile_payload_is_safe_in_the_journal() -> None:
    hostile = "\x1b[31m\x07\u202e[@click=x]\x9b\r\n"
    with session(messages=(hostile,)) as pair:
        assert pair.finish() == [0, 0], pair.client.report()
        for call in pair.client.calls() + pair.server.calls():
            assert escaped(call.message) == call.message
