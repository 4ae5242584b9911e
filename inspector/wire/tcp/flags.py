"""Flags of the TCP analysis: bits with Wireshark's field names. (Those of headers: model/numbers.py.)

The analysis of a packet is a set of bits, since few packets have any; names are made where they are shown.
"""

from __future__ import annotations

NAMES = (
    "tcp.analysis.reused_ports", "tcp.analysis.retransmission", "tcp.analysis.fast_retransmission",
    "tcp.analysis.spurious_retransmission", "tcp.analysis.out_of_order", "tcp.analysis.lost_segment",
    "tcp.analysis.ack_lost_segment", "tcp.analysis.duplicate_ack", "tcp.analysis.zero_window",
    "tcp.analysis.zero_window_probe", "tcp.analysis.zero_window_probe_ack", "tcp.analysis.window_full",
    "tcp.analysis.window_update", "tcp.analysis.keep_alive", "tcp.analysis.keep_alive_ack",
)
(REUSED_PORTS, RETRANSMISSION, FAST_RETRANSMISSION, SPURIOUS_RETRANSMISSION, OUT_OF_ORDER, LOST_SEGMENT,
 ACK_LOST_SEGMENT, DUPLICATE_ACK, ZERO_WINDOW, ZERO_WINDOW_PROBE, ZERO_WINDOW_PROBE_ACK, WINDOW_FULL,
 WINDOW_UPDATE, KEEP_ALIVE, KEEP_ALIVE_ACK) = (1 << bit for bit in range(len(NAMES)))


def names_of(bits: int) -> tuple[str, ...]:
    """The field names of a set of flags."""
    return tuple(name for bit, name in enumerate(NAMES) if bits >> bit & 1)
