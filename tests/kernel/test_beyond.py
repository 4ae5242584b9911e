"""The sockets of programs behind a relay: real ones, by the ends that they stand behind in the lab."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from inspector.kernel.beyond import Beyond
from inspector.model.endpoint import join_endpoint


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look is a look, however soon after the one before."""
    monkeypatch.setattr("inspector.kernel.sampler.EVERY", 0.0)


@pytest.fixture
def beyond() -> Iterator[Beyond]:
    with closing(Beyond()) as made:
        yield made


def end(address: tuple[str, int]) -> str:
    return join_endpoint(*address)


def test_a_program_is_told_by_its_place_in_the_lab_until_it_is_gone(beyond: Beyond) -> None:
    lab = "10.0.0.1:8000", "10.0.0.2:4000"
    assert beyond.idle
    with socket.create_server(("127.0.0.1", 0), backlog=5) as server:
        beyond.listens(end(server.getsockname()), lab[0])
        with socket.create_connection(server.getsockname()) as relay, server.accept()[0] as program:
            beyond.add(end(program.getsockname()), end(relay.getsockname()), lab)
            relay.sendall(b"x" * 300)
            found = {one.lab: one for one in beyond.look()}
            assert (found[lab].receive_queue, found[lab].pid) == (300, os.getpid())
            listener = found[lab[0], ""]
            assert (listener.state, listener.send_queue) == ("LISTEN", 5)
            program.recv(300)
        deadline = time.monotonic() + 20
        while not any(one.state == "gone" and one.lab == lab for one in beyond.look()):
            assert time.monotonic() < deadline
    list(beyond.look())
    assert not beyond._behind and not beyond._reported            # nothing of it is kept


def test_a_connection_that_went_before_any_look_is_forgotten(beyond: Beyond) -> None:
    beyond.add("127.0.0.1:1", "127.0.0.1:2", ("10.0.0.1:1", "10.0.0.2:2"))
    assert not beyond.idle
    for _ in range(3):
        assert list(beyond.look()) == []
    assert beyond.idle
