"""UDP: datagrams, no connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.commands import Close, Connect
from inspector.model.spec import SessionSpec
from inspector.sessions.kinds.kind import HEX, TEXT, Ending, Kind, Runner, Scheme
from inspector.sessions.kinds.options import (
    BEHAVIOUR,
    CONNECTED,
    ENDING_OPTIONS,
    IPV6,
    LISTENING,
    PACE,
    TO,
    WIRE_OPTIONS,
)

if TYPE_CHECKING:
    from inspector.sessions.context import Context


def _server(context: Context) -> Runner:
    # here and below: for the time of start-up, since the launcher needs none of it
    from inspector.sessions.kinds.udp.ends import UdpServer

    return UdpServer(context)


def _client(context: Context) -> Runner:
    from inspector.sessions.kinds.udp.ends import UdpClient

    return UdpClient(context)


def _check(spec: SessionSpec) -> None:
    if spec.behaviour == "push" and not spec.messages:
        raise ValueError("A UDP server pushes to whoever sent it a datagram; give at least one message.")


KIND = Kind(
    name="udp", title="UDP", key="u", about="single datagrams: no handshake, no promise", port=9001,
    messages=("hello", "how are you?"), check=_check, server=_server, client=_client, forms=(TEXT, HEX),
    endings=(
        Ending("c", "Close the client", "nothing is sent: UDP has no goodbye", Close("client")),
        Ending("v", "Close the server", "the next datagram meets nobody: ICMP", Close("server")),
        Ending("n", "Client, open anew", "when it is closed: another socket", Connect("client")),
        Ending("N", "Server, open anew", "when it is closed: bound to its port again", Connect("server")),
    ),
    options=(BEHAVIOUR, IPV6, LISTENING, TO, PACE, *WIRE_OPTIONS, *ENDING_OPTIONS, CONNECTED),
    schemes=(Scheme("udp"),), transport="udp",
)  # fmt: skip
