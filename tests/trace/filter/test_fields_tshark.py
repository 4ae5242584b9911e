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
from tests.support.tiers import sweep
from tests.tools.fields import answers, asked, captures
from tests.tools.oracle import DATA

pytestmark = pytest.mark.xdist_group("tshark's fields")               # the answers take a second to read
NAMES = [str(path.relative_to(DATA)) for path in captures()]
USUAL = [name for name in NAMES if name.startswith(("frames/", "sessions/")) and "mutations" not in name]
ELSEWHERE = {"preface", "dns", "http"}           # reasons that no usual capture needs


@cache
def fields() -> list[str]:
    return asked()


@cache
def of_tshark() -> dict[str, dict[str, Any]]:
    """tshark's answers, by the capture."""
    return {answer["capture"]: answer for answer in answers()}


@cache
def compared(capture: str) -> tuple[tuple[Difference, str], ...]:
    try:
        return tuple(differences(of_tshark()[capture], fields()))
    except TraceError:
        assert not of_tshark()[capture]["packets"]
        return ()


def test_every_capture_and_field_was_asked_about() -> None:
    assert set(NAMES) == of_tshark().keys()
    assert len(fields()) > 320 and set(fields()) <= {*COLUMNS, *DEEP}


@sweep("capture", NAMES, USUAL.__contains__)
def test_fields_have_tsharks_values(capture: str) -> None:
    unexplained = [one for one, why in compared(capture) if not why]
    assert not unexplained[:10]


@pytest.mark.parametrize("capture", ["frames/stacks.pcapng", "frames/tunnels.pcapng", "frames/gtpu.pcap"])
def test_every_header_of_a_tunnel_is_told(capture: str) -> None:
    """In these nothing below the applications may be explained away but names and fragments."""
    headers = ("ip.", "ipv6.", "udp.", "tcp.", "eth.", "icmp", "vlan.", "mpls.", "gre.", "gtp.", "nsh.")
    different = [one for one, why in compared(capture) if why != "reassembled"]
    assert not [one for one in different if one.field.startswith(headers)]


def test_numbers_of_frames_are_known_in_wiresharks_count_too() -> None:
    with_others = [name for name, answer in of_tshark().items() if answer["others"]]
    assert len(with_others) > 5
    for capture in with_others:
        numbers: dict[int, list[Any]] = dict(of_tshark()[capture]["fields"].get("frame.number", ()))
        with Trace.open(DATA / capture) as trace:
            trace.finish()
            for row in first_rows(trace.index.count):
                wireshark = int(numbers[row + 1][0])
                assert packet(trace, row)["wireshark.frame.number"] == wireshark, capture
                assert COLUMNS["wireshark.frame.number"].values(trace.index, row) == [wireshark], capture


@sweep(("captures", "needed"), [(USUAL, REASONS.keys() - ELSEWHERE), (NAMES, REASONS.keys())],
       lambda case: case[0] is USUAL, ids=["usual", "all"])
def test_differences_have_reasons_that_are_needed(
    captures: list[str], needed: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    counts = Counter(why for capture in captures for _, why in compared(capture))
    assert set(counts) == needed
    if captures is USUAL:
        return
    values = sum(len(found) for answer in of_tshark().values() for found in answer["fields"].values())
    with capsys.disabled():
        print(f"\nFields against tshark: {len(NAMES)} captures, {len(fields())} fields, {values:,} values")
        for why, count in counts.most_common():
            print(f"{count:>6}  {REASONS[why]}")
