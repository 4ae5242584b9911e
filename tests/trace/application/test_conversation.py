"""The application layer of a conversation: packets, order, growth, disorder, guesses, payloads read again."""

from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.model.packets import Row, first_rows
from inspector.protocols.websocket.frame import BINARY, CONTINUATION, PING, PONG, RSV1, FrameNumber, encode
from inspector.trace.flows.tcp import TcpFlow
from tests.support.captures.application import WebLayers
from tests.support.captures.tcp import MemoryTrace
from tests.support.captures.websocket import (
    CLEAN,
    CLIENT,
    CLOSING,
    DEFLATE,
    SERVER,
    UPGRADE,
    Traffic,
    application,
    client,
    exchange,
    ids,
    request,
    response,
    server,
)

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def no_rows(direction: int, start: int, stop: int) -> tuple[Row, ...]:
    return ()


def summed(found: WebLayers) -> list[tuple[object, ...]]:
    """What was decoded, without packets."""
    http = [(m.direction, m.start, m.stop, m.start_line, m.headers, m.complete) for m in found.http]
    frames = [record._replace(find_rows=no_rows) for record in found.frames]
    return [(found.protocol, found.inferred), tuple(http), tuple(frames), tuple(ids(found))]


def test_packets_and_texts() -> None:
    found = application(*CLEAN, end="F")
    assert (found.protocol, found.inferred, found.client) == ("websocket", False, 0)
    assert [found.info(Row(row)) for row in range(3, 10)] == [
        "GET /chat  Upgrade: websocket", "101 Switching Protocols  accept ✓", 'TEXT "hello" masked',
        'TEXT "hello"', "BINARY 2 bytes masked", "CLOSE 1000 normal closure masked",
        "CLOSE 1000 normal closure"]
    assert [found.protocols(Row(row)) for row in (0, 3, 5)] == [(), ("http",), ("http", "websocket")]
    assert [record.rows for record in found.frames] == [(5,), (6,), (7,), (8,), (9,)]
    assert [record.message for record in found.frames] == [1, 2, 3, 4, 5]
    assert found.frames_of(Row(6))[0].number == 2 and found.frames_of(Row(3)) == ()
    assert found.messages[0].time_ns == 5_000_000 and found.messages[2].name == "binary"
    assert [found.payload(FrameNumber(n)) for n in (1, 2, 3)] == [b"hello", b"hello", b"\0\1"]


def test_a_frame_over_packets_and_packets_of_frames() -> None:
    made = exchange(*UPGRADE)
    row = len(made.trace.frames)
    made.size = 4
    made.write(*client(b"hello world"))
    made.size = 1400
    made.write(SERVER, encode(b"a") + encode(b"b") + encode(b"c", BINARY) + encode(b"d"))
    found = made.application()
    assert found.frames[0].rows == tuple(range(row, row + 5))
    assert [record.rows for record in found.frames[1:]] == [(row + 5,)] * 4
    assert found.info(Row(row)) == 'TEXT "hello world" masked' and found.info(Row(row + 1)) == "… TEXT"
    assert found.info(Row(row + 5)) == 'TEXT "a"  |  TEXT "b"  |  BINARY 1 byte  |  1 more'
    assert found.protocols(Row(row)) == () and found.protocols(Row(row + 4)) == ("http", "websocket")


def test_it_follows_a_flow_that_grows() -> None:
    whole = exchange(*CLEAN, end="F")
    trace = MemoryTrace()
    trace.add(whole.trace.frames[:1], [0])
    flow = TcpFlow(trace, 0)
    found = WebLayers(trace, flow)
    assert found.protocol == "" and not found.update()
    for number, frame in enumerate(whole.trace.frames[1:], 1):
        trace.add([frame], [number * 1_000_000])
        flow.update()
        found.update()
    assert summed(found) == summed(whole.application())


TURNS = [
    *UPGRADE, client("grüße".encode()), server(b"x" * 300, BINARY), server(b"?", PING), client(b"?", PONG),
    server(b"a", fin=False), client(b"between"), server(b"b", CONTINUATION), *CLOSING,
]
WANTED = application(*TURNS, end="F")


def sent_by(found: WebLayers, direction: int) -> list[tuple[object, ...]]:
    """The frames of one direction."""
    return [(r.start, r.stop, r.opcode, r.fin) for r in found.frames if r.direction == direction]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.randoms(use_true_random=False), st.integers(0, 30))
def test_cutting_reordering_and_repeating_segments_changes_nothing(
    size: int, chance: random.Random, most: int
) -> None:
    made = exchange(*TURNS, end="F", size=max(size, 5))
    frames = made.trace.frames
    for _ in range(most):                     # swap neighbours, repeat segments
        at = chance.randrange(3, len(frames) - 1)
        if chance.random() < 0.6:
            frames[at], frames[at + 1] = frames[at + 1], frames[at]
        else:
            frames.insert(chance.randrange(at + 1, len(frames)), frames[at])
    trace = MemoryTrace()
    trace.add(frames, range(len(frames)))
    found = WebLayers(trace, TcpFlow(trace, 0))
    # Between the directions disorder may change which frame was delivered first, never what was said.
    assert summed(found)[:2] == summed(WANTED)[:2]
    assert all(sent_by(found, direction) == sent_by(WANTED, direction) for direction in (0, 1))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=200)), max_size=8), st.booleans(),
       st.booleans())
def test_any_bytes_are_taken(turns: list[tuple[int, bytes]], upgraded: bool, deflate: bool) -> None:
    start = [(CLIENT, request(DEFLATE)), (SERVER, response(DEFLATE))] if deflate else UPGRADE
    made = exchange(*(start if upgraded else []), *turns, end="F")
    found = made.application(limit=1000)
    for row in first_rows(len(made.trace.frames)):
        assert isinstance(found.info(row), str) and isinstance(found.protocols(row), tuple)
    for record in found.frames:
        assert len(found.payload(record.number)) <= max(record.payload_length, 1000)
    assert all(len(found.message_payload(message.number)) == message.size for message in found.messages)
    assert all(one.rows for one in found.findings)


MUTATIONS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4)


@settings(max_examples=100, deadline=None)
@given(MUTATIONS, MUTATIONS)
def test_damaged_heads_are_taken(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    turns = []
    for (direction, data), changes in zip(UPGRADE, (first, second), strict=True):
        damaged = bytearray(data)
        for place, value in changes:
            damaged[place % len(damaged)] = value
        turns.append((direction, bytes(damaged)))
    found = application(*turns, client(), server(), end="F")
    assert all(one.rows for one in found.findings)


# --- streams whose upgrade was not captured ---

LATE = [client(b"how are you?"), server(b"fine, thanks"), client(b"good"), server(b"yes")]


def test_websocket_is_inferred_from_framing() -> None:
    found = application(*LATE, *CLOSING, end="F", syn=False)
    assert (found.protocol, found.inferred, found.client) == ("websocket", True, 0)
    assert [found.payload(FrameNumber(n)) for n in (1, 2)] == [b"how are you?", b"fine, thanks"]
    assert found.upgrade is None and ids(found) == []


def test_the_client_may_be_the_second_to_speak() -> None:
    found = application(*LATE[1:], *LATE, syn=False)
    assert found.inferred and found.client == 1 and found.frames[1].from_client


def test_a_capture_that_cuts_into_a_frame() -> None:
    made = Traffic(syn=False)
    made.write(CLIENT, client(b"the beginning is lost")[1][9:])
    for direction, data in LATE:
        made.write(direction, data)
    found = made.application()
    sent_by = [found.payload(FrameNumber(n)) for n in (1, 2)]
    assert found.inferred and sent_by == [b"how are you?", b"fine, thanks"]


@pytest.mark.parametrize("before", [[], [client(b"lost")], [(CLIENT, request()[90:])]])
def test_only_the_answer_to_the_upgrade_was_captured(before: list[tuple[int, bytes]]) -> None:
    """Also where the capture begins inside the request."""
    for turns in ([*before, UPGRADE[1], *LATE], [UPGRADE[1], *LATE]):
        found = application(*turns, *CLOSING, end="F", syn=False)
        assert (found.protocol, found.inferred) == ("websocket", True)
        assert found.client == int(turns[0] == UPGRADE[1])
        assert {b"how are you?", b"fine, thanks"} <= {found.payload(r.number) for r in found.frames}
        assert ids(found) == []


def test_a_server_that_speaks_alone_after_its_101() -> None:
    found = application(UPGRADE[1], server(b"hello"), server(b"you"), syn=False)
    assert (found.protocol, found.inferred, ids(found)) == ("websocket", True, [])
    assert [found.payload(record.number) for record in found.frames] == [b"hello", b"you"]


def test_deflate_is_never_claimed_there() -> None:
    packed = zlib.compress(b"hello hello")[2:-4]
    found = application(*LATE, server(packed, rsv=RSV1), client(packed, rsv=RSV1), syn=False)
    assert found.inferred and not any(record.compressed for record in found.frames)
    assert ids(found) == ["websocket.context-not-captured"]
    assert found.payload(FrameNumber(5)) == packed


def test_too_little_is_no_websocket() -> None:
    assert application(client(b"hi"), syn=False).protocol == ""
    assert application(server(b"hello"), server(b"again"), syn=False).protocol == ""


OTHERS: list[list[tuple[int, bytes]]] = [
    [(CLIENT, bytes.fromhex("160301")), (SERVER, bytes.fromhex("160303") + bytes(80))],
    [(CLIENT, b"PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n"), (SERVER, bytes(30))],
    [(SERVER, b"SSH-2.0-OpenSSH_9.6\r\n"), (CLIENT, b"SSH-2.0-x\r\n")],
    [(CLIENT, bytes.fromhex("820e0001000974656d7065726174757265")), (SERVER, bytes.fromhex("9003000100"))],
    [(CLIENT, bytes(500)), (SERVER, bytes(500))],
    [(CLIENT, bytes.fromhex("8200") * 100), (SERVER, bytes.fromhex("0100") * 100)],
    [(CLIENT, bytes.fromhex("002a")), (SERVER, bytes.fromhex("002a") + bytes(range(42)))],
]


@pytest.mark.parametrize("turns", OTHERS)
def test_other_protocols_are_left_alone(turns: list[tuple[int, bytes]]) -> None:
    assert application(*turns, *turns, end="F").protocol == ""


def test_random_bytes_are_left_alone() -> None:
    chance = random.Random(4)
    for _ in range(200):
        turns = [(chance.randrange(2), chance.randbytes(chance.randrange(1, 90))) for _ in range(6)]
        assert application(*turns, syn=False).protocol == ""


# --- payloads, HTTP ---

def test_inflated_payloads_can_be_read_in_any_order() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    texts = [(b"message %d " % n) * 9000 for n in range(40)]
    packed = [(packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4] for text in texts]
    found = application((CLIENT, request(DEFLATE)), (SERVER, response(DEFLATE)),
                        *(server(data, rsv=RSV1) for data in packed))
    order = list(range(40))
    random.Random(1).shuffle(order)
    for n in (*range(40), *order):
        assert found.payload(n + 1) == texts[n]
    assert [message.size for message in found.messages] == [len(text) for text in texts]


def test_a_body_without_its_chunks_and_coding() -> None:
    body = zlib.compress(b"hello " * 5000, 1)
    parts = [body[at : at + 50] for at in range(0, len(body), 50)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nTransfer-Encoding: chunked\r\n\r\n"
    found = application((CLIENT, GET), (SERVER, head + chunks + b"0\r\nTail: yes\r\n\r\n"))
    message = found.http[1]
    assert (message.body_length, found.body(message), message.trailers[0].name) == (len(body), body, "Tail")
    assert found.content(message).data == b"hello " * 5000 and ids(found) == []


def test_large_bodies_are_not_held() -> None:
    body = bytes(range(256)) * 2000
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    found = application((CLIENT, GET), (SERVER, answer))
    message = found.http[1]
    assert message.complete and message.body_length == len(body) and len(message.body) <= 4096
    assert found.body(message) == body


def test_connect_ends_http() -> None:
    ask = b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\n\r\n"
    found = application((CLIENT, ask), (SERVER, answer), (CLIENT, bytes(90)), (SERVER, bytes(90)), end="F")
    assert (found.protocol, len(found.http), ids(found)) == ("http", 2, [])


def test_an_upgrade_to_something_else() -> None:
    found = application((CLIENT, request(Upgrade="tcp", key=None)),
                        (SERVER, b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n"), (SERVER, bytes(50)),
                        end="F")
    assert (found.protocol, found.upgrade, ids(found)) == ("http", None, [])


def test_a_refused_upgrade_goes_on_with_http() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    found = application((CLIENT, request() + GET), (SERVER, answer), (SERVER, answer), end="F")
    asked = [message.target for message in found.http if message.is_request]
    assert asked == ["/chat", "/"]
    assert found.upgrade is not None and not found.upgrade.accepted
    assert ids(found) == ["websocket.refused-upgrade"]


def test_a_second_try_succeeds() -> None:
    denied = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
    found = application(UPGRADE[0], (SERVER, denied), *UPGRADE, client(), *CLOSING, end="F")
    assert found.upgrade is not None and found.upgrade.valid and len(found.frames) == 3
    assert ids(found) == ["websocket.refused-upgrade"]


def test_an_upgrade_that_waits_is_shown() -> None:
    found = application(UPGRADE[0])
    assert found.upgrade is not None and found.upgrade.response is None and found.upgrade.proof is not None
    assert ids(found) == []
