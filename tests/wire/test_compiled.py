"""The compiled loops by themselves: what they refuse, what they write, and that nobody needs a compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.views.json.lines import Part, lines_of
from inspector.wire import compiled
from tests.support.fuzzing.differences import compiled_and_not
from tests.support.tiers import thorough

ROOT = Path(__file__).parents[2]
needs_loops = pytest.mark.skipif(compiled.loops is None, reason="it was installed without a compiler")
NUMBER = st.integers(-(1 << 63), (1 << 63) - 1)
ROW = st.tuples(NUMBER, st.sampled_from([-1, 0, 7]), st.integers(0, 2))


@thorough
@needs_loops
@given(st.lists(ROW, max_size=20), st.lists(st.text(), min_size=3, max_size=3), st.text())
def test_lines_are_the_same_either_way(rows: list[tuple[int, int, int]], texts: list[str], word: str) -> None:
    *texts, word = (one.encode(errors="replace").decode() for one in (*texts, word))
    numbers, some, which = (np.array([row[at] for row in rows], "i8") for at in range(3))
    parts: tuple[Part, ...] = (word, numbers, (texts, which), ", ", (word, some, -1), numbers)
    looped, plain = compiled_and_not(lambda: lines_of(len(rows), parts))
    assert looped == plain


def _columns(*sizes: int) -> tuple[Any, ...]:
    return tuple(np.zeros(4, f"u{size}") for size in sizes)


@needs_loops
@pytest.mark.parametrize("name, given", [
    ("pieces", (b"abcd", (np.array([-1]), np.array([2])))),
    ("pieces", (b"abcd", (np.array([1]), np.array([-2])))),
    ("pieces", (b"abcd", (np.array([1, 2]), np.array([2])))),
    ("pieces", (b"abcd", (np.array([1], "i4"), np.array([2])))),
    ("pieces", (b"abcd", (np.arange(8)[::2], np.arange(4)))),
    ("pieces", (b"abcd", [np.array([1]), np.array([2])])),
    ("lines", (2, (np.array([1]),))),
    ("lines", (1, ((["a"], np.array([1])),))),
    ("lines", (1, ((["a"], np.array([-1])),))),
    ("lines", (1, (([1], np.array([0])),))),
    ("lines", (1, (("a", np.array([0])),))),
    ("lines", (1, (("a", np.array([0]), 1 << 70),))),
    ("lines", (1, ((),))),
    ("lines", (-1, ())),
    ("lines", (1, ("a",) * 99)),
    ("pcap_records", (bytes(40), 0, 41, 16, 0, 1, 0, 99, _columns(8, 8, 8, 8))),
    ("pcap_records", (bytes(40), -1, 40, 16, 0, 1, 0, 99, _columns(8, 8, 8, 8))),
    ("pcap_records", (bytes(40), 0, 40, 8, 0, 1, 0, 99, _columns(8, 8, 8, 8))),
    ("pcapng_packets", (bytes(40), 30, 20, 0, _columns(8))),
    ("plain_headers", (bytes(40), 1, (np.array([0]), np.array([41]), np.array([41])),
                       tuple(np.zeros(1, f"u{size}") for size in map(int, "12241144222442111")),
                       _columns(8), (np.zeros((1, 4), "u8"),), _columns(8))),
    ("number_streams", (0, True, (5, 0), _columns(*map(int, "442224418")), _columns(8, 8, 4, 4),
                        (np.zeros(3, "u8"),), _columns(8, 1, 1, 1), (np.zeros((4, 2), "u4"),
                                                                     np.zeros((4, 2), "?")), _columns(4))),
])
def test_what_does_not_fit_is_refused(name: str, given: tuple[Any, ...]) -> None:
    with pytest.raises((ValueError, TypeError, IndexError, OverflowError)):
        getattr(compiled.loops, name)(*given)


@needs_loops
def test_bytes_end_where_the_data_end() -> None:
    places = np.array([0, 2, 3, 4, 9, 1]), np.array([2, 9, 1, 1, 1, 0])
    assert compiled.loops.pieces(b"abcd", places) == [b"ab", b"cd", b"d", b"", b"", b""]


def test_the_environment_can_switch_them_off() -> None:
    asked = "from inspector.wire import compiled; print(compiled.loops)"
    result = subprocess.run([sys.executable, "-c", asked], env={**os.environ, "INSPECTOR_COMPILED": "0"},
                            cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "None\n"


def _built(folder: Path, path: str) -> list[Path]:
    """What stands there after setup.py was asked for the compiled loops, with commands from `path` alone."""
    pytest.importorskip("setuptools")
    source = folder / "inspector" / "wire" / "compiled"
    source.mkdir(parents=True)
    shutil.copy(ROOT / "setup.py", folder)
    shutil.copy(ROOT / "inspector" / "wire" / "compiled" / "_loops.c", source)
    environment = {name: value for name, value in os.environ.items() if name not in ("CC", "LDSHARED")}
    subprocess.run([sys.executable, "setup.py", "-q", "build_ext", "--build-lib", "built"], cwd=folder,
                   check=True, env={**environment, "PATH": path}, capture_output=True)
    return sorted((folder / "built").rglob("*.so"))


def test_without_a_compiler_it_is_built_without_them(tmp_path: Path) -> None:
    nothing = tmp_path / "bin"
    nothing.mkdir()
    assert _built(tmp_path / "tree", str(nothing)) == []


@pytest.mark.skipif(
    shutil.which("cc") is None or not Path(sysconfig.get_paths()["include"], "Python.h").exists(),
    reason="there is no compiler, or no header of Python's")
def test_with_a_compiler_they_are_built_for_all_versions(tmp_path: Path) -> None:
    (file,) = _built(tmp_path, os.environ["PATH"])
    assert file.name == "_loops.abi3.so"
