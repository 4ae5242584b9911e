"""A field of a dissected packet: its name, what it says, and which bytes and bits of the frame hold it."""

from __future__ import annotations

from typing import NamedTuple


class Field(NamedTuple):
    """`[start, stop)`: bytes of the frame; `bit_start`..`bit_stop`: bits counted from the first of those
    bytes, most significant first, None where it is whole bytes. Texts are safe to show. `name` is Wireshark's
    where it has one. A layer is a field with the fields of its header as children.
    """

    name: str
    label: str
    value: str
    start: int
    stop: int
    bit_start: int | None = None
    bit_stop: int | None = None
    children: tuple[Field, ...] = ()

    def moved(self, distance: int) -> Field:
        """The same field `distance` bytes further on, with its children."""
        return self._replace(start=self.start + distance, stop=self.stop + distance,
                             children=tuple(child.moved(distance) for child in self.children))


class Tree(NamedTuple):
    """All layers of a frame, outermost first."""

    layers: tuple[Field, ...]
