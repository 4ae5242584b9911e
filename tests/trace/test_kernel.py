"""What the kernel's samples prove: queues that nobody empties, and ends that nobody closes."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.model.numbers import TCP
from inspector.model.packets import Row
from inspector.model.records import KernelSample
from inspector.trace import kernel
from inspector.trace.contents.backlogs import Backlogs
from inspector.trace.kernel import KernelFindings, kernel_findings, spans
from inspector.trace.packet import dropped
from inspector.trace.trace import Trace
from inspector.views.conversations.list import ConversationList
from inspector.views.findings.list import FindingList
from inspector.views.line.spans import cell_width, plain
from inspector.views.session.sockets_table import SocketLines
from inspector.wire.journal import EventRecord, from_fields, to_fields
from tests.support.captures.network import CLIENT, SERVER, START_NS, Network
from tests.support.running.commands import inspector
from tests.support.running.lab import needs_lab
from tests.support.tiers import thorough

LAZY = Path(__file__).parents[1] / "data" / "kernel" / "lazy.pcapng"
SECOND = 1_000_000_000
SAMPLE = KernelSample(0, "127.0.0.1:1", "127.0.0.1:2", "ESTABLISHED", 0, 0, "srv", 7, (("rtt", 20),))


def lazy() -> Trace:
    trace = Trace.open(LAZY)
    trace.finish()
    return trace


def after(seconds: float, waiting: int, state: str = "ESTABLISHED") -> KernelSample:
    return replace(SAMPLE, time_ns=int(seconds * SECOND), receive_queue=waiting, state=state)


def test_a_real_program_that_neither_reads_nor_accepts_is_told() -> None:
    with lazy() as trace:
        texts = [one.text.split(". ")[0] for one in kernel_findings(trace)]
        assert len(texts) == 2
        assert texts[0].startswith("2 connections wait in the backlog of 127.0.0.1:9000 (python3 ")
        assert texts[1].startswith("500 bytes wait in the receive queue of 127.0.0.1:9000 (python3 ")
        found = FindingList(trace)
        while found.update():
            pass
        shown = [found.finding(line).id for line in range(found.count)]
        assert "kernel.backlog-waiting" in shown
        assert found.target(shown.index("kernel.backlog-waiting")).stream is None
        unread = found.target(shown.index("kernel.unread-data"))
        assert (unread.row, unread.stream) == (4, 0)


def test_a_socket_that_nobody_holds_waits_for_accept_where_its_listener_has_some() -> None:
    queued = replace(after(2, 500), pid=None, process="")
    listener = replace(SAMPLE, local="0.0.0.0:1", peer="", state="LISTEN", receive_queue=1)
    for looks, waits in (([], False), ([listener], True), ([replace(listener, receive_queue=0)], False),
                         ([replace(listener, local="0.0.0.0:9")], False),
                         ([listener, replace(listener, time_ns=SECOND, receive_queue=0)], False),
                         ([listener, replace(listener, time_ns=9 * SECOND, receive_queue=0)], True)):
        backlogs = Backlogs()
        backlogs.take(looks)
        assert backlogs.has(queued) == waits, looks
        assert not backlogs.has(after(2, 500))             # a program has it


def test_the_list_of_conversations_counts_what_the_kernel_proves() -> None:
    with lazy() as trace:
        listed = ConversationList(trace)
        while not listed.complete:
            listed.update()
        while listed.decode(range(listed.count), 1.0):
            pass
        proved = [one.stream for one in kernel_findings(trace) if one.stream >= 0]
        every = proved + [one.stream for stream in range(len(trace.index.streams[TCP]))
                          for one in trace.known.findings_of(stream)]
        shown = {number: listed.cell(number, "findings")[0] for number in range(listed.count)}
        assert proved and all(shown[stream] == f"▲ {every.count(stream)}" for stream in proved)


def test_a_wait_may_have_lasted_longer_than_it_was_seen() -> None:
    with lazy() as trace:
        assert all(" for at least " in one.text for one in kernel_findings(trace))


def test_the_sockets_of_a_program_without_a_journal_are_the_kernels() -> None:
    with lazy() as trace:
        rows = SocketLines(trace).rows
        listener = next(row for row in rows if row.state == "LISTEN")
        assert (listener.local, listener.queues) == ("127.0.0.1:9000", ("2 conn", "of 1"))
        assert any(row.state == "CLOSE-WAIT" and row.queues[0] == "500" for row in rows)


def test_owners_have_the_room_that_is_left() -> None:
    with lazy() as trace:
        sockets = SocketLines(trace)
        sockets.rows = tuple(row._replace(owner="server 123456") for row in sockets.rows)
        assert "server 123456" in plain(sockets.line(0, 80))
        assert cell_width(plain(sockets.line(0, 75))) == 75
        sockets.rows = tuple(row._replace(owner="gunicorn: worker 123456") for row in sockets.rows)
        for width in (92, 118, 130, 200):                         # at 120x40 the pane has 118 or 92
            assert "gunicorn: worker 123456" in plain(sockets.line(0, width))
            assert cell_width(plain(sockets.line(0, width))) == width


def test_a_sockets_state_is_in_sight_wherever_there_is_little_room() -> None:
    path = Path(__file__).parents[1] / "data" / "traces" / "tcp.pcapng"
    with Trace.open(path) as trace:
        trace.finish()
        sockets = SocketLines(trace, Row(4))                      # without samples of the kernel
        for width in range(58, 140):
            assert "ESTABLISHED" in plain(sockets.line(1, width)), width
            assert cell_width(plain(sockets.line(1, width))) == width


def test_a_wait_counts_from_the_last_time_that_something_was_read() -> None:
    (span,) = spans([after(0, 500), after(0.9, 500), after(1, 300), after(2, 300), after(4, 300)])
    assert (span.ns, span.waiting) == (3 * SECOND, 300)
    assert list(spans([after(0, 500), after(0.9, 500), after(1, 0), after(9, 0)])) == []


def test_more_that_comes_does_not_end_a_wait() -> None:
    (span,) = spans([after(0, 500), after(1, 700), after(2, 900)])
    assert (span.ns, span.waiting) == (2 * SECOND, 900)


def test_the_fin_is_no_byte_to_be_read() -> None:
    (span,) = spans([after(0, 1, "CLOSE-WAIT"), after(3, 1, "CLOSE-WAIT")])
    assert span.kind == "close-wait"


def test_an_end_that_closes_soon_is_no_finding() -> None:
    assert list(spans([after(0, 1, "CLOSE-WAIT"), after(1.5, 1, "CLOSE-WAIT"), after(1.6, 0, "gone")])) == []


@given(st.builds(
    KernelSample, st.integers(0, 2**63 - 1), *[st.text(max_size=9)] * 3, *[st.integers(0, 2**32 - 1)] * 2,
    st.text(max_size=9), st.none() | st.integers(0, 2**31),
    st.sampled_from([(), (("rtt", 20),), (("rtt", 0), ("cwnd", 2**62))]),
))  # fmt: skip
def test_a_sample_is_read_as_it_was_written(sample: KernelSample) -> None:
    assert from_fields(to_fields(sample)) == sample


def test_a_wait_lasts_to_the_last_sample_that_says_so() -> None:
    """What no sample says is not known: under load a look leaves out much."""
    other = replace(SAMPLE, time_ns=9 * SECOND, local="127.0.0.1:3")
    first, again = after(0, 1, "CLOSE-WAIT"), after(2.5, 1, "CLOSE-WAIT")
    for end in ([after(4, 0, "gone"), other], [other]):
        (span,) = spans([first, again, *end])
        assert span.ns == 2.5 * SECOND
    assert list(spans([after(0, 14), after(2.3, 0)])) == []              # one sample proves no wait


def backlog(seconds: float, waiting: int) -> KernelSample:
    moment = START_NS + int(seconds * SECOND)
    return KernelSample(moment, "127.0.0.1:9000", "0.0.0.0:0", "LISTEN", waiting, 511, "nginx", 7)


def connection(network: Network, seconds: float, port: int, *, answered: bool) -> None:
    network.now_ns = START_NS + int(seconds * SECOND)
    network.ports = port, 9000
    network.handshake()
    network.tcp(CLIENT, "PA", b"GET / HTTP/1.1\r\n\r\n")
    if answered:
        network.tcp(SERVER, "PA", b"HTTP/1.1 204 No Content\r\n\r\n")


def listener_findings(path: Path, *, answered: bool) -> list[str]:
    """Somebody waits at every look; the younger connection is answered, or nobody is."""
    network = Network()
    network.record(backlog(0, 2))
    connection(network, 0.1, 50001, answered=answered)
    network.record(backlog(1, 3))
    connection(network, 1.5, 50002, answered=answered)
    network.record(backlog(2, 4))
    with network.open(path) as trace:
        return [one.text for one in kernel_findings(trace)]


def test_a_busy_server_has_somebody_waiting_at_every_look_and_never_the_same(tmp_path: Path) -> None:
    assert listener_findings(tmp_path / "busy.pcapng", answered=True) == []
    (text,) = listener_findings(tmp_path / "asleep.pcapng", answered=False)
    assert text.startswith("4 connections wait in the backlog of 127.0.0.1:9000 (nginx 7) for at least 2.0 s")


def test_a_port_that_is_used_again_is_another_conversation(tmp_path: Path) -> None:
    network = Network()
    one = replace(SAMPLE, local="127.0.0.1:9000", peer="127.0.0.1:50001", receive_queue=50)
    connection(network, 0, 50001, answered=False)
    for second in (0.5, 1.0, 1.6):
        network.record(replace(one, time_ns=START_NS + int(second * SECOND)))
    connection(network, 5, 50001, answered=True)
    with network.open(tmp_path / "again.pcapng") as trace:
        (found,) = kernel_findings(trace)
        assert found.stream == 0 and len(trace.index.streams[TCP]) == 2
        assert trace.index.time_ns[found.rows[0]] < START_NS + SECOND


def half_closed(*others: KernelSample) -> list[KernelSample]:
    """An end in CLOSE-WAIT for nine seconds, and what the kernel had of the other one."""
    own = [after(second, 1, "CLOSE-WAIT") for second in range(10)]
    return sorted([*own, *others], key=lambda one: one.time_ns)


def other_end(second: float, state: str, pid: int | None) -> KernelSample:
    return replace(after(second, 0, state), local=SAMPLE.peer, peer=SAMPLE.local, pid=pid)


def test_an_end_whose_peer_still_reads_keeps_nothing_open_in_vain() -> None:
    for first in (0.0, 0.1):
        assert list(spans(half_closed(other_end(first, "FIN-WAIT-2", 7)))) == []


def test_once_the_peer_has_closed_or_is_gone_it_does() -> None:
    for state, pid in (("FIN-WAIT-2", None), ("gone", 7)):
        (span,) = spans(half_closed(other_end(0, "FIN-WAIT-2", 7), other_end(4, state, pid)))
        assert (span.kind, span.ns) == ("close-wait", 5 * SECOND)


def left_waiting(path: Path, *, answered: bool) -> tuple[list[str], list[str]]:
    """A client that gives up after a second, and a server that does not close for three: what is told."""
    network = Network()
    network.handshake()
    network.tcp(CLIENT, "PA", b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
    network.now_ns += SECOND
    network.tcp(CLIENT, "FA")
    network.tcp(SERVER, "A")
    for second in (1.1, 2.5, 3.9):
        network.record(replace(after(second, 1, "CLOSE-WAIT"), time_ns=START_NS + int(second * SECOND),
                               local="127.0.0.1:9000", peer="127.0.0.1:50412"))
    network.now_ns = START_NS + 4 * SECOND
    if answered:
        network.tcp(SERVER, "PA", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        network.tcp(CLIENT, "R")
    with network.open(path) as trace:
        return [one.text for one in kernel_findings(trace)], [one.id for one in trace.known.findings_of(0)]


def test_who_works_on_an_answer_is_not_told_to_close(tmp_path: Path) -> None:
    """CLOSE-WAIT comes of the wait then: the slow answer is told, and while it lacks, that it does."""
    assert left_waiting(tmp_path / "late.pcapng", answered=True) == ([], ["answer.gave-up"])
    (text,), others = left_waiting(tmp_path / "never.pcapng", answered=False)
    assert text.startswith('127.0.0.1:9000 (srv 7) has not answered "GET /slow", which had waited 1.0 s when '
                           "127.0.0.1:50412 gave up, nor closed since, for at least 2.8 s.")
    assert others == []


SLOW = """
import socket, time
receiver, sender = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
receiver.bind(('127.0.0.1', 9999))
for _ in range(50):
    sender.sendto(bytes(100), ('127.0.0.1', 9999))
time.sleep(0.5)                           # looked at in the meantime
receiver.settimeout(0)
read = 0
try:
    while receiver.recv(200):
        read += 1
except BlockingIOError:
    print(50 - read, end='')
time.sleep(0.3)
"""


@needs_lab
def test_a_server_that_reads_too_slowly_is_told_what_it_lost(tmp_path: Path) -> None:
    file = tmp_path / "t.pcapng"
    done = inspector("exec", "--save", str(file), "--", sys.executable, "-c", SLOW)
    lost = int(done.stdout)
    with Trace.open(file) as trace:
        trace.finish()
        (found,) = kernel_findings(trace)
        assert (found.id, found.carrier, found.stream, found.rows) == ("kernel.queue-full", "udp", 0, (49,))
        assert found.text.startswith(f"{lost} datagrams to 127.0.0.1:9999 (python")
        assert " were dropped by the kernel: the receive queue was full (" in found.text
        listed = ConversationList(trace)
        while not listed.complete:
            listed.update()
        while listed.decode(range(listed.count), 1.0):
            pass
        assert listed.cell(0, "findings")[0] == "▲ 1"
        sockets = SocketLines(trace, Row(trace.index.count - 1))       # they may have gone since
        shown = " ".join(" ".join(plain(sockets.line(line, 80)) for line in range(sockets.count)).split())
        assert f"{lost} datagrams dropped there so far" in shown
        assert [(row.protocol, row.state) for row in sockets.rows] == [("UDP", "unconnected")] * 2
    exported = inspector("decode", str(file), "--json", "kernel").stdout
    assert f'"drops": {lost}' in exported and "kernel.queue-full" in inspector(
        "decode", str(file), "--json", "findings").stdout


UDP_SAMPLE = KernelSample(START_NS, "127.0.0.1:9000", "0.0.0.0:0", "unconnected", 0, 0, "srv", 7,
                          (("rcvbuf", 4608), ("drops", 0)), "udp")  # fmt: skip


def udp_findings(path: Path, *samples: tuple[int, int], lab: bool = True) -> list[tuple[str, str]]:
    """Samples as (memory in the queue, drops) after a datagram each: rules and how many datagrams."""
    network = Network()
    network.record(EventRecord("agent-ready", "", START_NS, "", 1, (("mode", "lab" if lab else "host"),)))
    for queue, drops in samples:
        network.udp(CLIENT, bytes(100))
        network.record(replace(UDP_SAMPLE, time_ns=network.now_ns + 1, receive_queue=queue,
                               info=(("rcvbuf", 4608), ("drops", drops))))
    with network.open(path) as trace:
        return [(one.id, one.text.partition(" datagram")[0]) for one in kernel_findings(trace)]


def test_only_a_queue_that_was_full_accuses_the_program(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    full, room = ("kernel.queue-full", "kernel.datagrams-dropped")
    assert udp_findings(path, (832, 0), (4160, 0)) == []
    assert udp_findings(path, (832, 0), (4160, 45)) == [(full, "45")]
    assert udp_findings(path, (832, 0), (0, 3)) == [(room, "3")]             # a wrong checksum, perhaps
    assert udp_findings(path, (832, 0), (4160, 5), (832, 7)) == [(full, "5"), (room, "2")]
    assert udp_findings(path, (4160, 9)) == [(full, "9")]                      # made between two looks
    assert udp_findings(path, (4160, 9), lab=False) == []                      # before anybody looked
    assert udp_findings(path, (4160, 9), (4160, 12), lab=False) == [(full, "3")]


def test_samples_of_tcp_and_udp_at_one_address_are_two_sockets(tmp_path: Path) -> None:
    network = Network()
    network.handshake()
    network.record(replace(SAMPLE, time_ns=network.now_ns, local="127.0.0.1:9000", peer="0.0.0.0:0",
                           state="LISTEN", info=()))
    network.record(replace(UDP_SAMPLE, time_ns=network.now_ns))
    with network.open(tmp_path / "t.pcapng") as trace:
        assert (len(trace.kernel), len(trace.kernel_udp), trace.samples) == (1, 1, 2)
        assert [(row.protocol, row.state) for row in SocketLines(trace).rows] == [
            ("TCP", "LISTEN"), ("UDP", "unconnected")]


def test_a_sample_of_udp_is_read_as_it_was_written() -> None:
    assert from_fields(to_fields(UDP_SAMPLE)) == UDP_SAMPLE


def flooded(path: Path, rounds: int) -> None:
    """A UDP socket that loses some of what comes, two TCP sockets that wait, looked at 20 times a second."""
    network, draw = Network(), random.Random(7)
    network.handshake()
    drops = 0
    for number in range(rounds):
        for _ in range(5):
            network.udp(CLIENT, bytes(draw.choice((100, 900))))
        drops += draw.choice((0, 0, 3))
        moment = network.now_ns + draw.choice((-3, 0, 1)) * 1_000_000      # the packets may come after it
        network.record(replace(UDP_SAMPLE, time_ns=moment, receive_queue=draw.choice((832, 4160)),
                               info=(("rcvbuf", 4608), ("drops", drops))))
        network.record(replace(SAMPLE, time_ns=moment, receive_queue=0 if number % 40 == 35 else 9))
        network.record(backlog((moment - START_NS) / SECOND, draw.choice((0, 2, 2, 2, 2, 2))))
        network.now_ns += SECOND // 20
    network.open(path).close()


def texts_of(findings: KernelFindings) -> list[tuple[str, str, tuple[Row, ...]]]:
    return [(one.id, one.text, one.rows) for one in findings.look()]


def growing(path: Path, size: int = 1500) -> Iterator[Trace]:
    """The trace of a flooded file while it is written, again after so many bytes each."""
    flooded(path, 200)
    whole, path = path.read_bytes(), path.with_name("grows.pcapng")
    with path.open("wb", buffering=0) as file:
        file.write(whole[:size])
        with Trace.open(path, following=True) as trace:
            for start in range(size, len(whole), size):
                trace.refresh()
                yield trace
                file.write(whole[start : start + size])
            trace.finish()
            yield trace


@thorough
def test_what_is_told_of_a_trace_that_grows_is_what_is_told_of_all_of_it(tmp_path: Path) -> None:
    findings, looks = None, 0
    for trace in growing(tmp_path / "t.pcapng"):
        findings = findings or KernelFindings(trace)
        last = texts_of(findings)
        looks += 1
    at_once = texts_of(KernelFindings(trace))
    assert looks > 100 and {name for name, *_ in at_once} == {
        "kernel.queue-full", "kernel.datagrams-dropped", "kernel.unread-data", "kernel.backlog-waiting"}
    assert last == at_once


@thorough
def test_each_sample_and_packet_is_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A live flood is looked at 30 times a second: what has been seen costs nothing then."""
    packets: list[int] = []
    monkeypatch.setattr(dropped, "np", Counting(packets))
    samples: list[KernelSample] = []
    wait = kernel._waits

    def counted(sample: KernelSample) -> tuple[tuple[kernel.Kind, int], ...]:
        samples.append(sample)
        return wait(sample)

    monkeypatch.setattr(kernel, "_waits", counted)
    findings = None
    for trace in growing(tmp_path / "t.pcapng"):
        findings = findings or KernelFindings(trace)
        findings.look()
    assert len(samples) == len(trace.kernel)
    assert trace.index.count // 2 < sum(packets) < 2 * trace.index.count


class Counting:
    """numpy, which notes how much is looked through."""

    def __init__(self, lengths: list[int]) -> None:
        self._lengths = lengths

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def flatnonzero(self, values: Any) -> Any:
        self._lengths.append(len(values))
        return np.flatnonzero(values)
