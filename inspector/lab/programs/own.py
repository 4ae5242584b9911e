"""Programs of our own as processes: a module of ours, run by the Python that runs this.

`start` is how each of them begins: the agent, its endpoints, its relay.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Protocol


class Process(Protocol):
    """What `start` gives back: the part of `subprocess.Popen` that is used of it."""

    pid: int
    returncode: int | None

    @property
    def stdin(self) -> IO[bytes] | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def kill(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What it starts with beside a pipe as its standard input; descriptors in `passed` keep their numbers.

    `session`: in a session of its own; `group`: in this process group, 0 for one of its own. `first`: what
    it calls before anything else.
    """

    stdout: int
    stderr: int
    passed: Sequence[int] = ()
    environment: Mapping[str, str] | None = None
    session: bool = False
    group: int | None = None
    first: Callable[[], None] | None = None


def start(module: str, arguments: Sequence[str], setting: Setting) -> Process:
    """Start it; OSError where it cannot be."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments], stdin=subprocess.PIPE, stdout=setting.stdout,
        stderr=setting.stderr, pass_fds=setting.passed, env=setting.environment, preexec_fn=setting.first,
        start_new_session=setting.session, process_group=setting.group,
    )
