"""Conversations side by side: real ones, one knob or the protocol changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inspector.trace.trace import Trace
from inspector.views.conversations.compare.compare import (
    LEGEND,
    Comparison,
    Side,
    comparison,
    conversations_of,
)
from inspector.views.conversations.compare.happenings import MOST
from inspector.views.conversations.compare.sums import Sums, sums_of, table
from inspector.views.ladder.ends import Conversation
from inspector.views.ladder.ladder import Ladder
from inspector.views.line.spans import cell_width, plain
from tests.support.captures.growth import requests_in_turn
from tests.support.captures.network import CLIENT, SERVER, Network
from tests.support.captures.traces import open_trace


def side(trace: Trace) -> Side:
    return Side(trace, conversations_of(trace, None, 1)[0], trace.name)


def lines_of(*names: str, width: int = 100) -> list[str]:
    traces = [open_trace(name) for name in names]
    try:
        return [plain(line).rstrip() for line in comparison([side(trace) for trace in traces], width)]
    finally:
        for trace in traces:
            trace.close()


def test_what_tcp_does_and_udp_does_not() -> None:
    lines = lines_of("tcp", "udp")
    assert lines[0].split() == ["1", "TCP", "2", "UDP"]
    assert next(line for line in lines if line.startswith("packets")).split() == ["packets", "12", "4"]
    assert next(line for line in lines if line.startswith("round")).split() == ["round", "trips", "3", "2"]
    alone = [line for line in lines if "[SYN" in line]
    assert len(alone) == 2 and all(line.startswith("≠ ") for line in alone)
    both = next(line for line in lines if line.count('"hello"') == 2 and "▶" in line)
    assert both.startswith("≈ ")                                   # the same step, by another protocol
    assert any(line.startswith("≈ client  send(") and "sendto(" in line for line in lines)


def test_a_conversation_beside_itself_has_nothing_lit() -> None:
    assert not any(line.startswith(("≠", "≈")) and line != LEGEND for line in lines_of("tcp", "tcp"))


def test_the_way_it_closes_is_what_differs() -> None:
    lines = lines_of("tcp", "tcp-abort")
    assert any(line.startswith("≠") and "RST" in line for line in lines)
    assert any(line.startswith("  ") and line.count("[SYN]") == 2 for line in lines)


def test_up_to_four_each_in_a_column() -> None:
    lines = lines_of("tcp", "udp", "http", "websocket", width=160)
    assert lines[0].split() == ["1", "TCP", "2", "UDP", "3", "HTTP", "4", "WebSocket"]
    assert any(line.count("[SYN]") == 3 for line in lines)


@pytest.mark.parametrize("width", [1, 20, 60, 80, 133, 200])
def test_every_line_has_its_width(width: int) -> None:
    with open_trace("tcp") as one, open_trace("websocket") as two:
        for line in comparison([side(one), side(two)], width):
            assert cell_width(plain(line)) == width or width < 30


def test_sums_are_of_all_and_acknowledgments_are_no_round_trip() -> None:
    with open_trace("udp") as trace:
        sums = sums_of(Ladder(trace, side(trace).conversation))
        index = trace.index
        assert sums.payload + sums.headers == int(index.length.sum())
        assert (sums.packets, sums.payload, sums.round_trips) == (4, 34, 2)
    with open_trace("tcp") as trace:
        empty = sums_of(Ladder(trace, Conversation("tcp", 99)))
        assert empty == Sums(0, 0, 0, 0, 0, empty.calls)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("closing", ["FA", "RA"])
def test_closing_is_no_round_trip_whoever_begins_it(tmp_path: Path, first: int, closing: str) -> None:
    network = Network()
    network.handshake()
    network.tcp(CLIENT, "PA", b"GET")
    network.tcp(SERVER, "PA", b"200")
    network.tcp((CLIENT, SERVER)[first], closing)
    network.tcp((SERVER, CLIENT)[first], closing)
    with network.open(tmp_path / "closed.pcapng") as trace:
        assert sums_of(Ladder(trace, side(trace).conversation)).round_trips == 2


def test_a_reset_that_refuses_is_an_answer(tmp_path: Path) -> None:
    network = Network()
    network.tcp(CLIENT, "S")
    network.tcp(SERVER, "RA")
    with network.open(tmp_path / "refused.pcapng") as trace:
        assert sums_of(Ladder(trace, side(trace).conversation)).round_trips == 1


def test_conversations_come_in_the_order_of_their_first_packets() -> None:
    with open_trace("http-connections") as trace:
        found = conversations_of(trace, None, 4)
        assert [one.stream for one in found] == sorted(one.stream for one in found) and len(found) > 1
        rows = np.flatnonzero(trace.index.stream == found[1].stream)
        assert conversations_of(trace, rows, 4) == [found[1]]


def test_of_a_long_one_the_beginning_and_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "long.pcap"
    path.write_bytes(requests_in_turn(4 * MOST))
    with Trace.open(path) as trace:
        trace.finish()
        one = side(trace)
        made = Comparison([one, one]).finish()
        texts = [plain(made.line(index, 100)) for index in range(made.count)]
    assert sum("steps are compared" in text for text in texts) == 2
    assert len(texts) < MOST + 20


@pytest.mark.parametrize("others", [("udp",), ("udp", "websocket"), ("tcp-half-close",)])
def test_each_column_keeps_the_order_of_what_happened(others: tuple[str, ...]) -> None:
    traces = [open_trace(name) for name in ("tcp", *others)]
    made = Comparison([side(trace) for trace in traces]).finish()
    for number, steps in enumerate(made._steps):
        shown = [row[number] for row in made._rows if row[number] is not None]
        assert shown == list(range(len(steps)))
    names = [step.name for step in made._steps[0]]
    assert names.index("client SYN") < names.index("server accept = ok") < names.index("server recv = ok")
    assert names.index("client data") < names.index("server recv = ok")
    assert names.index("server data") < names.index("client recv = ok")
    for trace in traces:
        trace.close()


def test_calls_that_nobody_watched_are_not_none() -> None:
    found = dict(table([Sums(4, 160, 34, 2, 10**6, 0), Sums(4, 160, 34, 2, 10**6, 12)]))
    assert found["system calls"] == ["not watched", "12"]
