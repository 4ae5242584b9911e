"""The ports of a process: real ones, found as they open, by our own capture and by dumpcap's."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from inspector.capture.batch import Batch
from inspector.capture.packet_socket import Counts
from inspector.lab.capture.access import may_capture
from inspector.lab.capture.narrowed import Narrowed, Ports
from inspector.lab.capture.privilege import borrow
from inspector.lab.launch import Agent, start_agent
from inspector.lab.options import Process
from inspector.trace.trace import Trace
from inspector.wire.pcapng import enhanced_packet
from tests.support.captures.frames import FRAME
from tests.support.running.commands import inspector
from tests.support.running.lab import read_trace
from tests.support.running.processes import first_line
from tests.support.running.users import UNKNOWN, environment, interpreter
from tests.support.screen.window import LEFT, terminal

needs_privilege = pytest.mark.skipif(not may_capture(), reason="needs root or CAP_NET_RAW")
COMMAND = [sys.executable, "-m", "inspector"]
NAME = "follow-me-now"
# "listen": listens on a port and says which one; "answer": answers one who connects; "dial N": says something
# there; "child": the same program again, to which all that follows is said.
PROGRAM = """
import socket, subprocess, sys
servers = []
for line in sys.stdin:
    word, *rest = line.split()
    if word == "listen":
        servers.append(socket.create_server(("127.0.0.1", 0)))
        print(servers[-1].getsockname()[1], flush=True)
    elif word == "answer":
        with servers[-1].accept()[0] as came:
            came.sendall(b"answer to " + came.recv(100))
        print("done", flush=True)
    elif word == "dial":
        with socket.create_connection(("127.0.0.1", int(rest[0]))) as dialled:
            dialled.sendall(b"dialled")
            dialled.recv(100)
    elif word == "child":
        print("it goes on", flush=True)
        subprocess.run([sys.executable, __file__])
        break
"""


@contextmanager
def program(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The program, called NAME."""
    path = folder / NAME
    path.write_text(f"#!{sys.executable}\n{PROGRAM}")
    path.chmod(0o755)
    with subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def command(process: subprocess.Popen[str], text: str) -> str:
    """What it answers."""
    assert process.stdin is not None
    process.stdin.write(f"{text}\n")
    process.stdin.flush()
    return first_line(process).strip()


def dial(process: subprocess.Popen[str]) -> int:
    """Have it listen, and talk to it; the port."""
    port = int(command(process, "listen"))
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"hello")
        assert command(process, "answer") == "done"
        assert client.recv(100) == b"answer to hello"
    return port


def foreign_exchange() -> int:
    """What nobody asked for; its port."""
    with (socket.create_server(("127.0.0.1", 0)) as server,
          socket.create_connection(server.getsockname()) as client):
        client.sendall(b"of no interest")
        with server.accept()[0] as came:
            came.recv(100)
        return int(server.getsockname()[1])


def ports_in(path: Path) -> set[int]:
    with Trace.open(path) as trace:
        trace.finish()
        return {int(end.rpartition(":")[2]) for row in trace.conversations("tcp") for end in (row.a, row.b)}


def first_flags(path: Path, port: int) -> int:
    """Flags of the first packet to or from a port."""
    with Trace.open(path) as trace:
        trace.finish()
        row = next(row for row in range(trace.index.count)
                   if port in (trace.index.sport[row], trace.index.dport[row]))
        return int(trace.index.tcp_flags[row])


def wait_for(agent: Agent, path: Path, text: str) -> None:
    """Until an event says so."""
    deadline = time.monotonic() + 20
    while not any(text in event.text for event in read_trace(path).events):
        assert time.monotonic() < deadline, [event.text for event in read_trace(path).events]
        agent.wait_for_news(1)


@needs_privilege
def test_ports_are_found_as_they_open_from_the_first_packet_on(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    with program(tmp_path) as process:
        with start_agent(path, "host", process=Process(process.pid, NAME)) as agent:
            known = dial(process)                  # nobody could know this port when its first packet came
            foreign = foreign_exchange()
            with socket.create_server(("127.0.0.1", 0)) as server:
                threading.Thread(target=command, args=(process, f"dial {server.getsockname()[1]}"),
                                 daemon=True).start()  # fmt: skip
                came, _ = server.accept()
                dialled = came.getpeername()[1]
                assert came.recv(100) == b"dialled"
                wait_for(agent, path, f"127.0.0.1:{known} is listened on by {NAME} {process.pid}.")
                time_out = time.monotonic() + 20
                while dialled not in ports_in(path) and time.monotonic() < time_out:
                    agent.wait_for_news(1)
                came.close()
        found = ports_in(path)
        assert {known, dialled} <= found and foreign not in found
        assert first_flags(path, known) == first_flags(path, dialled) == 0x002
        with Trace.open(path) as trace:
            trace.finish()
            listener = next(one for one in trace.kernel if one.local == f"127.0.0.1:{known}")
            assert (listener.state, listener.process, listener.pid) == ("LISTEN", NAME[:15], process.pid)
            times = [int(moment) for moment in trace.index.time_ns[: trace.index.count]]
            assert times == sorted(times)


@needs_privilege
def test_a_name_is_waited_for_and_children_belong_to_it(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    with start_agent(path, "host", process=Process(name=NAME)) as agent:
        wait_for(agent, path, f"No process is named {NAME} yet: it is waited for.")
        with program(tmp_path) as process:
            command(process, "child")
            port = dial(process)
            wait_for(agent, path, f"{port} is listened on by {NAME} {process.pid} and its children.")
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
        wait_for(agent, path, f"{NAME} {process.pid} has ended.")
    assert port in ports_in(path)


@needs_privilege
@pytest.mark.parametrize("way", ["helper", "dumpcap"])
def test_the_other_ways_to_capture_are_narrowed_too(way: str, tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    if way == "dumpcap":
        if shutil.which("dumpcap") is None or not interpreter():
            pytest.skip("needs dumpcap, and root to be somebody who may only run it")
        with tempfile.TemporaryDirectory() as folder:      # pytest's own is closed to others
            narrow_by_dumpcap(Path(folder))
        return
    with program(tmp_path) as process, borrow([], (), 0) as packets:
        with start_agent(path, "host", process=Process(process.pid), packet_socket=packets.fileno()):
            port, foreign = dial(process), foreign_exchange()
        assert port in ports_in(path) and foreign not in ports_in(path)
        assert first_flags(path, port) == 0x002


def narrow_by_dumpcap(folder: Path) -> None:
    """The same where this process may open no packet socket: dumpcap is a copy that may, by its own bit."""
    tool = folder / "dumpcap"
    shutil.copy(str(shutil.which("dumpcap")), tool)
    tool.chmod(0o4755)
    folder.chmod(0o755)
    mine = folder / "mine"
    mine.mkdir()
    os.chown(mine, UNKNOWN, UNKNOWN)
    file = mine / NAME
    file.write_text(f"#!{interpreter()}\n{PROGRAM}")
    file.chmod(0o755)
    done = subprocess.run(
        [interpreter(), "-c", BY_DUMPCAP, str(mine / "x.pcapng"), str(file)], user=UNKNOWN, group=UNKNOWN,
        extra_groups=[], env=environment(PATH=f"{folder}:/usr/bin:/bin"), cwd=mine, check=False, text=True,
        capture_output=True, timeout=120,
    )
    assert done.returncode == 0, done.stderr
    port, foreign = map(int, done.stdout.split())
    assert port in ports_in(mine / "x.pcapng") and foreign not in ports_in(mine / "x.pcapng")
    assert first_flags(mine / "x.pcapng", port) == 0x002


BY_DUMPCAP = """
import subprocess, sys
from pathlib import Path
from inspector.lab.capture.access import dumpcap, may_capture
from inspector.lab.launch import start_agent
from inspector.lab.options import Process
from tests.lab.capture.test_followed import dial, foreign_exchange, ports_in
assert not may_capture() and dumpcap()
with subprocess.Popen([sys.argv[2]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
    path = Path(sys.argv[1])
    with start_agent(path, "host", process=Process(process.pid)) as agent:
        port, foreign = dial(process), foreign_exchange()
        while port not in ports_in(path):
            assert agent.poll() is None, agent.failure()
            agent.wait_for_news(1)
    process.kill()
    print(port, foreign)
"""


@needs_privilege
def test_the_app_waits_for_a_service_and_shows_it(tmp_path: Path) -> None:
    with terminal(tmp_path, [*COMMAND, "watch", "--name", NAME], size=(120, 40)) as app:
        app.until_shown(f"processes named {NAME}", "● live")
        with program(tmp_path) as process:
            dial(process)
            app.until_shown("answer to hello")
        app.write(b"\x11")
        app.read_until(LEFT)
        assert app.ended() == 0


@pytest.mark.parametrize(("words", "sentence"), [
    ("--pid 4000000", "There is no process 4000000; --name waits for one."),
    ("--name a/b", "\"a/b\" is no name of a process; 'ps -e' tells them."),
    ("--pid 1 8000", "A process's ports are found; name either it or the ports."),
    ("--pid 1 --name x", "One place at a time: a machine, --pid, --name, --netns or --container."),
])
def test_who_can_not_be_meant_is_one_sentence(words: str, sentence: str) -> None:
    done = inspector("watch", *words.split())
    assert (done.returncode, done.stderr) == (2, f"inspector: {sentence}\n")


@pytest.mark.skipif(not interpreter(), reason="a second user needs root, and a Python that it may run")
def test_another_user_s_process_is_refused_before_anybody_is_asked() -> None:
    program = ("from inspector.cli.options.process import *\n"
               f"require_sockets_of(process_of({os.getpid()}, None))")
    done = subprocess.run(
        [interpreter(), "-c", program], user=UNKNOWN, group=UNKNOWN, extra_groups=[], env=environment(),
        capture_output=True, text=True, check=False, cwd="/",
    )
    assert "is another user's: which sockets it has, only root may know." in done.stderr


class Given:
    """A source of batches that were made by hand."""

    def __init__(self, *batches: Batch) -> None:
        self.batches = list(batches)
        self.released = 0

    def fileno(self) -> int:
        return 0

    def read(self) -> Batch:
        return self.batches.pop(0) if self.batches else Batch(seen_until=99)

    def release(self) -> None:
        self.released += 1

    def clear_error(self) -> None: ...

    def counts(self) -> Counts:
        return Counts()

    def close(self) -> None: ...


def test_packets_wait_for_the_look_after_them() -> None:
    frames = [FRAME.replace(b"\x9c\x41", struct.pack(">H", port)) for port in (80, 81)]
    blocks = [np.frombuffer(enhanced_packet(*one), "u1") for one in zip(frames, (10, 20), strict=True)]
    vectors = np.array([(one.ctypes.data, one.size) for one in blocks], np.uint64)
    batch = Batch(np.array([10, 20]), vectors, 20)
    ports = Ports()
    source = Given(batch)
    narrowed = Narrowed(source, ports)
    assert (len(narrowed.read().times), source.released) == (0, 1)
    ports.add(15, frozenset({81}))
    assert len(narrowed.read().times) == 0                 # the last one came after that look
    ports.add(21, frozenset())
    found = narrowed.read()
    assert found.times.tolist() == [20]                    # its port is closed by now, and was one
    assert len(blocks[1]) == found.vectors[0, 1]
    assert narrowed.read().seen_until == 99
