"""How the screens look, as grids of text, at the three sizes, on one trace: only a change of looks shows.

A grid for each pane, of the pane alone, one of the tabs' names and one of their short ones, and few of whole
screens without them, so that a word of one place breaks one test. `tests/support/screen/grids.py` says how
they are renewed.
"""

from __future__ import annotations

import asyncio
import re
from functools import cache
from pathlib import Path

import pytest

from inspector.model.packets import Row
from inspector.tui.messages import Selection
from inspector.tui.panes.registry import PANES
from inspector.tui.widgets.tab_bar import TabBar
from inspector.tui.workbench.workbench import WorkbenchScreen
from tests.support.screen.grids import assert_kept, difference
from tests.support.screen.live import LARGE, SMALL, USUAL, QuietApp, grid, launcher, opened, settled

KEPT = Path(__file__).parent / "snapshots"
CHOSEN = Selection(row=Row(7))
ALSO = {"bytes": ("end",)}                                # keys that are pressed in a pane
SCREENS = {"zoomed": ("1", "z"), "workbench": ("z",)}     # whole screens, by the keys that lead there
every_size = pytest.mark.parametrize("size", [            # one start of the app serves all of a size
    pytest.param(size, id=name, marks=pytest.mark.xdist_group(name))
    for name, size in {"80x24": SMALL, "120x40": USUAL, "200x50": LARGE}.items()
])


def of_pane(screen: WorkbenchScreen, name: str) -> str:
    """What stands in the cells of one pane."""
    region = screen.pane(name).region
    lines = screen._compositor.render_strips()[region.y : region.bottom]
    return "\n".join(line.crop(region.x, region.right).text.rstrip() for line in lines) + "\n"


def tabs(screen: WorkbenchScreen) -> str:
    """The names of all tabs that are seen."""
    lines = grid(screen).splitlines()
    regions = [bar.region for bar in screen.query(TabBar) if bar.display and bar.region]
    return "".join(lines[one.y][one.x : one.right].strip() + "\n" for one in regions)


def without_tabs(screen: WorkbenchScreen) -> str:
    """The whole screen, of its tabs the keys alone."""
    lines = grid(screen).splitlines()
    for bar in screen.query(TabBar):
        region = bar.region
        if bar.display and region:
            line = lines[region.y]
            keys = re.sub(r"[^\W\d_]+ *", "… ", line[region.x : region.right])
            fitted = keys[: region.width].ljust(region.width)
            lines[region.y] = (line[: region.x] + fitted + line[region.right :]).rstrip()
    return "\n".join(lines) + "\n"


async def _pictures(size: tuple[int, int]) -> dict[str, str]:
    taken = {}
    async with opened("websocket.pcapng", size) as (pilot, screen):
        screen.choose(CHOSEN)
        for name, keys in SCREENS.items():
            await pilot.press(*keys)
            await settled(pilot)
            taken[name] = without_tabs(screen)
            if name == "workbench":
                taken["tabs"] = tabs(screen)
        for pane in PANES:
            screen.choose(CHOSEN)
            await pilot.press(pane.key, *ALSO.get(pane.id, ()))
            await settled(pilot)
            taken[pane.id] = of_pane(screen, pane.id)
    return taken


@cache
def pictures(size: tuple[int, int]) -> dict[str, str]:
    """All grids of one size, from one start of the app."""
    return asyncio.run(_pictures(size))


@every_size
async def test_launcher(size: tuple[int, int]) -> None:
    async with QuietApp().run_test(size=size) as pilot:
        screen = await launcher(pilot)
        await settled(pilot)
        assert_kept(KEPT / f"launcher-{size[0]}x{size[1]}.txt", grid(screen))


@every_size
@pytest.mark.parametrize("name", (*(pane.id for pane in PANES), *SCREENS))
def test_looks(name: str, size: tuple[int, int]) -> None:
    assert_kept(KEPT / f"{name}-{size[0]}x{size[1]}.txt", pictures(size)[name])


@pytest.mark.parametrize("size", [
    pytest.param(SMALL, id="short", marks=pytest.mark.xdist_group("80x24")),
    pytest.param(LARGE, id="whole", marks=pytest.mark.xdist_group("200x50")),
])
def test_the_names_of_the_tabs(size: tuple[int, int]) -> None:
    assert_kept(KEPT / f"tabs-{size[0]}x{size[1]}.txt", pictures(size)["tabs"])


def test_no_grid_is_kept_that_nothing_is_held_against() -> None:
    names = {"launcher", "tabs", *SCREENS, *(pane.id for pane in PANES)}
    assert {path.name.rpartition("-")[0] for path in KEPT.iterdir()} == names


def test_a_difference_is_the_lines_that_differ() -> None:
    kept = "".join(f"line {number}\n" for number in range(100))
    now = kept.replace("line 50\n", "line fifty\n")
    assert difference(kept, now) == "@@ -51 +51 @@\n-line 50\n+line fifty"
