"""The workbench: the trace of one session or file, seen in all panes at once, with one selection.

`trace_screen.py` brings the trace and tells of its growth; a choice in any pane -> `SelectionMade` ->
all panes. Which panes are seen: `_arrange` and inspector.tcss. A wide and tall screen:

    | inspector  WebSocket  lab  127.0.0.1:8765         ● live  14 packets  0 dropped |  TitleBar
    | ┌ client pid 41 ──────────────┬─ server pid 40 ┐ | 8 Detail                     |
    | │ connect() …  1 ── SYN ────▶ │ accept() …     │ | ▾ TCP                        |  #main | #aside
    | │   └ = 0      2 ◀─ SYN ACK ─ │   ┆            │ |   dst port 8765              |
    | client ▸ hello               server ▸            | 9 Bytes                      |  ladder, composers
    | 0 … 2 Packets 3 Messages 4 Stream 5 Handshake … | 0000  45 00 00 3c 1c 46 40 00 |  #tabs-middle
    | 4  0.001  client  HTTP  GET /chat               | 0010  7f 00 00 01 7f 00 00 01 |  one of the middle
    | space Pause  s Step  c Client says  x Close…                      ? Help  q Quit |  KeyLine

Where it is not tall, one tab bar stands at the top and one pane has all of #main; where it is not wide,
the panes aside are tabs like the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.geometry import Size
from textual.keys import format_key
from textual.widget import Widget

from inspector.lab.options import Watch
from inspector.model.language import marked, tr
from inspector.model.packets import Row
from inspector.model.spec import Role, SessionSpec
from inspector.sessions.kinds import kind_of
from inspector.tui.files.settings import keep, kept
from inspector.tui.messages import (
    NOTHING,
    BackAsked,
    ByteChosen,
    DecodedAnew,
    PaneAsked,
    Selection,
    SelectionMade,
    StatusChanged,
)
from inspector.tui.panes.base import Pane, PaneSpec, panes_in
from inspector.tui.panes.detail import DetailPane
from inspector.tui.panes.ladder import LadderPane
from inspector.tui.panes.registry import PANES
from inspector.tui.terminal.turnstile import turnstile_of
from inspector.tui.widgets.base import TALL, WIDE
from inspector.tui.widgets.composer import Composer
from inspector.tui.widgets.divider import Divider
from inspector.tui.widgets.key_line import KeyLine
from inspector.tui.widgets.line_list import LineList
from inspector.tui.widgets.tab_bar import TabBar, TabName
from inspector.tui.widgets.title_bar import TitleBar
from inspector.tui.workbench.handing import HandingOn
from inspector.tui.workbench.save import Part
from inspector.tui.workbench.sizes import Sizes, bounded, load_sizes, save_sizes
from inspector.tui.workbench.state import SessionState
from inspector.tui.workbench.trace_screen import TraceScreen
from inspector.tui.workbench.wire_control import WireControl
from inspector.views.ladder.current import current_conversation
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.trace import Trace
    from inspector.views.ladder.ends import Conversation

def _in(place: str) -> tuple[PaneSpec, ...]:
    return tuple(spec for spec in PANES if spec.place == place)


LADDER, MIDDLE, ASIDE = _in("ladder"), _in("middle"), _in("aside")
ASIDE_IDS, MIDDLE_IDS = (frozenset(spec.id for spec in specs) for specs in (ASIDE, MIDDLE))
FIRST_LOWER = "packets"        # of the middle, at first
_BARS = {"top": PANES, "middle": (*MIDDLE, *ASIDE), **{spec.id: (spec,) for spec in ASIDE}}    # of tabs
STEP_HINT = marked("Both ends are held, and wait for you: s lets each make its next system call, space lets "
                   "them run on. What they do is shown here.")
SIZE_KEYS = (
    ("down", "ladder", 5, marked("Ladder higher")), ("up", "ladder", -5, marked("Ladder lower")),
    ("left", "aside", 5, marked("Panes aside wider")),
    ("right", "aside", -5, marked("Panes aside narrower")),
)


class Aside(Divider, Vertical):
    """The panes beside the others; its left edge is a divider."""

    def is_divider(self, event: events.MouseDown) -> bool:
        return event.screen_x == self.region.x


class WorkbenchScreen(TraceScreen, WireControl, HandingOn):
    """Panes around one trace; which of them are seen follows from the screen's size.

    TraceScreen comes first: Textual takes styles and colours from the first base alone.
    """

    LEGEND_TITLE = "Workbench"
    LEGEND = (
        "The digits show a pane, **tab** goes to the next one that is seen, **z** gives it the whole screen. "
        "What you choose in one pane is chosen in all of them: a packet, a system call, a message, a field.",
        "**ctrl** with an arrow moves what divides the panes, and so does the mouse, on the tabs below the "
        "ladder and on the line beside it; they stay so for the next time.",
        "**dropped** at the top counts what came faster than it could be kept; on a wire, where packets can "
        "be lost on purpose, it is called **missed**. **TCP 0** is the first TCP conversation, as "
        "Wireshark's tcp.stream counts.",
    )
    HORIZONTAL_BREAKPOINTS = []  # noqa: RUF012  (`_arrange` sets the classes, zoomed or not)
    VERTICAL_BREAKPOINTS = []  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        *TraceScreen.TRACE_BINDINGS,
        *WireControl.WIRE_BINDINGS,
        *HandingOn.HANDING_BINDINGS,
        Binding("z", "zoom", "Zoom", id="workbench.zoom", tooltip="This pane alone, or all"),
        *(Binding(spec.key, f"show_pane('{spec.id}')", spec.title, show=False, id=f"workbench.{spec.id}")
          for spec in PANES),
        *(Binding(f"ctrl+{key}", f"size('{what}', {step})", name, show=False, id=f"workbench.{what}-{key}")
          for key, what, step, name in SIZE_KEYS),
        Binding("left_square_bracket", "turn(-1)", "Pane before", show=False, id="workbench.before"),
        Binding("right_square_bracket", "turn(1)", "Pane after", show=False, id="workbench.after"),
        *(Binding(one.key, f"pane('{spec.id}', '{one.action}')", one.name,
                  id=f"workbench.{one.action.replace('_', '-')}")
          for spec in PANES for one in spec.anywhere),
    ]

    def __init__(self, *, spec: SessionSpec | None = None, path: Path | None = None,
                 watch: Watch | None = None, joined: bool = False, farewell: Callable[[str], None]) -> None:
        super().__init__(spec=spec, path=path, watch=watch, joined=joined, farewell=farewell)
        self.selection = NOTHING
        self.conversation: Conversation | None = None
        self.panes: list[Pane] = []
        self._opened_from = ""         # the pane from which the one in front was opened
        self.zoomed = False            # one pane has the whole screen
        self._overview_shown = False   # of a file of several conversations, once, when it has been read
        self._size = Size(0, 0)
        self.sizes = load_sizes()
        self.front, self.lower = LADDER[0].id, FIRST_LOWER
        self._began_with = self.front  # the pane that had the screen at first,
        self._has_keys = False         # whether it got the keys,
        self._turned = False           # and whether another one was brought since
        self._keys: dict[str, str] = {}    # the user's own keys, by the binding's id

    def parts(self) -> list[Part]:
        return self.chosen_parts()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in self.WIRE_ACTIONS:
            return self.on_a_wire
        return super().check_action(action, parameters)

    # --- what is seen ---

    def compose(self) -> ComposeResult:
        yield TitleBar()
        yield TabBar(_tabs(PANES), id="tabs-top")
        with Horizontal(id="body"):
            with Vertical(id="main"):
                yield from (spec.pane(spec) for spec in LADDER)
                yield TabBar(_tabs((*MIDDLE, *ASIDE)), id="tabs-middle")
                yield from (spec.pane(spec) for spec in MIDDLE)
            with Aside(id="aside"):
                for spec in ASIDE:
                    yield TabBar(_tabs((spec,)), id=f"tabs-{spec.id}")
                    yield spec.pane(spec)
        yield KeyLine()

    def pane(self, name: str) -> Pane:
        """The pane of this name."""
        return next(pane for pane in self.panes if pane.id == name)

    def on_mount(self) -> None:
        self.panes = panes_in(self)
        self._size = self.app.size
        self._open_kept_panes()
        self._began_with = self.front
        self._keys = {one.binding.id: key for key, one in self.active_bindings.items() if one.binding.id}
        self._name_tabs()
        self._arrange(update=False)                # styles follow with the screen's resumption, all at once
        if self.front == LADDER[0].id:
            self._focus_first()
        else:
            turnstile_of(self).after_refresh(self, self._focus_first)
        if self.session is not None and self.session.spec is not None:
            self._show_composers(self.session.spec)
            if self.session.spec.to:               # who talks to a service has come to type
                turnstile_of(self).after_refresh(self, self._type_first)
        self.begin()

    def _type_first(self) -> None:
        if self.is_untouched:
            self.action_compose("client")

    def _focus_first(self) -> None:
        """Give the keys to the pane that was opened at first, unless another one was asked for by now."""
        if self.is_untouched:
            self.pane(self._began_with).focus_inside()
        self._has_keys = True

    def _open_kept_panes(self) -> None:
        """Open the panes as they were left; but what goes on now begins with its ladder."""
        lower, front = (str(kept().get(name)) for name in ("lower", "front"))
        self.lower = lower if lower in MIDDLE_IDS else FIRST_LOWER
        if not self.is_tall and not self.is_live and front in MIDDLE_IDS:
            self.front = front

    def _keep_panes(self) -> None:
        """For the next start: the pane below the ladder, and which has the screen where that is low."""
        changes = {"lower": self.lower} if self.lower in MIDDLE_IDS else {}
        if not self.is_tall and not self.zoomed and self.front in MIDDLE_IDS | {LADDER[0].id}:
            changes["front"] = self.front
        keep(**changes)

    def on_resize(self, event: events.Resize) -> None:
        self._size = event.size
        self._arrange()

    @property
    def is_wide(self) -> bool:
        """Whether detail and bytes stand beside the others."""
        return self._size.width >= WIDE and not self.zoomed

    @property
    def is_tall(self) -> bool:
        """Whether the ladder stands above the others."""
        return self._size.height >= TALL and not self.zoomed

    def _arrange(self, update: bool = True) -> None:
        """Set the classes by which inspector.tcss knows which panes are to be seen; `update`: styles too."""
        wide, tall = self.is_wide, self.is_tall
        if self.lower in ASIDE_IDS and wide:
            self.lower = FIRST_LOWER
        front = LADDER[0].id if wide and not tall and self.front in ASIDE_IDS else self.front
        self.update_classes({
            "-wide": wide, "-narrow": not wide, "-tall": tall, "-low": not tall,
            "-aside": not wide and (self.lower if tall else front) in ASIDE_IDS,
        }, update, animate=False)
        for pane in self.panes:
            pane.set_class(pane.id == front, "-front", update=update)
            pane.set_class(pane.id == self.lower, "-lower", update=update)
        self._divide()
        self._show_tabs()

    def _divide(self) -> None:
        """Give the panes their sizes, where there are several."""
        rows = self._size.height - 2                          # title and keys
        ladder, aside = self.query_one(LadderPane), self.query_one("#aside")
        alone = not self.is_tall or self.has_class("-aside")
        ladder.styles.height = None if alone else self.sizes.ladder_rows(rows)
        beside = self.is_wide and self.sizes.aside
        aside.styles.width = f"{self.sizes.aside}%" if beside else None
        aside.styles.min_width = 1 if beside else None
        aside.styles.max_width = "100%" if beside else None

    def action_size(self, what: str, step: int) -> None:
        """Move a divider by some percent of the screen."""
        ladder, aside = self.query_one(LadderPane).outer_size, self.query_one("#aside").outer_size
        if what == "ladder" and self.is_tall:
            share = 100 * ladder.height / (self._size.height - 2)
            self._resize(self.sizes._replace(ladder=bounded(share + step)), keep=True)
        elif what == "aside" and self.is_wide:
            share = 100 * aside.width / self._size.width
            self._resize(self.sizes._replace(aside=bounded(share + step)), keep=True)

    @on(Divider.Moved)
    def _divider_moved(self, message: Divider.Moved) -> None:
        message.stop()
        size = self._size
        if message.divider.id == "tabs-middle" and self.is_tall:
            share = bounded(100 * (message.y - 1) / (size.height - 2))
            self._resize(self.sizes._replace(ladder=share), keep=message.done)
        elif message.divider.id == "aside" and self.is_wide:
            share = bounded(100 * (size.width - message.x) / size.width)
            self._resize(self.sizes._replace(aside=share), keep=message.done)

    def _resize(self, sizes: Sizes, *, keep: bool) -> None:
        self.sizes = sizes
        self._divide()
        if keep:
            save_sizes(sizes)

    def _name_tabs(self) -> None:
        for bar, specs in _BARS.items():
            self.query_one(f"#tabs-{bar}", TabBar).rename(_tabs(specs, self._keys))

    def _show_tabs(self) -> None:
        hidden = ASIDE_IDS if self.is_wide else frozenset()
        bars = [("top", self.front, hidden), ("middle", self.lower, hidden)]
        bars += [(spec.id, spec.id, frozenset()) for spec in ASIDE]
        for bar, front, left_out in bars:
            status = self.pane(front).status
            self.query_one(f"#tabs-{bar}", TabBar).show(front, self.front, status, left_out)

    def action_show_pane(self, name: str) -> None:
        self._bring(name)
        self._keep_panes()

    def _bring(self, name: str) -> None:
        self._turned = True
        if name != LADDER[0].id and not (self.is_wide and name in ASIDE_IDS):
            self.lower = name
        self.front = name
        self._arrange()
        turnstile_of(self).after_refresh(self, self.pane(name).focus_inside)

    def action_turn(self, step: int) -> None:
        names = [spec.id for spec in PANES]
        self.action_show_pane(names[(names.index(self.front) + step) % len(names)])

    async def action_pane(self, name: str, action: str) -> None:
        """Show a pane and do something in it."""
        pane = self.pane(name)
        if not pane.display:
            self.action_show_pane(name)
        turnstile_of(self).after_refresh(self, pane.run_action, action)

    def action_zoom(self) -> None:
        self.zoomed = not self.zoomed
        self.action_show_pane(self.front)

    @on(PaneAsked)
    def _pane_asked(self, message: PaneAsked) -> None:
        message.stop()
        self._opened_from = self.front if message.opens else ""
        self.action_show_pane(message.pane)

    @on(BackAsked)
    def _back_asked(self, message: BackAsked) -> None:
        message.stop()
        if self._opened_from:
            self.action_show_pane(self._opened_from)
            self._opened_from = ""
        elif self.zoomed:
            self.action_zoom()

    @on(DecodedAnew)
    def _decoded_anew(self, message: DecodedAnew) -> None:
        message.stop()
        self._show_anew()

    def _show_anew(self) -> None:
        """Have every pane draw all of the trace again, with what is chosen."""
        if self.trace is not None:
            self.trace_opened(self.trace)
            for pane in self.panes:
                pane.show_selection(self.selection)

    def language_changed(self) -> None:
        super().language_changed()
        self._name_tabs()
        for composer in self.query(Composer):
            composer.language_changed()
        self._show_anew()
        self._show_tabs()
        self._show_title()

    @on(StatusChanged)
    def _status_changed(self) -> None:
        self._show_tabs()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        for lines in self.query(LineList):
            lines.typing_changed()
        # Told late, of a widget that has lost the focus to the pane that was brought since, it means nothing.
        pane = _pane_of(event.widget) if event.widget is self.focused else None
        if pane is not None and pane.id is not None and pane.id != self.front:
            self.front = pane.id
            self._arrange()

    # --- the selection ---

    @on(SelectionMade)
    def _selection_made(self, message: SelectionMade) -> None:
        message.stop()
        self.choose(message.selection)

    def _speak_of(self) -> None:
        """Tell all panes which conversation it is about."""
        if self.trace is not None:
            stay = self.selection.call is not None
            self.conversation = self.selection.of or current_conversation(
                self.trace, self.selection.row, self.conversation, stay=stay, live=self.is_live)
            for pane in self.panes:
                pane.conversation = self.conversation

    def trace_opened(self, trace: Trace) -> None:
        for pane in self.panes:
            pane.show_trace(trace, follow=self.is_live, waits_for=self._waits_for())

    def _waits_for(self) -> str:
        """What empty lists say while nothing was said; "" where they say it best, and where all is there."""
        watch = Watch() if self.session is None else self.session.watch
        reached = [outside for _, outside in self.state.doors]
        reached = reached or [f"127.0.0.1:{port}" for port, _ in watch.outside.via]
        if self.state.waiting and not self.state.ended:
            return tr(STEP_HINT)
        of_program = self.state.ended and bool(self.state.program) and (
            self.trace is None or not self.trace.calls)
        if not (self.is_live or of_program) or (self.session is not None and self.session.spec is not None):
            return ""
        what = escaped(self.program if self.session is None else watch.words, 60)
        if of_program:
            return tr("It has ended, and no packet came on this loopback. 'inspector exec --syscalls' shows"
                      " what a program asks of its system.")
        if self.has_ended:
            return tr("The capture has ended, and no packet came ({what}).", what=what)
        if reached:
            addresses = escaped(tr(" or ").join(reached), 200)
            return tr("Talk to {addresses}: what is said there is led through the lab and shown here.",
                      addresses=addresses)
        return tr("Waiting for the first packet ({what}): it is shown here as soon as it comes.", what=what)

    def _show_composers(self, spec: SessionSpec) -> None:
        """They are there from the first moment on: what is typed while the session starts is sent then."""
        for composer in self.query(Composer):
            composer.show_kind(kind_of(spec), there=spec.own_server or composer.role == "client")
        self.query_one(LadderPane).show_session({}, live=True)

    def trace_grew(self, trace: Trace, *, first_reading: bool) -> list[Callable[[], None]]:
        self._speak_of()
        if first_reading and not self._overview_shown and trace.complete:
            self._overview_shown = True
            if trace.conversation_count > 1 and self.is_untouched:
                self.set_focus(None)           # what the first pane still tells of it is late
                self._bring("conversations")
            elif not trace.index.count and self.is_untouched:
                self.set_focus(None)
                self._bring(LADDER[0].id)      # which says why there is nothing; elsewhere nothing would
        if first_reading and not trace.index.count:
            for pane in self.panes:
                pane.wait_for(self._waits_for())
        for pane in self.panes:
            pane.first_reading = first_reading
            if not pane.is_seen:
                pane.trace_grew()              # it only remembers that there is something
        return [pane.trace_grew for pane in self.panes if pane.is_seen]

    def decoded_further(self) -> None:
        for pane in self.panes:
            pane.decoded_further()

    def show_what_comes(self) -> None:
        self.query_one(LadderPane).lines.following = True

    def show_held(self, row: Row, *, last: bool) -> None:
        self.query_one(LadderPane).show_held(row, last=last)

    @property
    def is_untouched(self) -> bool:
        """Whether one still is where the screen began: only then may it go elsewhere by itself."""
        pane = _pane_of(self.focused)
        here = not self._has_keys or pane is None or pane.id == self._began_with
        return self.app.screen is self and here and not self._turned and self.selection == NOTHING

    def state_changed(self, state: SessionState, *, live: bool) -> None:
        self.agent_ended()
        self.query_one(LadderPane).show_session(state.waiting, live=live)

    def agent_ended(self) -> None:
        if self.trace is not None and not self.trace.index.count:
            for pane in self.panes:
                pane.wait_for(self._waits_for())

    def choose(self, selection: Selection) -> None:
        """Show this selection in every pane."""
        if selection == self.selection or self.trace is None:
            return
        self.selection = selection
        self._speak_of()
        for pane in self.panes:
            pane.show_selection(selection)

    @on(ByteChosen)
    def _byte_chosen(self, message: ByteChosen) -> None:
        message.stop()
        detail, chosen = self.query_one(DetailPane), self.selection
        path = detail.path_at(chosen, message.byte)
        field = detail.detail.field(path) if path else None
        self.choose(Selection(row=chosen.row, rows=chosen.rows, path=path or "", field=field,
                              byte=message.byte))

    def action_edit(self) -> None:
        """Put what the chosen packet says into a composer."""
        # for the time of start-up, since few send anything again
        from inspector.views.handing.sent import NothingSentError, sent_at

        chosen, spec = self.selection, None if self.session is None else self.session.spec
        if self.trace is None or chosen.row is None or spec is None:
            self.app.notify("Choose a packet or a message first: what it says can be said again.", timeout=3)
            return
        try:
            byte = chosen.byte if chosen.field is None else chosen.field.start
            sent = sent_at(self.trace, chosen.row, byte)
        except NothingSentError as error:
            self.app.notify(str(error), severity="warning")
            return
        typed = kind_of(spec).typed(sent.message)
        if typed is None:
            self.app.notify("What it says cannot be typed in this kind of session.", severity="warning")
            return
        role: Role = "client" if sent.by_client or not spec.own_server else "server"
        self.query_one(f"#composer-{role}", Composer).show_typed(*typed)
        self.action_compose(role)

    def action_compose(self, role: Role) -> None:
        self.action_show_pane("ladder")
        composer = self.query_one(f"#composer-{role}", Composer)
        if self.state.ended or composer.has_class("-absent"):
            turnstile_of(self).drop()       # the text that was typed after the key has no line to go to
            why = tr("The session has ended; R starts it again.") if self.state.ended else (
                tr("The session has no {role}.", role=tr(role)))
            self.app.notify(why, severity="warning")
            return
        turnstile_of(self).after_refresh(self, composer.input.focus)


def _tabs(specs: tuple[PaneSpec, ...], keys: Mapping[str, str] = MappingProxyType({})) -> tuple[TabName, ...]:
    """Names of tabs; `keys`: binding id -> the key that the user's keymap gives it."""
    return tuple(TabName(spec.id, format_key(keys.get(f"workbench.{spec.id}", spec.key)), tr(spec.title),
                         tr(spec.short or spec.title)) for spec in specs)


def _pane_of(widget: Widget | None) -> Pane | None:
    if widget is None:
        return None
    return next((node for node in widget.ancestors_with_self if isinstance(node, Pane)), None)
