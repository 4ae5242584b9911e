"""`ApplicationLayers` with HTTP's and WebSocket's decoders at hand, as most tests of them want it."""

from __future__ import annotations

from collections.abc import Sequence

from inspector.model.packets import Row
from inspector.protocols.api import MessageIndex, MessageNumber
from inspector.protocols.http.decoder import HttpDecoder
from inspector.protocols.http.message import Decoded, HttpMessage
from inspector.protocols.http.upgrade import Upgrade
from inspector.protocols.websocket.columns.columns import WebSocketFrameRecord, WebSocketMessage
from inspector.protocols.websocket.decoder import WebSocketDecoder
from inspector.protocols.websocket.frame import FrameNumber, frame_index
from inspector.protocols.websocket.rules import Close
from inspector.trace.application.application import ApplicationLayers
from inspector.trace.trace import Trace

LIMIT = 64 << 20


def first_messages(count: int) -> Sequence[MessageIndex]:
    """A decoder's first `count` messages."""
    return [MessageIndex(index) for index in range(count)]


class WebLayers(ApplicationLayers):
    """Numbers of frames and messages count from 1."""

    @property
    def _http(self) -> HttpDecoder | None:
        found = self.decoder("http")
        assert found is None or isinstance(found, HttpDecoder)
        return found

    @property
    def websocket(self) -> WebSocketDecoder | None:
        found = self.decoder("websocket")
        assert found is None or isinstance(found, WebSocketDecoder)
        return found

    @property
    def http(self) -> list[HttpMessage]:
        return list(self._http.records if self._http else [])

    @property
    def upgrade(self) -> Upgrade | None:
        return self._http.upgrade if self._http else None

    @property
    def frames(self) -> Sequence[WebSocketFrameRecord]:
        return self.websocket.frames if self.websocket else ()

    @property
    def messages(self) -> Sequence[WebSocketMessage]:
        return self.websocket.messages if self.websocket else ()

    def rows_of_http(self, message: HttpMessage) -> tuple[int, ...]:
        return self.rows_of(message.direction, message.start, message.stop)

    def payload(self, number: FrameNumber, limit: int = LIMIT) -> bytes:
        assert self.websocket is not None
        return self.websocket.payloads.frame(number, limit)

    def wire_payload(self, number: FrameNumber, limit: int = LIMIT) -> bytes:
        assert self.websocket is not None
        return self.websocket.payloads.wire(number, limit)

    def message_payload(self, number: MessageNumber, limit: int = LIMIT) -> bytes:
        assert self.websocket is not None
        return self.websocket.payloads.message(number, limit)

    def body(self, message: HttpMessage, limit: int = LIMIT) -> bytes:
        assert self._http is not None
        return self._http.body(message, limit)

    def content(self, message: HttpMessage) -> Decoded:
        assert self._http is not None
        return self._http.decoded_body(message)

    def close(self, number: FrameNumber) -> Close:
        assert self.websocket is not None
        return self.websocket.close_of(self.frames[frame_index(number)])

    def round_trip_ns(self, number: FrameNumber) -> int | None:
        return self.websocket.round_trip_ns(number) if self.websocket else None

    def frames_of(self, row: Row) -> tuple[WebSocketFrameRecord, ...]:
        return tuple(one.record for one in self.carried(row, "websocket"))

    def http_of(self, row: Row) -> tuple[HttpMessage, ...]:
        return tuple(one.record for one in self.carried(row, "http"))


def web(trace: Trace, stream: int) -> WebLayers:
    """The application layer of a TCP conversation."""
    return WebLayers(trace, trace.flow(stream))
