"""TCP with a server that does not read for a while: its window closes, is probed, and opens again.

The client sends more than the server's receive buffer takes. The kernel acknowledges what fits and then
announces a window of 0; the client's kernel asks again and again (zero-window probes, RFC 9293 §3.8.6.1).
When the server reads on, a window update lets the rest flow, and the server says how much it has got.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.sessions.kinds.kind import HEX, TEXT, Kind, stream_client, stream_server
from inspector.sessions.kinds.options import (
    ENDING_OPTIONS,
    IPV6,
    KERNEL_TIMES,
    LISTENING,
    PACE,
    WINDOW,
    WIRE_OPTIONS,
)
from inspector.sessions.kinds.tcp import ENDINGS

if TYPE_CHECKING:
    from inspector.sessions.stream.connection import Exchange


def _server_exchange() -> type[Exchange]:
    # here and below: for the time of start-up, since the launcher needs none of it
    from inspector.sessions.kinds.slow_reader.exchange import SlowServerExchange

    return SlowServerExchange


def _client_exchange() -> type[Exchange]:
    from inspector.sessions.kinds.slow_reader.exchange import BulkClientExchange

    return BulkClientExchange


KIND = Kind(
    name="slow-reader", title="Slow reader", key="r",
    about="TCP to a server that rests: its window closes, then opens", port=9002,
    messages=("more than you can read. ",), forms=(TEXT, HEX), endings=ENDINGS,
    options=(IPV6, LISTENING, KERNEL_TIMES, PACE, *WIRE_OPTIONS, WINDOW, *ENDING_OPTIONS),
    message_help="the messages together are repeated to 256 KiB",
    server=stream_server(_server_exchange),
    client=stream_client(_client_exchange),
)  # fmt: skip
