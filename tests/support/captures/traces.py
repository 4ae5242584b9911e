"""The small real traces in tests/data/traces: which there are, and how they were made.

`python -m tests.support.captures.traces [NAME ...]` records them again in the lab. Views are compared with
text files made from these very bytes: after that `UPDATE_SNAPSHOTS=1 pytest tests/views` makes those again.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Any

from inspector.trace.trace import Trace

DATA = Path(__file__).parents[2] / "data"
TRACES = DATA / "traces"

SESSIONS: dict[str, dict[str, Any]] = {
    "tcp": {"kind": "tcp"},
    "tcp-push": {"kind": "tcp", "behaviour": "push", "ipv6": True, "messages": ("hello",)},
    "tcp-half-close": {"kind": "tcp", "ending": "half-close"},
    "tcp-abort": {"kind": "tcp", "ending": "abort"},
    "tcp-refused": {"kind": "tcp", "with_server": False},
    "udp": {"kind": "udp", "connected": False},
    "udp-refused": {"kind": "udp", "with_server": False},
    "http": {"kind": "http"},
    "http-connections": {"kind": "http", "keep_alive": False, "messages": ("GET /", "POST /echo hello")},
    "websocket": {"kind": "websocket"},
    "websocket-deflate": {
        "kind": "websocket", "deflate": True,
        "messages": ("hello hello hello", "ping:x", "fragments:3:abcdefghi", "hex:00ff"),
    },
}  # fmt: skip


def open_trace(name: str) -> Trace:
    """The trace of this name, read to its end."""
    trace = Trace.open(TRACES / f"{name}.pcapng")
    trace.finish()
    return trace


def record(name: str) -> None:
    """Play the session in a lab and keep its trace, without the name of this system."""
    from inspector.lab.launch import start_agent
    from inspector.model.commands import Start
    from inspector.model.spec import SessionSpec

    path = TRACES / f"{name}.pcapng"
    with start_agent(path, "lab") as agent:
        agent.send(Start(SessionSpec(**SESSIONS[name])))
        with Trace.open(path, following=True) as trace:
            until = time.monotonic() + 30
            while not any(event.kind == "session-ended" for event in trace.events):
                agent.wait_for_news(0.5)
                trace.refresh()
                if time.monotonic() > until:
                    raise SystemExit(f"The session {name} did not end.")
    data = path.read_bytes()
    path.write_bytes(re.sub(rb"Linux \d[\x20-\x7e]*", lambda found: b"Linux".ljust(len(found[0])), data))
    path.chmod(0o644)


if __name__ == "__main__":
    for chosen in sys.argv[1:] or SESSIONS:
        record(chosen)
