"""Output that cannot be written, and locales that lack our signs: one sentence, a status, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from rich.cells import cell_len

import inspector
from inspector.cli.output import PLAIN
from inspector.wire import pcapng
from tests.support.running.lab import needs_lab
from tests.support.tiers import sweep, thorough

ROOT = Path(inspector.__file__).parent
COMMANDS = {
    "help": "--help", "a command's help": "decode --help", "version": "--version", "doctor": "doctor",
    "decode": "decode FILE --json packets", "run": "run tcp",
}


def shell(line: str, file: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The command line in a shell, with its redirections; FILE is a capture of one packet."""
    packet = pcapng.enhanced_packet(bytes(60), 1_700_000_000_000_000_000)
    file.write_bytes(pcapng.section_header() + pcapng.interface_description(1) + packet)
    return subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m inspector {line.replace("FILE", str(file))}', sys.executable],
        capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False,
        env=os.environ | environment,
    )


@sweep("words", COMMANDS.values(), lambda words: words[:3] in ("--h", "dec"), ids=COMMANDS)
@pytest.mark.parametrize("where", ["> /dev/full", ">&-"])
def test_what_cannot_be_written_is_one_sentence(words: str, where: str, tmp_path: Path) -> None:
    done = shell(f"{words} {where}", tmp_path / "one.pcapng")
    assert done.returncode == 3
    assert done.stderr.decode().startswith("inspector: The output cannot be written: ")
    assert done.stderr.count(b"\n") == 1


PRINTING = ["--help", "decode FILE --json packets", "nonsense", "decode / --json http"]


@sweep("words", PRINTING, lambda words: words == PRINTING[1])
def test_nothing_is_said_where_nobody_hears(words: str, tmp_path: Path) -> None:
    heard = shell(words, tmp_path / "one.pcapng")
    assert shell(f"{words} 2>&-", tmp_path / "one.pcapng").returncode == heard.returncode
    assert shell(f"{words} 2> /dev/full", tmp_path / "one.pcapng").returncode == heard.returncode


@thorough
@sweep("encoding", ["latin-1", "ascii", "ascii:strict", "utf-8:strict"], lambda name: name == "ascii:strict")
def test_pictures_keep_their_columns_in_every_encoding(encoding: str, tmp_path: Path) -> None:
    done = shell("run tcp", tmp_path / "one.pcapng", PYTHONIOENCODING=encoding, COLUMNS="100")
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode(encoding.partition(":")[0])
    assert "\\u" not in text
    rows = [line for line in text.splitlines() if "SYN" in line]
    assert len(rows) == 2
    assert all(len(line) <= 100 for line in text.splitlines())
    assert all(line.count("│" if encoding.startswith("utf") else "|") == 2 for line in rows)


def test_every_sign_of_our_pictures_has_a_stand_in() -> None:
    sources = (path for room in ("views", "cli", "lessons/pages", "tui/panes")
               for path in sorted((ROOT / room).rglob("*.py")))
    signs = {sign for path in sources for sign in path.read_text(encoding="utf-8") if _is_sign(sign)}
    assert len(signs) > 40
    assert not {sign for sign in signs if len(sign.encode("ascii", PLAIN).decode()) != cell_len(sign)}


def _is_sign(character: str) -> bool:
    return ord(character) > 0x7f and unicodedata.category(character)[0] in "SP" and (
        cell_len(character) == 1)


@thorough
@sweep("columns", ["0", "9" * 20, "²"], lambda columns: columns == "²")
def test_any_word_for_the_width_is_taken(columns: str, tmp_path: Path) -> None:
    assert shell("run udp --no-server", tmp_path / "one.pcapng", COLUMNS=columns).returncode == 0


ASKING = ["", "open FILE", "lesson", "watch 8000", "via 8001:8000", "exec --join -- true"]


@sweep("words", ASKING, lambda words: words == "")
def test_a_closed_input_is_no_terminal(words: str, tmp_path: Path) -> None:
    closed, empty = (shell(f"{words} {how}", tmp_path / "one.pcapng") for how in ("<&-", "< /dev/null"))
    assert (closed.returncode, closed.stderr) == (empty.returncode, empty.stderr)


@thorough
@needs_lab
def test_a_program_runs_without_an_input_of_ours(tmp_path: Path) -> None:
    done = shell("exec -- sh -c 'cat; exit 7' <&-", tmp_path / "one.pcapng", XDG_STATE_HOME=str(tmp_path))
    assert (done.returncode, b"Traceback" in done.stderr) == (7, False)


def test_an_option_without_its_word_points_to_its_own_command(tmp_path: Path) -> None:
    errors = shell("exec --json", tmp_path / "one.pcapng").stderr
    assert b"'inspector exec --help' shows the way" in errors


def test_names_that_no_encoding_has_are_said(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff\x1b]0;title\x07"
    done = subprocess.run(
        [sys.executable, "-m", "inspector", "decode", name, "--json", "packets"], capture_output=True,
        timeout=60, check=False,
    )
    assert done.returncode == 4
    assert b"\x1b" not in done.stderr and b"Traceback" not in done.stderr
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("words", [
    "run tcp --message '你好'", "decode FILE --json packets --filter 'info contains \"你\"'"])
def test_what_is_typed_is_utf_8_in_every_locale(words: str, tmp_path: Path) -> None:
    done = shell(words, tmp_path / "one.pcapng", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 0, done.stderr
    assert b"4f60" in done.stdout or b"lets none" in done.stderr


@pytest.mark.parametrize("words", ["run tcp --message", "run http --message", "decode FILE --expect"])
def test_what_is_no_text_is_one_sentence(words: str, tmp_path: Path) -> None:
    done = shell(f"{words} \"$(printf 'GET /\\377')\"", tmp_path / "one.pcapng")
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
    assert b"is no text in UTF-8: GET /\\xff" in done.stderr
