"""Names that are no friends of the terminal: not one byte of them reaches it, wherever they are spoken of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.captures.traces import TRACES
from tests.support.running.commands import run
from tests.support.running.lab import needs_lab
from tests.support.screen.terminal import Terminal
from tests.support.tiers import sweep

# What writes clipboard, title, other lines, all of the screen; C1, bidi overrides, markup; no Unicode.
HOSTILE = (
    "k\x1b]52;c;aGk=\x07\x1b]0;owned\x1b\\\nfake: line\r\x1b[2J.pcapng",
    "k\x9b2J\x9d0;t\x9c\u202efdp.\u2066x[@click=app.quit]x\udcff\udc9b.pcapng",
)
ARMED = (
    b"\x1b]52", b"\x1b]0;", b"\nfake", b"\x1b[2J.p", b"\xc2\x9b", b"\x9d0;", b"\xe2\x80\xae", b"\xe2\x81\xa6",
    b"\xff",
)


def assert_unarmed(seen: bytes) -> None:
    assert not [sign for sign in ARMED if sign in seen], seen[-600:]


@pytest.mark.parametrize("name", HOSTILE, ids=["escapes", "others"])
def test_sentences_of_the_commands(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"no capture")
    file = str(tmp_path / name)
    for words in (
        [name], ["open", file], ["open", file + "x"], ["decode", file, "--json", "packets"], ["run", name],
        ["decode", file, "--json", name], ["decode", "x", "--json", "packets", "--filter", f'"{name}'],
        ["run", "tcp", "--save", f"/no/such/{name}"], ["record", "-o", file, "--lab", "--", "true"],
        ["record", "-o", "x", "--max-size", name], ["exec", "--", name], [f"--{name}"],
    ):
        done = run(*words)
        assert done.returncode not in (0, 1) and done.stdout == b"", words
        assert done.stderr.startswith(b"inspector: ") and b"Traceback" not in done.stderr
        assert_unarmed(done.stderr)


@sweep("name", HOSTILE, lambda name: name == HOSTILE[0], ids=["escapes", "others"])
def test_prompts_suggestions_titles_and_toasts(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes((TRACES / "tcp.pcapng").read_bytes())
    (tmp_path / ("bad" + name)).write_bytes(b"no capture")
    with Terminal(["open", str(tmp_path / name)], size=(120, 40)) as app:
        app.until_shown("12 packets")                     # with the name in the title
        assert_unarmed(app.seen)
    with Terminal([], size=(120, 40)) as app:
        app.until_shown("Open a file")
        app.settle()
        for typed in (f"{tmp_path}/k", f"{tmp_path}/bad"):
            app.press("o")
            app.until_shown("Open which capture?")
            app.press(typed)                           # its suggestion is not the hostile name
            app.settle()
            app.press("\r")
            app.settle()
            app.press("\x1b")
            app.settle()
    assert b"Traceback" not in app.seen
    assert_unarmed(app.seen)


@needs_lab
@sweep("name", HOSTILE, lambda name: name == HOSTILE[0], ids=["escapes", "others"])
def test_a_hostile_program(name: str, tmp_path: Path) -> None:
    program = tmp_path / name
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o700)
    done = run("exec", "--", str(program), environment=os.environ | {"XDG_STATE_HOME": str(tmp_path)})
    assert done.returncode == 3, done.stderr
    assert_unarmed(done.stdout + done.stderr)
