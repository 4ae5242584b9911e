"""Every rule for HTTP and WebSocket: a hand-made stream that breaks it, and clean ones that do not."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import pytest

from inspector.protocols import RULES
from inspector.protocols.websocket.frame import BINARY, CLOSE, CONTINUATION, PING, PONG, RSV1, TEXT, encode
from tests.support.captures.websocket import (
    CLEAN,
    CLIENT,
    CLOSING,
    DEFLATE,
    KEY,
    SERVER,
    UPGRADE,
    application,
    client,
    exchange,
    ids,
    request,
    response,
    server,
)

Turns = Sequence[tuple[int, bytes]]
KEYED = b"\x12\x34\x56\x78"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
DEFLATED = [(CLIENT, request(DEFLATE)), (SERVER, response(DEFLATE))]
BITS = [(CLIENT, request(DEFLATE + "; client_max_window_bits; server_max_window_bits=8")),
        (SERVER, response(DEFLATE + "; server_max_window_bits=8"))]


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def packed(body: bytes) -> bytes:
    """A response whose body is deflated."""
    data = zlib.compress(body)
    return b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: %d\r\n\r\n%s" % (len(data), data)


def raw(first: int, second: int, rest: bytes = b"") -> bytes:
    return bytes((first, second)) + rest


FAR = bytes(range(256)) + b"x" + bytes(range(256))

HANDSHAKES: dict[str, Turns] = {
    "websocket.wrong-method": [(CLIENT, request(start="POST /chat HTTP/1.1")), UPGRADE[1]],
    "websocket.missing-host": [(CLIENT, request(Host=None)), UPGRADE[1]],
    "websocket.upgrade-dropped": [
        (CLIENT, request(start="GET /chat HTTP/1.0", Upgrade=None, Connection="close")),
        (SERVER, OK.replace(b"200", b"426"))],
    "websocket.wrong-upgrade": [(CLIENT, request(Upgrade="h2c")), UPGRADE[1]],
    "websocket.wrong-connection": [UPGRADE[0], (SERVER, response(Connection="keep-alive"))],
    "websocket.missing-key": [(CLIENT, request(key=None)), UPGRADE[1]],
    "websocket.invalid-key": [(CLIENT, request(key="c2hvcnQ=")), (SERVER, response(key="c2hvcnQ="))],
    "websocket.wrong-version": [(CLIENT, request(Sec_WebSocket_Version="8")), UPGRADE[1]],
    "websocket.missing-accept": [UPGRADE[0], (SERVER, response(Sec_WebSocket_Accept=None))],
    "websocket.wrong-accept": [UPGRADE[0], (SERVER, response(key=KEY[::-1]))],
    "websocket.refused-upgrade": [
        UPGRADE[0], (SERVER, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")],
    "websocket.unoffered-subprotocol": [UPGRADE[0], (SERVER, response("Sec-WebSocket-Protocol: chat"))],
    "websocket.unoffered-extension": [UPGRADE[0], (SERVER, response(DEFLATE))],
    "websocket.invalid-extension": [(CLIENT, request(DEFLATE)),
                                    (SERVER, response(DEFLATE + "; server_max_window_bits=16"))],
    "websocket.early-data": [UPGRADE[0], client(), UPGRADE[1]],
}

FRAMES: dict[str, Turns] = {
    "websocket.unmasked-client-frame": [(CLIENT, encode(b"hi"))],
    "websocket.masked-server-frame": [(SERVER, encode(b"hi", key=KEYED))],
    "websocket.predictable-masking-key": [(CLIENT, encode(b"hi", key=KEYED) * 3)],
    "websocket.reserved-bits": [server(rsv=2)],
    "websocket.rsv1-without-extension": [server(rsv=RSV1)],
    "websocket.compressed-control-frame": [server(b"", PING, rsv=RSV1)],
    "websocket.reserved-opcode": [server(opcode=3)],
    "websocket.non-minimal-length": [(SERVER, encode(b"hi", length_form=16))],
    "websocket.length-top-bit": [(SERVER, raw(0x82, 127, b"\x80" + bytes(7)))],
    "websocket.fragmented-control-frame": [server(b"", PING, fin=False)],
    "websocket.oversized-control-frame": [server(bytes(126), PING)],
    "websocket.continuation-without-start": [server(opcode=CONTINUATION)],
    "websocket.data-inside-message": [server(fin=False), server()],
    "websocket.invalid-utf8": [server(b"\xc3", fin=False), server(b"(", CONTINUATION)],
    "websocket.one-byte-close": [server(b"\x03", CLOSE)],
    "websocket.invalid-close-code": [server(b"\x03\xee", CLOSE)],
    "websocket.close-reason-not-utf8": [server(b"\x03\xe8\xff", CLOSE)],
    "websocket.data-after-close": [server(b"\x03\xe8", CLOSE), server()],
    "websocket.control-after-close": [server(b"\x03\xe8", CLOSE), server(b"", PING)],
    "websocket.unasked-pong": [server(b"!", PONG), client()],      # whose octets have no hole for a Ping
}

DEFLATES: dict[str, Turns] = {
    "websocket.rsv1-on-continuation": [
        *DEFLATED, server(deflate(b"hello")[:3], fin=False, rsv=RSV1),
        server(deflate(b"hello")[3:], CONTINUATION, rsv=RSV1)],
    "websocket.invalid-deflate": [*DEFLATED, server(b"\xff\xff\xff\xff", rsv=RSV1)],
    "websocket.window-bits-exceeded": [*BITS, server(deflate(FAR), BINARY, rsv=RSV1)],
    "websocket.inflation-limit": [*DEFLATED, server(deflate(bytes(2 << 20)), BINARY, rsv=RSV1)],
}

ENDINGS: dict[str, Turns] = {
    "websocket.unfinished-frame": [*UPGRADE, server(b"long" * 9), (SERVER, encode(b"long" * 9)[:9])],
    "websocket.unfinished-message": [*UPGRADE, server(fin=False)],
    "websocket.missing-close": [*UPGRADE, client(), server()],
    "websocket.unanswered-close": [*UPGRADE, CLOSING[0]],
    "websocket.unanswered-ping": [*UPGRADE, server(b"?", PING), client(), client(), client(), *CLOSING],
    "http.incomplete-message": [(CLIENT, GET), (SERVER, OK[:-1])],
    "http.unanswered-request": [(CLIENT, GET)],
    "http.closed-early": [(CLIENT, GET), (SERVER, OK[:-1])],
}
CLOSED_BY_SERVER = {"http.incomplete-message", "http.unanswered-request", "http.reset-body"}

HTTP: dict[str, Turns] = {
    "http.invalid-start-line": [(CLIENT, GET + b"GET / HTTP/1.1 extra\r\nHost: x\r\n\r\n")],
    "http.tls-and-plain": [
        (CLIENT, GET), (SERVER, bytes.fromhex("15030100020246"))],
    "http.http2-only": [
        (CLIENT, GET), (SERVER, bytes.fromhex("000012040000000000 000300000080 000400010000 000500ffffff")
                        + bytes.fromhex("000008070000000000 00000000 00000001"))],
    "http.invalid-status": [(CLIENT, GET), (SERVER, OK.replace(b"200", b"2000"))],
    "http.invalid-header": [(CLIENT, GET.replace(b"\r\n\r\n", b"\r\nnot a header\r\n\r\n")), (SERVER, OK)],
    "http.space-before-colon": [(CLIENT, GET.replace(b"Host:", b"Host :")), (SERVER, OK)],
    "http.folded-header": [(CLIENT, GET[:-2] + b"A: b\r\n c\r\n\r\n"), (SERVER, OK)],
    "http.control-in-header": [
        (CLIENT, GET), (SERVER, OK.replace(b"OK\r\n", b"OK\r\nA: b\rSet-Cookie: c\r\n"))],
    "http.bare-line-feed": [(CLIENT, GET.replace(b"\r\n", b"\n")), (SERVER, OK)],
    "http.head-too-large": [(CLIENT, GET[:-2] + b"A: " + b"b" * (300 << 10))],
    "http.missing-host": [(CLIENT, b"GET / HTTP/1.1\r\n\r\n"), (SERVER, OK)],
    "http.duplicate-host": [(CLIENT, GET[:-2] + b"Host: y\r\n\r\n"), (SERVER, OK)],
    "http.invalid-content-length": [(CLIENT, GET), (SERVER, OK.replace(b": 2", b": two"))],
    "http.conflicting-length": [(CLIENT, GET), (SERVER, OK.replace(b": 2", b": 2\r\nContent-Length: 3"))],
    "http.unknown-transfer-encoding": [
        (CLIENT, GET[:-2] + b"Transfer-Encoding: chunked, gzip\r\n\r\n"), (SERVER, OK)],
    "http.invalid-chunk": [
        (CLIENT, GET), (SERVER, CHUNKED + b"2\r\nokay\r\n0\r\n\r\n")],
    "http.excess-body": [(CLIENT, GET), (SERVER, OK + b"more\n")],
    "http.body-not-allowed": [(CLIENT, GET), (SERVER, b"HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n")],
    "http.response-splitting": [
        (CLIENT, b"GET /?to=%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: x\r\n\r\n"),
        (SERVER, b"HTTP/1.1 302 Found\r\nLocation: /\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")],
    "http.unasked-response": [(SERVER, OK)],
    "http.invalid-content-encoding": [
        (CLIENT, GET), (SERVER, OK.replace(b": 2", b": 2\r\nContent-Encoding: gzip"))],
    "http.inflation-limit": [(CLIENT, GET), (SERVER, packed(bytes(2 << 20)))],
}

ODD: dict[str, Turns] = {
    "http.chunk-bare-line-feed": [(CLIENT, GET), (SERVER, CHUNKED + b"2\nok\r\n0\r\n\r\n")],
    "http.chunked-in-http-1.0": [
        (CLIENT, GET), (SERVER, CHUNKED.replace(b"/1.1", b"/1.0") + b"0\r\n\r\n")],
    "websocket.foreign-extension": [
        (CLIENT, request("Sec-WebSocket-Extensions: x-own")),
        (SERVER, response("Sec-WebSocket-Extensions: x-own"))],
}
WITH_HOLES = {"websocket.context-not-captured"}       # tests/protocols/every_protocol/test_cases.py
WITH_TIME = {"http.endless-body"}                     # test_answers.py

BROKEN: dict[str, tuple[Turns, str]] = {
    **{rule: (turns, "") for rule, turns in (HANDSHAKES | DEFLATES | HTTP | ODD).items()},
    **{rule: ([*UPGRADE, *turns], "") for rule, turns in FRAMES.items()},
    **{rule: (turns, "F") for rule, turns in ENDINGS.items()},
    "http.reset-body": ([(CLIENT, GET), (SERVER, b"HTTP/1.1 200 OK\r\n\r\nsome")], "R"),
}

CLEAN_EXCHANGES: dict[str, Turns] = {
    "websocket": CLEAN,
    "fragments with a ping between": [
        *UPGRADE, server("grü".encode()[:3], fin=False), server(b"?", PING), client(b"?", PONG),
        server("grü".encode()[3:], CONTINUATION), *CLOSING],
    "deflate": [*DEFLATED, server(deflate(b"hello hello"), rsv=RSV1), server(), *CLOSING],
    "deflate in fragments": [
        *DEFLATED, server(deflate(b"hello")[:3], fin=False, rsv=RSV1),
        server(deflate(b"hello")[3:], CONTINUATION), *CLOSING],
    "window bits": [*BITS, server(deflate(b"hello" * 9), rsv=RSV1), *CLOSING],
    "subprotocol": [(CLIENT, request("Sec-WebSocket-Protocol: a, chat")),
                    (SERVER, response("Sec-WebSocket-Protocol: chat")), *CLOSING],
    "long frames": [*UPGRADE, client(bytes(200), BINARY), server(bytes(70_000), BINARY), *CLOSING],
    "close without a code": [*UPGRADE, client(b"", CLOSE), server(b"", CLOSE)],
    "http": [(CLIENT, GET), (SERVER, OK), (CLIENT, GET + GET), (SERVER, OK + OK)],
    "http body until close": [(CLIENT, GET), (SERVER, b"HTTP/1.1 200 OK\r\n\r\nall of it")],
    "http 1xx, chunks, trailers": [
        (CLIENT, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"),
        (SERVER, b"HTTP/1.1 100 Continue\r\n\r\n"), (CLIENT, b"hi"),
        (SERVER, CHUNKED + b"2;a=b\r\nok\r\n0\r\nX: y\r\n\r\n")],
    "http head and 304": [
        (CLIENT, b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"), (SERVER, OK[:-2]),
        (CLIENT, GET), (SERVER, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n")],
    "http with content encoding": [(CLIENT, GET), (SERVER, packed(b"hello"))],
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_is_told(rule: str) -> None:
    turns, end = BROKEN[rule]
    first = SERVER if rule in CLOSED_BY_SERVER else CLIENT
    found = [one for one in application(*turns, end=end, first=first).findings if one.id == rule]
    assert found, rule
    one = found[0]
    assert (one.severity, one.clause) == (RULES[rule].severity, RULES[rule].clause)
    assert one.stream == 0 and one.rows and one.direction in (0, 1) and one.stop >= one.start
    assert one.text.count(". ") >= 1 or RULES[rule].instead == ""


@pytest.mark.parametrize("name", CLEAN_EXCHANGES)
def test_clean_traffic_gives_no_finding(name: str) -> None:
    for size in (1400, 3):
        if size == 3 and name == "long frames":
            continue
        assert ids(application(*CLEAN_EXCHANGES[name], end="F", size=size)) == [], (name, size)


def test_a_body_until_the_end_is_not_known_to_be_whole_where_that_is_a_reset() -> None:
    turns = BROKEN["http.reset-body"][0]
    for first, rules in ((SERVER, ["http.reset-body"]), (CLIENT, ["http.closed-early"])):
        found = application(*turns, end="R", first=first)
        assert [one.id for one in found.own_findings] == rules
        answer = found.layers[-1].decoder.records[-1]
        assert answer.status == 200 and not answer.complete
    closed = exchange(*turns)
    closed.lose(SERVER, 1)                        # a FIN, which counts a byte; RST comes behind it
    closed.end("R", SERVER)
    assert [one.id for one in closed.application().own_findings] == []
    unheard = exchange((CLIENT, GET))
    unheard.lose(SERVER, 100)                     # the answer: the number of the reset proves it
    unheard.end("R", SERVER)
    assert [one.id for one in unheard.application().own_findings] == []


def test_a_header_in_several_folded_lines_is_one_finding() -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n c\r\nY: a\r\n b\r\n\r\n"
    found = application((CLIENT, head), (SERVER, OK)).own_findings
    assert [one.text.split()[0] for one in found] == ["X", "Y"]


def test_every_rule_for_http_and_websocket_is_shown_above() -> None:
    known = {rule for rule in RULES if rule.startswith(("websocket.", "http."))}
    assert known == set(BROKEN) | WITH_HOLES | WITH_TIME


@pytest.mark.parametrize("rule", [*FRAMES, *DEFLATES])
def test_the_finding_is_on_its_frame(rule: str) -> None:
    turns, _ = BROKEN[rule]
    found = application(*turns)
    records = [record for record in found.frames if rule in record.findings]
    if rule == "websocket.length-top-bit":       # the frame can never be complete
        assert not records
        return
    one = next(one for one in found.findings if one.id == rule)
    assert records and records[0].start <= one.start <= one.stop <= records[0].stop
    assert set(one.rows) <= set(records[0].rows)


@pytest.mark.parametrize(("rule", "offset", "bits"), [
    ("websocket.unmasked-client-frame", 1, (0, 1)),
    ("websocket.masked-server-frame", 1, (0, 1)),
    ("websocket.reserved-bits", 0, (2, 3)),
    ("websocket.rsv1-without-extension", 0, (1, 2)),
    ("websocket.reserved-opcode", 0, (4, 8)),
    ("websocket.fragmented-control-frame", 0, (0, 1)),
    ("websocket.length-top-bit", 2, (0, 1)),
])
def test_the_offending_bits_are_named(rule: str, offset: int, bits: tuple[int, int]) -> None:
    one = next(one for one in application(*BROKEN[rule][0]).findings if one.id == rule)
    start = len(UPGRADE[one.direction or 0][1]) + offset
    assert (one.start, one.stop, one.bit_start, one.bit_stop) == (start, start + 1, *bits)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535])
def test_close_codes_that_may_not_be_sent(code: int) -> None:
    found = application(*UPGRADE, server(code.to_bytes(2, "big"), CLOSE))
    assert ids(found) == ["websocket.invalid-close-code"]


@pytest.mark.parametrize("code", [1000, 1003, 1007, 1011, 1014, 3000, 4999])
def test_close_codes_that_may(code: int) -> None:
    assert ids(application(*UPGRADE, server(code.to_bytes(2, "big"), CLOSE))) == []


def test_the_place_of_wrong_utf8_is_exact() -> None:
    found = application(*UPGRADE, client(b"ok \xff no"))
    one = found.findings[0]
    payload = found.frames[0].payload_start
    assert one.id == "websocket.invalid-utf8" and (one.start, one.stop) == (payload + 3, payload + 4)


def test_a_refused_upgrade_names_the_header() -> None:
    bad = request(Sec_WebSocket_Version=None, Connection="keep-alive")
    answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
    found = application((CLIENT, bad), (SERVER, answer))
    assert found.upgrade is not None and not found.upgrade.accepted
    wrong = [check.name for check in found.upgrade.wrong]
    assert wrong == ["Connection", "Sec-WebSocket-Version", "status line"]
    text = next(one.text for one in found.findings if one.id == "websocket.refused-upgrade")
    assert "Connection, Sec-WebSocket-Version" in text


def test_a_second_response_is_response_splitting() -> None:
    found = application((CLIENT, GET), (SERVER, OK + OK))
    one = found.findings[0]
    assert one.id == "http.response-splitting" and one.start == len(OK)


@pytest.mark.parametrize(("turns", "begins"), [
    ([(CLIENT, GET), (SERVER, OK + b"lo")], '"lo" stands behind the 2 bytes of Content-Length.'),
    ([(CLIENT, GET), (SERVER, OK + b"lo"), (CLIENT, GET), (SERVER, OK)],
     '"lo" stands behind the 2 bytes of Content-Length.'),
    ([(CLIENT, b"POST / HTTP/1.1\r\nHost: x\r\n\r\n{a: 1}\n"), (SERVER, OK)],
     '"{a: 1}" stands behind a request without Content-Length.'),
    ([(CLIENT, GET), (SERVER, b"HTTP/1.1 204 No Content\r\n\r\n<p>")],
     '"<p>" stands behind a 204 answer that has no body.'),
])
def test_a_body_longer_than_its_head_says(turns: Turns, begins: str) -> None:
    found = [one for one in application(*turns, end="F").findings if one.id != "http.unanswered-request"]
    assert [one.id for one in found] == ["http.excess-body"]
    assert found[0].text.startswith(begins)


def test_a_client_that_finds_the_handshake_wrong_just_closes() -> None:
    wrong = [UPGRADE[0], (SERVER, response(key=KEY[::-1]))]
    assert ids(application(*wrong, end="F")) == ["websocket.wrong-accept"]
    spoken = application(*wrong, client(), server(), end="F")
    assert sorted(ids(spoken)) == ["websocket.missing-close", "websocket.wrong-accept"]


def test_what_a_proxy_drops_is_told_once() -> None:
    turns = BROKEN["websocket.upgrade-dropped"][0]
    assert sorted(ids(application(*turns))) == [
        "websocket.refused-upgrade", "websocket.upgrade-dropped", "websocket.wrong-method"]


@pytest.mark.parametrize("answer", [
    "426 Upgrade Required\r\nUpgrade: websocket", "426 Upgrade Required", "505 HTTP Version Not Supported",
])
def test_what_a_proxy_dropped_behind_what_is_captured_is_told_by_the_answer(answer: str) -> None:
    """Only the client's side of the proxy is seen: what it is answered asks for what it said."""
    head = f"HTTP/1.1 {answer}\r\nServer: nginx/1.22.1\r\nContent-Length: 0\r\n\r\n".encode()
    (one,) = application(UPGRADE[0], (SERVER, head)).findings
    assert one.id == "websocket.upgrade-dropped" and "a proxy between them dropped it" in one.text
    assert "proxy_set_header Upgrade" in one.text


@pytest.mark.parametrize(("answer", "words"), [
    ("404 Not Found\r\nServer: nginx/1.22.1", "If nginx/1.22.1 hands on to another server"),
    ("400 Bad Request\r\nVia: 1.1 gate", "If 1.1 gate hands on to another server"),
    ("404 Not Found", "perhaps the path is not the WebSocket's, or a proxy dropped Upgrade"),
    ("426 Upgrade Required\r\nSec-WebSocket-Version: 8", "The server supports Sec-WebSocket-Version 8"),
    ("426 Upgrade Required\r\nUpgrade: h2c", "perhaps the path"),
    ("503 Service Unavailable\r\nServer: nginx", "answers \"101 Switching Protocols\""),
])
def test_an_answer_that_proves_no_proxy_accuses_none(answer: str, words: str) -> None:
    head = f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n".encode()
    (one,) = application(UPGRADE[0], (SERVER, head)).findings
    assert one.id == "websocket.refused-upgrade" and words in one.text


def test_findings_of_one_rule_are_bounded_but_each_frame_knows() -> None:
    frames = [(CLIENT, encode(b"x", TEXT)) for _ in range(1200)]
    found = application(*UPGRADE, (CLIENT, b"".join(data for _, data in frames)))
    assert len(found.findings) == 1000 and "The same 200 times more" in found.findings[-1].text
    assert all("websocket.unmasked-client-frame" in record.findings for record in found.frames)


def test_the_last_one_kept_leads_to_all_that_are_counted_with_it() -> None:
    """Those of a run alike, which are not looked at one by one, among them."""
    half = b"".join(encode(b"x", TEXT) for _ in range(900))
    odd = [(CLIENT, encode(bytes([65 + size]) * size, TEXT)) for size in range(1, 41)]
    found = application(*UPGRADE, (CLIENT, half), (CLIENT, half), *odd)
    last = found.findings[-1]
    assert "The same 840 times more" in last.text
    assert last.alike == tuple(sorted({frame.rows[0] for frame in found.frames[1000:]}))
    assert len(last.alike) > 40
