"""The JSON contract, `tests/data/schema/`, held against what real captures give: keys, types, absences.

A file for each thing that is printed, each protocol among them. A key's `type` is that of its value, `unit`
what it counts, `absent` when it is not there ("": never).
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from inspector.cli.exports import export_of, exports
from inspector.protocols import REGISTRY
from inspector.protocols.api import Protocol
from inspector.trace.trace import Trace
from tests.support.captures.traces import TRACES

DATA = TRACES.parent
SCHEMA: dict[str, dict[str, dict[str, str]]] = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted((DATA / "schema").iterdir())}
CAPTURES = [
    *sorted(TRACES.glob("*.pcapng")), *sorted((DATA / "kernel").glob("*.pcapng")),
    *sorted((DATA / "frames").glob("*.pcapng")), *sorted((DATA / "protocols").glob("*.pcapng")),
    *sorted((DATA / "sessions").glob("*.pcapng")), *sorted((DATA / "cases").glob("0[89]*.pcap")),
    *sorted(DATA.glob("captures/http/*.pcap"))[::4], *sorted(DATA.glob("captures/websocket/*.pcap"))[::4],
]
pytestmark = pytest.mark.xdist_group("schema")      # every capture is read once for all of them
EVERYWHERE = {"frames", "time_ns", "end_ns", "incomplete", "bytes_missing", "snaplen", "tcp.stream",
              "udp.stream"}
ENOUGH = 100      # objects of each capture


@cache
def all_objects() -> dict[str, list[dict[str, Any]]]:
    """The first objects of each capture, as the command prints them, by what is printed."""
    found: dict[str, list[dict[str, Any]]] = {what: [] for what in SCHEMA}
    for capture in CAPTURES:
        with Trace.open(capture) as trace:
            while trace.refresh():
                pass
            trace.finish()
            for what, objects in found.items():
                export = export_of(what)
                assert export is not None
                objects += [json.loads(json.dumps(value))
                            for value, _ in zip(export.objects(trace, None), range(ENOUGH), strict=False)]
    return found


def fits(value: object, kind: str) -> bool:
    """Whether a value has a type of the table's; true is no number."""
    if kind.startswith("list["):
        return isinstance(value, list) and all(fits(each, kind[5:-1]) for each in value)
    types = {"int": int, "str": str, "bool": bool, "float": float, "list": list, "dict": dict}
    return type(value) is types[kind]


@pytest.mark.parametrize("what", SCHEMA)
def test_output_keeps_the_contract(what: str) -> None:
    table = SCHEMA[what]
    values = all_objects()[what]
    assert values
    for value in values:
        assert value.keys() <= table.keys()
        for key, field in table.items():
            assert key in value or field["absent"], f"{what} lacks {key}"
            assert key not in value or fits(value[key], field["type"]), (key, value[key])


def test_all_that_can_be_printed_has_a_contract() -> None:
    assert {export.name for export in exports()} == SCHEMA.keys()


@pytest.mark.parametrize("protocol", REGISTRY, ids=lambda protocol: protocol.name)
def test_the_contract_has_the_keys_of_a_protocol_and_no_others(protocol: Protocol) -> None:
    keys = {field.key for field in protocol.fields if field.key}
    paired = {"number", "request_in", "request_number", "response_in", "response_number"}
    keys |= paired | {f"{protocol.name}.time", f"{protocol.name}.first_byte"} if protocol.pairs else set()
    assert keys <= SCHEMA[protocol.name].keys()
    assert not SCHEMA[protocol.name].keys() - keys - EVERYWHERE, "keys are added, never taken away"
