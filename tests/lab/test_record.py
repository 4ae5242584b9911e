"""Recording without the app: a program in the lab with the user's terminal, the host's loopback, dumpcap."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from inspector.capture.choice import FilterError
from inspector.lab import namespace
from inspector.lab.host import may_capture
from inspector.lab.record import RecordOptions, record
from tests.support.lab import needs_lab, processes_in, read_trace, wait_until

RECORDER = """
import json, sys
from pathlib import Path
from inspector.lab.errors import LabError
from inspector.lab.record import RecordOptions, record
options = json.loads(sys.argv[1])
options["output"] = Path(options["output"])
for key in ("command", "ports"):
    options[key] = tuple(options.get(key, ()))
try:
    outcome = record(RecordOptions(**options), lambda sentence: print(sentence, flush=True))
except LabError as error:
    print(error.sentence, error.mend, sep="|", file=sys.stderr)
    sys.exit(3)
print(outcome.sentence, file=sys.stderr)
sys.exit(outcome.status)
"""
TALK = """
import socket
receiver, sender = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
receiver.bind(("127.0.0.1", 7000))
for _ in range(100):
    sender.sendto(bytes(100), ("127.0.0.1", 7000))
"""


def recorder(path, **options):
    return [sys.executable, "-c", RECORDER, json.dumps({"output": str(path), **options})]


def python(code):
    return [sys.executable, "-c", textwrap.dedent(code)]


@needs_lab
def test_a_program_has_our_standard_streams_and_its_status_is_ours(tmp_path):
    code = TALK + "import sys; print(sys.stdin.read().upper()); print('words', file=sys.stderr); sys.exit(7)"
    command = recorder(tmp_path / "t.pcapng", command=python(code))
    done = subprocess.run(command, input="abc", capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (7, "ABC\n")
    said, summary = done.stderr.splitlines()
    assert said == "words"
    assert summary.startswith("100 packets, 0 dropped, ")
    reading = read_trace(tmp_path / "t.pcapng")
    assert (len(reading.frames), reading.statistics.received, reading.rest) == (100, 100, 0)


@needs_lab
@pytest.mark.parametrize(
    ("command", "status", "sentence"),
    [
        (["sh", "-c", "kill -TERM $$"], 143, "0 packets, 0 dropped"),
        (["/does/not/exist"], 127, "/does/not/exist could not be started: No such file or directory."),
        (["/etc/passwd"], 126, "/etc/passwd could not be started: Permission denied."),
    ],
)
def test_statuses_as_a_shell_gives_them(tmp_path, command, status, sentence):
    outcome = record(RecordOptions(tmp_path / "t.pcapng", tuple(command)))
    assert outcome.status == status
    assert outcome.sentence.startswith(sentence)


@needs_lab
def test_what_a_program_leaves_behind_is_ended(tmp_path):
    code = "import subprocess; print(subprocess.Popen(['setsid', 'sleep', '1000']).pid)"
    command = recorder(tmp_path / "t.pcapng", command=python(code))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert not Path(f"/proc/{done.stdout.strip()}").exists()


@needs_lab
@pytest.mark.parametrize("limit", [{"max_size": 5000}, {"seconds": 0.2}])
def test_a_limit_ends_the_capture_but_not_the_program(tmp_path, limit):
    code = TALK + "import time; time.sleep(0.6)" + TALK.replace("7000", "7001") + "raise SystemExit(5)"
    outcome = record(RecordOptions(tmp_path / "t.pcapng", tuple(python(code)), **limit))
    assert outcome.status == 5
    assert outcome.sentence.startswith("The capture ended")
    assert outcome.packets <= 100
    assert read_trace(tmp_path / "t.pcapng").rest == 0


def in_terminal(command):
    """Start a command as the foreground process group of a new terminal."""
    keyboard, terminal = pty.openpty()

    def take_terminal():
        os.setsid()
        os.close(os.open(os.ttyname(terminal), os.O_RDWR))

    process = subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, preexec_fn=take_terminal
    )
    os.close(terminal)
    return process, keyboard


def screen_until(keyboard, text):
    seen = ""
    while text not in seen:
        seen += os.read(keyboard, 4096).decode()
    return seen


@needs_lab
def test_ctrl_c_in_the_terminal_is_the_programs(tmp_path):
    code = """
    import signal, sys, time
    def told(*_):
        print("told", open("/dev/tty").isatty(), flush=True)
        sys.exit(9)
    signal.signal(signal.SIGINT, told)
    print("asks", input("? "), flush=True)
    time.sleep(60)
    """
    process, keyboard = in_terminal(recorder(tmp_path / "t.pcapng", command=python(code)))
    screen_until(keyboard, "? ")
    os.write(keyboard, b"typed\n")
    screen_until(keyboard, "asks typed")
    os.write(keyboard, b"\x03")
    assert "told True" in screen_until(keyboard, " dropped")
    assert process.wait(20) == 9
    os.close(keyboard)
    assert read_trace(tmp_path / "t.pcapng").event("program-ended") is not None


@needs_lab
def test_a_recorder_that_is_killed_leaves_nothing(tmp_path):
    path = tmp_path / "t.pcapng"
    command = python(TALK + "import os, time; print(os.getpid(), flush=True); time.sleep(999)")
    process = subprocess.Popen(recorder(path, command=command), stdout=subprocess.PIPE, text=True)
    program = int(process.stdout.readline())
    network = namespace.identity(program)
    wait_until(lambda: len(read_trace(path).frames) == 100)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    wait_until(lambda: not processes_in(network))
    assert len(read_trace(path).frames) == 100


@pytest.mark.skipif(not may_capture(), reason="needs root or CAP_NET_RAW")
@pytest.mark.parametrize("end", ["ctrl+c", "seconds", "size"])
def test_the_hosts_loopback(tmp_path, end):
    path = tmp_path / "t.pcapng"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        address = receiver.getsockname()
        limits = {"ctrl+c": {}, "seconds": {"seconds": 1.0}, "size": {"max_size": 10_000}}[end]
        command = recorder(path, ports=[address[1]], **limits)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert f"port {address[1]}" in process.stdout.readline()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(100):
                sender.sendto(bytes(100), address)
        if end == "ctrl+c":
            process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=60)
    assert process.returncode == 0, words
    reading = read_trace(path)
    assert reading.rest == 0
    assert {frame[36:38] for frame in reading.frames} == {address[1].to_bytes(2, "big")}
    assert len(reading.frames) == 100 or end == "size"
    assert (reading.event("limit-reached") is None) == (end == "ctrl+c")


@pytest.mark.parametrize("wrong", [{"ports": (0,)}, {"ports": (70000,)}])
def test_wrong_ports_are_refused_before_anything_starts(tmp_path, wrong):
    with pytest.raises(FilterError):
        record(RecordOptions(tmp_path / "t.pcapng", **wrong))
    with pytest.raises(FilterError):
        record(RecordOptions(tmp_path / "t.pcapng", ("true",), **wrong))
    assert not (tmp_path / "t.pcapng").exists()
