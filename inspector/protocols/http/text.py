"""Text of HTTP's heads: bytes -> text that can be turned back -> text that is safe to show."""

from inspector.wire.text import escaped


def as_text(data: bytes) -> str:
    """Bytes of a head as text: UTF-8, what is none as surrogates, so that `as_bytes` gives them back."""
    return data.decode("utf-8", "surrogateescape")


def as_bytes(text: str) -> bytes:
    """The bytes that `as_text` made text of."""
    return text.encode("utf-8", "surrogateescape")


def head_text(value: str) -> str:
    """Text of a head, safe to show; bytes that are no UTF-8 as `\\xNN`."""
    if value.isascii() and value.isprintable():
        return value
    return escaped(as_bytes(value))
