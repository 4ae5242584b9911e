"""`inspector draw`: a capture's ladder or a packet's headers as a picture, without a screen.

Trace -> conversation or packet that the filter finds -> lines of a pure view -> text, SVG, HTML or Mermaid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inspector.cli.errors import DONE, NO, UNREADABLE, USAGE, CommandError
from inspector.cli.options.checks import filter_of
from inspector.cli.options.shared import INPUT, OUTPUT, OVERWRITE, UNPACK, reading_options
from inspector.cli.output import notice, write_text
from inspector.cli.trace_files import write_file
from inspector.model.packets import Row, packet_number, row_at

if TYPE_CHECKING:
    from inspector.trace.trace import Trace
    from inspector.views.ladder.ends import Conversation

FORMATS = ("txt", "svg", "mermaid", "html")


@click.command("draw")
@click.argument("file", metavar="FILE|-", type=INPUT)
@click.option("--as", "what", type=click.Choice(["ladder", "header"]), default="ladder", show_default=True,
              help="The ladder of a conversation, or the headers of a packet as the RFCs draw them.")
@click.option("--to", "form", type=click.Choice(FORMATS), default="txt", show_default=True,
              help="The kind of picture; Mermaid draws ladders alone.")
@click.option("--filter", "expression", metavar="EXPR",
              help="Of the first packet that this display filter lets through: headers, or conversation.")
@click.option("--width", type=click.IntRange(60, 400), default=100, show_default=True, metavar="N",
              help="How many characters wide a ladder is.")
@click.option("-o", "--output", type=OUTPUT, metavar="FILE", help="The file to write; else standard output.")
@OVERWRITE
@UNPACK
@reading_options
def command(file: str, what: str, form: str, expression: str | None, width: int, output: str | None,
            overwrite: bool) -> int:
    """Draw what a capture shows: for slides, pages and reports."""
    if what == "header" and form == "mermaid":
        raise CommandError("Mermaid draws ladders; draw a header to txt, svg or html.", USAGE)
    from inspector.trace.trace import Trace, TraceError  # here and below: help would wait for numpy

    try:
        trace = Trace.open(file)
    except TraceError as error:
        raise CommandError(str(error), UNREADABLE) from error
    with trace:
        trace.finish()
        row = _first(trace, expression)
        if row is None:
            raise CommandError("No packet passes this filter." if expression else "It holds no packet.", NO)
        chosen = row if expression else None
        text = _ladder(trace, chosen, form, width) if what == "ladder" else _header(trace, row, form)
    if output is None:
        write_text(text.rstrip("\n"))
    else:
        write_file(output, text, file, overwrite=overwrite)
    return DONE


def _first(trace: Trace, expression: str | None) -> Row | None:
    """The first packet that the filter lets through, of all there are without one."""
    if expression is None:
        return Row(0) if trace.index.count else None
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
    from inspector.model.numbers import TCP, UDP
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
