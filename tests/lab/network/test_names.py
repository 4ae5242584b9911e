"""Outside of the lab: names of the machine's resolver, and hosts by their addresses."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from inspector.lab.launch import start_agent
from inspector.lab.network.names import resolvers
from inspector.lab.options import Outside
from inspector.trace.trace import Trace
from inspector.views.json.conversations import conversations
from tests.support.running.lab import needs_lab, wait_until

QUERY = b"\x12\x34\1\0\0\1\0\0\0\0\0\0\7service\7example\0\0\1\0\1"
ANSWER = (b"\x12\x34\x81\x80\0\1\0\1\0\0\0\0\7service\7example\0\0\1\0\1"
          b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\7")
RESOLVER = "192.0.2.53"                        # of a network for documentation: nobody has it (RFC 5737)


@contextmanager
def a_resolver() -> Iterator[int]:
    """A server of this machine that knows one name, by UDP and TCP; its port."""
    datagrams = socket.socket(type=socket.SOCK_DGRAM)
    with socket.create_server(("127.0.0.1", 0)) as listener, datagrams:
        port: int = listener.getsockname()[1]
        datagrams.bind(("127.0.0.1", port))

        def answer() -> None:
            query, client = datagrams.recvfrom(1 << 16)
            if query == QUERY:
                datagrams.sendto(ANSWER, client)
            connection, _ = listener.accept()
            with connection:
                if connection.recv(1 << 16)[2:] == QUERY:
                    connection.sendall(len(ANSWER).to_bytes(2, "big") + ANSWER)

        threading.Thread(target=answer, daemon=True).start()
        yield port


def run_in_lab(path: Path, program: str, outside: Outside) -> str:
    """What a Python program printed that ran in the lab."""
    output = path.with_suffix(".txt")
    with output.open("wb") as file, start_agent(
        path, "lab", command=(sys.executable, "-c", program), outside=outside, stdout=file.fileno()
    ) as agent:
        wait_until(lambda: agent.poll() is not None, "the end of the program")
    return output.read_text()


def own_address() -> str:
    """An address of this machine that is not the loopback's; "" where it has none."""
    with socket.socket(type=socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("203.0.113.1", 9))      # sends nothing: it only asks for the way
        except OSError:
            return ""
        address: str = asked.getsockname()[0]
        return "" if address.startswith("127.") else address


def test_the_machines_resolvers_are_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_bytes(b"# nameserver 9.9.9.9\nsearch example\nnameserver 192.0.2.1\nnameserver\n"
                     b"nameserver x\xff\nnameserver fe80::1%eth0\nnameserver 2001:db8::1\n"
                     b"nameserver 192.0.2.1\n")
    assert resolvers(file) == ("192.0.2.1", "2001:db8::1")
    assert resolvers(tmp_path / "none") == ()


@needs_lab
def test_names_are_resolved_by_the_machines_resolver(tmp_path: Path) -> None:
    program = f"""
import socket
with socket.socket(type=socket.SOCK_DGRAM) as asked:
    asked.settimeout(20)
    asked.sendto({QUERY!r}, ("{RESOLVER}", 53))
    answer, where = asked.recvfrom(4096)
    print(answer[-4:], where)
with socket.create_connection(("{RESOLVER}", 53), 20) as asked:
    asked.sendall(len({QUERY!r}).to_bytes(2, "big") + {QUERY!r})
    print(asked.recv(4096)[-4:])
"""
    with a_resolver() as port:
        status = run_in_lab(tmp_path / "x.pcapng", program, Outside(names=((RESOLVER, "127.0.0.1", port),)))
    assert status.splitlines() == [f"b'\\xc0\\x00\\x02\\x07' ('{RESOLVER}', 53)", "b'\\xc0\\x00\\x02\\x07'"]
    with Trace.open(tmp_path / "x.pcapng") as trace:
        trace.finish()
        assert {one["application"] for one in conversations(trace)} == {"dns"}


@needs_lab
@pytest.mark.skipif(not own_address(), reason="this machine has no address but the loopback's")
def test_a_host_is_reached_by_its_own_address(tmp_path: Path) -> None:
    address = own_address()
    with socket.create_server((address, 0)) as listener:
        port = listener.getsockname()[1]
        program = f"import socket; print(socket.create_connection(({address!r}, {port}), 20).recv(9))"

        def greet() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"greeting")

        threading.Thread(target=greet, daemon=True).start()
        outside = Outside(reach=((address, port),))
        assert run_in_lab(tmp_path / "x.pcapng", program, outside) == "b'greeting'\n"
    with Trace.open(tmp_path / "x.pcapng") as trace:
        trace.finish()
        (found,) = conversations(trace)
        assert (found["b"], found["bytes_ba"]) == (f"{address}:{port}", 8)


@needs_lab
def test_a_name_that_is_none_is_said_and_nobody_stands_for_it(tmp_path: Path) -> None:
    outside = Outside(reach=(("no-such-host.invalid", 80),))
    program = "import socket; print(socket.socket().connect_ex(('127.0.0.1', 80)))"
    assert run_in_lab(tmp_path / "x.pcapng", program, outside) == "111\n"
    with Trace.open(tmp_path / "x.pcapng") as trace:
        trace.finish()
        (sentence,) = (event.text for event in trace.events if event.kind == "failed")
    assert sentence.startswith("Nobody is led to no-such-host.invalid:80: ")
