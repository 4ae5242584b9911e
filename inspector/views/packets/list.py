"""The packet list: one packet -> `PacketRow` -> a line of columns that adapts to the width.

Only the rows that are visible are made. `PacketList` is what a screen scrolls: it knows its length at
once, takes any subset of rows (a filter's answer) and follows a trace that grows.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from inspector.model.endpoint import join_endpoint
from inspector.model.language import marked, tr, translated
from inspector.model.numbers import FIN, ICMP, ICMPV6, RST, SYN, TCP, UDP
from inspector.model.packets import PacketNumber, Row, packet_number, row_after, row_at
from inspector.protocols import by_name
from inspector.trace.packet.facts import ALL, DEEP, Facts, facts
from inspector.trace.packet.header_bytes import hardware_ends
from inspector.trace.packet.info import packet_info, protocol_name
from inspector.views.line.spans import Line, Span, Style, cell_width, fit
from inspector.views.session.call_text import role_name
from inspector.wire.arrays import Int64s

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

TimeFormat = Literal["relative", "delta", "absolute"]
MARKED, COMMENTED = "●", "✎"       # behind a packet's number
BRIEF = 76              # an info column narrower than this gets the brief text


class PacketRow(NamedTuple):
    """One packet as the list shows it. All texts are safe to show; `length` is frame.len in bytes."""

    number: PacketNumber
    time: str
    source: str
    destination: str
    protocol: str
    length: int
    info: str
    brief: str = ""         # the info for narrow columns: without ports, window and such
    style: Style = ""
    note: str = ""          # MARKED, COMMENTED, or nothing


class Column(NamedTuple):
    """A column of the list: `name` is a field of PacketRow, `width` in cells without the space after it."""

    name: str
    title: str
    width: int
    right: bool = False


def packet_row(trace: Trace, row: Row, *, time_format: TimeFormat = "relative",
               names: Mapping[str, str] | None = None, deep: int = ALL) -> PacketRow:
    """What the list says of packet `row` (0-based).

    `names`: a short name for "127.0.0.1:8000" or "127.0.0.1" ("server"), shown in place of the address.
    `deep`: largest stream, in packets, that is decoded for this; screens give `DEEP`, exports wait for all.
    """
    fact = facts(trace, row, deep=deep)
    source, destination = _ends(trace, fact, names or {})
    return PacketRow(
        number=packet_number(row),
        time=packet_time(trace, row, time_format),
        source=source,
        destination=destination,
        protocol=protocol_name(trace, fact),
        length=int(trace.index.length[row]),
        info=translated(packet_info(trace, fact)),
        brief=translated(packet_info(trace, fact, brief=True)),
        style=packet_style(fact),
        note=MARKED if trace.comments.is_marked(row) else COMMENTED if trace.comments.of(row) else "",
    )


def packet_style(fact: Facts) -> Style:
    """The style of a packet by what it does: `syn`, `fin`, `rst`, `ack`, `data`, or its protocol's role.

    The ACK that ends a handshake counts as part of it, those of a close as part of that.
    """
    if fact.protocol == TCP and fact.stream >= 0:
        if fact.flags & RST:
            return "rst"
        if fact.flags & SYN:
            return "syn"
        if fact.flags & FIN:
            return "fin"
        protocol = by_name(fact.protocols[-1]) if fact.protocols else None
        if protocol is not None and protocol.colour:
            return protocol.colour
        phases: dict[str, Style] = {"opening": "syn", "closing": "fin"}
        return "data" if fact.length else phases.get(fact.phase, "ack")
    if fact.protocol in (ICMP, ICMPV6):
        return "icmp"
    return "udp" if fact.protocol == UDP else ""


def packet_time(trace: Trace, row: Row, time_format: TimeFormat = "relative") -> str:
    """Seconds since the first packet or since the one before, or the local time of day; microseconds."""
    stamps = trace.index.time_ns
    stamp = int(stamps[row])
    if time_format == "absolute":
        seconds, rest = divmod(stamp, 1_000_000_000)
        try:
            return f"{time.strftime('%H:%M:%S', time.localtime(seconds))}.{rest // 1000:06d}"
        except (OverflowError, OSError, ValueError):    # damaged files hold any number
            return f"{seconds}.{rest // 1000:06d}"
    base = int(stamps[0]) if time_format == "relative" else int(stamps[max(row - 1, 0)])
    return seconds_text(stamp - base)


def seconds_text(nanoseconds: int) -> str:
    """`0.001234`, `-12.000000`: seconds to the microsecond."""
    sign, microseconds = ("-", -nanoseconds // 1000) if nanoseconds < 0 else ("", nanoseconds // 1000)
    return f"{sign}{microseconds // 1_000_000}.{microseconds % 1_000_000:06d}"


@lru_cache(maxsize=64)
def packet_columns(width: int, count: int, *, absolute: bool = False) -> tuple[Column, ...]:
    """The columns for `width` cells and a list of `count` packets; the info takes what remains."""
    digits = max(len(str(count)), 3 if width < 100 else 5)
    clock = 15 if absolute else 10 if width < 100 else 12
    columns = [Column("number", marked("No."), digits, True), Column("time", marked("Time"), clock, True)]
    if width < 70:
        columns += [Column("source", marked("From"), 9), Column("protocol", marked("Proto"), 9)]
    elif width < 100:                       # an end is its name, or the tail that tells it from the other
        ends = 7 if width < 90 else 10
        columns += [Column("source", "From", ends), Column("destination", marked("To"), ends),
                    Column("protocol", "Proto", 9), Column("length", marked("Len"), 5, True)]
    else:
        ends = 16 if width < 130 else 22 if width < 180 else 30
        columns += [Column("source", "From", ends), Column("destination", "To", ends),
                    Column("protocol", marked("Protocol"), 9), Column("length", marked("Length"), 6, True)]
    rest = width - sum(column.width + len(_gap(column)) for column in columns)
    return (*columns, Column("info", marked("Info"), max(rest, 0)))


def packet_line(packet: PacketRow, columns: Sequence[Column]) -> Line:
    """The packet as one line of these columns (see `packet_columns`)."""
    spans: list[Span] = []
    for column in columns:
        brief = column.name == "info" and column.width < BRIEF
        text = str(packet.brief if brief else getattr(packet, column.name))
        style = _cell_style(column.name, text, packet.style)
        if column.name in ("source", "destination"):
            text = _shortened(role_name(text), column.width)
        spans.append(Span(fit(text, column.width, align="right" if column.right else "left"), style))
        noted = column.name == "number" and packet.note
        spans.append(Span(packet.note, "warning") if noted else Span(_gap(column)))
    return _exactly(spans, _width(columns))


def title_line(columns: Sequence[Column]) -> Line:
    """The line of the columns' titles."""
    spans: list[Span] = []
    for column in columns:
        title = fit(tr(column.title), column.width, align="right" if column.right else "left")
        spans.append(Span(title, "title"))
        spans.append(Span(_gap(column)))
    return _exactly(spans, _width(columns))


def _gap(column: Column) -> str:
    """The blanks after a column."""
    return "" if column.name == "info" else "  " if column.right and column.name != "number" else " "


def _width(columns: Sequence[Column]) -> int:
    return sum(column.width + len(_gap(column)) for column in columns)


class PacketList:
    """Packets of a trace, all or some, as lines on demand: `count`, `line(i, width)`, `target(i)`."""

    def __init__(self, trace: Trace, rows: Int64s | None = None, *,
                 time_format: TimeFormat = "relative", names: Mapping[str, str] | None = None,
                 deep: int = DEEP) -> None:
        self.trace = trace
        self.rows = rows
        self.time_format: TimeFormat = time_format
        self.names = dict(names or {})
        self.deep = deep

    @property
    def count(self) -> int:
        """How many lines there are."""
        return self.trace.index.count if self.rows is None else len(self.rows)

    def target(self, index: int) -> Row:
        """The row of the packet on line `index`."""
        return row_after(index) if self.rows is None else row_at(self.rows, index)

    def index_of(self, row: Row) -> int | None:
        """The line that shows packet `row`, or None when it is filtered away."""
        if self.rows is None:
            return row if 0 <= row < self.count else None
        place = int(self.rows.searchsorted(row))
        return place if place < len(self.rows) and row_at(self.rows, place) == row else None

    def packet(self, index: int) -> PacketRow:
        """The packet on line `index` as texts."""
        return packet_row(self.trace, self.target(index), time_format=self.time_format,
                          names=self.names, deep=self.deep)

    def columns(self, width: int) -> tuple[Column, ...]:
        """The columns at `width` cells."""
        return packet_columns(width, self.trace.index.count, absolute=self.time_format == "absolute")

    def line(self, index: int, width: int) -> Line:
        """Line `index` in exactly `width` cells."""
        return packet_line(self.packet(index), self.columns(width))

    def title(self, width: int) -> Line:
        """The titles above the lines."""
        return title_line(self.columns(width))


def _ends(trace: Trace, fact: Facts, names: Mapping[str, str]) -> tuple[str, str]:
    """Names of both ends: a given one; the address; with its port where both addresses are the same."""
    if not fact.source:
        return hardware_ends(trace, fact.row)
    ports = fact.protocol in (TCP, UDP) and fact.stream >= 0
    same = fact.source == fact.destination
    texts = []
    for address, port in ((fact.source, fact.sport), (fact.destination, fact.dport)):
        full = join_endpoint(address, port)
        name = (names.get(full) if ports else None) or names.get(address)
        texts.append(name or (full if same and ports else address))
    return texts[0], texts[1]


def _shortened(text: str, width: int) -> str:
    # The tail of an address tells ends apart (port, host part), so it is the head that gives way.
    if len(text) <= width or not (":" in text or "." in text):
        return text
    return "…" + text[len(text) - width + 1 :]


def _cell_style(name: str, text: str, style: Style) -> Style:
    if name == "number":
        return "number"
    if name in ("time", "length"):
        return "dim"
    if name in ("source", "destination"):
        return "client" if text == "client" else "server" if text == "server" else ""
    return style


def _exactly(spans: list[Span], width: int) -> Line:
    """The spans cut or padded to `width` cells (cells are exact but for the last ones)."""
    used, kept = 0, []
    for span in spans:
        size = cell_width(span.text)
        if used + size > width:
            span, size = Span(fit(span.text, width - used), span.style), width - used
        if span.text:
            kept.append(span)
        used += size
    if used < width:
        kept.append(Span(" " * (width - used)))
    return tuple(kept)
