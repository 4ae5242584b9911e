"""Signals at some moments of commands; `python -m tests.tools.signals` tries hundreds."""

from __future__ import annotations

import signal

import pytest

from tests.support.running.lab import needs_lab
from tests.support.tiers import sweep
from tests.tools.signals import COMMANDS, once


@needs_lab
@sweep("name", ["record", "exec", "run tcp"], lambda name: name == "record")
@pytest.mark.parametrize(("number", "after"), [(signal.SIGINT, 0.5), (signal.SIGTERM, 0.9)])
def test_a_signal_leaves_nothing_behind(name: str, number: signal.Signals, after: float) -> None:
    assert once(COMMANDS[name], number, after).faults == ()
