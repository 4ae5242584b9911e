"""Where namespaces are forbidden: one sentence and its mending command, or the host's loopback for root.

The system that forbids them is made here, without root: a user namespace whose limits are set to 0.
"""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from inspector.lab.network import apparmor, namespace
from tests.support.running.lab import needs_lab

_RESTRICT = """
import json, os, sys
from pathlib import Path
from inspector.lab.network import namespace
from inspector.lab.errors import LabError
from inspector.lab.launch import start_agent
from inspector.model.commands import Start
from inspector.model.spec import SessionSpec
inside, limits = json.loads(sys.argv[1])
uid, gid = os.geteuid(), os.getegid()
namespace.unshare(namespace.CLONE_NEWUSER | namespace.CLONE_NEWNET)
Path("/proc/self/setgroups").write_text("deny")
Path("/proc/self/uid_map").write_text(f"{inside} {uid} 1")
Path("/proc/self/gid_map").write_text(f"{inside} {gid} 1")
namespace.loopback_up()
for limit in limits:
    Path("/proc/sys/user", limit).write_text("0")
"""


def restricted(inside: int, limits: list[str], code: str) -> dict[str, Any]:
    """Run `code` (prints JSON) where uid is `inside` and these limits are 0."""
    script = _RESTRICT + textwrap.dedent(code)
    command = [sys.executable, "-c", script, json.dumps([inside, limits])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


START = """
import tempfile
try:
    path = tempfile.mktemp()
    agent = start_agent(path)
    mode = agent.mode
    agent.send(Start(SessionSpec()))
    while b"session-ended" not in Path(path).read_bytes():
        agent.wait_for_news(1)
    print(json.dumps({"mode": mode, "status": agent.close()}))
except LabError as error:
    print(json.dumps({"sentence": error.sentence, "remedy": error.remedy}))
"""


@needs_lab
@pytest.mark.parametrize("limit", ["max_user_namespaces", "max_net_namespaces"])
def test_a_user_gets_one_sentence_and_the_mending_command(limit: str) -> None:
    answer = restricted(1000, [limit], START)
    kind = limit.split("_")[1]
    names = {"user": "user namespaces", "net": "network namespaces"}
    assert answer["sentence"] == f"This system allows no {names[kind]} (user.{limit} is 0)."
    assert answer["remedy"] == f"sudo sysctl -w user.{limit}=15000"


@needs_lab
def test_root_falls_back_to_the_hosts_loopback() -> None:
    answer = restricted(0, ["max_user_namespaces", "max_net_namespaces"], START)
    assert answer == {"mode": "host", "status": 0}


@needs_lab
def test_roots_programs_run_on_the_hosts_loopback_and_leave_nothing() -> None:
    code = """
    import tempfile
    from inspector.lab.record import RecordOptions, record
    output = Path(tempfile.mktemp())
    program = "import subprocess, sys; left = subprocess.Popen(['setsid', 'sleep', '1000']).pid;"
    program += f"open('{output}.pid', 'w').write(str(left)); sys.exit(5)"
    outcome = record(RecordOptions(output, (sys.executable, "-c", program)))
    left = Path("/proc", Path(f"{output}.pid").read_text()).exists()
    print(json.dumps({"status": outcome.status, "sentence": outcome.sentence, "left": left}))
    """
    answer = restricted(0, ["max_user_namespaces", "max_net_namespaces"], code)
    assert (answer["status"], answer["left"]) == (5, False)
    assert answer["sentence"].endswith("the program ran on this machine's own loopback.")


@needs_lab
def test_capturing_the_host_without_the_privilege_is_said() -> None:
    code = """
    import tempfile
    older, newer = Path(tempfile.mktemp()), Path(tempfile.mktemp())
    older.write_text("what was captured before")
    for path in (older, newer):
        try:
            start_agent(path, "host").close()
            answer = {}
        except LabError as error:
            answer = {"sentence": error.sentence, "remedy": error.remedy}
    print(json.dumps(answer | {"older": older.read_text(), "newer": newer.exists()}))
    """
    answer = restricted(1000, [], code)
    assert "CAP_NET_RAW" in answer["sentence"]
    assert answer["remedy"].startswith("sudo ")
    assert (answer["older"], answer["newer"]) == ("what was captured before", False)


@pytest.mark.parametrize(
    ("switch", "value", "number", "words", "remedy"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", errno.EPERM, "AppArmor",
         "run the same command with sudo"),
        ("kernel/unprivileged_userns_clone", "0", errno.EPERM, "ordinary users",
         "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        ("", "", errno.EINVAL, "kernel was built without", ""),
        ("", "", errno.ENOSPC, "limit of namespaces", "sudo sysctl -w user.max_user_namespaces=15000"),
        ("", "", errno.EPERM, "refused", ""),
    ],
)
def test_each_cause_has_its_own_sentence(
    monkeypatch: pytest.MonkeyPatch, switch: str, value: str, number: int, words: str, remedy: str
) -> None:
    monkeypatch.setattr(namespace, "_read", lambda name: value if name == switch else "")
    monkeypatch.setattr(namespace, "_in_container", lambda: False)
    monkeypatch.setattr(apparmor, "script", lambda: None)          # started by python -m, not installed
    error = namespace.reason_forbidden(OSError(number, "Operation not permitted"))
    assert words in error.sentence
    assert error.remedy.startswith(remedy)


def installed(folder: Path, name: str = "inspector") -> Path:
    """The command as pip makes it."""
    found = folder / name
    found.write_text(f"#!{folder}/python\nfrom inspector.__main__ import main\nmain()\n")
    found.chmod(0o755)
    return found


def test_apparmor_is_to_allow_it_to_this_program_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command = installed(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", "/nowhere")
    switch = "kernel/apparmor_restrict_unprivileged_userns"
    monkeypatch.setattr(namespace, "_read", lambda name: "1" if name == switch else "")
    error = namespace.reason_forbidden(OSError(errno.EPERM, "Operation not permitted"))
    place = "/etc/apparmor.d/terminal-network-inspector"
    assert error.remedy == f"{command} doctor --apparmor | sudo tee {place} | sudo apparmor_parser --replace"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert apparmor.remedy().startswith("inspector doctor --apparmor | ")


def test_the_profile_names_the_command_and_nothing_that_others_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "a {b}* \"c\""
    folder.mkdir()
    (tmp_path / "link").symlink_to(installed(folder))
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    command = apparmor.script()
    assert command == folder / "inspector"
    profile = apparmor.profile(command)
    assert f'"{tmp_path}/a \\{{b\\}}\\* \\"c\\"/inspector" flags=(unconfined) {{' in profile
    assert "  userns,\n" in profile and "python\"" not in profile
    (folder / "inspector").write_text("#!/bin/sh\n")            # another program of this name
    monkeypatch.setenv("PATH", str(folder))
    assert apparmor.script() is None and apparmor.remedy() == ""


def test_a_container_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespace, "_read", lambda name: "")
    monkeypatch.setattr(namespace, "_in_container", lambda: True)
    error = namespace.reason_forbidden(OSError(errno.EPERM, "Operation not permitted"))
    assert "container" in error.sentence
    assert "seccomp=unconfined" in error.remedy
