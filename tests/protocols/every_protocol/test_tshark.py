"""Fields of every packet as tshark tells them (tests/tools/protocol_oracle.py), for real traffic."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from inspector.model.packets import first_rows
from inspector.protocols import by_name
from inspector.trace.trace import Trace
from tests.support.captures.tcp import read_table
from tests.tools.protocol_oracle import FIELDS, capture

DATA = Path(__file__).parents[2] / "data" / "protocols"
Values = dict[str, list[str]]
UNPRINTED = {"", "SSL response"}      # what tshark does not print


def of_tshark(name: str) -> dict[int, Values]:
    """Time of a packet -> its fields; only those that have values."""
    found: dict[int, Values] = {}
    for line in read_table(DATA / f"{name}.tsv"):
        time = int(Decimal(line.pop("frame.time_epoch")) * 10**9)
        values = {field: [one for one in text.split("\x1f") if one] for field, text in line.items() if text}
        found[time] = {field: some for field, some in values.items() if some}
    return found


def as_tshark(value: object) -> str:
    """A value as tshark 4.0 prints it: what is not ASCII byte by byte as U+FFFD."""
    if isinstance(value, bool):
        return str(int(value))
    return "".join(one if one.isascii() else "\ufffd" * len(one.encode()) for one in str(value))


def of_ours(name: str) -> dict[int, Values]:
    """The same by the records that a packet completes, in the order of the stream."""
    protocol = by_name(FIELDS[name][0])
    assert protocol is not None
    wanted = [field for field in protocol.fields if field.name in FIELDS[name][2]]
    found: dict[int, Values] = {}
    with Trace.open(capture(name)) as trace:
        trace.finish()
        for row in first_rows(trace.index.count):
            stream = int(trace.index.stream[row])
            values: Values = defaultdict(list)
            if stream < 0 or int(trace.index.protocol[row]) != 6:
                continue
            for one in trace.application(stream).completed(row, protocol.name):
                for field in wanted:
                    values[field.name] += map(as_tshark, field.get(one.layer.decoder, one.record))
            kept = {key: [one for one in some if one not in UNPRINTED] for key, some in values.items()}
            if any(kept.values()):
                found[int(trace.index.time_ns[row])] = {key: some for key, some in kept.items() if some}
    return found


@pytest.mark.parametrize("name", FIELDS)
def test_fields_are_those_of_tshark(name: str) -> None:
    if name.startswith("tls."):
        pytest.importorskip("cryptography")
    ours, theirs = of_ours(name), of_tshark(name)
    assert ours == theirs
