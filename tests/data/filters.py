"""Display filters on which tshark was asked: `python filters.py` writes its answers to filters.json.

Needs tshark 4.0. An answer is the list of frame numbers per capture, or null where tshark calls it wrong.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
CAPTURES = (
    "captures/websocket/zeek__http__websocket.pcap", "captures/udp/zeek__ipv6-fragmented-dns.pcap",
    "captures/tcp/pcapplusplus__null_loopback.pcap", "captures/tcp/zeek__tcp__retransmit-fast009.pcap",
    "captures/udp/pcapplusplus__ipv6_options.pcap", "captures/http/zeek__http__100-continue.pcap",
    "captures/tcp/suricata-verify__eve-overlap-payload-01__tcp-overlap.pcap", "frames/errors.pcapng",
)
RIGHT = """
ip.addr == 192.168.0.0/16 and tcp.len > 600
tcp.port == 80
tcp.port != 80
tcp.port !== 80
tcp.port === 80
any tcp.port != 80
all tcp.port > 100
tcp.flags == 0x02
tcp.flags.syn == 1 and tcp.flags.ack == 0
tcp.flags.syn
tcp.port in {80, 81..90}
not tcp.port in {80, 81..90}
tcp.port not in {80}
udp.port == 53
udp.port == 40001
udp.port != 40001
udp
tcp or udp
!tcp
ipv6
ipv6.addr == 2001:db8::/32
ipv6.src == ::1
ipv6.dst > ::5
ipv6.addr != ::1
ip.src in {1.1.1.1..200.1.1.1}
ip.addr != 192.168.0.5
ip.addr != 192.0.2.1
ip.src == 192.0.2.1
!(ip.addr == 192.168.0.5)
ip.addr > 10.0.0.0
frame.number > 5 and frame.number <= 9
frame.len > 100 or tcp.len == 0
frame.len gt 100 && !(frame.len ge 0x200) || udp
frame.time_relative > 0.1
frame.time_epoch > 1501770877.6
tcp.srcport == tcp.dstport
tcp.srcport < tcp.dstport
ip.src == ip.dst
tcp.analysis.flags
tcp.analysis.retransmission
tcp.analysis.duplicate_ack
http
http.request.method == "GET"
http.request.method == GET
http.request.uri contains "echo"
http.response.code == 101
http.request
http.response
http.response.code >= 200
websocket
websocket.opcode == 1
websocket.mask == 1
websocket.fin == 1
websocket.payload_length > 100
frame contains "GET"
tcp contains "GET"
tcp contains 47:45:54
udp contains "data"
http contains "Upgrade"
http matches "upgrade"
tcp matches "^\\x00"
frame.protocols contains "web"
icmp
icmp.type == 3
icmp.code == 0
icmpv6.type == 128
icmpv6
icmpv6.type in {130..143}
tcp.window_size_value > 1000 && tcp.ack_raw > 5 || udp
tcp.seq == 1
tcp.ack > 500
tcp.window_size > 100000
tcp and not tcp.len
udp.length > 50
tcp.stream == 0
udp.stream eq 1
udp.stream
ip.proto == 6
tcp.len ge 0x240
ip
frame
arp
tcp.flags.reset == 1
tcp.flags.fin == 1 or tcp.flags.push == 1 and not ip.src == 192.168.0.5
tcp.payload contains "e"
""".strip().splitlines()
WRONG = """
ip.addr == 5
tcp.port == abc
tcp.port = 80
tcp.port == 70000
tcp.port in {80 81}
tcp.port in 80
tcp.port contains 80
ip.addr matches "a"
bogus.field
tcp and
and tcp
(tcp
tcp)
tcp &
ip.addr == ::1
ipv6.addr == 1.2.3.4
frame.len == 1.5
tcp.port == 80 tcp.port == 81
ip.addr == 1.2.3.4/33
"abc"
tcp.flags.syn == "x"
ip.src == "192.168.0.5"
http matches "("
tcp.port ==
not
any tcp
ip.src == tcp.port
""".strip().splitlines()
OPTIONS = ("-n", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-T", "fields")


def answer(capture: str, text: str) -> list[int] | None:
    """The numbers of the frames that tshark lets through; None where it finds the filter wrong."""
    command = ["tshark", "-r", str(HERE / capture), "-Y", text, *OPTIONS, "-e", "frame.number"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return [int(number) for number in done.stdout.split()] if done.returncode == 0 else None


if __name__ == "__main__":
    answers = {text: {name: answer(name, text) for name in CAPTURES} for text in RIGHT}
    wrong = {text: answer(CAPTURES[0], text) for text in WRONG}
    lines = ",\n".join(f"{json.dumps(text)}: {json.dumps(found)}" for text, found in answers.items())
    text = f'{{"right": {{\n{lines}\n}}, "wrong": {json.dumps(wrong)}}}\n'
    (HERE / "filters.json").write_text(text)
