"""What is asked of a trace: what must be in it, what must not, and how grave a finding may be.

Options -> `Checks` -> verdicts.py, which answers. Beside it, so that who asks nothing does not wait for all
that an answer needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspector.trace.filter.filter import Filter
    from inspector.wire.findings import Severity


@dataclass(frozen=True, slots=True)
class Checks:
    """What is asked. `ignore` are ids of findings, or patterns of them (`http.*`); `within` narrows all."""

    expect: tuple[Filter, ...] = ()
    expect_none: tuple[Filter, ...] = ()
    fail_on: Severity | None = None
    ignore: tuple[str, ...] = ()
    within: Filter | None = None

    def __bool__(self) -> bool:
        return bool(self.expect or self.expect_none or self.fail_on)
