"""`inspector`, and `python -m inspector`: the process from its first moment to its last.

Until the command can say what an interrupt broke off, and once it has said all, ctrl+c just ends the process:
no traceback of half an import.
"""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:      # one that is ignored stays so
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from typing import NoReturn

from inspector import cli


def main() -> NoReturn:
    """Run the command that the words name, and end the process with its exit status."""
    cli.main()


if __name__ == "__main__":
    main()
