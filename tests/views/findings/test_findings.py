"""The list of findings as a trace grows: what is looked into again, which lines change, in which order."""

from __future__ import annotations

from pathlib import Path

from inspector.trace.application.application import ApplicationLayers
from inspector.trace.trace import Trace
from inspector.views.findings.list import FindingList
from inspector.views.json.findings import findings
from tests.support.captures.frames import pcapng_bytes
from tests.support.captures.tcp import ip, segment

RAW = 101


class CountedTrace(Trace):
    """A trace that notes which conversations it was asked to decode."""

    def __init__(self, path: str | Path, following: bool = False) -> None:
        super().__init__(path, following)
        self.asked: list[int] = []

    def application(self, stream: int) -> ApplicationLayers:
        self.asked.append(stream)
        return super().application(stream)


def exchange(port: int, *, wrong: bool = False) -> list[bytes]:
    """A connection with one HTTP request; `wrong`: without its Host."""
    ports = (port, 80)
    request = b"GET / HTTP/1.1\r\n" + (b"" if wrong else b"Host: a\r\n") + b"\r\n"
    return [segment(0, "S", 99, ports=ports), segment(1, "SA", 499, 100, ports=ports),
            segment(0, "A", 100, 500, ports=ports), segment(0, "PA", 100, 500, request, ports=ports)]


def counted(path: Path, frames: list[bytes]) -> CountedTrace:
    path.write_bytes(pcapng_bytes(frames, RAW))
    trace = CountedTrace.open(path, following=True)
    trace.refresh()
    return trace


def grow(trace: CountedTrace, path: Path, frames: list[bytes]) -> None:
    path.write_bytes(pcapng_bytes(frames, RAW))
    trace.refresh()
    trace.asked.clear()


def test_only_conversations_that_grew_are_looked_into(tmp_path: Path) -> None:
    path = tmp_path / "growing.pcapng"
    frames = [frame for port in range(30000, 30200) for frame in exchange(port, wrong=port % 10 == 0)]
    with counted(path, frames) as trace:
        view = FindingList(trace)
        turns = 0
        while not view.complete:
            assert len(trace.asked) <= 50 + 8 * turns
            view.update(8)
            turns += 1
        assert sorted(trace.asked) == list(range(200))                 # each once
        assert view.count == 20 and view.counts == {"error": 20}

        trace.asked.clear()
        assert not view.update() and trace.asked == []                 # nothing new: nothing is done

        frames += [segment(0, "A", 127, 500, ports=(30007, 80)), *exchange(31000, wrong=True)]
        grow(trace, path, frames)
        assert view.update() and trace.asked == [7, 200]
        assert view.count == 21 and view.finding(20).stream == 200 and view.complete


def test_lines_are_in_order_whatever_was_looked_into_first(tmp_path: Path) -> None:
    path = tmp_path / "growing.pcapng"
    first, second = exchange(30000, wrong=True), exchange(30001, wrong=True)
    with counted(path, [*first[:3], *second]) as trace:
        view = FindingList(trace)
        assert [view.finding(line).stream for line in range(view.count)] == [1]
        grow(trace, path, [*first[:3], *second, first[3], segment(1, "R", 500, ports=(30001, 80))])
        assert view.update()
        rows = [view.finding(line).rows[0] for line in range(view.count)]
        assert rows == sorted(rows) and {0, 1} == {view.finding(line).stream for line in range(view.count)}
        everything = view.count
        view.choose("warning")
        assert all(view.finding(line).severity == "warning" for line in range(view.count))
        view.choose()
        assert view.count == everything == sum(view.counts.values())


def test_the_gravest_stand_first_where_that_is_asked_also_as_a_trace_grows(tmp_path: Path) -> None:
    path = tmp_path / "growing.pcapng"
    refused = [segment(0, "S", 99, ports=(29999, 81)), segment(1, "RA", 0, 100, ports=(29999, 81))]
    frames = [*refused, *exchange(30000, wrong=True)]
    with counted(path, frames) as trace:
        view = FindingList(trace)
        found = [view.finding(line) for line in range(view.count)]
        assert [one.severity for one in found] == ["warning", "error"]
        view.order(gravest=True)
        assert [view.finding(line) for line in range(2)] == found[::-1] and view.place_of(found[0]) == 1
        assert "gravest" in view.title(40)[0].text
        grow(trace, path, [*frames, *exchange(30001, wrong=True)])
        assert view.update()
        assert [view.finding(line).severity for line in range(3)] == ["error", "error", "warning"]
        view.order(gravest=False)
        assert [view.finding(line).severity for line in range(3)] == ["warning", "error", "error"]


def test_conversations_after_one_that_only_an_icmp_error_quotes(tmp_path: Path) -> None:
    quoted = segment(1, "S", 5, ports=(4000, 4001))
    refusal = ip(0, 1, bytes([3, 3]) + bytes(6) + quoted)
    with counted(tmp_path / "quoted.pcapng", [refusal, *exchange(30000, wrong=True)]) as trace:
        assert [one.stream for one in trace.conversations("tcp")] == [1]
        assert FindingList(trace).count == 1
        assert [one["id"] for one in findings(trace)] == ["http.missing-host"]
