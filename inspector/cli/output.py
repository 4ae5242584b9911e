"""What commands print on stdout: JSON objects a line each, or a ladder; and where a trace lies meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

DEFAULT_WIDTH = 100
LEAST_WIDTH = 60


def write_line(value: dict[str, Any]) -> None:
    """One JSON object on one line of stdout, flushed."""
    sys.stdout.write(json.dumps(value, ensure_ascii=True) + "\n")
    sys.stdout.flush()


def ladder_printer(trace: Trace, *, relative: bool = True) -> Callable[[int | None], None]:
    """A function that prints what is new and settled in the trace's ladder; called with the present time
    in nanoseconds, and with None at the end."""
    from inspector.views.ladder.printed import LadderText
    from inspector.views.line.ansi import to_text, wants_colour

    terminal = sys.stdout.isatty()
    colour = wants_colour(terminal, os.environ)
    ladder = LadderText(trace, max(_width(terminal), LEAST_WIDTH), relative=relative)

    def printer(now: int | None) -> None:
        lines = ladder.update(now)
        if now is None:
            lines += ladder.footer()
        for line in lines:
            print(to_text(line, colour=colour), flush=True)

    return printer


def print_ladder(trace: Trace) -> None:
    """The whole ladder of a trace that does not grow."""
    ladder_printer(trace)(None)


def _width(terminal: bool) -> int:
    if terminal:
        return shutil.get_terminal_size().columns
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isascii() and columns.isdigit() else DEFAULT_WIDTH


@contextmanager
def trace_file(save: str | None) -> Iterator[Path]:
    """Where the trace of a command goes: the file it is saved to, or one that goes with the command."""
    if save is not None:
        yield Path(save)
        return
    with tempfile.TemporaryDirectory(prefix="inspector-") as folder:
        yield Path(folder, "session.pcapng")
