"""Round trips against the `websockets` library, both ways, and its clean traffic: no finding in it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.extensions import permessage_deflate as library
from websockets.frames import Frame as LibraryFrame
from websockets.frames import Opcode
from websockets.protocol import OPEN, Protocol
from websockets.server import ServerProtocol
from websockets.streams import StreamReader
from websockets.uri import parse_uri

from inspector.protocols.websocket.frame import FrameDecoder, encode
from tests.support.captures.application import WebLayers
from tests.support.captures.websocket import Traffic, ids

PAYLOADS = st.binary(max_size=300) | st.integers(65_530, 65_540).map(bytes)
DATA_OPCODES = st.sampled_from([0, 1, 2])


@settings(max_examples=80, deadline=None)
@given(PAYLOADS, DATA_OPCODES, st.booleans(), st.booleans())
def test_their_frame_is_read(payload: bytes, opcode: int, fin: bool, mask: bool) -> None:
    data = LibraryFrame(Opcode(opcode), payload, fin).serialize(mask=mask)
    (frame,) = FrameDecoder().feed(data)
    assert (frame.payload, frame.opcode, frame.fin, frame.masked) == (payload, opcode, fin, mask)
    assert frame.stop == len(data) and frame.rsv == 0


@settings(max_examples=80, deadline=None)
@given(PAYLOADS, DATA_OPCODES, st.booleans(), st.none() | st.binary(min_size=4, max_size=4))
def test_our_frame_is_read_by_them(payload: bytes, opcode: int, fin: bool, key: bytes | None) -> None:
    reader = StreamReader()
    reader.feed_data(encode(payload, opcode, fin=fin, key=key))
    parsing = LibraryFrame.parse(reader.read_exact, mask=key is not None)
    with pytest.raises(StopIteration) as done:
        next(parsing)
    frame = done.value.value
    assert (bytes(frame.data), frame.opcode, frame.fin) == (payload, opcode, fin)


class Pair:
    """A client and a server of the library, their bytes put into a conversation."""

    def __init__(self, deflate: dict[str, int | bool] | None, size: int = 1400) -> None:
        self.traffic = Traffic(size)
        theirs, ours = None, None
        if deflate is not None:
            theirs = [library.ClientPerMessageDeflateFactory(client_max_window_bits=True)]
            ours = [library.ServerPerMessageDeflateFactory(**deflate)]  # type: ignore[arg-type]
        uri = parse_uri("ws://example.com/chat")
        self.ends: tuple[Protocol, Protocol] = (
            ClientProtocol(uri, extensions=theirs), ServerProtocol(extensions=ours))
        client, server = self.ends
        assert isinstance(client, ClientProtocol) and isinstance(server, ServerProtocol)
        client.send_request(client.connect())
        self.flush()
        request = server.events_received()[0]
        server.send_response(server.accept(request))  # type: ignore[arg-type]
        self.flush()
        assert client.state is OPEN and server.state is OPEN

    def flush(self) -> None:
        """Bring what both have to send to the other one, until both are silent."""
        moved = True
        while moved:
            moved = False
            for direction in (0, 1):
                for data in self.ends[direction].data_to_send():
                    if data:
                        self.traffic.write(direction, data)
                        self.ends[1 - direction].receive_data(data)
                        moved = True

    def close(self) -> WebLayers:
        self.ends[0].send_close(1000, "bye")
        self.flush()
        self.traffic.end("F", first=1)
        return self.traffic.application(limit=1 << 24)


Message = tuple[int, bool, list[bytes]]
MESSAGES: st.SearchStrategy[list[Message]] = st.lists(st.tuples(
    st.integers(0, 1), st.booleans(),
    st.lists(st.text(max_size=40).map(str.encode) | st.text("ab", min_size=100, max_size=400).map(str.encode),
             min_size=1, max_size=4),
), max_size=8)
VARIANTS: list[dict[str, int | bool] | None] = [
    None, {}, {"server_no_context_takeover": True, "client_no_context_takeover": True},
    {"server_max_window_bits": 9, "client_max_window_bits": 10},
    {"server_no_context_takeover": True, "client_max_window_bits": 15},
]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(VARIANTS), MESSAGES, st.sampled_from([7, 200, 1400]))
def test_clean_traffic_is_decoded_and_gives_no_finding(
    deflate: dict[str, int | bool] | None, messages: list[Message], size: int
) -> None:
    pair = Pair(deflate, size)
    for direction, text, fragments in messages:
        _send(pair, direction, text, fragments)
    found = pair.close()
    assert ids(found) == []
    assert found.upgrade is not None and found.upgrade.valid
    assert (found.upgrade.deflate is not None) == (deflate is not None)
    heard = [message for message in found.messages if message.opcode in (1, 2)]
    assert [(m.direction, found.message_payload(m.number)) for m in heard] == [
        (direction, b"".join(fragments)) for direction, _, fragments in messages]
    assert all(message.complete for message in found.messages)
    for message in reversed(found.messages):      # also in an order in which contexts must be found
        assert len(found.message_payload(message.number)) == message.size


def _send(pair: Pair, direction: int, text: bool, fragments: Sequence[bytes]) -> None:
    end = pair.ends[direction]
    for at, fragment in enumerate(fragments):
        last = at == len(fragments) - 1
        if at:
            end.send_continuation(fragment, last)
        elif text:
            end.send_text(fragment, last)
        else:
            end.send_binary(fragment, last)
        if not last:
            end.send_ping(b"%d" % at)
        pair.flush()


def test_pings_meet_their_pongs() -> None:
    pair = Pair(None)
    pair.ends[1].send_ping(b"abcd")
    pair.flush()
    found = pair.close()
    ping, pong = found.frames[0], found.frames[1]
    assert (ping.name, pong.name, ping.from_client, pong.from_client) == ("ping", "pong", False, True)
    assert found.round_trip_ns(ping.number) == found.round_trip_ns(pong.number) == 1_000_000
    close = found.close(found.frames[-1].number)
    assert (close.code, close.meaning, close.reason) == (1000, "normal closure", "bye")


def test_their_parameters_are_ours() -> None:
    pair = Pair({"server_max_window_bits": 11, "client_no_context_takeover": True})
    upgrade = pair.close().upgrade
    assert upgrade is not None and upgrade.deflate is not None
    theirs = pair.ends[1].extensions[0]
    assert isinstance(theirs, library.PerMessageDeflate)
    assert upgrade.deflate.server_max_window_bits == theirs.local_max_window_bits == 11
    assert upgrade.deflate.client_no_context_takeover is theirs.remote_no_context_takeover is True
