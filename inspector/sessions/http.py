"""HTTP/1.1 over a journaled connection: the two ends, as `stream` wants them."""

from inspector.sessions.http_client import ClientTalk
from inspector.sessions.http_server import ServerTalk

__all__ = ["ClientTalk", "ServerTalk"]
