"""TCP analysis, numbers, windows, round trips and bytes in flight, held against tshark's answers.

Differences are allowed only where a rule below names them with its reason; the tables are printed (-s shows).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.model.packets import Row, row_at, rows_in
from inspector.trace.flows.tcp import TcpFlow
from inspector.trace.trace import Trace
from inspector.wire.tcp.flags import NAMES
from inspector.wire.text import escaped
from tests.support.captures.tcp import CAPTURES, first, read_table

OURS = sorted((CAPTURES / "tcp").glob("*.pcap"))
FOREIGN = sorted(path for path in (CAPTURES / "captures").glob("*/*") if path.suffix in (".pcap", ".pcapng"))


@pytest.fixture(scope="module")
def differences() -> Iterator[Counter[tuple[str, str]]]:
    found: Counter[tuple[str, str]] = Counter()
    yield found
    print("\nTCP analysis against tshark (equal packets, and differences by reason):")
    for (kind, reason), count in sorted(found.items()):
        print(f"  {count:6} {kind}: {reason}")


def opened(path: Path) -> Trace:
    trace = Trace.open(path)
    trace.finish()
    return trace


def number(text: str | None) -> int | None:
    return int(first(text)) if first(text) else None


def nanoseconds(text: str | None) -> int | None:
    """Seconds as tshark prints them, without going through floating point."""
    if not first(text):
        return None
    whole, _, part = first(text).lstrip("-").partition(".")
    value = int(whole or 0) * 10**9 + int(part.ljust(9, "0")[:9])
    return -value if first(text).startswith("-") else value


def compare(flow: TcpFlow, row: Row, answer: dict[str, str], found: Counter[tuple[str, str]],
            harsh: bool = False) -> None:
    detail = flow.detail(row)
    assert detail is not None
    theirs = {name for name in NAMES if first(answer.get(name))}
    marks, again = set(flow.analysis(row)), {"tcp.analysis.retransmission"}
    if flow.is_simultaneous and theirs - marks == again and marks <= theirs:
        theirs -= again
        found["analysis", "simultaneous open: a SYN ACK answers; tshark says it is sent again"] += 1
    assert marks == theirs
    assert detail.duplicate_number == number(answer["tcp.analysis.duplicate_ack_num"])
    if answer.get("tcp.seq"):
        assert flow.relative(row) == (number(answer["tcp.seq"]), number(answer["tcp.ack"]) or 0)
    if "tcp.window_size" in answer:
        assert detail.window == number(answer["tcp.window_size"])
    for name, ours, wire in (
        ("round trip", detail.rtt_ns, nanoseconds(answer.get("tcp.analysis.ack_rtt"))),
        ("bytes in flight", detail.in_flight, number(answer.get("tcp.analysis.bytes_in_flight"))),
    ):
        key = "tcp.analysis.ack_rtt" if name == "round trip" else "tcp.analysis.bytes_in_flight"
        if key not in answer or ours == wire:
            continue
        if len(flow.rows) > 1 and flow.relative(row_at(flow.rows, 1))[0] == 0 and row == flow.rows[3]:
            found[name, "simultaneous open: we count from the first SYN, tshark from the SYN ACK"] += 1
        else:
            assert harsh, (name, ours, wire)
            found[name, "numbers before the first or a second ISN, which tshark compares without wrap"] += 1
    found["equal", "packets"] += 1


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_our_captures(path: Path, differences: Counter[tuple[str, str]]) -> None:
    with opened(path) as trace:
        flows: dict[int, TcpFlow] = {}
        for answer in read_table(Path(f"{path}.tsv")):
            row = int(answer["frame.number"]) - 1
            stream = int(trace.index.stream[row])
            assert str(stream) == first(answer["tcp.stream"])
            flow = flows.get(stream) or flows.setdefault(stream, TcpFlow(trace, stream))
            compare(flow, Row(row), answer, differences, path.stem == "random")
            initial = nanoseconds(answer["tcp.analysis.initial_rtt"])
            assert initial is None or flow.initial_rtt_ns == initial


@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: path.name[:60])
def test_foreign_captures(path: Path, differences: Counter[tuple[str, str]]) -> None:
    table = Path(f"{path}.packets.tsv")
    answers = read_table(table) if table.exists() else []
    if not any(answer["tcp.stream"] for answer in answers):
        return
    with opened(path) as trace:
        index = trace.index
        for answer in answers:
            row = int(answer["frame.number"]) - 1
            if not answer["tcp.stream"]:
                continue
            if row >= index.count or index.stream[row] < 0:
                part = row < index.count and index.status[row] & 1
                reason = "the last fragment, which tshark reassembled" if part else "a link type as bytes"
                differences["packet", reason] += 1
                continue
            flow = trace.flow(int(index.stream[row]))
            if "," in answer["tcp.stream"] or flow.detail(Row(row)) is None:
                differences["packet", "a tunnel, an ICMP error, or a fragment that tshark reassembled"] += 1
                continue
            if first(answer["tcp.len"]) != str(index.payload_length[row]):
                differences["packet", "tshark reassembled IP fragments"] += 1
                continue
            if any(index.status[trace.rows_of("tcp", flow.stream)] & 1):
                differences["packet", "the conversation has fragments that tshark reassembled"] += 1
                continue
            compare(flow, Row(row), answer, differences)


@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: path.name[:60])
def test_streams_of_foreign_captures(path: Path, differences: Counter[tuple[str, str]]) -> None:
    table = Path(f"{path}.streams.tsv")
    if not table.exists():
        return
    with opened(path) as trace:
        for answer in read_table(table):
            stream = int(answer["tcp.stream"])
            if not len(trace.rows_of("tcp", stream)):
                differences["stream", "link type or tunnel that is shown as bytes only"] += 1
                continue
            flow = trace.flow(stream)
            if answer["node0"] == ":0":
                differences["stream", "tshark follows nothing there"] += 1
                continue
            ends = [f"{address}:{port}" for address, port in (flow.a, flow.b)]
            for node in (0, 1):
                direction = ends.index(answer[f"node{node}"].replace("[", "").replace("]", ""))
                reason = compare_stream(trace, flow, direction, answer, node)
                differences["equal" if not reason else "direction", reason or "directions"] += 1


def compare_stream(trace: Trace, flow: TcpFlow, direction: int, answer: dict[str, str], node: int) -> str:
    """Why a direction differs from tshark's; "" when count and sha256 are the same."""
    stream = flow.streams[direction]
    parts = [stream.read(piece.offset, piece.offset + piece.length)
             for piece in stream.pieces(stream.start, stream.length)]
    data = b"".join(parts)
    same = hashlib.sha256(data).hexdigest() == answer[f"sha256_{node}"]
    if same and len(data) == int(answer[f"bytes{node}"]):
        return ""
    if any(trace.index.status[flow.rows] & 1) or len(flow.rows) < int(answer["packets"]):
        return "tshark reassembled IP fragments"
    if any(gap.cut for gap in stream.gaps):
        return "frames cut short: tshark fills or drops what was not captured"
    if any(trace.index.tcp_flags[row] & 4 and trace.index.payload_length[row] for row in rows_in(flow.rows)):
        return "data in a reset is a diagnosis, no part of the stream (RFC 9293 section 3.5.3)"
    if stream.conflicts():
        return "bytes came twice and differ: ours are those that came first"
    raise AssertionError((escaped(answer[f"node{node}"]), len(data), answer[f"bytes{node}"], stream.gaps))
