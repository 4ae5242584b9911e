"""A program in the lab that asks for what only the host has gets the option that leads there."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from inspector.cli.missed import refused_ports
from tests.support.lab import needs_lab
from tests.support.traces import open_trace


def test_ports_that_were_refused() -> None:
    with open_trace("tcp-refused") as trace:
        assert refused_ports(trace) == {9000}
    for name in ("tcp", "tcp-abort", "udp-refused"):
        with open_trace(name) as trace:
            assert refused_ports(trace) == set()


@needs_lab
@pytest.mark.parametrize("listening", [True, False])
def test_the_option_is_named_where_this_machine_has_the_port(listening: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        if not listening:
            listener.close()
        connect = f"import socket; socket.socket().connect_ex(('127.0.0.1', {port}))"
        command = ["exec", "--json", "findings", "--", sys.executable, "-c", connect]
        done = subprocess.run(
            [sys.executable, "-m", "inspector", *command],
            capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
        )
    assert done.returncode == 0, done.stderr
    assert (f"--reach {port} leads to it." in done.stderr) is listening
