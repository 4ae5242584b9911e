"""What installs an extra names what that extra is made of, and the Python that lacks it."""

from __future__ import annotations

import shlex
import sys
from importlib import metadata

import pytest

from inspector.extras import installing


@pytest.mark.parametrize(("extra", "package"), [("serve", "textual-serve>=1.1"), ("tls", "cryptography>=42")])
def test_the_command_is_right_wherever_we_were_installed_from(
    extra: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [f'{package}; extra == "{extra}"', 'scapy>=2.6', f'{package}; extra == "test"']
    monkeypatch.setattr(metadata, "requires", lambda name: asked)
    assert shlex.split(installing(extra)) == [sys.executable, "-m", "pip", "install", package]


def test_an_extra_of_an_unknown_distribution_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", unknown)
    assert shlex.split(installing("serve"))[-1] == "terminal-network-inspector[serve]"
