"""`inspector watch`: the app on this machine's own loopback."""

from __future__ import annotations

from typing import Any

import click

from inspector.cli.options.capture import capture_options, limits_of
from inspector.cli.options.shared import OUTPUT, OVERWRITE, PORT, reading_options


@click.command("watch")
@click.argument("ports", metavar="[PORT ...]", nargs=-1, type=PORT)
@click.option("-o", "--output", "--save", metavar="FILE", type=OUTPUT,
              help="Write the trace to this file, not among those that are kept.")
@OVERWRITE
@capture_options
@reading_options
def command(*, ports: tuple[int, ...], output: str | None, overwrite: bool, **options: Any) -> int:
    """Open the app on this machine's own loopback, on these ports or all.

    Needs CAP_NET_RAW, a user who may run dumpcap, or sudo (pkexec), which is asked to open one packet
    socket. No screen runs as root: under sudo it becomes the calling user. What ends the capture leaves the
    app open on what was captured.
    """
    limits = limits_of(options, ports)
    from inspector.cli.app import watch_ports  # here: it brings Textual, for which help would wait

    return watch_ports(ports, limits, output, overwrite=overwrite)
