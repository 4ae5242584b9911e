"""What a step lets happen: lines of lesson.toml -> moves, which play/performance.py makes commands of.

    let client connect     step that end until its call connect() has passed the gate
    send client hello      also `ping:…`, `fragments:3:…` for WebSocket, `GET /` for HTTP
    close server           also half-close, abort, connect
    go client              let it run on; `hold client` stops it before its next call
    hold wire              each packet waits on the wire from now on; `open wire` lets all pass
    drop client            drop what waits longest there of this end; also pass, double, delay, swap
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from inspector.lessons.asking.functions import CALL_NAMES
from inspector.lessons.asking.scene import ROLES
from inspector.model.commands import (
    Abort,
    Close,
    Command,
    Connect,
    HalfClose,
    Pause,
    Resume,
    Send,
    Target,
    Wire,
    WireAct,
)
from inspector.model.messages import Message

_PLAIN: dict[str, Callable[[Target], Command]] = {
    "close": Close, "half-close": HalfClose, "abort": Abort, "connect": Connect, "go": Resume, "hold": Pause,
}  # fmt: skip
_ON_WIRE: dict[str, WireAct] = {
    "pass": "pass", "drop": "drop", "double": "double", "delay": "delay", "swap": "swap",
}  # fmt: skip
_WHOLE_WIRE: dict[str, WireAct] = {"hold": "hold", "open": "open"}
_WIRE = "wire"
VERBS = ("let", "send", *_PLAIN, *_ON_WIRE, "open")


class MoveError(ValueError):
    """A line that is no move; one sentence."""


@dataclass(frozen=True, slots=True)
class Let:
    """Let calls of one end pass, one by one, the last of them the first one of this name."""

    role: Target
    call: str


@dataclass(frozen=True, slots=True)
class OnWire:
    """Do this with the packet of one end that waits longest on the wire, as soon as there is one."""

    role: Target
    act: WireAct


Move = Let | OnWire | Command


def move_of(line: str, read: Callable[[str], Message]) -> Move:
    """Read one line; MoveError where it is none. `read`: what is sent, ValueError where it cannot be."""
    verb, _, rest = line.strip().partition(" ")
    role, _, what = rest.strip().partition(" ")
    if verb not in VERBS:
        raise MoveError(f"There is no move {verb!r:.40}; there are {', '.join(VERBS)}.")
    if role == _WIRE and verb in _WHOLE_WIRE and not what:
        return Wire(_WHOLE_WIRE[verb])
    if role not in ROLES or verb == "open":
        raise MoveError(f"After {verb} client or server should stand, not {role!r:.40}.")
    to: Target = "client" if role == "client" else "server"
    if verb == "let":
        if what not in CALL_NAMES:
            raise MoveError(f"There is no call {what!r:.40} to let pass; there are {', '.join(CALL_NAMES)}.")
        return Let(to, what)
    if verb == "send":
        if not what:
            raise MoveError("After the end should stand what it sends.")
        try:
            return Send(read(what), to)
        except ValueError as error:
            raise MoveError(str(error)) from None
    if not what and verb in _ON_WIRE:
        return OnWire(to, _ON_WIRE[verb])
    if what:
        raise MoveError(f"Nothing can follow {verb} {role}, but there is {what!r:.40}.")
    return _PLAIN[verb](to)
