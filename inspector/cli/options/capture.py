"""The options that narrow a capture and end it, for every command that makes one, and their `Limits`.

Values by option -> `limits_of` -> `Limits`, checked -> the agent or the recorder. `packet_socket_for` and
`packet_socket_in` get a socket where this user may open none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from inspector.cli.errors import MISSING, USAGE, CommandError
from inspector.cli.options.together import together
from inspector.cli.output import notice

if TYPE_CHECKING:
    from inspector.lab.capture.elsewhere import Place
    from inspector.lab.options import Limits

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def limits_of(
    *, capture_filter: str | None, snaplen: int | None, max_size: str | None, packets: int | None,
    seconds: float | None,
) -> Limits:
    """What the options of a capture say; CommandError for a wrong size."""
    from inspector.lab.options import Limits  # here and below: help is to be instant

    return Limits(capture_filter or "", snaplen or 0, size_of(max_size), packets or 0, seconds or 0.0)


capture_options = together("limits", limits_of, (
    click.option("--capture-filter", metavar="BPF",
                 help="Any BPF expression; needs libpcap on this machine."),
    click.option("--max-size", metavar="SIZE", help="Stop when the file has this size, such as 500M or 2G."),
    click.option("--packets", type=click.IntRange(min=1), metavar="N", help="Stop after N packets."),
    click.option("--snaplen", type=click.IntRange(1, 262144), metavar="N",
                 help="Keep the first N bytes of each packet."),
    click.option("--seconds", type=click.FloatRange(min=0, min_open=True), metavar="N",
                 help="Stop after N seconds."),
), ("capture_filter", "snaplen", "max_size", "packets", "seconds"))  # fmt: skip
"""Decorate a click command with the options of a capture: it gets `limits`."""


def require_filter(limits: Limits, ports: tuple[int, ...]) -> None:
    """CommandError where no capture can be narrowed so: before anything starts."""
    from inspector.capture.choice import FilterError, choose_program

    try:
        choose_program(ports, limits.filter, limits.snaplen)
    except FilterError as error:
        raise CommandError(str(error), USAGE) from error


def packet_socket_for(ports: tuple[int, ...], limits: Limits, *, screen: bool = False) -> int:
    """A packet socket of the host's loopback, if this process may open none itself; -1: it may, or dumpcap.

    Asks by sudo or pkexec where there is a terminal; CommandError where it cannot be had. `screen`: under
    sudo it is opened here, and this process is the calling user from then on.
    """
    from inspector.lab.capture import access, privilege
    from inspector.lab.errors import LabError
    from inspector.lab.files.ownership import under_sudo

    try:
        if screen and under_sudo():
            opened = privilege.opened(ports, limits)
            privilege.become_caller()
            return opened.detach()
        if access.may_capture() or access.dumpcap() is not None:
            return -1
        ask = privilege.asker()
        if ask and not limits.filter:
            port = next(iter(ports), 8000)
            other = port + 1 if port < 65535 else port - 1
            notice("Capturing the loopback needs a packet socket: a helper opens it with privilege, and "
                   "ends.",
                   f"Without privilege: 'inspector via {other}:{port}' relays to what listens on {port}, "
                   "'inspector exec -- CMD' starts a service in the lab. ctrl+c: leave.")
            return privilege.borrow(ask, ports, limits.snaplen).detach()
    except LabError as error:
        raise CommandError(error.sentence, MISSING, error.remedy) from error
    why = "; a helper opens it for ports, not for a filter" if limits.filter else ""
    raise CommandError(
        f"Capturing this machine's own loopback needs the privilege CAP_NET_RAW{why}. The lab does not "
        "('inspector exec -- CMD').", MISSING, access.how_to_capture(),
    )


def packet_socket_in(place: Place, ports: tuple[int, ...], limits: Limits) -> int:
    """A packet socket of another network of this machine; under sudo this process is the caller then.

    Asks by sudo or pkexec where entering it needs that, there is a terminal, and the network is a process's.
    """
    from inspector.lab.capture import elsewhere, privilege
    from inspector.lab.errors import LabError, NeedsRootError
    from inspector.lab.files.ownership import under_sudo

    try:
        try:
            opened = elsewhere.opened_in(place, ports, limits)
        except NeedsRootError:
            ask = privilege.asker()
            if not ask or not place.pid or limits.filter:
                raise
            notice(f"The network of {place.words} is another user's: a helper opens a packet socket in it "
                   "with privilege, and ends.")
            opened = privilege.borrow(ask, ports, limits.snaplen, place.pid)
        if under_sudo():
            privilege.become_caller()
    except LabError as error:
        raise CommandError(error.sentence, MISSING, error.remedy) from error
    return opened.detach()


def size_of(text: str | None) -> int:
    """Bytes of a size such as 500M, 2G or 4096 (powers of 1024); 0 for None."""
    if text is None:
        return 0
    found = re.fullmatch(r"(\d{1,15})\s*([kmgt]?)(?:i?b)?", text.strip(), re.IGNORECASE)
    if found is None or int(found[1]) == 0:
        raise CommandError(f"{text!r} is no size; write for example 4096, 500M or 2G.", USAGE)
    return int(found[1]) * _UNITS[found[2].lower()]
