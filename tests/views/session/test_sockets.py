"""The sockets of a session: states as the kernel has them, queues under the words of what they are."""

from __future__ import annotations

import re
import socket
import threading
from pathlib import Path

import numpy as np
import pytest

from inspector.lab.launch import start_agent
from inspector.lab.options import NOTHING, Outside
from inspector.model.commands import Start, Wire
from inspector.model.packets import BEFORE, Row
from inspector.model.records import Call, KernelSample
from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import resolved
from inspector.trace.trace import Trace
from inspector.views.handing.part import rows_part
from inspector.views.ladder.ladder import Ladder
from inspector.views.line.spans import plain
from inspector.views.session.custody import custody
from inspector.views.session.sockets import SocketTable
from inspector.views.session.sockets_table import SocketLines, SocketRow
from tests.support.captures.network import CLIENT, SERVER, Network
from tests.support.captures.traces import open_trace
from tests.support.running.lab import needs_lab, wait_for_event, wait_until


def played(
    path: Path, spec: SessionSpec, outside: Outside = NOTHING, sampled: tuple[bytes, ...] = ()
) -> Trace:
    """`sampled`: what the trace holds before the session begins."""
    spec = resolved(spec)
    with start_agent(path, outside=outside) as agent:
        wait_until(lambda: all(one in path.read_bytes() for one in sampled), f"{sampled!r} in the trace")
        agent.send(Start(spec))
        wait_for_event(agent, path, "session-ended")
    trace = Trace.open(path)
    trace.finish()
    return trace


def ends(trace: Trace, row: int | None) -> tuple[SocketRow, SocketRow]:
    """The server's socket and the client's after a packet."""
    rows = SocketLines(trace, None if row is None else Row(row)).rows
    found = {one.role: one for one in rows}
    return found["server"], found["client"]


@needs_lab
@pytest.mark.parametrize("connected", [True, False])
def test_a_datagram_connects_nobody(tmp_path: Path, connected: bool) -> None:
    with played(tmp_path / "t.pcapng", SessionSpec("udp", connected=connected)) as trace:
        for row in range(trace.index.count):
            server, client = ends(trace, row)
            assert server.state == "unconnected"                 # as `ss -uan` has it: UNCONN
            assert client.state == ("connected" if connected else "unconnected")
        server, client = ends(trace, None)
        assert server.state == client.state == "closed"
        assert server.peer.strip("()").rpartition(":")[2] == client.local.rpartition(":")[2]
        assert server.peer.startswith("(")                       # whom it talked to, and no more
        assert client.peer == (server.local if connected else f"({server.local})")


def call(name: str, arguments: str, peer: str | None = None, errno: str | None = None) -> Call:
    result = 3 if name == "socket" else None if errno else 0
    return Call(0, 1, 1, "client", name, arguments, 1, 2, result, errno,
                fd=None if name == "socket" else 3, local="127.0.0.1:5", peer=peer, protocol="udp")


def test_connect_alone_connects_and_may_be_taken_back() -> None:
    made, peer, other = call("socket", "AF_INET, SOCK_DGRAM"), "127.0.0.1:53", "127.0.0.1:54"
    steps = [
        (call("sendto", f"3, \"x\", 1, {other}", other), None),
        (call("connect", f"3, {peer}", peer, "ENETUNREACH"), None),
        (call("connect", f"3, {peer}", peer), peer),
        (call("recvfrom", "3, 9", other), peer),
        (call("connect", "3, {sa_family=AF_UNSPEC}"), None),     # what a resolver does between addresses
    ]  # fmt: skip
    table, calls = SocketTable(), [made]
    for step, wanted in steps:
        calls.append(step)
        table.update(calls)
        assert table.sockets[0].peer == wanted
    assert set(table.sockets[0].peers) == {other}
    inherited = SocketTable()                                    # connected before its program was watched
    inherited.update([call("getsockname", "3", peer)])
    assert inherited.sockets[0].peer == peer


def test_one_word_means_one_thing() -> None:
    path = Path(__file__).parents[2] / "data" / "kernel" / "lazy.pcapng"
    with Trace.open(path) as trace:
        trace.finish()
        sockets = SocketLines(trace, Row(18))                    # 500 bytes, of which nothing is read
        for width in (80, 100, 130):
            above = plain(sockets.title(width))
            below = next(text for at in range(sockets.count)
                         if "Written" in (text := plain(sockets.line(at, width))))
            assert "Unacked" in above and "Unsent" not in above
            assert "Unsent" in below


@pytest.mark.parametrize("name", ["kernel/lazy.pcapng", "traces/tcp.pcapng"])
def test_state_and_numbers_are_in_sight_in_every_width(name: str) -> None:
    with Trace.open(Path(__file__).parents[2] / "data" / name) as trace:
        trace.finish()
        sockets = SocketLines(trace, Row(min(18, trace.index.count - 1)))
        for width in range(58, 150):                             # 60 columns less the mark and the scroll bar
            assert " State" in plain(sockets.title(width)), width
            for at, one in enumerate(sockets.rows):
                assert one.state in plain(sockets.line(at, width)), width
            below = [plain(sockets.line(at, width)).rstrip()
                     for at in range(len(sockets.rows), sockets.count)]
            assert any(text.endswith(" Read") for text in below), width
            assert not any("…" in text for text in below if "→" in text), width


@pytest.mark.parametrize("name", ["tcp-half-close", "tcp-abort", "tcp-refused"])
def test_at_a_chosen_call_sockets_tell_what_the_head_of_the_ladder_does(name: str) -> None:
    with open_trace(name) as trace:
        ladder, sockets = Ladder(trace, None), SocketLines(trace)
        seen = set()
        for line in range(ladder.count):
            head = re.findall(r"[A-Z][A-Z12-]+", plain(ladder.header(100, line)[1]))
            for call in (target.call for target in ladder.targets(line) if target.call is not None):
                assert sockets.look_at(None, call, ladder.instant_of(line, call)) or line
                sockets.update()
                last = {one.role: one.state for one in sockets.rows if one.state != "not yet"}
                error = last.get("client") == "ECONNREFUSED"
                assert [last.get("client", "CLOSED"), last.get("server", "CLOSED")] == head or error, line
                moment = plain(sockets.line(len(sockets.rows) + 1, 80)).strip()
                named = next(one.name for one in trace.calls if (one.pid, one.id) == call)
                seen.add(named)
                assert moment.startswith(f"As they were at {named}(), ")
                assert ("before packet 1." in moment) == (ladder.instant_of(line, call).row == BEFORE)
        assert {"socket", "connect", "close"} <= seen
        assert sockets.look_at(Row(0), None, None) and sockets.call is None


def test_both_queues_are_in_sight_from_71_columns_on() -> None:
    """At 120x40 a line of the pane has 73 of them."""
    with Trace.open(Path(__file__).parents[2] / "data" / "kernel" / "lazy.pcapng") as trace:
        trace.finish()
        sockets = SocketLines(trace, Row(18))
        for width in range(71, 150):
            assert "Unread" in plain(sockets.title(width)) and "Unacked" in plain(sockets.title(width)), width


def test_a_fin_is_no_byte_that_waits(tmp_path: Path) -> None:
    """Linux counts it in the send queue, and the last look at it is of before it was acknowledged."""
    network = Network()
    network.handshake()
    network.tcp(SERVER, "FA")
    for local, peer, state in (("127.0.0.1:9000", "127.0.0.1:50412", "FIN-WAIT-1"),
                               ("127.0.0.1:50412", "127.0.0.1:9000", "CLOSE-WAIT")):
        network.record(KernelSample(network.now_ns, local, peer, state, int(state == "CLOSE-WAIT"),
                                    int(state == "FIN-WAIT-1"), "srv", 7))
    network.tcp(CLIENT, "FA")
    network.tcp(SERVER, "A")
    with network.open(tmp_path / "x.pcapng") as trace:
        lines = SocketLines(trace)
        assert [lines.queues(at) for at in (0, 1)] == [("0", "0")] * 2
        for state, cells in (("TIME-WAIT", ("0", "0")), ("CLOSED", ("", ""))):
            lines.rows = tuple(row._replace(state=state, queues=("0", "1")) for row in lines.rows)
            assert [lines.queues(at) for at in (0, 1)] == [cells] * 2


def test_sockets_that_are_not_known_yet_are_not_called_lost() -> None:
    path = Path(__file__).parents[2] / "data" / "kernel" / "lazy.pcapng"
    with Trace.open(path) as trace:
        trace.finish()
        first = int(trace.index.time_ns.searchsorted(min(one.time_ns for one in trace.kernel)))
        assert 0 < first < trace.index.count
        for row in range(trace.index.count):
            sockets = SocketLines(trace, Row(row))
            wanted = (f"At packet {row + 1} the kernel had told of no socket yet: it did before packet "
                      f"{first + 1}.")
            assert (sockets.count, sockets.empty) == (0, wanted) if row < first - 1 else not sockets.empty
    bare = Path(__file__).parents[2] / "data" / "tcp" / "half-close.pcap"
    with Trace.open(bare) as trace:
        trace.finish()
        assert SocketLines(trace, Row(0)).empty.startswith("Neither system calls nor the kernel's sockets")


def test_a_socket_is_told_as_it_is_at_the_chosen_packet() -> None:
    path = Path(__file__).parents[2] / "data" / "traces" / "tcp-refused.pcapng"
    with Trace.open(path) as trace:
        trace.finish()
        (last,) = SocketLines(trace).rows
        (first,) = SocketLines(trace, Row(0)).rows
        assert last.state in ("CLOSED", "closed", "ECONNREFUSED")
        assert first.state in ("SYN-SENT", "open")


@needs_lab
def test_a_socket_stands_once_while_its_program_waits_in_connect(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    spec = resolved(SessionSpec("tcp", wire="held", messages=("hello",)))
    with start_agent(path, wiring=spec.wiring) as agent, Trace.open(path, following=True) as trace:
        agent.send(Start(spec))

        def connecting() -> bool:
            trace.refresh()
            return any(one.state == "SYN-SENT" for one in trace.kernel)

        wait_until(connecting, "the kernel's word on the client's socket")
        rows = SocketLines(trace).rows
        (client,) = [row for row in rows if row.state == "SYN-SENT"]
        assert client.role == "client" and client.fd is not None
        assert client.local.startswith("10.0.0.1:") and client.peer.startswith("10.0.0.2:")
        assert len(rows) == len({(row.local, row.peer) for row in rows}) == 2
        agent.send(Wire("open"))

        def is_shown() -> bool:
            trace.refresh()
            return trace.index.count > 6

        wait_until(is_shown, "a connection that talks")
        last = Row(trace.index.count - 1)          # chosen by hand: samples are older than what it did
        states = [row.state for row in SocketLines(trace, last).rows]
        assert not {"SYN-SENT", "SYN-RECEIVED", "not yet"} & set(states), states


@needs_lab
def test_the_relays_backlog_is_not_the_services(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=5) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            with server.accept()[0] as came:
                while came.recv(4096):
                    came.sendall(b"hello")

        threading.Thread(target=serve, daemon=True).start()
        reached = Outside(reach=(("127.0.0.1", port),))
        spec = SessionSpec("tcp", port=port, messages=("hello",), to=f"127.0.0.1:{port}", with_server=False)
        with played(tmp_path / "t.pcapng", spec, reached, (b"send queue 128", b"send queue 5")) as trace:
            sockets = SocketLines(trace, Row(3))
            listener = next(row for row in sockets.rows if row.state == "LISTEN")
            assert listener.queues == ("0 conn", "of 5")         # the service's; the relay's own may have 128
            assert listener.owner.startswith("relay: ")
            text = " ".join(plain(sockets.line(at, 80)).strip() for at in range(sockets.count))
            assert f"127.0.0.1:{port} is the relay's socket in the lab" in text
            assert "where 0 of 5 connections wait for it" in text


@needs_lab
def test_a_row_and_the_table_below_say_the_same_of_each_packet(tmp_path: Path) -> None:
    """The kernel was looked at now and then: what it said before the chosen packet is not told of it."""
    with played(tmp_path / "t.pcapng", SessionSpec("slow-reader")) as trace:
        seen = set()
        server, granted = int(trace.index.dport[0]), 1
        for row in range(trace.index.count):
            lines = SocketLines(trace, Row(row))
            text = " ".join(plain(lines.line(place, 100)) for place in range(lines.count))
            if trace.index.sport[row] == server:
                was, granted = granted, int(trace.index.window[row])
                assert ("window is closed" in text) <= (granted == 0)
                if granted and not was:                          # opened by a recv() that returns after it
                    assert "it does not read" not in text
            both = custody(trace, 0, Row(row))
            for number, socket in enumerate(lines.rows):
                shown = plain(lines.line(number, 100)).split()
                if socket.state not in ("ESTABLISHED", "CLOSE-WAIT"):
                    continue
                sending, = (way for way in both if way.sender.address == socket.local)
                receiving, = (way for way in both if way.receiver.address == socket.local)
                assert shown[-2:] == [str(receiving.unread), str(sending.unacknowledged)]
                below = [plain(lines.line(place, 100)) for place in range(len(lines.rows), lines.count)]
                name = f" {receiving.sender.name} →"             # nothing is said of who has sent nothing
                table = next((line for line in below if line.startswith(name)), "0 0")
                assert table.split()[-2].replace(",", "") == shown[-2]
                seen.add(shown[-2])
        assert len(seen) > 3                                     # it filled, and was emptied


@needs_lab
def test_a_socket_that_nobody_answers_has_the_address_and_state_of_its_packets(tmp_path: Path) -> None:
    with played(tmp_path / "t.pcapng", SessionSpec("tcp", with_server=False)) as trace:
        port = int(trace.index.sport[0])
        for row, state in ((0, "SYN-SENT"), (1, "CLOSED"), (None, "ECONNREFUSED")):
            client, = (one for one in SocketLines(trace, None if row is None else Row(row)).rows
                       if one.role == "client")
            assert (client.local, client.state) == (f"127.0.0.1:{port}", state)


@needs_lab
def test_after_the_last_packet_it_is_told_as_at_the_end(tmp_path: Path) -> None:
    """Bytes that were read since stand as read: there is no packet that would end its moment."""
    with played(tmp_path / "t.pcapng", SessionSpec("tcp")) as trace:
        rows = trace.flow(0).rows
        last = max(int(row) for row in rows if trace.index.payload_length[row])
        part = tmp_path / "part.pcapng"
        part.write_bytes(b"".join(rows_part(trace, np.arange(last + 1), range(len(trace.calls)))))
    with Trace.open(part) as cut:
        cut.finish()
        assert custody(cut, 0, Row(cut.index.count - 1)) == custody(cut, 0)
        assert all(way.unread == 0 for way in custody(cut, 0))


def test_at_a_chosen_call_a_socket_has_no_address_that_a_later_call_gives_it() -> None:
    with open_trace("tcp") as trace:
        ladder, sockets = Ladder(trace, None), SocketLines(trace)
        addresses: dict[str, list[tuple[str, str]]] = {}
        for line in range(ladder.count):
            for call in (target.call for target in ladder.targets(line) if target.call is not None):
                sockets.look_at(None, call, ladder.instant_of(line, call))
                sockets.update()
                made = next(one for one in trace.calls if (one.pid, one.id) == call)
                first = next((one for one in sockets.rows if one.role == made.role), None)
                if first is not None:
                    addresses.setdefault(f"{made.role} {made.name}", []).append((first.local, first.peer))
        assert addresses["server socket"] == addresses["server setsockopt"] == [("not bound", "–")]
        assert addresses["server listen"] == [("127.0.0.1:9000", "–")]
        assert addresses["client socket"] == [("not bound", "–")]
        local, peer = addresses["client connect"][-1]
        assert local.startswith("127.0.0.1:") and peer == "127.0.0.1:9000"


def test_at_a_chosen_call_an_unconnected_socket_has_talked_to_nobody_whom_it_meets_later() -> None:
    with open_trace("udp") as trace:
        ladder, sockets = Ladder(trace, None), SocketLines(trace)
        assert any(one.role == "server" and one.peer.startswith("(127.0.0.1:") for one in sockets.rows)
        call = next(target.call for line in range(ladder.count) for target in ladder.targets(line)
                    if target.call is not None)
        sockets.look_at(None, call, ladder.instant_of(0, call))
        sockets.update()
        assert not any("(" in one.peer for one in sockets.rows)
