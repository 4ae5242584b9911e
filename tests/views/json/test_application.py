"""decode's objects of frames, messages and findings: exactly the contract's keys, in its order."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from inspector.protocols import by_name
from inspector.protocols.websocket import WEBSOCKET
from inspector.protocols.websocket.frame import CONTINUATION, PING, encode
from inspector.views.json.findings import findings
from inspector.views.json.messages import messages
from tests.support.captures.websocket import (
    CLEAN,
    CLIENT,
    CLOSING,
    KEY,
    SERVER,
    UPGRADE,
    client,
    exchange,
    request,
    response,
    server,
    traced,
)

FRAME = [
    "tcp.stream", "frames", "time_ns", "end_ns", "direction", "websocket.fin", "websocket.rsv",
    "websocket.opcode", "websocket.mask", "websocket.masking_key", "websocket.payload_length", "payload",
    "message", "findings",
]
UPGRADED = [
    "tcp.stream", "frames", "time_ns", "end_ns", "http.request.method", "http.request.uri", "headers",
    "body_length", "websocket.key", "websocket.accept", "websocket.accept_expected", "accepted",
    "number", "response_in", "response_number",
]


def objects(
    kind: str, turns: Sequence[tuple[int, bytes]], rows: list[int] | None = None, end: str = ""
) -> list[Any]:
    trace = traced(exchange(*turns, end=end))
    chosen = None if rows is None else np.array(rows, "i8")
    protocol = by_name(kind)
    written = findings(trace, chosen) if protocol is None else messages(trace, protocol, chosen)
    found = list(written)
    assert all(json.loads(json.dumps(one)) == one for one in found)
    return found


def test_a_frame() -> None:
    data = encode("grüß \x1b[2J".encode(), key=b"\x01\x02\x03\x04")
    (one,) = objects("websocket", [*UPGRADE, (CLIENT, data)])
    assert list(one) == FRAME
    assert one == {
        "tcp.stream": 0, "frames": [6], "time_ns": one["time_ns"], "end_ns": one["time_ns"],
        "direction": "client-to-server", "websocket.fin": True,
        "websocket.rsv": 0, "websocket.opcode": 1, "websocket.mask": True,
        "websocket.masking_key": "01020304", "websocket.payload_length": 11, "payload": "grüß \x1b[2J",
        "message": 1, "findings": []}
    assert "\x1b" not in json.dumps(one)


def test_frames_that_are_not_text() -> None:
    found = objects("websocket", [
        *UPGRADE, server(b"\xff"), server(b"abc", PING), server(b"x", fin=False),
        server(b"\xc3", CONTINUATION)])
    assert [base64.b64decode(one.get("payload_base64", "")) or one["payload"] for one in found] == [
        b"\xff", b"abc", "x", b"\xc3"]
    assert "websocket.masking_key" not in found[0] and found[0]["findings"] == ["websocket.invalid-utf8"]
    assert [one["message"] for one in found] == [1, 2, 3, 3]


def test_frames_stand_in_order_of_their_last_byte() -> None:
    made = exchange(*UPGRADE)
    _, data = server(b"long")
    made.write(SERVER, data[:3])
    made.write(*client(b"quick"))
    made.write(SERVER, data[3:])
    found = list(messages(traced(made), WEBSOCKET))
    assert [(one["payload"], one["frames"]) for one in found] == [("quick", [7]), ("long", [6, 8])]


def test_http_messages() -> None:
    asked, answered = objects("http", UPGRADE)
    assert list(asked) == UPGRADED
    assert asked["headers"][0] == ["Host", "example.com"] and asked["frames"] == [4]
    assert (answered["http.response.code"], answered["accepted"]) == (101, True)
    assert answered["websocket.accept"] == answered["websocket.accept_expected"]
    assert asked["websocket.key"] == KEY
    asked = b"POST /\x1b\xff HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
    assert objects("http", [(CLIENT, asked)]) == [{
        "tcp.stream": 0, "frames": [4], "time_ns": 3_000_000, "end_ns": 3_000_000,
        "http.request.method": "POST", "http.request.uri": "/␛\\xff",
        "headers": [["Host", "x"], ["Content-Length", "2"]], "body_length": 2, "number": 1}]


def test_upgrades_that_fail() -> None:
    wrong = objects("http", [UPGRADE[0], (SERVER, response(key="x"))])
    assert [one["accepted"] for one in wrong] == [False, False]
    assert wrong[1]["websocket.accept"] != wrong[1]["websocket.accept_expected"]
    refusal = b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"
    missing = objects("http", [(CLIENT, request(key=None)), (SERVER, refusal)])
    assert [one["accepted"] for one in missing] == [False, False] and "websocket.key" not in missing[0]


def test_findings() -> None:
    found = objects("findings", [*UPGRADE, (CLIENT, encode(b"hi")), client(b"\xff")], end="F")
    assert [list(one) for one in found] == [["id", "severity", "clause", "frames", "tcp.stream", "text"]] * 3
    assert [(one["id"], one["severity"], one["frames"]) for one in found] == [
        ("websocket.unmasked-client-frame", "error", [6]), ("websocket.invalid-utf8", "error", [7]),
        ("websocket.missing-close", "warning", [8])]
    assert found[0]["clause"] == "RFC 6455 §5.1" and "MASK should be 1" in found[0]["text"]


def test_rows_choose() -> None:
    frames = objects("websocket", [*UPGRADE, client(b"a"), server(b"b")], rows=[6])
    assert [one["payload"] for one in frames] == ["b"]
    assert len(objects("http", CLEAN, rows=[3])) == 1 and objects("http", CLEAN, rows=[]) == []
    assert objects("findings", [*UPGRADE, (CLIENT, encode(b"hi")), *CLOSING], rows=[0, 1]) == []
