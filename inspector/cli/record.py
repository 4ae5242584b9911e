"""`inspector record`: loopback traffic to a file: around a program in the lab, or this machine's own."""

from __future__ import annotations

import re
from pathlib import Path

from inspector.cli.errors import MISSING, USAGE, CommandError, say
from inspector.lab.errors import LabError
from inspector.lab.record import RecordOptions, RecordOutcome, record

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def record_traffic(
    *, ports: tuple[int, ...], program: tuple[str, ...], output: str, lab: bool, seconds: float | None,
    snaplen: int | None, max_size: str | None, capture_filter: str | None,
) -> int:
    """Record as the command line asks; the program's exit status, else 0."""
    if lab and not program:
        raise CommandError("--lab records around a program; name it after '--'.", USAGE)
    if program and not lab:
        raise CommandError("A program is recorded in the lab; say --lab before '-- CMD'.", USAGE)
    options = RecordOptions(
        Path(output), program, ports, capture_filter or "", snaplen or 0, size_of(max_size), seconds or 0.0
    )
    outcome = recorded(options)
    say(outcome.sentence)
    return outcome.status


def recorded(options: RecordOptions) -> RecordOutcome:
    """Record as the options say; what cannot be becomes a CommandError."""
    try:
        return record(options, say)
    except LabError as error:
        raise CommandError(error.sentence, MISSING, error.mend) from error
    except ValueError as error:
        raise CommandError(str(error), USAGE) from error
    except OSError as error:
        raise CommandError(f"{options.output} cannot be written: {error.strerror}.", USAGE) from error


def size_of(text: str | None) -> int:
    """Bytes of a size such as 500M, 2G or 4096 (powers of 1024); 0 for None."""
    if text is None:
        return 0
    found = re.fullmatch(r"(\d{1,15})\s*([kmgt]?)(?:i?b)?", text.strip(), re.IGNORECASE)
    if found is None or int(found[1]) == 0:
        raise CommandError(f"{text!r} is no size; write for example 4096, 500M or 2G.", USAGE)
    return int(found[1]) * _UNITS[found[2].lower()]
