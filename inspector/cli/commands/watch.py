"""`inspector watch`: the app on this machine's loopback, on another network of it, or on another machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from inspector.cli.errors import MISSING, USAGE, CommandError
from inspector.cli.options.capture import capture_options, require_filter
from inspector.cli.options.remote import Remote, remote_of
from inspector.cli.options.shared import OVERWRITE, PORT, SCREEN_LANG, OutputName, reading_options

if TYPE_CHECKING:
    from inspector.lab.options import Limits


class Place(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on; 8.1 is enough
    """A port, or the URL of another machine."""

    name = "port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | Remote:
        """The port's number, or the machine."""
        if isinstance(value, str) and value.startswith("ssh:"):
            return remote_of(value)
        return int(PORT.convert(value, param, ctx))


@click.command("watch")
@click.argument("places", metavar="[ssh://[USER@]HOST[:PORT]] [PORT ...]", nargs=-1, type=Place())
@click.option("--pid", metavar="PID", type=click.IntRange(min=1),
              help="Watch the ports that this process and its children have, as they open.")
@click.option("--name", metavar="PROCESS",
              help="Likewise of all processes of this name; waits for the first one.")
@click.option("--netns", metavar="PID|NAME",
              help="Watch the network of this process, or of this name of 'ip netns'.")
@click.option("--container", metavar="NAME", help="Watch the network of this container (docker, podman).")
@click.option("-o", "--output", "--save", metavar="FILE", type=OutputName("the app draws on"),
              help="Write the trace to this file, not among those that are kept.")
@OVERWRITE
@capture_options
@SCREEN_LANG
@reading_options
def command(
    *, places: tuple[int | Remote, ...], pid: int | None, name: str | None, netns: str | None,
    container: str | None, output: str | None, overwrite: bool, limits: Limits,
) -> int:
    """Open the app on this machine's own loopback, on these ports or all.

    Needs CAP_NET_RAW, a user who may run dumpcap, or sudo (pkexec), which is asked to open one packet
    socket. Under sudo the screen becomes the calling user's; in a shell of root's own there is nobody else
    whom it could become. What ends the capture leaves the app open on what was captured.

    --pid and --name watch what a process and its children say on the loopback, whichever ports they listen
    on or are connected from: those are found as they open (a connection of theirs that lasts no tenth of a
    second may be missed, one to a port on which they listen is not). --name waits for a service that is not
    up yet.

    --netns and --container watch all interfaces of another network of this machine: one of yours (rootless
    podman, a lab), or any other where sudo or pkexec, which is asked, opens the socket in it. ssh://HOST
    watches another machine, by tcpdump there.
    """
    ports = tuple(place for place in places if isinstance(place, int))
    require_filter(limits, ports)
    remotes = [place for place in places if isinstance(place, Remote)]
    if len(remotes) + sum(one is not None for one in (pid, name, netns, container)) > 1:
        raise CommandError("One place at a time: a machine, --pid, --name, --netns or --container.", USAGE)
    from inspector.cli.app import watch_ports, watch_remote  # here and below: help is to be instant

    if remotes:
        if output or limits != type(limits)():
            raise CommandError("What another machine sends is not narrowed here; ctrl+s in the app saves it.",
                               USAGE)
        return watch_remote(remotes[0], ports)
    if pid is not None or name is not None:
        if ports:
            raise CommandError("A process's ports are found; name either it or the ports.", USAGE)
        from inspector.cli.options.process import process_of

        return watch_ports((), limits, output, overwrite=overwrite, process=process_of(pid, name))
    place = None
    if netns is not None or container is not None:
        from inspector.lab.capture import elsewhere
        from inspector.lab.errors import LabError, NoSuchError

        try:
            place = elsewhere.place_of(netns) if netns is not None else elsewhere.container(container or "")
        except LabError as error:
            status = USAGE if isinstance(error, NoSuchError) else MISSING
            raise CommandError(error.sentence, status, error.remedy) from error
    return watch_ports(ports, limits, output, overwrite=overwrite, place=place)
