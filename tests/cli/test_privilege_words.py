"""Who is asked for a password by `watch` is told how to leave, and what shows the same without one."""

from __future__ import annotations

import pytest

from inspector.cli.errors import CommandError
from inspector.cli.options.capture import packet_socket_for
from inspector.lab.capture import access, privilege
from inspector.lab.options import Limits


@pytest.mark.parametrize(("port", "pair"), [(8011, "8012:8011"), (65535, "65534:65535")])
def test_a_password_is_not_the_only_way(port: int, pair: str, monkeypatch: pytest.MonkeyPatch,
                                        capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(access, "may_capture", lambda: False)
    monkeypatch.setattr(access, "dumpcap", lambda: None)
    monkeypatch.setattr(privilege, "asker", lambda: ["false"])        # a password that is not known
    with pytest.raises(CommandError, match="false gave no packet socket"):
        packet_socket_for((port,), Limits())
    errors = capsys.readouterr().err
    for words in (f"'inspector via {pair}'", "'inspector exec -- CMD'", "ctrl+c: leave"):
        assert words in errors
