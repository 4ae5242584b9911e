"""Keys, pastes and clicks one at a time: each meets the screen as the one before it has left it.

terminal -> app -> Turnstile -> app -> focused widget -> ... -> app, where a key's binding acts.
Textual hands a key on to what has the focus at that moment, while the binding of the key before may still be
on its way and its prompt not yet there: keys that arrive together would act in the wrong place. So the next
one waits here until the one before is through, has moved the focus and opened or closed its screen. What is
typed in one burst does what it does when it is typed slowly. Waiting is counted in turns of the event loop,
never in seconds: a machine that is busy does not let a key pass too early.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, ClassVar, Literal, Protocol, TypeVar, runtime_checkable

from textual import events
from textual.app import App
from textual.dom import DOMNode
from textual.errors import NoWidget
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widgets import Input

ROUNDS = 400             # looks at whether a key has done its work, at most; then the next may pass
EAGER = 20               # of them without a rest in between
REST_SECONDS = 0.005
RECENT = 64              # events of which it is known which screen they were for
Typed = events.Key | events.Paste | events.MouseEvent
Way = Literal["", "mouse", "letter", "binding"]      # in which an event acts in place; "": it does not
_PASSING = (events.MouseMove, events.MouseScrollDown, events.MouseScrollUp,
            events.MouseScrollLeft, events.MouseScrollRight)      # they bring nothing about that keys meet


Result = TypeVar("Result")


class Owner(Protocol):
    """A node that does something after a refresh, unless it is leaving."""

    @property
    def is_leaving(self) -> bool:
        """Whether it is being removed, or is gone."""

    def call_after_refresh(self, callback: Callable[..., Any], *args: Any) -> bool:
        """Call it once the screen is painted."""


@runtime_checkable
class InPlace(Protocol):
    """A widget that says which of its actions neither move the focus nor open or close anything.

    Their keys need not wait for each other: a key that is held down moves on as fast as it can be painted.
    Those that go the same way, that is: a letter acts in the field it reaches, a binding's action only when
    its key has come to the app, when a letter typed after it would long be there.
    """

    IN_PLACE: ClassVar[tuple[str, ...]]        # beginnings of the actions' names


class Turnstile:
    """Of one app; used on the event loop's thread alone."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._waiting: deque[Typed] = deque()
        self._owed: list[tuple[Owner, asyncio.Event]] = []
        self._passing: deque[Typed] = deque()        # sent on their way by us
        self._task: asyncio.Task[None] | None = None
        self._moved: Way = ""                        # how keys acted that were not waited for
        self._deaf_before = 0.0                      # what was typed earlier is forgotten
        self._aims: deque[tuple[Typed, Screen[Any]]] = deque(maxlen=RECENT)

    @property
    def busy(self) -> bool:
        """Whether something that was typed has not done its work yet."""
        return self._task is not None

    def holds(self, event: Typed) -> bool:
        """Whether the event, just come from the terminal, has to wait. If not, the app handles it now."""
        if self._passing and event is self._passing[0]:
            self._passing.popleft()
            self._aims.append((event, self._app.screen))
            return False
        if event.time < self._deaf_before and not self._acts_anywhere(event):
            return True
        if not self._app.screen_stack:               # the app is ending
            return True
        way = self._way(event)
        if self._task is None and self._has_to_wait(way):
            self._waiting.append(event)              # it may speak of what those before it chose
            self._task = asyncio.create_task(self._let_through(self._aim()))
            return True
        if self._task is None:
            self._aims.append((event, self._app.screen))
            if way:
                self._moved = self._moved if way == "mouse" else way
            else:
                self._task = asyncio.create_task(self._let_through(self._target(event)))
            return False
        before = self._waiting[-1] if self._waiting else None
        if isinstance(event, events.MouseMove) and isinstance(before, events.MouseMove):
            self._waiting.pop()                      # the mouse is further by now
        self._waiting.append(event)
        return True

    def is_astray(self, event: events.Event) -> bool:
        """Whether the event comes back from a screen that has gone meanwhile: it was not for the next one."""
        screen = next((screen for aimed, screen in self._aims if aimed is event), None)
        return screen is not None and screen not in self._app.screen_stack

    def drop(self) -> None:
        """Forget all that was typed so far: the place it was aimed at is not there."""
        self._waiting = deque(filter(self._acts_anywhere, self._waiting))
        self._deaf_before = monotonic()

    def after_refresh(self, node: Owner, callback: Callable[..., Any], *args: Any) -> None:
        """Part of what a key does needs the screen to be painted first; the next key waits for it too."""
        done = asyncio.Event()

        async def act() -> None:
            try:
                result = callback(*args)
                if asyncio.iscoroutine(result):
                    await result
            finally:
                done.set()

        self._owed.append((node, done))
        node.call_after_refresh(act)

    async def _let_through(self, target: DOMNode) -> None:
        """Wait until the event at `target` has done its work, then the same for each that waits."""
        try:
            await self._digested(target)
            self._moved = ""
            while self._waiting and self._app.is_running and self._app.screen_stack:
                if self._has_to_wait(self._way(self._waiting[0])):
                    self._moved = ""
                    await self._digested(self._aim())
                    continue                         # it may have been dropped meanwhile
                event = self._waiting.popleft()
                target, way = self._target(event), self._way(event)
                self._passing.append(event)
                self._app.post_message(event)
                if way in ("letter", "binding"):
                    self._moved = way
                elif not way:
                    await self._heard(self._app)
                    await self._digested(target)
        finally:
            self._task = None

    async def _digested(self, target: DOMNode) -> None:
        await self._climbed(target)                  # the key itself; its binding acts at the top
        for count in range(ROUNDS):                  # and then what that has brought about
            if not self._app.screen_stack:           # the key has ended the app
                return
            before = self._picture()
            chain = await self._climbed(self._aim())
            still = self._picture() == before and not any(node.message_queue_size for node in chain)
            if still and not self._owes():
                return
            if count > EAGER:
                await asyncio.sleep(REST_SECONDS)

    async def _climbed(self, node: DOMNode) -> list[MessagePump]:
        """All that waited at `node` and above it when we came by has been handled; who that was."""
        chain: list[MessagePump] = [one for one in node.ancestors_with_self if one is not self._app]
        chain.append(self._app)
        for each in chain:
            await self._heard(each)
        return chain

    async def _heard(self, node: MessagePump) -> None:
        """`node` has handled what it was sent so far (or is leaving and never will)."""
        heard = asyncio.Event()
        if not node.call_later(heard.set):
            return
        for count in range(ROUNDS):
            if heard.is_set() or not (node is self._app or node.is_attached):
                return
            await asyncio.sleep(0 if count < EAGER else REST_SECONDS)

    def _aim(self) -> DOMNode:
        """Where a key would go now."""
        return self._app.focused or self._app.screen

    def _target(self, event: Typed) -> DOMNode:
        if isinstance(event, events.MouseEvent):
            try:
                return self._app.get_widget_at(event.x, event.y)[0]
            except NoWidget:
                return self._app.screen
        return self._aim()

    def _acts_anywhere(self, event: Typed) -> bool:
        """Whether it is a key such as ctrl+q, which means the same wherever one is."""
        if not isinstance(event, events.Key):
            return False
        return any(binding.priority for binding in self._app._bindings.key_to_bindings.get(event.key, ()))

    def _has_to_wait(self, way: Way) -> bool:
        """Whether an event that acts so waits for those before it that were not waited for."""
        return self._moved != "" and way not in ("mouse", self._moved)

    def _way(self, event: Typed) -> Way:
        """How the event acts, where that concerns the widget it is for and nothing else."""
        widget = self._app.focused
        if isinstance(event, _PASSING):
            return "mouse"
        if not isinstance(event, events.Key) or not isinstance(widget, InPlace):
            return ""
        if event.is_printable and isinstance(widget, Input):
            return "letter"
        active = self._app.screen.active_bindings.get(event.key)
        own = active is not None and active.node is widget
        return "binding" if own and active.binding.action.startswith(widget.IN_PLACE) else ""

    def _picture(self) -> tuple[object, ...]:
        there = self._app.screen_stack
        return (*there, self._app.focused if there else None)

    def _owes(self) -> bool:
        self._owed = [(node, done) for node, done in self._owed if not (done.is_set() or node.is_leaving)]
        return bool(self._owed)


class TurnstileApp(App[Result], inherit_bindings=False):
    """An app whose input passes a turnstile."""

    def __init__(self) -> None:
        super().__init__()
        self.turnstile = Turnstile(self)

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, Typed):
            turned_away = self.turnstile.is_astray if event.is_forwarded else self.turnstile.holds
            if turned_away(event):
                return
        await super().on_event(event)


def turnstile_of(node: DOMNode) -> Turnstile:
    """The turnstile of the app that `node` is in."""
    assert isinstance(node.app, TurnstileApp)
    return node.app.turnstile
