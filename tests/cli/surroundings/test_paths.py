"""Paths of every kind for every command's every option and argument that takes one: one sentence each.

A program tries them as a user whom nothing belongs to, a process of its own for each, and tells what it saw.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from inspector.cli.commands import COMMANDS
from inspector.cli.options.shared import FileName, OutputName
from tests.support.captures.traces import TRACES
from tests.support.running.commands import inspector, run
from tests.support.running.users import UNKNOWN, environment, interpreter
from tests.support.tiers import sweep, thorough

CAPTURE = "capture.pcapng"
# What else must be said, so that the path is the only thing to be wrong: nothing, for most commands.
WORDS: dict[str, list[str]] = {
    "decode": ["--json", "packets", "--expect", "tcp"], "open": [], "run": ["tcp", "--expect", "tcp"],
    "record": ["--overwrite", "--lab", "--expect", "tcp", "--", "true"],
    "exec": ["--expect", "tcp", "--", "true"], "via": ["9:10"],
}
PATHS = (
    "k\x1b]52;c;aGk=\x07\n\x9b2J\u202e",
    "/root/x.pcap", "~nobody-such/x", "a" * 300, "\udcff\udc9b", "folder", "folder/", "pipe", "", "/dev/null",
    "/dev/full", "notes.txt/x", "/no/such/x", "notes.txt", "loop", "/dev/tty",
)
FULL = """
import os, resource, signal, sys
sys.dont_write_bytecode = True                   # a .pyc that is cut breaks every later start
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
from inspector.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))        # as a disk without room: a write fails half-way
sys.argv[0] = "inspector"
main()
"""
FEW = ("", "pipe", "/dev/null", "notes.txt/x")
TRIER = """
import json, os, signal, sys, tempfile
from inspector.cli import main
from tests.support.running.forker import import_all
import_all()
for words, feeds in json.load(sys.stdin):
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
    pid = os.fork()
    if not pid:
        signal.alarm(25)
        if feeds:
            pipe = os.open("pipe", os.O_RDWR)
            os.write(pipe, b"This is no capture at all, only words.")
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        sys.argv = ["inspector", *words]
        try:
            main()
        except SystemExit as end:
            os._exit(end.code)
        except BaseException:
            import traceback
            traceback.print_exc()
            sys.stderr.flush()
        os._exit(99)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    err.seek(0)
    print(json.dumps([words, status, err.read().decode("utf-8", "surrogateescape")]), flush=True)
"""


def takes_path(parameter: click.Parameter) -> bool:
    return isinstance(parameter.type, click.Path | click.File)


def is_read(parameter: click.Parameter) -> bool:
    """Whether it names something that is read; else it is made, or written."""
    return isinstance(parameter.type, FileName) and (
        parameter.name in ("keylog", "sources")
        or (parameter.type.allow_dash and not isinstance(parameter.type, OutputName)))


def commands() -> Iterator[tuple[str, click.Command]]:
    """All commands and those below them, each with the words that call it."""
    for entry in COMMANDS:
        command = entry.load()
        yield entry.name, command
        if isinstance(command, click.Group):
            yield from ((f"{entry.name} {name}", below) for name, below in command.commands.items())


def called_with(called: str, command: click.Command, parameter: click.Parameter, path: str) -> list[str]:
    """The words of a command line in which all is right but, perhaps, this path."""
    others: list[str] = []
    for other in command.params:
        if other is not parameter and other.required and takes_path(other):
            others += [other.opts[0], "out.pcapng"] if isinstance(other, click.Option) else [CAPTURE]
    mine = [parameter.opts[0], path] if isinstance(parameter, click.Option) else [path]
    return [*called.split(), *others, *mine, *WORDS.get(called, [])]


def cases() -> Iterator[tuple[list[str], bool]]:
    """Words of a command line, and whether it reads the pipe.

    What several commands have is tried whole with the first one, which starts nothing.
    """
    whole: set[str] = set()
    taking = {name: command for name, command in commands() if any(map(takes_path, command.params))}
    for called in sorted(taking, key=lambda name: (name != "decode", name not in WORDS)):
        command = taking[called]
        for parameter in filter(takes_path, command.params):
            option, name = isinstance(parameter, click.Option), str(parameter.name)
            for path in FEW if name in whole else PATHS:
                yield called_with(called, command, parameter, path), not option
            whole.add(name)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder of the other user with all that the paths lead to."""
    folder = Path(tempfile.mkdtemp())
    (folder / "folder").mkdir()
    (folder / "notes.txt").write_text("these words are not to be lost")
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    shutil.copy(TRACES / "tcp.pcapng", folder / CAPTURE)
    if os.geteuid() == 0:
        for each in (folder, *folder.iterdir()):
            os.chown(each, UNKNOWN, UNKNOWN, follow_symlinks=False)
    yield folder
    shutil.rmtree(folder)


def test_what_is_called_a_file_is_known_to_take_a_path() -> None:
    for called, command in commands():
        for parameter in command.params:
            words = (parameter.metavar or "").replace("|", " ").replace(".", " ").split()
            if {"FILE", "DIR", "TRACE"} & set(words) and "NAME" not in words:
                assert takes_path(parameter), (called, parameter.name)


def tried(asked: list[tuple[list[str], bool]], place: Path) -> list[tuple[list[str], int, str]]:
    """What became of each command line: its words, exit status, and what it said."""
    if os.geteuid() == 0 and not interpreter():
        pytest.skip("needs a Python with our packages that another user may run")
    who = {"user": UNKNOWN, "group": UNKNOWN, "extra_groups": []} if os.geteuid() == 0 else {}
    done = subprocess.run(
        [interpreter() or "python", "-c", TRIER], input=json.dumps(asked), capture_output=True, text=True,
        cwd=place, env=environment(HOME=str(place)), timeout=280, check=False, **who,  # type: ignore[call-overload]
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(asked), done.stderr
    return answers


@sweep("most", [20, None], bool, ids=["some", "all"])
def test_every_path_of_every_command_gets_one_sentence(place: Path, most: int | None) -> None:
    for words, status, errors in tried(list(cases())[:most], place):     # the first ones are those of decode
        assert status in (0, 1, 2, 3, 4), (words, status, errors)
        assert "Traceback" not in errors, (words, errors)
        assert not set(errors) & {"\x1b", "\x9b", "\u202e", "\udcff"}, (words, errors)
        if status > 1:
            lines = errors.splitlines()
            assert len(lines) <= 2 and all(line.startswith("inspector: ") for line in lines), (words, errors)
    assert (place / CAPTURE).read_bytes() == (TRACES / "tcp.pcapng").read_bytes()


@sweep(("called", "option"), sorted(
    {(called, parameter.opts[0]) for called, command in commands() for parameter in command.params
     if isinstance(parameter.type, OutputName) and called != "watch"},          # which needs a terminal
), lambda case: case[0] in ("decode", "run"))
def test_no_file_with_contents_is_overwritten_unasked(called: str, option: str, place: Path) -> None:
    words = [word for word in WORDS.get(called, []) if word != "--overwrite"]
    file = [CAPTURE] if called in ("decode", "draw") else []
    if called == "record" and option != "-o":
        words = ["-o", "out.pcapng", *words]
    elif called == "decode":
        words = ["--expect", "tcp"]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return inspector(*called.split(), *file, option, "notes.txt", *more, *words, folder=str(place))

    notes = place / "notes.txt"
    before, there = notes.read_bytes(), set(place.iterdir())
    done = run()
    sentence = "inspector: notes.txt exists already. --overwrite writes it anew.\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", sentence)
    assert notes.read_bytes() == before and set(place.iterdir()) == there
    done = run("--overwrite")
    assert done.returncode in (0, 1) and notes.read_bytes() != before, done.stderr


@pytest.mark.parametrize("words", [
    ["draw", CAPTURE, "-o", CAPTURE], ["draw", CAPTURE, "-o", "link"],
    ["decode", CAPTURE, "--expect", "tcp", "--report-file", CAPTURE],
    ["exec", "--save", CAPTURE, "--", "true"], ["run", "tcp", "--save", "link"],
    ["exec", "--save", "new", "--output", "new", "--", "true"],
])
def test_no_capture_is_lost_to_what_is_written(words: list[str], place: Path) -> None:
    (place / "link").symlink_to(CAPTURE)
    done = inspector(*words, folder=str(place))
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert (place / CAPTURE).read_bytes() == (TRACES / "tcp.pcapng").read_bytes()


UNREADABLE = ("locked.pcapng", "locked/x", "/no/such/x", "notes.txt/x", "loop", "locked")
UNWRITABLE = ("locked/x", "/no/such/x", "notes.txt/x", "loop", "sealed/x")


@thorough
@sweep("most", [1, None], bool, ids=["some", "all"])
def test_exit_statuses_are_those_that_the_readme_gives(place: Path, most: int | None) -> None:
    """4 for what cannot be read, 3 for what cannot be written, whichever command reads or writes it.

    `most`: of the paths for what an earlier command has too; each option and argument is tried with one.
    """
    for name in ("locked", "sealed"):
        (place / name).mkdir()
    shutil.copy(TRACES / "tcp.pcapng", place / "locked.pcapng")
    for each, mode in (("locked", 0), ("locked.pcapng", 0), ("sealed", 0o555)):
        (place / each).chmod(mode)                       # root's, where the tests are run by root
    asked: list[tuple[list[str], bool]] = []
    expected: list[int] = []
    whole: set[tuple[str, bool]] = set()
    for called, command in commands():
        for parameter in filter(takes_path, command.params):
            reads = is_read(parameter)
            if (called, parameter.name) == ("draw", "others"):
                continue                                 # needs another one beside it
            paths = UNREADABLE if reads else UNWRITABLE
            known = str(parameter.name), reads
            for path in paths[:most] if known in whole else paths:
                words = called_with(called, command, parameter, path)
                asked.append((words, False))
                there = (called, path) == ("lesson new", "loop")         # what is there is never made anew
                expected.append(4 if reads else 2 if there else 3)
            whole.add(known)
    assert {2, 3, 4} == set(expected) and len(asked) > 15
    for (words, status, errors), wanted in zip(tried(asked, place), expected, strict=True):
        assert status == wanted and errors.startswith("inspector: "), (words, status, errors)


@thorough
def test_a_dash_is_standard_output_or_refused_and_never_a_file(place: Path) -> None:
    asked = [(called_with(called, command, parameter, "-"), False)
             for called, command in commands() for parameter in command.params
             if isinstance(parameter.type, OutputName)]
    found = {tuple(words): (status, errors) for words, status, errors in tried(asked, place)}
    assert len(found) > 8 and not (place / "-").exists()
    for words, (status, errors) in found.items():
        taken = "tandard output" in errors and status == 2
        assert taken or status in (0, 1), (words, status, errors)


def test_a_capture_goes_to_a_program_that_reads_it(place: Path) -> None:
    done = run("draw", CAPTURE, "-o", "-", folder=str(place))
    assert done.returncode == 0 and done.stdout == run("draw", CAPTURE, folder=str(place)).stdout
    done = run("exec", "--output", "-", "--expect-none", "tcp", "--", "echo", "said", folder=str(place))
    assert done.returncode == 0 and done.stdout.startswith(b"said\n")


def test_what_is_drawn_of_a_cut_capture_says_so(place: Path) -> None:
    (place / "cut.pcapng").write_bytes((TRACES / "tcp.pcapng").read_bytes()[:-7])
    os.utime(place / "cut.pcapng", (0, 0))               # nobody writes it any more
    done = inspector("draw", "cut.pcapng", folder=str(place))
    assert done.returncode == 4 and "SYN" in done.stdout and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("words", [
    ["draw", CAPTURE, "-o", "NEW"], ["decode", CAPTURE, "--expect", "tcp", "--report-file", "NEW"],
    ["lesson", "new", "NEW"],
])
def test_a_full_disk_leaves_nothing_half_written(words: list[str], place: Path) -> None:
    done = run(*(word.replace("NEW", "new") for word in words), folder=str(place), code=FULL)
    assert done.returncode == 3 and not (place / "new").exists(), done.stderr
    assert done.stderr.decode().startswith("inspector: new cannot be ")
