"""What is copied goes to the terminal, which puts it on the clipboard (OSC 52), and a sentence says so.

No terminal answers whether it did: that it may have been forbidden is said the first time, and that a text
is longer than terminals commonly take whenever it is.
"""

from __future__ import annotations

from typing import Any

from textual.app import App

LONGEST = 74_994        # bytes: 100,000 of base64, where xterm and others end


def copy(app: App[Any], text: str) -> None:
    """Copy `text`, whole."""
    app.copy_to_clipboard(text)
    size = len(text.encode("utf-8", "replace"))
    sentence = f"Copied: {size:,} byte{'' if size == 1 else 's'}."
    if size > LONGEST:
        app.notify(f"{sentence} Many terminals take {LONGEST:,} at most.", severity="warning")
    elif not getattr(app, "copied_before", False):
        app.copied_before = True  # type: ignore[attr-defined]
        app.notify(f"{sentence} Where nothing arrives, the terminal forbids it "
                   "(OSC 52; tmux: set-clipboard on).")
    else:
        app.notify(sentence, timeout=2)
