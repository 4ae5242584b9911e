"""What is said by hand: again as it was or edited, again and again, and remembered for another time."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from inspector.model.commands import Send
from inspector.model.messages import Message
from inspector.model.packets import Row
from inspector.sessions.kinds import REGISTRY, kind_named
from inspector.sessions.kinds.kind import Kind
from inspector.tui.messages import Selection
from inspector.tui.panes.ladder import LadderPane
from inspector.tui.widgets.composer import Composer
from inspector.tui.widgets.prompt import PromptScreen
from inspector.views.handing.sent import NothingSentError, sent_at
from tests.support.captures.websocket import CLEAN, CLIENT, SERVER, exchange, traced
from tests.support.running.lab import needs_lab
from tests.support.screen.live import (
    bench,
    grid,
    session,
    trace,
    until,
    until_drawn,
)
from tests.support.tiers import thorough

pytestmark = needs_lab


@thorough
async def test_a_line_is_said_again_and_again_until_the_key_ends_it() -> None:
    async with session("tcp", messages=(), behaviour="silent") as pilot:
        await until_drawn(pilot, "recv() …")
        line = bench(pilot).query_one("#composer-client", Composer)
        await pilot.press("c", *"tick", "ctrl+r")
        await until(pilot, lambda: isinstance(pilot.app.screen, PromptScreen), "the question")
        for text in ("", "0", "-1", "nan", "1e999", "x\x1b"):
            pilot.app.screen.query_one(Input).value = text
            await pilot.press("enter")
            await until(pilot, lambda: pilot.app.screen.query(".hint.-wrong"), "a refusal")
        pilot.app.screen.query_one(Input).value = "0.02"
        await pilot.press("enter")
        await until(pilot, lambda: messages_sent(pilot) >= 4, "four of them")
        assert "every 0.02 s" in str(line.query_one(".form").render())
        await pilot.press("ctrl+r")
        await until(pilot, lambda: line.repeats is None, "the end of it")


async def test_what_one_says_is_seen_though_another_packet_is_chosen() -> None:
    async with session("tcp", (80, 24), messages=()) as pilot:
        await until_drawn(pilot, "recv() …")
        screen = bench(pilot)
        lines = screen.query_one(LadderPane).lines
        await pilot.press("home")
        screen.query_one("#composer-server", Composer).post_message(
            Composer.Composed(Send(Message(b"unasked"), "server")))
        await until(pilot, lambda: lines.unseen, "lines out of sight")
        assert "new  G" in grid(screen)
        await pilot.press("c", *"seen")
        await until(pilot, lambda: "new  G" not in grid(screen), "no key that types a letter")
        assert "new" in grid(screen)
        await pilot.press("enter")
        await until(pilot, lambda: '"seen"' in grid(screen), "what was said")


def messages_sent(pilot: Pilot[Any]) -> int:
    return sum(call.name == "send" for call in trace(pilot).calls)


async def test_an_earlier_message_is_edited_and_said_again() -> None:
    async with session("websocket", messages=()) as pilot:
        await until_drawn(pilot, "101 Switching")
        await pilot.press("c", *"hello", "enter", "escape")
        await until_drawn(pilot, '"hello"')
        rows = [row for row in range(trace(pilot).index.count)
                if '"hello"' in trace(pilot).application(0).info(Row(row))]
        bench(pilot).choose(Selection(row=Row(rows[0])))
        await pilot.press("E")
        line = bench(pilot).query_one("#composer-client", Composer).input
        await until(pilot, lambda: line.value == "hello", "the message in the line")
        await pilot.press(*" again", "enter")
        await until_drawn(pilot, '"hello again"')


@thorough
async def test_what_was_said_is_there_in_the_next_session() -> None:
    async with session("tcp", messages=(), behaviour="silent") as pilot:
        await until_drawn(pilot, "recv() …")
        await pilot.press("c", *"once", "enter", *"twice", "enter")
        await until(pilot, lambda: messages_sent(pilot) == 2, "both")
    async with session("tcp", messages=(), behaviour="silent") as pilot:
        await until_drawn(pilot, "recv() …")
        line = bench(pilot).query_one("#composer-client", Composer).input
        await pilot.press("c", "up", "up")
        assert line.value == "once"


def test_a_packet_says_what_its_composer_would_take() -> None:
    with traced(exchange(*CLEAN, end="F")) as found:
        texts = {}
        for row in range(found.index.count):
            try:
                message, by_client = sent_at(found, Row(row))
            except NothingSentError:
                continue
            typed = kind_named("websocket").typed(message)
            texts[message.data] = by_client, None if typed is None else (typed[0].name, typed[1])
    assert texts[b"hello"][1] == ("text", "hello") and texts[b"\0\1"] == (True, ("binary", "00 01"))
    assert any(text.startswith(b"GET /chat -H ") for text in texts)


def test_a_request_is_typed_with_its_headers_and_its_body() -> None:
    post = b"POST /echo HTTP/1.1\r\nHost: x\r\nX-Key: a \"b\"\r\nContent-Length: 5\r\n\r\nhello"
    with traced(exchange((CLIENT, post), (SERVER, b"HTTP/1.1 204 No\r\n\r\n"))) as found:
        message, by_client = sent_at(found, Row(3))
    typed = kind_named("http").typed(message)
    assert by_client and typed is not None and typed[1] == \
        r'POST /echo -H "Host: x" -H "X-Key: a \"b\"" hello'


@pytest.mark.parametrize("kind", REGISTRY, ids=lambda kind: kind.name)
def test_every_form_has_a_text_for_what_it_reads(kind: Kind) -> None:
    for form in kind.forms:
        message = form.read(form.example)
        typed = kind.typed(message)
        assert typed is not None and typed[0].read(typed[1]) == message
