"""A WebSocket frame as parts of a packet's detail: its header bit by bit, its payload in each form.

The header's fields are scapy's, by our layer for it; the payload is read from the stream again.
"""

from __future__ import annotations

from typing import Protocol

from inspector.model.language import marked, sentence
from inspector.protocols.api import Part, Source
from inspector.protocols.websocket.columns.columns import WebSocketFrameRecord
from inspector.protocols.websocket.rules import Close
from inspector.wire.text import escaped, worded

_READ = 4096            # bytes of a payload that are read for the tree
_MEANINGS = {
    "websocket.fin": (sentence("more fragments follow"), sentence("last or only fragment")),
    "websocket.mask": (sentence("not masked"), sentence("masked")),
}


class Reader(Protocol):
    """What gives the payload of a frame in each of its forms."""

    source: Source

    def wire_payload(self, record: WebSocketFrameRecord, limit: int) -> bytes:
        """As it was sent, but unmasked."""

    def payload(self, record: WebSocketFrameRecord, limit: int) -> bytes:
        """Unmasked, and inflated where it was compressed."""

    def close_of(self, record: WebSocketFrameRecord) -> Close:
        """What a Close frame says."""


def frame_parts(decoder: Reader, frame: WebSocketFrameRecord) -> tuple[Part, ...]:
    """The parts of a frame; [start, stop) bytes of its direction's stream."""
    from inspector.protocols.websocket.layer import WebSocketFrame  # scapy, which takes a while to start
    from inspector.wire.dissection.tree import dissect_layer
    from inspector.wire.dissection.values import bytes_text

    stop = min(frame.stop, frame.payload_start + _READ)
    data = decoder.source.streams[frame.direction].read(frame.start, stop)
    found = []
    for child in dissect_layer(WebSocketFrame, data).children:
        if child.name in ("websocket.payload_raw", "websocket.payload"):
            continue
        value = child.value
        if child.name in _MEANINGS:
            value = worded((value, _MEANINGS[child.name][value == "1"]))
        elif child.name == "websocket.rsv1" and frame.compressed:
            value = worded((value, sentence("the message is compressed (permessage-deflate)")))
        found.append(Part(child.name, child.label, value, frame.start + child.start, frame.start + child.stop,
                          child.bit_start, child.bit_stop))
    span = frame.payload_start, frame.stop
    if frame.payload_length:
        wire = data[frame.header_size :]
        label = marked("Payload as on the wire") if frame.masked else marked("Payload")
        shown = wire[:32].hex(" ") + (" …" if len(wire) > 32 else "") if frame.masked else bytes_text(wire)
        found.append(Part("websocket.payload_raw", label, shown, *span))
        if frame.masked:
            plain = bytes_text(decoder.wire_payload(frame, _READ))
            found.append(Part("websocket.payload", "Payload unmasked", plain, *span))
        if frame.compressed:
            plain = bytes_text(decoder.payload(frame, _READ))
            found.append(Part("websocket.payload", "Payload inflated", plain, *span))
    if frame.opcode == 8 and frame.payload_length:
        close = decoder.close_of(frame)
        text = f"{close.code} {close.meaning}" if close.code is not None else ""
        reason = escaped(text, 200) or sentence("none")
        found.append(Part("websocket.close", "Close", reason, *span))
    return tuple(found)
