"""What a field of the detail is called and says, in the language of the screens."""

from __future__ import annotations

from inspector.model.language import tr, translated
from inspector.wire.dissection.field import Field


def label_of(field: Field) -> str:
    """Its label; a name off the wire as it is."""
    return tr(field.label)


def value_of(field: Field) -> str:
    """Its value: words of ours in that language, what came over the wire as it is."""
    return translated(field.value)
