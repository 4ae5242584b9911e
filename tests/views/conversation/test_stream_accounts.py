"""Every byte of both directions stands somewhere in follow stream: in a message, as it came, or as missing.

Over real captures of every protocol that rides on TCP: whole, ended early, with a packet lost, cut by a
snapshot length, and growing packet by packet as a live one does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from inspector.model.packets import Row, first_rows
from inspector.protocols import REGISTRY
from inspector.trace.flows.missing import sent
from inspector.trace.trace import Trace
from inspector.views.conversation.elsewhere import Elsewhere
from inspector.views.conversation.messages import MessageList
from inspector.views.conversation.stream.follow import MODES, FollowStream, Mode
from inspector.views.line.spans import plain
from inspector.wire import pcapng
from tests.support.captures.tcp import usual
from tests.support.captures.websocket import CLIENT, SERVER, exchange, traced
from tests.support.tiers import sweep

DATA = Path(__file__).parents[2] / "data"
CAPTURES = sorted([
    *(DATA / "sessions").glob("*.pcapng"), *(DATA / "protocols").glob("*.pcapng"),
    *(DATA / "traces").glob("*.pcapng"), *(DATA / "cases").glob("*.pcap"),
    *(DATA / "captures" / "http").glob("*.pcap"), *(DATA / "captures" / "websocket").glob("*.pcap"),
])
MOST_PACKETS = 150


def write(path: Path, trace: Trace, rows: list[int], snaplen: int = 1 << 18) -> Path:
    """A capture of some packets of another one, each cut at `snaplen`."""
    blocks = [pcapng.section_header(), pcapng.interface_description(trace.link_type(Row(0)))]
    for row in rows:
        frame, length = trace.frame(Row(row)), int(trace.index.length[row])
        time = int(trace.index.time_ns[row])
        blocks.append(pcapng.enhanced_packet(frame[:snaplen], time, length=length))
    path.write_bytes(b"".join(blocks))
    return path


def lines_of(trace: Trace, stream: int, mode: Mode = "json") -> list[str]:
    view = FollowStream(trace, stream, mode)
    while not view.complete:
        view.update()
    return [plain(view.line(index, 100)).rstrip() for index in range(view.count)]


def check_accounts(trace: Trace, mode: Mode = "json") -> None:
    """The lines of each direction cover all that was sent, and lines about holes are about holes."""
    for stream in {int(s) for s in trace.index.stream[trace.index.protocol == 6].tolist() if s >= 0}:
        flow, view = trace.flow(stream), FollowStream(trace, stream, mode)
        while not view.complete:
            view.update()
        places = [view.target(index) for index in range(view.count)]
        for direction in (0, 1):
            at = flow.streams[direction].start
            for place in sorted((p for p in places if p.direction == direction), key=lambda p: p.first):
                assert place.first <= at, (stream, direction, at, place)
                at = max(at, place.last)
            assert at == sent(trace, flow, direction), (stream, direction, at, lines_of(trace, stream))


@sweep("path", CAPTURES, usual(2), ids=lambda path: path.name)
def test_every_byte_is_accounted_for(path: Path, tmp_path: Path) -> None:
    with Trace.open(path) as whole:
        whole.finish()
        count = min(whole.index.count, MOST_PACKETS)
        if not count or not (whole.index.protocol == 6).any():
            return
        rows = list(range(count))
        variants = [(rows, 1 << 18), (rows, 90), (rows[: count // 2], 1 << 18), (rows[count // 3 :], 1 << 18)]
        variants += [(rows[:at] + rows[at + 1 :], 1 << 18) for at in range(0, count, max(count // 5, 1))]
        for number, (kept, snaplen) in enumerate(variants):
            if kept:
                with Trace.open(write(tmp_path / f"{number}.pcapng", whole, kept, snaplen)) as trace:
                    trace.finish()
                    for mode in MODES[: 2 if number < 2 else 1]:
                        check_accounts(trace, mode)


def test_every_protocol_on_tcp_is_among_them() -> None:
    found = set()
    for path in CAPTURES:
        with Trace.open(path) as trace:
            trace.finish()
            for stream in {int(s) for s in trace.index.stream[trace.index.protocol == 6].tolist() if s >= 0}:
                found |= {layer.protocol.name for layer in trace.application(stream).layers}
    assert found >= {protocol.name for protocol in REGISTRY if "tcp" in protocol.carriers}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["sessions/sse.pcapng", "sessions/sse-chunked.pcapng",
                                  "traces/websocket-deflate.pcapng", "protocols/redis.pcapng",
                                  "sessions/https.pcapng"])
def test_a_live_stream_shows_what_its_file_does(name: str, mode: Mode, tmp_path: Path) -> None:
    with Trace.open(DATA / name) as whole:
        whole.finish()
        rows = list(range(min(whole.index.count, 60)))
        path = write(tmp_path / "live.pcapng", whole, rows[:1])
        with Trace.open(path, following=True) as live:
            live.refresh()
            view = FollowStream(live, 0, mode)
            for row in rows:
                write(path, whole, rows[: row + 1])
                live.refresh()
                view.update()
                check_accounts(live, mode)
            live.finish()
            view.update()
            grown = [plain(view.line(index, 100)).rstrip() for index in range(view.count)]
            if not view.complete:
                pytest.fail("it does not end")
        with Trace.open(path) as file:
            file.finish()
            assert grown == lines_of(file, 0, mode)


# --- what is written of it ---

GET = (CLIENT, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def test_what_has_not_ended_is_shown() -> None:
    lines = lines_of(traced(exchange(GET, (SERVER, EVENTS + b"data: one\n\ndata: two\n\n"))), 0)
    assert lines[-4:] == ["  message", "  one", "  message", "  two"]
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n"
    lines = lines_of(traced(exchange(GET, (SERVER, head + b"abc"))), 0)
    assert lines[-2:] == ["  abc", "  [not ended when the capture did]"]


def test_a_body_that_was_cut_off_is_shown() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n"
    lines = lines_of(traced(exchange(GET, (SERVER, head + b"abc"), end="F")), 0)
    assert lines[-2:] == ["  abc", "  [the connection ended before the rest of this message]"]


@pytest.mark.parametrize("by", [CLIENT, SERVER])
def test_a_head_in_which_the_connection_ended_is_no_less_http(by: int) -> None:
    head = b"GET /a HTTP/1.1\r\nHo" if by == CLIENT else b"HTTP/1.1 200 OK\r\nContent-Ty"
    lines = lines_of(traced(exchange(GET, *([(SERVER, ANSWER)] if by == CLIENT else []), (by, head), end="F",
                                 first=by)), 0)
    place = next(n for n, line in enumerate(lines) if "the beginning of a head; the connection ended" in line)
    assert lines[place + 1 :] == [f"  {line}" for line in head.decode().split("\r\n")]


def test_a_message_that_was_cut_by_the_capture_is_not_said_to_go_on(tmp_path: Path) -> None:
    with traced(exchange(GET, (SERVER, ANSWER), end="F")) as whole:
        path = write(tmp_path / "cut.pcapng", whole, list(range(whole.index.count)), 50)
        with Trace.open(path) as trace:
            trace.finish()
            lines, page = lines_of(trace, 0), Elsewhere(trace, "tcp", 0).page(80)
    assert "[the beginning of a message that was not captured whole]" in " ".join(lines)
    assert not [line for line in lines if "not ended yet" in line]
    assert "cut its packets short" in " ".join(plain(page.line(n, 80)) for n in range(page.count))


@pytest.mark.parametrize(("kept", "written"), [
    (lambda size: size == 40, "The capture lacks all that was sent in it, 60 bytes."),
    (lambda size: size != 90, "The capture lacks 50 bytes of it, so that what is spoken may not be known"),
])
def test_messages_do_not_say_that_nothing_was_sent_where_the_capture_lacks_it(
    tmp_path: Path, kept: Callable[[int], bool], written: str
) -> None:
    with traced(exchange((CLIENT, b"ab cd"), (SERVER, b"x" * 50), (CLIENT, b"ab cd"), end="F")) as whole:
        rows = [row for row, size in enumerate(whole.index.length.tolist()) if kept(size)]
        assert len(rows) < whole.index.count
        with Trace.open(write(tmp_path / "lost.pcapng", whole, rows)) as trace:
            trace.finish()
            page = Elsewhere(trace, "tcp", 0).page(200)
            assert written in " ".join(plain(page.line(n, 200)) for n in range(page.count))


def test_what_follows_an_upgrade_is_shown() -> None:
    asked = (CLIENT, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: xyz\r\n\r\n")
    switched = (SERVER, b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: xyz\r\n\r\n")
    lines = lines_of(traced(exchange(asked, switched, (CLIENT, b"hello xyz\n"), (SERVER, b"\0\1\2"))), 0)
    start = lines.index("→ [after the upgrade to xyz]")
    assert lines[start:] == ["→ [after the upgrade to xyz]", "  hello xyz", "← [after the upgrade to xyz]",
                             "  00 01 02"]


def test_the_beginning_of_a_message_is_shown() -> None:
    lines = lines_of(traced(exchange(GET, (CLIENT, b"POST /x HTTP/1.1\r\nHos"))), 0)
    assert lines[-3:] == ["  [the head of a message, not ended yet]", "  POST /x HTTP/1.1", "  Hos"]


def test_compressed_frames_without_their_handshake_are_no_text(tmp_path: Path) -> None:
    with Trace.open(DATA / "traces" / "websocket-deflate.pcapng") as whole:
        whole.finish()
        answer = next(row for row in first_rows(whole.index.count) if b"HTTP/1.1 101" in whole.frame(row))
        rows = list(range(answer + 1, whole.index.count))
        with Trace.open(write(tmp_path / "late.pcapng", whole, rows)) as trace:
            trace.finish()
            assert trace.application(0).inferred
            lines, listed = lines_of(trace, 0), MessageList(trace, 0)
            assert "  [RSV1 is set: compressed, it seems, by what the capture does not show]" in lines
            assert "compressed, not read" in plain(listed.line(0, 100))
    assert not [line for line in lines if "\\x" in line]
