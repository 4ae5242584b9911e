"""The rules of RFC 6455 that one frame alone can break, and what close codes mean.

Pure functions from a `Frame` to findings; `session` calls them only for frames that are not plain,
so clean traffic costs nothing here.
"""

from __future__ import annotations

from typing import NamedTuple

from inspector.model.language import sentence
from inspector.protocols.websocket.findings import finding
from inspector.protocols.websocket.frame import BINARY, CONTINUATION, OPCODES, PONG, RSV1, Frame, opcode_name
from inspector.wire.findings import Finding
from inspector.wire.text import escaped

CONTROL_LIMIT = 125

CLOSE_CODES: dict[int, str] = {
    1000: "normal closure", 1001: "going away", 1002: "protocol error", 1003: "unsupported data",
    1004: "reserved", 1005: "no status code was there", 1006: "closed without a Close frame",
    1007: "invalid payload data", 1008: "policy violation", 1009: "message too big",
    1010: "extension required", 1011: "internal error", 1012: "service restart", 1013: "try again later",
    1014: "bad gateway", 1015: "TLS handshake failed",
}


class Close(NamedTuple):
    """What a Close frame says; without a body `code` is None."""

    code: int | None
    reason: str
    meaning: str


class Role(NamedTuple):
    """What is known of the sender of a frame and of the connection."""

    direction: int
    client: bool
    deflate: bool = False      # permessage-deflate was negotiated
    inferred: bool = False     # the handshake was not captured: extensions are not known
    foreign: bool = False      # of another extension, not told here, the reserved bits are its own


def close_meaning(code: int) -> str:
    """The meaning of a close code (RFC 6455 §7.4 and the IANA registry)."""
    if code in CLOSE_CODES:
        return CLOSE_CODES[code]
    if 3000 <= code < 4000:
        return "registered by a library or framework"
    return "private to the application" if 4000 <= code < 5000 else "not a valid code"


def is_sendable(code: int) -> bool:
    """True for the codes that may stand in a Close frame (RFC 6455 §7.4.1, §7.4.2, IANA)."""
    return (1000 <= code <= 1014 and code not in (1004, 1005, 1006)) or 3000 <= code < 5000


def read_close(payload: bytes) -> Close:
    """Read the body of a Close frame; any bytes give a value."""
    if len(payload) < 2:
        return Close(None, "", "no status code")
    code = int.from_bytes(payload[:2], "big")
    return Close(code, escaped(payload[2:]), close_meaning(code))


def shortest_form(length: int) -> int:
    """The bits of the length form that RFC 6455 §5.2 asks for: 7, 16 or 64."""
    return 7 if length < 126 else 16 if length < 65536 else 64


def is_plain(frame: Frame) -> bool:
    """True when `check_frame` could only speak of masking or of reserved bits."""
    if frame.is_control:
        return frame.opcode <= PONG and frame.fin and frame.length_form == 7
    return frame.opcode <= BINARY and frame.length_form == shortest_form(frame.payload_length)


def check_frame(frame: Frame, role: Role) -> list[Finding]:
    """What is wrong with a frame by itself: masking, reserved bits, opcode, length, control frames' form."""
    found: list[Finding] = []
    name = opcode_name(frame.opcode)

    def add(rule: str, what: str, start: int, stop: int, bits: tuple[int, int] | None = None) -> None:
        found.append(finding(rule, what, role.direction, frame.start + start, frame.start + stop, bits))

    if role.client and not frame.masked:
        add("websocket.unmasked-client-frame", sentence(
            "The client sent a {name} frame unmasked.", name=name), 1, 2, (0, 1))
    if not role.client and frame.masked:
        add("websocket.masked-server-frame", sentence(
            "The server sent a {name} frame masked.", name=name), 1, 2, (0, 1))
    if frame.opcode not in OPCODES:
        add("websocket.reserved-opcode", sentence(
            "Opcode {opcode} is reserved.", opcode=frame.opcode), 0, 1, (4, 8))
    rule, what = _rsv1(frame, role)
    if rule:
        add(rule, what, 0, 1, (1, 2))
    if frame.rsv & 3 and not (role.inferred or role.foreign):
        names = {1: "RSV3", 2: "RSV2", 3: "RSV2 and RSV3"}[frame.rsv & 3]
        bits = {1: (3, 4), 2: (2, 3), 3: (2, 4)}[frame.rsv & 3]
        add("websocket.reserved-bits", sentence(
            "A {name} frame has {names} set.", name=name, names=names), 0, 1, bits)
    form = shortest_form(frame.payload_length)
    length_stop = 2 + (0, 2, 8)[(7, 16, 64).index(frame.length_form)]
    if frame.payload_length >> 63:
        add("websocket.length-top-bit", sentence(
            "The 64-bit length has its most significant bit set."), 2, 3, (0, 1))
    elif frame.length_form != form:
        what = sentence(
            "The length {payload_length} stands in {length_form} bits, {form} would do.",
            payload_length=frame.payload_length, length_form=frame.length_form, form=form)
        add("websocket.non-minimal-length", what, 1, length_stop)
    if frame.is_control and not frame.fin:
        add("websocket.fragmented-control-frame", sentence(
            "A {name} frame has no FIN.", name=name), 0, 1, (0, 1))
    if frame.is_control and frame.payload_length > CONTROL_LIMIT:
        what = sentence(
            "A {name} frame carries {payload_length} bytes.", name=name, payload_length=frame.payload_length)
        add("websocket.oversized-control-frame", what, 1, length_stop)
    return found


def _rsv1(frame: Frame, role: Role) -> tuple[str, str]:
    if not frame.rsv & RSV1 or role.foreign:
        return "", ""
    if frame.is_control:
        return "websocket.compressed-control-frame", sentence(
            "A {name} frame has RSV1 set.", name=opcode_name(frame.opcode))
    if role.deflate:
        rule = "websocket.rsv1-on-continuation" if frame.opcode == CONTINUATION else ""
        return rule, sentence("A continuation frame has RSV1 set.")
    if role.inferred:
        return "", ""
    return "websocket.rsv1-without-extension", sentence(
        "RSV1 is set, but no extension that uses it was negotiated.")


def check_close(frame: Frame, role: Role) -> list[Finding]:
    """What is wrong with the body of a Close frame."""
    payload, start = frame.payload, frame.payload_start
    if not payload:
        return []
    if len(payload) == 1:
        what = sentence("The Close frame has a body of one byte.")
        return [finding("websocket.one-byte-close", what, role.direction, start, start + 1)]
    found = []
    code = int.from_bytes(payload[:2], "big")
    if not is_sendable(code):
        what = sentence(
            "The Close frame has the code {code} ({close_meaning}).", code=code,
            close_meaning=close_meaning(code))
        if code in (1005, 1006, 1015):
            what = sentence(
                "The Close frame has the code {code}, which only stands for \"{close_meaning}\".", code=code,
                close_meaning=close_meaning(code))
        found.append(finding("websocket.invalid-close-code", what, role.direction, start, start + 2))
    try:
        payload[2:].decode("utf-8")
    except UnicodeDecodeError as error:
        at = start + 2 + error.start
        found.append(finding("websocket.close-reason-not-utf8", sentence(
            "The Close frame's reason is not UTF-8."),
                             role.direction, at, start + 2 + error.end))
    return found
