"""Packets on a wire that holds all, before anybody reported what became of them."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from inspector.model.packets import Row
from inspector.trace.trace import Trace
from inspector.views.ladder.ladder import Ladder
from inspector.views.line.spans import plain
from inspector.wire import pcapng
from inspector.wire.journal import EventRecord, to_fields
from tests.support.captures.network import CLIENT, SERVER, START_NS, Network


class Growing:
    """A trace that is followed while it is written."""

    def __init__(self, path: Path) -> None:
        self.path, self.network, self._written = path, Network(), 0
        path.write_bytes(pcapng.section_header() + pcapng.interface_description(1))
        self.trace = Trace.open(path, following=True)

    def report(self, fate: str, **fields: str) -> None:
        known = tuple({"fate": fate, **fields}.items())
        event = EventRecord("wire", "", self.network.now_ns, fields=known)
        self.network.blocks.append(pcapng.journal(to_fields(event)))

    def report_of(self, row: int, fate: str, sender: str) -> None:
        frame = self.trace.frame(Row(row))
        self.report(fate, packet=str(row + 1), sum=f"{zlib.crc32(frame):08x}", sender=sender)

    def ladder(self) -> str:
        with self.path.open("ab") as file:
            file.write(b"".join(self.network.blocks[self._written :]))
        self._written = len(self.network.blocks)
        self.trace.refresh()
        ladder = Ladder(self.trace)
        return "\n".join(plain(ladder.line(at, 100)) for at in range(ladder.count))


@pytest.mark.parametrize("fate", ["held", "dropped"])
def test_a_packet_waits_on_a_held_wire_before_anybody_says_so(tmp_path: Path, fate: str) -> None:
    growing = Growing(tmp_path / "held.pcapng")
    with growing.trace as trace:
        growing.report("hold")
        growing.network.tcp(CLIENT, "S")
        assert "┃ waits" in growing.ladder()
        assert trace.fates.arrived_ns(Row(0), START_NS) is None and trace.flow(0).state[1] != "SYN-RECEIVED"
        assert trace.fates.of(Row(0)) is None and not trace.fates.waiting      # no key means it so far
        growing.report_of(0, fate, "client")
        assert ("waits for you" if fate == "held" else "✗ dropped") in growing.ladder()
        growing.report_of(0, "passed", "client")
        growing.report("open")
        growing.network.tcp(SERVER, "SA")
        assert "┃" not in growing.ladder() and "▶│" in growing.ladder()
        assert trace.fates.shown(Row(1)) is None


def test_what_went_through_before_the_wire_was_held_has_arrived(tmp_path: Path) -> None:
    growing = Growing(tmp_path / "late.pcapng")
    with growing.trace as trace:
        growing.network.tcp(CLIENT, "S")
        growing.network.now_ns += 10
        growing.report("hold")
        assert "┃" not in growing.ladder()
        growing.network.tcp(SERVER, "SA")
        assert "waits ┃" in growing.ladder() and trace.fates.shown(Row(0)) is None
        growing.report("open")                           # and no event named it: it went
        assert "┃" not in growing.ladder() and trace.fates.arrived_ns(Row(1), 5) == 5


def test_a_file_that_grows_no_more_awaits_nothing(tmp_path: Path) -> None:
    growing = Growing(tmp_path / "whole.pcapng")
    growing.report("hold")
    growing.network.tcp(CLIENT, "S")
    growing.ladder()
    growing.trace.close()
    with Trace.open(growing.path) as whole:
        whole.finish()
        assert whole.fates.shown(Row(0)) is None
