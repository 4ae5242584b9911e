"""Packets, conversations and system calls as JSON: the contract's keys where there is such a field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inspector.trace.filter.filter import Filter
from inspector.trace.trace import Trace
from inspector.views.json.conversations import conversations
from inspector.views.json.packets import packets, syscalls
from inspector.wire import pcapng
from inspector.wire.journal import CallRecord, to_fields
from tests.support.captures.frames import pcapng_bytes, trace_of

DATA = Path(__file__).parents[2] / "data"
FRAME_KEYS = ["frame.number", "frame.time_epoch_ns", "frame.len", "frame.cap_len", "frame.protocols"]
IP_KEYS = ["ip.src", "ip.dst", "ip.proto"]
TCP_KEYS = ["tcp.stream", "tcp.srcport", "tcp.dstport", "tcp.seq_raw", "tcp.ack_raw", "tcp.flags",
            "tcp.window_size_value", "tcp.len"]
UDP_KEYS = ["udp.stream", "udp.srcport", "udp.dstport", "udp.length"]
CONVERSATION_KEYS = ["protocol", "stream", "a", "b", "packets_ab", "packets_ba", "bytes_ab", "bytes_ba",
                     "start_ns", "end_ns"]


def loaded(capture: str) -> Trace:
    """A capture of tests/data, read to its end."""
    trace = Trace.open(DATA / capture)
    trace.finish()
    return trace


def test_the_keys_of_tcp_and_what_is_absent() -> None:
    with loaded("captures/websocket/zeek__http__websocket.pcap") as trace:
        found = list(packets(trace))
    assert list(found[0]) == [*FRAME_KEYS, *IP_KEYS, *TCP_KEYS, "info"]
    assert [one["frame.number"] for one in found] == [*range(1, 28)]
    assert [one["frame.number"] for one in found if "analysis" in one] == [6]
    assert found[5]["analysis"] == ["tcp.analysis.duplicate_ack"]
    assert found[3]["frame.protocols"] == "eth:ethertype:ip:tcp:http"
    assert found[8]["frame.protocols"] == "eth:ethertype:ip:tcp:http:websocket"
    assert found[0]["tcp.flags"] == 2 and found[0]["frame.time_epoch_ns"] == 1501770877471635000


def test_the_keys_of_udp_icmp_arp_and_fragments() -> None:
    with loaded("captures/udp/zeek__ipv6-fragmented-dns.pcap") as trace:
        found = list(packets(trace))
    assert list(found[0]) == [*FRAME_KEYS, "ipv6.src", "ipv6.dst", *UDP_KEYS, "info"]
    assert found[0]["frame.protocols"] == "eth:ethertype:ipv6:udp:dns"
    later = next(one for one in found if one["frame.protocols"].endswith("ipv6.fraghdr:data"))
    assert list(later) == [*FRAME_KEYS, "ipv6.src", "ipv6.dst", "info"]
    with loaded("frames/errors.pcapng") as trace:
        error = list(packets(trace))[1]
    assert list(error) == [*FRAME_KEYS, *IP_KEYS, "icmp.type", "icmp.code", *UDP_KEYS, "info"]
    assert (error["icmp.type"], error["icmp.code"], error["udp.stream"]) == (3, 3, 0)
    with loaded("frames/tags.pcapng") as trace:
        arp = list(packets(trace))[18]
    assert list(arp) == [*FRAME_KEYS, "info"] and arp["frame.protocols"] == "eth:ethertype:arp"


def test_conversations_of_tcp() -> None:
    with loaded("captures/websocket/zeek__http__websocket.pcap") as trace:
        found, = conversations(trace)
        assert list(found) == [*CONVERSATION_KEYS, "handshake", "rtt_ns", "state_a", "state_b", "application"]
        assert (found["a"], found["b"]) == ("192.168.0.5:50798", "54.148.114.85:80")
        assert (found["packets_ab"], found["packets_ba"]) == (15, 12)
        assert (found["bytes_ab"], found["bytes_ba"]) == (753, 1213)
        assert (found["handshake"], found["application"]) == ("complete", "websocket")
        assert list(conversations(trace, Filter("udp").rows(trace))) == []
        assert list(conversations(trace, Filter("http").rows(trace))) == [found]


def test_conversations_of_udp_have_no_handshake() -> None:
    with loaded("captures/udp/zeek__ipv6-fragmented-dns.pcap") as trace:
        found = list(conversations(trace))
    assert [list(one) for one in found] == [[*CONVERSATION_KEYS, "application"]] * 2
    assert found[0]["application"] == "dns" and found[0]["b"] == "[2607:f740:b::f93]:53"


def test_streams_that_only_an_error_quotes_are_no_conversations() -> None:
    with loaded("frames/errors.pcapng") as trace:
        numbers = [one["stream"] for one in conversations(trace) if one["protocol"] == "udp"]
    assert numbers == sorted(numbers) and 1 not in numbers


def test_system_calls_and_the_processes_of_a_conversation(tmp_path: Path) -> None:
    frame = bytes.fromhex(
        "0200000000020200000000010800450000210001000040117cc97f0000017f0000019c419c42000d000068656c6c6f"
    )
    bind = CallRecord(1, 20, 20, "server", "bind", "3, 0.0.0.0:40002", 5, 6, 0, fd=3, local="0.0.0.0:40002",
                      protocol="udp")
    connect = CallRecord(2, 21, 21, "client", "connect", "3, 127.0.0.1:40002\x1b[2J", 1, 2, 0, fd=3,
                         local="127.0.0.1:40001", peer="127.0.0.1:40002", protocol="udp")
    recv = CallRecord(3, 21, 21, "client", "recv", "3, 65536", 7, fd=3, protocol="udp")
    send = CallRecord(4, 21, 21, "client", "send", "3", 8, 9, errno="ECONNREFUSED", fd=3, protocol="udp")
    records = [bind, connect, recv, send]
    data = pcapng_bytes([frame]) + b"".join(pcapng.journal(to_fields(record)) for record in records)
    with trace_of(tmp_path / "capture", data) as trace:
        trace.finish()
        found, = conversations(trace)
        assert (found["process_a"], found["process_b"]) == ("client 21", "server 20")
        calls = list(syscalls(trace))
        assert [call["call"] for call in calls] == ["connect", "bind", "recv", "send"]
        assert calls[1] == {"time_ns": 5, "end_ns": 6, "pid": 20, "role": "server", "call": "bind",
                            "arguments": "3, 0.0.0.0:40002", "result": 0}
        assert calls[0]["arguments"] == "3, 127.0.0.1:40002␛[2J"
        assert list(calls[2]) == ["time_ns", "pid", "role", "call", "arguments"]
        assert calls[3]["errno"] == "ECONNREFUSED" and "result" not in calls[3]
        assert [call["call"] for call in syscalls(trace, Filter("errno").calls(trace))] == ["send"]


@pytest.mark.parametrize("capture", ["mutations", "lengths", "links"])
def test_everything_is_flat_and_can_be_printed(capture: str) -> None:
    with loaded(f"frames/{capture}.pcapng") as trace:
        for one in (*packets(trace), *conversations(trace)):
            line = json.dumps(one, ensure_ascii=False)
            assert line.isprintable()
            assert all(isinstance(value, int | str | list) for value in one.values())
