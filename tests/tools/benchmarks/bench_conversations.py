"""The list of conversations at its largest, 10,000 and 100,000: opening, each order, each kind of filter.

`python -m tests.tools.benchmarks.bench_conversations make FILE [COUNT]` only writes the capture: HTTP over
IPv4, eight packets a connection, every twentieth one refused.
"""

from __future__ import annotations

import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inspector.trace.trace import Trace
from inspector.views.conversations.columns import SORTED_BY
from inspector.views.conversations.list import ConversationList
from inspector.views.findings.list import FindingList

COUNTS = 10_000, 100_000
REQUEST, ANSWER = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SYN, ACK, PUSH, FIN, RST = 2, 16, 24, 17, 20
FILTERS = "tcp.flags.reset == 1", "http.response.code == 200", "refused"
_LINES = 40


def make(path: Path, count: int) -> None:
    """Write `count` connections, each of a port and host of its own."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 101))
        number = 0
        for connection in range(count):
            for back, flags, seq, ack, payload in _connection(refused=connection % 20 == 19):
                ends = (0x0A000000 + connection // 50_000, 0x0A010001)
                ports = (10_000 + connection % 50_000, 8000)
                if back:
                    ends, ports = ends[::-1], ports[::-1]
                size = 40 + len(payload)
                head = struct.pack(">BBHHHBBHII", 0x45, 0, size, 0, 0x4000, 64, 6, 0, *ends)
                head += struct.pack(">HHIIBBHHH", *ports, seq, ack, 0x50, flags, 65535, 0, 0)
                seconds, part = divmod(number * 10_000, 1_000_000_000)
                file.write(struct.pack("<IIII", 1_700_000_000 + seconds, part, size, size) + head + payload)
                number += 1


def _connection(*, refused: bool) -> Iterator[tuple[bool, int, int, int, bytes]]:
    yield False, SYN, 99, 0, b""
    if refused:
        yield True, RST, 0, 100, b""
        return
    asked, answered = 100 + len(REQUEST), 500 + len(ANSWER)
    yield True, SYN | ACK, 499, 100, b""
    yield False, ACK, 100, 500, b""
    yield False, PUSH, 100, 500, REQUEST
    yield True, PUSH, 500, asked, ANSWER
    yield False, FIN, asked, answered, b""
    yield True, FIN, answered, asked + 1, b""
    yield False, ACK, asked + 1, answered + 1, b""


def measure(path: Path) -> Iterator[tuple[str, float, float]]:
    """(what, CPU seconds in all, CPU seconds of the longest turn)."""
    with Trace.open(path) as trace:
        yield "index", *_turns(lambda: not trace.complete and trace.refresh(1 << 22))
        found: list[ConversationList] = []
        yield "open the list", *_turns(lambda: found.append(ConversationList(trace)))
        one = found[0]
        yield "take in", *_turns(lambda: (one.update(), not one.complete)[1])
        yield "decode a screen", *_turns(lambda: one.decode(range(_LINES), 0.02))
        yield "draw a screen", *_turns(lambda: bool([one.line(i, 120) for i in range(_LINES)]) and False)
        orders = [(name, _turns(lambda name=name: one.sort(name))[0]) for name in SORTED_BY]
        name, longest = max(orders, key=lambda order: order[1])
        yield f"sort ({name})", longest, longest
        one.sort("number")
        for text in FILTERS:
            yield f"filter key ({text})", *_turns(lambda text=text: one.narrow(text))
            yield f"filter ({text})", *_turns(lambda: (one.update(), not one.complete)[1])
        one.narrow("")
        yield "an update without news", *_turns(lambda: one.update() and False)
        findings: list[FindingList] = []
        yield "open the findings", *_turns(lambda: findings.append(FindingList(trace)))
        yield "findings", *_turns(lambda: (findings[0].update(8), not findings[0].complete)[1])


def _turns(step: Any) -> tuple[float, float]:
    """Run `step` until it says that there is no more; all the time, and the longest turn."""
    begin, longest = time.process_time(), 0.0
    more = True
    while more:
        start = time.process_time()
        more = bool(step())
        longest = max(longest, time.process_time() - start)
    return time.process_time() - begin, longest


def run(repeats: int) -> Iterator[dict[str, Any]]:
    """The benchmark's rows: the smaller trace beside the larger one, which is to take ten times as long."""
    with tempfile.TemporaryDirectory() as folder:
        tables = []
        for count in COUNTS:
            path = Path(folder) / "capture.pcap"
            make(path, count)
            tables.append(list(measure(path)))
        for (what, small, _), (_, large, longest) in zip(*tables, strict=True):
            yield {"what": f"{what}, {COUNTS[1]:,} conversations", "target": "100 ms a turn",
                   "reached": f"{large:.3f} s, a turn {longest * 1000:.1f} ms",
                   "spread": f"{COUNTS[0]:,}: {small:.3f} s"}


if __name__ == "__main__":
    make(Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else COUNTS[1])
