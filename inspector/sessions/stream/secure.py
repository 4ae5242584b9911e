"""TLS of a client of ours, between a connection and its exchange, by Python's ssl without I/O of its own.

    what came ─> Secure.receive ─> plain bytes        plain bytes ─> Secure.seal ─> what is to be sent

The system calls stay the socket's, with what is really sent. Secrets go into the journal as they are made, so
that the trace can be opened.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Sequence

from inspector.model.spec import SessionSpec

_MOST = 1 << 16
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")


class Secure:
    """The client's side of one TLS connection to `spec.to`. All methods raise ssl.SSLError.

    `ready`: the handshake is done. `ended`: the other end said that it sends no more (close_notify).
    """

    def __init__(self, spec: SessionSpec, alpn: Sequence[str], report: Callable[[str], None]) -> None:
        """`alpn`: protocols that are offered; `report` gets each line of the key log."""
        assert spec.service is not None
        self.ready = self.ended = False
        self._report = report
        self._keys = os.memfd_create("keylog", os.MFD_CLOEXEC)
        self._read_to = 0
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = _context(insecure=spec.insecure)
        if alpn:
            context.set_alpn_protocols(alpn)
        context.keylog_filename = f"/proc/self/fd/{self._keys}"
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=spec.service[0])

    def outgoing(self) -> bytes:
        """What is to be sent now."""
        return self._out.read()

    def _handshake(self) -> None:
        try:
            self._tls.do_handshake()
            self.ready = True
        except ssl.SSLWantReadError:
            pass
        finally:
            self._report_secrets()

    def receive(self, data: bytes) -> bytes:
        """Take what came, or begin; the plain bytes that it holds."""
        self._in.write(data)
        if not self.ready:
            self._handshake()
        plain = []
        try:
            while self.ready and not self.ended:
                part = self._tls.read(_MOST)
                self.ended = not part
                plain.append(part)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        return b"".join(plain)

    def seal(self, data: bytes) -> bytes:
        """What is to be sent for plain bytes."""
        self._tls.write(data)
        return self.outgoing()

    def close_notify(self) -> bytes:
        """What says that no more will be sent; nothing where there was no handshake."""
        if self.ready:
            try:
                self._tls.unwrap()
            except ssl.SSLError:
                pass                       # it waits for the other end's word, or has heard it
        return self.outgoing()

    def close(self) -> None:
        """Let the key log go."""
        if self._keys >= 0:
            os.close(self._keys)
            self._keys = -1

    def _report_secrets(self) -> None:
        data = os.pread(self._keys, _MOST, self._read_to)
        whole = data[: data.rfind(b"\n") + 1]
        self._read_to += len(whole)
        for line in whole.decode("ascii", "replace").splitlines():
            if not line.startswith("#"):
                self._report(line)


def _context(*, insecure: bool) -> ssl.SSLContext:
    """As a browser's: the system's trust, the host's name checked; `insecure`: any certificate will do."""
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def failure_words(spec: SessionSpec, error: OSError) -> str:
    """Why there is no connection with TLS, in one sentence, and what can be done."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message.rstrip(".")
        return f"The certificate of {spec.to} is not accepted: {why}. --insecure takes any certificate."
    if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
        return f"{spec.to} answers, but not by TLS: is it a port for plain http://, ws:// or tcp://?"
    if not isinstance(error, ssl.SSLError):
        return f"No connection by TLS to {spec.to}: {error.strerror}."
    reason = (error.reason or "the handshake failed").replace("_", " ").lower()
    return f"No connection by TLS to {spec.to}: {reason}."
