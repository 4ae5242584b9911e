"""Append-only columns that grow without moving what stands.

`Columns` reserve address space once and touch pages only as rows arrive, so views that readers hold stay
valid and nothing is copied. `Growing` is the small cousin for tables with one row a conversation.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from inspector.wire.arrays import Integers

S = TypeVar("S", bound=np.generic)
_RESERVED_ROWS = 1 << 26
_LEAST_ROWS = 1 << 12
_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)


class Columns:
    """One array a name, all of `capacity` rows in one private mapping; rows beyond those written are 0."""

    def __init__(self, dtypes: Mapping[str, str], reserve: int = _RESERVED_ROWS) -> None:
        self._dtypes = dict(dtypes)
        self.capacity = 0
        self.arrays: dict[str, Integers] = {}
        self._reserve(reserve)

    @property
    def row_size(self) -> int:
        """Bytes that one row takes in all columns."""
        return sum(np.dtype(kind).itemsize for kind in self._dtypes.values())

    def _reserve(self, rows: int) -> None:
        while True:
            try:
                starts, size = {}, 0
                for name, kind in self._dtypes.items():
                    starts[name] = size
                    size += -(-rows * np.dtype(kind).itemsize // mmap.PAGESIZE) * mmap.PAGESIZE
                space = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE)
                break
            except (OSError, ValueError):      # a limit on address space: take less, and copy when it is full
                if rows <= _LEAST_ROWS:
                    raise
                rows //= 2
        if hasattr(mmap, "MADV_NOHUGEPAGE"):   # huge pages would keep megabytes of unused rows resident
            try:
                space.madvise(mmap.MADV_NOHUGEPAGE)
            except OSError:
                pass
        self.capacity = rows
        self.arrays = {
            name: np.frombuffer(space, kind, rows, starts[name]) for name, kind in self._dtypes.items()
        }

    def ensure(self, rows: int) -> None:
        """Make room for `rows` rows. Only where the reservation is used up do the arrays move."""
        if rows <= self.capacity:
            return
        old, kept = self.arrays, self.capacity
        self._reserve(max(rows, 2 * kept))
        for name, array in old.items():
            self.arrays[name][:kept] = array


class Growing(Generic[S]):
    """One array that grows at its end by doubling; `values` is the part in use."""

    def __init__(self, dtype: type[S] | np.dtype[S], width: int = 1, room: int = 256) -> None:
        """`room`: rows that it has room for; the system gives memory for those in use."""
        self._shape: tuple[int, ...] = () if width == 1 else (width,)
        self._data: NDArray[S] = np.zeros((max(room, 256), *self._shape), dtype)
        self.count = 0

    @property
    def values(self) -> NDArray[S]:
        """The rows in use (a view, valid until the next `extend`)."""
        return self._data[: self.count]

    def room(self, rows: int) -> NDArray[S]:
        """All its rows, those in use and room for so many more, which `count` then tells of."""
        count = self.count + rows
        if count > len(self._data):
            larger = np.zeros((max(count, 2 * len(self._data)), *self._shape), self._data.dtype)
            larger[: self.count] = self.values
            self._data = larger
        return self._data

    def extend(self, rows: NDArray[S]) -> None:
        """Append `rows`."""
        count = self.count + len(rows)
        self.room(len(rows))[self.count : count] = rows
        self.count = count
