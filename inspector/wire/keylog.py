"""Secrets of TLS sessions as programs write them to SSLKEYLOGFILE (draft-ietf-tls-keylogfile).

Lines `LABEL CLIENT_RANDOM SECRET` in hex; from a file, or from the Decryption Secrets Blocks of a capture.
"""

from __future__ import annotations

MOST_SECRETS = 200_000       # that are kept
_LABELS = frozenset((
    b"CLIENT_RANDOM", b"CLIENT_HANDSHAKE_TRAFFIC_SECRET", b"SERVER_HANDSHAKE_TRAFFIC_SECRET",
    b"CLIENT_TRAFFIC_SECRET_0", b"SERVER_TRAFFIC_SECRET_0"))


class KeyLog:
    """Secrets by label and the random of the Client Hello. `count` grows with each that is new."""

    def __init__(self) -> None:
        self._secrets: dict[tuple[bytes, bytes], bytes] = {}
        self.left_out = 0                 # secrets that were not kept, as there were so many

    @property
    def count(self) -> int:
        """How many secrets there are."""
        return len(self._secrets)

    def add(self, text: bytes) -> int:
        """Take the lines that can be read; how many secrets are new."""
        before = len(self._secrets)
        for line in text.splitlines():
            words = line.split()
            if len(words) != 3 or words[0] not in _LABELS:
                continue
            if len(self._secrets) >= MOST_SECRETS:
                self.left_out += 1
                continue
            try:
                random, secret = (bytes.fromhex(word.decode("ascii")) for word in words[1:])
            except ValueError:
                continue
            if len(random) == 32 and 32 <= len(secret) <= 64:
                self._secrets[words[0], random] = secret
        return len(self._secrets) - before

    def secret(self, label: str, random: bytes) -> bytes | None:
        """The secret of a session; None where it is not known."""
        return self._secrets.get((label.encode(), random))

    def knows(self, random: bytes) -> bool:
        """Whether there is any secret of a session."""
        return any((label, random) in self._secrets for label in _LABELS)
