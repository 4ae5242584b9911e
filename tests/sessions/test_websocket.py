"""WebSocket endpoints as processes: with each other, and against the library's own client and server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import Server, ServerConnection, serve

from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import resolved
from tests.support.running.lab import wait_until
from tests.support.running.sessions import LIMIT, Endpoint, free_port, has_ipv6, led_server, session

IPV6 = pytest.param(True, marks=pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6 loopback here"))
EVERYTHING = ("text 你好", "hex:00ff", "binary:abc", "ping:are you there", "pong:unasked",
              "fragments:3:hello there world", "fragments:2:hex:0102", "fragments:4:ab", "")  # fmt: skip


@pytest.mark.parametrize("ipv6", [False, IPV6])
@pytest.mark.parametrize("deflate", [False, True])
def test_everything_is_echoed_and_the_server_ends_tcp_first(deflate: bool, ipv6: bool) -> None:
    with session(kind="websocket", deflate=deflate, ipv6=ipv6, messages=EVERYTHING) as pair:
        assert pair.finish() == [0, 0], pair.client.report() + pair.server.report()
        assert pair.server.calls("shutdown")[-1].message == "shutdown(4, SHUT_WR) = 0"
        assert not pair.client.calls("shutdown")
        for endpoint in pair.endpoints:
            assert endpoint.calls("recv")[-1].detail == "end of stream"


@pytest.mark.parametrize("end_by", ["client", "server"])
@pytest.mark.parametrize("behaviour", ["echo", "push", "silent"])
def test_either_side_closes_with_code_and_reason(behaviour: str, end_by: str) -> None:
    options = {"behaviour": behaviour, "end_by": end_by, "push_interval": 0.01}
    with session(kind="websocket", close_code=3001, close_reason="enough", **options) as pair:
        assert pair.finish() == [0, 0], pair.client.report() + pair.server.report()
        sends = [call.arguments for call in pair.server.calls("send")]
        assert sends[-1] == '4, "\\x88␈␋\\xb9enough", 10'     # 3001 = 0x0bb9
        pushed = [text for text in sends if "push" in text]
        assert len(pushed) == (3 if behaviour == "push" else 0)
        assert pair.server.calls("shutdown")[-1].message == "shutdown(4, SHUT_WR) = 0"


@pytest.mark.parametrize("ending", ["abort", "half-close", "none"])
@pytest.mark.parametrize("end_by", ["client", "server"])
def test_endings_without_a_close_frame(ending: str, end_by: str) -> None:
    with session(kind="websocket", ending=ending, end_by=end_by) as pair:
        assert pair.finish() == [0, 0], pair.client.report() + pair.server.report()
        second = pair.server if end_by == "client" else pair.client
        assert second.calls("recv")[-1].errno == ("ECONNRESET" if ending == "abort" else None)


def test_refused_when_nobody_listens_is_as_asked() -> None:
    with session(kind="websocket", with_server=False) as pair:
        assert pair.finish() == [0]


def test_by_hand_from_both_ends() -> None:
    def came(text: str) -> Callable[[Endpoint], bool]:
        return lambda end: any(text in call.detail for call in end.calls("recv"))

    with session(kind="websocket", interactive=True, messages=("up",), behaviour="silent") as pair:
        pair.server.wait(lambda end: len([call for call in end.calls("recv") if call.result]) == 2)
        pair.server.do("send", text="from the server", fragments=2)
        pair.client.wait(came("␁␈from the"))
        pair.server.do("send", text="ding", opcode="ping")
        pair.client.wait(came("\\x89␄ding"))
        pair.server.wait(came("\\x8a\\x84"))                    # the library's pong, masked
        pair.client.do("close", code=1001, reason="bye")
        pair.server.wait(lambda end: any(call.result == 0 for call in end.calls("close")))
        pair.client.wait(lambda end: any(call.result == 0 for call in end.calls("close")))
        pair.client.do("send", text="too late")
        pair.client.wait(lambda end: len(end.events("note")) == 1)
        pair.client.do("connect")
        pair.client.wait(lambda end: len([1 for call in end.calls("recv") if "101 Sw" in call.detail]) == 2)
        pair.server.do("close", code=4000)
        pair.client.wait(lambda end: len([1 for call in end.calls("close") if call.result == 0]) == 2)
        pair.client.do("close", code=1005)
        pair.client.wait(lambda end: "1005 is no close code" in end.events("note")[-1].text)
        assert pair.end() == [0, 0]
        assert not pair.client.failures() + pair.server.failures()


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Endpoint]:
    options = getattr(request, "param", {})
    spec = SessionSpec(kind="websocket", port=free_port(), interactive=True, push_interval=0.01, **options)
    endpoint = Endpoint("server", resolved(spec))
    try:
        endpoint.wait(lambda end: bool(end.events("listening")))
        yield endpoint
        assert endpoint.end() == 0
        assert not endpoint.failures()
    finally:
        endpoint.kill()


def connected(server: Endpoint, compression: str | None = None) -> ClientConnection:
    address = ("127.0.0.1", server.spec.port)
    sock = socket.create_connection(address, timeout=LIMIT)      # by itself it would ask for a proxy
    return connect("ws://127.0.0.1/chat", compression=compression, sock=sock, open_timeout=LIMIT)


@pytest.mark.parametrize("server", [{}, {"deflate": True}], indirect=True)
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_the_library_understands_the_server(server: Endpoint, compression: str | None) -> None:
    with connected(server, compression) as client:
        negotiated = client.response is not None and "Sec-WebSocket-Extensions" in client.response.headers
        assert negotiated == (server.spec.deflate and compression is not None)
        for message in ("hello", "", "你好" * 30_000, b"\x00\xff", ["in", "three", "pieces"]):
            client.send(message)
            whole = "".join(message) if isinstance(message, list) else message
            assert client.recv(LIMIT) == whole
        assert client.ping(b"x").wait(LIMIT)
        server.do("send", text="by hand, in five", fragments=5)
        assert client.recv(LIMIT) == "by hand, in five"
        server.do("send", hex="0001")
        assert client.recv(LIMIT) == b"\x00\x01"
        server.do("close", code=4001, reason="the end")
        with pytest.raises(ConnectionClosed):
            client.recv(LIMIT)
        assert (client.protocol.close_code, client.protocol.close_reason) == (4001, "the end")


@pytest.mark.parametrize("server", [{"behaviour": "push"}], indirect=True)
def test_the_server_pushes(server: Endpoint) -> None:
    with connected(server) as client:
        assert [client.recv(LIMIT) for _ in range(3)] == ["push 1 of 3", "push 2 of 3", "push 3 of 3"]
        client.close(1000, "seen")


def test_a_protocol_error_is_answered_with_1002(server: Endpoint) -> None:
    with connected(server) as client:
        client.socket.sendall(b"\x81\x01a")            # not masked
        with pytest.raises(ConnectionClosed):
            client.recv(LIMIT)
        assert client.protocol.close_code == 1002


def test_what_asks_for_no_websocket_is_refused(server: Endpoint) -> None:
    with socket.create_connection(("127.0.0.1", server.spec.port), timeout=LIMIT) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 426 ")
    server.wait(lambda end: len(end.events("note")) == 1)


@pytest.fixture
def other() -> Iterator[tuple[Server, list[object]]]:
    seen: list[object] = []

    def handler(connection: ServerConnection) -> None:
        try:
            for message in connection:
                seen.append(message)
                connection.send(message)
        finally:
            seen.append((connection.protocol.close_code, connection.protocol.close_reason))

    with serve(handler, "127.0.0.1", 0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running, seen
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("deflate", [False, True])
def test_the_library_understands_the_client(other: tuple[Server, list[object]], deflate: bool) -> None:
    running, seen = other
    port = running.socket.getsockname()[1]
    spec = SessionSpec(kind="websocket", port=port, messages=EVERYTHING, deflate=deflate, close_code=4002,
                       close_reason="read")
    client = Endpoint("client", resolved(spec))
    try:
        assert client.finish() == 0, client.report()
    finally:
        client.kill()
    expected: list[object] = ["text 你好", b"\x00\xff", b"abc", "hello there world", b"\x01\x02", "ab", ""]
    wait_until(lambda: len(seen) > len(expected), "the end, of which its thread hears")
    assert seen == [*expected, (4002, "read")]


@pytest.mark.parametrize(("answer", "sentence"), [
    (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answered HTTP/1.1 404 Not Found"),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", "answered HTTP/1.0 200 OK"),
    (b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", "answered HTTP/1.1 200, not"),
    (b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "answered HTTP/1.1 200 OK"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + bytes(2_000_000),
     "answered HTTP/1.1 200 OK"),
    (b"HTTP/1.1 200 O\x1bK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
     "answered HTTP/1.1 200 O␛K"),
    (b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 200 + b"\r\n", "answered HTTP/1.1 200 OK"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", "answered HTTP/1.1 200 OK"),
    (b"HTTP/1.0 101 Switching Protocols\r\n\r\n",
     "answered HTTP/1.0 101 Switching Protocols, but unsupported"),
    (b"220 ready\r\n", "sent an answer that is no HTTP"), (b"HTTP/1.1 20", "sent half a status line"),
    (b"", "sent nothing"),
])  # fmt: skip
def test_a_server_that_does_not_upgrade_fails_the_client(answer: bytes, sentence: str) -> None:
    """What the server answered is said, whatever the library takes for HTTP."""
    with led_server(kind="websocket") as (client, connected):
        peer = connected()
        peer.recv(65536)
        peer.sendall(answer)
        peer.shutdown(socket.SHUT_WR)
        assert client.finish() == 1
        assert f"The upgrade to WebSocket failed: the server {sentence}" in client.failures()[0]


def test_a_refusal_is_known_before_the_server_closes() -> None:
    with led_server(kind="websocket") as (client, connected):
        peer = connected()
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert client.finish() == 1               # while the connection stands
        assert "answered HTTP/1.1 200 OK" in client.failures()[0]


@pytest.mark.parametrize("closes", [True, False])
def test_who_leads_by_hand_hears_once_of_a_refusal(closes: bool) -> None:
    with led_server(kind="websocket", interactive=True, messages=()) as (client, connected):
        peer = connected()
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        if closes:
            peer.shutdown(socket.SHUT_WR)
        client.wait(lambda end: len(end.events("note")) == 1)
        assert "answered HTTP/1.1 200 OK" in str(client.events("note")[0])
        client.wait(lambda end: len(end.calls("close" if closes else "shutdown")) == 1)
        assert len(client.events("note")) == 1


@pytest.mark.parametrize("who", ["client", "server"])
def test_after_its_half_close_an_end_sends_nothing_more(who: str) -> None:
    """Its own send() would fail with EPIPE, which is no reset by the other end."""
    with session(kind="websocket", interactive=True, messages=("up",), ending="none") as pair:
        one, other = (pair.client, pair.server) if who == "client" else (pair.server, pair.client)
        pair.client.wait(lambda end: any("␂up" in call.detail for call in end.calls("recv")))
        one.do("half-close")
        other.wait(lambda end: end.calls("recv")[-1].result == 0)
        sent = len(one.calls("send"))
        one.do("close")
        one.wait(lambda end: [call.result for call in end.calls("close")] == [0])
        other.do("close")
        assert pair.end() == [0, 0]
        assert len(one.calls("send")) == sent and not one.events("note")
        assert not pair.client.failures() + pair.server.failures()
