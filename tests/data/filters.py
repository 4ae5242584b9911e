"""Display filters on which Wireshark was asked: `python filters.py` writes its answers to filters.json.

Needs sharkd 4.0, which comes with tshark. An answer is the list of frame
numbers per capture, or null where Wireshark calls it wrong.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CAPTURES = (
    "captures/websocket/zeek__http__websocket.pcap", "captures/udp/zeek__ipv6-fragmented-dns.pcap",
    "captures/tcp/pcapplusplus__null_loopback.pcap", "captures/tcp/zeek__tcp__retransmit-fast009.pcap",
    "captures/udp/pcapplusplus__ipv6_options.pcap", "captures/http/zeek__http__100-continue.pcap",
    "captures/tcp/suricata-verify__eve-overlap-payload-01__tcp-overlap.pcap", "frames/errors.pcapng",
    "frames/dns.pcapng", "captures/websocket/suricata-verify__websocket-ping__input.pcap",
    "captures/http/arkime__http-content-zip.pcap", "captures/http/zeek__http__multipart-form-data.pcap",
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
dns
dns or websocket
dns and ip.dst == 10.0.0.2
dns.qry.name == "example.org"
dns.qry.name contains "example"
dns.flags.response == 0
dns.flags.response == 1
dns.flags.rcode == 3
dns.flags.rcode != 0
dns.flags.authoritative == 1
dns.flags.recdesired == 1
dns.flags.recavail
dns.flags == 0x0100
dns.qry.type == 1
dns.qry.class == 1
dns.a == 192.0.2.7
dns.aaaa == 2001:db8::7
dns.cname
dns.ns
dns.ptr.domain_name
dns.resp.ttl < 100
dns.count.answers > 0
dns.count.add_rr == 0
dns.time > 0.001
dns.time
dns.response_in
dns.response_to == 1
eth
eth.src == 02:00:00:00:00:01
eth.dst == 02-00-00-00-00-02
eth.addr == 02:00:00:00:00:01
eth.type == 0x0800
sll
ip.version == 4
ip.hdr_len == 20
ip.ttl < 62
ip.ttl == 64
ip.len > 200
ip.id == 1
ip.flags.df == 1
ip.flags.mf == 1
ip.frag_offset > 0
ip.dsfield
ip.checksum
ipv6.hlim > 1
ipv6.nxt == 17
ipv6.plen > 100
ipv6.flow
frame.time_delta > 0.01
frame.time_delta == 0
frame.time < "2017-08-04 00:00:00"
tcp.time_relative > 0.01
tcp.time_relative == 0
tcp.time_delta > 0.01
udp.time_relative > 0.01
udp.time_delta > 0.01
tcp.analysis.ack_rtt
tcp.analysis.ack_rtt > 0.001
tcp.analysis.bytes_in_flight > 100
tcp.hdr_len > 20
tcp.checksum
tcp.urgent_pointer == 0
tcp.nxtseq > 100
tcp.options
tcp.options.mss_val == 1460
tcp.options.mss_val
tcp.options.wscale.shift
tcp.options.sack_perm
tcp.options.timestamp.tsval > 5
tcp.options.timestamp.tsecr
tcp.connection.syn
tcp.connection.synack
tcp.connection.fin
tcp.connection.rst
tcp.flags.ack == 0
tcp.flags.push == 1 && tcp.len > 0
udp.checksum
udp.checksum == 0
icmp.ident
icmp.checksum
http.time
http.time > 0.0001
http.request_in
http.response_in
http.host
http.user_agent
http.user_agent contains "curl"
http.server
http.connection
http.cookie
http.referer
http.content_type
http.content_type contains "text"
http.content_length > 10
http.content_length_header
http.content_encoding
http.transfer_encoding == "chunked"
http.upgrade == "websocket"
http.accept
http.date
http.location
http.request.version == "HTTP/1.1"
http.response.version == "HTTP/1.1"
http.response.phrase == "OK"
http.request.full_uri contains "http"
http.request.uri.path
http.request.uri.query
http.request.uri matches "^/"
http.request.line contains "Host"
http.response.line
http.response_for.uri
http.file_data
http.file_data contains "a"
http.sec_websocket_key
http.sec_websocket_accept
http.request.method in {"GET", "POST"}
http.response.code in {200..299}
websocket.payload
websocket.payload.text
websocket.payload.text contains "e"
websocket.payload.ping
websocket.payload.pong
websocket.payload.close.status_code
websocket.opcode == 9
websocket.masking_key
tcp.payload[0:4] == "POST"
tcp.payload[0:4]
tcp.payload[0-3] == 47:45:54:20
tcp.payload[:4] == 48.54.54.50
tcp.payload[0] == 47
tcp.payload[0] == 0x50
tcp.payload[-2:2] == 0d:0a
tcp.payload[0,2-3] == "GT "
tcp.payload[1000:] contains "a"
tcp.payload[0:4] matches "post"
tcp.payload[0:4] > "GETA"
tcp.payload[0:2] != 50:4f
tcp.payload[0:100000]
tcp.payload == "POST"
udp.payload[2] & 0x80
udp.payload[0:2] != 00:01
frame[0:6]
frame[12:2] == 08:00
frame[-4:] != 00:00:00:00
tcp[13] == 2
tcp[13] & 2
tcp[0:2] == 00:50
ip[8] == 40
udp[0:2]
eth.src[0:3] == 02:00:00
eth.addr[5] == 2
http.host[0:3] == "www"
http.request.uri[0] == "/"
http.host[-3:] matches "com|org"
tcp.flags & 0x02
tcp.flags & 0x12 == 0x12
tcp.flags bitwise_and 2 == 0
!tcp.flags & 2
tcp.flags & 2 && tcp.flags.ack == 1
tcp.port & 1
any tcp.port & 1 == 0
all tcp.port & 1 == 0
tcp.ack_raw & 1
tcp.window_size & 1
http.response.code & 1 == 0
http.content_length & 1
icmp.type & 1
dns.id & 3 == 1
dns.flags & 0x8000
len(tcp.payload) > 200
len(udp.payload) == 33
len(http.host) > 10
len(http.host) == 9 or len(dns.qry.name) == 11
lower(http.host) contains "www"
upper(http.request.method) == "GET"
lower(dns.qry.name) == "example.org"
count(tcp.port) == 2
count(ip.addr) > 2
count(dns.a) >= 1
count(http.host) > 0
ssl
not ssl
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
eth.addr == 1.2.3.4
frame.time > "yesterday"
port 80
host 127.0.0.1
tcp.payload[0:4
tcp.payload[]
tcp.payload[2:0]
tcp.payload[0:2] == HTT
tcp.payload[0:2] == 0x504f
tcp.port[0]
tcp & udp
tcp.flags & 0x10000000
frame.time_delta & 1
len(tcp.payload)
lower(tcp.payload) == "a"
tcp.payload[0] in
""".strip().splitlines()
PREFERENCES = ("ip.defragment", "ipv6.defragment", "nameres.network_name", "nameres.transport_name")


def _asked(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The replies of sharkd, Wireshark's engine without a screen."""
    lines = "".join(json.dumps({"jsonrpc": "2.0", "id": number, **one}) + "\n"
                    for number, one in enumerate(requests))
    done = subprocess.run(["sharkd", "-"], input=lines, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def answers_of(capture: str, texts: list[str]) -> list[list[int] | None]:
    """The numbers of the frames that each filter lets through; None where Wireshark finds it wrong."""
    before: list[dict[str, Any]] = [{"method": "setconf", "params": {"name": name, "value": "FALSE"}}
                                    for name in PREFERENCES]
    before.append({"method": "load", "params": {"file": str(HERE / capture)}})
    asked = [{"method": "frames", "params": {"filter": text}} for text in texts]
    replies = _asked([*before, *asked])[len(before) :]
    return [[frame["num"] for frame in reply["result"]] if "result" in reply else None for reply in replies]


if __name__ == "__main__":
    found = {name: answers_of(name, RIGHT) for name in CAPTURES}
    answers = {text: {name: found[name][place] for name in CAPTURES} for place, text in enumerate(RIGHT)}
    wrong = dict(zip(WRONG, answers_of(CAPTURES[0], WRONG), strict=True))
    lines = ",\n".join(f"{json.dumps(text)}: {json.dumps(answer)}" for text, answer in answers.items())
    text = f'{{"right": {{\n{lines}\n}}, "wrong": {json.dumps(wrong)}}}\n'
    (HERE / "filters.json").write_text(text)
