"""Who stands behind a relayed address: the lab's events -> the process or address outside, for each one.

A relayed connection has its real peer in the host's network; all pictures name that one beside the address in
the lab, so that nobody takes the relay for the program it stands for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from inspector.model.records import Event
from inspector.wire.text import escaped


class Outside(NamedTuple):
    """The real peer: `process` ("curl") and `pid` where they are known, `address` in the host's network.

    `backlog`: how many connections may wait for its accept(), where that was asked.
    """

    process: str
    pid: int | None
    address: str
    backlog: int | None = None

    def __str__(self) -> str:
        return f"{self.process} {self.pid}" if self.process else self.address


def outside_peers(events: Iterable[Event]) -> dict[str, Outside]:
    """The real peers by their addresses in the lab, "127.0.0.1:40112"; the last one where several used it."""
    found: dict[str, Outside] = {}
    backlogs: dict[str, int] = {}
    for event in events:
        fields = event.known
        if event.kind not in ("relayed", "reached") or not fields.get("inside"):
            continue
        name, _, pid = fields.get("process", "").rpartition(" ")
        if (most := fields.get("backlog", "")).isascii() and most.isdigit() and len(most) < 10:
            backlogs[fields["inside"]] = int(most)
        known = bool(name) and pid.isascii() and pid.isdigit() and len(pid) < 10
        if event.kind == "relayed" or fields["inside"] not in found:
            address = escaped(fields.get("outside", ""), 80)
            found[fields["inside"]] = Outside(
                escaped(name, 32) if known else "", int(pid) if known else None, address,
                backlogs.get(fields["inside"]),
            )
    return found
