"""`inspector watch`: the app on this machine's own loopback."""

from __future__ import annotations

import click

from inspector.cli.options import PORT


@click.command("watch")
@click.argument("ports", metavar="[PORT ...]", nargs=-1, type=PORT)
def command(ports: tuple[int, ...]) -> int:
    """Open the app on this machine's own loopback, on these ports or all.

    Needs root, CAP_NET_RAW, or a user who may run dumpcap.
    """
    from inspector.cli.app import watch_ports  # here: it brings Textual, for which help would wait

    return watch_ports(ports)
