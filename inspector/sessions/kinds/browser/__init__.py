"""A real browser as the client: it opens a page of ours, whose script talks to us over a WebSocket.

The browser is an installed one (`programs.py`), started in the lab without a window. Its system calls are not
journaled, since they are not ours; its packets and the server's calls are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.messages import parse_message
from inspector.model.spec import SessionSpec
from inspector.sessions.kinds.kind import BINARY, IN_FRAGMENTS, PING, TEXT, Kind, Runner
from inspector.sessions.kinds.options import BEHAVIOUR, DEFLATE, IPV6, PACE, PATH
from inspector.sessions.kinds.tcp import endings

if TYPE_CHECKING:
    from inspector.sessions.context import Context


def _server(context: Context) -> Runner:
    # here and below: the libraries take their time
    from inspector.sessions.kinds.browser.server import BrowserServer

    return BrowserServer(context)


def _client(context: Context) -> Runner:
    from inspector.sessions.kinds.browser.client import BrowserClient

    return BrowserClient(context)


def _lacking() -> str:
    from inspector.sessions.kinds.browser.programs import lacking

    return lacking()


def _check(spec: SessionSpec) -> None:
    for text in spec.messages or ():
        message = parse_message(text)
        if message.opcode != "text" or message.fragments > 1:
            raise ValueError("The script of a page sends whole texts: its messages have no prefix.")


KIND = Kind(
    name="browser", title="Browser", key="", about="a real browser opens a page with a WebSocket", port=8080,
    messages=("hello from the page", "and once more"), forms=(TEXT, BINARY, PING, IN_FRAGMENTS),
    endings=endings("the browser ends, and all its connections with it"),
    options=(BEHAVIOUR, IPV6, PACE, PATH, DEFLATE), messages_for_push=(),
    server=_server, client=_client, check=_check, lacking=_lacking, starts_programs=True,
)  # fmt: skip
