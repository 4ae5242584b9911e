"""The menu in every order: each kind after each other one, each option; what was sent stands in the trace.

One app, as a person uses it: key, session, `n`, next key. What one session filled in is not the next one's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

from textual.pilot import Pilot

from inspector.model.messages import parse_message
from inspector.model.numbers import ICMP, RST
from inspector.model.packets import first_rows
from inspector.sessions.kinds import LAUNCHED, OPTIONS
from inspector.trace.packet.facts import facts
from tests.support.running.lab import needs_lab
from tests.support.screen.live import QuietApp, bench, launcher, trace, until, until_workbench, workbench
from tests.support.tiers import sweep

# Key: what its script says, as it stands in packets (of WebSocket the echo, which has no mask).
MESSAGES = {kind.key: tuple(parse_message(text).data for text in kind.messages) for kind in LAUNCHED} | {
    "h": (b"GET / HTTP/1.1", b"POST /echo HTTP/1.1"),
    "w": (b"GET /chat HTTP/1.1", b"Upgrade: websocket", b"\x81\x05hello"),
}
PORTS = {kind.key: kind.port for kind in LAUNCHED}


def every_pair(keys: str) -> str:
    """A walk in which each key follows each other one once (Hierholzer)."""
    left = {key: [other for other in keys if other != key] for key in keys}
    path, walk = [keys[0]], ""
    while path:
        if left[path[-1]]:
            path.append(left[path[-1]].pop())
        else:
            walk += path.pop()
    return walk[::-1]


def sent(pilot: Pilot[Any]) -> bytes:
    """All packets, one behind the other."""
    return b"\n".join(bytes(trace(pilot).frame(row)) for row in first_rows(min(trace(pilot).index.count, 60)))


async def started(pilot: Pilot[Any], keys: str) -> None:
    """From the launcher into the session of the last key."""
    await launcher(pilot)
    await pilot.press(*keys)
    await until_workbench(pilot)
    await workbench(pilot)


async def until_sent(pilot: Pilot[Any], *words: bytes) -> None:
    """Wait until the packets hold all these words."""
    await until(pilot, lambda: all(word in sent(pilot) for word in words), str(words))


def peers(pilot: Pilot[Any]) -> set[str]:
    """Where the client sent to, or connected."""
    calls = [call for call in trace(pilot).calls if call.role == "client"]
    return {word for call in calls for word in call.arguments.replace(",", " ").split() if ":" in word}


def test_the_walk_has_every_pair() -> None:
    keys = "".join(kind.key for kind in LAUNCHED)
    walk = every_pair(keys)
    assert sorted(map("".join, pairwise(walk))) == sorted(
        one + other for one in keys for other in keys if one != other)


@needs_lab
@sweep("walk", ["".join(MESSAGES) + "t", every_pair("".join(MESSAGES))], lambda walk: len(walk) < 9,
       ids=["one after the other", "each after each other"])
async def test_each_kind_after_another_says_its_own(walk: str) -> None:
    app = QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        for key in walk:
            await started(pilot, key)
            words = MESSAGES[key]
            await until_sent(pilot, *words)
            assert f"127.0.0.1:{PORTS[key]}" in peers(pilot)
            others = {word for other, texts in MESSAGES.items() for word in texts if other != key}
            found = {word for word in others - set(words) if word in sent(pilot)}
            assert found <= {b"hello", b"how are you?"}, key      # which several kinds say
            await pilot.press("n")


def names(pilot: Pilot[Any]) -> set[str]:
    """The client's calls."""
    return {call.name for call in trace(pilot).calls if call.role == "client"}


def first_flags(pilot: Pilot[Any]) -> int:
    """The TCP flags of the second packet, which answers; 0 while there is none."""
    index = trace(pilot).index
    return facts(trace(pilot), first_rows(2)[1]).flags if index.count > 1 else 0


SEEN: dict[str, Callable[[Pilot[Any]], object]] = {
    "bt": lambda pilot: b"push 1 of 3" in sent(pilot),
    "6u": lambda pilot: "[::1]:9001" in peers(pilot) and trace(pilot).index.count > 1,
    "lt": lambda pilot: first_flags(pilot) & RST,
    "lu": lambda pilot: ICMP in trace(pilot).index.protocol.tolist(),
    "sh": lambda pilot: bench(pilot).state.waiting,
    "it": lambda pilot: trace(pilot).fates.version and "10.0.0.2:9000" in peers(pilot),
    "cu": lambda pilot: "sendto" in names(pilot) and "connect" not in names(pilot),
    "kh": lambda pilot: b"Transfer-Encoding: chunked" in sent(pilot) and b"Content-Length" not in sent(pilot),
    "dw": lambda pilot: b"permessage-deflate" in sent(pilot) and b"hello" not in sent(pilot),
}


def test_every_option_of_the_menu_is_among_them() -> None:
    assert {keys[0] for keys in SEEN} == {option.key for option in OPTIONS if option.key}


@needs_lab
@sweep("tried", [("bt", "lu", "it"), tuple(SEEN)], lambda tried: len(tried) < 4, ids=["some", "all"])
async def test_each_option_is_seen_in_the_trace_and_turned_back(tried: tuple[str, ...]) -> None:
    app = QuietApp()
    async with app.run_test(size=(80, 24)) as pilot:
        for keys in tried:
            is_seen = SEEN[keys]
            await started(pilot, keys)
            await until(pilot, partial(is_seen, pilot), f"what {keys} asks for")
            if keys == "sh":
                assert trace(pilot).index.count == 0
            await pilot.press("n")
            await launcher(pilot)
            await pilot.press(*keys[0] * (2 if keys[0] in "bi" else 1))         # of three values
