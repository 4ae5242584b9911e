"""Numbers that tell protocols apart on the wire, and the bits of TCP's flags: each written down once.

IP protocols are IANA's (iana.org/assignments/protocol-numbers), EtherTypes IEEE's, link types those of
tcpdump.org/linktypes; names are Wireshark's. Plain ints, since they stand beside numpy's columns.
"""

from __future__ import annotations

from typing import NamedTuple

# IP protocols: IPv4's protocol field, IPv6's next header (RFC 8200 section 4).
HOP_BY_HOP, ICMP, IGMP, IP_IN_IP, TCP, UDP = 0, 1, 2, 4, 6, 17
IPV6_IN_IP, ROUTING, IPV6_FRAGMENT, GRE, ESP, AUTHENTICATION, ICMPV6 = 41, 43, 44, 47, 50, 51, 58
DESTINATION, SHIM6, ETHER_IP, MPLS_IN_IP, ETHERNET_IN_IP = 60, 140, 97, 137, 143

TRANSPORT_NAMES = {TCP: "TCP", UDP: "UDP", ICMP: "ICMP", ICMPV6: "ICMPv6"}

# EtherTypes (IEEE 802.3). Up to 1500 the field is a length instead.
ETHERTYPE_IPV4, ETHERTYPE_ARP, ETHERTYPE_RARP, ETHERTYPE_IPV6 = 0x0800, 0x0806, 0x8035, 0x86DD
ETHERTYPE_VLAN, ETHERTYPE_QINQ, ETHERTYPE_QINQ_OLD, ETHERTYPE_ETAG = 0x8100, 0x88A8, 0x9100, 0x893F
ETHERTYPE_MPLS, ETHERTYPE_MPLS_MULTICAST = 0x8847, 0x8848
ETHERTYPE_PPPOE_SESSION, ETHERTYPE_NSH = 0x8864, 0x894F
ETHERTYPE_ETHERNET = 0x6558          # Ethernet inside (transparent bridging)
VLAN_TYPES = (ETHERTYPE_VLAN, ETHERTYPE_QINQ, ETHERTYPE_QINQ_OLD)

# Link types.
LINK_NULL, LINK_ETHERNET, LINK_LOOP, LINK_RAW, LINK_IPV4, LINK_IPV6 = 0, 1, 108, 101, 228, 229
LINK_PPP, LINK_PPP_HDLC, LINK_PPP_ETHER, LINK_CHDLC, LINK_SLL, LINK_SLL2 = 9, 50, 51, 104, 113, 276
RAW_LINKS = (LINK_RAW, 12, 14)       # BSDs wrote LINKTYPE_RAW by two other numbers
READ_LINKS = frozenset({LINK_NULL, LINK_ETHERNET, LINK_LOOP, LINK_IPV4, LINK_IPV6, LINK_PPP, LINK_PPP_HDLC,
                        LINK_PPP_ETHER, LINK_CHDLC, LINK_SLL, LINK_SLL2, *RAW_LINKS})
LINK_NAMES = {
    105: "IEEE 802.11", 119: "IEEE 802.11 with Prism", 127: "IEEE 802.11 with radiotap",
    163: "IEEE 802.11 with AVS", 187: "Bluetooth HCI", 189: "USB", 195: "IEEE 802.15.4", 201: "Bluetooth",
    220: "USB", 227: "CAN", 230: "IEEE 802.15.4", 239: "NFLOG", 251: "Bluetooth LE", 253: "netlink",
}

# TCP flags (RFC 9293 section 3.1, RFC 3168; AE: RFC 7560 section 2.1).
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE = (1 << bit for bit in range(9))


class TcpFlag(NamedTuple):
    """One flag: its bit in the 12 bits beside the data offset, its RFC's name, Wireshark's field."""

    bit: int
    name: str
    field: str


TCP_FLAGS = (
    TcpFlag(FIN, "FIN", "tcp.flags.fin"), TcpFlag(SYN, "SYN", "tcp.flags.syn"),
    TcpFlag(RST, "RST", "tcp.flags.reset"), TcpFlag(PSH, "PSH", "tcp.flags.push"),
    TcpFlag(ACK, "ACK", "tcp.flags.ack"), TcpFlag(URG, "URG", "tcp.flags.urg"),
    TcpFlag(ECE, "ECE", "tcp.flags.ece"), TcpFlag(CWR, "CWR", "tcp.flags.cwr"),
    TcpFlag(AE, "AE", "tcp.flags.ae"),
)


def flag_names(flags: int) -> list[str]:
    """The names of the TCP flags that are set, lowest bit first: SYN before ACK, as people say them."""
    return [flag.name for flag in TCP_FLAGS if flags & flag.bit]
