"""The interface that is captured goes down and comes back, in a private network: the capture goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from inspector.trace.trace import Trace
from tests.support.running.commands import ROOT
from tests.support.running.lab import needs_lab
from tests.support.tiers import thorough

# As root of the network: a datagram, the loopback down, a datagram that cannot go, up again, one more.
SCRIPT = """
import fcntl, signal, socket, struct, subprocess, sys, time
from inspector.lab.network.namespace import loopback_up
from tests.support.running.lab import read_trace, wait_until

path = sys.argv[1]
hears = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
hears.bind(("127.0.0.1", 9))
says = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
record = subprocess.Popen([sys.executable, "-m", "inspector", "record", "-o", path], stderr=subprocess.PIPE)
record.stderr.readline()

def heard(data):
    frames = lambda: [frame for frame in read_trace(path).frames if data in frame]
    def again():
        says.sendto(data, ("127.0.0.1", 9))
        time.sleep(0.05)
        return frames()
    wait_until(again, repr(data))

heard(b"before")
request = struct.pack("16sH14x", b"lo", 0x48)             # LOOPBACK, RUNNING: without UP
fcntl.ioctl(says, 0x8914, request)
try:
    says.sendto(b"meanwhile", ("127.0.0.1", 9))
except OSError:
    pass
loopback_up()
heard(b"after")
record.send_signal(signal.SIGINT)
_, said = record.communicate()
print(record.returncode, said.decode())
"""


@thorough
@needs_lab
def test_an_interface_that_goes_down_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    command = [sys.executable, "-m", "tests.tools.benchmarks.private_network", sys.executable, "-c", SCRIPT]
    done = subprocess.run([*command, str(path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout and done.stdout.startswith("0 "), done.stdout
    with Trace.open(path) as trace:
        trace.finish()
        assert not trace.truncated and not trace.statistics.dropped
        assert trace.index.count >= 2
