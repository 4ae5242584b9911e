"""A program in the lab that asks for what only the host has gets the option that leads there."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest

from inspector.cli.missed import refused_ports
from tests.support.captures.network import CLIENT, SERVER, Network
from tests.support.captures.traces import open_trace
from tests.support.running.commands import inspector
from tests.support.running.lab import needs_lab


def test_ports_that_were_refused() -> None:
    with open_trace("tcp-refused") as trace:
        assert refused_ports(trace) == {9000}
    for name in ("tcp", "tcp-abort", "udp-refused"):
        with open_trace(name) as trace:
            assert refused_ports(trace) == set()


def test_a_port_on_which_the_program_itself_listens_later_is_not_missed(tmp_path: Path) -> None:
    network = Network()
    network.tcp(CLIENT, "S")
    network.tcp(SERVER, "RA")
    with network.open(tmp_path / "refused.pcapng") as trace:
        assert refused_ports(trace) == {9000}
    network.handshake()
    with network.open(tmp_path / "later.pcapng") as trace:
        assert refused_ports(trace) == set()


@needs_lab
@pytest.mark.parametrize("listening", [True, False])
def test_the_option_is_named_where_this_machine_has_the_port(listening: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        if not listening:
            listener.close()
        connect = f"import socket; socket.socket().connect_ex(('127.0.0.1', {port}))"
        done = inspector("exec", "--json", "findings", "--", sys.executable, "-c", connect)
    assert done.returncode == 0, done.stderr
    assert (f"--reach {port} leads to it." in done.stderr) is listening


ASK = (
    r"import socket; asked = socket.socket(type=socket.SOCK_DGRAM); asked.connect(('192.0.2.53', 53)); "
    r"asked.send(b'\x12\x34\1\0\0\1\0\0\0\0\0\0\7service\7example\0\0\1\0\1')"
)
CONNECT = "import socket; socket.socket().connect_ex(('192.0.2.7', 80))"


@needs_lab
@pytest.mark.parametrize(("program", "sentence"), [
    (ASK, "Nobody resolves names in the lab (service.example): with --reach NAME:PORT they are"),
    (CONNECT, "192.0.2.7:80 is outside of the lab: --reach 192.0.2.7:80 leads there."),
], ids=["a name", "an address"])
def test_what_is_wanted_of_the_outside_is_seen_and_the_option_named(program: str, sentence: str) -> None:
    done = inspector("exec", "--json", "packets", "--", sys.executable, "-c", program)
    assert done.returncode == 0, done.stderr
    assert sentence in done.stderr
    asked = json.loads(done.stdout.splitlines()[0])
    assert asked["ip.dst"].startswith("192.0.2.") and asked["ip.src"] == "127.0.0.1"
