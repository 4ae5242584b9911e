"""What signals do to `exec` and `record --lab`: what they do to `env`, whose place the program has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from inspector.lab.programs.relayed import RELAYED
from tests.support.running.commands import COMMAND, inspector
from tests.support.running.lab import needs_lab
from tests.support.running.processes import first_line
from tests.support.screen.window import terminal
from tests.support.tiers import sweep, thorough

PRINTS_SIGNALS = """
import signal, sys, time
def told(number, frame):
    print('got', number, flush=True)
    time.sleep(0.2)                             # for a second one that should not come
    sys.exit(40 + number)
for number in {numbers}:
    signal.signal(number, told)
print('runs', flush=True)
while True:
    time.sleep(60)
"""
STAYS = """
import signal, time
for number in {numbers}:
    signal.signal(number, lambda number, _: print('no', number, flush=True))
print('runs', flush=True)
while True:
    time.sleep(60)
"""
PRINTS_IGNORED = """
import signal
print([number for number in {numbers} if signal.getsignal(number) is signal.SIG_IGN])
"""
pytestmark = needs_lab
NUMBERS = [int(number) for number in RELAYED]


@contextmanager
def running(
    words: list[str], code: str, before: Callable[[], object] | None = None
) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*COMMAND, *words, "--", sys.executable, "-c", code.format(numbers=NUMBERS)], text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=before,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@sweep(("command", "number"), product(["exec --save", "exec --syscalls --save", "record --lab -o"], RELAYED),
       lambda case: case[0] == "exec --save" and case[1] == signal.SIGTERM)  # fmt: skip
def test_a_signal_to_us_alone_goes_on_to_the_program(
    command: str, number: signal.Signals, tmp_path: Path
) -> None:
    file = tmp_path / "t.pcapng"
    with running([*command.split(), str(file)], PRINTS_SIGNALS) as process:
        assert first_line(process) == "runs\n"
        process.send_signal(number)
        printed, errors = process.communicate(timeout=60)
    assert printed == f"got {int(number)}\n" and process.returncode == 40 + number
    assert errors.startswith(f"inspector: {number.name} went on to the program.\n") and str(file) in errors
    assert inspector("decode", str(file), "--json", "packets").returncode == 0


@thorough
def test_a_program_that_a_signal_ends_has_its_trace_kept(own_folders: Path) -> None:
    with running(["exec"], "print('runs', flush=True); import time; time.sleep(60)") as process:
        first_line(process)
        process.send_signal(signal.SIGUSR1)
        _, errors = process.communicate(timeout=60)
    (trace,) = (own_folders / "state" / "inspector" / "traces").glob("*")
    assert process.returncode == 128 + signal.SIGUSR1
    assert errors == f"inspector: SIGUSR1 went on to the program.\ninspector: The trace is kept as {trace}.\n"


@thorough
def test_a_program_that_does_not_want_to_end_is_ended_at_the_second_time(tmp_path: Path) -> None:
    with running(["exec", "--save", str(tmp_path / "t.pcapng")], STAYS) as process:
        first_line(process)
        process.send_signal(signal.SIGINT)
        assert first_line(process) == "no 2\n"               # and nobody is ended by that
        process.send_signal(signal.SIGTERM)
        assert first_line(process) == "no 15\n"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGKILL


@thorough
@sweep("ignored", [(), (signal.SIGHUP,), (signal.SIGINT, signal.SIGQUIT)], lambda ignored: len(ignored) == 2)
def test_a_program_ignores_what_it_was_told_to(ignored: tuple[signal.Signals, ...], tmp_path: Path) -> None:
    """SIGHUP by nohup, the others by a shell's `&`; SIGQUIT was ignored always."""
    def before() -> None:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)

    with running(["exec", "--save", str(tmp_path / "t.pcapng")], PRINTS_IGNORED, before) as process:
        printed, _ = process.communicate(timeout=60)
    assert printed == f"{[int(number) for number in ignored]}\n"


@sweep("number", [number for number in RELAYED if number is not signal.SIGHUP],
       lambda number: number is signal.SIGINT)  # fmt: skip
def test_a_signal_to_our_whole_group_reaches_the_program_once(number: signal.Signals, tmp_path: Path) -> None:
    words = ["exec", "--save", str(tmp_path / "t.pcapng")]
    with running(words, PRINTS_SIGNALS, before=os.setpgrp) as process:
        first_line(process)
        os.killpg(process.pid, number)
        printed, errors = process.communicate(timeout=60)
    assert printed == f"got {int(number)}\n" and process.returncode == 40 + number
    assert "went on" not in errors


@sweep("key", [b"\x03", b"\x1c"], lambda key: key == b"\x03")
def test_a_key_of_the_terminal_reaches_the_program_once(key: bytes, tmp_path: Path) -> None:
    words = ["exec", "--save", str(tmp_path / "t.pcapng"), "--", sys.executable, "-c"]
    with terminal(tmp_path, [*COMMAND, *words, PRINTS_SIGNALS.format(numbers=NUMBERS)]) as window:
        window.read_until(b"runs")
        window.write(key)
        seen = window.read_until(b"packets")
        number = signal.SIGINT if key == b"\x03" else signal.SIGQUIT
        assert seen.count(b"got") == 1 and b"went on" not in seen
        assert window.ended() == 40 + number


@thorough
def test_what_we_are_told_while_we_begin_reaches_the_program(tmp_path: Path) -> None:
    """Signals are held back from the first moment on; the program hears them as its first thing."""
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    code = f"import os; os.write({writer}, b'x')"              # never run: SIGTERM comes before
    with subprocess.Popen(
        [*COMMAND, "exec", "--save", str(tmp_path / "t.pcapng"), "--", sys.executable, "-c", code],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=[writer],
    ) as process:
        blocked = Path(f"/proc/{process.pid}/status")
        while not any(line.startswith("SigBlk") and int(line.split()[1], 16) for line in
                      blocked.read_text().splitlines()):
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    os.close(reader)
    os.close(writer)
    assert process.returncode == 128 + signal.SIGTERM and b"went on to the program" in errors
