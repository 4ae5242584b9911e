"""Bytes as words of a shell command, for any POSIX `sh`: quoted where they can be read, else by `printf`.

What is pasted into a terminal must do nothing there: a control or invisible character never stands in it as
it is. `$'…'` would be shorter, and dash knows it not.
"""

from __future__ import annotations

import re

from inspector.wire.text import escaped

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")


def readable(data: bytes) -> bool:
    """Whether it is text that can stand in a command as it is, line breaks in quotes included."""
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        return False
    return all(escaped(line) == line for line in lines)


def word(data: bytes) -> str:
    """One word of a command that means these bytes. NULs are left out: no argument can hold them."""
    if readable(data):
        return quoted(data.decode())
    kept = data.replace(b"\0", b"")
    # What a command prints loses the line breaks at its end: they are quoted behind it.
    text = kept.rstrip(b"\n")
    return f'"$({printed(text)})"' + (quoted("\n" * (len(kept) - len(text))) if text != kept else "")


def quoted(text: str) -> str:
    """A readable text as one word."""
    return text if _PLAIN.fullmatch(text) else "'" + text.replace("'", "'\\''") + "'"


def printed(data: bytes) -> str:
    """The command that prints these bytes, whatever they are."""
    parts = [chr(byte) if 0x20 <= byte < 0x7F and byte not in b"%\\'" else f"\\{byte:03o}" for byte in data]
    text = "".join(parts)
    return f"printf '{_octal(text[0]) + text[1:] if text.startswith('-') else text}'"


def _octal(character: str) -> str:
    return f"\\{ord(character):03o}"
