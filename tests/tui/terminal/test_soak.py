"""The soak for a moment: what it measures is there, and nothing is lost or left. How fast, no test says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from tests.support.running.commands import ROOT
from tests.support.running.lab import needs_lab
from tests.support.screen.curves import Row, Sample, picture, round_up
from tests.support.tiers import thorough

TIMED = "the picture is within its lag", "keys are answered", "the load was"


@needs_lab
@thorough
def test_a_short_soak_loses_and_leaves_nothing(tmp_path: Path) -> None:
    drawn = tmp_path / "soak.svg"
    words = ["--minutes", "0.2", "--rate", "500", "--connections", "10", "--picture", str(drawn)]
    done = subprocess.run([sys.executable, "-m", "tests.tools.soak", *words], cwd=ROOT, capture_output=True,
                          text=True)
    lines = done.stdout.splitlines()
    missed = [line for line in lines if line.startswith("MISSED")]
    assert len(lines) == 12 and not [line for line in missed if not any(word in line for word in TIMED)], done
    assert "agent" in "".join(ElementTree.parse(drawn).getroot().itertext())


def test_curves_stand_on_round_axes() -> None:
    assert [round_up(one) for one in (0, 0.3, 1, 3, 17, 201, 999)] == [1, 0.5, 1, 5, 20, 500, 1000]
    samples = [Sample(float(second), {"a": second, "b<": 2}) for second in range(3)]
    found = ElementTree.fromstring(picture("t", [Row("r", (("a", "a"), ("b<", "b<")))], samples, ["n & m"]))
    words = [one.text for one in found.iter() if one.tag.endswith("text")]
    assert {"t", "r", "a", "b<", "n & m"} <= set(words)
    lines = [one.get("points") for one in found.iter() if one.tag.endswith("polyline")]
    assert [len(str(one).split()) for one in lines] == [3, 3]
