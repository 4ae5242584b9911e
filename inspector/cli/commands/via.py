"""`inspector via`: watch a service of this machine without any privilege, by a relay through the lab."""

from __future__ import annotations

import click

from inspector.cli.errors import USAGE, CommandError
from inspector.cli.options.outside import pair_of
from inspector.cli.options.shared import SCREEN_LANG, reading_options


@click.command("via")
@click.argument("pairs", metavar="LISTEN:TARGET ...", nargs=-1, required=True)
@SCREEN_LANG
@reading_options
def command(pairs: tuple[str, ...]) -> int:
    """Watch a service of this machine on TARGET: talk to LISTEN instead, and see every packet.

    For example 8001:8000, and then the browser on http://127.0.0.1:8001/. What you say is handed on through
    the lab, where it is captured; needs no privilege. Addresses, timings and options of the kernel are those
    of the lab's connection, not of the service's own.
    """
    chosen = tuple(map(pair_of, pairs))
    for listen, target in chosen:
        if listen == target:
            raise CommandError(f"{listen}:{target} has one port twice: the service itself has it.", USAGE)
    from inspector.cli.app import via_ports  # here: it brings Textual, for which help would wait

    return via_ports(chosen)
