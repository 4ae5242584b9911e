"""A part of a widget that the mouse can draw, to give what is beside it more or less room."""

from __future__ import annotations

from textual import events
from textual.message import Message
from textual.widget import Widget


class Divider(Widget):
    """Tells where the mouse has drawn it; what comes of it is the screen's."""

    class Moved(Message):
        """It is drawn to this cell of the screen; `done`: and let go there."""

        def __init__(self, divider: Widget, x: int, y: int, *, done: bool) -> None:
            super().__init__()
            self.divider, self.x, self.y, self.done = divider, x, y, done

    _taken: tuple[int, int] | None = None        # where on the screen the mouse took it
    _drawn = False

    def is_divider(self, event: events.MouseDown) -> bool:
        """Whether the mouse has taken the divider, not something else of the widget."""
        return True

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if event.button == 1 and self.is_divider(event):
            self._taken, self._drawn = (event.screen_x, event.screen_y), False
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._taken is not None and (self._drawn or self._taken != (event.screen_x, event.screen_y)):
            self._drawn = True
            self.post_message(self.Moved(self, event.screen_x, event.screen_y, done=False))

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if self._taken is not None:
            self._taken = None
            self.release_mouse()
            if self._drawn:                    # else it was a click
                self.post_message(self.Moved(self, event.screen_x, event.screen_y, done=True))
