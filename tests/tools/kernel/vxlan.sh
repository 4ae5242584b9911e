#!/bin/bash
# Record a real VXLAN between two network namespaces: tests/tools/kernel/vxlan.sh FILE (as root; needs ip, tcpdump, curl).
#
# A veth pair carries a tunnel of Linux's vxlan device; in it go ARP, neighbour discovery, an HTTP request, and
# datagrams that are refused. tests/data/cases/vxlan-linux.pcap was made so.
set -eu
[ "${2:-}" = inside ] || exec unshare -n "$0" "$(realpath "$1")" inside
ip link set lo up
unshare -n sleep 30 & peer=$!
sleep 0.5
there() { nsenter -t "$peer" -n "$@"; }
ip link add v1 type veth peer name v2 netns "$peer"
ip addr add 10.1.0.1/24 dev v1; ip link set v1 up
there ip addr add 10.1.0.2/24 dev v2; there ip link set v2 up; there ip link set lo up
ip link add x1 type vxlan id 42 local 10.1.0.1 remote 10.1.0.2 dstport 4789
there ip link add x2 type vxlan id 42 local 10.1.0.2 remote 10.1.0.1 dstport 4789
ip addr add 10.2.0.1/24 dev x1; ip addr add fd00::1/64 dev x1 nodad; ip link set x1 up
there ip addr add 10.2.0.2/24 dev x2; there ip addr add fd00::2/64 dev x2 nodad; there ip link set x2 up
sleep 1
rm -f "$1"; tcpdump -i v1 -s 0 -U -w "$1" 2>/dev/null & capture=$!
until [ -s "$1" ]; do sleep 0.1; done
there python3 -m http.server 8000 -b 10.2.0.2 >/dev/null 2>&1 & server=$!
trap 'kill $capture $server $peer' EXIT
until curl -s http://10.2.0.2:8000/nothing >/dev/null; do sleep 0.2; done
python3 -c "
import socket
for _ in range(2):
    socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b'hello', ('fd00::2', 7777))"
sleep 0.6
