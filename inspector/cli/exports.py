"""What can be printed as JSON lines, in ONE table, for `decode` and `exec` alike.

Trace -> rows that a filter lets through, or None for all -> dictionaries of the pure JSON views -> stdout.
A view is imported when it is asked for: help names the table without numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from inspector.protocols.api import Protocol
    from inspector.trace.filter.filter import Filter
    from inspector.trace.trace import Trace

Object = dict[str, Any]
Writer = Callable[["Trace", Any], Iterable[Object]]      # a trace; rows, or places of calls, or None for all


@dataclass(frozen=True, slots=True)
class Export:
    """One thing that can be printed: its name, of what a filter chooses, and what gives its writer."""

    name: str
    chosen: Literal["packets", "calls"]
    writer: Callable[[], Writer]

    def objects(self, trace: Trace, display_filter: Filter | None) -> Iterable[Object]:
        """One object a line, of all that is read of the trace, or of what the filter lets through."""
        if display_filter is None:
            chosen: object = None
        else:
            chosen = display_filter.calls(trace) if self.chosen == "calls" else display_filter.rows(trace)
        return self.writer()(trace, chosen)


def _packets() -> Writer:
    from inspector.views.json.packets import packets

    return packets


def _conversations() -> Writer:
    from inspector.views.json.packets import conversations

    return conversations


def _syscalls() -> Writer:
    from inspector.views.json.packets import syscalls

    return syscalls


def _findings() -> Writer:
    from inspector.views.json.findings import findings

    return findings


def _kernel() -> Writer:
    from inspector.views.json.kernel import kernel

    return kernel


def _har() -> Writer:
    from inspector.views.json.har import har

    return har


EXPORTS: tuple[Export, ...] = (
    Export("packets", "packets", _packets),
    Export("conversations", "packets", _conversations),
    Export("syscalls", "calls", _syscalls),
    Export("kernel", "packets", _kernel),
    Export("har", "packets", _har),
    Export("findings", "packets", _findings),
)
LISTED = f"{', '.join(export.name for export in EXPORTS)}, or any protocol's name (http, websocket, …)"


def exports() -> tuple[Export, ...]:
    """All there are: those of every trace, and one for each protocol in the registry."""
    from inspector.protocols import REGISTRY  # here: it brings numpy, for which help would wait

    return (*EXPORTS, *map(_of_protocol, REGISTRY))


def _of_protocol(protocol: Protocol) -> Export:
    def writer() -> Writer:
        from inspector.views.json.messages import messages

        return lambda trace, rows: messages(trace, protocol, rows)

    return Export(protocol.name, "packets", writer)


def export_of(name: str) -> Export | None:
    """The export of this name; None where there is none."""
    return next((export for export in exports() if export.name == name), None)
