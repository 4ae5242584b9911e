"""Every kind in the registry: its key starts it, something can be said in it, the command runs it.

A kind that is registered and cannot be used somewhere fails here, not in the running app.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widgets import Static

from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import LAUNCHED, NAMES, OPTIONS, REGISTRY, kind_named, resolved
from inspector.sessions.kinds.kind import LINES, Kind
from inspector.tui.launcher.screen import LauncherScreen
from inspector.tui.widgets.composer import Composer
from inspector.tui.widgets.prompt import MenuScreen
from inspector.tui.widgets.title_bar import TitleBar
from inspector.tui.workbench.control import ending_items
from tests.support.running.commands import inspector
from tests.support.running.lab import needs_lab
from tests.support.screen.live import QuietApp, bench, running, toasts, trace, until
from tests.support.tiers import sweep

every_kind = pytest.mark.parametrize("kind", REGISTRY, ids=NAMES)


def test_names_keys_and_ports_are_each_ones_own() -> None:
    keys = [kind.key for kind in LAUNCHED] + [option.key for option in OPTIONS if option.key]
    bound = [binding.key for binding in LauncherScreen.BINDINGS if isinstance(binding, Binding)]
    for own in (NAMES, keys, bound, [kind.port for kind in REGISTRY], [option.field for option in OPTIONS]):
        assert len(set(own)) == len(own)


@every_kind
def test_it_has_words_for_people(kind: Kind) -> None:
    assert kind.title and kind.about, "the launcher shows both"
    assert not kind.about.endswith("."), "it is no sentence, as the others are none"
    assert kind.forms and kind.endings, "a composer and a menu are made of them"


@every_kind
def test_what_a_kind_offers_is_what_it_takes(kind: Kind) -> None:
    for behaviour in ("echo", "push", "silent"):
        spec = resolved(SessionSpec(kind=kind.name, behaviour=behaviour))
        assert spec.port == kind.port
        assert spec.messages or (behaviour == "push" and kind.messages_for_push == ())
    for form in kind.forms:
        assert form.read(form.example).data
    assert len({form.name for form in kind.forms}) == len(kind.forms)
    assert len({ending.key for ending in kind.endings}) == len(kind.endings)


@every_kind
def test_a_server_that_is_not_ours_is_not_offered_to_be_closed(kind: Kind) -> None:
    own = SessionSpec(kind=kind.name)
    ours = kind.endings_of(own)
    assert ours == kind.endings and any(one.command.to == "server" for one in ours)
    for spec in (replace(own, to="127.0.0.1:9"), replace(own, with_server=False)):
        offered = kind.endings_of(spec)
        assert offered and not any(one.command.to == "server" for one in offered)
        assert [one.key for one in ending_items(offered)] == [one.key for one in offered]


def test_lines_are_sent_with_the_end_that_most_protocols_want() -> None:
    for typed, data in (("PING", b"PING\r\n"), ("a\nb", b"a\r\nb\r\n"), ("a\r\nb\r\n", b"a\r\nb\r\n"),
                        ("", b"\r\n")):
        assert LINES.read(typed).data == data
    assert LINES in kind_named("tcp").forms and kind_named("tcp").forms.index(LINES) == 2


def sent(pilot: Pilot[Any]) -> int:
    """How many times the client's program has sent something."""
    names = ("send", "sendto")
    return sum(call.role == "client" and call.name in names for call in trace(pilot).calls)


async def send_line(pilot: Pilot[Any], text: str) -> None:
    """Send by the client's composer; again where the script was not yet so far, which is said in a toast."""
    for _ in range(20):
        if await is_sent(pilot, text):
            return
    raise AssertionError(f"{text!r} was never sent")


async def is_sent(pilot: Pilot[Any], text: str) -> bool:
    """Try to send; False where the answer is a toast."""
    pilot.app.clear_notifications()                # a sentence that stands there is not shown again
    calls, toasts_before = sent(pilot), len(toasts(pilot))
    bench(pilot).query_one("#composer-client", Composer).input.value = text
    await pilot.press("enter")

    def answered() -> bool:
        return sent(pilot) > calls or len(toasts(pilot)) > toasts_before

    await until(pilot, answered, f"{text!r} on its way, or a toast")
    return sent(pilot) > calls


@needs_lab
@sweep("kind", LAUNCHED, lambda kind: kind.name == "websocket", ids=[kind.name for kind in LAUNCHED])
async def test_its_key_starts_it_and_each_form_can_be_sent(kind: Kind) -> None:
    app = QuietApp()
    async with app.run_test(size=(120, 40)) as pilot:
        assert kind.title in str(app.screen.query_one(f"#kind-{kind.name}", Static).render())
        await pilot.press(kind.key)
        await running(pilot, 2)
        assert bench(pilot).query_one(TitleBar).facts.name == kind.title
        await pilot.press("x")
        assert isinstance(app.screen, MenuScreen)
        await pilot.press("escape", "c")
        await until(pilot, lambda: sent(pilot) >= len(kind.messages), "all messages of the script")
        for form in kind.forms:
            await send_line(pilot, form.example)
            await pilot.press("ctrl+t")
        assert not [note.message for note in app.toasts if note.severity == "error"]


@needs_lab
@sweep("kind", REGISTRY, lambda kind: kind.name == "udp", ids=NAMES)
def test_the_command_runs_it(kind: Kind) -> None:
    if sentence := kind.lacking():
        pytest.skip(sentence)
    done = inspector("run", kind.name)
    assert done.returncode == 0, done.stderr
    assert "0 dropped" in done.stdout
