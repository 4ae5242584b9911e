"""Ask tshark about every capture of this folder: `python make_answers.py`; X.pcap gets X.pcap.tsv.

One row a packet: stream, relative numbers, scaled window, the TCP analysis. IP reassembly is off, as in ours.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

ANALYSIS = (
    "bytes_in_flight", "ack_rtt", "initial_rtt", "duplicate_ack_num", "retransmission", "fast_retransmission",
    "spurious_retransmission", "out_of_order", "lost_segment", "ack_lost_segment", "duplicate_ack",
    "zero_window", "zero_window_probe", "zero_window_probe_ack", "window_full", "window_update", "keep_alive",
    "keep_alive_ack", "reused_ports",
)
FIELDS = ("frame.number", "tcp.stream", "tcp.seq", "tcp.ack", "tcp.window_size",
          *(f"tcp.analysis.{name}" for name in ANALYSIS))


def main() -> None:
    for capture in sorted(Path(__file__).parent.glob("*.pcap")):
        command = ["tshark", "-n", "-o", "tcp.reassemble_out_of_order:TRUE", "-o", "ip.defragment:FALSE",
                   "-r", str(capture), "-T", "fields", "-E", "header=y", "-E", "occurrence=f"]
        for field in FIELDS:
            command += ["-e", field]
        answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
        Path(f"{capture}.tsv").write_bytes(answer)


if __name__ == "__main__":
    main()
