"""`--net`: the whole outside world for a program in the lab, and no door to this machine's loopback."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import threading
from pathlib import Path

import pytest

from inspector.lab.errors import LabError
from inspector.lab.launch import start_agent
from inspector.lab.network import world
from inspector.lab.options import Outside
from inspector.model.packets import first_rows
from inspector.trace.trace import Trace
from inspector.views.json.conversations import conversations
from tests.lab.network.test_names import own_address, run_in_lab
from tests.support.running.lab import needs_lab, wait_until
from tests.support.running.processes import marked

needs_carrier = pytest.mark.skipif(
    not (shutil.which("slirp4netns") or (os.geteuid() and shutil.which("pasta"))) or not own_address(),
    reason="needs pasta or slirp4netns, and an address that is not the loopback's",
)
NET = Outside(net=True)


@needs_lab
@needs_carrier
def test_a_program_reaches_the_outside_and_is_captured_there(tmp_path: Path) -> None:
    with socket.create_server((own_address(), 0)) as listener:
        host, port = listener.getsockname()[:2]

        def greet() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"greeting")

        threading.Thread(target=greet, daemon=True).start()
        program = f"import socket; print(socket.create_connection(({host!r}, {port}), 20).recv(9))"
        status = run_in_lab(tmp_path / "x.pcapng", program, NET)
    if "greeting" not in status:
        pytest.skip("the carrier gives the lab this very address, so that it is not reached from there")
    with Trace.open(tmp_path / "x.pcapng") as trace:
        trace.finish()
        (found,) = (one for one in conversations(trace) if one["b"] == f"{host}:{port}")
        assert (found["bytes_ba"], found["packets_ab"] > 2) == (8, True)


@needs_lab
@needs_carrier
def test_the_loopback_of_the_lab_is_its_own_and_its_packets_come_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        program = f"""
import socket
print(socket.socket().connect_ex(("127.0.0.1", {port})))
with socket.create_server(("127.0.0.1", 0)) as listener:
    socket.create_connection(listener.getsockname()).sendall(b"x")
    listener.accept()[0].recv(1)
"""
        assert run_in_lab(tmp_path / "x.pcapng", program, NET) == "111\n"
    with Trace.open(tmp_path / "x.pcapng") as trace:
        trace.finish()
        assert [one["handshake"] for one in conversations(trace) if one["b"].startswith("127.")] == [
            "refused", "complete"]
        # IPv4's alone: what the kernel says to IPv6's routers it says again, byte for byte.
        frames = [trace.frame(row) for row in first_rows(trace.index.count) if trace.index.network[row] == 4]
        assert frames and len(set(frames)) == len(frames)


@needs_lab
@needs_carrier
@pytest.mark.parametrize("how", ["in order", "by SIGKILL"])
def test_the_carrier_ends_with_the_agent(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARRIED_BY", str(tmp_path))
    mark = f"CARRIED_BY={tmp_path}".encode()
    agent = start_agent(tmp_path / "x.pcapng", "lab", command=(sys.executable, "-c", "input()"), outside=NET)
    with agent:
        wait_until(lambda: len(set(marked(mark)) - {os.getpid()}) > 2, "agent, keeper and carrier")
        if how == "by SIGKILL":
            os.kill(agent.pid, signal.SIGKILL)
    wait_until(lambda: not set(marked(mark)) - {os.getpid()}, "the end of all")


def test_without_a_carrier_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(LabError) as raised:
        world.carrier()
    assert "pasta or slirp4netns" in raised.value.sentence
    assert "install passt" in raised.value.remedy
