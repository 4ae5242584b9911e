"""Parts of headers that are lists of their own: TCP and IP options, DNS records, with their byte ranges.

Bytes of the list -> fields, offsets counted in the frame. Any bytes give fields; what does not fit is
shown as `broken`. (RFC 9293 section 3.2, RFC 791 section 3.1, RFC 1035 section 4.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from inspector.model.language import sentence
from inspector.wire.dissection.field import Field
from inspector.wire.domain_name import read_name
from inspector.wire.headers.options import END_OF_LIST, NO_OPERATION, Option, walk_options
from inspector.wire.tcp.options import NAMES
from inspector.wire.text import escaped

IP_OPTIONS = {0: "End of options list", 1: "No operation", 7: "Record route", 68: "Timestamp",
              130: "Security",
             131: "Loose source route", 136: "Stream ID", 137: "Strict source route",
              148: "Router alert"}
_TCP_KEYS = {0: "eol", 1: "nop", 2: "mss", 3: "wscale", 4: "sack_perm", 5: "sack", 8: "timestamp"}
_MOST_RECORDS = 256


def tcp_options(data: bytes, start: int) -> tuple[Field, ...]:
    """The options of a TCP header; `start`: where they begin in the frame."""
    return _options(data, start, "tcp.options", NAMES, _tcp_value, _TCP_KEYS)


def ip_options(data: bytes, start: int) -> tuple[Field, ...]:
    """The options of an IPv4 header."""
    return _options(data, start, "ip.opt", IP_OPTIONS, lambda kind, value: value.hex(" "), {})


def _options(data: bytes, start: int, prefix: str, names: dict[int, str],
             value_of: Callable[[int, bytes], str], keys: dict[int, str]) -> tuple[Field, ...]:
    options, end = walk_options(data)
    fields = [_option(option, start, f"{prefix}.{keys.get(option.kind, str(option.kind))}",
                      names.get(option.kind) or sentence("Option {kind}", kind=option.kind),
                      value_of) for option in options]
    if end < len(data):
        place = start + end, start + len(data)
        if options and options[-1].kind == END_OF_LIST:
            fields.append(Field(f"{prefix}.padding", "Padding", "", *place))
        else:
            fields.append(Field(f"{prefix}.broken", "Broken option", data[end:].hex(" "), *place))
    return tuple(fields)


def _option(option: Option, start: int, name: str, label: str,
            value_of: Callable[[int, bytes], str]) -> Field:
    here, stop = start + option.offset, start + option.stop
    if option.kind <= NO_OPERATION:
        return Field(name, label, "", here, stop)
    text = value_of(option.kind, option.data)
    children = [Field(f"{name}.kind", "Kind", str(option.kind), here, here + 1),
                Field(f"{name}.len", "Length", str(stop - here), here + 1, here + 2)]
    if option.data:
        children.append(Field(f"{name}.value", "Value", text, here + 2, stop))
    return Field(name, label, text, here, stop, children=tuple(children))


def _tcp_value(kind: int, value: bytes) -> str:
    number = int.from_bytes(value, "big")
    if kind == 2 and len(value) == 2:
        return sentence("{size} bytes", size=number)
    if kind == 3 and len(value) == 1:
        return sentence("{number}  (multiply by {times})", number=number, times=1 << min(number, 14))
    if kind == 8 and len(value) == 8:
        return f"TSval {number >> 32}, TSecr {number & 0xFFFFFFFF}"
    if kind == 5 and len(value) % 8 == 0:
        words = [int.from_bytes(value[at : at + 4], "big") for at in range(0, len(value), 4)]
        return ", ".join(f"{left}–{right}" for left, right in zip(words[::2], words[1::2], strict=True))
    return value.hex(" ")


def dns_records(message: bytes, at: int, records: list[Any], start: int, *,
                question: bool) -> tuple[tuple[Field, ...], int]:
    """One section of a DNS message as fields, and where the next section begins.

    `message`: from the header on; `at`: where the section begins in it; `records`: scapy's of the section;
    `start`: where the message begins in the frame.
    """
    fields = []
    for record in records[:_MOST_RECORDS]:
        stop = read_name(message, at).stop
        fixed = stop + (4 if question else 10)
        if fixed > len(message):
            break
        size = 0 if question else int.from_bytes(message[fixed - 2 : fixed], "big")
        end = min(fixed + size, len(message))
        fields.append(_record(record, (start + at, start + stop, start + fixed, start + end), question))
        at = end
    if len(records) > _MOST_RECORDS:
        more = sentence("and {count:,} more, not shown", count=len(records) - _MOST_RECORDS)
        fields.append(Field("", "…", more, start + at, start + at))
    return tuple(fields), at


def _record(record: Any, places: tuple[int, int, int, int], question: bool) -> Field:
    """One record; `places` in the frame: its start, the end of its name, of its fixed part, of its data."""
    start, stop, fixed, end = places
    group = "dns.qry" if question else "dns.resp"
    name = escaped(_text(record, "qname" if question else "rrname"), 255)
    kind = _enum(record, "qtype" if question else "type")
    kind_of_net = _enum(record, "qclass" if question else "rclass")
    children = [
        Field(f"{group}.name", "Name", name, start, stop),
        Field(f"{group}.type", "Type", kind, stop, stop + 2),
        Field(f"{group}.class", "Class", kind_of_net, stop + 2, stop + 4),
    ]
    if question:
        return Field(group, "Question", f"{kind} {name}", start, end, children=tuple(children))
    value = escaped(_text(record, "rdata"), 255)
    children += [
        Field("dns.resp.ttl", "Time to live", f"{getattr(record, 'ttl', 0)} s", stop + 4, stop + 8),
        Field("dns.resp.len", "Data length", str(end - fixed), stop + 8, stop + 10),
        Field("dns.resp.data", "Data", value, fixed, end),
    ]
    return Field(group, "Record", f"{kind} {name}  {value}", start, end, children=tuple(children))


def _text(record: Any, name: str) -> str:
    value = getattr(record, name, "")
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, list):
        return ", ".join(part.decode("utf-8", "backslashreplace") if isinstance(part, bytes) else str(part)
                         for part in value)
    return "" if value is None else str(value)


def _enum(record: Any, name: str) -> str:
    value = getattr(record, name, None)
    if value is None:
        return "?"
    try:
        return escaped(str(record.get_field(name).i2repr(record, value)), 40)
    except Exception:      # scapy's tables raise what they like for numbers that they do not hold
        return str(value)
