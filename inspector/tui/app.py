"""The app: it opens the launcher or a workbench, and ends in order whatever ends it.

Only what the first screen needs is imported here; the workbench with its views, numpy and scapy
follows in a thread once the first screen is painted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from inspect import isawaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.app import ScreenStackError, SystemCommand
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.dom import DOMNode
from textual.driver import Driver
from textual.geometry import Size
from textual.notifications import Notification
from textual.screen import Screen
from textual.theme import Theme, ThemeProvider
from textual.widgets import Input

from inspector.model.language import recognised, tr, use
from inspector.model.spec import SessionSpec
from inspector.tui.files.keymap import KeymapError, read_keymap
from inspector.tui.files.settings import keep, kept, kept_language
from inspector.tui.launcher.preload import everything
from inspector.tui.launcher.screen import FileAsked, LauncherScreen, SessionAsked, WatchAsked
from inspector.tui.messages import FirstPictureDone, LanguageAsked, LauncherAsked, LessonsAsked
from inspector.tui.terminal.driver import BEHIND_SECONDS, TerminalDriver
from inspector.tui.terminal.guard import Guard
from inspector.tui.terminal.turnstile import TurnstileApp
from inspector.tui.widgets.base import BaseScreen, Ground, may, toast_text
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.lab.options import Watch

SMALLEST = (60, 16)
OTHER_LANGUAGE = {"en": "中文", "zh": "English"}
LEAST_SHOWN, LEAST_SHOWN_TROUBLE = 1.0, 3.0       # seconds that a sentence can be read, whatever is done


class InspectorApp(TurnstileApp[int], inherit_bindings=False):
    """See what a socket does. `start`: a session; `trace_path`: a capture; `watch`: what goes on here.

    `joined`: the capture is of a program that runs now, which this process started (`exec --join`).
    `lessons`: a lesson, or the map of them. `visitor`: somebody in a browser (`inspector serve`), whom files,
    services and shell of this machine do not concern.
    """

    TITLE = "inspector"
    CSS_PATH = Path(__file__).with_name("inspector.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "help", "Help", key_display="?", id="app.help"),
        Binding("q", "quit", "Quit", id="app.quit"),
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True, id="app.quit-anywhere"),
        Binding("ctrl+c", "quit", "Quit", show=False, id="app.interrupt"),
        Binding("ctrl+z", "suspend_process", "Suspend", show=False, priority=True, id="app.suspend"),
        Binding("ctrl+p", "command_palette", "Commands", show=False, priority=True, id="app.commands"),
    ]

    def __init__(self, start: SessionSpec | None = None, trace_path: Path | None = None,
                 watch: Watch | None = None, *, joined: bool = False, lessons: LessonsAsked | None = None,
                 visitor: bool = False) -> None:
        self.visitor = visitor             # before what looks for a driver
        self._joined = joined
        super().__init__()
        self._lessons = lessons
        self._box = lessons.box if lessons else None       # the lessons are shown to a class
        self.language = lessons.language if lessons and lessons.language else kept_language()
        use(self.language)
        self._start, self._trace_path, self._watch = start, trace_path, watch
        self.farewell = ""
        self._read_by = 0.0            # until then a sentence stays, whatever is done
        self._shown: dict[str, float] = {}     # sentences that stand there, and until when
        self._preloaded = False
        self._event_loop: asyncio.AbstractEventLoop | None = None

    def get_default_screen(self) -> Screen[Any]:
        return Ground(id="_default")

    def on_mount(self) -> None:
        self._event_loop = asyncio.get_running_loop()
        self.screen_change_signal.subscribe(self, lambda _: self.call_next(self._show_whether_too_small))
        self._wear_kept_theme()
        try:
            self.set_keymap(read_keymap())
        except KeymapError as error:
            self.notify(str(error), severity="warning", timeout=10)
        if self._lessons is not None:
            self._lessons_asked(self._lessons)
        elif self._trace_path is None and self._start is None and self._watch is None:
            self.show_first()
        else:
            self._open_workbench(self._start, self._trace_path, self._watch)

    def show_first(self) -> None:
        """The screen of who asked for nothing yet."""
        self._show(LauncherScreen())

    def _wear_kept_theme(self) -> None:
        theme = kept().get("theme")
        if isinstance(theme, str) and theme in self.available_themes and "TEXTUAL_THEME" not in os.environ:
            self.theme = theme
        self.theme_changed_signal.subscribe(self, self._keep_theme)

    def _keep_theme(self, theme: Theme) -> None:
        keep(theme=theme.name)

    def preload(self) -> None:
        """Import on a thread what will be needed next; called when there is nothing better to do."""
        if not self._preloaded:
            self._preloaded = True
            self.run_worker(everything, thread=True, group="preload")

    def _open_workbench(self, spec: SessionSpec | None, path: Path | None = None,
                        watch: Watch | None = None) -> None:
        # here and below: for the time of start-up, since the launcher needs none of it
        from inspector.tui.workbench.workbench import WorkbenchScreen

        self._show(WorkbenchScreen(spec=spec, path=path, watch=watch, joined=self._joined,
                                   farewell=self._keep_farewell))
        self._joined = False               # of what was opened later nobody knows whether it runs

    def _show(self, screen: BaseScreen) -> None:
        """Put the launcher or a workbench in the place of what is there, of boxes over it too."""
        while self.screen.is_modal:
            self.pop_screen()
        screen.fit(self.size)
        if self.screen.id == "_default":
            self.push_screen(screen)
        else:
            self.switch_screen(screen)
        self._show_whether_too_small()

    def _keep_farewell(self, sentence: str) -> None:
        if not self.visitor:
            self.farewell = sentence

    @on(LauncherAsked)
    def _launcher_asked(self, message: LauncherAsked) -> None:
        if not any(isinstance(screen, LauncherScreen) for screen in self.screen_stack):
            self._show(LauncherScreen(message.chosen))

    @on(LessonsAsked)
    def _lessons_asked(self, message: LessonsAsked) -> None:
        """Open a lesson, or the map."""
        from inspector.tui.lessons.map import LessonMapScreen
        from inspector.tui.lessons.screen import LessonScreen
        from inspector.tui.lessons.teach import TeachScreen

        before = self.screen
        if message.lesson is not None and self._box is not None:
            self._show(TeachScreen(message.lesson, self.language, self._box))
        elif message.lesson is not None:
            self._show(LessonScreen(message.lesson, self.language))
        elif not isinstance(before, LessonMapScreen):
            left = before if isinstance(before, LessonScreen) else None
            chosen = "" if left is None else left.lesson.name
            self._show(LessonMapScreen(self.language, chosen, goes_on=left is not None and left.is_done))

    @on(FirstPictureDone)
    def _first_picture_done(self) -> None:
        self.preload()

    @on(SessionAsked)
    def _session_asked(self, message: SessionAsked) -> None:
        self._open_workbench(message.spec)

    @on(FileAsked)
    def _file_asked(self, message: FileAsked) -> None:
        self._open_workbench(None, message.path)

    @on(WatchAsked)
    def _watch_asked(self, message: WatchAsked) -> None:
        self._open_workbench(None, None, message.watch)

    def on_resize(self, event: events.Resize) -> None:
        self._show_whether_too_small(event.size)

    def _show_whether_too_small(self, size: Size | None = None) -> None:
        """Show the word that the terminal (`size`: of now) is too small, or take it away."""
        width, height = size or self.size
        small = width < SMALLEST[0] or height < SMALLEST[1]
        if small and not self._shows_too_small:
            from inspector.tui.launcher.help import TooSmallScreen

            covered = TooSmallScreen(*SMALLEST, self.focused if isinstance(self.focused, Input) else None)
            if not covered.takes_text:
                self.turnstile.drop()
            self.push_screen(covered)
        elif self._shows_too_small and not small:
            self.pop_screen()

    @property
    def _shows_too_small(self) -> bool:
        return bool(self.screen_stack and getattr(self.screen_stack[-1], "HIDES_ALL", False))

    def push_screen(self, *args: Any, **kwargs: Any) -> Any:
        """Push a screen as Textual does, below the word that the terminal is too small: that stays on top."""
        covered = self._shows_too_small
        if covered:
            self.pop_screen()
        pushed = super().push_screen(*args, **kwargs)
        if covered:
            self._show_whether_too_small()
        return pushed

    def action_command_palette(self) -> None:
        """Open the palette where there is none, and where it can be seen."""
        open_already = any(isinstance(screen, CommandPalette) for screen in self.screen_stack)
        if not open_already and not self._shows_too_small:
            from inspector.tui.launcher.palette import Palette

            self.push_screen(Palette(id="--command-palette"))

    def search_themes(self) -> None:
        from inspector.tui.launcher.palette import Palette

        self.push_screen(Palette([ThemeProvider], placeholder=tr("Search for themes…")))

    def notify(self, message: str, *, markup: bool = False, **options: Any) -> None:
        """Show a sentence for a moment. It may speak of names and addresses: escaped, no markup."""
        text, now = toast_text(self, message), time.monotonic()
        if now < self._shown.get(text, 0.0):       # it stands there already
            return
        self._shown[text] = now + (options.get("timeout") or self.NOTIFICATION_TIMEOUT)
        trouble = options.get("severity", "information") != "information"
        self._read_by = time.monotonic() + (LEAST_SHOWN_TROUBLE if trouble else LEAST_SHOWN)
        super().notify(text, markup=False, **options)

    def clear_notifications(self) -> None:
        """Take all sentences away."""
        self._shown.clear()
        super().clear_notifications()

    def _unnotify(self, notification: Notification, refresh: bool = True) -> None:
        self._shown.pop(notification.message, None)    # it may be said again
        super()._unnotify(notification, refresh)

    def deliver_screenshot(self, filename: str | None = None, path: str | None = None,
                           time_format: str | None = None) -> str | None:
        """Save a picture of the screen, and say where, or why not; a visitor's browser asks where itself."""
        if self.visitor:
            return super().deliver_screenshot(filename, path, time_format)
        svg = self.export_screenshot()

        def work() -> None:
            from inspector.tui.files.pictures import keep_picture  # here: for the time of start-up

            try:
                saved = keep_picture(svg)
            except OSError as error:
                where = escaped(str(error.filename), 60)
                sentence = tr("The screenshot cannot be kept in {place}: {why}.", place=where,
                              why=recognised(error.strerror or ""))
                self.call_from_thread(self.notify, sentence, severity="error")
            else:
                sentence = tr("The screenshot is saved as {path}.", path=escaped(str(saved)))
                self.call_from_thread(self.notify, sentence)

        self.run_worker(work, thread=True, group="screenshot")
        return None

    @on(events.DeliveryComplete)
    def _screenshot_saved(self, event: events.DeliveryComplete) -> None:
        event.prevent_default()                        # Textual's own sentence is markup around a raw name
        self.notify("The screenshot is saved.")

    async def on_event(self, event: events.Event) -> None:
        """The user goes on: sentences that stood long enough to be read speak of what was before."""
        if isinstance(event, (events.Key, events.MouseDown)) and time.monotonic() > self._read_by:
            self.clear_notifications()
        await super().on_event(event)

    async def action_quit(self) -> None:
        """End; where something would be lost it is asked first."""
        below = [screen for screen in self.screen_stack if isinstance(screen, BaseScreen)]
        if below:
            below[-1].leave(self.exit)
        else:
            self.exit()

    def action_help(self) -> None:
        from inspector.tui.launcher.help import HelpScreen

        if not self.screen.is_modal or hasattr(self.screen, "LEGEND"):      # a box may have its own
            self.push_screen(HelpScreen.of(self.screen))

    @on(LanguageAsked)
    def action_language(self) -> None:
        """Speak the other language, from now on and at the next start."""
        self.speak("en" if self.language == "zh" else "zh")
        keep(language=self.language)

    def speak(self, language: str) -> None:
        """Show all screens in this language."""
        self.language = language
        use(language)
        for screen in list(self.screen_stack):
            if isinstance(screen, BaseScreen):
                screen.language_changed()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette's list for this screen: what always can be done, then each action of its keys once."""
        if not screen.is_modal:
            yield SystemCommand(tr("Language: {name}", name=OTHER_LANGUAGE[self.language]),
                                tr("Of all screens and lessons, from now on"), self.action_language)
            yield SystemCommand(tr("Help"), tr("Keys, and what the picture means"), self.action_help)
        for command in super().get_system_commands(screen):
            if command.title != "Keys":
                yield command._replace(title=tr(command.title), help=tr(command.help))
        listed: dict[tuple[DOMNode, str, str], list[Binding]] = {}
        for active in screen.active_bindings.values():
            binding = active.binding
            moves = binding.id is None or binding.id.startswith(("list.", "screen."))
            ours = active.node is self or binding.action == "app.quit"           # it stands there already
            if binding.description and not moves and not ours and active.enabled:
                listed.setdefault((active.node, binding.action, binding.description), []).append(binding)
        for (node, action, description), bindings in listed.items():
            keys = "  ".join(dict.fromkeys(map(self.get_key_display, bindings)))
            about = tr(bindings[0].tooltip) if bindings[0].tooltip else tr("Key: {keys}", keys=keys)
            yield SystemCommand(tr(description), about,
                                partial(self._run_action, node, action))

    def _run_action(self, node: DOMNode, action: str) -> None:
        if node.is_attached and node.screen in self.screen_stack:     # it may have gone meanwhile
            self.run_worker(self.run_action(action, default_namespace=node))

    def call_next(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        super().call_next(self._while_it_runs, callback, *args, **kwargs)

    async def _while_it_runs(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Call it; a timer of the app may be due when it has no screens any more."""
        try:
            result = callback(*args, **kwargs)
            if isawaitable(result):
                await result
        except ScreenStackError:
            if self._running:
                raise

    def get_driver_class(self) -> type[Driver]:
        return super().get_driver_class() if self.visitor else TerminalDriver

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return may(self, action) and super().check_action(action, parameters)

    def action_suspend_process(self) -> None:
        """Stop, with all that was started in one line with us, as the terminal's own ctrl+z does."""
        driver = self._driver
        if not isinstance(driver, TerminalDriver):
            return
        if os.getpgrp() == os.getsid(0):
            self._notify_no_shell()
            return
        self.app_suspend_signal.publish(self)
        driver.stop_group()
        self.set_timer(BEHIND_SECONDS, lambda: None if driver.was_stopped else self._notify_no_shell())

    def _notify_no_shell(self) -> None:
        self.notify("No shell waits for this program: ctrl+z would stop it for good.", severity="warning")

    def _end_soon(self, status: int) -> None:
        """End from another thread."""
        if self._event_loop is not None:
            self._event_loop.call_soon_threadsafe(self.exit, status)

    def last_act(self) -> None:
        """What is done when the process ends by force."""

    def _wake(self) -> None:
        """Have the event loop look around: a signal that another thread took is handled on its own."""
        if self._event_loop is not None:
            self._event_loop.call_soon_threadsafe(lambda: None)

    def run(self, **options: Any) -> int | None:
        """Run until the user or a signal ends it; then end what it started, and say where the trace is."""
        Guard(self._end_soon, self._wake, led=self.visitor, last=self.last_act).start()
        result = super().run(**options)
        if self.farewell:
            with contextlib.suppress(OSError):                    # the terminal may have gone
                print(self.farewell, file=sys.stderr)
        return self.return_code if result is None else result
