"""Load for the capture's benchmarks: floods, copies, and what a process used; run inside a private network.

`python capture_load.py flood COUNT SIZE [RATE]` and `copy BYTES` are the senders, processes of their own.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
import threading
import time
from pathlib import Path

import numpy as np

PORT = 7000
_VECTOR = 256                      # datagrams a system call


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p), ("name_length", ctypes.c_uint), ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    _fields_ = (("header", _Header), ("length", ctypes.c_uint))


def flood(count: int, size: int, rate: float = 0) -> float:
    """Send `count` datagrams of `size` bytes, each beginning with its number; seconds it took.

    `rate`: datagrams a second, 0 as fast as it goes.
    """
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", PORT))
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect(("127.0.0.1", PORT))
    payload = np.zeros((_VECTOR, size), np.uint8)
    numbers = payload[:, :8].view(np.uint64)
    vectors = (_Vector * _VECTOR)()
    messages = (_Message * _VECTOR)()
    for at in range(_VECTOR):
        vectors[at] = _Vector(payload.ctypes.data + at * size, size)
        messages[at].header = _Header(vectors=ctypes.addressof(vectors[at]), vector_count=1)
    sendmmsg = ctypes.CDLL(None, use_errno=True).sendmmsg
    began = time.perf_counter()
    sent = 0
    while sent < count:
        numbers[:, 0] = np.arange(sent, sent + _VECTOR)
        done = sendmmsg(sender.fileno(), ctypes.byref(messages), min(_VECTOR, count - sent), 0)
        if done < 0:
            raise OSError(ctypes.get_errno(), "sendmmsg")
        sent += done
        if rate:
            time.sleep(max(began + sent / rate - time.perf_counter(), 0))
    return time.perf_counter() - began


def copy(size: int) -> float:
    """Copy `size` bytes through a TCP connection; seconds it took."""
    server = socket.create_server(("127.0.0.1", PORT))

    def read() -> None:
        connection = server.accept()[0]
        room = bytearray(1 << 20)
        while connection.recv_into(room):
            pass
        connection.close()

    reader = threading.Thread(target=read)
    reader.start()
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", PORT)) as client:
        chunk = bytes(1 << 20)
        for _ in range(size >> 20):
            client.sendall(chunk)
    reader.join()
    return time.perf_counter() - began


def cpu_seconds(pid: int) -> float:
    """What all threads of a process have run so far, user and system."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def wait_until_still(path: Path, seconds: float = 0.6) -> None:
    """Until a file has not grown for a while."""
    size, since = -1, time.monotonic()
    while time.monotonic() - since < seconds:
        time.sleep(0.05)
        now = path.stat().st_size
        if now != size:
            size, since = now, time.monotonic()


if __name__ == "__main__":
    if sys.argv[1] == "flood":
        print(flood(int(sys.argv[2]), int(sys.argv[3]), *map(float, sys.argv[4:5])))
    else:
        print(copy(int(sys.argv[2])))
    sys.stdout.flush()
    os._exit(0)
