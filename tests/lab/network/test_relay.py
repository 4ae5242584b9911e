"""Lab and host reach each other by the relay: real sockets of this machine, real packets in the lab."""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.cli.errors import CommandError
from inspector.cli.options.outside import outside_of, pair_of
from inspector.lab.launch import Agent, start_agent
from inspector.lab.network import namespace
from inspector.lab.network.names import resolvers
from inspector.lab.options import AgentOptions, Outside
from inspector.model.commands import Start
from inspector.model.numbers import RST
from inspector.model.spec import SessionSpec
from inspector.trace.trace import Trace
from inspector.views.findings.unjudged import outside_words
from inspector.views.json.conversations import conversations
from inspector.views.session.outside import outside_peers
from tests.support.running.lab import needs_lab, wait_for_event, wait_until

pytestmark = needs_lab
WITHIN = 20.0


@pytest.fixture
def service() -> Iterator[socket.socket]:
    """A listening socket of this machine, on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(WITHIN)
        yield listener


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def connected(port: int) -> socket.socket:
    """A connection to a port that opens soon."""
    until = time.monotonic() + WITHIN
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), WITHIN)
        except ConnectionRefusedError:
            assert time.monotonic() < until, f"nothing listens on port {port}"
            time.sleep(0.05)


def started(path: Path, service: socket.socket) -> tuple[Agent, int]:
    port = free_port()
    return start_agent(path, "lab", outside=Outside(via=((port, service.getsockname()[1]),))), port


def read_whole(path: Path) -> Trace:
    trace = Trace.open(path)
    trace.finish()
    return trace


def test_both_directions_and_the_end_of_each_are_handed_on(tmp_path: Path, service: socket.socket) -> None:
    path = tmp_path / "x.pcapng"
    agent, port = started(path, service)
    with agent, connected(port) as client:
        server, _ = service.accept()
        with server:
            client.sendall(b"question" * 20_000)
            client.shutdown(socket.SHUT_WR)
            got = b""
            while data := server.recv(1 << 16):
                got += data
            assert got == b"question" * 20_000
            server.sendall(b"answer")
            server.close()
            assert client.recv(100) == b"answer"
            assert client.recv(100) == b""
        named = client.getsockname()
        wait_for_event(agent, path, "relayed", 2)
    with read_whole(path) as trace:
        (found,) = conversations(trace)
        assert (found["bytes_ab"], found["bytes_ba"], found["handshake"]) == (160_000, 6, "complete")
        peers = outside_peers(trace)
        assert peers[found["a"]].address == f"{named[0]}:{named[1]}"
        assert str(peers[found["a"]]).rpartition(" ")[2] == str(os.getpid())
        assert found["process_a"] == str(peers[found["a"]])
        assert found["process_a"] in outside_words(trace)          # whose own sockets nobody looked at
        assert found["b"].endswith(f":{service.getsockname()[1]}")


def test_a_reset_is_handed_on_as_one(tmp_path: Path, service: socket.socket) -> None:
    path = tmp_path / "x.pcapng"
    agent, port = started(path, service)
    with agent, connected(port) as client:
        server, _ = service.accept()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.sendall(b"x")
        assert server.recv(1) == b"x"
        server.close()
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def resets(path: Path) -> bool:
    with read_whole(path) as trace:
        return bool((trace.index.tcp_flags[: trace.index.count] & RST).any())


def streams(trace: Trace) -> list[int]:
    return [one.stream for one in trace.conversations("tcp")]


def found_in(path: Path) -> list[str]:
    with read_whole(path) as trace:
        return [one.id for stream in streams(trace) for one in trace.known.findings_of(stream)]


@pytest.mark.parametrize("stays", [True, False])
def test_who_sends_on_a_connection_that_its_peer_closed_hears_a_reset(
    tmp_path: Path, service: socket.socket, stays: bool,
) -> None:
    """A kept connection, closed too early: told of the relayed one as of any other.

    A client that leaves at once overtakes the reset, and what is asked proves it alone.
    """
    path = tmp_path / "x.pcapng"
    agent, port = started(path, service)
    with agent, connected(port) as client:
        server, _ = service.accept()
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        server.recv(100)
        server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        server.close()
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        assert client.recv(100) == b""
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        if stays:
            with select.epoll() as hangup:
                hangup.register(client, 0)
                assert hangup.poll(20)
            assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.EPIPE
            wait_until(lambda: resets(path), "the reset in the lab")
        client.close()
        wait_until(lambda: "tcp.sent-after-close" in found_in(path), "the finding")
    assert "http.unanswered-request" not in found_in(path) or stays


def test_nobody_behind_the_relay_is_a_reset_and_a_sentence(tmp_path: Path) -> None:
    path, port = tmp_path / "x.pcapng", free_port()
    with start_agent(path, "lab", outside=Outside(via=((port, free_port()),))) as agent:
        with pytest.raises(ConnectionResetError), connected(port) as client:     # so early, too
            client.sendall(b"x")
            client.recv(1)
            client.recv(1)
        wait_for_event(agent, path, "failed", 1)
        assert agent.poll() is None


def test_many_connections_at_once(tmp_path: Path, service: socket.socket) -> None:
    def serve() -> None:
        for _ in range(50):
            server, _ = service.accept()
            with server:
                server.sendall(server.recv(100))

    agent, port = started(tmp_path / "x.pcapng", service)
    with agent:
        threading.Thread(target=serve, daemon=True).start()
        clients = [connected(port) for _ in range(50)]
        for number, client in enumerate(clients):
            client.sendall(b"%d" % number)
        assert [client.recv(100) for client in clients] == [b"%d" % number for number in range(50)]
        for client in clients:
            client.close()


PROGRAM = """
import socket, sys
there = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20)     # of the host
server = socket.create_server(("127.0.0.1", int(sys.argv[2])))            # for the host
came, _ = server.accept()
there.sendall(came.recv(100))
came.sendall(there.recv(100))
"""


def test_a_program_in_the_lab_reaches_the_host_and_is_reached(tmp_path: Path, service: socket.socket) -> None:
    path, port, target = tmp_path / "x.pcapng", free_port(), service.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "inspector", "exec", "--save", str(path), "--publish", "all", "--reach",
         str(target), "--", sys.executable, "-c", PROGRAM, str(target), str(port)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    server, _ = service.accept()
    with server, connected(port) as client:
        client.sendall(b"ping")
        assert server.recv(100) == b"ping"
        server.sendall(b"pong")
        assert client.recv(100) == b"pong"
    _, words = process.communicate(timeout=WITHIN)
    assert process.returncode == 0, words
    assert f"Port {port} of the lab is 127.0.0.1:{port} of this machine." in words
    assert f"127.0.0.1:{target} of this machine is 127.0.0.1:{target} in the lab." in words
    with read_whole(path) as trace:
        assert len(list(conversations(trace))) == 2


BINDS = """
import socket, sys
bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
bound.bind(("127.0.0.1", int(sys.argv[1])))
print("bound", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("asked", ["all", "the port"])
def test_a_udp_port_that_is_not_published_is_told_once(asked: str, tmp_path: Path) -> None:
    """And one that nobody listened on at the end."""
    asked_for = ["--publish", "all"] if asked == "all" else ["--publish", "9027", "--publish", "9028"]
    words = ["exec", "--save", str(tmp_path / "x.pcapng"), *asked_for, "--", sys.executable, "-c", BINDS,
             "9027"]
    process = subprocess.Popen([sys.executable, "-m", "inspector", *words], stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None and process.stdin is not None
    first = process.stderr.readline()
    _, rest = process.communicate("\n", timeout=WITHIN)
    assert process.returncode == 0
    assert first == "inspector: UDP port 9027 of the lab is not published: only TCP ports are.\n"
    assert "9027" not in rest
    never = "Port 9028 of the lab was not published: nobody was seen to listen there by TCP."
    assert (never in rest) is (asked != "all")


def test_nothing_is_left_when_the_agent_has_ended(tmp_path: Path, service: socket.socket) -> None:
    agent, port = started(tmp_path / "x.pcapng", service)
    connected(port).close()
    agent.close()
    until = time.monotonic() + WITHIN
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except ConnectionRefusedError:
            break
        assert time.monotonic() < until, "the relay still listens"


def relay_of(agent: Agent) -> int:
    """The process that stands between the lab and this machine."""
    children = [int(pid) for task in Path(f"/proc/{agent.pid}/task").iterdir()
                for pid in (task / "children").read_text().split()]
    return next(pid for pid in children if namespace.identity(pid) != namespace.identity(agent.pid))


def test_a_relay_that_is_stopped_goes_on_where_it_stood(tmp_path: Path, service: socket.socket) -> None:
    path = tmp_path / "x.pcapng"
    agent, port = started(path, service)
    with agent, connected(port) as client:
        server, _ = service.accept()
        with server:
            os.kill(relay_of(agent), signal.SIGSTOP)
            client.sendall(b"meanwhile" * 1000)
            client.shutdown(socket.SHUT_WR)
            os.kill(relay_of(agent), signal.SIGCONT)
            got = b""
            while data := server.recv(1 << 16):
                got += data
            assert got == b"meanwhile" * 1000


def test_a_relay_that_is_killed_is_told_and_the_lab_goes_on(tmp_path: Path, service: socket.socket) -> None:
    path = tmp_path / "x.pcapng"
    agent, port = started(path, service)
    with agent, connected(port) as client:
        server, _ = service.accept()
        with server:
            os.kill(relay_of(agent), signal.SIGKILL)
            sentence = wait_for_event(agent, path, "failed").event("failed").text
            assert sentence == ("The relay was ended by signal SIGKILL. What it led between the lab and this "
                                "machine has ended with it.")
            assert client.recv(1) == b"" and server.recv(1) == b""
        agent.send(Start(SessionSpec(kind="tcp", messages=("hello",))))
        wait_for_event(agent, path, "session-ended")
    with read_whole(path) as trace:
        assert not trace.truncated


def test_what_is_asked_for_reaches_the_agent_and_wrong_words_are_named() -> None:
    reach = ("5432", "db:3306", "[::1]:6379")
    outside = outside_of(publish=("8000", "8001:80"), reach=reach, net=False)
    led = (("127.0.0.1", 5432), ("db", 3306), ("::1", 6379))
    assert outside == Outside(((8000, 8000), (80, 8001)), led, names=outside.names)
    assert [one[0] for one in outside.names] == list(resolvers())
    assert AgentOptions.from_json(AgentOptions(outside=outside).to_json()).outside == outside
    assert outside_of(publish=("8000", "all"), reach=(), net=False).publish == "all"
    assert not outside_of(publish=(), reach=(), net=False)
    for wrong in ("x", "0", "1:"):
        with pytest.raises(CommandError):
            outside_of(publish=(wrong,), reach=(), net=False)
    for wrong in (":80", "a:b"):
        with pytest.raises(CommandError):
            outside_of(publish=(), reach=(wrong,), net=False)
    with pytest.raises(CommandError):
        pair_of("8000")


def test_ends_that_both_speak_at_once_lose_nothing(tmp_path: Path, service: socket.socket) -> None:
    agent, port = started(tmp_path / "x.pcapng", service)
    with agent:
        connected(port).close()
        service.accept()[0].close()
        for round_ in range(40):
            data = f"round {round_}".encode()
            with socket.create_connection(("127.0.0.1", port), WITHIN) as client:
                client.sendall(data)
                server, _ = service.accept()
                with server:
                    server.sendall(data[::-1])
                    server.shutdown(socket.SHUT_WR)
                    assert client.recv(100) == data[::-1]
                    assert server.recv(100) == data
