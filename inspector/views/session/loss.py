"""What packets are called that a capture could not keep: a trace -> the word beside their number."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspector.trace.trace import Trace


def loss_word(trace: Trace | None) -> str:
    """`dropped`, as tcpdump says; `missed` where somebody stands in the wire and drops packets himself."""
    return "missed" if trace is not None and trace.fates else "dropped"
