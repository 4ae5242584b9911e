"""Two networks in the lab, one for the client and one for the server, each with a cable into ours.

    client's network  [wire]═══[client]  the lab, where the agent is  [server]═══[wire]  server's network

Nothing joins the two cables but the agent, which takes each packet from one and gives it to the other
(`wire.py`). No device computes anything later (offloads are off), so that each packet is one of the wire.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inspector.lab.errors import LabError
from inspector.lab.network import namespace
from inspector.lab.network.wire import links
from inspector.lab.programs.processes import join
from inspector.model.wiring import LEAST_IPV6_MTU, SENDERS, WIRE_ADDRESSES, Sender, Wiring

NEAR = "wire"                      # the device in each end's own network; in ours it has the end's name
_MACS: dict[Sender, tuple[bytes, bytes]] = {               # of the end's device, and of the one here
    "client": (bytes.fromhex("020000000001"), bytes.fromhex("0200000000c1")),
    "server": (bytes.fromhex("020000000002"), bytes.fromhex("0200000000c2")),
}
_MTU = 1500



@dataclass(frozen=True, slots=True)
class Ends:
    """Descriptors of the two networks, by the end's name, and their inodes."""

    networks: dict[Sender, int]
    inodes: tuple[int, ...]

    @contextmanager
    def inside(self, end: Sender) -> Iterator[None]:
        """Be in the network of this end; for the calling thread alone."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            join(self.networks[end])
            try:
                yield
            finally:
                join(home)
        finally:
            os.close(home)


def make(wiring: Wiring) -> Ends:
    """Make both networks and their cables, from within the lab and before any thread; LabError where not."""
    ends: dict[Sender, int] = {}
    inodes = []
    try:
        home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        for end in SENDERS:
            namespace.unshare(namespace.CLONE_NEWNET)
            namespace.settle()
            inodes.append(namespace.identity())
            ends[end] = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            join(home)
        os.close(home)
        made = Ends(ends, tuple(inodes))
        for end in SENDERS:
            _connect(made, end, wiring.mtu or _MTU)
    except OSError as error:
        why = error.strerror or error
        raise LabError(f"This kernel gives the lab no wire between two networks (veth devices): {why}.",
                       "sudo modprobe veth") from error
    return made


def _connect(ends: Ends, end: Sender, mtu: int) -> None:
    mac, near_mac = _MACS[end]
    links.make_pair(end, near_mac, NEAR, mac, ends.networks[end])
    _set_ipv6(end, disable_ipv6=1)             # ours only hands on, and has nothing to say there
    links.bring_up(end, mtu)
    other: Sender = "server" if end == "client" else "client"
    with ends.inside(end):
        _set_ipv6(NEAR, accept_ra=0, router_solicitations=0)
        links.whole_packets(NEAR)
        links.bring_up(NEAR, mtu)
        for own, others in zip(WIRE_ADDRESSES[end], WIRE_ADDRESSES[other], strict=True):
            if ":" not in own or (namespace.has_ipv6() and mtu >= LEAST_IPV6_MTU):
                links.give_address(NEAR, own)
                links.name_neighbour(NEAR, others, _MACS[other][0])


def _set_ipv6(name: str, **settings: int) -> None:
    """Have IPv6 say less there; each is a comfort, none a need."""
    for setting, value in settings.items():
        with contextlib.suppress(OSError):
            Path(f"/proc/sys/net/ipv6/conf/{name}/{setting}").write_text(str(value))
