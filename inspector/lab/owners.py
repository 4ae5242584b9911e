"""Whose a socket of this machine is: its process by the address, as far as this user may know (psutil)."""

from __future__ import annotations

import psutil


def owner_of(host: str, port: int, *, listening: bool = False) -> str:
    """`curl 812`: the process whose TCP socket has this address as its own; "" where that is not known.

    `listening`: a socket that waits there, and may be bound to any address.
    """
    try:
        sockets = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return ""
    for one in sockets:
        if not one.pid or not one.laddr or one.laddr.port != port:
            continue
        if listening and one.status != psutil.CONN_LISTEN:
            continue
        if listening or one.laddr.ip in (host, f"::ffff:{host}"):
            try:
                return f"{psutil.Process(one.pid).name()} {one.pid}"
            except psutil.Error:
                return ""
    return ""
