"""Recording without the app: a program in the lab with the user's terminal, the host's loopback, dumpcap."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import textwrap
from dataclasses import asdict
from pathlib import Path

import pytest

from inspector.capture.choice import FilterError
from inspector.lab.capture.access import may_capture
from inspector.lab.network import namespace
from inspector.lab.options import Limits
from inspector.lab.record import RecordOptions, record
from tests.support.running.lab import needs_lab, read_trace, wait_for_frames, wait_until, wait_until_gone
from tests.support.running.processes import first_line
from tests.support.tiers import sweep

RECORDER = """
import json, sys
from pathlib import Path
from inspector.lab.programs.relayed import Heard
options = json.loads(sys.argv[1])
heard = Heard() if options.get("command") else None
from inspector.lab.errors import LabError
from inspector.lab.options import Limits
from inspector.lab.record import RecordOptions, record
options["output"] = Path(options["output"])
options["limits"] = Limits(**options["limits"])
for key in ("command", "ports"):
    options[key] = tuple(options.get(key, ()))
try:
    outcome = record(RecordOptions(**options), lambda sentence: print(sentence, flush=True), heard=heard)
except LabError as error:
    print(error.sentence, error.remedy, sep="|", file=sys.stderr)
    sys.exit(3)
print(outcome.sentence, file=sys.stderr)
sys.exit(outcome.status)
"""
PINGS = """
import socket
receiver, sender = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
receiver.bind(("127.0.0.1", 7000))
for _ in range(100):
    sender.sendto(bytes(100), ("127.0.0.1", 7000))
"""


def recorder(options: RecordOptions) -> list[str]:
    return [sys.executable, "-c", RECORDER, json.dumps(asdict(options), default=str)]


def python(code: str) -> tuple[str, ...]:
    return sys.executable, "-c", textwrap.dedent(code)


@needs_lab
def test_a_program_has_our_standard_streams_and_its_status_is_ours(tmp_path: Path) -> None:
    code = PINGS + "import sys; print(sys.stdin.read().upper()); print('words', file=sys.stderr); sys.exit(7)"
    command = recorder(RecordOptions(tmp_path / "t.pcapng", python(code)))
    done = subprocess.run(command, input="abc", capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (7, "ABC\n")
    sentence, summary = done.stderr.splitlines()
    assert sentence == "words"
    assert summary.startswith("100 packets, 0 dropped, ")
    reading = read_trace(tmp_path / "t.pcapng")
    assert (len(reading.frames), reading.received, reading.rest) == (100, 100, 0)


@needs_lab
@pytest.mark.parametrize(
    ("command", "status", "sentence"),
    [
        (("sh", "-c", "kill -TERM $$"), 143, "0 packets, 0 dropped"),
        (("/does/not/exist",), 127, "/does/not/exist could not be started: No such file or directory."),
        (("/etc/passwd",), 126, "/etc/passwd could not be started: Permission denied."),
    ],
)
def test_statuses_as_a_shell_gives_them(
    tmp_path: Path, command: tuple[str, ...], status: int, sentence: str
) -> None:
    outcome = record(RecordOptions(tmp_path / "t.pcapng", command))
    assert outcome.status == status
    assert outcome.sentence.startswith(sentence)


@needs_lab
def test_texts_that_are_programs(tmp_path: Path) -> None:
    plain, astray = tmp_path / "plain", tmp_path / "astray"
    plain.write_text("exit $1\n")
    astray.write_text("#!/does/not/exist\n")
    for path in (plain, astray):
        path.chmod(0o755)
    assert record(RecordOptions(tmp_path / "a.pcapng", (str(plain), "9"))).status == 9
    outcome = record(RecordOptions(tmp_path / "b.pcapng", (str(astray),)))
    assert outcome.status == 127 and "the interpreter that it names is not there." in outcome.sentence


@needs_lab
def test_what_a_program_leaves_behind_is_ended(tmp_path: Path) -> None:
    code = "import subprocess; print(subprocess.Popen(['setsid', 'sleep', '1000']).pid)"
    command = recorder(RecordOptions(tmp_path / "t.pcapng", python(code)))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert not Path(f"/proc/{done.stdout.strip()}").exists()


@needs_lab
@sweep(("max_size", "seconds"), [(5000, 0.0), (0, 0.2)], lambda case: case[0])
def test_a_limit_ends_the_capture_but_not_the_program(
    tmp_path: Path, max_size: int, seconds: float
) -> None:
    code = PINGS + "import time; time.sleep(0.6)" + PINGS.replace("7000", "7001") + "raise SystemExit(5)"
    options = RecordOptions(tmp_path / "t.pcapng", python(code),
                            limits=Limits(max_size=max_size, seconds=seconds))
    outcome = record(options)
    assert outcome.status == 5
    assert outcome.sentence.startswith("The capture ended")
    assert outcome.packets <= 100
    assert read_trace(tmp_path / "t.pcapng").rest == 0


def in_terminal(command: list[str]) -> tuple[subprocess.Popen[bytes], int]:
    """Start a command as the foreground process group of a new terminal."""
    keyboard, terminal = pty.openpty()

    def take_terminal() -> None:
        os.setsid()
        os.close(os.open(os.ttyname(terminal), os.O_RDWR))

    process = subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, preexec_fn=take_terminal
    )
    os.close(terminal)
    return process, keyboard


def screen_until(keyboard: int, text: str) -> str:
    seen = ""
    while text not in seen:
        seen += os.read(keyboard, 4096).decode()
    return seen


@needs_lab
def test_ctrl_c_in_the_terminal_is_the_programs(tmp_path: Path) -> None:
    code = """
    import signal, sys, time
    def told(*_):
        print("told", open("/dev/tty").isatty(), flush=True)
        sys.exit(9)
    signal.signal(signal.SIGINT, told)
    print("asks", input("? "), flush=True)
    time.sleep(60)
    """
    process, keyboard = in_terminal(recorder(RecordOptions(tmp_path / "t.pcapng", python(code))))
    screen_until(keyboard, "? ")
    os.write(keyboard, b"typed\n")
    screen_until(keyboard, "asks typed")
    os.write(keyboard, b"\x03")
    assert "told True" in screen_until(keyboard, " dropped")
    assert process.wait(20) == 9
    os.close(keyboard)
    assert read_trace(tmp_path / "t.pcapng").has("program-ended")


@needs_lab
def test_a_recorder_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    command = python(PINGS + "import os, time; print(os.getpid(), flush=True); time.sleep(999)")
    process = subprocess.Popen(recorder(RecordOptions(path, command)), stdout=subprocess.PIPE, text=True)
    program = int(first_line(process))
    network = namespace.identity(program)
    wait_for_frames(path, 100)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wait_until_gone(network)
    assert len(read_trace(path).frames) == 100


def enough(process: subprocess.Popen[str], path: Path, end: str) -> bool:
    """Whether there is no need to send more: 50 packets came, or the limit has ended it."""
    return process.poll() is not None or (end == "ctrl+c" and len(read_trace(path).frames) >= 50)


@pytest.mark.skipif(not may_capture(), reason="needs root or CAP_NET_RAW")
@sweep("end", ["ctrl+c", "seconds", "size", "packets"], lambda end: end == "ctrl+c")
def test_the_hosts_loopback(tmp_path: Path, end: str) -> None:
    path = tmp_path / "t.pcapng"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        address = receiver.getsockname()
        seconds, max_size = 3.0 if end == "seconds" else 0.0, 10_000 if end == "size" else 0
        options = RecordOptions(path, ports=(address[1],), limits=Limits(
            seconds=seconds, max_size=max_size, packets=70 if end == "packets" else 0))
        command = recorder(options)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert f"port {address[1]}" in first_line(process)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            wait_until(lambda: sender.sendto(bytes(100), address) and enough(process, path, end), end)
        if end == "ctrl+c":
            process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=60)
    assert process.returncode == 0, words
    reading = read_trace(path)
    assert reading.rest == 0
    assert {frame[36:38] for frame in reading.frames} == {address[1].to_bytes(2, "big")}
    assert reading.has("limit-reached") == (end != "ctrl+c")


@pytest.mark.parametrize("port", [0, 70000])
def test_wrong_ports_are_refused_before_anything_starts(tmp_path: Path, port: int) -> None:
    with pytest.raises(FilterError):
        record(RecordOptions(tmp_path / "t.pcapng", ports=(port,)))
    with pytest.raises(FilterError):
        record(RecordOptions(tmp_path / "t.pcapng", ("true",), ports=(port,)))
    assert not (tmp_path / "t.pcapng").exists()
