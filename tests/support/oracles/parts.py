"""Parts of traces as files, of which tshark was asked once: `tools/oracle.py parts` writes its answers."""

from __future__ import annotations

import hashlib

from inspector.model.packets import Row
from inspector.trace.trace import Trace
from inspector.views.handing.part import conversation_part
from inspector.views.ladder.ends import Conversation
from tests.support.captures.traces import DATA, open_trace

PARTS = {"calls": ("", 1), "tls": ("protocols/tls.pcapng", 1), "tls.http2": ("protocols/tls.pcapng", 6),
         "tls.websocket": ("protocols/tls.pcapng", 7)}
"""The file, "" for a session of ours, and the conversation of TCP."""

ANSWERS = DATA / "parts"
TABLES = {
    "packets": ("tcp", ("frame.len", "frame.comment")),
    "journal": ("systemd_journal", ("systemd_journal.comm", "systemd_journal.pid",
                                    "systemd_journal.message")),
    "inside": ("tls && (http || http2.headers.path || websocket)", (
        "http.request.uri", "http.response.code", "http2.headers.path", "websocket.opcode")),
}
"""What tshark is asked: which of the file's frames, and which fields."""


def part_bytes(name: str) -> bytes:
    """The part as it is saved; of a session with a comment and a mark."""
    path, stream = PARTS[name]
    with (Trace.open(DATA / path) if path else open_trace("http-connections")) as trace:
        trace.finish()
        if not path:
            trace.comments.write(Row(13), "here: it’s 'slow'\\")
            trace.comments.toggle_mark(Row(13))
        return b"".join(conversation_part(trace, Conversation("tcp", stream)))


def answers(name: str, kind: str) -> tuple[str, list[tuple[str, ...]]]:
    """The sum of the file that tshark was asked of, and its lines."""
    total, *lines = (ANSWERS / f"{name}.{kind}.tsv").read_text(encoding="utf-8").splitlines()
    return total, [tuple(line.split("\t")) for line in lines]


def sum_of(data: bytes) -> str:
    """A file's SHA-256."""
    return hashlib.sha256(data).hexdigest()
