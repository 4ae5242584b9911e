"""Services that answer what they hear, for a client of ours to talk to."""

from __future__ import annotations

import socketserver
from http.server import BaseHTTPRequestHandler

from websockets.sync.server import ServerConnection


class Greets(BaseHTTPRequestHandler):
    """Answers with what it was asked: path, host and the header X-Own."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = f"you asked for {self.path} of {self.headers['Host']}, {self.headers['X-Own']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class EchoesStreams(socketserver.BaseRequestHandler):
    """Sends back what comes."""

    def handle(self) -> None:
        while data := self.request.recv(1 << 16):
            self.request.sendall(data)


class EchoesDatagrams(socketserver.BaseRequestHandler):
    """Sends back what comes."""

    def handle(self) -> None:
        data, answering = self.request
        answering.sendto(data, self.client_address)


def echoes(connection: ServerConnection) -> None:
    """Sends back each message of a WebSocket."""
    for message in connection:
        connection.send(message)
