"""The launcher: one key or click starts a session; its options and the kept traces stand below.

It knows nothing of traces and views (their imports wait until the screen is painted); it posts what
the user decided: `SessionAsked` with a SessionSpec, or `FileAsked` with a path.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from inspector.model.language import Sentence, recognised, sentence, tr
from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import LAUNCHED, OPTIONS
from inspector.sessions.kinds.options import Option
from inspector.tui.files import traces
from inspector.tui.files.paths import is_capture, no_capture, typed
from inspector.tui.messages import FirstPictureDone, LessonsAsked
from inspector.tui.widgets.base import BaseScreen, PlainScroll, Prose, may
from inspector.tui.widgets.key_line import KEY_PAINT, KeyLine
from inspector.tui.widgets.painter import Head
from inspector.views.line.spans import Line, Span, cell_width, fit
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.lab.options import Watch

TRACE_KEYS = "12345789"                # of the kept traces that are shown; 6 is IPv6


CHOICES = tuple(option for option in OPTIONS if option.key)
_NAMED = (*(kind.title for kind in LAUNCHED), *(one.name for one in CHOICES))

SAMPLE: tuple[Line, ...] = (
    (Span("  connect() …   ", "client"), Span("│ "), Span("1 ── SYN ─────────────────▶", "syn"), Span(" │ "),
     Span("accept() …", "server")),
    (Span("    ┆           ", "blocked"), Span("│ "), Span("2 ◀───────────── SYN ACK ──", "syn"), Span(" │ "),
     Span("  ┆", "blocked")),
    (Span("    └ = 0       ", "client"), Span("│ "), Span("3 ── ACK ─────────────────▶", "ack"), Span(" │ "),
     Span("  └ = 4", "server")),
    (Span('  send("hello") ', "client"), Span("│ "), Span('4 ══ "hello" ═════════════▶', "data"), Span(" │ "),
     Span("recv() = 5", "server")),
)


class SessionAsked(Message):
    """The user wants this session, now."""

    def __init__(self, spec: SessionSpec) -> None:
        super().__init__()
        self.spec = spec


class FileAsked(Message):
    """The user wants to see this capture."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path


class WatchAsked(Message):
    """The user wants to see what goes on at a service of this machine."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch


class Row(Static, can_focus=True):
    """One line that can be chosen by its key, by Enter, or by the mouse; its action is the screen's."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space,right", "press", "Choose", key_display="enter", id="launcher.choose",
                tooltip="Do what the marked row says"),
        Binding("up", "app.focus_previous", show=False, id="launcher.up"),
        Binding("down", "app.focus_next", show=False, id="launcher.down"),
    ]

    def __init__(self, content: Content, action: str, *, id: str | None = None, classes: str = "") -> None:
        super().__init__(content, id=id, classes=classes)
        self.pressed_action = action

    def render(self) -> Content:
        content = self.content if isinstance(self.content, Content) else Content(str(self.content))
        return Content("▶") + content[1:] if self.has_focus else content

    async def action_press(self) -> None:
        await self.screen.run_action(self.pressed_action)

    async def _on_click(self, event: events.Click) -> None:
        event.stop()
        await self.action_press()


class Beyond(Static):
    """Says how many rows lie out of sight, where not all have room."""

    ALLOW_SELECT = False
    _words = ""

    def show(self, rows: PlainScroll, room: int) -> None:
        """Of rows for which there would be `room` without this line."""
        height, top = rows.virtual_size.height, round(rows.scroll_y)
        self.display = height > room
        below = max(height - top - rows.size.height, 0)
        parts = [tr("▲ {count} above", count=top)] if top > 0 else []
        parts += [tr("▼ {count} more below", count=below)] if below else []
        words = "   ".join([*parts, tr("↑ ↓ or the mouse wheel")]) if self.display else ""
        if words != self._words:                   # the same words once more would lay out all of the screen
            self._words = words
            self.update(Content(words))


def _either(keys: Iterable[str]) -> Sentence:
    """`**t**, **u** or **w**`."""
    *others, last = [f"**{key}**" for key in keys]
    return sentence("{others} or {last}", others=", ".join(others), last=last)


def _listed(choice: Option) -> Sentence:
    """The names of an option's values."""
    first, *others = (sentence(name) for _, name, _ in choice.values)
    for one in others:
        first = sentence("{first}, {then}", first=first, then=one)
    return first


class LauncherScreen(BaseScreen):
    """What should talk, how, or which trace should be seen again."""

    # Those that are painted with here: each costs at the start.
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *Screen.COMPONENT_CLASSES, KEY_PAINT,
        *(f"line--{span.style}" for line in SAMPLE for span in line if span.style),
    }
    LEGEND_TITLE = "Launcher"
    LEGEND = (
        sentence("Press {keys}: two real processes, a server and a client, start in a private network and "
                 "talk over its loopback. You watch their system calls and every packet between them. "
                 "It needs no root and touches nothing of this machine's network.",
                 keys=_either(kind.key for kind in LAUNCHED)),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        # Not in the last line: each stands with its key in a row above, however many kinds there are.
        *(Binding(kind.key, f"start('{kind.name}')", kind.title, show=False, id=f"launcher.{kind.name}",
                  tooltip=kind.about) for kind in LAUNCHED),
        *(Binding(choice.key, f"turn('{choice.field}')", choice.name, show=False,
                  id=f"launcher.{choice.field}",
                  tooltip=sentence("The next of: {names}", names=_listed(choice)))
          for choice in CHOICES),
        Binding("p", "port", "Port", id="launcher.port", tooltip="Of the server, if not the usual one"),
        Binding("o", "open", "Open a file", id="launcher.open", tooltip="A capture: pcap or pcapng"),
        Binding("L", "lessons", "Lessons", id="launcher.lessons", tooltip="The map of all lessons"),
        Binding("v", "services", "Services", show=False, id="launcher.services",
                tooltip="What listens on this machine: watch it, without root"),
        *(Binding(key, f"reopen({place})", sentence("Kept trace {key}", key=key), show=False,
                  id=f"launcher.trace-{key}") for place, key in enumerate(TRACE_KEYS)),
    ]

    VERTICAL_BREAKPOINTS = [(0, "-tight"), (28, "-low"), (38, "-roomy")]  # noqa: RUF012  (Textual's way)

    def __init__(self, spec: SessionSpec | None = None) -> None:
        super().__init__()
        self.spec = replace(spec or SessionSpec(), interactive=True)
        self.kept: list[traces.KeptTrace] = []
        self._was_shown = False

    def compose(self) -> ComposeResult:
        self.kept = traces.kept()[: len(TRACE_KEYS)]
        with PlainScroll(id="launcher"):
            brand = Content.assemble(("inspector", "bold $text-accent"), f"   {tr('see what a socket does')}")
            yield Static(brand, id="brand")
            with Vertical(classes="section", id="kinds"):
                yield Static(self._heading(), classes="heading", id="heading")
                for kind in LAUNCHED:
                    content = _row(kind.key, tr(kind.title), Content(tr(kind.about)))
                    yield Row(content, f"start('{kind.name}')", id=f"kind-{kind.name}", classes="kind")
            with Vertical(classes="section", id="options"):
                yield Static(tr("with these options"), classes="heading")
                for choice in CHOICES:
                    name = choice.field
                    yield Row(self._choice_row(choice), f"turn('{name}')", id=f"option-{name}")
                yield Row(self._port_row(), "port", id="option-port")
            with Vertical(classes="section" if self.kept or may(self.app, "open") else "gone", id="traces"):
                yield Static(tr("or look at what is there"), classes="heading")
                about = _muted(tr("predict, let it happen, compare; English and 中文"))
                yield Row(_row("L", tr("Lessons"), about), "lessons", id="lessons-row")
                about = _muted(tr("what listens on this machine: watch it, without root"))
                if may(self.app, "services"):
                    yield Row(_row("v", tr("Services"), about), "services", id="services-row")
                about = _muted(tr("pcap or pcapng, also .gz and .zst"))
                if may(self.app, "open"):
                    yield Row(_row("o", tr("Open a file"), about), "open", id="open")
                if problem := traces.problem():
                    yield Prose(Content(escaped(recognised(problem))), id="no-traces")
                for place, (key, trace) in enumerate(zip(TRACE_KEYS, self.kept, strict=False)):
                    size = traces.human_size(trace.size)
                    what = _muted(f"{fit(trace.age, 12)} {size:>7}   {escaped(trace.path.name)}")
                    yield Row(_row(key, trace.label, what), f"reopen({place})", classes="trace")
            with Vertical(classes="section", id="sample"):
                yield Static(tr("what you will see"), classes="heading")
                yield Head(lambda _width: SAMPLE)
        yield Beyond()
        yield KeyLine()

    def on_mount(self) -> None:
        for first in self.query(f"#kind-{LAUNCHED[0].name}"):     # none when the app ends at this very moment
            first.focus()
        self.call_after_refresh(self.post_message, FirstPictureDone())

        rows = self.query_one("#launcher", PlainScroll)
        self.watch(rows, "scroll_y", self._show_beyond)
        self.watch(rows, "virtual_size", self._show_beyond)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_beyond)          # when its rows stand where they will

    def _show_beyond(self) -> None:
        for beyond in self.query(Beyond):
            beyond.show(self.query_one("#launcher", PlainScroll), self.size.height - 1)

    def language_changed(self) -> None:
        self.refresh(recompose=True)

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        if not self._was_shown:            # its styles have just been made
            self._was_shown, event.refresh_styles = True, False
        self.app.sub_title = ""

    def _heading(self) -> Content:
        """What to do, and how it will be where that was chosen: the options may be out of sight."""
        chosen = [f"{tr(choice.name)} {tr(name)} ({choice.key})" for choice in CHOICES
                  for place, (value, name, _) in enumerate(choice.values)
                  if place and value == getattr(self.spec, choice.field)]
        if chosen:
            how = Content.styled(tr("with {options}", options=", ".join(chosen)), "bold $text-warning")
            return Content.assemble(tr("Start"), "  ", how)
        how = Content.styled(tr("press a key, or click"), "dim")
        return Content.assemble(tr("Start a conversation"), "  ", how)

    def _choice_row(self, choice: Option) -> Content:
        current = getattr(self.spec, choice.field)
        parts: list[Content] = []
        about = ""
        for value, name, explanation in choice.values:
            if value == current:
                parts.append(Content.styled(f"● {tr(name)}", "bold $text-primary"))
                about = tr(explanation)
            else:
                parts.append(Content.styled(f"○ {tr(name)}", "$foreground 60%"))
        values = Content("  ").join(parts)
        padding = " " * max(30 - values.cell_length, 1)
        explained = Content.styled(about, "$foreground 60% italic")
        return _row(choice.key, tr(choice.name), Content.assemble(values, padding, explained))

    def _port_row(self) -> Content:
        default = tr("each its own: {ports}", ports=", ".join(str(kind.port) for kind in LAUNCHED))
        chosen = Content.styled(str(self.spec.port), "bold $text-primary")
        return _row("p", tr("Port"), chosen if self.spec.port else _muted(default))

    def action_start(self, kind: str) -> None:
        # What was chosen, not what is filled in from it: port and messages of one kind are not another's.
        messages = self.spec.messages if kind == self.spec.kind else None
        self.post_message(SessionAsked(replace(self.spec, kind=kind, messages=messages)))

    def action_turn(self, field: str) -> None:
        choice = next(choice for choice in CHOICES if choice.field == field)
        values: list[Any] = [value for value, _, _ in choice.values]
        value = values[(values.index(getattr(self.spec, field)) + 1) % len(values)]
        self.spec = replace(self.spec, **{field: value})
        self.query_one(f"#option-{field}", Row).update(self._choice_row(choice))
        self.query_one("#heading", Static).update(self._heading())

    def action_port(self) -> None:
        def chosen(text: str | None) -> None:
            if text is not None:
                self.spec = replace(self.spec, port=int(text or 0))
                self.query_one("#option-port", Row).update(self._port_row())

        from inspector.tui.widgets.prompt import PromptScreen  # here and below: after the first picture

        self.app.push_screen(PromptScreen(
            "The server's port", str(self.spec.port or ""), check=_check_port,
            hint="1 to 65535; empty for the usual one"), chosen)

    def action_open(self) -> None:
        def chosen(text: str | None) -> None:
            if text:
                self.post_message(FileAsked(typed(text)))

        from inspector.tui.widgets.prompt import PromptScreen

        self.app.push_screen(PromptScreen("Open which capture?", "", check=no_capture, paths=is_capture,
                                          hint="pcap or pcapng; → takes what is suggested"), chosen)

    def action_lessons(self) -> None:
        self.post_message(LessonsAsked(None))

    def action_services(self) -> None:
        from inspector.tui.launcher.services import ServicesScreen  # start-up: not for the launcher's paint

        def chosen(watch: Watch | None) -> None:
            if watch is not None:
                self.post_message(WatchAsked(watch))

        self.app.push_screen(ServicesScreen(), chosen)

    def action_reopen(self, place: int) -> None:
        if place < len(self.kept):
            self.post_message(FileAsked(self.kept[place].path))

    @on(SessionAsked)
    @on(FileAsked)
    @on(WatchAsked)
    def _announce_choice(self) -> None:
        self.add_class("-starting")


def _muted(text: str) -> Content:
    return Content.styled(text, "$foreground 60%")


def _row(key: str, name: str, rest: Content) -> Content:
    width = 1 + max(cell_width(tr(one)) for one in _NAMED)
    return Content.assemble((f" {key} ", "bold $text-accent"), f" {fit(name, width)} ", rest)


def _check_port(text: str) -> str | None:
    if not text or (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        return None
    return tr("Port {port} is out of range; a port is a number from 1 to 65535.", port=escaped(text, 20))
