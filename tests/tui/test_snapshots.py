"""How the screens look, as grids of text, at the three sizes, on one trace: only a change of looks shows.

`UPDATE_SNAPSHOTS=1 pytest tests/tui/test_snapshots.py` writes them anew; look at the difference before it
is committed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from inspector.tui.app import InspectorApp
from inspector.tui.messages import Selection
from inspector.tui.workbench.workbench import WorkbenchScreen

HERE = Path(__file__).parent
TRACE = HERE.parent / "data" / "traces" / "websocket.pcapng"
SIZES = ((80, 24), (120, 40), (200, 50))
SCENES = {
    "ladder": ("1",), "packets": ("2",), "messages": ("3",), "stream": ("4",), "handshake": ("5",),
    "sockets": ("6",), "findings": ("7",), "detail": ("8",), "bytes": ("9", "end"), "zoomed": ("1", "z"),
}


def grid(app: InspectorApp) -> str:
    """What stands in the cells of the screen."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips) + "\n"


def compare(name: str, text: str) -> None:
    path = HERE / "snapshots" / f"{name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def quiet_app(trace: Path | None) -> InspectorApp:
    app = InspectorApp(trace_path=trace)
    app.preload = lambda: None  # type: ignore[method-assign]
    return app


@pytest.mark.parametrize("size", SIZES)
async def test_launcher(size: tuple[int, int]) -> None:
    app = quiet_app(None)
    async with app.run_test(size=size) as pilot:
        await pilot.pause(0.1)
        compare(f"launcher-{size[0]}x{size[1]}", grid(app))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scene", SCENES)
async def test_workbench(scene: str, size: tuple[int, int]) -> None:
    app = quiet_app(TRACE)
    async with app.run_test(size=size) as pilot:
        screen = app.screen
        for _ in range(2000):
            screen = app.screen
            if isinstance(screen, WorkbenchScreen) and screen.feed is not None and not screen.feed.loading:
                break
            await pilot.pause(0.01)
        assert isinstance(screen, WorkbenchScreen)
        await pilot.pause()
        screen.choose(Selection(row=7))
        await pilot.pause()
        await pilot.press(*SCENES[scene])
        await pilot.pause(0.1)
        compare(f"{scene}-{size[0]}x{size[1]}", grid(app))
