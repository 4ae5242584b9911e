"""What a trace's events say of its session: who runs, who waits before which call, what failed.

trace.events -> `SessionState` -> title line, composers. A value, computed anew when the trace grew.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

from inspector.model.records import Event
from inspector.model.spec import SessionSpec


@dataclass(frozen=True, slots=True)
class SessionState:
    """The session as its events tell it. `waiting`: role -> the calls it waits before, the longest first."""

    spec: SessionSpec | None = None
    mode: str = ""                     # "lab", "host", or "" where no agent of ours wrote the trace
    address: str = ""
    running: frozenset[str] = frozenset()
    waiting: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ended: bool = False
    ok: bool = True
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    program: str = ""                  # as one would type it by name; not safe to show
    program_status: str = ""
    limit: str = ""
    resumed: dict[str, int] = field(default_factory=dict)      # role -> how often it was let go
    idle: frozenset[str] = frozenset()             # paused or stepped, and with no call to make
    doors: tuple[tuple[str, str], ...] = ()        # (address in the lab, where this machine reaches it)

    def stands_as(self, other: SessionState) -> bool:
        """Whether no end moved from the one to the other: the same run, wait, and were let go as often."""
        return (self.running, self.waiting, self.resumed, self.idle, self.ended) == (
            other.running, other.waiting, other.resumed, other.idle, other.ended)


def session_state(events: Sequence[Event]) -> SessionState:
    """Fold a trace's events, in order."""
    spec: SessionSpec | None = None
    mode = address = program = program_status = limit = ""
    running: set[str] = set()
    waiting: dict[tuple[str, str], str] = {}      # (role, thread) -> call
    resumed: Counter[str] = Counter()
    idle: set[str] = set()
    ended, ok = False, True
    failures: list[str] = []
    notes: list[str] = []
    doors: dict[str, str] = {}
    for event in events:
        fields = event.known
        match event.kind:
            case "agent-ready":
                mode = fields.get("mode", "lab")
            case "session-started":
                ended, address = False, ""
                running.clear()
                waiting.clear()
                idle.clear()
                spec = event.session or spec
            case "endpoint-started":
                running.add(event.role)
            case "listening":
                address = fields.get("address", "")
            case "waiting":
                waiting[event.role, fields.get("tid", "")] = fields.get("call", "") or event.text
            case "resumed":
                waiting.pop((event.role, fields.get("tid", "")), None)
                resumed[event.role] += 1
                idle.discard(event.role)
            case "idle":
                idle.add(event.role)
            case "endpoint-ended":
                running.discard(event.role)
                idle.discard(event.role)
                waiting = {key: call for key, call in waiting.items() if key[0] != event.role}
            case "session-ended":
                ended, ok = True, fields.get("ok") != "false"
                waiting.clear()
            case "failed":
                failures.append(event.text)
            case "published":
                notes.append(event.text)
                doors[fields.get("inside", "")] = fields.get("outside", "")
            case "note":
                notes.append(event.text)
            case "program-started":
                program = _typed(event.command) or fields.get("command", event.text)
            case "program-ended":
                program_status, ended = fields.get("status", ""), True
            case "limit-reached":
                limit = event.text
            case "wire" if fields.get("fate") == "none":
                notes.append(event.text)
            case "journal" | "relayed" | "reached" | "secret" | "kernel-time" | "wire" | "sample":
                pass                   # another program's; the views name whom the relay stands for
            case _:
                assert_never(event.kind)
    by_role: dict[str, tuple[str, ...]] = {}
    for (role, _), call in waiting.items():
        by_role[role] = (*by_role.get(role, ()), call)
    return SessionState(spec, mode, address, frozenset(running), by_role, ended, ok, tuple(failures),
                        tuple(notes), program, program_status, limit, dict(resumed), frozenset(idle),
                        tuple(doors.items()))


def _typed(command: Sequence[str]) -> str:
    """A command as one would type it by its name."""
    return shlex.join([Path(command[0]).name, *command[1:]]) if command else ""
