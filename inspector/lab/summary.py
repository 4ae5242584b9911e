"""The last line of an agent's standard error, as its parent reads it: what it captured, or why it did not.

The agent writes it with `to_line` when its work is done or refused; `launch` reads it with `from_line`.
"""

from __future__ import annotations

from dataclasses import dataclass

from inspector.lab.lines import line_of, read_line


@dataclass(frozen=True, slots=True)
class Summary:
    """What was captured: `packets` in a file of `bytes`, and `dropped`, which the kernel had no room for.

    `limit`: the sentence of the limit that ended the capture, "" where none did. `program`: the exit status
    of the program that was run, None where none was or it still ran; `program_failure`: why it could not be.
    `broken`: the sentence of what broke the capture, else "", and `remedy` a command that mends it ("": none
    is known). `cut`: packets of which the file has the beginning alone.
    """

    packets: int
    dropped: int
    bytes: int
    limit: str = ""
    program: int | None = None
    program_failure: str = ""
    broken: str = ""
    cut: int = 0
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing was captured, and the command that remedies it ("": none is known)."""

    sentence: str
    remedy: str = ""


_KINDS: tuple[type[Summary | Refusal], ...] = (Summary, Refusal)


def to_line(last: Summary | Refusal) -> str:
    """As one line of JSON, without its end."""
    return line_of(last).decode().rstrip()


def from_line(line: str) -> Summary | Refusal:
    """Read what `to_line` wrote; ValueError for anything else, such as the end of a traceback."""
    return read_line(line.encode(), _KINDS)
