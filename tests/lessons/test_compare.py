"""Two runs of a lesson side by side: what differs has a sign, and what threads did by chance has none."""

from __future__ import annotations

from itertools import permutations

import pytest

from inspector.lessons.asking.scene import Scene
from inspector.lessons.pages.compare import Compared
from inspector.trace.filter.filter import Filter
from inspector.views.conversations.compare.align import aligned, same, settled
from inspector.views.conversations.compare.happenings import may_pass, step_name
from inspector.views.line.spans import cell_width, plain
from tests.support.captures.traces import open_trace


def lines_of(before: str, now: str, language: str = "en", width: int = 90) -> list[str]:
    with open_trace(before) as one, open_trace(now) as two:
        made = Compared(Scene(one), Scene(two), language)
        return [plain(made.line(index, width)) for index in range(made.count)]


def test_the_same_call_of_another_size_is_marked() -> None:
    lines = lines_of("http", "http-connections")
    sends = [line for line in lines if "client  send() = 63" in line]
    assert len(sends) == 1 and "≈ client  send() = 82" in sends[0]
    assert any("data 63 ──▶" in line and " ≈ " in line and "data 82 ──▶" in line for line in lines)
    assert any("≠ client  connect()" in line for line in lines)


def test_the_frame_of_one_connection_is_not_that_of_another() -> None:
    """Its SYN, ACK and FIN; the same message on another connection is held against the one before."""
    lines = lines_of("http", "http-connections")
    assert "#2 the second connection" in lines[1] and "#2" not in lines_of("http", "tcp")[1]
    second = [line for line in lines if " #2 " in line[30:] and "connection" not in line]
    assert len(second) == 10
    assert [line for line in second if "≠" not in line] == [line for line in second if "data" in line] != []


def test_what_is_alike_stands_in_one_line_and_what_differs_near_the_top() -> None:
    with open_trace("tcp") as one, open_trace("tcp-half-close") as two:
        made = Compared(Scene(one), Scene(two), "en")
        assert made.first < 7 and "≈" in plain(made.line(made.first, 90))
    assert "  ⋯ 26 lines alike" in [line.rstrip() for line in lines_of("tcp", "tcp-half-close")]
    alike = lines_of("tcp", "tcp")[3:]
    assert len(alike) == 1 and "lines alike" in alike[0]


@pytest.mark.parametrize(("light", "shown"), [
    ("tcp.flags.reset == 1", "RST"), ("role == client and call == connect", "connect() = ECONNREFUSED"),
    ("udp", ""), ("", ""),
])
def test_it_stands_at_what_the_step_is_about(light: str, shown: str) -> None:
    """Calls that nobody asked for differ first, and a low terminal shows a few lines alone."""
    with open_trace("tcp") as one, open_trace("tcp-refused") as two:
        made = Compared(Scene(one), Scene(two), "en", Filter(light) if light else None)
        assert shown in plain(made.line(made.first, 90))
        assert (made.first == Compared(Scene(one), Scene(two), "en").first) == (not shown)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_line_has_its_width(language: str) -> None:
    for width in (60, 75, 118):
        assert all(cell_width(line) <= width for line in lines_of("udp", "tcp", language, width))


def signs(before: list[str], now: list[str]) -> str:
    runs = before, now
    rows = settled(aligned(runs, step_name), runs, may_pass)
    return "".join(" " if same(row, runs) else "≠" for row in rows)


def test_the_order_of_threads_is_no_difference() -> None:
    calls = ["server accept = ok", "server getsockname = ok", "server recv = ok"]
    packets = ["client SYN", "server SYN ACK"]
    for order in permutations(calls):
        assert "≠" not in signs([*packets, *calls], [*packets, *order])
    closes = ["server close = ok", "client close = ok"]
    assert "≠" not in signs(closes, closes[::-1])
    assert signs(calls, calls[:2]).count("≠") == 1                 # what is not there is not there


def test_what_one_end_says_first_is_a_difference() -> None:
    assert "≠" in signs(["server send = ok", "server close = ok"], ["server close = ok", "server send = ok"])
    assert "≠" in signs(["client data", "server data"], ["server data", "client data"])


def test_what_the_ladder_leaves_out_stands_here_neither() -> None:
    """Our own endpoint wakes its receiving thread by shutdown(SHUT_RD); a half-close is the protocol's."""
    lines = [line for line in lines_of("tcp-half-close", "tcp-abort") if "shutdown()" in line]
    assert len(lines) == 1 and lines[0].count("shutdown") == 1
    assert lines[0].startswith("client  shutdown() = 0")
