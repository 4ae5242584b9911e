"""Traces that a test of the views opened are closed when it ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.captures.websocket import close_traced


@pytest.fixture(autouse=True)
def closed_traces() -> Iterator[None]:
    yield
    close_traced()
