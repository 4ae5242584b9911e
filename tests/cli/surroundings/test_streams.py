"""`inspector open` on what can be read once: pipes by name, process substitution, a stalled input."""

from __future__ import annotations

import gzip
import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.support.captures.traces import TRACES
from tests.support.running.lab import needs_lab
from tests.support.screen.terminal import Terminal
from tests.support.tiers import sweep, thorough

EXCHANGE = """
import socket
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.bind(("127.0.0.1", 5353))
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"hi", ("127.0.0.1", 5353)); a.recv(9)
"""
CAPTURE = TRACES / "tcp.pcapng"
PACKETS = "12 packets"


def test_a_pipe_by_name_is_read_once_and_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    data = CAPTURE.read_bytes()
    with Terminal(["open", str(tmp_path / "pipe")]) as app:
        with (tmp_path / "pipe").open("wb", buffering=0) as writer:
            writer.write(data[:10])
            app.until_shown("Waiting for the first bytes of")       # ten bytes are no verdict
            writer.write(data[10:])
            app.until_shown(PACKETS, "● followed")
        app.until_shown(PACKETS, "■ writer ended")
        app.press("q")
        assert app.end() == 0


@thorough
def test_standard_input_and_process_substitution(tmp_path: Path) -> None:
    inspector = f"{shlex.quote(sys.executable)} -m inspector"
    slow = f"(head -c 10 {CAPTURE}; sleep 1.5; tail -c +11 {CAPTURE})"
    packed = f"<(gzip -c {CAPTURE})"
    for line in (f"{slow} | {inspector} open -", f"{inspector} open <({slow})", f"{inspector} open {packed}"):
        with Terminal.of(["bash", "-c", line]) as app:
            app.until_shown(PACKETS, "■ writer ended")
            app.press("q")
            assert app.end() == 0


@pytest.mark.parametrize("packed", [False, True])
def test_the_title_tells_whether_somebody_writes_the_file(packed: bool, tmp_path: Path) -> None:
    file = tmp_path / "growing.pcapng"
    data = gzip.compress(CAPTURE.read_bytes()) if packed else CAPTURE.read_bytes()
    file.write_bytes(data)
    with Terminal(["open", str(file)], size=(120, 40)) as app:
        app.until_shown(PACKETS, "▤ file")
        with file.open("ab", buffering=0) as writer:
            app.until_shown(PACKETS, "● followed")
            writer.write(data)
            app.until_shown("24 packets", "● followed")
        app.until_shown("24 packets", "■ writer ended")
        app.press("q")
        assert app.end() == 0


@thorough
def test_what_is_no_capture_is_one_sentence(tmp_path: Path) -> None:
    inspector = f"{shlex.quote(sys.executable)} -m inspector"
    for line, sentence in (
        (f"echo something else entirely | {inspector} open -", b"standard input is neither a pcap nor"),
        (f"head -c 10 {CAPTURE} | {inspector} open -", b"standard input is too short to be a capture."),
        (f"{inspector} open <(true)", b"is empty."),
    ):
        with Terminal.of(["bash", "-c", line]) as app:
            assert app.end() == 4
            assert sentence in app.seen and app.seen.count(b"\n") == 1 and b"\x1b" not in app.seen


@needs_lab
def test_the_trace_of_a_program_that_ended_is_not_followed() -> None:
    with Terminal(["exec", "--", sys.executable, "-c", EXCHANGE], size=(120, 40)) as app:
        app.until_shown("1 packet ", "■ ended")
        app.press("7")
        app.until_shown("Findings")
        app.press("q")
        assert app.end() == 0


@sweep("key", ["q", "\x1b", "\x03"], lambda key: key == "q")
def test_a_pipe_that_nobody_writes_is_said_and_can_be_left(key: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    line = f"stty -a; {sys.executable} -m inspector open {tmp_path / 'pipe'}; echo left $?; stty -a"
    with Terminal.of(["bash", "-c", line]) as app:
        app.until_shown("nobody has written")
        app.press("x")                                               # a key of nobody's
        app.press(key)
        assert app.end() == 0
    before, after = re.findall(rb"-?icanon.*?-?echo ", app.seen, re.DOTALL)
    assert before == after and b"Traceback" not in app.seen
    assert (b"left 130" if key == "\x03" else b"left 0") in app.seen


@pytest.mark.parametrize("command", ["decode PIPE --json packets", "draw PIPE", "lesson quiz PIPE"])
def test_each_command_says_that_it_waits_for_a_writer(command: str, tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    with Terminal(command.replace("PIPE", str(pipe)).split()) as app:
        app.until_shown("Waiting for somebody who writes to", "ctrl+c ends it.")
        with pipe.open("wb") as writer:
            writer.write(CAPTURE.read_bytes())
        if "quiz" in command:
            app.until_shown("1")                                     # the first question
            app.press("\x04")
        app.end()
        assert b"Traceback" not in app.seen and len(app.seen) > 500
