"""Answers that are late: who is slow is named, and no end is given advice about something else."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from inspector.model.packets import first_rows
from inspector.protocols import REGISTRY
from inspector.trace.application.engine import Layer
from inspector.trace.trace import Trace
from inspector.views.json.findings import findings
from tests.support.captures.tcp import CAPTURES, MemoryTrace, ip, segment

S = 1_000_000_000
Turn = tuple[float, int, str, bytes]        # when, in seconds; who; flags; what

GET, OK = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
NAMED = {"http": "sessions/python-http.pcapng", "pgsql": "protocols/postgresql.pcapng",
         "socks": "cases/09f-socks5-websocket.pcap"}       # else as the protocol
PAIRED = [NAMED.get(one.name, f"protocols/{one.name}.pcapng") for one in REGISTRY if one.pairs]


def saved(path: Path, turns: Sequence[Turn], port: int = 80) -> Path:
    """A connection that is opened at 0 s, then these segments; numbers follow."""
    trace, sent = MemoryTrace(), [1, 1]
    frames = [(0.0, segment(0, "S", 0, ports=(40000, port))),
              (0.0, segment(1, "SA", 0, 1, ports=(40000, port))),
              (0.0, segment(0, "A", 1, 1, ports=(40000, port)))]
    for when, end, flags, data in turns:
        frames.append((when, segment(end, flags, sent[end], sent[1 - end], data, ports=(40000, port))))
        sent[end] += len(data) + ("F" in flags)
    trace.add([frame for _, frame in frames], [S + int(when * S) + at for at, (when, _) in enumerate(frames)])
    trace.save(path)
    return path


def findings_of(path: Path) -> list[tuple[str, str]]:
    with Trace.open(path) as trace:
        trace.finish()
        return [(one["id"], one["text"]) for one in findings(trace)]


def kinds(path: Path) -> list[str]:
    return [rule for rule, _ in findings_of(path)]


def asked_and_answered(path: Path) -> tuple[int, list[tuple[int, bytes]], int, bytes]:
    """The server's port of a real connection; what was said in it up to a request; who answers, and what."""
    with Trace.open(path) as trace:
        trace.finish()
        for row in trace.conversations("tcp"):
            for layer in trace.application(row.stream).layers:
                if layer.protocol.pairs and (found := _first(layer)) is not None:
                    flow = trace.flow(row.stream)
                    return (flow.b if layer.decoder.client == 0 else flow.a)[1], *found
    raise AssertionError(path)


def _first(layer: Layer) -> tuple[list[tuple[int, bytes]], int, bytes] | None:
    decoder, before = layer.decoder, list[tuple[int, bytes]]()
    for position, record in enumerate(decoder.records):
        data = layer.streams[record.direction].read(record.start, record.stop)
        asked = decoder.partner(position)
        if before and asked is not None and asked < position and decoder.partner(asked) == position \
                and decoder.records[asked].direction == decoder.client and not decoder.holds(asked):
            turned = [(int(end != decoder.client), data) for end, data in before]
            return turned, 1, data
        before.append((record.direction, data))
    return None


@pytest.mark.parametrize("name", PAIRED)
def test_a_slow_answer_is_told_of_every_protocol(name: str, tmp_path: Path) -> None:
    port, before, end, answer = asked_and_answered(CAPTURES / name)
    turns = [(0.01, who, "PA", data) for who, data in before]
    quick = kinds(saved(tmp_path / "quick.pcapng", [*turns, (0.2, end, "PA", answer)], port))
    slow = kinds(saved(tmp_path / "slow.pcapng", [*turns, (4.2, end, "PA", answer)], port))
    assert sorted(slow) == sorted([*quick, "answer.slow"])


@pytest.mark.parametrize("name", PAIRED)
def test_a_client_that_gave_up_is_told_of_every_protocol(name: str, tmp_path: Path) -> None:
    port, before, end, answer = asked_and_answered(CAPTURES / name)
    turns = [*((0.01, who, "PA", data) for who, data in before), (1.01, 0, "FA", b""), (1.02, end, "A", b"")]
    answered: list[Turn] = [(4.01, end, "PA", answer), (4.01, 0, "R", b"")]
    closed: list[Turn] = [(4.01, end, "FA", b""), (4.01, 0, "A", b"")]
    late = findings_of(saved(tmp_path / "late.pcapng", [*turns, *answered], port))
    assert [rule for rule, _ in late if rule.startswith(("answer.", "tcp."))] == ["answer.gave-up"]
    text = f"waited 1.0 s for an answer of 10.0.0.2:{port} when 10.0.0.1:40000 gave up; it came 3.0 s later"
    assert text in dict(late)["answer.gave-up"]
    never = findings_of(saved(tmp_path / "never.pcapng", [*turns, *closed], port))
    words = [text for rule, text in never if rule.startswith(("answer.", "tcp.")) or "unanswered" in rule]
    assert len(words) == 1 and "gave up; none came" in words[0], never


def test_a_client_of_datagrams_that_has_left_is_not_told_to_listen(tmp_path: Path) -> None:
    """Its port is closed because it waits no more: the answer was late."""
    query = b"\x12\x34\1\0\0\1\0\0\0\0\0\0\3abc\4test\0\0\1\0\1"
    answer = query[:2] + b"\x81\x80" + query[4:]
    asked, late = (ip(end, 17, struct.pack("!4H", *ports, 8 + len(data), 0) + data) for end, ports, data in
                   ((0, (40000, 53), query), (1, (53, 40000), answer)))
    error = ip(0, 1, b"\3\3\0\0\0\0\0\0" + late[:28])
    for frames, rule, text in (
        ([asked, late], "answer.slow", '10.0.0.2:53 took 2.0 s to begin its answer to "Standard query'),
        ([asked, late, error], "answer.gave-up", "an answer 2.0 s after it had asked; 10.0.0.1:40000 was"),
    ):
        trace = MemoryTrace()
        trace.add(frames, [S, 3 * S, 3 * S + 1][: len(frames)])
        trace.save(tmp_path / "x.pcapng")
        ((found, words),) = findings_of(tmp_path / "x.pcapng")
        assert found == rule and text in words


def http(path: Path, *turns: Turn) -> list[tuple[str, str]]:
    return findings_of(saved(path, turns))


def test_who_shuts_down_its_sending_still_waits(tmp_path: Path) -> None:
    """`nc -N`: the end of what a client sends is no end of its patience."""
    assert http(tmp_path / "x.pcapng", (0, 0, "PA", GET), (0.1, 0, "FA", b""), (0.1, 1, "A", b""),
                (0.6, 1, "PA", OK), (0.6, 0, "A", b""), (0.7, 1, "FA", b""), (0.7, 0, "A", b"")) == []


@pytest.mark.parametrize("head", [EVENTS, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"])
def test_what_is_streamed_is_not_slow(head: bytes, tmp_path: Path) -> None:
    """The first byte counts: what follows comes when there is news."""
    part = b"data: 1\n\n" if head is EVENTS else b"1\r\nx\r\n"
    turns = [(0, 0, "PA", GET), (0.1, 1, "PA", head), *((3 * n, 1, "PA", part) for n in range(1, 5))]
    assert "answer.slow" not in [rule for rule, _ in http(tmp_path / "x.pcapng", *turns)]


def test_who_leaves_a_stream_of_events_is_given_no_advice_on_keeping_connections(tmp_path: Path) -> None:
    found = http(tmp_path / "x.pcapng", (0, 0, "PA", GET), (0.1, 1, "PA", EVENTS), (1, 0, "FA", b""),
                 (1, 1, "A", b""), (1.5, 1, "PA", b"data: 1\n\n"), (1.5, 0, "R", b""))
    assert [rule for rule, _ in found] == ["answer.broken-off"]
    assert found[0][1].startswith('10.0.0.1:40000 closed in the middle of the answer to "GET /slow"')


def test_a_stale_connection_still_gets_the_advice_on_keeping_it(tmp_path: Path) -> None:
    """Here nothing was asked when the server closed."""
    found = http(tmp_path / "x.pcapng", (0, 0, "PA", GET), (0.1, 1, "PA", OK), (0.1, 0, "A", b""),
                 (5, 1, "FA", b""), (5, 0, "A", b""), (9, 0, "PA", GET), (9, 1, "R", b""))
    assert "tcp.sent-after-close" in [rule for rule, _ in found]


def test_a_long_poll_that_says_so_and_an_idle_connection_are_not_slow(tmp_path: Path) -> None:
    polls = GET.replace(b"Host", b"Prefer: wait=10\r\nHost")
    turns = [(0, 0, "PA", polls), (8, 1, "PA", OK), (20, 0, "PA", GET), (20.1, 1, "PA", OK)]
    assert http(tmp_path / "x.pcapng", *turns) == []


def test_of_many_slow_answers_the_last_one_says_how_many(tmp_path: Path) -> None:
    turns = [turn for n in range(30) for turn in ((4 * n, 0, "PA", GET), (4 * n + 2, 1, "PA", OK))]
    found = http(tmp_path / "x.pcapng", *turns)
    assert [rule for rule, _ in found] == ["answer.slow"] * 20
    assert "(The same 10 times more.)" in found[-1][1]


def redis(*words: str) -> bytes:
    return "".join((f"*{len(words)}\r\n", *(f"${len(word)}\r\n{word}\r\n" for word in words))).encode()


POLL = GET.replace(b"Host", b"Prefer: respond-async\r\nPrefer: wait = 30\r\nHost")
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
POLL_2 = b"\x82\x86\x84\x41\1x" + b"\0\6prefer\7wait=30"
ON_PURPOSE = [
    (80, POLL, OK),
    (80, PREFACE + bytes((0, 0, len(POLL_2), 1, 5, 0, 0, 0, 1)) + POLL_2, b"\0\0\1\1\5\0\0\0\1\x88"),
    *((6379, redis(*words.split()), b"*-1\r\n") for words in (
        "BLPOP q 0", "brpop q 0", "BLMOVE a b LEFT RIGHT 0", "BZPOPMIN q 0", "WAIT 1 0",
        "XREAD BLOCK 0 STREAMS s $", "XREADGROUP GROUP g c COUNT 1 BLOCK 0 STREAMS s >")),
]


@pytest.mark.parametrize(("port", "asked", "answer"), ON_PURPOSE)
def test_who_ends_a_wait_on_purpose_has_not_given_up(port: int, asked: bytes, answer: bytes,
                                                     tmp_path: Path) -> None:
    """A worker that is stopped ends its blocking read so, and nothing was slow."""
    closed: list[Turn] = [(2, 0, "FA", b""), (2, 1, "A", b"")]
    ends: dict[str, list[Turn]] = {
        "closed": [*closed, (2, 1, "FA", b""), (2, 0, "A", b"")], "reset": [(2, 0, "RA", b"")],
        "soon": [(0.1, 0, "FA", b""), (0.1, 1, "FA", b""), (0.1, 0, "A", b"")],
        "late": [*closed, (4, 1, "PA", answer), (4, 0, "R", b"")]}
    for name, end in ends.items():
        assert findings_of(saved(tmp_path / f"{name}.pcapng", [(0, 0, "PA", asked), *end], port)) == [], name


def test_who_asks_a_server_that_closes_is_told_even_of_a_wait_on_purpose(tmp_path: Path) -> None:
    found = saved(tmp_path / "x.pcapng", [(0, 0, "PA", redis("BLPOP", "q", "0")), (2, 1, "FA", b""),
                                          (2, 0, "FA", b""), (2, 1, "A", b"")], 6379)
    assert kinds(found) == ["redis.unanswered-request"]


HEAD, BODY = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n", b"hello"
ENDLESS = ("The answer has neither Content-Length nor chunked coding, so its body ends with the connection, "
           "and the server kept that open for 3.0 s.")
ASKED: list[Turn] = [(0, 0, "PA", GET), (0, 1, "PA", HEAD + BODY), (0, 0, "A", b"")]
CLIENT_CLOSES: list[Turn] = [(3, 0, "FA", b""), (3, 1, "FA", b""), (3, 0, "A", b"")]
LATER: Turn = (3, 0, "A", b"")


@pytest.mark.parametrize(("end", "severity"), [
    (CLIENT_CLOSES, "warning"), ([(3, 0, "RA", b"")], "warning"),
    ([(3, 0, "FA", b""), (3, 1, "A", b"")], "warning"), ([LATER], "note"),
])
def test_an_answer_without_an_end_on_a_connection_that_stays_open_is_told(
        end: list[Turn], severity: str, tmp_path: Path) -> None:
    with Trace.open(saved(tmp_path / "x.pcapng", [*ASKED, *end])) as trace:
        trace.finish()
        (one,) = (one for one in findings(trace) if one["id"] != "tcp.reset-after-data")
    assert (one["id"], one["severity"]) == ("http.endless-body", severity) and one["text"].startswith(ENDLESS)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"


@pytest.mark.parametrize(("answer", "words"), [
    (CHUNKED, "The answer's last chunk had not come, and the server had sent nothing for 3.0 s, when the "
              "client closed. Behind a body in chunks its last one should come"),
    (SHORT, "5 of 9 bytes of the answer's body had come, and the server had sent nothing for 3.0 s, when the "
            "client closed. Content-Length should be what the body has"),
])
@pytest.mark.parametrize("end", [CLIENT_CLOSES, [(3, 0, "RA", b"")]], ids=["FIN", "RST"])
def test_an_announced_body_whose_rest_never_came_is_told(answer: bytes, words: str, end: list[Turn],
                                                         tmp_path: Path) -> None:
    turns: list[Turn] = [(0, 0, "PA", GET), (0, 1, "PA", answer), (0, 0, "A", b""), *end]
    found = findings_of(saved(tmp_path / "x.pcapng", turns))
    (one,) = (one for one in found if one[0] != "tcp.reset-after-data")
    assert one[0] == "http.endless-body" and one[1].startswith(words)


FINE: dict[str, list[Turn]] = {
    "the server closes": [*ASKED, (3, 1, "FA", b""), (3, 0, "FA", b""), (3, 1, "A", b"")],
    "soon": [*ASKED, (0.5, 0, "FA", b""), (0.5, 1, "FA", b""), (0.5, 0, "A", b"")],
    "goes on": [*ASKED, (3, 1, "PA", BODY), (3, 0, "A", b"")],
    "not all came": [*ASKED[:-1], (3, 0, "R", b"")],
    "chunks that may go on": [(0, 0, "PA", GET), (0, 1, "PA", CHUNKED), (0, 0, "A", b""), LATER],
    "a body that may go on": [(0, 0, "PA", GET), (0, 1, "PA", SHORT), (0, 0, "A", b""), LATER],
    "a user who stops": [(0, 0, "PA", GET), (0, 1, "PA", CHUNKED), (0, 0, "A", b""),
                         (0.3, 0, "FA", b""), (0.3, 1, "FA", b""), (0.3, 0, "A", b"")],
    "events in chunks": [(0, 0, "PA", GET), (0, 1, "PA", CHUNKED.replace(
        b"\r\n\r\n", b"\r\nContent-Type: text/event-stream\r\n\r\n", 1)), (0, 0, "A", b""), *CLIENT_CLOSES],
    "no answer": [(0, 0, "PA", GET), (3, 0, "A", b"")],
    **{name: [(0, 0, "PA", asked), (0, 1, "PA", answer), (0, 0, "A", b""), LATER] for name, asked, answer in (
        ("length", GET, OK), ("HTTP/1.0", GET, HEAD.replace(b"/1.1", b"/1.0") + BODY),
        ("close", GET, HEAD.replace(b"Server: x", b"Connection: close") + BODY),
        ("close is asked", GET.replace(b"Host", b"Connection: close\r\nHost"), HEAD + BODY),
        ("events", GET, EVENTS), ("HEAD", GET.replace(b"GET", b"HEAD"), HEAD),
        ("204", GET, HEAD.replace(b"200", b"204")), ("304", GET, HEAD.replace(b"200", b"304")),
        ("parts", GET, HEAD.replace(b"Server: x", b"Content-Type: multipart/x-mixed-replace") + BODY))},
}


@pytest.mark.parametrize("name", FINE)
def test_who_may_have_ended_its_answer_is_not_accused(name: str, tmp_path: Path) -> None:
    assert "http.endless-body" not in kinds(saved(tmp_path / "x.pcapng", FINE[name]))


def test_a_server_that_closes_at_the_same_time_as_its_client_is_not_accused(tmp_path: Path) -> None:
    stop = 1 + len(HEAD)
    for heard in (0, 1):
        trace = MemoryTrace()
        trace.add([segment(0, "S", 0), segment(1, "SA", 0, 1), segment(0, "PA", 1, 1, GET),
                   segment(1, "PA", 1, 1 + len(GET), HEAD), segment(0, "FA", 1 + len(GET), stop),
                   segment(1, "FA", stop, 1 + len(GET) + heard)], [S, S, S, S, 4 * S, 4 * S + 1])
        trace.save(tmp_path / "x.pcapng")
        assert kinds(tmp_path / "x.pcapng") == ["http.endless-body"] * heard


@pytest.mark.parametrize("lacks", ["beginning", "request", "end of the body", "FIN", "the rest of a packet"])
def test_where_the_capture_lacks_something_no_server_is_accused_of_it(lacks: str, tmp_path: Path) -> None:
    trace = MemoryTrace()
    frames = [segment(0, "S", 0), segment(1, "SA", 0, 1), segment(0, "A", 1, 1), segment(0, "PA", 1, 1, GET),
              segment(1, "PA", 1, 1 + len(GET), HEAD), segment(1, "PA", 1 + len(HEAD), 1 + len(GET), BODY)]
    stop = 1 + len(HEAD) + len(BODY)
    cuts = {"beginning": frames[3:], "request": [*frames[:3], *frames[4:]], "end of the body": frames[:-1]}
    acked = segment(0, "A", 1 + len(GET), stop + (lacks == "FIN"))
    closed = segment(0, "FA", 1 + len(GET), stop + (lacks == "FIN"))
    kept = [*cuts.get(lacks, frames), acked, closed]
    times = [S] * (len(kept) - 1) + [4 * S]
    cut = [len(frame) - 2 * (lacks == "the rest of a packet" and BODY in frame) for frame in kept]
    trace.add([frame[:size] for frame, size in zip(kept, cut, strict=True)], times,
              [len(frame) for frame in kept])
    trace.save(tmp_path / "x.pcapng")
    assert "http.endless-body" not in kinds(tmp_path / "x.pcapng")


GOODBYE: list[Turn] = [(0.1, 0, "PA", GET), (0.2, 1, "PA", OK), (0.3, 1, "FA", b"")]


def test_a_request_behind_the_servers_end_is_found_though_no_reset_came(tmp_path: Path) -> None:
    """A kept connection that its server closed, and a relay, or shutdown(): silence behind it."""
    turns = [*GOODBYE, (0.8, 0, "PA", GET), (0.8, 1, "A", b""), (0.9, 0, "FA", b""), (0.9, 1, "A", b"")]
    ((rule, text),) = findings_of(saved(tmp_path / "x.pcap", turns))
    assert rule == "tcp.sent-after-close"
    assert text.startswith('10.0.0.1:40000 sent "GET /slow" 500 ms after 10.0.0.2:80 had closed the '
                           "connection: no answer can come. Who keeps a connection should look for its end")
    many = [(when, end, flags, data * 3 if when == 0.8 else data) for when, end, flags, data in turns]
    ((rule, text),) = findings_of(saved(tmp_path / "y.pcap", many))
    assert rule == "tcp.sent-after-close" and "(2 more wait behind it)" in text


def test_behind_a_reset_the_request_is_unanswered_too(tmp_path: Path) -> None:
    """Within a delayed ACK's time: the request itself acknowledges the FIN."""
    turns = [*GOODBYE, (0.31, 0, "PA", GET), (0.31, 1, "R", b"")]
    assert [rule for rule, _ in findings_of(saved(tmp_path / "x.pcap", turns))] == [
        "tcp.sent-after-close", "http.unanswered-request"]


def test_a_request_that_crossed_the_end_is_unanswered_and_no_more(tmp_path: Path) -> None:
    turns = [*GOODBYE, (0.31, 0, "PA", GET), (0.32, 1, "A", b""), (0.9, 0, "FA", b""), (0.9, 1, "A", b"")]
    path, trace = tmp_path / "x.pcap", MemoryTrace()
    saved(path, turns)
    with Trace.open(path) as before:
        before.finish()
        frames = [before.frame(row) for row in first_rows(before.index.count)]
        crossed = bytearray(frames[6])
        offset = int(before.index.l4[6]) + 8
        crossed[offset : offset + 4] = (int(before.index.ack[6]) - 1).to_bytes(4, "big")
        frames[6] = bytes(crossed)
        trace.add(frames, before.index.time_ns[: len(frames)].tolist())
    trace.save(path)
    assert [rule for rule, _ in findings_of(path)] == ["http.unanswered-request"]


def h2(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


CANCEL, OVER = b"\0\0\0\x08", bytes.fromhex("828684418cf1e3c2e5f23a6ba0ab90f4ff")     # GET /
WAITS_ON_PURPOSE = OVER + b"\0\x06prefer\x06wait=9"
H2: list[Turn] = [(0, 0, "PA", PREFACE + h2(4, 0, 0)), (0, 1, "PA", h2(4, 0, 0) + h2(4, 1, 0))]
ELSE: Turn = (3, 0, "PA", h2(6, 0, 0, bytes(8)))


@pytest.mark.parametrize(("turns", "rule", "words"), [
    ([(0, 0, "PA", h2(1, 5, 1, OVER)), (2, 0, "PA", h2(3, 0, 1, CANCEL))], "answer.gave-up",
     '"GET /  stream 1" had waited 2.0 s for an answer of 10.0.0.2:80 when 10.0.0.1:40000 gave up by '
     "RST_STREAM (CANCEL); none came."),
    ([(0, 0, "PA", h2(1, 5, 1, OVER)), (0.1, 1, "PA", h2(1, 4, 1, b"\x88") + h2(0, 0, 1, b"half")),
      (2, 0, "PA", h2(3, 0, 1, CANCEL))], "answer.broken-off",
     '10.0.0.1:40000 gave up in the middle of the answer to "GET /  stream 1", by RST_STREAM (CANCEL).'),
    ([(0, 0, "PA", h2(1, 5, 1, OVER)), (0.1, 0, "PA", h2(3, 0, 1, CANCEL))], "http2.stream-error",
     "RST_STREAM names CANCEL (/)."),                            # a page that was left
    ([(0, 0, "PA", h2(1, 5, 1, OVER)), (2, 1, "PA", h2(3, 0, 1, b"\0\0\0\x07"))], "http2.stream-error",
     "RST_STREAM names REFUSED_STREAM (/)."),                    # the server's
    ([(0, 0, "PA", h2(1, 5, 1, WAITS_ON_PURPOSE)), (2, 0, "PA", h2(3, 0, 1, CANCEL))], "", ""),
])
def test_one_stream_of_several_that_its_client_gives_up(turns: list[Turn], rule: str, words: str,
                                                        tmp_path: Path) -> None:
    found = findings_of(saved(tmp_path / "x.pcapng", [*H2, *turns, ELSE]))
    assert [one for one, _ in found] == ([rule] if rule else [])
    assert all(text.startswith(words) for _, text in found), found


def test_very_many_that_are_given_up_are_counted(tmp_path: Path) -> None:
    asked = [(0.0, 0, "PA", h2(1, 5, 2 * one + 1, OVER)) for one in range(50)]
    left = [(2.0, 0, "PA", h2(3, 0, 2 * one + 1, CANCEL)) for one in range(50)]
    found = findings_of(saved(tmp_path / "x.pcapng", [*H2, *asked, *left]))
    assert len(found) == 20 and "(The same 30 times more.)" in found[-1][1]


ANSWERED: list[Turn] = [*H2, (0.1, 0, "PA", h2(1, 4, 1, OVER) + h2(0, 1, 1, b"a=1")),
                        (0.2, 1, "PA", h2(1, 4, 1, b"\x88") + h2(0, 1, 1, b"there"))]
LEFT_OUT = h2(3, 0, 1, bytes(4))                               # RST_STREAM, NO_ERROR


@pytest.mark.parametrize(("turns", "rule"), [
    ([(0.3, 0, "FA", b""), (0.4, 1, "PA", LEFT_OUT), (0.4, 0, "R", b"")], "tcp.sent-after-close"),
    ([(0.3, 1, "PA", LEFT_OUT), (0.4, 0, "RA", b"")], "tcp.reset-after-data"),
], ids=["behind its end", "unread"])
def test_an_end_that_lost_words_about_the_connection_alone_is_a_note(
    turns: list[Turn], rule: str, tmp_path: Path
) -> None:
    """As curl leaves a server of HTTP/2 that answers before it has read the body."""
    with Trace.open(saved(tmp_path / "x.pcapng", [*ANSWERED, *turns])) as trace:
        trace.finish()
        (one,) = trace.known.findings_of(0)
    assert (one.id, one.severity) == (rule, "note")
    assert one.text == ("10.0.0.1:40000 closed before 10.0.0.2:80 had said its last: RST_STREAM  stream 1  "
                        "NO_ERROR. Nothing is missed: all requests had their whole answers.")


@pytest.mark.parametrize("lost", [
    h2(0, 1, 3, b"more"), h2(3, 0, 1, CANCEL), h2(1, 5, 3, b"\x88"),
], ids=["data", "an error", "an answer"])
def test_an_end_that_lost_more_is_not_told_that_nothing_is_missed(lost: bytes, tmp_path: Path) -> None:
    asked: Turn = (0.15, 0, "PA", h2(1, 5, 3, OVER))
    turns = [*ANSWERED[:-1], asked, ANSWERED[-1], (0.3, 0, "FA", b""), (0.4, 1, "PA", lost + LEFT_OUT),
             (0.4, 0, "R", b"")]
    with Trace.open(saved(tmp_path / "x.pcapng", turns)) as trace:
        trace.finish()
        found = trace.known.findings_of(0)
    assert found and not any("Nothing is missed" in one.text for one in found)
