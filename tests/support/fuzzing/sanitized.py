"""The compiled loops under AddressSanitizer and UBSan, over every capture, whole, cut and spoilt.

`python -m tests.support.fuzzing.sanitized [--rounds 3] [--seed 1]` builds _loops.c with both in a folder of
its own, every warning an error, and starts itself anew with that: what is found ends it, in their words.
"""

from __future__ import annotations

import argparse
import importlib.machinery
import importlib.util
import os
import random
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from inspector.wire import compiled
from tests.support.fuzzing import differences
from tests.support.fuzzing.seeds import DATA, frames, spoilt
from tests.support.fuzzing.targets import TARGETS

SOURCE = Path(compiled.__file__).with_name("_loops.c")
LOOPS = "LOOPS_TO_TRY"                 # in the environment: the file to be tried
LARGEST = 1 << 20


def build(folder: Path) -> Path:
    """The loops with both sanitizers."""
    file = folder / "_loops.abi3.so"
    subprocess.run(
        ["cc", "-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Wconversion", "-Wno-sign-conversion", "-Werror",
         "-fPIC", "-shared", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
         f"-I{sysconfig.get_paths()['include']}", str(SOURCE), "-o", str(file)], check=True)
    return file


def start(arguments: list[str]) -> int:
    """Build them, and try them in a process that has the sanitizer from its beginning."""
    with tempfile.TemporaryDirectory() as name:
        file = build(Path(name))
        asked = ["cc", "-print-file-name=libasan.so"]
        library = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        environment = {**os.environ, LOOPS: str(file), "LD_PRELOAD": library, "PYTHONMALLOC": "malloc",
                       "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1"}
        again = [sys.executable, "-m", "tests.support.fuzzing.sanitized", *arguments]
        return subprocess.run(again, env=environment).returncode


def take(path: str) -> None:
    """Have that file in place of what is installed."""
    name = "inspector.wire.compiled._loops"
    loader = importlib.machinery.ExtensionFileLoader(name, path)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    compiled.loops = module


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="How many spoilt ones of each.")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if LOOPS not in os.environ:
        return start(sys.argv[1:])
    take(os.environ[LOOPS])
    chance, files, tried = random.Random(asked.seed), 0, 0
    for path in sorted(one for one in DATA.rglob("*") if one.is_file() and one.stat().st_size < LARGEST):
        if ".pcap" not in path.name and "fuzz" not in path.parts:
            continue
        data = path.read_bytes()
        files += 1
        cut = data[: chance.randrange(len(data) + 1)]
        for one in (data, cut, *(spoilt(data, chance) for _ in range(asked.rounds))):
            differences.loops(one)
            tried += 1
    for frame in frames():
        for one in (frame, *(spoilt(frame, chance) for _ in range(asked.rounds))):
            TARGETS["loop-frames"].run(one)
            tried += 1
    print(f"{files} captures and all frames, {tried} inputs: nothing was found, and both ways gave the same.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
