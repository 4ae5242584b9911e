"""UDP endpoints as processes: datagrams, ports where nobody listens, and what the error queue tells."""

from __future__ import annotations

import socket

import pytest

from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import resolved
from tests.support.running.sessions import Endpoint, free_port, has_ipv6, session

IPV6 = pytest.param(True, marks=pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6 loopback here"))


@pytest.mark.parametrize("ipv6", [False, IPV6])
@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.parametrize("behaviour", ["echo", "push", "silent"])
def test_datagrams_are_answered(behaviour: str, connected: bool, ipv6: bool) -> None:
    options = {"behaviour": behaviour, "connected": connected, "ipv6": ipv6, "push_interval": 0.01}
    with session(kind="udp", **options) as pair:
        assert pair.finish() == [0, 0], pair.client.report() + pair.server.report()
        assert pair.server.names()[:3] == ["socket", "bind", "recvfrom"]
        if connected:
            assert pair.client.names()[:3] == ["socket", "connect", "getsockname"]
        else:
            assert pair.client.names()[:4] == ["socket", "setsockopt", "sendto", "getsockname"]
        answers = pair.client.calls("recv" if connected else "recvfrom")
        texts = [call.detail.partition(" from")[0] for call in answers if call.result]
        expected = {"echo": ['"hello"', '"how are you?"'], "push": [f'"push {n} of 3"' for n in (1, 2, 3)]}
        assert texts == expected.get(behaviour, [])
        assert pair.client.names()[-1] == pair.server.names()[-1] == "close"


@pytest.mark.parametrize("ipv6", [False, IPV6])
def test_connected_to_nobody_is_refused(ipv6: bool) -> None:
    with session(kind="udp", with_server=False, ipv6=ipv6) as pair:
        assert pair.finish() == [0], pair.client.report()
        refused = [call.message for call in pair.client.calls("recv") if call.errno]
        assert refused == ["recv(3, 65536) = -1 ECONNREFUSED  Connection refused"] * 2


@pytest.mark.parametrize(
    ("ipv6", "cause"), [(False, "ICMP port unreachable (type 3, code 3)"),
                        pytest.param(True, "ICMPv6 port unreachable (type 1, code 4)", marks=IPV6.marks)],
)  # fmt: skip
def test_unconnected_to_nobody_reads_the_error_queue(ipv6: bool, cause: str) -> None:
    with session(kind="udp", with_server=False, connected=False, ipv6=ipv6) as pair:
        assert pair.finish() == [0], pair.client.report()
        assert [call.message for call in pair.client.calls("recvmsg")] == [
            f'recvmsg(3, MSG_ERRQUEUE) = 5  "hello": {cause}',
            f'recvmsg(3, MSG_ERRQUEUE) = 12  "how are you?": {cause}',
        ]


def test_unconnected_without_the_error_queue_hears_nothing() -> None:
    with session(
        kind="udp", with_server=False, connected=False, error_queue=False, messages=("anyone?",)
    ) as pair:
        assert pair.finish() == [0], pair.client.report()
        assert [event.text for event in pair.client.events("note")] == [
            "Nothing came back: the kernel tells an unconnected UDP socket nothing of ICMP."
        ]
        assert "setsockopt" not in pair.client.names()


def test_a_refusal_nobody_asked_for_fails() -> None:
    client = Endpoint("client", resolved(SessionSpec(kind="udp", port=free_port("udp"))))
    try:
        assert client.finish() == 1
        assert "the datagram was refused by ICMP" in client.failures()[0]
    finally:
        client.kill()


def test_port_in_use_is_one_sentence() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        server = Endpoint("server", resolved(SessionSpec(kind="udp", port=port)))
        try:
            assert server.finish() == 1
            assert server.failures() == [f"Port {port} of 127.0.0.1 is in use; choose another port."]
        finally:
            server.kill()


def test_a_datagram_that_is_too_long_fails() -> None:
    with session(kind="udp", messages=("x" * 65508,), timeout=1.0) as pair:
        assert pair.client.finish() == 1
        assert pair.client.failures() == ["65508 bytes are too long for a datagram (65507 over IPv4)."]
        assert pair.server.end() == 1


def test_an_empty_datagram_is_no_end() -> None:
    with session(kind="udp", messages=("", "after")) as pair:
        assert pair.finish() == [0, 0], pair.client.report()
        assert [call.result for call in pair.client.calls("recv")][:2] == [0, 5]
        assert pair.client.calls("recv")[0].detail == "an empty datagram"


def test_by_hand() -> None:
    with session(kind="udp", interactive=True, messages=()) as pair:
        pair.server.do("send", text="too early")
        pair.server.wait(lambda end: len(end.events("note")) == 1)
        pair.client.do("send", hex="00ff")
        pair.client.wait(lambda end: any(call.result == 2 for call in end.calls("recv")))
        pair.server.do("send", text="answer")
        pair.client.wait(lambda end: any(call.result == 6 for call in end.calls("recv")))
        pair.client.do("abort")
        pair.client.wait(lambda end: len(end.events("note")) == 1)
        pair.server.do("close")
        pair.server.wait(lambda end: any(call.result == 0 for call in end.calls("close")))
        pair.client.do("send", text="anyone?")
        pair.client.wait(lambda end: any(call.errno == "ECONNREFUSED" for call in end.calls("recv")))
        pair.server.do("send", text="x")
        pair.server.wait(lambda end: len(end.events("note")) == 2)
        pair.server.do("connect")
        pair.server.wait(lambda end: len(end.events("listening")) == 2)
        pair.client.do("send", text="again")
        pair.server.wait(lambda end: any(call.result == 5 for call in end.calls("recvfrom")))
        assert pair.end() == [0, 0]
