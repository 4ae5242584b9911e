"""Makes tls.pcapng: what curl, openssl and websockets say inside of TLS, with the secrets in the capture.

    python -m tests.data.protocols.make_tls          (curl, openssl and nghttpd; websockets)

It records itself in the lab. The conversations: HTTP by each cipher of TLS 1.3 and 1.2 that is read, HTTP/2,
WebSocket, keys that are changed. The secrets come from SSLKEYLOGFILE, and stand in a block of the capture.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from inspector.wire import pcapng
from tests.data.protocols.recording import keep, recorded

CAPTURE = Path(__file__).with_name("tls.pcapng")
HTTPS, H2, WSS, OPENSSL = 8443, 8444, 8445, 8446
MODERN = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
CLASSIC = ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305")


class Handler(BaseHTTPRequestHandler):
    """Answers with the path, many times for /large."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = f"you asked for {self.path}\n".encode() * (2000 if self.path == "/large" else 1)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Be quiet."""


def play(keylog: str) -> None:
    os.environ["SSLKEYLOGFILE"] = keylog
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = f"{folder}/certificate.pem", f"{folder}/key.pem"
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
            "-days", "2", "-keyout", key, "-out", certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server = ThreadingHTTPServer(("127.0.0.1", HTTPS), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"https://localhost:{HTTPS}"
        curl = ("curl", "-s", "-4", "--cacert", certificate)
        for cipher in MODERN:
            run(*curl, "--tls13-ciphers", cipher, base + "/" + cipher, base + "/large")
        for cipher in CLASSIC:
            run(*curl, "--tls-max", "1.2", "--ciphers", cipher, base + "/" + cipher, base + "/again")
        with subprocess.Popen(["nghttpd", "-d", folder, str(H2), key, certificate]) as http2:
            time.sleep(0.4)
            run(*curl, "--http2", f"https://localhost:{H2}/certificate.pem")
            http2.terminate()
        asyncio.run(websocket(context, certificate))
        changed_keys(certificate, key)


async def websocket(server: ssl.SSLContext, certificate: str) -> None:
    from websockets.asyncio.client import connect
    from websockets.asyncio.server import ServerConnection, serve

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    client = ssl.create_default_context(cafile=certificate)
    async with (serve(echo, "127.0.0.1", WSS, ssl=server, compression=None),
                connect(f"wss://localhost:{WSS}", ssl=client, compression=None, host="127.0.0.1",
                        server_hostname="localhost") as connection):
        await connection.send("hello inside")
        await connection.recv()


def changed_keys(certificate: str, key: str) -> None:
    command = ["openssl", "s_server", "-quiet", "-rev", "-port", str(OPENSSL), "-cert", certificate,
               "-key", key]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        time.sleep(0.4)
        client = ["openssl", "s_client", "-connect", f"127.0.0.1:{OPENSSL}", "-keylogfile",
                  os.environ["SSLKEYLOGFILE"]]
        with subprocess.Popen(client, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                              stderr=subprocess.DEVNULL) as process:
            assert process.stdin is not None
            for line in ("before\n", "k\n", "between\n", "K\n", "after\n", "Q\n"):
                time.sleep(0.15)
                process.stdin.write(line)
                process.stdin.flush()
            time.sleep(0.15)
        server.terminate()


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    with tempfile.NamedTemporaryFile() as keylog:
        recorded(CAPTURE, keylog.name)
        secrets = pcapng.decryption_secrets(keylog.read())
    data = CAPTURE.read_bytes()
    head = pcapng.block_at(data, 0, "<")
    assert head is not None
    keep(CAPTURE, data[: head.end] + secrets + data[head.end :])


if __name__ == "__main__":
    play(sys.argv[2]) if sys.argv[1:2] == ["play"] else main()
