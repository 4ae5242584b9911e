"""`inspector draw`: a ladder, a packet's headers or conversations side by side, without a screen.

Traces -> conversations or packet that the filter finds -> lines of a pure view -> text, SVG, HTML or Mermaid.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inspector.cli.errors import DONE, NO, UNREADABLE, USAGE, CommandError
from inspector.cli.options.checks import filter_of
from inspector.cli.options.shared import INPUT, LANG, OUTPUT, OVERWRITE, UNPACK, reading_options
from inspector.cli.output import notice, write_text
from inspector.cli.trace_files import write_file
from inspector.cli.waiting import announced_wait
from inspector.model.numbers import TCP, UDP
from inspector.model.packets import Row, packet_number, row_after, row_at
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.trace import Trace
    from inspector.views.ladder.ends import Conversation

FORMATS = ("txt", "svg", "mermaid", "html")
_NAMES = {"header": "header", "compare": "comparison"}


@click.command("draw")
@click.argument("file", metavar="FILE|-", type=INPUT)
@click.option("--as", "what", type=click.Choice(["ladder", "header", "compare"]), default="ladder",
              show_default=True,
              help="The ladder of a conversation, the headers of a packet as the RFCs draw them, or two to "
                   "four conversations side by side.")
@click.option("--with", "others", metavar="FILE", type=INPUT, multiple=True,
              help="Compare with the conversation of this capture (repeatable; else: those of FILE).")
@click.option("--to", "form", type=click.Choice(FORMATS), default="txt", show_default=True,
              help="The kind of picture; Mermaid draws ladders alone.")
@click.option("--filter", "expression", metavar="EXPR",
              help="Of the first packet that this display filter lets through: headers, or conversation; "
                   "to compare: of all that it lets through.")
@click.option("--width", type=click.IntRange(60, 400), default=100, show_default=True, metavar="N",
              help="How many characters wide a ladder is.")
@click.option("-o", "--output", type=OUTPUT, metavar="FILE|-",
              help="The file to write; else standard output.")
@OVERWRITE
@LANG
@UNPACK
@reading_options
def command(file: str, what: str, others: tuple[str, ...], form: str, expression: str | None, width: int,
            output: str | None, overwrite: bool) -> int:
    """Draw what a capture shows: for slides, pages and reports."""
    if what != "ladder" and form == "mermaid":
        raise CommandError(f"Mermaid draws ladders; draw a {_NAMES[what]} to txt, svg or html.", USAGE)
    if others and what != "compare":
        raise CommandError("--with goes with --as compare.", USAGE)
    if len(others) > 3:
        raise CommandError("Four are compared at most: FILE and three with --with.", USAGE)
    with ExitStack() as opened:
        traces = [opened.enter_context(_read(one)) for one in (file, *others)]
        if what == "compare":
            text = _compare(traces, (file, *others), expression, form, width)
        else:
            row = _first(traces[0], expression)
            if row is None and traces[0].truncated and not traces[0].index.count:
                raise CommandError(traces[0].truncated, UNREADABLE)
            if row is None:
                raise CommandError(_nothing(expression), NO)
            chosen = row if expression else None
            text = (_ladder(traces[0], chosen, form, width) if what == "ladder"
                    else _header(traces[0], row, form))
        cut = [trace.truncated for trace in traces if trace.truncated]
    if output is None or output == "-":
        write_text(text.rstrip("\n"))
    else:
        write_file(output, text, file, overwrite=overwrite)
    for sentence in cut:
        notice(sentence)
    return UNREADABLE if cut else DONE


def _read(file: str) -> Trace:
    from inspector.trace.trace import Trace, TraceError  # here and below: help would wait for numpy

    try:
        with announced_wait(file):
            trace = Trace.open(file)
    except TraceError as error:
        raise CommandError(str(error), UNREADABLE) from error
    trace.finish()
    return trace


def _nothing(expression: str | None) -> str:
    return "No packet passes this filter." if expression else "It holds no packet."


def _compare(traces: list[Trace], names: tuple[str, ...], expression: str | None, form: str,
             width: int) -> str:
    """Conversations of one file, or one of each file."""
    from inspector.views.conversations.compare.compare import MOST_COLUMNS, Side, comparison, conversations_of
    from inspector.views.draw.pictures import PICTURES

    sides: list[Side] = []
    for trace, name in zip(traces, names, strict=True):
        most = MOST_COLUMNS if len(traces) == 1 else 1
        rows = None if expression is None else filter_of(expression).rows(trace)
        found = conversations_of(trace, rows, most)
        label = escaped(Path(name).name, 60) if len(traces) > 1 else ""
        sides += [Side(trace, conversation, label) for conversation in found]
        if not found and len(traces) > 1:
            raise CommandError(f"{label} has no TCP or UDP conversation"
                               f"{' that passes this filter' if expression else ''}.", NO)
    if len(sides) < 2:
        raise CommandError("There is one conversation to compare, or none: name other captures by --with, "
                           "or let the filter take more.", NO)
    return PICTURES[form](comparison(sides, width), "Conversations side by side")


def _first(trace: Trace, expression: str | None) -> Row | None:
    """The first packet that the filter lets through, of all there are without one."""
    if expression is None:
        return row_after(0) if trace.index.count else None
    rows = filter_of(expression).rows(trace)
    if trace.searched:
        notice(trace.searched)
    return row_at(rows, 0) if len(rows) else None


def _ladder(trace: Trace, row: Row | None, form: str, width: int) -> str:
    from inspector.views.draw.ladder import ladder_lines, ladder_mermaid
    from inspector.views.draw.pictures import PICTURES
    from inspector.views.ladder.ladder import default_conversation

    conversation = default_conversation(trace) if row is None else _conversation(trace, row)
    if form == "mermaid":
        return ladder_mermaid(trace, conversation)
    return PICTURES[form](ladder_lines(trace, width, conversation), "A ladder of inspector")


def _conversation(trace: Trace, row: Row) -> Conversation:
    from inspector.views.ladder.ends import Conversation

    protocol, stream = int(trace.index.protocol[row]), int(trace.index.stream[row])
    if protocol not in (TCP, UDP) or stream < 0:
        raise CommandError(f"Packet {packet_number(row)} belongs to no TCP or UDP conversation.", NO)
    return Conversation("tcp" if protocol == TCP else "udp", stream)


def _header(trace: Trace, row: Row, form: str) -> str:
    from inspector.views.detail.tree import packet_tree
    from inspector.views.draw.header import header_diagram
    from inspector.views.draw.pictures import PICTURES

    diagrams = [lines for layer in packet_tree(trace, row) if (lines := header_diagram(layer))]
    drawn = [line for lines in diagrams for line in (*lines, ())]
    return PICTURES[form](drawn, f"Packet {packet_number(row)}")
