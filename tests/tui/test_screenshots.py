"""A screenshot by the palette: kept where the user looks for it, or told why not."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.support.screen.live import QuietApp, grid, launcher, toasts, until


async def taken() -> str:
    """What is said after `ctrl+p`, "screenshot", Enter."""
    app = QuietApp()
    async with app.run_test() as pilot:
        await launcher(pilot)
        await pilot.press("ctrl+p")
        await pilot.press(*"screenshot")
        await until(pilot, lambda: "Save an SVG" in grid(app.screen), "the command")
        await pilot.press("enter")
        await until(pilot, lambda: toasts(pilot), "a sentence")
        return " ".join(toasts(pilot))


@pytest.mark.parametrize("downloads", [True, False])
async def test_a_new_account_has_no_downloads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, downloads: bool
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "Downloads" if downloads else tmp_path
    folder.mkdir(exist_ok=True)
    sentence = await taken()
    (kept,) = folder.glob("inspector_*.svg")
    assert sentence == f"The screenshot is saved as {kept}."
    assert "<svg" in kept.read_text()[:200]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o666 & ~mask      # a picture is to be handed on


async def test_where_it_cannot_be_kept_is_told_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/proc")            # nobody makes a file there
    monkeypatch.chdir("/proc")
    assert await taken() == "The screenshot cannot be kept in /proc: No such file or directory."
