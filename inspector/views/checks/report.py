"""Verdicts as a report: text for people, JSON lines for scripts, JUnit XML for build servers.

Verdicts and what the capture lost -> lines without ends. Where the capture lost packets, the report says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from inspector.trace.trace import searched_words
from inspector.views.json.findings import finding_object
from inspector.views.json.messages import numbers_of
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.views.checks.verdicts import Verdict

Report = Callable[[Sequence["Verdict"], int], list[str]]


def as_text(verdicts: Sequence[Verdict], lost: int = 0) -> list[str]:
    """A line a check, below it what decided a failed one, and the sum at last."""
    lines = []
    for one in verdicts:
        mark = "✓" if one.passed else "?" if one.ended_early else "✗"
        lines.append(f"{mark} {escaped(one.name)}  {_outcome(one)}")
        if not one.passed:
            lines += [f"    {line}" for line in _decisive(one)]
        if one.searched_in_part:
            lines.append(f"    {searched_words(one.searched_in_part)}")
    lines.append(_sum(verdicts))
    return lines + ([_loss(lost)] if lost else [])


def as_json(verdicts: Sequence[Verdict], lost: int = 0) -> list[str]:
    """One JSON object a check: `check`, `asked`, `passed`, `count`, `frames`, `findings` (the gravest first,
    each with `times` and `frames_alike` where several are of the same rule and words), `frames_lost`,
    `searched_in_part` (of how many large messages the expression saw the beginning alone), `ended_early`
    (the capture broke off, so that it cannot be said: not passed)."""
    return [json.dumps(_object(one, lost), ensure_ascii=True) for one in verdicts]


def as_junit(verdicts: Sequence[Verdict], lost: int = 0) -> list[str]:
    """One `testsuite`, a `testcase` each check; texts hold no character that XML forbids."""
    failed = sum(not one.passed for one in verdicts)
    counts = {"tests": str(len(verdicts)), "failures": str(failed)}
    suites = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": "inspector", **counts})
    for one in verdicts:
        case = ElementTree.SubElement(
            suite, "testcase", {"classname": f"inspector.{one.kind}", "name": escaped(one.name)}
        )
        if not one.passed:
            failure = ElementTree.SubElement(case, "failure", {"message": _outcome(one)})
            failure.text = "\n".join(_decisive(one))
        if one.searched_in_part:
            ElementTree.SubElement(case, "system-out").text = searched_words(one.searched_in_part)
    if lost:
        ElementTree.SubElement(suite, "system-out").text = _loss(lost)
    ElementTree.indent(suites)
    return ["<?xml version='1.0' encoding='utf-8'?>", *ElementTree.tostring(suites, "unicode").splitlines()]


FORMATS: dict[str, Report] = {"text": as_text, "json": as_json, "junit": as_junit}


def _sum(verdicts: Sequence[Verdict]) -> str:
    """`2 checks passed.`, `1 of 2 checks failed.`, `Of 3 checks: 1 failed, 1 not known.`"""
    failed, unknown = (sum(not one.passed and one.ended_early is early for one in verdicts)
                       for early in (False, True))
    checks = f"{len(verdicts)} {'check' if len(verdicts) == 1 else 'checks'}"
    if unknown:
        return f"Of {checks}: {f'{failed} failed, ' if failed else ''}{unknown} not known."
    return f"{failed} of {checks} failed." if failed else f"{checks} passed."


def _decisive(one: Verdict) -> list[str]:
    """What decided a failed check, a line each."""
    return [witness.text for witness in one.witnesses] + ([f"… and {one.more:,} more"] if one.more else [])


def _outcome(one: Verdict) -> str:
    if one.ended_early:
        return "not known: the capture ended early, and nothing is there up to then"
    if one.kind == "fail-on":
        return f"{one.count:,} {'finding' if one.count == 1 else 'findings'}" if one.count else "no finding"
    if not one.count:
        return "nothing matches"
    return f"{one.count:,} {'matches' if one.count == 1 else 'match'}"


def _object(one: Verdict, lost: int) -> dict[str, Any]:
    found: dict[str, Any] = {"check": one.kind, "asked": one.asked, "passed": one.passed, "count": one.count}
    found["frames"] = numbers_of(sorted({row for witness in one.witnesses for row in witness.rows}))
    findings = [{**finding_object(witness.finding), **({"times": witness.times} if witness.times > 1 else {})}
                for witness in one.witnesses if witness.finding]
    if findings:
        found["findings"] = findings
    if lost:
        found["frames_lost"] = lost
    if one.ended_early:
        found["ended_early"] = True
    if one.searched_in_part:
        found["searched_in_part"] = one.searched_in_part
    return found


def _loss(lost: int) -> str:
    packets = "packet" if lost == 1 else "packets"
    return f"The capture lost {lost:,} {packets}: what is said not to be there may have been among them."
