"""`python -m tests.tools.fuzz [TARGET ...] [--runs N] [--seconds N]`: bytes that lead to new code.

Coverage-guided, by atheris (`pip install '.[fuzz]'`), a process a target, one after the other. Each begins
with what the tests' captures hold and with its corpus of the last time (`--corpus DIR`), prints a line, and
leaves what failed in `--found DIR`. What is found is kept, small, in tests/data/fuzz/TARGET.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.support.running.tried import Tried, note

SLOW = 30                        # seconds of one input that are too many
MEMORY = 2048                    # and MB
_WAITING = 3                     # times its seconds of CPU that a target may take by the clock


def fuzz(name: str, corpus: Path, found: Path, runs: int, seconds: int) -> None:
    """Run one target in this process, which ends with it."""
    import atheris  # here: the others go without

    with atheris.instrument_imports(include=["inspector"], enable_loader_override=False):
        from tests.support.fuzzing.targets import TARGETS

        target = TARGETS[name]
        for one in target.seeds():
            if len(one) <= target.longest:
                (corpus / hashlib.sha1(one).hexdigest()).write_bytes(one)
        kept = Path(__file__).parents[1] / "data" / "fuzz" / name
        for path in kept.glob("*") if kept.is_dir() else ():
            (corpus / path.name).write_bytes(path.read_bytes())
        options = [f"-atheris_runs={runs}" if runs else "-runs=-1", f"-max_len={target.longest}",
                   f"-timeout={SLOW}", f"-rss_limit_mb={MEMORY}", f"-artifact_prefix={found}/{name}-",
                   "-print_final_stats=1", "-reload=0", f"-max_total_time={seconds}"]

        def run(data: bytes) -> None:
            try:
                target.run(data)
            except BaseException:
                (found / f"{name}-{hashlib.sha1(data).hexdigest()[:8]}").write_bytes(data)
                raise

        atheris.Setup([sys.argv[0], *options, str(corpus)], run)
        atheris.Fuzz()


def unguided(name: str, given: argparse.Namespace) -> bool:
    """The same by chance, without atheris, in this process: what it begins with, spoilt, many times."""
    from tests.support.fuzzing.seeds import spoilt  # here: as in main
    from tests.support.fuzzing.targets import TARGETS

    target, chance = TARGETS[name], random.Random(name + str(given.seed))
    known = [one for one in target.seeds() if len(one) <= target.longest] or [b""]
    count, faults, began, started = 0, dict[str, str](), time.process_time(), time.monotonic()
    latest = started + _WAITING * given.seconds            # some wait, for who might still write a file
    while count < given.runs or (time.process_time() - began < given.seconds and time.monotonic() < latest):
        data, count = spoilt(chance.choice(known), chance)[: target.longest], count + 1
        try:
            target.run(data)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} at {place.filename}:{place.lineno}"
            kept = given.found / f"{name}-{hashlib.sha1(data).hexdigest()[:8]}"
            if where not in faults:
                faults[where] = kept.name
                kept.write_bytes(data)
    seconds = time.process_time() - began
    ended = "FAILED" if faults else "held"
    print(f"{name:<16} {count:>10,} runs  {seconds:7.1f} s of CPU  {ended}", flush=True)
    for where, file in faults.items():
        print(f"    {where}: {file}", flush=True)
    note(given.counts, Tried("spoilt", name, count, int(bool(faults)), round(seconds, 1)))
    return not faults


def line(name: str, given: argparse.Namespace, corpus: Path) -> bool:
    """Run one target in a process of its own, and print what came of it; whether nothing failed."""
    corpus.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.tools.fuzz", "--inside", str(corpus), name, "--found",
               str(given.found), "--runs", str(given.runs), "--seconds", str(given.seconds)]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(["nice", "-n", "10", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    text = done.stdout.decode(errors="replace")
    count = most(r"(?:^#|number_of_executed_units: |Done )(\d+)", text)
    cover = most(r"cov: (\d+)", text)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    failed = done.returncode != 0
    ended = "FAILED" if failed else "held"
    print(f"{name:<16} {count:>10,} runs  {cpu:7.1f} s of CPU  {time.monotonic() - began:7.1f} s  "
          f"{cover:>5} edges  {len(list(corpus.iterdir())):>5} inputs  {ended}", flush=True)
    note(given.counts, Tried("fuzz", name, count, int(failed), round(cpu, 1)))
    if failed:
        trouble = text[max(text.find("=== Uncaught"), 0) :] if "=== Uncaught" in text else text[-3000:]
        print("    " + trouble[-3000:].replace("\n", "\n    "), flush=True)
    return not failed


def most(pattern: str, text: str) -> int:
    """The greatest number that the pattern finds; 0 for none."""
    return max((int(one) for one in re.findall(pattern, text, re.MULTILINE)), default=0)


def main() -> int:
    """A line a target; exit status 1 where one failed."""
    from tests.support.fuzzing.targets import TARGETS  # here: what is instrumented is imported later, inside

    parser = argparse.ArgumentParser("python -m tests.tools.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--runs", type=int, default=0, help="inputs of each target")
    parser.add_argument("--seconds", type=int, default=0, help="and for how long at most; 60 without --runs")
    parser.add_argument("--corpus", type=Path, help="a folder in which inputs are kept for the next time")
    parser.add_argument("--found", type=Path, default=Path(), help="where inputs that failed are left (here)")
    parser.add_argument("--counts", type=Path, help="a file to which a line of JSON is added for each target")
    parser.add_argument("--unguided", action="store_true", help="by chance, without atheris; seconds of CPU")
    parser.add_argument("--seed", type=int, default=1, help="of --unguided")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.seconds = given.seconds or (0 if given.runs else 60)
    unknown = set(given.targets) - set(TARGETS)
    if unknown:
        parser.error(f"There is no target {', '.join(sorted(unknown))}.")
    if given.unguided:
        os.nice(10)
        alone = [unguided(name, given) for name in given.targets or TARGETS]
        return 0 if all(alone) else 1
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        corpus = given.corpus or Path(scratch)
        held = [line(name, given, corpus / name) for name in given.targets or TARGETS]
    return 0 if all(held) else 1


if __name__ == "__main__":
    if "--inside" in sys.argv:
        words = argparse.ArgumentParser()
        words.add_argument("--inside", type=Path)
        words.add_argument("name")
        words.add_argument("--found", type=Path)
        words.add_argument("--runs", type=int)
        words.add_argument("--seconds", type=int)
        asked = words.parse_args()
        fuzz(asked.name, asked.inside, asked.found, asked.runs, asked.seconds)
    else:
        sys.exit(main())
