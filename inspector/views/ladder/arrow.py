"""One packet as an arrow between the margins of the ladder.

Facts of a packet -> label (flags or the application's words, details as far as they fit) -> a line of
strokes with its head at the receiver: `──` handshake and acknowledgments, `══` data, `──×` a close,
`×─×` a reset, `╌╌` ICMP. The label stands at its sender, so that the two sides' words keep apart. On a wire
that somebody stands in the line ends midway where the packet was lost (`──✗ dropped by you`) or is held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from inspector.model.language import tr, translated
from inspector.model.numbers import ACK, FIN, ICMP, ICMPV6, RST, SYN, TCP, UDP, flag_names
from inspector.model.units import duration
from inspector.trace.flows.fragments import lost_after
from inspector.trace.index.fates import Fate
from inspector.trace.packet.facts import Facts, payload_preview
from inspector.trace.packet.info import (
    AGAIN,
    LOST_FRAGMENTS,
    analysis_marks,
    fate_text,
    is_again,
    packet_info,
    protocol_name,
    syn_options,
)
from inspector.views.line.spans import Line, Span, Style, cell_width, fit
from inspector.views.packets.list import packet_style
from inspector.views.session.kernel_times import packet_delay

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

_PREVIEW = 40
_FOR_YOU = 36            # cells from which "[again]" has room beside "▸ waits for you"
_LEAST_LABEL = 8         # cells of a label, where what became of the packet needs the others
_LEAST_AGAIN = 13        # cells of the label of a packet that was sent before
_MIDWAY = 24             # cells from which a line can end midway and say why
_HEADS = {"left": "◀", "right": "▶"}


class Label(NamedTuple):
    """What is written on an arrow: warnings, then what it is, then details in their order.

    `details`: each with a letter; `keep`: these in the order of their importance, the last one falls first.
    """

    marks: str
    main: str
    details: tuple[tuple[str, str], ...]
    keep: str = "slamw"
    short: str = ""          # stands for `main` where that does not fit, or leaves no room for a detail
    fate: str = ""           # what became of it on the wire, where it arrived all the same
    again: str = ""          # its sender had said it before


def arrow(trace: Trace, fact: Facts, width: int, *, to_right: bool, tag: str = "",
          meant: bool = False) -> Line:
    """The packet in exactly `width` cells, from margin to margin.

    `tag`: names its conversation. `meant`: of those that wait on the wire it is the one that keys mean.
    """
    style, fate = packet_style(fact), fact.fate
    if fate is not None and (fate.is_under_way or not fate.has_arrived) and width >= _MIDWAY:
        text = tr(fate_text(fate))
        if fate.fate == "held":
            short = tr("waits")
            text = short if not meant else f"▸ {text}" if width >= _FOR_YOU else f"▸ {short}"
        return _midway(trace, fact, fate, text, width, tag, to_right=to_right)
    stroke = _stroke(fact)
    room = width - 7                        # head, two strokes at each end, the label's spaces
    if room < 1:
        return (Span(fit(_HEADS["right" if to_right else "left"], width, align="centre"), style),)
    words = _words(_with_fate(_label(trace, fact), trace, fact), tag, style, room)
    used = sum(cell_width(span.text) for span in words)
    lead = _lead(fact)
    tail = _repeat(stroke, width - used - 2 - len(lead) - 1, from_end=not to_right)
    if to_right:
        return (Span(lead + " ", style), *words, Span(" " + tail + "▶", style))
    return (Span("◀" + tail + " ", style), *words, Span(" " + lead[::-1], style))


def _midway(trace: Trace, fact: Facts, fate: Fate, why: str, width: int, tag: str, *, to_right: bool) -> Line:
    """A packet that does not arrive, or not yet: its line ends near the middle, and why stands behind it."""
    style, stroke = packet_style(fact), _stroke(fact)
    head = _HEADS["right" if to_right else "left"]
    end = "✗" if fate.is_lost else head if fate.is_under_way else "┃"
    rest = max(min(cell_width(why) + 2, width - _LEAST_LABEL - 6), width - 2 * width // 3)
    label = _label(trace, fact)
    if is_again(trace, fact):
        label = label._replace(again=_again_mark(), marks="")
        rest = max(min(rest, width - 6 - _LEAST_AGAIN), 3)
    words = _words(label, tag, style, width - rest - 6)
    used = sum(cell_width(span.text) for span in words)
    lead = _lead(fact)
    tail = _repeat(stroke, max(width - rest - used - 5, 0), from_end=not to_right)
    mark: Style = "error" if fate.is_lost else "warning"
    if to_right:
        return (Span(lead + " ", style), *words, Span(" " + tail, style), Span(end, mark),
                Span(fit(" " + why, rest), mark))
    return (Span(fit(why + " ", rest, align="right"), mark), Span(end, mark), Span(tail + " ", style), *words,
            Span(" " + lead[::-1], style))


def _with_fate(label: Label, trace: Trace, fact: Facts) -> Label:
    """The label of a packet that arrived, but not just so. What was said while it waited is said still."""
    if fact.fate is None:
        return label
    if is_again(trace, fact):
        label = label._replace(again=_again_mark(), marks="")
    return label._replace(fate=f"[{tr(fate_text(fact.fate))}]")


def _again_mark() -> str:
    return f"[{tr(AGAIN)}]"


def _lead(fact: Facts) -> str:
    """The two strokes at the sender."""
    stroke = _stroke(fact)
    closes = fact.protocol == TCP and fact.flags & FIN and not fact.flags & RST
    return stroke + "×" if closes else _repeat(stroke, 2)


def _repeat(stroke: str, count: int, *, from_end: bool = False) -> str:
    text = (stroke * (count // len(stroke) + 1))[:count]
    return text[::-1] if from_end else text


def _stroke(fact: Facts) -> str:
    if fact.protocol in (ICMP, ICMPV6):
        return "╌"
    if fact.protocol == TCP and fact.stream >= 0 and fact.flags & RST:
        return "×──"
    if fact.protocol in (TCP, UDP) and fact.length:
        return "═"
    return "─"


def _words(label: Label, tag: str, style: Style, room: int) -> Line:
    """The label in at most `room` cells: details fall off its end, at last the main text is cut."""
    spans: list[Span] = []
    for text in (tag, label.again, label.fate, label.marks):
        while text == label.marks and "] [" in text and room <= cell_width(text) + 4:
            text = text.rpartition(" [")[0]                        # the first marks say most
        if text and room > cell_width(text) + 4:
            spans.append(Span(text + " ", "dim" if text == tag else "warning"))
            room -= cell_width(text) + 1
    main, details = label.main, _kept(label, label.main, room)
    if label.short:
        more = _kept(label, label.short, room)
        if cell_width(main) > room or len(more) > len(details):
            main, details = label.short, more
    spans.append(Span(_cut(main, room), style))
    if details:
        spans.append(Span("  " + " ".join(text for _, text in details), "dim"))
    return tuple(spans)


def _kept(label: Label, main: str, room: int) -> list[tuple[str, str]]:
    """The details for which there is room beside `main`."""
    details = list(label.details)
    while details and cell_width(main) + sum(cell_width(text) + 1 for _, text in details) + 1 > room:
        details.remove(max(details, key=lambda detail: label.keep.find(detail[0])))
    return details


def _cut(text: str, room: int) -> str:
    """The text in at most `room` cells, cut between words where that loses little."""
    if cell_width(text) <= room:
        return text
    kept = fit(text, room).rstrip()
    words = kept[:-1].rpartition(" ")[0].rstrip()
    return f"{words} …" if len(words) * 3 >= room * 2 else kept


def _label(trace: Trace, fact: Facts) -> Label:
    if fact.protocol == TCP and fact.stream >= 0:
        return _tcp_label(trace, fact)
    if fact.protocol == UDP and fact.stream >= 0:
        text = translated(fact.application) or payload_preview(trace, fact.row, _PREVIEW)
        name = protocol_name(trace, fact)
        mark = "" if lost_after(trace, fact.row) is None else f"[{tr(LOST_FRAGMENTS)}]"
        return Label(mark, f"{name} {text}" if text else name, (("l", f"len {fact.length}"),))
    name = protocol_name(trace, fact)
    text = translated(packet_info(trace, fact._replace(fate=None)))
    if fact.protocol in (ICMP, ICMPV6):
        plain = text.replace("（", "(").replace("）", ")")
        inner = plain.partition("(")[2][:-1] if plain.endswith(")") else ""
        return Label("", text, (), short=inner)
    return Label("", f"{name}  {text}", ())


def _tcp_label(trace: Trace, fact: Facts) -> Label:
    marks = analysis_marks(fact)
    flags = " ".join(flag_names(fact.flags)) or tr("no flags")
    seq, ack = ("s", f"seq {fact.seq}"), ("a", f"ack {fact.ack}" if fact.flags & ACK else "")
    window = "w", f"win {fact.window}"
    if fact.flags & SYN:
        words = [word.replace("=", " ").lower() for word in syn_options(trace, fact.row)
                 if word.startswith(("MSS", "WS"))]
        options = [(word[0], word) for word in words]
        return Label(marks, flags, _present(seq, ack, *options, window), "samw")
    if not fact.length:
        if fact.flags & (FIN | RST):
            return Label(marks, flags, _present(seq, ack, window), "saw")
        return Label(marks, flags, _present(seq, ack, window), "asw")
    size = "l", f"len {fact.length}"
    delay = packet_delay(trace, fact.row)
    # From send() to the peer's kernel.
    kernel = "" if delay is None else tr("kernel {time}", time=duration(delay))
    if fact.application:
        message = translated(fact.application)
        main = f"{flags}  {message}" if fact.flags & (FIN | RST) else message
        short = main.replace("Switching Protocols", "Switching")
        return Label(marks, main, _present(("k", kernel), seq, ack, size), "klsa", short)
    preview = payload_preview(trace, fact.row, _PREVIEW)
    main = f"{flags}  {preview}" if preview else flags
    ends = "RST  " if fact.flags & RST else "FIN  " if fact.flags & FIN else ""
    return Label(marks, main, _present(("k", kernel), seq, ack, size), "klsa", preview and ends + preview)


def _present(*details: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(detail for detail in details if detail[1])
