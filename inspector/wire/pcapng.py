"""pcapng blocks, both ways (draft-ietf-opsawg-pcapng), without any file handling.

Writing: each function returns one complete block in this machine's byte order, ready to be appended
to a trace. Reading: `Order` knows a section's byte order, `block_at` finds a block in a buffer, and the
`parse_…` functions turn a block's body (what stands between its two lengths) into values.
Every length in a body is checked against the body; a damaged one raises `BlockError` only.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

SECTION_HEADER = 0x0A0D0D0A
INTERFACE_DESCRIPTION = 1
PACKET = 2                          # obsolete, still found
SIMPLE_PACKET = 3
NAME_RESOLUTION = 4
INTERFACE_STATISTICS = 5
ENHANCED_PACKET = 6
JOURNAL_EXPORT = 9
DECRYPTION_SECRETS = 10
CUSTOM = 0x00000BAD, 0x40000BAD
BYTE_ORDER_MAGIC = 0x1A2B3C4D
MAX_BLOCK = 16 * 1024 * 1024        # a longer block is taken for damage, as other readers do
NANOSECONDS = 9                     # if_tsresol

OPT_COMMENT = 1
IF_NAME, IF_DESCRIPTION, IF_TSRESOL, IF_FILTER, IF_OS, IF_TSOFFSET = 2, 3, 9, 11, 12, 14
ISB_STARTTIME, ISB_ENDTIME, ISB_IFRECV, ISB_IFDROP, ISB_FILTERACCEPT, ISB_OSDROP, ISB_USRDELIV = range(2, 9)
TLS_KEYLOG = 0x544C534B             # type of secrets: lines of SSLKEYLOGFILE
NRB_RECORD_IPV4, NRB_RECORD_IPV6 = 1, 2

_KEY = re.compile(r"[^A-Z0-9_]")


class BlockError(ValueError):
    """A block contradicts itself; the text says how, as the end of a sentence."""


class Block(NamedTuple):
    """Where a block stands: `start` of its type field, its body's range, and its type."""

    type: int
    start: int
    body: int
    body_end: int

    @property
    def end(self) -> int:
        """First byte after the block."""
        return self.body_end + 4


@dataclass(frozen=True, slots=True)
class Interface:
    """An Interface Description Block. `resolution` is the raw if_tsresol byte, `offset` in seconds."""

    link_type: int
    snaplen: int = 0
    name: str = ""
    description: str = ""
    filter: str = ""
    resolution: int = 6
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Statistics:
    """An Interface Statistics Block; counts that were not written are None. Ticks as in packets."""

    interface: int
    ticks: int
    received: int | None = None
    dropped: int | None = None
    accepted: int | None = None
    os_dropped: int | None = None
    delivered: int | None = None
    comments: tuple[str, ...] = ()
    start_ticks: int | None = None       # when its capture began,
    end_ticks: int | None = None         # and up to when it had gone on



def _block(kind: int, body: bytes) -> bytes:
    body += b"\0" * (-len(body) % 4)
    total = len(body) + 12
    return struct.pack("=II", kind, total) + body + struct.pack("=I", total)


def _options(options: list[tuple[int, bytes]]) -> bytes:
    if not options:
        return b""
    parts = [struct.pack("=HH", c, len(v)) + v + b"\0" * (-len(v) % 4) for c, v in options]
    return b"".join(parts) + b"\0\0\0\0"


def _text(code: int, text: str) -> list[tuple[int, bytes]]:
    return [(code, text.encode("utf-8", "backslashreplace")[:65535])] if text else []


def section_header(*, comment: str = "", hardware: str = "", os: str = "", application: str = "") -> bytes:
    """A Section Header Block with unknown section length."""
    options = _text(OPT_COMMENT, comment) + _text(2, hardware) + _text(3, os) + _text(4, application)
    return _block(SECTION_HEADER, struct.pack("=IHHq", BYTE_ORDER_MAGIC, 1, 0, -1) + _options(options))


def interface_description(
    link_type: int, snaplen: int = 0, name: str = "", *, filter: str = "", description: str = "",
    comment: str = "", resolution: int = NANOSECONDS, offset: int = 0,
) -> bytes:
    """An Interface Description Block; nanoseconds unless `resolution` (raw if_tsresol) says otherwise."""
    options = _text(OPT_COMMENT, comment) + _text(IF_NAME, name) + _text(IF_DESCRIPTION, description)
    options.append((IF_TSRESOL, bytes((resolution,))))
    if filter:
        options.append((IF_FILTER, (b"\0" + filter.encode("utf-8", "backslashreplace"))[:65535]))
    if offset:
        options.append((IF_TSOFFSET, struct.pack("=q", offset)))
    return _block(INTERFACE_DESCRIPTION, struct.pack("=HHI", link_type, 0, snaplen) + _options(options))


def enhanced_packet(
    frame: bytes | memoryview, time_ns: int, length: int | None = None, interface: int = 0, comment: str = ""
) -> bytes:
    """An Enhanced Packet Block of `frame`; `length` is its length on the wire where it was cut.

    `time_ns` are ticks of the interface's resolution: nanoseconds for `interface_description`'s default.
    """
    captured = len(frame)
    options = _options(_text(OPT_COMMENT, comment))
    padding = -captured % 4
    total = 32 + captured + padding + len(options)
    head = struct.pack(
        "=IIIIIII", ENHANCED_PACKET, total, interface, time_ns >> 32 & 0xFFFFFFFF, time_ns & 0xFFFFFFFF,
        captured, captured if length is None else length,
    )
    return b"".join((head, frame, b"\0" * padding, options, struct.pack("=I", total)))


def interface_statistics(
    time_ns: int, received: int | None = None, dropped: int | None = None, *, interface: int = 0,
    start_ns: int | None = None, end_ns: int | None = None, accepted: int | None = None,
    os_dropped: int | None = None, delivered: int | None = None, comment: str = "",
) -> bytes:
    """An Interface Statistics Block: what the kernel received and dropped since the capture's start."""
    options = _text(OPT_COMMENT, comment)
    for code, ticks in ((ISB_STARTTIME, start_ns), (ISB_ENDTIME, end_ns)):
        if ticks is not None:
            options.append((code, struct.pack("=II", ticks >> 32 & 0xFFFFFFFF, ticks & 0xFFFFFFFF)))
    counts = (received, dropped, accepted, os_dropped, delivered)
    for code, count in enumerate(counts, ISB_IFRECV):
        if count is not None:
            options.append((code, struct.pack("=Q", count)))
    head = struct.pack("=III", interface, time_ns >> 32 & 0xFFFFFFFF, time_ns & 0xFFFFFFFF)
    return _block(INTERFACE_STATISTICS, head + _options(options))


def decryption_secrets(keylog: bytes) -> bytes:
    """A Decryption Secrets Block of lines of SSLKEYLOGFILE."""
    data = keylog + b"\0" * (-len(keylog) % 4)
    return _block(DECRYPTION_SECRETS, struct.pack("=II", TLS_KEYLOG, len(keylog)) + data)


@lru_cache(1024)
def _field_name(key: str) -> bytes:
    return _KEY.sub("_", key.upper()).encode("ascii")


def journal(fields: Mapping[str, str]) -> bytes:
    """A systemd Journal Export Block of one entry; values with line breaks go in the binary form."""
    parts = []
    for key, value in fields.items():
        name = _field_name(key)
        data = value.encode("utf-8", "backslashreplace")
        if b"\n" in data or b"\0" in data:
            parts.append(name + b"\n" + struct.pack("<Q", len(data)) + data + b"\n")
        else:
            parts.append(name + b"=" + data + b"\n")
    return _block(JOURNAL_EXPORT, b"".join(parts))



def recommented(block: bytes, order: str, texts: Sequence[str], captured: int) -> bytes:
    """A packet's block with these comments in place of those it has; all its other options stay.

    `captured`: bytes of its frame. A simple packet block, which has no options, becomes an enhanced one.
    """
    kind = struct.unpack_from(order + "I", block)[0]
    if kind == SIMPLE_PACKET:
        length = struct.unpack_from(order + "I", block, 8)[0]
        head = struct.pack(order + "IIIII", 0, 0, 0, captured, length)
        frame, options = block[12 : 12 + captured], []
        kind = ENHANCED_PACKET
    else:
        head, frame = block[8:28], block[28 : 28 + captured]
        try:
            options = parse_options(block[28 + captured + (-captured % 4) : -4], 0, order)
        except BlockError:
            options = []
    options = [(code, value) for code, value in options if code != OPT_COMMENT]
    options = [(OPT_COMMENT, text.encode("utf-8", "backslashreplace")[:65535]) for text in texts] + options
    parts = [struct.pack(order + "HH", code, len(value)) + value + b"\0" * (-len(value) % 4)
             for code, value in options]
    body = head + frame + b"\0" * (-captured % 4) + b"".join(parts) + (b"\0\0\0\0" if parts else b"")
    total = len(body) + 12
    return struct.pack(order + "II", kind, total) + body + struct.pack(order + "I", total)


def section_order(head: bytes) -> str | None:
    """Byte order (`<` or `>`) of a section whose first 12 bytes are `head`, None if it is no section."""
    if len(head) < 12 or head[:4] != b"\x0a\x0d\x0d\x0a":
        return None
    return {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}.get(bytes(head[8:12]))


def block_at(data: bytes | bytearray | memoryview, start: int, order: str) -> Block | None:
    """The block at `start` of `data`, or None where it does not stand there to its end (yet).

    Raises BlockError where its length cannot be right.
    """
    if start + 12 > len(data):
        return None
    kind, total = struct.unpack_from(order + "II", data, start)
    if total < 12 or total & 3 or total > MAX_BLOCK:
        raise BlockError(f"a block claims to be {total} bytes long")
    if start + total > len(data):
        return None
    if struct.unpack_from(order + "I", data, start + total - 4)[0] != total:
        raise BlockError("a block's two lengths differ")
    return Block(kind, start, start + 8, start + total - 4)


def parse_options(body: bytes | memoryview, start: int, order: str) -> list[tuple[int, bytes]]:
    """Options from `start` to the end of `body`; a last one that does not fit raises BlockError."""
    return list(_listed(body, start, order, "an option"))


def _listed(body: bytes | memoryview, start: int, order: str, what: str) -> Iterator[tuple[int, bytes]]:
    """Kind and value of what stands one behind the other, each padded to 4 bytes, up to kind 0."""
    pair = struct.Struct(order + "HH")
    while start + 4 <= len(body):
        kind, length = pair.unpack_from(body, start)
        if kind == 0:
            break
        start += 4
        if start + length > len(body):
            raise BlockError(f"{what} is longer than its block")
        yield kind, bytes(body[start : start + length])
        start += length + (-length % 4)


def _comments(options: list[tuple[int, bytes]]) -> tuple[str, ...]:
    return tuple(_string(value) for code, value in options if code == OPT_COMMENT)


def _string(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "backslashreplace")


def check_section(body: bytes | memoryview, order: str) -> None:
    """Raise BlockError for a Section Header Block that is damaged, or of a version that is not 1.x."""
    if len(body) < 16:
        raise BlockError("a section header is too short")
    major = struct.unpack_from(order + "H", body, 4)[0]
    if major != 1:
        raise BlockError(f"a section is of version {major}, which nobody has defined")
    parse_options(body, 16, order)


def parse_interface(body: bytes | memoryview, order: str) -> Interface:
    """An Interface Description Block."""
    if len(body) < 8:
        raise BlockError("an interface description is too short")
    link_type, _, snaplen = struct.unpack_from(order + "HHI", body)
    options = parse_options(body, 8, order)
    found = dict(reversed(options))
    resolution = found.get(IF_TSRESOL, b"")[:1] or b"\x06"
    offset = found.get(IF_TSOFFSET, b"")
    return Interface(
        link_type, snaplen, _string(found.get(IF_NAME, b"")), _string(found.get(IF_DESCRIPTION, b"")),
        _string(found.get(IF_FILTER, b"")[1:]), resolution[0],
        struct.unpack(order + "q", offset)[0] if len(offset) == 8 else 0,
    )


def parse_statistics(body: bytes | memoryview, order: str) -> Statistics:
    """An Interface Statistics Block."""
    if len(body) < 12:
        raise BlockError("a statistics block is too short")
    interface, high, low = struct.unpack_from(order + "III", body)
    options = parse_options(body, 12, order)
    found = {code: value for code, value in options if len(value) == 8}
    counts = [
        struct.unpack(order + "Q", found[code])[0] if code in found else None
        for code in range(ISB_IFRECV, ISB_USRDELIV + 1)
    ]
    received, dropped, accepted, os_dropped, delivered = counts
    ticks = high << 32 | low
    times = [_ticks(found[code], order) if code in found else None for code in (ISB_STARTTIME, ISB_ENDTIME)]
    return Statistics(interface, ticks, received, dropped, accepted, os_dropped, delivered,
                      _comments(options), *times)


def _ticks(value: bytes, order: str) -> int:
    """A time as blocks have it: its upper half first, whatever the byte order."""
    high, low = struct.unpack(order + "II", value)
    return int(high) << 32 | int(low)


def parse_names(body: bytes | memoryview, order: str) -> dict[bytes, tuple[str, ...]]:
    """The records of a Name Resolution Block: packed address (4 or 16 bytes) -> names."""
    names: dict[bytes, tuple[str, ...]] = {}
    for kind, value in _listed(body, 0, order, "a name record"):
        size = {NRB_RECORD_IPV4: 4, NRB_RECORD_IPV6: 16}.get(kind)
        if size is not None and len(value) > size:
            names[value[:size]] = tuple(_string(name) for name in value[size:].split(b"\0") if name)
    return names


def parse_secrets(body: bytes | memoryview, order: str) -> bytes:
    """The lines of SSLKEYLOGFILE of a Decryption Secrets Block; b"" where its secrets are others."""
    if len(body) < 8:
        raise BlockError("a block of secrets is too short")
    kind, length = struct.unpack_from(order + "II", body)
    if 8 + length > len(body):
        raise BlockError("secrets are longer than their block")
    return bytes(body[8 : 8 + length]) if kind == TLS_KEYLOG else b""


def parse_journal(body: bytes | memoryview) -> dict[str, str]:
    """The fields of a Journal Export Block's (first) entry; what is damaged ends the entry."""
    data = bytes(body).lstrip(b"\n")
    fields: dict[str, str] = {}
    start = 0
    while start < len(data):
        stop = data.find(b"\n", start)
        line = data[start:] if stop < 0 else data[start:stop]
        key, equals, value = line.partition(b"=")
        start = len(data) if stop < 0 else stop + 1
        if not equals:
            length = int.from_bytes(data[start : start + 8], "little")
            if not key.strip(b"\0") or start + 8 + length > len(data):
                break
            value = data[start + 8 : start + 8 + length]
            start += 8 + length + 1
        fields[key.decode("ascii", "backslashreplace")] = value.decode("utf-8", "backslashreplace")
    return fields
