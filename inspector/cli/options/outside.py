"""The options that let lab and host reach each other: `--publish` and `--reach`, as an `Outside`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from inspector.cli.errors import USAGE, CommandError
from inspector.cli.options.together import together

if TYPE_CHECKING:
    from inspector.lab.options import Outside

Function = TypeVar("Function", bound=Callable[..., Any])


def outside_of(*, publish: tuple[str, ...], reach: tuple[str, ...], net: bool) -> Outside:
    """What these options say; CommandError where one is wrong."""
    from inspector.lab.network.names import PORT, resolvers  # here and below: help is to be instant
    from inspector.lab.options import Outside

    pairs = tuple(_published(text) for text in publish if text != "all")
    asked = [one for one in resolvers() if not net or one.startswith("127.")]    # the others are out there
    names = tuple((one, one, PORT) for one in asked) if publish or reach or net else ()
    return Outside("all" if "all" in publish else pairs, tuple(map(_reached, reach)), names=names, net=net)


outside_options = together("outside", outside_of, (
    click.option("--net", is_flag=True,
                 help="The whole outside world for the program, by pasta or slirp4netns; all interfaces "
                      "of the lab are captured then."),
    click.option("--reach", metavar="[HOST:]PORT", multiple=True,
                 help="Let the program reach this port of the machine's own network, at 127.0.0.1:PORT "
                      "and at the addresses of HOST; names are resolved then; repeatable."),
    click.option("--publish", metavar="[HOST_PORT:]PORT|all", multiple=True,
                 help="Make the program's TCP port reachable on this machine's 127.0.0.1 as soon as it "
                      "listens; repeatable."),
), ("publish", "reach", "net"))  # fmt: skip
"""Decorate a click command with both: it gets `outside`."""


def pair_of(text: str, where: str = "") -> tuple[int, int]:
    """`8001:8000` as two ports; CommandError where it is none. `where`: the option that says so."""
    first, colon, second = text.partition(":")
    if not colon:
        raise CommandError(f"{text!r} is no pair of ports like 8001:8000.", USAGE)
    return port_of(first, text, where), port_of(second, text, where)


def port_of(text: str, whole: str, where: str = "") -> int:
    """A port; CommandError where it is none."""
    if text.isascii() and text.isdigit() and 0 < int(text[:6]) < 1 << 16:
        return int(text)
    part = f"{whole!r}: " if text != whole else ""
    raise CommandError(f"{where and f'{where}: '}{part}{text!r} is no port (1 to 65535).", USAGE)


def _published(text: str) -> tuple[int, int]:
    if ":" in text:
        outside, inside = pair_of(text, "--publish")
        return inside, outside
    return port_of(text, text, "--publish"), port_of(text, text, "--publish")


def _reached(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if colon and not host:
        raise CommandError(f"--reach: {text!r} has no host before its colon.", USAGE)
    return host.strip("[]") or "127.0.0.1", port_of(port, text, "--reach")
