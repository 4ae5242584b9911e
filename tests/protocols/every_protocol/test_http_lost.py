"""HTTP of which packets are lost, cut or swapped: nobody is accused, no answer is paired wrongly.

What the whole session gives is the truth: a finding that is not among its own accuses somebody of what the
capture lacks, and an answer (by its place in the stream) answers the same request, or one that is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.model.packets import Row, first_rows
from inspector.protocols.http import HTTP
from inspector.protocols.http2 import HTTP2
from inspector.protocols.websocket import WEBSOCKET
from inspector.trace.application.answers import wait_of
from inspector.trace.application.application import ApplicationLayers
from inspector.trace.flows.tcp import TcpFlow
from inspector.trace.trace import Trace
from inspector.views.conversation.stream.follow import FollowStream
from inspector.views.json.findings import findings as findings_in
from inspector.views.json.messages import messages
from inspector.wire.findings import Finding
from tests.support.captures.tcp import MemoryTrace
from tests.support.screen.views import all_lines, text_of
from tests.support.tiers import sweep, thorough

SESSIONS = sorted((Path(__file__).parents[2] / "data" / "sessions" / "http").glob("*.pcap"))
CUT = 70
FEW = 7                      # changes of each kind in the default tier

Packet = tuple[int, bytes, int]
"""Time, frame as captured, length on the wire."""

Place = tuple[int, int]
"""Port of the sender, sequence number of the first byte."""


def packets_of(path: Path) -> tuple[list[Packet], int]:
    with Trace.open(path) as trace:
        trace.finish()
        index = trace.index
        packets = [(int(index.time_ns[row]), trace.frame(row), int(index.length[row]))
                   for row in first_rows(index.count)]
        return packets, trace.link_type(Row(0))


def accused(application: ApplicationLayers) -> list[Finding]:
    """What is said of HTTP and what follows it; TCP has tests of its own."""
    return [one for one in application.own_findings if one.severity != "note"]


def pairs(application: ApplicationLayers, flow_of: MemoryTrace) -> dict[Place, Place]:
    """Which request each answer is paired with, by their places."""
    index = flow_of.index

    def place(direction: int, start: int) -> Place:
        stream = application.streams[direction]
        row = next(stream.pieces(start, start + 1)).row
        seq = int(index.seq[row])
        return int(index.sport[row]), seq + start - stream.offset_of(seq)

    found = {}
    for layer in application.layers:
        records = layer.decoder.records
        for position, one in enumerate(records):
            partner = layer.decoder.partner(position) if layer.protocol.name == "http" else None
            if partner is not None and partner < position:
                asked = records[partner]
                found[place(one.direction, one.start)] = place(asked.direction, asked.start)
    return found


def found_in(packets: list[Packet], link: int) -> tuple[list[Finding], dict[Place, Place]]:
    trace = MemoryTrace(link)
    trace.add([frame for _, frame, _ in packets], [time for time, _, _ in packets],
              [length for _, _, length in packets])
    application = ApplicationLayers(trace, TcpFlow(trace, 0))
    return accused(application), pairs(application, trace)


def sender(packet: Packet) -> bytes:
    return packet[1][34:36]


def changed(packets: list[Packet], places: list[int]) -> Iterator[tuple[str, list[Packet]]]:
    """The session with one thing changed at each of these packets, and what that was."""
    for end in sorted({sender(one) for one in packets}):
        yield f"nothing of {end.hex()}", [one for one in packets if sender(one) != end]
    for size in (66, CUT, 90, 120, 160, 300):
        yield f"all cut at {size}", [(time, frame[:size], length) for time, frame, length in packets]
    for at in places:
        time, frame, length = packets[at]
        yield f"without packet {at + 1}", packets[:at] + packets[at + 1 :]
        yield f"without packets {at + 1} and {at + 2}", packets[:at] + packets[at + 2 :]
        yield f"packet {at + 1} cut", [*packets[:at], (time, frame[:CUT], length), *packets[at + 1 :]]
        yield f"from packet {at + 1} on", packets[at:]
        yield f"up to packet {at + 1}", packets[: at + 1]
        if at + 1 < len(packets):
            later, other, size = packets[at + 1]
            yield f"packets {at + 1} and {at + 2} swapped", [
                *packets[:at], (time, other, size), (later, frame, length), *packets[at + 2 :]]
            yield f"packets {at + 1} and {at + 2} in wrong order", [
                *packets[:at], packets[at + 1], packets[at], *packets[at + 2 :]]


def wrong(path: Path, step: int) -> list[tuple[str, object]]:
    packets, link = packets_of(path)
    findings, truth = found_in(packets, link)
    clean = {one.id for one in findings}
    found: list[tuple[str, object]] = []
    for how, some in changed(packets, list(range(0, len(packets), step))):
        findings_here, paired = found_in(some, link)
        found += [(how, f"{one.id}: {one.text}") for one in findings_here if one.id not in clean]
        found += [(how, pair) for pair in paired.items() if truth.get(pair[0]) != pair[1]]
    return found


@sweep("path", SESSIONS, lambda path: path in SESSIONS[::2], ids=lambda path: path.stem)
def test_some_losses_accuse_nobody_and_pair_nothing_wrongly(path: Path) -> None:
    count = len(packets_of(path)[0])
    assert not wrong(path, max(count // FEW, 1))


@thorough
@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.stem)
def test_no_loss_accuses_anybody_or_pairs_anything_wrongly(path: Path) -> None:
    assert not wrong(path, 1)


@pytest.mark.parametrize(("name", "at", "size"), [
    ("pairs-pipe", 3, 0), ("pairs-pipe", 5, 0), ("pairs-head", 5, 0), ("pairs-head", 7, CUT), ("gz", 28, 0),
])
def test_the_worst_of_them(name: str, at: int, size: int) -> None:
    """A lost request among pipelined ones, a lost HEAD: told as an answer that is known to be no other's."""
    path = next(path for path in SESSIONS if path.stem == name)
    packets, link = packets_of(path)
    _, truth = found_in(packets, link)
    time, frame, length = packets[at]
    lost = [*packets[:at], *([(time, frame[:size], length)] if size else []), *packets[at + 1 :]]
    findings, paired = found_in(lost, link)
    assert not [one for one in findings if one.severity == "error" and one.id.startswith("http.")
                and one.id != "http.invalid-content-encoding"]
    assert paired.items() <= truth.items() and len(paired) < len(truth)


def session(name: str) -> Path:
    return next(path for path in SESSIONS if path.stem == name)


@pytest.mark.parametrize(("name", "ids"), [
    ("abortcl", ["http.closed-early"]), ("curl413expect", []), ("cont413close", []), ("rng", []),
    ("curlh2odd", ["http.http2-only"]), ("ssegzip", []), ("upgradeother", []),
])
def test_who_is_accused(name: str, ids: list[str]) -> None:
    with Trace.open(session(name)) as trace:
        trace.finish()
        assert [one["id"] for one in findings_in(trace) if not one["id"].startswith("tcp.")] == ids


def test_an_urgent_byte_is_in_no_message() -> None:
    """As its server's recv() had it, which answered with 200: the byte stands before the Host header."""
    with Trace.open(session("urgenthttp")) as trace:
        trace.finish()
        (one,) = findings_in(trace)
        assert (one["id"], one["severity"], one["frames"]) == ("tcp.urgent-data", "note", [6])
        request, answer = messages(trace, HTTP)
        assert request["headers"] == [["Host", "a"]] and answer["http.response.code"] == 200
        stream = trace.flow(0).streams[0]
        assert stream.read(0, 1000) == b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
        assert [(one.row, one.offset) for one in stream.urgent] == [(5, 17)]
        assert stream.end == stream.length == stream.contiguous == stream.captured
        shown = FollowStream(trace, 0)
        while shown.update():
            pass
        text = text_of(all_lines(shown.count, shown.line, 120), 120)
        assert "urgent byte of packet 6, which a program reads apart, stood before byte 18 of this]" in text


@pytest.mark.parametrize("name", ["cont100", "cont413send", "earlyok"])
def test_an_answer_that_came_before_its_request_had_ended_was_not_waited_for(name: str) -> None:
    with Trace.open(session(name)) as trace:
        trace.finish()
        found = list(messages(trace, HTTP))
        early = [one for one in found if "request_in" in one and "http.time" not in one]
        assert early and all(one.get("http.time", 0) >= 0 for one in found)
        (layer,) = trace.application(0).layers
        waits = [wait_of(trace, layer.decoder, position) for position in range(len(layer.decoder.records))]
        assert sum(wait is not None for wait in waits) == sum("http.time" in one for one in found)


def test_after_an_upgrade_to_http2_both_ends_are_read() -> None:
    with Trace.open(session("h2-upgrade")) as trace:
        trace.finish()
        found = list(messages(trace, HTTP2))
        (layer,) = [one for one in trace.application(0).layers if one.protocol is HTTP2]
        assert {record.direction for record in layer.decoder.records} == {0, 1} and len(found) > 8


def test_what_is_compressed_and_joined_late_is_marked() -> None:
    with Trace.open(session("dplain-late")) as trace:
        trace.finish()
        packed = [one for one in messages(trace, WEBSOCKET) if one["websocket.rsv"] == 4]
        assert packed and all("websocket.context-not-captured" in one["findings"] for one in packed)
