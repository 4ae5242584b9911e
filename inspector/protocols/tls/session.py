"""A session of TLS whose secrets are known: keys by what the handshake says, sealed records opened.

    hellos ─> suite, randoms ─> secrets of the key log ─> Keys, and a PlainStream, of each direction
"""

from __future__ import annotations

from typing import NamedTuple

from inspector.extras import has_ciphers, installing
from inspector.model.language import marked
from inspector.protocols.api import Source
from inspector.protocols.tls.keys import SUITES, TAG, Keys, Suite, classic_keys, modern_keys
from inspector.protocols.tls.plain import PlainSource, PlainStream
from inspector.wire.tcp.delivery import Pump

ALERT, HANDSHAKE, DATA = 21, 22, 23
_CLIENT_HELLO, _SERVER_HELLO, _FINISHED, _KEY_UPDATE = 1, 2, 20, 24
_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
_AHEAD = 256             # records that may have been lost where one does not open
_REFUSED = 100           # records that do not open (early data), after which nothing is tried any more
_NO_CIPHERS = "the package cryptography is not installed ({})"
_INSTALL = marked("Have it installed by this command, then open the capture once more.")
_OTHER_SUITE = marked("With a suite of AES-GCM or ChaCha20-Poly1305 it could be opened.")
_PENDING = 1 << 18       # bytes of a handshake message that is not whole


class Opened(NamedTuple):
    """What a record holds: its true type, and of a handshake the types of the messages that end in it."""

    type: int
    content: bytes
    messages: tuple[int, ...] = ()


class Session:
    """`why`: in words, why nothing is opened though secrets are known; "" else. `remedy`: what would mend
    that, "" where the secrets are others than these."""

    def __init__(self, source: Source, client: int, pump: Pump) -> None:
        self._secrets, self._client = source.secrets, client
        self.streams = PlainStream(source.streams[0]), PlainStream(source.streams[1])
        self.inside = PlainSource(source, self.streams, pump)
        self.why, self.remedy = "", ""
        self._random, self._server_random = b"", b""
        self._suite: Suite | None = None
        self._keys: list[Keys | None] = [None, None]
        self._classic: tuple[Keys, Keys] | None = None
        self._turned = [0, 0]                    # traffic secrets of TLS 1.3 that a direction came to
        self._unsure = [False, False]            # records of the direction were lost
        self._refused = [0, 0]
        self._pending = [bytearray(), bytearray()]

    @property
    def opens(self) -> bool:
        """Whether there are keys."""
        return self._keys != [None, None]

    # --- keys --------------------------------------------------------------------------------------

    def learn(self, kind: int, body: bytes) -> None:
        """Take a hello: `body` without its type and length."""
        if len(body) < 35:
            return
        if kind == _CLIENT_HELLO:
            self._random = body[2:34]
        elif kind == _SERVER_HELLO and body[2:34] != _RETRY and self._secrets.knows(self._random):
            if len(body) < 37 + body[34]:
                return                         # the capture cut it before its cipher suite
            self._server_random = body[2:34]
            number = int.from_bytes(body[35 + body[34] : 37 + body[34]], "big")
            self._suite = SUITES.get(number)
            if not has_ciphers():
                self.why, self.remedy = _NO_CIPHERS.format(installing("tls")), _INSTALL
                self._suite = None
            elif self._suite is None:
                self.why, self.remedy = f"the cipher suite 0x{number:04x} is not read here", _OTHER_SUITE
            elif self._suite.modern:
                for direction in (0, 1):
                    self._turn(direction, "HANDSHAKE_TRAFFIC_SECRET")

    def _turn(self, direction: int, label: str) -> None:
        """Take the keys of a traffic secret."""
        end = "CLIENT" if direction == self._client else "SERVER"
        secret = self._secrets.secret(f"{end}_{label}", self._random)
        assert self._suite is not None
        self._keys[direction] = None if secret is None else modern_keys(self._suite, secret)
        self._turned[direction] += 1
        self._pending[direction].clear()

    def change(self, direction: int) -> None:
        """ChangeCipherSpec: from now on a direction is sealed; in TLS 1.3 it means nothing."""
        if self._suite is None or self._suite.modern:
            return
        if self._classic is None:
            master = self._secrets.secret("CLIENT_RANDOM", self._random)
            if master is None:
                return
            self._classic = classic_keys(self._suite, master, self._random, self._server_random)
        self._keys[direction] = self._classic[direction != self._client]

    # --- records -----------------------------------------------------------------------------------

    def open(self, direction: int, record: bytes, start: int) -> Opened | None:
        """What the record at `start` of its stream holds, header included in `record`; None: not known."""
        if self._keys[direction] is None and record[0] == DATA:
            self.change(direction)           # its ChangeCipherSpec was lost
        found = self._try(direction, record)
        if found is None and self._unsure[direction] and self._turned[direction] == 1:
            before = self._keys[direction]
            self._turn(direction, "TRAFFIC_SECRET_0")        # its Finished was lost
            found = self._try(direction, record)
            if found is None:
                self._keys[direction], self._turned[direction] = before, 1
        keys = self._keys[direction]
        if found is None or keys is None:
            self._refuse(direction)
            self.skip(direction, start, start + len(record))
            return None
        kind = record[0]
        if keys.suite.modern:
            found = found.rstrip(b"\0")
            kind, found = (found[-1], found[:-1]) if found else (0, b"")
        if kind == DATA:
            if found:
                self.streams[direction].take(start, start + len(record), len(found), keys, keys.number - 1)
            return Opened(kind, found)
        if kind == HANDSHAKE:
            return Opened(kind, found, self._messages(direction, found))
        if kind == ALERT and found[1:] == b"\0":
            self.streams[direction].finish_at(self.streams[direction].length & 0xFFFFFFFF)
        return Opened(kind, found)

    def _try(self, direction: int, record: bytes) -> bytes | None:
        """A record by the keys of its direction; where others were lost, by later numbers too."""
        keys = self._keys[direction]
        if keys is None:
            return None
        ahead = _AHEAD if self._unsure[direction] else 1
        for number in range(keys.number, keys.number + ahead):
            found = keys.open(record, number)
            if found is not None:
                keys.number, self._unsure[direction] = number + 1, False
                return found
        return None

    def _refuse(self, direction: int) -> None:
        self._refused[direction] += 1
        if self._refused[direction] > _REFUSED:
            self._keys[direction] = None
            self.why = self.why or "records do not open by the secrets that are known"

    def _messages(self, direction: int, data: bytes) -> tuple[int, ...]:
        """The types of the handshake messages that end with `data`; some of them change the keys."""
        pending, found = self._pending[direction], []
        pending.extend(data)
        while len(pending) >= 4:
            size = 4 + int.from_bytes(pending[1:4], "big")
            if size > _PENDING:
                pending.clear()
            if len(pending) < size:
                break
            found.append(pending[0])
            del pending[:size]
        keys = self._keys[direction]
        if keys is not None and keys.suite.modern:
            if _FINISHED in found:
                self._turn(direction, "TRAFFIC_SECRET_0")
            elif _KEY_UPDATE in found:
                self._keys[direction] = keys.next_generation()
        return tuple(found)

    def skip(self, direction: int, start: int, stop: int) -> None:
        """A record of which bytes are missing, or that does not open: what it holds is a hole."""
        keys, self._unsure[direction] = self._keys[direction], True
        size = stop - start - 5 - TAG - (0 if keys is None else keys.before + keys.suite.modern)
        self._miss(direction, start, stop, size)

    def _miss(self, direction: int, start: int, stop: int, size: int) -> None:
        """Where nothing was opened before, what is missing may have been handshake: then nobody knows."""
        stream = self.streams[direction]
        if not stream.length:
            stream.start_known = False
        elif self._keys[direction] is not None:
            stream.miss(start, stop, size)

    def lose(self, direction: int, start: int, stop: int) -> None:
        """Records may be missing, nobody knows how many."""
        self._unsure[direction] = True
        self._miss(direction, start, stop, stop - start)
