"""Make the captures of this folder anew: real connections over a private loopback, with loss.

Needs Linux with unshare, ip, nft, sysctl and dumpcap, no root: `python make_captures.py [FOLDER]`. The
answers beside them are made by make_answers.py (tshark).
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

PORT = 7000
RESET = struct.pack("ii", 1, 0)


def run(command: str) -> None:
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)


def listen(port: int = PORT, buffer: int = 0) -> socket.socket:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if buffer:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    server.bind(("127.0.0.1", port))
    server.listen()
    return server


def pair(buffer: int = 0) -> tuple[socket.socket, socket.socket]:
    server = listen(buffer=buffer)
    client = socket.create_connection(("127.0.0.1", PORT))
    accepted, _ = server.accept()
    server.close()
    return client, accepted


def drain(sock: socket.socket, pause: float = 0.0) -> None:
    while sock.recv(65536):
        time.sleep(pause)
    sock.close()


def bulk(size: int = 150_000) -> None:
    client, accepted = pair()
    reader = threading.Thread(target=drain, args=(accepted,))
    reader.start()
    client.sendall(bytes(size))
    client.close()
    reader.join()


def loss(percent: int) -> Callable[[], None]:
    def scenario() -> None:
        run("nft add table inet t; nft 'add chain inet t i { type filter hook input priority 0; }'")
        run(f"nft add rule inet t i numgen random mod 100 '<' {percent} drop")
        try:
            bulk()
            time.sleep(0.5)
        finally:
            run("nft delete table inet t")
    return scenario


def plain_loss() -> None:
    names = ("sack", "timestamps", "window_scaling")
    run("; ".join(f"sysctl -w net.ipv4.tcp_{name}=0" for name in names))
    try:
        loss(6)()
    finally:
        run("; ".join(f"sysctl -w net.ipv4.tcp_{name}=1" for name in names))


def zero_window() -> None:
    client, accepted = pair(buffer=4096)

    def send() -> None:
        client.sendall(bytes(60_000))
        client.close()

    sender = threading.Thread(target=send)
    sender.start()
    time.sleep(2.2)
    drain(accepted)
    sender.join()


def slow_reader() -> None:
    client, accepted = pair(buffer=4096)
    reader = threading.Thread(target=drain, args=(accepted, 0.02))
    reader.start()
    client.sendall(bytes(60_000))
    client.close()
    reader.join()


def keep_alive() -> None:
    client, accepted = pair()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    client.sendall(b"hello")
    time.sleep(3.3)
    client.close()
    accepted.close()


def small_writes() -> None:
    client, accepted = pair()
    for _ in range(12):                 # two writes a request, and the answer only after both
        client.sendall(b"head ")
        client.sendall(b"body\n")
        got = b""
        while not got.endswith(b"\n"):
            got += accepted.recv(100)
        accepted.sendall(b"ok\n")
        client.recv(100)
    client.close()
    accepted.close()


def unread_data() -> None:
    client, accepted = pair()
    client.sendall(b"you will never read this")
    time.sleep(0.1)
    accepted.close()
    client.close()


def refused_and_unanswered() -> None:
    run("sysctl -w net.ipv4.tcp_syn_retries=2; nft add table inet t")
    run("nft 'add chain inet t i { type filter hook input priority 0; }'")
    run("nft add rule inet t i tcp dport 7001 drop")
    for port in (PORT, PORT + 1):
        with socket.socket() as client:
            client.settimeout(4)
            try:
                client.connect(("127.0.0.1", port))
            except OSError:
                pass
    run("nft delete table inet t")


def half_open() -> None:
    client, accepted = pair()
    client.sendall(b"hello")
    accepted.recv(10)
    run("nft add table inet t; nft 'add chain inet t i { type filter hook output priority 0; }'")
    run("nft add rule inet t i tcp sport 7000 drop")
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    accepted.close()
    run("nft delete table inet t")
    client.sendall(b"are you there?")
    time.sleep(0.1)
    client.close()


def ports_again() -> None:
    server = listen()
    for _ in range(3):
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind(("127.0.0.1", 40404))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.connect(("127.0.0.1", PORT))
            accepted, _ = server.accept()
            client.sendall(b"again")
            accepted.recv(10)
        accepted.close()
    server.close()


def simultaneous_open() -> None:
    ends = [socket.socket(), socket.socket()]
    for end, port in zip(ends, (7101, 7102), strict=True):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        end.bind(("127.0.0.1", port))
        end.setblocking(False)
    # What the second end's SYN is to find is a first end that has sent its own: hold the first answer back.
    run("nft add table inet t; nft 'add chain inet t i { type filter hook input priority 0; }'")
    run("nft add rule inet t i tcp flags '&' '(syn|ack)' == syn limit rate 1/hour burst 1 packets drop")
    ends[0].connect_ex(("127.0.0.1", 7102))
    ends[1].connect_ex(("127.0.0.1", 7101))
    time.sleep(1.5)
    for end in ends:
        end.setblocking(True)
        end.sendall(b"both")
    time.sleep(0.1)
    for end in ends:
        end.shutdown(socket.SHUT_WR)
    for end in ends:
        drain(end)
    run("nft delete table inet t")


def half_close() -> None:
    client, accepted = pair()
    client.sendall(b"all I have")
    client.shutdown(socket.SHUT_WR)
    while accepted.recv(100):
        pass
    accepted.sendall(b"then this is for you")
    time.sleep(0.1)
    accepted.close()
    drain(client)


SCENARIOS: dict[str, Callable[[], None]] = {
    "loss-3": loss(3), "loss-10": loss(10), "loss-without-options": plain_loss, "zero-window": zero_window,
    "slow-reader": slow_reader, "keep-alive": keep_alive, "small-writes": small_writes,
    "unread-data": unread_data, "refused-and-unanswered": refused_and_unanswered, "half-open": half_open,
    "ports-again": ports_again, "simultaneous-open": simultaneous_open, "half-close": half_close,
}


def main(folder: Path) -> None:
    run("ip link set lo up mtu 1500; ip link set lo gso_max_size 1500 || true")
    for name, scenario in SCENARIOS.items():
        capture = subprocess.Popen(
            ["dumpcap", "-q", "-P", "-i", "lo", "-s", "120", "-w", str(folder / f"{name}.pcap"), "-f", "tcp"],
            stderr=subprocess.DEVNULL,
        )
        time.sleep(0.7)
        try:
            scenario()
        finally:
            time.sleep(0.3)
            capture.send_signal(signal.SIGINT)
            capture.wait()


if __name__ == "__main__":
    if os.environ.get("IN_LAB"):
        main(Path(sys.argv[1]))
    else:
        target = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent).absolute()
        command = ["unshare", "-Urnm", sys.executable, __file__, str(target)]
        sys.exit(subprocess.run(command, env={**os.environ, "IN_LAB": "1"}).returncode)
