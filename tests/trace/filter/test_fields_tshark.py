"""Every field of the display filter that tshark has, in every packet of every capture, against its values."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import pytest

from inspector.model.packets import first_rows
from inspector.trace.filter.column_fields import COLUMNS
from inspector.trace.filter.deep_fields import DEEP
from inspector.trace.trace import Trace, TraceError
from inspector.views.json.packets import packet
from tests.support.oracles.fields import REASONS, Difference, differences
from tests.tools.fields import answers, asked, captures
from tests.tools.oracle import DATA

ANSWERS = {answer["capture"]: answer for answer in answers()}
FIELDS = asked()


@cache
def compared(capture: str) -> tuple[tuple[Difference, str], ...]:
    try:
        return tuple(differences(ANSWERS[capture], FIELDS))
    except TraceError:
        assert not ANSWERS[capture]["packets"]
        return ()


def test_every_capture_and_field_was_asked_about() -> None:
    assert {str(path.relative_to(DATA)) for path in captures()} == ANSWERS.keys()
    assert len(FIELDS) > 320 and set(FIELDS) <= {*COLUMNS, *DEEP}


@pytest.mark.parametrize("capture", ANSWERS)
def test_fields_have_tsharks_values(capture: str) -> None:
    unexplained = [one for one, why in compared(capture) if not why]
    assert not unexplained[:10]


@pytest.mark.parametrize("capture", ["frames/stacks.pcapng", "frames/tunnels.pcapng", "frames/gtpu.pcap"])
def test_every_header_of_a_tunnel_is_told(capture: str) -> None:
    """In these nothing below the applications may be explained away but names and fragments."""
    headers = ("ip.", "ipv6.", "udp.", "tcp.", "eth.", "icmp", "vlan.", "mpls.", "gre.", "gtp.", "nsh.")
    different = [one for one, why in compared(capture) if why != "reassembled"]
    assert not [one for one in different if one.field.startswith(headers)]


@pytest.mark.parametrize("capture", [name for name, answer in ANSWERS.items() if answer["others"]])
def test_numbers_of_frames_are_known_in_wiresharks_count_too(capture: str) -> None:
    numbers: dict[int, list[Any]] = dict(ANSWERS[capture]["fields"].get("frame.number", ()))
    with Trace.open(DATA / capture) as trace:
        trace.finish()
        for row in first_rows(trace.index.count):
            wireshark = int(numbers[row + 1][0])
            assert packet(trace, row)["wireshark.frame.number"] == wireshark
            assert COLUMNS["wireshark.frame.number"].values(trace.index, row) == [wireshark]


def test_differences_have_reasons_that_are_needed(capsys: pytest.CaptureFixture[str]) -> None:
    counts = Counter(why for capture in ANSWERS for _, why in compared(capture))
    values = sum(len(found) for answer in ANSWERS.values() for found in answer["fields"].values())
    with capsys.disabled():
        print(f"\nFields against tshark: {len(ANSWERS)} captures, {len(FIELDS)} fields, {values:,} values")
        for why, count in counts.most_common():
            print(f"{count:>6}  {REASONS.get(why, 'not explained')}")
    assert set(counts) == set(REASONS)
