"""Messages too large to be searched or printed whole: JSON, filter and search say what is left out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from inspector.cli.exports import export_of
from inspector.protocols.websocket.frame import TEXT, encode
from inspector.trace.filter.filter import Filter
from inspector.trace.trace import Trace
from inspector.views.checks.report import FORMATS, as_text
from inspector.views.checks.verdicts import Checks, verdicts
from inspector.views.conversation.messages import MessageList
from inspector.views.conversations.list import ConversationList
from inspector.wire import pcapng
from tests.support.captures.tcp import segment
from tests.support.captures.websocket import UPGRADE

CLIENT, SERVER = 0, 1
SIZES = {"small": 1000, "large": (1 << 20) + 5000}
Turns = Sequence[tuple[int, bytes]]


def http(size: int) -> Turns:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (size + 6)
    return [(CLIENT, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), (SERVER, head + b"a" * size + b"needle")]


def websocket(size: int) -> Turns:
    return [*UPGRADE, (SERVER, encode(b"a" * size + b"needle", TEXT))]


def redis(size: int) -> Turns:
    value = b"a" * size + b"needle"
    words = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n" % (len(value), value)
    return [(CLIENT, words), (SERVER, b"+OK\r\n")]


ASKED = {
    "http": (http, 'http contains "needle"'), "websocket": (websocket, 'websocket contains "needle"'),
    "websocket field": (websocket, 'websocket.payload contains "needle"'),
    "redis": (redis, 'redis contains "needle"'),
    "redis field": (redis, 'resp.bulk_string.value contains "needle"'),
}


def trace_of(path: Path, turns: Turns, port: int) -> Trace:
    at, ports = [1000, 5000], (40000, port)
    frames = [segment(0, "S", 999, ports=ports), segment(1, "SA", 4999, 1000, ports=ports),
              segment(0, "A", 1000, 5000, ports=ports)]
    for direction, data in turns:
        for place in range(0, len(data), 60_000):
            part = data[place : place + 60_000]
            frames.append(segment(direction, "PA", at[direction], at[1 - direction], part, ports=ports))
            at[direction] += len(part)
    blocks = [pcapng.section_header(), pcapng.interface_description(101)]
    path.write_bytes(b"".join([*blocks, *(pcapng.enhanced_packet(one, n) for n, one in enumerate(frames))]))
    trace = Trace.open(path)
    trace.finish()
    return trace


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("asked", ASKED)
def test_a_filter_finds_it_or_says_that_it_did_not_look(asked: str, size: int, tmp_path: Path) -> None:
    make, text = ASKED[asked]
    with trace_of(tmp_path / "x.pcapng", make(size), 6379 if make is redis else 80) as trace:
        found = len(Filter(text).rows(trace))
        assert found or trace.searched == (
            "1 message is large and was searched from the beginning only, up to a limit; more of them may"
            " match."
        )
        assert found if size == 1000 else not found
        assert (trace.searched is None) == (size == 1000)
        Filter("tcp").rows(trace)
        assert trace.searched is None                              # of another filter it says nothing


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_checks_and_conversations_say_so_too(size: int, tmp_path: Path) -> None:
    make, text = ASKED["http"]
    said = "1 message is large and was searched from the beginning only"
    with trace_of(tmp_path / "x.pcapng", make(size), 80) as trace:
        found = verdicts(trace, Checks(expect=(Filter(text), Filter("tcp"))))
        assert [one.searched_in_part for one in found] == [int(size > 1000), 0]
        for report in FORMATS.values():
            assert ("searched" in "".join(report(found, 0))) is (size > 1000)
        assert (said in "".join(as_text(found))) is (size > 1000)
        listed = ConversationList(trace)
        listed.narrow(text)
        while not listed.complete:
            listed.update()
        Filter("tcp").rows(trace)                                  # what another one looked at is its own
        assert (listed.count, listed.searched_in_part) == ((1, 0) if size == 1000 else (0, 1))
        listed.narrow("")
        assert listed.searched_in_part == 0


@pytest.mark.parametrize("words", [("draw", "--filter"), ("decode", "--json", "packets", "--filter")])
def test_commands_say_so_too(words: tuple[str, ...], tmp_path: Path) -> None:
    make, text = ASKED["http"]
    trace_of(tmp_path / "x.pcapng", make(SIZES["large"]), 80).close()
    command, *rest = words
    asked = [command, str(tmp_path / "x.pcapng"), *rest, text]
    done = subprocess.run([sys.executable, "-m", "inspector", *asked], capture_output=True, text=True,
                          timeout=60, check=False)
    assert "1 message is large and was searched from the beginning only" in done.stderr


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_json_marks_a_value_that_is_cut(size: int, tmp_path: Path) -> None:
    with trace_of(tmp_path / "x.pcapng", redis(size), 6379) as trace:
        export = export_of("redis")
        assert export is not None
        asked, reply = export.objects(trace, None)
        assert asked.get("truncated") == (True if size > 1000 else None) and "truncated" not in reply


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_a_search_counts_what_it_did_not_look_at(size: int, tmp_path: Path) -> None:
    with trace_of(tmp_path / "x.pcapng", websocket(size), 80) as trace:
        messages = MessageList(trace, 0)
        messages.choose(search="needle")
        while not messages.complete:
            messages.update()
        assert (messages.count, messages.searched_in_part) == ((1, 0) if size == 1000 else (0, 1))
        messages.choose()
        assert messages.searched_in_part == 0
