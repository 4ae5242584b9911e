"""The loops over all packets, compiled: records of files, plain headers, numbers of conversations.

`loops` is the module of _loops.c, or None: where it was installed without a C compiler, or where the
environment says INSPECTOR_COMPILED=0. Then numpy does the same, which is where it is told what is right;
everything that is not plain (tunnels, fragments, options, damage) is numpy's either way.
"""

from __future__ import annotations

import os

try:
    from inspector.wire.compiled import _loops as loops
except ImportError:
    loops = None  # type: ignore[assignment]
if os.environ.get("INSPECTOR_COMPILED") == "0":
    loops = None  # type: ignore[assignment]
