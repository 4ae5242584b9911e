"""The commands that a person's keys become, one JSON object a line.

`{"do": "send", "text"|"hex": …, "opcode": "text"|"binary"|"ping"|"pong", "fragments": n}`,
`{"do": "close", "code": 1000, "reason": ""}`, and by their name alone: abort, half-close, keep-open
(stay open after the peer's FIN), connect; pause, resume and step, which `endpoint` obeys at once.
"""

from __future__ import annotations

from typing import Any, cast

from inspector.model.messages import Message, Opcode, check_close, checked, parse_hex
from inspector.sessions.context import Command

COMMANDS = ("send", "close", "abort", "half-close", "keep-open", "connect")


def parse_command(data: dict[str, Any]) -> Command:
    """A command for the sockets; ValueError or TypeError with one sentence."""
    do = data.get("do")
    if do not in COMMANDS:
        raise ValueError(f"There is no command {do!r}.")
    opcode = cast(Opcode, data.get("opcode") or ("binary" if "hex" in data else "text"))
    if opcode not in ("text", "binary", "ping", "pong"):
        raise ValueError(f"There is no opcode {opcode!r} to send; choose text, binary, ping or pong.")
    payload = parse_hex(str(data["hex"])) if "hex" in data else str(data.get("text", "")).encode()
    message = checked(Message(payload, opcode, int(data.get("fragments", 1))))
    code, reason = int(data.get("code", 1000)), str(data.get("reason", ""))
    check_close(code, reason)
    return Command(do, message, code, reason)
