"""Commands and journal records as lines: what is written reads back, anything else is one sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.model import commands
from inspector.model.commands import (
    Abort,
    Close,
    Command,
    Connect,
    Execute,
    HalfClose,
    KeepOpen,
    Pause,
    Quit,
    Resume,
    Send,
    Signal,
    Start,
    Step,
    Stop,
)
from inspector.model.messages import Message
from inspector.model.spec import SessionSpec
from inspector.wire import journal

pytestmark = pytest.mark.quick

EVERY: tuple[Command, ...] = (
    Start(SessionSpec()),
    Start(SessionSpec(kind="websocket", messages=("a", "ping:b"), close_reason="done", interactive=True)),
    Execute(("ls", "-l", "\udcff")),
    Signal(2),
    Stop(),
    Quit(),
    Send(Message(b"hello"), "client"),
    Send(Message(b"\x00\xff", "binary", 2), "server"),
    Send(Message("wörter".encode(), "ping")),
    Close("client", 4001, "over"),
    Abort("server"),
    HalfClose("client"),
    KeepOpen(),
    Connect("client"),
    Pause(),
    Resume(),
    Step("server"),
)
NAMES = [each.do for each in EVERY]

# JSON that is nearly a command: the right names, any values.
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(NAMES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(
    ("do", "to", "text", "hex", "opcode", "fragments", "code", "reason", "session", "command", "number")
)
session = st.dictionaries(st.sampled_from(("kind", "port", "messages", "ending", "timeout", "ipv6")), values)
near = st.builds(
    lambda do, rest, spec: {"do": do, **rest} | ({"session": spec} if do == "start" else {}),
    st.sampled_from(NAMES), st.dictionaries(keys, values), values | session,
)  # fmt: skip


@pytest.mark.parametrize("command", EVERY, ids=lambda command: str(command.do))
def test_a_command_reads_back_from_its_line(command: Command) -> None:
    line = commands.to_line(command)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert commands.from_line(line) == command


@given(st.binary() | values.map(json.dumps).map(str.encode) | near.map(json.dumps).map(str.encode))
def test_any_line_is_a_command_or_one_sentence(line: bytes) -> None:
    try:
        command = commands.from_line(line)
    except ValueError as error:
        assert_sentence(error)
    else:
        assert commands.from_line(commands.to_line(command)) == command


@pytest.mark.parametrize("line", [
    b"[1]", b'"x"', b"null", b"1e999", b"[" * 100_000, b"9" * 10_000, b"\xff", b"", b"{}",
    b'{"do": []}', b'{"do": {}}', b'{"do": "send", "to": []}', b'{"do": "send", "text": "\\ud800"}',
    b'{"do": "send", "fragments": true}', b'{"do": "close", "code": 1e999}',
    b'{"do": "start"}', b'{"do": "start", "session": []}', b'{"do": "exec", "command": "ls"}',
    b'{"do": "start", "session": {"messages": ["\\ud800"]}}',
    b'{"do": "start", "session": {"timeout": ' + b"9" * 400 + b"}}",
])  # fmt: skip
def test_lines_of_a_wrong_shape(line: bytes) -> None:
    with pytest.raises(ValueError) as caught:
        commands.from_line(line)
    assert_sentence(caught.value)


RECORD_KEYS = st.sampled_from(
    ("id", "pid", "tid", "role", "name", "arguments", "time_ns", "kind", "text", "fields", "errno")
)
whole: dict[str, Any] = {"id": 1, "pid": 2, "tid": 3, "role": "", "name": "x", "arguments": "", "time_ns": 4}
event: dict[str, Any] = {"kind": "note", "text": "", "time_ns": 4}
near_record = st.builds(
    lambda base, rest: base | rest, st.sampled_from((whole, event, {})), st.dictionaries(RECORD_KEYS, values)
)


@given(st.binary() | values.map(json.dumps).map(str.encode) | near_record.map(json.dumps).map(str.encode))
def test_any_line_is_a_record_or_one_sentence(line: bytes) -> None:
    try:
        record = journal.from_line(line)
    except ValueError as error:
        assert_sentence(error)
    else:
        assert journal.from_line(journal.to_line(record)) == record


def assert_sentence(error: ValueError) -> None:
    """One line of words of ours: nothing that Python says of its own insides."""
    text = str(error)
    assert text and "\n" not in text and text.endswith(".") and "codec" not in text
    assert not isinstance(error, UnicodeError | json.JSONDecodeError)
