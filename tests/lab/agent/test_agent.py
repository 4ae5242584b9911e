"""The agent as a whole, with real endpoints and programs in a real lab."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from inspector.lab.launch import Agent, start_agent
from inspector.lab.options import Limits
from inspector.model.commands import Abort, Close, Command, Execute, HalfClose, Send, Start, Stop
from inspector.model.messages import Message
from inspector.model.spec import SessionSpec
from inspector.wire.journal import CallRecord
from tests.support.running.lab import (
    needs_lab,
    network_of,
    processes_in,
    read_trace,
    wait_for_event,
    wait_until,
    wait_until_gone,
)
from tests.support.running.processes import first_line
from tests.support.tiers import sweep, thorough

pytestmark = needs_lab
TCP = Start(SessionSpec())
STAYS = Start(SessionSpec(interactive=True))
GRANDCHILD = "import subprocess, time; subprocess.Popen(['sleep', '1000']); time.sleep(999)"
FLAGS_AT = 14 + 20 + 13


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def done(name: str, path: Path) -> int:
    """How many calls of this name have done what they were asked for: an accept() that Stop wakes has not."""
    calls = read_trace(path).calls
    return sum(call.name == name and call.end_ns is not None and call.errno is None for call in calls)


@pytest.mark.quick
@pytest.mark.usefixtures("really_started")
def test_a_session_is_captured_with_its_calls_between_the_packets(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    with start_agent(path) as agent:
        assert agent.mode == "lab"
        agent.send(TCP)
        wait_for_event(agent, path, "session-ended")
    reading = read_trace(path)
    assert reading.rest == 0
    assert reading.fact("session-ended", "ok") == "true"
    assert reading.fact("agent-ready", "mode") == "lab"
    flags = [frame[FLAGS_AT] for frame in reading.frames]
    assert flags[:3] == [0x02, 0x12, 0x10]
    assert flags.count(0x02) == 1                                     # each packet once
    assert len(set(reading.frames)) == len(reading.frames)
    syn, last_ack = reading.items.index(0), reading.items.index(2)
    connects = [call for call in reading.calls if call.name == "connect"]
    assert [call.end_ns is None for call in connects] == [True, False]
    assert reading.items.index(connects[0]) < syn < last_ack < reading.items.index(connects[1])
    assert reading.received == len(reading.frames)
    assert reading.dropped == 0


SESSIONS = {
    "tcp over IPv6": SessionSpec(kind="tcp", ipv6=True),
    "tcp, pushed": SessionSpec(kind="tcp", behaviour="push", push_interval=0.01),
    "tcp, aborted": SessionSpec(kind="tcp", ending="abort"),
    "tcp, not ended": SessionSpec(kind="tcp", ending="none"),
    "tcp, refused": SessionSpec(kind="tcp", with_server=False),
    "udp": SessionSpec(kind="udp"),
    "udp, not ended": SessionSpec(kind="udp", ending="none"),
    "udp, refused": SessionSpec(kind="udp", with_server=False),
    "http": SessionSpec(kind="http"),
    "websocket, deflated": SessionSpec(kind="websocket", deflate=True),
}


@sweep("session", SESSIONS.values(), lambda session: session == SESSIONS["udp, not ended"], ids=SESSIONS)
def test_every_kind_of_session_ends_as_asked(tmp_path: Path, session: SessionSpec) -> None:
    path = tmp_path / "t.pcapng"
    with start_agent(path) as agent:
        agent.send(Start(session))
        wait_for_event(agent, path, "session-ended")
    reading = read_trace(path)
    assert reading.fact("session-ended", "ok") == "true"
    assert reading.dropped == 0
    kinds = {event.kind for event in reading.events}
    assert kinds >= {"session-started", "endpoint-started", "endpoint-ended"}
    if not session.with_server and session.kind == "udp":
        assert any(frame[23] == 1 for frame in reading.frames)         # ICMP port unreachable


def test_file_order_is_time_order(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    with start_agent(path) as agent:
        agent.send(TCP)
        wait_for_event(agent, path, "session-ended")
    reading = read_trace(path)
    returned = set()
    moments = []
    for item in reading.items:
        if isinstance(item, int):
            moments.append(reading.times[item])
        elif isinstance(item, CallRecord) and item.end_ns is not None and (item.pid, item.id) in returned:
            moments.append(item.end_ns)
        else:
            moments.append(item.time_ns)
            if isinstance(item, CallRecord):
                returned.add((item.pid, item.id))
    late = [b - a for a, b in itertools.pairwise(moments) if b < a]
    assert len(late) <= 2, late                    # a process may be suspended between its clock and its pipe


@thorough
def test_an_older_longer_file_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    path.write_bytes(bytes(100_000))
    start_agent(path).close()
    assert read_trace(path).rest == 0
    assert path.stat().st_size < 10_000


def test_nothing_is_left_after_the_end_of_input(tmp_path: Path) -> None:
    agent = start_agent(tmp_path / "t.pcapng")
    network = network_of(agent)
    agent.send(STAYS)
    wait_for_event(agent, tmp_path / "t.pcapng", "listening")
    assert len(processes_in(network)) >= 4
    assert agent.close() == 0
    assert processes_in(network) == []
    assert read_trace(tmp_path / "t.pcapng").has("session-ended")


@sweep("killed", ["parent", "agent"], "agent".__eq__)
def test_nothing_is_left_after_kill_9(tmp_path: Path, killed: str) -> None:
    path = tmp_path / "t.pcapng"
    script = f"""
import json, time
from inspector.lab.launch import start_agent
from inspector.model.commands import Execute, Start
from inspector.model.spec import SessionSpec
agent = start_agent({str(path)!r})
agent.send({STAYS!r})
agent.send(Execute(({sys.executable!r}, "-c", {GRANDCHILD!r})))
print(agent.pid, flush=True)
time.sleep(1000)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    agent_pid = int(first_line(parent))
    network = Path(f"/proc/{agent_pid}/ns/net").stat().st_ino
    wait_until(lambda: done("connect", path), "the return of connect")
    wait_until(lambda: any(name_of(pid) == "sleep" for pid in processes_in(network)), "the program's child")
    os.kill(parent.pid if killed == "parent" else agent_pid, signal.SIGKILL)
    wait_until_gone(network)
    parent.kill()
    parent.communicate()
    reading = read_trace(path)
    assert len(reading.frames) >= 3
    assert reading.rest == 0


@pytest.mark.parametrize(("paused", "seconds"), [(True, "3600"), (False, "60")])
def test_a_person_who_leads_has_time_to_think(tmp_path: Path, paused: bool, seconds: str) -> None:
    """The kernel drops who has closed after a minute: the other end's FIN is then answered by a reset."""
    path, copy = tmp_path / "t.pcapng", tmp_path / "said"
    with start_agent(path) as agent:
        agent.send(Start(SessionSpec(interactive=True, paused=paused)))
        wait_for_event(agent, path, "endpoint-started")
        agent.send(Execute(("cp", "/proc/sys/net/ipv4/tcp_fin_timeout", str(copy))))
        wait_for_event(agent, path, "program-ended")
    assert copy.read_text().strip() == seconds


def test_ctrl_c_does_not_reach_the_agent(tmp_path: Path) -> None:
    with start_agent(tmp_path / "t.pcapng") as agent:
        assert os.getpgid(agent.pid) != os.getpgrp()
        assert os.getsid(agent.pid) != os.getsid(0)
        os.kill(agent.pid, signal.SIGINT)
        agent.send(TCP)
        wait_for_event(agent, tmp_path / "t.pcapng", "session-ended")


def test_an_agent_that_is_stopped_has_kept_what_came_meanwhile(tmp_path: Path) -> None:
    path, begin, over = tmp_path / "t.pcapng", tmp_path / "begin", tmp_path / "over"
    program = f"""
import pathlib, socket, time
while not pathlib.Path({str(begin)!r}).exists():
    time.sleep(0.02)
for number in range(50):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"meanwhile %d" % number, ("127.0.0.1", 9))
pathlib.Path({str(over)!r}).touch()
"""
    with start_agent(path) as agent:
        agent.send(Execute((sys.executable, "-c", program)))
        wait_for_event(agent, path, "program-started")
        os.kill(agent.pid, signal.SIGSTOP)
        begin.touch()
        wait_until(over.exists, "the end of what was sent")
        os.kill(agent.pid, signal.SIGCONT)
        wait_for_event(agent, path, "program-ended")
    frames = read_trace(path).frames
    assert all(any(frame.endswith(b"meanwhile %d" % number) for frame in frames) for number in range(50))
    assert read_trace(path).dropped == 0 and read_trace(path).rest == 0


@sweep("role", ["server", "client"], lambda role: role == "server")
def test_an_endpoint_that_is_stopped_goes_on_where_it_stood(role: str, tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    with start_agent(path) as agent:
        agent.send(STAYS)
        wait_until(lambda: done("accept", path), "the connection")
        endpoint = next(call.pid for call in read_trace(path).calls if call.role == role)
        os.kill(endpoint, signal.SIGSTOP)
        agent.send(Send(Message(b"while one end stands still")))
        agent.send(Stop())
        assert all(event.kind != "session-ended" for event in read_trace(path).events)
        os.kill(endpoint, signal.SIGCONT)
        wait_for_event(agent, path, "session-ended")
    assert read_trace(path).fact("session-ended", "ok") == "true"


def test_an_endpoint_that_is_stopped_outlives_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    with start_agent(path) as agent:
        network = network_of(agent)
        agent.send(STAYS)
        wait_until(lambda: done("accept", path), "the connection")
        for pid in {call.pid for call in read_trace(path).calls}:
            os.kill(pid, signal.SIGSTOP)
    wait_until_gone(network)
    assert read_trace(path).rest == 0


@pytest.mark.quick
def test_sigterm_ends_it_in_order(tmp_path: Path) -> None:
    agent = start_agent(tmp_path / "t.pcapng")
    os.kill(agent.pid, signal.SIGTERM)
    wait_until(lambda: agent.poll() is not None, "the end of the agent")
    assert agent.close() == 0
    assert read_trace(tmp_path / "t.pcapng").dropped == 0


def test_several_labs_at_once_do_not_see_each_other(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.pcapng" for i in range(3)]
    agents = [start_agent(path) for path in paths]
    for agent in agents:
        agent.send(TCP)                            # all on the same port
    for agent, path in zip(agents, paths, strict=True):
        wait_for_event(agent, path, "session-ended")
        assert agent.close() == 0
    for path in paths:
        reading = read_trace(path)
        assert reading.fact("session-ended", "ok") == "true"
        assert sum(frame[FLAGS_AT] == 0x02 for frame in reading.frames) == 1


def a_round_by_hand(agent: Agent, path: Path, count: int) -> None:
    data = f"round {count}".encode()
    agent.send(Start(SessionSpec(interactive=True, messages=())))
    wait_for_event(agent, path, "listening", count)
    wait_until(lambda: done("accept", path) >= count, f"connection {count}")
    agent.send(Send(Message(data), "client"))
    wait_until(lambda: any(data in frame for frame in read_trace(path).frames), f"{data!r} on the wire")
    agent.send(Stop())
    wait_for_event(agent, path, "session-ended", count)


def test_a_second_session_and_commands_to_endpoints(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    with start_agent(path) as agent:
        for count in (1, 2):
            a_round_by_hand(agent, path, count)


def test_a_killed_endpoint_is_a_failure_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    with start_agent(path) as agent:
        agent.send(STAYS)
        reading = wait_for_event(agent, path, "listening")
        pid = reading.event("listening").pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        sentence = "The server was ended by signal SIGKILL."    # the client may say before that it is refused
        wait_until(lambda: sentence in [event.text for event in read_trace(path).events], sentence)
        agent.send(Stop())
        reading = wait_for_event(agent, path, "session-ended")
        assert reading.fact("session-ended", "ok") == "false"


@sweep("command", [Close("client"), HalfClose("client"), Abort("client")],
       lambda command: command == Abort("client"))
def test_a_client_that_has_not_begun_is_told_apart_from_none(tmp_path: Path, command: Command) -> None:
    path = tmp_path / "t.pcapng"
    with start_agent(path) as agent:
        agent.send(Start(SessionSpec(interactive=True, paused=True)))
        wait_for_event(agent, path, "waiting")
        agent.send(command)
        text = wait_for_event(agent, path, "failed").event("failed").text
        assert text == f"The client cannot {command.do} yet: it begins when the server listens."


WRONG: list[tuple[object, str]] = [
    ({"do": "start", "session": {"kind": "smtp"}}, "There is no session kind 'smtp'"),
    ({"do": "start", "session": {"kind": "tcp", "port": 70000}}, "Port 70000 is out of range"),
    ({"do": "send", "to": "client", "text": "x"}, "There is no endpoint to send."),
    ({"nothing": 1}, "A command was not understood"),
    ([1], "A command was not understood: It is not a JSON object."),
    ("x", "A command was not understood: It is not a JSON object."),
    ({"do": "start", "session": "x"}, "A session is described by a JSON object."),
    ({"do": "exec", "command": [["x"]]}, "A command was not understood: A program is a list of words"),
    ({"do": "exec", "command": ["/does/not/exist"]}, "/does/not/exist could not be started: No"),
]


def test_wrong_commands_are_answered_with_a_sentence_and_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    with start_agent(path) as agent:
        for number, (line, sentence) in enumerate(WRONG, 1):
            agent.send_line(json.dumps(line).encode())
            reading = wait_for_event(agent, path, "failed", number)
            failures = [event.text for event in reading.events if event.kind == "failed"]
            assert len(failures) == number and failures[-1].startswith(sentence), failures


@pytest.mark.parametrize(("code", "status"), [("sys.exit(7)", "7"), ("os.kill(os.getpid(), 9)", "137")])
def test_a_program_runs_in_the_lab_and_its_output_stays_out_of_the_trace(
    tmp_path: Path, code: str, status: str
) -> None:
    path = tmp_path / "t.pcapng"
    with start_agent(path) as agent:
        code = "import os, sys; os.write(1, b'out'); os.write(2, b'last words');" + code
        agent.send(Execute((sys.executable, "-c", code)))
        reading = wait_for_event(agent, path, "program-ended")
    assert reading.fact("program-ended", "status") == status
    assert reading.event("program-ended").text.endswith(": outlast words")
    assert json.loads(reading.fact("program-started", "command"))[0] == sys.executable
    assert read_trace(path).rest == 0


def test_low_ports_and_ipv6_work_in_the_lab(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    code = (
        "import socket; socket.socket().bind(('127.0.0.1', 80)); "
        "socket.socket(socket.AF_INET6).bind(('::1', 81))"
    )
    with start_agent(path) as agent:
        agent.send(Execute((sys.executable, "-c", code)))
        reading = wait_for_event(agent, path, "program-ended")
    assert reading.fact("program-ended", "status") == "0", reading.event("program-ended").text


def test_the_time_limit_ends_it(tmp_path: Path) -> None:
    agent = start_agent(tmp_path / "t.pcapng", limits=Limits(seconds=0.2))
    wait_until(lambda: agent.poll() is not None, "the end of the agent")
    assert agent.close() == 0
    event = read_trace(tmp_path / "t.pcapng").event("limit-reached")
    assert event.text == "The capture ended after 0.2 seconds."
