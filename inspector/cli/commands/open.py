"""`inspector open`: the app on a capture."""

from __future__ import annotations

import click

from inspector.cli.options.shared import INPUT, SCREEN_LANG, UNPACK, reading_options


@click.command("open")
@click.argument("file", metavar="FILE|-", type=INPUT)
@UNPACK
@SCREEN_LANG
@reading_options
def command(file: str) -> int:
    """Open a capture in the app: pcap or pcapng, also .gz and .zst; one that grows is followed."""
    from inspector.cli.app import open_file  # here: it brings Textual, for which help would wait

    return open_file(file)
