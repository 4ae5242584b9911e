"""What an agent is asked to be, as the parent hands it over: one JSON object on its command line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

Mode = Literal["auto", "lab", "host"]


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """`ports` and `filter` narrow the capture; sizes in bytes, 0 is no limit. Descriptors are inherited."""

    mode: Mode = "auto"
    ports: tuple[int, ...] = ()
    filter: str = ""                              # BPF text, compiled by libpcap
    snaplen: int = 0
    max_size: int = 0
    seconds: float = 0.0
    wake: int = -1                                # gets the mode's letter, then a byte after each write
    terminal: tuple[int, int, int] | None = None  # for programs: their standard input, output and error
    command: tuple[str, ...] = ()                 # run this program at once, and end when it ends
    syscalls: bool = False                        # trace what the program asks of the kernel, by strace
    group: int = 0                                # for programs: the terminal's foreground process group

    def to_json(self) -> str:
        """As `from_json` reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> AgentOptions:
        """Read what `to_json` wrote."""
        data = json.loads(text)
        data["ports"] = tuple(data["ports"])
        data["command"] = tuple(data["command"])
        data["terminal"] = tuple(data["terminal"]) if data["terminal"] else None
        return cls(**data)
