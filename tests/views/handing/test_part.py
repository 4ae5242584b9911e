"""A part of a trace as a file: the packets, what belongs to them, nothing else; and the ladder as before."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspector.model.endpoint import Transport
from inspector.model.packets import Row, first_rows
from inspector.model.records import KernelSample
from inspector.trace.application.engine import Layer
from inspector.trace.filter.filter import Filter
from inspector.trace.part import written
from inspector.trace.trace import Trace
from inspector.views.handing.part import conversation_part, rows_part
from inspector.views.ladder.ends import Conversation
from inspector.views.ladder.ladder import Ladder
from inspector.views.line.spans import plain
from inspector.wire import pcapng
from inspector.wire.journal import to_fields
from tests.support.captures.frames import ETHERNET, FRAMES, pcap_bytes, pcapng_bytes, trace_of
from tests.support.captures.traces import DATA, SESSIONS, open_trace
from tests.support.oracles.parts import PARTS, TABLES, answers, part_bytes, sum_of

CAPTURES = sorted(path for path in (DATA / "captures").rglob("*.pcap*") if not path.name.endswith(".tsv"))
NAMES, SECRETS, CUSTOM, NOT_TO_COPY = 4, 10, 0x00000BAD, 0x40000BAD


def saved(path: Path, pieces: Any) -> Trace:
    trace = trace_of(path, b"".join(pieces))
    trace.finish()
    assert trace.truncated is None
    return trace


def packets(trace: Trace, rows: Any = None) -> list[tuple[Any, ...]]:
    """All that a file says of packets."""
    index = trace.index
    return [(trace.frame(row), int(index.time_ns[row]), int(index.length[row]), trace.link_type(row),
             trace.interfaces[index.interface_of(row)].name, trace.comments.of(row))
            for row in map(Row, range(index.count) if rows is None else rows)]


def drawn(trace: Trace, conversation: Conversation) -> list[str]:
    """The lines of a ladder, without numbers and times of packets, which count anew in a part."""
    ladder = Ladder(trace, conversation)
    while ladder.update():
        pass
    lines = [plain(ladder.line(index, 120)) for index in range(ladder.count)]
    return [re.sub(r"(?<=│) +[0-9]+ (?=[─═◀])|^ *-?[0-9]+[.][0-9]+", "", line) for line in lines]


CONVERSATIONS = [(name, protocol, row.stream) for name in SESSIONS for protocol in ("tcp", "udp")
                 for row in open_trace(name).conversations(protocol)]


@pytest.mark.parametrize(("name", "protocol", "stream"), CONVERSATIONS)
def test_a_conversation_has_the_same_ladder(
    name: str, protocol: Transport, stream: int, tmp_path: Path
) -> None:
    with open_trace(name) as trace:
        conversation = Conversation(protocol, stream)
        expected = drawn(trace, conversation)
        rows = trace.rows_of(protocol, stream)
        with saved(tmp_path / "part.pcapng", conversation_part(trace, conversation)) as part:
            assert drawn(part, Conversation(protocol, 0)) == expected
            assert set(packets(trace, rows)) <= set(packets(part))
            assert [event.kind for event in part.events] == [event.kind for event in trace.events]


def test_calls_of_other_conversations_stay_out(tmp_path: Path) -> None:
    with open_trace("http-connections") as trace:
        with saved(tmp_path / "a.pcapng", conversation_part(trace, Conversation("tcp", 0))) as first:
            assert 0 < len(first.calls) < len(trace.calls)
            text = " ".join(call.detail + call.arguments for call in first.calls)
            assert "GET /" in text and "POST" not in text
        rows = Filter("tcp.stream == 1 and tcp.len > 0").rows(trace)
        with saved(tmp_path / "b.pcapng", rows_part(trace, rows)) as second:
            names = {call.name for call in second.calls}
            assert {"send", "recv"} <= names and not {"listen", "bind", "close"} & names


def test_calls_that_a_filter_chose_go_with_it(tmp_path: Path) -> None:
    with open_trace("tcp") as trace:
        chosen = Filter('call == "bind"')
        places = chosen.calls(trace)
        with saved(tmp_path / "a.pcapng", rows_part(trace, chosen.rows(trace), places)) as part:
            assert part.index.count == 0 and [call.name for call in part.calls] == ["bind"]


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_all_of_any_file_says_the_same(path: Path, tmp_path: Path) -> None:
    with Trace.open(path) as trace:
        trace.finish()
        if not trace.interfaces:
            return
        part = trace_of(tmp_path / "all.pcapng", b"".join(written(trace)))
        with part:
            part.finish()
            assert packets(part) == packets(trace)
            assert part.host_names == trace.host_names


PLACES = st.integers(0, 15)


@given(chosen=st.sets(PLACES), comments=st.dictionaries(PLACES, st.lists(st.text(max_size=9), max_size=2)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_any_packets_with_any_comments(
    chosen: set[int], comments: dict[int, list[str]], tmp_path: Path
) -> None:
    for name, rows in (("websocket", np.array(sorted(chosen), "i8")), ("websocket", None)):
        with open_trace(name) as trace:
            for row, texts in comments.items():
                trace.comments._set(Row(row), tuple(text.rstrip("\0") for text in texts))
            with saved(tmp_path / "part.pcapng", written(trace, rows)) as part:
                assert packets(part) == packets(trace, rows)


def test_what_stands_beside_packets_is_copied(tmp_path: Path) -> None:
    names = struct.pack("=HH", 1, 9) + b"\x7f\0\0\1home\0" + b"\0\0\0" + b"\0\0\0\0"
    secrets = struct.pack("=II", 0x544C534B, 4) + b"KEY\n"
    beside = (NAMES, names), (SECRETS, secrets), (CUSTOM, b"\0\0\0\1"), (NOT_TO_COPY, b"\0\0\0\1")
    data = pcapng.section_header(comment="whole")
    data += pcapng.interface_description(ETHERNET, name="lo", filter="ip")
    data += b"".join(pcapng._block(kind, body) for kind, body in beside)
    data += b"".join(pcapng.enhanced_packet(frame, 1000 + place) for place, frame in enumerate(FRAMES))
    data += pcapng.interface_statistics(99, 7, 2)
    with trace_of(tmp_path / "a.pcapng", data) as trace:
        trace.finish()
        pieces = b"".join(rows_part(trace, np.array([1])))
        with saved(tmp_path / "b.pcapng", [pieces]) as part:
            assert packets(part) == packets(trace, [1])
            assert part.host_names == {"127.0.0.1": "home"} and part.statistics.dropped == 2
            assert part.interfaces == trace.interfaces
    assert b"whole" in pieces and secrets in pieces and struct.pack("=I", CUSTOM) in pieces
    assert struct.pack("=I", NOT_TO_COPY) not in pieces             # it says: do not copy


def test_samples_of_the_kernel_go_with_their_sockets(tmp_path: Path) -> None:
    with open_trace("http-connections") as trace:
        (first, second) = trace.conversations("tcp")
        now = int(trace.index.time_ns[5])
        samples = [KernelSample(now, one.a, one.b, "ESTABLISHED", 0, 0) for one in (first, second)]
        samples.append(KernelSample(now, first.b, "0.0.0.0:0", "LISTEN", 0, 128))
        samples.append(KernelSample(now, "127.0.0.1:9", "0.0.0.0:0", "LISTEN", 0, 128))
        data = b"".join(trace.read_file()) + b"".join(pcapng.journal(to_fields(one)) for one in samples)
    with trace_of(tmp_path / "a.pcapng", data) as more:
        more.finish()
        with saved(tmp_path / "b.pcapng", conversation_part(more, Conversation("tcp", 0))) as part:
            assert [one.local for one in part.kernel] == [first.a, first.b]


def test_a_file_that_is_cut_gives_what_was_read(tmp_path: Path) -> None:
    for data in (pcapng_bytes(FRAMES)[:-20], pcap_bytes(FRAMES)[:-5], pcapng_bytes(FRAMES) + b"\xff" * 40):
        with trace_of(tmp_path / "a.pcapng", data) as trace:
            trace.finish()
            assert trace.truncated
            with saved(tmp_path / "b.pcapng", written(trace)) as part:
                assert packets(part) == packets(trace)


@pytest.mark.parametrize("name", PARTS)
def test_tshark_read_these_very_parts(name: str) -> None:
    """`python -m tests.tools.oracle parts` asks it anew, where what is saved has changed."""
    data = part_bytes(name)
    assert {answers(name, kind)[0] for kind in TABLES} == {sum_of(data)}


@pytest.mark.parametrize("name", PARTS)
def test_a_part_says_to_tshark_what_it_says_to_us(name: str, tmp_path: Path) -> None:
    """Packets and comments, the process of each entry of the journal, HTTP inside of TLS by its secrets."""
    with saved(tmp_path / "part.pcapng", [part_bytes(name)]) as part:
        lines = answers(name, "packets")[1]
        assert [int(line[0]) for line in lines] == part.index.length[: part.index.count].tolist()
        assert [line[1].replace("\x1f", ",") for line in lines] == [
            ",".join(part.comments.of(row)) for row in first_rows(part.index.count)]
        processes: set[tuple[str, int | None]] = {(call.role, call.pid) for call in part.calls}
        processes |= {(one.process or "inspector", one.pid) for one in (*part.kernel, *part.kernel_udp)}
        processes |= {(one.role or "inspector", one.pid) for one in part.events}
        found = {(comm, int(pid) if pid else None) for comm, pid, _ in answers(name, "journal")[1]}
        assert found == {(comm, pid or None) for comm, pid in processes}
        requests = [line[0] or line[2] for line in answers(name, "inside")[1] if line[0] or line[2]]
        assert requests == [target for layer in part.application(0).layers if name != "calls"
                            for target in targets(layer)]


def targets(layer: Layer) -> list[str]:
    """What was asked for by HTTP/1.1 or HTTP/2."""
    if layer.protocol.name == "http2":
        return [path for one in layer.decoder.records if (path := one.header(b":path"))]
    if layer.protocol.name != "http":
        return []
    return [one.target for one in layer.decoder.records if one.is_request]
