"""HTTP/2: headers by RFC 7541's own examples, gRPC's calls, what is lost, what is hostile."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.protocols.http2.decoder import Http2Decoder
from inspector.protocols.http2.hpack import HpackError, Table, huffman
from inspector.trace.application.application import ApplicationLayers
from inspector.trace.filter.filter import Filter
from inspector.trace.trace import Trace
from tests.protocols.test_redis import Turn, exchange, frames_of, read
from tests.support.captures.application import first_messages
from tests.support.tiers import thorough

CAPTURE = Path(__file__).parents[1] / "data" / "protocols" / "http2.pcapng"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PUSHED, GRPC = 0, 3


def lines(application: ApplicationLayers) -> list[str]:
    decoder = application.layers[-1].decoder
    found = [decoder.line(number) for number in first_messages(decoder.count)]
    return [f"{line.kind} {line.text}".strip() for line in found if not line.control]


# RFC 7541, C.4 (requests) and C.6 (responses, a table of 256 bytes), with Huffman codes.
REQUESTS = ["828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf",
            "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"]
RESPONSES = ["3fe101488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863"
             "c78f0b97c8e9ae82ae43d3", "4883640effc1c0bf",
             "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b"
             "3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007"]


def test_examples_of_the_rfc() -> None:
    table = Table()
    found = [[(one.name, one.value) for one in table.read(bytes.fromhex(block))[0]] for block in REQUESTS]
    assert found[1] == [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"),
                        (b":authority", b"www.example.com"), (b"cache-control", b"no-cache")]
    assert found[2][-1] == (b"custom-key", b"custom-value") and found[2][3] == found[0][3]
    table = Table()
    found = [[(one.name, one.value) for one in table.read(bytes.fromhex(block))[0]] for block in RESPONSES]
    assert found[1] == [(b":status", b"307"), *found[0][1:]]
    assert found[2][-1] == (b"set-cookie", b"foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1")
    assert found[2][4] == (b"content-encoding", b"gzip")


@given(st.binary(max_size=200))
def test_any_block_is_read_or_refused(block: bytes) -> None:
    try:
        for one in Table().read(block)[0]:
            assert 0 <= one.start < one.stop <= len(block)
    except HpackError as error:
        assert str(error).isprintable()


@thorough
def test_a_block_that_would_unpack_to_gigabytes_is_bounded() -> None:
    block = b"\x40\x01a\x7f\xe1\x1d" + b"x" * 3936 + b"\xbe" * 1_000_000
    headers, cut = Table().read(block)
    assert cut and sum(len(one.value) for one in headers) <= 1 << 20
    assert len(huffman(b"\0" * 100_000)) == 160_000


def test_what_rests_on_a_lost_block_is_not_known_and_the_rest_is() -> None:
    table = Table()
    table.lose()
    headers, _ = table.read(bytes.fromhex("828684be5886a8eb10649cbf"))
    assert [one.known for one in headers] == [True, True, True, False, True]
    again, _ = table.read(b"\xbe")
    assert again[0][:2] == (b"cache-control", b"no-cache")


# --- real traffic ------------------------------------------------------------------------------------------


def test_requests_and_responses_are_told(trace: Trace) -> None:
    assert lines(trace.application(PUSHED)) == [
        "GET /  stream 13", "GET /nothing  stream 15", "PUSH /style.css  stream 13",
        "200 text/html  46 bytes  stream 13", "404 text/html; charset=UTF-8  147 bytes  stream 15",
        "200 text/css  17 bytes  stream 2"]
    decoder = trace.application(PUSHED).layers[0].decoder
    for number in first_messages(decoder.count):
        position = decoder.records_of(number)[0]
        if not decoder.line(number).control:
            assert decoder.partner(position) is not None


def test_calls_of_grpc_are_told(trace: Trace) -> None:
    spoken = lines(trace.application(GRPC))
    assert "POST /test.Fruit/Count  gRPC  1 message  5 bytes  stream 7" in spoken
    assert "200 gRPC  3 messages  18 bytes  grpc-status 0 OK  stream 7" in spoken
    found = {one.text.partition(" Look")[0] for one in trace.application(GRPC).findings}
    assert 'The call /test.Fruit/Fail ends with status 5 NOT_FOUND: "no such fruit: Käse".' in found
    assert Filter('grpc.status == "5"').rows(trace).tolist() and Filter(
        "http2.headers.status == 404").rows(trace).tolist()


def test_detail_marks_the_bytes_of_a_header(trace: Trace) -> None:
    decoder = trace.application(PUSHED).layers[0].decoder
    frame = next(one for one in decoder.records if one.header(b":path") == "/nothing")
    path = next(part for part in decoder.parts(frame) if part.label == ":path")
    assert frame.start + 9 <= path.start < path.stop <= frame.stop
    assert huffman(decoder.source.streams[0].read(path.start + 2, path.stop)) == b"/nothing"


# --- planted faults ----------------------------------------------------------------------------------------


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


GET, OK = bytes.fromhex(REQUESTS[0]), b"\x88"
BEGIN: list[Turn] = [(0, PREFACE + frame(4, 0, 0)), (1, frame(4, 0, 0) + frame(4, 1, 0))]


@pytest.mark.parametrize(("turns", "ids"), [
    ([(0, frame(1, 5, 1, GET)), (1, frame(1, 5, 1, OK))], []),
    ([(0, frame(1, 5, 1, GET))], ["http2.unanswered-request"]),
    ([(0, frame(1, 5, 1, GET)), (0, frame(3, 0, 1, b"\0\0\0\x08"))], ["http2.stream-error"]),
    ([(0, frame(1, 5, 1, b"\xff\xff\xff\xff\xff\xff")), (1, frame(1, 5, 1, OK))], ["http2.header-block"]),
    ([(0, frame(1, 5, 1, b"\xbe")), (1, frame(1, 5, 1, OK))], ["http2.header-block"]),
    ([(0, frame(1, 5, 1, GET)), (1, frame(1, 5, 1, OK)), (0, frame(7, 0, 0, bytes(4) + b"\0\0\0\x0bslow"))],
     ["http2.goaway"]),
    ([(0, frame(1, 5, 1, GET)), (1, b"HTTP/1.1 400 Bad\r\n\r\n")], ["http2.no-frame"]),
])
def test_planted_faults(turns: list[Turn], ids: list[str]) -> None:
    assert [one.id for one in exchange(*BEGIN, *turns).findings] == ids


def test_a_block_in_several_frames_is_one() -> None:
    parts = frame(1, 1, 1, GET[:3]) + frame(9, 0, 1, GET[3:9]) + frame(9, 4, 1, GET[9:])
    found = exchange(*BEGIN, (0, parts), (1, frame(1, 5, 1, OK)))
    assert lines(found) == ["GET /  stream 1", "200 stream 1"] and found.findings == []


def test_after_a_lost_block_the_next_ones_are_read() -> None:
    blocks = [frame(1, 5, 1 + 2 * number, bytes.fromhex(block)) for number, block in enumerate(REQUESTS)]
    turns = [*BEGIN, *((0, block) for block in blocks), (1, frame(1, 5, 5, OK))]
    frames = frames_of(turns, size=60)
    lost = next(row for row, one in enumerate(frames) if blocks[0] in one)
    found = read([*frames[:lost], *frames[lost + 1 :]])
    decoder = found.layers[-1].decoder
    assert isinstance(decoder, Http2Decoder) and found.findings == []
    assert [one.note for one in decoder.records if one.type == 1][:2] == [
        "1 header rest on others that the capture lacks"] * 2
    assert "GET /index.html  stream 5" in lines(found)
