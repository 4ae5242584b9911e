"""`inspector doctor`: the lab's checks, a line each, the mending command below what is not well."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from inspector.cli.errors import DONE, MISSING, CommandError
from inspector.cli.output import write_line, write_text

if TYPE_CHECKING:
    from inspector.lab.doctor import Check
    from inspector.views.line.spans import Line, Style

SIGNS: dict[str, tuple[str, Style]] = {"ok": ("✓", "ok"), "warn": ("!", "warning"), "missing": ("✗", "error")}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--apparmor", is_flag=True, help="Print AppArmor's profile for this program instead.")
def command(as_json: bool, apparmor: bool) -> int:
    """Say what works here, what does not, and the command that mends it."""
    if apparmor:
        return _profile()
    from inspector.lab.doctor import examine  # here and below: help is to be instant
    from inspector.views.line.ansi import to_text, wants_colour

    checks = examine()
    colour = wants_colour(sys.stdout.isatty(), os.environ)
    for check in checks:
        if as_json:
            write_line({**asdict(check), "mend": check.remedy})      # its key in version 0.1
            continue
        for line in lines(check):
            write_text(to_text(line, colour=colour))
    return MISSING if any(check.state == "missing" for check in checks) else DONE


def _profile() -> int:
    from inspector.lab.network import apparmor

    command = apparmor.script()
    if command is None:
        raise CommandError("There is no installed command inspector that a profile could go with; that of "
                           "Python is everybody's.", MISSING, "pipx install terminal-network-inspector")
    write_text(apparmor.profile(command).rstrip())
    return DONE


def lines(check: Check) -> list[Line]:
    """One check as lines: its state and what was found, then the command that mends it."""
    from inspector.views.line.spans import Span

    sign, style = SIGNS[check.state]
    found: Line = (Span(f" {sign} ", style), Span(f"{check.name:<18}", "bold"), Span(check.what))
    return [found, (Span(" " * 21), Span(check.remedy, "key"))] if check.remedy else [found]
