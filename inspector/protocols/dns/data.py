"""The parts of DNS messages as text: names (which wire/domain_name.py reads), and records' data."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from inspector.wire.domain_name import read_name
from inspector.wire.text import escaped

_MOST_TEXT = 200         # characters of a record's data that are shown
_PARAMETERS = {0: "mandatory", 1: "alpn", 2: "no-default-alpn", 3: "port", 4: "ipv4hint", 5: "ech",
               6: "ipv6hint"}


class CutError(Exception):
    """Reading ends here; the text is one sentence about why. Never leaves `parse_dns`."""


class ShortError(CutError):
    """It ends since bytes lack: the others that are there may be right."""


class NameReader:
    """Numbers and names of one message; `CutError` where they do not fit. A name read once is remembered."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._known: dict[int, tuple[str, int]] = {}

    def number(self, at: int, size: int) -> int:
        """An unsigned number in network byte order."""
        if at + size > len(self.data):
            raise ShortError("The message is cut short.")
        return int.from_bytes(self.data[at : at + size], "big")

    def name(self, start: int) -> tuple[str, int]:
        """The name at `start` as text that is safe to show, and where it ends."""
        known = self._known.get(start)
        if known is None:
            known = self._known[start] = self._read(start)
        return known

    def _read(self, start: int) -> tuple[str, int]:
        found = read_name(self.data, start)
        if found.fault:
            raise (ShortError if found.short else CutError)(found.fault)
        return ".".join(escaped(label).replace(".", "\\.") for label in found.labels) or "<Root>", found.stop


def record_text(reader: NameReader, kind: int, at: int, size: int) -> str:
    """The data of a record of type `kind`, `size` bytes at `at`, as people write it; "": unknown."""
    read = _READERS.get(kind)
    if read is None:
        return ""
    try:
        return escaped(read(reader, at, size), _MOST_TEXT)
    except (CutError, ValueError):
        return "<malformed>"


def _address(reader: NameReader, at: int, size: int) -> str:
    return str(ipaddress.ip_address(reader.data[at : at + size]))


def _name(reader: NameReader, at: int, size: int) -> str:
    return reader.name(at)[0]


def _soa(reader: NameReader, at: int, size: int) -> str:
    return reader.name(at)[0]


def _mx(reader: NameReader, at: int, size: int) -> str:
    return f"{reader.number(at, 2)} {reader.name(at + 2)[0]}"


def _srv(reader: NameReader, at: int, size: int) -> str:
    priority, weight, port = (reader.number(at + i, 2) for i in (0, 2, 4))
    return f"{priority} {weight} {port} {reader.name(at + 6)[0]}"


def _txt(reader: NameReader, at: int, size: int) -> str:
    parts, end = [], at + size
    while at < end:
        length = reader.data[at]
        parts.append(escaped(reader.data[at + 1 : min(at + 1 + length, end)]))
        at += 1 + length
    return " ".join(f'"{part}"' for part in parts)


def _caa(reader: NameReader, at: int, size: int) -> str:
    length = reader.number(at + 1, 1)
    tag = escaped(reader.data[at + 2 : at + 2 + length])
    return f'{reader.number(at, 1)} {tag} "{escaped(reader.data[at + 2 + length : at + size])}"'


def _service(reader: NameReader, at: int, size: int) -> str:
    """SVCB and HTTPS (RFC 9460): priority, target, and which parameters there are."""
    end = at + size
    words = [str(reader.number(at, 2))]
    target, at = reader.name(at + 2)
    words.append("." if target == "<Root>" else target)
    while at + 4 <= end:
        key, length = reader.number(at, 2), reader.number(at + 2, 2)
        words.append(_PARAMETERS.get(key, f"key{key}"))
        at += 4 + length
    return " ".join(words)


_READERS: dict[int, Callable[[NameReader, int, int], str]] = {
    1: _address, 28: _address, 2: _name, 5: _name, 12: _name, 39: _name, 6: _soa, 15: _mx, 16: _txt, 33: _srv,
    257: _caa, 64: _service, 65: _service,
}
