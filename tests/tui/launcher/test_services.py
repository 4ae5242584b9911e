"""What listens on this machine, in the launcher: a real service, and the way to it through the lab."""

from __future__ import annotations

import socket
import threading

from textual.widgets import Static

from inspector.kernel.services import services
from inspector.model.records import Service
from inspector.tui.launcher.services import ServicesScreen, free_port
from inspector.tui.widgets.line_list import LineList
from inspector.views.line.spans import plain
from inspector.views.session.services import ServiceLines, age
from tests.support.running.lab import needs_lab
from tests.support.screen.live import QuietApp, launcher, until, workbench


def test_a_service_is_told_with_its_process_its_causes_and_its_connections() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        found = next(one for one in services() if one.address == address)
        assert found.chain and len(found.chain) > 1
        assert (found.connections, found.backlog) == (1, 1)
        assert found.since
    assert all(one.address != address for one in services())


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
            await launcher(pilot)
            await pilot.press("v")
            await until(pilot, lambda: isinstance(app.screen, ServicesScreen), "the list of services")
            screen = app.screen
            assert isinstance(screen, ServicesScreen)
            await until(pilot, lambda: any(one.port == port for one in screen._lines.services), "the service")
            place = next(n for n, one in enumerate(screen._lines.services) if one.port == port)
            screen.query_one(LineList).cursor = place
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
