"""Sending again: `sh` runs the commands with curl and websocat, and what comes is compared with what was.

Requests are written into traces byte by byte; a server on the host's loopback keeps what the command sends.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspector.model.packets import Row
from inspector.protocols.http.message import head_end
from inspector.protocols.http2.hpack import Table
from inspector.trace.trace import Trace
from inspector.views.handing.again import LONGEST_BODY, Again, NothingToSendError, sent_again
from inspector.views.handing.shell import printed, readable, word
from tests.protocols.test_redis import frames_of
from tests.support.captures.frames import pcapng_bytes, trace_of
from tests.support.captures.traces import DATA, open_trace

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
needs_websocat = pytest.mark.skipif(shutil.which("websocat") is None, reason="websocat is not installed")
SHELLS = [shell for shell in ("sh", "bash", "dash", "zsh") if shutil.which(shell)]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
RAW = 101


class Listener:
    """A server that keeps what one connection sends, and answers when it has `wanted` bytes or the end."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.create_server((address, 0), family=family)
        self.port = int(self.socket.getsockname()[1])
        self.came = b""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self.socket.accept()
        connection.settimeout(30)
        with connection, contextlib.suppress(OSError):
            while not self._whole():
                data = connection.recv(65536)
                if not data:
                    break
                self.came += data
            connection.sendall(OK)

    def _whole(self) -> bool:
        end = head_end(self.came)
        if end < 0:
            return False
        head = self.came[:end].lower()
        if b"transfer-encoding: chunked" in head:
            return self.came.endswith(b"0\r\n\r\n")
        length = re.search(rb"content-length: *([0-9]+)", head)
        return len(self.came) >= end + int(length[1] if length else 0)

    def close(self) -> None:
        self._thread.join(30)
        self.socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()
    yield found
    found.close()


def captured(path: Path, request: bytes, port: int, answer: bytes = OK) -> Trace:
    """A trace in which a client said this to 127.0.0.1:`port`, and was answered."""
    frames = frames_of([(0, request), (1, answer)], port=port)
    trace = trace_of(path, pcapng_bytes([at_home(frame) for frame in frames], RAW))
    trace.finish()
    return trace


def at_home(frame: bytes) -> bytes:
    """The same packet between 127.0.0.1 and itself; headers' sums do not count in a trace."""
    return frame[:12] + socket.inet_aton("127.0.0.1") * 2 + frame[20:]


def run(again: Again, folder: Path, shell: str = "sh") -> None:
    if again.body:
        (folder / "body.bin").write_bytes(again.body)
    done = subprocess.run([shell, "-c", again.command], cwd=folder, capture_output=True, timeout=60,
                          env={"PATH": os.environ["PATH"], "HOME": str(folder)})
    assert done.returncode == 0, (again.command, done.stderr)


def parted(data: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Start line, headers (the order of others than Host is kept; lengths are curl's), body."""
    end = head_end(data)
    first, *headers = data[:end].split(b"\r\n")
    kept = [line for line in headers if line and not line.lower().startswith((b"host:", b"content-length:"))]
    hosts = [line.lower() for line in headers if line.lower().startswith(b"host:")]
    return first, hosts + kept, data[end:]


def compare(request: bytes, listener: Listener, folder: Path, shell: str = "sh") -> Again:
    with captured(folder / "trace.pcapng", request, listener.port) as trace:
        again = sent_again(trace, Row(3))
    run(again, folder, shell)
    listener.close()
    assert parted(listener.came) == parted(request), again.command
    return again


HOST = b"Host: 127.0.0.1:%d\r\n"
ALL_BYTES = bytes(range(256))
REQUESTS = {
    "get": b"GET /a?b=c&d=%20 HTTP/1.1\r\n" + HOST + b"User-Agent: x\r\nAccept: */*\r\n\r\n",
    "bare": b"GET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "head": b"HEAD /a HTTP/1.1\r\n" + HOST + b"\r\n",
    "delete": b"DELETE /a%00 HTTP/1.1\r\n" + HOST + b"X-Empty:\r\n\r\n",
    "odd method": b"M-SEARCH /a HTTP/1.1\r\n" + HOST + b"\r\n",
    "odd target": b"GET /a/../{b}|[c]\"'$(id)`id`\\ HTTP/1.1\r\n" + HOST + b"\r\n",
    "high target": b"GET /\xc3\xa4\xff HTTP/1.1\r\n" + HOST + b"\r\n",
    "star": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "quotes": b"GET / HTTP/1.1\r\n" + HOST + b"X: it's \"$HOME\" `id` \\ !! %s\r\n\r\n",
    "twice": b"GET / HTTP/1.1\r\n" + HOST + b"Cookie: a=1\r\nX: 1\r\nX: 2\r\n\r\n",
    "high header": b"GET / HTTP/1.1\r\n" + HOST + b"X: \xff\xfe\x80 \xe2\x80\xae\r\n\r\n",
    "other host": b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n",
    "other port": b"GET / HTTP/1.1\r\nHost: localhost:1\r\n\r\n",
    "odd host": b"GET / HTTP/1.1\r\nHost: a b'\r\n\r\n",
    "empty host": b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "no host": b"GET / HTTP/1.0\r\nAccept: x\r\n\r\n",
    "proxy": b"GET http://shop.example/a?b HTTP/1.1\r\nHost: shop.example\r\n\r\n",
    "post": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello",
    "post nothing": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n",
    "at": b"PUT / HTTP/1.1\r\n" + HOST + b"Content-Length: 12\r\n\r\n@/etc/passwd",
    "lines": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\n\r\na\n'b'\n\nc\n",
    "get with body": b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\n{}",
    "binary": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 256\r\n\r\n" + ALL_BYTES,
    "escape": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 8\r\n\r\n\x1b[31m\r\n\t",
    "dash": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n\r\n-n\x00\n",
    "chunked": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "gzip": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
}  # fmt: skip


@needs_curl
@pytest.mark.parametrize("name", REQUESTS)
def test_what_curl_sends_is_what_was_sent(name: str, listener: Listener, tmp_path: Path) -> None:
    request = REQUESTS[name].replace(HOST, HOST % listener.port)
    for shell in SHELLS:
        with contextlib.closing(Listener()) as other:
            compare(request.replace(HOST % listener.port, HOST % other.port), other, tmp_path, shell)
    compare(request, listener, tmp_path)


@needs_curl
def test_a_long_body_is_read_from_a_file(listener: Listener, tmp_path: Path) -> None:
    body = b"x'" * LONGEST_BODY
    head = b"POST / HTTP/1.1\r\n" + HOST % listener.port + b"Content-Length: %d\r\n\r\n" % len(body)
    again = compare(head + body, listener, tmp_path)
    assert again.body == body and "@body.bin" in again.command and len(again.command) < 1000


@needs_curl
def test_an_answer_stands_for_its_request(listener: Listener, tmp_path: Path) -> None:
    request = REQUESTS["get"].replace(HOST, HOST % listener.port)
    with captured(tmp_path / "a.pcapng", request, listener.port) as trace:
        expected = sent_again(trace, Row(3))
        assert sent_again(trace, Row(4)) == expected            # the answer
        assert sent_again(trace, Row(0)) == expected            # a SYN of a connection of one request
    run(expected, tmp_path)


def test_a_byte_tells_which_of_several_is_meant(tmp_path: Path) -> None:
    first, second = (b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % name for name in (b"one", b"two"))
    with captured(tmp_path / "a.pcapng", first + second, 80, OK + OK) as trace:
        assert "/one" in sent_again(trace, Row(3)).command
        start = trace.frame(Row(3)).index(b"GET /two")
        assert "/two" in sent_again(trace, Row(3), start).command
        with pytest.raises(NothingToSendError, match="Packet 1 is part of no request"):
            sent_again(trace, Row(0))


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_every_word_means_its_bytes(data: bytes) -> None:
    for shell in SHELLS:
        done = subprocess.run([shell, "-c", f"{printed(data)}; printf %s {word(data)}"], capture_output=True)
        assert done.stdout == data + data.replace(b"\0", b""), (shell, word(data))


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_no_word_holds_what_a_terminal_could_take_for_a_command(data: bytes) -> None:
    text = word(data) + printed(data)
    assert readable(text.encode())


@needs_curl
def test_http2_is_sent_again_with_its_headers(tmp_path: Path) -> None:
    with Trace.open(DATA / "protocols" / "http2.pcapng") as trace:
        trace.finish()
        commands = {}
        for row in range(trace.index.count):
            with contextlib.suppress(NothingToSendError):
                commands[sent_again(trace, Row(row)).command] = Row(row)
    posts = [command for command in commands if "/large" in command]
    assert posts and all("--http2-prior-knowledge" in command for command in commands)
    with contextlib.closing(Http2Listener()) as server:
        command = posts[0].replace("127.0.0.1:8080", f"127.0.0.1:{server.port}")
        # It is told no answer: what counts is what it asked.
        subprocess.run(["sh", "-c", command.replace("curl ", "curl --max-time 20 ", 1)], capture_output=True)
        server.wait()
    asked = dict(server.headers)
    assert asked[b":path"] == b"/large" and asked[b":method"] == b"POST"
    assert asked[b"user-agent"].startswith(b"curl/")
    assert asked[b"content-type"] == b"application/x-www-form-urlencoded"


class Http2Listener:
    """Reads frames until the first headers have come (RFC 9113)."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.socket.getsockname()[1])
        self.headers: list[tuple[bytes, bytes]] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self.socket.accept()
        connection.settimeout(30)
        with connection, connection.makefile("rb") as stream:
            connection.sendall(b"\0\0\0\4\0\0\0\0\0")                     # SETTINGS
            stream.read(24)
            while not self.headers:
                head = stream.read(9)
                payload = stream.read(int.from_bytes(head[:3], "big"))
                if head[3] == 1:
                    skipped = 5 if head[4] & 0x20 else 0
                    found, _ = Table().read(payload[skipped:])
                    self.headers = [(one.name, one.value) for one in found]

    def wait(self) -> None:
        self._thread.join(30)

    def close(self) -> None:
        self.wait()
        self.socket.close()


def test_a_websocket_is_opened_again_by_websocat() -> None:
    with open_trace("websocket") as trace:
        again = sent_again(trace, Row(7))
    assert again.command.split() == ["websocat", "ws://127.0.0.1:8765/chat"]
    assert any("in the lab" in note for note in again.notes)


OPENING = (b"GET /chat?x=1 HTTP/1.1\r\nHost: %b\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Protocol: chat, it's\r\nOrigin: http://a.example\r\nX-Token: a 'b'\r\n\r\n")
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n")


def test_a_websocket_goes_to_its_address_by_its_name(tmp_path: Path) -> None:
    with captured(tmp_path / "a.pcapng", OPENING % b"shop.example", 8000, SWITCH) as trace:
        again = sent_again(trace, Row(3))
    assert args_of("websocat", again.command) == [
        "--ws-c-uri=ws://shop.example/chat?x=1", "-", "ws-c:tcp:127.0.0.1:8000", "--protocol", "chat, it's",
        "--origin", "http://a.example", "-H=X-Token: a 'b'"]


def args_of(name: str, command: str) -> list[str]:
    """The arguments that a shell would give a program."""
    done = subprocess.run(["sh", "-c", f"{name}() {{ printf '%s\\0' \"$@\"; }}; {command}"],
                          capture_output=True, check=True)
    return done.stdout.decode().rstrip("\0").split("\0")


@needs_websocat
@pytest.mark.parametrize("host", [b"127.0.0.1:%d", b"shop.example"])
def test_websocat_asks_as_was_asked(host: bytes, listener: Listener, tmp_path: Path) -> None:
    request = OPENING % (host % listener.port if b"%" in host else host)
    with captured(tmp_path / "a.pcapng", request, listener.port, SWITCH) as trace:
        command = sent_again(trace, Row(3)).command
    subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    listener.close()
    came, asked = parted(listener.came), parted(request)
    assert came[0] == asked[0]
    drop = (b"sec-websocket-key", b"upgrade", b"connection")
    lines = [{line.lower() for line in headers if not line.lower().startswith(drop)}
             for _, headers, _ in (came, asked)]
    assert lines[0] == lines[1]


def test_what_cannot_be_sent_again_says_why() -> None:
    with open_trace("udp") as trace, pytest.raises(NothingToSendError, match="no TCP connection"):
        sent_again(trace, Row(0))
    with Trace.open(DATA / "sessions" / "https.pcapng") as trace:
        trace.finish()
        with pytest.raises(NothingToSendError, match="encrypted"):
            sent_again(trace, Row(5))


