"""What _loops.c holds; arrays are numpy's, of the types that their names have elsewhere."""

from inspector.wire.arrays import Array, Int64s

Data = bytearray | Array


def pcap_records(
    data: Data, start: int, stop: int, size: int, big: int, scale: int, order: int, limit: int,
    columns: tuple[Int64s, Int64s, Int64s, Int64s], /,
) -> tuple[int, int]: ...
def pcapng_packets(
    data: Data, start: int, stop: int, big: int, columns: tuple[Int64s], /
) -> tuple[int, int]: ...
def plain_headers(
    data: Data, link_type: int, places: tuple[Int64s, Int64s, Int64s], columns: tuple[Array, ...],
    rows6: tuple[Int64s], words6: tuple[Array], left: tuple[Int64s], /,
) -> tuple[int, int]: ...
def number_streams(
    begin: int, reuse: bool, counts: tuple[int, int], traffic: tuple[Array, ...], table: tuple[Array, ...],
    mix: tuple[Array], told: tuple[Array, ...], bases: tuple[Array, ...], found: tuple[Array], /,
) -> tuple[int, int, int]: ...
def pieces(data: bytes | memoryview, places: tuple[Int64s, Int64s], /) -> list[bytes]: ...
def lines(
    count: int, parts: tuple[str | Int64s | tuple[list[str], Int64s] | tuple[str, Int64s, int], ...], /
) -> list[str]: ...
