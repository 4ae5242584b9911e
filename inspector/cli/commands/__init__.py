"""The commands: one file each, its options beside its code, and this list of all of them.

A new command is a file here and a line in `COMMANDS`; help, usage errors, exit statuses and the tests that
walk the list follow. What is heavy (numpy, the lab, Textual) is imported in a command's function, so that
`--help` is instant.
"""

from __future__ import annotations

import click

from inspector.cli.commands.decode import decode
from inspector.cli.commands.doctor import doctor
from inspector.cli.commands.exec import exec_
from inspector.cli.commands.open import open_
from inspector.cli.commands.record import record
from inspector.cli.commands.run import run
from inspector.cli.commands.watch import watch

COMMANDS: tuple[click.Command, ...] = (run, open_, watch, decode, record, exec_, doctor)
