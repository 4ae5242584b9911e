"""What is wrong with, or noteworthy in, the bytes: findings, and the register of every rule behind them.

Decoders in `wire/` make a `Finding` with the stream's byte range; `trace/` adds the conversation and the
packets that carry those bytes (`Finding.at`); views and exports only show it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "note"]


class Rule(NamedTuple):
    """A rule that can be seen kept or broken on the wire; `instead` says what should stand there."""

    id: str
    severity: Severity
    clause: str
    instead: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a rule is broken (or worth a word).

    `direction` is the end that sent the bytes (0: a to b, 1: b to a; None: no bytes to point at), [start,
    stop) their octets in that direction's reassembled stream, and [bit_start, bit_stop) the offending bits,
    counted from the most significant bit of the octet at `start`. `rows` are packet rows of the trace, the
    first one is where to look.
    """

    id: str
    severity: Severity
    clause: str
    text: str
    stream: int = -1
    rows: tuple[int, ...] = ()
    direction: int | None = None
    start: int = 0
    stop: int = 0
    bit_start: int | None = None
    bit_stop: int | None = None

    def at(self, stream: int, rows: Iterable[int]) -> Finding:
        """The same with its place in a trace."""
        return replace(self, stream=stream, rows=tuple(rows))


def finding(
    rule_id: str,
    what: str,
    direction: int | None = None,
    start: int = 0,
    stop: int = 0,
    bits: tuple[int, int] | None = None,
    instead: str = "",
) -> Finding:
    """A finding of a registered rule: `what` is a sentence; `instead` replaces the rule's own remedy.

    KeyError for an id that is not in RULES (a mistake of the caller, never of the data).
    """
    rule = RULES[rule_id]
    remedy = instead or rule.instead
    return Finding(
        rule.id, rule.severity, rule.clause, f"{what} {remedy}" if remedy else what,
        direction=direction, start=start, stop=stop,
        bit_start=bits[0] if bits else None, bit_stop=bits[1] if bits else None,
    )


_HANDSHAKE = (
    Rule("websocket.wrong-method", "error", "RFC 6455 §4.1",
         "An opening handshake is a GET request of HTTP/1.1 or later."),
    Rule("websocket.missing-host", "error", "RFC 6455 §4.1", "The request needs a Host header."),
    Rule("websocket.wrong-upgrade", "error", "RFC 6455 §4.1", "It should be \"Upgrade: websocket\"."),
    Rule("websocket.wrong-connection", "error", "RFC 6455 §4.1",
         "It should be a Connection header with the token \"Upgrade\"."),
    Rule("websocket.missing-key", "error", "RFC 6455 §4.1",
         "It should be Sec-WebSocket-Key with 16 random bytes in base64."),
    Rule("websocket.invalid-key", "error", "RFC 6455 §4.1",
         "It should be 16 random bytes in base64: 24 characters that end in \"==\"."),
    Rule("websocket.wrong-version", "error", "RFC 6455 §4.1", "It should be \"Sec-WebSocket-Version: 13\"."),
    Rule("websocket.missing-accept", "error", "RFC 6455 §4.2.2",
         "It should be Sec-WebSocket-Accept with base64(SHA-1(key + GUID))."),
    Rule("websocket.wrong-accept", "error", "RFC 6455 §4.2.2",
         "It should be base64(SHA-1(key + GUID))."),
    Rule("websocket.refused-upgrade", "warning", "RFC 6455 §4.2.2",
         "A server that takes the upgrade answers \"101 Switching Protocols\"."),
    Rule("websocket.unoffered-subprotocol", "error", "RFC 6455 §4.1",
         "The server may only choose one of the subprotocols that the client offered."),
    Rule("websocket.unoffered-extension", "error", "RFC 6455 §4.1",
         "The server may only use extensions that the client offered."),
    Rule("websocket.invalid-extension", "error", "RFC 7692 §7.1",
         "permessage-deflate takes server_no_context_takeover, client_no_context_takeover, and "
         "server_max_window_bits or client_max_window_bits from 8 to 15, each once."),
    Rule("websocket.early-data", "error", "RFC 6455 §4.1",
         "The client must wait for the server's 101 before it sends frames."),
)

_FRAMES = (
    Rule("websocket.unmasked-client-frame", "error", "RFC 6455 §5.1",
         "A client masks every frame: MASK should be 1, with a masking key of 4 random bytes."),
    Rule("websocket.masked-server-frame", "error", "RFC 6455 §5.1",
         "A server masks no frame: MASK should be 0, without a masking key."),
    Rule("websocket.predictable-masking-key", "warning", "RFC 6455 §5.3",
         "Each frame needs a fresh masking key from a strong source of randomness."),
    Rule("websocket.reserved-bits", "error", "RFC 6455 §5.2",
         "They should be 0, since no extension that defines them was negotiated."),
    Rule("websocket.rsv1-without-extension", "error", "RFC 6455 §5.2",
         "RSV1 should be 0, or permessage-deflate be negotiated in the handshake."),
    Rule("websocket.rsv1-on-continuation", "error", "RFC 7692 §6.1",
         "RSV1 is set on the first frame of a compressed message only."),
    Rule("websocket.compressed-control-frame", "error", "RFC 7692 §6.1",
         "Control frames are never compressed: RSV1 should be 0."),
    Rule("websocket.reserved-opcode", "error", "RFC 6455 §5.2",
         "It should be 0 continuation, 1 text, 2 binary, 8 close, 9 ping or 10 pong."),
    Rule("websocket.non-minimal-length", "error", "RFC 6455 §5.2",
         "The shortest form that holds the length should stand there."),
    Rule("websocket.length-top-bit", "error", "RFC 6455 §5.2",
         "The most significant bit of the 64-bit length should be 0."),
    Rule("websocket.fragmented-control-frame", "error", "RFC 6455 §5.5",
         "A control frame stands in one piece: FIN should be 1."),
    Rule("websocket.oversized-control-frame", "error", "RFC 6455 §5.5",
         "A control frame carries at most 125 bytes."),
    Rule("websocket.unfinished-frame", "error", "RFC 6455 §5.2",
         "As many bytes as the length says should follow."),
)

_MESSAGES = (
    Rule("websocket.continuation-without-start", "error", "RFC 6455 §5.4",
         "A message begins with opcode 1 (text) or 2 (binary)."),
    Rule("websocket.data-inside-message", "error", "RFC 6455 §5.4",
         "The fragmented message should be ended first: opcode 0, the last one with FIN."),
    Rule("websocket.unfinished-message", "warning", "RFC 6455 §5.4",
         "A fragmented message ends with a continuation frame that has FIN."),
    Rule("websocket.invalid-utf8", "error", "RFC 6455 §8.1",
         "A text message is UTF-8 as a whole; other bytes belong into a binary message."),
    Rule("websocket.invalid-deflate", "error", "RFC 7692 §6.2",
         "A message with RSV1 should be raw DEFLATE data without its last 00 00 ff ff."),
    Rule("websocket.window-bits-exceeded", "error", "RFC 7692 §7.1.2",
         "The sender should look back no further than the window that was negotiated."),
    Rule("websocket.inflation-limit", "warning", "RFC 6455 §10.4",
         "A receiver should refuse (close code 1009) what inflates beyond its limit."),
)

_CLOSING = (
    Rule("websocket.one-byte-close", "error", "RFC 6455 §5.5.1",
         "A close frame has no body, or a status code of two bytes and then a reason."),
    Rule("websocket.invalid-close-code", "error", "RFC 6455 §7.4",
         "It should be 1000 to 1003, 1007 to 1014, or 3000 to 4999."),
    Rule("websocket.close-reason-not-utf8", "error", "RFC 6455 §5.5.1",
         "The reason after the status code should be UTF-8."),
    Rule("websocket.data-after-close", "error", "RFC 6455 §5.5.1",
         "After its Close an endpoint sends no more data frames."),
    Rule("websocket.control-after-close", "note", "RFC 6455 §1.4",
         "Nothing needs to follow a Close; the peer ignores it."),
    Rule("websocket.missing-close", "warning", "RFC 6455 §7.1.2",
         "Each side sends a Close frame before TCP is closed; without it the peer reports 1006."),
    Rule("websocket.unanswered-close", "warning", "RFC 6455 §5.5.1",
         "Whoever gets a Close answers it with a Close."),
    Rule("websocket.unasked-pong", "note", "RFC 6455 §5.5.3",
         "This is allowed as a one-way heartbeat; no answer is expected."),
    Rule("websocket.unanswered-ping", "warning", "RFC 6455 §5.5.2",
         "Whoever gets a Ping answers with a Pong of the same bytes, as soon as is practical."),
)

_HTTP = (
    Rule("http.invalid-start-line", "error", "RFC 9112 §3",
         "It should be METHOD SP target SP HTTP/1.1, or HTTP/1.1 SP status SP reason."),
    Rule("http.tls-and-plain", "error", "RFC 9110 §4.2.2",
         "Both should speak TLS (https, wss), or both plain (http, ws): see the URL's scheme, and the port."),
    Rule("http.invalid-status", "error", "RFC 9112 §4", "A status code has three digits, 100 to 599."),
    Rule("http.invalid-header", "error", "RFC 9112 §5", "A header line is name \":\" value."),
    Rule("http.space-before-colon", "error", "RFC 9112 §5.1",
         "No space may stand between a header's name and its colon."),
    Rule("http.folded-header", "warning", "RFC 9112 §5.2", "The value should stand on one line."),
    Rule("http.control-in-header", "error", "RFC 9110 §5.5",
         "A header's value holds no CR, LF, NUL or other control character."),
    Rule("http.bare-line-feed", "warning", "RFC 9112 §2.2", "Lines end with CR LF."),
    Rule("http.head-too-large", "warning", "RFC 9112 §3",
         "Servers commonly take heads up to 8000 octets; what follows was not decoded as HTTP."),
    Rule("http.missing-host", "error", "RFC 9112 §3.2", "A request of HTTP/1.1 needs one Host header."),
    Rule("http.duplicate-host", "error", "RFC 9112 §3.2", "Exactly one Host header should stand there."),
    Rule("http.invalid-content-length", "error", "RFC 9112 §6.3",
         "Content-Length is one decimal number of octets."),
    Rule("http.conflicting-length", "error", "RFC 9112 §6.3",
         "Only one of them should frame the body: this is how requests are smuggled."),
    Rule("http.unknown-transfer-encoding", "error", "RFC 9112 §6.1",
         "\"chunked\" should be the last transfer encoding, and applied once."),
    Rule("http.invalid-chunk", "error", "RFC 9112 §7.1",
         "A chunk is its size in hexadecimal, CR LF, that many octets, CR LF."),
    Rule("http.body-not-allowed", "error", "RFC 9110 §8.6",
         "A 1xx or 204 answer has neither a body nor Content-Length or Transfer-Encoding."),
    Rule("http.incomplete-message", "error", "RFC 9112 §8",
         "The sender should close only after all octets that it announced."),
    Rule("http.unanswered-request", "warning", "RFC 9112 §9.2",
         "Every request should get a response before the connection ends."),
    Rule("http.response-splitting", "error", "RFC 9112 §11.1",
         "One request gets one response; CR and LF in data must not reach a response's head."),
    Rule("http.unasked-response", "warning", "RFC 9112 §9.2",
         "A server speaks only when it was asked."),
    Rule("http.invalid-content-encoding", "error", "RFC 9110 §8.4",
         "The body should be in the encoding that Content-Encoding names."),
    Rule("http.inflation-limit", "warning", "RFC 9110 §8.4",
         "A receiver should refuse what inflates beyond its limit."),
)

_TCP = (
    Rule("tcp.connection-refused", "warning", "RFC 9293 §3.10.7.1",
         "A process should listen on this port and address before the client connects."),
    Rule("tcp.no-answer", "warning", "RFC 9293 §3.8.3",
         "The peer should answer SYN with SYN ACK, or RST where nobody listens."),
    Rule("tcp.reset-with-unread-data", "warning", "RFC 9293 §3.6.1",
         "Read all that came before close(); otherwise the kernel resets and the peer may lose data."),
    Rule("tcp.reset-after-data", "warning", "RFC 9293 §3.10.5",
         "Close in order: shut down, read to the end, close(); RST throws away what is on its way."),
    Rule("tcp.half-open", "warning", "RFC 9293 §3.5.1",
         "Both ends should know of the connection; the other one restarted, crashed or forgot it."),
    Rule("tcp.small-write-stall", "warning", "RFC 9293 §3.7.4",
         "Write a message in one call (or set TCP_NODELAY), so that Nagle does not wait for a delayed ACK."),
    Rule("tcp.zero-window-stall", "warning", "RFC 9293 §3.8.6",
         "The application should read; its receive buffer is full."),
    Rule("udp.port-unreachable", "warning", "RFC 1122 §4.1.3.3",
         "A process should be bound to this port and address."),
)

RULES: dict[str, Rule] = {
    rule.id: rule for rule in (*_HANDSHAKE, *_FRAMES, *_MESSAGES, *_CLOSING, *_HTTP, *_TCP)
}
