"""Random keys, pastes, clicks and sizes, as in `python -m tests.tools.walk`: nothing falls."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.lab.capture.access import may_capture
from tests.support.running.lab import needs_lab
from tests.support.tiers import sweep
from tests.tools.walk import walk_in_process, walk_on_terminal


@needs_lab
@sweep(("start", "seed"), [
    ("launcher", 1), ("tcp", 2), ("udp", 3), ("http", 4), ("websocket", 5), ("small", 6), ("many", 7),
], lambda case: case[0] == "small")
async def test_walks(start: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert await walk_in_process(start, seed, 60) >= 60


@needs_lab
@sweep(("start", "seed"), [
    ("websocket", 8), ("many", 9), ("lesson", 10), ("join", 11), ("held", 12), ("talk", 13), ("watch", 14),
], lambda case: case[0] == "websocket")
def test_walks_on_a_real_terminal(start: str, seed: int, tmp_path: Path,
                                  monkeypatch: pytest.MonkeyPatch) -> None:
    if start == "watch" and not may_capture():
        pytest.skip("needs root or CAP_NET_RAW")
    monkeypatch.chdir(tmp_path)
    assert walk_on_terminal(start, seed, 100, tmp_path) >= 100
