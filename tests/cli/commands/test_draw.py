"""`inspector draw`: what it writes, where, and the words when it cannot."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.captures.traces import TRACES
from tests.support.running.commands import inspector

TRACE = str(TRACES / "websocket.pcapng")


def draw(*words: str) -> subprocess.CompletedProcess[str]:
    return inspector("draw", *words)


@pytest.mark.parametrize("form", ["txt", "svg", "html", "mermaid"])
def test_a_ladder_in_every_form(form: str, tmp_path: Path) -> None:
    file = tmp_path / "picture"
    done = draw(TRACE, "--to", form, "-o", str(file))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    taken = os.umask(0)
    os.umask(taken)
    assert file.stat().st_mode & 0o777 == 0o666 & ~taken      # it is to be handed on; captures are 0600
    assert "how are you?" in file.read_text(encoding="utf-8")


def test_headers_of_the_packet_that_a_filter_finds() -> None:
    done = draw(TRACE, "--as", "header", "--filter", "websocket.opcode == 8")
    assert done.returncode == 0
    assert "close" in done.stdout
    assert done.stdout.index("Transmission Control Protocol") < done.stdout.index("WebSocket frame")


def test_two_captures_side_by_side() -> None:
    done = draw(TRACE, "--as", "compare", "--with", str(TRACES / "tcp.pcapng"), "--width", "120")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].split() == ["1", "WebSocket", "2", "TCP"]
    assert "websocket.pcapng" in done.stdout and "tcp.pcapng" in done.stdout


def test_conversations_of_one_capture_side_by_side() -> None:
    several = str(TRACES / "http-connections.pcapng")
    done = draw(several, "--as", "compare", "--filter", "tcp.stream in {0, 1}", "--to", "html")
    assert done.returncode == 0 and "round trips" in done.stdout
    alone = draw(several, "--as", "compare", "--filter", "tcp.stream == 0")
    assert (alone.returncode, alone.stdout) == (1, "")
    assert "one conversation to compare" in alone.stderr


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["--as", "header", "--to", "mermaid"], 2, "Mermaid draws ladders"),
        (["--as", "compare", "--to", "mermaid"], 2, "Mermaid draws ladders"),
        (["--with", TRACE], 2, "--with goes with --as compare."),
        (["--as", "compare", *["--with", TRACE] * 4], 2, "Four are compared at most"),
        (["--as", "compare"], 1, "There is one conversation to compare"),
        (["--as", "compare", "--with", TRACE, "--filter", "udp"], 1, "websocket.pcapng has no TCP or UDP"),
        (["--filter", "udp"], 1, "No packet passes this filter."),
        (["--filter", "no.such"], 2, "There is no field or protocol no.such."),
        (["-o", "/nonexistent/x"], 3, "/nonexistent/x cannot be written"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(words: list[str], status: int, sentence: str) -> None:
    done = draw(TRACE, *words)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith(f"inspector: {sentence}")
