"""The same bytes in other segments give the same records and findings, whatever the protocol."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.model.packets import rows_in
from inspector.trace.application.application import ApplicationLayers
from inspector.trace.flows.tcp import TcpFlow
from inspector.trace.trace import Trace
from inspector.wire.keylog import KeyLog
from tests.support.captures.tcp import MemoryTrace, segment
from tests.support.tiers import sweep

DATA = Path(__file__).parents[2] / "data"
SPOKEN = [
    DATA / "cases" / "08a-proxy-v1-http.pcap", DATA / "cases" / "09f-socks5-websocket.pcap",
    DATA / "cases" / "24a-dns-over-tcp.pcap", DATA / "sessions" / "tls-unknown-ca.pcapng",
    DATA / "sessions" / "tls-to-http.pcapng", DATA / "sessions" / "curl-h2c.pcapng",
    DATA / "sessions" / "ws-deflate.pcapng", DATA / "sessions" / "chunked.pcapng",
    DATA / "sessions" / "sse-chunked.pcapng",
    *sorted((DATA / "protocols").glob("*.pcapng")),
]
# The conversation that is looked at; else the first one in which both ends say something.
STREAMS = {"postgresql": 8, "http2": 3, "tls": 7}
Turn = tuple[int, bytes]


def turns_of(path: Path) -> list[Turn]:
    """Who said what, in turns; a capture without TCP is left out."""
    return spoken(path)[0]


def port_of(path: Path) -> int:
    """The service's port in the conversation that is looked at."""
    return spoken(path)[1]


@cache
def spoken(path: Path) -> tuple[list[Turn], int]:
    """Who said what, in turns, and the service's port."""
    with Trace.open(path) as trace:
        trace.finish()
        chosen = STREAMS.get(path.stem)
        streams = [one.stream for one in trace.conversations("tcp")] if chosen is None else [chosen]
        for stream in streams:
            flow = trace.flow(stream)
            turns = _turns(flow)
            if len({end for end, _ in turns}) == 2:
                return turns, min(flow.a[1], flow.b[1])
    pytest.skip("nothing in it is found over TCP")


def _turns(flow: TcpFlow) -> list[Turn]:
    found: list[Turn] = []
    for row in rows_in(flow.rows):
        end = flow.direction(row)
        data = b"".join(flow.streams[end].read(*part) for part in flow.streams[end].ranges_of(row))
        if data and found and found[-1][0] == end:
            found[-1] = end, found[-1][1] + data
        elif data:
            found.append((end, data))
    return found


def secrets_of(path: Path) -> KeyLog:
    """The secrets of TLS sessions in a capture."""
    with Trace.open(path) as trace:
        trace.finish()
        return trace.secrets


def messages_of(turns: list[Turn], sizes: list[int], ports: tuple[int, int], secrets: KeyLog) -> list[Any]:
    """Records and findings of the turns in segments of these sizes, one after the other, again and again."""
    trace, place, number = MemoryTrace(secrets=secrets), [1, 1], 0
    frames = [segment(0, "S", 0, ports=ports), segment(1, "SA", 0, 1, ports=ports)]
    for end, data in turns:
        while data:
            part, data = data[: sizes[number % len(sizes)]], data[sizes[number % len(sizes)] :]
            frames.append(segment(end, "PA", place[end], place[1 - end], part, ports=ports))
            place[end], number = place[end] + len(part), number + 1
    trace.add(frames, list(range(len(frames))))
    application = ApplicationLayers(trace, TcpFlow(trace, 0))
    found: list[Any] = [layer.protocol.name for layer in application.layers]
    for layer in application.layers:
        for record in layer.decoder.records:
            values = [(field.name, field.get(layer.decoder, record)) for field in layer.protocol.fields
                      if field.type != "seconds"]
            found.append((record.direction, record.start, record.stop, values))
    return [*found, sorted((one.id, one.text) for one in application.findings if one.id[:4] != "tcp.")]


@sweep(("path", "most"), [(path, most) for most in (4, 12) for path in SPOKEN], lambda case: case[1] < 12,
       ids=lambda one: one.stem if isinstance(one, Path) else str(one))
def test_cuts_change_nothing(path: Path, most: int) -> None:
    turns, secrets = turns_of(path), secrets_of(path)
    ports = (40000, 53 if "dns" in path.stem else 80)
    whole = messages_of(turns, [30_000], ports, secrets)
    assert len(whole) > 2

    @settings(max_examples=most, deadline=None)
    @given(st.lists(st.integers(1, 700), min_size=1, max_size=8))
    def same(sizes: list[int]) -> None:
        assert messages_of(turns, sizes, ports, secrets) == whole

    same()
    assert messages_of(turns, [7], ports, secrets) == whole
