"""The agent's main loop: commands in, processes started and ended, journals read, events into the trace.

Everything is one thread over one selector: the command input, each child's journal and standard error,
and a wake-up pipe for SIGCHLD and SIGTERM. What is reported here reaches people through the trace alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Unpack

from inspector.kernel.followed import Followed
from inspector.kernel.holders import Now
from inspector.kernel.sampler import EVERY, SELDOM, Chosen, Sampler
from inspector.kernel.sock_diag import KernelSocket, SockDiag
from inspector.lab.agent.session import Session
from inspector.lab.capture.narrowed import Ports
from inspector.lab.errors import LabError
from inspector.lab.network.bridge import Bridge
from inspector.lab.network.namespace import keep_half_closed
from inspector.lab.network.wire.ends import Ends
from inspector.lab.network.wire.wire import Wire
from inspector.lab.options import AgentOptions
from inspector.lab.programs.children import Child, not_started, start_program
from inspector.lab.programs.processes import Lab
from inspector.lab.programs.tracer import Tracer
from inspector.model import commands
from inspector.model.commands import Command, EndpointCommand, Execute, Quit, Signal, Start, Stop, WireAct
from inspector.model.language import spoken
from inspector.model.records import EventFields, EventKind, pairs_of
from inspector.model.spec import SessionSpec, SpecError
from inspector.model.wiring import SENDERS, Sender, WireNumber
from inspector.sessions.kinds import resolved
from inspector.wire.journal import CallRecord, EventRecord, Record, Reported, carried, from_line
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.lab.capture.capturing import Capturing

END_GRACE = 1.0                    # seconds that endpoints get to close, when the agent is to end
_CHUNK = 65536
_THOUGHT = 3600                    # seconds that a person may take between two steps


class Supervisor:
    """Obeys the commands until they end; `capture` is set before `run`."""

    capture: Capturing

    def __init__(
        self, options: AgentOptions, lab: Lab, commands: int, bridge: Bridge | None = None,
        ends: Ends | None = None,
    ) -> None:
        self._options, self._lab, self._commands = options, lab, commands
        self._selector = selectors.DefaultSelector()
        self._rest = b""
        self._children: dict[int, Child] = {}
        self._session: Session | None = None
        self._asked: SessionSpec | None = None     # a session that is to begin
        self._deadline: float | None = None        # of the capture, from its start on
        self._ending = False
        self._tracer: Tracer | None = None
        self._bridge = bridge
        self._ends = ends
        self._wire: Wire | None = None
        # Whose ports are wanted is looked up here; the capture waits for what is found.
        self.ports_of_process = Ports() if options.process is not None else None
        self._followed = _followed(options)
        self._sampler = _sampler(lab, options, ends, self._of_process if self._followed else None)
        self._records = 0                          # of others than the sampler,
        # Packets, those and whether the limit is reached, when it was looked last; when more had come.
        self._counts, self._stirred = (0, 0, False), time.monotonic()
        self._rests = False                        # until something happens
        self.broken = self.remedy = ""             # why the capture broke, and what mends it
        self.program_status: int | None = None     # exit status of the last program, 128+N for signal N
        self.program_failure = ""                  # why it could not be started
        self._early_signals: list[int] = []        # for a program that has not begun
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_reader, False)
        os.set_blocking(self._wake_writer, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        os.set_blocking(commands, False)
        self._watch(commands, self._read_commands)
        self._watch(self._wake_reader, self._read_signals)

    # --- the loop --------------------------------------------------------------------------------------

    def run(self) -> None:
        """Until the input ends, or a quit, SIGTERM, a limit or a broken capture; ends all children."""
        writer = self.capture.writer
        if self._bridge is not None:
            self.watch_child(self._bridge.child)
            self._watch(self._bridge.channel.fileno(), self._bridge.give)
            self._bridge.open()
        if self._ends is not None and self._options.wiring is not None:
            self._wire = Wire(self._options.wiring, self._report_of_wire)
            for end, cable in self._wire.cables.items():
                self._watch(cable.fileno(), partial(self._wire.receive, end))
        if self._options.limits.seconds:
            self._deadline = time.monotonic() + self._options.limits.seconds
        waiting = bool(self._options.command)
        while not self._ending:
            if self._bridge is None or self._bridge.ready:
                if waiting:
                    waiting = False
                    self._execute(list(self._options.command))
                    continue
                if self._asked is not None:
                    self._start(self._asked)
            self._turn(SELDOM if self._sampler is None else self._sampler.due(self._still))
            if self._deadline is not None and time.monotonic() >= self._deadline:
                self._deadline = None
                seconds = self._options.limits.seconds
                text = spoken(f"The capture ended after {seconds:g} second." if seconds == 1 else
                              f"The capture ended after {seconds:g} seconds.")
                writer.limit(text, time.time_ns())
            if (self.broken or writer.limited) and not self._options.command:
                break                              # a program goes on, uncaptured: its status is wanted
        if self.ports_of_process is not None and self._sampler is not None:
            self.capture.record(*self._sampler.look(at_once=True))     # it may have begun to listen just now
        self._end_children()
        if self.ports_of_process is not None:
            self.ports_of_process.end()

    def close(self) -> None:
        """Once all programs are gone: strace complains where it tells of one and nobody reads."""
        if self._tracer is not None:
            self._tracer.close()
            self._tracer = None

    def capture_failed(self, sentence: str, remedy: str) -> None:
        """The capture broke (called in its thread)."""
        self.broken, self.remedy = sentence, remedy
        os.write(self._wake_writer, b"\0")

    def stir(self) -> None:
        """The trace has grown (called in the capture's thread): by packets, for instance."""
        if self._rests and self._has_moved():
            self._rests = False
            with contextlib.suppress(BlockingIOError):         # full: it will wake all the same
                os.write(self._wake_writer, b"\0")

    def record(self, *records: Record) -> None:
        """Put something into the trace."""
        self._records += len(records)
        self.capture.record(*records)

    def watch_child(self, child: Child) -> None:
        """Read what a started child reports, and notice its end."""
        self._children[child.pid] = child
        if child.journal is not None:
            self._watch(child.journal, lambda: self._read_journal(child))
        if child.output is not None:
            self._watch(child.output, lambda: self._read_output(child))

    def _turn(self, longest: float) -> None:
        timers = [longest]
        if self._deadline is not None:
            timers.append(self._deadline - time.monotonic())
        timers += [one.due for one in (self._wire, self._session, self._bridge)
                   if one is not None and one.due is not None]
        wait = max(0.0, min(timers))
        self._rests = wait > EVERY                 # before it is asked: what comes from now on wakes us
        if self._rests and self._has_moved():
            wait = 0.0
        found = self._selector.select(wait)
        self._rests = False
        for key, _ in found:
            key.data()
        if self._wire is not None:
            self._wire.tick()
        if self._session is not None:
            self._session.tick()
        if self._bridge is not None and not self._ending:
            self._bridge.tick()
        self._sample()
        if self._followed is not None:
            self._report_news(self._followed)

    def _has_moved(self) -> bool:
        """Whether there is more than when it was looked last: a packet, a call, an event, or the limit."""
        writer = self.capture.writer
        moved = self._counts != (writer.packets, self._records, writer.limited)
        return moved and (self._sampler is not None or writer.limited)

    @property
    def _still(self) -> float:
        """For how many seconds neither packets nor calls have come; what a process's ports are is asked
        all the time."""
        return time.monotonic() - self._stirred if self._followed is None else 0.0

    def _sample(self) -> None:
        """Look at the sockets; the more seldom the longer neither packets nor calls came."""
        if self._has_moved():
            writer = self.capture.writer
            self._counts, self._stirred = (writer.packets, self._records, writer.limited), time.monotonic()
        if self._sampler is not None:
            self.capture.record(*self._sampler.look(self._still))

    def _of_process(self, found: Sequence[KernelSocket], time_ns: int) -> Sequence[KernelSocket]:
        """Of all sockets those of the process that is followed; what its ports are goes to the capture."""
        assert self._followed is not None and self.ports_of_process is not None
        chosen = self._followed.chosen(found)
        self.ports_of_process.add(time_ns, self._followed.ports)
        self.capture.wake()
        return chosen

    def _report_news(self, followed: Followed) -> None:
        for sentence in followed.news:
            self._report("note", sentence)
        followed.news.clear()

    def _watch(self, descriptor: int, action: Callable[[], None]) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, action)

    def _forget(self, descriptor: int | None) -> None:
        if descriptor is not None:
            try:
                self._selector.unregister(descriptor)
            except KeyError:
                return
            os.close(descriptor)

    def _report(self, kind: EventKind, text: str, *, child: Child | None = None,
                **fields: Unpack[EventFields]) -> None:
        role, pid = (child.role, child.pid) if child is not None else ("", None)
        self.record(EventRecord(kind, text, time.time_ns(), role, pid, pairs_of(fields)))

    # --- what children report --------------------------------------------------------------------------

    def _read_journal(self, child: Child) -> None:
        if child.journal is None:
            return
        data = _read(child.journal)
        if data == b"":
            self._forget(child.journal)
            child.journal = None
        *lines, child.rest = (child.rest + (data or b"")).split(b"\n")
        for line in lines:
            try:
                record = from_line(line)
            except ValueError:
                self._report("failed", f"The {child.role}'s journal cannot be read.", child=child)
                continue
            self._take(child, record)

    def _take(self, child: Child, record: Reported) -> None:
        if isinstance(record, EventRecord) and record.kind == "sample":
            sample = carried(record)
            if sample is not None:
                self.capture.record(sample)        # as those of our own sampler: nothing moved by it
            return
        self.record(record)
        if isinstance(record, CallRecord):
            return
        if record.kind == "failed":
            child.failed = True
        if self._session is not None:
            self._session.heard(child, record)

    def _read_output(self, child: Child) -> None:
        data = _read(child.output) if child.output is not None else None
        if data:
            child.keep(data)
        elif data == b"":
            self._forget(child.output)
            child.output = None

    def _read_signals(self) -> None:
        numbers = _read(self._wake_reader) or b""
        if signal.SIGTERM in numbers or signal.SIGHUP in numbers:
            self._ending = True
        self._reap()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is not None:
                self._ended(child, status)

    def _ended(self, child: Child, status: int) -> None:
        child.ended(status)
        for _ in range(64):                                # what still stands in its pipes
            self._read_journal(child)
            self._read_output(child)
            if child.journal is None and child.output is None:
                break
        self._forget(child.journal)
        self._forget(child.output)
        child.journal = child.output = None
        if child.role == "program":
            self._program_ended(child)
        elif child.role == "relay":
            self._relay_ended(child)
        elif self._session is not None and self._session.owns(child):
            self._session.ended(child)

    def _relay_ended(self, child: Child) -> None:
        """The relay ended though nobody asked it to: what it led is over, all else goes on."""
        if self._bridge is None or not child.status:
            return
        self._close_bridge()
        text = f"{child.complaint} What it led between the lab and this machine has ended with it."
        self._report("failed", text, child=child)

    def _close_bridge(self) -> None:
        if self._bridge is not None:
            self._selector.unregister(self._bridge.channel.fileno())
            self._bridge.close()
            self._bridge = None

    # --- commands --------------------------------------------------------------------------------------

    def _read_commands(self) -> None:
        data = _read(self._commands)
        if data is None:
            return
        if data == b"":
            self._ending = True
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.strip() and not self._ending:
                self._obey_line(line)

    def _obey_line(self, line: bytes) -> None:
        try:
            self._obey(commands.from_line(line))
        except SpecError as error:
            self._report("failed", str(error))
        except ValueError as error:
            self._report("failed", f"A command was not understood: {error}")

    def _obey(self, command: Command) -> None:
        match command:
            case Quit():
                self._ending = True
            case Start(spec):
                self._asked = resolved(spec)
                if self._bridge is None or self._bridge.ready:
                    self._start(self._asked)       # else when what it talks to can be reached
            case Execute(words):
                self._execute(list(words))
            case Signal(number):
                self._signal_program(number)
            case Stop():
                if self._session is not None:
                    self._session.stop()
            case commands.Wire(act, packet):
                self._obey_wire(act, packet)
            case _:
                self._hand_on(command)

    def _obey_wire(self, act: WireAct, packet: WireNumber) -> None:
        if self._wire is None:
            self._report("failed", "The ends talk over the loopback; there is no wire to hold.")
        else:
            self._wire.obey(act, packet)

    def _report_of_wire(self, text: str, **fields: Unpack[EventFields]) -> None:
        self.record(EventRecord("wire", text, time.time_ns(), fields=pairs_of(fields)))

    def _hand_on(self, command: EndpointCommand) -> None:
        session = self._session
        if session is not None and session.command(command):
            return
        if session is not None and session.awaits(command.to):
            text = spoken(f"The {command.to} cannot {command.do} yet: it begins when the server listens.")
        else:
            text = spoken(f"There is no endpoint to {command.do}.")
        self._report("failed", text)

    def _start(self, spec: SessionSpec) -> None:
        self._asked = None
        if self._session is not None and not self._session.over:
            self._report("failed", "A session runs already; stop it first.")
            return
        if (spec.wiring is None) != (self._wire is None):
            self._report("failed", "This lab was made for another kind of wire; start the session anew.")
            return
        if self._wire is not None:
            self._wire.begin()
        if self._bridge is not None and spec.service is not None:
            self._read_journal(self._bridge.child)
            if self._bridge.child.failed:              # the lab's own loopback would answer in its place
                self._report("session-ended", "Nobody is there to talk to: no session begins.", ok="false")
                return
        if spec.paused and self._lab.networks:
            self._take_time()
        networks = None if self._ends is None else self._ends.networks
        unmet = tuple if self._wire is None else self._wire.unmet
        self._session = Session(spec, self._lab.mark, self.watch_child, self._report, networks, unmet)

    def _take_time(self) -> None:
        """A person leads, and may think for longer than a kernel keeps what a program has closed."""
        keep_half_closed(_THOUGHT)
        if self._ends is not None:
            for end in SENDERS:
                with self._ends.inside(end):
                    keep_half_closed(_THOUGHT)

    # --- programs --------------------------------------------------------------------------------------

    def _execute(self, command: list[str]) -> None:
        try:
            if self._options.syscalls and self._tracer is None:
                self._tracer = Tracer()
                self._watch(self._tracer.descriptor, self._read_tracer)
            words = self._tracer.around(command) if self._tracer is not None else command
            child = start_program(words, self._lab.mark, self._options.terminal, self._options.group)
        except (OSError, IndexError, ValueError) as error:
            status = "126" if isinstance(error, PermissionError) else "127"
            reason = not_started(error, command)
            name = escaped(" ".join(command[:1]), 100) or "The program"
            self.program_failure = spoken(f"{name} could not be started: {reason}.")
            self._report("failed", self.program_failure)
            self._report("program-ended", "The program was never started.", status=status)
            self._program_over(int(status))
            return
        self.watch_child(child)
        text = f"{escaped(' '.join(command), 200)} runs."
        self._report("program-started", text, child=child, command=json.dumps(command))
        early, self._early_signals = self._early_signals, []
        for number in early:
            child.signal(number)

    def _signal_program(self, number: int) -> None:
        programs = [child for child in self._children.values() if child.role == "program"]
        for child in programs:
            child.signal(number)
        if not programs and self.program_status is None:
            self._early_signals.append(number)

    def _read_tracer(self) -> None:
        if self._tracer is not None:
            self.record(*self._tracer.read())

    def _program_ended(self, child: Child) -> None:
        if self._tracer is not None:
            self.record(*self._tracer.finish(child.pid))
        status = child.status or 0
        code = str(128 - status if status < 0 else status)
        text = child.complaint if status else "The program ended."
        self._report("program-ended", text, child=child, status=code)
        self._program_over(int(code))

    def _program_over(self, status: int) -> None:
        self.program_status = status
        if self._options.command:
            self._ending = True

    # --- the end ---------------------------------------------------------------------------------------

    def _end_children(self) -> None:
        self._close_bridge()
        if self._session is not None:
            self._session.stop()
        for child in self._children.values():
            if child.role == "program":
                child.signal(signal.SIGTERM)
        deadline = time.monotonic() + END_GRACE
        while self._children and time.monotonic() < deadline:
            self._turn(0.05)
        for child in self._children.values():
            child.signal(signal.SIGKILL)
        deadline = time.monotonic() + END_GRACE
        while self._children and time.monotonic() < deadline:
            self._turn(0.05)


def _followed(options: AgentOptions) -> Followed | None:
    """Who looks after the process that is watched; never taken for it are we, and who started us."""
    if options.process is None:
        return None
    own = os.getpid()
    return Followed(options.process.pid, options.process.name, frozenset({own, os.getppid()}))


def _sampler(lab: Lab, options: AgentOptions, ends: Ends | None, chosen: Chosen | None) -> Sampler | None:
    """What looks at the kernel's sockets: all of the lab's, those of the host's ports, or of the process."""
    if options.place or (not lab.networks and not options.ports and chosen is None):
        return None                                # a whole machine's sockets are no picture of anything
    try:
        if ends is not None:
            return Sampler(lab.members, networks=[_sockets_at(ends, end) for end in SENDERS])
        if lab.networks:
            return Sampler(lab.members)
        return Sampler(Now(), options.ports, chosen=chosen)
    except OSError as error:                       # a kernel without sock_diag
        if chosen is not None:
            raise LabError("This kernel does not tell whose sockets are whose (sock_diag): name the ports "
                           "to be watched.") from error  # fmt: skip
        return None


def _sockets_at(ends: Ends, end: Sender) -> SockDiag:
    with ends.inside(end):
        return SockDiag()


def _read(descriptor: int) -> bytes | None:
    """What is there; b"" at the end, None when nothing is there."""
    try:
        return os.read(descriptor, _CHUNK)
    except (BlockingIOError, InterruptedError):
        return None
    except OSError:
        return b""
