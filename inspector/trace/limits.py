"""How far what is compressed is unpacked: captures, and messages in them. Bombs stop here, and that is said.

A capture: some megabytes, and a multiple of what was read of it, which captures rarely reach; and as many
packets as it may have with some bytes for each, as work counts by packets. A message: 16 MB. Whoever trusts a
file raises all with `--unpack`.
"""

from __future__ import annotations

from dataclasses import dataclass

_ROOM, _RATIO = 32 << 20, 20
_PACKETS, _EACH = 50_000, 12      # of a capture, and compressed bytes that another packet takes, at least
_MESSAGE = 16 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """`message`: bytes that one compressed message may become; `capture`: of a file, None for the rule."""

    message: int = _MESSAGE
    capture: int | None = None

    def of_capture(self, read: int) -> int:
        """Bytes that a compressed capture may become of which `read` bytes were read."""
        return _ROOM + _RATIO * read if self.capture is None else self.capture

    def packets_of_capture(self, read: int) -> int | None:
        """Packets that it may have of which so much was read; None: any number."""
        return _PACKETS + read // _EACH if self.capture is None else None


_chosen = Limits()


def choose(size: int | None) -> None:
    """Let captures and messages of this process become `size` bytes; None: as ever."""
    global _chosen
    _chosen = Limits() if size is None else Limits(max(size, _MESSAGE), size)


def chosen() -> Limits:
    """The limits of this process."""
    return _chosen
