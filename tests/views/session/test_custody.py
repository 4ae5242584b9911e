"""Where bytes are: the numbers of each direction, their sums, and what is said where they wait."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inspector.model.numbers import RST
from inspector.trace.trace import Trace
from inspector.views.line.spans import plain
from inspector.views.session.custody import Custody, End, custody, custody_lines, custody_sentences
from tests.support.captures.traces import TRACES

WAY = Custody(End("client", "127.0.0.1:1"), End("server", "127.0.0.1:2", "srv 7"), sent=1200,
              acknowledged=1200, written=1200, unread=0, read=1200)  # fmt: skip


@pytest.mark.parametrize("name", ["tcp", "http", "websocket", "tcp-push", "tcp-half-close"])
def test_what_was_written_is_read_in_the_end(name: str) -> None:
    with Trace.open(TRACES / f"{name}.pcapng") as trace:
        trace.finish()
        for way in custody(trace, 0):
            assert (way.written, way.on_the_way, way.unsent) == (way.sent, 0, 0)
            assert way.read == way.sent
            assert not way.contradiction


def test_half_way_bytes_are_on_their_way() -> None:
    with Trace.open(TRACES / "tcp.pcapng") as trace:
        trace.finish()
        first = next(row for row in trace.flow(0).rows.tolist() if trace.index.payload_length[row])
        way, _ = custody(trace, 0, first)
        assert way.on_the_way == way.sent > 0 and way.read in (0, None)


@pytest.mark.parametrize(("changes", "words"), [
    ({}, []),
    ({"unread": 500, "read": 700, "waits_ns": 3_200_000_000},
     ["500 bytes wait in the server's receive queue (srv 7) for 3.2 s: it does not read."]),
    ({"unread": 500, "read": 700, "waits_ns": 3_000_000}, []),
    ({"unread": 500, "read": 700, "waits_ns": 3_200_000_000, "gone": True},
     ["500 bytes waited in the server's receive queue (srv 7) for 3.2 s: when it was seen last.",
      "500 bytes lost: in the server's receive queue, and never read."]),
    ({"acknowledged": 1198, "read": 1198, "gone": True, "reset": 15},
     ["2 bytes lost: sent, and never acknowledged before packet 16 reset the connection."]),
    ({"written": 1201, "gone": True}, ["1 byte lost: written, and never sent."]),
    ({"written": 2200, "window": 65536}, ["1,000 bytes are written and not sent yet."]),
    ({"written": 2200, "closed": True},
     ["1,000 bytes are written and not sent yet; the receiver's window is closed."]),
    ({"unread": 500, "in_queue": 500},
     ["The sums hold: calls, packets and the kernel's queues say the same."]),
    ({"unread": 500, "in_queue": 400},
     ["The sums do not hold: by calls and packets 500 bytes should wait, the kernel says 400."]),
    ({"unread": 500}, []),
])
def test_each_state_has_its_sentence(changes: dict[str, int], words: list[str]) -> None:
    way = replace(WAY, **changes)  # type: ignore[arg-type]
    assert [text for text, _ in custody_sentences(way)] == words


@pytest.mark.parametrize(("name", "size", "lost"), [
    ("kernel/lazy", 500, "500 bytes lost: in the server's receive queue, and never read before packet 24"),
    ("protocols/postgresql", 65, "65 bytes lost: sent, and never acknowledged before packet 217 reset"),
])
def test_where_both_ends_are_over_nothing_is_on_its_way_or_waits(name: str, size: int, lost: str) -> None:
    with Trace.open(TRACES.parent / f"{name}.pcapng") as trace:
        trace.finish()
        reported = (custody(trace, stream) for stream in range(len(trace.conversations("tcp"))))
        both, = (both for both in reported if any(way.is_loss for way in both))
        for width in (60, 80):
            text = " ".join("".join(plain(line) for line in custody_lines(both, 0, width)).split())
            assert (lost in text or width < 72) and f" {size} " in text
            assert not any(word in text for word in ("On the way", "On way", "Unread"))


@pytest.mark.parametrize("name", ["mqtt", "tls"])
def test_what_was_seen_before_the_end_is_not_told_of_the_end(name: str) -> None:
    """The kernel was asked before the last bytes left; a connection that closed without a reset lost none."""
    with Trace.open(TRACES.parent / "protocols" / f"{name}.pcapng") as trace:
        trace.finish()
        for stream in range(len(trace.conversations("tcp"))):
            flow = trace.flow(stream)
            if any(trace.index.tcp_flags[row] & RST for row in flow.rows.tolist()):
                continue
            for way in custody(trace, stream):
                assert not way.gone or not (way.unsent or way.unread), stream


def test_what_a_relay_read_is_not_said_of_who_is_behind_it() -> None:
    way = replace(WAY, receiver=End("server", "127.0.0.1:2", outside="python3 812"))
    assert [text for text, _ in custody_sentences(way)] == [
        "Read by the relay, for python3 812 outside of the lab: whether that program has read it"
        " is not seen."]
    assert not list(custody_sentences(replace(way, read=0)))


@pytest.mark.parametrize("width", [20, 40, 78, 120])
def test_lines_fill_their_width_and_are_as_many_at_any(width: int) -> None:
    way = replace(WAY, unread=500, waits_ns=3_200_000_000)
    lines = [plain(line) for line in custody_lines((way, WAY), 0, width)]
    assert {len(line) for line in lines} == {width} and len(lines) == len(custody_lines((way, WAY), 0, 80))
