"""Record BIG TCP on a loopback of our own: tests/data/cases/big-tcp-lo.pcapng, each packet's first 128 bytes.

`python -m tests.tools.kernel.big_tcp [FILE]` makes a user and network namespace in which segments may have
400,000 bytes (IFLA_GSO_MAX_SIZE and its sisters), sends 4 MB over IPv6 and IPv4, and keeps what was captured.
Needs Linux 6.3 with user namespaces. Frames come out as the kernel makes them: IPv6 with a jumbo payload
option or without, IPv4 with a total length of 0.
"""

from __future__ import annotations

import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from inspector.model.packets import first_rows
from inspector.trace.trace import Trace
from inspector.wire.pcapng import enhanced_packet, interface_description, section_header

FILE = Path(__file__).parents[2] / "data" / "cases" / "big-tcp-lo.pcapng"
MOST, SNAPLEN, SENT, PORT = 400_000, 128, 4 << 20, 9000
_ATTRIBUTES = 41, 58, 63, 64         # IFLA_GSO_MAX_SIZE, GRO, and the two of IPv4
_NEWLINK, _REQUEST_ACK, _UP = 16, 5, 1


def allow(index: int) -> None:
    """Bring the interface up, with segments of up to `MOST` bytes."""
    body = struct.pack("BxHiII", 0, 0, index, _UP, _UP)
    body += b"".join(struct.pack("HHI", 8, attribute, MOST) for attribute in _ATTRIBUTES)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW) as kernel:
        kernel.send(struct.pack("IHHII", 16 + len(body), _NEWLINK, _REQUEST_ACK, 1, 0) + body)
        error = -struct.unpack_from("i", kernel.recv(4096), 16)[0]
        assert not error, f"the kernel refuses (errno {error})"


def transfer(family: socket.AddressFamily, host: str) -> None:
    """Send `SENT` bytes through one connection."""
    with socket.create_server((host, PORT), family=family) as server, socket.socket(family) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
        client.connect((host, PORT))
        sender = threading.Thread(target=client.sendall, args=(bytes(SENT),))
        sender.start()
        there, _ = server.accept()
        left = SENT
        while left:
            left -= len(there.recv(1 << 20))
        sender.join()
        client.shutdown(socket.SHUT_WR)
        assert not there.recv(1)
        there.close()


def record(path: Path) -> None:
    """In the namespace: capture two transfers, and keep the packets alone."""
    allow(socket.if_nametoindex("lo"))
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "lo.pcapng"
        command = [sys.executable, "-m", "inspector", "record", str(PORT), "-o", str(saved), "--snaplen",
                   str(SNAPLEN)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as capture:
            assert capture.stderr is not None and "Capturing" in capture.stderr.readline()
            while not saved.exists() or b"agent-ready" not in saved.read_bytes():
                time.sleep(0.05)
            transfer(socket.AF_INET6, "::1")
            transfer(socket.AF_INET, "127.0.0.1")
            time.sleep(0.5)
            capture.send_signal(signal.SIGINT)
        blocks = [section_header(application="big_tcp.py"), interface_description(1, SNAPLEN, "lo")]
        with Trace.open(saved) as trace:
            trace.finish()
            for row in first_rows(trace.index.count):
                times, lengths = trace.index.time_ns, trace.index.length
                blocks.append(enhanced_packet(trace.frame(row), int(times[row]), int(lengths[row])))
    path.write_bytes(b"".join(blocks))


if __name__ == "__main__":
    if sys.argv[1:2] == ["inside"]:
        record(Path(sys.argv[2]))
    else:
        target = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
        again = [sys.executable, "-m", "tests.tools.kernel.big_tcp", "inside", str(target)]
        subprocess.run(["unshare", "-rn", *again], check=True)
