"""HTTP messages and WebSocket frames of a packet as subtrees of its dissection.

Decoded messages on the reassembled stream -> fields with the bytes of this frame that hold them. What
lies in other packets has no bytes here (start == stop) and says where it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from inspector.wire.dissection.field import Field
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.protocols.http.message import HttpMessage
    from inspector.protocols.websocket.columns import WebSocketFrameRecord
    from inspector.trace.application.application import Application
    from inspector.trace.flows.tcp import TcpFlow
    from inspector.trace.trace import Trace

_READ = 4096            # bytes of a frame's payload, or of a body, that are read for the tree
_MOST = 64              # messages or frames shown of one packet
_HEADERS = 256
_MEANINGS = {
    "websocket.fin": ("more fragments follow", "last or only fragment"),
    "websocket.mask": ("not masked", "masked"),
}


def application_fields(trace: Trace, row: int) -> tuple[Field, ...]:
    """The subtrees of what TCP packet `row` carries; none where nothing was decoded."""
    stream = int(trace.index.stream[row])
    flow, application = trace.flow(stream), trace.application(stream)
    here = flow.streams[flow.direction(row)].range_of(row)
    if here is None:
        return ()
    place = _Place(trace, flow, row, here)
    fields = [_http(message, application, place) for message in application.http_of(row)[:_MOST]]
    fields += [_websocket(frame, application, place) for frame in application.frames_of(row)[:_MOST]]
    return tuple(fields)


class _Place:
    """Where octets of the stream lie in one packet's frame."""

    def __init__(self, trace: Trace, flow: TcpFlow, row: int, here: tuple[int, int]) -> None:
        self.stream = flow.streams[flow.direction(row)]
        self.here = here
        self.row = row
        self.payload = int(trace.index.payload[row])
        self.captured = int(trace.index.cap_len[row])

    def field(self, name: str, label: str, value: str, start: int, stop: int,
              children: tuple[Field, ...] = ()) -> Field:
        """A field of stream octets [start, stop), with its bytes in this frame."""
        first, last = self.bytes(start, stop)
        return Field(name, label, value + self.elsewhere(start, stop), first, last, children=children)

    def bytes(self, start: int, stop: int) -> tuple[int, int]:
        """The bytes of the frame that hold stream octets [start, stop); empty where none do."""
        first, last = max(start, self.here[0]), min(stop, self.here[1])
        if first >= last:
            return 0, 0
        shift = self.payload - self.here[0]
        return min(first + shift, self.captured), min(last + shift, self.captured)

    def elsewhere(self, start: int, stop: int) -> str:
        """Where the octets that are not in this packet are: "  (continues in packet 12)"."""
        words = []
        if start < self.here[0] and start < stop:
            words.append(f"begins in {self._packet(start)}")
        if stop > self.here[1] and start < stop:
            words.append(f"continues in {self._packet(max(start, self.here[1]))}")
        return f"  ({', '.join(words)})" if words else ""

    def _packet(self, offset: int) -> str:
        row = next((piece.row for piece in self.stream.pieces(offset, offset + 1)), None)
        return "a packet not captured" if row is None else f"packet {row + 1}"


def _http(message: HttpMessage, application: Application, place: _Place) -> Field:
    parts = [place.field("http.request.line" if message.is_request else "http.response.line", "Start line",
                         escaped(message.start_line, 400), message.start, message.line_stop)]
    for header in message.headers[:_HEADERS]:
        name = f"http.{escaped(header.name.lower().replace('-', '_'), 60)}"
        parts.append(place.field(name, escaped(header.name, 60), escaped(header.value, 400), header.start,
                                 header.stop))
    if message.stop > message.body_start:
        text = _body_text(message, application)
        parts.append(place.field("http.file_data", "Body", text, message.body_start, message.stop))
    title, said = "Hypertext Transfer Protocol", escaped(message.start_line, 120)
    return place.field("http", title, said, message.start, message.stop, tuple(parts))


def _body_text(message: HttpMessage, application: Application) -> str:
    from inspector.wire.dissection.values import bytes_text

    body = application.body(message, _READ)
    size = f"{message.body_length} byte{'' if message.body_length == 1 else 's'}"
    framing = "  chunked" if message.framing == "chunked" else ""
    return f"{size}{framing}  {bytes_text(body)}" if body else size + framing


def _websocket(frame: WebSocketFrameRecord, application: Application, place: _Place) -> Field:
    from inspector.protocols.websocket.layer import WebSocketFrame
    from inspector.wire.dissection.tree import dissect_layer
    from inspector.wire.dissection.values import bytes_text

    data = place.stream.read(frame.start, min(frame.stop, frame.payload_start + _READ))
    header = [child for child in dissect_layer(WebSocketFrame, data).children
              if child.name not in ("websocket.payload_raw", "websocket.payload")]
    parts = list(_moved(header, frame, place))
    if frame.payload_length:
        wire = data[frame.header_size :]
        label = "Payload as on the wire" if frame.masked else "Payload"
        span = frame.payload_start, frame.stop
        shown = wire[:32].hex(" ") + (" …" if len(wire) > 32 else "") if frame.masked else bytes_text(wire)
        parts.append(place.field("websocket.payload_raw", label, shown, *span))
        if frame.masked:
            plain = bytes_text(application.wire_payload(frame.number, _READ))
            parts.append(place.field("websocket.payload", "Payload unmasked", plain, *span))
        if frame.compressed:
            plain = bytes_text(application.payload(frame.number, _READ))
            parts.append(place.field("websocket.payload", "Payload inflated", plain, *span))
    if frame.opcode == 8 and frame.payload_length:
        close = application.close(frame.number)
        text = f"{close.code} {close.meaning}" if close.code is not None else "none"
        parts.append(place.field("websocket.close", "Close", escaped(text, 200), *span))
    title = f"WebSocket frame {frame.number}"
    said = f"{frame.name.upper()}{'' if frame.fin else ', fragment'}, {frame.payload_length} bytes"
    return place.field("websocket", title, said, frame.start, frame.stop, tuple(parts))


def _moved(header: list[Field], frame: WebSocketFrameRecord, place: _Place) -> Iterator[Field]:
    """The header's fields with their bytes in this packet's frame, and what their bits mean."""
    for child in header:
        start, stop = frame.start + child.start, frame.start + child.stop
        first, last = place.bytes(start, stop)
        value = child.value
        if child.name in _MEANINGS:
            value = f"{value}  {_MEANINGS[child.name][value == '1']}"
        elif child.name == "websocket.rsv1" and frame.compressed:
            value += "  the message is compressed (permessage-deflate)"
        yield child._replace(start=first, stop=last, value=value + place.elsewhere(start, stop))
