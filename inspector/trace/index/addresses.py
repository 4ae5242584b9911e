"""Numbers for keys: addresses and conversations, found for a whole batch at once.

`KeyTable` maps keys of two 64-bit words to 0, 1, 2, … in order of first appearance (an open-addressing
hash table probed for all keys of a batch together). `Addresses` gives every IP address a 32-bit id.
"""

from __future__ import annotations

import os
import socket

import numpy as np

from inspector.trace.index.columns import Growing
from inspector.wire.arrays import Bools, Int32s, Int64s, Integers, UInt32s, UInt64s
from inspector.wire.headers.read import Headers

NO_ADDRESS = 0xFFFFFFFF
_TEXTS = 4096                # texts of addresses that are remembered
_OTHER = 0xF0000000          # ids below are IPv4 addresses themselves; from here on IPv6, by table
_OTHER_IPV4 = 0xF8000000     # and from here the IPv4 addresses that would not fit below


class KeyTable:
    """Numbers keys (two arrays of 64-bit words) in order of first appearance."""

    def __init__(self) -> None:
        self.first = Growing(np.uint64)
        self.second = Growing(np.uint64)
        self.slots: Int32s = np.full(1024, -1, "i4")
        # Odd and secret, so that nobody can write a capture whose keys all meet in one slot.
        self.mix = np.frombuffer(os.urandom(24), "u8") | np.uint64(1)

    def __len__(self) -> int:
        return self.first.count

    def number(self, first: UInt64s, second: UInt64s) -> Int64s:
        """The number of each key; unknown ones get new numbers."""
        found = self._find(first, second)
        missing = np.flatnonzero(found < 0)
        if len(missing):
            found[missing] = self._add(first[missing], second[missing])
        return found

    def _start(self, first: UInt64s, second: UInt64s) -> Int64s:
        mixed = (first * self.mix[0]) ^ ((second + self.mix[1]) * self.mix[2])
        mixed = (mixed ^ (mixed >> np.uint64(29))) * self.mix[1]
        slots: Int64s = (mixed >> np.uint64(32)).astype("i8") & (len(self.slots) - 1)
        return slots

    def _find(self, first: UInt64s, second: UInt64s) -> Int64s:
        slot = self._start(first, second)
        found: Int64s = self.slots[slot].astype("i8")
        if not len(self):
            return found
        keys, more = self.first.values, self.second.values
        wrong = (found >= 0) & ((keys[found] != first) | (more[found] != second))
        open_ = np.flatnonzero(wrong)
        while len(open_):
            slot[open_] = (slot[open_] + 1) & (len(self.slots) - 1)
            number = self.slots[slot[open_]]
            found[open_] = number
            wrong = (number >= 0) & ((keys[number] != first[open_]) | (more[number] != second[open_]))
            open_ = open_[wrong]
        return found

    def _add(self, first: UInt64s, second: UInt64s) -> Int64s:
        order = np.lexsort((second, first))
        a, b = first[order], second[order]
        begins = np.ones(len(order), np.bool_)
        begins[1:] = (a[1:] != a[:-1]) | (b[1:] != b[:-1])
        heads = order[begins]                       # lexsort is stable: the first appearance of each key
        rank = np.empty(len(heads), "i8")
        rank[np.argsort(heads)] = np.arange(len(heads))
        numbers = np.empty(len(order), "i8")
        numbers[order] = rank[np.cumsum(begins) - 1]
        heads.sort()
        base = len(self)
        self.first.extend(first[heads])
        self.second.extend(second[heads])
        if 2 * len(self) > len(self.slots):
            self.enlarge()
        else:
            self._place(base)
        return numbers + base

    def enlarge(self) -> None:
        """Take more slots than the keys need by now."""
        self.slots = np.full(4 * (1 << len(self).bit_length()), -1, "i4")
        self._place(0)

    def _place(self, start: int) -> None:
        todo = np.arange(start, len(self))
        slot = self._start(self.first.values[start:], self.second.values[start:])
        while len(todo):
            free = self.slots[slot] < 0
            self.slots[slot[free]] = todo[free]    # of several in one slot the last stays, the others go on
            lost = self.slots[slot] != todo
            todo, slot = todo[lost], (slot[lost] + 1) & (len(self.slots) - 1)


class Addresses:
    """Ids of IP addresses. Almost every IPv4 address is its own id; the others stand in tables."""

    def __init__(self) -> None:
        self._six = KeyTable()
        self._four = KeyTable()
        self._texts: dict[int, str] = {}

    def of_batch(self, headers: Headers) -> tuple[UInt32s, UInt32s]:
        """Ids of source and destination of every frame; NO_ADDRESS where it has none."""
        columns = []
        none = ~headers.addressed
        for column in (headers.src, headers.dst):
            high = column >= _OTHER
            ids = column
            if high.any():
                ids = column.copy()
                ids[high] = self.number4(column[high])
            columns.append(np.where(none, NO_ADDRESS, ids) if none.any() else ids)
        if headers.rows6:
            self._six_of_batch(headers, *columns)
        return columns[0], columns[1]

    def _six_of_batch(self, headers: Headers, source: UInt32s, destination: UInt32s) -> None:
        """Put the ids of IPv6 addresses where they belong; new ones in order of the frames."""
        rows, words = np.concatenate(headers.rows6), np.concatenate(headers.addresses6)
        still = np.flatnonzero(headers.network[rows] == 6)
        still = still[np.argsort(rows[still], kind="stable")]     # of a tunnel's addresses the innermost stay
        ends = words[still].reshape(-1, 2)
        ids = self.number6(ends[:, 0].copy(), ends[:, 1].copy()).reshape(-1, 2)
        source[rows[still]], destination[rows[still]] = ids[:, 0], ids[:, 1]

    def number4(self, values: Integers) -> UInt32s:
        """Ids of IPv4 addresses given as numbers."""
        ids = values.astype("u4")
        high = ids >= _OTHER
        if high.any():
            keys = ids[high].astype("u8")
            ids[high] = _OTHER_IPV4 + self._four.number(np.zeros_like(keys), keys)
        return ids

    def number6(self, high: UInt64s, low: UInt64s) -> UInt32s:
        """Ids of IPv6 addresses given as two 64-bit words."""
        return (_OTHER + self._six.number(high, low)).astype("u4")

    def packed(self, number: int) -> bytes:
        """The address of an id in network order: 4 bytes, 16 bytes, or none."""
        if number < _OTHER:
            return int(number).to_bytes(4, "big")
        if number == NO_ADDRESS:
            return b""
        if number >= _OTHER_IPV4:
            return int(self._four.second.values[number - _OTHER_IPV4]).to_bytes(4, "big")
        place = number - _OTHER
        words = (int(self._six.first.values[place]), int(self._six.second.values[place]))
        return b"".join(word.to_bytes(8, "big") for word in words)

    def text(self, number: int) -> str:
        """The address of an id as people write it (RFC 5952); "" for NO_ADDRESS."""
        text = self._texts.get(number)
        if text is None:
            if len(self._texts) >= _TEXTS:
                self._texts.clear()
            text = self._texts[number] = self.text_of(self.packed(int(number)))
        return text

    @staticmethod
    def text_of(packed: bytes) -> str:
        """An address of 4 or 16 bytes as people write it, "" for none."""
        if not packed:
            return ""
        return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)

    def numbers4(self, ids: UInt32s) -> UInt32s:
        """The IPv4 addresses of ids as numbers; anything for ids that are none."""
        if not len(self._four):
            return ids
        high = np.flatnonzero((ids >= _OTHER_IPV4) & (ids != NO_ADDRESS))
        if len(high):
            ids = ids.copy()
            ids[high] = self._four.second.values[ids[high] - _OTHER_IPV4]
        return ids

    @staticmethod
    def known(ids: UInt32s) -> Bools:
        """Which of the ids are an address."""
        found: Bools = ids != NO_ADDRESS
        return found

    def places6(self, ids: Integers) -> Int64s:
        """The places of IPv6 ids in `table6`; any for other ids."""
        places = ids.astype("i8") - _OTHER
        found: Int64s = np.where((places >= 0) & (places < len(self._six)), places, 0)
        return found

    def table6(self) -> tuple[UInt64s, UInt64s]:
        """All IPv6 addresses met: high and low words."""
        return self._six.first.values, self._six.second.values
