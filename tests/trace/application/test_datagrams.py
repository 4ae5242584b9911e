"""UDP conversations: DNS in them, fragments put together, ICMP errors tied to their cause."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP, fragment
from scapy.packet import Raw

from inspector.model.packets import Row, first_rows, rows_in
from inspector.protocols.dns import DNS
from inspector.protocols.dns.message import DnsMessage
from inspector.trace.application.packets import by_ports, packet_records
from inspector.trace.flows.fragments import fragments_of
from inspector.trace.flows.tcp import TcpFlow
from inspector.trace.flows.udp import UdpFlow, icmp_cause
from inspector.trace.packet.facts import facts
from inspector.trace.packet.info import packet_info
from inspector.trace.trace import Trace
from inspector.views.detail.tree import packet_tree
from inspector.views.findings.list import FindingList
from inspector.views.json.findings import findings
from inspector.wire import pcapng
from inspector.wire.journal import EventRecord, to_fields
from tests.support.captures.tcp import CAPTURES, MemoryTrace, first, ip, read_table, segment

MS = 1_000_000
QUERY = bytes.fromhex("1032 0100 0001 0000 0000 0000 06") + b"google\3com\0\0\x10\0\1"
FOREIGN = sorted(path for path in (CAPTURES / "captures").glob("*/*") if path.suffix in (".pcap", ".pcapng"))


def udp(direction: int, payload: bytes, ports: tuple[int, int] = (5000, 53), mark: int = 0) -> bytes:
    source, destination = (ports, ports[::-1])[direction]
    head = b"".join(n.to_bytes(2, "big") for n in (source, destination, 8 + len(payload), 0))
    frame = bytearray(ip(direction, 17, head + payload))
    frame[4:6] = mark.to_bytes(2, "big")
    return bytes(frame)


def unreachable(direction: int, quoted: bytes, size: int = 28) -> bytes:
    return ip(direction, 1, b"\3\3" + bytes(6) + quoted[:size])


def fragments(frame: bytes, step: int) -> list[bytes]:
    """An IPv4 datagram cut into fragments of `step` bytes (a multiple of 8)."""
    body, parts = frame[20:], []
    for start in range(0, len(body), step):
        head, part = bytearray(frame[:20]), body[start : start + step]
        head[2:4] = (20 + len(part)).to_bytes(2, "big")
        word = start // 8 | (0x2000 if start + step < len(body) else 0)
        head[6:8] = word.to_bytes(2, "big")
        parts.append(bytes(head) + part)
    return parts


def memory(*frames: bytes) -> MemoryTrace:
    trace = MemoryTrace()
    trace.add(list(frames), [MS * i for i in range(len(frames))])
    return trace


def dns_of(trace: Any, row: Row) -> DnsMessage | None:
    return next((record for _, record in packet_records(trace, row)), None)


def info(trace: MemoryTrace, row: Row) -> str:
    message = dns_of(trace, row)
    assert message is not None
    return message.info


def test_dns_in_a_conversation() -> None:
    answer = QUERY[:2] + b"\x81\x83" + QUERY[4:]
    trace = memory(udp(0, QUERY), udp(1, answer), udp(0, b"junk"), udp(0, QUERY, (7, 7)))
    flow = UdpFlow(trace, 0)
    assert (flow.a, flow.b) == (("10.0.0.1", 5000), ("10.0.0.2", 53))
    assert by_ports(5000, 53) is DNS and by_ports(5000, 7) is None
    assert info(trace, Row(0)) == "Standard query 0x1032 TXT google.com"
    assert info(trace, Row(1)) == "Standard query response 0x1032 No such name TXT google.com"
    assert flow.direction(Row(1)) == 1 and dns_of(trace, Row(2)) is None and dns_of(trace, Row(3)) is None


def test_an_error_belongs_to_the_datagram_that_caused_it() -> None:
    sent = [udp(0, b"one", mark=1), udp(0, b"two", mark=2), udp(0, b"three", mark=3)]
    trace = memory(*sent, unreachable(1, sent[1]), udp(1, b"answer"), unreachable(1, sent[2]))
    flow = UdpFlow(trace, 0)
    assert [(error.row, error.cause) for error in flow.errors] == [(3, 1), (5, 2)]
    assert {error.code for error in flow.errors} == {3}
    found = flow.findings()
    assert [one.id for one in found] == ["udp.port-unreachable"] and found[0].rows == (1, 3, 2, 5)
    assert "10.0.0.2:53" in found[0].text
    assert UdpFlow(memory(*sent), 0).findings() == []


def test_an_error_without_its_cause_and_one_of_tcp() -> None:
    assert [error.cause for error in UdpFlow(memory(unreachable(1, udp(0, b"gone"))), 0).errors] == [None]
    syns = [segment(0, "S", 100), segment(0, "S", 100), segment(0, "S", 9)]
    assert icmp_cause(memory(*syns[:2], unreachable(1, syns[0])), Row(2)) == 1
    assert icmp_cause(memory(*syns[:2], udp(0, b"")), Row(2)) is None


def test_fragments_in_any_order() -> None:
    whole = udp(0, QUERY + bytes(100), mark=77)
    parts = fragments(whole, 40)
    trace = memory(*parts[1:], udp(0, b"other"), parts[0])
    found = fragments_of(trace, Row(0))
    assert found is not None and found.complete and found.payload == whole[20:] and not found.overlap
    assert found.rows == (0, 1, 2, 4) and fragments_of(trace, Row(3)) is None
    assert info(trace, Row(4)) == "Standard query 0x1032 TXT google.com"
    partly = fragments_of(memory(parts[0], parts[2]), Row(0))
    assert partly is not None and not partly.complete
    assert partly.payload == whole[20:60] and partly.length is None


def test_overlapping_fragments_keep_the_first() -> None:
    parts = fragments(udp(0, b"a" * 40, mark=5), 24)
    liar = parts[1][:20] + b"X" * len(parts[1][20:])
    found = fragments_of(memory(parts[0], parts[1], liar), Row(0))
    assert found is not None and found.overlap and b"X" not in found.payload


@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: path.name[:60])
def test_dns_of_foreign_captures(path: Path) -> None:
    table = Path(f"{path}.packets.tsv")
    answers = read_table(table) if table.exists() else []
    with_dns = {int(answer["frame.number"]) - 1: answer for answer in answers if answer["dns.id"]}
    if not with_dns or "arcnet" in path.name:          # a link type that is shown as bytes only
        return
    with Trace.open(path) as trace:
        trace.finish()
        for row, answer in with_dns.items():
            if trace.index.stream[row] < 0:            # the last fragment; ours is the first
                whole = fragments_of(trace, Row(row))
                assert whole is not None and whole.complete
                row = min(other for other in whole.rows if trace.index.stream[other] >= 0)
            message = dns_of(trace, Row(row))
            assert message is not None
            assert message.id == int(first(answer["dns.id"]), 0)
            assert message.response == (first(answer["dns.flags.response"]) in ("1", "True"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0, 1, 3, 0x2000, 0x2003]), st.binary(max_size=40)), max_size=8),
       st.binary(max_size=60))
def test_any_fragments_and_errors(parts: list[tuple[int, bytes]], error: bytes) -> None:
    frames = []
    for word, body in parts:
        frame = bytearray(ip(0, 17, body))
        frame[6:8] = word.to_bytes(2, "big")
        frames.append(bytes(frame))
    frames.append(ip(1, 1, b"\3\1" + error))
    trace = memory(*frames)
    for row in first_rows(len(frames)):
        found = fragments_of(trace, row)
        assert found is None or (row in found.rows and len(found.payload) <= 65535)
        icmp_cause(trace, row)
    for stream in set(trace.index.stream.tolist()) - {-1}:
        flow = UdpFlow(trace, stream)
        for row in rows_in(flow.rows):
            dns_of(trace, row)
        flow.findings()


ANSWER = QUERY[:2] + bytes.fromhex("8180") + QUERY[4:]
NO_SUCH = QUERY[:2] + bytes.fromhex("8183") + QUERY[4:]
FAILED = QUERY[:2] + bytes.fromhex("8182") + QUERY[4:]


def written(tmp_path: Path, *packets: tuple[float, bytes]) -> Trace:
    """A file with these datagrams at their seconds, read to its end."""
    trace = MemoryTrace()
    trace.add([frame for _, frame in packets], [int(time * 1e9) for time, _ in packets])
    trace.save(tmp_path / "x.pcapng")
    found = Trace.open(tmp_path / "x.pcapng")
    found.finish()
    return found


def judged(tmp_path: Path, *packets: tuple[float, bytes]) -> list[Any]:
    """The findings of a file with these datagrams at their seconds."""
    with written(tmp_path, *packets) as found:
        lines = FindingList(found)
        found_again = [lines.finding(number) for number in range(lines.count)]
        assert found_again == found.datagram_findings()
        return [(one["id"], one["frames"], one["udp.stream"]) for one in findings(found)]


def test_what_a_name_server_says_no_to(tmp_path: Path) -> None:
    asked = 0, udp(0, QUERY)
    assert judged(tmp_path, asked, (0.01, udp(1, ANSWER)), (9, udp(0, b"x", (7, 8)))) == []
    assert judged(tmp_path, asked, (0.01, udp(1, NO_SUCH))) == [("dns.no-such-name", [1, 2], 0)]
    assert judged(tmp_path, asked, (0.01, udp(1, FAILED))) == [("dns.failure", [1, 2], 0)]


def test_a_query_without_an_answer(tmp_path: Path) -> None:
    asked = udp(0, QUERY)
    assert judged(tmp_path, (0, asked)) == []      # nobody knows yet
    assert judged(tmp_path, (0, asked), (6, udp(0, b"x", (7, 8)))) == [("dns.no-answer", [1], 0)]
    assert judged(tmp_path, (0, asked), (1, asked)) == [("dns.no-answer", [1, 2], 0)]
    assert judged(tmp_path, (0, asked), (0.1, unreachable(1, asked)), (6, udp(0, b"x", (7, 8)))) == [
        ("udp.port-unreachable", [1, 2], 0)]


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=60, max_size=400), st.integers(3, 10), st.randoms(use_true_random=False))
def test_a_tcp_segment_in_fragments_is_whole_in_any_order(data: bytes, step: int, chance: Any) -> None:
    parts = fragments(segment(0, "PA", 101, 301, data), step * 8)
    chance.shuffle(parts)
    answer = segment(1, "A", 301, 101 + len(data))
    trace = memory(segment(0, "S", 100), segment(1, "SA", 300, 101), *parts, answer)
    flow = TcpFlow(trace, 0)
    assert flow.streams[0].read(0, 1000) == data and flow.flagged() == {}
    for lost in range(len(parts)):
        some = memory(segment(0, "S", 100), *parts[:lost], *parts[lost + 1 :])
        assert TcpFlow(some, 0).streams[0].read(0, 1000) == b""


SECOND = 1_000_000_000


def test_silence_is_told_while_the_capture_goes_on(tmp_path: Path) -> None:
    """Statistics of a capture say that it went on, though no packet came any more."""
    def statistics(end: float, start: float = 0) -> bytes:
        return pcapng.interface_statistics(
            SECOND + int(end * SECOND), 3, 0, start_ns=SECOND + int(start * SECOND),
            end_ns=SECOND + int(end * SECOND))

    def grow(block: bytes) -> list[str]:
        with path.open("ab") as file:
            file.write(block)
        trace.refresh()
        lines.update()
        return sorted(lines.finding(number).id for number in range(lines.count))

    asked, query = udp(0, b"hi", (5000, 7777)), udp(0, QUERY)
    data = [segment(0, "S", 99), segment(1, "SA", 299, 100), segment(0, "PA", 100, 300, b"x"),
            segment(1, "FA", 300, 101), segment(0, "A", 101, 301)]
    path = tmp_path / "live.pcapng"
    blocks = [pcapng.section_header(), pcapng.interface_description(101), statistics(0)]
    frames = enumerate([asked, query, *data])
    blocks += [pcapng.enhanced_packet(frame, SECOND + 1000 + n) for n, frame in frames]
    path.write_bytes(b"".join(blocks))
    with Trace.open(path, following=True) as trace:
        lines = FindingList(trace)
        assert grow(statistics(1)) == [] and grow(statistics(4.9)) == []
        assert grow(statistics(5.1)) == ["dns.no-answer", "udp.no-answer"]
        assert grow(statistics(9.9)) == ["dns.no-answer", "udp.no-answer"]
        assert grow(statistics(10.1)) == ["dns.no-answer", "tcp.close-wait", "udp.no-answer"]
        answer = udp(1, b"yes", (5000, 7777))
        assert grow(pcapng.enhanced_packet(answer, 12 * SECOND)) == ["dns.no-answer", "tcp.close-wait"]
    with Trace.open(path) as trace:
        trace.finish()
        assert sorted(one["id"] for one in findings(trace)) == ["dns.no-answer", "tcp.close-wait"]


def test_statistics_of_another_clock_prove_nothing(tmp_path: Path) -> None:
    """Times of packets that were moved (editcap -t), or statistics of a section behind."""
    blocks = [pcapng.section_header(), pcapng.interface_description(101),
              pcapng.enhanced_packet(udp(0, b"hi", (5000, 7777)), SECOND),
              pcapng.interface_statistics(99 * SECOND, 1, 0, start_ns=90 * SECOND, end_ns=99 * SECOND)]
    path = tmp_path / "moved.pcapng"
    path.write_bytes(b"".join(blocks))
    with Trace.open(path) as trace:
        trace.finish()
        assert trace.end_ns == SECOND and list(findings(trace)) == []


def one_way(
    tmp_path: Path, *frames: tuple[float, bytes], dropped: int = 0,
    fates: tuple[tuple[float, bytes, str], ...] = (),
) -> list[str]:
    """What is said of UDP packets at these seconds; `fates`: what became of some on a wire, and when."""
    blocks = [pcapng.section_header(), pcapng.interface_description(101)]
    blocks += [pcapng.enhanced_packet(frame, SECOND + int(at * SECOND)) for at, frame in frames]
    if dropped:
        blocks.append(pcapng.interface_statistics(9 * SECOND, 10, dropped))
    for at, frame, fate in fates:
        fields = (("packet", str(zlib.crc32(frame))), ("sum", f"{zlib.crc32(frame):08x}"), ("fate", fate),
                  ("sender", "client"))
        event = EventRecord("wire", "", SECOND + int(at * SECOND), fields=fields)
        blocks.append(pcapng.journal(to_fields(event)))
    path = tmp_path / "udp.pcapng"
    path.write_bytes(b"".join(blocks))
    with Trace.open(path) as trace:
        trace.finish()
        return [one.id for one in trace.datagram_findings()]


def test_datagrams_without_an_answer_are_a_note_where_the_capture_proves_it(tmp_path: Path) -> None:
    asked, answer = udp(0, b"hi", (5000, 7777)), udp(1, b"yes", (5000, 7777))
    later = udp(0, b"x", (9, 9999)), udp(1, b"x", (9, 9999))
    on = [(7.0, later[0]), (7.1, later[1])]
    assert one_way(tmp_path, (0, asked), (1, asked), *on) == ["udp.no-answer"]
    assert one_way(tmp_path, (0, asked), *on) == ["udp.no-answer"]
    assert one_way(tmp_path, (0, asked), (0.5, answer), (1, asked), *on) == []      # it answered once
    assert one_way(tmp_path, (3, asked), *on) == []      # the capture ended too soon
    assert one_way(tmp_path, (0, asked), *on, dropped=1) == []      # it may have been dropped
    assert one_way(tmp_path, (0, asked), (0.1, unreachable(1, asked)), *on) == ["udp.port-unreachable"]
    assert one_way(tmp_path, (0, udp(0, QUERY)), (1, udp(0, QUERY)), *on, dropped=1) == []     # nor of DNS
    group = asked[:16] + bytes([224, 0, 0, 251]) + asked[20:]
    assert one_way(tmp_path, (0, group), *on) == []      # asks nobody in particular
    assert one_way(tmp_path, (0, udp(0, QUERY)), *on) == ["dns.no-answer"]    # its protocol says more


def test_a_datagram_that_did_not_arrive_accuses_nobody(tmp_path: Path) -> None:
    asked, query = udp(0, b"hi", (5000, 7777)), udp(0, QUERY)
    later = (7.0, udp(0, b"x", (9, 9999))), (7.1, udp(1, b"x", (9, 9999)))
    for frame, passed in (asked, "udp.no-answer"), (query, "dns.no-answer"):
        for fate in ("held", "dropped"):
            assert one_way(tmp_path, (0, frame), *later, fates=((0.001, frame, fate),)) == []
        fates = (0.001, frame, "held"), (0.5, frame, "passed")
        assert one_way(tmp_path, (0, frame), *later, fates=fates) == [passed]
        late = (0.001, frame, "held"), (6.5, frame, "passed")               # it arrived too late to say
        assert one_way(tmp_path, (0, frame), *later, fates=late) == []
    answer = udp(1, QUERY[:2] + b"\x81\x80" + QUERY[4:])
    asked_and_held = (0, query), (0.1, answer), *later
    assert one_way(tmp_path, *asked_and_held, fates=((0.101, answer, "held"),)) == []     # it did answer


def test_a_capture_of_one_direction_proves_no_silence(tmp_path: Path) -> None:
    """Who waits in vain asks again; a query that was not asked again may have had its answer."""
    asked = [(0.1 * number, udp(0, bytes([0, number]) + QUERY[2:])) for number in range(3)]
    on = 9, udp(0, b"x", (7, 8))
    assert judged(tmp_path, *asked, on) == [("dns.one-direction", [1, 2, 3], 0)]
    again = [(time + 1, frame) for time, frame in asked]
    assert judged(tmp_path, *asked, *again, on) == [("dns.no-answer", [n, n + 3], 0) for n in (1, 2, 3)]


def test_a_malformed_query_is_no_silent_server(tmp_path: Path) -> None:
    on = 9, udp(0, b"x", (7, 8))
    assert judged(tmp_path, (0, udp(0, QUERY[:-3])), on) == [("dns.malformed", [1], 0)]
    assert judged(tmp_path, (0, udp(0, b"not dns at all")), on) == [("dns.malformed", [1], 0)]


def test_an_answer_with_another_id_is_named(tmp_path: Path) -> None:
    asked, other = udp(0, QUERY), udp(1, b"\xff\xfe" + ANSWER[2:])
    on = 9, udp(0, b"x", (7, 8))
    assert judged(tmp_path, (0, asked), (1, other), on) == [("dns.wrong-id", [1, 2], 0)]
    assert judged(tmp_path, (0, other), (1, asked), on) == [("dns.no-answer", [2], 0)]      # of one before it


def test_a_datagram_without_one_of_its_fragments_is_told(tmp_path: Path) -> None:
    path = tmp_path / "parts.pcapng"
    sent = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=5, dport=6) / Raw(bytes(5000))
    parts = [bytes(part) for part in fragment(sent, 1000)]
    whole, lost = parts, [*parts[:2], *parts[3:]]
    for frames, expected in (whole, []), (lost, [("udp.lost-fragment", [1, 2, 3, 4, 5])]):
        trace = MemoryTrace()
        trace.add(frames, list(range(len(frames))))
        trace.save(path)
        with Trace.open(path) as found:
            found.finish()
            assert [(one["id"], one["frames"]) for one in findings(found)] == expected
            info = packet_info(found, facts(found, Row(0)))
            (header,) = [layer for layer in packet_tree(found, Row(0)) if layer.name == "udp"]
            in_detail = any(one.name == "ip.fragments" for one in header.children)
            assert ("[Fragments missing]" in info, in_detail) == (bool(expected), bool(expected))


def test_a_clock_that_was_set_back_is_told_once(tmp_path: Path) -> None:
    x = udp(0, b"x", (7, 8))
    assert judged_whole(tmp_path, (5, x), (4.95, x), (6, x)) == []
    assert judged_whole(tmp_path, (5, x), (5.6, x), (5.1, x)) == [("reading.clock-back", [3])]
    assert judged_whole(tmp_path, (3600, x), (3601, x), (1, x), (2, x)) == [("reading.clock-back", [3])]


def judged_whole(tmp_path: Path, *packets: tuple[float, bytes]) -> list[Any]:
    """The findings of all of a file with these datagrams at their seconds."""
    with written(tmp_path, *packets) as found:
        return [(one["id"], one["frames"]) for one in findings(found)]
