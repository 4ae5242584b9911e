"""What all tests run in: compiled code, terminals with a size of their own, signals that end what they start,
a patient collector and a patient hypothesis, no rules.

Hundreds of tests start our programs, and each start would compile all of our modules anew where the
environment forbids Python to keep them (PYTHONDONTWRITEBYTECODE). readline, which pytest loads, tells all
children of xdist's workers by COLUMNS and LINES that every terminal has 80 columns and 24 lines. A shell
starts what runs in its background with SIGINT ignored, nohup with SIGHUP: all children would inherit that,
and no test could end them so.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

from inspector.model.language import ask_for
from tests.support.tiers import PART, examples, examples_in_tiers, keep_part  # noqa: F401   (a fixture)

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
for size in ("COLUMNS", "LINES"):
    os.environ.pop(size, None)
    os.unsetenv(size)            # in C's environment it stands without Python's having seen it
hypothesis.settings.register_profile(                            # the machine may be busy
    "patient", hypothesis.settings.default, deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")
pytest_generate_tests = examples_in_tiers
YOUNG = 50_000           # objects until the collector looks at them; one screen's styles are 20,000


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """What deals the tests out to processes."""
    from tests.support.running.deal import Dealer  # here and below: xdist, where it is used

    return Dealer(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take a part of the sweeps: all of them take long."""
    parser.addoption(PART, default="1/1", metavar="N/M", help="of the thorough tests, part N of M")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave other parts out; in a process of xdist, put the tests in the order in which they are dealt."""
    keep_part(config, items)
    if hasattr(config, "workerinput"):
        from tests.support.running.deal import mixed

        items[:] = mixed(items)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """In the process that runs tests, before its first: what they start can be ended.

    Modules and tests stay until the end: no collection has to walk them again.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)       # ignored here still: a handler is not inherited
    from inspector.lab.programs import own  # here and below: light, where tests run
    from tests.support.running.commands import asked

    own.start = asked
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)


@pytest.fixture
def really_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agents, endpoints and relays of this test are Pythons of their own, as users have them."""
    from inspector.lab.programs import own
    from tests.support.running.commands import own_start

    monkeypatch.setattr(own, "start", own_start)


@pytest.fixture(autouse=True)
def no_rules() -> Iterator[None]:
    """What one test said is spoken on a port is not known to the next: whoever had rules reads slower."""
    yield
    module = sys.modules.get("inspector.trace.application.decode_as")
    if module is not None and module._changes:
        module._rules.clear()
        module._changes.clear()


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Screens speak English again after a test that chose another language."""
    yield
    ask_for("")
