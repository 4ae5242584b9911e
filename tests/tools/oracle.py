"""Write beside each capture what tshark says of its packets: X.frames.tsv, the tests' oracle.

`parts` in place of captures asks it of the parts of traces that we save (support/oracles/parts.py): packets
and comments, process names in the journal, HTTP inside of TLS by the secrets of the file.

`python -m tests.tools.oracle [CAPTURE ...]` (default: all of captures/ and frames/); needs tshark 4.0.
Reassembly of IP is off, since `decode` reports each frame as it stands. Repeated fields are joined by commas.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.oracles.parts import ANSWERS, PARTS, TABLES, part_bytes, sum_of

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


def ask_of_parts() -> None:
    """Write what tshark reads in each part, behind the sum of the file that it is asked of."""
    for name in PARTS:
        data = part_bytes(name)
        with tempfile.NamedTemporaryFile(suffix=".pcapng") as file:
            file.write(data)
            file.flush()
            for kind, (what, fields) in TABLES.items():
                command = ["tshark", "-n", "-r", file.name, "-Y", what, "-T", "fields",
                           "-E", "aggregator=\x1f"]
                command += [argument for field in fields for argument in ("-e", field)]
                done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                      check=True)
                path = ANSWERS / f"{name}.{kind}.tsv"
                path.write_text(f"{sum_of(data)}\n{done.stdout}", encoding="utf-8")


def main(captures: list[Path]) -> None:
    """Write the tables."""
    for capture in captures:
        capture.with_name(capture.name + ".frames.tsv").write_text(table(capture), encoding="utf-8")


if __name__ == "__main__":
    found = [path for path in sorted(DATA.glob("captures/*/*")) if path.suffix in SUFFIXES]
    if sys.argv[1:] == ["parts"]:
        ask_of_parts()
    else:
        main([Path(name) for name in sys.argv[1:]] or [*found, *sorted(DATA.glob("frames/*.pcapng"))])
