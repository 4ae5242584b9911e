"""The text of a transport's end, "127.0.0.1:8000" or "[::1]:8000" (RFC 3986 section 3.2.2): made and read."""

from __future__ import annotations

from typing import Literal, get_args

Transport = Literal["tcp", "udp"]          # what has ends with ports, by Wireshark's names
TRANSPORTS: tuple[Transport, ...] = get_args(Transport)


def join_endpoint(address: str, port: int | str) -> str:
    """`address` and `port` as one text; an IPv6 address gets its brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def parts_of_endpoint(text: str) -> tuple[str, str]:
    """Host and port of a text that `join_endpoint` made, as they stand in it; "" where there is none."""
    host, _, port = text.rpartition(":")
    return host, port


def split_endpoint(text: str) -> tuple[str, int]:
    """Address and port of such a text. ValueError where it has no port, or an IPv6 address no brackets."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{text!r}: an IPv6 address with a port needs brackets, as in [::1]:8000")
    if not colon or not (port.isascii() and port.isdigit() and int(port) <= 0xFFFF):
        raise ValueError(f"{text!r} does not end in a port, as in 127.0.0.1:8000")
    return host, int(port)
