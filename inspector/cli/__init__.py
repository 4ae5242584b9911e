"""The commands, their options and help. Each imports what it needs when it runs, so help is instant.

Results go to stdout, words about them to stderr; exit statuses are those of `cli/errors.py`.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import Any, NoReturn

import click

from inspector import __version__
from inspector.cli.errors import USAGE, guarded, say
from inspector.cli.session_options import session_options

WHAT = ("packets", "conversations", "websocket", "http", "syscalls", "findings")
PORT = click.IntRange(1, 65535)
OUTPUT = click.Path(dir_okay=False, readable=False)
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(invoke_without_command=True, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="inspector")
@click.pass_context
def commands(context: click.Context) -> int:
    """See what a socket is: live sessions, their system calls and their packets in one picture.

    Without a command, the app opens on its launcher.
    """
    if context.invoked_subcommand is not None:
        return 0

    def action() -> int:
        from inspector.cli.app import open_launcher

        return open_launcher()

    return guarded(action)


@commands.command()
@session_options
@click.option("--raw", is_flag=True, help="Raw sequence numbers in the ladder, not relative ones.")
@click.option("--save", type=OUTPUT, metavar="FILE.pcapng", help="Keep the trace.")
@click.option("--json", "as_json", is_flag=True, help="Events as JSON lines instead of the ladder.")
def run(**options: Any) -> int:
    """Run a session in the lab and print its ladder: system calls and packets together, as it happens.

    Exit status 0 when the session ended as asked, 1 when it did not.
    """
    def action() -> int:
        from inspector.cli.run import run_session

        return run_session(**options)

    return guarded(action)


@commands.command(name="open")
@click.argument("file", metavar="FILE|-")
def open_(file: str) -> int:
    """Open a capture in the app: pcap or pcapng, also .gz and .zst; one that grows is followed."""
    def action() -> int:
        from inspector.cli.app import open_file

        return open_file(file)

    return guarded(action)


@commands.command()
@click.argument("ports", metavar="[PORT ...]", nargs=-1, type=PORT)
def watch(ports: tuple[int, ...]) -> int:
    """Open the app on this machine's own loopback, on these ports or all.

    Needs root, CAP_NET_RAW, or a user who may run dumpcap.
    """
    def action() -> int:
        from inspector.cli.app import watch_ports

        return watch_ports(ports)

    return guarded(action)


@commands.command()
@click.argument("file", metavar="FILE|-")
@click.option("--json", "what", metavar="WHAT", required=True,
              type=click.Choice(WHAT), help=f"{', '.join(WHAT[:-1])} or {WHAT[-1]}.")
@click.option("--filter", "expression", metavar="EXPR",
              help="Only what this display filter (a part of Wireshark's language) lets through.")
@click.option("--fail-on", type=click.Choice(["note", "warning", "error"]),
              help="findings: exit with status 1 when one of this severity or a graver one is there.")
def decode(file: str, what: str, expression: str | None, fail_on: str | None) -> int:
    """Print what a capture holds, one JSON object a line."""
    def action() -> int:
        from inspector.cli.decode import decode_file

        return decode_file(file, what, expression, fail_on)

    return guarded(action)


class WithProgram(click.Command):
    """A command line with a program after `--`: its words reach the callback as `program`, untouched."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        program: list[str] = []
        if "--" in args:
            cut = args.index("--")
            args, program = args[:cut], args[cut + 1 :]
        rest = super().parse_args(ctx, args)
        ctx.params["program"] = tuple(program)
        return rest


@commands.command(cls=WithProgram, options_metavar="[OPTIONS] [-- CMD ...]")
@click.argument("ports", metavar="[PORT ...]", nargs=-1, type=PORT)
@click.option("-o", "--output", metavar="FILE", required=True, type=OUTPUT,
              help="The pcapng file to write.")
@click.option("--lab", is_flag=True, help="Run CMD in a private loopback and record that; needs no root.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), metavar="N",
              help="Stop after N seconds.")
@click.option("--snaplen", type=click.IntRange(1, 262144), metavar="N",
              help="Keep the first N bytes of each packet.")
@click.option("--max-size", metavar="SIZE", help="Stop when the file has this size, such as 500M or 2G.")
@click.option("--capture-filter", metavar="BPF", help="Any BPF expression; needs libpcap on this machine.")
def record(**options: Any) -> int:
    """Record loopback traffic to a file, without the app.

    On this machine's own loopback (root, CAP_NET_RAW, or a user who may run dumpcap), on these ports or
    all; or in the lab around a program:  inspector record -o FILE --lab -- CMD ...
    (any user; the program's exit status is passed on).
    """
    def action() -> int:
        from inspector.cli.record import record_traffic

        return record_traffic(**options)

    return guarded(action)


@commands.command(name="exec", cls=WithProgram, options_metavar="[OPTIONS] -- CMD ...")
@click.option("--save", type=OUTPUT, metavar="FILE.pcapng", help="Keep the trace.")
@click.option("--json", "what", metavar="WHAT", type=click.Choice(WHAT),
              help=f"Print {', '.join(WHAT[:-1])} or {WHAT[-1]} as JSON lines when it ends.")
def exec_(program: tuple[str, ...], save: str | None, what: str | None) -> int:
    """Run a program in the lab and look at what it said on its loopback; its exit status is passed on.

    Without --save or --json the app opens on the trace when the program ends, or the ladder is printed
    where there is no terminal.
    """
    def action() -> int:
        from inspector.cli.exec import execute

        return execute(program, save, what)

    return guarded(action)


@commands.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def doctor(as_json: bool) -> int:
    """Say what works here, what does not, and the command that mends it."""
    def action() -> int:
        from inspector.cli.doctor import examine

        return examine(as_json)

    return guarded(action)


def main() -> NoReturn:
    """The `inspector` command."""
    try:
        status = commands.main(standalone_mode=False)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "inspector"
        message = " ".join(error.format_message().split())
        say(f"{message}  ('{command} --help' shows the way.)")
        status = USAGE
    except click.ClickException as error:
        say(error.format_message())
        status = USAGE
    except (click.Abort, KeyboardInterrupt):
        say("Interrupted.")
        status = 130
    _leave(status if isinstance(status, int) else 0)


def _leave(status: int) -> NoReturn:
    """End the process; all that it started and wrote has been ended and closed by its command."""
    if any(not thread.daemon and thread is not threading.main_thread() for thread in threading.enumerate()):
        # When the terminal was closed, Textual's thread that reads it never ends, and would be waited for.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)
    sys.exit(status)
