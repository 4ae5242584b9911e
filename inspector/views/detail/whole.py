"""All that is to be said of one packet or one call in a few lines of text, nothing cut: to read, to copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.language import tr, translated
from inspector.model.packets import Row
from inspector.trace.packet.facts import facts
from inspector.trace.packet.info import packet_info, protocol_name
from inspector.views.detail.call import call_fields
from inspector.views.detail.words import label_of, value_of
from inspector.views.packets.list import packet_row

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

_PREVIEW = 4000          # characters of a payload


def packet_text(trace: Trace, row: Row) -> str:
    """`5  0.001250  127.0.0.1:8765 → 127.0.0.1:36330  TCP  66 bytes  8765 → 36330 [ACK] …`."""
    one, fact = packet_row(trace, row), facts(trace, row)
    parts = (str(one.number), one.time, f"{one.source} → {one.destination}", protocol_name(trace, fact),
             tr("{size} bytes", size=one.length), translated(packet_info(trace, fact, preview=_PREVIEW)))
    return "  ".join(parts)


def target_text(trace: Trace, row: Row | None, call: tuple[int, int] | None) -> str:
    """A packet's line, or a call with all that is known of it, one fact a line."""
    if row is not None:
        return packet_text(trace, row)
    found = next((one for one in reversed(trace.calls) if (one.pid, one.id) == call), None)
    if found is None:
        return ""
    (field,) = call_fields(trace, found)
    children = (f"{label_of(child)}: {value_of(child)}" for child in field.children)
    return "\n".join([label_of(field), *children])
