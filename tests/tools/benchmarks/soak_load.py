"""`python -m tests.tools.benchmarks.soak_load SECONDS RATE CONNECTIONS`: real traffic on a loopback.

So many new HTTP connections a second, exchanges on some that stay, and datagrams for the rest of RATE packets
a second, counted by the kernel. At its end it prints, as JSON, what it did.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections import Counter
from pathlib import Path

HTTP, DATAGRAMS = 8000, 9000
LASTING, EXCHANGES = 8, 400        # connections that stay, and what is asked on all of them in a second
STEP = 0.05
BODY = b"x" * 300
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n" % len(BODY)
MOST = 2000                        # datagrams of one step, where it was late


def sent(network: str = "self") -> int:
    """Packets that the loopback of a process's network has sent so far."""
    for line in Path(f"/proc/{network}/net/dev").read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == "lo":
            return int(numbers.split()[9])
    raise LookupError("no loopback")


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            last = b"close" in head
            writer.write(ANSWER + (b"Connection: close\r\n\r\n" if last else b"\r\n") + BODY)
            await writer.drain()
            if last:
                break
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def _ask(port: int, number: int, done: Counter[str]) -> None:
    """One connection of its own: asked, answered, closed."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /%d HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n\r\n" % number)
        await reader.read()
        writer.close()
        await writer.wait_closed()
        done["connections"] += 1
    except OSError:
        done["failed connections"] += 1


async def _keep_asking(port: int, until: float, done: Counter[str]) -> None:
    """A connection that stays, with its share of the exchanges."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < until:
        writer.write(b"GET /again HTTP/1.1\r\nHost: soak\r\n\r\n")
        await reader.readexactly(len(ANSWER) + 2 + len(BODY))
        done["exchanges"] += 1
        await asyncio.sleep(LASTING / EXCHANGES)
    writer.close()
    await writer.wait_closed()


async def load(seconds: float, rate: float, connections: float) -> Counter[str]:
    """Send for so long; what was done."""
    done: Counter[str] = Counter()
    server = await asyncio.start_server(_serve, "127.0.0.1", HTTP)
    hears = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    hears.bind(("127.0.0.1", DATAGRAMS))
    hears.setblocking(False)
    asyncio.get_running_loop().add_reader(hears, lambda: _drain(hears))
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect(("127.0.0.1", DATAGRAMS))
    began, before = time.monotonic(), sent()
    lasting = [asyncio.create_task(_keep_asking(HTTP, began + seconds, done)) for _ in range(LASTING)]
    asked: set[asyncio.Task[None]] = set()
    number = 0
    while (passed := time.monotonic() - began) < seconds:
        while number < passed * connections:
            task = asyncio.create_task(_ask(HTTP, number, done))
            asked.add(task)
            task.add_done_callback(asked.discard)
            number += 1
        for _ in range(min(int(passed * rate) - (sent() - before), MOST)):
            sender.send(b"soak %d" % done["datagrams"])
            done["datagrams"] += 1
        await asyncio.sleep(STEP)
    await asyncio.gather(*lasting, *asked)
    server.close()
    done["packets"] = sent() - before
    asyncio.get_running_loop().remove_reader(hears)
    hears.close()
    sender.close()
    return done


def _drain(hears: socket.socket) -> None:
    try:
        for _ in range(1000):
            hears.recv(100)
    except BlockingIOError:
        pass


if __name__ == "__main__":
    print(json.dumps(asyncio.run(load(*map(float, sys.argv[1:4])))))
