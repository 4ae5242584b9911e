"""`inspector exec`: a program in the lab, its loopback captured, and then looked at.

Program -> trace (kept with --save) -> JSON lines, the app, or the ladder as text; the program's exit
status is ours.
"""

from __future__ import annotations

import sys
from pathlib import Path

from inspector.cli.decode import decode_file
from inspector.cli.errors import USAGE, CommandError, say
from inspector.cli.output import print_ladder, trace_file
from inspector.cli.record import recorded
from inspector.lab.record import RecordOptions
from inspector.trace.trace import Trace


def execute(program: tuple[str, ...], save: str | None, what: str | None) -> int:
    """Run `program` in the lab and show what it said on its loopback; its exit status."""
    if not program:
        raise CommandError("Name the program after '--', such as: inspector exec -- pytest tests/", USAGE)
    with trace_file(save) as path:
        outcome = recorded(RecordOptions(path, program))
        if what is not None:
            decode_file(str(path), what, None, None)
        elif save is not None:
            say(outcome.sentence)
        elif sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty():
            _open(path)
        else:
            with Trace.open(path) as trace:
                while trace.refresh():
                    pass
                print_ladder(trace)
    return outcome.status


def _open(path: Path) -> None:
    from inspector.cli.app import open_file

    open_file(str(path))
