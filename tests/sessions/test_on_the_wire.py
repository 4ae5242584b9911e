"""Sessions of all four kinds run by an agent in the lab; what they asked for is found in their trace.

One agent runs them all, one after the other on ports of their own, into one trace that the tests read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inspector.lab.launch import Agent, start_agent
from inspector.model.commands import Close, Start, Stop
from inspector.model.endpoint import Transport
from inspector.model.numbers import FIN, RST, SYN
from inspector.model.packets import first_rows, rows_in
from inspector.model.records import Call
from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import resolved
from inspector.trace.flows.tcp import TcpFlow
from inspector.trace.trace import Trace
from tests.support.captures.application import web
from tests.support.running.lab import needs_lab, read_trace, wait_for_event, wait_until

pytestmark = [needs_lab, pytest.mark.xdist_group("on-the-wire")]         # one trace for all of them

SESSIONS: dict[str, dict[str, Any]] = {
    "tcp": {},
    "tcp-ipv6": {"ipv6": True},
    "tcp-server-closes": {"end_by": "server"},
    "tcp-push": {"behaviour": "push", "push_interval": 0.01},
    "tcp-silent": {"behaviour": "silent"},
    "tcp-half-close": {"ending": "half-close"},
    "tcp-half-close-server": {"ending": "half-close", "end_by": "server"},
    "tcp-abort": {"ending": "abort"},
    "tcp-abort-server": {"ending": "abort", "end_by": "server"},
    "tcp-none": {"ending": "none"},
    "tcp-refused": {"with_server": False},
    "udp": {"kind": "udp"},
    "udp-unconnected": {"kind": "udp", "connected": False, "behaviour": "push", "push_interval": 0.01},
    "udp-refused": {"kind": "udp", "with_server": False},
    "udp-refused-ipv6": {"kind": "udp", "with_server": False, "connected": False, "ipv6": True},
    "http": {"kind": "http", "messages": ("GET /", "POST /echo hello", "GET /chunked", "GET /none")},
    "http-chunked": {"kind": "http", "chunked": True, "messages": ("POST /echo hello there",)},
    "http-no-keep-alive": {"kind": "http", "keep_alive": False},
    "http-push": {"kind": "http", "behaviour": "push", "push_interval": 0.01},
    "http-malformed": {"kind": "http", "messages": ("hex:" + b"NO\r\n\r\n".hex(),)},
    "websocket": {
        "kind": "websocket", "close_code": 4001, "close_reason": "done",
        "messages": ("hello", "hex:00ff", "ping:there", "fragments:3:hello there"),
    },
    "websocket-server-closes": {"kind": "websocket", "end_by": "server", "close_code": 1001},
    "websocket-deflate": {"kind": "websocket", "deflate": True, "messages": ("again and again " * 20,)},
    "websocket-push": {"kind": "websocket", "behaviour": "push", "push_interval": 0.01, "messages": ()},
    "websocket-abort": {"kind": "websocket", "ending": "abort"},
}  # fmt: skip
PORTS = {name: 9100 + number for number, name in enumerate([*SESSIONS, "by-hand"])}


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trace]:
    path = tmp_path_factory.mktemp("sessions") / "all.pcapng"
    with start_agent(path, mode="lab") as agent:
        for number, (name, options) in enumerate(SESSIONS.items(), 1):
            spec = resolved(SessionSpec(**{"port": PORTS[name], **options}))
            agent.send(Start(spec))
            wait_for_event(agent, path, "session-ended", number)
        close_by_hand(agent, path)
    with Trace.open(path) as opened:
        while opened.refresh():
            pass
        yield opened


def close_by_hand(agent: Agent, path: Path) -> None:
    """A session whose client closes while it sits in recv()."""
    spec = resolved(SessionSpec(port=PORTS["by-hand"], interactive=True, messages=()))
    agent.send(Start(spec))

    def called(name: str, role: str) -> bool:
        server = f"127.0.0.1:{spec.port}"
        calls = [call for call in read_trace(path).calls if server in (call.local, call.peer)]
        return any((call.name, call.role) == (name, role) for call in calls)

    wait_until(lambda: called("recv", "client"), "a client that receives")
    agent.send(Close("client"))
    wait_until(lambda: called("shutdown", "client") and called("close", "server"), "the end of both")
    agent.send(Stop())
    wait_for_event(agent, path, "session-ended", len(SESSIONS) + 1)


def streams(trace: Trace, name: str, protocol: Transport = "tcp") -> list[int]:
    """The conversations of a session, by its port."""
    rows = trace.conversations(protocol)
    return [row.stream for row in rows if row.b.endswith(f":{PORTS[name]}")]


def flow(trace: Trace, name: str) -> TcpFlow:
    """The only TCP conversation of a session; its first end is the client."""
    (stream,) = streams(trace, name)
    return trace.flow(stream)


def closing(trace: Trace, name: str) -> list[tuple[int, str]]:
    """Who sent (0: the client) FIN or RST, in order; on a busy machine the kernel may send one again."""
    one = flow(trace, name)
    flags = [(row, int(trace.index.tcp_flags[row])) for row in rows_in(one.rows)]
    sent = [(one.direction(row), "RST" if bits & RST else "FIN") for row, bits in flags if bits & (FIN | RST)]
    return list(dict.fromkeys(sent))


def calls(trace: Trace, name: str, call: str) -> list[Call]:
    """The calls of a name in a session, by the address they are about."""
    port = f":{PORTS[name]}"
    named = [each for each in trace.calls if each.name == call]
    return [each for each in named if port in f"{each.peer} {each.local} {each.arguments}"]


def test_all_went_as_asked_and_nothing_was_lost(trace: Trace) -> None:
    ended = [dict(event.fields)["ok"] for event in trace.events if event.kind == "session-ended"]
    assert ended == ["true"] * (len(SESSIONS) + 1)
    assert not [event.text for event in trace.events if event.kind == "failed"]
    assert trace.statistics.dropped == 0


@pytest.mark.parametrize("name", [name for name in SESSIONS if name.startswith(("tcp", "http", "web"))])
def test_a_connection_begins_with_a_handshake(trace: Trace, name: str) -> None:
    for stream in streams(trace, name):
        one = trace.flow(stream)
        assert one.handshake == ("refused" if name == "tcp-refused" else "complete")
        assert int(trace.index.tcp_flags[one.rows[0]]) == SYN
    assert len(streams(trace, name)) == (2 if name == "http-no-keep-alive" else 1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tcp", [(0, "FIN"), (1, "FIN")]),
        ("tcp-ipv6", [(0, "FIN"), (1, "FIN")]),
        ("tcp-server-closes", [(1, "FIN"), (0, "FIN")]),
        ("tcp-push", [(0, "FIN"), (1, "FIN")]),
        ("tcp-silent", [(0, "FIN"), (1, "FIN")]),
        ("tcp-half-close", [(0, "FIN"), (1, "FIN")]),
        ("tcp-half-close-server", [(1, "FIN"), (0, "FIN")]),
        ("tcp-none", [(0, "FIN"), (1, "FIN")]),
        ("tcp-abort", [(0, "RST")]),
        ("tcp-abort-server", [(1, "RST")]),
        ("tcp-refused", [(1, "RST")]),
        ("http", [(0, "FIN"), (1, "FIN")]),
        ("http-push", [(0, "FIN"), (1, "FIN")]),
        ("websocket", [(1, "FIN"), (0, "FIN")]),                   # RFC 6455 §7.1.1: the server first
        ("websocket-server-closes", [(1, "FIN"), (0, "FIN")]),
        ("websocket-deflate", [(1, "FIN"), (0, "FIN")]),
        ("websocket-abort", [(0, "RST")]),
    ],
)
def test_fin_or_rst_as_asked(trace: Trace, name: str, expected: list[tuple[int, str]]) -> None:
    assert closing(trace, name) == expected


@pytest.mark.parametrize(("name", "first"), [("tcp-half-close", 0), ("tcp-half-close-server", 1)])
def test_data_flows_against_a_half_close(trace: Trace, name: str, first: int) -> None:
    one = flow(trace, name)
    rows = rows_in(one.rows)
    fins = [row for row in rows if trace.index.tcp_flags[row] & FIN and one.direction(row) == first]
    after = [row for row in rows if row > fins[0] and one.direction(row) != first]
    assert int(trace.index.payload_length[after].sum()) == len(b"this direction is still open")


def test_the_handshake_stands_between_the_calls_that_made_it(trace: Trace) -> None:
    rows = flow(trace, "tcp").handshake_rows
    times = [int(trace.index.time_ns[row]) for row in rows]
    (connect,), (listen,) = calls(trace, "tcp", "connect"), calls(trace, "tcp", "listen")
    assert connect.end_ns is not None and listen.end_ns is not None
    assert listen.end_ns < connect.time_ns < times[0] < times[2] <= connect.end_ns
    (accept,) = calls(trace, "tcp", "accept")
    assert accept.end_ns is not None and accept.time_ns < times[0] < accept.end_ns


@pytest.mark.parametrize("name", ["tcp", "http", "websocket"])
def test_every_send_is_on_the_wire_after_its_call(trace: Trace, name: str) -> None:
    one = flow(trace, name)
    data = [stream.contiguous for stream in one.streams]           # a busy kernel sends some bytes twice
    for direction, role in enumerate(("client", "server")):
        sends = [each for each in calls(trace, name, "send") if each.role == role]
        assert sum(each.result or 0 for each in sends) == data[direction]
        first = next(row for row in rows_in(one.rows)
                     if one.direction(row) == direction
                     and trace.index.payload_length[row])  # fmt: skip
        assert sends[0].time_ns <= int(trace.index.time_ns[first])


def test_shutdown_that_wakes_a_receiver_sends_nothing(trace: Trace) -> None:
    (woken,) = [each for each in calls(trace, "by-hand", "shutdown") if each.role == "client"]
    (closed,) = [each for each in calls(trace, "by-hand", "close") if each.role == "client"]
    assert woken.arguments.endswith(", SHUT_RD")
    one = flow(trace, "by-hand")
    sent = [int(trace.index.time_ns[row]) for row in rows_in(one.rows) if one.direction(row) == 0]
    assert woken.end_ns is not None
    assert not [time for time in sent if woken.time_ns <= time < closed.time_ns]
    assert [time for time in sent if time >= closed.time_ns]


@pytest.mark.parametrize(
    ("name", "kind", "code"), [("udp-refused", 3, 3), ("udp-refused-ipv6", 1, 4)]
)
def test_icmp_port_unreachable(trace: Trace, name: str, kind: int, code: int) -> None:
    index = trace.index
    rows = [row for row in first_rows(index.count) if index.protocol[row] in (1, 58)]
    answers = [row for row in rows if (int(index.sport[row]), int(index.dport[row])) == (kind, code)]
    sent = [call for call in calls(trace, name, "send") + calls(trace, name, "sendto") if call.result]
    near = [row for row in answers if sent[0].time_ns < int(index.time_ns[row])]
    assert len(sent) == 2 and len(near) >= 2
    errors = [call.name for call in trace.calls if call.pid == sent[0].pid and call.errno == "ECONNREFUSED"]
    assert errors == [{"udp-refused": "recv", "udp-refused-ipv6": "recvfrom"}[name]] * 2


@pytest.mark.parametrize(("name", "client", "server"), [("udp", 2, 2), ("udp-unconnected", 2, 3)])
def test_datagrams(trace: Trace, name: str, client: int, server: int) -> None:
    (row,) = [row for row in trace.conversations("udp") if row.b.endswith(f":{PORTS[name]}")]
    assert (row.packets_ab, row.packets_ba) == (client, server)


def test_http_messages(trace: Trace) -> None:
    spoken = web(trace, streams(trace, "http")[0])
    messages = spoken.http
    targets = [message.target for message in messages if message.is_request]
    assert targets == ["/", "/echo", "/chunked", "/none"]
    answers = [message for message in messages if not message.is_request]
    assert [answer.status for answer in answers] == [200, 200, 200, 404]
    assert [answer.framing for answer in answers] == ["length", "length", "chunked", "length"]
    assert spoken.body(answers[1]) == b"hello"
    assert not [found for found in spoken.findings if found.severity == "error"]


def test_http_chunked_both_ways(trace: Trace) -> None:
    spoken = web(trace, streams(trace, "http-chunked")[0])
    found = [(message.framing, spoken.body(message)) for message in spoken.http]
    assert found == [("chunked", b"hello there")] * 2


def test_http_without_keep_alive_closes_by_the_server(trace: Trace) -> None:
    for stream in streams(trace, "http-no-keep-alive"):
        one = trace.flow(stream)
        fins = [one.direction(row) for row in rows_in(one.rows) if trace.index.tcp_flags[row] & FIN]
        assert fins == [1, 0]
        messages = web(trace, stream).http
        assert [message.values("connection") for message in messages] == [("close",)] * 2


def test_server_sent_events(trace: Trace) -> None:
    spoken = web(trace, streams(trace, "http-push")[0])
    _, answer = spoken.http
    assert spoken.body(answer) == b"".join(b"data: push %d of 3\n\n" % number for number in (1, 2, 3))


def test_a_malformed_request_is_answered_with_400(trace: Trace) -> None:
    one = flow(trace, "http-malformed")
    answer = one.streams[1].read(0, one.streams[1].contiguous)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize("name", [name for name in SESSIONS if name.startswith("websocket")])
def test_the_upgrade_is_proven_and_nobody_breaks_rfc_6455(trace: Trace, name: str) -> None:
    application = web(trace, streams(trace, name)[0])
    assert application.protocol == "websocket" and not application.inferred
    assert application.upgrade is not None and application.upgrade.accepted
    allowed = {"websocket-abort"}
    assert name in allowed or not [found for found in application.findings if found.severity == "error"]


def test_websocket_frames(trace: Trace) -> None:
    application = web(trace, streams(trace, "websocket")[0])
    sent = [(frame.opcode, frame.fin) for frame in application.frames if frame.from_client]
    assert sent == [(1, True), (2, True), (9, True), (1, False), (0, False), (0, True), (8, True)]
    answers = [frame.opcode for frame in application.frames if not frame.from_client]
    assert answers == [1, 2, 10, 1, 8]
    closes = [application.close(frame.number) for frame in application.frames if frame.opcode == 8]
    assert [(close.code, close.reason) for close in closes] == [(4001, "done")] * 2


def test_websocket_closed_by_the_server(trace: Trace) -> None:
    application = web(trace, streams(trace, "websocket-server-closes")[0])
    closes = [frame for frame in application.frames if frame.opcode == 8]
    assert [frame.from_client for frame in closes] == [False, True]
    assert application.close(closes[0].number).code == 1001


def test_websocket_deflate_is_negotiated_and_used(trace: Trace) -> None:
    application = web(trace, streams(trace, "websocket-deflate")[0])
    data = [frame for frame in application.frames if frame.opcode == 1]
    assert [frame.compressed for frame in data] == [True, True]
    assert all(frame.payload_length < 100 for frame in data)
    assert application.payload(data[0].number) == b"again and again " * 20


def test_websocket_push(trace: Trace) -> None:
    application = web(trace, streams(trace, "websocket-push")[0])
    pushed = [frame for frame in application.frames if frame.opcode == 1]
    assert [frame.from_client for frame in pushed] == [False] * 3
