"""Rows and numbers of packets: the one place where what counts from 0 becomes what counts from 1.

Code counts rows from 0; people, JSON's `frames` and Wireshark count numbers from 1.
"""

from __future__ import annotations

from typing import NewType

PacketNumber = NewType("PacketNumber", int)


def packet_number(row: int) -> PacketNumber:
    """The number of the packet in `row`."""
    return PacketNumber(row + 1)


def row_of(number: PacketNumber) -> int:
    """The row of the packet with this number."""
    return number - 1
