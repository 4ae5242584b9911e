"""What can be printed as JSON lines, in ONE table, for `decode` and `exec` alike.

Trace -> rows that a filter lets through, or None for all -> dictionaries of the pure JSON views -> stdout.
A view is imported when it is asked for: help names the table without numpy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from inspector.protocols.api import Protocol
    from inspector.trace.filter.filter import Filter
    from inspector.trace.trace import Trace
    from inspector.views.json.spread import Spread

Object = dict[str, Any]
Selected = Any                           # rows, or places of calls, that a filter lets through; None: all
Writer = Callable[..., Iterable[Object]]              # (trace, selected), and where it `spreads` a `Spread`
LineWriter = Callable[..., Iterable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Export:
    """One thing that can be printed: its name, of what a filter chooses, and what gives its writer."""

    name: str
    chosen: Literal["packets", "calls"]
    writer: Callable[[], Writer]
    one: str                    # what one of its objects is called
    line_writer: Callable[[], LineWriter] | None = None     # gives the same as JSON, faster
    nothing: str = ""           # how the object ends that holds all of them, where it holds none
    spreads: bool = False       # parts of it can be made in several processes

    def objects(self, trace: Trace, display_filter: Filter | None) -> Iterable[Object]:
        """One object a line, of all that is read of the trace, or of what the filter lets through."""
        return self.writer()(trace, self.selected(trace, display_filter))

    def lines(self, trace: Trace, selected: Selected, spread: Spread = map) -> Iterator[Sequence[str]]:
        """The same as JSON, an object a line (without its end); some lines at a time."""
        given = (trace, selected, spread) if self.spreads else (trace, selected)
        if self.line_writer is not None:
            yield from self.line_writer()(*given)
            return
        encode = json.JSONEncoder(ensure_ascii=True).encode
        for one in self.writer()(*given):
            yield (encode(one),)

    def counted(self, some: Iterable[Sequence[str]], found: list[int]) -> Iterator[Sequence[str]]:
        """The same lines; to `found` goes how many of some hold anything."""
        for lines in some:
            held = [line for line in lines if not line.endswith(self.nothing)] if self.nothing else lines
            found.append(len(held))
            yield lines

    def selected(self, trace: Trace, display_filter: Filter | None) -> Selected:
        """What the filter lets through: rows, or places of calls; None where there is no filter."""
        if display_filter is None:
            return None
        return display_filter.calls(trace) if self.chosen == "calls" else display_filter.rows(trace)


def _packets() -> Writer:
    from inspector.views.json.packets import packets  # here and below: help would wait for numpy

    return packets


def _packet_lines() -> LineWriter:
    from inspector.views.json.packet_lines import packet_lines

    return packet_lines


def _conversations() -> Writer:
    from inspector.views.json.conversations import conversations

    return conversations


def _conversation_lines() -> LineWriter:
    from inspector.views.json.conversations import conversation_lines

    return conversation_lines


def _syscalls() -> Writer:
    from inspector.views.json.packets import syscalls

    return syscalls


def _findings() -> Writer:
    from inspector.views.json.findings import findings

    return findings


def _kernel() -> Writer:
    from inspector.views.json.kernel import kernel

    return kernel


def _custody() -> Writer:
    from inspector.views.json.custody import custodies

    return custodies


def _custody_lines() -> LineWriter:
    from inspector.views.json.custody import custody_lines

    return custody_lines


def _har() -> Writer:
    from inspector.views.json.har import har

    return har


EXPORTS: tuple[Export, ...] = (
    Export("packets", "packets", _packets, "packet", _packet_lines),
    Export("conversations", "packets", _conversations, "conversation", _conversation_lines,
           spreads=True),
    Export("syscalls", "calls", _syscalls, "system call"),
    Export("kernel", "packets", _kernel, "sample of the kernel"),
    Export("custody", "packets", _custody, "direction of a conversation", _custody_lines,
           spreads=True),
    Export("har", "packets", _har, "HTTP exchange", nothing='"entries": []}}'),
    Export("findings", "packets", _findings, "finding", spreads=True),
)
LISTED = f"{', '.join(export.name for export in EXPORTS)}, or any protocol's name (http, websocket, …)"


def exports() -> tuple[Export, ...]:
    """All there are: those of every trace, and one for each protocol in the registry."""
    from inspector.protocols import REGISTRY

    return (*EXPORTS, *map(_of_protocol, REGISTRY))


def _of_protocol(protocol: Protocol) -> Export:
    def writer() -> Writer:
        from inspector.views.json.messages import messages

        return lambda trace, rows: messages(trace, protocol, rows)

    def lines() -> LineWriter:
        from inspector.views.json.paired import paired_lines

        return lambda trace, rows: paired_lines(trace, protocol, rows)

    quick = lines if protocol.pairs and protocol.scan is not None and protocol.packets is None else None
    return Export(protocol.name, "packets", writer, f"{protocol.title} message", quick)


def export_of(name: str) -> Export | None:
    """The export of this name; None where there is none."""
    return next((export for export in exports() if export.name == name), None)
