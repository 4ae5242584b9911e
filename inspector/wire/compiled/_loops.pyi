"""What _loops.c holds; arrays are numpy's, of the types that their names have elsewhere."""

from inspector.wire.arrays import Bools, Int64s, Integers, UInt8s, UInt64s

Data = bytearray | UInt8s
Column = Integers | Bools


def pcap_records(
    data: Data, start: int, stop: int, size: int, big: int, scale: int, order: int, limit: int,
    columns: tuple[Int64s, Int64s, Int64s, Int64s], /,
) -> tuple[int, int]: ...
def pcapng_packets(
    data: Data, start: int, stop: int, big: int, columns: tuple[Int64s], /
) -> tuple[int, int]: ...
def plain_headers(
    data: Data, link_type: int, places: tuple[Int64s, Int64s, Int64s], columns: tuple[Column, ...],
    rows6: tuple[Int64s], words6: tuple[UInt64s], left: tuple[Int64s], /,
) -> tuple[int, int]: ...
def number_streams(
    begin: int, reuse: bool, counts: tuple[int, int], traffic: tuple[Column, ...], table: tuple[Column, ...],
    mix: tuple[UInt64s], told: tuple[Column, ...], bases: tuple[Column, ...], found: tuple[Int64s], /,
) -> tuple[int, int, int]: ...
def pieces(data: bytes | memoryview, places: tuple[Int64s, Int64s], /) -> list[bytes]: ...
def lines(
    count: int, parts: tuple[str | Int64s | tuple[list[str], Int64s] | tuple[str, Int64s, int], ...], /
) -> list[str]: ...
