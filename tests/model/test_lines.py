"""Commands to the relay and the agent's last line: what is written reads back, anything else is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.lab import summary
from inspector.lab.network import commands
from inspector.lab.network.commands import Publish, Reach, Ready, RelayCommand, Resolve, Retract
from inspector.lab.summary import Refusal, Summary

pytestmark = pytest.mark.quick

COMMANDS: tuple[RelayCommand, ...] = (
    Publish(8000, 8001), Publish(80, 8000, via=True), Retract(8000), Reach("db", 5432),
    Resolve("127.0.0.53", "192.0.2.1", 53), Ready(),
)
LAST = (
    Summary(3, 2, 1000), Summary(0, 0, 0, "The limit.", 130, "It could not.", "It broke."),
    Refusal("The lab is forbidden here.", "sudo sysctl x=1"), Refusal("„Nein“"),
)
values: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
near = st.builds(
    lambda kind, rest: {"kind": kind, **rest},
    st.sampled_from(("Publish", "Retract", "Reach", "Resolve", "Ready", "Summary", "Refusal")) | values,
    st.dictionaries(st.sampled_from(("port", "outside", "via", "host", "remedy", "packets")), values),
)
lines = st.binary() | near.map(json.dumps).map(str.encode)


@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_a_command_to_the_relay_reads_back(command: RelayCommand) -> None:
    line = commands.to_line(command)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert commands.from_line(line) == command


@pytest.mark.parametrize("last", LAST, ids=repr)
def test_the_last_line_of_an_agent_reads_back(last: Summary | Refusal) -> None:
    assert summary.from_line(summary.to_line(last)) == last


@given(lines)
def test_any_line_is_one_of_them_or_one_sentence(line: bytes) -> None:
    try:
        command = commands.from_line(line)
    except ValueError as error:
        assert str(error).endswith(".") and "\n" not in str(error)
    else:
        assert commands.from_line(commands.to_line(command)) == command


@pytest.mark.parametrize("line", [
    b"", b"[1]", b"null", b"[" * 100_000, b"\xff", b"{}", b'{"kind": []}', b'{"kind": "Publish"}',
    b'{"kind": "Publish", "port": true, "outside": 1, "via": false}',
    b'{"kind": "Retract", "port": 1, "more": 2}', b'{"kind": "Summary", "packets": 1}',
])  # fmt: skip
def test_lines_of_a_wrong_shape(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        commands.from_line(line)
