"""TCP endpoints as processes: behaviours, endings, commands; told apart by what each end's calls returned."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import resolved
from tests.support.running.sessions import Endpoint, Pair, free_port, has_ipv6, led_server, session

IPV6 = pytest.param(True, marks=pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6 loopback here"))


def last(endpoint: Endpoint, name: str) -> str:
    """The last call of a name, as text."""
    return endpoint.calls(name)[-1].message


def returned(endpoint: Endpoint, name: str, result: int | str) -> bool:
    """Whether a call of this name returned this result or errno."""
    calls = [call for call in endpoint.calls(name) if call.end_ns is not None]
    return any(result in (call.result, call.errno) for call in calls)


def blocked(endpoint: Endpoint, name: str) -> bool:
    """Whether a call of this name was entered and has not returned."""
    return any(call.end_ns is None for call in endpoint.calls(name))


@pytest.mark.quick
@pytest.mark.parametrize("ipv6", [False, IPV6])
def test_echo_closes_in_order(ipv6: bool) -> None:
    with session(ipv6=ipv6) as pair:
        assert pair.finish() == [0, 0], pair.client.report() + pair.server.report()
        names = pair.server.names()
        assert names[:5] == ["socket", "setsockopt", "bind", "listen", "accept"]
        assert names[-2:] == ["close", "close"]
        assert pair.client.names()[:3] == ["socket", "connect", "getsockname"]
        assert last(pair.server, "recv").endswith("= 0  end of stream")       # FIN, no RST
        assert not pair.client.failures() + pair.server.failures()
        accepted = pair.server.calls("accept")[0]
        assert accepted.detail == f"from {pair.client.calls('getsockname')[0].detail}"
        sent = pair.client.calls("send")[0]
        host = "[::1]" if ipv6 else "127.0.0.1"
        assert (sent.peer, sent.protocol) == (f"{host}:{pair.spec.port}", "tcp")
        assert sent.local is not None and sent.local.startswith(f"{host}:")


def test_blocking_calls_are_seen_to_block() -> None:
    with session(interactive=True, messages=()) as pair:
        pair.client.wait(lambda end: blocked(end, "recv"))
        pair.server.wait(lambda end: blocked(end, "recv") and blocked(end, "accept"))
        pair.server.do("send", text="now")
        pair.client.wait(lambda end: returned(end, "recv", 3))
        received = pair.client.calls("recv")[0]
        assert received.end_ns is not None and received.end_ns >= received.time_ns
        assert received.detail == '"now"'
        assert pair.end() == [0, 0]


@pytest.mark.parametrize("end_by", ["client", "server"])
@pytest.mark.parametrize("behaviour", ["echo", "push", "silent"])
def test_either_side_closes(behaviour: str, end_by: str) -> None:
    with session(behaviour=behaviour, end_by=end_by, push_interval=0.01) as pair:
        assert pair.finish() == [0, 0], pair.client.report()
        second = pair.server if end_by == "client" else pair.client
        assert last(second, "recv").endswith("= 0  end of stream")
        sends = [call.detail or call.arguments for call in pair.server.calls("send")]
        assert len(sends) == {"push": 3, "silent": 0}.get(behaviour, len(sends))


@pytest.mark.parametrize("end_by", ["client", "server"])
def test_half_close_leaves_the_other_direction_open(end_by: str) -> None:
    with session(ending="half-close", end_by=end_by) as pair:
        assert pair.finish() == [0, 0], pair.client.report()
        first, second = (pair.client, pair.server) if end_by == "client" else (pair.server, pair.client)
        assert last(first, "shutdown").endswith("SHUT_WR) = 0")
        received = [call for call in first.calls("recv") if call.time_ns > first.calls("shutdown")[0].time_ns]
        assert 'this direction is still open"' in first.calls("recv")[-2].detail
        assert received[-1].detail == "end of stream"
        assert returned(second, "recv", 0)


@pytest.mark.quick
@pytest.mark.parametrize("end_by", ["client", "server"])
@pytest.mark.parametrize("behaviour", ["echo", "silent"])
def test_abort_resets(behaviour: str, end_by: str) -> None:
    with session(ending="abort", end_by=end_by, behaviour=behaviour) as pair:
        assert pair.finish() == [0, 0], pair.client.report()
        first, second = (pair.client, pair.server) if end_by == "client" else (pair.server, pair.client)
        assert "SO_LINGER, {l_onoff=1, l_linger=0}) = 0" in last(first, "setsockopt")
        assert last(second, "recv").endswith("= -1 ECONNRESET  Connection reset by peer")


def test_ending_none_leaves_the_close_to_the_kernel() -> None:
    with session(ending="none") as pair:
        assert pair.finish() == [0, 0], pair.client.report()
        assert "close" not in pair.client.names()
        assert last(pair.server, "recv").endswith("= 0  end of stream")


def test_refused_when_nobody_listens_is_as_asked() -> None:
    with session(with_server=False) as pair:
        assert pair.finish() == [0]
        assert last(pair.client, "connect").endswith("= -1 ECONNREFUSED  Connection refused")
        assert not pair.client.failures()


def test_refused_though_a_server_was_asked_for_fails() -> None:
    client = Endpoint("client", resolved(SessionSpec(port=free_port())))
    try:
        assert client.finish() == 1
        assert client.failures() == [
            f"The connection was refused: nothing listens on port {client.spec.port} of 127.0.0.1."
        ]
    finally:
        client.kill()


@pytest.mark.parametrize("interactive", [False, True])
def test_port_in_use_is_one_sentence(interactive: bool) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = Endpoint("server", resolved(SessionSpec(port=port, interactive=interactive)))
        try:
            assert server.finish() == 1
            assert server.failures() == [f"Port {port} of 127.0.0.1 is in use; choose another port."]
            assert server.names()[-1] == "close"
        finally:
            server.kill()


def test_a_reset_nobody_asked_for_fails() -> None:
    with led_server() as (client, connected):
        peer = connected()
        peer.recv(100)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()
        assert client.finish() == 1
        assert client.failures() == ["The server reset the connection and did not answer."]


def test_who_closes_before_the_answer_does_not_say_that_there_was_none() -> None:
    with led_server(interactive=True) as (client, connected):
        peer = connected()
        peer.recv(100)
        client.do("close", to="client")
        client.wait(lambda end: bool(end.events("note")))
        assert [event.text for event in client.events("note")] == [
            "The client closed the connection and did not wait for the server to answer."]
        peer.close()


def test_an_answer_that_does_not_come_is_a_timeout() -> None:
    with led_server(timeout=0.2) as (client, _):
        assert client.finish() == 1
        assert client.failures() == ["The server did not answer within 0.2 seconds."]
        assert client.names()[-1] == "close"


def by_hand(**options: Any) -> dict[str, Any]:
    """Options of a session that a person drives, with nothing said yet."""
    return {"interactive": True, "messages": (), **options}


def test_either_end_sends_by_hand() -> None:
    with session(**by_hand(behaviour="silent")) as pair:
        pair.client.do("send", text="from the client")
        pair.server.wait(lambda end: returned(end, "recv", 15))
        pair.server.do("send", hex="00 ff 1b")
        pair.client.wait(lambda end: returned(end, "recv", 3))
        assert pair.client.calls("recv")[0].detail == '"␀\\xff␛"'
        assert pair.end() == [0, 0]


def close_and_connect(pair: Pair, who: str, count: int) -> None:
    """One end closes, which the other hears; then the client connects, for the `count`-th time again."""
    one, other = (pair.client, pair.server) if who == "client" else (pair.server, pair.client)
    one.do("close")
    other.wait(lambda end: len([call for call in end.calls("recv") if call.result == 0]) == count)
    pair.client.wait(lambda end: len(end.calls("close")) == count)
    pair.client.do("send", text="to nobody")
    pair.client.wait(lambda end: len(end.events("note")) == count)
    pair.client.do("connect")
    pair.server.wait(lambda end: len(end.calls("accept")) == count + 2)
    pair.client.wait(lambda end: blocked(end, "recv"))
    pair.server.wait(lambda end: blocked(end, "recv"))


@pytest.mark.parametrize("who", ["client", "server"])
def test_close_by_hand_and_connect_again(who: str) -> None:
    with session(**by_hand()) as pair:
        pair.server.wait(lambda end: blocked(end, "recv"))
        for count in (1, 2):
            close_and_connect(pair, who, count)
        assert pair.end() == [0, 0]
        assert not pair.client.failures() + pair.server.failures()


@pytest.mark.parametrize("who", ["client", "server"])
def test_abort_by_hand_is_no_failure(who: str) -> None:
    with session(**by_hand()) as pair:
        pair.server.wait(lambda end: blocked(end, "recv"))
        getattr(pair, who).do("abort")
        other = pair.server if who == "client" else pair.client
        other.wait(lambda end: returned(end, "recv", "ECONNRESET") and "close" in end.names())
        assert other.events("note")[0].text == f"The {who} reset the connection."
        assert pair.end() == [0, 0]


@pytest.mark.parametrize("ending", ["none", "close"])
def test_half_close_by_hand_goes_on_receiving(ending: str) -> None:
    with session(**by_hand(ending=ending, behaviour="silent")) as pair:
        if ending == "close":
            pair.server.wait(lambda end: blocked(end, "recv"))
            pair.server.do("keep-open")
            pair.server.do("send", text="I stay")
            pair.client.wait(lambda end: returned(end, "recv", 6))
        pair.client.do("half-close")
        pair.server.wait(lambda end: returned(end, "recv", 0))
        pair.server.do("send", text="still here")
        pair.client.wait(lambda end: returned(end, "recv", 10))
        pair.client.do("send", text="too late")
        pair.client.do("half-close")
        pair.client.wait(lambda end: len(end.events("note")) == 2)
        pair.server.do("close")
        pair.client.wait(lambda end: returned(end, "recv", 0))
        assert pair.end() == [0, 0]


def test_a_half_close_holds_the_other_end_open_for_that_connection_alone() -> None:
    with session(**by_hand(behaviour="silent")) as pair:
        pair.server.wait(lambda end: blocked(end, "recv"))
        pair.server.do("keep-open")
        pair.server.do("send", text="I stay")
        pair.client.wait(lambda end: returned(end, "recv", 6))
        pair.client.do("half-close")
        pair.server.wait(lambda end: returned(end, "recv", 0))
        pair.server.do("close")
        pair.client.wait(lambda end: "close" in end.names())
        pair.client.do("connect")
        pair.server.wait(lambda end: len(end.calls("accept")) == 3 and blocked(end, "recv"))
        pair.client.do("close")
        pair.server.wait(lambda end: end.names().count("close") == 2)
        assert pair.end() == [0, 0]


def test_commands_address_the_latest_connection() -> None:
    with session(**by_hand(behaviour="silent")) as pair:
        pair.server.wait(lambda end: blocked(end, "recv"))
        with socket.create_connection(("127.0.0.1", pair.spec.port)) as second:
            pair.server.wait(lambda end: len(end.calls("recv")) == 2)
            pair.server.do("send", text="latest")
            second.settimeout(30)
            assert second.recv(100) == b"latest"
        pair.server.wait(lambda end: returned(end, "recv", 0) and returned(end, "close", 0))
        pair.server.do("send", text="first")
        pair.client.wait(lambda end: returned(end, "recv", 5))
        assert pair.end() == [0, 0]


def test_a_long_message_is_previewed_not_journaled() -> None:
    with session(messages=("x" * 200_000,)) as pair:
        assert pair.finish() == [0, 0], pair.client.report()
        assert pair.client.calls("send")[0].arguments == f'3, "{"x" * 32}"…, 200000'
        assert sum(call.result or 0 for call in pair.client.calls("recv")) == 200_000


def test_a_connect_that_blocks_is_seen_and_can_be_given_up() -> None:
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)                     # one connection may wait; nobody accepts it
        first.connect(listener.getsockname())
        second.setblocking(False)
        second.connect_ex(listener.getsockname())
        spec = SessionSpec(port=listener.getsockname()[1], interactive=True, messages=())
        client = Endpoint("client", resolved(spec))
        try:
            client.wait(lambda end: blocked(end, "connect"))
            client.do("send", text="too early")
            client.do("close")
            client.wait(lambda end: returned(end, "close", 0))
            assert not client.calls("send")
            assert client.calls("connect")[0].errno is not None
            assert client.end() == 0
            assert not client.failures()
        finally:
            client.kill()
