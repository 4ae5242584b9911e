"""The options of `inspector run`, made of the kinds of session, and the `SessionSpec` that they describe.

click parses them -> `spec_of` -> a resolved spec, or one sentence where an option means nothing to the kind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from inspector.cli.errors import USAGE, CommandError
from inspector.cli.options.shared import PORT, typed
from inspector.cli.options.together import together
from inspector.model.spec import SessionSpec, SpecError
from inspector.sessions.kinds import NAMES, OPTIONS, REGISTRY, kind_named, kinds_with, resolved
from inspector.sessions.kinds.options import DEFAULTS, WIRE, Option

Function = TypeVar("Function", bound=Callable[..., Any])
WIRE_ACTS = (
    ("drop", "Over a wire that drops these packets: 3 (the third), data:2 (the second with data), "
             "client:syn, server:data:1-3; repeatable."),
    ("double", "Likewise: deliver them twice."),
    ("delay", "Likewise: deliver them a second later."),
    ("swap", "Likewise: deliver them after the next one of the same end."),
)  # fmt: skip
FLAGGED = tuple(option for option in OPTIONS if option.flag)


def session_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a click command with the kind as its argument, and an option for each option of a kind.

    It gets `spec`.
    """
    forms = "".join(f" {kind.title}: {kind.message_help}." for kind in REGISTRY if kind.message_help)
    options = (
        click.option("--hold", is_flag=True,
                     help="Over a wire on which each packet waits for a word on standard input: pass, "
                          "drop, double, delay, swap; or open, for all."),
        *(_click_option(option) for option in reversed(FLAGGED)),
        *(click.option(f"--{act}", f"wire_{act}", metavar="PACKETS", multiple=True, help=about)
          for act, about in reversed(WIRE_ACTS)),
        click.option("--port", type=PORT, metavar="N", help="The server's port."),
        click.option("--message", "messages", metavar="TEXT", multiple=True,
                     help="What the client sends; repeatable. 'hex:00ff' for bytes, 'repeat:100:ab' for a "
                          f"hundred 'ab'.{forms}"),
        click.argument("kind", type=click.Choice(NAMES)),
    )  # fmt: skip
    names = ("kind", "messages", "port", "hold", *(f"wire_{act}" for act, _ in WIRE_ACTS),
             *(option.field for option in FLAGGED))
    decorated: Callable[..., Any] = together("spec", spec_of, options, names)(function)
    return decorated


def spec_of(
    *, kind: str, messages: tuple[str, ...], port: int | None, hold: bool, **options: Any
) -> SessionSpec:
    """The session that the options describe, each by its field; CommandError where there can be none.

    `hold`: its wire is held.
    """
    try:
        asked = kind_named(kind)
        chosen: dict[str, Any] = {}
        for option in FLAGGED:
            value = options[option.field]
            if option.is_switch:
                value = option.values[bool(value)].value
            if value != DEFAULTS[option.field] and option not in asked.options:
                others = _titles(option)
                raise CommandError(f"{option.flag} means nothing to {asked.title}; it is for {others}.",
                                   USAGE)
            chosen[option.field] = typed(value, str(option.flag)) if isinstance(value, str) else value
        rules = tuple(f"{act}:{packets}" for act, _ in WIRE_ACTS for packets in options[f"wire_{act}"])
        if (rules or hold) and WIRE not in asked.options:
            flag = f"--{rules[0].partition(':')[0]}" if rules else "--hold"
            raise CommandError(f"{flag} means nothing to {asked.title}; it is for {_titles(WIRE)}.", USAGE)
        sent = tuple(typed(one, "--message") for one in messages) or None
        if hold:
            chosen["wire"] = "held"
        return resolved(SessionSpec(kind=asked.name, messages=sent, port=port or 0,
                                    wire_rules=rules or None, **chosen))
    except SpecError as error:
        raise CommandError(str(error), USAGE) from error


def _click_option(option: Option) -> Callable[[Function], Function]:
    few = len(kinds_with(option)) <= len(REGISTRY) // 2
    about = f"{_titles(option)}: {option.help}" if few else option.help[:1].upper() + option.help[1:]
    if option.is_switch:
        return click.option(option.flag, option.field, is_flag=True, help=about)
    default = DEFAULTS[option.field]
    if option.values:
        choices = click.Choice([value.name for value in option.values])
        return click.option(option.flag, option.field, type=choices, default=default, show_default=True,
                            help=about)  # fmt: skip
    return click.option(option.flag, option.field, type=type(default), default=default,
                        show_default=bool(default), metavar="TEXT" if isinstance(default, str) else "N",
                        help=about)  # fmt: skip


def _titles(option: Option) -> str:
    return ", ".join(kind.title for kind in kinds_with(option))
