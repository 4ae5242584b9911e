"""What one packet is drawn from: the index's columns, and, where the stream is small enough, its decoding.

Row of the index -> `Facts` -> packet list, ladder. Columns alone answer for any packet at once; the
flow (relative numbers, analysis) and the application (what protocols say) are asked only for streams of
at most `deep` packets, so that scrolling through a large capture never waits for a decoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from inspector.model.numbers import ACK, SYN, TCP, UDP
from inspector.model.packets import Row, packet_number, row_at
from inspector.trace.application.packets import packet_text
from inspector.trace.flows.copies import seen_in_several_places
from inspector.trace.index.fates import Fate
from inspector.wire.arrays import Int64s
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.flows.tcp import TcpFlow
    from inspector.trace.trace import Trace

DEEP = 5_000           # packets of a stream up to which flow and application are decoded for a row: 0.1 s
ALL = 1 << 62          # decode whatever the size: for exports
Phase = Literal["", "opening", "closing"]
_CLOSING = {"FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT", "CLOSED"}
_SEARCHED = 64         # packets at a stream's start in which both initial sequence numbers are looked for


class Facts(NamedTuple):
    """One packet, as views need it. Numbers are host order; `seq` and `ack` relative where asked."""

    row: Row
    protocol: int                  # final ip.proto, 0 where there is none
    source: str                    # address, "" where there is none
    destination: str
    sport: int                     # ICMP: type
    dport: int                     # ICMP: code
    stream: int                    # -1: none
    flags: int
    seq: int
    ack: int
    window: int                    # scaled where the scale is known
    length: int                    # transport payload on the wire, bytes
    analysis: tuple[str, ...] = ()
    application: str = ""          # "GET /chat  Upgrade: websocket"
    protocols: tuple[str, ...] = ()  # ("http", "websocket")
    phase: Phase = ""              # of a pure ACK: the handshake's, or of a close
    fate: Fate | None = None       # what became of it on a wire that somebody stood in
    same_as: Row | None = None     # the file has it twice: its first row
    duplicate: str = ""            # of a duplicate ACK: "28#1", the first one after packet 28
    probes_window: bool = False    # sent to a window of 0


def facts(trace: Trace, row: Row, *, relative: bool = True, deep: int = ALL) -> Facts:
    """Gather what is known of packet `row` (0-based). Never raises on any packet in the index.

    `deep`: largest stream, in packets, that is decoded for this, unless that was done before.
    """
    index = trace.index
    has_address = int(index.network[row]) in (4, 6)
    stream, protocol, flags = int(index.stream[row]), int(index.protocol[row]), int(index.tcp_flags[row])
    seq, ack, window = int(index.seq[row]), int(index.ack[row]), int(index.window[row])
    known = _NOTHING
    flow = trace.reached(row, deep) if protocol == TCP and stream >= 0 else None
    if flow is not None:
        known = _of_tcp(trace, flow, row)
        seq, ack = flow.relative(row) if relative else (seq, ack)
    elif protocol == TCP and stream >= 0 and relative:
        seq, ack = relative_numbers(trace, row)
    elif protocol == UDP and stream >= 0:
        known = _of_udp(trace, stream, row)
    return Facts(
        row=row,
        protocol=protocol,
        source=escaped(index.address(int(index.src[row]))) if has_address else "",
        destination=escaped(index.address(int(index.dst[row]))) if has_address else "",
        sport=int(index.sport[row]),
        dport=int(index.dport[row]),
        stream=stream,
        flags=flags,
        seq=seq,
        ack=ack,
        window=window if known.window is None else known.window,
        length=int(index.payload_length[row]),
        analysis=known.analysis,
        application=known.application,
        protocols=known.protocols,
        phase=known.phase,
        fate=trace.fates.shown(row),
        same_as=known.same_as,
        duplicate=known.duplicate,
        probes_window=known.probes_window,
    )


class _Known(NamedTuple):
    """What a packet's conversation, walked and decoded, adds to its columns."""

    window: int | None = None
    analysis: tuple[str, ...] = ()
    application: str = ""
    protocols: tuple[str, ...] = ()
    phase: Phase = ""
    same_as: Row | None = None
    duplicate: str = ""
    probes_window: bool = False


_NOTHING = _Known()


def _of_tcp(trace: Trace, flow: TcpFlow, row: Row) -> _Known:
    phase: Phase = ""
    if row in flow.handshake_rows:
        phase = "opening"
    elif _CLOSING & set(flow.states(row)):
        phase = "closing"
    copied = flow.copies.get(row)
    window, duplicate, detail = None, "", flow.detail(row if copied is None else copied)
    if detail is not None:
        window = detail.window
        if detail.duplicate_of is not None and copied is None:
            duplicate = f"{packet_number(detail.duplicate_of)}#{detail.duplicate_number}"
    return _Known(window, tuple(flow.analysis(row)), *trace.known.words_of(row), phase, copied, duplicate,
                  flow.probes_window(row))  # fmt: skip


def _of_udp(trace: Trace, stream: int, row: Row) -> _Known:
    twice = len(trace.index.sections.values) or seen_in_several_places(trace, row)
    copied = trace.datagrams(stream).copies.get(row) if twice else None
    text = packet_text(trace, row)
    if text is None:
        return _Known(same_as=copied)
    return _Known(application=text[1], protocols=(text[0].name,), same_as=copied)


def relative_numbers(trace: Trace, row: Row) -> tuple[int, int]:
    """Sequence and acknowledgment number relative to the first ones seen, from columns alone.

    Modulo 2**32 (RFC 9293 section 3.4). For streams too large to be decoded for one row.
    """
    index = trace.index
    rows = trace.rows_of("tcp", int(index.stream[row]))[:_SEARCHED]
    forward = (index.sport[rows] == index.sport[row]) & (index.src[rows] == index.src[row])
    bases = [_base(trace, rows[forward], ours=True), _base(trace, rows[~forward], ours=True)]
    if bases[1] is None:
        bases[1] = _base(trace, rows[forward], ours=False)
    seq = (int(index.seq[row]) - (bases[0] or 0)) & 0xFFFFFFFF
    has_ack = int(index.tcp_flags[row]) & ACK
    return seq, (int(index.ack[row]) - (bases[1] or 0)) & 0xFFFFFFFF if has_ack else 0


def _base(trace: Trace, rows: Int64s, *, ours: bool) -> int | None:
    """The initial sequence number of the packets' sender, or of its peer by what is acknowledged."""
    index = trace.index
    if ours:
        if not len(rows):
            return None
        # Data seen first without its SYN counts from 1, as if the SYN had been there.
        first = row_at(rows, 0)
        return int(index.seq[first]) - (0 if int(index.tcp_flags[first]) & SYN else 1)
    acking = rows[(index.tcp_flags[rows] & ACK) != 0]
    return int(index.ack[acking[0]]) - 1 if len(acking) else None


_LAYOUT = dict.fromkeys(map(ord, "\r\n\t"))      # what text has beside what is printable


def payload_preview(trace: Trace, row: Row, limit: int) -> str:
    """The start of the transport payload in quotes where it is text, else "". At most `limit` characters."""
    index = trace.index
    size = int(index.payload_length[row])
    if not size or limit < 3:
        return ""
    start = int(index.payload[row])
    return preview_of(trace.frame(row)[start : start + min(size, limit * 4)], size, limit)


def preview_of(data: bytes, size: int, limit: int) -> str:
    """The same of a payload of `size` bytes that begins with `data`, four times `limit` at most."""
    text = data.decode("utf-8", "replace")
    printable = text.isprintable() or text.translate(_LAYOUT).isprintable()
    if not text or "\ufffd" in text[:-1] or not printable:
        return ""
    cut = len(data) < size
    return f'"{escaped(text + (" …" if cut else ""), limit - 2)}"'
