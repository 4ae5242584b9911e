"""Homes and folders that are missing, forbidden or somebody else's: one sentence, and what works goes on."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.captures.traces import TRACES
from tests.support.running.lab import needs_lab
from tests.support.running.users import UNKNOWN, environment, interpreter, run_as_unknown
from tests.support.screen.terminal import Terminal
from tests.support.tiers import sweep, thorough

pytestmark = pytest.mark.skipif(
    not interpreter(), reason="needs root, and a Python with our packages that another user may run"
)
KEPT = "Traces cannot be kept in"
HOMES = {
    "no home": ({}, "There is no home folder: HOME is not set, and user 54321 is unknown here."),
    "root's home": ({"HOME": "/root"}, f"{KEPT} /root/.local/state/inspector/traces: Permission denied."),
    "a home that is not there": ({"HOME": "/no/such"}, f"{KEPT} /no/such/.local/state/inspector/traces: "),
    "a relative home": ({"HOME": "here"}, "There is no home folder: "),
    "a state folder that is a file": (
        {"XDG_STATE_HOME": "/etc/passwd"}, f"{KEPT} /etc/passwd/inspector/traces: Not a directory."
    ),
    "a relative state folder": ({"XDG_STATE_HOME": "here"}, "There is no home folder: "),
}


USUAL = ("root's home",)


@pytest.fixture(params=[pytest.param(case, id=name, marks=() if name in USUAL else thorough)
                        for name, case in HOMES.items()])
def home(request: pytest.FixtureRequest) -> tuple[dict[str, str], str]:
    changes, sentence = request.param
    return environment(**changes), sentence


def _open(folder: Path) -> None:
    """Let the other user come to this folder."""
    for each in (folder, *folder.parents):
        if each.stat().st_uid == 0 and not each.stat().st_mode & 0o001:
            each.chmod(each.stat().st_mode | 0o011)


@needs_lab
def test_exec_goes_on_and_says_that_its_trace_is_not_kept(home: tuple[dict[str, str], str]) -> None:
    own, sentence = home
    program = "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'hi', ('127.0.0.1', 9))"
    done = run_as_unknown("exec", "--", interpreter(), "-c", program, environment=own)
    words = done.stderr.decode()
    assert (done.returncode, words.count("\n")) == (0, 1), words
    assert words.startswith(f"inspector: {sentence}") and "--save FILE keeps it." in words
    assert b'UDP "hi"' in done.stdout


@thorough
@needs_lab
def test_the_app_opens_and_runs_a_session(home: tuple[dict[str, str], str]) -> None:
    own, sentence = home
    with Terminal([], own, size=(200, 40), python=interpreter(), user=UNKNOWN) as app:
        app.until_shown(sentence[:40])              # in the launcher
        app.press("t")
        app.until_shown("saves")
        app.press("q")
        assert app.end() == 0
    assert b"Traceback" not in app.seen and b"is kept as" not in app.seen


@thorough
@needs_lab
@sweep("words", [
    ["run", "udp", "--no-server"], ["draw", str(TRACES / "tcp.pcapng"), "--as", "header"],
], lambda words: words[0] == "run", ids=["run", "draw"])
def test_a_cache_that_scapy_may_not_use_is_not_used(words: list[str], tmp_path: Path) -> None:
    _open(tmp_path)
    shutil.copytree(TRACES, tmp_path / "traces")
    words = [word.replace(str(TRACES), str(tmp_path / "traces")) for word in words]
    _open(tmp_path / "traces")
    done = run_as_unknown(*words, environment=environment(XDG_CACHE_HOME="/root"))
    assert (done.returncode, done.stderr) == (0, b"")
    (tmp_path / "cache" / "scapy" / "services.pickle").mkdir(parents=True)
    done = run_as_unknown(*words, environment=environment(XDG_CACHE_HOME=str(tmp_path / "cache")))
    assert (done.returncode, done.stderr) == (0, b"")


def test_doctor_says_it_and_how_it_is_mended(home: tuple[dict[str, str], str]) -> None:
    own, sentence = home
    done = run_as_unknown("doctor", environment=own)
    lines = done.stdout.decode().splitlines()
    number = next(n for n, line in enumerate(lines) if "kept traces" in line)
    assert sentence in lines[number] and lines[number].startswith(" ! ")
    assert lines[number + 1].strip().startswith("export ")
    assert done.stderr == b""


@thorough
def test_folders_that_root_left_behind_are_told_with_the_command_that_mends(tmp_path: Path) -> None:
    _open(tmp_path)
    os.chown(tmp_path, UNKNOWN, UNKNOWN)
    state = tmp_path / ".local" / "state"
    state.mkdir(parents=True)                      # as `sudo -E` of an earlier program made it
    (tmp_path / ".config" / "inspector").mkdir(parents=True, mode=0o700)
    (tmp_path / ".config" / "inspector" / "keymap.toml").touch(mode=0o600)
    own = environment(HOME=str(tmp_path))
    lines = run_as_unknown("doctor", environment=own).stdout.decode().splitlines()
    number = next(n for n, line in enumerate(lines) if "kept traces" in line)
    assert lines[number + 1].strip() == f"sudo chown -R {UNKNOWN} {state}"
    with Terminal([], own, size=(200, 40), python=interpreter(), user=UNKNOWN) as app:
        app.until_shown("Permission denied")               # of the keymap, in a toast: it may go soon
        app.until_shown("cannot be kept")
        app.press("q")
        assert app.end() == 0


def _without_temporary_folder(*words: str, own: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    """As the unknown user, where /tmp and its like are read-only."""
    mounts = " && ".join(f"mount --bind {folder} {folder} && mount -o remount,ro,bind {folder}"
                         for folder in ("/tmp", "/var/tmp", "/dev/shm") if Path(folder).is_dir())
    drop = f"setpriv --reuid={UNKNOWN} --regid={UNKNOWN} --clear-groups"
    script = f'{mounts} && exec {drop} "$0" -m inspector "$@"'
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", script, interpreter(), *words],
        env=dict(own), cwd="/", stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
    )


@thorough
@needs_lab
@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv")
def test_nothing_needs_a_temporary_folder(tmp_path: Path) -> None:
    _open(tmp_path)
    compressed = tmp_path / "tcp.pcapng.gz"
    compressed.write_bytes(gzip.compress((TRACES / "tcp.pcapng").read_bytes()))
    own = environment(HOME="/no/such")
    done = _without_temporary_folder("decode", str(compressed), "--json", "packets", own=own)
    assert (done.returncode, done.stderr) == (0, b"") and done.stdout.count(b"\n") > 5
    for words in (("run", "tcp"), ("exec", "--json", "packets", "--", "true"), ("exec", "--", "true")):
        done = _without_temporary_folder(*words, own=own)
        assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr
    done = _without_temporary_folder("doctor", own=own)
    assert b" ! temporary files   No temporary folder can be written" in done.stdout
    assert b"the lab" not in done.stderr and b"The lab starts" in done.stdout
