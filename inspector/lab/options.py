"""What an agent is asked to be, as the parent hands it over: one JSON object on its command line.

Commands and the app make an `AgentOptions` (`Outside`, `Limits`, `Process`, `Watch` within) -> JSON -> the
agent reads it back, and refuses what has another shape with `OptionsError`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from inspector.model.spec import SessionSpec
from inspector.model.wiring import Wiring, rule_of

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
        """Read what `to_json` wrote, all or some of it. OptionsError for anything else."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            raise OptionsError("The agent's options are one JSON object.") from None
        read: AgentOptions = _read(cls, data, "The agent's options")
        for rule in read.wiring.rules if read.wiring is not None else ():
            try:
                rule_of(rule)
            except ValueError as error:
                raise OptionsError(str(error)) from None
        return read


class OptionsError(ValueError):
    """A text that is no options of an agent; one sentence."""


def _read(kind: Any, value: object, what: str) -> Any:
    """A value of this type out of JSON, in which a tuple is a list and a dataclass is an object."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        for each in inside:
            try:
                return _read(each, value, what)
            except OptionsError as error:
                if is_dataclass(each) and isinstance(value, dict):
                    raise error                    # it is the one that is meant
    elif origin is Literal:
        if value in inside:
            return value
    elif origin is tuple and isinstance(value, list):
        of_each = inside[:1] * len(value) if inside[-1:] == (Ellipsis,) else inside
        if len(of_each) == len(value):
            return tuple(_read(one, each, what) for one, each in zip(of_each, value, strict=True))
    elif is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
        return _read_fields(kind, value, what)
    elif type(value) is kind or (kind is float and type(value) is int):
        return value
    raise OptionsError(f"{what} cannot be {value!r:.60}.")


def _read_fields(kind: type, data: dict[str, object], what: str) -> Any:
    types = get_type_hints(kind)
    unknown = sorted(data.keys() - types.keys())
    if unknown:
        raise OptionsError(f"{what} have no {unknown[0]!r:.40}.")
    return kind(**{name: _read(types[name], value, f"The agent's option {name}")
                   for name, value in data.items()})
