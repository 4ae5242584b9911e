"""Where "go to" leads: a packet's number, seconds since the first packet, or a time of day -> a row."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from inspector.model.packets import PacketNumber, Row, row_of
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

_SECONDS = re.compile(r"([+-]?\d*\.?\d+)\s*s|(\d*\.\d+)")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d(?:\.\d*)?))?")


class GoToError(ValueError):
    """The text names no place; one sentence."""


def find_row(trace: Trace, text: str) -> Row:
    """The row that `text` names; of a time, the first packet at or after it (or the last one)."""
    text, count = text.strip().replace(",", "").removeprefix("#"), trace.index.count
    if text.isascii() and text.isdigit():
        if not 1 <= int(text) <= count:
            raise GoToError(f"There is no packet {text[:20]}; the last one is {count}.")
        return row_of(PacketNumber(int(text)))
    stamps = trace.index.time_ns[:count]
    if match := _SECONDS.fullmatch(text):
        wanted = int(stamps[0]) + round(float(match[1] or match[2]) * 1e9)
    elif match := _CLOCK.fullmatch(text):
        day = time.localtime(int(stamps[0]) // 1_000_000_000)
        midnight = time.mktime((day.tm_year, day.tm_mon, day.tm_mday, 0, 0, 0, 0, 0, -1))
        seconds = int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3] or 0)
        wanted = round((midnight + seconds) * 1e9)
    else:
        raise GoToError(f"{escaped(text, 20) or 'Nothing'} is neither a number nor a time; "
                        "try 12, 1.5s or 14:03:05.")
    return Row(min(int(stamps.searchsorted(wanted)), int(count) - 1))
