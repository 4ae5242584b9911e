"""The capture of a protocol, read once for all tests of a file that names it: `CAPTURE`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from inspector.trace.trace import Trace


@pytest.fixture(scope="module")
def trace(request: pytest.FixtureRequest) -> Iterator[Trace]:
    """What `CAPTURE` holds."""
    with Trace.open(request.module.CAPTURE) as opened:
        opened.finish()
        yield opened
