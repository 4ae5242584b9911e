"""Hand-made traces: a network of one client and one server, whose packets and calls go into a pcapng file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from inspector.trace.trace import Trace
from inspector.wire import pcapng
from inspector.wire.journal import CallRecord, Record, to_fields

START_NS = 1_760_000_000_000_000_000
CLIENT, SERVER = 0, 1
_MAC = "00:00:00:00:00:00"


@dataclass
class Network:
    """What was sent so far; every packet is `step_ns` after the one before."""

    ports: tuple[int, int] = (50412, 9000)
    step_ns: int = 10_000
    link_type: int = 1
    blocks: list[bytes] = field(default_factory=list)
    now_ns: int = START_NS
    _seq: list[int] = field(default_factory=lambda: [3_000_000_000, 1_000_000_000])

    def tcp(self, sender: int, flags: str, data: bytes = b"", **fields: Any) -> None:
        """A TCP segment whose numbers follow from what was sent before."""
        own, other = self._seq[sender], self._seq[1 - sender]
        numbers = {"seq": own, "ack": other if "A" in flags else 0, "window": 512} | fields
        segment = TCP(sport=self.ports[sender], dport=self.ports[1 - sender], flags=flags, **numbers)
        self.frame(self._ip() / segment / Raw(data) if data else self._ip() / segment)
        self._seq[sender] = (own + len(data) + ("S" in flags) + ("F" in flags)) & 0xFFFFFFFF

    def udp(self, sender: int, data: bytes, ports: tuple[int, int] | None = None) -> None:
        """A datagram."""
        ports = ports or self.ports
        self.frame(self._ip() / UDP(sport=ports[sender], dport=ports[1 - sender]) / Raw(data))

    def handshake(self) -> None:
        """SYN, SYN ACK, ACK."""
        options = [("MSS", 65495), ("SAckOK", b""), ("NOP", None), ("WScale", 7)]
        self.tcp(CLIENT, "S", options=options)
        self.tcp(SERVER, "SA", options=options)
        self.tcp(CLIENT, "A")

    def frame(self, packet: Packet | bytes) -> None:
        """Any frame."""
        self.now_ns += self.step_ns
        self.blocks.append(pcapng.enhanced_packet(bytes(packet), self.now_ns))

    def record(self, record: Record) -> None:
        """A journal block."""
        self.blocks.append(pcapng.journal(to_fields(record)))

    def call(self, role: str, name: str, arguments: str, result: int | None = 0, **fields: Any) -> None:
        """A system call that returns at once (with `result` None, that has not returned)."""
        self.now_ns += self.step_ns
        end = None if result is None else self.now_ns + 1000
        number, pid = len(self.blocks) + 1, 1 if role == "server" else 2
        self.record(CallRecord(number, pid, 1, role, name, arguments, self.now_ns, end, result, **fields))

    def open(self, path: Path) -> Trace:
        """Write the file and read it as a trace."""
        head = pcapng.section_header() + pcapng.interface_description(self.link_type)
        path.write_bytes(head + b"".join(self.blocks))
        trace = Trace.open(path)
        trace.finish()
        return trace

    def _ip(self) -> Packet:
        return Ether(src=_MAC, dst=_MAC) / IP(src="127.0.0.1", dst="127.0.0.1")
