"""The endpoint as a process: stepping, pausing, the end of its input, what it is told wrongly."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import resolved
from inspector.wire.journal import CallRecord, EventRecord, from_line, to_line
from tests.support.running.sessions import Endpoint, free_port, session
from tests.support.tiers import thorough


def waiting(endpoint: Endpoint) -> list[str]:
    """The calls that wait at the gate right now."""
    calls: list[str] = []
    for event in endpoint.events():
        call = dict(event.fields).get("call", "")
        if event.kind == "waiting":
            calls.append(call)
        elif event.kind == "resumed":
            calls.remove(call)
    return calls


def step(endpoint: Endpoint, call: str) -> None:
    """Wait until a call that begins like this waits, then let the longest waiting one pass."""
    endpoint.wait(lambda end: any(text.startswith(call) for text in waiting(end)))
    before = len(endpoint.events("resumed"))
    endpoint.do("step")
    endpoint.wait(lambda end: len(end.events("resumed")) > before)


@pytest.mark.quick
def test_every_call_of_a_session_can_be_stepped() -> None:
    with session(paused=True, messages=("one",)) as pair:
        for call in ("socket(", "setsockopt(", "bind(", "listen(", "accept("):
            assert not any(name == call[:-1] for name in pair.server.names())
            step(pair.server, call)
        for call in ("socket(", "connect(", "getsockname(", "send(", "recv("):
            step(pair.client, call)
            pair.client.wait(lambda end: len(waiting(end)) <= 1)
        step(pair.server, "getsockname(")
        pair.server.wait(lambda end: waiting(end) == ["recv(4, 65536)"])
        for endpoint in pair.endpoints:
            endpoint.do("resume")
        assert pair.finish() == [0, 0], pair.client.report() + pair.server.report()
        for endpoint in pair.endpoints:
            assert not waiting(endpoint)
            calls = [record for record in endpoint.records if isinstance(record, CallRecord)]
            assert len(calls) == 2 * len(endpoint.calls())         # entered, and returned


def test_nothing_is_called_while_paused() -> None:
    with session(interactive=True, messages=(), behaviour="silent") as pair:
        pair.client.wait(lambda end: "recv" in end.names())
        pair.client.do("pause")
        pair.client.do("send", text="held")
        pair.client.wait(lambda end: len(waiting(end)) == 1)
        assert waiting(pair.client) == ['send(3, "held", 4)']
        assert "send" not in pair.client.names()
        pair.client.do("resume")
        pair.server.wait(lambda end: any(call.result == 4 for call in end.calls("recv")))
        assert pair.end() == [0, 0]


def test_a_step_without_a_waiting_call_holds_the_next_one() -> None:
    with session(interactive=True, messages=(), behaviour="silent") as pair:
        pair.client.wait(lambda end: "recv" in end.names())
        pair.client.do("step")
        pair.client.do("send", text="a")
        step(pair.client, "send(")
        pair.server.wait(lambda end: any(call.result == 1 for call in end.calls("recv")))
        assert pair.end() == [0, 0]


def test_close_while_the_reader_waits_at_the_gate() -> None:
    with session(interactive=True, messages=(), paused=True) as pair:
        for call in ("socket(", "setsockopt(", "bind(", "listen("):
            step(pair.server, call)
        pair.server.wait(lambda end: bool(end.events("listening")))
        for call in ("socket(", "connect(", "getsockname("):
            step(pair.client, call)
        pair.client.wait(lambda end: any(text.startswith("recv(") for text in waiting(end)))
        pair.client.do("close")
        pair.client.wait(lambda end: any(text.startswith("close(") for text in waiting(end)))
        pair.client.do("resume")
        pair.client.wait(lambda end: "close" in end.names())
        assert "recv" not in pair.client.names()
        assert pair.end() == [0, 0]


@pytest.mark.parametrize("kind", ["tcp", "udp", "http", "websocket"])
@pytest.mark.parametrize("paused", [False, True])
def test_the_end_of_input_ends_it(kind: str, paused: bool) -> None:
    with session(kind=kind, interactive=True, paused=paused) as pair:
        receive = "recvfrom" if kind == "udp" else "recv"
        pair.server.wait(lambda end: bool(waiting(end)) or receive in end.names())
        pair.client.wait(lambda end: bool(waiting(end)) or "recv" in end.names())
        assert pair.end() == [0, 0]
        for endpoint in pair.endpoints:
            opened = len(endpoint.calls("socket")) + len(endpoint.calls("accept"))
            assert [call.end_ns is None for call in endpoint.calls()].count(True) == 0
            assert len(endpoint.calls("close")) <= opened


@thorough
def test_the_end_of_input_wakes_a_send_that_nobody_reads() -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        spec = SessionSpec(port=listener.getsockname()[1], messages=("x" * 8_000_000,), interactive=True)
        client = Endpoint("client", resolved(spec))
        try:
            peer, _ = listener.accept()
            with peer:
                client.wait(lambda end: "send" in end.names())
                assert client.end() == 0
                assert client.calls("send")[0].end_ns is not None and client.names()[-1] == "close"
        finally:
            client.kill()


def test_a_script_cut_short_is_not_as_asked() -> None:
    server = Endpoint("server", resolved(SessionSpec(port=free_port())))
    try:
        server.wait(lambda end: any(call.name == "accept" for call in end.calls()))
        assert server.end() == 1
        assert [call.message for call in server.calls("accept")] == [
            "accept(3) = -1 EINVAL  Invalid argument"
        ]
        assert server.names()[-1] == "close"
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ({"do": "dance"}, "There is no command 'dance'."),
        ({"do": "send", "hex": "0"}, "'0' is not hexadecimal."),
        ({"do": "send", "text": "x", "opcode": "odd"}, "There is no opcode 'odd' to send"),
        ({"do": "send", "text": "x" * 126, "opcode": "ping"}, "A ping carries at most 125 bytes."),
        ([1], "A command was not understood"),
    ],
)
def test_a_wrong_command_is_one_sentence_and_no_end(command: object, sentence: str) -> None:
    with session(interactive=True, messages=()) as pair:
        pair.client.process.stdin.write(json.dumps(command).encode() + b"\n\xff\n")
        pair.client.process.stdin.flush()
        pair.client.wait(lambda end: len(end.events("note")) == 2)
        assert sentence in pair.client.events("note")[0].text
        assert pair.end() == [0, 0]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b'{"kind": "smtp"}', "There is no session kind 'smtp'"),
        (b'{"port": 70000}', "Port 70000 is out of range"),
        (b'{"colour": 1}', "A session has no colour."),
        (b"[]", "is described by a JSON object"),
        (b"", "cannot be read"),
    ],
)
def test_a_wrong_spec_is_one_sentence(line: bytes, sentence: str) -> None:
    read_end, write_end = os.pipe()
    command = [sys.executable, "-m", "inspector.sessions.endpoint", "client", "--journal-fd", str(write_end)]
    done = subprocess.run(command, input=line + b"\n", pass_fds=[write_end], capture_output=True, timeout=30)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as journal:
        records = [from_line(text) for text in journal]
    assert (done.returncode, done.stderr) == (2, b"")
    assert len(records) == 1 and isinstance(records[0], EventRecord) and sentence in records[0].text


def test_wrong_usage() -> None:
    command = [sys.executable, "-m", "inspector.sessions.endpoint"]
    done = subprocess.run(command, capture_output=True, timeout=30)
    assert done.returncode == 2 and done.stderr.startswith(b"Usage:")


def test_the_journal_is_one_record_a_line_below_pipe_buf() -> None:
    with session(kind="websocket", messages=("\U0001f600" * 400, "hex:" + "ff" * 5000)) as pair:
        assert pair.finish() == [0, 0], pair.client.report()
        for endpoint in pair.endpoints:
            assert all(len(to_line(record)) < 4096 for record in endpoint.records)
            ids = [record.id for record in endpoint.records if isinstance(record, CallRecord)]
            assert sorted(set(ids)) == list(range(1, max(ids) + 1))
            assert {record.pid for record in endpoint.records} == {endpoint.process.pid}


def test_an_endpoint_imports_only_what_its_kind_needs() -> None:
    script = (
        "import sys; import inspector.sessions.endpoint, inspector.sessions.kinds;"
        "heavy = {'h11', 'websockets', 'numpy', 'scapy', 'textual', 'click', 'asyncio', 'inspector.cli'};"
        "sys.exit(' '.join(heavy & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
