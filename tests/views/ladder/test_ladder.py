"""The ladder as panes use it: it grows with its trace, finds its lines again, and is printed once only."""

from dataclasses import replace
from pathlib import Path

import pytest
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.utils import wrpcap

from inspector.model.endpoint import join_endpoint, split_endpoint
from inspector.model.packets import Row, first_rows
from inspector.model.records import Call
from inspector.trace.packet.facts import facts
from inspector.trace.trace import Trace
from inspector.views.ladder.arrow import arrow
from inspector.views.ladder.calls import wakes_itself
from inspector.views.ladder.current import conversation_of_call
from inspector.views.ladder.ladder import Conversation, Ladder, Target, default_conversation
from inspector.views.ladder.printed import LadderText
from inspector.views.line.spans import cell_width, plain
from inspector.views.session.call_text import call_line
from inspector.wire.journal import EventRecord
from tests.support.captures.network import Network
from tests.support.captures.tcp import MemoryTrace, segment
from tests.support.captures.traces import SESSIONS, TRACES, open_trace
from tests.support.screen.views import all_lines


@pytest.mark.parametrize("name", ["tcp-half-close", "http-connections", "udp-refused", "websocket-deflate"])
def test_grown_it_is_the_same_as_read_at_once(name: str, tmp_path: Path) -> None:
    data = (TRACES / f"{name}.pcapng").read_bytes()
    path = tmp_path / "growing.pcapng"
    path.write_bytes(data[:600])
    with Trace.open(path, following=True) as trace:
        trace.refresh()
        ladder = Ladder(trace)
        for size in range(600, len(data) + 700, 700):
            path.write_bytes(data[:size])
            trace.refresh()
            ladder.update()
            fresh = Ladder(trace)
            assert all_lines(ladder.count, ladder.line, 100) == all_lines(fresh.count, fresh.line, 100)
        assert not ladder.update()


@pytest.mark.parametrize("name", SESSIONS)
def test_every_target_is_found_on_its_line(name: str) -> None:
    with open_trace(name) as trace:
        ladder = Ladder(trace)
        seen = set()
        for index in range(ladder.count):
            for target in ladder.targets(index):
                first = ladder.index_of(target)
                assert first is not None and (first == index or target in seen)
                seen.add(target)
        assert {target.row for target in seen if target.row is not None} == set(range(trace.index.count))
        calls = {(call.pid, call.id) for call in trace.calls if not wakes_itself(call)}
        assert {target.call for target in seen if target.call} == calls


def test_the_head_of_several_conversations_names_no_port_but_that_of_a_line() -> None:
    with open_trace("http-connections") as trace:
        ladder = Ladder(trace)
        lines = {line: plain(ladder.line(line, 100)) for line in range(ladder.count)}
        ports = {split_endpoint(join_endpoint(*trace.flow(stream).a))[1] for stream in (0, 1)}
        head = plain(ladder.header(100)[0])
        assert "127.0.0.1" in head and not any(str(port) in head for port in ports)
        for stream in (0, 1):
            port = trace.flow(stream).a[1]
            line = next(line for line, text in lines.items() if f":{port} " in text)
            assert f"127.0.0.1:{port}" in plain(ladder.header(100, line)[0])


def test_a_head_keeps_of_what_others_there_are_what_has_room() -> None:
    with open_trace("http-connections") as trace:
        ladder, lines = Ladder(trace, ("tcp", 0)), []
        for width in range(60, 130):
            head = plain(ladder.header(width)[0])
            assert cell_width(head) == width
            lines.append(next((words for words in ("TCP  1 of 2  a: all", "1 of 2  a: all", "a: all")
                               if f" {words} " in head), ""))
        assert {"1 of 2  a: all", "a: all"} < set(lines) and lines[-1] == "TCP  1 of 2  a: all"


def test_the_head_of_relayed_conversations_says_as_what_their_lines_name_them(tmp_path: Path) -> None:
    """The lines have the relay's port; who is outside has another one."""
    network = Network()
    for inside, outside in ((35064, 58212), (35068, 58214)):
        network.record(EventRecord("relayed", "", network.now_ns, fields=(
            ("inside", f"127.0.0.1:{inside}"), ("outside", f"127.0.0.1:{outside}"), ("process", "curl 7"))))
        network.ports = inside, 8011
        network.handshake()
    with network.open(tmp_path / "x.pcapng") as trace:
        ladder = Ladder(trace)
        assert "curl  pid 7  relayed  " in plain(ladder.header(100)[0])
        assert "curl  pid 7  127.0.0.1:58212 relayed as :35064" in plain(ladder.header(120, 0)[0])
        assert ":58212 relayed as :35064" in plain(ladder.header(80, 0)[0])


def test_at_the_end_of_several_hops_the_head_names_no_single_one(tmp_path: Path) -> None:
    network = Network()
    for ports in ((50412, 8000), (50413, 8001)):
        network.ports = ports
        network.handshake()
    with network.open(tmp_path / "x.pcapng") as trace:
        ladder = Ladder(trace)
        assert not any(f":{port}" in plain(ladder.header(100)[0]) for port in (8000, 8001, 50412, 50413))
        assert plain(ladder.header(100)[0]).count("127.0.0.1 ") == 2
        assert ":50412 " in plain(ladder.header(100, 0)[0]) and ":8000 " in plain(ladder.header(100, 0)[0])


def test_a_margin_of_80_columns_tells_which_direction_was_shut_down() -> None:
    with open_trace("tcp-half-close") as trace:
        ladder = Ladder(trace)
        assert any("shutdown(WR)" in plain(ladder.line(index, 79)) for index in range(ladder.count))


@pytest.mark.parametrize("name", ["recv", "recvfrom", "send", "accept"])
def test_a_narrow_margin_leaves_the_brackets_out_before_how_much_it_was(name: str) -> None:
    call = Call(1, 2, 2, "server", name, "4", 1_000_000_000, 1_000_001_000, 65536, None, fd=4)
    for width in range(6 + len(name), 40):
        text = "".join(span.text for span in call_line(call, "whole", width))
        assert "65536" in text and len(text) == width, (width, text)
    failed = replace(call, result=None, errno="ECONNRESET")
    assert "ECON" in "".join(span.text for span in call_line(failed, "whole", 14))


def test_with_hops_each_packet_and_the_head_say_between_whom_it_is(tmp_path: Path) -> None:
    """A client asks a proxy on port 80, which asks a server on port 8080, and answers."""
    memory, near, far = MemoryTrace(), (40000, 80), (50000, 8080)
    steps = [(0, "S", near), (1, "SA", near), (0, "S", far), (1, "SA", far), (1, "PA", far), (1, "PA", near)]
    frames = [segment(way, flags, 9, 9, b"x" * ("P" in flags), ports=ports) for way, flags, ports in steps]
    memory.add(frames, [moment * 1_000_000 for moment in range(len(steps))])
    memory.save(tmp_path / "hops.pcapng")
    with Trace.open(tmp_path / "hops.pcapng") as trace:
        trace.finish()
        ladder = Ladder(trace)
        lines = [plain(line) for line in all_lines(ladder.count, ladder.line, 80)]
        assert [":40000→:80" in line for line in lines] == [ports == near for _, _, ports in steps]
        assert [":50000→:8080" in line for line in lines] == [ports == far for _, _, ports in steps]
        heads = [plain(ladder.header(80, line)[0]) for line in range(len(steps))]
        assert ["10.0.0.1:50000" in head and "10.0.0.2:8080" in head for head in heads] == [
            ports == far for _, _, ports in steps]
        alone = Ladder(trace, Conversation("tcp", 0))
        assert not any("→" in plain(line) for line in all_lines(alone.count, alone.line, 80))


def test_bars_in_margins_that_are_too_narrow_for_the_word_are_told_above() -> None:
    with open_trace("tcp") as trace:
        ladder = Ladder(trace)
        assert "┆ = blocked" in plain(ladder.header(80)[1])
        assert "┆" not in plain(ladder.header(140)[1])
        assert any("┆ blocked" in plain(line) for line in all_lines(ladder.count, ladder.line, 140))
    with open_trace("http-connections") as trace:
        alone = Ladder(trace, Conversation("tcp", 0))
        assert ("┆" in plain(alone.header(80)[1])) == any(
            "┆" in plain(line) for line in all_lines(alone.count, alone.line, 80))


def test_a_click_on_a_margin_chooses_its_call() -> None:
    with open_trace("tcp") as trace:
        ladder = Ladder(trace)
        index = next(line for line in range(ladder.count) if len(ladder.targets(line)) == 3)
        row, left, right = ladder.targets(index)
        assert ladder.target(index) == row
        assert ladder.target(index, 2, 100) == left
        assert ladder.target(index, 98, 100) == right
        assert ladder.target(index, 50, 100) == row


def test_a_target_has_its_cells_on_its_lines() -> None:
    with open_trace("tcp") as trace:
        ladder = Ladder(trace)
        accept = next((call.pid, call.id) for call in trace.calls if call.name == "accept")
        entry, back = ladder.lines_of(Target(call=accept))
        for index, text in ((entry, "accept() …"), (back, "└ = ")):
            cells = ladder.cells_of(index, Target(call=accept), 100)
            assert cells is not None and text in plain(ladder.line(index, 100))[cells[0] : cells[1]]
        (line,) = ladder.lines_of(Target(row=Row(0)))
        cells = ladder.cells_of(line, Target(row=Row(0)), 100)
        assert cells is not None and "SYN" in plain(ladder.line(line, 100))[cells[0] : cells[1]]
        assert ladder.cells_of(line, Target(row=Row(1)), 100) is None
        assert ladder.lines_of(Target()) == () and ladder.cells_of(line, Target(), 100) is None


def test_a_foreign_target_is_not_found() -> None:
    with open_trace("tcp") as trace:
        ladder = Ladder(trace)
        assert ladder.index_of(Target(row=Row(10_000))) is None
        assert ladder.index_of(Target(call=(1, 1))) is None
        assert ladder.index_of(Target()) is None


def test_one_conversation_shows_its_own_calls_alone() -> None:
    with open_trace("http-connections") as trace:
        whole, one = Ladder(trace), Ladder(trace, Conversation("tcp", 1))
        assert len(one.side.rows) == len(trace.rows_of("tcp", 1)) < len(whole.side.rows)
        names = [trace.calls[moment.call].name for moment in one.moments]
        assert names.count("connect") == 2          # its entry and its return
        assert "listen" in names and "socket" in names


def test_states_are_those_after_the_chosen_packet() -> None:
    with open_trace("tcp") as trace:
        ladder = Ladder(trace)
        lines = [ladder.index_of(Target(row=row)) for row in first_rows(trace.index.count)]
        states = [plain(ladder.header(100, line)[1]) for line in lines]
    assert "SYN-SENT" in states[0] and "SYN-RECEIVED" in states[1] and states[3].count("ESTABLISHED") == 2
    assert "TIME-WAIT" in states[-1] and "CLOSED" in states[-1]


def test_before_the_first_packet_the_calls_tell_the_states() -> None:
    with open_trace("tcp") as trace:
        ladder = Ladder(trace)
        heads = {name: plain(ladder.header(100, ladder.index_of(target))[1])
                 for name, target in _calls(ladder)}
        end = plain(ladder.header(100)[1])
    assert "LISTEN" not in heads["bind"] and "CLOSED" in heads["bind"]
    assert "LISTEN" in heads["listen"] and "ESTABLISHED" not in heads["listen"]
    assert "LISTEN" in heads["accept"]
    assert "TIME-WAIT" in end


def _calls(ladder: Ladder) -> list[tuple[str, Target]]:
    calls = [ladder.trace.calls[moment.call] for moment in ladder.moments]
    return [(call.name, Target(call=(call.pid, call.id))) for call in calls if call.role == "server"]


def test_a_ladder_of_one_says_that_there_are_other_conversations() -> None:
    with open_trace("http-connections") as trace:
        words = "TCP  1 of 2  a: all"
        assert words in plain(Ladder(trace, Conversation("tcp", 0)).header(100)[0])
        assert words not in plain(Ladder(trace).header(100)[0])


def test_raw_numbers_are_those_on_the_wire() -> None:
    with open_trace("tcp") as trace:
        ladder = Ladder(trace, relative=False)
        first = ladder.index_of(Target(row=Row(0)))
        assert first is not None
        assert f"seq {int(trace.index.seq[0])}" in plain(ladder.line(first, 120))


def test_of_marks_that_do_not_all_fit_the_first_stands(tmp_path: Path) -> None:
    frames = [segment(0, "S", 0), segment(1, "SA", 0, 1, window=20), segment(0, "A", 1, 1)]
    frames += [segment(0, "PA", 1, 1, b"more than you read. ")] * 2
    memory = MemoryTrace()
    memory.add(frames, [10**9 * number for number in range(len(frames))])
    memory.save(tmp_path / "full.pcapng")
    with Trace.open(tmp_path / "full.pcapng") as trace:
        trace.finish()
        resent = facts(trace, Row(4))
        assert resent.analysis == ("tcp.analysis.retransmission", "tcp.analysis.window_full")
        wide, narrow = (plain(arrow(trace, resent, width, to_right=True)) for width in (60, 40))
    assert '[Retransmission] [Window Full] "more' in wide and '[Retransmission] "more' in narrow


def test_the_default_is_the_session_or_the_first_conversation() -> None:
    with open_trace("tcp") as trace:
        assert default_conversation(trace) is None
        trace.events.clear()
        assert default_conversation(trace) == Conversation("tcp", 0)


@pytest.mark.parametrize("name", ["tcp", "udp", "websocket-deflate"])
def test_printed_while_it_grows_nothing_is_missing_or_twice(name: str, tmp_path: Path) -> None:
    data = (TRACES / f"{name}.pcapng").read_bytes()
    path = tmp_path / "growing.pcapng"
    path.write_bytes(data[:600])
    with Trace.open(path, following=True) as trace:
        trace.refresh()
        text = LadderText(trace, 100)
        lines = []
        for size in range(600, len(data) + 900, 900):
            path.write_bytes(data[:size])
            trace.refresh()
            now = max([call.end_ns or call.time_ns for call in trace.calls], default=0)
            lines += text.update(now)
        lines += text.update(None)
        assert text.update(None) == []
        printed = "\n".join(map(plain, lines))
        for row in first_rows(trace.index.count):
            assert printed.count(f"│ {row + 1:2d} ") == 1
        whole = Ladder(trace, append_only=True)
        for moment in whole.moments:
            assert trace.calls[moment.call].name in printed


def test_an_endpoint_that_is_held_is_shown_below() -> None:
    from inspector.model.records import Event

    with open_trace("tcp") as trace:
        ladder = Ladder(trace)
        before = ladder.count
        held = Event(1, "waiting", "The client waits.", "client", 1, (("call", "send(3, 5)"), ("tid", "1")))
        trace.events.append(held)
        assert ladder.update() and ladder.count == before + 1
        assert "▸ send(3, 5)" in plain(ladder.line(before, 100))
        assert ladder.target(before) == Target() and ladder.targets(before) == ()
        trace.events.append(Event(2, "resumed", "", "client", 1, (("tid", "1"),)))
        assert ladder.update() and ladder.count == before


def test_a_damaged_record_is_told_and_the_rest_shown() -> None:
    path = Path(__file__).parents[2] / "data" / "cases" / "journal-time-overflow.pcapng"
    with Trace.open(path) as trace:
        trace.finish()
        damaged = [event.text for event in trace.events if "damaged" in event.text]
        ladder = Ladder(trace)
        ladder.update()
        assert damaged and ladder.count
        assert all(plain(ladder.line(index, 100)) for index in range(ladder.count))


def test_a_receive_that_was_woken_is_never_drawn_as_the_end_of_the_stream() -> None:
    call = Call(1, 1, 1, "client", "recv", "3, 65536", 1, 2, 0, None, "woken by its own shutdown", 3)
    for named in (False, True):
        for width in range(len("woken"), 60):
            assert "woken" in plain(call_line(call, "return", width, named=named)), (named, width)


def test_a_call_is_of_the_conversation_whose_socket_it_was_made_on() -> None:
    with open_trace("http-connections") as trace:
        ladder, seen = Ladder(trace), set()
        for call in trace.calls:
            found = conversation_of_call(trace, ladder.sockets, (call.pid, call.id))
            if call.name in ("socket", "bind", "listen") and call.role == "server":
                assert found is None                       # of no single one
            if found is not None and call.peer and call.local:
                flow = trace.flow(found.stream)
                assert {call.local, call.peer} == {join_endpoint(*flow.a), join_endpoint(*flow.b)}
                seen.add((found.stream, call.role))
        assert seen == {(stream, role) for stream in (0, 1) for role in ("client", "server")}
        accepts = [call for call in trace.calls if call.name == "accept" and call.result is not None]
        assert [conversation_of_call(trace, ladder.sockets, (one.pid, one.id)) for one in accepts] == [
            ("tcp", stream) for stream in range(len(accepts))]


def test_packets_of_others_go_by_their_own_addresses_and_name_them(tmp_path: Path) -> None:
    """A gateway's answer to a client, a resolver beside the server, a neighbour that speaks to all."""
    client, server, gateway = "192.0.2.2", "203.0.113.80", "192.0.2.1"
    ours, theirs = Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01"), Ether(src="02:00:00:00:00:01",
                                                                                dst="02:00:00:00:00:02")
    frames = [
        ours / ARP(op=1, psrc=client, pdst=gateway, hwsrc=ours.src),
        theirs / ARP(op=2, psrc=gateway, pdst=client, hwsrc=theirs.src),
        ours / IP(src=client, dst="10.255.255.53") / UDP(sport=5000, dport=53) / DNS(qd=DNSQR(qname="a.b")),
        theirs / IP(src="10.255.255.53", dst=client) / UDP(sport=53, dport=5000) / DNS(qr=1),
        ours / IP(src=client, dst=server) / TCP(sport=4000, dport=80, flags="S"),
        theirs / IP(src=server, dst=client) / TCP(sport=80, dport=4000, flags="SA", seq=9, ack=1),
        theirs / IP(src=gateway, dst=client) / ICMP(type=9),
        theirs / IP(src="192.0.2.9", dst="224.0.0.1") / ICMP(type=9),
    ]
    wrpcap(str(tmp_path / "x.pcap"), frames)
    with Trace.open(tmp_path / "x.pcap") as trace:
        trace.finish()
        ladder = Ladder(trace, None)
        lines = [text for line in range(ladder.count) if "│" in (text := plain(ladder.line(line, 110)))]
    assert len(lines) == 8
    assert ["▶│" in line for line in lines] == [True, False, True, False, True, False, False, True]
    assert all(word in line for line, word in zip(lines, (
        "Who has", "is at", ":5000→10.255.255.53", ":5000→10.255.255.53", ":4000 SYN", ":4000 SYN",
        "192.0.2.1 ", "192.0.2.9→224.0.0.1"), strict=True)), lines
