"""Keys that arrive together: as the terminal's driver hands them on, none waiting for the one before."""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.pilot import Pilot

from inspector.tui.terminal.keyboard import KeyParser
from inspector.tui.terminal.turnstile import TurnstileApp
from tests.support.screen.live import idle, until


def burst(app: App[Any], text: str) -> None:
    """All of `text` (with the escape sequences of a terminal) at once."""
    for message in KeyParser().feed(text):
        assert app._driver is not None
        app._driver.process_message(message)


async def type_together(pilot: Pilot[Any], text: str) -> None:
    """The same, and wait until all of it has done its work."""
    app = pilot.app
    assert isinstance(app, TurnstileApp)
    burst(app, text)
    await idle(pilot)
    await until(pilot, lambda: not app.turnstile.busy, f"the end of {text!r}")
