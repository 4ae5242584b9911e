"""The sentence about one packet, and the name of its protocol: the info column of lists and JSON.

Facts (columns, flow, application) and, where the columns do not do, a few bytes of the frame -> text.
The wording follows Wireshark's, which people can search for; every text is safe to show.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, assert_never

from inspector.model.language import Sentence, marked, sentence
from inspector.model.numbers import (
    ACK,
    AUTHENTICATION,
    ESP,
    ETHERTYPE_MPLS,
    ETHERTYPE_PPPOE_SESSION,
    ETHERTYPE_RARP,
    FIN,
    GRE,
    HOP_BY_HOP,
    IGMP,
    IP_IN_IP,
    IPV6_IN_IP,
    LINK_ETHERNET,
    RST,
    SYN,
    TCP,
    TRANSPORT_NAMES,
    UDP,
    flag_names,
)
from inspector.model.packets import Row, packet_number
from inspector.model.units import amount, duration
from inspector.model.wiring import LATER
from inspector.protocols import by_name
from inspector.trace.application.packets import packet_text
from inspector.trace.flows.fragments import lost_after
from inspector.trace.index.fates import Fate
from inspector.trace.packet.facts import Facts, payload_preview
from inspector.wire.headers.fragment import fragment_header
from inspector.wire.headers.read import FRAGMENT
from inspector.wire.tcp.options import parse_options
from inspector.wire.text import escaped, worded

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

PREVIEW = 60              # characters of a text payload that are shown
_IP_PROTOCOLS = {
    HOP_BY_HOP: "HOPOPT", IGMP: "IGMP", IP_IN_IP: "IPv4", IPV6_IN_IP: "IPv6", GRE: "GRE", ESP: "ESP",
    AUTHENTICATION: "AH", 88: "EIGRP", 89: "OSPF", 103: "PIM", 112: "VRRP", 132: "SCTP", 136: "UDP-Lite",
}
_ETHER_TYPES = {
    0x0842: "WoL", ETHERTYPE_RARP: "RARP", 0x809B: "AppleTalk", 0x8863: "PPPoE",
    ETHERTYPE_PPPOE_SESSION: "PPPoE", ETHERTYPE_MPLS: "MPLS", 0x888E: "EAPOL", 0x88CC: "LLDP",
    0x88E5: "MACsec", 0x88F7: "PTP",
}
_UDP_PORTS = {67: "DHCP", 68: "DHCP", 123: "NTP", 137: "NBNS", 138: "NBDS", 161: "SNMP", 443: "QUIC",
              514: "Syslog", 546: "DHCPv6", 547: "DHCPv6", 1900: "SSDP"}

AGAIN = marked("again")

SHOWN_NAMES = frozenset({*_IP_PROTOCOLS.values(), *_ETHER_TYPES.values(), *_UDP_PORTS.values()})
"""Names of protocols of which nothing more is known here."""


def protocol_name(trace: Trace, fact: Facts) -> str:
    """The innermost protocol's name: "WebSocket", "HTTP", "TCP", "DNS", "ICMPv6", "ARP", "LLDP", …"""
    if fact.protocols:
        protocol = by_name(fact.protocols[-1])
        return protocol.title if protocol is not None else escaped(fact.protocols[-1].upper(), 12)
    index = trace.index
    network = int(index.network[fact.row])
    if network == 1:
        return "ARP"
    if network == 0:
        unknown = "Ethernet" if trace.link_type(fact.row) == LINK_ETHERNET else "Link"
        return _ETHER_TYPES.get(ether_type(trace, fact.row), unknown)
    if _is_later_fragment(trace, fact) or (fact.stream < 0 and fact.protocol in (TCP, UDP)):
        return f"IPv{network}"          # its ports are elsewhere
    if fact.protocol == UDP and fact.length:
        return _UDP_PORTS.get(fact.dport) or _UDP_PORTS.get(fact.sport) or "UDP"
    return TRANSPORT_NAMES.get(fact.protocol) or _IP_PROTOCOLS.get(fact.protocol, f"IPv{network}")


LOST_FRAGMENTS = marked("Fragments missing")


def packet_info(trace: Trace, fact: Facts, *, preview: int = PREVIEW, brief: bool = False) -> str:
    """What the packet says, in one line; where words of ours stand before it, it is a Sentence.

    `preview`: characters of a text payload to show, 0 for none. `brief`: without the ports, and without
    the window and options where they are not the point.
    """
    text = _packet_text(trace, fact, preview, brief=brief)
    if is_again(trace, fact) and not _is_resent(fact):
        text = sentence("[{word}] {text}", word=sentence(AGAIN), text=text)
    if fact.protocol == UDP and fact.stream >= 0 and lost_after(trace, fact.row) is not None:
        text = sentence("[{word}] {text}", word=sentence(LOST_FRAGMENTS), text=text)
    if fact.same_as is not None:
        text = sentence("[Packet {number} again] {text}", number=packet_number(fact.same_as), text=text)
    return text if fact.fate is None else sentence("[{word}] {text}", word=fate_text(fact.fate), text=text)


def is_again(trace: Trace, fact: Facts) -> bool:
    """Whether a packet that somebody held, or did something with, says what its sender had said before (TCP).

    The analysis speaks of packets that arrived; who decides about this one has to know it before, and what
    was said of it then is as true when it was decided.
    """
    index = trace.index
    if fact.fate is None or fact.protocol != TCP or fact.stream < 0:
        return False
    counts = fact.length + bool(fact.flags & SYN) + bool(fact.flags & FIN)
    rows = trace.rows_of("tcp", fact.stream)
    rows = rows[rows < fact.row]
    rows = rows[(index.src[rows] == index.src[fact.row]) & (index.sport[rows] == index.sport[fact.row])]
    if not counts or not len(rows):
        return False
    flags = index.tcp_flags[rows]
    took = index.payload_length[rows].astype("i8") + (flags & SYN != 0) + (flags & FIN != 0)
    before = (int(index.seq[fact.row]) - index.seq[rows].astype("i8")) & 0xFFFFFFFF
    return bool((before + counts <= took).any())


def fate_text(fate: Fate) -> Sentence:
    """What became of a packet on the wire, in a few words: `dropped by you`, `waits for you`."""
    took = duration(fate.time_ns - fate.held_ns)
    match fate.fate:
        case "held":
            return sentence("waits for you")
        case "passed":
            return sentence("waited {time}", time=took)
        case "dropped":
            return sentence("dropped by you") if fate.by == "you" else sentence("dropped")
        case "doubled":
            return sentence("twice")
        case "put off":
            return sentence("waits {time} s", time=f"{LATER:g}")
        case "delayed":
            return sentence("late")
        case "swapped":
            return sentence("waits for the next")
        case "overtaken":
            return sentence("after the next")
        case "lost":
            return sentence("lost by chance")
        case "overflowed":
            return sentence("lost, queue full")
        case "unsent":
            return sentence("never left the wire")
        case "under way":
            return sentence("on its way")
        case "arrived":
            return sentence("took {time}", time=took)
        case _:
            assert_never(fate.fate)


def _packet_text(trace: Trace, fact: Facts, preview: int, *, brief: bool) -> str:
    index = trace.index
    network = int(index.network[fact.row])
    if network == 1:
        found = packet_text(trace, fact.row)
        return found[1] if found is not None else "ARP"
    if network == 0:
        return _other_text(trace, fact.row)
    if _is_later_fragment(trace, fact):
        return _fragment_text(trace, fact)
    if fact.protocol in (TCP, UDP) and fact.stream < 0:
        return sentence("{protocol}, cut before its ports", protocol=_transport(fact.protocol))
    if fact.protocol == TCP:
        marks = analysis_marks(fact)
        text = fact.application or tcp_text(trace, fact, preview=preview, brief=brief)
        return worded((marks, text), between=" ") if marks else text
    if fact.protocol == UDP:
        text = f"{'' if brief else f'{fact.sport} → {fact.dport} '}Len={fact.length}"
        return fact.application or _with_preview(trace, fact, text, preview)
    found = packet_text(trace, fact.row)
    if found is not None:
        return found[1]
    name = _IP_PROTOCOLS.get(fact.protocol) or sentence("protocol")
    return sentence("{name} ({number}) in IPv{version}", name=name, number=fact.protocol, version=network)


def tcp_text(trace: Trace, fact: Facts, *, preview: int = 0, brief: bool = False) -> str:
    """`50412 → 8000 [SYN] Seq=0 Win=65495 Len=0 MSS=65495 SACK_PERM WS=128`."""
    if brief:
        text = f"{_flags(fact.flags)} Seq={fact.seq}"
        if fact.flags & ACK:
            text += f" Ack={fact.ack}"
        if fact.length or not fact.flags & (SYN | FIN | RST):
            text += f" Len={fact.length}" if fact.length else f" Win={fact.window}"
    else:
        text = tcp_line(fact.sport, fact.dport, fact.flags, fact.seq, fact.ack, fact.window, fact.length)
    if fact.flags & SYN:
        options = syn_options(trace, fact.row)
        text += "".join(" " + option for option in options if not (brief and option.startswith("TS")))
    return _with_preview(trace, fact, text, preview)


def tcp_line(sport: int, dport: int, flags: int, seq: int, ack: int, window: int, length: int) -> str:
    """`50412 → 8000 [ACK] Seq=1 Ack=1 Win=65495 Len=0`: what every segment has."""
    acks = f" Ack={ack}" if flags & ACK else ""
    return f"{sport} → {dport} {_flags(flags)} Seq={seq}{acks} Win={window} Len={length}"


@lru_cache(512)
def _flags(flags: int) -> str:
    return f"[{', '.join(flag_names(flags)) or '<None>'}]"


def syn_options(trace: Trace, row: Row) -> list[str]:
    """The options of a TCP header as words: `MSS=65495`, `SACK_PERM`, `WS=128`, `TSval=1 TSecr=0`."""
    header = frame_from(trace, row, "l4")
    if len(header) < 20:
        return []
    options = parse_options(header[20 : (header[12] >> 4) * 4]).options
    return [word for option in options for word in option_words(option.kind, option.data)]


def option_words(kind: int, value: bytes) -> list[str]:
    """One option as words, none where it says nothing to people."""
    number = int.from_bytes(value, "big")
    if kind == 2 and len(value) == 2:
        return [f"MSS={number}"]
    if kind == 3 and len(value) == 1:
        return [f"WS={1 << min(number, 14)}"]      # RFC 7323 section 2.3: 14 at most
    if kind == 4:
        return ["SACK_PERM"]
    if kind == 8 and len(value) == 8:
        return [f"TSval={number >> 32} TSecr={number & 0xFFFFFFFF}"]
    return []


def frame_from(trace: Trace, row: Row, column: str) -> bytes:
    """The frame's bytes from the header that the index column `column` ("l3", "l4") points to."""
    frame, start = trace.frame(row), int(getattr(trace.index, column)[row])
    return frame[start:] if 0 <= start < len(frame) else b""


def ether_type(trace: Trace, row: Row) -> int:
    """The EtherType of an Ethernet frame; 0 for other links, for lengths (802.3) and short frames."""
    frame = trace.frame(row)
    if trace.link_type(row) != LINK_ETHERNET or len(frame) < 14:
        return 0
    value = int.from_bytes(frame[12:14], "big")
    return value if value >= 0x600 else 0


def analysis_marks(fact: Facts) -> str:
    """The analysis in brackets: `[Dup ACK 28#1]`; of kinds of retransmission the closest one alone."""
    names = fact.analysis
    if len(names) > 1 and _RETRANSMISSION in names and any(name in _CLOSER for name in names):
        names = tuple(name for name in names if name != _RETRANSMISSION)
    words = [_WINDOW_PROBE if fact.probes_window and name in _PROBES else mark_words(name) for name in names]
    return " ".join(f"[{word} {fact.duplicate}]" if word == "Dup ACK" else f"[{word}]" for word in words)


def _is_resent(fact: Facts) -> bool:
    """Whether the analysis says already that it was sent again."""
    return any(name in (_RETRANSMISSION, *_CLOSER) for name in fact.analysis)


_WINDOW_PROBE = "Window probe"       # what it is: "Keep-Alive" alone leads astray
_PROBES = ("tcp.analysis.keep_alive", "tcp.analysis.zero_window_probe")
_RETRANSMISSION = "tcp.analysis.retransmission"
_CLOSER = ("tcp.analysis.fast_retransmission", "tcp.analysis.spurious_retransmission")


_MARKS = {
    "tcp.analysis.retransmission": marked("Retransmission"),
    "tcp.analysis.fast_retransmission": marked("Fast Retransmission"),
    "tcp.analysis.spurious_retransmission": marked("Spurious Retransmission"),
    "tcp.analysis.out_of_order": marked("Out-Of-Order"),
    "tcp.analysis.lost_segment": marked("Previous segment not captured"),
    "tcp.analysis.ack_lost_segment": marked("ACKed unseen segment"),
    "tcp.analysis.duplicate_ack": marked("Dup ACK"),
    "tcp.analysis.zero_window": marked("ZeroWindow"),
    "tcp.analysis.zero_window_probe": marked("ZeroWindowProbe"),
    "tcp.analysis.zero_window_probe_ack": marked("ZeroWindowProbeAck"),
    "tcp.analysis.window_full": marked("Window Full"),
    "tcp.analysis.window_update": marked("Window Update"),
    "tcp.analysis.keep_alive": marked("Keep-Alive"),
    "tcp.analysis.keep_alive_ack": marked("Keep-Alive ACK"),
    "tcp.analysis.reused_ports": marked("Port numbers reused"),
}


def mark_words(name: str) -> str:
    """Wireshark's words for a name of its analysis: "tcp.analysis.duplicate_ack" -> "Dup ACK"."""
    return _MARKS.get(name) or escaped(name.removeprefix("tcp.analysis.").replace("_", " "))


def _with_preview(trace: Trace, fact: Facts, text: str, preview: int) -> str:
    shown = payload_preview(trace, fact.row, preview) if preview and fact.length else ""
    return f"{text}  {shown}" if shown else text


def _is_later_fragment(trace: Trace, fact: Facts) -> bool:
    """Whether the packet is a part of a datagram whose transport header came with another part."""
    is_fragment = bool(int(trace.index.status[fact.row]) & FRAGMENT)
    whole = fact.row in trace.index.reassembly.segments
    return is_fragment and not whole and not frame_from(trace, fact.row, "l4")


def _transport(protocol: int) -> str:
    return TRANSPORT_NAMES.get(protocol, "protocol")


def _fragment_text(trace: Trace, fact: Facts) -> str:
    """`Fragmented IP protocol (proto=UDP 17, off=1480, ID=1234)`, `IPv6 fragment (off=408 more=y …)`."""
    header = frame_from(trace, fact.row, "l3")
    if len(header) >= 20 and header[0] >> 4 == 4:
        offset = (int.from_bytes(header[6:8], "big") & 0x1FFF) * 8
        place = f"off={offset}, ID={header[4:6].hex()}"
        return f"Fragmented IP protocol (proto={_transport(fact.protocol)} {fact.protocol}, {place})"
    part = fragment_header(header, 0)
    if part is None:
        return "IPv6 fragment"
    more = "y" if part.more else "n"
    return f"IPv6 fragment (off={part.offset} more={more} ident=0x{part.identification:08x} nxt={part.next})"


def _other_text(trace: Trace, row: Row) -> str:
    value = ether_type(trace, row)
    frame = trace.frame(row)
    behind = amount(len(frame) - 14, "byte")
    if value:
        name = _ETHER_TYPES.get(value, "Ethernet")
        return sentence("{name} (type 0x{value:04x}), {size}", name=name, value=value, size=behind)
    if trace.link_type(row) == LINK_ETHERNET and len(frame) >= 14:
        return sentence("IEEE 802.3 frame {source} → {target}, {size}", source=frame[6:12].hex(":"),
                        target=frame[0:6].hex(":"), size=behind)
    return sentence("{size} of link type {number}", size=amount(len(frame), "byte"),
                    number=trace.link_type(row))

