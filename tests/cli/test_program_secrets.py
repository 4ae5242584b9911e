"""What a program in the lab tells of its TLS stands in its trace, and options say how a trace is read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from inspector import extras
from inspector.cli.commands import COMMANDS
from inspector.cli.errors import CommandError
from inspector.cli.program_secrets import ProgramSecrets, program_secrets
from inspector.trace.file import keylog as files
from inspector.trace.trace import Trace
from inspector.wire import pcapng
from tests.support.running.commands import inspector, run
from tests.support.running.lab import needs_lab

RANDOM = bytes(range(32))
LINE = f"CLIENT_RANDOM {RANDOM.hex()} {'cd' * 48}"
PROTOCOLS = Path(__file__).parents[1] / "data" / "protocols"


@needs_lab
def test_secrets_of_a_program_stand_in_its_trace(tmp_path: Path) -> None:
    trace = tmp_path / "x.pcapng"
    done = inspector("exec", "--save", str(trace), "--", "sh", "-c", f"echo {LINE} >> $SSLKEYLOGFILE")
    assert done.returncode == 0, done.stderr
    with Trace.open(trace) as opened:
        opened.finish()
        assert opened.truncated is None and opened.secrets.knows(RANDOM)
        assert any(event.kind == "program-started" for event in opened.events)
    assert b"CLIENT_RANDOM" in trace.read_bytes()[:400]


@needs_lab
def test_who_has_a_key_log_keeps_it(tmp_path: Path) -> None:
    own, trace = tmp_path / "own", tmp_path / "x.pcapng"
    own.write_text(f"CLIENT_RANDOM {'00' * 32} {'00' * 48}\n")
    script = f"echo {LINE} >> $SSLKEYLOGFILE"
    inspector("exec", "--save", str(trace), "--", "sh", "-c", script, SSLKEYLOGFILE=str(own))
    assert len(own.read_text().splitlines()) == 2
    with Trace.open(trace) as opened:
        opened.finish()
        assert opened.secrets.knows(RANDOM) and not opened.secrets.knows(bytes(32))


@needs_lab
def test_nothing_is_told_where_the_variable_is_empty(tmp_path: Path) -> None:
    trace = tmp_path / "x.pcapng"
    script = "echo [$SSLKEYLOGFILE]"
    done = inspector("exec", "--save", str(trace), "--", "sh", "-c", script, SSLKEYLOGFILE="")
    assert "[]" in done.stdout
    with Trace.open(trace) as opened:
        opened.finish()
        assert not opened.secrets.count


@pytest.mark.parametrize("size", [0, 5, (1 << 20) + 7, 3 << 20])
def test_a_trace_of_any_size_keeps_every_byte(tmp_path: Path, size: int) -> None:
    head, rest = pcapng.section_header(), os.urandom(size)
    trace, keylog = tmp_path / "x.pcapng", tmp_path / "keylog"
    trace.write_bytes(head + rest)
    keylog.write_text("")
    secrets = ProgramSecrets(keylog)
    keylog.write_text(LINE + "\n")
    secrets.keep(trace)
    assert trace.read_bytes() == head + pcapng.decryption_secrets((LINE + "\n").encode()) + rest


def test_the_folder_is_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSLKEYLOGFILE", raising=False)
    with program_secrets() as secrets:
        assert os.environ["SSLKEYLOGFILE"] == str(secrets.file)
        folder = secrets.file.parent
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists() and "SSLKEYLOGFILE" not in os.environ


def test_decode_takes_a_key_log_and_rules(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    data = (PROTOCOLS / "tls.pcapng").read_bytes()
    head = pcapng.block_at(data, 0, "<")
    assert head is not None
    secrets = pcapng.block_at(data, head.end, "<")
    assert secrets is not None
    sealed, keylog = tmp_path / "sealed.pcapng", tmp_path / "keylog"
    sealed.write_bytes(data[: head.end] + data[secrets.end :])
    keylog.write_bytes(pcapng.parse_secrets(data[secrets.body : secrets.body_end], "<"))
    assert inspector("decode", str(sealed), "--json", "http").stdout == ""
    opened = inspector("decode", str(sealed), "--json", "http", "--keylog", str(keylog))
    assert opened.stdout.count('"http.request.uri": "/large"') == 3
    errors = inspector("decode", str(PROTOCOLS / "mqtt.pcapng"), "--json", "mqtt", "--decode-as",
                       "tcp.port==1883,none")
    assert errors.returncode == 0 and errors.stdout.count("mqtt.msgtype") == 4
    wrong = inspector("decode", str(sealed), "--json", "http", "--decode-as", "tcp.port==80,nonsense")
    assert wrong.returncode == 2 and "'nonsense' is not one of" in wrong.stderr


TAKING = [entry.name for entry in COMMANDS
          if any(parameter.name == "keylog" for parameter in entry.load().params)]


@pytest.mark.parametrize("name", TAKING)
def test_a_key_log_without_the_package_that_reads_it_is_one_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "has_ciphers", lambda: False)
    monkeypatch.setattr(files, "_chosen", [])
    secrets = tmp_path / "keylog"
    secrets.write_text(LINE + "\n")
    command = next(entry for entry in COMMANDS if entry.name == name).load()
    with pytest.raises(CommandError, match="--keylog asks for needs the package cryptography") as found:
        command.make_context(name, ["--keylog", str(secrets)])
    assert found.value.status == 3 and "pip install" in (found.value.remedy or "")


def test_of_the_package_that_is_not_there_no_other_secrets_are_asked_for() -> None:
    code = ("import runpy, sys; path = 'cryptography.hazmat.primitives.ciphers.aead'.split('.');"
            "sys.modules |= {'.'.join(path[:end]): None for end in range(1, 6)};"
            "runpy.run_module('inspector', run_name='__main__')")
    capture = str(PROTOCOLS / "tls.pcapng")
    done = run("decode", capture, "--json", "findings", code=code)
    found = [one for one in map(json.loads, done.stdout.splitlines()) if one["id"] == "tls.not-opened"]
    assert found and all("Have it installed" in one["text"] for one in found)
    assert not any("of this very connection" in one["text"] for one in found)
    done = run("decode", capture, "--json", "http", "--keylog", capture, code=code)
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.startswith(b"inspector: What --keylog asks for needs the package cryptography")
