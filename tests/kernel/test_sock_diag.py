"""The kernel's sockets: real ones of this process, and any bytes in a netlink answer."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.kernel.sampler import Sampler
from inspector.kernel.sock_diag import KernelSocket, SockDiag, messages, socket_of
from inspector.model.endpoint import join_endpoint
from inspector.model.records import KernelSample


@pytest.fixture(params=[("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)], ids=["IPv4", "IPv6"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket, socket.socket]]:
    """A listener, a client, and the server's end of their connection."""
    host, family = request.param
    try:
        listener = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listener, socket.create_connection(listener.getsockname()[:2]) as client:
        server, _ = listener.accept()
        with server:
            yield listener, client, server


def end(one: socket.socket) -> str:
    return join_endpoint(*one.getsockname()[:2])


def look(one: socket.socket) -> KernelSocket:
    diag = SockDiag()
    try:
        return next(found for found in diag.sockets()
                    if found.local == end(one) and found.inode == os.fstat(one.fileno()).st_ino)
    finally:
        diag.close()


def test_queues_states_and_counters_are_the_kernels(pair: tuple[socket.socket, ...]) -> None:
    listener, client, server = pair
    client.sendall(b"x" * 500)
    found = look(server)
    assert (found.state, found.peer, found.receive_queue) == ("ESTABLISHED", end(client), 500)
    assert dict(found.info)["bytes_received"] == 500
    assert look(listener).state == "LISTEN"
    server.recv(400)
    assert look(server).receive_queue == 100
    client.shutdown(socket.SHUT_WR)
    assert look(server).state == "CLOSE-WAIT"
    assert look(client).state in ("FIN-WAIT-1", "FIN-WAIT-2")      # its FIN may wait for the ACK


def test_connections_that_nobody_accepts_are_a_listeners_queue() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=7) as listener:
        waiting = [socket.create_connection(listener.getsockname()) for _ in range(3)]
        found = look(listener)
        assert (found.receive_queue, found.send_queue) == (3, 7)
        for one in waiting:
            one.close()


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look is a look, however soon after the one before."""
    monkeypatch.setattr("inspector.kernel.sampler.EVERY", 0.0)


def test_a_look_a_moment_after_another_tells_nothing(
    pair: tuple[socket.socket, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.kernel.sampler.EVERY", 1e6)
    sampler = Sampler(lambda: [os.getpid()], (pair[2].getsockname()[1],))
    sampler._last_look = -1e6
    assert list(sampler.look()) and not list(sampler.look())
    sampler.close()


@pytest.mark.usefixtures("always")
def test_the_sampler_tells_what_changed_and_who_holds_it(pair: tuple[socket.socket, ...]) -> None:
    _, client, server = pair
    sampler = Sampler(lambda: [os.getpid()], (server.getsockname()[1],))
    own = (end(server), end(client))

    def samples() -> list[KernelSample]:
        return [one for one in sampler.look() if (one.local, one.peer) == own]

    (first,) = samples()
    assert (first.state, first.pid) == ("ESTABLISHED", os.getpid())
    assert first.process
    assert samples() == []                           # nothing is new
    client.sendall(b"x")
    assert [one.receive_queue for one in samples()] == [1]
    server.close()
    client.close()
    assert samples()[-1].state in ("gone", "CLOSED", "TIME-WAIT")
    sampler.close()


@given(st.binary(max_size=300), st.integers(0, 3))
def test_any_bytes_give_sockets_or_nothing(data: bytes, number: int) -> None:
    for _, body in messages(data, number):
        socket_of(body)
    socket_of(data)


@pytest.mark.usefixtures("always")
def test_what_waits_is_told_first_where_one_look_cannot_tell_all(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        clients = [socket.create_connection(listener.getsockname()) for _ in range(12)]
        servers = [listener.accept()[0] for _ in clients]
        monkeypatch.setattr("inspector.kernel.sampler._MOST", 4)
        clients[-1].sendall(b"unread")
        sampler = Sampler(lambda: [os.getpid()], (port,))
        first = list(sampler.look())
        waits = (end(servers[-1]), end(clients[-1]))
        assert waits in {(one.local, one.peer) for one in first}
        assert "LISTEN" in {one.state for one in first}
        for one in (*clients[:6], *servers[:6]):               # they stand in TIME-WAIT now, or are gone
            one.close()
        servers[-1].recv(100)
        (read,) = [one for one in sampler.look() if (one.local, one.peer) == waits]
        assert read.receive_queue == 0
        sampler.close()
        for one in (*clients[6:], *servers[6:]):
            one.close()


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_a_udp_sockets_queue_and_what_had_no_room_in_it(host: str, family: int) -> None:
    kind = socket.SOCK_DGRAM
    with socket.socket(family, kind) as receiver, socket.socket(family, kind) as sender:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        try:
            receiver.bind((host, 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        sampler = Sampler(lambda: [os.getpid()], (receiver.getsockname()[1],))
        (first,) = sampler.look()
        assert (first.protocol, first.state, first.receive_queue, dict(first.info)["drops"]) == (
            "udp", "unconnected", 0, 0)
        for _ in range(50):
            sender.sendto(bytes(100), receiver.getsockname())
        sender.connect(receiver.getsockname())
        samples = {one.local: one for one in sampler.look()}
        full, other = samples[end(receiver)], samples[end(sender)]
        assert other.state == "connected" and other.peer == end(receiver)
        received = 0
        receiver.setblocking(False)
        with pytest.raises(BlockingIOError):
            while receiver.recv(200):
                received += 1
        assert dict(full.info)["drops"] == 50 - received > 0
        assert 0 < full.receive_queue <= dict(full.info)["rcvbuf"]
        assert (full.process, full.pid) != ("", None)
        receiver.close()
        (gone,) = [one for one in sampler.look() if one.local == full.local]
        assert (gone.state, gone.protocol) == ("gone", "udp")
        sampler.close()


def test_where_nothing_moves_it_is_looked_seldom(
    pair: tuple[socket.socket, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of all sockets of a busy machine takes milliseconds to be made."""
    looks: list[object] = []
    sampler = Sampler(lambda: [os.getpid()], (pair[2].getsockname()[1],))
    sockets = sampler._sockets

    def counted() -> Iterator[KernelSocket]:
        looks.append(None)
        return sockets()

    monkeypatch.setattr(sampler, "_sockets", counted)
    now = 1000.0
    monkeypatch.setattr("inspector.kernel.sampler.time.monotonic", lambda: now)

    def looked(seconds: float, still: float | None) -> int:
        """How often, in turns that come when a look is due; `still`: by how much nothing moves at first."""
        nonlocal now
        began = now
        looks.clear()
        while now - began < seconds:
            moved = 0.0 if still is None else now - began + still
            list(sampler.look(moved))
            now += sampler.due(moved) or 0.001
        return len(looks)

    assert 99 <= looked(10, None) <= 101       # packets come all the time
    assert 18 <= looked(10, 0) <= 26           # five in the first second, then twice a second
    assert looked(10, 30) <= 6                 # half a minute later
    sampler.close()


def test_what_waits_is_told_as_often_as_its_time_is_told_to_a_tenth(
    pair: tuple[socket.socket, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A packet that is held for an hour must not make a trace grow twice a second."""
    listener, client, server = pair
    sampler = Sampler(lambda: [os.getpid()], (listener.getsockname()[1],))
    client.sendall(b"nobody reads")
    now = 1000.0
    monkeypatch.setattr("inspector.kernel.sampler.time.monotonic", lambda: now)
    reported = [now for one in sampler.look() if one.local == end(server) and one.receive_queue]
    while now < 1600:
        now += sampler.due(now - 1000)
        reported += [now for one in sampler.look(now - 1000) if one.local == end(server)]
    waited = [at - 1000 for at in reported]
    assert waited[0] == 0 and len(waited) < 80
    for before, after in pairwise(waited):
        assert after - before <= max(0.11 * after, 0.5) + 2.001
    sampler.close()
