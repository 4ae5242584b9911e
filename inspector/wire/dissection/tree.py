"""scapy's dissection of one frame as a tree of fields with the bytes and bits that hold them.

Frame and link type -> scapy packet -> each layer's fields read once more, one after the other, from the
layer's bytes, which gives each its place whatever its length -> `Tree`. Imported only when a packet is
looked at, since scapy is; any bytes give a tree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import inspector.wire.dissection.scapy_start  # noqa: F401

# isort: split
from scapy.layers.dns import DNS
from scapy.layers.inet import ICMP, IP, TCP, UDP  # noqa: F401  (they bind to each other)
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, CookedLinux, CookedLinuxV2, Ether  # noqa: F401
from scapy.packet import NoPayload, Packet, Raw

from inspector.model import numbers
from inspector.model.language import Sentence, sentence, sentence_as
from inspector.model.numbers import (
    LINK_ETHERNET,
    LINK_IPV4,
    LINK_IPV6,
    LINK_LOOP,
    LINK_NULL,
    LINK_SLL,
    LINK_SLL2,
    RAW_LINKS,
)
from inspector.wire.dissection.field import Field, Tree
from inspector.wire.dissection.names import FLAGS, field_name, layer_name
from inspector.wire.dissection.parts import dns_records, ip_options, tcp_options
from inspector.wire.dissection.tunnels import layer_at, tunnel_summary
from inspector.wire.dissection.values import (
    bytes_text,
    header_checksum_text,
    is_offloaded,
    transport_checksum,
    transport_checksum_text,
    value_text,
)
from inspector.wire.headers.names import Place, layers_of
from inspector.wire.text import escaped

_SET, _NOT_SET = sentence("set"), sentence("not set")
_DEEPEST = 48              # layers shown of one frame
_FIRST_LAYERS = {LINK_ETHERNET: Ether, LINK_SLL: CookedLinux, LINK_SLL2: CookedLinuxV2}
_RAW = {*RAW_LINKS, LINK_IPV4, LINK_IPV6}
_FAMILIES = {2: "IPv4", 10: "IPv6 (Linux)", 24: "IPv6 (NetBSD, OpenBSD)", 28: "IPv6 (FreeBSD)",
             30: "IPv6 (macOS)"}


def dissect(frame: bytes, link_type: int, notes: Mapping[str, str] | None = None) -> Tree:
    """The layers of `frame`, captured on a link of `link_type` (LINKTYPE_ number).

    `notes`: texts to stand behind the value of the fields of these names ("tcp.seq_raw": "relative 1").
    Never raises; what scapy cannot read stands as payload.
    """
    layers: list[Field] = []
    start, packet = _first_layer(frame, link_type, layers)
    try:
        _walk(packet, frame, start, layers, layers_of(frame, link_type))
    except Exception:      # hostile bytes find every corner of scapy; the bytes themselves remain
        layers.append(_payload(frame[layers[-1].stop if layers else 0 :], layers[-1].stop if layers else 0))
    _cover_rest(frame, layers)
    return Tree(tuple(_noted(layer, notes) for layer in layers) if notes else tuple(layers))


def dissect_layer(layer: type[Packet], data: bytes) -> Field:
    """The fields of one header of scapy class `layer`, which begins `data`; offsets counted in `data`."""
    try:
        return _layer_field(layer(data), data, 0)[0]
    except Exception:      # as above
        return _payload(data, 0)


def _first_layer(frame: bytes, link_type: int, layers: list[Field]) -> tuple[int, Packet]:
    start = 0
    kind: type[Packet] | None = _FIRST_LAYERS.get(link_type)
    if link_type in (LINK_NULL, LINK_LOOP) and len(frame) >= 4:
        # The family is in the capturing machine's byte order; IPv6 has another number on every system.
        big, little = int.from_bytes(frame[:4], "big"), int.from_bytes(frame[:4], "little")
        family = min(big, little)
        text = f"{_FAMILIES.get(family, 'family')} ({family})"
        layers.append(Field("null", "Loopback", text, 0, 4,
                            children=(Field("null.family", "Family", text, 0, 4),)))
        start = 4
    if link_type in (LINK_NULL, LINK_LOOP) or link_type in _RAW:
        version = frame[start] >> 4 if len(frame) > start else 0
        kind = {4: IP, 6: IPv6}.get(version)
    try:
        return start, (kind or Raw)(frame[start:])
    except Exception:      # as in dissect
        return start, Raw(frame[start:])


def _walk(packet: Packet, frame: bytes, start: int, layers: list[Field], places: Sequence[Place]) -> None:
    addresses = b""
    layer = packet
    transports: list[tuple[int, _Transport]] = []
    while not isinstance(layer, NoPayload) and len(layers) < _DEEPEST and start < len(frame):
        if isinstance(layer, Raw) and (found := _tunnelled(frame, start, places)) is not None:
            at, layer = found
            if at > start:                      # what stands before it belongs to the tunnel's header
                layers.append(_payload(frame[start:at], start, f"{layers[-1].name}.rest", "Further header"))
                start = at
        field, used = _layer_field(layer, frame, start)
        if isinstance(layer, IP):
            addresses = frame[start + 12 : start + 20]
        elif isinstance(layer, IPv6):
            addresses = frame[start + 8 : start + 40]
        transport = _transport(layer, field, frame, addresses)
        if transport is not None:
            transports.append((len(layers), transport))
        layers.append(_judged(layer, field, frame, transport))
        start += used
        layer = layer.payload
    _judge_around(layers, frame, transports)


def _judge_around(layers: list[Field], frame: bytes, transports: Sequence[tuple[int, _Transport]]) -> None:
    """Judge the UDP checksums around a segment whose own one the device was to complete.

    Linux writes those as they will be right once that is done (Documentation/networking/checksum-offloads).
    """
    if len(transports) < 2:
        return
    inner = transports[-1][1]
    segment = inner.segment(frame)
    if not is_offloaded(inner.addresses, inner.protocol, segment, inner.at):
        return
    complete = transport_checksum(inner.addresses, inner.protocol, segment, inner.at)
    place = inner.start + inner.at
    filled = frame[:place] + complete.to_bytes(2, "big") + frame[place + 2 :]
    for index, outer in transports[:-1]:
        segment = outer.segment(filled)
        value = int.from_bytes(segment[outer.at : outer.at + 2], "big")
        around = outer.start < inner.start < outer.start + outer.size
        if around and value == transport_checksum(outer.addresses, outer.protocol, segment, outer.at):
            text = sentence("0x{value:04x}  correct once the one inside is complete (offloaded)", value=value)
            layers[index] = _with_value(layers[index], "udp.checksum", text)


def _tunnelled(frame: bytes, start: int, places: Sequence[Place]) -> tuple[int, Packet] | None:
    """What stands at `start` or behind it that scapy took for payload, and where."""
    for name, at in places:
        if at >= start:
            try:
                layer = layer_at(name, frame[at:])
            except Exception:                  # as in dissect: it is cut short
                return None
            if layer is not None:
                return at, layer
    return None


def _layer_field(layer: Packet, frame: bytes, start: int) -> tuple[Field, int]:
    """The field of a layer that begins at `start`, and how many bytes its header has."""
    name, label = layer_name(type(layer).__name__, escaped(str(layer.name), 60))
    if isinstance(layer, Raw):
        field = _payload(layer.load, start, name, label)
        return field, field.stop - field.start
    remaining: Any = frame[start : start + len(layer.original)]      # without what its length leaves over
    total = len(remaining)
    children: list[Field] = []
    for scapy_field in layer.fields_desc:
        before = _bits_left(remaining)
        try:
            remaining, value = scapy_field.getfield(layer, remaining)
        except Exception:      # cut short, or a lie about a length
            place = start + total - (before + 7) // 8
            children.append(Field(f"{name}.cut", "Cut short", "", place, start + total))
            remaining = b""
            break
        after = _bits_left(remaining)
        if before == after and not (value and scapy_field.name == "unmasked"):
            continue
        first, last = total * 8 - before, total * 8 - after
        children.append(_field(layer, name, scapy_field, value, frame, start, first, last))
    if isinstance(layer, DNS):
        children = _with_records(layer, children, frame, start)
    used = total - (_bits_left(remaining) + 7) // 8
    return Field(name, label, _summary(layer, name), start, start + used, children=tuple(children)), used


def _bits_left(remaining: Any) -> int:
    """Bits not yet read; in a run of bit fields scapy hands on (bytes, bits read of the first)."""
    if isinstance(remaining, tuple):
        return len(remaining[0]) * 8 - int(remaining[1])
    return len(remaining) * 8


def _field(layer: Packet, owner: str, scapy_field: Any, value: Any, frame: bytes, base: int, first: int,
           last: int) -> Field:
    """One field, bits `first`..`last` of the layer that begins at byte `base`."""
    name, label = field_name(owner, scapy_field.name)
    start, stop = base + first // 8, base + (last + 7) // 8
    whole = first % 8 == 0 and last % 8 == 0
    bits = (None, None) if whole else (first % 8, first % 8 + last - first)
    if name in ("tcp.options", "ip.options"):
        options = (tcp_options if name == "tcp.options" else ip_options)(frame[start:stop], start)
        size = sentence("{size} bytes", size=stop - start)
        return Field(name, label, size, start, stop, children=options)
    if name in FLAGS:
        return _flags(name, label, scapy_field, int(value), start, stop, first % 8, last - first)
    text = value_text(name, scapy_field, layer, value)
    return Field(name, label, text, start, stop, *bits)


def _flags(name: str, label: str, scapy_field: Any, value: int, start: int, stop: int, bit: int,
           size: int) -> Field:
    """A field of flags with one child a bit, most significant first."""
    names = list(getattr(scapy_field, "names", ()))
    children, words = [], []
    for place in range(size):
        number = size - 1 - place
        key = str(names[number]) if number < len(names) else ""
        child, text = FLAGS[name].get(key, (f"{name}.{number}", f"bit {number}"))
        is_set = bool(value >> number & 1)
        at = bit + place
        byte = start + at // 8
        word = _SET if is_set else _NOT_SET
        children.append(Field(child, text, word, byte, byte + 1, at % 8, at % 8 + 1))
        if is_set:
            words.append(text.split(" ", 1)[0])
    flags = ", ".join(reversed(words))
    shown = f"0x{value:03x}  ({flags})" if flags else sentence("0x{value:03x}  (none)", value=value)
    return Field(name, label, shown, start, stop, bit, bit + size, tuple(children))


def _with_records(layer: DNS, children: list[Field], frame: bytes, start: int) -> list[Field]:
    """The DNS header's fields, and its sections with places of their own (names may be pointers)."""
    skipped = 2 if any(child.name == "dns.length" for child in children) else 0
    header = [child for child in children if child.stop <= start + skipped + 12]
    at, message = 12, frame[start + skipped :]
    for key in ("qd", "an", "ns", "ar"):
        records = list(getattr(layer, key, None) or ())
        begin = at
        fields, at = dns_records(message, at, records, start + skipped, question=key == "qd")
        if fields:
            name, label = field_name("dns", key)
            header.append(Field(name, label, str(len(fields)), start + skipped + begin, start + skipped + at,
                                children=fields))
    return header


class _Transport(NamedTuple):
    """A TCP or UDP header and what its checksum covers: `size` bytes from `start`, the sum `at` in them."""

    protocol: int
    addresses: bytes
    start: int
    size: int
    at: int

    def segment(self, frame: bytes) -> bytes:
        """The bytes that are covered."""
        return frame[self.start : self.start + self.size]


def _judged(layer: Packet, field: Field, frame: bytes, transport: _Transport | None) -> Field:
    """The layer with its checksum judged, where all that it covers was captured."""
    if isinstance(layer, IP) and type(layer) is IP and field.stop - field.start >= 20:
        text = header_checksum_text(frame[field.start : field.stop], int(layer.chksum))
        return _with_value(field, "ip.checksum", text)
    if transport is None:
        return field
    protocol, addresses, at = transport.protocol, transport.addresses, transport.at
    text = transport_checksum_text(addresses, protocol, transport.segment(frame), at)
    return _with_value(field, "tcp.checksum" if protocol == numbers.TCP else "udp.checksum", text)


def _transport(layer: Packet, field: Field, frame: bytes, addresses: bytes) -> _Transport | None:
    """Where a checksum of TCP or UDP can be judged: what it covers."""
    protocol, at = {TCP: (numbers.TCP, 16), UDP: (numbers.UDP, 6)}.get(type(layer), (0, 0))
    below = layer.underlayer
    if not protocol or not addresses or below is None:
        return None
    if isinstance(below, IP):
        size = int(below.len or 0) - int(below.ihl or 5) * 4
        fragment = bool(int(below.flags) & 1 or below.frag)
    else:
        size, fragment = int(getattr(below, "plen", 0) or 0), not isinstance(below, IPv6)
    if fragment or size < at + 2 or len(frame) < field.start + size:
        return None
    return _Transport(protocol, addresses, field.start, size, at)


def _with_value(layer: Field, name: str, text: str) -> Field:
    changed = (child._replace(value=text) if child.name == name else child for child in layer.children)
    return layer._replace(children=tuple(changed))


def _noted(layer: Field, notes: Mapping[str, str]) -> Field:
    changed = (child._replace(value=_beside(child.value, notes[child.name])) if child.name in notes
               else child for child in layer.children)
    return layer._replace(children=tuple(changed))


def _beside(value: str, note: str) -> Sentence:
    return sentence("{value}  ({note})", value=value, note=note if isinstance(note,
                                                                              Sentence) else escaped(note))


def _payload(data: bytes, start: int, name: str = "data", label: str = "Payload") -> Field:
    data = bytes(data) if isinstance(data, bytes | bytearray) else b""
    size = sentence_as(f"{len(data)} byte{'' if len(data) == 1 else 's'}", "{size} bytes",
                       {"size": len(data)})
    value = sentence("{size}  {text}", size=size, text=bytes_text(data) if data else "")
    return Field(name, label, value, start, start + len(data))


def _cover_rest(frame: bytes, layers: list[Field]) -> None:
    """Bytes behind the last layer (a trailer, or what lies too deep) get a field, so that all have one."""
    end = layers[-1].stop if layers else 0
    if end < len(frame):
        layers.append(_payload(frame[end:], end, "trailer", "Not dissected"))


def _summary(layer: Packet, name: str) -> str:
    """What stands beside the layer's name."""
    try:
        if name == "eth" and isinstance(layer, Ether):
            return f"{layer.src} → {layer.dst}"
        if name in ("ip", "ipv6"):
            return f"{layer.src} → {layer.dst}"
        if name in ("tcp", "udp"):
            flags = f"  [{', '.join(numbers.flag_names(int(layer.flags)))}]" if name == "tcp" else ""
            return f"{int(layer.sport)} → {int(layer.dport)}{flags}"
        if name == "dns":
            return sentence("response") if layer.qr else sentence("query")
        if name in ("arp", "icmp", "icmpv6"):
            words = layer.mysummary()
            return escaped(words if isinstance(words, str) else words[0], 80)
        return tunnel_summary(name, layer)
    except Exception:      # summaries read fields that damaged packets lack
        return ""

