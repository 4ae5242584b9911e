"""The language of checks: what it answers of a real trace, what it refuses, and that it always ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.lessons.asking.functions import compiled
from inspector.lessons.asking.scene import Scene, TooMuchError
from inspector.lessons.asking.syntax import DEEPEST, LONGEST, ExpressionError, parse
from inspector.trace.trace import Trace
from tests.support.captures.traces import TRACES


def scene(name: str) -> Scene:
    with Trace.open(TRACES / name) as trace:
        trace.finish()
        return Scene(trace)


def value(text: str, name: str = "tcp.pcapng") -> object:
    with Trace.open(TRACES / name) as trace:
        trace.finish()
        return compiled(text).of(Scene(trace))


@pytest.mark.quick
@pytest.mark.parametrize(("text", "wanted"), [
    ("1 + 2 - 1", 2), ("0x1f == 31", True), ("not (1 > 2 or false)", True), ("'a' != \"a\"", False),
    ('count(packets, "tcp.flags.syn == 1")', 2),
    ('count(packets, "tcp.flags.syn == 1") == 2 and returned(client, "connect")', True),
    ('count(calls, "role == client and call == connect")', 1), ('outcome(client, "connect")', "0"),
    ('first(packets, "tcp.connection.synack", "tcp.ack")', 1), ("row(1)", "client SYN"),
    ("row(2)", "server SYN ACK"), ("row(100)", "nothing"), ('first(packets, "tcp.len > 0", "tcp.len")', 5),
    ('letter(byte(packets, "tcp.len > 0", "tcp.payload", 1))', "e"), ("hex(xor(0xff, 0x0f))", "0xf0"),
    ('first(packets, "udp", "udp.length")', None), ('first(packets, "udp", "udp.length") == 1', False),
    ('byte(packets, "tcp.len > 0", "tcp.payload", 999)', None), ("count(findings)", 0),
    ('first(calls, "call == listen", "role")', "server"), ("waiting(client)", 0),
    ('gap(packets, "tcp.flags.syn == 1", 1)', 0), ('gap(packets, "tcp.flags.syn == 1", 2)', None),
    ('gap(packets, "tcp", 1 - 2)', None),
])  # fmt: skip
def test_what_it_answers(text: str, wanted: object) -> None:
    assert value(text) == wanted


def test_states_and_findings() -> None:
    assert value("state(client)", "tcp-refused.pcapng") == "CLOSED"
    assert value('count(findings, "tcp.*")', "tcp-refused.pcapng") == 1
    assert value('outcome(client, "connect")', "tcp-refused.pcapng") == "ECONNREFUSED"


@pytest.mark.quick
@pytest.mark.parametrize(("text", "words", "place"), [
    ("", "is empty", 0), ("1 +", "A value should stand here", 3), ("(1", "is not closed", 0),
    ("count(packets) ==", "A value should stand", 17),
    ("'abc", "does not end", 0), ("1 $ 2", "no meaning", 2),
    ("open('x')", "There is no function open", 0), ("packets", "no value of its own", 0),
    ("count(stars)", "One of packets", 6), ("count(packets, 'tcp.prot')", "The display filter", 15),
    ("count(packets, 'call == x')", "A filter of packets", 15),
    ("count(calls, 'tcp')", "A filter of system", 13),
    ("first(packets, 'tcp', 'ip.src')", "neither a number", 22), ("1 == 'a'", "cannot be compared", 2),
    ("'a' < 'b'", "cannot be compared", 4), ("1 and true", "true or false", 0), ("'a' + 1", "a number", 0),
    ("state(peer)", "One of client, server", 6), ("returned(client, 'fork')", "There is no call fork", 17),
    ("row()", "takes 1 arguments", 0), ("1 2", "Nothing can follow", 2),
    ("__import__", "no value of its own", 0),
])
def test_what_it_refuses(text: str, words: str, place: int) -> None:
    with pytest.raises(ExpressionError, match=words) as caught:
        compiled(text)
    assert caught.value.position == place


@pytest.mark.parametrize("text", [
    "(" * (DEEPEST + 1) + "1" + ")" * (DEEPEST + 1), "not " * 500 + "true", "1" + "+1" * LONGEST,
    "1+" * 150 + "1",
    "row(" * 100, "9" * 400,
])  # fmt: skip
def test_what_is_too_long_or_deep_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        compiled(text)


@given(st.text(alphabet="() ,'\"\\+-=<>!andortpckes0x9_", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_an_expression_or_refused_with_its_place(text: str) -> None:
    try:
        parse(text)
    except ExpressionError as error:
        assert 0 <= error.position <= len(text)


def test_a_run_that_is_too_long_is_told(tmp_path: Path) -> None:
    with Trace.open(TRACES / "tcp.pcapng") as trace:
        trace.finish()
        with pytest.raises(TooMuchError):
            Scene(trace, most_packets=3)
