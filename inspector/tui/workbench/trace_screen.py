"""A screen around one trace: brings it, reads on in it, says in the title how it stands, and ends it.

agent or file -> Trace, read on by a TraceFeed -> `TraceGrew` -> `trace_grew` of the screen that shows it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on, work
from textual.binding import Binding, BindingType

from inspector.lab.errors import LabError
from inspector.model.commands import Command, Start
from inspector.model.endpoint import join_endpoint
from inspector.model.language import marked, recognised, tr
from inspector.model.spec import SessionSpec
from inspector.model.wiring import NONE_HELD
from inspector.sessions.kinds import kind_of
from inspector.trace.file.plain import Writer
from inspector.trace.file.scratch import is_nameless
from inspector.tui.files import traces
from inspector.tui.messages import FirstPictureDone, LauncherAsked, TraceGrew
from inspector.tui.pace import REST_SECONDS, WORK_SECONDS
from inspector.tui.terminal.turnstile import turnstile_of
from inspector.tui.widgets.base import BaseScreen, may
from inspector.tui.widgets.prompt import MenuItem, MenuScreen
from inspector.tui.widgets.title_bar import TitleBar, TitleFacts
from inspector.tui.workbench.behind import Behind
from inspector.tui.workbench.control import SessionControl
from inspector.tui.workbench.feed import TraceFeed
from inspector.tui.workbench.save import Part, ask_what, whole, whole_file
from inspector.tui.workbench.session import LiveSession
from inspector.tui.workbench.state import SessionState, session_state
from inspector.tui.workbench.steps import Steps
from inspector.views.session.loss import loss_word
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.lab.options import Watch
    from inspector.trace.trace import Trace

# What the title calls a file, by who writes it.
_FILE_LIVES: dict[Writer, str] = {"unknown": "file", "writes": "followed", "ended": "writer ended"}


class LeavingMenu(MenuScreen):
    """Asks before a trace is lost."""


class TraceScreen(BaseScreen, SessionControl):
    """The trace of `spec` (a session), `path` (a file), or `watch` (what goes on here)."""

    TRACE_BINDINGS: ClassVar[list[BindingType]] = [
        *SessionControl.CONTROL_BINDINGS,
        Binding("ctrl+s", "save", "Save", tooltip="Keep the trace under a name", id="trace.save"),
        Binding("n", "new", "New", tooltip="Back to the launcher", id="trace.new"),
    ]

    def __init__(self, *, spec: SessionSpec | None = None, path: Path | None = None,
                 watch: Watch | None = None, joined: bool = False, farewell: Callable[[str], None]) -> None:
        """`joined`: the file is written now, about a program that runs.

        `farewell` gets a sentence for the end of the app, where a session's trace is kept.
        """
        super().__init__()
        self._path = path
        self._joined = joined
        self._farewell = farewell
        self.session = None if path is not None else LiveSession(spec, watch)
        self.trace: Trace | None = None
        self.feed: TraceFeed | None = None
        self.behind: Behind | None = None
        self.state = SessionState()
        self.paused = spec is not None and spec.paused      # as asked for; the trace tells what came of it
        self.wants_again = False
        self.steps = Steps()
        self.moved_at, self.looks_later = 0.0, False
        self.early: list[Command] = []
        self.ends_seen: frozenset[str] = frozenset()
        self._events_seen = self._failures_shown = self._notes_shown = 0
        self._to_draw: list[Callable[[], None]] = []
        self._saved_size = self._saved_count = -1
        self._saved_comments = 0       # the version of the comments that were saved last
        self._truncation_reported = ""
        self._was_read = False         # the file was read to its end once

    @property
    def is_live(self) -> bool:
        """Whether the trace is of what goes on now: a session, what is watched, a program that runs."""
        return self.session is not None or self._joined

    @property
    def has_ended(self) -> bool:
        """Whether what the trace is of is over: a session, what was watched, a program."""
        return self.state.ended or (self.session is not None and self.trace is not None
                                    and not self.session.alive)

    @property
    def program(self) -> str:
        """The program that the trace was made around, as one would type it by name; not safe to show."""
        return self.state.program

    # --- for the screen that shows the trace ---

    def trace_opened(self, trace: Trace) -> None:
        """There is a trace now."""
        raise NotImplementedError

    def trace_grew(self, trace: Trace, *, first_reading: bool) -> list[Callable[[], None]]:
        """It was read further; what there is to draw, one after the other, the first at once.

        `first_reading`: what is new was in the file from the beginning.
        """
        raise NotImplementedError

    def decoded_further(self) -> None:
        """Conversations were decoded further: what is seen of them is to be drawn again."""
        raise NotImplementedError

    def state_changed(self, state: SessionState, *, live: bool) -> None:
        """The session stands otherwise. `live`: its ends take commands."""
        raise NotImplementedError

    def agent_ended(self) -> None:
        """Nobody writes the trace any more."""

    # --- the trace ---

    def begin(self) -> None:
        """Bring the trace."""
        self._show_title()
        self._open()

    @work(thread=True, group="open")
    def _open(self) -> None:
        """Start the agent where there is to be one, and open the trace."""
        from inspector.trace.trace import Trace, TraceError  # after the first picture

        session = self.session
        try:
            if session is not None:
                session.start()
            path = session.path if session is not None else cast(Path, self._path)
            trace = Trace.open(path, following=self.is_live)
        except (LabError, TraceError, OSError) as error:
            self.app.call_from_thread(self._failed, str(error))
            return
        self.app.call_from_thread(self._opened, trace)

    def _failed(self, sentence: str) -> None:
        if not self.is_leaving:
            self.app.notify(escaped(sentence), severity="error", timeout=30)
            turnstile_of(self).drop()      # what is typed already was for this screen
            self._ask_for_launcher()

    def _opened(self, trace: Trace) -> None:
        if self.is_leaving:
            trace.close()
            return
        self.trace = trace
        if self.session is not None and (problem := self.session.file.problem):
            self.app.notify(tr("{problem} This one is gone when you leave; ctrl+s saves it.",
                               problem=escaped(recognised(problem))), severity="warning", timeout=15)
        self.trace_opened(trace)
        wake = None if self.session is None else self.session.wake_fd
        self.behind = Behind(trace, self._decoded_further)
        self.behind.start()
        self.feed = TraceFeed(trace, self._announce_growth, self._failed, self._agent_ended, wake)
        self.feed.start()
        self.refresh_bindings()

    def _look_for_plain(self, trace: Trace) -> None:
        """Find out which conversations need not be decoded, where it is known of them all at once."""
        look = trace.known.plain_apart()

        def work() -> None:
            assert look is not None
            self.app.call_from_thread(look())

        if look is not None:
            self.run_worker(work, thread=True, group="plain")

    def _decoded_further(self) -> None:
        self._show_title()
        self.decoded_further()

    def _announce_growth(self) -> None:
        self.post_message(TraceGrew())

    @on(TraceGrew)
    def _trace_grew(self) -> None:
        trace = self.trace
        if trace is None or self.feed is None:
            return
        if len(trace.events) != self._events_seen:
            self._events_seen = len(trace.events)
            self._new_state(session_state(trace.events))
        loading = not self.is_live and self.feed.loading
        if not loading and not self._was_read:
            self.post_message(FirstPictureDone())
            if not self.is_live:
                self._look_for_plain(trace)
        first, self._was_read = not self.is_live and not self._was_read, not loading
        self._to_draw = self.trace_grew(trace, first_reading=first)
        self._report_truncation("" if loading or self.is_live else trace.truncated or "")
        if trace.fates.waiting:
            self.take_back(NONE_HELD)
        self._show_title()
        self._draw_next()

    def _report_truncation(self, sentence: str) -> None:
        """Say once what is missing at the end; when more came, take the sentence away and say the next."""
        app = self.app
        if self._truncation_reported and sentence != self._truncation_reported:
            self.take_back(escaped(self._truncation_reported))
        if sentence and sentence != self._truncation_reported:
            app.notify(sentence, severity="warning", timeout=15)
        self._truncation_reported = sentence

    def _draw_next(self) -> None:
        """Draw the panes, as many as a turn has time for, so that keys are heard in between; then more may
        be read.

        What is drawn in one turn is painted at once. The next turn comes by a timer: it does whatever lies
        over this screen, whether or not there is anything to paint.
        """
        until = time.thread_time() + WORK_SECONDS      # of ours: a busy machine makes it no more work
        while self._to_draw and not self.is_leaving:
            self._to_draw.pop(0)()
            if self._to_draw and time.thread_time() > until:
                self.set_timer(REST_SECONDS, self._draw_next)
                return
        if self.feed is not None and not self.is_leaving:
            self.feed.taken()

    def _agent_ended(self) -> None:
        if self.is_leaving:
            return
        if self.session is not None and self.session.alive:     # its pipe is closed, it ends this moment
            self.set_timer(0.05, self._agent_ended)
        elif self.session is not None:
            failure = self.session.failure
            if failure:
                self.app.notify(escaped(failure), severity="error", timeout=30)
            self._show_title()
            self.agent_ended()

    def _new_state(self, state: SessionState) -> None:
        reached = state.limit if state.limit != self.state.limit else ""
        held = self.is_held
        self.ends_changed(state)
        if held != self.is_held:
            self.refresh_bindings()
        if not self.is_live:
            return
        if reached:
            self.app.notify(escaped(reached), timeout=30)
        for text in state.failures[self._failures_shown :]:
            self.app.notify(escaped(text), severity="error", timeout=8)
        for text in state.notes[self._notes_shown :]:
            self.app.notify(escaped(text), timeout=8)
        self._failures_shown, self._notes_shown = len(state.failures), len(state.notes)
        spec = None if self.session is None else self.session.spec
        self.state_changed(state, live=spec is not None and not state.ended)
        if state.ended and self.wants_again and spec is not None:
            self.wants_again = False
            self.send(Start(spec))

    def blocked_ends(self) -> set[str]:
        calls = [] if self.trace is None else self.trace.calls
        return {call.role for call in calls if call.end_ns is None}

    def state_wanted(self, *, paused: bool) -> None:
        self.paused = paused
        self.refresh_bindings()            # a key's name says what it does now
        self._show_title()

    def _show_title(self) -> None:
        trace, session, state = self.trace, self.session, self.state
        packets = 0 if trace is None else trace.index.count
        dropped = 0 if trace is None else trace.statistics.dropped
        cut = 0 if trace is None else trace.cut
        loading = trace is not None and self.feed is not None and self.feed.loading
        # Of a file the share that was read is told meanwhile; what lives may flow faster than it is read.
        behind = 0 if trace is None or (loading and not self.is_live) else trace.behind
        doors = ", ".join(f"{outside.rpartition(':')[2]} → {inside.rpartition(':')[2]}"
                          for inside, outside in state.doors)
        if session is None and self._joined:
            life = "starting" if trace is None else "ended" if state.ended else "live"
            name = escaped(self.program, 14 if doors else 40)
            facts = TitleFacts(name, tr(state.mode), escaped(doors, 120), life, packets, dropped,
                               loss_word(trace), cut=cut, behind=behind)
        elif session is None:
            ended = state.program_status and trace is not None and trace.writer == "ended"
            life = "starting" if trace is None else "ended" if ended else _FILE_LIVES[trace.writer]
            progress = trace.progress if loading and trace is not None else 1.0
            path = self._path
            name = "" if path is None else tr("a stream") if is_nameless(path) else escaped(path.name, 40)
            counted = dropped if trace is None or trace.counts_drops else None
            facts = TitleFacts(name, "", "", life, packets, counted, loss_word(trace), progress,
                               cut=cut, behind=behind)
        else:
            spec = session.spec
            life = "starting" if trace is None else "paused" if self.is_held else "live"
            if trace is not None and self.has_ended:
                life = "ended"
            name = tr(kind_of(spec).title) if spec else tr("Watching")
            address = state.address or (join_endpoint(spec.address, spec.port) if spec else
                                        doors or session.watch.words)
            if life == "ended" and state.limit:
                address = f"{address}  {recognised(state.limit)}"
            facts = TitleFacts(name, tr(session.mode), escaped(address, 120), life, packets, dropped,
                               loss_word(trace, spec), cut=cut, behind=behind)
        self.query_one(TitleBar).show(facts)

    # --- keeping and ending ---

    @property
    def trace_path(self) -> Path | None:
        """The file of the trace; None where it has none that others could open."""
        session = self.session
        path = self._path if session is None else None if session.file.problem else session.file.path
        return None if path is None or is_nameless(path) or not path.is_file() else path

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in self.CONTROL_ACTIONS:
            spec = None if self.session is None else self.session.spec
            nobody = action == "compose" and parameters == ("server",) and spec is not None and spec.to
            return self.controllable() and not nobody
        return super().check_action(action, parameters)

    def key_name(self, binding: Binding) -> str:
        runs_on = binding.id == "session.pause" and self.is_held
        return marked("Run on") if runs_on else super().key_name(binding)

    @property
    def would_lose(self) -> str:
        """Why what was captured is gone when one leaves, a sentence; "" where it is kept, or was saved."""
        session, trace = self.session, self.trace
        if trace is None or not trace.index.count:
            return ""
        if session is not None and session.file.problem and self._saved_count != trace.index.count:
            return tr("{problem} This trace is gone when you leave.",
                      problem=recognised(session.file.problem))
        if self._has_news(trace) and not self._is_ours():
            return tr("What you marked and commented is not in {name}: it is gone when you leave.",
                      name=trace.name)
        return ""

    def _has_news(self, trace: Trace) -> bool:
        """Whether there are comments that were not saved."""
        return trace.comments.version != self._saved_comments and bool(trace.comments.changed)

    def _is_ours(self) -> bool:
        """Whether the trace's file was made here, and comments go into it without being asked."""
        if self.session is not None:
            return not self.session.file.problem
        return self._path is not None and traces.is_kept(self._path)

    def leave(self, go: Callable[[], None]) -> None:
        """Go, at once where nothing is lost; else it is asked once whether the trace is to be saved."""
        lost = self.would_lose if may(self.app, "save") else ""
        if not lost or isinstance(self.app.screen, LeavingMenu):       # who asks again means it
            go()
            return

        def decided(answer: str | None) -> None:
            if answer == "leave":
                go()
            elif answer == "save":
                self.action_save()

        self.app.push_screen(LeavingMenu(escaped(lost), [
            MenuItem("s", "Save it", "under a name, first", "save"),
            MenuItem("y", "Leave", "it is lost", "leave"),
        ]), decided)

    def action_new(self) -> None:
        self.leave(self._ask_for_launcher)

    def _ask_for_launcher(self) -> None:
        self.post_message(LauncherAsked(self.session.chosen if self.session is not None else None))

    def action_save(self) -> None:
        if self.trace is None or (self.session is None and self.feed is not None and self.feed.loading):
            turnstile_of(self).drop()      # a name that was typed at once
            self.app.notify("The trace is still being read; it can be saved when all of it is here.")
        else:
            ask_what(self.app, self.trace, [whole(self.trace), *self.parts()], saved=self._saved)

    def parts(self) -> list[Part]:
        """What can be saved beside the whole."""
        return []

    def _saved(self, path: Path, part: Part) -> None:
        if part.suffix:
            self.app.notify(tr("{part} is saved as {path}: {about}.", part=part.name, path=escaped(str(path)),
                               about=part.about))
            return
        with contextlib.suppress(OSError):
            self._saved_size = path.stat().st_size
        if self.trace is not None:
            self._saved_count, self._saved_comments = self.trace.index.count, self.trace.comments.version
        self.app.notify(tr("The trace is saved as {path}.", path=escaped(str(path))))

    def _keep_comments(self, trace: Trace, kept: Path) -> None:
        """Write what was marked and commented into a trace that is ours."""
        why = ""
        try:
            if self.session is not None:
                trace.finish()
            if trace.truncated:
                why = trace.truncated                  # what stands behind it would be lost
            else:
                traces.rewrite(kept, whole_file(trace), commented=bool(trace.comments.rows))
        except OSError as error:
            why = recognised(f"{error.strerror or error}.")
        if why:
            self._farewell(tr("inspector: the comments are not in {path}: {why}", path=escaped(str(kept)),
                              why=escaped(why)))

    async def on_unmount(self) -> None:
        if self.feed is not None:
            self.feed.stop()
        if self.behind is not None:
            self.behind.stop()
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """End what was started; the trace stays on disk."""
        session, self.feed = self.session, None
        kept = self._path
        ours = self._is_ours()
        if session is not None:
            kept = session.close()
        if kept is not None and self.trace is not None and ours and self.trace.comments.changed:
            self._keep_comments(self.trace, kept)
        if session is not None:
            with contextlib.suppress(OSError):
                if kept is not None and self._saved_size != kept.stat().st_size:
                    self._farewell(tr("inspector: the trace of this session is kept as {path}",
                                      path=escaped(str(kept))))
        if self.trace is not None:
            with contextlib.suppress(OSError):
                self.trace.close()
