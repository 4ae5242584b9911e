"""HTTP/1.1: heads, framing, pairing; any cutting gives the same, any bytes are taken; upgrades by name."""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import replace
from itertools import pairwise

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.model.packets import Row
from inspector.protocols import RULES
from inspector.protocols.api import MessageIndex
from inspector.protocols.http.connection import HttpConnection
from inspector.protocols.http.findings import finding
from inspector.protocols.http.message import HttpMessage, decode_content, looks_like_http, parse_head
from inspector.protocols.http.pairing import Pairing
from inspector.protocols.http.upgrade import examine
from inspector.protocols.websocket.session.deflate import DeflateParameters, negotiate, parse_extensions
from inspector.trace.application.application import ApplicationLayers
from inspector.trace.flows.tcp import TcpFlow
from tests.support.captures.tcp import MemoryTrace, segment
from tests.support.captures.websocket import KEY, request, response

REQUESTS = (
    b"\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n"
    b"HEAD /b HTTP/1.1\r\nHost: x\r\n\r\n"
    b"POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    b"PUT /d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nT: 1\r\n\r\n"
    b"DELETE /e HTTP/1.1\nHost: x\n\n")
RESPONSES = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
    b"HTTP/1.1 100 Continue\r\n\r\n"
    b"HTTP/1.1 201 Created\r\nTransfer-Encoding: gzip, chunked\r\n\r\nA\r\n0123456789\r\n00\r\n\r\n"
    b"HTTP/1.1 204 No Content\r\n\r\n"
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end")


def read(requests: bytes, responses: bytes, cuts: list[int] | None = None) -> HttpConnection:
    connection = HttpConnection(keep=100)
    for direction, data in enumerate((requests, responses)):
        places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts or ())})
        for start, stop in pairwise(places):
            connection.feed(direction, data[start:stop])
    connection.end(0)
    connection.end(1)
    connection.finish()
    return connection


def test_a_pipelined_connection() -> None:
    connection = read(REQUESTS, RESPONSES)
    asked = [m for m in connection.messages if m.is_request]
    assert [(m.method, m.target, m.framing, m.body) for m in asked] == [
        ("GET", "/a", "none", b""), ("HEAD", "/b", "none", b""), ("POST", "/c", "length", b"hello"),
        ("PUT", "/d", "chunked", b"hello!"), ("DELETE", "/e", "none", b"")]
    answered = [m for m in connection.messages if not m.is_request]
    assert [(m.status, m.framing, m.body, m.partner) for m in answered] == [
        (200, "length", b"abc", 0), (200, "none", b"", 1), (100, "none", b"", 2),
        (201, "chunked", b"0123456789", 2), (204, "none", b"", 3), (200, "close", b"until the end", 4)]
    assert [m.partner for m in asked] == [5, 6, 8, 9, 10]
    assert all(m.complete for m in connection.messages)
    assert [one.id for one in connection.findings] == ["http.bare-line-feed"]
    assert asked[3].trailers[0].name == "T" and asked[3].headers[1].value == "chunked"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 1 << 16), max_size=20))
def test_any_cutting_gives_the_same_messages(cuts: list[int]) -> None:
    whole, cut = read(REQUESTS, RESPONSES), read(REQUESTS, RESPONSES, cuts)
    assert cut.messages == whole.messages and cut.findings == whole.findings


LINES = [
    b"GET / HTTP/1.1", b"HTTP/1.1 200 OK", b"Host: x", b"Content-Length: 5", b"", b"hello", b"\n", b"5", b"0",
    b"Transfer-Encoding: chunked", b"ffffffffffffffff", b" folded", b": no name", b"HTTP/1.1 101 Go",
    b"Upgrade: websocket", b"Content-Length: 99999999999999999999", b"CONNECT a HTTP/1.1", b"\x00\xff",
    b"HEAD / HTTP/1.1", b"HTTP/1.1 ", b"HTTP/1.1 x y", b"Content-Length: 4",
]
TOKENS = st.sampled_from([line + b"\r\n" for line in LINES] + [b"hello", b"\n"])
BYTES = st.lists(TOKENS | st.binary(max_size=20), max_size=14).map(b"".join)


@settings(max_examples=100, deadline=None)
@given(BYTES, BYTES, st.lists(st.integers(0, 400), max_size=6))
def test_any_bytes_are_taken_however_they_are_cut(first: bytes, second: bytes, cuts: list[int]) -> None:
    whole, cut = read(first, second), read(first, second, cuts)
    assert cut.messages == whole.messages
    assert sorted(map(str, cut.findings)) == sorted(map(str, whole.findings))


def test_a_body_beyond_the_bound_may_be_skipped() -> None:
    connection = HttpConnection(keep=10)
    connection.feed(0, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + bytes(20))
    assert connection.skippable(0) == 980
    connection.skip(0, 980)
    message = connection.messages[0]
    assert message.complete and message.body_length == 1000 and message.body == bytes(10)


def test_an_endless_head_is_given_up() -> None:
    connection = HttpConnection()
    connection.feed(0, b"GET / HTTP/1.1\r\n")
    for _ in range(400):
        connection.feed(0, b"A: " + b"b" * 997)
    assert [one.id for one in connection.findings] == ["http.head-too-large"] and connection.lost(0)


@pytest.mark.parametrize(("data", "wanted"), [
    (b"GET / HTTP/1.1\r\n", "request"), (b"G", "perhaps"), (b"M-SEARCH * HTTP/1.1\r\n", "request"),
    (b"", "perhaps"), (b"HTTP/1.1 200 OK", "response"), (b"HTT", "perhaps"),
    (b"PRI * HTTP/2.0\r\n", ""), (b"\x16\x03\x01", ""),
    (b"GET /" + b"a" * 5000, "request"), (b"GET / a" + b"a" * 5000, ""),
    (b"GET / a" + b"a" * 5000 + b"\n", ""),
    (b"GET /\x1a\tb", "perhaps"), (b"GET /\x1a\tb HTTP/1.1\r\n", "request"),
    (b"SSH-2.0-x\r\n", ""), (b"EHLO there\r\n", ""),
])
def test_what_looks_like_http(data: bytes, wanted: str) -> None:
    assert looks_like_http(data) == wanted


@pytest.mark.parametrize(("body", "codings", "wanted"), [
    (gzip.compress(b"hi", mtime=0), ["gzip"], (b"hi", "")), (zlib.compress(b"hi"), ["deflate"], (b"hi", "")),
    (zlib.compress(b"hi")[2:-4], ["deflate"], (b"hi", "")), (b"hi", ["identity"], (b"hi", "")),
    (gzip.compress(zlib.compress(b"hi"), mtime=0), ["deflate", "GZIP"], (b"hi", "")),
    (b"hi", ["br"], (b"hi", "unknown")), (b"hi", ["gzip"], (b"", "data")),
    (gzip.compress(b"a", mtime=0) + gzip.compress(b"b", mtime=0), ["gzip"], (b"ab", "")),
    (gzip.compress(bytes(5000), mtime=0), ["gzip"], (bytes(1000), "limit")),
])
def test_content_codings(body: bytes, codings: list[str], wanted: tuple[bytes, str]) -> None:
    assert decode_content(body, codings, 1000) == wanted


# --- the upgrade ---

def head(data: bytes, is_request: bool) -> HttpMessage:
    message, findings = parse_head(data, 0, int(not is_request), is_request)
    assert message is not None and not findings
    return message


def test_a_right_upgrade() -> None:
    extension = "Sec-WebSocket-Extensions: permessage-deflate"
    offer = request("Sec-WebSocket-Protocol: a, b", extension + "; client_max_window_bits, x-other")
    answer = extension + "; client_max_window_bits=10; server_no_context_takeover"
    answered = head(response("Sec-WebSocket-Protocol: b", answer), False)
    upgrade = examine(head(offer, True), answered)
    assert upgrade.valid and upgrade.accepted and upgrade.findings == () and upgrade.wrong == ()
    assert (upgrade.offered_subprotocols, upgrade.subprotocol) == (("a", "b"), "b")
    assert [extension.name for extension in upgrade.offered_extensions] == ["permessage-deflate", "x-other"]
    assert upgrade.deflate == DeflateParameters(True, False, 15, 10)
    assert upgrade.proof is not None and upgrade.proof.expected == upgrade.accept and upgrade.key == KEY


def test_header_names_and_tokens_in_any_case() -> None:
    shouting = request().replace(b"Upgrade: websocket", b"UPGRADE: h2c, WebSocket").replace(
        b"Connection: Upgrade", b"connection: keep-alive, UPGRADE")
    assert examine(head(shouting, True), None).wrong == ()


@pytest.mark.parametrize(("offer", "answer", "problem"), [
    ("client_max_window_bits", "client_max_window_bits=15", ""),
    ("", "client_max_window_bits=9", "not offered"),
    ("", "server_max_window_bits", "empty"), ("", "server_max_window_bits=7", "7"),
    ("", "server_max_window_bits=8; server_max_window_bits=9", "twice"), ("", "what", "what"),
    ("", "server_no_context_takeover=1", "no value"), ("", 'server_max_window_bits="9"', ""),
    ("", "server_max_window_bits=08", "08"),
])
def test_what_an_answer_may_say_of_deflate(offer: str, answer: str, problem: str) -> None:
    offered = parse_extensions([f"permessage-deflate; {offer}"])
    parameters, problems = negotiate(offered, parse_extensions([f"permessage-deflate; {answer}"]))
    assert parameters is not None
    assert (problem in problems) if problem else not problems


# An RFC with its section, where it has any; else a document by its name, and what part of it.
CLAUSE = re.compile(r"RFC (768|\d+ §[A-Z0-9][\d.]*)|\w+\(\d\)|(?!RFC)\w+ .+")      # or a page of the manual


def test_the_register() -> None:
    for key, rule in RULES.items():
        assert rule.id == key
        assert CLAUSE.fullmatch(rule.clause), key
        assert rule.instead.endswith((".", "?")), key
    one = finding("http.missing-host", "What.", 1, 2, 3, (4, 5))
    assert one.text == "What. " + RULES["http.missing-host"].instead
    assert replace(one, stream=7, rows=(Row(8),)) == one.at(7, [Row(8)])
    with pytest.raises(KeyError):
        finding("no.such-rule", "What.")


ZSTD = zstandard.ZstdCompressor().compress(b"hello " * 1000)


@pytest.mark.parametrize(("body", "limit", "size", "problem"), [
    (ZSTD, 1 << 20, 6000, ""), (ZSTD + ZSTD, 1 << 20, 12000, ""), (ZSTD[:-3], 1 << 20, 0, "cut"),
    (b"xx" + ZSTD, 1 << 20, 0, "data"), (ZSTD, 100, 100, "limit"),
    (zstandard.ZstdCompressor().compress(bytes(50 << 20)), 1 << 20, 1 << 20, "limit"),
])
def test_zstandard_is_unpacked_within_bounds(body: bytes, limit: int, size: int, problem: str) -> None:
    found = decode_content(body, ["zstd"], limit)
    assert (len(found.data), found.problem) == (size, problem)


def test_a_coding_that_is_not_undone_is_said() -> None:
    assert decode_content(b"\x8b\x02", ["br"]).problem == "unknown"
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n"
    trace = MemoryTrace()
    asked = segment(0, "PA", 1, 1, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = segment(1, "PA", 1, 28, head + b"\x8b\x02")
    trace.add([segment(0, "S", 0), segment(1, "SA", 0, 1), asked, answer], [1, 2, 3, 4])
    decoder = ApplicationLayers(trace, TcpFlow(trace, 0)).layers[0].decoder
    shown = decoder.shown(MessageIndex(1), 1000)
    assert shown.binary and shown.head[-1] == "[2 bytes in br, not unpacked]" and shown.body == b"\x8b\x02"


def pairing_steps(holes: int) -> int:
    """Places that pairing looks at where the capture lacks something before each request."""
    pairing = Pairing(whole=True)
    for number in range(0, 2 * holes, 2):
        pairing.miss_requests(number, 40, begins=number % 6 == 0)
        pairing.ask(number)
        asked = pairing.asked_by(hidden=False)
        pairing.answer(number + 1, asked, hidden=False)
    for number in range(2 * holes, 3 * holes):
        pairing.answer(number, pairing.asked_by(hidden=True), hidden=True)
    return pairing.steps


def test_pairing_looks_at_each_hole_a_few_times() -> None:
    assert pairing_steps(4000) <= 5 * 4000 and pairing_steps(4000) <= 5 * max(pairing_steps(1000), 1)
