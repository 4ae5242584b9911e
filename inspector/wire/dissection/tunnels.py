"""Layers that scapy does not find by itself: tunnels. Their classes are loaded with the first such frame.

Name and place of a layer, as `wire.headers.names` tells them -> scapy's packet from there on.
"""

from __future__ import annotations

from importlib import import_module

import inspector.wire.dissection.scapy_start  # noqa: F401

# isort: split
from scapy.fields import BitField, ByteField, StrLenField, ThreeBytesField
from scapy.packet import Packet

from inspector.wire.headers.names import GPE

_CLASSES = {
    "vxlan": ("scapy.layers.vxlan", "VXLAN"), GPE: ("scapy.layers.vxlan", "VXLAN"),
    "geneve": ("scapy.contrib.geneve", "GENEVE"),
    "gtp": ("scapy.contrib.gtp", "GTP_U_Header"), "mpls": ("scapy.contrib.mpls", "MPLS"),
    "pppoes": ("scapy.layers.ppp", "PPPoE"), "ppp": ("scapy.layers.ppp", "PPP"),
    "etherip": ("scapy.contrib.etherip", "EtherIP"), "eth": ("scapy.layers.l2", "Ether"),
    "vlan": ("scapy.layers.l2", "Dot1Q"), "ieee8021ad": ("scapy.layers.l2", "Dot1AD"),
    "ip": ("scapy.layers.inet", "IP"), "ipv6": ("scapy.layers.inet6", "IPv6"),
    "arp": ("scapy.layers.l2", "ARP"), "gre": ("scapy.layers.l2", "GRE"),
}


class NSH(Packet):          # type: ignore[misc]      # scapy's own loads all of scapy
    """Network Service Header (RFC 8300)."""

    name = "Network Service Header"
    fields_desc = [         # noqa: RUF012  (scapy's way)
        BitField("version", 0, 2), BitField("oam", 0, 1), BitField("unused1", 0, 1), BitField("ttl", 63, 6),
        BitField("length", 2, 6), BitField("unused2", 0, 4), BitField("mdtype", 2, 4),
        ByteField("nextproto", 1), ThreeBytesField("spi", 0), ByteField("si", 255),
        StrLenField("context", b"", length_from=lambda packet: max(4 * packet.length - 8, 0)),
    ]


_FORMS = {
    "vlan": ("VLAN {}", "vlan"), "ieee8021ad": ("VLAN {}", "vlan"), "mpls": ("label {}", "label"),
    "vxlan": ("VNI {}", "vni"), "geneve": ("VNI {}", "vni"), "gtp": ("TEID 0x{:08x}", "teid"),
    "gre": ("key {}", "key"), "pppoes": ("session {}", "sessionid"), "nsh": ("path {}", "spi"),
}


def tunnel_summary(name: str, layer: Packet) -> str:
    """What tells this tunnel from others, such as "VNI 42"; "" for other layers."""
    form, field = _FORMS.get(name, ("", ""))
    value = getattr(layer, field) if field else None
    return form.format(value) if isinstance(value, int) else ""


def layer_at(name: str, data: bytes) -> Packet | None:
    """The layer `name` that begins `data`, with all that scapy finds in it; None where it is not known."""
    if name == "nsh":
        return NSH(data)
    if name not in _CLASSES:
        return None
    module, kind = _CLASSES[name]
    packet: Packet = getattr(import_module(module), kind)(data)
    return packet
