"""Nodes to which nothing happens any more once they are being removed.

Textual marks a whole tree as leaving at once and then takes it down from the leaves. Until its own turn
comes, a node still gets its timers, callbacks after a refresh and messages that were on their way, while the
children it would look for are gone (`is_attached` is true all the time). Here all of that ends at one door.
What runs already, a worker or a watcher that was waiting, may end as it likes: that it finds no children any
more is no error then.

And until then nothing is lost: Textual gives a callback after a refresh to whichever screen is on top, and a
box that is closed takes with it those it has not run yet. Here each waits with its own screen, and
each timer comes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from inspect import isawaitable
from typing import Any

from textual import events, messages
from textual.css.query import NoMatches
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget
from textual.worker import Worker

_LAST_WORDS = (messages.Prune, messages.CloseMessages, events.Unmount, events.ScreenSuspend)


class LeavesQuietly(Widget):
    """Base of screens, panes, lists. What comes from elsewhere (threads, files) asks `is_leaving` itself."""

    @property
    def is_leaving(self) -> bool:
        """Whether it is being removed, or is gone."""
        return self._pruning or self._closing or self._closed

    async def _dispatch_message(self, message: Message) -> None:
        if not self.is_leaving or isinstance(message, _LAST_WORDS):
            await super()._dispatch_message(message)

    def call_after_refresh(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
        return super().call_after_refresh(self._unless_leaving, callback, *args, **kwargs)

    def set_timer(self, delay: float, callback: Callable[..., Any] | None = None, *, name: str | None = None,
                  pause: bool = False) -> Timer:
        """A timer that always comes.

        Textual skips what is overdue, and one that comes once is overdue for ever where this process stood
        still for longer than `delay` while it was set up: on a busy machine a millisecond passes so, and
        whoever waits for it waits for good.
        """
        timer = super().set_timer(delay, self._when_due(callback), name=name, pause=True)
        timer._skip = False                # before its task looks
        if not pause:
            timer.resume()
        return timer

    def set_interval(self, interval: float, callback: Callable[..., Any] | None = None,
                     **options: Any) -> Timer:
        return super().set_interval(interval, self._when_due(callback), **options)

    def _when_due(self, callback: Callable[..., Any] | None) -> Callable[..., Any] | None:
        return None if callback is None else partial(self._unless_leaving, callback)

    def call_next(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        super().call_next(self._forgiven, callback, *args, **kwargs)

    def run_worker(self, work: Any, *args: Any, **options: Any) -> Worker[Any]:
        own = work if options.get("thread") else partial(self._forgiven, work)
        return super().run_worker(own, *args, **options)

    async def _forgiven(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        """Do `work`, a callable or an awaitable, to its end; what has gone meanwhile is not looked for."""
        try:
            result = work(*args, **kwargs) if callable(work) else work
            return await result if isawaitable(result) else result
        except NoMatches:
            if not self.is_leaving:
                raise
            return None

    def _on_invoke_later(self, message: messages.InvokeLater) -> None:
        message.prevent_default()          # Textual's own handler, which asks the screen on top
        if self.is_attached:
            self.screen._invoke_later(message.callback, message._sender or self)

    async def _unless_leaving(self, callback: Callable[..., Awaitable[Any] | Any], *args: Any,
                              **kwargs: Any) -> None:
        if not self.is_leaving:
            result = callback(*args, **kwargs)
            if isawaitable(result):
                await result
