"""A command as a check: exit status, where the report goes, and wrong options."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.captures.tcp import cut_http
from tests.support.captures.traces import TRACES
from tests.support.running.commands import inspector

REFUSED, TCP = str(TRACES / "tcp-refused.pcapng"), str(TRACES / "tcp.pcapng")


def test_a_check_that_passes_and_one_that_fails() -> None:
    done = inspector("decode", TCP, "--expect", "tcp", "--fail-on", "note")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "2 checks passed."
    done = inspector("decode", REFUSED, "--fail-on", "note")
    assert (done.returncode, done.stderr) == (1, "")
    assert "packet 1  tcp.connection-refused" in done.stdout


def test_what_broke_off_passes_no_check_of_absence(tmp_path: Path) -> None:
    part = tmp_path / "part.pcapng"
    part.write_bytes(Path(TCP).read_bytes()[:-40])
    done = inspector("decode", str(part), "--expect", "tcp", "--expect-none", "udp", "--fail-on", "error")
    assert done.returncode == 4
    lines = done.stdout.splitlines()
    assert [line[0] for line in lines] == ["✓", "?", "?", "O"] and "the capture ended early" in lines[1]
    assert lines[-1] == "Of 3 checks: 2 not known."
    done = inspector("decode", str(part), "--expect-none", "udp", "--report", "json")
    answer = json.loads(done.stdout)
    assert (answer["passed"], answer["ended_early"]) == (False, True)


def test_the_report_stands_beside_what_is_printed() -> None:
    done = inspector("decode", REFUSED, "--json", "findings", "--fail-on", "note", "--report", "json")
    assert done.returncode == 1
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["tcp.connection-refused"]
    assert json.loads(done.stderr)["passed"] is False


def test_nothing_else_stands_beside_a_report_for_programs() -> None:
    done = inspector("decode", TCP, "--json", "http", "--fail-on", "note", "--report", "json")
    assert (done.returncode, done.stdout) == (0, "") and json.loads(done.stderr)["passed"] is True


@pytest.mark.parametrize(("words", "sentence"), [
    (("http",), "No HTTP message in 12 packets."), (("dns",), "No DNS message in 12 packets."),
    (("redis",), "No Redis message in 12 packets."), (("findings",), "No finding in 12 packets."),
    (("kernel",), "No sample of the kernel in 12 packets."),
    (("packets", "--filter", "udp"), "The filter lets none of 12 packets through."),
    (("syscalls", "--filter", "udp"), "The filter lets none of 23 system calls through."),
    (("http", "--filter", "tcp.flags.syn == 1"),
     "No HTTP message in 2 of 12 packets, which the filter lets through."),
])  # fmt: skip
def test_that_there_is_nothing_is_said(words: tuple[str, ...], sentence: str) -> None:
    done = inspector("decode", TCP, "--json", *words)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"inspector: {sentence}\n")


@pytest.mark.parametrize(("words", "sentence"), [
    ((), "No HTTP exchange in 12 packets."),
    (("--filter", "udp"), "The filter lets none of 12 packets through."),
])
def test_an_archive_of_nothing_is_whole_and_said_to_be_empty(words: tuple[str, ...], sentence: str) -> None:
    done = inspector("decode", TCP, "--json", "har", *words)
    assert (done.returncode, done.stderr) == (0, f"inspector: {sentence}\n")
    assert json.loads(done.stdout)["log"]["entries"] == []


def test_the_report_goes_to_a_file(tmp_path: Path) -> None:
    file = tmp_path / "report.xml"
    done = inspector("decode", TCP, "--expect", "udp", "--report", "junit", "--report-file", str(file))
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert 'failures="1"' in file.read_text()
    done = inspector("decode", TCP, "--expect", "udp", "--report-file", str(tmp_path / "no" / "such"))
    assert done.returncode == 3
    assert done.stderr.endswith("cannot be written: No such file or directory.\n")


def test_a_session_and_a_program_are_checked() -> None:
    done = inspector("run", "tcp", "--expect-none", "tcp.flags.fin == 1")
    assert done.returncode == 1
    assert "1 of 1 check failed." in done.stderr
    connect = "import socket; socket.create_connection(('127.0.0.1', 9), 1)"
    refused = f"{sys.executable} -c \"{connect}\" 2>/dev/null || true"
    done = inspector("exec", "--fail-on", "note", "--", "sh", "-c", refused)
    assert done.returncode == 1
    assert "tcp.connection-refused" in done.stdout
    done = inspector("exec", "--expect", "tcp", "--", "sh", "-c", "exit 7")
    assert done.returncode == 7          # the program's own status says more
    assert "✗ expect tcp" in done.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--expect", "no.such"], "There is no field or protocol no.such."),
        (["--expect", "tcp", "--ignore", "x"], "--ignore goes with --fail-on"),
        (["--fail-on", "note", "--ignore", "tcp.no-answers"],
         "--ignore 'tcp.no-answers': no finding has such an id. Did you mean tcp.no-answer?"),
        (["--json", "http", "--report-file", "x"], "--report-file needs a check"),
        ([], "Say what to print (--json), where to write the packets (-o), or what to check"),
    ],
)
def test_wrong_options_are_one_sentence(words: list[str], sentence: str) -> None:
    done = inspector("decode", TCP, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"inspector: {sentence}")


def test_what_cannot_be_told_of_cut_packets_is_said(tmp_path: Path) -> None:
    """An answer that is not read is not told as one that is not there."""
    cut, out = str(cut_http(tmp_path / "cut.pcapng")), str(tmp_path / "out.pcapng")
    note = "inspector: The capture lacks something: 1 packet cut short."
    answers, carried = "http.response.code == 200", "tcp.len > 0"
    for words, is_noted in (
        (("--filter", answers, "-o", out), True), (("--filter", carried, "-o", out), False),
        (("--expect", answers), True), (("--expect-none", answers), True), (("--expect", carried), False),
        (("--fail-on", "error"), True), (("--filter", answers, "--expect", carried), True),
        (("--json", "http"), True), (("--expect", answers, "--report", "json"), True),
        (("--json", "http", "--expect", answers, "--report", "json"), False),
    ):
        done = inspector("decode", cut, "--overwrite", *words)
        assert (note in done.stderr.splitlines()) is is_noted, (words, done.stderr)
