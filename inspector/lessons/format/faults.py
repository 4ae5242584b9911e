"""What is wrong with a lesson's files: file, line and key of each fault, and one sentence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `line` counts from 1. `by_chance`: it may be gone when the lesson is played once more."""

    file: str
    line: int
    key: str
    sentence: str
    by_chance: bool = False

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.key}: {self.sentence}" if self.key else (
            f"{self.file}:{self.line}: {self.sentence}")


class LessonError(Exception):
    """A lesson cannot be used. `faults`: all that is wrong with it, at least one."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(str(faults[0]))
        self.faults = faults
