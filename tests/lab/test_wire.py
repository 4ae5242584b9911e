"""The wire between two networks of the lab: real packets held, dropped, doubled, and what follows."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from inspector.lab.launch import Agent, start_agent
from inspector.model.commands import Start, Stop, Wire, WireAct
from inspector.model.numbers import TCP
from inspector.model.packets import Row, first_rows
from inspector.model.spec import SessionSpec
from inspector.model.wiring import LONGEST_WAITING, NONE_HELD, WIRE_ADDRESSES, WireNumber, wire_number
from inspector.sessions.kinds import resolved
from inspector.trace.filter.filter import Filter
from inspector.trace.packet.deeds import wire_findings
from inspector.trace.packet.facts import facts
from inspector.trace.trace import Trace
from inspector.views.json.findings import findings
from inspector.views.ladder.ladder import Ladder
from inspector.views.line.spans import plain
from tests.support.running.lab import needs_lab, played, processes_in, wait_until
from tests.support.tiers import sweep

pytestmark = needs_lab
MESSAGES = ("hello",)


def ended_well(trace: Trace) -> bool:
    return [dict(event.fields)["ok"] for event in trace.events if event.kind == "session-ended"] == ["true"]


def rows(trace: Trace, text: str) -> list[int]:
    """The packets that a display filter lets through."""
    return [int(row) for row in Filter(text).rows(trace)]


def drawn(trace: Trace, width: int = 100) -> str:
    ladder = Ladder(trace)
    return "\n".join(plain(ladder.line(index, width)) for index in range(ladder.count))


def test_a_packet_that_is_dropped_is_sent_again(tmp_path: Path) -> None:
    with played(tmp_path / "t.pcapng", SessionSpec(messages=MESSAGES, wire_rules=("drop:data:1",))) as trace:
        assert ended_well(trace)
        lost = rows(trace, "wire.lost")
        again = rows(trace, "tcp.analysis.retransmission")
        assert len(lost) == 1
        assert len(again) == 1
        assert trace.frame(Row(lost[0]))[-5:] == trace.frame(Row(again[0]))[-5:] == b"hello"
        assert rows(trace, 'wire.fate == "dropped" and wire.by == "rule"') == lost
        line = next(line for line in drawn(trace).splitlines() if "✗" in line)
        assert "dropped" in line.partition("✗")[2]
        assert "▶" not in line
        assert "[dropped]" in facts_info(trace, lost[0])


def facts_info(trace: Trace, row: int) -> str:
    from inspector.trace.packet.info import packet_info

    return packet_info(trace, facts(trace, Row(row)))


def test_each_packet_is_one_of_the_wire(tmp_path: Path) -> None:
    spec = SessionSpec(messages=("x" * 20_000,), wire="open", mtu=600)
    with played(tmp_path / "t.pcapng", spec) as trace:
        assert ended_well(trace)
        index = trace.index
        assert int(index.cap_len[: index.count].max()) == 600 + 14     # with the link header
        assert len(set(frames(trace))) == index.count                  # each once
        assert {index.address(int(index.src[row])) for row in first_rows(index.count)} == {
            addresses[0] for addresses in WIRE_ADDRESSES.values()}


def frames(trace: Trace) -> list[bytes]:
    return [trace.frame(row) for row in first_rows(trace.index.count)]


@sweep("spec", [
    SessionSpec(kind="udp", ipv6=True), SessionSpec(kind="http"), SessionSpec(kind="websocket"),
    SessionSpec(kind="slow-reader"), SessionSpec(kind="tcp", with_server=False, ipv6=True),
    SessionSpec(kind="udp", with_server=False),
], lambda spec: spec.kind == "udp" and not spec.with_server)
def test_every_kind_of_session_runs_over_a_wire(tmp_path: Path, spec: SessionSpec) -> None:
    with played(tmp_path / "t.pcapng", replace(spec, wire="open")) as trace:
        assert ended_well(trace), spec
        assert trace.statistics.dropped == 0
        if not spec.with_server:
            assert rows(trace, "icmp" if spec.kind == "udp" else "tcp.flags.reset == 1")


class Held:
    """A session whose wire is held, and its trace."""

    def __init__(self, path: Path, spec: SessionSpec) -> None:
        self.spec = resolved(spec)
        self.path = path
        self.agent: Agent = start_agent(path, wiring=self.spec.wiring)
        self.trace = Trace.open(path, following=True)
        self.agent.send(Start(self.spec))

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *_: object) -> None:
        self.trace.close()
        self.agent.close()

    def until(self, condition: Callable[[], object], what: str) -> None:
        def holds() -> object:
            self.trace.refresh()
            return condition()

        wait_until(holds, what)

    def until_held(self, count: int = 1) -> None:
        self.until(lambda: len(self.trace.fates.waiting) >= count, f"{count} held packets")

    def until_decided(self, number: int) -> None:
        def decided() -> bool:
            return number not in [one.number for one in self.trace.fates.waiting]

        self.until(decided, "what becomes of it")

    def do(self, act: WireAct, packet: WireNumber = LONGEST_WAITING) -> None:
        self.agent.send(Wire(act, packet))

    def until_ended(self) -> None:
        self.until(lambda: any(one.kind == "session-ended" for one in self.trace.events), "the end")


def test_a_held_packet_waits_until_it_is_let_pass(tmp_path: Path) -> None:
    with Held(tmp_path / "t.pcapng", SessionSpec(messages=MESSAGES, wire="held")) as held:
        trace = held.trace
        held.until_held()
        syn = trace.fates.waiting[0]
        assert int(trace.index.tcp_flags[syn.row]) == 0x02
        assert "┃ ▸ waits for you" in drawn(trace)
        assert trace.flow(0).states(syn.row) == ("SYN-SENT", "unknown")
        assert "LISTEN" in plain(Ladder(trace).header(100)[1])    # as its calls tell
        held.do("drop")
        held.until(lambda: rows(trace, "wire.lost"), "its loss")
        held.until_held()                                        # its kernel sends it again, a second later
        assert "✗ dropped by you" in drawn(trace)
        assert trace.fates.waiting[0].row != syn.row
        held.do("pass", trace.fates.waiting[0].number)
        held.until(lambda: trace.fates.waiting and trace.fates.waiting[0].row > 1, "the SYN ACK")
        assert int(trace.index.tcp_flags[trace.fates.waiting[0].row]) == 0x12
        assert trace.flow(0).states(Row(trace.index.count - 1)) == ("SYN-SENT", "SYN-RECEIVED")
        held.do("open")
        held.until_ended()
        assert ended_well(trace)
        assert not trace.fates.holds
        assert not trace.fates.waiting


def test_a_packet_counts_for_its_receiver_when_it_comes(tmp_path: Path) -> None:
    with Held(tmp_path / "t.pcapng", SessionSpec(messages=MESSAGES, wire="held")) as held:
        trace = held.trace
        held.until_held(2)                             # the kernel sends its SYN again, a second later
        held.do("pass", trace.fates.waiting[0].number)
        held.until(lambda: rows(trace, "tcp.flags == 0x12"), "the SYN ACK")
        syn_ack = rows(trace, "tcp.flags == 0x12")[0]
        held.until(lambda: rows(trace, f"tcp.flags == 2 && frame.number > {syn_ack + 1}"), "a SYN since")
        fate = trace.fates.of(Row(syn_ack))
        assert fate is not None and trace.flow(0).state == ("SYN-SENT", "SYN-RECEIVED")
        held.do("pass", fate.number)
        held.until(lambda: rows(trace, "tcp.flags == 0x10"), "the ACK")
        ack = Row(rows(trace, "tcp.flags == 0x10")[0])
        held.do("open")
        held.until_ended()
        states = [trace.flow(0).states(row) for row in first_rows(ack + 1)]
        assert states[:syn_ack] == [("SYN-SENT", "LISTEN")] * syn_ack
        assert states[syn_ack:ack] == [("SYN-SENT", "SYN-RECEIVED")] * (ack - syn_ack)
        assert states[ack] == ("ESTABLISHED", "SYN-RECEIVED")


def found(trace: Trace) -> list[str]:
    return [one.id for one in (*trace.flow(0).findings(), *trace.datagram_findings())]


def test_nobody_is_accused_of_what_waits_on_the_wire(tmp_path: Path) -> None:
    with Held(tmp_path / "t.pcapng", SessionSpec(messages=MESSAGES, wire="held")) as held:
        trace = held.trace
        held.until(lambda: len(trace.fates.waiting) > 2, "a SYN that was sent again")
        assert found(trace) == []
        held.do("drop")
        held.until(lambda: rows(trace, "wire.lost"), "its loss")
        assert found(trace) == []
        held.do("open")
        held.until_ended()
        assert ended_well(trace)
        assert found(trace) == []


def texts(trace: Trace) -> list[str]:
    """What is told of deeds on the wire, each by its first sentence."""
    return [one.text.partition(". ")[0] for one in wire_findings(trace)]


def test_what_was_done_by_hand_is_told_with_what_followed(tmp_path: Path) -> None:
    with Held(tmp_path / "t.pcapng", SessionSpec(messages=MESSAGES, wire="held")) as held:
        trace = held.trace
        done: list[WireAct] = ["drop", "pass", "pass", "pass", "double", "delay"]
        for act in done:                               # SYN; SYN, SYN ACK, ACK, data, its ACK
            held.until_held()
            number = trace.fates.waiting[0].number
            held.do(act, number)
            held.until_decided(number)
        held.do("open")
        held.until_ended()
        words = texts(trace)
        assert words[0].startswith("You dropped packet 1 of the client (SYN): it was sent again ")
        assert any(text.startswith("You doubled packet ") and "it arrived twice" in text for text in words)
        assert any(text.startswith("You delayed packet ") and " a second" in text for text in words)
        notes = [one for one in findings(trace) if one["id"].startswith("wire.")]
        assert {one["severity"] for one in notes} == {"note"} and len(notes) == len(words)
        assert all("no end is to blame" in one["text"] for one in notes)


def test_what_was_sent_again_while_it_waited_is_told(tmp_path: Path) -> None:
    with Held(tmp_path / "t.pcapng", SessionSpec(messages=MESSAGES, wire="held")) as held:
        trace = held.trace
        held.until_held(3)                             # the kernel sends its SYN again, a second later
        assert len(texts(trace)) == 1 and "waits on the wire; meanwhile it was sent" in texts(trace)[0]
        assert [one["id"] for one in findings(trace)] == ["wire.late"]         # nobody fails to answer
        held.do("open")
        held.until_ended()
        assert texts(trace)[0].startswith("Packet 1 of the client (SYN) waited on the wire for ")


def test_what_rules_did_is_told_once_for_all(tmp_path: Path) -> None:
    rules = ("drop:client:data:1", "swap:server:syn:1")
    with played(tmp_path / "t.pcapng", SessionSpec(messages=("one", "two"), wire_rules=rules)) as trace:
        assert sorted(texts(trace)) == ["1 packet of the client was dropped by a rule, and sent again",
                                        "1 packet of the server was put behind the next one by a rule"]
    lossy = SessionSpec("udp", messages=("one",), wire_rules=("drop:1",))
    with played(tmp_path / "u.pcapng", lossy) as trace:
        assert [one["clause"] for one in findings(trace)] == ["RFC 768"]      # and the silence accuses nobody


def test_a_session_that_begins_anew_finds_an_empty_wire(tmp_path: Path) -> None:
    with Held(tmp_path / "t.pcapng", SessionSpec(interactive=True, wire="held")) as held:
        trace = held.trace
        held.until_held()
        first = trace.fates.waiting[0].row
        held.agent.send(Stop())
        held.until_ended()
        held.agent.send(Start(held.spec))
        held.until(lambda: [one.row for one in trace.fates.waiting if one.row > first], "a new SYN")
        assert all(one.row > first for one in trace.fates.waiting)
        assert "✗ never left the wire" in drawn(trace)
        assert trace.fates.holds


def test_the_kernels_of_both_networks_are_asked(tmp_path: Path) -> None:
    with Held(tmp_path / "t.pcapng", SessionSpec(interactive=True, wire="open")) as held:
        def states() -> set[tuple[str, str]]:
            return {(one.local.partition(":")[0], one.state) for one in held.trace.kernel}

        wanted = {("10.0.0.1", "ESTABLISHED"), ("10.0.0.2", "ESTABLISHED"), ("10.0.0.2", "LISTEN")}
        held.until(lambda: wanted <= states(), "samples of both ends")


def test_a_packet_that_is_not_held_cannot_be_dropped(tmp_path: Path) -> None:
    with Held(tmp_path / "t.pcapng", SessionSpec(messages=MESSAGES, wire="open")) as held:
        held.until_ended()
        held.do("drop")
        held.do("pass", wire_number(77))
        held.until(lambda: sum(one.kind == "wire" for one in held.trace.events) == 2, "two answers")
        assert [one.text for one in held.trace.events if one.kind == "wire"] == [
            NONE_HELD, "The wire holds no such packet."]


def test_the_rules_of_a_wire_do_what_they_say(tmp_path: Path) -> None:
    rules = ("double:client:data:1", "swap:server:syn:1", "delay:client:fin:1")
    with played(tmp_path / "t.pcapng", SessionSpec(messages=("one", "two"), wire_rules=rules)) as trace:
        assert ended_well(trace)
        # A SYN ACK behind the next one of the server: its kernel sends it again, then both come.
        assert rows(trace, 'wire.fate == "overtaken"') == rows(trace, "tcp.flags == 0x12")[:1]
        assert len(rows(trace, "tcp.flags == 0x12")) > 1
        assert rows(trace, 'wire.fate == "doubled"')
        assert rows(trace, "tcp.analysis.duplicate_ack")         # a duplicate is acknowledged at once
        assert rows(trace, 'wire.fate == "delayed" and tcp.flags.fin == 1')


def test_a_hole_is_told_by_duplicate_acks_and_mended_at_once(tmp_path: Path) -> None:
    spec = SessionSpec(messages=("x" * 14_480,), wire="open", wire_rules=("drop:client:data:1",))
    with played(tmp_path / "t.pcapng", spec) as trace:
        assert ended_well(trace)
        duplicates, sacks = rows(trace, "tcp.analysis.duplicate_ack"), rows(trace, "tcp.options.sack")
        lost, *again = rows(trace, "tcp.dstport == 9000 and tcp.seq == 1 and tcp.len > 0")
        assert rows(trace, "wire.lost") == [lost]
        assert len(sacks) >= 3                     # Linux takes three packets behind a hole for a loss
        assert lost < duplicates[0] < again[0]


def test_a_slow_and_long_wire_takes_its_time(tmp_path: Path) -> None:
    spec = SessionSpec(messages=MESSAGES, latency=20.0, rate=1000)
    with played(tmp_path / "t.pcapng", spec) as trace:
        assert ended_well(trace)
        times = trace.index.time_ns
        assert int(times[1] - times[0]) >= 20_000_000             # the SYN's way
        came = trace.fates.of(Row(0))
        assert came is not None and came.fate == "arrived"         # it left then, and came so much later:
        assert 20_000_000 <= came.time_ns - came.held_ns <= int(times[1] - times[0])
        shown = [plain(Ladder(trace).line(line, 100)) for line in range(Ladder(trace).count)]
        assert any("1 ── [took " in line and "▶│" in line for line in shown)
        trace.fates._fates[Row(0)] = came._replace(fate="under way")       # as it was until then
        shown = [plain(Ladder(trace).line(line, 100)) for line in range(Ladder(trace).count)]
        assert any("1 ── SYN" in line and "▶ on its way" in line and "▶│" not in line for line in shown)


def test_what_is_lost_by_chance_is_told(tmp_path: Path) -> None:
    with played(tmp_path / "t.pcapng", SessionSpec(kind="udp", loss=100.0, timeout=1.0)) as trace:
        assert not ended_well(trace)
        assert rows(trace, 'wire.by == "chance"') == list(range(trace.index.count))


def test_a_window_is_no_larger_than_asked(tmp_path: Path) -> None:
    with played(tmp_path / "t.pcapng", SessionSpec(messages=MESSAGES, window=3000)) as trace:
        assert ended_well(trace)
        assert rows(trace, "tcp.window_size > 3000") == []
        assert int(trace.index.protocol[0]) == TCP


@pytest.mark.usefixtures("really_started")
@pytest.mark.parametrize("killed", ["agent", "input"])
def test_nothing_is_left_in_the_networks_of_the_ends(tmp_path: Path, killed: str) -> None:
    with Held(tmp_path / "t.pcapng", SessionSpec(interactive=True, wire="open")) as held:
        held.until(lambda: any(one.kind == "endpoint-started" and one.role == "client"
                               for one in held.trace.events), "both ends")
        ends = [one.pid for one in held.trace.events if one.kind == "endpoint-started"]
        networks = {Path(f"/proc/{pid}/ns/net").stat().st_ino for pid in ends}
        assert len(networks) == 2
        if killed == "agent":
            os.kill(held.agent.pid, signal.SIGKILL)
        else:
            held.agent.end_input()
        wait_until(lambda: not any(processes_in(network) for network in networks), "the end of all processes")
