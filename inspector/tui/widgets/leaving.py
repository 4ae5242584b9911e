"""Nodes to which nothing happens any more once they are being removed.

Textual marks a whole tree as leaving at once and then takes it down from the leaves. Until its own turn
comes, a node still gets its timers, callbacks after a refresh and messages that were on their way, while the
children it would look for are gone (`is_attached` is true all the time). Here all of that ends at one door.

And until then nothing is lost: Textual gives a callback after a refresh to whichever screen is on top, and a
box that is closed takes with it those it has not run yet. Here each waits with its own screen.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any

from textual import events, messages
from textual.message import Message
from textual.widget import Widget

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
