"""What is said of processes that are followed by a name: under the name that was asked for."""

from __future__ import annotations

import subprocess
import sys

from inspector.kernel.followed import Followed
from tests.support.running.lab import wait_until

NAME = "odd-name-1"


def test_a_process_that_calls_itself_so_is_told_by_that_name() -> None:
    """As `exec -a` has it: the kernel knows it by its program's name."""
    followed = Followed(name=NAME)
    followed.chosen([])
    assert followed.news == [f"No process is named {NAME} yet: it is waited for."]
    program = [NAME, "-c", "import subprocess; subprocess.run(['true']); input()"]
    with subprocess.Popen(program, executable=sys.executable, stdin=subprocess.PIPE) as process:
        wait_until(lambda: followed.chosen([]) or process.pid in followed.members, "it is found")
        assert followed.news[1:] == [f"{NAME} {process.pid} has started."]
    followed.chosen([])
    assert followed.news[2:] == [f"{NAME} {process.pid} has ended.",
                                 f"No process is named {NAME} yet: it is waited for."]
