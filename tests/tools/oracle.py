"""Write beside each capture what tshark says of its packets: X.frames.tsv, the tests' oracle.

`python -m tests.tools.oracle [CAPTURE ...]` (default: all of captures/ and frames/); needs tshark 4.0.
Reassembly of IP is off, since `decode` reports each frame as it stands. Repeated fields are joined by commas.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"
FIELDS = (
    "frame.number", "frame.time_epoch", "frame.len", "frame.cap_len", "frame.encap_type", "frame.protocols",
    "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "ip.proto", "tcp.stream", "tcp.srcport", "tcp.dstport",
    "tcp.seq_raw", "tcp.ack_raw", "tcp.flags", "tcp.window_size_value", "tcp.len", "udp.stream",
    "udp.srcport", "udp.dstport", "udp.length", "icmp.type", "icmp.code", "icmpv6.type", "icmpv6.code",
)
OPTIONS = (
    "-n", "-o", "tcp.reassemble_out_of_order:TRUE", "-o", "ip.defragment:FALSE",
    "-o", "ipv6.defragment:FALSE",
)
SUFFIXES = (".pcap", ".pcapng", ".ntar")


def table(capture: Path) -> str:
    """tshark's table of the packets of `capture`; empty where it finds none."""
    fields = [argument for name in FIELDS for argument in ("-e", name)]
    command = ["tshark", *OPTIONS, "-r", str(capture), "-T", "fields", "-E", "header=y", *fields]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def main(captures: list[Path]) -> None:
    """Write the tables."""
    for capture in captures:
        capture.with_name(capture.name + ".frames.tsv").write_text(table(capture), encoding="utf-8")


if __name__ == "__main__":
    found = [path for path in sorted(DATA.glob("captures/*/*")) if path.suffix in SUFFIXES]
    main([Path(name) for name in sys.argv[1:]] or [*found, *sorted(DATA.glob("frames/*.pcapng"))])
