"""The detail of what is chosen: a packet's fields as a tree, or what is known of a system call.

views/detail/tree.py makes the tree; a field that is chosen here is marked in the bytes.
"""

from __future__ import annotations

import importlib
import sys
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from inspector.model.language import marked
from inspector.model.packets import Row
from inspector.tui.messages import Selection, SelectionMade, StatusChanged
from inspector.tui.panes.base import ListPane, PaneSpec, squeezed
from inspector.tui.widgets.line_list import LineList
from inspector.tui.widgets.painter import Head
from inspector.views.detail.call import call_fields
from inspector.views.detail.tree import OPEN_AT_FIRST, Detail, packet_tree
from inspector.views.detail.words import label_of, value_of
from inspector.wire.dissection.field import Field

SENTENCES = frozenset({"What it does", "Came"})       # of a call, of a message
HINT = marked("Choose a packet, a system call or a message in any pane: what it consists of stands here.")
_DISSECTOR = "inspector.wire.dissection.tree"
OPEN = OPEN_AT_FIRST | {"call"}


class TreeList(LineList):
    """A list whose lines open and close."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "open", "Open", show=False, id="detail.open"),
        Binding("left,h", "close", "Close", show=False, id="detail.close"),
    ]

    class Turned(LineList.LineChosen):
        """A line is to be opened or closed."""

        def __init__(self, line_list: LineList, index: int, want: bool | None) -> None:
            super().__init__(line_list, index)
            self.want = want

    def action_open(self) -> None:
        self._turn(True)

    def action_close(self) -> None:
        self._turn(False)

    def turn(self) -> None:
        """Open the line at the cursor where it is closed, and the other way round."""
        self._turn(None)

    def _turn(self, want: bool | None) -> None:
        if self.cursor is not None:
            self.post_message(self.Turned(self, self.cursor, want))


class DetailPane(ListPane):
    """Every field of the chosen packet, by layer, and the bytes and bits that hold it."""

    LEGEND = (
        "The chosen packet, layer by layer, as scapy reads it, and what its stream tells about it. "
        "**→** opens a line, **←** closes it. A field that you choose is marked among the bytes, down to its "
        "bits; names in the tree are those of Wireshark's display filter.",
    )

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self.detail = Detail((), OPEN)
        self._shown: tuple[Row | None, tuple[int, int] | None] = (None, None)
        self._path = ""
        self.waits_for_dissector = False

    def compose(self) -> ComposeResult:
        yield TreeList(id="detail-list")
        yield Head(self.foot, id="detail-foot", classes="foot")

    @property
    def lines(self) -> TreeList:
        return self.query_one(TreeList)

    def reset(self) -> None:
        self._shown = (None, None)
        self._show(Detail((), self.detail.opened))

    def update_trace(self) -> None:
        if self.selection.call is not None:      # it may have returned
            self._shown = (None, None)
            self.update_selection()

    def deeper(self) -> None:
        if self.selection.row is not None:
            self.comments_changed()

    def comments_changed(self) -> None:
        self._shown = (None, None)
        self.show_selection(self.selection)

    def update_selection(self) -> None:
        self._load(self.selection)
        path, field = self.selection.path, self.selection.field
        if not path and field is not None:       # a message or finding: its bytes lead to what holds them
            path = (self.detail.field_at(field.start) or "").partition("/")[0]
        if path:
            self._path = path
            if self.detail.index_of(self._path) is None:
                self._show(self.detail.revealing(self._path))
            index = self.detail.index_of(self._path)
            self.lines.choose(index)
            if index is not None and not self.selection.path:    # what it consists of is to be seen, too
                self.lines.scroll_to_line(index, centre=True)

    def path_at(self, selection: Selection, byte: int) -> str | None:
        """The path of the field that holds a byte of the selection's packet."""
        self._load(selection)
        return self.detail.field_at(byte)

    def _load(self, selection: Selection) -> None:
        wanted = (selection.row, selection.call)
        if self.trace is None or wanted == self._shown:
            return
        if selection.row is not None and not hasattr(sys.modules.get(_DISSECTOR), "dissect"):
            self._bring_dissector()
            return
        self._shown = wanted
        fields: tuple[Field, ...] = ()
        if selection.row is not None:
            fields = packet_tree(self.trace, selection.row)
        elif selection.call is not None:
            call = next((call for call in reversed(self.trace.calls)
                         if (call.pid, call.id) == selection.call), None)
            fields = call_fields(self.trace, call) if call else ()
        self._show(Detail(fields, self.detail.opened))
        self.post_message(StatusChanged())

    def _bring_dissector(self) -> None:
        """Import scapy on a thread: it takes a third of a second, in which keys are to be heard."""
        def work() -> None:
            importlib.import_module(_DISSECTOR)
            self.app.call_from_thread(self._dissector_there)

        if not self.waits_for_dissector:
            self.waits_for_dissector = True
            self.run_worker(work, thread=True, group="dissector")

    def _dissector_there(self) -> None:
        self.waits_for_dissector = False
        self.show_selection(self.selection)

    def _show(self, detail: Detail) -> None:
        self.detail = detail
        if detail.fields:
            self.lines.show(detail, detail.index_of(self._path))
        else:
            self.hint(HINT)
        self._cursor_moved()                 # the foot tells of another line now

    @property
    def explained(self) -> int | None:
        """The chosen line, else the sentence that says what it is all about."""
        if self.lines.cursor is not None:
            return self.lines.cursor
        rows = enumerate(self.detail.rows)
        return next((index for index, row in rows if row.field.label in SENTENCES), None)

    @on(TreeList.Turned)
    def _turned(self, message: TreeList.Turned) -> None:
        message.stop()
        if not self.detail.fields:
            return
        row = self.detail.rows[message.index]
        if row.opens and message.want in (None, not row.is_open):
            self._path = row.path
            self._show(self.detail.toggled(row.path))
        elif message.want is False and "/" in row.path:
            above = self.detail.index_of(row.path.rpartition("/")[0])
            if above is not None:
                self.lines.go_to(above)

    def chosen(self, index: int, cell: int | None) -> None:
        if not self.detail.fields:
            return
        row = self.detail.rows[index]
        self._path = row.path
        if cell is not None and row.opens and cell < 2 * row.depth + 2:
            self._show(self.detail.toggled(row.path))
        self.post_message(SelectionMade(Selection(
            row=self.selection.row, call=self.selection.call, rows=self.selection.rows,
            path=row.path, field=row.field, at=self.selection.at,
        )))

    def opened(self, index: int) -> None:
        self.lines.turn()

    def whole(self, index: int) -> str:
        if not self.detail.fields:
            return ""
        field = self.detail.rows[index].field
        mark = ("▾  " if self.detail.rows[index].is_open else "▸  ") if self.detail.rows[index].opens else ""
        return squeezed(f"{mark}{label_of(field)}  {value_of(field)}")

    def copied(self, index: int) -> str:
        field = self.detail.rows[index].field if self.detail.fields else None
        return "" if field is None else field.value or field.label


SPEC = PaneSpec("detail", "8", "Detail", "aside", DetailPane)
