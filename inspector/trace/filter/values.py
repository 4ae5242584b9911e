"""Values of the display filter: what a word or string means for a field, or why it cannot.

Numbers, addresses with a prefix length (CIDR), times in seconds, texts. Every wrong one is a FilterError
that names what was expected.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, assert_never

import numpy as np

from inspector.trace.filter.syntax import ORDERS, FilterError, Order, Token
from inspector.wire.arrays import Bools, Integers, UInt64s

if TYPE_CHECKING:
    from inspector.trace.filter.column_fields import ColumnField
    from inspector.trace.filter.field import DeepField

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

    if field.type in ("protocol", "bytes"):
        raise wrong(f"{name} cannot be compared with values.")
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
