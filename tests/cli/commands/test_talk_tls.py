"""A client of ours that speaks TLS: to real services, with what is said inside shown by the trace itself."""

from __future__ import annotations

import json
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path

from websockets.sync.server import serve

from inspector.cli.commands.talk import spec_of
from inspector.trace.file.secrets import late_secrets, put_first
from inspector.trace.part import written
from inspector.trace.trace import Trace
from inspector.wire import pcapng
from tests.support.running.commands import COMMAND, inspector
from tests.support.running.lab import needs_lab
from tests.support.running.services import EchoesStreams, Greets, echoes
from tests.support.running.tls import Certificate, certificate
from tests.support.screen.window import LEFT, terminal
from tests.support.tiers import sweep


class Quiet(ThreadingHTTPServer):
    """Says nothing of clients that do not like its certificate."""

    def handle_error(self, request: object, client_address: object) -> None:
        pass


class QuietTcp(socketserver.ThreadingTCPServer):
    """The same."""

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@contextmanager
def service(kind: str, context: ssl.SSLContext | None) -> Iterator[int]:
    """A service of this kind on a port, by TLS where there is a context."""
    if kind == "websocket":
        with serve(echoes, "127.0.0.1", 0, ssl=context) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield server.socket.getsockname()[1]
            server.shutdown()
        return
    made = Quiet(("127.0.0.1", 0), Greets) if kind == "http" else QuietTcp(("127.0.0.1", 0), EchoesStreams)
    with made:
        if context is not None:
            made.socket = context.wrap_socket(made.socket, server_side=True)
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield int(made.server_address[1])
        made.shutdown()


def run(*words: str, trusted: Certificate | None = None) -> subprocess.CompletedProcess[str]:
    return inspector(*words, **({} if trusted is None else {"SSL_CERT_FILE": str(trusted.certificate)}))


def block_types(trace: Path) -> list[int]:
    data, at, found = trace.read_bytes(), 0, []
    while (block := pcapng.block_at(data, at, "=")) is not None:
        found.append(block.type)
        at = block.end
    return found


def decoded(trace: Path, what: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in run("decode", str(trace), "--json", what).stdout.splitlines()]


@needs_lab
@sweep(("kind", "message", "key", "answer"), [
    ("http", "GET /there", "http.request.uri", "/there"), ("websocket", "hello", "payload", "hello"),
    ("tcp", "hello", "", ""),
], lambda case: case[0] == "websocket")
def test_what_is_said_by_tls_is_shown_by_the_trace(
    kind: str, message: str, key: str, answer: str, tmp_path: Path
) -> None:
    own, trace = certificate(tmp_path), tmp_path / "x.pcapng"
    with service(kind, own.server()) as port:
        done = run("run", kind, "--to", f"localhost:{port}", "--tls", "--message", message, "--save",
                   str(trace), trusted=own)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    if key:
        assert answer in [one.get(key) for one in decoded(trace, kind)]
    else:
        assert {23} <= {one["tls.record.content_type"] for one in decoded(trace, "tls")}
    kinds = block_types(trace)
    assert kinds.index(pcapng.DECRYPTION_SECRETS) < kinds.index(pcapng.ENHANCED_PACKET)


def test_secrets_that_came_late_are_put_in_front(tmp_path: Path) -> None:
    line = b"CLIENT_RANDOM " + b"01" * 32 + b" " + b"02" * 48 + b"\n"
    blocks = [pcapng.section_header(), pcapng.interface_description(1), pcapng.enhanced_packet(b"x" * 60, 1)]
    path, late = tmp_path / "x.pcapng", pcapng.decryption_secrets(line)
    path.write_bytes(b"".join([*blocks, late, blocks[2]]))
    with Trace.open(path) as trace:
        trace.finish()
        saved = tmp_path / "saved.pcapng"
        saved.write_bytes(b"".join(written(trace)))
    assert late_secrets(path) == line
    put_first(path, late_secrets(path))
    assert block_types(path)[:2] == [pcapng.SECTION_HEADER, pcapng.DECRYPTION_SECRETS]
    assert path.read_bytes() == saved.read_bytes()


@needs_lab
@sweep(("days", "host", "words"), [
    (1, "127.0.0.1", "self-signed certificate"), (0, "localhost", "certificate has expired"),
], lambda case: not case[0])
def test_a_certificate_that_is_not_accepted_is_one_sentence(
    days: int, host: str, words: str, tmp_path: Path
) -> None:
    own = certificate(tmp_path, days)
    with service("http", own.server()) as port:
        to = f"{host}:{port}"
        done = run("run", "http", "--to", to, "--tls", trusted=own if not days else None)
        assert done.returncode == 1
        sentence = f"The certificate of {to} is not accepted: {words}. --insecure takes any certificate."
        assert done.stderr == f"inspector: {sentence}\n"
        assert run("run", "http", "--to", to, "--tls", "--insecure").returncode == 0


@needs_lab
def test_a_service_without_tls_is_one_sentence(tmp_path: Path) -> None:
    with service("http", None) as port:
        done = run("run", "http", "--to", f"127.0.0.1:{port}", "--tls")
    assert done.returncode == 1
    assert f"127.0.0.1:{port} answers, but not by TLS" in done.stderr and done.stderr.count("\n") == 1


@needs_lab
def test_a_service_that_ends_in_the_handshake_is_one_sentence() -> None:
    class Leaves(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1)

    with QuietTcp(("127.0.0.1", 0), Leaves) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = run("run", "tcp", "--to", f"127.0.0.1:{server.server_address[1]}", "--tls")
        server.shutdown()
    assert done.returncode == 1
    assert "No connection by TLS to 127.0.0.1:" in done.stderr and done.stderr.count("\n") == 1


@needs_lab
def test_a_person_talks_to_a_secure_websocket(tmp_path: Path) -> None:
    own = certificate(tmp_path)
    with service("websocket", own.server()) as port:
        words = [*COMMAND, "talk", f"wss://localhost:{port}/chat", "--insecure"]
        with terminal(tmp_path, words, size=(120, 40)) as app:
            app.until_shown("101 Switching Protocols")
            app.write(b"hello\r")
            app.until_shown('"hello"')
            app.write(b"\x1b\x11")
            app.read_until(LEFT)
            assert app.ended() == 0


def test_urls_of_tls() -> None:
    spec = spec_of("wss://db.example/room", insecure=True)
    assert (spec.kind, spec.service) == ("websocket", ("db.example", 443))
    assert spec.tls and spec.insecure
    assert spec_of("https://db.example:8443/a").service == ("db.example", 8443)
    assert spec_of("tls://127.0.0.1:9").kind == "tcp" and not spec_of("tcp://127.0.0.1:9").tls
