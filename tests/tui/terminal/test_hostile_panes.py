"""A capture that is hostile wherever it holds text, in panes, toasts, copies on a real terminal: none acts.

What reaches the terminal is held against what the same keys make of a harmless capture: no escape sequence of
another kind, no control character, nothing that turns the direction of text.
"""

from __future__ import annotations

import base64
import re
import struct
from pathlib import Path

import pytest

from inspector.protocols.websocket.frame import TEXT, encode
from inspector.tui.panes.registry import PANES
from inspector.wire import pcapng
from inspector.wire.journal import CallRecord, EventRecord, to_fields
from tests.support.captures.tcp import ip, segment
from tests.support.captures.websocket import UPGRADE
from tests.support.screen.terminal import Terminal
from tests.support.tiers import sweep, thorough

CLIENT, SERVER = 0, 1
# Clipboard, title, a link, a query that is answered, colours and places that nobody uses; C1, bidi; markup.
ESCAPES = (
    "\x1b]52;c;aGk=\x07\x1b]0;owned\x1b\\\x1b]8;;http://x\x1b\\\x1bP+q\x1b\\\x1b_x\x1b\\\x1bc\x1b[7771m\x1b[7772;1H"
    "\x1b[7773J\x9b7774m\x9d0;t\x9c\x90q\x9c\u202efdp\u2066\u200f\x00\x08\x0e\x7f"
)
EVIL = f"{ESCAPES}[@click=app.quit]press[/][bold red]x[/bold red]"
ACTS = (b"7771", b"7772", b"7773", b"7774")
TURNED = re.compile("[\x80-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def connection(port: int, *turns: tuple[int, bytes]) -> list[bytes]:
    at, ports = [1000, 5000], (40000 + port % 1000, port)
    frames = [segment(0, "S", 999, ports=ports), segment(1, "SA", 4999, 1000, ports=ports),
              segment(0, "A", 1000, 5000, ports=ports)]
    for direction, data in turns:
        frames.append(segment(direction, "PA", at[direction], at[1 - direction], data, ports=ports))
        at[direction] += len(data)
    return frames


def hostile(evil: str) -> bytes:
    """A capture with this text as payload, header, name, host, process, call, comment, and interface."""
    data = evil.encode()
    get = b"GET /" + data + b" HTTP/1.1\r\nHost: " + data + b"\r\nX-" + data + b": " + data + b"\r\n\r\n"
    ok = b"HTTP/1.1 200 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (data, data, len(data))
    name = bytes([len(data[:60])]) + data[:60] + b"\0\0\x01\0\x01"
    query = b"\x10\x32\1\0\0\1\0\0\0\0\0\0" + name
    datagram = struct.pack(">HHHH", 5000, 53, 8 + len(query), 0) + query
    command = b"*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n" % (len(data), data)
    frames = [
        *connection(80, (CLIENT, get), (SERVER, ok + data)),
        *connection(8765, *UPGRADE, (SERVER, encode(data, TEXT))),
        *connection(6379, (CLIENT, command), (SERVER, b"-ERR " + data + b"\r\n")),
        *connection(7, (CLIENT, data), (SERVER, data)), ip(CLIENT, 17, datagram),
    ]
    named = b"".join(struct.pack("=HH", 1, 4 + len(data)) + bytes((10, 0, 0, last)) + data
                     + bytes(-len(data) % 4) for last in (1, 2)) + bytes(4)
    size = len(named) + 12
    call = CallRecord(1, 20, 20, "client", "sendto", evil, 100, 900, 4, detail=evil, fd=3)
    event = EventRecord("note", evil, 1000, "client", 20, (("address", evil),))
    process = {"_COMM": evil, "_EXE": evil, "_CMDLINE": evil}
    blocks = [
        pcapng.section_header(comment=evil, hardware=evil, os=evil, application=evil),
        pcapng.interface_description(101, name=evil, filter=evil, description=evil, comment=evil),
        struct.pack("=II", pcapng.NAME_RESOLUTION, size) + named + struct.pack("=I", size),
        pcapng.journal(to_fields(call) | process), pcapng.journal(to_fields(event) | process),
        pcapng.journal({"MESSAGE": evil, "_PID": "20"} | process),
        *(pcapng.enhanced_packet(frame, 1000 * n, comment=evil) for n, frame in enumerate(frames)),
    ]
    return b"".join(blocks)


def walk(path: Path, conversations: int) -> tuple[bytes, str]:
    """All that was written, and what stood on the screen, in every pane, with what is chosen there whole."""
    shown = ""
    with Terminal(["open", str(path)], size=(160, 50)) as app:
        app.until_shown("Conversations", "packets")
        for number in range(conversations):
            app.press("0")
            app.settle()
            app.press("\x1b[H" + "\x1b[B" * number + "\r")
            for spec in [spec for spec in PANES if not number or spec.id in ("messages", "stream")]:
                app.press(spec.key)
                app.settle()
                app.press("\x1b[B" * 3 + "y")
                app.settle()
                app.press("e")
                app.settle()
                shown += app.painted.text
                app.press("\x1b")
        with path.open("r+b") as file:
            file.write(b"\0")
        app.until_shown("was overwritten while it was read")
        shown += app.painted.text
        app.press("\x11")
        assert app.end() == 0
        return app.seen, shown


@pytest.fixture(scope="module")
def plain_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("harmless") / "plain.pcapng"
    path.write_bytes(hostile("hello"))
    return walk(path, 1)[0]


def copied(seen: bytes) -> list[str]:
    """What was given to the clipboard (OSC 52)."""
    return [base64.b64decode(data).decode("utf-8") for data in re.findall(rb"\x1b\]52;c;(.*?)\x07", seen)]


def kinds(seen: bytes) -> set[bytes]:
    """What begins a sequence other than CSI, the kinds of CSI, and control characters by themselves."""
    csi = re.compile(rb"\x1b\[([<-?]?)[0-?]*([ -/]*[@-~])")
    rest = csi.sub(b"", seen)
    found = {b"CSI " + mark + end for mark, end in csi.findall(seen)}
    return found | set(re.findall(rb"\x1b.?", rest, re.DOTALL)) | set(re.findall(rb"[\x00-\x1f\x7f]", rest))


@thorough
@sweep("conversations", [1, 4], lambda conversations: conversations == 1)
def test_nothing_in_a_capture_acts_on_the_terminal(
    tmp_path: Path, plain_bytes: bytes, conversations: int
) -> None:
    assert len(kinds(plain_bytes + ESCAPES.encode()) - kinds(plain_bytes)) > 8        # it would be seen
    folder = tmp_path / ESCAPES.replace("/", "").replace("\0", "")
    folder.mkdir()
    path = folder / f"x{EVIL.replace('/', '').replace(chr(0), '')}.pcapng"
    path.write_bytes(hostile(EVIL))
    seen, shown = walk(path, conversations)
    assert kinds(seen) <= kinds(plain_bytes)
    assert not TURNED.search(seen.decode("utf-8"))
    assert not [sign for sign in ACTS if re.search(rb"\x1b\[" + sign, seen)]
    for text in copied(seen):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", text), text      # lines and tabs may stand in it
        assert not TURNED.search(text)
        assert text != "hi"                        # which the capture wants to be copied
    assert len(copied(seen)) > 8
    assert "[@click=app.quit]" in shown and "[bold red]" in shown        # as the text that it is
