"""Quantities as people read them."""

from __future__ import annotations

from inspector.model.language import Sentence, sentence_as


def duration(nanoseconds: int) -> str:
    """A length of time with two or three digits and its unit: `41 µs`, `1.2 s`, `3 min 20 s`."""
    if nanoseconds < 1_000:
        return f"{max(nanoseconds, 0)} ns"
    if nanoseconds < 999_500:
        return f"{_digits(nanoseconds / 1e3)} µs"
    if nanoseconds < 999_500_000:
        return f"{_digits(nanoseconds / 1e6)} ms"
    seconds = nanoseconds / 1e9
    if seconds < 100:
        return f"{_digits(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def amount(count: int, noun: str) -> Sentence:
    """A number of things: `1 byte`, `1,448 bytes`. Catalogues have it by its plural, `{count:,} bytes`."""
    plural = f"{{count:,}} {noun}s"
    return sentence_as(f"{count:,} {noun}{'' if count == 1 else 's'}", plural, {"count": count})


def was(count: int) -> str:
    """The verb behind a number of things."""
    return "was" if count == 1 else "were"


def times(count: int) -> str:
    """How often: `once`, `twice`, `1,200 times`."""
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def _digits(value: float) -> str:
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
