"""TLS with known secrets: what is inside is told as if it were not sealed, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.model.packets import Row
from inspector.protocols.api import MessageIndex
from inspector.protocols.http2.decoder import Http2Decoder
from inspector.protocols.tls.plain import PlainStream
from inspector.trace.filter.filter import Filter
from inspector.trace.trace import Trace
from inspector.views.conversation.messages import MessageList
from inspector.views.conversation.stream.follow import MODES, FollowStream, Mode
from inspector.views.detail.tree import packet_tree
from inspector.views.line.spans import plain
from inspector.wire import pcapng
from inspector.wire.keylog import KeyLog
from tests.data.protocols.make_tls import CLASSIC, MODERN
from tests.protocols.every_protocol.test_cutting import secrets_of, turns_of
from tests.protocols.every_protocol.test_hostile import read
from tests.support.captures.application import first_messages

pytest.importorskip("cryptography")
CAPTURE = Path(__file__).parents[1] / "data" / "protocols" / "tls.pcapng"
HTTP2, WEBSOCKET, KEYS_CHANGED = 6, 7, 8


@pytest.mark.parametrize(("stream", "cipher"), list(enumerate((*MODERN, *CLASSIC))))
def test_http_is_told_whatever_the_cipher(trace: Trace, stream: int, cipher: str) -> None:
    application = trace.application(stream)
    assert [layer.protocol.name for layer in application.layers] == ["tls", "http"]
    decoder = application.layers[-1].decoder
    assert decoder.summary(decoder.records[0]) == f"GET /{cipher}"
    assert decoder.shown(MessageIndex(1), 1000).body == f"you asked for /{cipher}\n".encode()
    if stream < len(MODERN):
        assert decoder.shown(MessageIndex(3), 1 << 20).body == b"you asked for /large\n" * 2000


def test_http2_and_websocket_are_told(trace: Trace) -> None:
    assert isinstance(trace.application(HTTP2).layers[-1].decoder, Http2Decoder)
    inside = trace.application(WEBSOCKET)
    assert [layer.protocol.name for layer in inside.layers] == ["tls", "http", "websocket"]
    rows = Filter('websocket.payload contains "inside"').rows(trace)
    assert len(rows) == 2 and inside.info(Row(int(rows[0]))).startswith('TEXT "hello inside"')


def test_keys_that_are_changed_are_followed(trace: Trace) -> None:
    decoder = trace.application(KEYS_CHANGED).layers[0].decoder
    bodies = [decoder.shown(number, 100).body for number in first_messages(decoder.count)]
    assert [data for data in bodies if data] == [
        b"before\n", b"erofeb\n", b"between\n", b"after\n", b"neewteb\n"]


def test_each_plain_byte_lies_where_its_sealed_one_does(trace: Trace) -> None:
    application = trace.application(3)
    stream = application.layers[-1].streams[0]
    assert isinstance(stream, PlainStream)
    data = stream.read(0, stream.length)
    assert data.startswith(b"GET /ECDHE-RSA-AES128-GCM-SHA256 HTTP/1.1\r\n")
    start, stop = stream.wire(4, 9)
    assert stop - start == 5
    piece = next(stream.pieces(4, 9))
    sealed = trace.frame(piece.row)[piece.frame_offset : piece.frame_offset + 5]
    assert sealed == application.streams[0].read(start, stop) != data[4:9]


def test_messages_detail_and_stream_show_it(trace: Trace) -> None:
    messages = MessageList(trace, 0)
    assert messages.protocol is not None and messages.protocol.name == "http"
    target = messages.target(0)
    assert target.row is not None and target.start is not None
    assert any("GET /TLS" in field.value for field in packet_tree(trace, target.row))
    view = FollowStream(trace, 0, "json")
    while not view.complete:
        view.update()
    lines = [plain(view.line(index, 80)).strip() for index in range(view.count)]
    assert "you asked for /TLS_AES_128_GCM_SHA256" in lines and any("bytes of TLS" in line for line in lines)


def test_without_secrets_it_stays_sealed_and_they_may_come_later(tmp_path: Path) -> None:
    data = CAPTURE.read_bytes()
    head = pcapng.block_at(data, 0, "<")
    assert head is not None
    secrets = pcapng.block_at(data, head.end, "<")
    assert secrets is not None and secrets.type == pcapng.DECRYPTION_SECRETS
    path = tmp_path / "sealed.pcapng"
    path.write_bytes(data[: head.end] + data[secrets.end :])
    with Trace.open(path) as sealed:
        sealed.finish()
        assert [layer.protocol.name for layer in sealed.application(0).layers] == ["tls"]
        lines = pcapng.parse_secrets(data[secrets.body : secrets.body_end], "<")
        assert sealed.secrets.add(lines) > 20
        assert [layer.protocol.name for layer in sealed.application(0).layers] == ["tls", "http"]


def test_wrong_secrets_are_said(tmp_path: Path) -> None:
    with Trace.open(CAPTURE) as wrong:
        wrong.finish()
        known = wrong.secrets
        known._secrets = {key: bytes(len(value)) for key, value in known._secrets.items()}
        application = wrong.application(0)
        assert [layer.protocol.name for layer in application.layers] == ["tls"]
        assert not [one for one in application.findings if one.severity == "error"]


LINE = b"CLIENT_RANDOM " + b"ab" * 32 + b" " + b"cd" * 48


@given(st.lists(st.one_of(st.binary(max_size=80), st.just(LINE))))
def test_any_key_log_is_read(lines: list[bytes]) -> None:
    found = KeyLog()
    found.add(b"\n".join(lines))
    assert found.count <= 1 and found.knows(b"\xab" * 32) == (found.count == 1)


def test_a_server_that_says_nothing_to_a_hello_is_told() -> None:
    hello = turns_of(CAPTURE)[0]
    found = read([hello], frozenset(), True, 443, KeyLog())
    assert [one.id for one in found.findings if one.id.startswith("tls.")] == ["tls.closed-in-handshake"]


def test_a_cipher_suite_that_is_not_read_is_told() -> None:
    turns = turns_of(CAPTURE)
    end, hello = turns[1]
    suite = 5 + 4 + 2 + 32 + 1 + hello[43]             # behind record, message, version, random, session
    turns = [turns[0], (end, hello[:suite] + b"\x13\x7f" + hello[suite + 2 :]), *turns[2:]]
    found = read(turns, frozenset(), True, 443, secrets_of(CAPTURE)).findings
    assert any(one.id == "tls.not-opened" and "0x137f is not read here" in one.text for one in found)


def test_it_is_opened_behind_a_proxy_and_a_preface_too() -> None:
    turns, secrets = turns_of(CAPTURE), secrets_of(CAPTURE)
    asked = (0, b"CONNECT localhost:8443 HTTP/1.1\r\nHost: localhost:8443\r\n\r\n")
    granted = (1, b"HTTP/1.1 200 Connection established\r\n\r\n")
    found = read([asked, granted, *turns], frozenset(), True, 80, secrets)
    assert [layer.protocol.name for layer in found.layers] == ["http", "tls", "http", "websocket"]
    preface = (0, b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
    found = read([preface, *turns], frozenset(), True, 80, secrets)
    assert [layer.protocol.name for layer in found.layers] == ["proxy", "tls", "http", "websocket"]
    decoder = found.layers[-1].decoder
    assert decoder.summary(decoder.records[0]) == 'TEXT "hello inside" masked'


@pytest.mark.parametrize("mode", ["text", "hex"])
@pytest.mark.parametrize("stream", range(9))
def test_text_and_hex_of_what_is_inside(trace: Trace, stream: int, mode: Mode) -> None:
    """All of it stands in lines, each of which names the packet that brought it; which it is, is said."""
    view = FollowStream(trace, stream, mode)
    assert plain(view.title(90)).endswith(" TLS, encrypted")
    sealed = view.count
    view.choose(mode, inside=True, wrap=100)
    while not view.complete:
        view.update()
    assert plain(view.title(90)).endswith(" TLS, decrypted") and len(plain(view.title(90))) == 90
    decoder = trace.application(stream).layers[0].decoder
    assert decoder.inside is not None and view.count != sealed
    shown = [0, 0]
    for line in range(view.count):
        place = view.target(line)
        assert place.row is not None and trace.flow(stream).direction(place.row) == place.direction
        cut = view._lines[line]
        shown[cut.direction] += cut.stop - cut.start
    assert shown == [one.captured for one in decoder.inside.streams]
    row = view.target(view.count - 1).row
    assert row is not None and view.index_of(row) is not None


def test_what_is_not_opened_is_said_to_be_encrypted(tmp_path: Path) -> None:
    with Trace.open(CAPTURE) as sealed:
        sealed.finish()
        sealed.secrets._secrets.clear()
        view = FollowStream(sealed, 0, "json")
        for mode in MODES:
            view.choose(mode, inside=True)
            while not view.complete:
                view.update()
            assert plain(view.title(90)).endswith(" TLS, encrypted") and view.count
