"""The loops over all packets, compiled: records of files, plain headers, numbers of conversations.

`loops` is the module of _loops.c, or None: where it was installed without a C compiler, or where the
environment says INSPECTOR_COMPILED=0. Then numpy does the same, which is where it is told what is right;
everything that is not plain (tunnels, fragments, options, damage) is numpy's either way. Start and index of
100,000 connections took by numpy nearly all of the time that was wanted for the whole answer, since it goes
many times over each packet; the loops go once, in a third of the time (tests/tools/benchmarks/HISTORY.md).
"""

from __future__ import annotations

import os

try:
    from inspector.wire.compiled import _loops as loops
except ImportError:
    loops = None  # type: ignore[assignment]
if os.environ.get("INSPECTOR_COMPILED") == "0":
    loops = None  # type: ignore[assignment]
