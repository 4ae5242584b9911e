"""The list of commands, walked: each has help, answers --help, and says one sentence to wrong usage."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from inspector.cli.commands import COMMANDS, Entry
from inspector.cli.exports import EXPORTS, LISTED, export_of, exports
from inspector.protocols import REGISTRY
from tests.support.captures.traces import TRACES
from tests.support.running.commands import inspector

NAMES = [entry.name for entry in COMMANDS]


@pytest.mark.parametrize("entry", COMMANDS, ids=NAMES)
def test_every_command_and_every_option_has_help(entry: Entry) -> None:
    command = entry.load()
    assert command.name == entry.name
    assert command.help
    for sentence in (entry.about, command.help.splitlines()[0]):
        assert sentence.endswith((".", "happens."))
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


@pytest.mark.parametrize("name", NAMES)
def test_every_command_answers_help(name: str) -> None:
    process = inspector(name, "--help")
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.startswith(f"Usage: python -m inspector {name}")


@pytest.mark.parametrize("name", NAMES)
def test_wrong_usage_of_every_command_is_one_sentence(name: str) -> None:
    process = inspector(name, "--no-such-option")
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr.count("\n") == 1
    assert process.stderr.startswith("inspector: No such option")
    assert f"{name} --help" in process.stderr


def test_help_lists_every_command_with_its_sentence() -> None:
    words = inspector("--help").stdout.split()
    found = " ".join(words[words.index("Commands:") :])
    assert all(f" {entry.name} {entry.about}" in found for entry in COMMANDS)


def test_a_word_that_is_no_command_is_one_sentence() -> None:
    process = inspector("decod")
    assert (process.returncode, process.stdout, process.stderr.count("\n")) == (2, "", 1)
    assert "No such command 'decod'" in process.stderr


def test_exports_have_names_of_their_own_and_each_protocol_is_one() -> None:
    assert len(set(NAMES)) == len(NAMES)
    names = [export.name for export in exports()]
    assert len(set(names)) == len(EXPORTS) + len(REGISTRY)
    assert all(export.name in LISTED for export in EXPORTS)
    assert all((export := export_of(name)) and export.name == name for name in names)
    assert export_of("nonsense") is None


@pytest.mark.parametrize("name", [export.name for export in exports()])
def test_every_export_can_be_printed(name: str) -> None:
    process = inspector("decode", str(TRACES / "websocket.pcapng"), "--json", name)
    assert process.returncode == 0
    assert process.stderr.startswith("inspector: No ") is not bool(process.stdout)
    there = {"packets", "conversations", "syscalls", "http", "websocket"}
    absent = {"findings", *(protocol.name for protocol in REGISTRY)} - there  # it is a faultless session
    assert process.stdout or name not in there
    assert not process.stdout or name not in absent


def test_help_loads_nothing_that_it_does_not_need() -> None:
    heavy = ("numpy", "textual", "scapy", "websockets", "h11", "asyncio", "socket",
             "inspector.sessions", "inspector.trace", "inspector.lab", "inspector.protocols")
    code = (
        "import contextlib, sys; from inspector.cli import main; sys.argv[1:] = ['--help']\n"
        "with contextlib.suppress(SystemExit): main()\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_launcher_loads_nothing_that_it_does_not_need() -> None:
    """What a session, a trace or a lesson needs comes behind the first picture, or when it is asked for."""
    heavy = ("inspector.trace.trace", "inspector.protocols", "inspector.lessons", "inspector.lab.options",
             "inspector.model.records", "inspector.sessions.context", "inspector.sessions.sockets",
             "inspector.sessions.stream", "inspector.sessions.kinds.browser.programs",
             "inspector.tui.launcher.palette", "inspector.tui.widgets.prompt", "inspector.views.packets",
             "inspector.tui.launcher.help", "inspector.capture", "inspector.lab.capture",
             "inspector.lab.network", "inspector.wire.dissection", "numpy", "scapy", "tomllib")
    code = ("import sys; import inspector.cli.app, inspector.tui.app\n"
            "inspector.cli.app._leave_root(lab=True)\n"
            f"print([name for name in {heavy} if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
