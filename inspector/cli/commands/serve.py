"""`inspector serve`: launcher and lessons in a browser, each visitor with a lab of their own."""

from __future__ import annotations

import click

from inspector.cli.errors import MISSING, CommandError
from inspector.cli.options.shared import PORT, SCREEN_LANG, FileName
from inspector.cli.output import notice
from inspector.model.language import asked_for

LOOPBACK = "127.0.0.1"


def _require_port(host: str, port: int) -> None:
    """CommandError where nobody may listen there: before an address is printed."""
    import os  # here and below: help is to be instant
    import socket

    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error    # Python's own names the address again
        raise CommandError(f"Port {port} of {host} cannot be had: {reason}.", MISSING) from error


@click.command("serve")
@click.option("--host", default=LOOPBACK, show_default=True, metavar="ADDRESS",
              help="Where to listen; 0.0.0.0 lets a whole network in (who has the key).")
@click.option("--port", type=PORT, default=8010, show_default=True,
              help="The server's port.")
@click.option("--visitors", type=click.IntRange(1, 200), default=16, show_default=True, metavar="N",
              help="How many may be there at a time.")
@SCREEN_LANG
@click.option("--class", "folder", metavar="DIR", type=FileName(),
              help="Keep each learner's answers in DIR, and vote there when 'inspector lesson teach' asks.")
def command(host: str, port: int, visitors: int, folder: str | None) -> int:
    """Show the launcher and the lessons in a browser, for yourself or a class.

    Each visitor has an app and a private lab of their own, all gone when they leave. Only who has the address
    that is printed, with its key, gets in; files and services of this machine are not shown to visitors.

    With --class, visitors are asked for a name once, and what became of their answers stays in DIR:
    'inspector lesson results DIR' shows it.
    """
    import json  # here and below: help is to be instant
    import os
    import secrets
    import shlex
    import sys
    from importlib.util import find_spec

    if os.geteuid() == 0:
        raise CommandError("Visitors would act as root here: run it as an ordinary user.", MISSING)
    if find_spec("textual_serve") is None:
        from inspector.extras import installing

        raise CommandError("The browser's side is not installed.", MISSING, installing("serve"))
    classroom = None
    if folder is not None:
        from inspector.cli.options.classroom import class_folder

        classroom = class_folder(folder)
    _require_port(host, port)
    key = secrets.token_urlsafe(16)
    shown = f"[{host}]" if ":" in host else "localhost" if host == LOOPBACK else host
    notice(f"Open http://{shown}:{port}/?key={key} in a browser; ctrl+c ends it.")
    if shown in ("0.0.0.0", "[::]"):
        notice(f"Others put this machine's address in the place of {shown}; what they see is not encrypted.")
    if classroom is not None:
        named = shlex.quote(str(classroom))
        notice(f"Answers are kept in {classroom}: 'inspector lesson results {named}' shows them.")
        notice(f"'inspector lesson teach NAME --class {named}' asks the class.")
    app = f"exec {shlex.quote(sys.executable)} -P -m inspector.tui.visitor {asked_for()}".rstrip()
    given = {"command": app, "host": host, "port": port, "key": key, "most": visitors,
             "class": None if classroom is None else str(classroom)}
    os.environ["INSPECTOR_SERVE"] = json.dumps(given)      # arguments are seen by every user of a machine
    os.execv(sys.executable, [sys.executable, "-P", "-m", "inspector.serve"])
