"""Any one packet lost, any packet the first: of every kind of session, and of captures of others.

    kind, option ──> a real session ──> its file without a packet block ──> no finding that the whole has not
    tests/data/captures, cases ──────> packets in memory, one left out ───┘

What else a capture may lack is `test_sweeps`'. In a session's file the journal stays: calls that lack their
packets.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import REGISTRY
from inspector.sessions.kinds.browser.programs import find_browser
from inspector.trace.trace import Trace
from inspector.views.json.findings import findings as findings_in
from tests.protocols.every_protocol.test_sweeps import EXPECTED, Packet, findings, packets_of
from tests.support.running.lab import needs_lab, played
from tests.support.tiers import sweep, thorough

DATA = Path(__file__).parents[2] / "data"
FOLDERS = ("cases", *(f"captures/{name}" for name in ("format", "http", "tcp", "udp", "websocket")))
PACKET = 6                          # an Enhanced Packet Block
ELSEWHERE = {"tls", "insecure"}     # options that need a service of somebody else's
ENDLESS = {"browser, behaviour silent"}                # a browser waits longer than a test may
# What is so in the whole as well, where something else is told first.
SO = {
    # its client resets what comes after its close: the whole tells the FIN that is out of order
    "pkts__tcp-streams__out_of_order": {"tcp.reset-with-unread-data", "tcp.half-open"},
    "zeek__ipv6-fragmented-dns": {"udp.lost-fragment"},        # it says that the capture lacks it
}


def specs() -> dict[str, SessionSpec]:
    """Every kind as it is, and with each value of each option that a session of ours alone can have."""
    found = {}
    for kind in REGISTRY:
        usual = found[kind.name] = SessionSpec(kind=kind.name)
        for option in kind.options:
            for value in option.values[1:]:
                if option.field not in ELSEWHERE and value.value != "held" and option.field != "paused":
                    name = f"{kind.name}, {option.field} {value.value}"
                    if name not in ENDLESS:
                        found[name] = replace(usual, **{option.field: value.value})  # type: ignore[arg-type]
    return found


def blocks_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The blocks of a pcapng file of ours: type, and all of it."""
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        yield kind, data[at : at + size]
        at += size


def by_command(path: Path, blocks: list[tuple[int, bytes]]) -> dict[str, str]:
    """What is found in a file of these blocks."""
    path.write_bytes(b"".join(block for _, block in blocks))
    with Trace.open(path) as trace:
        trace.finish()
        return {one["id"]: one["text"] for one in findings_in(trace)}


def lacking(blocks: list[tuple[int, bytes]]) -> Iterator[tuple[str, list[tuple[int, bytes]]]]:
    """The file without any one packet, and beginning with any, with and without what programs did before."""
    packets = [at for at, (kind, _) in enumerate(blocks) if kind == PACKET]
    for number, at in enumerate(packets, 1):
        yield f"without packet {number}", blocks[:at] + blocks[at + 1 :]
        yield f"from packet {number} on", [
            block for place, block in enumerate(blocks) if block[0] != PACKET or place >= at]
        yield f"from packet {number} on, the journal too", blocks[: packets[0]] + blocks[at:]


@needs_lab
@sweep("name", specs(), lambda name: name == "udp")
def test_no_session_of_ours_is_accused_of_what_its_capture_lost(name: str, tmp_path: Path) -> None:
    spec = specs()[name]
    if spec.kind == "browser" and find_browser() is None:
        pytest.skip("no browser is installed")
    with played(tmp_path / "whole.pcapng", spec) as trace:
        assert trace.index.count > 1
    blocks = list(blocks_of((tmp_path / "whole.pcapng").read_bytes()))
    whole = by_command(tmp_path / "part.pcapng", blocks)
    for how, some in lacking(blocks):
        accused = by_command(tmp_path / "part.pcapng", some)
        assert not accused.keys() - whole.keys() - EXPECTED, (how, accused)


def some_lost(packets: list[Packet]) -> Iterator[tuple[str, list[Packet]]]:
    for at in range(len(packets)):
        yield f"without packet {at + 1}", packets[:at] + packets[at + 1 :]
        yield f"from packet {at + 1} on", packets[at:]


@thorough
@pytest.mark.parametrize("folder", FOLDERS)
def test_no_clean_capture_of_others_accuses_anybody_when_it_lacks_something(folder: str) -> None:
    clean = 0
    for path in sorted((DATA / folder).glob("*.pcap*")):
        if path.suffix == ".tsv":
            continue                    # tshark's answers about the capture
        packets, link, secrets = packets_of(path)
        if len(packets) < 2 or findings(packets, link, secrets):
            continue
        clean += 1
        for how, some in some_lost(packets):
            accused = [one.text for one in findings(some, link, secrets)
                       if one.id not in EXPECTED | SO.get(path.stem, set())]
            assert not accused, (path.name, how)
    assert clean >= 2
