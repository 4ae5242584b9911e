"""`inspector doctor`: the lab's checks, a line each, the mending command below what is not well."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict

from inspector.cli.errors import DONE, MISSING
from inspector.cli.output import write_line
from inspector.lab.doctor import Check
from inspector.lab.doctor import examine as examine_machine
from inspector.views.line.ansi import to_text, wants_colour
from inspector.views.line.spans import Line, Span, Style

SIGNS: dict[str, tuple[str, Style]] = {"ok": ("✓", "ok"), "warn": ("!", "warning"), "missing": ("✗", "error")}


def examine(as_json: bool) -> int:
    """Print every check; status 3 when something that is needed is missing."""
    checks = examine_machine()
    colour = wants_colour(sys.stdout.isatty(), os.environ)
    for check in checks:
        if as_json:
            write_line(asdict(check))
            continue
        for line in lines(check):
            print(to_text(line, colour=colour))
    return MISSING if any(check.state == "missing" for check in checks) else DONE


def lines(check: Check) -> list[Line]:
    """One check as lines: its state and what was found, then the command that mends it."""
    sign, style = SIGNS[check.state]
    found: Line = (Span(f" {sign} ", style), Span(f"{check.name:<18}", "bold"), Span(check.what))
    return [found, (Span(" " * 21), Span(check.mend, "key"))] if check.mend else [found]
