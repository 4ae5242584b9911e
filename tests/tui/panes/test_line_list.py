"""The list of any length: what it asks for, how it scrolls, follows, chooses and jumps."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region

from inspector.tui.widgets.line_list import LineList
from inspector.tui.widgets.painter import Head
from inspector.views.line.spans import Line, Span, fit
from tests.support.screen.live import idle, until


@dataclass
class Numbers:
    """A provider of numbered lines that remembers which it was asked for."""

    count: int
    asked: set[int] = field(default_factory=set)

    def line(self, index: int, width: int) -> Line:
        self.asked.add(index)
        return (Span(fit(f"line {index}", width), "data"),)

    def target(self, index: int) -> int:
        return index


class ListApp(App[None]):
    CSS_PATH = None

    def __init__(self, numbers: Numbers, follow: bool = False) -> None:
        super().__init__()
        self.numbers, self.follow = numbers, follow
        self.messages: list[tuple[str, int]] = []

    def compose(self) -> ComposeResult:
        yield LineList(self.numbers, follow=self.follow)

    @property
    def list(self) -> LineList:
        return self.query_one(LineList)

    def on_line_list_line_chosen(self, message: LineList.LineChosen) -> None:
        self.messages.append(("chosen", message.index))

    def on_line_list_line_opened(self, message: LineList.LineOpened) -> None:
        self.messages.append(("opened", message.index))

    def text(self, y: int) -> str:
        return self.list.render_line(y).text[len(LineList.SIGN) :].rstrip()


async def test_only_whatis_seen_is_asked_for() -> None:
    numbers = Numbers(5_000_000)
    app = ListApp(numbers)
    async with app.run_test(size=(40, 20)) as pilot:
        await idle(pilot)
        assert app.text(0) == "line 0"
        await pilot.press("end")
        assert app.text(19) == "line 4999999"
        app.list.go_to(1_234_567)
        await idle(pilot)
        assert "line 1234567" in [app.text(y) for y in range(20)]
        assert len(numbers.asked) < 200


@pytest.mark.parametrize(("keys", "cursor"), [
    (["down"], 0), (["down", "down"], 1), (["j", "j", "k"], 0), (["end"], 99), (["G"], 99),
    (["end", "up"], 98),
    (["end", "g"], 0), (["down", "pagedown"], 9), (["end", "pageup"], 90), (["end", "down", "down"], 99),
    (["home", "up"], 0),
])
async def test_keys_move_the_cursor_within_bounds(keys: list[str], cursor: int) -> None:
    app = ListApp(Numbers(100))
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.press(*keys)
        assert app.list.cursor == cursor
        assert app.messages[-1] == ("chosen", cursor)
        top = round(app.list.scroll_y)
        assert top <= cursor < top + 10


async def test_it_follows_until_one_scrolls_up_and_follows_again_at_the_end() -> None:
    numbers = Numbers(50)
    app = ListApp(numbers, follow=True)
    async with app.run_test(size=(40, 10)) as pilot:
        await idle(pilot)
        assert app.text(9) == "line 49"
        numbers.count = 70
        app.list.refill()
        await idle(pilot)
        assert app.text(9) == "line 69"
        app.list.scroll_relative(y=-3, animate=False)
        await idle(pilot)
        assert not app.list.following
        numbers.count = 82
        app.list.refill()
        await idle(pilot)
        assert app.list.unseen == 12
        assert app.text(8) == "line 65"
        assert app.text(9).startswith("line 66")
        assert app.text(9).endswith("▼ 12 new  G")
        await pilot.press("G")
        assert app.list.following
        assert app.list.unseen == 0
        assert app.text(9) == "line 81"


async def test_who_has_the_last_line_in_sight_has_seen_all_however_it_came_there() -> None:
    numbers = Numbers(30)
    app = ListApp(numbers, follow=True)
    async with app.run_test(size=(40, 10)) as pilot:
        for moved in (lambda: app.list.choose(59), lambda: app.list.scroll_to_line(59),
                      lambda: app.list.go_to(59), lambda: pilot.resize_terminal(40, 80)):
            app.list.go_to(0)
            numbers.count = 30
            app.list.refill(news=False)
            numbers.count = 60
            app.list.refill()
            await until(pilot, lambda: app.list.unseen == 30, "lines below")
            coming = moved()
            if coming is not None:
                await coming
            await until(pilot, lambda: app.list.unseen == 0, "nothing new below what is seen")
            assert not app.list.following
            numbers.count = 90
            app.list.refill()
            await until(pilot, lambda: app.list.unseen == 30, "what came since")


async def test_a_click_chooses_and_a_double_click_opens() -> None:
    app = ListApp(Numbers(50), follow=True)
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.click(LineList, offset=(3, 4))
        assert app.messages == [("chosen", 44)]
        assert not app.list.following
        await pilot.click(LineList, offset=(3, 4), times=2)
        assert app.messages[-1] == ("opened", 44)
        await pilot.press("enter")
        assert app.messages[-1] == ("opened", 44)


async def test_a_choice_made_elsewhere_is_shown_without_a_message() -> None:
    app = ListApp(Numbers(1000))
    async with app.run_test(size=(40, 10)) as pilot:
        app.list.choose(500)
        await idle(pilot)
        assert app.list.cursor == 500
        assert "line 500" in [app.text(y) for y in range(10)]
        assert app.messages == []


async def test_a_list_that_shrinks_keeps_its_place_in_bounds() -> None:
    numbers = Numbers(1000)
    app = ListApp(numbers)
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.press("end")
        numbers.count = 5
        app.list.refill()
        await idle(pilot)
        assert app.list.cursor == 4
        assert app.text(0) == "line 0"
        assert app.text(5) == ""
        numbers.count = 0
        app.list.refill()
        await pilot.press("down", "end", "enter")
        assert app.list.cursor is None


async def test_resizing_keeps_the_cursor_in_sight() -> None:
    app = ListApp(Numbers(1000))
    async with app.run_test(size=(40, 30)) as pilot:
        app.list.go_to(29)
        await idle(pilot)
        await pilot.resize_terminal(40, 8)
        await idle(pilot)
        assert "line 29" in [app.text(y) for y in range(8)]


async def test_more_room_and_less_keep_a_list_that_follows_at_its_end() -> None:
    app = ListApp(Numbers(50), follow=True)
    async with app.run_test(size=(40, 10)) as pilot:
        await until(pilot, lambda: app.text(9) == "line 49", "the end")
        for height in (14, 8, 20, 10):
            await pilot.resize_terminal(40, height)
            await until(pilot, lambda: app.text(app.size.height - 1) == "line 49", "the end again")
            assert app.list.following


async def test_more_room_does_not_make_a_list_follow_that_did_not() -> None:
    numbers = Numbers(30)
    app = ListApp(numbers, follow=True)
    async with app.run_test(size=(40, 10)) as pilot:
        app.list.go_to(25)
        await pilot.resize_terminal(40, 40)
        await until(pilot, lambda: app.text(0) == "line 0", "all lines at once")
        await pilot.resize_terminal(40, 10)
        await idle(pilot)
        assert not app.list.following
        numbers.count = 90
        app.list.refill()
        await until(pilot, lambda: "line 25" in [app.text(y) for y in range(10)], "the chosen line")
        assert app.list.unseen == 60
        app.list.scroll_end(animate=False)
        await until(pilot, lambda: app.list.following, "a list at its end")


async def test_what_was_chosen_elsewhere_is_brought_into_sight_of_a_list_that_follows() -> None:
    app = ListApp(Numbers(50), follow=True)
    async with app.run_test(size=(40, 10)) as pilot:
        await until(pilot, lambda: app.text(9) == "line 49", "the end")
        app.list.choose(48)
        assert app.list.following                  # it is seen where the list stands
        app.list.choose(20)
        await until(pilot, lambda: "line 20" in [app.text(y) for y in range(10)], "line 20")
        assert not app.list.following
        app.list.action_end()
        app.list.choose(21, go=False)              # the same one, with a line more above it
        assert app.list.following and app.list.cursor == 21


async def test_lines_that_changed_are_drawn_though_more_are_below() -> None:
    numbers = Numbers(100)
    app = ListApp(numbers)
    async with app.run_test(size=(40, 20)) as pilot:
        await idle(pilot)
        assert app.text(3) == "line 3"
        numbers.asked.clear()
        app.list.refill(news=False, below=True)
        app.text(3)
        assert not numbers.asked                         # lines came at the end alone
        app.list.refill(news=False)
        app.text(3)
        assert 3 in numbers.asked


@dataclass
class Named(Numbers):
    """A provider whose lines have names, which may change."""

    names: dict[int, str] = field(default_factory=dict)

    def line(self, index: int, width: int) -> Line:
        return (Span(fit(self.names.get(index, f"line {index}"), width), "data"),)


async def test_what_stands_as_it_did_is_not_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of a live trace says that there may be something new, and mostly it is one line."""
    numbers = Named(10)
    app = ListApp(numbers)
    async with app.run_test(size=(40, 20)) as pilot:
        await idle(pilot)
        drawn: list[tuple[Region, ...]] = []
        monkeypatch.setattr(app.list, "refresh", lambda *regions, **options: drawn.append(regions))
        app.list.refill()
        assert drawn == []
        numbers.names[3] = "another one"
        numbers.count = 11
        app.list.refill()
        width = app.list.size.width
        assert drawn == [(Region(0, 3, width, 1), Region(0, 10, width, 1))]


async def test_a_head_that_says_the_same_is_not_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[Line] = [(Span("one"),), (Span("two"),)]
    made: list[int] = []

    def head(width: int) -> list[Line]:
        made.append(width)
        return list(lines)

    class HeadApp(App[None]):
        def compose(self) -> ComposeResult:
            yield Head(head)

    app = HeadApp()
    async with app.run_test(size=(40, 20)) as pilot:
        await idle(pilot)
        widget, drawn = app.query_one(Head), []
        refresh = widget.refresh
        monkeypatch.setattr(widget, "refresh", lambda *regions, **options: drawn.append(refresh(**options)))
        widget.again()
        assert not drawn
        lines[1] = (Span("three"),)
        made.clear()
        widget.again()
        await idle(pilot)
        assert len(drawn) == 1 and len(made) == 1         # once, and not again for each of its lines
        assert widget.render_line(1).text.rstrip() == "three"
