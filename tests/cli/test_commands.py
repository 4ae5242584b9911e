"""The list of commands, walked: each has help, answers --help, and says one sentence to wrong usage."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from inspector.cli.commands import COMMANDS
from inspector.cli.exports import EXPORTS, LISTED, export_of, exports
from inspector.protocols import REGISTRY
from tests.support.traces import TRACES


def inspector(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "inspector", *words], capture_output=True, text=True, timeout=60, check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command.name))
def test_every_command_and_every_option_has_help(command: click.Command) -> None:
    assert command.help
    assert command.help.splitlines()[0].endswith((".", "happens."))
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command.name))
def test_every_command_answers_help(command: click.Command) -> None:
    process = inspector(str(command.name), "--help")
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.startswith(f"Usage: python -m inspector {command.name}")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command.name))
def test_wrong_usage_of_every_command_is_one_sentence(command: click.Command) -> None:
    process = inspector(str(command.name), "--no-such-option")
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr.count("\n") == 1
    assert process.stderr.startswith("inspector: No such option")
    assert f"{command.name} --help" in process.stderr


def test_exports_have_names_of_their_own_and_each_protocol_is_one() -> None:
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)
    names = [export.name for export in exports()]
    assert len(set(names)) == len(EXPORTS) + len(REGISTRY)
    assert all(export.name in LISTED for export in EXPORTS)
    assert all((export := export_of(name)) and export.name == name for name in names)
    assert export_of("nonsense") is None


@pytest.mark.parametrize("name", [export.name for export in exports()])
def test_every_export_can_be_printed(name: str) -> None:
    process = inspector("decode", str(TRACES / "websocket.pcapng"), "--json", name)
    assert (process.returncode, process.stderr) == (0, "")
    there = ("packets", "conversations", "syscalls", "http", "websocket")     # it is a faultless session
    assert bool(process.stdout) == (name in there)


def test_help_needs_neither_numpy_nor_textual() -> None:
    code = (
        "import sys; import inspector.cli;"
        "print([name for name in ('numpy', 'textual', 'scapy', 'asyncio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
