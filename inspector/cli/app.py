"""`inspector` and `inspector open`: the app, once there is a terminal to show it on.

A capture from standard input is spooled to a file by a thread, which the app follows like any file
that grows; the keyboard is then read from the controlling terminal.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.cli.errors import DONE, MISSING, UNREADABLE, CommandError
from inspector.cli.output import notice
from inspector.cli.trace_files import trace_file
from inspector.cli.waiting import PATIENCE, Leaving

if TYPE_CHECKING:
    from inspector.cli.options.remote import Remote
    from inspector.lab.capture.elsewhere import Place
    from inspector.lab.options import Limits, Process
    from inspector.lessons.classroom.ballot import BallotBox
    from inspector.lessons.format.model import Lesson
    from inspector.model.spec import SessionSpec

_SOON = 0.05                       # seconds between two looks
_HEAD = 64                         # bytes that tell of any format whether it is a capture
NO_TERMINAL = (
    "The app needs a terminal on its input, output and error output; "
    "without one use 'inspector run', 'inspector decode' or 'inspector record'."
)
BEHIND = (
    "This is in the background of its terminal, where it gets no keys. 'timeout' puts what it runs there: "
    "give it '--foreground'."
)


def open_launcher() -> int:
    """Open the app on its launcher; returns the exit status."""
    _require_terminal(sys.stdin.isatty())
    _leave_root(lab=True)
    from inspector.tui.app import InspectorApp  # here and below: help is to be instant

    return _run(InspectorApp())


def open_file(file: str, *, joined: bool = False) -> int:
    """Open the app on a capture ("-": standard input); returns the exit status.

    `joined`: it is written now, by an agent of ours.
    """
    from inspector.trace.trace import Trace, TraceError

    was_root = _leave_root()
    if file == "-":
        return _open_standard_input()
    if is_stream(Path(file)):
        try:
            source = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)     # no writer is waited for
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.", UNREADABLE) from error
        _require_terminal(sys.stdin.isatty())
        return _open_stream(source, file)
    try:
        Trace.open(file).close()
    except TraceError as error:
        why = " Under sudo the app is the calling user's, who reads it." if was_root else ""
        raise CommandError(f"{error}{why}", UNREADABLE) from error
    _require_terminal(sys.stdin.isatty())
    from inspector.tui.app import InspectorApp

    return _run(InspectorApp(trace_path=Path(file), joined=joined))


def open_lessons(lesson: Lesson | None, language: str, box: BallotBox | None = None) -> int:
    """Open the app on a lesson, or on the map of all; returns the exit status.

    `box`: they are shown to a class, whose votes are counted there.
    """
    _require_terminal(sys.stdin.isatty())
    _leave_root(lab=True)
    from inspector.tui.app import InspectorApp
    from inspector.tui.messages import LessonsAsked

    return _run(InspectorApp(lessons=LessonsAsked(lesson, language, box)))


def teach_lessons(lesson: Lesson | None, language: str, folder: str | None) -> int:
    """Open the app on a lesson, or the map, for a class; `folder`: through which its browsers vote, too."""
    from inspector.cli.options.classroom import class_folder
    from inspector.lessons.classroom.ballot import BallotBox, LedError

    _leave_root(lab=True)                  # before it is asked whose the folder is
    box = BallotBox(None if folder is None else class_folder(folder))
    try:
        with box:
            return open_lessons(lesson, language, box)
    except LedError as error:
        raise CommandError(str(error), MISSING) from error


def open_session(spec: SessionSpec) -> int:
    """Open the app on a session that begins at once; returns the exit status."""
    from inspector.lab.network.namespace import probe

    _require_terminal(sys.stdin.isatty())
    _leave_root(lab=True)
    if (forbidden := probe()) is not None:
        raise CommandError(forbidden.sentence, MISSING, forbidden.remedy)
    from inspector.tui.app import InspectorApp

    return _run(InspectorApp(start=spec))


def watch_ports(
    ports: tuple[int, ...], limits: Limits, save: str | None, *, overwrite: bool, place: Place | None = None,
    process: Process | None = None,
) -> int:
    """Open the app on this machine's own loopback, on these ports or all; returns the exit status.

    `save`: the file that the trace goes to, None for one of those that are kept. `place`: another network.
    `process`: whose ports they are, found as they open.
    """
    from inspector.cli.options.capture import packet_socket_for, packet_socket_in
    from inspector.lab.options import Watch

    _require_terminal(sys.stdin.isatty())
    if process is not None:
        watch = Watch(limits=limits, process=process, packet_socket=_packet_socket_of(process, limits))
    elif place is None:
        watch = Watch(ports, limits=limits, packet_socket=packet_socket_for(ports, limits, screen=True))
    else:
        watch = Watch(ports, limits=limits, packet_socket=packet_socket_in(place, ports, limits),
                      place=place.words)
    from inspector.tui.app import InspectorApp

    if save is None:
        return _run(InspectorApp(watch=watch))
    with trace_file(save, overwrite=overwrite) as file:
        status = _run(InspectorApp(watch=replace(watch, save=(file.path, file.name))))
        file.restore()
        return status


def _packet_socket_of(process: Process, limits: Limits) -> int:
    """A packet socket for a process's ports, asked for when it is known that they can be told."""
    from inspector.cli.options.capture import packet_socket_for
    from inspector.cli.options.process import require_sockets_of
    from inspector.lab.files.ownership import under_sudo

    if not under_sudo():                   # else it is the caller who will look
        require_sockets_of(process)
    found = packet_socket_for((), limits, screen=True)
    require_sockets_of(process)
    return found


def watch_remote(remote: Remote, ports: tuple[int, ...]) -> int:
    """Open the app on what tcpdump hears on another machine, reached by ssh; returns the exit status."""
    _require_terminal(sys.stdin.isatty())
    _leave_root()
    with remote.listening(ports) as source:
        return _open_stream(source, remote.url, remote.failure)


def via_ports(pairs: tuple[tuple[int, int], ...]) -> int:
    """Open the app on what is led through the lab from the first port of each pair to the second."""
    from inspector.lab.network.namespace import probe
    from inspector.lab.options import Outside, Watch

    _require_terminal(sys.stdin.isatty())
    _leave_root(lab=True)
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
    return _open_stream(source, "standard input")


def _open_stream(source: int, name: str, why: Callable[[], str] = str) -> int:
    """Open the app on what a descriptor gives: a thread reads it, once, into a file that the app follows."""
    from inspector.trace.file.scratch import path_of, scratch
    from inspector.tui.app import InspectorApp

    spool = scratch()
    # The pump alone has it open for writing: where it has closed it, the app sees that its writer has ended.
    with path_of(spool.fileno()).open("rb", buffering=0) as read:
        pump = threading.Thread(target=_spool, args=(source, spool, name), daemon=True)
        pump.start()
        if not _wait_for_head(pump, read.fileno(), name, why):
            return DONE
        return _run(InspectorApp(trace_path=path_of(read.fileno())))


def _wait_for_head(pump: threading.Thread, spool: int, name: str, why: Callable[[], str] = str) -> bool:
    """Wait until the first bytes tell whether it is a capture; CommandError where it is none.

    `why` gives the sentence for a source that ended without any, "" where it has none. False: who waited
    has left.
    """
    from inspector.trace.file.pcap import Pcap
    from inspector.trace.file.scratch import path_of
    from inspector.trace.trace import Trace, TraceError

    begun, leaving = time.monotonic(), Leaving()
    while True:
        pump.join(_SOON)
        if leaving.asked():
            return False
        size, ended = os.fstat(spool).st_size, not pump.is_alive()
        if ended and not size and (sentence := why()):
            raise CommandError(sentence, UNREADABLE)
        try:
            Trace.open(path_of(spool), following=not ended).close()
        except TraceError as error:
            sentence = str(error).replace(str(path_of(spool).name), name, 1)
            raise CommandError(sentence, UNREADABLE) from error
        if ended or size >= _HEAD or _is_pcap(os.pread(spool, Pcap.HEADER, 0)):
            leaving.forget()
            return True
        if begun and time.monotonic() - begun > PATIENCE:
            nobody = "" if size else ": nobody has written to it so far"
            leaving.listen()
            notice(f"Waiting for the first bytes of {name}{nobody}; q or ctrl+c ends it.")
            begun = 0.0


def is_stream(path: Path) -> bool:
    """Whether it is a pipe or its like: it can be read once, and begins when somebody writes."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _is_pcap(head: bytes) -> bool:
    """Whether it is the header of the classic format, behind which nothing may come for long."""
    from inspector.trace.file.pcap import PCAP_MAGICS, Pcap

    return len(head) == Pcap.HEADER and head[:4] in PCAP_MAGICS


def _spool(source: int, spool: FileIO, name: str) -> None:
    from inspector.trace.file.scratch import no_copy, took_no_more  # as above

    with spool, contextlib.suppress(OSError):
        select.select([source], [], [])            # a pipe that nobody has opened to write has not ended
        os.set_blocking(source, True)
        while chunk := os.read(source, 1 << 20):
            rest = memoryview(chunk)
            while rest:
                try:
                    rest = rest[spool.write(rest) :]
                except OSError as error:           # what is there is shown, and why it is not all
                    took_no_more(spool.fileno(), no_copy(name, error))
                    return


def _require_terminal(keyboard: bool) -> None:
    if not (keyboard and sys.stdout.isatty() and sys.stderr.isatty()):  # Textual draws on the last one
        raise CommandError(NO_TERMINAL, MISSING)
    if _is_behind():
        raise CommandError(BEHIND, MISSING)


def _is_behind() -> bool:
    """Whether it is in the background of its terminal, and no shell has it as a job to bring to the front.

    The kernel would stop it at its first look at the keyboard, without a word. A job has a group of its own,
    other than its shell's.
    """
    try:
        return os.tcgetpgrp(2) != os.getpgrp() == os.getpgid(os.getppid())
    except OSError:                        # it is not the terminal of this session
        return False


def _leave_root(*, lab: bool = False) -> bool:
    """Under sudo no screen runs as root: this process is the caller's from now on. Whether it was root's."""
    from inspector.lab.files.ownership import under_sudo

    if not under_sudo():                   # what opens packet sockets is not for the launcher's paint
        return False
    from inspector.lab.capture import privilege
    from inspector.lab.errors import LabError

    try:
        why = privilege.leave_root(lab=lab)
    except LabError as error:
        raise CommandError(error.sentence, MISSING, error.remedy) from error
    if why:
        notice(why)
    return not why


def _run(app: object) -> int:
    from inspector.tui.app import InspectorApp

    assert isinstance(app, InspectorApp)
    status = app.run()
    return status if isinstance(status, int) else DONE
