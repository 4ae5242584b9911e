"""`inspector talk`: the app with a client of ours, and a service of yours at the other end.

URL -> `SessionSpec` with a service -> the app; the client's connection is led through the lab.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

import click

from inspector.cli.errors import MISSING, USAGE, CommandError
from inspector.cli.options.shared import SCREEN_LANG
from inspector.model.endpoint import join_endpoint
from inspector.model.spec import SessionSpec, SpecError
from inspector.sessions.kinds import REGISTRY, kind_of, resolved

_SCHEMES = {scheme.name: (scheme, kind) for kind in REGISTRY for scheme in kind.schemes}
_WITHIN = 5.0                      # seconds


@click.command("talk")
@click.argument("url", metavar="URL")
@click.option("--header", "headers", metavar="'NAME: VALUE'", multiple=True,
              help="HTTP, WebSocket: a header beside the client's own, or in its place; repeatable.")
@click.option("--subprotocol", "subprotocols", metavar="NAME", multiple=True,
              help="WebSocket: offer this subprotocol; repeatable.")
@click.option("--deflate", is_flag=True, help="WebSocket: offer permessage-deflate.")
@click.option("--insecure", is_flag=True, help="tls, https, wss: take any certificate.")
@click.option("--kernel-times", is_flag=True,
              help="Have the kernel tell when it did what with each message (not of UDP).")
@SCREEN_LANG
@click.option("--step", is_flag=True, help="One system call of the client for each press of s.")
def command(
    url: str, headers: tuple[str, ...], subprotocols: tuple[str, ...], deflate: bool, insecure: bool,
    kernel_times: bool, step: bool,
) -> int:
    """Talk to a service that runs already: type what the client says, and see calls, packets and answers.

    URL: tcp://HOST:PORT, udp://HOST:PORT, http://HOST[:PORT]/PATH (asked for
    at once), ws://HOST[:PORT]/PATH; by TLS tls://HOST:PORT, https:// and wss://, where
    the trace has the secrets, so that what is said is shown. The client runs in the lab and is
    led from there to the service, without any privilege. For scripts: 'inspector run KIND --to HOST:PORT'.
    """
    offered = tuple(f"Sec-WebSocket-Protocol: {name}" for name in subprotocols)
    try:
        spec = spec_of(url, headers + offered, deflate=deflate, insecure=insecure, step=step,
                       kernel_times=kernel_times)
    except SpecError as error:
        raise CommandError(str(error), USAGE) from error
    _require_service(spec)
    from inspector.cli.app import open_session  # here and below: help is to be instant

    return open_session(spec)


def _require_service(spec: SessionSpec) -> None:
    """CommandError where nobody is there: the lab's own end would take the connection first."""
    import socket

    assert spec.service is not None
    datagrams = kind_of(spec).transport == "udp"
    kind = socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM
    try:
        socket.getaddrinfo(*spec.service, type=kind)
        if not datagrams:
            socket.create_connection(spec.service, _WITHIN).close()
    except UnicodeError as error:              # of the codec for names: a label that is empty or too long
        raise CommandError(f"{spec.to} cannot be reached: no host can have this name.", MISSING) from error
    except OSError as error:
        reason = error.strerror or error
        raise CommandError(f"{spec.to} cannot be reached: {reason}.", MISSING) from error


def spec_of(
    url: str, headers: tuple[str, ...] = (), *, deflate: bool = False, insecure: bool = False,
    step: bool = False, kernel_times: bool = False,
) -> SessionSpec:
    """The session of a client with the service at `url`. SpecError where it names none."""
    parts, host, port = _parsed(url)
    scheme, kind = _SCHEMES[parts.scheme]
    path = parts.path or "/"
    if parts.query:
        path += f"?{parts.query}"
    if not kind.takes_path and (path != "/" or headers):
        raise SpecError(f"{parts.scheme}:// has a host and a port, and nothing else.")
    messages = (kind.asks.format(path=path),) if kind.asks else ()
    spec = SessionSpec(
        kind=kind.name, to=join_endpoint(host, port), port=port, messages=messages, interactive=True,
        path=path, headers=headers or None,
        deflate=deflate, paused=step, ending="close", tls=scheme.secure, insecure=insecure,
        kernel_times=kernel_times,
    )
    resolved(spec)
    return spec


def _parsed(url: str) -> tuple[SplitResult, str, int]:
    try:
        parts = urlsplit(url)
        host, known = parts.hostname or "", _SCHEMES.get(parts.scheme)
        port = parts.port or (known[0].port if known else 0)
    except ValueError as error:
        raise SpecError(f"{url!r:.80} is no URL: {error}.") from None
    if known is None or not host:
        raise SpecError(f"{url!r:.80} is no URL of {', '.join(f'{name}://' for name in _SCHEMES)}HOST:PORT.")
    if not port:
        raise SpecError(f"{url!r:.80} has no port.")
    return parts, host, port
