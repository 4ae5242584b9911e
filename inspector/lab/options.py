"""What an agent is asked to be, as the parent hands it over: one JSON object on its command line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from inspector.model.spec import SessionSpec
from inspector.model.wiring import Wiring

Mode = Literal["auto", "lab", "host"]


@dataclass(frozen=True, slots=True)
class Outside:
    """What of the lab the host reaches, and what of the host the lab does.

    `publish`: pairs (port in the lab, port of the host), or "all" ports that open. `reach`: pairs (host,
    port), which stand at 127.0.0.1:port in the lab. `via`: pairs (port of the host, port of the host):
    whoever talks to the first one is led through the lab to the second. `names`: triples (address, host,
    port): port 53 of that address in the lab stands for this resolver. `net`: the whole outside
    world, by pasta or slirp4netns.
    """

    publish: tuple[tuple[int, int], ...] | Literal["all"] = ()
    reach: tuple[tuple[str, int], ...] = ()
    via: tuple[tuple[int, int], ...] = ()
    names: tuple[tuple[str, str, int], ...] = ()
    net: bool = False

    def __bool__(self) -> bool:
        return self.relayed or self.net

    @property
    def relayed(self) -> bool:
        """Whether a relay is needed."""
        return bool(self.publish or self.reach or self.via or self.names)

    @classmethod
    def of(cls, data: dict[str, Any]) -> Outside:
        """Out of its own JSON."""
        publish = data["publish"]
        return cls(
            "all" if publish == "all" else tuple((int(a), int(b)) for a, b in publish),
            tuple((str(host), int(port)) for host, port in data["reach"]),
            tuple((int(a), int(b)) for a, b in data["via"]),
            tuple((str(address), str(host), int(port)) for address, host, port in data["names"]),
            bool(data["net"]),
        )


NOTHING = Outside()


def reaching(spec: SessionSpec) -> Outside:
    """What a session needs of the host: the service that its client talks to."""
    return Outside(reach=(spec.service,)) if spec.service is not None else NOTHING


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept of the traffic, and for how long; sizes in bytes, 0 is no limit."""

    filter: str = ""               # pcap-filter(7)
    snaplen: int = 0
    max_size: int = 0
    packets: int = 0
    seconds: float = 0.0


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Process:
    """Whose ports are watched, its children's too: the process of a number, or all of a name, once there."""

    pid: int = 0
    name: str = ""

    @property
    def words(self) -> str:
        """`process 812 (nginx)`, `processes named nginx`."""
        if not self.pid:
            return f"processes named {self.name}"
        return f"process {self.pid}" + (f" ({self.name})" if self.name else "")


@dataclass(frozen=True, slots=True)
class Watch:
    """What is captured without a session of ours: ports of this machine (none: all), or, with `outside`,
    what is led through the lab. `save`: a file that is open for the trace, and the name that people know.
    `packet_socket`: what captures, opened by somebody with the privilege (lab/capture/); -1: none.
    `place`: in which other network, in words. `process`: the ports are those that it has."""

    ports: tuple[int, ...] = ()
    outside: Outside = NOTHING
    limits: Limits = NO_LIMITS
    save: tuple[Path, str] | None = None
    packet_socket: int = -1
    place: str = ""
    process: Process | None = None

    @property
    def words(self) -> str:
        """`port 8000`, `8001 → 8000, relayed`, `all ports`."""
        if self.outside.via:
            return ", ".join(f"{listen} → {target}" for listen, target in self.outside.via) + ", relayed"
        ports = f"port{'s' if len(self.ports) > 1 else ''} {', '.join(map(str, self.ports))}"
        whose = "" if self.process is None else self.process.words
        only = (whose, ports if self.ports else "", self.limits.filter, self.place)
        return ", ".join(filter(None, only)) or "all ports"


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """`ports` and `limits` narrow the capture. Descriptors are inherited."""

    mode: Mode = "auto"
    ports: tuple[int, ...] = ()
    limits: Limits = NO_LIMITS
    wake: int = -1                                # gets the mode's letter, then a byte after each write
    terminal: tuple[int, int, int] | None = None  # for programs: their standard input, output and error
    command: tuple[str, ...] = ()                 # run this program at once, and end when it ends
    syscalls: bool = False                        # trace what the program asks of the kernel, by strace
    outside: Outside = NOTHING
    packet_socket: int = -1                       # what captures, opened by somebody with the privilege
    place: str = ""                               # the socket hears another network: which, in words
    process: Process | None = None                # what is kept is what has one of its ports
    wiring: Wiring | None = None                  # a wire between the ends, not the loopback
    group: int = 0                                # for programs: the terminal's foreground process group

    def to_json(self) -> str:
        """As `from_json` reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> AgentOptions:
        """Read what `to_json` wrote."""
        data = json.loads(text)
        data["ports"] = tuple(data["ports"])
        data["limits"] = Limits(**data["limits"])
        data["outside"] = Outside.of(data["outside"])
        if data["wiring"] is not None:
            data["wiring"] = Wiring(**data["wiring"] | {"rules": tuple(data["wiring"]["rules"])})
        if data["process"] is not None:
            data["process"] = Process(**data["process"])
        data["command"] = tuple(data["command"])
        data["terminal"] = tuple(data["terminal"]) if data["terminal"] else None
        return cls(**data)
