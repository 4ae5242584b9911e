"""What a person is told when the lab or the capture cannot be had: one sentence and the mending command."""

from __future__ import annotations

from inspector.model.language import spoken


class LabError(Exception):
    """Something that is needed is missing or forbidden (exit status 3).

    `sentence` says what, `remedy` is the exact command (or change) that mends it, "" where none is known.
    """

    def __init__(self, sentence: str, remedy: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.remedy = remedy

    def __str__(self) -> str:
        return spoken(f"{self.sentence} To mend it: {self.remedy}") if self.remedy else self.sentence


class NeedsRootError(LabError):
    """Only root may, or somebody to whom root lends a hand."""


class NoSuchError(LabError):
    """There is nothing of the name that was given: a mistake of who wrote it (exit status 2)."""
