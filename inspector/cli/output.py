"""The one place for all output: results on stdout, words about them on stderr, whatever these are.

`prepare_output` (once, first thing) puts streams in place of Python's own: one that is closed, full or gone
raises `OutputError` and never a traceback, and a character that its encoding lacks is written as one that
looks like it (`─` as `-`), so that a picture keeps its columns in every locale.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from inspector.wire.text import escaped

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from inspector.trace.trace import Trace

DEFAULT_WIDTH = 100
LEAST_WIDTH, _MOST_WIDTH = 60, 1000
PLAIN = "inspector-plain"          # the name of our codec error handler
_STAND_INS = {
    **dict.fromkeys("─━╌┄╴╶–—‐‑", "-"), **dict.fromkeys("═", "="), **dict.fromkeys("│┃║▏▎▌▐▕", "|"),
    **dict.fromkeys("┆┊╎", ":"), **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╔╗╚╝╠╣╦╩╬", "+"),
    **dict.fromkeys("▶►→❯", ">"), **dict.fromkeys("◀◄←❮", "<"), **dict.fromkeys("▲↑", "^"),
    **dict.fromkeys("▼↓▾▿", "v"), **dict.fromkeys("●○•∙·▪", "*"), **dict.fromkeys("█▓▒░▇▆▅▄▃▂▁▀", "#"),
    **dict.fromkeys("“”„", '"'), **dict.fromkeys("‘’", "'"),
    "…": "~", "✓": "+", "✗": "x", "×": "x", "µ": "u", "✎": '"', "§": "S", "≠": "!", "≈": "~",
    "‖": "|", "╷": "|", "╵": "|", "✖": "x", "◐": "o", "▤": "=", "▸": ">", "↔": "-", "⋯": "~",
}


class OutputError(Exception):
    """Stdout takes no more. `number`: the errno; no OSError, which a command might take for a file's."""

    def __init__(self, number: int) -> None:
        super().__init__(os.strerror(number))
        self.number = number

    @property
    def reader_gone(self) -> bool:
        """Whether whoever read our output has ended, as `head` does."""
        return self.number == errno.EPIPE


class _Output(io.FileIO):
    """Stdout's bytes; what the system refuses becomes `OutputError`."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OutputError(error.errno or errno.EIO) from error


def prepare_output() -> None:
    """Make stdout and stderr what this module says of them; closed ones are never taken by another file."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # A file opened later would get this number, and our words. Nothing can be written to this one.
            if (spare := os.open(os.devnull, os.O_RDONLY)) != number:
                os.dup2(spare, number)
                os.close(spare)
    if sys.stdin is None:              # Python's word for a closed one; ours has nothing to read
        sys.stdin = sys.__stdin__ = open(0, closefd=False)  # type: ignore[misc]  # noqa: SIM115
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    raw = _Output(1, "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=encoding, errors=PLAIN, line_buffering=raw.isatty()
    )
    for stream in (sys.stderr, sys.__stderr__):            # the app draws on the latter
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=PLAIN)


def give_up_output() -> None:
    """What stdout still holds goes nowhere, so that nothing tries to write it when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def _stand_in(error: UnicodeError) -> tuple[str | bytes, int]:
    """A codec's error handler: characters of our pictures by ASCII of the same width, others by escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


codecs.register_error(PLAIN, _stand_in)


def _plain(character: str) -> str:
    known = _STAND_INS.get(character)
    if known is not None:
        return known
    code = ord(character)
    if 0x2400 <= code <= 0x2421:                           # the picture of a control character
        return "."
    return character.encode("ascii", "backslashreplace").decode()


def notice(*lines: str) -> None:
    """Words about results go to stderr, a line each; where that takes nothing, they are lost."""
    _words("inspector: ", lines)


def report(*lines: str) -> None:
    """A report that goes to stderr as it is, since something else stands on stdout."""
    _words("", lines)


def _words(prefix: str, lines: tuple[str, ...]) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        for number, line in enumerate(lines):
            sys.stderr.write(("" if number else prefix) + escaped(line) + "\n")
        sys.stderr.flush()


def write_text(text: str) -> None:
    """One line on stdout, flushed: it is seen when it happens."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def write_line(value: dict[str, Any]) -> None:
    """One JSON object on one line of stdout, flushed."""
    write_text(json.dumps(value, ensure_ascii=True))


def write_lines(some: Iterable[Sequence[str]]) -> None:
    """Lines on stdout, some at a time, which all stand there at the end."""
    write = sys.stdout.write
    for lines in some:
        write("\n".join(lines) + "\n")
    sys.stdout.flush()


def ladder_printer(trace: Trace, *, relative: bool = True) -> Callable[[int | None], None]:
    """A function that prints what is new and settled in the trace's ladder; called with the present time
    in nanoseconds, and with None at the end."""
    from inspector.views.ladder.printed import LadderText  # here: not for commands that draw none
    from inspector.views.line.ansi import to_text, wants_colour

    colour = wants_colour(sys.stdout.isatty(), os.environ)
    ladder = LadderText(trace, line_width(), relative=relative)

    def printer(now: int | None) -> None:
        lines = ladder.update(now)
        if now is None:
            lines += ladder.footer()
        for line in lines:
            write_text(to_text(line, colour=colour))

    return printer


def print_ladder(trace: Trace) -> None:
    """The whole ladder of a trace that does not grow."""
    ladder_printer(trace)(None)


def line_width() -> int:
    """Columns of a line on stdout."""
    columns = os.environ.get("COLUMNS", "")[:9]
    wanted = int(columns) if columns.isascii() and columns.isdigit() else DEFAULT_WIDTH
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else wanted
    return min(max(width, LEAST_WIDTH), _MOST_WIDTH)
