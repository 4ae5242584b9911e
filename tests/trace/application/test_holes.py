"""What the capture lacks: bytes the peer has acknowledged are passed over, others are waited for."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from inspector.protocols.websocket.frame import BINARY, RSV1, encode
from inspector.trace.flows.tcp import TcpFlow
from tests.support.captures.application import WebLayers
from tests.support.captures.tcp import MemoryTrace
from tests.support.captures.websocket import (
    CLIENT,
    DEFLATE,
    SERVER,
    UPGRADE,
    client,
    exchange,
    ids,
    request,
    response,
    server,
)

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def without(turns: Sequence[tuple[int, bytes]], *lost: int, size: int = 1400,
            snap: int = 0) -> WebLayers:
    """The application layer of a capture that lacks these rows (or the end of every frame from `snap` on)."""
    frames = exchange(*turns, end="F", size=size).trace.frames
    kept = [frame for row, frame in enumerate(frames) if row not in lost]
    trace = MemoryTrace()
    captured = [frame[:snap] if snap else frame for frame in kept]
    trace.add(captured, range(len(kept)), [len(frame) for frame in kept])
    return WebLayers(trace, TcpFlow(trace, 0))


def texts(found: WebLayers) -> list[bytes]:
    return [found.payload(record.number) for record in found.frames]


def test_a_hole_in_a_payload() -> None:
    turns = [*UPGRADE, server(b"x" * 500), client(b"next"), server(b"after")]
    found = without(turns, 6, size=200)
    assert [(r.payload_length, r.from_client) for r in found.frames] == [(500, False), (4, True), (5, False)]
    assert texts(found)[1:] == [b"next", b"after"] and texts(found)[0] == b"x" * 196
    assert ids(found) == []


def test_a_hole_over_frames() -> None:
    turns = [*UPGRADE, server(b"one"), server(b"two"), server(b"three"), client(b"four"), server(b"five")]
    found = without(turns, 6)
    assert texts(found) == [b"one", b"three", b"four", b"five"] and ids(found) == []


def test_a_hole_over_the_start_of_a_frame() -> None:
    turns = [*UPGRADE, server(b"one"), server(b"y" * 300, BINARY), client(b"two"), server(b"three")]
    found = without(turns, 7, size=150)
    assert texts(found) == [b"one", b"two", b"three"] and ids(found) == []


def test_the_answer_to_the_upgrade_is_lost() -> None:
    turns = [*UPGRADE, client(b"how are you?"), server(b"fine, thanks"), client(b"good")]
    found = without(turns, 4)
    assert (found.protocol, found.inferred, ids(found)) == ("websocket", True, [])
    assert texts(found) == [b"how are you?", b"fine, thanks", b"good"]


def test_a_hole_that_nobody_has_acknowledged_is_waited_for() -> None:
    turns = [*UPGRADE, server(b"one"), server(b"two"), server(b"three")]
    frames = exchange(*turns).trace.frames
    trace = MemoryTrace()
    trace.add([*frames[:6], frames[7]], range(7))
    flow = TcpFlow(trace, 0)
    found = WebLayers(trace, flow)
    assert texts(found) == [b"one"]
    trace.add([frames[6]], [99])
    flow.update()
    found.update()
    assert texts(found) == [b"one", b"two", b"three"]


def test_what_was_deflated_after_a_hole_is_not_claimed() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = [(packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4] for text in (b"hello",) * 4]
    turns = [(CLIENT, request(DEFLATE)), (SERVER, response(DEFLATE)),
             *(server(data, rsv=RSV1) for data in packed), client(b"end")]
    found = without(turns, 6)
    assert texts(found)[0] == b"hello" and texts(found)[-1] == b"end" and len(found.frames) == 4


def test_a_hole_in_a_body() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + bytes(1000)
    found = without([(CLIENT, GET), (SERVER, answer), (CLIENT, GET), (SERVER, answer)], 6, size=200)
    assert [(m.is_request, m.complete, m.body_length) for m in found.http] == [
        (True, True, 0), (False, True, 1000), (True, True, 0), (False, True, 1000)]
    assert ids(found) == []


def test_a_hole_over_a_head() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    found = without([(CLIENT, GET), (SERVER, answer), (CLIENT, GET), (SERVER, answer), (CLIENT, GET),
                     (SERVER, answer)], 6)
    assert [m.is_request for m in found.http] == [True, False, True, True, False] and ids(found) == []


COOKIE = b"Cookie: " + b"c" * 200 + b"\r\n"
ASKED = GET[:-2] + COOKIE + b"\r\n"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" + COOKIE + b"\r\n%s"


def seen(found: WebLayers) -> list[tuple[str | int, bool, int | None]]:
    """Of each message its method or status, whether its head is cut, and its partner."""
    return [(m.method or m.status, m.cut > 0, m.partner) for m in found.http]


def test_of_a_head_that_is_cut_there_is_what_was_captured() -> None:
    """Its start line and its whole header lines, paired as ever; nobody is accused of what lacks."""
    found = without([(CLIENT, ASKED), (SERVER, PAGE % (2, b"ok"))] * 3, snap=120)
    assert seen(found) == [("GET", True, 1), (200, True, 0), ("GET", True, 3), (200, True, 2),
                           ("GET", True, 5), (200, True, 4)]
    assert [[header.name for header in m.headers] for m in found.http[:2]] == [["Host"], ["Content-Length"]]
    assert not any(m.complete or m.body_length for m in found.http) and ids(found) == []
    assert found.http[1].stop == len(PAGE % (2, b"ok")) and {m.cut for m in found.http} == {120}


def test_a_start_line_that_is_cut_tells_what_is_certain() -> None:
    found = without([(CLIENT, ASKED), (SERVER, PAGE % (2, b"ok"))] * 2, snap=40 + 14)
    assert seen(found) == [("GET", True, 1), (200, True, 0), ("GET", True, 3), (200, True, 2)]
    assert found.http[0].target == "/" and found.http[1].reason == "O" and ids(found) == []
    found = without([(CLIENT, ASKED), (SERVER, PAGE % (2, b"ok"))] * 2, snap=40 + 11)
    assert seen(found) == [("GET", True, None), ("GET", True, None)] and ids(found) == []


def test_behind_a_head_that_is_cut_the_next_message_is_found_again() -> None:
    """Not within the body, where its length was captured, though a segment of it begins as an answer does."""
    body = b"x" * 170 + b"HTTP/1.1 500 No\r\n\r\n" + b"y" * 200
    page = PAGE % (len(body), body)
    assert page.index(b"HTTP/1.1 500") == 420
    found = without([(CLIENT, GET), (SERVER, page), (CLIENT, GET), (SERVER, page)], size=210, snap=150)
    assert seen(found) == [("GET", False, 1), (200, True, 0), ("GET", False, 3), (200, True, 2)]
    assert found.http[1].stop == found.http[3].start == len(page) and ids(found) == []


def test_an_answer_that_a_cut_may_hide_is_not_guessed() -> None:
    """Two requests were on their way when the packet was sent in which one answer is seen."""
    page = PAGE % (2, b"ok")
    found = without([(CLIENT, GET + GET), (SERVER, page + page), (CLIENT, GET), (SERVER, page)], snap=120)
    assert seen(found)[:3] == [("GET", False, 2), ("GET", False, None), (200, True, 0)] and ids(found) == []


def test_an_upgrade_of_which_the_heads_are_cut() -> None:
    """It is no refused one, and all frames are told."""
    cookie = COOKIE[:-2].decode()
    turns = [(CLIENT, request(cookie)), (SERVER, response(cookie)), server(b"hello"),
             client(b"how are you?"), server(b"fine, thanks")]
    for snap in (80, 120, 300):
        found = without(turns, snap=snap)
        assert texts(found) == [b"hello", b"how are you?", b"fine, thanks"], snap
        assert seen(found) == [("GET", True, 1), (101, True, 0)] and ids(found) == []


def test_a_snapshot_length() -> None:
    pairs = ((client(b"%d" % n * 400), server(b"%d" % n * 400)) for n in range(20))
    turns = [*UPGRADE, *(turn for pair in pairs for turn in pair)]
    found = without(turns, snap=200)
    assert len(found.frames) == 40 and all(record.payload_length >= 400 for record in found.frames)
    assert texts(found)[0].startswith(b"0000") and ids(found) == []


def test_many_frames_in_each_segment_cut_short() -> None:
    turns = [*UPGRADE, *((SERVER, encode(b"a" * 50) * 8) for _ in range(5)), client(b"end")]
    found = without(turns, snap=300)
    assert len(found.frames) > 20 and ids(found) == [] and texts(found)[-1] == b"end"
