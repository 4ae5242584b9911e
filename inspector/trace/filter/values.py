"""Values of the display filter: what a word or string means for a field, or why it cannot.

Numbers, addresses with a prefix length (CIDR), times in seconds, texts, bytes. Every wrong one is a
FilterError that names what was expected. `changed`: a field whose slice, bits or length is asked for.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from inspector.model.packets import Row
from inspector.trace.filter.column_fields import Column, ColumnField, Rows, Type
from inspector.trace.filter.field import Alike, DeepField, Read, Value
from inspector.trace.filter.syntax import (
    ORDERS,
    Compare,
    FilterError,
    Function,
    Has,
    Mask,
    Order,
    Slice,
    Token,
    wrong,
)
from inspector.wire.arrays import Bools, Integers, UInt64s

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

_MOMENTS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%b %d, %Y %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_FULL = 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True, slots=True)
class Network:
    """An address, or all of a network: the bits under `mask` count. Numbers of 32 or 128 bits."""

    value: int
    mask: int

    def compare4(self, order: Order, column: Integers) -> Bools:
        """Compare a column of IPv4 addresses as numbers, under the mask."""
        masked = column if self.mask == 0xFFFFFFFF else column & np.uint32(self.mask)
        wanted = np.uint32(self.value & self.mask)
        found: Bools = ORDERS[order](masked, wanted)
        return found

    def compare6(self, order: Order, high: UInt64s, low: UInt64s) -> Bools:
        """Compare IPv6 addresses, given as two words each, under the mask."""
        over, under = np.uint64(self.mask >> 64), np.uint64(self.mask & _FULL)
        wanted = self.value & self.mask
        a, b = np.uint64(wanted >> 64), np.uint64(wanted & _FULL)
        high, low = high & over, low & under
        equal: Bools = (high == a) & (low == b)
        less: Bools = (high < a) | ((high == a) & (low < b))
        match order:
            case "==" | "===":
                return equal
            case "!=" | "!==":
                return ~equal
            case "<":
                return less
            case "<=":
                return less | equal
            case ">":
                return ~(less | equal)
            case ">=":
                return ~less
            case _:
                assert_never(order)


def value_of(token: Token, field: ColumnField | DeepField, name: str, text: str) -> object:
    """What `token` means for `field`: a number, Network, or text. FilterError where it cannot be."""
    def wrong(sentence: str) -> FilterError:
        return FilterError(sentence, text, token.position, token.length)

    if field.type == "protocol":
        raise wrong(f"{name} cannot be compared with values.")
    if field.type == "bytes":
        return _bytes(token, wrong)
    if field.type == "text":
        return token.value
    if field.type == "time":
        return _moment(token.value, wrong)
    if token.kind == "string":
        raise wrong(f"{name} is no text; write the value without quotes.")
    if field.type in ("ipv4", "ipv6"):
        return _address(token.value, field.type, name, wrong)
    if field.type == "hardware":
        digits = re.sub(r"[:.-]", "", token.value).lower()
        if not re.fullmatch(r"[0-9a-f]{12}", digits):
            raise wrong(f"{token.value} is no hardware address, such as 02:42:ac:11:00:02.")
        return bytes.fromhex(digits).hex(":")
    if field.type == "seconds":
        if not re.fullmatch(r"-?\d{1,12}(\.\d{0,9}\d*)?", token.value):
            raise wrong(f"{token.value} is no number of seconds.")
        whole, _, part = token.value.lstrip("-").partition(".")
        nanoseconds = int(whole) * 1_000_000_000 + int(part[:9].ljust(9, "0"))
        return -nanoseconds if token.value.startswith("-") else nanoseconds
    if field.type == "flag" and token.value.lower() in ("true", "false"):
        return int(token.value.lower() == "true")
    return _number(token.value, field.bits, name, wrong)


def _moment(value: str, wrong: Callable[[str], FilterError]) -> int:
    """A time of day as people write it (local time where no zone stands), in nanoseconds since the epoch."""
    whole, _, part = value.partition(".")
    fraction = re.match(r"\d{0,9}", part)
    digits = fraction.group() if fraction else ""
    for form in _MOMENTS:
        try:
            moment = datetime.strptime(whole, form)
            if part == digits:
                return int(moment.timestamp()) * 1_000_000_000 + int(digits.ljust(9, "0") or 0)
        except (ValueError, OverflowError, OSError):
            continue
    raise wrong(f"{value} is no time, such as \"2024-05-31 14:03:05\".")


def _number(value: str, bits: int, name: str, wrong: Callable[[str], FilterError]) -> int:
    if re.fullmatch(r"-\d+", value):
        raise wrong(f"{value} is less than 0, which {name} never is.")
    if not re.fullmatch(r"0[xX][0-9a-fA-F]+|0[bB][01]+|\d+", value):
        raise wrong(f"{value} is no number, as {name} is one.")
    if len(value) > 80:
        raise wrong("The number is too large.")
    if value.startswith("0") and value.isdigit() and len(value) > 1:
        if not re.fullmatch(r"[0-7]+", value):
            raise wrong(f"{value} is no octal number, which a leading 0 makes it.")
        number = int(value, 8)
    else:
        number = int(value, 0)
    if number >> bits:
        raise wrong(f"{value} is too large for {name}, whose largest value is {(1 << bits) - 1}.")
    return number


def _address(value: str, kind: str, name: str, wrong: Callable[[str], FilterError]) -> Network:
    address, slash, prefix = value.partition("/")
    six = kind == "ipv6"
    parse = ipaddress.IPv6Address if six else ipaddress.IPv4Address
    try:
        number = int(parse(address))
    except ValueError:
        other = "ip" if six else "ipv6"
        try:
            ipaddress.ip_address(address)
            field = other + name[name.index(".") :]
            raise wrong(f"{address} is an address for {field}, not for {name}.") from None
        except ValueError as error:
            if isinstance(error, FilterError):
                raise
        raise wrong(f"{address} is no {'IPv6' if six else 'IPv4'} address.") from None
    bits = 128 if six else 32
    if slash and not (prefix.isascii() and prefix.isdigit() and len(prefix) < 4 and int(prefix) <= bits):
        raise wrong(f"A prefix length is a number from 0 to {bits}.")
    length = int(prefix) if slash else bits
    return Network(number, ((1 << length) - 1) << (bits - length))


# --- bytes, and what is made of a value before it is compared ---

_HEXADECIMAL = re.compile(r"(?:[0-9a-fA-F]{2}[:.-])*[0-9a-fA-F]{2}|[0-9a-fA-F]|0x[0-9a-fA-F]{1,2}", re.ASCII)


def _bytes(token: Token, wrong: Callable[[str], FilterError]) -> bytes:
    if token.kind == "string":
        return as_bytes(token.value)
    if not _HEXADECIMAL.fullmatch(token.value):
        raise wrong(f"{token.value} is no bytes; write them in hexadecimal (47:45:54), or a text in quotes.")
    digits = re.sub(r"0x|[:.-]", "", token.value)
    return bytes.fromhex(digits.zfill(2))


def as_bytes(value: Value) -> bytes:
    """A value as the bytes that are searched in, and compared."""
    if isinstance(value, bytes):
        return value
    try:
        return str(value).encode("utf-8", "surrogateescape")     # bytes that a shell gave as they were
    except UnicodeEncodeError:
        return str(value).encode("utf-8", "backslashreplace")


def name_of(node: Compare | Has) -> str:
    """What is asked about, as it is written: `tcp.len`, `len(tcp.payload)`, `tcp.flags & 0x02`."""
    name = node.field.value
    for one in node.changes:
        match one:
            case Slice():
                name = f"{name}[{one.text}]"
            case Mask():
                name = f"{name} & {one.value.value}"
            case Function():
                name = f"{one.name}({name})"
    return name


def slice_of(value: Value, one: Slice) -> Value | None:
    """The parts of a value, joined; None where it is shorter than one of them asks."""
    whole = value if isinstance(value, bytes) else str(value)
    found = whole[:0]
    for part in one.parts:
        start = part.first if part.first >= 0 else len(whole) + part.first
        stop = start + part.count if part.count is not None else len(whole)
        if part.last is not None:
            stop = (part.last if part.last >= 0 else len(whole) + part.last) + 1
        if not 0 <= start < stop <= len(whole):
            return None
        found += whole[start:stop]  # type: ignore[operator]
    return found


def values_changed(values: Sequence[Value], change: Slice | Function) -> list[Value]:
    """What a slice or a function makes of a field's values in one packet."""
    if isinstance(change, Slice):
        return [part for value in values if (part := slice_of(value, change)) is not None]
    match change.name:
        case "count":
            return [len(values)] if values else []
        case "len":
            return [len(value if isinstance(value, bytes) else str(value)) for value in values]
        case "lower":
            return [str(value).lower() for value in values]
        case _:
            return [str(value).upper() for value in values]


def changed(field: ColumnField | DeepField, node: Compare | Has, read: Read | None,
            text: str) -> ColumnField | DeepField:
    """The field that `node` asks about: slices, masks and functions applied. `read`: a protocol's bytes."""
    for one in node.changes:
        field = _masked(field, node, one, text) if isinstance(one, Mask) else \
            _deep(field, node, one, read, text)
    return field


def _masked(field: ColumnField | DeepField, node: Compare | Has, one: Mask,
            text: str) -> ColumnField | DeepField:
    name = node.field.value
    if field.type == "bytes":
        bits = value_of(one.value, field, name, text)
        assert isinstance(bits, bytes) and isinstance(field, DeepField)
        return _again(field, lambda values: [_and(value, bits) for value in values])
    if field.type in ("ipv4", "ipv6"):
        network = "10.0.0.0/8" if field.type == "ipv4" else "2001:db8::/32"
        raise wrong(f"& takes bits of numbers; a network is written {name} == {network}.", one.value, text)
    if field.type != "number":
        raise wrong(f"{name} is no number, of which & takes bits; “and” is written &&.", one.value, text)
    mask = value_of(one.value, field, name, text)
    assert isinstance(mask, int)
    if isinstance(field, DeepField):
        return _again(field, lambda values: [int(value) & mask for value in values])

    def masked(read: Callable[[Any, Rows], Column]) -> Callable[[Any, Rows], Column]:
        def bits_of(index: Any, rows: Rows) -> Column:
            values, present = read(index, rows)
            return Column(tuple(column & column.dtype.type(mask) for column in values), present)

        return bits_of

    return replace(field, read=masked(field.read), beside=masked(field.beside) if field.beside else None)


def _and(value: Value, bits: bytes) -> bytes:
    return bytes(a & b for a, b in zip(as_bytes(value), bits, strict=False))


def _deep(field: ColumnField | DeepField, node: Compare | Has, one: Slice | Function, read: Read | None,
          text: str) -> DeepField:
    """A field whose values a slice or a function changes, packet by packet."""
    name, kind = node.field.value, field.type
    if isinstance(one, Function) and one.name == "count":
        if kind == "protocol":
            raise wrong(f"{name} is a protocol; count counts the values of a field.", node.field, text)
        return _again(_packet_by_packet(field, None), lambda values: values_changed(values, one), "number")
    if kind == "protocol" and read is None:
        raise wrong(f"{name} cannot be taken apart; frame[0:4] and tcp.payload[0:4] can.", node.field, text)
    if isinstance(one, Slice) and kind not in ("text", "bytes", "protocol", "hardware"):
        raise wrong(f"{name} is no text and no bytes, so it has no slices.", node.field, text)
    asked = ("text", "bytes", "protocol") if isinstance(one, Function) and one.name == "len" else ("text",)
    if isinstance(one, Function) and kind not in asked:
        function = one.name
        raise wrong(f"{name} is nothing of which {function} can be asked.", node.field, text)
    found = _packet_by_packet(field, read)
    if kind == "hardware":
        found = _again(found, lambda values: [bytes.fromhex(str(value).replace(":", "")) for value in values])
    result: Type = "number" if isinstance(one, Function) and one.name == "len" else \
        "text" if kind == "text" else "bytes"
    return _again(found, lambda values: values_changed(values, one), result)


def _packet_by_packet(field: ColumnField | DeepField, read: Read | None) -> DeepField:
    if isinstance(field, DeepField):
        return field if read is None else replace(field, read=read, alike=None)
    column = field

    def values(trace: Trace, row: Row) -> Sequence[Value]:
        return column.values(trace.index, row)

    return DeepField(column.type, read or values, column.present, column.bits)


def _again(field: DeepField, change: Callable[[Sequence[Value]], list[Value]],
           type: Type | None = None) -> DeepField:
    """The same field with its values changed."""
    alike = field.alike
    again = None if alike is None else Alike(alike.protocol, lambda record: change(alike.get(record)))
    return replace(field, type=type or field.type, read=lambda trace, row: change(field.read(trace, row)),
                   alike=again)
