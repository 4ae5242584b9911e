"""The doctor's checks are true of the machine they run on, and name the mending command."""

from __future__ import annotations

import errno
import os
from importlib import metadata
from pathlib import Path

import pytest

from inspector import extras
from inspector.lab import doctor
from inspector.lab.capture import access
from inspector.lab.errors import LabError
from inspector.lab.network import namespace
from inspector.lab.network.wire import links
from inspector.wire import compiled
from tests.support.running.lab import needs_lab

pytestmark = pytest.mark.quick


def by_name() -> dict[str, doctor.Check]:
    return {check.name: check for check in doctor.examine()}


@needs_lab
def test_all_is_well_where_the_lab_works() -> None:
    checks = by_name()
    assert checks["namespaces"].state == checks["lab"].state == "ok"
    assert checks["lab wire"].state in ("ok", "warn")
    assert checks["capture"].name == "capture"
    assert {checks[name].state for name in ("python", "scapy", "textual")} == {"ok"}


@pytest.mark.parametrize(("setting", "remedy"), [("0", "unset INSPECTOR_COMPILED"), ("", "with a C")])
def test_it_says_when_large_captures_are_read_slowly(
    setting: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSPECTOR_COMPILED", setting)
    monkeypatch.setattr(compiled, "loops", None)
    check = doctor.loops()
    assert check.state == "warn" and "by numpy, slower" in check.what and check.remedy.startswith(remedy)
    monkeypatch.setattr(compiled, "loops", object())
    assert doctor.loops().state == "ok"


@pytest.mark.parametrize("there", [True, False])
def test_it_says_whether_tls_can_be_opened(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "has_ciphers", lambda: there)
    monkeypatch.setattr(metadata, "version", lambda package: "42.0")
    check = doctor.ciphers()
    assert (check.name, check.state) == ("cryptography", "ok" if there else "warn")
    assert "--keylog" in check.what and bool(check.remedy) is not there
    assert "cryptography" in by_name()


@needs_lab
def test_where_there_are_no_cables_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")      # as a kernel without veth answers

    monkeypatch.setattr(links, "make_pair", refuse)
    check = by_name()["lab wire"]
    assert check.state == "warn"
    assert check.what.startswith("This kernel gives the lab no wire between two networks")
    assert check.remedy == "sudo modprobe veth"


@pytest.mark.parametrize("privileged", [False, True])
def test_forbidden_namespaces_come_with_the_command(
    monkeypatch: pytest.MonkeyPatch, privileged: bool
) -> None:
    refusal = LabError("Forbidden here.", "sudo allow")
    monkeypatch.setattr(namespace, "probe", lambda: refusal)
    monkeypatch.setattr(doctor, "may_capture", lambda: privileged)
    check = by_name()["namespaces"]
    assert check.state == ("warn" if privileged else "missing")
    assert check.what.startswith("Forbidden here.")
    assert check.remedy == "sudo allow"


def test_without_privilege_the_host_check_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "may_capture", lambda: False)
    monkeypatch.setattr(doctor, "dumpcap", lambda: None)
    monkeypatch.setattr(access, "_installed", lambda: None)
    monkeypatch.setattr(doctor, "asker", lambda: ["/usr/bin/sudo", "--"])
    assert doctor._host().state == "ok"
    assert "/usr/bin/sudo" in doctor._host().what
    monkeypatch.setattr(doctor, "asker", list)
    check = doctor._host()
    assert check.state == "warn"
    assert check.remedy == "sudo inspector record -o trace.pcapng"


def test_how_to_capture_follows_what_dumpcap_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "dumpcap"
    fake.write_text("#!/bin/sh\n")
    fake.chmod(0o755)
    monkeypatch.setattr(access, "_installed", lambda: str(fake))
    monkeypatch.setattr(access, "may_capture", lambda: False)
    assert access.dumpcap() is None
    assert access.how_to_capture() == f"sudo setcap cap_net_raw,cap_net_admin=eip {fake}"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert access.how_to_capture().startswith("sudo usermod -aG ")


@pytest.mark.parametrize("there", [True, False])
def test_what_syscalls_needs_is_listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: bool) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if there:
        (tmp_path / "strace").write_text("#!/bin/sh")
        (tmp_path / "strace").chmod(0o700)
    check = next(check for check in doctor._tools() if check.name == "strace")
    assert (check.state, bool(check.remedy)) == (("ok", False) if there else ("warn", True))
    assert "--syscalls" in check.what
