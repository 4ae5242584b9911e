"""The options that make a command a check (`--expect`, `--fail-on` and others), and what becomes of them.

click parses them -> `CheckOptions` -> the trace's verdicts -> a report on stdout (on stderr where something
else stands there, or in a file) -> exit status 1 when one failed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from inspector.cli.errors import DONE, NO, UNREADABLE, USAGE, CommandError
from inspector.cli.options.shared import OutputName, typed
from inspector.cli.options.together import together
from inspector.cli.output import notice, report, write_text
from inspector.cli.trace_files import refuse_taken, write_file
from inspector.views.checks.asked import Checks

if TYPE_CHECKING:
    from inspector.trace.filter.filter import Filter
    from inspector.trace.trace import Trace
    from inspector.wire.findings import Severity

Function = TypeVar("Function", bound=Callable[..., Any])
SEVERITIES = ("note", "warning", "error")
FORMATS = ("text", "json", "junit")


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What the options say; `checks` is empty where none of them asks anything."""

    checks: Checks
    format: str
    file: str | None
    overwrite: bool

    def __bool__(self) -> bool:
        return bool(self.checks)

    @property
    def decodes(self) -> bool:
        """Whether something asked needs what packets carry, and not their headers alone."""
        one = self.checks
        filters = (*one.expect, *one.expect_none, *([one.within] if one.within else []))
        return one.fail_on is not None or any(each.deep for each in filters)

    def within(self, display_filter: Filter | None) -> CheckOptions:
        """The same, asked of what this filter lets through."""
        return replace(self, checks=replace(self.checks, within=display_filter))


def checks_of(
    *, expect: tuple[str, ...], expect_none: tuple[str, ...], fail_on: Severity | None,
    ignore: tuple[str, ...], report_format: str, report_file: str | None,
    overwrite: bool,
) -> CheckOptions:
    """What the options of a check say; CommandError for a wrong expression, a rule that there is not, or a
    report's file that is not to be overwritten."""
    checks = Checks(tuple(map(filter_of, expect)), tuple(map(filter_of, expect_none)), fail_on, ignore)
    if checks.ignore and not checks.fail_on:
        raise CommandError("--ignore goes with --fail-on: it names findings that do not count.", USAGE)
    _refuse_unknown(ignore)
    if report_file and not checks:
        raise CommandError("--report-file needs a check: --expect, --expect-none or --fail-on.", USAGE)
    if report_file:
        refuse_taken(report_file, overwrite=overwrite)
    return CheckOptions(checks, report_format, report_file, overwrite)


def _refuse_unknown(patterns: tuple[str, ...]) -> None:
    """Whoever leaves out a finding that cannot be has mistyped it, and would not see that."""
    if not patterns:
        return
    from inspector.protocols import RULES  # here: what reads each protocol, for which help would wait
    from inspector.trace import kernel
    from inspector.trace.packet import deeds, left_out

    books = kernel.BOOK, deeds.BOOK, left_out.BOOK
    known = [*RULES, *(rule.id for book in books for rule in book.rules)]
    for pattern in patterns:
        if not any(fnmatchcase(one, pattern) for one in known):
            near = get_close_matches(pattern, known, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise CommandError(f"--ignore {pattern!r:.80}: no finding has such an id.{hint}", USAGE)


check_options = together("checks", checks_of, (
    click.option("--report-file", metavar="FILE", type=OutputName("has the report without this option"),
                 help="Write the report to this file; else it is printed."),
    click.option("--report", "report_format", type=click.Choice(FORMATS), default="text",
                 show_default=True, help="How to say which checks passed and which failed."),
    click.option("--ignore", metavar="RULE", multiple=True,
                 help="A finding's id, or a pattern such as 'http.*', for --fail-on; repeatable."),
    click.option("--fail-on", type=click.Choice(SEVERITIES),
                 help="Exit with status 1 when there is a finding of this severity or a graver one."),
    click.option("--expect-none", metavar="EXPR", multiple=True,
                 help="Exit with status 1 when this display filter matches something; repeatable."),
    click.option("--expect", metavar="EXPR", multiple=True,
                 help="Exit with status 1 unless this display filter matches something; repeatable."),
), ("expect", "expect_none", "fail_on", "ignore", "report_format", "report_file"),
    seen=("overwrite",))  # fmt: skip
"""Decorate a click command that has `OVERWRITE` with the options of a check: it gets `checks`."""


def filter_of(expression: str) -> Filter:
    """The display filter; CommandError with the place where it is wrong."""
    from inspector.trace.filter.filter import Filter, FilterError  # here: numpy, for which help would wait

    expression = typed(expression, "The filter")
    try:
        return Filter(expression)
    except FilterError as error:
        raise CommandError(str(error), USAGE, place=error.marked()) from error


def check(trace: Trace, options: CheckOptions, *, stdout_taken: bool, ended_early: bool = False) -> int:
    """Report on a trace that was read to its end; the exit status, 0 where nothing is asked.

    `ended_early`: its capture broke, so that what is not in it may have come all the same.
    """
    if not options:
        return DONE
    from inspector.views.checks.report import FORMATS as REPORTS  # here: not for those that ask nothing
    from inspector.views.checks.verdicts import verdicts
    from inspector.views.findings.unjudged import lacking_words

    found = verdicts(trace, options.checks, ended_early=ended_early)
    lines = REPORTS[options.format](found, trace.statistics.dropped)
    if options.file is not None:
        write_file(options.file, "\n".join(lines) + "\n", trace.path, overwrite=options.overwrite)
    elif stdout_taken:
        report(*lines)
    else:
        for line in lines:
            write_text(line)
    if trace.cut and options.decodes and (options.format == "text" or options.file or not stdout_taken):
        notice(lacking_words(trace))           # (else the report on stderr is for a program)
    return DONE if all(one.passed for one in found) else NO


def check_file(path: Path, options: CheckOptions, *, stdout_taken: bool, ended_early: bool = False) -> int:
    """`check` of a capture's file; nothing is opened where nothing is asked."""
    if not options:
        return DONE
    from inspector.trace.trace import Trace, TraceError  # here: numpy, as above

    try:
        with Trace.open(path) as trace:
            trace.finish()
            return check(trace, options, stdout_taken=stdout_taken, ended_early=ended_early)
    except TraceError as error:
        raise CommandError(str(error), UNREADABLE) from error
