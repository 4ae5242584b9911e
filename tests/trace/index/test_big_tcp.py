"""BIG TCP: segments longer than a length field says, as Linux leaves them on a loopback (big_tcp.py).

tshark's values of the capture are held in test_fields_tshark.py; here is what follows from them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from inspector.model.packets import first_rows
from inspector.trace.trace import Trace
from inspector.views.json.packets import packets
from inspector.wire.pcapng import enhanced_packet, interface_description, section_header
from tests.support.oracles.tshark import DATA

SENT = 4 << 20
CAPTURE = DATA / "cases" / "big-tcp-lo.pcapng"


def without_options(frame: bytes) -> bytes:
    """The frame as newer kernels make it: no hop-by-hop header, the length 0 all the same."""
    if frame[12:14] == b"\x86\xdd" and frame[20] == 0:
        return frame[:20] + frame[54:55] + frame[21:54] + frame[62:]
    return frame


@pytest.mark.parametrize("change", [bytes, without_options])
def test_every_byte_of_a_segment_is_counted(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    blocks = [section_header(application="test"), interface_description(1)]
    with Trace.open(CAPTURE) as whole:
        whole.finish()
        for row in first_rows(whole.index.count):
            frame = whole.frame(row)
            changed = change(frame)
            length = int(whole.index.length[row]) - len(frame) + len(changed)
            blocks.append(enhanced_packet(changed, int(whole.index.time_ns[row]), length))
    path = tmp_path / "big.pcapng"
    path.write_bytes(b"".join(blocks))
    with Trace.open(path) as trace:
        trace.finish()
        assert [(one.bytes_ab, one.bytes_ba) for one in trace.conversations("tcp")] == [(SENT, 0)] * 2
        assert max(one.get("tcp.len", 0) for one in packets(trace)) > 200_000
        for stream in range(2):
            flow = trace.flow(stream)
            marks = {name for row in flow.flagged() for name in flow.analysis(row)}
            assert marks <= {"tcp.analysis.window_full", "tcp.analysis.window_update"}
            assert flow.handshake == "complete"
            findings = trace.application(stream).findings
            assert not [one for one in findings if one.severity in ("error", "warning")]
