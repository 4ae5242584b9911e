"""Output that cannot be written, and locales that lack our signs: one sentence, a status, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inspector.wire import pcapng
from tests.support.tiers import sweep

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


SAYS = ["--help", "decode FILE --json packets", "nonsense", "decode / --json http"]


@sweep("words", SAYS, lambda words: words[0] == "d")
def test_nothing_is_said_where_nobody_hears(words: str, tmp_path: Path) -> None:
    heard = shell(words, tmp_path / "one.pcapng")
    assert shell(f"{words} 2>&-", tmp_path / "one.pcapng").returncode == heard.returncode
    assert shell(f"{words} 2> /dev/full", tmp_path / "one.pcapng").returncode == heard.returncode


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
