"""What the workbench will need, imported in a thread while the launcher is being read."""

from __future__ import annotations

import contextlib
import importlib

MODULES = (
    "inspector.tui.workbench",
    "inspector.trace.trace",
    "inspector.trace.flows",
    "inspector.trace.application",
    "inspector.lab.launch",
    "inspector.wire.dissection",
)


def everything() -> None:
    """Import them; a missing one is told by whoever needs it."""
    for name in MODULES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
