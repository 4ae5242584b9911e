"""Captures for tests, each in a lab of its own: a script that enters it and captures within one process."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from tests.support.running.commands import ROOT, run

_HEAD = """
import json, os, socket, sys, time
from inspector.lab.network import namespace
namespace.enter()
from inspector.capture import capture as capture_module
from inspector.capture.bpf import ACCEPT_ALL, accept_all
from inspector.capture.capture import Capture, open_source
from inspector.capture.choice import choose_program
from inspector.capture.packet_socket import open_packet_socket
from inspector.capture.receive import Receiver
from inspector.capture.ring import Ring
path = sys.argv[1]

def start(source=None, **more):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    def failed(sentence):
        print(sentence, file=sys.stderr)
    more = {"description": "test", "woken": lambda: None, "failed": failed, "source": source} | more
    started = Capture(descriptor, **more)
    started.start()
    return started

def pair(kind=socket.SOCK_DGRAM, port=7000):
    receiver = socket.socket(socket.AF_INET, kind)
    receiver.bind(("127.0.0.1", port))
    sender = socket.socket(socket.AF_INET, kind)
    return sender, receiver
"""


def in_lab(path: object, code: str, *, quiet: bool = True) -> dict[str, Any]:
    """Run `code` in a lab; it captures into `path`, may print a JSON object, and complains of nothing."""
    script = _HEAD + textwrap.dedent(code)
    done = run(str(path), code=script, folder=ROOT)
    assert done.returncode == 0 and not (quiet and done.stderr), done.stderr.decode()
    return dict(json.loads(done.stdout)) if done.stdout else {}
