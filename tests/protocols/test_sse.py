"""Server-sent events: as the standard reads them, however they are cut; among HTTP's own messages."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from inspector.protocols.api import MessageIndex
from inspector.protocols.sse import SSE, unpack
from inspector.protocols.sse.event import Event, EventReader, Problem, data_of
from inspector.trace.filter.filter import Filter
from inspector.trace.trace import Trace
from inspector.views.conversation.messages import MessageList
from inspector.views.conversation.stream.follow import FollowStream
from inspector.views.json.findings import findings
from inspector.views.json.messages import messages
from inspector.views.line.spans import plain
from tests.support.captures.websocket import CLIENT, SERVER, application, exchange, traced

SESSION = Path(__file__).parents[1] / "data" / "sessions" / "sse-chunked.pcapng"
GET = (CLIENT, b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


def read(pieces: Sequence[bytes]) -> tuple[list[Event], list[Problem], int | None]:
    events: list[Event] = []
    problems: list[Problem] = []
    reader, start = EventReader(SERVER, 1, events, problems), 0
    for piece in pieces:
        reader.feed(start, piece)
        start += len(piece)
    pending = reader.pending
    reader.finish(start)
    return events, problems, pending


def as_the_standard_reads(body: bytes) -> list[tuple[str, str, str]]:
    """(type, data, last event id) of what is dispatched: WHATWG HTML 9.2.6, word by word."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]
    found, name, data, last, buffer = [], "", "", "", ""
    for line in lines:
        if not line:
            last = buffer
            if data:
                found.append((name or "message", data.removesuffix("\n"), last))
            name = data = ""
            continue
        if line.startswith(":"):
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data += value + "\n"
        elif field == "id" and "\0" not in value:
            buffer = value
    return found


ALPHABET = ["data", "event", "id", "retry", ":", ": ", "\r", "\n", "\r\n", "\n\n", "7", "x", "ä", "\0", " ",
            "\ufeff"]
bodies = st.lists(st.sampled_from(ALPHABET), max_size=40).map(lambda parts: "".join(parts).encode())


@given(body=bodies, cuts=st.lists(st.integers(0, 200), max_size=6))
def test_events_are_those_of_the_standard_however_they_are_cut(body: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    whole = read([body])
    assert read([body[a:b] for a, b in pairwise(places)]) == whole
    assert read([body[at : at + 1] for at in range(len(body))]) == whole
    events, last = [], ""
    for event in whole[0]:
        last = event.id if event.id is not None and event.ended else last
        if event.dispatched:
            data = data_of(body[event.start : event.stop], 1 << 20)
            assert len(data) == event.size
            events.append((event.event_type, data.decode("utf-8", "replace"), last))
    assert events == as_the_standard_reads(body)


@given(body=st.binary(max_size=300))
def test_any_bytes_give_events_in_order(body: bytes) -> None:
    events, _, _ = read([body])
    places = [place for event in events for place in (event.start, event.stop)]
    assert places == sorted(places) and all(event.start < event.stop <= len(body) for event in events)


def test_a_session_of_curl() -> None:
    with Trace.open(SESSION) as trace:
        trace.finish()
        events = list(messages(trace, SSE))
        assert [one.get("sse.event") for one in events] == [
            None, None, "price", "message", "message", "tick", "message", None]
        assert events[2]["sse.data"] == '{"symbol": "ABC",\n "price": 12.5}' and events[2]["sse.id"] == "1"
        assert events[0]["sse.retry"] == 2500 and events[1]["sse.comment"] == ["keep-alive"]
        assert [one["sse.dispatched"] for one in events].count(True) == 4
        assert Filter("sse.data contains \"price\"").rows(trace).tolist() == [12]
        assert Filter("sse.event == \"tick\"").rows(trace).tolist() == [14]
        assert trace.application(0).protocol == "http"


def test_messages_of_http_stand_among_the_events() -> None:
    with Trace.open(SESSION) as trace:
        trace.finish()
        listed = MessageList(trace, 0)
        kinds = [plain(listed.line(index, 100))[39:48].strip() for index in range(listed.count)]
        assert kinds == ["GET", "200", "GET", "200", "no data", "comment", "price", "message", "message",
                         "tick", "message", "no data", "GET", "200"]
        assert listed.index_of_row(trace.application(0).layers[1].decoder.line(MessageIndex(5)).rows[0]) == 9
        listed.choose(search="symbol")
        assert listed.count == 1
        listed.choose(control=False)
        assert listed.count == 13


def test_follow_stream_lays_the_data_out() -> None:
    with Trace.open(SESSION) as trace:
        trace.finish()
        view = FollowStream(trace, 0, "json")
        lines = [plain(view.line(index, 80)).strip() for index in range(view.count)]
        at = lines.index("price  id 1")
        assert lines[at : at + 5] == ["price  id 1", "{", '"symbol": "ABC",', '"price": 12.5', "}"]
        assert not any("in no message" in line for line in lines)


# --- what is said of it ---


def ids(*turns: tuple[int, bytes], first: int = SERVER) -> list[str]:
    with traced(exchange(*turns, end="F", first=first)) as trace:
        trace.finish()
        return [one["id"] for one in findings(trace) if not one["id"].startswith("tcp.")]


@pytest.mark.parametrize(("body", "rules"), [
    (b"data: 1\n\ndata: 2\n\n", []), (b"data: 1\n\ndata: 2\n", ["sse.unfinished-event"]),
    (b"event: tick\n\n", ["sse.event-without-data"]), (b"data: {\n  \"a\": 1\n\n", ["sse.unknown-field"]),
    (b"retry: 2s\ndata: 1\n\n", ["sse.invalid-retry"]), (b"data: \xff\n\n", ["sse.not-utf-8"]),
    (b"id: a\0b\ndata: 1\n\n", ["sse.null-in-id"]), (b": ping", []), (b"id: 5\n\nretry: 1\n\n", []),
])
def test_what_a_program_would_trip_over(body: bytes, rules: list[str]) -> None:
    assert ids(GET, (SERVER, HEAD + b"Connection: close\r\n\r\n" + body)) == rules


def test_a_client_that_leaves_a_stream_of_events_is_no_fault() -> None:
    begun = (SERVER, HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n7\r\ndata: 2\r\n")
    assert ids(GET, begun, first=CLIENT) == []
    assert "http.incomplete-message" in ids(GET, begun, first=SERVER)


def test_it_is_told_event_by_event_before_the_answer_ends() -> None:
    spoken = application(GET, (SERVER, HEAD + b"\r\ndata: 1\n\ndata: 2"))
    decoder = spoken.layers[1].decoder
    assert [layer.protocol.name for layer in spoken.layers] == ["http", "sse"] and decoder.count == 1
    assert spoken.rest(SERVER).text == "the beginning of an event that has not ended"


@pytest.mark.parametrize("head", [
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n", HEAD + b"Content-Encoding: br\r\n",
    HEAD.replace(b"200 OK", b"404 No"), HEAD + b"Transfer-Encoding: gzip, chunked\r\n",
])
def test_other_bodies_are_no_events(head: bytes) -> None:
    spoken = application(GET, (SERVER, head + b"\r\ndata: 1\n\n"))
    assert [layer.protocol.name for layer in spoken.layers] == ["http"]


def packer(coding: str) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    """What a server does with each event, and at the end of its answer."""
    if coding == "zstd":
        one = zstandard.ZstdCompressor().compressobj()
        return (lambda data: one.compress(data) + one.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)), one.flush
    other = zlib.compressobj(wbits={"gzip": 31, "deflate": 15, "x-raw": -15}[coding])
    return (lambda data: other.compress(data) + other.flush(zlib.Z_SYNC_FLUSH)), other.flush


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


EVENTS = [b"data: one\n\n", b": hello\n\n", "event: tick\nid: 7\ndata: zwölf\ndata: more\n\n".encode(),
          b"data: 3\n\ndata: 4\n\n"]


@pytest.mark.parametrize("size", [1400, 3])
@pytest.mark.parametrize("coding", ["gzip", "deflate", "x-raw", "zstd"])
def test_compressed_events_are_told_as_plain_ones(coding: str, size: int) -> None:
    """While they come: the answer has not ended."""
    pack, _ = packer(coding)
    name = coding.replace("x-raw", "deflate").encode()
    head = HEAD + b"Content-Encoding: " + name + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    packed = exchange(GET, (SERVER, head), *[(SERVER, chunk(pack(one))) for one in EVENTS], size=size)
    head = head.replace(b"Content-Encoding: " + name + b"\r\n", b"")
    whole = exchange(GET, (SERVER, head), *[(SERVER, chunk(one)) for one in EVENTS])
    found, right = [list(messages(traced(one), SSE)) for one in (packed, whole)]
    places = {"frames", "time_ns", "end_ns"}
    assert [{key: one[key] for key in one.keys() - places} for one in found] == [
        {key: one[key] for key in one.keys() - places} for one in right]
    if size == 1400:
        assert [one["frames"] for one in found] == [one["frames"] for one in right]
    trace = traced(packed)
    assert not list(findings(trace))
    shown = FollowStream(trace, 0, "json")
    while shown.update():
        pass
    assert "zwölf" in "".join(plain(shown.line(at, 80)) for at in range(shown.count))


def test_compressed_events_end_where_bytes_of_them_lack() -> None:
    pack, _ = packer("gzip")
    made = exchange(GET, (SERVER, HEAD + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"))
    made.write(SERVER, chunk(pack(EVENTS[0])))
    lost = chunk(pack(b"data: " + bytes(range(32, 120)) + b"\n\n"))
    made.write(SERVER, lost[:20])
    made.lose(SERVER, 30)
    made.write(CLIENT, b"")
    made.write(SERVER, lost[50:] + chunk(pack(EVENTS[2])))
    made.end(first=SERVER)
    trace = traced(made)
    events = list(messages(trace, SSE))
    assert events[0]["sse.data"] == "one" and not any(one["sse.dispatched"] for one in events[1:])
    (one,) = findings(trace)
    assert one["id"] == "sse.compressed" and "bytes of it lack" in one["text"]


def test_a_bomb_of_events_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "MOST", 1 << 16)
    for coding in ("gzip", "zstd"):
        pack, _ = packer(coding)
        head = HEAD + b"Content-Encoding: " + coding.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
        large = b"data: " + bytes(1 << 22) + b"\n\n"
        body = b"".join(chunk(pack(one)) for one in (EVENTS[0], large, EVENTS[0]))
        trace = traced(exchange(GET, (SERVER, head), (SERVER, body)))
        assert [one["sse.data"] for one in messages(trace, SSE)] == ["one"]
        assert [one["id"] for one in findings(trace)] == ["sse.compressed"]


def test_what_is_missing_is_not_accused() -> None:
    made = exchange(GET, (SERVER, HEAD + b"Content-Length: 54\r\n\r\n"), (SERVER, b"data: one\n\ndata: t"))
    made.lose(SERVER, 8)
    made.write(CLIENT, b"")
    made.write(SERVER, b"two\n\ndata: three\n\n")
    made.end(first=SERVER)
    with traced(made) as trace:
        events = list(messages(trace, SSE))
        assert [one["sse.data"] for one in events[:1]] == ["one"] and events[1]["bytes_missing"] == 8
        assert events[-1]["sse.data"] == "three"
        assert not [one for one in findings(trace) if one["id"].startswith("sse.")]
