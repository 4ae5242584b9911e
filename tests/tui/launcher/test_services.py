"""What listens on this machine, in the launcher: a real service, and the way to it through the lab."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from inspector.kernel.services import services
from inspector.lab.capture.access import may_capture
from inspector.model.records import Service
from inspector.tui.launcher.services import ServicesScreen, free_port
from inspector.tui.widgets.line_list import LineList
from inspector.views.line.spans import plain
from inspector.views.session.services import ServiceLines, age
from tests.support.running.lab import needs_lab
from tests.support.running.processes import first_line
from tests.support.screen.live import QuietApp, launcher, until, workbench


def test_a_service_is_told_with_its_process_its_causes_and_its_connections() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        found = next(one for one in services() if one.address == address)
        assert found.chain and len(found.chain) > 1
        assert (found.connections, found.backlog) == (1, 1)
        assert found.since
    assert all(one.address != address for one in services())


# What podman starts a container with, by its name and its option; its network is another one.
CONMON = """#!{python}
import subprocess, sys
subprocess.run([sys.executable, "-c", {program!r}])
"""
INSIDE = """
import socket, sys
from inspector.lab.network import namespace
namespace.enter()
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    sys.stdin.read()
"""


@contextmanager
def contained(folder: Path) -> Iterator[int]:
    """A service in a network of its own, started as podman starts one that is called web; its port."""
    conmon = folder / "conmon"
    conmon.write_text(CONMON.format(python=sys.executable, program=INSIDE))
    conmon.chmod(0o755)
    with subprocess.Popen([conmon, "-c", "0" * 64, "-n", "web"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:
        yield int(first_line(process))
        assert process.stdin is not None
        process.stdin.close()


@needs_lab
def test_a_container_s_service_is_listed_with_its_name(tmp_path: Path) -> None:
    with contained(tmp_path) as port:
        found = next(one for one in services() if one.elsewhere and one.port == port)
        assert (found.address, found.container) == (f"127.0.0.1:{port}", "web")
        assert found.pid and found.elsewhere == found.pid and found.chain[1].startswith("conmon ")
        text = plain(ServiceLines([found], 0.0).line(0, 100))
        assert " web " in text and " web " not in plain(ServiceLines([found], 0.0).title(100))
        assert "Container" in plain(ServiceLines([found], 0.0).title(100))
    assert "Container" not in plain(ServiceLines([Service("127.0.0.1:1", (), 0, 0, None)], 0.0).title(100))


@needs_lab
async def test_a_container_s_service_is_watched_in_its_own_network(tmp_path: Path) -> None:
    with contained(tmp_path) as port:
        app = QuietApp()
        async with app.run_test(size=(120, 40)) as pilot:
            await choose(app, pilot, port)
            await pilot.press("enter")
            bench = await workbench(pilot)
            assert bench.session is not None
            assert bench.session.watch.words == f"port {port}, container web"
            await until(pilot, lambda: bench.trace is not None, "the capture")


@needs_lab
@pytest.mark.skipif(not may_capture(), reason="the host's loopback needs root or CAP_NET_RAW")
async def test_all_that_a_service_s_process_has_is_watched() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        app = QuietApp()
        async with app.run_test(size=(120, 40)) as pilot:
            await choose(app, pilot, listener.getsockname()[1])
            await pilot.press("p")
            bench = await workbench(pilot)
            assert bench.session is not None and bench.session.watch.process is not None
            assert bench.session.watch.process.pid == os.getpid()
            await until(pilot, lambda: bench.trace is not None, "the capture")


async def choose(app: QuietApp, pilot: Pilot[int], port: int) -> None:
    """Open the list, and choose the service on this port."""
    await launcher(pilot)
    await pilot.press("v")
    await until(pilot, lambda: isinstance(app.screen, ServicesScreen), "the list of services")
    screen = app.screen
    assert isinstance(screen, ServicesScreen)
    await until(pilot, lambda: any(one.port == port for one in screen._lines.services), "the service")
    place = next(n for n, one in enumerate(screen._lines.services) if one.port == port)
    screen.query_one(LineList).cursor = place


def test_datagrams_and_unix_sockets_are_listed_by_what_they_are(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams, socket.socket(socket.AF_UNIX) as unix:
        datagrams.bind(("127.0.0.1", 0))
        unix.bind(path)
        unix.listen()
        address = f"127.0.0.1:{datagrams.getsockname()[1]}"
        found = {(one.protocol, one.address): one for one in services()}
        for key in (("udp", address), ("unix", path)):
            assert found[key].pid == os.getpid() and found[key].chain
        assert found["unix", path].port == 0
        assert " udp " in plain(ServiceLines([found["udp", address]], 0.0).line(0, 80))


async def test_of_a_unix_socket_it_is_said_what_can_be_seen(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "s"))
        unix.listen()
        app = QuietApp()
        async with app.run_test(size=(80, 24)) as pilot:
            await choose(app, pilot, 0)
            await pilot.press("enter")
            await until(pilot, lambda: any("A Unix socket has no packets" in one.message
                                           for one in app._notifications), "the sentence")
            assert isinstance(app.screen, ServicesScreen)


def test_lines_fit_every_width_and_hold_no_foreign_control() -> None:
    service = Service("127.0.0.1:8000", ("e\x1b]52;c;x\x07vil 812", "bash 7"), 3, 1, 1000.0)
    lines = ServiceLines([service], 1100.0)
    for width in (20, 60, 100, 200):
        assert len(plain(lines.line(0, width))) >= width - 1
        assert "\x1b" not in plain(lines.line(0, width))
    assert "3 +1" in plain(lines.line(0, 100))
    assert "1 min" in plain(lines.line(0, 100))
    assert [age(seconds) for seconds in (-1, 59, 60, 7200, 90000)] == ["0 s", "59 s", "1 min", "2 h", "1 d"]


def test_the_port_that_is_offered_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert free_port(listener.getsockname()[1]) != listener.getsockname()[1]


@needs_lab
async def test_a_service_is_chosen_and_what_is_said_to_it_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve() -> None:
            server, _ = listener.accept()
            with server:
                server.sendall(server.recv(100))

        threading.Thread(target=serve, daemon=True).start()
        port = listener.getsockname()[1]
        app = QuietApp()
        async with app.run_test(size=(120, 40)) as pilot:
            await choose(app, pilot, port)
            await pilot.press("enter")
            bench = await workbench(pilot)
            assert bench.session is not None
            ((listen, target),) = bench.session.watch.outside.via
            assert target == port
            with socket.create_connection(("127.0.0.1", listen), 10) as client:
                client.sendall(b"hello")
                assert client.recv(100) == b"hello"
            trace = bench.trace
            assert trace is not None
            await until(pilot, lambda: trace.index.count >= 7, "the packets of the connection")


async def test_escape_leads_back() -> None:
    app = QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await launcher(pilot)
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, ServicesScreen), "the list of services")
        assert app.screen.query(Static)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen, "the launcher")
