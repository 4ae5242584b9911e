"""Frames in a ring's memory turned into pcapng Enhanced Packet Blocks where they lie.

Before each frame the kernel left its own header and some room, behind it a gap: the block's head goes
into the one, its tail into the other. Frames at equal distances (a flood of equal datagrams) are
handled as one strided array, others by gathering; either way nothing is done per frame in Python but
to follow the kernel's chain from one to the next.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from mmap import mmap
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inspector.capture.batch import Batch, Times, Vectors
from inspector.wire.arrays import Int64s, UInt8s
from inspector.wire.pcapng import ENHANCED_PACKET

_HEAD = np.dtype([                 # struct tpacket3_hdr up to tp_net
    ("next", "u4"), ("sec", "u4"), ("nsec", "u4"), ("snaplen", "u4"), ("len", "u4"), ("status", "u4"),
    ("mac", "u2"), ("net", "u2"),
])
_BLOCK = np.dtype([                # an Enhanced Packet Block up to its frame
    ("type", "u4"), ("total", "u4"), ("interface", "u4"), ("high", "u4"), ("low", "u4"),
    ("cap", "u4"), ("len", "u4"),
])
_BEFORE = _BLOCK.itemsize
_AROUND = _BEFORE + 4              # of a block, beside the frame and its padding
_RUN = 32                          # so many at equal distances are worth a strided array
_LITTLE = sys.byteorder == "little"
_SECOND = 1_000_000_000


class _Run(NamedTuple):
    """`length` kernel headers from byte `at` of the memory on, `step` bytes apart."""

    at: int
    step: int
    length: int


_Piece = _Run | Int64s


class Frames:
    """Makes batches of the frames in `memory`."""

    def __init__(self, memory: mmap) -> None:
        self._memory = memory
        self._words = memoryview(memory).cast("I")
        self._bytes = np.frombuffer(memory, np.uint8)
        self._address = self._bytes.ctypes.data
        self._heads = _sliding(self._bytes, f"V{_BEFORE}")
        self._tails = _sliding(self._bytes, "V8")
        self._cut = 0                              # frames of a batch that are longer on the wire

    def batch(self, blocks: Iterable[tuple[int, int]]) -> Batch:
        """A batch of the ring's blocks, each given by its first kernel header and how many there are."""
        pieces = self._walk(blocks)
        count = sum(piece.length if isinstance(piece, _Run) else len(piece) for piece in pieces)
        times: Times = np.empty(count, np.int64)
        vectors: Vectors = np.empty((count, 2), np.uint64)
        # Backwards: a frame's tail may stand in the next one's kernel header, which must have been read.
        stop, self._cut = count, 0
        for piece in reversed(pieces):
            start = stop - (piece.length if isinstance(piece, _Run) else len(piece))
            if not (isinstance(piece, _Run) and self._strided(piece, times[start:stop], vectors[start:stop])):
                self._gathered(piece, times[start:stop], vectors[start:stop])
            stop = start
        return Batch(times, vectors, cut=self._cut)

    def _walk(self, blocks: Iterable[tuple[int, int]]) -> list[_Piece]:
        """Where the kernel headers stand, following the chain in each block."""
        pieces: list[_Piece] = []
        singles: list[int] = []
        words = self._words
        for at, left in blocks:
            while left:
                step = words[at >> 2]
                run = 1
                if left > _RUN and words[at + step >> 2] == step:
                    run = self._run(at, step, left)
                if run > _RUN:
                    if singles:
                        pieces.append(np.array(singles, np.int64))
                        singles = []
                    pieces.append(_Run(at, step, run))
                elif run > 1:
                    singles.extend(range(at, at + step * run, step))
                else:
                    singles.append(at)
                at, left = at + step * run, left - run
        if singles:
            pieces.append(np.array(singles, np.int64))
        return pieces

    def _run(self, at: int, step: int, left: int) -> int:
        """How many headers from `at` on are `step` bytes apart; the last of a block has no distance."""
        most = min(left, (len(self._bytes) - at) // step)
        distances = np.ndarray((most,), np.uint32, self._memory, at, (step,))
        differs = np.flatnonzero(distances != step)
        run = int(differs[0]) if len(differs) else most
        return left if run == left - 1 else run

    def _strided(self, run: _Run, times: Times, vectors: Vectors) -> bool:
        """Handle frames of one length at equal distances; False when they are not of one length."""
        at, step, count = run
        head = np.ndarray((count,), _HEAD, self._memory, at, (step,))
        cap, mac = int(head["snaplen"][0]), int(head["mac"][0])
        if (head["snaplen"] != cap).any() or (head["mac"] != mac).any():
            return False
        total = cap + (-cap & 3) + _AROUND
        start = at + mac - _BEFORE
        self._cut += int(np.count_nonzero(head["len"] > cap))
        _times(head, times)
        block = np.ndarray((count,), _BLOCK, self._memory, start, (step,))
        block["type"], block["total"], block["interface"], block["cap"] = ENHANCED_PACKET, total, 0, cap
        block["high"], block["low"], block["len"] = times >> 32, times & 0xFFFFFFFF, head["len"]
        tails = np.ndarray((count,), np.uint64, self._memory, start + _BEFORE + cap, (step,))
        tails[:] = _tails(total, -cap & 3)
        vectors[:, 0] = np.arange(count, dtype=np.uint64) * step + (self._address + start)
        vectors[:, 1] = total
        return True

    def _gathered(self, piece: _Piece, times: Times, vectors: Vectors) -> None:
        """Handle frames wherever they are."""
        at = piece.at + piece.step * np.arange(piece.length) if isinstance(piece, _Run) else piece
        head = self._heads[at].view(_HEAD)
        cap = head["snaplen"]
        padding = -cap & 3
        self._cut += int(np.count_nonzero(head["len"] > cap))
        _times(head, times)
        block = np.empty(len(at), _BLOCK)
        block["type"], block["interface"], block["cap"], block["len"] = ENHANCED_PACKET, 0, cap, head["len"]
        block["total"] = total = cap + padding + _AROUND
        block["high"], block["low"] = times >> 32, times & 0xFFFFFFFF
        start = at + head["mac"] - _BEFORE
        tails = _tails(total.astype(np.uint64), padding.astype(np.uint64))
        self._heads[start] = block.view(f"V{_BEFORE}")
        # Eight bytes: of a ring's block the kernel leaves the last eight unused.
        self._tails[start + _BEFORE + cap] = tails.view("V8")
        vectors[:, 0] = start + self._address
        vectors[:, 1] = total


def _times(head: NDArray[np.void], times: Times) -> None:
    np.multiply(head["sec"], _SECOND, out=times, dtype=np.int64, casting="unsafe")
    times += head["nsec"]


def _tails(total: Any, padding: Any) -> Any:
    """Eight bytes that begin with the padding's zeros and the block's length; of numbers or arrays."""
    return total << (padding * 8 if _LITTLE else 32 - padding * 8)


def _sliding(memory: UInt8s, kind: str) -> NDArray[np.void]:
    """The memory as overlapping items of `kind`, one at every byte."""
    width = np.dtype(kind).itemsize
    return np.ndarray((len(memory) - width + 1,), kind, memory, strides=(1,))
