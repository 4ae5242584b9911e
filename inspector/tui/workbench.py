"""The workbench: the trace of one session or file, seen in all panes at once, with one selection.

agent or file -> Trace, read on by a TraceFeed -> `TraceGrew` -> panes; a choice in any pane ->
`SelectionMade` -> all panes. Keys that steer the session are in `control.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Footer

from inspector.sessions.spec import SessionSpec
from inspector.tui.base import TALL, WIDE, BaseScreen
from inspector.tui.bytes_pane import BytesPane
from inspector.tui.composer import Composer
from inspector.tui.control import SessionControl
from inspector.tui.detail_pane import DetailPane
from inspector.tui.feed import TraceFeed
from inspector.tui.ladder_pane import LadderPane
from inspector.tui.packets_pane import PacketsPane
from inspector.tui.pane import Pane
from inspector.tui.selection import NOTHING, ByteChosen, DetailAsked, Selection, SelectionMade, TraceGrew
from inspector.tui.session import LiveSession
from inspector.tui.state import SessionState, session_state
from inspector.tui.tab_bar import TabBar, TabName
from inspector.tui.title_bar import TitleBar, TitleFacts
from inspector.wire.text import harmless

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

LADDER = TabName("ladder", "1", "Ladder")
MIDDLE = (TabName("packets", "2", "Packets"),)
ASIDE = (TabName("detail", "7", "Detail"), TabName("bytes", "8", "Bytes"))
ALL = (LADDER, *MIDDLE, *ASIDE)
KIND_NAMES = {"tcp": "TCP", "udp": "UDP", "http": "HTTP", "websocket": "WebSocket"}


class WorkbenchScreen(SessionControl, BaseScreen):
    """A trace and its panes: of `spec` (a session), `path` (a file), or `watch` (ports of this machine)."""

    LEGEND_TITLE = "Workbench"
    LEGEND = (
        "The digits show a pane, **tab** goes to the next one that is seen, **z** gives it the whole screen. "
        "What you choose in one pane is chosen in all of them: a packet, a system call, a message, a field.",
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *SessionControl.CONTROL_BINDINGS,
        Binding("ctrl+s", "save", "Save", tooltip="Keep the trace under a name", id="workbench.save"),
        Binding("n", "new", "New", tooltip="Back to the launcher", id="workbench.new"),
        Binding("z", "zoom", "Zoom", show=False, id="workbench.zoom", tooltip="This pane alone, or all"),
        *(Binding(tab.key, f"show_pane('{tab.pane}')", tab.name, show=False, id=f"workbench.{tab.pane}")
          for tab in ALL),
        Binding("left_square_bracket", "turn(-1)", "Pane before", show=False, id="workbench.before"),
        Binding("right_square_bracket", "turn(1)", "Pane after", show=False, id="workbench.after"),
        Binding("r", "pane('ladder', 'relative')", "Relative/raw", show=False, id="workbench.relative"),
        Binding("slash", "pane('packets', 'filter')", "Filter", show=False, id="workbench.filter"),
        Binding("colon", "pane('packets', 'go_to')", "Go to", show=False, id="workbench.go-to"),
    ]

    def __init__(self, *, spec: SessionSpec | None = None, path: Path | None = None,
                 watch: tuple[int, ...] | None = None) -> None:
        super().__init__()
        self._spec, self._path, self._watch = spec, path, watch
        self.session: LiveSession | None = None
        self.trace: Trace | None = None
        self.feed: TraceFeed | None = None
        self.state = SessionState()
        self.selection = NOTHING
        self.front, self.lower = "ladder", MIDDLE[0].pane
        self._events_seen = self._failures_said = self._notes_said = 0
        self._saved_size = -1
        self.wants_again = False
        self.paused = spec is not None and spec.paused      # as asked for; the trace tells what came of it

    # --- what is seen ---

    def compose(self) -> ComposeResult:
        yield TitleBar()
        yield TabBar(ALL, id="tabs-top")
        with Horizontal(id="body"):
            with Vertical(id="main"):
                yield LadderPane()
                yield TabBar((*MIDDLE, *ASIDE), id="tabs-middle")
                yield PacketsPane()
            with Vertical(id="aside"):
                yield DetailPane()
                yield BytesPane()
        yield Footer(compact=True, show_command_palette=False)

    @property
    def panes(self) -> list[Pane]:
        return list(self.query(Pane))

    def pane(self, name: str) -> Pane:
        """The pane of this name."""
        return self.query_one(f"#{name}", Pane)

    def on_mount(self) -> None:
        self._arrange()
        self._say_title()
        self._open()

    def on_resize(self, _event: events.Resize) -> None:
        self.call_after_refresh(self._arrange)

    def _arrange(self) -> None:
        """Which panes are seen follows from the screen's size and the pane in front (see inspector.tcss)."""
        wide, tall = self.size.width >= WIDE, self.size.height >= TALL
        aside = {tab.pane for tab in ASIDE}
        if (wide or self.lower in aside) and self.lower in aside:
            self.lower = MIDDLE[0].pane if wide else self.lower
        front = self.front
        if wide and front in aside:
            front = "ladder"
        for pane in self.panes:
            pane.set_class(pane.id == front, "-front")
            pane.set_class(pane.id == self.lower, "-lower")
        shown_aside = not wide and (self.lower if tall else front) in aside
        self.set_class(shown_aside, "-aside")
        self._say_tabs()

    def _say_tabs(self) -> None:
        wide = self.size.width >= WIDE
        hidden = frozenset(tab.pane for tab in ASIDE) if wide else frozenset()
        for bar, front in ((self.query_one("#tabs-top", TabBar), self.front),
                           (self.query_one("#tabs-middle", TabBar), self.lower)):
            bar.show(front, self.pane(front).status, hidden)
        self.query_one("#ladder", LadderPane).border_title = self.pane("ladder").status

    def action_show_pane(self, name: str) -> None:
        self.minimize()
        if name != "ladder":
            self.lower = name
        self.front = name
        self._arrange()
        self.call_after_refresh(self.pane(name).focus_inside)

    def action_turn(self, step: int) -> None:
        names = [tab.pane for tab in ALL]
        self.action_show_pane(names[(names.index(self.front) + step) % len(names)])

    async def action_pane(self, name: str, action: str) -> None:
        """Show a pane and do something in it."""
        pane = self.pane(name)
        if not pane.display:
            self.action_show_pane(name)
        self.call_after_refresh(pane.run_action, action)

    def action_zoom(self) -> None:
        if self.maximized is not None:
            self.minimize()
            return
        pane = _pane_of(self.focused)
        if pane is not None:
            self.maximize(pane)

    @on(TabBar.TabChosen)
    def _tab_chosen(self, message: TabBar.TabChosen) -> None:
        self.action_show_pane(message.pane)

    @on(Pane.StatusChanged)
    def _status_changed(self) -> None:
        self._say_tabs()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        pane = _pane_of(event.widget)
        if pane is not None and pane.id is not None and pane.id != self.front:
            self.front = pane.id
            self._arrange()

    # --- the trace ---

    @work(thread=True, group="open")
    def _open(self) -> None:
        """Start the agent where there is to be one, and open the trace."""
        from inspector.lab.errors import LabError
        from inspector.trace.trace import Trace, TraceError

        try:
            if self._path is None:
                self.session = LiveSession(self._spec, self._watch)
                self.session.start()
            path = self.session.path if self.session is not None else self._path
            assert path is not None
            trace = Trace.open(path, following=self.session is not None)
        except (LabError, TraceError, OSError) as error:
            self.app.call_from_thread(self._failed, str(error))
            return
        self.app.call_from_thread(self._opened, trace)

    def _failed(self, sentence: str) -> None:
        self.app.notify(sentence, severity="error", timeout=30)
        self.action_new()

    def _opened(self, trace: Trace) -> None:
        self.trace = trace
        for pane in self.panes:
            pane.show_trace(trace)
        if self._spec is not None:
            for role in ("client", "server"):
                self.query_one(LadderPane).composer(role).show_kind(self._spec.kind)
        wake = None if self.session is None else self.session.wake_fd
        self.feed = TraceFeed(trace, self._tell_growth, self._failed, wake)
        self.feed.start()
        self.refresh_bindings()
        self.query_one(LadderPane).focus_inside()

    def _tell_growth(self) -> None:
        self.post_message(TraceGrew())

    @on(TraceGrew)
    def _trace_grew(self) -> None:
        if self.trace is None or self.feed is None:
            return
        if len(self.trace.events) != self._events_seen:
            self._events_seen = len(self.trace.events)
            self._new_state(session_state(self.trace.events))
        for pane in self.panes:
            pane.trace_grew()
        self._say_title()
        self.call_after_refresh(self.feed.taken)

    def _new_state(self, state: SessionState) -> None:
        self.state = state
        for text in state.failures[self._failures_said :]:
            self.app.notify(harmless(text), severity="error", timeout=8)
        for text in state.notes[self._notes_said :]:
            self.app.notify(harmless(text), timeout=8)
        self._failures_said, self._notes_said = len(state.failures), len(state.notes)
        live = self.session is not None and self.session.spec is not None and not state.ended
        self.query_one(LadderPane).show_state(state, live=live)
        if state.ended and self.wants_again and self.session is not None and self.session.spec is not None:
            self.wants_again = False
            self.tell(do="start", session=self.session.spec.to_json())

    def state_wanted(self, *, paused: bool) -> None:
        self.paused = paused
        self._say_title()

    def _say_title(self) -> None:
        trace, state, spec = self.trace, self.state, self.state.spec or self._spec
        name = KIND_NAMES[spec.kind] if spec else harmless(self._path.name, 40) if self._path else "Watching"
        address = state.address or (f"{spec.address}:{spec.port}" if spec and self.session else "")
        if self._path is not None:
            name, address = harmless(self._path.name, 40), ""
        life = "starting" if trace is None else "file"
        if self.session is not None and trace is not None:
            life = "ended" if state.ended or not self.session.alive else "paused" if self.paused else "live"
        place = self.session.mode if self.session is not None else "file" if self._path else ""
        self.query_one(TitleBar).show(TitleFacts(
            name, place, address, life,
            0 if trace is None else trace.index.count,
            0 if trace is None else trace.statistics.dropped,
            1.0 if trace is None or self.session is not None else trace.progress,
        ))

    # --- the selection ---

    @on(SelectionMade)
    def _selection_made(self, message: SelectionMade) -> None:
        message.stop()
        self.choose(message.selection)

    def choose(self, selection: Selection) -> None:
        """Show this selection in every pane."""
        if selection == self.selection or self.trace is None:
            return
        self.selection = selection
        for pane in self.panes:
            pane.show_selection(selection)

    @on(ByteChosen)
    def _byte_chosen(self, message: ByteChosen) -> None:
        message.stop()
        detail, chosen = self.query_one(DetailPane), self.selection
        path = detail.path_at(chosen, message.byte)
        field = detail.detail.field(path) if path else None
        self.choose(Selection(row=chosen.row, rows=chosen.rows, path=path or "", field=field, byte=message.byte))

    @on(DetailAsked)
    def _detail_asked(self, message: DetailAsked) -> None:
        message.stop()
        self.action_show_pane("detail")

    # --- the session ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in self.CONTROL_ACTIONS:
            return self.controllable(action)
        return True

    def action_say(self, role: str) -> None:
        self.action_show_pane("ladder")
        composer = self.query_one(f"#composer-{role}", Composer)
        self.call_after_refresh(composer.input.focus)

    def action_new(self) -> None:
        from inspector.tui.launcher import LauncherScreen

        self.app.switch_screen(LauncherScreen(self._spec))

    def action_save(self) -> None:
        from inspector.tui.save import ask_for_name

        if self.trace is not None:
            ask_for_name(self.app, self.trace.path, saved=self._saved)

    def _saved(self, path: Path) -> None:
        self._saved_size = path.stat().st_size
        self.app.notify(f"The trace is saved as {harmless(str(path))}.")

    async def on_unmount(self) -> None:
        if self.feed is not None:
            self.feed.stop()
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """End what was started; the trace stays on disk."""
        session, trace = self.session, self.trace
        self.feed = self.session = None
        if session is not None:
            session.close()
            if session.path.exists() and self._saved_size != session.path.stat().st_size:
                self.app.farewell = f"inspector: the trace of this session is kept as {session.path}"
        if trace is not None:
            with contextlib.suppress(OSError):
                trace.close()


def _pane_of(widget: Widget | None) -> Pane | None:
    if widget is None:
        return None
    return next((node for node in widget.ancestors_with_self if isinstance(node, Pane)), None)
