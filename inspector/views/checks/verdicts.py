"""Checks of a trace: what must be in it, what must not, and how grave a finding may be.

Trace (read as far as wanted) + `Checks` -> a `Verdict` each, with the packets, system calls or findings that
decide it -> report.py. Pure: nothing is printed here, and the trace is not changed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from inspector.model.packets import Row, packet_number, rows_in
from inspector.views.json.findings import findings_of
from inspector.views.packets.list import packet_row
from inspector.wire.findings import Severity

if TYPE_CHECKING:
    from inspector.model.records import Call
    from inspector.trace.filter.filter import Filter
    from inspector.trace.trace import Trace
    from inspector.views.checks.asked import Checks
    from inspector.wire.findings import Finding

Kind = Literal["expect", "expect-none", "fail-on"]
SEVERITIES: tuple[Severity, ...] = tuple(reversed(get_args(Severity)))      # the gravest last
NAMED = 20               # places that a verdict describes; all of them are counted
_ALIKE = 1000            # packets of equal findings that are named


class Witness(NamedTuple):
    """One thing that decides a check: a line for people, and its packets (rows) or its finding.

    `times`: for how many findings of the same rule and words it stands.
    """

    text: str
    rows: tuple[Row, ...] = ()
    finding: Finding | None = None
    times: int = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one check. `count`: how many there were of what was asked for; `witnesses`: the first of
    them, of findings the gravest.

    `ended_early`: the capture broke off, so that nothing can be said not to have come: not passed.
    """

    kind: Kind
    asked: str               # the expression, or the severity
    passed: bool
    count: int
    witnesses: tuple[Witness, ...] = ()
    searched_in_part: int = 0    # large messages of which the expression saw the beginning alone
    ended_early: bool = False

    @property
    def name(self) -> str:
        """`expect tcp.flags.reset == 1`"""
        return f"{self.kind} {self.asked}"

    @property
    def more(self) -> int:
        """How many of `count` no witness stands for."""
        return self.count - sum(one.times for one in self.witnesses)


def verdicts(trace: Trace, checks: Checks, *, ended_early: bool = False) -> list[Verdict]:
    """The answers, in the order in which the checks are listed in `Checks`.

    `ended_early`: the capture broke off, as where a disk is full; so did a file that ends inside a block.
    """
    early = ended_early or trace.truncated is not None
    within = None if checks.within is None else frozenset(rows_in(checks.within.rows(trace)))
    found = []
    for kind, filters in (("expect", checks.expect), ("expect-none", checks.expect_none)):
        for one in filters:
            count, witnesses = _matching(trace, one, within)
            passed = (count > 0) is (kind == "expect")
            found.append(Verdict("expect" if kind == "expect" else "expect-none", one.text, passed, count,
                                 witnesses, len(trace.searched_in_part)))  # fmt: skip
    if checks.fail_on is not None:
        found.append(_grave(trace, checks, checks.fail_on, within))
    return [replace(one, passed=False, ended_early=True) if early and one.passed and not one.count else one
            for one in found]


def _matching(trace: Trace, wanted: Filter, within: frozenset[Row] | None) -> tuple[int, tuple[Witness, ...]]:
    """How many packets (and calls, where the filter names them) there are, and the first of them."""
    rows = [row for row in rows_in(wanted.rows(trace)) if within is None or row in within]
    calls = [trace.calls[place] for place in wanted.calls(trace)] if wanted.asks_calls else []
    first = [_packet(trace, row) for row in rows[:NAMED]]
    first += [_call(call) for call in calls[: NAMED - len(first)]]
    return len(rows) + len(calls), tuple(first)


def _packet(trace: Trace, row: Row) -> Witness:
    shown = packet_row(trace, row)
    text = f"{shown.source} → {shown.destination}  {shown.protocol}  {shown.info}"
    return Witness(f"packet {shown.number}  {text}", (row,))


def _call(call: Call) -> Witness:
    outcome = call.errno or ("…" if call.result is None else str(call.result))
    return Witness(f"{call.role} {call.pid}  {call.name}({call.arguments}) = {outcome}")


def _grave(trace: Trace, checks: Checks, least: Severity, within: frozenset[Row] | None) -> Verdict:
    found = [
        one for one in findings_of(trace, within)
        if SEVERITIES.index(one.severity) >= SEVERITIES.index(least)
        and not any(fnmatchcase(one.id, pattern) for pattern in checks.ignore)
    ]
    return Verdict("fail-on", least, not found, len(found), tuple(map(_described, _named(found))))


def _named(found: Iterable[Finding]) -> list[list[Finding]]:
    """Those that a verdict names, the gravest first, in each entry all of the same rule and words.

    Where there are too many, one of each rule stands before a second one of any: none hides another.
    """
    equal: defaultdict[tuple[str, str], list[Finding]] = defaultdict(list)
    for one in found:
        equal[one.id, one.text].append(one)
    of_rule: Counter[str] = Counter()
    placed = []
    for place, some in enumerate(equal.values()):
        first = some[0]
        placed.append((-SEVERITIES.index(first.severity), of_rule[first.id], place, some))
        of_rule[first.id] += 1
    return [some for *_, some in sorted(sorted(placed)[:NAMED], key=lambda one: (one[0], one[2]))]


def _described(equal: list[Finding]) -> Witness:
    one = equal[0]
    where = f"packet {packet_number(one.rows[0])}  " if one.rows else ""
    text = f"{where}{one.id}  {one.text} ({one.clause})"
    if len(equal) == 1:
        return Witness(text, one.rows, one)
    alike = tuple(dict.fromkeys(row for each in equal for row in (*each.rows[:1], *each.alike)))
    text += f"  {len(equal):,} times" + (f", packets {_some(alike)}" if len(alike) > 1 else "")
    alike = alike[1 : 1 + _ALIKE]
    return Witness(text, (*one.rows, *alike), replace(one, alike=alike), len(equal))


def _some(rows: tuple[Row, ...]) -> str:
    """`4, 8, 12 … 96`"""
    numbers = [str(packet_number(row)) for row in rows]
    return ", ".join(numbers) if len(numbers) < 6 else f"{', '.join(numbers[:4])} … {numbers[-1]}"
