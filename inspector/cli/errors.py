"""How a command ends: one sentence on stderr and an exit status, the same for all commands.

Commands raise `CommandError`; rooms below raise their own errors, which a command turns into one. `main`
calls `ended`, which turns whatever happened into the sentence and the status.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from types import FrameType

from inspector.cli.output import OutputError, give_up_output, notice
from inspector.model.memory import NO_MEMORY, is_lack_of_memory, memory_remedy

DONE, NO, USAGE, MISSING, UNREADABLE, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 4, 130, 141

# Signals that end a process which does not ask for them; it would leave its temporary folders behind.
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM,
          signal.SIGXCPU)  # fmt: skip

# What the system may have none of, whatever the user wrote; and what gives more, where a command does.
_LACKING: dict[int, str | None] = {
    errno.EMFILE: "ulimit -n 1024", errno.ENFILE: None, errno.EAGAIN: "ulimit -u unlimited",
    errno.EFBIG: "ulimit -f unlimited", errno.ENOMEM: None, errno.ENOSPC: None, errno.EDQUOT: None,
    errno.EIO: None,
}


class CommandError(Exception):
    """A command could not do what was asked; `str()` is one sentence, `status` its exit status.

    `remedy` is a command that mends it; `place` are lines that show where in the user's text it went wrong.
    """

    def __init__(self, sentence: str, status: int, remedy: str | None = None, place: str = "") -> None:
        super().__init__(sentence)
        self.status = status
        self.remedy = remedy
        self.place = place


def unwritable(name: object, error: OSError, verb: str = "written") -> CommandError:
    """The error for a file that could not be `verb`, with what would mend it where that is known."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return lacking(error)
    status = USAGE if error.errno == errno.EEXIST else MISSING         # another name is wanted
    return CommandError(f"{name} cannot be {verb}: {error.strerror or error}.", status,
                        _LACKING.get(error.errno or 0))  # fmt: skip


def lacking(error: OSError) -> CommandError:
    """The error where the system gives no more of something to this process."""
    return CommandError(f"The system refused what this needs: {error.strerror}.", MISSING,
                        _LACKING.get(error.errno or 0))  # fmt: skip


def out_of_memory() -> CommandError:
    """The error where this process gets no more memory."""
    return CommandError(NO_MEMORY, MISSING,
                        memory_remedy() or None)


class Terminated(BaseException):
    """The signal `number` came, one of `ENDING`: what is open is closed on the way out, as after ctrl+c."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def end_in_order() -> None:
    """Have signals that end a process raise `Terminated`, once, SIGINT KeyboardInterrupt; what is ignored
    stays so."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    numbers = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]

    def handler(number: int, _frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, lambda *_: None)           # a second one does not disturb the end
        raise Terminated(number)

    for number in numbers:
        signal.signal(number, handler)


def end_at_once() -> None:
    """Have signals end the process where it stands: there is nothing left to be closed."""
    for number in (signal.SIGINT, *ENDING):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def _reported(error: CommandError) -> int:
    notice(str(error), *error.place.splitlines())
    notice_remedy(error.remedy or "")
    return error.status


def notice_remedy(remedy: str) -> None:
    """Say what mends it, where that is known."""
    if remedy:
        notice(f"This mends it: {remedy}")


def ended(action: Callable[[], int]) -> int:
    """Run `action` and return its exit status; errors become a sentence, never a traceback."""
    try:
        return action()
    except CommandError as error:
        return _reported(error)
    except OSError as error:           # one that no command expected, where it is not a mistake of ours
        if error.errno not in _LACKING:
            raise
        return _reported(lacking(error))
    except (MemoryError, RuntimeError, ImportError, SystemError) as error:
        if not is_lack_of_memory(error):
            raise
        error.__traceback__ = None     # what all those calls hold is free for saying so
        return _reported(out_of_memory())
    except KeyboardInterrupt:
        notice("Interrupted.")
        return INTERRUPTED
    except Terminated as error:
        notice(f"Ended by {signal.Signals(error.number).name}.")
        return 128 + error.number
    except OutputError as error:
        give_up_output()
        if error.reader_gone:          # `| head`: nothing more can be said to it, and it is no mistake
            return BROKEN_PIPE
        notice(f"The output cannot be written: {os.strerror(error.number)}.")
        return MISSING
