"""Faults of local services, planted in a real lab: what the sockets' picture and the findings say of each."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from inspector.lab.errors import LabError
from inspector.lab.launch import start_agent
from inspector.lab.options import Outside
from inspector.lab.programs.tracer import strace
from inspector.model.numbers import RST
from inspector.model.packets import Row, first_rows, row_at
from inspector.trace.application.answers import wait_of
from inspector.trace.trace import Trace
from inspector.views.conversation.waits import wait_text
from inspector.views.json.custody import custodies
from inspector.views.json.findings import findings
from inspector.views.json.kernel import kernel
from inspector.views.line.spans import plain
from inspector.views.session.custody import custody, custody_sentences
from inspector.views.session.sockets_table import SocketLines
from tests.support.running.commands import inspector
from tests.support.running.lab import needs_lab, wait_for_event, wait_until
from tests.support.running.processes import first_line

pytestmark = needs_lab

BEGIN = """
import socket, threading, time
server = socket.create_server(("127.0.0.1", 8000), backlog={backlog})
def serve():
    {serve}
threading.Thread(target=serve, daemon=True).start()
{client}
"""
NEVER_READS = """accepted, _ = server.accept()
    accepted.recv(700)
    time.sleep(20)"""
SENDS = """client = socket.create_connection(("127.0.0.1", 8000))
client.sendall(b"x" * 1200)
time.sleep(2.6)"""
NEVER_ACCEPTS = "time.sleep(20)"
CONNECTS = """clients = [socket.socket() for _ in range(6)]
for client in clients:
    client.setblocking(False)
    client.connect_ex(("127.0.0.1", 8000))
time.sleep(2.6)"""
NEVER_CLOSES = """accepted, _ = server.accept()
    accepted.recv(100)
    accepted.recv(100)
    time.sleep(20)"""
LEAVES = """client = socket.create_connection(("127.0.0.1", 8000))
client.sendall(b"hello")
client.close()
time.sleep(3.6)"""
READS_TEN = """accepted, _ = server.accept()
    accepted.recv(10)
    accepted.sendall(b"no")
    time.sleep(0.4)
    accepted.close()
    time.sleep(20)"""
WRITES_MUCH = """client = socket.create_connection(("127.0.0.1", 8000))
client.sendall(bytes(1000))
client.recv(100)
try:
    client.recv(100)
except ConnectionResetError:
    time.sleep(0.2)"""
LEAVES_SOON = """client = socket.create_connection(("127.0.0.1", 8000))
client.sendall(bytes(1000))
client.recv(100)
client.close()
time.sleep(0.6)"""
IS_SLOW = """accepted, _ = server.accept()
    accepted.recv(1000)
    time.sleep(0.4)
    accepted.sendall(b"HTTP/1.1 200 OK\\\\r\\\\nContent-Length: 2\\\\r\\\\n\\\\r\\\\nok")
    time.sleep(20)"""
ASKS = """client = socket.create_connection(("127.0.0.1", 8000))
client.sendall(b"GET / HTTP/1.1\\\\r\\\\nHost: x\\\\r\\\\n\\\\r\\\\n")
client.recv(1000)"""


def recorded(folder: Path, serve: str, client: str, *options: str, backlog: int = 128) -> Trace:
    """The trace of a program with a server and a client in the lab."""
    program, path = folder / "program.py", folder / "x.pcapng"
    program.write_text(BEGIN.format(serve=serve, client=client, backlog=backlog).replace("\\\\", "\\"))
    inspector("exec", *options, "--save", str(path), "--", sys.executable, str(program)).check_returncode()
    trace = Trace.open(path)
    trace.finish()
    return trace


def ids(trace: Trace) -> dict[str, str]:
    return {one["id"]: one["text"] for one in findings(trace)}


@pytest.mark.parametrize("options", [(), ("--syscalls",)], ids=["by the kernel", "by calls too"])
def test_a_server_that_does_not_read(options: tuple[str, ...], tmp_path: Path) -> None:
    if options:
        try:
            strace()
        except LabError as error:
            pytest.skip(str(error))
    with recorded(tmp_path, NEVER_READS, SENDS, *options) as trace:
        last = next(row for row in reversed(first_rows(trace.index.count)) if trace.index.payload_length[row])
        way, _ = custody(trace, 0)
        assert (way.written, way.unsent, way.on_the_way, way.unread, way.read) == (1200, 0, 0, 500, 700)
        (sentence, _), *_ = custody_sentences(way)
        assert sentence.startswith(("500 bytes wait in the server's receive queue (python",
                                    "500 bytes waited in the server's receive queue (python"))
        assert sentence.endswith((" s: it does not read.", " s: when it was seen last."))
        lines = SocketLines(trace, row_at(trace.rows_of("tcp", 0), -1))      # they may have gone since
        texts = [plain(lines.line(at, 100)) for at in range(lines.count)]
        assert any("client → server" in text and "1,200" in text and "500" in text for text in texts)
        assert "kernel.unread-data" in ids(trace)
        assert custody(trace, 0, last)[0].sent == 1200


def test_a_server_that_does_not_accept(tmp_path: Path) -> None:
    with recorded(tmp_path, NEVER_ACCEPTS, CONNECTS, backlog=2) as trace:
        text = ids(trace)["kernel.backlog-waiting"]
        assert text.startswith("3 connections wait in the backlog of 127.0.0.1:8000")
        assert "It is full: listen() was given 2, and Linux lets one more wait." in text


@pytest.mark.parametrize("leaves", [False, True])
def test_of_a_connection_that_nobody_accepted_no_recv_is_asked(leaves: bool, tmp_path: Path) -> None:
    """Its bytes wait, it is reset, and where its client left it is in CLOSE-WAIT: for want of accept()."""
    with recorded(tmp_path, NEVER_ACCEPTS, LEAVES if leaves else SENDS) as trace:
        texts = ids(trace)
        expected = {"kernel.unread-data", "tcp.reset-with-unread-data"}
        expected |= {"kernel.close-wait"} if leaves else set()
        assert texts.keys() >= expected
        for rule in expected:
            assert "accepted the connection" in texts[rule] and "recv()" not in texts[rule], texts[rule]
            assert "should call accept()" in texts[rule] or "should accept() each" in texts[rule]
        last = first_rows(trace.index.count)[-2]
        assert any("nobody has accepted the connection" in text
                   for text, _ in custody_sentences(custody(trace, 0, last)[0])) or leaves


def test_a_server_that_keeps_what_its_client_has_closed(tmp_path: Path) -> None:
    with recorded(tmp_path, NEVER_CLOSES, LEAVES) as trace:
        text = ids(trace)["kernel.close-wait"]
        assert "is in CLOSE-WAIT for " in text and "sends no more" in text


def test_a_server_that_closes_with_bytes_unread(tmp_path: Path) -> None:
    """Its program and the number are named, and the packet to look at is the reset."""
    with recorded(tmp_path, READS_TEN, WRITES_MUCH) as trace:
        (one,) = (one for one in trace.known.findings_of(0) if one.id.startswith("tcp."))
        assert one.id == "tcp.reset-with-unread-data" and "990 bytes waited in its receive queue" in one.text
        assert one.text.startswith("python") and " closed 127.0.0.1:8000 with bytes unread: " in one.text
        assert trace.index.tcp_flags[one.rows[0]] & RST and one.direction is None


def test_a_server_that_closes_with_bytes_unread_after_its_client(tmp_path: Path) -> None:
    """The client has its answer, and closed before: the reset comes late, and hurts nobody."""
    with recorded(tmp_path, READS_TEN, LEAVES_SOON) as trace:
        (one,) = (one for one in trace.known.findings_of(0) if one.id.startswith("tcp."))
        assert one.id == "tcp.reset-with-unread-data" and "990 bytes waited in its receive queue" in one.text


def test_a_server_that_is_slow(tmp_path: Path) -> None:
    with recorded(tmp_path, IS_SLOW, ASKS) as trace:
        decoder = trace.application(0).decoder("http")
        assert decoder is not None
        wait = wait_of(trace, decoder, 1)
        assert wait is not None and wait.first_ns >= 400_000_000
        assert " of them in the server (a round trip takes " in wait_text(trace, wait, 0)


# A service of the host, and what is said to it through the lab: over the port that `via` gives.
UNREAD = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0), backlog=3)
print(server.getsockname()[1], flush=True)
came, _ = server.accept()
came.recv(700)
sys.stdin.read()
"""


@pytest.fixture
def unread(tmp_path: Path) -> Iterator[Trace]:
    """What is known of a service outside of the lab that reads 700 of 1,200 bytes and accepts one of two."""
    path = tmp_path / "x.pcapng"
    with (subprocess.Popen([sys.executable, "-c", UNREAD], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           text=True) as service, ExitStack() as clients):
        port = int(first_line(service))
        agent = start_agent(path, "lab", outside=Outside(via=((0, port),)))
        with agent:
            door = wait_for_event(agent, path, "published").fact("published", "outside").rpartition(":")[2]
            for _ in range(2):
                client = clients.enter_context(socket.create_connection(("127.0.0.1", int(door))))
                client.sendall(b"x" * 1200)
            wait_until(lambda: ids_in(path).keys() >= {"kernel.unread-data", "kernel.backlog-waiting"},
                       "both findings")
        assert service.stdin is not None
        service.stdin.close()
    with Trace.open(path) as trace:
        trace.finish()
        yield trace


def ids_in(path: Path) -> dict[str, str]:
    with Trace.open(path) as trace:
        trace.finish()
        return ids(trace)


def test_of_a_relayed_service_it_is_the_service_that_does_not_read(unread: Trace) -> None:
    texts = [one["text"] for one in findings(unread) if "outside of the lab" in one["text"]]
    for words in ("500 bytes wait in the receive queue", "1 connection waits in the backlog"):
        whose = r"of 127.0.0.1:\d+ \(python3?[.\d]* \d+\) outside of the lab for at least "
        assert any(re.match(f"{words} {whose}", text) for text in texts), texts
    way = custody(unread, 0)[0]
    assert way.beyond is not None and (way.read, way.beyond.read, way.beyond.unread) == (1200, 700, 500)
    (sentence,) = [text for text, _ in custody_sentences(way) if "outside" in text]
    assert re.fullmatch(r"500 bytes wait in the receive queue of python3?[.\d]* \d+, outside of the lab, "
                        r"for .*: it does not read\.", sentence)
    there = next(iter(custodies(unread)))
    assert (there["outside_unread"], there["outside_read"]) == (500, 700)
    # While the listener stands: the lab's end may be sampled, too.
    gone = min((one.time_ns for one in unread.kernel if one.state == "gone"), default=1 << 62)
    sockets = SocketLines(unread, Row(int(unread.index.time_ns[:].searchsorted(gone)) - 1))
    listener = next(row for row in sockets.rows if row.state == "LISTEN")
    assert listener.queues == ("1 conn", "of 3")
    text = " ".join(plain(sockets.line(at, 120)).strip() for at in range(sockets.count))
    assert "where 1 of 3 connections wait for it" in text
    assert listener.local in {one.get("stands_for") for one in kernel(unread)}
