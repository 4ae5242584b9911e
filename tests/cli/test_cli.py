"""The commands as a user meets them: processes, their output, their exit status."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from inspector.wire import pcapng
from tests.support.running.commands import COMMAND, inspector
from tests.support.running.lab import needs_lab, wait_until
from tests.support.tiers import sweep

KINDS = ("tcp", "udp", "http", "websocket")


def objects(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def sentence(process: subprocess.CompletedProcess[str]) -> str:
    """The one line that a failed command says; no traceback, nothing else."""
    lines = process.stderr.splitlines()
    assert len(lines) == 1, process.stderr
    assert lines[0].startswith("inspector: ")
    return lines[0].removeprefix("inspector: ")


def test_version_and_help_name_the_commands() -> None:
    assert inspector("--version").stdout.startswith("inspector, version ")
    text = inspector("--help").stdout
    for command in ("run", "exec", "watch", "open", "decode", "record", "doctor"):
        assert f"  {command} " in text
        assert inspector(command, "--help").stdout.startswith(f"Usage: python -m inspector {command}")


@needs_lab
@sweep("kind", KINDS, lambda kind: kind == "websocket")
def test_run_gives_packets_calls_and_events_as_json(kind: str) -> None:
    process = inspector("run", kind, "--json")
    assert process.returncode == 0, process.stderr
    values = objects(process.stdout)
    packets = [value for value in values if value["event"] == "packet"]
    calls = [value for value in values if value["event"] == "syscall"]
    assert [value["frame.number"] for value in packets] == list(range(1, len(packets) + 1))
    assert {call["role"] for call in calls} == {"server", "client"}
    assert "bind" in {call["call"] for call in calls if call["role"] == "server"}
    assert all(call["end_ns"] >= call["time_ns"] for call in calls)
    assert values[-1]["event"] == "session-ended"
    assert values[-1]["ok"] == "true"


@needs_lab
@sweep("kind", KINDS, lambda kind: kind == "http")
def test_run_saves_a_trace_that_decodes_to_the_same_packets(kind: str, tmp_path: Path) -> None:
    file = str(tmp_path / "session.pcapng")
    process = inspector("run", kind, "--save", file, "--json")
    seen = [value for value in objects(process.stdout) if value.pop("event") == "packet"]
    decoded = inspector("decode", file, "--json", "packets")
    assert decoded.returncode == 0
    keys = ("frame.number", "frame.time_epoch_ns", "frame.len", "ip.src", "ip.dst")
    assert [[value[key] for key in keys] for value in objects(decoded.stdout)] == [
        [value[key] for key in keys] for value in seen
    ]
    calls = objects(inspector("decode", file, "--json", "syscalls").stdout)
    assert [call["time_ns"] for call in calls] == sorted(call["time_ns"] for call in calls)


@pytest.mark.quick
@needs_lab
def test_run_prints_the_ladder() -> None:
    process = inspector("run", "tcp", COLUMNS="100")
    assert process.returncode == 0, process.stderr
    text = process.stdout
    assert "\x1b" not in text
    for part in ("SYN  seq 0", "SYN ACK", "connect(:9000)", "accept()", "══▶", "0 dropped"):
        assert part in text
    assert max(map(len, text.splitlines())) <= 100


@needs_lab
def test_run_drops_a_packet_and_shows_what_follows() -> None:
    process = inspector("run", "tcp", "--drop", "data:1", COLUMNS="100")
    assert "  0 missed" in process.stdout and "0 dropped" not in process.stdout     # the wire drops, not we
    assert process.returncode == 0
    lines = process.stdout.splitlines()
    lost = next(number for number, line in enumerate(lines) if "✗ dropped" in line)
    assert any("[Retransmission]" in line and "▶" in line for line in lines[lost:])


@needs_lab
def test_a_rule_of_the_wire_that_nothing_was_done_by_is_told() -> None:
    done = inspector("run", "tcp", "--drop", "data:99", "--double", "syn", "--swap", "client:rst")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "inspector: No packet was dropped by the rule drop:data:99: 4 such packets came.",
        "inspector: No packet was put behind the next one by the rule swap:client:rst: no such packet came.",
    ]
    objects = map(json.loads, inspector("run", "tcp", "--drop", "data:99", "--json").stdout.splitlines())
    assert [one["ok"] for one in objects if one["event"] == "session-ended"] == ["false"]


@needs_lab
def test_words_on_standard_input_say_what_becomes_of_each_packet() -> None:
    words = "pass pass drop pass\nnothing\nopen\n"
    process = inspector("run", "tcp", "--hold", "--json", input=words)
    assert process.returncode == 0, process.stderr
    objects = [json.loads(line) for line in process.stdout.splitlines()]
    fates = {int(one["packet"]): one["fate"] for one in objects if one["event"] == "wire" and "packet" in one}
    assert [fates[number] for number in (1, 2, 3, 4)] == ["passed", "passed", "dropped", "passed"]
    assert process.stderr == ("inspector: The wire knows no 'nothing': it knows pass, drop, double, delay, "
                              "swap, hold, open.\n")


@needs_lab
def test_what_becomes_of_each_held_packet_is_printed() -> None:
    process = inspector("run", "tcp", "--hold", input="pass\npass\ndrop\nopen\n", COLUMNS="100")
    assert process.returncode == 0, process.stderr
    names, states = process.stdout.splitlines()[:2]            # they stay above all that comes
    assert " TCP " in names and "packet" not in names and "wait" not in states
    last: dict[int, str] = {}
    for line in process.stdout.splitlines():
        if found := re.search("│ +([0-9]+) [^│]", line):
            last[int(found[1])] = line
    assert last[1] and not [line for line in last.values() if re.search("waits", line)]
    assert "✗ dropped" in last[3]


@needs_lab
def test_how_long_a_packet_was_on_its_way_is_printed_when_it_comes() -> None:
    process = inspector("run", "tcp", "--latency", "60", COLUMNS="100")
    assert process.returncode == 0, process.stderr
    for number in (1, 2):                  # it leaves, where it was seen before it came; and it comes
        *left, came = [line for line in process.stdout.splitlines() if re.search(f"│ +{number} ", line)]
        assert "[took " in came and "on its way" not in came
        assert all("on its way" in line for line in left)


@needs_lab
def test_run_shows_a_refusal_and_that_is_what_was_asked() -> None:
    process = inspector("run", "tcp", "--no-server")
    assert process.returncode == 0, process.stderr
    assert "ECONNREFUSED" in process.stdout
    assert "RST" in process.stdout


@needs_lab
def test_ctrl_c_ends_a_run_and_keeps_its_trace(tmp_path: Path) -> None:
    file = tmp_path / "session.pcapng"
    messages = [word for number in range(400) for word in ("--message", f"push {number}")]
    with subprocess.Popen(
        [*COMMAND, "run", "tcp", *messages, "--behaviour", "push", "--save", str(file), "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:
        assert process.stdout is not None
        while json.loads(process.stdout.readline())["event"] != "packet":
            pass
        os.killpg(process.pid, signal.SIGINT)
        _, words = process.communicate(timeout=60)
        assert process.returncode == 130
    assert words == f"inspector: What was captured is in {file}.\ninspector: Interrupted.\n"
    decoded = inspector("decode", str(file), "--json", "packets")
    assert decoded.returncode == 0
    assert decoded.stdout
    _assert_nothing_holds(file)


def _assert_nothing_holds(file: Path) -> None:
    """No process has the trace open any more."""
    def held() -> bool:
        for link in Path("/proc").glob("[0-9]*/fd/*"):
            with suppress(OSError):
                if link.readlink() == file:
                    return True
        return False
    wait_until(lambda: not held(), f"everybody to close {file}")


WRONG = [
    (("run", "tcp", "--port", "70000"), 2, "'70000' is no port"),
    (("run", "tcp", "--drop", "some"), 2, "'some' names no packets"),
    (("run", "tcp", "--mtu", "7"), 2, "The MTU is a number from 256"),
    (("run", "tcp", "--loss", "5", "--to", "127.0.0.1:80"), 2, "has a server of ours at its other end"),
    (("run", "browser", "--hold"), 2, "--hold means nothing to Browser"),
    (("run", "browser", "--drop", "1"), 2, "--drop means nothing to Browser"),
    (("run", "smoke-signals"), 2, "'smoke-signals' is not one of"),
    (("run", "tcp", "--message", "hex:zz"), 2, "'zz' is not hexadecimal."),
    (("run", "tcp", "--save", "/nonexistent/x.pcapng"), 3, "/nonexistent/x.pcapng cannot be written"),
    (("decode", "/nonexistent", "--json", "packets"), 4, "There is no file /nonexistent."),
    (("decode", "/", "--json", "packets"), 4, "is a directory"),
    (("decode", __file__, "--json", "packets"), 4, "neither a pcap nor a pcapng file"),
    (("decode", __file__), 2, "Say what to print"),
    (("record", "-o", "/nonexistent/x.pcapng", "--lab"), 2, "--lab records around a program"),
    (("record", "-o", "/nonexistent/x.pcapng", "--", "true"), 2, "say --lab before"),
    (("record", "-o", "/nonexistent/x.pcapng", "--max-size", "3x"), 2, "'3x' is no size"),
    (("record", "-o", "/nonexistent/x.pcapng", "--lab", "--", "true"), 3, "cannot be written"),
    (("open", "/nonexistent"), 4, "There is no file /nonexistent."),
    (("exec", "--publish", "99999", "--", "true"), 2, "--publish: '99999' is no port (1 to 65535)."),
    (("exec", "--reach", "x:0", "--", "true"), 2, "--reach: 'x:0': '0' is no port (1 to 65535)."),
    (("watch", "http"), 2, "'http' is no port (1 to 65535)."),
    (("watch", "--capture-filter", "tcp portt 80"), 2, "The filter 'tcp portt 80' "),
    (("watch", "80", "--capture-filter", "nonsense("), 2, "The filter "),
    (("record", "-o", "/nonexistent/x.pcapng", "--capture-filter", "tcp portt 80"), 2, "The filter 'tcp "),
    (("watch", "--max-size", "3x"), 2, "'3x' is no size"),
    (("watch", "--seconds", "0"), 2, "0 is not in the range"),
    (("frobnicate",), 2, "No such command 'frobnicate'"),
    ((), 3, "The app needs a terminal"),
]


def test_ctrl_c_before_the_command_has_begun_prints_no_traceback() -> None:
    interrupt = (
        "import os, runpy, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'click':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "sys.argv = ['inspector', '--help']\n"
        "runpy.run_module('inspector', run_name='__main__', alter_sys=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", interrupt], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


@pytest.mark.parametrize(
    ("words", "status", "text"), WRONG, ids=[" ".join(words) or "app" for words, *_ in WRONG]
)
def test_wrong_use_gets_one_sentence_and_a_status(words: tuple[str, ...], status: int, text: str) -> None:
    process = inspector(*words)
    assert process.returncode == status
    assert text in sentence(process)
    assert process.stdout == ""


PROGRAM = """
import socket, sys
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.bind(('127.0.0.1', 53))
b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); b.sendto(b'hi', ('127.0.0.1', 53))
print(a.recv(9)); sys.exit(7)
"""


@pytest.mark.quick
@needs_lab
def test_exec_shows_what_a_program_said_and_passes_its_exit_status_on() -> None:
    process = inspector("exec", "--", sys.executable, "-c", PROGRAM)
    assert process.returncode == 7
    assert process.stdout.startswith("b'hi'\n")
    assert 'UDP "hi"  len 2 ═' in process.stdout
    process = inspector("exec", "--json", "conversations", "--", sys.executable, "-c", PROGRAM)
    assert process.returncode == 7
    assert objects(process.stdout)[0]["b"] == "127.0.0.1:53"
    assert process.stderr == "b'hi'\n"                  # the program's own output is no JSON
    assert "Name the program" in sentence(inspector("exec"))


@needs_lab
def test_record_wraps_a_program_and_passes_its_exit_status_on(tmp_path: Path) -> None:
    file = tmp_path / "program.pcapng"
    process = inspector("record", "-o", str(file), "--lab", "--", sys.executable, "-c", PROGRAM)
    assert process.returncode == 7
    assert process.stdout == "b'hi'\n"
    assert "1 packet, 0 dropped" in sentence(process) or "1 packets, 0 dropped" in sentence(process)
    packets = objects(inspector("decode", str(file), "--json", "packets").stdout)
    assert [packet["udp.dstport"] for packet in packets] == [53]


def _capture(frames: int) -> bytes:
    blocks = [pcapng.section_header(), pcapng.interface_description(1)]
    blocks += [pcapng.enhanced_packet(bytes(60), 1_700_000_000_000_000_000 + n) for n in range(frames)]
    return b"".join(blocks)


def test_a_truncated_file_gives_all_up_to_the_cut_and_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "cut.pcapng"
    file.write_bytes(_capture(5)[:-7])
    process = inspector("decode", str(file), "--json", "packets")
    assert process.returncode == 4
    assert len(objects(process.stdout)) == 4
    assert "The file ends in the middle of packet 5" in sentence(process)


@pytest.mark.quick
def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "many.pcapng"
    file.write_bytes(_capture(5000))
    with subprocess.Popen(
        [*COMMAND, "decode", str(file), "--json", "packets"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 141
        assert process.stderr.read() == b""


@pytest.mark.quick
def test_a_filter_picks_packets_and_a_wrong_one_is_marked(tmp_path: Path) -> None:
    file = tmp_path / "some.pcapng"
    file.write_bytes(_capture(9))
    picked = inspector("decode", str(file), "--json", "packets", "--filter", "frame.number in {2, 4..5}")
    assert [value["frame.number"] for value in objects(picked.stdout)] == [2, 4, 5]
    wrong = inspector("decode", str(file), "--json", "packets", "--filter", "frame.number = = 2")
    assert wrong.returncode == 2
    assert "^" in wrong.stderr


def test_doctor_says_what_works() -> None:
    process = inspector("doctor", "--json")
    checks = {check["name"]: check for check in objects(process.stdout)}
    assert checks["python"]["state"] == "ok"
    for check in checks.values():
        assert check["state"] in ("ok", "warn", "missing")
        assert check["what"]
    assert process.returncode == (3 if any(check["state"] == "missing" for check in checks.values()) else 0)
