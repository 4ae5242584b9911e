"""What the workbench will need, imported in a thread while the launcher is being read.

What was imported stays until the end: the garbage collector is told to leave it alone, and to look at the
rest less often, since a look at everything holds up the event loop for 100 ms.
"""

from __future__ import annotations

import contextlib
import gc
import importlib

MODULES = (
    "inspector.tui.workbench.workbench",
    "inspector.trace.trace",
    "inspector.trace.flows.tcp",
    "inspector.trace.application.application",
    "inspector.lab.launch",
    "inspector.wire.dissection.tree",
    "inspector.tui.launcher.help",
    "inspector.tui.launcher.palette",
)

COLLECT = (700, 10, 100)   # of young objects as usual, of everything ten times more seldom


def everything() -> None:
    """Import them; a missing one is told by whoever needs it."""
    gc.disable()
    try:
        for name in MODULES:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        gc.freeze()
        gc.set_threshold(*COLLECT)
    finally:
        gc.enable()
