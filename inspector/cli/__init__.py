"""The `inspector` command: its group, made of the list in `commands/`, and how the process ends.

Results go to stdout, words about them to stderr; exit statuses are those of `cli/errors.py`.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
from typing import Any, NoReturn

import click

from inspector import __version__
from inspector.cli.commands import COMMANDS
from inspector.cli.errors import INTERRUPTED, USAGE, CommandError, end_at_once, end_in_order, ended
from inspector.cli.output import prepare_output
from inspector.model.language import LANGUAGES, ask_for

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Commands(click.Group):
    """The group; it lists its commands in the order of `COMMANDS`, and loads the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order in which help shows them."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the words name, in place of its entry in the list, and the words after it."""
        name, found, rest = super().resolve_command(ctx, args)
        loaded = next((entry.load() for entry in COMMANDS if found and entry.name == found.name), None)
        return name, loaded, rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run what was asked for; ctrl+c is a way to end."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:                  # here, before click prints an empty line for it
            raise CommandError("Interrupted.", INTERRUPTED) from None


def _language(ctx: click.Context, param: click.Parameter, chosen: str | None) -> None:
    if chosen is not None:
        ask_for(chosen)


_LISTED = [click.Command(entry.name, short_help=entry.about) for entry in COMMANDS]


@click.group(cls=Commands, invoke_without_command=True, context_settings=CONTEXT, commands=_LISTED)
@click.option("--lang", type=click.Choice(LANGUAGES), callback=_language, expose_value=False,
              help="The language of the screens: en or zh; else the one chosen last in the app, else the"
                   " locale's.")
@click.version_option(__version__, prog_name="inspector")
@click.pass_context
def commands(context: click.Context) -> int:
    """See what a socket is: live sessions, their system calls and their packets in one picture.

    Without a command, the app opens on its launcher.
    """
    if context.invoked_subcommand is not None:
        return 0
    from inspector.cli.app import open_launcher  # here: it brings Textual, for which help would wait

    return open_launcher()


def main() -> NoReturn:
    """The `inspector` command: output made safe, the command run, its exit status passed on."""
    prepare_output()
    _leave(ended(_run))


def _run() -> int:
    end_in_order()
    try:
        status = commands.main(standalone_mode=False)
    except click.UsageError as error:
        # An option without its word is told without a context: the command is the first word then.
        named = next((entry.name for entry in COMMANDS if sys.argv[1:2] == [entry.name]), "")
        command = error.ctx.command_path if error.ctx else f"inspector {named}".rstrip()
        message = " ".join(error.format_message().split())
        raise CommandError(f"{message}  ('{command} --help' shows the way.)", USAGE) from error
    except click.ClickException as error:
        raise CommandError(error.format_message(), USAGE) from error
    except click.Abort:
        raise CommandError("Interrupted.", INTERRUPTED) from None
    sys.stdout.flush()
    return status if isinstance(status, int) else 0


def _leave(status: int) -> NoReturn:
    """End the process; all that it started and wrote has been ended and closed by its command."""
    end_at_once()
    gc.freeze()          # Python would look for garbage among all there is, three times over, which goes now
    if any(not thread.daemon and thread is not threading.main_thread() for thread in threading.enumerate()):
        # When the terminal was closed, Textual's thread that reads it never ends, and would be waited for.
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        from inspector.sessions import temporary  # here: help is to be instant

        temporary.give_back_all()
        os._exit(status)
    sys.exit(status)
