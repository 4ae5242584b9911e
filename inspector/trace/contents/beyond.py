"""Connections of the lab that our relay took and could not lead on: nobody was there outside.

Events of the relay ("failed", with the connection's ends) -> the finding of such a conversation. The relay's
reset stands in the packets as if a server had sent it; no server is to blame for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from inspector.model.endpoint import join_endpoint
from inspector.model.language import sentence
from inspector.model.packets import rows_in
from inspector.wire.tcp.rules import BOOK

if TYPE_CHECKING:
    from inspector.model.records import Event
    from inspector.trace.flows.tcp import TcpFlow
    from inspector.wire.findings import Finding


class Beyond:
    """What the relay could not reach, by the end in the lab that wanted it."""

    def __init__(self) -> None:
        self._read = 0
        self._wanted: dict[str, str] = {}

    def update(self, events: Sequence[Event]) -> bool:
        """Read on in the trace's events; whether there is any."""
        for event in events[self._read :]:
            if event.kind == "failed" and (inside := event.known.get("inside")):
                self._wanted[inside] = event.known.get("outside", "")
        self._read = len(events)
        return bool(self._wanted)

    def finding(self, flow: TcpFlow) -> Finding | None:
        """What is to be said of this conversation, in place of what its packets look like."""
        ends = (join_endpoint(*flow.a), join_endpoint(*flow.b))
        target = next((self._wanted[end] for end in ends if end in self._wanted), None)
        if target is None:
            return None
        text = sentence("The relay took this connection for {target}, and nobody was to be reached there, "
                        "outside of the lab: the reset is the relay's.", target=target)
        return BOOK.finding("tcp.connection-refused", text).at(flow.stream, rows_in(flow.rows))
