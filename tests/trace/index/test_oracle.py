"""Packets of all captures in tests/data, held field by field against tshark's tables (tools/oracle.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.oracles.tshark import CAPTURES, DATA, REASONS, compare, table


def test_there_are_captures() -> None:
    assert len(CAPTURES) > 60


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: str(path.relative_to(DATA)))
def test_packets_agree_with_tshark(capture: Path) -> None:
    unexplained = [
        (ours["frame.number"], field, ours.get(field), theirs.get(field), theirs["frame.protocols"])
        for field, reason, ours, theirs in compare(capture)
        if reason == "?"
    ]
    assert not unexplained[:10]


def test_differences_are_few_and_each_has_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    text, reasons = table(CAPTURES)
    with capsys.disabled():
        print(f"\nPackets against tshark, {len(CAPTURES)} captures\n{text}")
    assert set(reasons) <= set(REASONS)
