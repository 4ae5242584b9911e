"""Lessons are tested with a state folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done in tests is nobody's progress."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
