"""The options of a session: each a field of SessionSpec, as the launcher turns it and a command is told it.

A kind lists those that matter to it; the launcher's rows and keys and the options of `inspector run` are made
of them. Port, messages and what a command alone needs (time limits) are no options of a kind.
"""

from __future__ import annotations

from dataclasses import fields
from typing import NamedTuple

from inspector.model.spec import SessionSpec

DEFAULTS = {field.name: field.default for field in fields(SessionSpec)}


class Value(NamedTuple):
    """One value of an option, its name, and what it does."""

    value: bool | str
    name: str
    about: str


class Option(NamedTuple):
    """One option. `values`: the default first; none where any text or number may stand.

    `key` turns it in the launcher, "" where it has none; `flag` sets it on the command line, "" where it has
    none: alone it takes the second value, with several values or free ones it is followed by one of them.
    """

    field: str                         # of SessionSpec
    name: str
    values: tuple[Value, ...] = ()
    key: str = ""
    flag: str = ""
    help: str = ""

    @property
    def is_switch(self) -> bool:
        """Whether the flag stands alone."""
        return len(self.values) == 2 and isinstance(self.values[0].value, bool)


BEHAVIOUR = Option("behaviour", "Server", (
    Value("echo", "echo", "sends back what it receives"),
    Value("push", "push", "speaks first, unasked"),
    Value("silent", "silent", "reads and says nothing"),
), "b", "--behaviour", "what the server does.")  # fmt: skip
IPV6 = Option("ipv6", "Address", (
    Value(False, "IPv4", "127.0.0.1"),
    Value(True, "IPv6", "::1"),
), "6", "--ipv6", "talk over ::1 instead of 127.0.0.1.")  # fmt: skip
LISTENING = Option("with_server", "Listening", (
    Value(True, "yes", "a server is there"),
    Value(False, "nobody", "see how the kernel refuses"),
), "l", "--no-server", "nobody listens: see a refusal.")  # fmt: skip
TO = Option("to", "Service", (), "", "--to",
            "talk to this service of yours (HOST:PORT), led through the lab, not to a server of ours.")
TLS = Option("tls", "TLS", (
    Value(False, "plain", "as it is"),
    Value(True, "tls", "encrypted, and opened in the trace"),
), "", "--tls", "speak TLS to the service of --to; the trace has the secrets.")  # fmt: skip
INSECURE = Option("insecure", "Certificate", (
    Value(False, "checked", "as a browser does"),
    Value(True, "any", "whatever it says"),
), "", "--insecure", "with --tls: take any certificate.")  # fmt: skip
KERNEL_TIMES = Option("kernel_times", "Kernel times", (
    Value(False, "no", "calls and packets alone"),
    Value(True, "yes", "what each kernel did when"),
), "", "--kernel-times", "have the kernels tell when they did what with each message (SO_TIMESTAMPING).")
PATH = Option("path", "Path", (), "", "--path", "what the client asks for.")
PACE = Option("paused", "Pace", (
    Value(False, "run", "as fast as they like"),
    Value(True, "step", "one system call for each s"),
), "s")  # fmt: skip
END_BY = Option("end_by", "Ended by", (
    Value("client", "client", "the client closes first"),
    Value("server", "server", "the server closes first"),
), "", "--end-by", "which end closes first.")  # fmt: skip
ENDING = Option("ending", "Ending", (
    Value("close", "close", "in order"),
    Value("half-close", "half-close", "one direction first"),
    Value("abort", "abort", "with a reset"),
), "", "--ending", "how it closes: in order, one direction first, or with a reset.")  # fmt: skip
ENDING_OPTIONS = (END_BY, ENDING)

WIRE = Option("wire", "Wire", (
    Value("loopback", "loopback", "nothing is lost on it"),
    Value("held", "held", "each packet waits for you"),
    Value("open", "open", "pass until you hold them"),
), "i")  # fmt: skip
MTU = Option("mtu", "MTU", (), "", "--mtu", "over a wire whose packets have at most so many bytes.")
LOSS = Option("loss", "Loss", (), "", "--loss", "over a wire that loses so many percent of the packets.")
RATE = Option("rate", "Rate", (), "", "--rate", "over a wire of so many kilobits a second each way.")
LATENCY = Option("latency", "Latency", (), "", "--latency",
                 "over a wire on which a packet takes so many milliseconds.")  # fmt: skip
WIRE_OPTIONS = (WIRE, MTU, LOSS, RATE, LATENCY)
WINDOW = Option("window", "Window", (), "", "--window",
                "each end lets the other send so many bytes at most (TCP_WINDOW_CLAMP).")  # fmt: skip

CONNECTED = Option("connected", "UDP client", (
    Value(True, "connect", "connect(), then send()"),
    Value(False, "sendto", "an address on each datagram"),
), "c", "--unconnected", "the client does not call connect().")  # fmt: skip
CHUNKED = Option("chunked", "HTTP body", (
    Value(False, "length", "Content-Length"),
    Value(True, "chunked", "Transfer-Encoding: chunked"),
), "k", "--chunked", "bodies with Transfer-Encoding: chunked.")  # fmt: skip
KEEP_ALIVE = Option("keep_alive", "Connections", (
    Value(True, "one", "for all requests"),
    Value(False, "many", "one for each request"),
), "", "--no-keep-alive", "a connection for each request.")  # fmt: skip
DEFLATE = Option("deflate", "Compression", (
    Value(False, "plain", "messages as they are"),
    Value(True, "deflate", "offers permessage-deflate"),
), "d", "--deflate", "offer permessage-deflate.")  # fmt: skip
CLOSE_CODE = Option("close_code", "Close code", (), "", "--close-code", "the code of the close frame.")
CLOSE_REASON = Option("close_reason", "Close reason", (), "", "--close-reason", "the reason beside it.")
