"""Resets with bytes unread: the number and the program, by calls or by the kernel's last look."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.model.records import KernelSample
from tests.support.captures.network import CLIENT, SERVER, START_NS, Network

ENDS = {"local": "127.0.0.1:9000", "peer": "127.0.0.1:50412"}
MS = 1_000_000


def findings(path: Path, *, calls: bool, looked_ms: int | None, answers: bool,
             process: str = "srv", fins: str = "") -> list[tuple[str, str]]:
    """1,000 bytes of which 10 are read, an answer or none, and RST half a second after the start.

    `fins`: who sends FIN before it, in this order: "c", "s".
    """
    network = Network()
    network.handshake()
    network.tcp(CLIENT, "PA", bytes(1000))
    if calls:
        network.call("server", "recv", "4, 10", 10, **ENDS)
    network.tcp(SERVER, "PA" if answers else "A", b"no" * answers)
    if looked_ms is not None:
        network.record(KernelSample(START_NS + looked_ms * MS, ENDS["local"], ENDS["peer"], "ESTABLISHED",
                                    990, 0, process, 7 if process else 0))
    for one in fins:
        network.tcp(CLIENT if one == "c" else SERVER, "FA")
        network.tcp(SERVER if one == "c" else CLIENT, "A")
    network.now_ns = START_NS + 500 * MS
    network.tcp(SERVER, "RA")
    with network.open(path) as trace:
        return [(one.id, one.text) for one in trace.known.findings_of(0)]


@pytest.mark.parametrize("answers", [False, True], ids=["nothing answered", "something answered"])
@pytest.mark.parametrize(("calls", "looked_ms", "words"), [
    (True, None, "server 1 closed 127.0.0.1:9000 with 990 bytes unread."),
    (False, 100, "srv 7 closed 127.0.0.1:9000 with bytes unread: 990 bytes waited in its receive queue "
                 "400 ms before."),
    (True, 100, "server 1 closed 127.0.0.1:9000 with 990 bytes unread."),
])
def test_who_knows_how_many_says_so(answers: bool, calls: bool, looked_ms: int | None, words: str,
                                    tmp_path: Path) -> None:
    ((rule, text),) = findings(tmp_path / "x.pcapng", calls=calls, looked_ms=looked_ms, answers=answers)
    assert rule == "tcp.reset-with-unread-data" and text.startswith(f"{words} Read all that came")


@pytest.mark.parametrize("fins", ["c", "s", "sc"])
@pytest.mark.parametrize(("calls", "looked_ms"), [(True, None), (False, 100)], ids=["calls", "samples"])
def test_a_reset_after_a_fin_is_told_as_well(fins: str, calls: bool, looked_ms: int | None,
                                             tmp_path: Path) -> None:
    """The client's, as it has its answer; the server's own, of shutdown(); or both."""
    ((rule, text),) = findings(tmp_path / "x.pcapng", calls=calls, looked_ms=looked_ms, answers=True,
                               fins=fins)
    assert rule == "tcp.reset-with-unread-data" and "990 bytes" in text and "FIN" not in text


def test_of_what_was_read_wholly_the_kernel_tells_nothing(tmp_path: Path) -> None:
    ((_, text),) = findings(tmp_path / "x.pcapng", calls=False, looked_ms=None, answers=True, fins="c")
    assert "ended with RST the connection that 127.0.0.1:50412 had closed" in text


@pytest.mark.parametrize("waiting", [0, 1])
def test_a_reset_of_what_nobody_had_accepted_asks_for_accept(waiting: int, tmp_path: Path) -> None:
    """Nothing was said; whether a program had it the listener's queue tells."""
    network = Network()
    network.handshake()
    for local, peer, state, queue in (("0.0.0.0:9000", "", "LISTEN", waiting),
                                      (ENDS["local"], ENDS["peer"], "ESTABLISHED", 0)):
        network.record(KernelSample(START_NS + 100 * MS, local, peer, state, queue, 0))
    network.now_ns = START_NS + 500 * MS
    network.tcp(SERVER, "RA")
    with network.open(tmp_path / "x.pcapng") as trace:
        (one,) = trace.known.findings_of(0)
    assert one.id == "tcp.reset-after-open" and one.rows == (0, 3)
    assert ("closed before anybody had accepted" in one.text) == bool(waiting)
    assert ("should accept() each connection" in one.text) == bool(waiting)


def test_an_alert_of_tls_that_nobody_reads_is_the_ordinary_end(tmp_path: Path) -> None:
    """The server closes with close_notify; the client has what it wanted, and closes without reading that."""
    network = Network()
    network.handshake()
    hello = bytes([22, 3, 1, 0, 60, 1, 0, 0, 56, 3, 3]) + bytes(54)
    network.tcp(CLIENT, "PA", hello)
    network.call("server", "recv", "4, 100", len(hello), **ENDS)
    network.tcp(SERVER, "PA", bytes([22, 3, 3, 0, 50, 2, 0, 0, 46, 3, 3]) + bytes(44))
    network.tcp(CLIENT, "PA", bytes([21, 3, 3, 0, 2, 1, 0]))
    network.tcp(CLIENT, "FA")
    network.tcp(SERVER, "RA")
    with network.open(tmp_path / "x.pcapng") as trace:
        assert trace.known.spoken(0) == "tls"
        assert [one.id for one in trace.known.findings_of(0) if one.id.startswith("tcp.")] == []


def test_a_look_that_came_later_or_none_says_nothing(tmp_path: Path) -> None:
    for looked_ms in (None, 600):
        ((_, text),) = findings(tmp_path / "x.pcapng", calls=False, looked_ms=looked_ms, answers=False)
        assert text.startswith("127.0.0.1:9000 reset the connection after 1,000 bytes that it had not")


def test_an_end_whose_program_is_not_known_is_named_once(tmp_path: Path) -> None:
    """The relay's own sockets, say, of what comes from outside of the lab."""
    ((_, text),) = findings(tmp_path / "x.pcapng", calls=False, looked_ms=100, answers=False, process="")
    assert text.startswith("127.0.0.1:9000 was closed with bytes unread: 990 bytes waited in its receive")
