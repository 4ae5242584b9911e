"""What a person says is spoken goes before what is guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.trace.application import decode_as
from inspector.trace.trace import Trace
from tests.protocols.test_redis import Turn, frames_of, read
from tests.support.captures.frames import FRAMES, pcap_bytes, trace_of

DATA = Path(__file__).parents[2] / "data" / "protocols"


def choose(text: str) -> None:
    decode_as.choose(decode_as.parse(text))


@pytest.mark.parametrize("text", [
    "", "8001,http", "tcp.port==8001", "tcp.port==8001,nonsense", "tcp.port==0,http", "tcp.port==70000,http",
    "udp.port==53,dns", "tcp.port==8001,arp", "tcp.port==8001,http,redis"])
def test_what_is_no_rule_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no|is not one of"):
        decode_as.parse(text)


def test_names_and_titles_are_known() -> None:
    assert decode_as.parse("tcp.port == 5432, PostgreSQL").protocol == "pgsql"
    assert decode_as.parse("tcp.stream==3,none").protocol == decode_as.NONE


def test_a_conversation_is_decoded_as_was_said_and_guessed_again() -> None:
    with Trace.open(DATA / "mqtt.pcapng") as trace:
        trace.finish()
        assert [trace.application(stream).protocol for stream in (1, 2)] == ["mqtt", "mqtt"]
        choose("tcp.stream==2,none")
        assert [trace.application(stream).protocol for stream in (1, 2)] == ["mqtt", ""]
        choose("tcp.port==1883,redis")
        assert [trace.application(stream).protocol for stream in (1, 2)] == ["redis", "redis"]
        decode_as.forget()
        assert [trace.application(stream).protocol for stream in (1, 2)] == ["mqtt", "mqtt"]


def test_what_is_plain_is_told_by_columns_again_once_no_rule_is_left(tmp_path: Path) -> None:
    """One rule, and every later file would be decoded conversation by conversation, though it is gone."""
    trace = trace_of(tmp_path / "a.pcap", pcap_bytes(FRAMES))
    trace.finish()
    choose("tcp.port==7777,redis")
    assert decode_as.stamp() and trace.known.plain_conversations() is None
    before = decode_as.stamp()
    choose("tcp.port==7778,redis")
    assert decode_as.stamp() != before
    decode_as.forget()
    assert not decode_as.stamp() and trace.known.plain_conversations() is not None
    choose("tcp.port==7777,redis")
    assert decode_as.stamp() not in (0, before)
    trace.close()


def test_the_end_with_the_port_serves_whoever_speaks_first() -> None:
    turns: list[Turn] = [(1, b"hello\r\n"), (0, b"PING\r\n"), (1, b"+PONG\r\n")]
    choose("tcp.port==7777,redis")
    found = read(frames_of(turns, port=7777))
    assert found.protocol == "redis" and found.client == 0


@pytest.mark.parametrize("name", [name for name in decode_as.known() if name != decode_as.NONE])
def test_any_protocol_may_be_said_of_anything(name: str) -> None:
    turns: list[Turn] = [(0, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), (1, bytes(range(256)) * 8)] * 2
    choose(f"tcp.port==7777,{name}")
    found = read(frames_of(turns, port=7777))
    assert found.layers and found.layers[0].protocol.name == name
    assert all(found.info(row).isprintable() for row in found.rows_of(0, 0, 20))
