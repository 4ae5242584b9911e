"""What scapy's layers and fields are called by people and by Wireshark's display filter.

(layer, field) -> (filter name, label). What is not listed keeps scapy's own name.
"""

from __future__ import annotations

from collections.abc import Iterator

from inspector.model.numbers import TCP_FLAGS

_LAYER_TABLE = """
Ether                eth            Ethernet
Dot3                 eth            IEEE 802.3
LLC                  llc            Logical Link Control
SNAP                 snap           Subnetwork Access Protocol
Dot1Q                vlan           802.1Q VLAN
CookedLinux          sll            Linux cooked capture v1
CookedLinuxV2        sll            Linux cooked capture v2
ARP                  arp            Address Resolution Protocol
IP                   ip             Internet Protocol v4
IPerror              ip             Internet Protocol v4, quoted
IPv6                 ipv6           Internet Protocol v6
IPerror6             ipv6           Internet Protocol v6, quoted
TCP                  tcp            Transmission Control Protocol
TCPerror             tcp            TCP, quoted
UDP                  udp            User Datagram Protocol
UDPerror             udp            UDP, quoted
ICMP                 icmp           Internet Control Message Protocol
ICMPerror            icmp           ICMP, quoted
DNS                  dns            Domain Name System
Raw                  data           Payload
Padding              eth.padding    Padding
WebSocketFrame       websocket      WebSocket
IPv6ExtHdrFragment   ipv6.fraghdr   IPv6 fragment header
IPv6ExtHdrHopByHop   ipv6.hopopts   IPv6 hop-by-hop options
IPv6ExtHdrDestOpt    ipv6.dstopts   IPv6 destination options
IPv6ExtHdrRouting    ipv6.routing   IPv6 routing header
IPv6ExtHdrSegmentRouting ipv6.routing IPv6 segment routing header
AH                   ah             Authentication Header
Dot1AD               ieee8021ad     802.1ad service VLAN
VXLAN                vxlan          VXLAN
GENEVE               geneve         Geneve
GTP_U_Header         gtp            GTP-U
GTPPDUSessionContainer gtp.ext_hdr  GTP extension header, PDU session container
GTP_PDCP_PDU_ExtensionHeader gtp.ext_hdr GTP extension header, PDCP PDU number
GTP_UDPPort_ExtensionHeader gtp.ext_hdr GTP extension header, UDP port
NSH                  nsh            Network Service Header
MPLS                 mpls           MPLS label
PPPoE                pppoes         PPP over Ethernet, session
PPP                  ppp            Point-to-Point Protocol
EtherIP              etherip        Ethernet in IP
GRE                  gre            Generic Routing Encapsulation
"""      # scapy's class, filter name, label

_FIELD_TABLE = """
eth         dst         eth.dst                          Destination
eth         src         eth.src                          Source
eth         type        eth.type                         Type
eth         len         eth.len                          Length
sll         pkttype     sll.pkttype                      Packet type
sll         lladdrtype  sll.hatype                       Link address type
sll         lladdrlen   sll.halen                        Link address length
sll         src         sll.src                          Link address
sll         proto       sll.etype                        Protocol
sll         ifindex     sll.ifindex                      Interface index
vlan        prio        vlan.priority                    Priority
vlan        dei         vlan.dei                         Drop eligible
vlan        vlan        vlan.id                          VLAN
vlan        type        vlan.etype                       Type
ieee8021ad  prio        ieee8021ad.priority              Priority
ieee8021ad  dei         ieee8021ad.dei                   Drop eligible
ieee8021ad  vlan        ieee8021ad.id                    VLAN
ieee8021ad  type        vlan.etype                       Type
mpls        label       mpls.label                       Label
mpls        cos         mpls.exp                         Traffic class
mpls        s           mpls.bottom                      Bottom of stack
mpls        ttl         mpls.ttl                         Time to live
pppoes      sessionid   pppoe.session_id                 Session
pppoes      version     pppoe.version                    Version
pppoes      type        pppoe.type                       Type
pppoes      code        pppoe.code                       Code
pppoes      len         pppoe.payload_length             Payload length
ppp         proto       ppp.protocol                     Protocol
vxlan       flags       vxlan.flags                      Flags
vxlan       gpid        vxlan.gbp                        Group policy
vxlan       NextProtocol vxlan.next_proto                Next protocol
vxlan       vni         vxlan.vni                        Network identifier (VNI)
geneve      version     geneve.version                   Version
geneve      optionlen   geneve.option_length             Options, words of 4 bytes
geneve      oam         geneve.flags.oam                 Control packet
geneve      critical    geneve.flags.critical            Critical options
geneve      proto       geneve.proto_type                Protocol type
geneve      vni         geneve.vni                       Network identifier (VNI)
geneve      options     geneve.options                   Options
gtp         version     gtp.flags.version                Version
gtp         PT          gtp.flags.payload                Protocol type
gtp         E           gtp.flags.e                      Extension header follows
gtp         S           gtp.flags.s                      Sequence number is there
gtp         PN          gtp.flags.pn                     N-PDU number is there
gtp         gtp_type    gtp.message                      Message type
gtp         length      gtp.length                       Length
gtp         teid        gtp.teid                         Tunnel endpoint (TEID)
gtp         seq         gtp.seq_number                   Sequence number
gtp         npdu        gtp.npdu_number                  N-PDU number
gtp         next_ex     gtp.next                         Next extension header
gre         chksum_present gre.flags.checksum            Checksum is there
gre         routing_present gre.flags.routing            Routing is there
gre         key_present gre.flags.key                    Key is there
gre         seqnum_present gre.flags.sequence_number     Sequence number is there
gre         version     gre.flags.version                Version
gre         proto       gre.proto                        Protocol type
gre         chksum      gre.checksum                     Checksum
gre         key         gre.key                          Key
gre         sequence_number gre.sequence_number          Sequence number
nsh         version     nsh.version                      Version
nsh         oam         nsh.Obit                         Control packet
nsh         ttl         nsh.ttl                          Time to live
nsh         length      nsh.length                       Length, words of 4 bytes
nsh         mdtype      nsh.mdtype                       Metadata type
nsh         nextproto   nsh.nextproto                    Next protocol
nsh         spi         nsh.spi                          Service path
nsh         si          nsh.si                           Service index
nsh         context     nsh.metadata                     Metadata
arp         hwtype      arp.hw.type                      Hardware type
arp         ptype       arp.proto.type                   Protocol type
arp         hwlen       arp.hw.size                      Hardware size
arp         plen        arp.proto.size                   Protocol size
arp         op          arp.opcode                       Operation
arp         hwsrc       arp.src.hw_mac                   Sender MAC address
arp         psrc        arp.src.proto_ipv4               Sender IP address
arp         hwdst       arp.dst.hw_mac                   Target MAC address
arp         pdst        arp.dst.proto_ipv4               Target IP address
ip          version     ip.version                       Version
ip          ihl         ip.hdr_len                       Header length
ip          tos         ip.dsfield                       Differentiated services
ip          len         ip.len                           Total length
ip          id          ip.id                            Identification
ip          flags       ip.flags                         Flags
ip          frag        ip.frag_offset                   Fragment offset
ip          ttl         ip.ttl                           Time to live
ip          proto       ip.proto                         Protocol
ip          chksum      ip.checksum                      Header checksum
ip          src         ip.src                           Source address
ip          dst         ip.dst                           Destination address
ip          options     ip.options                       Options
ipv6        version     ipv6.version                     Version
ipv6        tc          ipv6.tclass                      Traffic class
ipv6        fl          ipv6.flow                        Flow label
ipv6        plen        ipv6.plen                        Payload length
ipv6        nh          ipv6.nxt                         Next header
ipv6        hlim        ipv6.hlim                        Hop limit
ipv6        src         ipv6.src                         Source address
ipv6        dst         ipv6.dst                         Destination address
tcp         sport       tcp.srcport                      Source port
tcp         dport       tcp.dstport                      Destination port
tcp         seq         tcp.seq_raw                      Sequence number
tcp         ack         tcp.ack_raw                      Acknowledgment number
tcp         dataofs     tcp.hdr_len                      Header length
tcp         reserved    tcp.flags.res                    Reserved
tcp         flags       tcp.flags                        Flags
tcp         window      tcp.window_size_value            Window
tcp         chksum      tcp.checksum                     Checksum
tcp         urgptr      tcp.urgent_pointer               Urgent pointer
tcp         options     tcp.options                      Options
udp         sport       udp.srcport                      Source port
udp         dport       udp.dstport                      Destination port
udp         len         udp.length                       Length
udp         chksum      udp.checksum                     Checksum
icmp        type        icmp.type                        Type
icmp        code        icmp.code                        Code
icmp        chksum      icmp.checksum                    Checksum
icmp        id          icmp.ident                       Identifier
icmp        seq         icmp.seq                         Sequence number
icmp        gw          icmp.redir_gw                    Gateway address
icmp        nexthopmtu  icmp.mtu                         MTU of next hop
icmp        unused      icmp.unused                      Unused
icmpv6      type        icmpv6.type                      Type
icmpv6      code        icmpv6.code                      Code
icmpv6      cksum       icmpv6.checksum                  Checksum
icmpv6      tgt         icmpv6.nd.target                 Target address
icmpv6      mtu         icmpv6.mtu                       MTU
dns         length      dns.length                       Length
dns         id          dns.id                           Transaction ID
dns         qr          dns.flags.response               Response
dns         opcode      dns.flags.opcode                 Opcode
dns         aa          dns.flags.authoritative          Authoritative
dns         tc          dns.flags.truncated              Truncated
dns         rd          dns.flags.recdesired             Recursion desired
dns         ra          dns.flags.recavail               Recursion available
dns         z           dns.flags.z                      Reserved
dns         ad          dns.flags.authenticated          Authentic data
dns         cd          dns.flags.checkdisable           Checking disabled
dns         rcode       dns.flags.rcode                  Reply code
dns         qdcount     dns.count.queries                Questions
dns         ancount     dns.count.answers                Answer RRs
dns         nscount     dns.count.auth_rr                Authority RRs
dns         arcount     dns.count.add_rr                 Additional RRs
dns         qd          dns.qry                          Queries
dns         an          dns.answers                      Answers
dns         ns          dns.authorities                  Authorities
dns         ar          dns.additionals                  Additional records
data        load        data.data                        Data
eth.padding load        eth.padding                      Data
websocket   fin         websocket.fin                    FIN
websocket   rsv1        websocket.rsv1                   RSV1
websocket   rsv2        websocket.rsv2                   RSV2
websocket   rsv3        websocket.rsv3                   RSV3
websocket   opcode      websocket.opcode                 Opcode
websocket   mask        websocket.mask                   MASK
websocket   length      websocket.payload_length         Payload length, 7 bits
websocket   length16    websocket.payload_length_ext_16  Extended payload length, 16 bits
websocket   length64    websocket.payload_length_ext_64  Extended payload length, 64 bits
websocket   masking_key websocket.masking_key            Masking key
websocket   data        websocket.payload_raw            Payload as on the wire
websocket   unmasked    websocket.payload                Payload unmasked
"""      # layer's filter name, scapy's field, filter name, label

_LAYERS = {key: (name, label)
           for key, name, label in (row.split(None, 2) for row in _LAYER_TABLE.strip().splitlines())}
_FIELDS = {(layer, key): (name, label)
           for layer, key, name, label in (row.split(None, 3) for row in _FIELD_TABLE.strip().splitlines())}

_TCP_FLAG_MEANINGS = (
    ("F", "no more data from the sender"), ("S", "synchronise sequence numbers"),
    ("R", "reset the connection"), ("P", "hand the data to the application"),
    ("A", "the acknowledgment number counts"), ("U", "the urgent pointer counts"),
    ("E", "echo of congestion seen"), ("C", "congestion window reduced"), ("N", "accurate ECN"),
)      # scapy's letters of the flags in model/numbers.py, in their order

FLAGS: dict[str, dict[str, tuple[str, str]]] = {
    "tcp.flags": {
        letter: (flag.field, f"{flag.name:<3}  {meaning}")
        for flag, (letter, meaning) in zip(TCP_FLAGS, _TCP_FLAG_MEANINGS, strict=True)
    },
    "ip.flags": {
        "MF": ("ip.flags.mf", "MF  more fragments follow"),
        "DF": ("ip.flags.df", "DF  do not fragment"),
        "evil": ("ip.flags.rb", "reserved"),
    },
}  # fmt: skip


def labels() -> Iterator[str]:
    """All labels of the tables, for the catalogues of other languages: they are shown by `tr`."""
    yield from (label for _, label in (*_LAYERS.values(), *_FIELDS.values()))
    yield from (label for names in FLAGS.values() for _, label in names.values())


def layer_name(scapy_name: str, title: str) -> tuple[str, str]:
    """Filter name and label of a layer, from its scapy class and scapy's title of it."""
    if scapy_name in _LAYERS:
        return _LAYERS[scapy_name]
    return ("icmpv6" if scapy_name.startswith("ICMPv6") else scapy_name.lower()), title


def field_name(layer: str, field: str) -> tuple[str, str]:
    """Filter name and label of a field, from its layer's filter name and scapy's name of it."""
    known = _FIELDS.get((layer, field))
    return known or (f"{layer}.{field}", field.replace("_", " ").capitalize())
