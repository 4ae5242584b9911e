"""Summaries of many conversations say what each conversation says when it is walked and decoded by itself."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.model.numbers import LINK_RAW
from inspector.trace.flows.missing import missing_bytes
from inspector.trace.flows.together.patterns import regular
from inspector.trace.summaries import Summaries
from inspector.trace.trace import Trace
from tests.support.captures.frames import pcapng_bytes, trace_of
from tests.support.captures.tcp import segment

Packet = tuple[int, str, int, int, bytes]            # direction, flags, seq, ack, payload

GET = b"GET /a HTTP/1.1\r\nHost: b\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: b\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SPOKEN = (
    (GET, OK), (GET, b""), (b"", OK), (b"", b""), (b"\x05\x01\x00", b"\x05\x00"), (b"hello", b"world"),
    (b"CONNECT b:1 HTTP/1.1\r\nHost: b\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"),
    (UPGRADE, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
    (b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n" + GET, OK), (b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"),
    (GET + GET, OK + b"HTTP/1.1 0101 X\r\n\r\n"),
)


def usual(chance: random.Random) -> list[Packet]:
    """A conversation as it should be, to one of its possible ends."""
    asked, answered = chance.choice(SPOKEN)
    isn = chance.choice((1000, 0xFFFFFFFF - 3, 0)), chance.choice((5000, 0xFFFFFFFF))
    at = [isn[0] + 1, isn[1] + 1]
    packets: list[Packet] = [
        (0, "S", isn[0], 0, b""), (1, "SA", isn[1], at[0], b""), (0, "A", at[0], at[1], b"")]
    if chance.random() < 0.1:
        return [packets[0], (1, "RA", 0, at[0], b"")]
    for direction, data in ((0, asked), (1, answered)):
        for start in range(0, len(data), size := chance.choice((7, 40, 500))):
            piece = data[start : start + size]
            packets.append((direction, "PA", at[direction], at[1 - direction], piece))
            at[direction] += len(piece)
            if chance.random() < 0.3:
                packets.append((1 - direction, "A", at[1 - direction], at[direction], b""))
    first = chance.randrange(2)
    end = chance.choice(("open", "reset", "half", "closed", "crossed", "reset at last"))
    if end == "reset":
        packets.append((first, chance.choice(("R", "RA")), at[first], at[1 - first], b""))
    if end in ("half", "closed", "crossed", "reset at last"):
        packets.append((first, "FA", at[first], at[1 - first], b""))
        at[first] += 1
    if end in ("closed", "crossed"):
        seen = at[first] - (end == "crossed")
        packets.append((1 - first, "FA", at[1 - first], seen, b""))
        at[1 - first] += 1
        packets.append((first, "A", at[first], at[1 - first], b""))
        if end == "crossed":
            packets.append((1 - first, "A", at[1 - first], at[first], b""))
    if end == "reset at last":
        packets.append((1 - first, "R", at[1 - first], at[first], b""))
    return packets


def harmed(packets: list[Packet], chance: random.Random) -> list[Packet]:
    """The same with one packet lost, repeated, moved, or changed."""
    packets, place = list(packets), chance.randrange(len(packets))
    direction, flags, seq, ack, payload = packets[place]
    match chance.randrange(8):
        case 0:
            del packets[place]
        case 1:
            packets.insert(chance.randrange(place, len(packets)), packets[place])
        case 2:
            packets.insert(chance.randrange(len(packets)), packets.pop(place))
        case 3:
            packets[place] = direction, flags, seq + chance.choice((-1, 1, 1 << 31)), ack, payload
        case 4:
            packets[place] = direction, flags, seq, ack + chance.choice((-3, 1, 1 << 31)), payload
        case 5:
            flags = chance.choice(("S", "SA", "FA", "R", "", "F", "SF"))
            packets[place] = direction, flags, seq, ack, payload
        case 6:
            packets[place] = 1 - direction, flags, seq, ack, payload
        case _:
            packets = packets[: place + 1]
    return packets


def late(packets: list[Packet], chance: random.Random) -> list[Packet]:
    """The same captured from somewhere in the middle on, and mostly not to its end."""
    packets = packets[chance.choice((2, 3, 3, 3, 4, 5)) :] or packets[-1:]
    return packets if chance.random() < 0.2 else [one for one in packets if not set(one[1]) & set("SFR")]


def capture(seed: int, *, begun: bool = False) -> bytes:
    """Conversations of all kinds, their packets mixed; `begun`: before the capture."""
    chance = random.Random(seed)
    waiting = []
    for number in range(150):
        packets = usual(chance)
        for _ in range(chance.choice((0, 0, 1, 2))):
            packets = harmed(packets, chance) or packets
        if begun:
            packets = late(packets, chance) or packets[:1]
        ports = 20_000 + number, 80
        waiting.append([segment(direction, flags, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, payload, ports=ports)
                        for direction, flags, seq, ack, payload in packets])
    return pcapng_bytes(list(_mixed(waiting, chance)), LINK_RAW)


def _mixed(waiting: list[list[bytes]], chance: random.Random) -> Iterator[bytes]:
    while waiting:
        frames = chance.choice(waiting[:5])
        yield frames.pop(0)
        if not frames:
            waiting.remove(frames)


def differences(trace: Trace) -> list[tuple[object, ...]]:
    """Conversations of which the summary says something else than flow and application."""
    summaries = Summaries(trace)
    found: list[tuple[object, ...]] = []
    for conversation in trace.conversations("tcp"):
        flow, application = trace.flow(conversation.stream), trace.application(conversation.stream)
        summary = summaries.of(conversation.stream)
        missing = missing_bytes(trace, flow, 0), missing_bytes(trace, flow, 1)
        right = flow.handshake, flow.state, flow.rtt_ns, missing, application.protocol, application.inferred
        if summary != right:
            found.append((conversation.stream, summary, right))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_summaries_say_what_walking_and_decoding_says(seed: int, tmp_path: Path) -> None:
    with trace_of(tmp_path / "x.pcapng", capture(seed)) as trace:
        trace.finish()
        assert differences(trace) == []
        count = len(regular(trace.index).stream)
        assert 40 < count < len(trace.conversations("tcp"))       # both ways were gone


@pytest.mark.parametrize("seed", range(6))
def test_what_began_before_the_capture_is_told_as_by_walking(seed: int, tmp_path: Path) -> None:
    with trace_of(tmp_path / "x.pcapng", capture(seed, begun=True)) as trace:
        trace.finish()
        plain = trace.known.plain_conversations()
        assert plain is not None
        assert differences(trace) == []
        assert 40 < len(plain.midway.stream) < len(trace.conversations("tcp"))       # both ways were gone


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("begun", [False, True])
def test_where_columns_say_that_tcp_is_quiet_it_is(begun: bool, seed: int, tmp_path: Path) -> None:
    with trace_of(tmp_path / "x.pcapng", capture(seed, begun=begun)) as trace:
        trace.finish()
        plain = trace.known.plain_conversations()
        assert plain is not None
        quiet = [one.stream for one in trace.conversations("tcp") if plain.tcp_quiet(one.stream)]
        assert len(quiet) > 20
        assert [stream for stream in quiet if trace.flow(stream).findings()] == []


def test_regular_conversations_are_not_decoded(tmp_path: Path) -> None:
    chance = random.Random(1)
    frames = []
    for number in range(50):
        frames += [segment(direction, flags, seq, ack, payload, ports=(20_000 + number, 80))
                   for direction, flags, seq, ack, payload in _closed(chance)]
    with trace_of(tmp_path / "x.pcapng", pcapng_bytes(frames, LINK_RAW)) as trace:
        trace.finish()
        summaries = Summaries(trace)
        all_of_them = [summaries.of(stream) for stream in range(50)]
        assert {one[:2] for one in all_of_them} == {("complete", ("TIME-WAIT", "CLOSED"))}
        assert {one.application for one in all_of_them} == {"http"}
        assert sum(trace.decoded(stream) for stream in range(50)) == 0


def _closed(chance: random.Random) -> list[Packet]:
    isn = chance.randrange(1 << 30), chance.randrange(1 << 30)
    a, b = isn[0] + 1, isn[1] + 1
    return [
        (0, "S", isn[0], 0, b""), (1, "SA", isn[1], a, b""), (0, "A", a, b, b""), (0, "PA", a, b, GET),
        (1, "PA", b, a + len(GET), OK), (0, "FA", a + len(GET), b + len(OK), b""),
        (1, "FA", b + len(OK), a + len(GET) + 1, b""), (0, "A", a + len(GET) + 1, b + len(OK) + 1, b""),
    ]
