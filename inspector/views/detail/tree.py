"""The detail of one packet: a tree of fields that opens and closes, and the way between bytes and fields.

Trace and row -> `packet_tree` (frame, scapy's layers, analysis, application) -> `Detail` with the lines
that are open. Paths ("tcp/tcp.flags/tcp.flags.syn") stay the same from packet to packet, so that what
was opened stays open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from inspector.model.language import Sentence, sentence
from inspector.model.numbers import ACK, TCP
from inspector.model.packets import Row, packet_number
from inspector.model.units import duration
from inspector.protocols import REGISTRY
from inspector.trace.filter.column_fields import COLUMNS
from inspector.trace.flows.fragments import lost_after
from inspector.trace.packet.facts import DEEP
from inspector.trace.packet.info import mark_words
from inspector.views.detail.words import label_of, value_of
from inspector.views.line.spans import Line, Span, cell_width, fit
from inspector.views.packets.list import packet_time, seconds_text
from inspector.views.session.kernel_times import packet_times
from inspector.wire.dissection.field import Field

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

OPEN_AT_FIRST = frozenset({"tcp", "udp"} | {protocol.name for protocol in REGISTRY})
_LEAST = 10                # cells of a value that are seen, whatever the label
_LABELS = 28               # cells that labels of one level are padded to, at most


class DetailRow(NamedTuple):
    """One line of the tree."""

    path: str
    depth: int
    field: Field
    opens: bool              # it has children
    is_open: bool
    label_width: int         # cells to which its label is padded, so that values stand below each other


class Detail:
    """The tree of one packet. `opened`: the paths that are open, shared by all packets."""

    def __init__(self, fields: Sequence[Field], opened: frozenset[str] = OPEN_AT_FIRST) -> None:
        self.fields = tuple(fields)
        self.opened = opened
        self._by_path = {path: field for path, field, _ in _walk(self.fields)}
        self.rows = tuple(_rows(self.fields, opened))

    def with_opened(self, opened: frozenset[str]) -> Detail:
        """The same packet with other paths open."""
        return Detail(self.fields, opened)

    def toggled(self, path: str) -> Detail:
        """The tree with `path` closed where it was open, and the other way round."""
        return self.with_opened(self.opened ^ {path})

    def revealing(self, path: str) -> Detail:
        """The tree with all that stands above `path` open."""
        parts = path.split("/")
        above = {"/".join(parts[:depth]) for depth in range(1, len(parts))}
        return self.with_opened(self.opened | above)

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self.rows)

    def line(self, index: int, width: int) -> Line:
        """Line `index` in exactly `width` cells."""
        return detail_line(self.rows[index], width)

    def target(self, index: int) -> str:
        """The path on line `index`."""
        return self.rows[index].path

    def index_of(self, path: str) -> int | None:
        """The line of a path, None while it is hidden."""
        return next((place for place, row in enumerate(self.rows) if row.path == path), None)

    def field(self, path: str) -> Field | None:
        """The field of a path."""
        return self._by_path.get(path)

    def range_of(self, path: str) -> tuple[int, int, int | None, int | None] | None:
        """Bytes [start, stop) and bits of a path's field; None where it has none in this frame."""
        field = self._by_path.get(path)
        if field is None or field.start >= field.stop:
            return None
        return field.start, field.stop, field.bit_start, field.bit_stop

    def field_at(self, byte: int, bit: int | None = None) -> str | None:
        """The path of the deepest field that holds byte `byte`; `bit` (0 first) chooses among bit fields."""
        return _deepest(self.fields, "", byte, bit)


def packet_tree(trace: Trace, row: Row, *, deep: int = DEEP) -> tuple[Field, ...]:
    """All fields of packet `row`: about the frame, layer by layer, and what its stream says at it."""
    from inspector.wire.dissection.tree import dissect  # here and below: scapy, which takes a while to start

    frame, index = trace.frame(row), trace.index
    notes: dict[str, Sentence] = {}
    extra: list[Field] = []
    application: tuple[Field, ...] = ()
    stream = int(index.stream[row])
    is_tcp = int(index.protocol[row]) == TCP and stream >= 0
    if is_tcp and trace.reached(row, deep) is not None:
        from inspector.views.detail.application import application_fields

        notes, extra = _tcp_notes(trace, row, stream)
        application = application_fields(trace, row)
    layers = list(dissect(frame, trace.link_type(row), notes).layers)
    if extra:
        layers = [layer._replace(children=layer.children + tuple(extra)) if layer.name == "tcp" else layer
                  for layer in layers]
    return (_frame_field(trace, row, frame), *_with_streams(trace, row, layers), *application)


def _with_streams(trace: Trace, row: Row, layers: list[Field]) -> list[Field]:
    """The layers, each UDP header with its conversation: of a tunnel the outer and the inner one."""
    streams = COLUMNS["udp.stream"].values(trace.index, row)
    headers = [place for place, layer in enumerate(layers) if layer.name == "udp"]
    if len(streams) == len(headers):
        for place, stream in zip(headers, streams, strict=True):
            conversation = Field("udp.stream", "Conversation", f"UDP {stream}", 0, 0)
            layers[place] = layers[place]._replace(children=(*layers[place].children, conversation))
        if headers and (lost := lost_after(trace, row)) is not None:
            words = sentence("some behind byte {place:,} are not in the capture: it cannot be put together",
                             place=lost)
            missing = Field("ip.fragments", "Fragments", words, 0, 0)
            layers[headers[-1]] = layers[headers[-1]]._replace(
                children=(*layers[headers[-1]].children, missing))
    return layers


def detail_line(row: DetailRow, width: int) -> Line:
    """One line of the tree: mark, label, value."""
    mark = ("▾ " if row.is_open else "▸ ") if row.opens else "  "
    head = "  " * row.depth + mark
    label, value = label_of(row.field), value_of(row.field)
    if row.depth:
        label = fit(label, max(row.label_width, cell_width(label)))
    gap = "  " if value else ""
    least = min(cell_width(value), _LEAST) + len(gap)      # of the value, for which the label gives way
    if cell_width(head) + cell_width(label) + least > width:
        label = fit(label, max(min(cell_width(label.rstrip()), width - cell_width(head) - least), 1))
    room = width - cell_width(head) - cell_width(label) - len(gap)
    if room < 0:
        return (Span(fit(head + label, width), "name"),)
    shown = Span(label, "name" if row.depth else "title")
    return (Span(head, "dim"), shown, Span(gap + fit(value, room), "value"))


def _rows(fields: Sequence[Field], opened: frozenset[str], above: str = "",
          depth: int = 0) -> Iterator[DetailRow]:
    labels = min(max((cell_width(label_of(field)) for field in fields), default=0), _LABELS)
    for path, field in _named(fields, above):
        is_open = bool(field.children) and path in opened
        yield DetailRow(path, depth, field, bool(field.children), is_open, labels)
        if is_open:
            yield from _rows(field.children, opened, path, depth + 1)


def _named(fields: Sequence[Field], above: str) -> Iterator[tuple[str, Field]]:
    """Each field with its path; fields of one name are told apart by number."""
    seen: dict[str, int] = {}
    for field in fields:
        seen[field.name] = seen.get(field.name, 0) + 1
        own = field.name if seen[field.name] == 1 else f"{field.name}#{seen[field.name]}"
        yield (f"{above}/{own}" if above else own), field


def _walk(fields: Sequence[Field], above: str = "", depth: int = 0) -> Iterator[tuple[str, Field, int]]:
    for path, field in _named(fields, above):
        yield path, field, depth
        yield from _walk(field.children, path, depth + 1)


def _deepest(fields: Sequence[Field], above: str, byte: int, bit: int | None) -> str | None:
    # From the last one: the application's subtree lies on the bytes that scapy calls payload.
    best: str | None = None
    for path, field in reversed(list(_named(fields, above))):
        if not field.start <= byte < field.stop:
            continue
        if bit is not None and field.bit_start is not None and field.bit_stop is not None:
            at = (byte - field.start) * 8 + bit
            if not field.bit_start <= at < field.bit_stop:
                continue
        inner = _deepest(field.children, path, byte, bit)
        if inner is not None or not field.children:
            return inner or path
        best = best or path
    return best


def _frame_field(trace: Trace, row: Row, frame: bytes) -> Field:
    index = trace.index
    length, captured = int(index.length[row]), int(index.cap_len[row])
    size = sentence("{length} bytes on the wire", length=length)
    if len(frame) < captured:
        size = sentence("{length} bytes on the wire; of {captured} captured the file holds {held} now",
                        length=length, captured=captured, held=len(frame))
    elif captured != length:
        size = sentence("{length} bytes on the wire, {captured} captured", length=length, captured=captured)
    before = int(index.time_ns[row]) - int(index.time_ns[max(row - 1, 0)])
    wireshark = sentence("{number}, where system calls are counted too", number=index.wireshark_number(row))
    about = (
        *(Field("frame.comment", "Comment", text, 0, 0) for text in trace.comments.shown(row)),
        *([Field("wireshark.frame.number", "Number in Wireshark", wireshark, 0, 0)]
          if index.other_frames.count else []),
        Field("frame.time", "Time of day", packet_time(trace, row, "absolute"), 0, 0),
        Field("frame.time_relative", "Since the first packet", f"{packet_time(trace, row)} s", 0, 0),
        Field("frame.time_delta", "Since the one before", f"{seconds_text(before)} s", 0, 0),
        Field("frame.len", "Length on the wire", sentence("{size} bytes", size=length), 0, 0),
        Field("frame.cap_len", "Captured", sentence("{size} bytes", size=captured), 0, 0),
    )
    return Field("frame", sentence("Packet {number}", number=packet_number(row)), size, 0, len(frame),
                 children=about)


def _tcp_notes(trace: Trace, row: Row, stream: int) -> tuple[dict[str, Sentence], list[Field]]:
    """Relative numbers for the header's fields, and what the flow knows about this packet."""
    flow = trace.flow(stream)
    seq, ack = flow.relative(row)
    notes = {"tcp.seq_raw": sentence("relative {number}", number=seq)}
    if int(trace.index.tcp_flags[row]) & ACK:
        notes["tcp.ack_raw"] = sentence("relative {number}", number=ack)
    found = [Field("tcp.stream", "Conversation", f"TCP {stream}", 0, 0)]
    for name in flow.analysis(row):
        text = sentence("{mark}", mark=sentence(mark_words(name)))
        if name == "tcp.analysis.keep_alive" and flow.probes_window(row):
            text = sentence("{mark}; a probe of a window of 0, which Linux sends in this form", mark=text)
        found.append(Field(name, "Analysis", text, 0, 0))
    detail = flow.detail(row)
    if detail is not None:
        if detail.window != int(trace.index.window[row]):
            notes["tcp.window_size_value"] = sentence("scaled {number}", number=detail.window)
        if detail.rtt_ns is not None:
            found.append(Field("tcp.analysis.ack_rtt", "Round trip", duration(detail.rtt_ns), 0, 0))
        if detail.in_flight:
            flight = sentence("{size} bytes", size=detail.in_flight)
            found.append(Field("tcp.analysis.bytes_in_flight", "Bytes in flight", flight, 0, 0))
    if times := packet_times(trace, row):
        found.append(Field("tcp.kernel_times", "In the kernels", times, 0, 0))
    for (_, port), state in zip((flow.a, flow.b), flow.states(row), strict=True):
        found.append(Field("tcp.state", sentence("State of {port} after it", port=port), state, 0, 0))
    return notes, found
