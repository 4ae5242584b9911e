"""HTTP as a HAR archive: exchanges, bodies, WebSocket messages, and what was not captured."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from inspector.views.json.har import har
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
    said = [(one["type"], one["opcode"], one["data"]) for one in entry["_webSocketMessages"]]
    assert ("send", 1, "hello hello hello") in said
    assert ("receive", 1, "abcdefghi") in said
    assert ("send", 2, "AP8=") in said
    assert all(opcode in (1, 2) for _, opcode, _ in said)


def test_a_filter_chooses_exchanges() -> None:
    assert len(entries("http", [5])) == 1
    assert entries("http", [0]) == []
    assert entries("tcp") == []
