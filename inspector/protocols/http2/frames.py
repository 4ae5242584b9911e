"""Frames of HTTP/2 (RFC 9113 section 6): their types, what their headers must keep, what is found."""

from inspector.wire.findings import Rule, Rulebook

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER = 9                                   # bytes of a frame's header
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = range(5)
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(5, 10)
BEGIN = -1                                   # the client's preface, as a type
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 1, 1, 4, 8, 32
TABLE_SIZE = 1                               # SETTINGS_HEADER_TABLE_SIZE
TYPES = ("DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY",
         "WINDOW_UPDATE", "CONTINUATION")
SETTINGS_NAMES = {1: "HEADER_TABLE_SIZE", 2: "ENABLE_PUSH", 3: "MAX_CONCURRENT_STREAMS",
                  4: "INITIAL_WINDOW_SIZE", 5: "MAX_FRAME_SIZE", 6: "MAX_HEADER_LIST_SIZE",
                  8: "ENABLE_CONNECT_PROTOCOL"}
ERRORS = ("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
          "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
          "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED")
_SIZES = {PRIORITY: 5, RST_STREAM: 4, PING: 8, WINDOW_UPDATE: 4}
_CONNECTION = (SETTINGS, PING, GOAWAY)                                                # on stream 0 alone
_STREAMS = (DATA, HEADERS, PRIORITY, RST_STREAM, PUSH_PROMISE, CONTINUATION)          # never there

BOOK = Rulebook(
    Rule("http2.no-frame", "error", "RFC 9113 §4.1", "Every frame has nine bytes of header."),
    Rule("http2.goaway", "warning", "RFC 9113 §6.8", "Look at the error that GOAWAY names."),
    Rule("http2.stream-error", "note", "RFC 9113 §6.4", "Look at the error that RST_STREAM names."),
    Rule("http2.header-block", "error", "RFC 7541 §2", "Both ends should keep the same table of headers."),
    Rule("http2.unanswered-request", "warning", "RFC 9113 §8.1",
         "Every request should get its response before the connection ends."),
    Rule("grpc.status", "note", "gRPC over HTTP/2", "Look at the status, and at what the call asked for."),
)


def may_be(head: bytes, length: int) -> bool:
    """Whether the header of a frame keeps what RFC 9113 section 6 says of its type."""
    kind, stream = head[3], int.from_bytes(head[5:9], "big") & 0x7FFFFFFF
    if kind in _SIZES and length != _SIZES[kind]:
        return False
    return not (kind in _CONNECTION and stream) and not (kind in _STREAMS and not stream)


def type_name(kind: int) -> str:
    """`HEADERS`, or `type 77`."""
    return TYPES[kind] if 0 <= kind < len(TYPES) else f"type {kind}"


def error_name(code: int) -> str:
    """`CANCEL`, or its number."""
    return ERRORS[code] if code < len(ERRORS) else f"error 0x{code:x}"


def content(kind: int, flags: int, payload: bytes) -> tuple[int, bytes]:
    """What a frame of DATA, HEADERS or PUSH_PROMISE holds without padding and fields before it, and where."""
    start, pad = 0, 0
    if flags & PADDED and kind in (DATA, HEADERS, PUSH_PROMISE):
        start, pad = 1, payload[0] if payload else 0
    if kind == HEADERS and flags & PRIORITIZED:
        start += 5
    elif kind == PUSH_PROMISE:
        start += 4
    return start, payload[start : max(len(payload) - pad, start)]
