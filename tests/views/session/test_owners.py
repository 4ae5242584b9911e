"""Whose sockets a conversation's ends are: by addresses and by time, as both are used again and again."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.trace.trace import Trace
from inspector.views.conversations.list import ConversationList
from inspector.views.draw.ladder import ladder_mermaid
from inspector.views.handing.part import rows_part
from inspector.views.json.conversations import conversations
from inspector.views.ladder.ladder import Conversation, Ladder
from inspector.views.line.spans import plain
from inspector.wire.journal import CallRecord
from tests.support.captures.network import CLIENT, SERVER, Network
from tests.support.captures.traces import DATA

REFUSED = DATA / "sessions" / "refused-then-served.pcapng"
FIRST, SERVER_PID, SECOND = 944, 946, 994          # curl, python3, curl


def opened(path: Path) -> Trace:
    trace = Trace.open(path)
    trace.finish()
    return trace


def callers(trace: Trace, stream: int | None) -> set[int]:
    """Who made the calls of a conversation's ladder."""
    ladder = Ladder(trace, None if stream is None else Conversation("tcp", stream))
    return {trace.calls[moment.call].pid for moment in ladder.moments}


def test_calls_of_a_refused_attempt_stand_in_its_own_conversation() -> None:
    with opened(REFUSED) as trace:
        assert callers(trace, None) == {FIRST, SERVER_PID, SECOND}
        assert callers(trace, 0) == {FIRST}
        assert callers(trace, 1) == {SERVER_PID, SECOND}
        refused = Ladder(trace, Conversation("tcp", 0))
        assert [trace.calls[one.call].name for one in refused.moments if one.part == "whole"][-1] == "close"


def test_a_saved_part_has_no_calls_of_an_attempt_before_it(tmp_path: Path) -> None:
    for stream, wanted in ((0, {FIRST}), (1, {SERVER_PID, SECOND})):
        with opened(REFUSED) as trace:
            (tmp_path / "part.pcapng").write_bytes(b"".join(rows_part(trace, trace.rows_of("tcp", stream))))
        with opened(tmp_path / "part.pcapng") as part:
            assert {call.pid for call in part.calls} == wanted


def test_who_begins_to_listen_later_did_not_refuse() -> None:
    """Nor is a number its own that one of its threads had: python serves each connection in one."""
    with opened(REFUSED) as trace:
        found = [(one.get("process_a"), one.get("process_b")) for one in conversations(trace)]
        assert found == [(f"curl {FIRST}", None), (f"curl {SECOND}", f"python3 {SERVER_PID}")]
        listed = ConversationList(trace)
        while not listed.complete:
            listed.update()
        assert [listed.process(number) for number in (0, 1)] == [
            f"curl {FIRST}", f"curl {SECOND}, python3 {SERVER_PID}"]
        heads = [plain(Ladder(trace, Conversation("tcp", stream)).header(120)[0]) for stream in (0, 1)]
        assert f"curl  pid {FIRST} " in heads[0] and "nobody  127.0.0.1:7001" in heads[0]
        assert f"curl  pid {SECOND} " in heads[1] and f"python3  pid {SERVER_PID}  127.0.0.1:7001" in heads[1]


def test_a_ladder_of_several_conversations_gives_none_the_programs_of_another() -> None:
    with opened(REFUSED) as trace:
        ladder = Ladder(trace)
        head = plain(ladder.header(120)[0])
        assert " curl  127.0.0.1 " in head and "nobody, python3  127.0.0.1:7001" in head
        assert not any(str(pid) in head for pid in (FIRST, SERVER_PID, SECOND))
        for row in (0, trace.rows_of("tcp", 1)[0]):
            line = next(index for index in range(ladder.count) if ladder.target(index).row == row)
            at = plain(ladder.header(120, line)[0])
            assert (f"curl  pid {FIRST} " in at, "  nobody  127" in at) == (row == 0, row == 0)
            assert (f"curl  pid {SECOND} " in at, f"python3  pid {SERVER_PID}" in at) == (row != 0, row != 0)


def test_a_diagram_of_several_conversations_says_whose_each_arrow_and_call_is() -> None:
    with opened(REFUSED) as trace:
        lines = ladder_mermaid(trace).splitlines()
        ports = [trace.flow(stream).a[1] for stream in (0, 1)]
        alone = ladder_mermaid(trace, Conversation("tcp", 1))
    arrows = [line for line in lines if ">>" in line]
    assert [next(port for port in ports if f" #58;{port} " in line) for line in arrows[:3]] == [
        ports[0], ports[0], ports[1]]
    assert lines[2] == "    participant R as nobody, python3 127.0.0.1#58;7001"
    assert any(f"left of L: curl {FIRST} connect(" in line for line in lines)
    assert f"#58;{ports[1]} [SYN]" not in alone and f"curl {SECOND} " not in alone


def attempt(network: Network, pid: int, name: str, arguments: str, errno: str | None = None,
            **fields: object) -> None:
    """A call of a process on its descriptor 3, whose address no call tells unless `fields` do."""
    network.now_ns += network.step_ns
    result = 3 if name == "socket" else -1 if errno else 0
    given = {"protocol": "tcp", "fd": None if name == "socket" else 3} | fields
    network.record(CallRecord(len(network.blocks) + 1, pid, pid, f"p{pid}", name, arguments, network.now_ns,
                              network.now_ns + 1_000, result, errno, **given))  # type: ignore[arg-type]


def refuse(network: Network, port: int) -> None:
    network.ports = port, 9000
    network.tcp(CLIENT, "S")
    network.tcp(SERVER, "RA", seq=0)


def test_a_socket_that_tries_again_has_each_connect_in_its_conversation(tmp_path: Path) -> None:
    """A loop of connect() on one socket: what was refused has another port than what came of it."""
    network = Network()
    attempt(network, 7, "socket", "AF_INET, SOCK_STREAM")
    attempt(network, 7, "connect", "3, 127.0.0.1:9000", "ECONNREFUSED")
    network.now_ns -= 9_000
    refuse(network, 40001)
    ends = {"local": "127.0.0.1:40002", "peer": "127.0.0.1:9000"}
    attempt(network, 7, "connect", "3, 127.0.0.1:9000", **ends)
    network.ports = 40002, 9000
    network.handshake()
    attempt(network, 7, "sendto", '3, "x", 1', **ends)
    with network.open(tmp_path / "again.pcapng") as trace:
        names = []
        for stream in (0, 1):
            moments = Ladder(trace, Conversation("tcp", stream)).moments
            made = [trace.calls[one.call] for one in moments if one.part != "entry"]
            names.append([(call.name, call.errno) for call in made])
        assert names[0] == [("connect", "ECONNREFUSED")]
        assert ("connect", None) in names[1] and ("connect", "ECONNREFUSED") not in names[1]


def test_of_attempts_at_the_same_moment_none_is_guessed(tmp_path: Path) -> None:
    network = Network()
    for pid in (7, 8):
        attempt(network, pid, "socket", "AF_INET, SOCK_STREAM")
        attempt(network, pid, "connect", "3, 127.0.0.1:9000", "EINPROGRESS", peer="127.0.0.1:9000")
    refuse(network, 40001)
    refuse(network, 40002)
    for pid in (7, 8):
        attempt(network, pid, "close", "3")
    with network.open(tmp_path / "both.pcapng") as trace:
        assert callers(trace, 0) == callers(trace, 1) == set()
        assert not any("process_a" in one for one in conversations(trace))


@pytest.mark.parametrize("later", [False, True])
def test_a_listener_counts_while_it_listens(tmp_path: Path, later: bool) -> None:
    network = Network()
    if later:
        refuse(network, 40001)
    for name in ("socket", "bind", "listen"):
        attempt(network, 9, name, "3", local="127.0.0.1:9000" if name != "socket" else None)
    if not later:
        network.ports = 40001, 9000
        network.handshake()
    attempt(network, 9, "close", "3", local="127.0.0.1:9000")
    network.now_ns += 1_000_000
    refuse(network, 40002)
    with network.open(tmp_path / "listener.pcapng") as trace:
        found = [one.get("process_b") for one in conversations(trace)]
        assert found == [None if later else "p9 9", None]
        assert callers(trace, 1) == set()


def test_a_datagram_of_a_socket_without_an_address_is_its_own(tmp_path: Path) -> None:
    """Two programs ask the same server once each; no later call tells their ports."""
    network = Network()
    for pid, port in ((7, 50001), (8, 50002)):
        attempt(network, pid, "socket", "AF_INET, SOCK_DGRAM", protocol="udp")
        attempt(network, pid, "sendto", '3, "?", 1, 127.0.0.1:53', protocol="udp", peer="127.0.0.1:53")
        network.udp(CLIENT, b"?", (port, 53))
        attempt(network, pid, "close", "3", protocol="udp")
    with network.open(tmp_path / "asked.pcapng") as trace:
        for stream, pid in ((0, 7), (1, 8)):
            ladder = Ladder(trace, Conversation("udp", stream))
            assert {trace.calls[one.call].pid for one in ladder.moments} == {pid}
        assert [one.get("process_a") for one in conversations(trace)] == ["p7 7", "p8 8"]
