"""System calls of a real program in the lab, by strace, beside the packets that they caused."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from inspector.lab.errors import LabError
from inspector.lab.programs import tracer
from inspector.trace.trace import Trace
from inspector.views.ladder.ladder import Conversation, Ladder
from inspector.views.ladder.layout import LEFT, RIGHT
from tests.support.running.commands import inspector

PROGRAM = """
import os, socket, threading
server = socket.create_server(("127.0.0.1", 9000))
if os.fork() == 0:
    with socket.create_connection(("127.0.0.1", 9000)) as client:
        client.sendall(b"hello")
        client.recv(100)
    os._exit(0)
connection, _ = server.accept()
connection.sendall(connection.recv(100))
os.wait()
raise SystemExit(7)
"""

# A worker takes over the listening socket, as in nginx; a child the accepted one, as in PostgreSQL.
WORKERS = """
import os, socket
server = socket.create_server(("127.0.0.1", 9000))
worker = os.fork()
if worker == 0:
    connection, _ = server.accept()
    if os.fork() == 0:
        connection.sendall(connection.recv(100))
        os._exit(0)
    connection.close()
    os.wait()
    os._exit(0)
server.close()
with socket.create_connection(("127.0.0.1", 9000)) as client:
    client.sendall(b"hello")
    client.recv(100)
os.wait()
"""

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed here")


@needs_strace
def test_a_program_and_its_child_are_traced_beside_their_packets(tmp_path: Path) -> None:
    file = str(tmp_path / "x.pcapng")
    done = inspector("exec", "--syscalls", "--save", file, "--", sys.executable, "-c", PROGRAM)
    assert done.returncode == 7, done.stderr           # the program's own, not strace's
    calls = [json.loads(line) for line in inspector("decode", file, "--json", "syscalls").stdout.splitlines()]
    processes = {call["pid"] for call in calls}
    assert len(processes) == 2
    by_process = [[call["call"] for call in calls if call["pid"] == pid] for pid in sorted(processes)]
    assert [name for name in by_process[0] if name in ("bind", "listen", "accept4")] == [
        "bind", "listen", "accept4"
    ]
    assert [name for name in by_process[1] if name != "setsockopt"][:2] == ["socket", "connect"]
    listed = inspector("decode", file, "--json", "conversations").stdout.splitlines()
    conversation = json.loads(listed[0])
    client, server = sorted(processes, reverse=True)
    assert conversation["process_a"].endswith(f" {client}")
    assert conversation["process_b"].endswith(f" {server}")


@needs_strace
def test_a_worker_that_took_a_socket_over_stands_on_the_servers_side(tmp_path: Path) -> None:
    file = str(tmp_path / "x.pcapng")
    done = inspector("exec", "--syscalls", "--save", file, "--", sys.executable, "-c", WORKERS)
    assert done.returncode == 0, done.stderr
    with Trace.open(file) as trace:
        trace.finish()
        parent = next(call.pid for call in trace.calls if call.name == "listen")
        worker = next(call.pid for call in trace.calls if call.name.startswith("accept"))
        for conversation in (None, Conversation("tcp", 0)):
            moments = Ladder(trace, conversation).moments
            sides = {(trace.calls[one.call].pid, trace.calls[one.call].name, one.side) for one in moments}
            serving = {(pid, name) for pid, name, side in sides if side == RIGHT}
            assert {(worker, "accept4"), (worker, "close")} <= serving
            assert {name for pid, name in serving if pid not in (parent, worker)} >= {"recvfrom", "sendto"}
            assert {pid for pid, _, side in sides if side == LEFT} == {parent}


# Programs that go on with calls when the one that was asked for has ended, faster than they are read.
LEFT_BEHIND = "import socket\nwhile True: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()"
STARTS_THEM = 'for each in 1 2 3 4 5 6; do "$0" -c "$1" & done; sleep 0.7'


@needs_strace
@pytest.mark.thorough
def test_what_is_left_behind_lets_strace_complain_of_nothing() -> None:
    """It was read no more while they still ran, and said "Broken pipe" for each."""
    done = inspector("exec", "--syscalls", "--", "sh", "-c", STARTS_THEM, sys.executable, LEFT_BEHIND)
    assert done.returncode == 0 and "strace" not in done.stderr


@needs_strace
def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = inspector("exec", "--syscalls", "--save", str(tmp_path / "x"), "--", "no-such-program")
    assert done.returncode == 127
    assert "no-such-program could not be started: No such file or directory." in done.stderr


def test_without_strace_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LabError) as error:
        tracer.strace()
    assert "strace" in error.value.sentence
    assert error.value.remedy == "sudo apt install strace"
