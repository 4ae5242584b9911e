"""Findings as flat JSON objects: what is wrong, by which rule, and the packets where to look.

Pure functions: a `Trace` (read as far as wanted) and rows, or None for all -> dictionaries, one a line of
output. With rows only what touches one of these packets is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from inspector.model.packets import Row, rows_in
from inspector.trace.kernel import kernel_findings
from inspector.trace.packet.deeds import wire_findings
from inspector.trace.packet.left_out import left_out_findings
from inspector.views.json.messages import numbers_of, streams_of, touches
from inspector.views.json.spread import Spread, packets_of, parts_of, worth
from inspector.wire.arrays import Int64s

if TYPE_CHECKING:
    from inspector.trace.trace import Trace
    from inspector.wire.findings import Finding


def findings(trace: Trace, rows: Int64s | None = None, spread: Spread = map) -> Iterator[dict[str, Any]]:
    """One object a finding, in order of the packet where to look."""
    chosen = None if rows is None else frozenset(rows_in(rows))
    return map(finding_object, findings_of(trace, chosen, spread))


def findings_of(
    trace: Trace, chosen: frozenset[Row] | None = None, spread: Spread = map
) -> Iterator[Finding]:
    """The findings of all conversations in that order; with `chosen` those that touch one of these rows."""
    streams = np.array(streams_of(trace, None if chosen is None else np.array(sorted(chosen), "i8")), "i8")
    packets = packets_of(trace, streams)
    by = worth(trace, streams, packets, spread)
    if by is map:
        trace.ahead.expect(streams.tolist())
    parts = [streams[part].tolist() for part in parts_of(packets)]
    found = [one for some in by(partial(_found_in, trace), parts) for one in some]
    found += trace.datagram_findings() + kernel_findings(trace) + wire_findings(trace)
    found += left_out_findings(trace)
    for one in sorted(found, key=lambda one: one.rows[0] if one.rows else -1):
        if touches(one.rows, chosen):
            yield one


def _found_in(trace: Trace, streams: list[int]) -> list[Finding]:
    """The findings of some TCP conversations."""
    known = trace.known
    return [one for stream in known.perhaps_with_findings(streams) for one in known.findings_of(stream)]


def finding_object(one: Finding) -> dict[str, Any]:
    """The object of one finding."""
    return {
        "id": one.id, "severity": one.severity, "clause": one.clause, "frames": numbers_of(one.rows),
        **({"frames_more": one.more_rows} if one.more_rows else {}),
        **({"frames_alike": numbers_of(one.alike)} if one.alike else {}),
        **({f"{one.carrier}.stream": one.stream} if one.stream >= 0 else {}), "text": one.text,
    }
