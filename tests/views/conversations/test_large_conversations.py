"""Large conversations in the list: the first packets tell what they speak, and none is decoded for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from inspector.protocols.websocket.frame import TEXT, encode
from inspector.trace.application import decode_as
from inspector.trace.application.opening import MOST, Opening
from inspector.trace.trace import Trace
from inspector.views.conversations import decoded as module
from inspector.views.conversations.decoded import DECODED_PACKETS
from inspector.views.conversations.list import ConversationList
from inspector.views.json.conversations import conversations
from tests.support.captures.growth import CLIENT, GET, KEY, OK, SERVER, Wire

Exchange = Callable[[Wire, int], None]


def http(wire: Wire, count: int) -> None:
    for _ in range(count):
        wire.write(CLIENT, GET)
        wire.write(SERVER, OK)


def websocket(wire: Wire, count: int) -> None:
    wire.upgrade()
    for number in range(count):
        wire.write(CLIENT, encode(b"%d" % number, TEXT, key=KEY))
        wire.write(SERVER, encode(b"%d" % number, TEXT))


def websocket_later(wire: Wire, count: int) -> None:
    http(wire, 10)
    websocket(wire, count)


def redis(wire: Wire, count: int) -> None:
    for _ in range(count):
        wire.write(CLIENT, b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n")
        wire.write(SERVER, b"$1\r\nb\r\n")


def nothing(wire: Wire, count: int) -> None:
    for _ in range(count):
        wire.write(CLIENT, b"\x91\x80 what")
        wire.write(SERVER, b"\x92\x81 that")


EXCHANGES: dict[str, tuple[Exchange, str]] = {
    "http": (http, "HTTP"), "websocket": (websocket, "WebSocket"), "redis": (redis, "Redis"),
    "websocket after requests": (websocket_later, "WebSocket"), "nothing known": (nothing, "TCP"),
}
MANY = DECODED_PACKETS        # turns of each end: twice as many packets


def written(path: Path, exchange: Exchange, count: int = 1, turns: int = MANY) -> Path:
    wire = Wire()
    for number in range(count):
        if number:
            wire.begin(40_000 + number)
        exchange(wire, turns)
    path.write_bytes(wire.file())
    return path


def read(path: Path) -> Trace:
    trace = Trace.open(path)
    trace.finish()
    trace.by_turns()
    return trace


def seen(trace: Trace, lines: range = range(40)) -> ConversationList:
    """The list as a pane has it, once nothing is left to do for the lines that are seen."""
    found = ConversationList(trace)
    while not found.complete:
        found.update()
    while found.decode(lines, 0.008):
        pass
    return found


@pytest.mark.parametrize("name", EXCHANGES)
def test_they_say_what_they_speak(name: str, tmp_path: Path) -> None:
    exchange, title = EXCHANGES[name]
    path = written(tmp_path / "x.pcapng", exchange)
    with read(path) as trace:
        found = seen(trace)
        assert found.cell(0, "protocol")[0] == title
        assert found.cell(0, "findings")[0] == ""                 # nobody looked for them
        assert trace.share(0) == 0.0                              # nothing is decoded for it,
        assert trace.turns is not None and not trace.turns.wanted     # or will be
        while not trace.advance(0, 1.0):
            pass
        found.decode(range(1), 1.0)
        assert found.cell(0, "protocol")[0] == title
    with Trace.open(path) as whole:
        whole.finish()
        protocol = next(conversations(whole)).get("application", "tcp")
        assert protocol == title.lower()


def test_one_that_was_nothing_yet_when_it_was_seen_first(tmp_path: Path) -> None:
    path = written(tmp_path / "x.pcapng", http)
    data = path.read_bytes()
    opening = len(written(tmp_path / "opening.pcapng", http, turns=0).read_bytes())
    path.write_bytes(data[:opening])
    with Trace.open(path, following=True) as trace:
        trace.by_turns()
        trace.refresh()
        found = seen(trace)
        assert [found.cell(0, one)[0] for one in ("protocol", "findings")] == ["TCP", "0"]
        path.write_bytes(data)
        trace.refresh()
        found.update()
        while found.decode(range(1), 0.008):
            pass
        assert [found.cell(0, one)[0] for one in ("protocol", "findings")] == ["HTTP", ""]


def test_what_a_person_says_is_spoken_goes_before(tmp_path: Path) -> None:
    with read(written(tmp_path / "x.pcapng", http)) as trace:
        decode_as.choose(decode_as.parse("tcp.port==80,none"))
        try:
            assert seen(trace).cell(0, "protocol")[0] == "TCP"
        finally:
            decode_as.forget()
        assert seen(trace).cell(0, "protocol")[0] == "HTTP"


def test_first_packets_are_read_of_lines_that_are_seen_and_once(tmp_path: Path) -> None:
    made: list[Opening] = []

    class Counted(Opening):
        def __init__(self, trace: Trace, stream: int) -> None:
            made.append(self)
            super().__init__(trace, stream)

    with (patch.object(module, "DECODED_PACKETS", 4), patch.object(module, "Opening", Counted),
          read(written(tmp_path / "x.pcapng", http, count=1_000, turns=2)) as trace):
        found = seen(trace, range(0))
        found.sort("packets", descending=True)
        drawn = [found.line(line, 120) for line in range(found.count)]
        assert len(drawn) == 1_000 and not made           # neither all lines, nor any order, ask for it
        while found.decode(range(40), 0.008):
            pass
        found.sort("number")
        while found.decode(range(40), 0.008):
            pass
        lines = {found.target(line) for line in range(40)}
        found.sort("packets", descending=True)
        assert len(made) == len(lines | {found.target(line) for line in range(40)})
        assert not found.decode(range(40), 0.008) and len(made) <= 80


def shown(found: ConversationList) -> set[int]:
    found.update()
    while not found.complete:
        found.update()
    return {found.target(line) for line in range(found.count)}


@pytest.mark.parametrize("turns", [2, MANY], ids=["small", "large"])
def test_words_find_what_nobody_has_seen(turns: int, tmp_path: Path) -> None:
    wire = Wire()
    for number, exchange in enumerate((http, redis, nothing, websocket)):
        if number:
            wire.begin(40_000 + number)
        exchange(wire, turns)
        wire.close()
    path = tmp_path / "x.pcapng"
    path.write_bytes(wire.file())
    with read(path) as trace:
        found = ConversationList(trace)
        everyone: set[int] = {0, 1, 2, 3}
        for words, numbers in (("tcp :80", everyone), ("http closed", {0}), ("redis 40001", {1}),
                               ("websocket closed", {3}), ("http 40001", set[int]()),
                               ("closed tcp", everyone), ("closed :80", everyone)):
            found.narrow(words)
            assert shown(found) == numbers, words
        assert all(trace.share(stream) == 0.0 for stream in range(4))


def test_words_are_compared_again_with_what_has_grown(tmp_path: Path) -> None:
    wire = Wire()
    opening = len(wire.file())
    http(wire, 2)
    wire.close()
    path = tmp_path / "x.pcapng"
    path.write_bytes(wire.file()[:opening])
    with Trace.open(path, following=True) as trace:
        trace.by_turns()
        trace.refresh()
        found = ConversationList(trace)
        found.narrow("http closed")
        assert shown(found) == set()
        path.write_bytes(wire.file())
        trace.refresh()
        assert shown(found) == {0}
        found.narrow("open tcp")
        assert shown(found) == set()


def test_so_many_packets_are_read_at_most(tmp_path: Path) -> None:
    with read(written(tmp_path / "x.pcapng", nothing)) as trace:
        one = Opening(trace, 0)
        while not one.done:
            before = one.taken
            one.step()
            assert one.taken > before
        assert one.taken == MOST and one.title == ""
        one.let_go()
        one.step()
        assert one.taken == MOST
