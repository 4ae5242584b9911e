"""HTTP endpoints as processes: with each other, and against the standard library as a second opinion."""

from __future__ import annotations

import http.client
import http.server
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import resolved
from tests.support.running.sessions import LIMIT, Endpoint, free_port, has_ipv6, led_server, session

IPV6 = pytest.param(True, marks=pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6 loopback here"))


@pytest.mark.parametrize("ipv6", [False, IPV6])
def test_keep_alive_serves_all_requests_on_one_connection(ipv6: bool) -> None:
    messages = ("GET /", "POST /echo hello", "GET /chunked", "GET /slow", "GET /nothing", "POST / no")
    with session(kind="http", ipv6=ipv6, messages=messages) as pair:
        assert pair.finish() == [0, 0], pair.client.report()
        assert len(pair.server.calls("accept")) == 1
        sent = [call.arguments.split() for call in pair.server.calls("send")]
        statuses = [words[2] for words in sent if words[1].startswith('"HTTP/1.1')]
        assert statuses == ["200", "200", "200", "200", "404", "405"]


def test_headers_are_said_as_they_were_typed_and_once() -> None:
    messages = ('POST /echo -H "X-Mine: é" -H "user-agent: me" hello', 'GET / -H "Host: a" -H "Host: b"')
    with session(kind="http", messages=messages[:1]) as pair:
        assert pair.finish() == [0, 0], pair.client.report()
        (call,) = pair.client.calls("send")
        assert call.result == len(
            f"POST /echo HTTP/1.1\r\nHost: {call.peer}\r\nX-Mine: é\r\nuser-agent: me\r\nContent-Type: "
            "text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello".encode())
    with session(kind="http", messages=messages[1:]) as pair:
        pair.finish()
        assert "Traceback" not in pair.client.report() and "Host" in pair.client.report()


def test_without_keep_alive_each_request_has_a_connection_that_the_server_closes() -> None:
    with session(kind="http", keep_alive=False) as pair:
        assert pair.finish() == [0, 0], pair.client.report()
        assert len(pair.server.calls("accept")) == len(pair.client.calls("connect")) == 2
        ends = [call.detail for call in pair.client.calls("recv") if call.result == 0]
        assert ends == ["end of stream"] * 2


@pytest.mark.parametrize("ending", ["close", "half-close", "abort"])
@pytest.mark.parametrize("end_by", ["client", "server"])
def test_endings(ending: str, end_by: str) -> None:
    with session(kind="http", ending=ending, end_by=end_by) as pair:
        assert pair.finish() == [0, 0], pair.client.report() + pair.server.report()
        second = pair.server if end_by == "client" else pair.client
        assert second.calls("recv")[-1].errno == ("ECONNRESET" if ending == "abort" else None)


def test_chunks_are_sent_one_by_one() -> None:
    with session(kind="http", chunked=True, messages=("POST /echo hello there",)) as pair:
        assert pair.finish() == [0, 0], pair.client.report()
        for endpoint in pair.endpoints:
            sent = [call.arguments.split(", ", 1)[1] for call in endpoint.calls("send")]
            assert sent[1:] == ['"4␍␊hell␍␊", 9', '"4␍␊o th␍␊", 9', '"3␍␊ere␍␊", 8', '"0␍␊␍␊", 5']


def test_a_silent_server_never_answers() -> None:
    with session(kind="http", behaviour="silent") as pair:
        assert pair.finish() == [0, 0], pair.client.report()
        assert not pair.server.calls("send")


def test_push_is_a_stream_of_events() -> None:
    with session(kind="http", behaviour="push", push_interval=0.01) as pair:
        assert pair.finish() == [0, 0], pair.client.report()
        sent = [call.arguments for call in pair.server.calls("send")]
        assert [f"data: push {n} of 3" in text for n, text in enumerate(sent[1:4], 1)] == [True] * 3


def test_what_is_no_request_gets_400() -> None:
    with session(kind="http", messages=("hex:" + b"NO\r\n\r\n".hex(),)) as pair:
        assert pair.finish() == [0, 0], pair.client.report()
        assert 'send(4, "HTTP/1.1 400 Bad Request' in pair.server.calls("send")[0].message


def test_refused_when_nobody_listens_is_as_asked() -> None:
    with session(kind="http", with_server=False) as pair:
        assert pair.finish() == [0]
        assert pair.client.calls("connect")[0].errno == "ECONNREFUSED"


def test_by_hand() -> None:
    def answers(end: Endpoint) -> int:
        return len([call for call in end.calls("recv") if 'HTTP/1.1 200' in call.detail])

    with session(kind="http", interactive=True, messages=()) as pair:
        pair.server.do("send", text="unasked")
        pair.server.wait(lambda end: len(end.events("note")) == 1)
        pair.client.do("send", text="no request")
        pair.client.wait(lambda end: len(end.events("note")) == 1)
        pair.client.do("send", text="GET /")
        pair.client.wait(lambda end: answers(end) == 1)
        pair.client.do("send", text="GET /push")
        pair.client.wait(lambda end: any("push 3 of 3" in call.detail for call in end.calls("recv")))
        pair.client.do("send", text="GET /")
        pair.client.wait(lambda end: len(end.events("note")) == 2)
        pair.server.do("send", text="by hand")
        pair.client.wait(lambda end: any("data: by hand" in call.detail for call in end.calls("recv")))
        pair.server.do("close")
        pair.client.wait(lambda end: end.names()[-1] == "close" and end.calls("close")[0].result == 0)
        last = [call.detail for call in pair.client.calls("recv")][-2:]
        assert "0␍␊␍␊" in "".join(last)                     # the stream was ended in order
        pair.client.do("send", text="POST /echo again")     # connects anew
        pair.client.wait(lambda end: answers(end) == 3)
        pair.client.do("send", hex=b"NO\r\n\r\n".hex())
        pair.client.wait(lambda end: any("400 Bad Request" in call.detail for call in end.calls("recv")))
        pair.client.wait(lambda end: len(end.calls("close")) == 2)
        assert pair.end() == [0, 0]
        assert not pair.client.failures() + pair.server.failures()


def test_by_hand_with_nobody_listening() -> None:
    with session(kind="http", interactive=True, with_server=False, messages=()) as pair:
        pair.client.wait(lambda end: len(end.calls("close")) == 1)
        pair.client.do("send", text="GET /")
        pair.client.wait(lambda end: len(end.calls("close")) == 2)
        pair.client.do("send", text="GET /")
        pair.client.wait(lambda end: len(end.calls("close")) == 3)
        assert {call.errno for call in pair.client.calls("connect")} == {"ECONNREFUSED"}
        assert pair.end() == [0]


@pytest.fixture
def server() -> Iterator[Endpoint]:
    spec = SessionSpec(kind="http", port=free_port(), interactive=True, push_interval=0.01)
    endpoint = Endpoint("server", resolved(spec))
    try:
        endpoint.wait(lambda end: bool(end.events("listening")))
        yield endpoint
        assert endpoint.end() == 0
        assert not endpoint.failures()
    finally:
        endpoint.kill()


def ask(connection: http.client.HTTPConnection, *request: Any, **options: Any) -> tuple[int, bytes]:
    connection.request(*request, **options)
    with connection.getresponse() as answer:
        return answer.status, answer.read()


def test_the_standard_library_understands_the_server(server: Endpoint) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.spec.port, timeout=LIMIT)
    assert ask(connection, "GET", "/?a=b")[1].startswith(b"<!doctype html>")
    assert ask(connection, "HEAD", "/") == (200, b"")
    assert ask(connection, "POST", "/echo", body=b"\x00\xff" * 50_000) == (200, b"\x00\xff" * 50_000)
    chunks = iter([b"in ", b"chunks"])
    assert ask(connection, "PUT", "/echo", body=chunks, encode_chunked=True) == (200, b"in chunks")
    assert ask(connection, "GET", "/chunked") == (200, b"first chunk\nsecond chunk\nthird chunk\n")
    assert ask(connection, "HEAD", "/chunked") == (200, b"")
    assert ask(connection, "GET", "/%00")[0] == 404
    assert ask(connection, "DELETE", "/")[0] == 405
    assert ask(connection, "GET", "/", headers={"Connection": "close"})[0] == 200
    connection.close()
    assert len(server.calls("accept")) == 2     # one, and the one that waits


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),                                      # no Host
        (b"GET / HTTP/9.1\r\nHost: x\r\n\r\n", b"505"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"400"),
        (b"\x00\x01\x02\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 70_000, b"431"),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
    ],
    ids=["no-host", "version", "two-lengths", "controls", "too-long", "bad-chunk"],
)
def test_malformed_requests_are_answered_and_the_connection_closed(
    server: Endpoint, request_bytes: bytes, status: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", server.spec.port), timeout=LIMIT) as sock:
        sock.sendall(request_bytes)
        answer = b""
        while data := sock.recv(65536):
            answer += data
    assert answer.startswith(b"HTTP/1.1 " + status)


def test_pipelined_requests_and_100_continue(server: Endpoint) -> None:
    with socket.create_connection(("127.0.0.1", server.spec.port), timeout=LIMIT) as sock:
        head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
        sock.sendall(head + b"\r\nab" + head + b"Expect: 100-continue\r\n\r\n")
        answer = b""
        while b"HTTP/1.1 100 " not in answer:
            answer += sock.recv(65536)
        sock.sendall(b"cd" + b"GET / HTTP/1.0\r\n\r\n")
        while data := sock.recv(65536):
            answer += data
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.index(b"ab") < answer.index(b"100 ") < answer.index(b"cd")


class Recorder(http.server.BaseHTTPRequestHandler):
    """Answers everything, and keeps what came."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, bytes]]

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        type(self).seen.append((self.command, self.path, self.rfile.read(length)))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_the_client_is_understood_by_the_standard_library() -> None:
    Recorder.seen = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        messages = ("GET /a?b=c", "POST /d e f", "POST /g hex:00ff", "POST /h")
        spec = SessionSpec(kind="http", port=other.server_address[1], messages=messages)
        client = Endpoint("client", resolved(spec))
        try:
            assert client.finish() == 0, client.report()
        finally:
            client.kill()
            other.shutdown()
            thread.join()
    assert Recorder.seen == [
        ("GET", "/a?b=c", b""), ("POST", "/d", b"e f"), ("POST", "/g", b"\x00\xff"), ("POST", "/h", b"")
    ]  # fmt: skip


def test_an_answer_that_is_no_http_fails() -> None:
    with led_server(kind="http") as (client, connected):
        peer = connected()
        peer.sendall(b"220 mail.example ESMTP\r\n\r\n")
        assert client.finish() == 1
        assert client.failures()[0].startswith("The answer is no HTTP: ")


def test_after_its_half_close_the_server_answers_nothing_and_nobody_reset(server: Endpoint) -> None:
    """It reads the request that comes after its FIN, and says that it cannot answer."""
    asked = b"GET /push HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.spec.port), timeout=LIMIT) as sock:
        sock.sendall(asked.replace(b"/push", b"/"))
        assert sock.recv(65536)
        server.do("half-close")
        while sock.recv(65536):
            pass
        sock.sendall(asked)                                    # an answer, and a push after the other
        server.wait(lambda end: bool(end.events("note")))
        server.do("close")                                     # nor the end of the events can be sent
        server.wait(lambda end: [call.result for call in end.calls("close")] == [0])
        assert [one.text for one in server.events("note")] == [
            "The server has ended its direction, it cannot send."]
        assert all(call.errno is None for call in server.calls("send"))
