"""Colours of a picture outside a terminal: style names -> CSS, for light and for dark surroundings."""

from __future__ import annotations

from inspector.views.line.spans import Style

FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
# style -> (in light, in dark) surroundings; each has a contrast of 4.5:1 at least to its ground
COLOURS: dict[Style, tuple[str, str]] = {
    "dim": ("#57606a", "#9198a1"), "client": ("#0a6c74", "#56d4dd"), "server": ("#8250df", "#d2a8ff"),
    "syn": ("#1a7f37", "#56d364"), "exchange": ("#8a5a00", "#e3b341"), "messages": ("#0969da", "#79c0ff"),
    "fin": ("#8a5a00", "#e3b341"), "rst": ("#cf222e", "#ff7b72"), "ack": ("#57606a", "#9198a1"),
    "icmp": ("#cf222e", "#ff7b72"), "ok": ("#1a7f37", "#56d364"), "warning": ("#8a5a00", "#e3b341"),
    "error": ("#cf222e", "#ff7b72"), "number": ("#57606a", "#9198a1"), "name": ("#0a6c74", "#56d4dd"),
    "blocked": ("#57606a", "#9198a1"),
}
BOLD: frozenset[Style] = frozenset(
    {"bold", "title", "syn", "data", "exchange", "messages", "udp", "rst", "error", "key", "marked"}
)
GROUND, TEXT = ("#ffffff", "#0d1117"), ("#1f2328", "#e6edf3")


def css() -> str:
    """Rules for `text` and for a class of each style, dark where the reader's system is."""
    bold = ",".join(sorted(f".{style}" for style in BOLD))
    parts = [_rules(0), f"{bold}{{font-weight:bold}}", f"@media(prefers-color-scheme:dark){{{_rules(1)}}}"]
    return "".join(parts)


def _rules(place: int) -> str:
    rules = [f".ground{{fill:{GROUND[place]};background:{GROUND[place]}}}",
             f".text{{fill:{TEXT[place]};color:{TEXT[place]}}}"]  # fmt: skip
    rules += [f".{style}{{fill:{pair[place]};color:{pair[place]}}}" for style, pair in COLOURS.items()]
    return "".join(rules)
