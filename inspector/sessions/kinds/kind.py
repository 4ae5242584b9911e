"""What a kind of session is made of: its name and port, what may be said in it, how it ends, who runs it.

A `Kind` stands in its own file and in `kinds.REGISTRY`; launcher, composer, menus, commands, help and the
endpoints are made of it. Its runners are callables, which import the protocol's library only when called.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from inspector.model.endpoint import Transport
from inspector.model.language import sentence, tr
from inspector.model.messages import Message, checked, parse_message, parse_request
from inspector.sessions.kinds.options import (
    BEHAVIOUR,
    ENDING_OPTIONS,
    INSECURE,
    IPV6,
    KERNEL_TIMES,
    LISTENING,
    PACE,
    TLS,
    TO,
    WINDOW,
    WIRE_OPTIONS,
    Option,
)
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.model.commands import EndpointCommand, SocketCommand
    from inspector.model.spec import Role, SessionSpec
    from inspector.sessions.context import Context
    from inspector.sessions.stream.connection import Exchange

STREAM_OPTIONS = (
    BEHAVIOUR, IPV6, LISTENING, TO, TLS, INSECURE, KERNEL_TIMES, PACE, *WIRE_OPTIONS, WINDOW, *ENDING_OPTIONS,
)  # fmt: skip
FRAGMENTS = 3


class Runner(Protocol):
    """One role of one kind of session."""

    def run(self) -> None:
        """Do all that is asked; FailedError or EndedError."""

    def command(self, command: SocketCommand) -> None:
        """Do what a person asks."""

    def close(self) -> None:
        """Close every socket that is open."""

    def interrupt(self) -> None:
        """Make calls that still block return; called from another thread."""


class Form(NamedTuple):
    """One way to say something by hand: its name, a hint what to type, how the text becomes a message.

    `read` raises ValueError with one sentence for a text that cannot be said in this form; it can read
    `example`.
    """

    name: str
    hint: str
    example: str
    read: Callable[[str], Message]
    server_hint: str = ""              # where the server's hint is another one
    wide_hint: str = ""                # the client's where the line has room for it

    def hint_for(self, role: Role) -> str:
        """The hint at this end."""
        return self.server_hint if role == "server" and self.server_hint else self.hint


class Ending(NamedTuple):
    """One way to go on or end by hand: the menu's key, its name, what comes of it, the command."""

    key: str
    name: str
    about: str
    command: EndpointCommand


class Scheme(NamedTuple):
    """A URL by which a service of a kind is named. `port`: its usual one, 0 where each URL has to say it."""

    name: str
    port: int = 0
    secure: bool = False               # spoken by TLS


def accept_any(spec: SessionSpec) -> None:
    """The check of a kind that needs none beyond that of each message."""


def lacks_nothing() -> str:
    """Of a kind that needs nothing but us."""
    return ""


class Kind(NamedTuple):
    """One kind of session; see the module's text."""

    name: str                          # in specs, in file names, on the command line
    title: str                         # for people
    key: str                           # the launcher's, "" where it is not listed there
    about: str                         # one line for the launcher
    port: int                          # where the server listens unless told otherwise
    messages: tuple[str, ...]          # what the client's script sends unless told otherwise
    server: Callable[[Context], Runner]
    client: Callable[[Context], Runner]
    forms: tuple[Form, ...]            # the first is the composer's usual one
    endings: tuple[Ending, ...]
    options: tuple[Option, ...] = STREAM_OPTIONS
    message_help: str = ""             # what a message of a script may be beside text, for `run --help`
    messages_for_push: tuple[str, ...] | None = None    # the same where the server pushes, if other ones
    check_message: Callable[[str], object] = parse_message   # ValueError: cannot be a message of a script
    takes_requests: bool = False       # what its client says are requests of HTTP
    check: Callable[[SessionSpec], None] = accept_any        # ValueError: cannot be a session
    lacking: Callable[[], str] = lacks_nothing               # why it cannot be on this machine, a sentence
    starts_programs: bool = False      # others than our own, of this machine
    schemes: tuple[Scheme, ...] = ()   # of services of this kind that a client of ours can talk to
    takes_path: bool = False           # a URL's path, and headers, mean something to it
    asks: str = ""                     # the message that asks for a URL's "{path}" at once
    transport: Transport = "tcp"

    def check_typed(self, message: Message) -> None:
        """ValueError, a sentence, where the client cannot say what a person typed; the line is kept then."""
        if self.takes_requests:
            parse_request(message)

    def endings_of(self, spec: SessionSpec) -> tuple[Ending, ...]:
        """The ways to end that a session has: a server that is not ours is nobody's to close here."""
        return tuple(one for one in self.endings if spec.own_server or one.command.to != "server")

    def read(self, text: str) -> Message:
        """A message of a script; ValueError where it cannot be one. A request goes as it stands."""
        found = self.check_message(text)
        return found if isinstance(found, Message) else Message(text.encode())

    def typed(self, message: Message) -> tuple[Form, str] | None:
        """The form and the text by which a person would say a message; None where no form can."""
        texts = [message.data.hex(" ")]
        with contextlib.suppress(UnicodeDecodeError):
            texts.insert(0, message.data.decode())
        for form in self.forms:
            for text in texts:
                with contextlib.suppress(ValueError):
                    if form.read(text) == message:
                        return form, text
        return None

    def runner(self, context: Context) -> Runner:
        """Who does the context's role."""
        return self.server(context) if context.role == "server" else self.client(context)


def stream_server(exchange: Callable[[], type[Exchange]]) -> Callable[[Context], Runner]:
    """A server on TCP connections; `exchange` loads what it says and does on each."""
    def made(context: Context) -> Runner:
        from inspector.sessions.stream.ends import StreamServer  # here and below: for the time of start-up

        return StreamServer(context, exchange)

    return made


def stream_client(exchange: Callable[[], type[Exchange]]) -> Callable[[Context], Runner]:
    """A client on TCP connections, as `stream_server`."""
    def made(context: Context) -> Runner:
        from inspector.sessions.stream.ends import StreamClient

        return StreamClient(context, exchange)

    return made


def read_hex(text: str) -> Message:
    """Bytes typed as hex digits, with or without 0x, blanks, colons, commas."""
    digits = re.sub(r"0x|[\s:,]", "", text)
    if not digits or len(digits) % 2 or not re.fullmatch(r"[0-9a-fA-F]+", digits):
        raise ValueError(tr("{text} is not hex: a byte is two digits, such as 68 65 6c.",
                            text=escaped(text, 24) or tr("Nothing")))
    return Message(bytes.fromhex(digits), "binary")


def with_line_ends(text: str) -> bytes:
    """A text as lines, each with CR LF behind it, as SMTP, Redis and many others have them."""
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    return "".join(f"{line}\r\n" for line in lines).encode()


TEXT = Form("text", "type, then Enter", "hello", lambda text: Message(text.encode()))
LINES = Form("lines", "lines: each sent with CR LF", "PING", lambda text: Message(with_line_ends(text)))
HEX = Form("hex", "hex: 68 65 6c 6c 6f", "68 65 6c 6c 6f", read_hex)
BINARY = Form("binary", "hex: 00 ff 10", "00 ff 10", read_hex)
PING = Form("ping", "what the ping carries", "are you there?",
            lambda text: checked(Message(text.encode(), "ping")))  # fmt: skip
IN_FRAGMENTS = Form("fragments", sentence("a text in {count}", count=FRAGMENTS), "in pieces",
                    lambda text: Message(text.encode(), fragments=FRAGMENTS))
