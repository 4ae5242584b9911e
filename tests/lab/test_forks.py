"""What tests fork in place of a new Python (`tests/support/running/forks.py`) is what a new Python is."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from inspector.lab.programs import own
from tests.support.running.commands import ROOT, asked, own_start, run

Start = Callable[[str, Sequence[str], own.Setting], own.Process]
FORKED = """
import os, sys
from inspector.lab.programs import own
from tests.lab.test_forks import heard
sys.stdout.write("before ")                          # not said twice
sys.stdout.write(heard(own.start, sys.argv[1], session=False, first=lambda: os.nice(1)))
"""


def shown() -> dict[str, Any]:
    """What a process has of whoever started it."""
    signals = {number: str(signal.getsignal(number)) for number in signal.valid_signals()}
    signals[signal.SIGINT] = getattr(signal.getsignal(signal.SIGINT), "__name__", "")
    descriptors = sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1]       # noqa: PTH208
    return {
        "words": sys.argv[1:], "descriptors": descriptors, "own": os.environ["OWN"],
        "names": sorted(os.environ.keys() - {"LC_CTYPE"}), "signals": signals, "folder": str(Path.cwd()),
        "leads": os.getsid(0) == os.getpid(), "input": sys.stdin.read(), "priority": os.nice(0),
        "interval": sys.getswitchinterval(),
    }


def heard(start: Start, folder: str, **setting: Any) -> str:
    """What `shown` says in what was started so."""
    path = Path(folder) / "shown"
    with path.open("wb") as file, (Path(folder) / "other").open("wb") as other:
        found_by = os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))
        environment = os.environ | {"OWN": "ä=\n", "PYTHONPATH": found_by}
        process = start("tests.lab.test_forks", ("word", "--", ""), own.Setting(
            stdout=file.fileno(), stderr=2, passed=(other.fileno(),), environment=environment, **setting))
        assert process.stdin is not None and process.poll() is None
        with process.stdin as given:
            given.write(b"all of it")
        assert process.wait(60) == process.poll() == 7
    return path.read_text()


def test_what_the_forker_starts_is_as_a_python_of_its_own(tmp_path: Path) -> None:
    real, fork = (json.loads(heard(start, str(tmp_path), session=True)) for start in (own_start, asked))
    assert fork == real
    assert fork["leads"] and fork["input"] == "all of it"


def test_what_that_starts_is_too(tmp_path: Path) -> None:
    done = run(str(tmp_path), code=FORKED, folder=ROOT)
    assert done.returncode == 0 and not done.stderr, done.stderr.decode()
    real = json.loads(heard(own_start, str(tmp_path), session=False, first=lambda: os.nice(1)))
    before, fork = done.stdout.decode().split(" ", 1)
    assert before == "before" and json.loads(fork) == real


if __name__ == "__main__":
    print(json.dumps(shown()))
    sys.exit(7)
