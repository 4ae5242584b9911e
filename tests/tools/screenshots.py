"""Screenshots of every pane, from real sessions: `python -m tests.tools.screenshots [-o DIR] [NAME ...]`.

Drives the app by Textual's pilot, waits for what is to be seen (never for a time), and writes small SVGs,
and PNGs of those that the README shows. Names are the same on every run; pids, ports and times are not.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from inspector.lessons import progress
from inspector.lessons.classroom.ballot import Ballot, BallotBox, Seat
from inspector.lessons.classroom.notes import give_name
from inspector.lessons.classroom.poll import option_words
from inspector.lessons.library import find
from inspector.model.language import ask_for
from inspector.model.packets import Row
from inspector.model.spec import SessionSpec
from inspector.sessions.kinds import resolved
from inspector.tui.app import InspectorApp
from inspector.tui.lessons.screen import LessonScreen
from inspector.tui.lessons.teach import TeachScreen
from inspector.tui.lessons.vote import VoteScreen
from inspector.tui.messages import LessonsAsked, Selection
from inspector.tui.panes.registry import PANES
from inspector.tui.visitor import VisitorApp
from tests.support.captures.traces import DATA, TRACES
from tests.support.screen.live import (
    LARGE,
    SMALL,
    USUAL,
    bench,
    grid,
    running,
    trace,
    until,
    workbench,
)

Steps = Callable[[Pilot[Any]], Awaitable[None]]
CELL = 12.2                      # width of a cell in Textual's SVG
FONT = '"Fira Code", "DejaVu Sans Mono", Menlo, Consolas, monospace'


@dataclass(frozen=True, slots=True)
class Scene:
    """What is to be seen: the app's start, what is done in it, at which sizes and in which themes."""

    name: str
    start: SessionSpec | Path | LessonsAsked | Ballot | None      # a ballot: a learner's side of a vote
    steps: Steps
    sizes: tuple[tuple[int, int], ...] = ((120, 40),)
    themes: tuple[str, ...] = ("textual-dark",)
    pictures: tuple[tuple[int, int], ...] = ()     # sizes of which there is a PNG too
    resumed: int = 0                                # the step at which one goes on with a lesson
    language: str = ""


async def still(pilot: Pilot[Any]) -> None:
    """Wait until nothing moves any more: three looks, a tenth of a second apart, show the same."""
    looks: list[str] = []

    def same() -> bool:
        return len(looks) >= 3 and len(set(looks[-3:])) == 1

    while not same():
        await pilot.pause(0.1)
        looks.append(grid(pilot.app.screen))


def packets(count: int) -> Steps:
    """Wait for so many packets, and for the last call that they bring about."""
    return press(count)


def choose(count: int, row: Row, *keys: str) -> Steps:
    """Wait for packets, choose one, press keys."""

    async def steps(pilot: Pilot[Any]) -> None:
        await packets(count)(pilot)
        bench(pilot).choose(Selection(row=row))
        await still(pilot)
        await pilot.press(*keys)

    return steps


def press(count: int, *keys: str) -> Steps:
    """Wait for packets, press keys."""

    async def steps(pilot: Pilot[Any]) -> None:
        await running(pilot, count)
        await still(pilot)
        await pilot.press(*keys)

    return steps


async def step_through(pilot: Pilot[Any]) -> None:
    """Single-step until the handshake's first packets are there."""
    await workbench(pilot)
    for _ in range(9):
        await until(pilot, lambda: bench(pilot).state.waiting, "an end that waits")
        await pilot.press("s")
        await still(pilot)


async def compose(pilot: Pilot[Any]) -> None:
    """Say something from either end; stay in the composer."""
    await packets(11)(pilot)
    before = trace(pilot).index.count
    await pilot.press("v", *"news from the server", "enter", "escape", "c", *"and from the client")
    await until(pilot, lambda: trace(pilot).index.count > before, "more packets")


async def hold_the_wire(pilot: Pilot[Any]) -> None:
    """Let the handshake pass, a packet at a time; drop what comes then, and see it sent again."""
    await running(pilot, 1)
    for key in "pppd":
        await until(pilot, lambda: trace(pilot).fates.waiting, "a packet that waits")
        decided = trace(pilot).fates.version
        await pilot.press(key)
        await until(pilot, partial(_is_decided, pilot, decided), "what became of it")
    await until(pilot, lambda: trace(pilot).fates.waiting, "the next packet that waits")


def _is_decided(pilot: Pilot[Any], before: int) -> bool:
    return trace(pilot).fates.version > before


async def nothing(pilot: Pilot[Any]) -> None:
    """As it stands."""


def spec(kind: str, **options: Any) -> SessionSpec:
    """An interactive session."""
    return resolved(SessionSpec(kind=kind, interactive=True, **options))


def lesson(name: str, language: str, step: int, *keys: str, sizes: tuple[tuple[int, int], ...] = (USUAL,),
           pictures: tuple[tuple[int, int], ...] = ()) -> Scene:
    """A lesson at one of its steps; a key each that is pressed, and what comes of it waited for."""

    async def steps(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: isinstance(pilot.app.screen, LessonScreen), "the lesson")
        screen = pilot.app.screen
        assert isinstance(screen, LessonScreen)
        await until(pilot, lambda: screen.player.scene and screen.player.place == step, "its step")
        for key in keys:
            await pilot.press(key)
            await until(pilot, lambda: screen.player.record.phase != "running", "what happens")
        pilot.app.clear_notifications()

    asked = LessonsAsked(find(name), language)
    return Scene(f"lesson-{name}-{language}", asked, steps, sizes, pictures=pictures, resumed=step)


def teaching(name: str, language: str, step: int, hands: tuple[str, ...], stop: str = "",
             sizes: tuple[tuple[int, int], ...] = (USUAL,),
             pictures: tuple[tuple[int, int], ...] = ()) -> Scene:
    """A lesson for a class at one of its steps: both rounds with these raised hands, up to the truth.

    `stop`: the stage of the vote at which the picture is taken, "" for when it has happened.
    """

    async def steps(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: isinstance(pilot.app.screen, TeachScreen), "the lesson")
        screen = pilot.app.screen
        assert isinstance(screen, TeachScreen)
        await until(pilot, lambda: screen.player.scene, "its run")
        while screen.player.place < step:
            before = screen.player.place
            await pilot.press("enter" if screen.player.record.phase == "read" else "right")
            await until(pilot, partial(_went_on, screen, before), "the next step")
        for counts in hands:
            await pilot.press("enter")
            for count in counts.split():
                await pilot.press(*count, "enter")
            if screen.poll is not None and screen.poll.stage == stop:
                return
            await pilot.press("enter")
        await pilot.press("enter")
        await until(pilot, lambda: screen.player.record.phase == "over", "what happens")

    asked = LessonsAsked(find(name), language, BallotBox(None))
    return Scene(f"teach-{name}-{language}", asked, steps, sizes, pictures=pictures)


def _went_on(screen: TeachScreen, before: int) -> bool:
    return screen.player.place > before and not screen.player.catching_up


async def vote(pilot: Pilot[Any]) -> None:
    """Give the second answer."""
    await until(pilot, lambda: isinstance(pilot.app.screen, VoteScreen), "the question")
    await until(pilot, lambda: "2  " in grid(pilot.app.screen), "its answers")
    await pilot.press("2", "enter")
    await until(pilot, lambda: "✓" in grid(pilot.app.screen), "that it was taken")


def question(name: str, step: str) -> Ballot:
    """What a learner is asked at a step."""
    asked = find(name)
    found = next(one for one in asked.steps if one.id == step)
    text = asked.text("en")
    return Ballot("one", 1, "open", text.title, text.steps[step].body,
                  tuple(option_words(asked, found, "en").items()))


BOTH = ("textual-dark", "textual-light")
PROTOCOL_ERRORS = DATA / "captures" / "websocket" / "zeek__websocket__wrong-accept-header.pcap"
SEVERAL = DATA / "protocols" / "redis.pcapng"          # conversations
CONNECTIONS = TRACES / "http-connections.pcapng"      # of two, with their system calls
SCENES = [
    Scene("launcher", None, nothing, (SMALL, USUAL), BOTH, pictures=(SMALL,)),
    Scene("help", spec("websocket"), press(11, "question_mark"), (SMALL, USUAL)),
    Scene("workbench-websocket", spec("websocket"), choose(11, Row(7)), (SMALL, USUAL, LARGE), BOTH,
          pictures=(USUAL,)),
    Scene("workbench-tcp", spec("tcp"), packets(9), (SMALL, USUAL, LARGE), pictures=(SMALL,)),
    Scene("workbench-udp", spec("udp"), packets(4)),
    Scene("workbench-http", spec("http"), choose(8, Row(3))),
    Scene("refused-tcp", spec("tcp", with_server=False), packets(2), (SMALL,)),
    Scene("refused-udp", spec("udp", with_server=False), packets(2), (SMALL,)),
    Scene("ladder-tcp", spec("tcp"), press(9, "z"), pictures=(USUAL,)),
    Scene("ladder-step", spec("tcp", paused=True), step_through, (SMALL, USUAL)),
    Scene("wire-tcp", spec("tcp", wire="held"), hold_the_wire, (SMALL, USUAL), BOTH, pictures=(SMALL,)),
    Scene("composer-websocket", spec("websocket"), compose, (SMALL, USUAL)),
    Scene("end-menu", spec("websocket"), press(11, "x"), (SMALL,)),
    Scene("packets-filter", spec("websocket"),
          press(9, "slash", *"tcp.flags.syn == 1 or websocket", "enter"), (SMALL, USUAL)),
    Scene("messages-websocket", spec("websocket"), press(11, "3", "down", "down"), (SMALL, USUAL)),
    Scene("stream-websocket", spec("websocket"), press(11, "4"), (SMALL, USUAL)),
    Scene("handshake-websocket", spec("websocket"), press(11, "5", "z", "pagedown", "pagedown"),
          (SMALL, USUAL), pictures=(USUAL,)),
    Scene("handshake-tcp", spec("tcp"), press(9, "5"), (SMALL,)),
    Scene("sockets-tcp", spec("tcp"), press(9, "6"), (SMALL, USUAL)),
    Scene("detail-websocket", spec("websocket"), choose(11, Row(7), "8", *["down"] * 5), (SMALL, USUAL),
          pictures=(USUAL,)),
    Scene("findings-file", PROTOCOL_ERRORS, press(1, "7"), (SMALL, USUAL)),
    Scene("bytes-websocket", spec("websocket"), choose(11, Row(7), "9", "end"), (SMALL,)),
    Scene("conversations-file", SEVERAL, press(1), (SMALL, USUAL)),
    Scene("compare-file", CONNECTIONS, press(1, "equals_sign", "down", "equals_sign"), (SMALL, USUAL),
          pictures=(USUAL,)),
]
SCENES += [
    Scene("lessons", LessonsAsked(None, "en"), nothing, (SMALL,)),
    Scene("lessons-zh", LessonsAsked(None, "zh"), nothing, (SMALL,)),
    lesson("socket", "zh", 2, "3", "enter"),
    lesson("life", "en", 1, "2", "enter", sizes=(SMALL, USUAL)),
    lesson("handshake", "en", 3),
    lesson("handshake", "zh", 8, "1", "enter", sizes=(SMALL, USUAL)),
    lesson("closing", "zh", 11, "2", "enter", "1", "enter", sizes=(SMALL,)),
    lesson("udp", "en", 5, "3", "enter", pictures=(USUAL,)),
    lesson("loss", "en", 2, "2", "enter"),
    lesson("loss", "zh", 5, "2", "enter", sizes=(SMALL, USUAL)),
    lesson("upgrade", "en", 5),
    lesson("frames", "en", 4, *"55", "enter", pictures=(USUAL,)),
    lesson("names", "zh", 5, *"11", "enter"),
    teaching("closing", "en", 2, ("9 12 3 1", "21 3 0 1"), sizes=(SMALL, USUAL), pictures=(USUAL,)),
    teaching("socket", "zh", 2, ("14 6 5",), "first", sizes=(SMALL,)),
    Scene("vote", question("closing", "first-fin"), vote, (SMALL,)),
]
SCENES += [
    Scene("launcher-zh", None, nothing, (SMALL,), language="zh"),
    Scene("workbench-tcp-zh", spec("tcp"), packets(9), (SMALL, USUAL), pictures=(USUAL,), language="zh"),
    Scene("workbench-websocket-zh", spec("websocket"), choose(11, Row(7)), (USUAL,), language="zh"),
]
SCENES += [                      # a pane that has no picture above gets one
    Scene(f"{pane.id}-websocket", spec("websocket"), choose(11, Row(7), pane.key), (SMALL, USUAL))
    for pane in PANES if not any(scene.name.startswith(f"{pane.id}-") for scene in SCENES)
]


def small(svg: str) -> str:
    """Textual's SVG without fonts from elsewhere, clip paths, and blanks on which viewers disagree."""
    svg = re.sub(r"@font-face\s*{.*?}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: [^;]*;", f"font-family: {FONT};", svg)
    svg = re.sub(r'<clipPath id="[^"]*-line-\d+">.*?</clipPath>', "", svg, flags=re.DOTALL)
    svg = re.sub(r' clip-path="url\([^)]*-line-\d+\)"', "", svg)
    svg = re.sub(r"terminal-\d+-", "t-", svg)
    text = r'(<text [^>]*?)x="([\d.]+)"([^>]*?)textLength="([\d.]+)"([^>]*?)>([^<]*)</text>'
    return re.sub(text, _tight, svg)


def _tight(match: re.Match[str]) -> str:
    start, x, middle, length, end, text = match.groups()
    blank = "&#160;"
    stripped = text
    lead = trail = 0
    while stripped.startswith(blank):
        stripped, lead = stripped[len(blank) :], lead + 1
    while stripped.endswith(blank):
        stripped, trail = stripped[: -len(blank)], trail + 1
    if not stripped:
        return ""
    left, width = float(x) + lead * CELL, float(length) - (lead + trail) * CELL
    return f'{start}x="{left:.1f}"{middle}textLength="{width:.1f}"{end}>{stripped}</text>'


async def take(scene: Scene, size: tuple[int, int], theme: str, directory: Path) -> Path:
    """One screenshot."""
    start = scene.start
    ask_for(scene.language)
    if isinstance(start, LessonsAsked) and start.lesson is not None:
        progress.keep(start.lesson.name, progress.Progress(scene.resumed, len(start.lesson.steps)))
    app = InspectorApp(start=start if isinstance(start, SessionSpec) else None,
                       trace_path=start if isinstance(start, Path) else None,
                       lessons=start if isinstance(start, LessonsAsked) else None)
    if isinstance(start, Ballot):
        app = _learner(start)
    async with app.run_test(size=size) as pilot:
        app.theme = theme
        await pilot.pause()
        await scene.steps(pilot)
        await still(pilot)
        svg = small(app.export_screenshot(title="inspector"))
    light = "-light" if theme.endswith("light") else ""
    path = directory / f"{scene.name}-{size[0]}x{size[1]}{light}.svg"
    path.write_text(svg, encoding="utf-8")
    if size in scene.pictures and not light:
        _draw(svg.replace(FONT, '"DejaVu Sans Mono"'), path.with_suffix(".png"))
    return path


def _learner(asked: Ballot) -> VisitorApp:
    """A learner's app, in a class that is asked this."""
    folder = Path(tempfile.mkdtemp(dir=os.environ["XDG_STATE_HOME"]))
    (folder / "votes").mkdir()
    BallotBox(folder).publish(asked)
    give_name("Ada")                       # what is asked once was asked
    return VisitorApp(None, Seat(folder, "one"))


def _draw(svg: str, path: Path) -> None:
    """Draw a PNG: by rsvg-convert where it is, which finds Chinese in another font; cairo takes the first."""
    if found := shutil.which("rsvg-convert"):
        subprocess.run([found, "-z", "0.8", "-o", str(path)], input=svg.encode(), check=True)
        return
    import cairosvg

    cairosvg.svg2png(bytestring=svg.encode(), write_to=str(path), scale=0.8)


def main() -> None:
    """Take them all, or those whose names are given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parents[2] / "screenshots")
    parser.add_argument("names", nargs="*", help="only scenes of these names")
    arguments = parser.parse_args()
    arguments.output.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as state:
        os.environ["XDG_STATE_HOME"] = os.environ["XDG_CONFIG_HOME"] = state
        for scene in SCENES:
            if arguments.names and scene.name not in arguments.names:
                continue
            for size in scene.sizes:
                for theme in scene.themes:
                    print(asyncio.run(take(scene, size, theme, arguments.output)))


if __name__ == "__main__":
    main()
