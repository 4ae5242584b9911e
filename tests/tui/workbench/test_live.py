"""Live sessions in the lab through the app: seen as they happen, steered from both ends, ended whole."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from inspector.lab.options import Watch
from inspector.model.commands import Command, Step
from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import LAUNCHED, resolved
from inspector.sessions.kinds.kind import Kind
from inspector.trace.trace import Trace
from inspector.tui.app import InspectorApp
from inspector.tui.files import traces
from inspector.tui.launcher.screen import LauncherScreen
from inspector.tui.panes.ladder import LadderPane
from inspector.tui.widgets.composer import Composer
from inspector.tui.widgets.key_line import KeyLine
from inspector.tui.widgets.line_list import LineList
from inspector.tui.widgets.prompt import MenuScreen
from inspector.tui.widgets.title_bar import TitleBar
from inspector.tui.workbench.session import LiveSession
from inspector.tui.workbench.workbench import WorkbenchScreen
from tests.support.captures.application import web
from tests.support.running.lab import needs_lab
from tests.support.screen.keys import burst
from tests.support.screen.live import (
    QuietApp,
    agent,
    bench,
    grid,
    ladder_text,
    launcher,
    life,
    running,
    session,
    toasts,
    trace,
    until,
    until_drawn,
    until_shown,
)
from tests.support.tiers import sweep, thorough

pytestmark = needs_lab


@sweep(("key", "words"), [
    ("t", ("SYN", "connect", "accept", "hello")),
    ("u", ("UDP", "recvfrom", "hello")),
    ("h", ("GET /", "200 OK")),
    ("w", ("101 Switching", "TEXT", "accept")),
], lambda case: case[0] == "u")
async def test_a_key_in_the_launcher_leads_to_the_live_picture(key: str, words: tuple[str, ...]) -> None:
    app = QuietApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(key)
        await running(pilot)
        await until_drawn(pilot, *words)
        facts = bench(pilot).query_one(TitleBar).facts
        assert facts.life == "live"
        assert facts.packets > 0
        assert facts.place in ("lab", "host")
        assert facts.dropped == 0


def started(pilot: Pilot[Any]) -> SessionSpec | None:
    """The session as the agent was asked for it, once it stands in the trace."""
    screen = pilot.app.screen
    return screen.state.spec if isinstance(screen, WorkbenchScreen) else None


async def start_and_leave(pilot: Pilot[Any], kind: Kind) -> None:
    """From the launcher and back to it."""
    usual = resolved(SessionSpec(kind=kind.name, interactive=True))
    await pilot.press(kind.key)
    await until(pilot, lambda: started(pilot) == usual, f"a session as the launcher describes {kind.title}")
    assert not toasts(pilot)
    await pilot.press("n")
    await launcher(pilot)


@thorough
async def test_one_kind_after_the_other_each_on_its_own_port_with_its_own_messages() -> None:
    app = QuietApp()
    async with app.run_test(size=(120, 40)) as pilot:
        for kind in (*LAUNCHED, LAUNCHED[0]):
            await start_and_leave(pilot, kind)


class AskedApp(QuietApp):
    """Notes which session is asked for, and is back in the launcher as if one had left it."""

    def _open_workbench(self, spec: SessionSpec | None, path: Path | None = None,
                        watch: Watch | None = None) -> None:
        assert spec is not None
        self.asked = resolved(spec)
        self._show(LauncherScreen(spec))


def _has_gone(screen: LauncherScreen) -> bool:
    return not screen.is_attached


@thorough
async def test_each_kind_after_each_other_is_asked_for_as_if_it_were_the_first() -> None:
    app = AskedApp()
    async with app.run_test(size=(120, 40)) as pilot:
        for kind in each_after_each(LAUNCHED):
            before = await launcher(pilot)
            burst(app, kind.key)
            await until(pilot, partial(_has_gone, before), "the launcher anew")
            assert app.asked == resolved(SessionSpec(kind=kind.name, interactive=True))


def each_after_each(kinds: Sequence[Kind]) -> list[Kind]:
    """A walk in which each of `kinds` comes once directly after each other one."""
    first, *others = kinds
    walk = [first]
    for number, kind in enumerate(others):
        for other in others[number + 1 :]:
            walk += [kind, other]
        walk += [kind, first]
    return walk


@thorough
async def test_both_ends_speak_when_they_are_told_to() -> None:
    async with session("tcp", size=(80, 24), messages=()) as pilot:
        await running(pilot, 3)
        await until(pilot, lambda: bench(pilot).query_one(LadderPane).has_class("-live"), "a live ladder")
        await pilot.press("c", *"from the client", "enter")
        await until_drawn(pilot, "from the client")
        await pilot.press("escape", "v", "ctrl+t", *"6869", "enter")
        await until_drawn(pilot, '"hi"')
        await pilot.press(*"not hex", "enter")
        await until_shown(pilot, "hex")
        await pilot.press("up", "up")
        assert bench(pilot).query_one("#composer-server", Composer).input.value == "6869"


@thorough
async def test_websocket_ends_send_frames_of_each_kind() -> None:
    async with session("websocket", messages=()) as pilot:
        await until_drawn(pilot, "101 Switching")
        await pilot.press("c", "ctrl+t", *"00ff10", "enter")
        await until_drawn(pilot, "BINARY")
        await pilot.press("ctrl+t", *"there", "enter")
        await until_drawn(pilot, "PING", "PONG")
        await pilot.press("ctrl+t", *"in pieces", "enter")
        await until(pilot, lambda: continuations(trace(pilot)) >= 2, "a message of three frames")


def continuations(trace: Trace) -> int:
    """How many frames go on with a message that another began."""
    return sum(frame.opcode == 0 for frame in web(trace, 0).frames)


async def test_a_step_in_which_nothing_can_move_says_why() -> None:
    async with session("tcp", messages=()) as pilot:
        await until_drawn(pilot, "recv() …", "accept() …")
        await pilot.press("s")
        await until_shown(pilot, "the client waits in recv(), the server waits in accept() and recv(). "
                                 "c or v says something; x closes.")
        assert life(pilot) == "paused"


def has_toast(pilot: Pilot[Any], word: str) -> bool:
    return any(word in note.message for note in pilot.app._notifications)


@sweep(("kind", "anew"), [
    ("tcp", "x n: connect anew."), ("websocket", "x n: connect anew."),
    ("udp", "v says something; x closes; x n: client, open anew."),
], lambda case: case[0] == "udp")
async def test_a_step_waits_for_no_end_that_has_no_more_call_to_make(
    kind: str, anew: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.tui.workbench.control.BUSY_SECONDS", 1e9)
    async with session(kind, messages=()) as pilot:
        screen = bench(pilot)
        await until(pilot, lambda: screen.state.running == {"client", "server"} == screen.blocked_ends(),
                    "ends that wait in their calls")
        await pilot.press("s")
        await until_shown(pilot, "Nothing to step: the client waits in recv()")
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, MenuScreen), "the menu")
        await pilot.press("c")
        while not has_toast(pilot, "the client is closed"):
            await pilot.press("s")
            await until(pilot, lambda: not screen.steps.are_open(screen.state), "what comes of a step")
        await until_shown(pilot, anew)


async def test_the_keys_of_a_session_are_in_sight_at_80_columns() -> None:
    async with session("tcp", (80, 24)) as pilot:
        await until_drawn(pilot, "hello")
        line = bench(pilot).query_one(KeyLine)
        shown = {key.name for key in line.keys(80)}
        assert {"Pause", "Step", "Client says", "Server says", "Close…", "Help", "Quit"} <= shown


async def test_a_draft_outlives_a_look_at_what_was_sent_before() -> None:
    async with session("tcp", messages=(), behaviour="silent") as pilot:
        await until_drawn(pilot, "recv() …")
        line = bench(pilot).query_one("#composer-client", Composer).input
        await pilot.press("c", "a", "enter", "b", "down")
        assert line.value == "b"
        await pilot.press("up")
        assert line.value == "a"
        await pilot.press("down")
        assert line.value == "b"


@sweep("size", [(80, 24), (200, 50)], lambda size: size == (80, 24))
async def test_what_an_item_of_a_menu_is_about_stands_in_its_column(size: tuple[int, int]) -> None:
    async with session("http", size) as pilot:
        await until_drawn(pilot, "GET /")
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, MenuScreen), "the menu")
        await until(pilot, lambda: "Connect anew" in grid(pilot.app.screen), "its items")
        lines = grid(pilot.app.screen).splitlines()
        at = next(line for line in lines if "Connect anew" in line).index("when it has closed")
        below = lines[next(n for n, line in enumerate(lines) if "Connect anew" in line) + 1]
        assert below[at - 2 : at].strip() == "" and below[at] != " "         # it goes on in its own column


async def test_the_first_picture_of_a_session_in_single_step_says_which_key_goes_on() -> None:
    async with session("tcp", (80, 24), paused=True) as pilot:
        screen = bench(pilot)
        line = screen.query_one(KeyLine)
        await until(pilot, lambda: "wait for you: s lets each make" in grid(screen), "the key's name")
        assert "Run on" in {key.name for key in line.keys(80)}
        await pilot.press("6")
        await until(pilot, lambda: "s lets each make" in grid(screen), "the same in another pane")
        assert "were kept" not in grid(screen)
        await pilot.press("space", "1")
        await until(pilot, lambda: "Pause" in {key.name for key in line.keys(80)}, "the key's other name")
        await until_drawn(pilot, "hello")


async def test_sockets_of_a_session_that_begins_are_not_called_lost() -> None:
    async with session("tcp", (80, 24), wire="held") as pilot:
        screen = bench(pilot)
        await pilot.press("6")
        assert "were kept" not in grid(screen)
        await until(pilot, lambda: "LISTEN" in grid(screen), "the server's socket")


async def test_step_by_step_each_end_says_what_it_waits_for() -> None:
    async with session("tcp", paused=True) as pilot:
        await until(pilot, lambda: bench(pilot).state.waiting, "an end that waits")
        assert life(pilot) == "paused"
        assert trace(pilot).index.count == 0
        composer = bench(pilot).query_one("#composer-server", Composer)
        await until(pilot, lambda: composer.has_class("-waiting"), "the composer's word of it")
        calls = len(trace(pilot).calls)
        await pilot.press("s")
        await until(pilot, lambda: len(trace(pilot).calls) > calls, "one more call")
        await pilot.press("space")
        await until_drawn(pilot, "hello")
        assert life(pilot) == "live"
        await pilot.press("space", "c", *"more", "enter")
        await until(pilot, lambda: bench(pilot).state.waiting.get("client"), "a client that waits")


def let_go(screen: WorkbenchScreen) -> int:
    """How many calls the ends were let make, one by one."""
    return sum(screen.state.resumed.values())


def has_let_go(screen: WorkbenchScreen, more_than: int) -> bool:
    return let_go(screen) > more_than


def stands(screen: WorkbenchScreen) -> bool:
    """Whether each end waits before a call, or is inside one."""
    state = screen.state
    return not screen.steps.pending and state.running <= state.waiting.keys() | screen.blocked_ends()


async def steps_calmly(pilot: Pilot[Any], word: str) -> None:
    """Press `s`, each when what the one before let go has shown itself, until the ladder has `word`."""
    screen = bench(pilot)
    await until(pilot, lambda: screen.state.waiting, "an end that waits")
    while word not in ladder_text(pilot):
        await until(pilot, lambda: stands(screen), "ends that stand")
        goes_on = partial(has_let_go, screen, let_go(screen))
        await pilot.press("s")
        await until(pilot, goes_on, "an end that is let go")
    assert not toasts(pilot)


@sweep(("kind", "words"), [
    ("tcp", ("SYN", "connect", "accept", "hello")),
    ("udp", ("recvfrom", "hello")),
], lambda case: case[0] == "tcp")
async def test_steps_that_are_taken_calmly_lead_through_it(kind: str, words: tuple[str, ...]) -> None:
    async with session(kind, paused=True) as pilot:
        await steps_calmly(pilot, "hello")
        await until_drawn(pilot, *words)


@sweep("kind", ["tcp", "websocket"], lambda kind: kind == "tcp")
async def test_each_step_of_a_burst_lets_each_waiting_end_make_one_call(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[set[str]] = []                     # the ends that waited when each one was made
    hand_over = LiveSession.send

    def noted(live: LiveSession, command: Command) -> bool:
        if isinstance(command, Step):
            steps.append(set(bench(pilot).state.waiting))
        return hand_over(live, command)

    monkeypatch.setattr(LiveSession, "send", noted)
    async with session(kind, paused=True) as pilot:
        screen = bench(pilot)
        await until(pilot, lambda: screen.state.waiting, "an end that waits")
        burst(pilot.app, "s" * 12)
        await until(pilot, lambda: len(steps) == 12, "the steps")
        asked = Counter(chain.from_iterable(steps))       # an end may come to wait before that is read: more
        await until(pilot, lambda: Counter(screen.state.resumed) >= asked, "their calls")
        assert all(steps)


@thorough
async def test_a_burst_of_steps_in_a_session_that_runs_holds_it_and_goes_on() -> None:
    async with session("udp", behaviour="push", push_count=9000, push_interval=0.02) as pilot:
        await running(pilot, 4)
        burst(pilot.app, "s" * 4)
        await until(pilot, lambda: let_go(bench(pilot)) >= 3, "a call for each step but the one that holds")


@sweep(("key", "words"), [
    ("c", ("FIN",)), ("v", ("FIN",)), ("h", ("shutdown", "FIN")), ("a", ("RST",)),
], lambda case: case[0] == "h")
async def test_the_session_ends_in_the_way_that_is_chosen(key: str, words: tuple[str, ...]) -> None:
    async with session("tcp") as pilot:
        await until_drawn(pilot, "how are you")
        await pilot.press("x")
        assert isinstance(pilot.app.screen, MenuScreen)
        await pilot.press(key)
        await until_drawn(pilot, *words)


def starts(trace: Trace) -> int:
    return sum(event.kind == "session-started" for event in trace.events)


@thorough
async def test_again_starts_the_same_session_once_more() -> None:
    async with session("udp") as pilot:
        await running(pilot, 4)
        await pilot.press("R")
        await until(pilot, lambda: starts(trace(pilot)) == 2, "the second session")
        await running(pilot, 8)
        await until(pilot, lambda: life(pilot) == "live", "a title that says so")


@pytest.mark.quick
async def test_nobody_listens_is_seen_as_a_refusal() -> None:
    async with session("tcp", with_server=False) as pilot:
        await until_drawn(pilot, "ECONNREFUSED")
        assert "RST" in ladder_text(pilot)
        assert bench(pilot).query_one("#composer-server", Composer).has_class("-absent")


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


async def test_leaving_ends_all_and_keeps_the_trace() -> None:
    async with session("tcp") as pilot:
        await running(pilot, 6)
        pids = {call.pid for call in trace(pilot).calls}
        pids.add(agent(pilot).pid)
        app = pilot.app
        assert isinstance(app, InspectorApp)
        await pilot.press("n")
        await launcher(pilot)
        await until(pilot, lambda: all(_gone(pid) for pid in pids), "the end of all processes")
    kept = traces.kept()
    assert [trace.label for trace in kept] == ["tcp"]
    assert str(kept[0].path) in app.farewell
    with Trace.open(kept[0].path) as again:
        while again.refresh():
            pass
        assert again.index.count >= 6
        assert again.truncated is None


async def test_an_agent_that_is_killed_is_told_and_its_trace_stays() -> None:
    async with session("tcp") as pilot:
        await running(pilot, 6)
        os.kill(agent(pilot).pid, 9)
        await until(pilot, lambda: life(pilot) == "ended", "the word that it ended")
        app = pilot.app
        assert isinstance(app, QuietApp)
        await until(pilot, lambda: any(note.severity == "error" for note in app.toasts), "a toast")
        assert trace(pilot).index.count >= 6
        before = len(toasts(pilot))
        await pilot.press("c", "x", "enter")
        await until(pilot, lambda: any("ended" in toast for toast in toasts(pilot)[before:]), "a sentence")


@thorough
async def test_the_list_follows_a_session_until_one_looks_back() -> None:
    async with session("udp", size=(80, 24), behaviour="push", push_count=2000, push_interval=0.02) as pilot:
        await pilot.press("2")
        packets = bench(pilot).pane("packets").query_one(LineList)
        await until(pilot, lambda: packets.count > 25, "more than a screen of packets")
        assert packets.following
        await pilot.press("home")
        assert not packets.following
        before = packets.count
        await until(pilot, lambda: packets.count > before, "one more packet")
        assert packets.unseen > 0
        assert "new" in packets.render_line(packets.size.height - 1).text
        await pilot.press("G")
        assert packets.following


@thorough
async def test_a_session_is_read_on_whatever_lies_over_it_or_just_closed() -> None:
    async with session("udp", size=(80, 24), behaviour="push", push_count=9000, push_interval=0.05) as pilot:
        await running(pilot, 4)
        below, growing = bench(pilot), trace(pilot)

        async def grows() -> None:
            before = growing.index.count
            await until(pilot, lambda: growing.index.count > before + 2, "more packets")

        for key in ("question_mark", "x", "ctrl+s"):
            await pilot.press(key)
            await until(pilot, lambda: pilot.app.screen is not below, "a box over the workbench")
            await grows()
            await pilot.press("escape")
            await grows()
        await pilot.resize_terminal(40, 10)
        await until(pilot, lambda: pilot.app.screen is not below, "the words on a terminal that is too small")
        await grows()
        await pilot.resize_terminal(100, 30)
        await grows()


def test_a_session_that_is_closed_twice_closes_nobody_elses_file(tmp_path: Path) -> None:
    session = LiveSession(SessionSpec(kind="tcp"), kept=False)
    number = session.file.descriptor
    assert session.close() is None
    other = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.dup2(other, number)                             # the number is another file's now
        assert session.close() is None
        assert os.fstat(number).st_ino == os.fstat(other).st_ino
        os.close(number)
    finally:
        os.close(other)
