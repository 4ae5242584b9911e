"""Where "go to" leads: a number (w12: in Wireshark), seconds since the first packet, a time -> a row."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from inspector.model.language import sentence, tr
from inspector.model.packets import Row, row_after, row_of
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.index.packets import Packets

_SECONDS = re.compile(r"([+-]?\d*\.?\d+)\s*s|(\d*\.\d+)")
_WIRESHARK = re.compile(r"w(?:ireshark)?\s*#?(\d{1,18})", re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d(?:\.\d*)?))?")


class GoToError(ValueError):
    """The text names no place; one sentence."""


def find_row(trace: Packets, text: str) -> Row:
    """The row that `text` names; of a time, the first packet at or after it (or the last one)."""
    text, count = text.strip().replace(",", "").removeprefix("#"), trace.index.count
    if text.isascii() and text.isdigit():
        if not 1 <= int(text) <= count:
            raise GoToError(tr("There is no packet {number}; the last one is {last}{there}.",
                               number=text[:20],
                               last=count, there=_last_there(trace)))
        return row_of(int(text))
    if match := _WIRESHARK.fullmatch(text):
        return _row_in_wireshark(trace, int(match[1]))
    stamps = trace.index.time_ns[:count]
    if match := _SECONDS.fullmatch(text):
        wanted = int(stamps[0]) + round(float(match[1] or match[2]) * 1e9)
    elif match := _CLOCK.fullmatch(text):
        day = time.localtime(int(stamps[0]) // 1_000_000_000)
        midnight = time.mktime((day.tm_year, day.tm_mon, day.tm_mday, 0, 0, 0, 0, 0, -1))
        seconds = int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3] or 0)
        wanted = round((midnight + seconds) * 1e9)
    else:
        raise GoToError(tr("{text} is neither a number nor a time; try 12, w12 (as Wireshark counts), 1.5s "
                           "or 14:03:05.", text=escaped(text, 20) or sentence("Nothing")))
    return row_after(min(int(stamps.searchsorted(wanted)), count - 1))


def _row_in_wireshark(trace: Packets, number: int) -> Row:
    """The packet with this number in Wireshark, which counts the file's system calls as frames, too."""
    numbers = trace.index.wireshark_numbers(slice(None))
    place = int(numbers.searchsorted(number))
    if place < len(numbers) and int(numbers[place]) == number:
        return row_after(place)
    if not 1 <= number < int(numbers[-1]):
        raise GoToError(tr("Wireshark has no packet {number} of this file; the last one is its {last}.",
                           number=number, last=numbers[-1]))
    raise GoToError(tr("Number {number} in Wireshark is no packet but a system call; packet {packet}, there "
                       "{there}, follows it.", number=number, packet=place + 1, there=numbers[place]))


def _last_there(trace: Packets) -> str:
    """The last packet's number in Wireshark, where it is another one."""
    last = row_after(trace.index.count - 1)
    number = trace.index.wireshark_number(last)
    return sentence(", in Wireshark {number}", number=number) if number != last + 1 else ""
