"""The app as a process on a terminal: it opens, stops and goes on, quits, and never outlives its terminal."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from inspector.tui.terminal.guard import ENDING_SIGNALS
from tests.support.captures.clocks import jumping
from tests.support.running.lab import needs_lab
from tests.support.screen.window import LEFT, inspector, terminal, wait_until
from tests.support.tiers import sweep, thorough

PAINTED = "WebSocket"
LEADERS = {"itself": (), "a shell": ("sh", "-c"), "nohup": ()}
TRACES = Path(__file__).parents[2] / "data" / "traces"


def led_by(leader: str, words: Sequence[str]) -> list[str]:
    """The program as the terminal's session runs it."""
    return [*LEADERS[leader], f"{shlex.join(words)}; true"] if LEADERS[leader] else list(words)


def test_q_quits_and_the_terminal_is_as_before(tmp_path: Path) -> None:
    with terminal(tmp_path, inspector()) as app:
        app.until_shown(PAINTED)
        app.write(b"q")
        # A terminal that grew meanwhile (tmux) would keep lines of ours that stand above the cursor.
        assert b"\x1b[H\x1b[999M" in app.read_until(LEFT).partition(LEFT)[0]
        assert app.ended() == 0


@sweep("number", ENDING_SIGNALS, lambda number: number == signal.SIGQUIT)
def test_a_signal_ends_the_app_and_the_terminal_is_as_before(tmp_path: Path, number: signal.Signals) -> None:
    with terminal(tmp_path, inspector()) as app:
        app.until_shown(PAINTED)
        os.kill(app.pid, number)
        app.read_until(LEFT)
        assert app.ended() == 128 + number


@sweep("leader", LEADERS, lambda leader: leader == "nohup")
def test_the_app_is_gone_with_its_terminal(tmp_path: Path, leader: str) -> None:
    ignored = [signal.SIGHUP] if leader == "nohup" else []
    with terminal(tmp_path, led_by(leader, inspector()), ignored=ignored) as app:
        app.until_shown(PAINTED)
        app.close()
        app.ended()
        wait_until(lambda: not app.family(), "the end of all")


@needs_lab
@sweep("leader", ["itself", "a shell"], lambda leader: leader == "a shell")
def test_a_session_ends_with_the_terminal_and_its_trace_is_kept(tmp_path: Path, leader: str) -> None:
    with terminal(tmp_path, led_by(leader, inspector())) as app:
        app.until_shown(PAINTED)
        app.write(b"t")
        app.until_shown("ESTABLISHED")
        app.close()
        app.ended()
        wait_until(lambda: not app.family(), "the end of all")
    kept, = (tmp_path / "inspector" / "traces").iterdir()
    assert kept.stat().st_size > 1000


@pytest.mark.parametrize("end", ["SIGTERM", "closed"])
def test_a_terminal_that_nobody_reads_holds_nothing_up(tmp_path: Path, end: str) -> None:
    with terminal(tmp_path, inspector("open", str(TRACES / "websocket.pcapng")), size=(200, 60)) as app:
        app.until_shown("Packets")
        for _ in range(40):
            app.write(b"z27")            # pictures that nobody takes
        if end == "closed":
            app.close()
        else:
            os.kill(app.pid, signal.SIGTERM)
        assert app.ended() != 0
        assert app.family() == []


@thorough
def test_a_picture_is_whole_after_a_pause_of_the_terminal(tmp_path: Path) -> None:
    with terminal(tmp_path, inspector("open", str(TRACES / "websocket.pcapng")), size=(120, 40)) as app:
        app.until_shown("Packets")
        for _ in range(8):
            app.write(b"z27")
        app.write(b"?")
        app.until_shown("Workbench")     # the help
        app.write(b"qq")
        app.read_until(LEFT)
        assert app.ended() == 0


@thorough
def test_a_storm_of_sizes_leaves_a_whole_picture(tmp_path: Path) -> None:
    """Of a capture whose clock jumps, while keys go through all panes."""
    capture = tmp_path / "jumps.pcapng"
    capture.write_bytes(jumping())
    with terminal(tmp_path, inspector("open", str(capture)), size=(120, 40)) as app:
        app.until_shown("Packets")
        for number in range(200):
            app.resize(1 + number * 37 % 220, 1 + number * 23 % 70)
            app.write(b"12345678jk"[number % 10 :][:1])
        app.resize(110, 34)
        app.until_shown("2Packets")
        app.write(b"1")
        app.until_shown("GET /chat")                     # in the ladder, whatever was chosen in the storm
        app.write(b"?")
        app.until_shown("Time runs down")                # the help, at its last size
        app.write(b"q")
        app.until_shown("Packets")
        app.write(b"q")
        app.read_until(LEFT)
        assert app.ended() == 0


def test_ctrl_z_stops_and_fg_goes_on(tmp_path: Path) -> None:
    with terminal(tmp_path, ["bash", "--norc", "-i"]) as app:
        app.write(f"{shlex.join(inspector())}\n".encode())
        app.until_shown(PAINTED)
        app.write(b"\x1a")
        app.read_until(LEFT)
        app.until_shown("Stopped")
        app.write(b"echo here' 'again\n")
        app.until_shown("here again")
        app.write(b"fg\n")
        app.until_shown(PAINTED)
        app.write(b"o")
        app.until_shown("Open which")
        app.write(b"\x1b")
        app.write(b"\x1a")
        app.until_shown("Stopped")
        app.write(b"kill %1; wait; echo ended' 'now\n")
        app.until_shown("ended now")
        wait_until(lambda: len(app.family()) == 1, "the shell alone")


@thorough
@sweep(("line", "stop"), [
    ("( {} )", "a key"), ("( {}; true )", "a key"), ("sh -c '{}; true'", "a key"), ("true | {}", "a key"),
    ("( {}; true )", "TSTP"), ("( {}; true )", "STOP"), ("( {}; true )", "a key, then bg"),
], lambda case: case in (("true | {}", "a key"), ("( {}; true )", "TSTP")))
def test_what_is_started_in_a_subshell_or_script_goes_on_as_well(
    tmp_path: Path, line: str, stop: str
) -> None:
    words = inspector("open", str(TRACES / "websocket.pcapng"))
    if "|" in line:
        words = inspector("open", "-")
        line = line.replace("true |", f"cat {TRACES / 'websocket.pcapng'} |", 1)
    with terminal(tmp_path, ["bash", "--norc", "-i"]) as app:
        started = line.format(shlex.join(words))
        app.write(f"cd {tmp_path}; stty -a > before; PS1='your turn '; {started}\n".encode())
        app.until_shown("Ladder", "Quit")
        for pane, shown in ((b"2", "Proto "), (b"5", "three-way")):
            if "key" in stop:
                app.write(b"\x1a")
            else:
                others = {os.getpgid(pid) for pid in app.family()} - {os.getpgid(app.pid)}
                os.killpg(others.pop(), signal.Signals[f"SIG{stop}"])
            if stop != "STOP":
                app.read_until(LEFT)
            if stop != "TSTP":                     # then the shell may have been faster, on the other screen
                app.until_shown("your turn")
            wait_until(lambda: os.tcgetpgrp(app.descriptor) == app.pid, "the shell in front")
            if "bg" in stop:
                app.write(b"bg; wait; echo waited' 'long\n")
                app.until_shown("waited long")
            app.write(b"clear; echo its' 'prompt\n")
            app.until_shown("its prompt")
            app.write(b"fg\n")
            app.until_shown("Ladder", "q Quit")
            app.write(pane)
            app.until_shown(shown)
        app.write(b"q")
        app.read_until(LEFT)
        app.until_shown("your turn")
        app.write(b"stty -a | diff - before && echo as' 'before; rm before\n")
        app.until_shown("as before")
        wait_until(lambda: len(app.family()) == 1, "the shell alone")


@thorough
@sweep("words", [(), ("open", str(TRACES / "websocket.pcapng"))], lambda words: not words)
def test_what_is_started_behind_has_its_keys_in_front(tmp_path: Path, words: tuple[str, ...]) -> None:
    with terminal(tmp_path, ["bash", "--norc", "-i"]) as app:
        stopped = "until jobs | grep -q Stopped; do sleep 0.1; done"
        app.write(b"PS1='your turn '\n")
        app.write(f"{shlex.join(inspector(*words))} & {stopped}; echo it' 'stopped\n".encode())
        app.until_shown("it stopped")
        app.write(f"bg; {stopped}; echo and' 'again\n".encode())       # it is behind still
        app.until_shown("and again")
        app.write(b"fg\n")
        app.until_shown("? Help")
        app.write(b"?")
        app.until_shown("esc Back")
        app.write(b"qq")
        app.read_until(LEFT)
        app.until_shown("your turn")
        wait_until(lambda: os.tcgetpgrp(app.descriptor) == app.pid, "the shell in front")
        wait_until(lambda: len(app.family()) == 1, "the shell alone")


def test_ctrl_z_where_no_shell_waits_only_says_so(tmp_path: Path) -> None:
    with terminal(tmp_path, inspector()) as app:
        app.until_shown(PAINTED)
        app.write(b"\x1a")
        app.until_shown("No shell")
        app.write(b"q")
        assert app.ended() == 0


def test_keys_in_one_write_are_for_the_prompt_that_the_first_opens(tmp_path: Path) -> None:
    with terminal(tmp_path, inspector("open", str(TRACES / "websocket.pcapng")), size=(140, 24)) as app:
        app.until_shown("Packets")
        app.write(b"/tcp.len > 0\r")
        app.until_shown("8 of 16")
