"""`inspector talk` and `run --to`: a client of ours, and at the other end a real service of this machine."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from websockets.sync.server import serve

from inspector.cli.commands.talk import spec_of
from inspector.model.endpoint import join_endpoint
from inspector.model.spec import SpecError
from tests.support.running.commands import COMMAND, inspector
from tests.support.running.lab import needs_lab
from tests.support.running.services import EchoesDatagrams, EchoesStreams, Greets, echoes
from tests.support.screen.window import LEFT, terminal


@pytest.fixture(params=["tcp", "udp", "http", "websocket"])
def service(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """A kind of session, and the port of a service of this machine that speaks it."""
    kind: str = request.param
    if kind == "websocket":
        with serve(echoes, "127.0.0.1", 0) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield kind, server.socket.getsockname()[1]
            server.shutdown()
        return
    made: socketserver.TCPServer = (
        ThreadingHTTPServer(("127.0.0.1", 0), Greets) if kind == "http"
        else socketserver.ThreadingUDPServer(("127.0.0.1", 0), EchoesDatagrams) if kind == "udp"
        else socketserver.ThreadingTCPServer(("127.0.0.1", 0), EchoesStreams)
    )
    with made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield kind, int(made.server_address[1])
        made.shutdown()


@needs_lab
def test_a_script_talks_to_a_real_service(service: tuple[str, int], tmp_path: Path) -> None:
    kind, port = service
    trace = tmp_path / "x.pcapng"
    message = "GET /there" if kind == "http" else "hello"
    done = inspector("run", kind, "--to", f"127.0.0.1:{port}", "--message", message, "--save", str(trace))
    assert done.returncode == 0, done.stdout + done.stderr
    decoded = inspector("decode", str(trace), "--json", "conversations")
    (found,) = map(json.loads, decoded.stdout.splitlines())
    assert found["b"] == f"127.0.0.1:{port}"
    assert found["bytes_ba"] > 0
    assert found["application" if kind in ("http", "websocket") else "protocol"] == kind


@needs_lab
def test_an_empty_datagram_is_led_back_too(tmp_path: Path) -> None:
    trace = tmp_path / "x.pcapng"
    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), EchoesDatagrams) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = inspector("run", "udp", "--to", f"127.0.0.1:{server.server_address[1]}", "--message", "A",
                         "--message", "", "--message", "B", "--save", str(trace))
        server.shutdown()
    assert done.returncode == 0, done.stdout + done.stderr
    printed = inspector("decode", str(trace), "--json", "packets", "--filter", "udp.length == 8").stdout
    sources = [json.loads(line)["udp.srcport"] for line in printed.splitlines()]
    assert len(sources) == 2 and sources[1] == server.server_address[1]


@needs_lab
def test_a_person_talks_to_a_web_server(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Greets) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/first?a=b"
        words = [*COMMAND, "talk", url, "--header", "X-Own: mine"]
        with terminal(tmp_path, words, size=(120, 40)) as app:
            app.until_shown("GET /first?a=b", "200 OK")
            app.write(b"GET /second\r")
            app.until_shown("GET /second")
            app.write(b"\x11")
            app.read_until(LEFT)               # a terminal that nobody reads would hold its last words up
            assert app.ended() == 0
        server.shutdown()


@needs_lab
def test_a_service_that_is_not_there_is_a_reset_and_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kept = str(tmp_path / "kept.pcapng")
    done = inspector("run", "tcp", "--to", f"127.0.0.1:{port}", "--save", kept)
    assert done.returncode == 1
    assert f"The relay's connection onward to 127.0.0.1:{port} failed: Connection refused." in done.stderr
    assert "RST" in done.stdout
    printed = inspector("decode", kept, "--json", "findings").stdout
    found = [json.loads(line) for line in printed.splitlines()]
    assert [one["id"] for one in found] == ["tcp.connection-refused"]      # no server is blamed
    assert "the reset is the relay's" in found[0]["text"]


@needs_lab
@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_nobody_stands_in_for_a_host_that_there_is_not(kind: str) -> None:
    done = inspector("run", kind, "--to", "nosuch.invalid:9")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("inspector: Nobody is led to nosuch.invalid:9: ")
    assert done.stderr.count("\n") == 1


@needs_lab
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_datagram_to_nobody_is_answered_by_icmp_as_outside(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as free:
        free.bind((host, 0))
        to = join_endpoint(host, free.getsockname()[1])
    done = inspector("run", "udp", "--to", to)
    assert done.returncode == 1
    assert f"Nobody listens at {to} for datagrams: the host answered port unreachable." in done.stderr
    assert "ECONNREFUSED" in done.stdout and "Port unreachable" in done.stdout


def test_a_url_becomes_a_session() -> None:
    spec = spec_of("ws://[::1]:8765/room?x=1", ("Origin: http://x",), deflate=True)
    assert (spec.kind, spec.service, spec.path) == ("websocket", ("::1", 8765), "/room?x=1")
    assert spec.messages == ()
    assert spec.header_pairs == (("Origin", "http://x"),)
    assert spec_of("http://db.example").service == ("db.example", 80)
    assert spec_of("http://db.example/a%20b").messages == ("GET /a%20b",)
    assert spec_of("tcp://127.0.0.1:9").kind == "tcp"


@pytest.mark.parametrize(("url", "words"), [
    ("tls://127.0.0.1", "no port"), ("tcp://127.0.0.1", "no port"), ("x", "no URL"),
    ("http://", "no URL"), ("tcp://a:99999", "no URL"), ("tcp://a:9/path", "nothing else"),
    ("http://a:0x", "no URL"), ("ws://a/\x01", "path"), ("http://[x", "no URL"), ("", "no URL"),
    ("ftp://a:1", "no URL"),
])  # fmt: skip
def test_what_is_no_url_of_a_service_is_one_sentence(url: str, words: str) -> None:
    with pytest.raises(SpecError) as raised:
        spec_of(url)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("header", ["x", "a b: c", "A:\r\nB: c", ": c", "A: \x1b"])
def test_what_is_no_header_is_refused(header: str) -> None:
    with pytest.raises(SpecError):
        spec_of("http://a/", (header,))


@pytest.mark.parametrize(("url", "words"), [
    ("tcp://127.0.0.1:{port}", "Connection refused"),
    ("ws://no-such-host.invalid:{port}/", "cannot be reached"),
])  # fmt: skip
def test_nobody_there_is_said_before_the_app_opens(url: str, words: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = inspector("talk", url.format(port=port))
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert words in done.stderr
