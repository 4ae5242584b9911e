"""Conversations decoded by turns: never more at once than a turn's share, and in the end the same."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import pytest

from inspector.model.packets import rows_in
from inspector.trace.application import known as known_module
from inspector.trace.application import plain as plain_module
from inspector.trace.application.application import ApplicationLayers
from inspector.trace.filter.filter import Filter
from inspector.trace.flows.turns import AT_ONCE, FIRST, STEP, Turns
from inspector.trace.trace import Trace
from inspector.views.findings.list import FindingList
from tests.support.captures.growth import KINDS
from tests.support.captures.tcp import CAPTURES, usual
from tests.support.tiers import sweep, thorough
from tests.tools.benchmarks.bench_connections import make, make_kept

FILES = sorted(path for path in CAPTURES.rglob("*.pcap*") if path.suffix in (".pcap", ".pcapng"))
GROWN = ("requests_in_turn", "holes_in_http", "pings_inside_a_message", "reversed_segments", "resp_commands",
         "missing_segments", "refused_upgrades")


@contextmanager
def opened(path: Path, *, turns: bool) -> Iterator[Trace]:
    with Trace.open(path) as trace:
        trace.finish()
        if turns:
            trace.by_turns()
        yield trace


def made(kind: str, size: int, folder: Path) -> Path:
    path = folder / f"{kind}.pcapng"
    path.write_bytes(KINDS[kind](size))
    return path


def everything_of(trace: Trace) -> list[object]:
    """What decoding tells of each conversation, in the end."""
    found: list[object] = []
    for stream in range(len(trace.conversations("tcp"))):
        while not trace.advance(stream, 0):
            pass
        application, flow = trace.application(stream), trace.flow(stream)
        layers = [(layer.protocol.name, layer.decoder.count,
                   [(one.direction, one.start, one.stop, layer.decoder.summary(one))
                    for one in layer.decoder.records]) for layer in application.layers]
        found += [layers, application.findings, flow.flagged(), flow.state, flow.handshake, flow.rtt_ns,
                  [application.info(row) for row in flow.rows.tolist()]]
    return found


def repeated(path: Path, *, turns: bool) -> list[object]:
    with opened(path, turns=turns) as trace:
        return everything_of(trace)


@pytest.mark.parametrize("kind", GROWN)
def test_by_turns_the_same_is_told(kind: str, tmp_path: Path) -> None:
    path = made(kind, 3 * STEP, tmp_path)
    assert repeated(path, turns=True) == repeated(path, turns=False)


@sweep("path", FILES, usual(0), ids=lambda path: path.name)
def test_captures_are_told_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.trace.flows.turns.FIRST", 1)
    monkeypatch.setattr("inspector.trace.trace.AT_ONCE", 0)
    monkeypatch.setattr("inspector.trace.flows.turns.STEP", 3)
    assert repeated(path, turns=True) == repeated(path, turns=False)


def test_who_asks_gets_a_share_and_the_rest_is_wanted(tmp_path: Path) -> None:
    with opened(made("requests_in_turn", 1000, tmp_path), turns=True) as trace:
        turns = trace.by_turns()
        flow = trace.flow(0)
        assert len(flow.rows) == AT_ONCE and flow.left > 1000 and turns.next() == 0
        assert 0 < trace.application(0).layers[0].decoder.count < AT_ONCE
        for _ in range(100):                       # a screen that draws again and again decodes no more
            trace.flow(0)
        assert len(flow.rows) == AT_ONCE
        assert not trace.advance(0, 0) and len(flow.rows) <= AT_ONCE + STEP
        while not trace.advance(0, 0):
            pass
        assert turns.next() is None and not trace.flow(0).left


def test_a_screen_of_conversations_gets_little_of_each(tmp_path: Path) -> None:
    with opened(made("conversations", 200, tmp_path), turns=True) as trace:
        taken = sum(len(trace.flow(stream).rows) for stream in range(100))
        assert taken <= AT_ONCE + 100 * FIRST


def test_a_packet_of_a_large_conversation_is_not_decoded_for_itself(tmp_path: Path) -> None:
    with opened(made("requests_in_turn", 300, tmp_path), turns=True) as trace:
        last = int(trace.rows_of("tcp", 0)[-1])
        assert trace.reached(last, 100) is None and not trace.decoded(0)       # type: ignore[arg-type]
        trace.flow(0)
        assert trace.reached(last, 100) is None                                # type: ignore[arg-type]
        while not trace.advance(0, 0):
            pass
        assert trace.reached(last, 100) is trace.flow(0)                       # type: ignore[arg-type]


@sweep(("kind", "text"), product(
    ["requests_in_turn", "conversations", "repeated_segments"],
    ["http.request.method == GET", "tcp.analysis.flags", "not http", "info contains OK"],
), lambda case: (case[0] == "requests_in_turn") == (case[1] != "tcp.analysis.flags"))
def test_a_filter_finds_the_same_by_turns(kind: str, text: str, tmp_path: Path) -> None:
    path = made(kind, 400, tmp_path)
    with opened(path, turns=False) as trace:
        expected = Filter(text).rows(trace).tolist()
    with opened(path, turns=True) as trace:
        evaluation, steps = Filter(text).evaluate(trace), 0
        before: list[int] = []
        while not evaluation.step():
            rows = evaluation.rows.tolist()
            assert rows == sorted(rows) and set(before) <= set(rows)
            before, steps = rows, steps + 1
        assert evaluation.rows.tolist() == expected and steps > 4


def test_conversations_that_mingle_are_decoded_once_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However little memory there is: a filter goes from conversation to conversation."""
    path = tmp_path / "x.pcap"
    make_kept(path, exchanges=200, connections=4)
    with opened(path, turns=True) as trace:
        trace.by_turns(budget=1)
        taken = 0
        grant = Turns.grant

        def counted(turns: Turns, fresh: int, before: int) -> int:
            nonlocal taken
            given = grant(turns, fresh, before)
            taken += given
            return given

        monkeypatch.setattr(Turns, "grant", counted)
        assert len(Filter("http.response.code == 200").rows(trace)) == 800
        assert taken == trace.index.count


@thorough
def test_what_was_decoded_is_kept_within_a_budget(tmp_path: Path) -> None:
    """Walking all conversations keeps those that were looked at last; the others are read again."""
    path = tmp_path / "x.pcap"
    make_kept(path, exchanges=300, connections=8)
    with opened(path, turns=True) as trace:
        trace.by_turns(budget=1_500_000)               # of two or three of them
        texts = []
        for _ in range(2):
            for stream in range(8):
                while not trace.advance(stream, 0):
                    pass
                texts.append([trace.application(stream).info(row)
                              for row in rows_in(trace.rows_of("tcp", stream))])
                assert trace._flows._cost_kept <= 1_500_000
                assert 1 <= sum(map(trace.decoded, range(8))) <= 3
        assert texts[:8] == texts[8:] and all(any(text) for text in texts)


def test_what_is_given_back_is_free_at_once(tmp_path: Path) -> None:
    """Without the collector, which a screen keeps from looking at all that lasts."""
    path = tmp_path / "x.pcap"
    make_kept(path, exchanges=300, connections=4)
    with opened(path, turns=True) as trace:
        trace.by_turns(budget=1)
        gc.disable()
        try:
            given = []
            for stream in range(4):
                while not trace.advance(stream, 0):
                    pass
                given.append(weakref.ref(trace.application(stream)))
            trace.advance(3, 0)
            assert [one() is None for one in given] == [True, True, True, False]
        finally:
            gc.enable()


def applications() -> int:
    """How many are alive, also those of other tests' traces."""
    return sum(isinstance(one, ApplicationLayers) for one in gc.get_objects())


def test_a_filter_frees_what_it_decoded(tmp_path: Path) -> None:
    """Small conversations are decoded at a stretch, with nobody who goes on with one of them in between."""
    path = tmp_path / "x.pcap"
    make(path, 200)
    with opened(path, turns=True) as trace:
        trace.by_turns(budget=1)
        gc.collect()
        gc.disable()
        try:
            others = applications()
            assert len(Filter("info contains GET").rows(trace)) == 200
            assert applications() - others < 30
        finally:
            gc.enable()


def test_findings_come_by_turns(tmp_path: Path) -> None:
    path = made("interleaved_messages", 1000, tmp_path)
    with opened(path, turns=False) as trace:
        whole = FindingList(trace)
        assert whole.complete and whole.count
    with opened(path, turns=True) as trace:
        found, turns = FindingList(trace), 0
        while not found.complete:
            assert not found.count                 # nobody is judged by a part
            found.update(8, 0)
            turns += 1
        assert found.count == whole.count and turns > 4


def test_kept_connections_that_are_plain_are_judged_without_being_decoded(tmp_path: Path) -> None:
    """400 of 2,000 packets each, as a server under load has them, took minutes in a pane, and 1 s so."""
    with opened(made("requests_in_turn", 700, tmp_path), turns=True) as trace:
        assert len(trace.rows_of("tcp", 0)) > 1_000
        look = trace.known.plain_apart()
        assert look is not None
        look()()                                       # on a thread of the screen
        found = FindingList(trace)
        assert found.update(8, 0) is False and found.complete and not found.count
        assert not trace.decoded(0)


def test_a_large_conversation_is_judged_by_columns_some_turns_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_module, "_SMALL", 100)
    monkeypatch.setattr(plain_module, "_PIECE", 1_000)
    path = tmp_path / "x.pcap"
    make_kept(path, exchanges=300, connections=2)
    data = bytearray(path.read_bytes())
    wrong = data.rindex(b"GET / HTTP/1.1")                  # in one of both
    with opened(path, turns=True) as trace:
        look = trace.known.plain_apart()
        assert look is not None
        look()()
        found, turns = FindingList(trace), 0
        while not found.complete:
            found.update(8, 0)
            turns += 1
        assert turns > 100 and not found.count and not trace.decoded(0) and not trace.decoded(1)
    data[wrong : wrong + 3] = b"G\0T"
    path.write_bytes(data)
    with opened(path, turns=False) as trace:
        whole = FindingList(trace).count
    with opened(path, turns=True) as trace:
        look = trace.known.plain_apart()
        assert look is not None
        look()()
        found = FindingList(trace)
        while not found.complete:
            found.update(8, 0)
        assert found.count == whole > 0 and [trace.decoded(one) for one in (0, 1)] == [False, True]
