"""Files of root's are never given away: only what a command made itself belongs to who called sudo."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tiers import sweep

CALLER = 12345
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def record(output: Path, *, files: int = 0) -> int:
    """`sudo inspector record -o OUTPUT --lab -- true`, with at most so many open files."""

    def limit() -> None:
        if files:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    return subprocess.run(
        [sys.executable, "-m", "inspector", "record", "-o", str(output), "--lab", "--", "true"],
        env=os.environ | {"SUDO_UID": str(CALLER), "SUDO_GID": str(CALLER)}, preexec_fn=limit,
        capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False,
    ).returncode


@pytest.mark.parametrize("files", [0, 12], ids=["captured", "no descriptors left"])
@pytest.mark.parametrize("linked", [False, True], ids=["by name", "by a link"])
def test_an_existing_file_keeps_its_owner(files: int, linked: bool, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    output = tmp_path / "out.pcapng"
    if linked:
        output.symlink_to(secret)
    else:
        output = secret
    status = record(output, files=files)
    found = secret.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (0, 0, 0o600)
    if files:
        assert status != 0
        assert secret.read_text() == "root's"
        assert output.is_symlink() == linked


def test_nothing_is_made_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "out.pcapng").symlink_to(tmp_path / "elsewhere")
    assert record(tmp_path / "out.pcapng") != 0
    assert not (tmp_path / "elsewhere").exists()


def test_a_new_file_belongs_to_who_called(tmp_path: Path) -> None:
    os.chown(tmp_path, CALLER, CALLER)
    output = tmp_path / "new.pcapng"
    assert record(output) == 0
    assert (output.stat().st_uid, output.stat().st_mode & 0o777) == (CALLER, 0o600)
    assert record(tmp_path / "none.pcapng", files=12) != 0
    assert not (tmp_path / "none.pcapng").exists()


def test_a_new_file_in_a_folder_of_roots_stays_roots(tmp_path: Path) -> None:
    """A link of the caller's leads into it, say to /etc/cron.d: what is made there is not theirs to write."""
    roots, callers = tmp_path / "roots", tmp_path / "callers"
    roots.mkdir(0o755)
    callers.mkdir()
    os.chown(callers, CALLER, CALLER)
    (callers / "link").symlink_to(roots)
    assert record(callers / "link" / "new.pcapng") == 0
    assert (roots / "new.pcapng").stat().st_uid == 0


@sweep("words", [["run", "udp", "--no-server"], ["lesson", "new", "mine"]], lambda words: words[0] == "run",
       ids=["run", "new"])
def test_nothing_of_roots_is_left_in_the_callers_home(words: list[str], tmp_path: Path) -> None:
    os.chown(tmp_path, CALLER, CALLER)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    environment |= {"SUDO_UID": str(CALLER), "SUDO_GID": str(CALLER), "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-m", "inspector", *words], cwd=tmp_path, env=environment,
                          capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert {one for one in tmp_path.rglob("*") if one.stat().st_uid != CALLER} == set()
