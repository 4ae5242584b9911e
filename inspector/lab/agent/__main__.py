"""The agent: `python -m inspector.lab.agent OPTIONS`, a process of its own that captures and runs sessions.

Standard output is the trace file, standard input takes commands as JSON lines, a wake pipe gets a byte
after each write. It enters its private network first, starts the capture, then does as it is told; the
end of its input ends it and all it started. Exit: 0; 1 the capture broke; 2 the options are none; 3
something needed is missing or forbidden. The last line of standard error is a `Summary` of the capture, or
the `Refusal` of one (`lab/summary.py`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import signal
import socket
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from inspector.capture.packet_socket import WIRE
from inspector.lab.capture.access import dumpcap, how_to_capture, may_capture
from inspector.lab.capture.privilege import become_caller, caller_has_a_lab
from inspector.lab.errors import LabError
from inspector.lab.files.ownership import under_sudo
from inspector.lab.network import namespace
from inspector.lab.network.bridge import Bridge
from inspector.lab.network.routes import all_addresses_here
from inspector.lab.network.wire.ends import make as make_ends
from inspector.lab.network.world import World, carrier
from inspector.lab.options import AgentOptions, Limits, OptionsError
from inspector.lab.programs import relayed
from inspector.lab.programs.processes import Guardian, Lab, adopt_orphans
from inspector.lab.summary import Refusal, Summary, to_line
from inspector.model.language import marked, sentence
from inspector.model.records import pairs_of
from inspector.sessions.lab_mark import remove_lab_folder
from inspector.wire.journal import EventRecord

if TYPE_CHECKING:
    from inspector.capture.batch import Source
    from inspector.lab.agent.supervisor import Supervisor
    from inspector.lab.capture.capturing import Capturing

_REMEDIES = {errno.EMFILE: "ulimit -n 1024", errno.EAGAIN: "ulimit -u unlimited"}


def enter_network(options: AgentOptions) -> str:
    """Move into the lab, or stay in the host's network; "lab" or "host". LabError where neither may be."""
    if options.mode == "host":
        return "host"
    if options.mode == "auto" and os.geteuid() == 0 and namespace.probe() is not None:
        return "host"
    namespace.enter()
    if options.command and not options.outside.net:
        _show_wishes()
    return "lab"


def _show_wishes() -> None:
    """Let a program's packets to any address be seen; without it they are refused before they are made."""
    with contextlib.suppress(OSError):
        all_addresses_here()


def run(options: AgentOptions) -> int:
    """Be the agent until the end of standard input; the exit status."""
    commands, trace = _take_over_standard_streams()
    if options.mode != "host" and under_sudo() and caller_has_a_lab():
        become_caller()                            # nothing in the lab needs root, least of all its programs
    bridge = Bridge(options.outside, options.terminal[2] if options.terminal else None) if (
        options.outside.relayed) else None  # fmt: skip
    world = World(carrier()) if options.outside.net else None
    mode = enter_network(options)
    if world is not None:
        world.open()
    if options.wiring is not None and mode != "lab":
        raise LabError(marked("The lab is forbidden here, so that there is no wire to stand in."))
    ends = None if options.wiring is None else make_ends(options.wiring)
    if options.outside and mode != "lab":
        raise LabError(marked("The lab is forbidden here, so that nothing can be led into it."))
    adopt_orphans()
    networks = (namespace.identity(), *(ends.inodes if ends else ())) if mode == "lab" else ()
    lab = Lab(networks, secrets.token_hex(8))
    guardian = Guardian(lab)
    sys.setswitchinterval(0.0005)                  # scapy's import must not hold up a session's start
    _import_numpy()
    from inspector.lab.agent.supervisor import (
        Supervisor,  # here and below: after numpy, without its threads
    )

    supervisor = Supervisor(options, lab, commands, bridge, ends)
    try:
        capture = _open_capture(options, mode, trace, supervisor, guardian)
    except (OSError, ValueError) as error:
        guardian.dismiss()
        raise _refused(error, mode) from error
    supervisor.capture = capture
    ipv6 = "yes" if namespace.has_ipv6() else "no"
    fields = pairs_of({"mode": mode, "interface": _interface(options), "capture": capture.kind, "ipv6": ipv6})
    where = f"{mode}'s loopback" if options.wiring is None else "wire between the ends"
    text = f"The capture of the {where} runs."
    capture.record(EventRecord("agent-ready", text, time.time_ns(), "", os.getpid(), fields))
    capture.start()
    _wake(options, mode[0].encode())
    supervisor.run()
    lab.kill(frozenset({guardian.pid}))
    supervisor.close()
    remove_lab_folder(lab.mark)
    capture.stop()
    guardian.dismiss()
    if world is not None:
        world.close()
    print(to_line(_summary(capture, supervisor)), file=sys.stderr)
    return 1 if supervisor.broken else 0


def _take_over_standard_streams() -> tuple[int, int]:
    """Descriptors of the commands and the trace, at which whatever is started later cannot get."""
    commands, trace = os.dup(0), os.dup(1)
    relayed.unblock()                              # while they are, who started us keeps them back
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)     # a handler, not SIG_IGN, which programs would inherit
    return commands, trace


def _open_capture(
    options: AgentOptions, mode: str, trace: int, supervisor: Supervisor, guardian: Guardian
) -> Capturing:
    """Our own capture, or dumpcap's where only that is allowed; OSError or ValueError where none can be."""
    from inspector.capture.bpf import ACCEPT_ALL, without_groups
    from inspector.capture.capture import Capture, open_source
    from inspector.capture.choice import choose_program
    from inspector.capture.ring import BLOCKS, SESSION_BLOCKS
    from inspector.lab.capture.dumpcap import Dumpcap, dumpcap_command
    from inspector.lab.capture.narrowed import WAITS, Narrowed
    from inspector.lab.capture.piped import Piped

    limits, ports = options.limits, supervisor.ports_of_process

    def woken() -> None:
        _wake(options)
        supervisor.stir()

    given = socket.socket(fileno=options.packet_socket) if options.packet_socket >= 0 else None
    program, text = choose_program(options.ports, limits.filter, limits.snaplen)
    path = dumpcap() if mode == "host" and given is None and not may_capture() else None
    if path is not None and ports is None:
        return Dumpcap(
            path, trace, options, text, woken=woken, failed=supervisor.capture_failed,
            born=guardian.watch_over_me,
        )
    if options.wiring is not None:                 # nobody else is there; fragments have no ports
        program, text = without_groups(ACCEPT_ALL), ""
    blocks = BLOCKS if options.command or options.mode == "host" else SESSION_BLOCKS
    what = "loopback" if options.wiring is None else "wire"
    heard = f"all interfaces of {options.place}" if options.place else f"{what} of the {mode}"
    if path is not None:                           # the limits of the file are kept here
        command = dumpcap_command(path, replace(options, limits=Limits(snaplen=limits.snaplen)), text)
        source: Source = Piped(command, guardian.watch_over_me)
    else:
        source = open_source(program, blocks, given, _interface(options))
    return Capture(
        trace, description=heard, woken=woken, failed=supervisor.capture_failed,
        filter=text, snaplen=limits.snaplen, max_size=limits.max_size, most=limits.packets,
        source=source if ports is None else Narrowed(source, ports), interface=_interface(options),
        waits=0.0 if ports is None else WAITS,
    )


def _interface(options: AgentOptions) -> str:
    if options.wiring is not None:
        return WIRE
    return "any" if options.outside.net or options.place else "lo"


def _wake(options: AgentOptions, byte: bytes = b".") -> None:
    try:
        os.write(options.wake, byte)
    except OSError:                                # full: the reader knows already; closed: it has gone
        pass


def _summary(capture: Capturing, supervisor: Supervisor) -> Summary:
    writer = capture.writer
    return Summary(
        writer.packets, capture.last_counts.dropped, writer.size, writer.limit_reached,
        supervisor.program_status, supervisor.program_failure, supervisor.broken, writer.cut,
        supervisor.remedy,
    )


def _import_numpy() -> None:
    """Without the threads it would start for algebra; what is started later hears nothing of that."""
    name = "OPENBLAS_NUM_THREADS"
    before = os.environ.get(name)
    os.environ[name] = "1"
    import numpy  # noqa: F401

    del os.environ[name]
    if before is not None:
        os.environ[name] = before


def _refused(error: OSError | ValueError, mode: str) -> LabError:
    if isinstance(error, PermissionError):
        if mode == "lab":
            return LabError(marked("The lab's packet socket was refused: CAP_NET_RAW is missing there."))
        return LabError(
            marked("Capturing this machine's own loopback needs the privilege CAP_NET_RAW."), how_to_capture()
        )
    if isinstance(error, OSError):
        what = sentence("The capture could not start: {why}.", why=error.strerror or error)
        return LabError(what, _REMEDIES.get(error.errno or 0, ""))
    return LabError(str(error))


def main() -> NoReturn:
    """The process."""
    try:
        if len(sys.argv) != 2:
            raise OptionsError("The agent takes its options as one JSON object.")
        status = run(AgentOptions.from_json(sys.argv[1]))
    except OptionsError as error:
        print(to_line(Refusal(str(error))), file=sys.stderr)
        status = 2
    except LabError as error:
        print(to_line(Refusal(error.sentence, error.remedy)), file=sys.stderr)
        status = 3
    except OSError as error:                       # this process has no more files, memory, children
        words = sentence("The system refused what the lab needs: {why}.", why=error.strerror or error)
        print(to_line(Refusal(words, _REMEDIES.get(error.errno or 0, ""))), file=sys.stderr)
        status = 3
    sys.stderr.flush()
    os._exit(status)                               # scapy's thread may sit in a wait that nobody ends


if __name__ == "__main__":
    main()
