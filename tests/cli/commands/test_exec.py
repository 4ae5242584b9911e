"""`inspector exec` and its like when something goes wrong: programs that cannot start, or sweep the disk."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import sys
from contextlib import closing
from itertools import product
from pathlib import Path

import pytest

from tests.support.running.commands import COMMAND, Running, inspector, run
from tests.support.running.lab import needs_lab, wait_until
from tests.support.screen.window import terminal
from tests.support.tiers import sweep

PINGS = """
import socket
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.bind(('127.0.0.1', 5353))
b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); b.sendto(b'hi' * {size}, ('127.0.0.1', 5353)); a.recv(9)
print('talked', flush=True)
"""
LIMITED = """
import os, resource, sys
sys.dont_write_bytecode = True                   # a .pyc that is cut breaks every later start
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
from inspector.__main__ import main
main()
"""
pytestmark = needs_lab


def kept(own_folders: Path) -> list[Path]:
    return sorted((own_folders / "state" / "inspector" / "traces").glob("*"))


def packets(trace: Path) -> int:
    return len(inspector("decode", str(trace), "--json", "packets").stdout.splitlines())


@sweep("words", [("--json", "packets"), ("--save", "x.pcapng"), ()], lambda words: "--save" in words)
def test_a_program_that_cannot_start_is_one_sentence(
    words: tuple[str, ...], own_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = inspector("exec", *words, "--", "no-such-program")
    sentence = "inspector: no-such-program could not be started: No such file or directory.\n"
    assert (done.returncode, done.stdout, done.stderr) == (127, "", sentence)
    assert kept(own_folders) == [] and list(tmp_path.iterdir()) == []
    assert inspector("exec", *words, "--", str(tmp_path)).returncode == 126


def test_no_app_opens_for_a_program_that_cannot_start() -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [*COMMAND, "exec", "--", "no-such-program"])
    seen = b""
    try:
        while chunk := os.read(terminal, 65536):
            seen += chunk
    except OSError:                # its end
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 127
    assert b"could not be started" in seen and b"\x1b[?1049h" not in seen
    os.close(terminal)


def test_the_trace_is_kept_where_it_is_said(own_folders: Path) -> None:
    done = inspector("exec", "--", sys.executable, "-c", PINGS.format(size=1))
    (trace,) = kept(own_folders)
    assert done.stderr == f"inspector: The trace is kept as {trace}.\n"
    assert packets(trace) == 1
    assert "_exec-python" in trace.name


def test_a_program_may_sweep_the_folders_we_use(own_folders: Path, tmp_path: Path) -> None:
    swept = tmp_path / "tmp"
    swept.mkdir()
    saved = swept / "saved.pcapng"
    sweep = f"import shutil, sys; shutil.rmtree({str(swept)!r})"
    for words in (("--save", str(saved)), ("--json", "packets"), ()):
        swept.mkdir(exist_ok=True)
        program = f"{PINGS.format(size=1)}\n{sweep}; shutil.rmtree({str(own_folders)!r}, True); sys.exit(7)"
        done = inspector("exec", *words, "--", sys.executable, "-c", program, TMPDIR=str(swept))
        assert "Traceback" not in done.stderr
        if words == ("--save", str(saved)):
            sentence = f"inspector: {saved} cannot be written: No such file or directory.\n"
            assert done.returncode == 3 and done.stderr.endswith(sentence)
        elif words:
            assert done.returncode == 7 and json.loads(done.stdout)["udp.dstport"] == 5353


def test_a_trace_that_the_program_removed_is_written_anew(tmp_path: Path) -> None:
    saved = tmp_path / "saved.pcapng"
    program = f"{PINGS.format(size=1)}\nimport os, sys; os.unlink({str(saved)!r}); sys.exit(7)"
    done = inspector("exec", "--save", str(saved), "--", sys.executable, "-c", program)
    assert done.returncode == 7
    assert f"{saved} was removed meanwhile; it is written anew." in done.stderr
    assert packets(saved) == 1


@sweep("command", [("exec", "--save"), ("record", "--lab", "-o")], lambda words: words[0] == "exec")
def test_a_capture_that_broke_is_told_and_no_success(command: tuple[str, ...], tmp_path: Path) -> None:
    for status, expected in ((0, 3), (7, 7)):
        program = f"{PINGS.format(size=2000) * 3}\nimport sys, time; time.sleep(0.3); sys.exit({status})"
        file = tmp_path / f"{command[0]}-{status}.pcapng"
        words = [*command, str(file), "--", sys.executable, "-c", program.replace("5353", "0x1000")]
        done = run(*words, code=LIMITED.format(size=4096))
        assert done.returncode == expected, done.stderr
        assert done.stderr.count(b"File too large") == 1 and b"Traceback" not in done.stderr


def test_a_session_whose_trace_cannot_be_written_is_told_once_and_no_answer(tmp_path: Path) -> None:
    words = "run", "slow-reader", "--save", str(tmp_path / "full.pcapng")
    done = run(*words, code=LIMITED.format(size=100_000))
    assert done.returncode == 3 and done.stderr.count(b"File too large") == 1, done.stderr


def test_json_and_the_programs_output_never_mix(tmp_path: Path) -> None:
    program = (sys.executable, "-c", PINGS.format(size=1))
    done = inspector("exec", "--json", "packets", "--", *program)
    assert [json.loads(line)["udp.dstport"] for line in done.stdout.splitlines()] == [5353]
    assert done.stderr == "talked\n"
    output = tmp_path / "output"
    output.write_text("older and longer than what comes now")
    done = inspector("exec", "--json", "packets", "--output", str(output), "--overwrite", "--", *program)
    assert len(done.stdout.splitlines()) == 1 and done.stderr == ""
    assert output.read_text() == "talked\n"


@sweep("command", [("run", "tcp", "--save"), ("exec", "--save"), ("record", "--lab", "-o")],
       lambda words: words[0] == "record")
def test_a_file_with_contents_is_not_overwritten_unasked(command: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "there.pcapng"
    file.write_bytes(b"of great value")
    rest = () if command[0] == "run" else ("--", "true")
    done = inspector(*command, str(file), *rest)
    sentence = f"inspector: {file} exists already. --overwrite writes it anew.\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", sentence)
    assert file.read_bytes() == b"of great value"
    assert inspector(*command, str(file), "--overwrite", *rest).returncode == 0
    assert file.read_bytes().startswith(b"\n\r\r\n")
    file.write_bytes(b"")                                       # as mktemp leaves it
    assert inspector(*command, str(file), *rest).returncode == 0


@sweep(("command", "number"), product(
    ["exec", "exec --json packets", "run tcp", "record --lab -o FILE"],
    [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1],
), lambda case: case in (("exec", signal.SIGTERM), ("run tcp", signal.SIGQUIT)))
def test_a_signal_leaves_nothing_in_the_temporary_folder(
    command: str, number: signal.Signals, own_folders: Path, tmp_path: Path
) -> None:
    (folder := tmp_path / "tmp").mkdir()
    sign, file = tmp_path / "started", tmp_path / "recorded.pcapng"
    words = command.replace("FILE", str(file)).split()
    program = f"{PINGS.format(size=1)}\nopen({str(sign)!r}, 'w'); import time; time.sleep(60)"
    if words[0] == "run":
        words += [word for number in range(400) for word in ("--message", f"push {number}")]
        words += ["--behaviour", "push"]
    else:
        words += ["--", sys.executable, "-c", program]
    with closing(Running(words, environment=os.environ | {"TMPDIR": str(folder)})) as process:
        if words[0] == "run":
            process.stdout.readline()
        else:
            wait_until(sign.exists, "the program's start")
        process.send_signal(number)
        _, output = process.communicate()
        assert process.wait() == 128 + number
    text = output.decode()
    sentence = f"Ended by {number.name}." if words[0] == "run" else f"{number.name} went on to the program."
    assert f"inspector: {sentence}\n" in text and "Traceback" not in text
    assert list(folder.iterdir()) == []
    if command == "exec":
        (trace,) = kept(own_folders)
        assert f"inspector: The trace is kept as {trace}.\n" in text
        assert packets(trace) == 1
    elif words[0] == "record":
        assert packets(file) == 1


LISTENS = """
import socket
print('it listens', flush=True)
with socket.create_server(('127.0.0.1', 8555)) as listener:
    client = socket.create_connection(('127.0.0.1', 8555))
    client.sendall(b'a word')
    listener.accept()[0].recv(9)
    listener.accept()
"""


def test_the_app_looks_on_while_a_program_runs_and_ends_it(tmp_path: Path) -> None:
    program = [*COMMAND, "exec", "--join", "--", sys.executable, "-c", LISTENS]
    with terminal(tmp_path, program, size=(120, 40)) as app:
        app.until_shown("127.0.0.1:8555", "SYN")
        app.write(b"q")
        assert b"it listens" in app.read_until(b"it listens")
        assert app.ended() == 128 + signal.SIGTERM


def test_the_title_says_that_it_lives_and_where_a_port_was_published_that_was_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 8555)), terminal(
        tmp_path, [*COMMAND, "exec", "--join", "--publish", "8555", "--", sys.executable, "-c", LISTENS]
    ) as app:
        app.until_shown("lab", "● live", "→ 8555", "Port 8555 of the lab is 127.0.0.1:")
        assert "▤ file" not in app.painted.text
        door = re.search(r"(\d+) → 8555", app.painted.text)
        assert door is not None
        socket.create_connection(("127.0.0.1", int(door[1]))).close()
        app.until_shown("■ ended")                 # the program's last accept() has returned
        app.write(b"q")
        assert app.ended() == 0


def test_a_program_that_cannot_start_is_not_looked_on(tmp_path: Path) -> None:
    with terminal(tmp_path, [*COMMAND, "exec", "--join", "--", "no-such-program"]) as app:
        assert b"could not be started" in app.read_until(b"started")
        assert app.ended() == 127


def test_json_and_the_app_are_two_things() -> None:
    done = inspector("exec", "--join", "--json", "packets", "--", "true")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
