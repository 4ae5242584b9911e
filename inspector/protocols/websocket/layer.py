"""A WebSocket frame (RFC 6455 §5.2) as a scapy layer, for `show()`, dissection trees and building.

`WebSocketFrame(bytes)` dissects one frame after another (the next one is the payload of the one before);
`bytes(WebSocketFrame(opcode="text", unmasked=b"hi", mask=1, masking_key=...))` builds. `data` is what stands
on the wire, `unmasked` what it says: it takes no bytes, and is the source when `data` is not given.
"""

from __future__ import annotations

from typing import Any

import inspector.wire.dissection.scapy_start  # noqa: F401

# isort: split
from scapy.fields import (
    BitEnumField,
    BitField,
    ConditionalField,
    LongField,
    ShortField,
    StrField,
    XIntField,
    XStrLenField,
)
from scapy.packet import Packet, Raw

from inspector.protocols.websocket.frame import OPCODES, encode, parse_header, unmask

_RAW: type[Any] = Raw
_CHAIN = 32      # frames in one dissection; scapy nests them, and nesting is bounded


class _UnmaskedField(StrField):  # type: ignore[misc]
    """The payload as the endpoints mean it: computed when dissected, no bytes of its own."""

    def addfield(self, pkt: Packet, s: bytes, val: bytes | None) -> bytes:
        return s

    def getfield(self, pkt: Packet, s: bytes) -> tuple[bytes, bytes]:
        return s, unmask(pkt.data or b"", pkt.key)


class WebSocketFrame(Packet):  # type: ignore[misc]
    """One frame. Lengths and, with MASK set, the key (0) are filled in where they are not given."""

    name = "WebSocket"
    fields_desc = [  # noqa: RUF012  (scapy's way)
        BitField("fin", 1, 1),
        BitField("rsv1", 0, 1),
        BitField("rsv2", 0, 1),
        BitField("rsv3", 0, 1),
        BitEnumField("opcode", 1, 4, OPCODES),
        BitField("mask", 0, 1),
        BitField("length", None, 7),
        ConditionalField(ShortField("length16", None), lambda packet: packet.length == 126),
        ConditionalField(LongField("length64", None), lambda packet: packet.length == 127),
        ConditionalField(XIntField("masking_key", 0), lambda packet: packet.mask == 1),
        XStrLenField("data", None, length_from=lambda packet: packet.payload_length),
        _UnmaskedField("unmasked", None),
    ]

    @property
    def key(self) -> bytes:
        """The masking key's 4 bytes; none when MASK is 0."""
        return int(self.masking_key or 0).to_bytes(4, "big") if self.mask else b""

    @property
    def payload_length(self) -> int:
        """The length that counts, of the three forms."""
        extended = self.length16 if self.length == 126 else self.length64
        return int((extended if (self.length or 0) >= 126 else self.length) or 0)

    def do_dissect(self, s: bytes) -> bytes:
        """Read the fields; bytes that are no whole header are left to the payload."""
        if isinstance(parse_header(s, 0), int):
            self.raw_packet_cache = b""
            self.raw_packet_cache_fields: dict[str, Any] = {}
            return s
        return bytes(super().do_dissect(s))

    def self_build(self) -> bytes:
        """Fill in what was left out; a header whose length was given is built as given, right or wrong."""
        if self.raw_packet_cache is not None:
            return bytes(super().self_build())
        data = self.data if self.data is not None else unmask(self.unmasked or b"", self.key)
        if self.length is None:
            rsv = self.rsv1 << 2 | self.rsv2 << 1 | self.rsv3
            plain = unmask(data, self.key)
            opcode = self.get_field("opcode").i2m(self, self.opcode)
            return encode(plain, opcode, fin=bool(self.fin), rsv=rsv, key=self.key if self.mask else None)
        if self.data is not None:
            return bytes(super().self_build())
        whole = self.copy()
        whole.data = data
        return bytes(whole.self_build())

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        """What follows a frame in the stream is a frame, as soon as its header is there."""
        if isinstance(parse_header(payload, 0), int):
            return _RAW
        depth, layer = 1, self
        while isinstance(layer.underlayer, WebSocketFrame):
            depth, layer = depth + 1, layer.underlayer
        return WebSocketFrame if depth < _CHAIN else _RAW

    def mysummary(self) -> Any:
        """One line, as scapy's summary() wants it."""
        return self.sprintf("WebSocket %opcode% fin=%fin% mask=%mask%")
