"""The panes of the workbench, in the order of their tabs: one file a pane, and its line here.

Keys, tabs, what stands where, help, palette, styles, screenshots and tests follow from this list.
"""

from __future__ import annotations

from inspector.tui.panes import (
    bytes,
    conversations,
    detail,
    findings,
    handshake,
    ladder,
    messages,
    packets,
    sockets,
    stream,
)
from inspector.tui.panes.base import PaneSpec

PANES: tuple[PaneSpec, ...] = (
    ladder.SPEC,
    packets.SPEC,
    messages.SPEC,
    stream.SPEC,
    handshake.SPEC,
    sockets.SPEC,
    findings.SPEC,
    detail.SPEC,
    bytes.SPEC,
    conversations.SPEC,
)
