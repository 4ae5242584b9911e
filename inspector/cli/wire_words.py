"""What becomes of packets on a held wire, read from standard input: a word for each packet that waits.

`pass`, `drop`, `double`, `delay`, `swap` -> a command that names the packet which waits longest, as soon as
one does; `open` lets all pass, `hold` holds them again. The end of the input opens the wire.
"""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING, get_args

from inspector.cli.output import notice
from inspector.model.commands import WIRE_ACTS, Wire, WireAct
from inspector.model.wiring import Act, WireNumber
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

_OF_A_PACKET: tuple[Act, ...] = get_args(Act)
HINT = "The wire is held. Say what becomes of each packet: pass, drop, double, delay, swap; or open, for all."


class WireWords:
    """Reads words as they come; `commands` gives what is to be sent now, and never waits."""

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._rest = b""
        self._words: list[WireAct] = []
        self._decided: set[WireNumber] = set()       # packets of which the trace tells only now
        self._is_over = False
        if os.isatty(descriptor):
            notice(HINT)

    def commands(self, trace: Trace) -> list[Wire]:
        """What the words mean for the packets that wait by now."""
        self._read()
        found: list[Wire] = []
        while self._words:
            act = self._words[0]
            if act not in _OF_A_PACKET:
                found.append(Wire(act))
            else:
                waiting = (one.number for one in trace.fates.waiting if one.number not in self._decided)
                number = next(waiting, None)
                if number is None:
                    break
                self._decided.add(number)
                found.append(Wire(act, number))
            self._words.pop(0)
        return found

    def _read(self) -> None:
        while not self._is_over and select.select([self._descriptor], [], [], 0)[0]:
            data = os.read(self._descriptor, 4096)
            *words, self._rest = (self._rest + data).split(b"\n") if data else (self._rest, b"")
            for word in b" ".join(words).split():
                self._take(word.decode("utf-8", "replace").lower())
            if not data:
                self._is_over = True
                self._words.append("open")

    def _take(self, word: str) -> None:
        act = next((one for one in WIRE_ACTS if one == word), None)
        if act is None:
            notice(f"The wire knows no {escaped(word, 40)!r}: it knows {', '.join(WIRE_ACTS)}.")
        else:
            self._words.append(act)
