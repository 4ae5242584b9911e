"""Captures after public bug reports (tests/data/cases): what is accused, and what is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.protocols.dns import DNS
from inspector.protocols.http import HTTP
from inspector.protocols.proxy import PROXY
from inspector.protocols.socks import SOCKS
from inspector.protocols.websocket import WEBSOCKET
from inspector.trace.filter.filter import Filter
from inspector.trace.trace import Trace
from inspector.views.json.findings import findings
from inspector.views.json.messages import Object, messages

pytestmark = pytest.mark.quick

CASES = Path(__file__).parents[2] / "data" / "cases"


def read(name: str) -> tuple[list[str], list[Object], list[Object]]:
    """The ids of the findings, the HTTP messages, the WebSocket frames."""
    (path,) = CASES.glob(f"{name}*")
    with Trace.open(path) as trace:
        trace.finish()
        ids = [one["id"] for one in findings(trace)]
        return ids, list(messages(trace, HTTP)), list(messages(trace, WEBSOCKET))


def layers(name: str) -> list[str]:
    """The protocols of the first TCP conversation, outermost first."""
    (path,) = CASES.glob(f"{name}*")
    with Trace.open(path) as trace:
        trace.finish()
        return [layer.protocol.name for layer in trace.application(0).layers]


@pytest.mark.parametrize(("name", "ids"), [
    ("01a", []), ("01c", []), ("12c", []), ("14a", []), ("14c", []), ("18A", []),
    ("04a", ["http.chunk-bare-line-feed"]), ("04c", ["http.chunk-bare-line-feed"]), ("04g", []),
    ("05c", ["http.chunked-in-http-1.0"]),
    ("06a", ["websocket.foreign-extension"]), ("06d", ["websocket.foreign-extension"]),
    ("07a", ["websocket.invalid-extension"]), ("07b", ["websocket.invalid-extension"]),
    ("07c", ["websocket.invalid-extension"]),
    ("08a", []), ("08b", []), ("09f", []), ("24a", []),
    ("11a", []), ("11d", ["http.invalid-content-encoding"]),
    ("21A", ["websocket.context-not-captured"] * 3), ("21D", []), ("21E", ["websocket.context-not-captured"]),
])
def test_what_is_accused(name: str, ids: list[str]) -> None:
    assert read(name)[0] == ids


@pytest.mark.parametrize("name", ["04a", "04c", "04g"])
def test_a_chunked_body_is_read_all_the_same(name: str) -> None:
    asked = read(name)[1][0]
    assert (asked["http.request.method"], asked["body_length"]) == ("POST", 5)


def test_after_a_hole_no_text_is_claimed() -> None:
    whole = [one.get("payload") for one in read("21D")[2]]
    assert "order 8: pay 2000 to Bobby, then stop" in whole
    for name in ("21A", "21E"):
        payloads = [one.get("payload") for one in read(name)[2]]
        assert [text for text in payloads[1:] if text] == [] and payloads[0]


def test_what_an_unknown_extension_made_of_frames_is_not_read_as_text() -> None:
    assert all("payload" not in one for name in ("06a", "06d") for one in read(name)[2])


@pytest.mark.parametrize(("name", "first"), [("21a", 2), ("21b", 0), ("23a", 2), ("23f", 2), ("23g", 2)])
def test_a_request_that_was_not_captured_accuses_nobody_and_shifts_nothing(name: str, first: int) -> None:
    """`first`: the number of the first request that was captured (0: one in between is missing)."""
    ids, http, _ = read(name)
    assert ids == []
    alone = [number for number, one in enumerate(http, 1)
             if "http.response.code" in one and "request_in" not in one]
    assert len(alone) == 1 and (not first or alone == [first - 1])
    for number, one in enumerate(http, 1):
        if "http.request.method" in one:
            answer = http[one["response_number"] - 1]
            assert one["response_number"] == number + 1 and answer["request_number"] == number
            assert (one["response_in"], answer["request_in"]) == (answer["frames"][-1], one["frames"][-1])


def test_where_the_request_of_an_upgrade_is_lost_the_frames_of_both_ends_are_read(tmp_path: Path) -> None:
    """No byte of the client before its first frame was captured: nobody left a Close unanswered."""
    data = (CASES / "23g-midstream-response-then-upgrade.pcap").read_bytes()
    starts = [24]
    while starts[-1] < len(data):
        starts.append(starts[-1] + 16 + int.from_bytes(data[starts[-1] + 8 : starts[-1] + 12], "little"))
    asks = data.index(b"GET /chat")
    lost = max(number for number, start in enumerate(starts) if start < asks)
    path = tmp_path / "lost.pcap"
    path.write_bytes(data[: starts[lost]] + data[starts[lost + 1] :])
    with Trace.open(path) as trace:
        trace.finish()
        frames = [(one["direction"][:6], one["websocket.opcode"]) for one in messages(trace, WEBSOCKET)]
        assert list(findings(trace)) == []
    assert frames == [("client", 1), ("server", 1), ("client", 8), ("server", 8)]


@pytest.mark.parametrize(("name", "protocols", "http", "frames"), [
    ("08a", ["proxy", "http"], 4, 0), ("08b", ["proxy", "http", "websocket"], 2, 4),
    ("09f", ["socks", "http", "websocket"], 2, 4), ("24a", ["dns"], 0, 0),
])
def test_what_follows_a_preface_is_recognised(
    name: str, protocols: list[str], http: int, frames: int
) -> None:
    _, requests, messages = read(name)
    assert layers(name) == protocols and (len(requests), len(messages)) == (http, frames)
    assert all("response_in" in one or "request_in" in one for one in requests)


def test_a_preface_says_for_whom_and_where_to() -> None:
    with Trace.open(CASES / "08b-proxy-v2-ws.pcap") as trace:
        trace.finish()
        (preface,) = messages(trace, PROXY)
    assert (preface["proxy.src.ipv4"], preface["proxy.dstport"]) == ("198.51.100.7", 80)
    with Trace.open(CASES / "09f-socks5-websocket.pcap") as trace:
        trace.finish()
        steps = [(one["socks.step"], one.get("socks.host")) for one in messages(trace, SOCKS)]
    assert steps == [("greeting", None), ("method", None), ("request", "10.0.0.3"), ("reply", "0.0.0.0")]


def test_dns_on_tcp_is_read_and_filtered() -> None:
    with Trace.open(CASES / "24a-dns-over-tcp.pcap") as trace:
        trace.finish()
        found = list(messages(trace, DNS))
        assert [one["dns.id"] for one in found] == [0x1234] * 6
        assert Filter('dns.a == "1.2.3.4"').rows(trace).tolist() == [5, 9]
        assert Filter("dns").rows(trace).tolist() == [3, 5, 7, 9]


@pytest.mark.parametrize("name", ["01a", "01c"])
def test_one_packet_may_hold_more_than_65535_bytes(name: str) -> None:
    assert [one["body_length"] for one in read(name)[1]] == [0, 150_000, 0, 2]


@pytest.mark.parametrize("name", ["01a", "01c"])
def test_no_segment_is_missed_behind_a_large_one(name: str) -> None:
    (path,) = CASES.glob(f"{name}*")
    with Trace.open(path) as trace:
        trace.finish()
        flow = trace.flow(0)
        assert flow.flagged() == {} and [stream.gaps for stream in flow.streams] == [[], []]
        assert int(trace.index.payload_length.max()) == 150_043


def test_lengths_of_old_captures_stand_the_other_way_round() -> None:
    with Trace.open(CASES / "12c-pcap-v2.2-lengths-swapped.pcap") as trace:
        trace.finish()
        assert trace.index.count == 10 and (trace.index.cap_len <= trace.index.length).all()


@pytest.mark.parametrize("name", ["14a", "14c"])
def test_a_segment_in_fragments_is_put_together(name: str) -> None:
    (path,) = CASES.glob(f"{name}*")
    with Trace.open(path) as trace:
        trace.finish()
        flow = trace.flow(0)
        asked = next(iter(messages(trace, HTTP)))
        assert (asked["http.request.method"], asked["body_length"], asked["frames"]) == ("POST", 3000, [6])
        assert flow.flagged() == {} and flow.streams[0].gaps == []
        data = flow.streams[0].read(0, 3051)
        assert len(data) == 3051 and data.endswith(b"b" * 3000)


@pytest.mark.parametrize(("name", "link"), [
    ("17a", "239 (NFLOG)"), ("17h", "127 (IEEE 802.11 with radiotap)")])
def test_a_link_type_that_is_not_read_is_said(name: str, link: str) -> None:
    (path,) = CASES.glob(f"{name}*")
    with Trace.open(path) as trace:
        trace.finish()
        assert trace.unread == (
            f"10 packets have a link type that is not read, {link}: their bytes alone are shown.")


def test_what_a_mobile_network_carries_is_read() -> None:
    _, http, _ = read("18A")
    assert [one.get("http.request.method", one.get("http.response.code")) for one in http] == ["GET", 200]
