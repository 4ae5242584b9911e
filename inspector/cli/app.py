"""`inspector` and `inspector open`: the app, once there is a terminal to show it on.

A capture from standard input is spooled to a file by a thread, which the app follows like any file
that grows; the keyboard is then read from the controlling terminal.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from pathlib import Path

from inspector.cli.errors import DONE, MISSING, UNREADABLE, CommandError

NO_TERMINAL = (
    "The app needs a terminal on its input, output and error output; "
    "without one use 'inspector run', 'inspector decode' or 'inspector record'."
)


def open_launcher() -> int:
    """Open the app on its launcher; returns the exit status."""
    _require_terminal(sys.stdin.isatty())
    from inspector.tui.app import InspectorApp

    return _run(InspectorApp())


def open_file(file: str) -> int:
    """Open the app on a capture ("-": standard input); returns the exit status."""
    from inspector.trace.trace import Trace, TraceError

    if file == "-":
        return _open_standard_input()
    try:
        Trace.open(file).close()
    except TraceError as error:
        raise CommandError(str(error), UNREADABLE) from error
    _require_terminal(sys.stdin.isatty())
    from inspector.tui.app import InspectorApp

    return _run(InspectorApp(trace_path=Path(file)))


def watch_ports(ports: tuple[int, ...]) -> int:
    """Open the app on this machine's own loopback, on these ports or all; returns the exit status."""
    from inspector.lab.host import dumpcap, how_to_capture, may_capture
    from inspector.lab.options import Watch

    if not may_capture() and dumpcap() is None:
        raise CommandError(
            "Watching this machine's own loopback needs the privilege CAP_NET_RAW; the lab does not "
            "('inspector exec -- CMD').", MISSING, how_to_capture(),
        )
    _require_terminal(sys.stdin.isatty())
    from inspector.tui.app import InspectorApp

    return _run(InspectorApp(watch=Watch(ports)))


def via_ports(pairs: tuple[tuple[int, int], ...]) -> int:
    """Open the app on what is led through the lab from the first port of each pair to the second."""
    from inspector.lab.namespace import probe
    from inspector.lab.options import Outside, Watch

    _require_terminal(sys.stdin.isatty())
    if (forbidden := probe()) is not None:
        raise CommandError(forbidden.sentence, MISSING, forbidden.remedy)
    from inspector.tui.app import InspectorApp

    return _run(InspectorApp(watch=Watch(outside=Outside(via=pairs))))


def _open_standard_input() -> int:
    if sys.stdin.isatty():
        raise CommandError("'-' reads a capture from standard input, which is the terminal here.", UNREADABLE)
    try:
        keyboard = os.open("/dev/tty", os.O_RDWR)
    except OSError as error:
        raise CommandError(NO_TERMINAL, MISSING) from error
    _require_terminal(True)
    source = os.dup(0)
    os.dup2(keyboard, 0)
    os.close(keyboard)
    with tempfile.NamedTemporaryFile(prefix="inspector-", suffix=".capture") as spool:
        first = os.read(source, 1 << 16)
        if not first:
            raise CommandError("Standard input holds no capture: it is empty.", UNREADABLE)
        spool.write(first)
        spool.flush()
        threading.Thread(target=_spool, args=(source, spool.fileno()), daemon=True).start()
        from inspector.trace.trace import Trace, TraceError
        from inspector.tui.app import InspectorApp

        try:
            Trace.open(spool.name).close()
        except TraceError as error:
            raise CommandError(str(error), UNREADABLE) from error
        return _run(InspectorApp(trace_path=Path(spool.name)))


def _spool(source: int, target: int) -> None:
    try:
        while chunk := os.read(source, 1 << 20):
            os.write(target, chunk)
    except OSError:
        return  # the app has ended and closed the spool


def _require_terminal(keyboard: bool) -> None:
    if not (keyboard and sys.stdout.isatty() and sys.stderr.isatty()):  # Textual draws on the last one
        raise CommandError(NO_TERMINAL, MISSING)


def _run(app: object) -> int:
    from inspector.tui.app import InspectorApp

    assert isinstance(app, InspectorApp)
    status = app.run()
    return status if isinstance(status, int) else DONE
