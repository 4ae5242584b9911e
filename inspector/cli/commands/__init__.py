"""The commands: one file each, its options beside its code, and this list of all of them.

A new command is a file here, with its `command`, and a line in `COMMANDS`; help, usage errors, exit statuses
and the tests that walk the list follow. A file is imported when its command is asked for, and what is heavy
(numpy, the lab, Textual) in the command's function, so that `--help` is instant.
"""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

import click


class Entry(NamedTuple):
    """One command: the name of its file, and the sentence about it in the list of commands."""

    name: str
    about: str

    def load(self) -> click.Command:
        """The command itself, with its options."""
        found = import_module(f"{__name__}.{self.name}").command
        assert isinstance(found, click.Command)
        return found


COMMANDS = (
    Entry("run", "Run a session in the lab and print its ladder, as it happens."),
    Entry("talk", "Open the app as a client of a service that runs already."),
    Entry("open", "Open a capture in the app; one that grows is followed."),
    Entry("watch", "Open the app on this machine's own loopback."),
    Entry("via", "Watch a service of this machine without privilege, through the lab."),
    Entry("decode", "Print what a capture holds, one JSON object a line, or check it."),
    Entry("draw", "Draw a ladder or a packet's headers: text, SVG, HTML, Mermaid."),
    Entry("record", "Record loopback traffic to a file, without the app."),
    Entry("exec", "Run a program in the lab and look at what it said on its loopback."),
    Entry("lesson", "Lessons on real packets: predict, let it happen, compare."),
    Entry("serve", "Launcher and lessons in a browser, a private lab for each visitor."),
    Entry("doctor", "Say what works here, what does not, and the command that mends it."),
)
