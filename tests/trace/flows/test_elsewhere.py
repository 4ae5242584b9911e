"""A packet that several interfaces of a capture see was sent once; what is sent again, each sees again."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from inspector.trace.trace import Trace
from inspector.views.conversations.table import ConversationTable
from inspector.views.json.conversations import conversations
from inspector.views.json.findings import findings
from inspector.views.json.packets import packets
from inspector.wire import pcapng
from tests.support.captures.frames import START
from tests.support.captures.tcp import ip, segment

RAW, SLL, SLL2 = 101, 113, 276
MS = 1_000_000


def hop(frame: bytes, number: int) -> bytes:
    """The datagram after a router: a hop less, another sum."""
    return frame[:8] + bytes([frame[8] - number]) + frame[9:10] + bytes([number, 9]) + frame[12:]


def numbered(frame: bytes, number: int) -> bytes:
    return frame[:4] + struct.pack("!H", number) + frame[6:]


def cooked(link: int, interface: int, frame: bytes) -> bytes:
    if link == SLL2:
        return struct.pack("!HHIHBB8s", 0x0800, 0, interface, 1, 0, 6, bytes(8)) + frame
    return struct.pack("!HHH8sH", 4 if interface == 2 else 0, 1, 6, bytes([interface] * 8), 0x0800) + frame


def capture(path: Path, link: int, seen: list[tuple[int, int, bytes]]) -> Path:
    """A file of packets, each with its moment (ns) and its interface, 1 to 3."""
    names = ("eth0", "br0", "veth1") if link == RAW else ("any",)
    blocks = [pcapng.section_header(), *(pcapng.interface_description(link, name=name) for name in names)]
    for moment, interface, frame in seen:
        data, number = (frame, interface - 1) if link == RAW else (cooked(link, interface, frame), 0)
        blocks.append(pcapng.enhanced_packet(data, START + moment, interface=number))
    path.write_bytes(b"".join(blocks))
    return path


def found_in(path: Path) -> list[tuple[int | None, list[str]]]:
    """Of each packet: which one it is again, and what its analysis says."""
    with Trace.open(path) as trace:
        trace.finish()
        assert not list(findings(trace))
        return [(one.get("same_as"), one.get("analysis", [])) for one in packets(trace)]


SESSION = [
    segment(0, "S", 0), segment(1, "SA", 0, 1), segment(0, "A", 1, 1), segment(0, "PA", 1, 1, b"hello"),
    segment(1, "A", 1, 6), segment(0, "FA", 6, 1), segment(1, "FA", 1, 7), segment(0, "A", 7, 2),
]


@pytest.mark.parametrize("link", [RAW, SLL, SLL2])
def test_what_passes_three_interfaces_is_one_packet(link: int, tmp_path: Path) -> None:
    seen = [(step * 20 * MS + at * 1000, at, hop(frame, at))
            for step, frame in enumerate(SESSION) for at in (1, 2, 3)]
    found = found_in(capture(tmp_path / "three.pcapng", link, seen))
    for step in range(len(SESSION)):
        assert found[3 * step : 3 * step + 3] == [(None, []), (3 * step + 1, []), (3 * step + 1, [])]
    with Trace.open(tmp_path / "three.pcapng") as trace:
        trace.finish()
        (line,), table = list(conversations(trace)), ConversationTable(trace)
        assert (line["packets_ab"], line["packets_ba"], line["bytes_ab"], line["copies"]) == (5, 3, 5, 16)
        while table.update(7):
            pass
        assert [table.column(f"packets_{way}").tolist() for way in ("ab", "ba")] == [[5], [3]]


def test_two_interfaces_that_are_alike_are_two(tmp_path: Path) -> None:
    """Two files merged, each of its own interface without a name (`mergecap -I none`)."""
    blocks = [pcapng.section_header(), *[pcapng.interface_description(RAW)] * 2]
    blocks += [pcapng.enhanced_packet(frame, START + step * 20 * MS + at * 1000, interface=at)
               for step, frame in enumerate(SESSION) for at in (0, 1)]
    path = tmp_path / "merged.pcapng"
    path.write_bytes(b"".join(blocks))
    assert [same for same, _ in found_in(path)] == [one for step in range(8) for one in (None, 2 * step + 1)]


@pytest.mark.parametrize("link", [RAW, SLL2])
@pytest.mark.parametrize("number", [0, 7])
def test_what_is_sent_again_is_a_retransmission_wherever_it_was_seen(
    link: int, number: int, tmp_path: Path
) -> None:
    data, again = SESSION[3], SESSION[3]
    if number:
        data, again = numbered(data, number), numbered(again, number + 1)
    seen = [(step * MS, 1, frame) for step, frame in enumerate(SESSION[:3])]
    seen += [(5 * MS, 1, data), (5 * MS + 900, 2, data), (20 * MS, 1, again), (20 * MS + 900, 2, again)]
    found = found_in(capture(tmp_path / "again.pcapng", link, seen))
    assert [same for same, _ in found] == [None] * 4 + [4, None, 6]
    sent_again = [any("retransmission" in one for one in analysis) for _, analysis in found]
    assert sent_again == [False] * 5 + [True, False]


def test_one_interface_that_sees_it_twice_saw_two(tmp_path: Path) -> None:
    seen = [(step * MS, 1, frame) for step, frame in enumerate([*SESSION[:4], SESSION[3]])]
    found = found_in(capture(tmp_path / "one.pcapng", RAW, [*seen, (5 * MS, 2, segment(1, "A", 1, 6))]))
    assert [same for same, _ in found] == [None] * 6 and found[4][1]


def test_what_comes_much_later_without_a_number_is_no_copy(tmp_path: Path) -> None:
    seen = [(step * MS, 1, frame) for step, frame in enumerate(SESSION[:4])]
    found = found_in(capture(tmp_path / "late.pcapng", RAW, [*seen, (300 * MS, 2, SESSION[3])]))
    assert found[4][0] is None and found[4][1]


def test_datagrams_too(tmp_path: Path) -> None:
    frame = ip(0, 17, struct.pack("!HHHH", 4000, 4001, 13, 0) + b"hello")
    back = ip(1, 17, struct.pack("!HHHH", 4001, 4000, 13, 0) + b"hello")
    seen = [(0, 1, frame), (900, 2, hop(frame, 1)), (5 * MS, 2, back), (5 * MS + 900, 1, hop(back, 1)),
            (9 * MS, 1, frame)]
    found = found_in(capture(tmp_path / "udp.pcapng", RAW, seen))
    assert [same for same, _ in found] == [None, 1, None, 3, None]
    with Trace.open(tmp_path / "udp.pcapng") as trace:
        trace.finish()
        (line,) = conversations(trace)
    assert (line["packets_ab"], line["packets_ba"], line["bytes_ba"], line["copies"]) == (2, 1, 5, 2)
