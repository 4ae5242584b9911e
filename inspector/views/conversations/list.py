"""The list of conversations: one line each, sorted by any column, narrowed by a filter, as the trace grows.

`ConversationTable` (columns of all) -> order and filter, in numpy -> lines, made when they are seen. What
takes decoding (application, findings) stands in `decoded`, for the lines that are seen.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from inspector.model.endpoint import join_endpoint
from inspector.model.language import tr
from inspector.model.numbers import TRANSPORT_NAMES
from inspector.model.units import duration
from inspector.protocols import REGISTRY
from inspector.trace.filter.filter import Filter, FilterError
from inspector.trace.index.columns import Growing
from inspector.trace.index.conversations import PROTOCOLS
from inspector.views.conversations.columns import COLUMNS, Column, column_at, columns_for, title_line
from inspector.views.conversations.decoded import DecodedConversations
from inspector.views.conversations.table import STATES, ConversationTable
from inspector.views.findings.unjudged import lacking_words
from inspector.views.line.spans import Line, Span, Style, fit
from inspector.views.packets.list import seconds_text
from inspector.views.packets.searching import looking_words, none_words
from inspector.views.session.call_text import role_name
from inspector.views.session.owners import SocketOwners
from inspector.wire.arrays import Int64s, Integers
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.filter.filter import Evaluation
    from inspector.trace.trace import Trace

_FILTER_SECONDS = 0.008      # a turn of applying a filter
_MATCHED = 4_096             # conversations whose texts are compared with words in a turn, at most
_TRANSPORTS = {number: name for name, number in PROTOCOLS.items()}
_STATE_STYLES: dict[str, Style] = {
    "open": "ok", "closed": "dim", "reset": "rst", "refused": "error", "half-closed": "fin",
    "SYN sent": "warning", "one way": "warning",
}


@dataclass(slots=True)
class Narrowing:
    """A filter in force: an evaluation of a display filter, or words that must all be there."""

    text: str
    evaluation: Evaluation | None
    words: tuple[str, ...]
    passing: Growing[np.bool_]           # by number of the conversation
    compared: Growing[np.int64]           # with words: how many packets each had then, -1: it was not
    rows: int = 0                # of the evaluation, that were taken in


class ConversationList:
    """Conversations as lines on demand: `count`, `line(i, width)`, `target(i)`: its number in `table`."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.table = ConversationTable(trace)
        self.sorted_by, self.descending = "number", False
        self._owners = SocketOwners(trace, lambda role: role_name(escaped(role, 16)))
        self._narrowing: Narrowing | None = None
        self._decoded = DecodedConversations(trace, self.table)
        self.marked: list[int] = []                 # to be compared, in the order in which they were marked
        self._sorted: Int64s = np.zeros(0, "i8")     # all conversations in order,
        self._order: Int64s = np.zeros(0, "i8")      # and those that the filter lets through
        self._states: Int64s = np.zeros(0, "i8")

    # --- the trace ---

    def update(self) -> bool:
        """Take in the next packets and apply the filter to them, a turn's work; True when lines changed."""
        grown = self.table.update()
        if grown:
            self._sort()
        changed = self._owners.update() | self._narrow() | grown
        if changed:
            self._pick()
        return changed

    @property
    def complete(self) -> bool:
        """Whether everything that the trace has was taken in, and passed the filter or not."""
        return self.table.complete and self._narrowed

    # --- order ---

    def sort(self, name: str, *, descending: bool | None = None) -> None:
        """Sort by a column; by the same one again: the other way round, where the way is not given."""
        if descending is None:
            descending = not self.descending if name == self.sorted_by else False
        self.sorted_by, self.descending = name, descending
        self._sort()
        self._pick()

    def _sort(self) -> None:
        self._states = self.table.states()
        keys = self._sort_keys()
        self._sorted = np.argsort(-keys if self.descending else keys, kind="stable")

    def _pick(self) -> None:
        """Of all conversations in order those that the filter lets through."""
        self._order = self._sorted
        if self._narrowing is not None:
            passing = np.zeros(len(self.table), np.bool_)
            passing[: self._narrowing.passing.count] = self._narrowing.passing.values
            self._order = self._sorted[passing[self._sorted]]

    def _sort_keys(self) -> Integers:
        """A number for each conversation, by the column that is sorted by."""
        table, name = self.table, self.sorted_by
        if name in ("a", "b"):
            address, port = (table.column(one) for one in (("src", "sport") if name == "a" else
                                                           ("dst", "dport")))
            return address.astype("i8") << 16 | port
        if name == "protocol":
            return table.column("protocol").astype("i8") << 8 | table.column("network")
        if name in ("packets", "bytes"):
            total: Int64s = table.column(f"{name}_ab") + table.column(f"{name}_ba")
            return total
        made = {"number": lambda: np.arange(len(table)), "state": lambda: self._states,
                "start": lambda: table.times("first_row"), "duration": table.duration_ns,
                "rtt": table.rtt_ns}
        return made[name]().astype("i8") if name in made else table.column(name)

    def mark(self, number: int) -> bool:
        """Mark a conversation, or take its mark away; whether it is marked now."""
        if number in self.marked:
            self.marked.remove(number)
            return False
        self.marked.append(number)
        return True

    # --- filter ---

    @property
    def filter_text(self) -> str:
        """The filter in force, "" for none."""
        return self._narrowing.text if self._narrowing is not None else ""

    @property
    def searched_in_part(self) -> int:
        """How many messages are so large that the filter looked at their beginning alone."""
        evaluation = self._narrowing.evaluation if self._narrowing is not None else None
        return len(evaluation.in_part) if evaluation is not None else 0

    @property
    def narrowed(self) -> float:
        """Which part was looked at, 0 to 1: of the packets by a display filter, of the lines for words."""
        one = self._narrowing
        if one is None:
            return 1.0
        if one.evaluation is not None:
            return one.evaluation.progress
        compared = int((one.compared.values == self._all_packets()[: one.compared.count]).sum())
        return compared / max(len(self.table), 1)

    def none_words(self, *, growing: bool) -> str:
        """The sentence in place of the lines where the filter lets none through, or none so far."""
        one = self._narrowing
        if one is None or self.complete:
            lacks = one is not None and one.evaluation is not None and one.evaluation.lacks
            return none_words(self.filter_text, len(self.table), "conversation", growing=growing,
                              lacking=lacking_words(self.trace) if lacks else "")
        if one.evaluation is None:
            return looking_words(one.text, self.narrowed, len(self.table), "conversation")
        count, decoded = self.trace.index.count, one.evaluation.decoded
        return looking_words(one.text, self.narrowed, count, "packet", decoded)

    def narrow(self, text: str) -> None:
        """Keep conversations with a packet that the display filter `text` lets through.

        What is no display filter is taken as words, all of which must stand in a conversation's ends,
        protocol, process or state. "": keep all.
        """
        text = text.strip()
        self._narrowing = None
        if text:
            try:
                evaluation = Filter(text).evaluate(self.trace)
            except FilterError:
                evaluation = None
            words = tuple(text.lower().split())
            self._narrowing = Narrowing(text, evaluation, words, Growing(np.bool_), Growing(np.int64))
            self._narrow()
        self._pick()

    @property
    def _narrowed(self) -> bool:
        one = self._narrowing
        if one is None:
            return True
        return one.evaluation.done if one.evaluation is not None else self._all_compared(one)

    def _all_compared(self, one: Narrowing) -> bool:
        return bool(np.array_equal(one.compared.values, self._all_packets()))

    def _narrow(self) -> bool:
        """A turn of applying the filter; True when it found out anything."""
        one = self._narrowing
        if one is None:
            return False
        if one.evaluation is None:
            return self._match_words(one)
        one.evaluation.run(_FILTER_SECONDS)
        rows = one.evaluation.rows
        fresh = rows[one.rows :]
        fresh = fresh[fresh < self.table.seen]
        missing = len(self.table) - one.passing.count
        one.passing.extend(np.zeros(missing, "?"))
        one.passing.values[self.table.numbers_of(fresh)] = True
        one.rows += len(fresh)
        return bool(len(fresh) or missing)

    def _match_words(self, one: Narrowing) -> bool:
        """A turn of comparing the texts of conversations with words; True when there were any."""
        until, missing = time.monotonic() + _FILTER_SECONDS, len(self.table) - one.passing.count
        one.passing.extend(np.zeros(missing, "?"))
        one.compared.extend(np.full(missing, -1, "i8"))
        packets = self._all_packets()
        fresh = np.flatnonzero(one.compared.values != packets)[:_MATCHED].tolist()
        for number in fresh:
            found = self._matches(number, one.words, until)
            if found is None:
                break
            one.passing.values[number], one.compared.values[number] = found, packets[number]
            if time.monotonic() > until:
                break
        return bool(missing or fresh)

    def _matches(self, number: int, words: Sequence[str], until: float) -> bool | None:
        """Whether all words stand in a conversation's texts; None where finding out takes another turn."""
        text = self._search_text(number)
        left = [word for word in words if word not in text]
        if not left or not self._decoded.is_unknown(number) or not all(map(_is_spoken, left)):
            return not left
        if time.monotonic() > until or not self._decoded.open(number, until):
            return None
        return all(word in self._decoded.openings.get(number, "").lower() for word in left)

    def _search_text(self, number: int) -> str:
        a, b = self.ends(number)
        carried_by = TRANSPORT_NAMES.get(int(self.table.column("protocol")[number]), "")
        state = STATES[int(self._state(number))]
        parts = (self.application(number), carried_by, a, b, state, self.process(number))
        return " ".join(parts if tr(state) == state else (*parts, tr(state))).lower()

    # --- what takes decoding ---

    def decode(self, lines: range, seconds: float) -> bool:
        """Decode the conversations on these lines until the time is over; True when there is more to do."""
        numbers = (self.target(line) for line in lines if line < self.count)
        return self._decoded.decode(numbers, seconds)

    def _all_packets(self) -> Int64s:
        packets: Int64s = self.table.column("packets_ab") + self.table.column("packets_ba")
        return packets.astype("i8")

    # --- what a line says ---

    def application(self, number: int) -> str:
        """The innermost protocol as far as it is known: "HTTP", else "TCP"."""
        return self._decoded.application(number)

    def ends(self, number: int) -> tuple[str, str]:
        """Both ends: "127.0.0.1:8000", an address alone where there are no ports, "—" where there is none."""
        column, texts = self.table.column, []
        ports = column("stream")[number] >= 0
        for address, port in (("src", "sport"), ("dst", "dport")):
            text = escaped(self.trace.index.address(int(column(address)[number])))
            texts.append(join_endpoint(text, int(column(port)[number])) if ports and text else text or "—")
        return texts[0], texts[1]

    def process(self, number: int) -> str:
        """Whose sockets its ends are: "client 4131, server 4130", "" where nobody told."""
        protocol = _TRANSPORTS.get(int(self.table.column("protocol")[number]))
        if not self._owners or protocol is None:
            return ""
        first, last = (int(self.trace.index.time_ns[int(self.table.column(one)[number])])
                       for one in ("first_row", "last_row"))
        return ", ".join(filter(None, self._owners.of(protocol, self.ends(number), (first, last))))

    def _state(self, number: int) -> int:
        return int(self._states[number]) if number < len(self._states) else 0

    def cell(self, number: int, name: str) -> tuple[str, Style]:
        """The text and style of one cell."""
        table = self.table
        if name == "protocol":
            return self.application(number), "name"
        if name in ("a", "b"):
            return self.ends(number)[name == "b"], ""
        if name == "state":
            state = STATES[self._state(number)]
            return tr(state), _STATE_STYLES.get(state, "")
        if name == "start":
            base = int(self.trace.index.time_ns[0])
            row = int(table.column("first_row")[number])
            return seconds_text(int(self.trace.index.time_ns[row]) - base), "dim"
        if name == "findings":
            return self._decoded.findings(number)
        if name == "process":
            return self.process(number), "dim"
        return self._number_cell(number, name)

    def _number_cell(self, number: int, name: str) -> tuple[str, Style]:
        table = self.table
        if name == "number":
            return str(number + 1), "number"
        if name == "duration":
            first, last = (int(self.trace.index.time_ns[int(table.column(one)[number])])
                           for one in ("first_row", "last_row"))
            return (tr("unknown") if last < first else duration(last - first)), ""
        if name == "rtt":
            rtt = self._rtt_ns(number)
            return ("" if rtt is None else duration(rtt)), ""
        if name in ("packets", "bytes"):
            value = int(table.column(f"{name}_ab")[number] + table.column(f"{name}_ba")[number])
        else:
            value = int(table.column(name)[number])
        return (_short(value) if "bytes" in name else f"{value:,}"), ""

    def _rtt_ns(self, number: int) -> int | None:
        found = int(self.table.rtt_ns(slice(number, number + 1))[0])
        return found if found >= 0 else None

    # --- lines ---

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self._order)

    def target(self, index: int) -> int:
        """The number, in `table`, of the conversation on line `index`."""
        return int(self._order[index])

    def index_of(self, number: int) -> int | None:
        """The line of a conversation, None where the filter keeps it out."""
        found = np.flatnonzero(self._order == number)
        return int(found[0]) if len(found) else None

    def columns(self, width: int) -> Sequence[Column]:
        """The columns at `width` cells, less those of the marks where some are marked."""
        return columns_for(width - self._room, len(str(len(self.table))), processes=bool(self._owners))

    def title(self, width: int) -> Line:
        """The titles above the lines, the column that is sorted by marked."""
        titles = title_line(self.columns(width), width - self._room, self.sorted_by, self.descending)
        return (Span(" " * self._room), *titles) if self._room else titles

    def column_at(self, cell: int, width: int) -> str | None:
        """The name of the column at a cell that the lines can be sorted by."""
        return column_at(self.columns(width), cell - self._room)

    @property
    def _room(self) -> int:
        """Cells before the columns, where the mark stands of those that are to be compared."""
        return 2 if self.marked else 0

    def whole(self, index: int) -> str:
        """All of the cells of line `index`, each with its title, nothing cut."""
        cells = ((tr(column.title), self.cell(self.target(index), column.name)[0]) for column in COLUMNS)
        return "  ".join(f"{title} {text}" for title, text in cells if text)

    def line(self, index: int, width: int) -> Line:
        """Line `index` in exactly `width` cells."""
        number, used = self.target(index), self._room
        spans: list[Span] = []
        if self._room:
            marked = number in self.marked
            spans.append(Span(fit("=" if marked else "", self._room), "marked" if marked else ""))
        for column in self.columns(width):
            text, style = self.cell(number, column.name)
            if column.name in ("a", "b") and len(text) > column.width:
                text = "…" + text[len(text) - column.width + 1 :]     # the tail tells ends apart
            spans += [Span(fit(text, column.width, align="right" if column.right else "left"), style),
                      Span(" ")]
            used += column.width + 1
        return (*spans[:-1], Span(" " * (width - used + 1)))


@cache
def _is_spoken(word: str) -> bool:
    """Whether a word may stand in the name of what a conversation speaks."""
    return any(word in protocol.title.lower() for protocol in REGISTRY)


def _short(count: int) -> str:
    """Bytes in few digits: 812, 14k, 2.1M, as Wireshark's columns have them."""
    value, units = float(count), iter(("", "k", "M", "G", "T"))
    unit = next(units)
    while value >= 999.5:
        value, unit = value / 1000, next(units)
    return f"{value:.1f}{unit}" if unit and value < 9.95 else f"{value:.0f}{unit}"
