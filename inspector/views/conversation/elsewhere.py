"""Where a trace has messages, for a conversation that has none: its others, decoded in short turns.

Trace -> `Elsewhere` -> a page of sentences, each leading to the first packet of the conversation it names.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from inspector.model.endpoint import join_endpoint
from inspector.model.language import sentence, tr
from inspector.model.numbers import TCP
from inspector.model.packets import packet_number, row_at
from inspector.model.units import amount
from inspector.trace.flows.missing import missing_bytes
from inspector.trace.packet.facts import DEEP
from inspector.views.conversation.messages import message_layer
from inspector.views.line.document import Document, Page

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

_MOST = 200          # conversations that are looked into
_NAMED = 8           # and of those with messages, how many are named


class Elsewhere:
    """`update` until `complete`; `page` says what was found so far."""

    def __init__(self, trace: Trace, protocol: str, stream: int) -> None:
        """`protocol` ("tcp", "udp") and `stream`: the conversation without messages."""
        self._trace, self._protocol, self._stream = trace, protocol, stream
        self._next_stream = 0
        self._found: list[tuple[str, int]] = []          # protocol's title, number of the conversation

    @property
    def complete(self) -> bool:
        """Whether all that it looks into was looked into."""
        return self._next_stream >= min(len(self._trace.index.streams[TCP]), _MOST)

    def update(self, seconds: float) -> bool:
        """Look into conversations for about that long; True when there is more to say."""
        before, until = len(self._found), time.monotonic() + seconds
        while not self.complete and time.monotonic() < until:
            stream, self._next_stream = self._next_stream, self._next_stream + 1
            here = self._protocol == "tcp" and stream == self._stream
            if here or len(self._trace.rows_of("tcp", stream)) > DEEP:
                continue
            if not self._trace.advance(stream, until - time.monotonic()):
                self._next_stream = stream
                break
            layer = message_layer(self._trace, stream)
            if layer is not None:
                title = self._trace.application(stream).layers[layer].protocol.title
                self._found.append((title, stream))
        return len(self._found) > before

    def page(self, width: int) -> Page:
        """What there is to say, in `width` cells."""
        document = Document()
        document.prose(self._here(), style="dim")
        if self._found:
            document.heading(tr("Messages are elsewhere in this trace"), tr("0 lists all conversations"))
        for title, stream in self._found[:_NAMED]:
            flow = self._trace.flow(stream)
            ends = f"{join_endpoint(*flow.a)} ↔ {join_endpoint(*flow.b)}"
            row = row_at(self._trace.rows_of("tcp", stream), 0)
            where = tr("{ends}, from packet {number}", ends=ends, number=packet_number(row))
            document.fact(f"TCP {stream}", title, where, row=row)
        if len(self._found) > _NAMED:
            more = len(self._found) - _NAMED
            document.prose(tr("and in {count} more conversations.", count=more), style="dim")
        return document.page(width)

    def _here(self) -> str:
        if self._protocol == "udp":
            return tr("UDP {number} has no stream of messages: every datagram stands for itself, and the "
                      "packets tell what it says.", number=self._stream)
        flow = self._trace.flow(self._stream)
        streams = flow.streams
        lacking = sum(missing_bytes(self._trace, flow, direction) for direction in (0, 1))
        size = amount(lacking, "byte")
        if not any(one.length for one in streams) and not lacking:
            why = (sentence("No bytes were sent in it so far.") if self._trace.may_grow else
                   sentence("No bytes were sent in it."))
        elif self._trace.cut and any(gap.cut for one in streams if (gap := one.gap_from(0)) is not None):
            why = sentence("The capture cut its packets short, so that they may be in what is not there.")
        elif lacking and not any(one.captured for one in streams):
            why = sentence("The capture lacks all that was sent in it, {size}.", size=size)
        elif lacking:
            why = sentence("The capture lacks {size} of it, so that what is spoken may not be known; pane "
                           "Stream shows the rest.", size=size)
        else:
            why = sentence("Its bytes are of no protocol that is known here: pane Stream shows them.")
        return tr("No messages in this conversation, TCP {number}. {why}", number=self._stream, why=why)
