"""How a command ends: one sentence on stderr and an exit status, the same for all commands.

Commands raise `CommandError`; rooms below raise their own errors, which `guarded` turns into one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

DONE, NO, USAGE, MISSING, UNREADABLE, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 4, 130, 141


class CommandError(Exception):
    """A command could not do what was asked; `str()` is one sentence, `status` its exit status."""

    def __init__(self, sentence: str, status: int, mend: str | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.mend = mend


def say(sentence: str) -> None:
    """Words about results go to stderr."""
    print(f"inspector: {sentence}", file=sys.stderr, flush=True)


def guarded(action: Callable[[], int]) -> int:
    """Run `action` and return its exit status; errors become a sentence, never a traceback."""
    try:
        status = action()
        sys.stdout.flush()
    except CommandError as error:
        say(str(error))
        if error.mend:
            say(f"This mends it: {error.mend}")
        return error.status
    except KeyboardInterrupt:
        say("Interrupted.")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`| head`); nothing more can be said to it, and Python must not try at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return status
