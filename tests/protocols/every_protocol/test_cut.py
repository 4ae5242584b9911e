"""What is reported of captures that a snapshot length cut, against tshark's answers (`protocol_oracle`)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from inspector.protocols import by_name
from inspector.trace.trace import Trace
from inspector.views.json.messages import messages
from tests.support.captures.tcp import CAPTURES
from tests.support.oracles.cutting import cut_file
from tests.support.tiers import sweep
from tests.tools.protocol_oracle import CUT, SNAPLENS

EVERY = [(protocol, capture, snaplen) for protocol, (captures, _, _) in CUT.items() for capture in captures
         for snaplen in SNAPLENS]
CHOSEN = [("http", "sessions/nginx-keepalive", 120), ("websocket", "traces/websocket", 200),
          ("mysql", "protocols/mysql", 80)]
# Packets of which the capture has too little for us, not for tshark, which knows the port; at most so many.
FEWER = {
    ("http2", 80): 6,        # of a preface it makes a frame of type 32
    ("http2", 120): 1, ("http2", 200): 1, ("http2", 400): 1,     # and frames of what goes on with a body
    ("mysql", 120): 1, ("mysql", 80): 2, ("redis", 80): 1,
    ("redis", 200): 2,       # behind an array that is cut in one of its strings
}


Reported = tuple[set[int], dict[str, Any]]
"""Times of packets, and the object of which they are."""


@cache
def reported(protocol: str) -> list[dict[str, str]]:
    """tshark's table."""
    lines = (CAPTURES / "cut" / f"{protocol}.tsv").read_text(encoding="utf-8").split("\n")[:-1]
    names = lines[0].split("\t")
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines[1:]]


def ours(protocol: str, capture: str, snaplen: int, folder: Path) -> Iterator[Reported]:
    """Every object, and the times of its packets."""
    path = folder / "cut.pcapng"
    path.write_bytes(cut_file((CAPTURES / f"{capture}.pcapng").read_bytes(), snaplen))
    one = by_name(protocol)
    assert one is not None
    with Trace.open(path) as trace:
        trace.finish()
        for found in messages(trace, one):
            yield {int(trace.index.time_ns[number - 1]) for number in found["frames"]}, found


@sweep(("protocol", "capture", "snaplen"), EVERY, CHOSEN.__contains__)
def test_what_is_there_is_told_as_by_tshark(
    protocol: str, capture: str, snaplen: int, tmp_path: Path,
) -> None:
    wanted = [row for row in reported(protocol)
              if (row["capture"], row["snaplen"]) == (capture, str(snaplen))]
    found = list(ours(protocol, capture, snaplen, tmp_path))
    times = set().union(*(here for here, _ in found))
    missing = [row for row in wanted if any(list(row.values())[3:]) and int(row["time_ns"]) not in times]
    assert len(missing) <= FEWER.get((protocol, snaplen), 0), missing
    if protocol == "http":
        compare_http(wanted, found)
    for _, one in found:
        assert ("snaplen" in one) <= ("incomplete" in one) and one.get("snaplen", snaplen) == snaplen


def compare_http(wanted: list[dict[str, str]], found: list[Reported]) -> None:
    """Start lines and headers that tshark tells of a packet are reported by us, in the same packet."""
    begun = {time: one for here, one in found for time in here}
    for row in wanted:
        if not row["http.request.method"] and not row["http.response.code"]:
            continue                                 # a packet that goes on with a message
        one = begun[int(row["time_ns"])]
        assert one.get("http.request.method", "") == row["http.request.method"]
        assert one.get("http.request.uri", "") == row["http.request.uri"]
        assert str(one.get("http.response.code", "")) == row["http.response.code"]
        headers = {name.lower(): value for name, value in one["headers"]}
        for field, name in (("http.content_length_header", "content-length"), ("http.host", "host"),
                            ("http.server", "server")):
            if name in headers:                      # a line that is cut is reported by tshark, not by us
                assert headers[name] == row[field]
            else:
                assert "incomplete" in one or not row[field]
    answers = [one for _, one in found if "http.response.code" in one]
    assert all("request_in" in one and "http.time" in one for one in answers)
