"""What is copied goes to the terminal, which puts it on the clipboard (OSC 52), and a sentence says so.

No terminal answers whether it did: that it may have been forbidden is said the first time, and that a text
is longer than terminals commonly take whenever it is. What is copied is pasted, into a shell perhaps: control
characters and marks of direction in it are written out, as everywhere; an escape sequence ends even a paste
in brackets.
"""

from __future__ import annotations

from typing import Any

from textual.app import App

from inspector.model.language import tr
from inspector.wire.text import escaped

LONGEST = 74_994        # bytes: 100,000 of base64, where xterm and others end


def copy(app: App[Any], text: str) -> None:
    """Copy `text`, whole; lines and tabs stay what they are."""
    safe = escaped_lines(text)
    app.copy_to_clipboard(safe)
    size = len(safe.encode())
    sentence = tr("Copied: {size:,} byte." if size == 1 else "Copied: {size:,} bytes.", size=size)
    if safe != text.replace("\r\n", "\n"):
        sentence += tr(" Control characters in it are written out.")
    if size > LONGEST:
        app.notify(sentence + tr(" Many terminals take {most:,} at most.", most=LONGEST), severity="warning")
    elif not getattr(app, "copied_before", False):
        app.copied_before = True  # type: ignore[attr-defined]
        app.notify(sentence + tr(" Where nothing arrives, the terminal forbids it "
                                 "(OSC 52; tmux: set-clipboard on)."))
    else:
        app.notify(sentence, timeout=2)


def escaped_lines(text: str) -> str:
    """The text without anything that acts where it is pasted; lines end in LF."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join("\t".join(escaped(cell) for cell in line.split("\t")) for line in lines)
