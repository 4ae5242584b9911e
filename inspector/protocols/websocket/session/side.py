"""What one end of a WebSocket connection has done so far: the state between its frames.

`session` holds one `Side` per direction and judges frames by it.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from inspector.protocols.websocket.frame import FrameIndex
from inspector.protocols.websocket.rules import Close, Role
from inspector.protocols.websocket.session.deflate import Inflater
from inspector.protocols.websocket.session.utf8 import TextCheck

OPEN_PINGS = 256


class OpenPing(NamedTuple):
    """A ping without an answer; `peer_frames`: how many frames the peer had sent when it came."""

    frame: FrameIndex
    payload: bytes
    peer_frames: int


class Side:
    """The message that is under way, the pings that are open, the close, the masking keys of one end."""

    def __init__(self, role: Role, inflater: Inflater | None) -> None:
        self.role = role
        self.inflater = inflater
        self.frames = 0
        self.close: Close | None = None
        self.message = -1              # the fragmented message under way; -1: none
        self.message_start = 0
        self.compressed = False
        self.text: TextCheck | None = None
        self.reported = False              # that the message under way cannot be inflated
        self.window_reported = False
        self.asked = False             # a ping was ever sent
        self.torn = False              # bytes of this end are missing: there may have been a ping
        self.headless = False          # the beginning of the message that goes on may be among them
        # The peer's Pongs (frame, sentence, start, stop) to no Ping, until it shows that none was lost
        self.doubts: deque[tuple[FrameIndex, str, int, int]] = deque(maxlen=OPEN_PINGS)
        self.pings: deque[OpenPing] = deque(maxlen=OPEN_PINGS)
        self._key = b""
        self._same_key = 0

    @property
    def name(self) -> str:
        """"client" or "server"."""
        return "client" if self.role.client else "server"

    def ping(self, index: FrameIndex, payload: bytes, peer_frames: int) -> None:
        """This end sent a ping."""
        self.asked = True
        self.pings.append(OpenPing(index, payload, peer_frames))

    def answered_by(self, payload: bytes) -> FrameIndex | None:
        """The ping that a pong of the peer answers, older ones with it (RFC 6455 §5.5.3)."""
        for index, ping in enumerate(self.pings):
            if ping.payload == payload:
                for _ in range(index + 1):
                    self.pings.popleft()
                return ping.frame
        return None

    def key_problem(self, key: bytes) -> str:
        """A sentence when the next frame's masking key (empty: none) could have been foretold, once a run."""
        if key != self._key:
            self._key, self._same_key = key, 1
            return "The masking key is zero." if key == b"\0\0\0\0" else ""
        self._same_key += bool(key)
        return f"Three frames in a row have the masking key {key.hex()}." if self._same_key == 3 else ""

    def same_key(self, key: bytes) -> bool:
        """Whether the last frames had this masking key, and all that can be said of that was said."""
        return key == self._key and (not key or self._same_key >= 3)

    @property
    def key(self) -> bytes:
        """The masking key of the last frame."""
        return self._key

    def plain(self, count: int, key: bytes) -> None:
        """`count` plain frames were sent, the last one (of a client) with this masking key."""
        self.frames += count
        self.headless = False
        self._key, self._same_key = key if self.role.client else b"", int(self.role.client)

    def interrupt(self) -> None:
        """Bytes of this end are missing in the capture: nothing that relies on them can be said."""
        self.tear()
        self.headless = True
        if self.inflater is not None:
            self.inflater.lose()
        self.message, self.text, self.compressed = -1, None, False

    def tear(self) -> None:
        """A Ping of this end may be missing."""
        self.torn = True
        self.doubts.clear()

    def let_go(self) -> None:
        """The message under way is over, whole or not."""
        if self.compressed and self.inflater is not None:
            self.inflater.end()
        self.message, self.text, self.compressed = -1, None, False
