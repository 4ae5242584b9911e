"""What a person or a program asks of the agent, and the agent of its endpoints: one JSON object a line.

Keys and `inspector run` make commands, `to_line` writes them into the agent's standard input; the agent obeys
an `AgentCommand` itself and hands an `EndpointCommand` on to the ends that it is for (`to`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar, assert_never, get_args

from inspector.model.messages import Message, Opcode, check_close, checked, parse_hex
from inspector.model.spec import SessionSpec, SpecError
from inspector.model.wiring import LONGEST_WAITING, WireNumber, wire_number

Target = Literal["client", "server", "both"]
WireAct = Literal["pass", "drop", "double", "delay", "swap", "hold", "open"]

TARGETS: tuple[Target, ...] = get_args(Target)
WIRE_ACTS: tuple[WireAct, ...] = get_args(WireAct)
OPCODES: tuple[Opcode, ...] = get_args(Opcode)
MAX_NUMBER = 10_000                # no number of a command is greater,
MAX_PACKET = 1 << 31               # but that of a packet on the wire
MAX_SIGNAL = 64


class CommandError(ValueError):
    """A line that is no command; the text is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Start:
    """Start a session; its spec may be unresolved."""

    spec: SessionSpec
    do: ClassVar = "start"


@dataclass(frozen=True, slots=True)
class Execute:
    """Run a program in the lab."""

    command: tuple[str, ...]
    do: ClassVar = "exec"


@dataclass(frozen=True, slots=True)
class Signal:
    """Send the program a signal, or the next one as soon as it begins."""

    number: int
    do: ClassVar = "signal"


# Each dataclass costs half a millisecond of the start: those with the same fields share one.
@dataclass(frozen=True, slots=True)
class _Whole:
    """A command that needs no more words."""


class Stop(_Whole):
    """End the session that runs."""

    __slots__ = ()
    do: ClassVar = "stop"


class Quit(_Whole):
    """End the agent and all that it started."""

    __slots__ = ()
    do: ClassVar = "quit"


@dataclass(frozen=True, slots=True)
class Wire:
    """What the wire does: with one packet that it holds, or from now on (hold each packet; open: none).

    `packet`: its number on the wire, as the trace tells it.
    """

    act: WireAct
    packet: WireNumber = LONGEST_WAITING
    do: ClassVar = "wire"


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message. In JSON its bytes are `text` or `hex`."""

    message: Message
    to: Target = "both"
    do: ClassVar = "send"


@dataclass(frozen=True, slots=True)
class Close:
    """Close in order; code and reason are those of a WebSocket's close frame (RFC 6455 §7.4)."""

    to: Target = "both"
    code: int = 1000
    reason: str = ""
    do: ClassVar = "close"


@dataclass(frozen=True, slots=True)
class _ToEnds:
    """A command of which only has to be said whom it is for."""

    to: Target = "both"


class Abort(_ToEnds):
    """Close by RST."""

    __slots__ = ()
    do: ClassVar = "abort"


class HalfClose(_ToEnds):
    """Send FIN and go on receiving."""

    __slots__ = ()
    do: ClassVar = "half-close"


class KeepOpen(_ToEnds):
    """Stay open after the peer's next FIN."""

    __slots__ = ()
    do: ClassVar = "keep-open"


class Connect(_ToEnds):
    """Open a socket anew, once it is closed."""

    __slots__ = ()
    do: ClassVar = "connect"


class Pause(_ToEnds):
    """Wait before every system call from now on."""

    __slots__ = ()
    do: ClassVar = "pause"


class Resume(_ToEnds):
    """Let all system calls pass again."""

    __slots__ = ()
    do: ClassVar = "resume"


class Step(_ToEnds):
    """Let one waiting system call pass, and hold the next one."""

    __slots__ = ()
    do: ClassVar = "step"


SocketCommand = Send | Close | Abort | HalfClose | KeepOpen | Connect
GateCommand = Pause | Resume | Step
EndpointCommand = SocketCommand | GateCommand
AgentCommand = Start | Execute | Signal | Stop | Quit | Wire
Command = AgentCommand | EndpointCommand

_TO_ONE_END = {each.do: each for each in (Abort, HalfClose, KeepOpen, Connect, Pause, Resume, Step)}
_WHOLE = {each.do: each for each in (Stop, Quit)}


def to_line(command: Command) -> bytes:
    """The command as one JSON line."""
    return json.dumps({"do": command.do, **_fields(command)}, separators=(",", ":")).encode() + b"\n"


def _fields(command: Command) -> dict[str, Any]:
    """What a command says beside its name."""
    match command:
        case Start(spec):
            return {"session": spec.to_json()}
        case Execute(words):
            return {"command": words}
        case Signal(number):
            return {"number": number}
        case Wire(act, packet):
            return {"act": act, "packet": packet}
        case Stop() | Quit():
            return {}
        case Send(message, to):
            return {"to": to, **_message_json(message)}
        case Close(to, code, reason):
            return {"to": to, "code": code, "reason": reason}
        case Abort(to) | HalfClose(to) | KeepOpen(to) | Connect(to) | Pause(to) | Resume(to) | Step(to):
            return {"to": to}
        case _:
            assert_never(command)


def from_line(line: bytes) -> Command:
    """Read what `to_line` wrote; other bytes: ValueError (CommandError, SpecError), one sentence."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        raise CommandError("It is not JSON.") from None
    if not isinstance(data, dict):
        raise CommandError("It is not a JSON object.")
    do = data.get("do")
    if do == Start.do:
        if "session" not in data:
            raise SpecError("A start needs a session.")
        return Start(SessionSpec.from_json(data["session"]))
    if do == Execute.do:
        return Execute(_words(data.get("command")))
    if do == Signal.do:
        return Signal(_number(data, "number", 0, MAX_SIGNAL))
    if do == Wire.do:
        act = _choice("act of the wire", data.get("act"), WIRE_ACTS)
        return Wire(act, wire_number(_number(data, "packet", 0, MAX_PACKET)))
    if isinstance(do, str) and do in _WHOLE:
        return _WHOLE[do]()
    to = _choice("end", data.get("to", "both"), TARGETS)
    if do == Send.do:
        return Send(_message(data), to)
    if do == Close.do:
        code, reason = _number(data, "code", 1000), _text(data, "reason")
        check_close(code, reason)
        return Close(to, code, reason)
    if isinstance(do, str) and do in _TO_ONE_END:
        return _TO_ONE_END[do](to)
    raise CommandError(f"There is no command {do!r:.40}.")


def _message_json(message: Message) -> dict[str, Any]:
    data: dict[str, Any] = {"opcode": message.opcode, "fragments": message.fragments}
    try:
        return data | {"text": message.data.decode()}
    except UnicodeDecodeError:
        return data | {"hex": message.data.hex()}


def _message(data: dict[str, Any]) -> Message:
    if "hex" in data:
        payload, usual = parse_hex(_text(data, "hex")), "binary"
    else:
        payload, usual = _text(data, "text").encode(), "text"
    opcode = data.get("opcode", usual)
    if opcode not in OPCODES:
        raise CommandError(
            f"There is no opcode {opcode!r:.40} to send; choose text, binary, ping or pong."
        )
    return checked(Message(payload, opcode, _number(data, "fragments", 1)))


T = TypeVar("T", bound=str)


def _choice(what: str, value: object, choices: tuple[T, ...]) -> T:
    for choice in choices:
        if value == choice:
            return choice
    raise CommandError(f"There is no {what} {value!r:.40}; choose from {', '.join(choices)}.")


def _number(data: dict[str, Any], name: str, default: int, most: int = MAX_NUMBER) -> int:
    value = data.get(name, default)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most:
        return value
    raise CommandError(f"The {name} cannot be {value!r:.40}.")


def _text(data: dict[str, Any], name: str) -> str:
    value = data.get(name, "")
    if isinstance(value, str):
        try:
            value.encode()
            return value
        except UnicodeEncodeError:
            pass                       # half of a surrogate pair, which JSON may hold
    raise CommandError(f"The {name} cannot be {value!r:.40}.")


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return tuple(value)
    raise CommandError(f"A program is a list of words, not {value!r:.40}.")
