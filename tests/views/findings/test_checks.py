"""Checks of a trace, and their report in each format."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from inspector.trace.filter.filter import Filter
from inspector.views.checks.asked import Checks
from inspector.views.checks.report import FORMATS, as_json, as_junit, as_text
from inspector.views.checks.verdicts import NAMED, verdicts
from inspector.wire.findings import Severity
from tests.support.captures.frames import pcapng_bytes, trace_of
from tests.support.captures.tcp import segment
from tests.support.captures.traces import open_trace


def checked(name: str, checks: Checks) -> dict[str, tuple[bool, int]]:
    with open_trace(name) as trace:
        return {one.name: (one.passed, one.count) for one in verdicts(trace, checks)}


def test_what_is_expected_must_be_there() -> None:
    asked = Checks(expect=(Filter("http.request.method == GET"), Filter("icmp")))
    answers = checked("http", asked)
    assert answers == {"expect http.request.method == GET": (True, 1), "expect icmp": (False, 0)}


def test_what_is_not_expected_must_not() -> None:
    asked = Checks(expect_none=(Filter("tcp.flags.reset == 1"), Filter("tcp.flags.syn == 1")))
    answers = checked("tcp-refused", asked)
    assert answers == {
        "expect-none tcp.flags.reset == 1": (False, 1), "expect-none tcp.flags.syn == 1": (False, 1)
    }


def test_calls_count_where_the_filter_names_them_and_nowhere_else() -> None:
    asked = Checks(
        expect=(Filter('syscall.call == "connect" and errno == "ECONNREFUSED"'),),
        expect_none=(Filter("not tcp"),),            # a system call is no packet without TCP
    )
    assert [passed for passed, _ in checked("tcp-refused", asked).values()] == [True, True]


@pytest.mark.parametrize(
    ("least", "ignore", "passed"),
    [("note", (), False), ("warning", (), False), ("error", (), True),
     ("note", ("tcp.connection-refused",), True), ("note", ("tcp.*",), True), ("note", ("http.*",), False)],
)  # fmt: skip
def test_findings_of_a_severity_or_a_graver_one(
    least: Severity, ignore: tuple[str, ...], passed: bool
) -> None:
    with open_trace("tcp-refused") as trace:
        (verdict,) = verdicts(trace, Checks(fail_on=least, ignore=ignore))
    assert verdict.passed is passed
    assert verdict.count == (0 if passed else 1)


def test_a_filter_narrows_what_is_asked() -> None:
    fin = Filter("tcp.flags.fin == 1")
    asked = Checks(expect=(Filter("tcp.flags.syn == 1"),), fail_on="note", within=fin)
    assert checked("tcp-refused", asked) == {
        "expect tcp.flags.syn == 1": (False, 0), "fail-on note": (True, 0)
    }


def test_every_format_names_every_check_and_the_loss() -> None:
    hello = Filter('tcp.payload contains "hello"')
    asked = Checks(expect=(Filter("udp"),), expect_none=(hello,), fail_on="error")
    with open_trace("tcp") as trace:
        found = verdicts(trace, asked)
    for report in FORMATS.values():
        text = "\n".join(report(found, 3))
        assert "udp" in text
        assert "hello" in text
        assert "3" in text
    assert as_text(found)[-1] == "2 of 3 checks failed."
    objects = [json.loads(line) for line in as_json(found, 3)]
    assert [value["passed"] for value in objects] == [False, False, True]
    assert objects[1]["frames"] == [4, 6]
    assert objects[0]["frames_lost"] == 3


def test_junit_is_xml_whatever_was_on_the_wire_or_typed() -> None:
    asked = Checks(expect_none=(Filter("tcp"),), expect=(Filter('tcp.payload contains "\x1b\x00]]>\udcff"'),))
    with open_trace("tcp") as trace:
        found = verdicts(trace, asked)
    text = "\n".join(as_junit(found))
    root = ElementTree.fromstring(text.encode())
    assert root.attrib == {"tests": "2", "failures": "2"}
    assert [case.attrib["classname"] for case in root.iter("testcase")] == [
        "inspector.expect", "inspector.expect-none"
    ]
    assert "\x1b" not in text


def test_a_verdict_names_the_first_and_counts_all() -> None:
    with open_trace("websocket-deflate") as trace:
        (verdict,) = verdicts(trace, Checks(expect_none=(Filter("tcp"),)))
        assert len(verdict.witnesses) == NAMED
        assert verdict.count > NAMED
        assert as_text([verdict])[-2] == f"    … and {verdict.count - NAMED:,} more"


def spoken(port: int, *turns: tuple[int, bytes]) -> list[bytes]:
    """A connection to a port, and what its ends say, a segment each."""
    ports, at = (50000 - port, port), [100, 500]
    frames = [segment(0, "S", 99, ports=ports), segment(1, "SA", 499, 100, ports=ports),
              segment(0, "A", 100, 500, ports=ports)]
    for end, data in turns:
        frames.append(segment(end, "PA", at[end], at[1 - end], data, ports=ports))
        at[end] += len(data)
    return frames


def test_equal_findings_are_one_and_the_gravest_stands_first(tmp_path: Path) -> None:
    ping = (0, b"*1\r\n$8\r\npingping\r\n"), (1, b"-ERR unknown command\r\n")
    others = [turn for n in range(NAMED + 5) for turn in (ping[0], (1, b"-ERR other %d\r\n" % n))]
    frames = spoken(6379, *ping * 30, *others) + spoken(80, (0, b"GET / HTTP/1.1\r\n\r\n"))
    with trace_of(tmp_path / "many.pcapng", pcapng_bytes(frames, 101)) as trace:
        trace.finish()
        (verdict,) = verdicts(trace, Checks(fail_on="note"))
    first, second, *_ = verdict.witnesses
    assert first.finding is not None and first.finding.id == "http.missing-host"
    assert second.text.endswith("  30 times, packets 5, 7, 9, 11 … 63") and second.rows[-1] == 62
    assert len(verdict.witnesses) == NAMED
    more = f"… and {verdict.count - 30 - (NAMED - 1)} more"
    lines = as_text([verdict])
    assert "http.missing-host" in lines[1] and lines[-2] == f"    {more}"
    failure = ElementTree.fromstring("\n".join(as_junit([verdict])).encode()).find(".//failure")
    assert failure is not None and failure.text is not None
    assert failure.text.splitlines() == [line.strip() for line in lines[1:-1]]
    found = json.loads(as_json([verdict])[0])["findings"]
    assert found[0]["id"] == "http.missing-host" and "times" not in found[0]
    assert found[1]["times"] == 30 and found[1]["frames_alike"] == [*range(7, 65, 2)]


def test_no_rule_hides_another_of_its_severity(tmp_path: Path) -> None:
    ask, ports = (0, b"*1\r\n$1\r\na\r\n"), (40000, 81)
    errors = [turn for n in range(NAMED + 5) for turn in (ask, (1, b"-ERR %d\r\n" % n))]
    frames = spoken(6379, *errors)
    frames += [segment(0, "S", 99, ports=ports), segment(1, "RA", 0, 100, ports=ports)]
    with trace_of(tmp_path / "many.pcapng", pcapng_bytes(frames, 101)) as trace:
        trace.finish()
        (verdict,) = verdicts(trace, Checks(fail_on="note"))
    assert len(verdict.witnesses) == NAMED
    assert "tcp.connection-refused" in {one.finding.id for one in verdict.witnesses if one.finding}
