"""From the secrets of a session to the keys of its records, and records to what they hold.

TLS 1.3 (RFC 8446 sections 5, 7): HKDF over traffic secrets. TLS 1.2 (RFC 5246 section 6, RFC 5288, RFC 7905):
the key block of the master secret. The ciphers themselves are those of the package `cryptography`, which is
loaded with the first connection whose secrets are known.
"""

from __future__ import annotations

import hmac
from typing import Literal, NamedTuple, Protocol

Cipher = Literal["aes-gcm", "chacha20"]
TAG = 16                 # bytes by which a sealed record is longer
_NONCE = 12
_EXPLICIT = 8            # bytes of the nonce that records of AES-GCM carry in TLS 1.2


class Suite(NamedTuple):
    """What a cipher suite seals with. `key`: bytes of its key, `hash`: of its key derivation."""

    cipher: Cipher
    key: int
    hash: str
    modern: bool                     # of TLS 1.3


SUITES: dict[int, Suite] = {
    0x1301: Suite("aes-gcm", 16, "sha256", True), 0x1302: Suite("aes-gcm", 32, "sha384", True),
    0x1303: Suite("chacha20", 32, "sha256", True),
    **{number: Suite("aes-gcm", 16, "sha256", False) for number in (0x009C, 0x009E, 0xC02B, 0xC02F)},
    **{number: Suite("aes-gcm", 32, "sha384", False) for number in (0x009D, 0x009F, 0xC02C, 0xC030)},
    **{number: Suite("chacha20", 32, "sha256", False) for number in (0xCCA8, 0xCCA9, 0xCCAA)},
}


class Aead(Protocol):
    """An AEAD of `cryptography`."""

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """What is sealed; InvalidTag where key, nonce or data are not right."""


def _aead(suite: Suite, key: bytes) -> Aead:
    # here: the package is not installed everywhere
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

    found: Aead = AESGCM(key) if suite.cipher == "aes-gcm" else ChaCha20Poly1305(key)
    return found


class Keys:
    """Opens the records of one direction, one after the other; each by its number, which counts from 0."""

    def __init__(self, suite: Suite, key: bytes, iv: bytes, secret: bytes = b"") -> None:
        self.suite, self.secret = suite, secret
        self._aead, self._iv = _aead(suite, key), iv
        self._mask = int.from_bytes(iv, "big")           # of TLS 1.3: a record's number is laid over it
        self.number = 0              # of the next record

    @property
    def before(self) -> int:
        """Bytes of a record's payload before what is sealed."""
        return _EXPLICIT if not self.suite.modern and self.suite.cipher == "aes-gcm" else 0

    def open(self, record: bytes, number: int) -> bytes | None:
        """What a record holds, header included in `record`; None where it does not open."""
        payload = record[5 + self.before :]
        if len(payload) < TAG:
            return None
        count = number.to_bytes(8, "big")
        if self.before:
            nonce = self._iv + record[5 : 5 + _EXPLICIT]
        else:
            nonce = (self._mask ^ number).to_bytes(_NONCE, "big")
        about = record[:5]
        if not self.suite.modern:
            about = count + record[:3] + (len(payload) - TAG).to_bytes(2, "big")
        try:
            return self._aead.decrypt(nonce, payload, about)
        except Exception:            # InvalidTag, and what else a library makes of hostile lengths
            return None

    def next_generation(self) -> Keys:
        """The keys after a KeyUpdate (RFC 8446 section 7.2)."""
        secret = expand_label(self.suite.hash, self.secret, "traffic upd", len(self.secret))
        return modern_keys(self.suite, secret)


def expand_label(name: str, secret: bytes, label: str, size: int) -> bytes:
    """HKDF-Expand-Label with an empty context (RFC 8446 section 7.1)."""
    full = b"tls13 " + label.encode()
    info = size.to_bytes(2, "big") + bytes([len(full)]) + full + b"\0"
    found, block, count = b"", b"", 1
    while len(found) < size:
        block = hmac.digest(secret, block + info + bytes([count]), name)
        found, count = found + block, count + 1
    return found[:size]


def modern_keys(suite: Suite, secret: bytes) -> Keys:
    """The keys of a traffic secret of TLS 1.3."""
    key = expand_label(suite.hash, secret, "key", suite.key)
    iv = expand_label(suite.hash, secret, "iv", 12)
    return Keys(suite, key, iv, secret)


def classic_keys(suite: Suite, master: bytes, client_random: bytes,
                 server_random: bytes) -> tuple[Keys, Keys]:
    """The client's and the server's keys of TLS 1.2 (RFC 5246 section 6.3)."""
    iv = 4 if suite.cipher == "aes-gcm" else 12
    seed = b"key expansion" + server_random + client_random
    found, chain = b"", seed
    while len(found) < 2 * (suite.key + iv):
        chain = hmac.digest(master, chain, suite.hash)
        found += hmac.digest(master, chain + seed, suite.hash)
    keys = [found[at : at + suite.key] for at in (0, suite.key)]
    ivs = [found[2 * suite.key + at :][:iv] for at in (0, iv)]
    return Keys(suite, keys[0], ivs[0]), Keys(suite, keys[1], ivs[1])

