"""Clean sessions whose capture lacks something: no finding may accuse an end of what the capture lost.

Of every clean session one packet or three are left out, one is doubled, or changes place with its neighbour;
one end is not heard at all; the capture begins or ends anywhere. `SWEEP=all` goes through every packet, else
a few of each are tried. Packets are cut, too: all of them, or one, as a snapshot length does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from inspector.model.packets import Row, first_rows
from inspector.trace.application.application import ApplicationLayers
from inspector.trace.application.datagrams import findings_of_datagrams
from inspector.trace.flows.tcp import TcpFlow
from inspector.trace.flows.udp import UdpFlow
from inspector.trace.trace import Trace
from inspector.wire.findings import Finding
from inspector.wire.keylog import KeyLog
from tests.support.captures.tcp import MemoryTrace
from tests.support.tiers import sweep

DATA = Path(__file__).parents[2] / "data"
SESSIONS = sorted([
    *(DATA / "traces").glob("*.pcapng"), *(DATA / "sessions").glob("*.pcapng"),
    *(DATA / "protocols").glob("*.pcap*"), DATA / "cases" / "08a-proxy-v1-http.pcap",
    DATA / "cases" / "08b-proxy-v2-ws.pcap", DATA / "cases" / "09f-socks5-websocket.pcap",
    DATA / "frames" / "dns.pcapng", DATA / "cases" / "24a-dns-over-tcp.pcap",
    DATA / "cases" / "14a-frag-tcp-v4.pcap",
])
CUT = 70                     # bytes of the one packet that is cut
FEW = 7                      # changes of each kind that are tried of a session, without SWEEP=all
MOST_PACKETS = 120
# What is so whatever was lost, and that something cannot be read, since the capture lacks what was before it.
EXPECTED = {"tcp.small-write-stall", "redis.error-reply", "tls.alert", "http.tls-and-plain", "tls.no-record",
            "websocket.context-not-captured"}

SIZES = (54, 66, 80, 100, 128, 200, 400)        # to which packets are cut

Packet = tuple[int, bytes, int]
"""Time, frame as captured, length on the wire."""


def packets_of(path: Path) -> tuple[list[Packet], int, KeyLog]:
    """The packets of a session, their link type, and the secrets in the capture."""
    with Trace.open(path) as trace:
        trace.finish()
        rows = first_rows(min(trace.index.count, MOST_PACKETS))
        packets = [(int(trace.index.time_ns[row]), trace.frame(row), int(trace.index.length[row]))
                   for row in rows]
        return packets, trace.link_type(Row(0)) if packets else 0, trace.secrets


def findings(packets: list[Packet], link: int, secrets: KeyLog) -> list[Finding]:
    """What is said of them."""
    trace = MemoryTrace(link, secrets)
    if not packets:
        return []
    trace.add([frame for _, frame, _ in packets], [time for time, _, _ in packets],
              [length for _, _, length in packets])
    streams = sorted(set(trace.index.stream[trace.index.protocol == 6].tolist()) - {-1})
    found = [one for stream in streams for one in ApplicationLayers(trace, TcpFlow(trace, stream)).findings]
    asked = sorted(set(trace.index.stream[trace.index.protocol == 17].tolist()) - {-1})
    return found + [one for stream in asked for one in findings_of_datagrams(trace, UdpFlow(trace, stream))]


def chosen(count: int) -> list[int]:
    """Packets to be changed: all, or a few that lie evenly."""
    if os.environ.get("SWEEP") == "all" or count <= FEW:
        return list(range(count))
    return sorted({round(i * (count - 1) / (FEW - 1)) for i in range(FEW)})


def sender(frame: bytes) -> bytes:
    """Address and port, where that is IPv4 in Ethernet; else what makes the frame one of its own."""
    return frame[26:30] + frame[34:36] if frame[12:14] == b"\x08\0" else frame


def changed(packets: list[Packet]) -> Iterator[tuple[str, list[Packet]]]:
    """The session with one thing changed, and what that was."""
    for size in SIZES:
        yield f"all cut at {size}", [(time, frame[:size], length) for time, frame, length in packets]
    for end in {sender(frame) for _, frame, _ in packets}:
        yield f"nothing of {end.hex('.')}", [one for one in packets if sender(one[1]) != end]
    for at in chosen(len(packets)):
        yield f"without packet {at + 1}", packets[:at] + packets[at + 1 :]
        yield f"without packets {at + 1} to {at + 3}", packets[:at] + packets[at + 3 :]
        yield f"from packet {at + 1} on", packets[at:]
        yield f"up to packet {at + 1}", packets[: at + 1]
        time, frame, length = packets[at]
        yield f"packet {at + 1} cut", [*packets[:at], (time, frame[:CUT], length), *packets[at + 1 :]]
        again = time + 1, frame, length
        yield f"packet {at + 1} twice", [*packets[: at + 1], again, *packets[at + 1 :]]
        if at + 1 < len(packets):
            later, other, its_length = packets[at + 1]
            swapped = [(time, other, its_length), (later, frame, length)]
            yield f"packets {at + 1} and {at + 2} swapped", [*packets[:at], *swapped, *packets[at + 2 :]]


@sweep("path", SESSIONS, lambda path: path in SESSIONS[::6], ids=lambda path: path.stem)
def test_nobody_is_accused_of_what_the_capture_lacks(path: Path) -> None:
    packets, link, secrets = packets_of(path)
    clean = {one.id for one in findings(packets, link, secrets)}
    accused = [(how, one.id, one.text) for how, some in changed(packets)
               for one in findings(some, link, secrets) if one.id not in clean | EXPECTED]
    assert not accused
