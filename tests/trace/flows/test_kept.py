"""Decoded conversations are given back beyond the budget, and made again when somebody asks for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inspector.cli.exports import export_of
from inspector.trace import trace as trace_module
from inspector.trace.application.known import Known
from inspector.trace.trace import Trace
from tests.support.captures.growth import KINDS

EXPORTS = ("packets", "conversations", "findings", "http")


def printed(path: Path) -> tuple[list[str], int]:
    """All lines of the exports, and how many conversations are kept after them."""
    lines = []
    with Trace.open(path) as trace:
        trace.finish()
        for name in EXPORTS:
            export = export_of(name)
            assert export is not None
            lines += [json.dumps(one) for one in export.objects(trace, None)]
        return lines, sum(trace.decoded(stream) for stream in range(len(trace.conversations("tcp"))))


@pytest.mark.parametrize("kind", ["conversations", "reset_connections", "reused_ports"])
def test_what_is_given_back_is_made_again(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Known, "plain_conversations", lambda known: None)       # each is decoded
    path = tmp_path / "x.pcapng"
    path.write_bytes(KINDS[kind](30))
    whole, count = printed(path)
    assert count >= 30
    monkeypatch.setattr(trace_module, "_BUDGET", 100_000)
    few, count = printed(path)
    assert few == whole and count <= 5
