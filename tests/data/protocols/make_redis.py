"""Makes redis.pcapng: what redis-cli and plain sockets say to a real redis-server, in a private network.

    python -m tests.data.protocols.make_redis

It records itself in the lab (no root is needed; redis-server and redis-cli are). The conversations: redis-cli
in RESP2 and in RESP3, a pipeline with large strings, pub/sub in both versions, MONITOR, inline commands, a
client that is tracked, and one that breaks the protocol.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.data.protocols.recording import recorded

CAPTURE = Path(__file__).with_name("redis.pcapng")
PORT = 6379


def pack(*words: str | bytes) -> bytes:
    """A command as clients send it."""
    parts = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


class Client:
    """A connection that sends bytes and reads what comes until nothing has come for a moment."""

    def __init__(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", PORT))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, *commands: bytes) -> None:
        self.socket.sendall(b"".join(commands))
        self.read()

    def read(self) -> None:
        self.socket.settimeout(0.15)
        try:
            while self.socket.recv(1 << 16):
                pass
        except TimeoutError:
            pass

    def close(self) -> None:
        self.socket.close()
        time.sleep(0.05)


def cli(lines: Sequence[str], *options: str) -> None:
    """redis-cli with these commands, one after another on one connection."""
    subprocess.run(["redis-cli", *options], input="\n".join(lines) + "\n", text=True, check=True,
                   stdout=subprocess.DEVNULL)


def play() -> None:
    """Start a server, say everything, stop it."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--port", str(PORT), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        options += ["--enable-debug-command", "yes"]
        options += ["--rename-command", "COMMAND", ""]     # redis-cli asks for 170 KB of it
        with subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL) as server:
            time.sleep(0.5)
            try:
                exchange()
            finally:
                server.terminate()


def exchange() -> None:
    cli(['SET greeting "hello"', "GET greeting", "GET nothing", "INCR visits", "STRLEN greeting",
         "RPUSH list a b c", "LRANGE list 0 -1", "LPUSH greeting x", "MYSTERY 1",
         "HSET user name ada year 1815", "HGETALL user",
         "MULTI", "SET a 1", "INCR a", "EXEC", "MGET greeting nothing a", "KEYS nothing*",
         "DEL a greeting"])
    cli(["HSET user name ada year 1815", "HGETALL user", "SADD tags x y", "SMEMBERS tags",
         "ZADD scores 1.5 ada", "ZSCORE scores ada", "GET nothing", "CONFIG GET maxmemory*",
         "EVAL \"return {1, {2, {3, 'deep'}}, false}\" 0"], "-3")
    every_type()
    pipeline()
    published()
    oddities()


def every_type() -> None:
    """The types of RESP3 that DEBUG PROTOCOL sends; redis-cli knows not all of them."""
    client = Client()
    client.send(pack("HELLO", "3"))
    for kind in ("string", "integer", "double", "null", "array", "set", "map", "attrib", "push", "bignum",
                 "true", "false", "verbatim"):
        client.send(pack("DEBUG", "PROTOCOL", kind))
    client.close()


def pipeline() -> None:
    client = Client()
    client.send(*(pack("SET", f"key:{number}", "v" * number) for number in range(40)),
                *(pack("GET", f"key:{number}") for number in range(40)))
    client.send(pack("SET", "large", bytes(range(256)) * 160))
    client.send(pack("GET", "large"), pack("PING"))
    client.send(pack("CLIENT", "REPLY", "SKIP"), pack("SET", "quiet", "1"), pack("GET", "quiet"))
    client.send(pack("CLIENT", "REPLY", "OFF"), pack("SET", "quiet", "2"), pack("CLIENT", "REPLY", "ON"),
                pack("GET", "quiet"))
    client.close()


def published() -> None:
    two, three, watcher, speaker, tracked = (Client() for _ in range(5))
    two.send(pack("SUBSCRIBE", "news", "weather"))
    two.send(pack("PSUBSCRIBE", "n*"), pack("PING"))
    three.send(pack("HELLO", "3"))
    three.send(pack("SUBSCRIBE", "news"), pack("PING"))
    watcher.send(pack("MONITOR"))
    tracked.send(pack("HELLO", "3"), pack("CLIENT", "TRACKING", "ON"), pack("GET", "large:not"))
    speaker.send(pack("PUBLISH", "news", "it rains"))
    speaker.send(pack("SET", "large:not", "now"))
    for client in (two, three, watcher, tracked):
        client.read()
    two.send(pack("UNSUBSCRIBE"))
    two.send(pack("PUNSUBSCRIBE"), pack("PING", "after"))
    three.send(pack("UNSUBSCRIBE", "news"), pack("GET", "quiet"))
    for client in (two, three, watcher, speaker, tracked):
        client.close()


def oddities() -> None:
    inline = Client()
    inline.send(b"PING\r\n")
    inline.send(b"\r\nSET word \"two words\"\r\nGET word\r\n")
    inline.send(b"EXISTS word\n", pack("QUIT"))
    inline.close()
    blocked = Client()
    blocked.send(pack("BLPOP", "never", "0"))
    blocked.close()
    broken = Client()
    broken.send(pack("PING"), b"*1\r\n:4\r\nPING\r\n")
    broken.close()


if __name__ == "__main__":
    play() if sys.argv[1:] == ["play"] else recorded(CAPTURE)
