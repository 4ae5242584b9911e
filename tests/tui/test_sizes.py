"""The workbench's dividers: the ladder grows with the screen, keys and mouse move them, they stay moved."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from inspector.lab.folders import settings_folder
from inspector.tui.panes.ladder import LadderPane
from inspector.tui.workbench.sizes import Sizes, load_sizes, save_sizes
from tests.support.live import QuietApp, bench, until, workbench
from tests.support.traces import TRACES


def ladder(pilot: Pilot[Any]) -> tuple[int, int]:
    """Width and height of the ladder pane."""
    size = bench(pilot).query_one(LadderPane).outer_size
    return size.width, size.height


@pytest.mark.parametrize(("size", "rows"), [((120, 40), 24), ((200, 50), 34), ((200, 80), 64)])
async def test_the_ladder_grows_with_the_screen(size: tuple[int, int], rows: int) -> None:
    app = QuietApp(trace_path=TRACES / "tcp.pcapng")
    async with app.run_test(size=size) as pilot:
        await workbench(pilot)
        await until(pilot, lambda: ladder(pilot)[1] == rows, f"{rows} rows")


async def test_keys_and_mouse_move_the_dividers_and_they_stay_for_the_next_time() -> None:
    for again in (False, True):
        app = QuietApp(trace_path=TRACES / "tcp.pcapng")
        async with app.run_test(size=(120, 40)) as pilot:
            await workbench(pilot)
            if again:
                await until(pilot, lambda: ladder(pilot)[1] == 17 and ladder(pilot)[0] > 75, "the sizes")
                continue
            await until(pilot, lambda: ladder(pilot)[1] == 24, "the first sizes")
            await pilot.press("ctrl+up", "ctrl+right")
            await until(pilot, lambda: ladder(pilot)[1] < 24 and ladder(pilot)[0] > 75, "other sizes")
            await pilot.mouse_down("#tabs-middle", offset=(50, 0))
            await pilot.hover(offset=(50, 18))
            await pilot.mouse_up(offset=(50, 18))
            await until(pilot, lambda: ladder(pilot)[1] == 17, "the tabs where they were let go")


def test_a_layout_that_cannot_be_read_is_as_if_there_were_none() -> None:
    save_sizes(Sizes(40, 30))
    assert load_sizes() == Sizes(40, 30)
    for text in ('{"ladder": "high"}', "[1, 2]", "{"):
        (settings_folder() / "layout.json").write_text(text)
        assert load_sizes() == Sizes()
