"""What a session is to do: the one description that commands, app, agent and endpoints share.

A `SessionSpec` travels as one flat JSON object: app -> agent (`commands.Start`) -> each endpoint (first line
of its standard input). Plain data: what a kind of session makes of it (its port, its messages, what it
accepts) is the registry's in `inspector.sessions.kinds`, whose `resolved` fills it in.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from inspector.model.endpoint import split_endpoint
from inspector.model.language import tr
from inspector.model.messages import check_close
from inspector.model.wiring import LEAST_IPV6_MTU, LEAST_MTU, MOST_MTU, WIRE_ADDRESSES, Wiring, rule_of

Behaviour = Literal["echo", "push", "silent"]
Role = Literal["server", "client"]
Ending = Literal["close", "half-close", "abort", "none"]
Wire = Literal["loopback", "open", "held"]

ROLES: tuple[Role, ...] = get_args(Role)
ENDINGS: tuple[Ending, ...] = get_args(Ending)
BEHAVIOURS: tuple[Behaviour, ...] = get_args(Behaviour)
WIRES: tuple[Wire, ...] = get_args(Wire)
MAX_PUSH = 10_000
MAX_SECONDS = 3600
MOST_RATE = 1_000_000                          # kilobits a second
LEAST_WINDOW, MOST_WINDOW = 1152, 1 << 30      # bytes; Linux takes no receive buffer that is smaller
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e]*")      # RFC 9110 section 5
_PATH = re.compile(r"/[\x21-\x7e]*")


class SpecError(ValueError):
    """A session was described wrongly; the text is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """One session between one server and one client.

    `messages` are what the client's script sends (HTTP: "GET /path", "POST /path body"; prefix
    "hex:" for bytes, WebSocket also "ping:", "binary:", "fragments:N:"). `interactive` endpoints stay
    after their script and take commands; others end by `ending`, done by `end_by`. An interactive end
    closes after the peer's FIN when `ending` is "close", and else keeps its direction open.
    """

    kind: str = "tcp"                  # a name in sessions.kinds.REGISTRY
    behaviour: Behaviour = "echo"
    ipv6: bool = False
    port: int = 0                      # 0: the kind's default port
    messages: tuple[str, ...] | None = None   # None: the kind's greeting
    interactive: bool = False
    paused: bool = False               # start in single-step: the endpoints wait before each call
    with_server: bool = True           # False: nobody listens (refused, ICMP unreachable)
    to: str = ""                       # "127.0.0.1:8000": the server is this service, led to through the lab
    tls: bool = False                  # with `to`: by TLS
    kernel_times: bool = False         # tcp: the kernel tells when it did what (SO_TIMESTAMPING)
    insecure: bool = False             # tls: whatever the service's certificate says
    path: str = "/chat"                # websocket: what the client asks for
    headers: tuple[str, ...] | None = None    # http, websocket: "Name: value", beside the client's own
    ending: Ending = "close"
    end_by: Role = "client"
    connected: bool = True             # udp: the client calls connect()
    error_queue: bool = True           # udp: an unconnected client asks for ICMP errors (IP_RECVERR)
    chunked: bool = False              # http: bodies with Transfer-Encoding: chunked
    keep_alive: bool = True            # http: one connection for all requests
    deflate: bool = False              # websocket: offer permessage-deflate
    close_code: int = 1000             # websocket
    close_reason: str = ""             # websocket
    push_count: int = 3                # push: how many messages the server sends unasked
    push_interval: float = 0.2         # push: seconds between them
    wire: Wire = "loopback"            # open, held: a wire between two networks, on which packets can be lost
    wire_rules: tuple[str, ...] | None = None  # what it does to which packets, as `wiring.rule_of` reads it
    mtu: int = 0                       # of the wire, bytes; 0: as it comes, here and below
    loss: float = 0.0                  # of the wire, percent
    rate: int = 0                      # of the wire, kilobits a second
    latency: float = 0.0               # of the wire, milliseconds one way
    window: int = 0                    # the most that an end lets the other send, bytes (TCP_WINDOW_CLAMP)
    timeout: float = 10.0              # scripts: seconds in which nothing happens before one gives up

    @property
    def own_server(self) -> bool:
        """Whether one of the two endpoints is a server of ours."""
        return self.with_server and not self.to

    @property
    def service(self) -> tuple[str, int] | None:
        """Host and port of the service that the client talks to; None where the server is ours, or nobody."""
        return split_endpoint(self.to) if self.to else None

    @property
    def header_pairs(self) -> tuple[tuple[str, str], ...]:
        """`headers` as names and values."""
        pairs = (line.partition(":") for line in self.headers or ())
        return tuple((name.strip(), value.strip()) for name, _, value in pairs)

    @property
    def address(self) -> str:
        """The address the server binds: a loopback's, or its end's of the wire."""
        if self.wiring is not None:
            return WIRE_ADDRESSES["server"][self.ipv6]
        return "::1" if self.ipv6 else "127.0.0.1"

    @property
    def wiring(self) -> Wiring | None:
        """What is asked of the wire between the ends; None where they talk over the loopback."""
        asked = (self.wire_rules, self.mtu, self.loss, self.rate, self.latency)
        if self.wire == "loopback" and not any(asked):
            return None
        rules = self.wire_rules or ()
        return Wiring(self.wire == "held", rules, self.mtu, self.loss, self.rate, self.latency)

    def check(self) -> None:
        """SpecError where a value cannot be, whatever the kind."""
        _choice("behaviour", self.behaviour, BEHAVIOURS)
        _choice("ending", self.ending, ENDINGS)
        _choice("role", self.end_by, ROLES)
        if not 0 <= self.port <= 65535:
            raise SpecError(tr("Port {port} is out of range; a port is a number from 1 to 65535.",
                               port=self.port))
        if not 0 <= self.push_count <= MAX_PUSH:
            raise SpecError(tr("A server pushes 0 to {most} messages, not {count}.",
                               most=MAX_PUSH, count=self.push_count))
        if not (0 <= self.push_interval <= MAX_SECONDS and 0 < self.timeout <= MAX_SECONDS):
            raise SpecError(tr("Intervals and time limits are seconds from 0 to {most}.", most=MAX_SECONDS))
        try:
            service = self.service
        except ValueError as error:
            raise SpecError(f"{error}.") from None
        if service is not None and self.port not in (0, service[1]):
            raise SpecError(f"The service {self.to} is led to by its own port, not by {self.port}.")
        if self.tls and not self.to:
            raise SpecError("TLS is spoken to a service of yours alone: our own server has none.")
        if self.insecure and not self.tls:
            raise SpecError("A certificate is only there with TLS.")
        self._check_wire()
        for line in self.headers or ():
            if not _HEADER.fullmatch(line):
                raise SpecError(f"{line!r:.60} is no header, as in 'Name: value'.")
        if not _PATH.fullmatch(self.path):
            raise SpecError(f"{self.path!r:.60} is no path: it begins with '/' and has no blanks.")
        try:
            check_close(self.close_code, self.close_reason)
        except ValueError as error:
            raise SpecError(str(error)) from None

    def _check_wire(self) -> None:
        _choice("wire", self.wire, WIRES)
        try:
            for text in self.wire_rules or ():
                rule_of(text)
        except ValueError as error:
            raise SpecError(str(error)) from None
        if self.wiring is not None and self.to:
            raise SpecError(
                tr("A wire that can lose packets has a server of ours at its other end, no service."))
        least_mtu = LEAST_IPV6_MTU if self.ipv6 else LEAST_MTU
        for name, value, least, most in (
            ("MTU", self.mtu, least_mtu, MOST_MTU), ("rate", self.rate, 1, MOST_RATE),
            ("window", self.window, LEAST_WINDOW, MOST_WINDOW),
        ):  # fmt: skip
            if value and not least <= value <= most:
                raise SpecError(f"The {name} is a number from {least} to {most}, not {value}.")
        if not (0 <= self.loss <= 100 and 0 <= self.latency <= 60_000):
            raise SpecError("Loss is a percentage from 0 to 100, latency milliseconds from 0 to 60000.")

    def to_json(self) -> dict[str, Any]:
        """A flat JSON object, as it travels to the agent and the endpoints."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: object) -> SessionSpec:
        """Read what `to_json` wrote, an object or its text; SpecError for anything else."""
        try:
            data = json.loads(value) if isinstance(value, str | bytes) else value
        except (ValueError, RecursionError):
            raise SpecError("A session is described by a JSON object.") from None
        if not isinstance(data, dict):
            raise SpecError("A session is described by a JSON object.")
        unknown = sorted(set(data) - {field.name for field in fields(cls)})
        if unknown:
            raise SpecError(f"A session has no {', '.join(map(_key, unknown[:5]))}.")
        spec = cls(**{
            field.name: _typed(field.name, data[field.name], field.default)
            for field in fields(cls) if field.name in data
        })  # fmt: skip
        spec.check()
        return spec


def _key(name: str) -> str:
    """A key as a sentence names it: any other than a word in quotes, without control characters."""
    return name if name.isascii() and name.isidentifier() and len(name) <= 40 else f"{name!r:.40}"


def _choice(what: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise SpecError(f"There is no {what} {value!r:.40}; choose from {', '.join(choices)}.")


def _typed(name: str, value: Any, default: Any) -> Any:
    """The value of a field, if its type is that of the field's default; lists become tuples of texts."""
    if default is None:
        if value is None:
            return None
        if isinstance(value, list | tuple) and all(_is_text(each) for each in value):
            return tuple(value)
    elif isinstance(value, bool) == isinstance(default, bool):
        if isinstance(value, type(default)) and (not isinstance(value, str) or _is_text(value)):
            return value
        if isinstance(default, float) and isinstance(value, int) and abs(value) <= MAX_SECONDS:
            return float(value)
    raise SpecError(f"A session's {name} cannot be {value!r:.40}.")


def _is_text(value: object) -> bool:
    """Whether it is a string that can be sent: JSON may hold half of a surrogate pair."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def push_messages(spec: SessionSpec) -> tuple[str, ...]:
    """What the server sends unasked; nothing unless the behaviour is push."""
    return event_texts(spec) if spec.behaviour == "push" else ()


def event_texts(spec: SessionSpec) -> tuple[str, ...]:
    """The texts of pushed messages; with HTTP what `GET /push` brings, whatever the behaviour."""
    return tuple(f"push {number} of {spec.push_count}" for number in range(1, spec.push_count + 1))
