"""Real services that people run (tests/data/sessions): what is recognised, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.protocols.http2 import HTTP2
from inspector.protocols.tls import TLS
from inspector.trace.trace import Trace
from inspector.views.json.findings import findings
from inspector.views.json.messages import messages

SESSIONS = Path(__file__).parents[2] / "data" / "sessions"


@pytest.mark.parametrize(("name", "layers", "ids"), [
    ("nginx-keepalive", ["http"], []), ("python-http", ["http"], []), ("sse", ["http", "sse"], []),
    ("sse-chunked", ["http", "sse"], ["tcp.small-write-stall", "sse.event-without-data"]),
    ("chunked", ["http"], ["tcp.small-write-stall"]), ("half-close", [], []),
    ("ws", ["http", "websocket"], []), ("ws-deflate", ["http", "websocket"], []),
    ("curl-http2-ignored", ["http"], []), ("curl-http2-prior", ["http2"], []),
    ("curl-h2c", ["http", "http2"], []), ("https", ["tls"], []),
    ("tls-unknown-ca", ["tls"], ["tls.alert"]), ("http-to-tls-nginx", ["http"], ["http.tls-and-plain"]),
    ("tls-to-http", ["tls", "http"], ["tls.no-record"]), ("tls-to-python", ["tls"], ["tls.no-record"]),
])
def test_what_is_spoken_and_accused(name: str, layers: list[str], ids: list[str]) -> None:
    with Trace.open(SESSIONS / f"{name}.pcapng") as trace:
        trace.finish()
        assert [layer.protocol.name for layer in trace.application(0).layers] == layers
        assert [one["id"] for one in findings(trace)] == ids


def test_a_handshake_is_told() -> None:
    with Trace.open(SESSIONS / "tls-unknown-ca.pcapng") as trace:
        trace.finish()
        found = list(messages(trace, TLS))
    assert found[0]["tls.handshake.extensions_server_name"] == "localhost"
    assert found[0]["tls.handshake.extensions_alpn_str"] == ["h2", "http/1.1"]
    assert found[-1]["tls.alert_message.desc"] == 48


def test_frames_of_http2_are_told() -> None:
    with Trace.open(SESSIONS / "curl-http2-prior.pcapng") as trace:
        trace.finish()
        kinds = [one.get("http2.type") for one in messages(trace, HTTP2)]
    assert kinds[:3] == [None, 4, 8] and 0 in kinds and kinds.count(1) == 2
