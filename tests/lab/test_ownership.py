"""Whose a trace file is when root's command was called by somebody else: only what it made is given away."""

from __future__ import annotations

import os
import resource
import stat
from pathlib import Path

import pytest

from inspector.lab import launch
from inspector.lab.errors import LabError
from inspector.lab.files.ownership import create_file, make_folder
from inspector.tui.files import traces

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture(autouse=True)
def called_by_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", str(NOBODY))
    monkeypatch.setenv("SUDO_GID", str(NOBODY))


def owner(path: Path) -> int:
    return path.lstat().st_uid


@needs_root
def test_a_new_trace_is_given_to_who_called_sudo(tmp_path: Path) -> None:
    for mode, own in ((0o755, 0), (0o777, NOBODY)):              # of a folder of root's: who may write there
        tmp_path.chmod(mode)
        os.close(create_file(tmp_path / f"{mode}.pcapng").descriptor)
        assert owner(tmp_path / f"{mode}.pcapng") == own
    os.chown(tmp_path, NOBODY, NOBODY)
    os.close(create_file(tmp_path / "new.pcapng").descriptor)
    assert owner(tmp_path / "new.pcapng") == NOBODY
    assert stat.S_IMODE((tmp_path / "new.pcapng").stat().st_mode) == 0o600


@needs_root
def test_what_stood_there_keeps_its_owner(tmp_path: Path) -> None:
    secret = tmp_path / "shadow"
    secret.write_text("root's")
    (tmp_path / "link").symlink_to(secret)
    for name in ("shadow", "link"):
        os.close(create_file(tmp_path / name).descriptor)
    os.link(secret, tmp_path / "hard")
    os.close(create_file(tmp_path / "hard").descriptor)
    assert owner(secret) == 0 and secret.read_text() == "root's"


@needs_root
def test_a_dangling_link_makes_no_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "not there")
    with pytest.raises(FileNotFoundError):
        create_file(tmp_path / "link")
    assert not (tmp_path / "not there").exists()


@needs_root
def test_a_start_that_fails_changes_nothing(tmp_path: Path) -> None:
    secret = tmp_path / "shadow"
    secret.write_text("root's")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 1, limits[1]))
    try:
        with pytest.raises((LabError, OSError)):
            launch.start_agent(secret, "host", ports=(9,))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert owner(secret) == 0 and secret.read_text() == "root's"


def test_a_saved_trace_is_its_owners_alone_and_follows_no_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    # The names that a copy under way had: anybody could put a link there.
    for pid in range(os.getpid() - 3, os.getpid() + 4):
        (tmp_path / f".copy.pcapng.{pid}.part").symlink_to(victim)
    saved = traces.save([b"pack", b"ets"], str(tmp_path / "copy.pcapng"))
    assert saved.read_bytes() == b"packets" and victim.read_text() == "untouched"
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    left = [path for path in tmp_path.iterdir() if path.name.endswith(".part") and not path.is_symlink()]
    assert left == []


@needs_root
def test_folders_in_the_callers_own_are_the_callers(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for name, uid in (("theirs", NOBODY), ("roots", 0)):
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, uid, uid)
        (tmp_path / name / "there").mkdir()
        make_folder(tmp_path / name / "new" / "inspector" / "traces")
        made = [tmp_path / name / part for part in ("new", "new/inspector", "new/inspector/traces")]
        assert [owner(path) for path in made] == [uid] * 3
        assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o700] * 3
        assert owner(tmp_path / name / "there") == 0
        make_folder(tmp_path / name / "there")
        assert owner(tmp_path / name / "there") == 0


def test_a_folder_is_not_made_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        make_folder(tmp_path / "file" / "inspector")
