"""A clock that jumps by years, back and forth: all is told of it, and that it did."""

from __future__ import annotations

import json
from pathlib import Path

from inspector.cli.exports import exports
from inspector.trace.trace import Trace
from tests.support.captures.clocks import jumping


def test_what_a_jumping_clock_gives_is_told_and_is_no_number_below_zero(tmp_path: Path) -> None:
    path = tmp_path / "jumps.pcapng"
    path.write_bytes(jumping())
    with Trace.open(path) as trace:
        trace.finish()
        printed = {export.name: [json.dumps(one, allow_nan=False) for one in export.objects(trace, None)]
                   for export in exports()}
    assert len(printed["packets"]) == trace.index.count == 16
    assert len(printed["conversations"]) == 2 and len(printed["http"]) == 4
    assert sum("reading.clock-back" in one for one in printed["findings"]) == 1
    for one in map(json.loads, printed["conversations"]):
        assert not [key for key, value in one.items() if isinstance(value, int | float) and value < 0]
