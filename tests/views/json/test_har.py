"""HTTP as a HAR archive: exchanges, bodies, WebSocket messages, and what was not captured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inspector.model.numbers import LINK_RAW
from inspector.views.json.har import har
from tests.support.captures.frames import pcapng_bytes, trace_of
from tests.support.captures.tcp import segment
from tests.support.captures.traces import open_trace

REQUIRED = {"startedDateTime", "time", "request", "response", "cache", "timings"}


def entries(name: str, rows: list[int] | None = None) -> list[dict[str, Any]]:
    with open_trace(name) as trace:
        (archive,) = har(trace, None if rows is None else np.array(rows, "i8"))
    log = json.loads(json.dumps(archive))["log"]
    assert (log["version"], log["creator"]["name"]) == ("1.2", "inspector")
    found: list[dict[str, Any]] = log["entries"]
    return found


def test_requests_and_answers_stand_together() -> None:
    first, second = entries("http")
    assert set(first) >= REQUIRED
    assert (first["request"]["method"], first["request"]["url"]) == ("GET", "http://127.0.0.1:8000/")
    assert (first["response"]["status"], first["response"]["content"]["size"]) == (200, 95)
    assert first["response"]["content"]["text"].startswith("<")
    assert second["request"]["postData"]["text"]
    assert second["response"]["bodySize"] == len(second["request"]["postData"]["text"])
    for entry in (first, second):
        assert entry["time"] == pytest.approx(sum(entry["timings"].values()))
        assert min(entry["timings"].values()) >= 0
    assert first["startedDateTime"] < second["startedDateTime"]


def test_websocket_messages_stand_with_their_upgrade() -> None:
    (entry,) = entries("websocket-deflate")
    assert entry["response"]["status"] == 101
    messages = [(one["type"], one["opcode"], one["data"]) for one in entry["_webSocketMessages"]]
    assert ("send", 1, "hello hello hello") in messages
    assert ("receive", 1, "abcdefghi") in messages
    assert ("send", 2, "AP8=") in messages
    assert all(opcode in (1, 2) for _, opcode, _ in messages)


def test_a_filter_chooses_exchanges() -> None:
    assert len(entries("http", [5])) == 1
    assert entries("http", [0]) == []
    assert entries("tcp") == []


def test_both_versions_and_what_tls_holds_are_exchanges() -> None:
    found = entries("../protocols/http2")
    get = next(one for one in found if one["response"]["status"] == 200)
    assert get["request"]["httpVersion"] == get["response"]["httpVersion"] == "HTTP/2"
    assert get["request"]["url"].startswith("http://") and get["request"]["method"]
    assert not any(one["name"].startswith(":") for one in get["request"]["headers"])
    assert any(one["name"] == "content-type" for entry in found for one in entry["response"]["headers"])
    secure = entries("../protocols/tls")
    assert {one["request"]["url"].split("://")[0] for one in secure} >= {"https"}
    assert {one["request"]["httpVersion"] for one in secure} == {"HTTP/1.1", "HTTP/2"}


HEADERS = (
    b"GET /a HTTP/1.1\r\nHost: x\r\nCookie: id=7; theme=dark=er\r\nX-Mine: 1\r\nX-Mine: 2\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nSet-Cookie: id=8; Path=/; HttpOnly; Secure; SameSite=Lax\r\nTrailer: X-Sum\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 900150983cd2\r\n\r\n",
)


def test_no_header_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "x.pcapng"
    asked, answered = HEADERS
    frames = [segment(0, "S", 1), segment(1, "SA", 1, 2), segment(0, "A", 2, 2),
              segment(0, "AP", 2, 2, asked), segment(1, "AP", 2, 2 + len(asked), answered)]
    with trace_of(file, pcapng_bytes(frames, LINK_RAW)) as trace:
        trace.finish()
        (archive,) = har(trace)
    (entry,) = archive["log"]["entries"]
    request, response = entry["request"], entry["response"]
    assert [one["value"] for one in request["headers"] if one["name"] == "X-Mine"] == ["1", "2"]
    assert request["cookies"] == [{"name": "id", "value": "7"}, {"name": "theme", "value": "dark=er"}]
    assert {"name": "X-Sum", "value": "900150983cd2"} in response["headers"]
    assert response["cookies"] == [{"name": "id", "value": "8", "path": "/", "httpOnly": True, "secure": True,
                                    "sameSite": "Lax"}]
