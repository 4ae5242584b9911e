"""What the terminal sends, as events: whatever that is, the next key is heard.

terminal -> bytes -> text -> `KeyParser` -> keys, pastes, mouse -> driver. Textual's own thread ends, and
the app is deaf from then on, with the first byte that is no UTF-8 or the first sequence that names no
character; and a paste whose end arrives in two pieces, as it may over a slow line, never ends there.
"""

from __future__ import annotations

import os
import re
import select
import threading
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator

from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.message import Message

TICK_MS = 100            # between looks at whether an escape stands alone, and whether the app ends
_READ = 1 << 12         # taken at once
_ESCAPE = "\x1b[27u"      # the key alone, as terminals name it that can (Kitty's protocol)
_MEANT = "".join(known[1] for known, keys in ANSI_SEQUENCES_KEYS.items()
                 if len(known) == 2 and known[0] == "\x1b" and isinstance(keys, tuple))     # alt+backspace
# Not before what begins a sequence (ECMA-48 §5.3), is one, or is still to come.
_THEN_A_KEY = re.compile(rf"\x1b(?=[^\[O\]P_^X\x1b{re.escape(_MEANT)}])")


class KeyParser(XTermParser):
    """Textual's parser; nothing that it is fed can stop it."""

    def __init__(self) -> None:
        super().__init__()
        self._pasting = False
        self._tail = ""          # of what came: a mark may arrive in pieces

    def feed(self, data: str) -> Iterable[Message]:
        """The events of `data`. An escape and a key in one write, as a slow line gives them, are two keys."""
        text, was_pasting = self._tail + data, self._pasting
        start, end = text.rfind(BRACKETED_PASTE_START), text.rfind(BRACKETED_PASTE_END)
        if start != end:
            self._pasting = start > end
        self._tail = text[1 - len(BRACKETED_PASTE_END) :]
        if not was_pasting:
            before, mark, after = data.partition(BRACKETED_PASTE_START)
            data = _THEN_A_KEY.sub(_ESCAPE, before) + mark + after
        return super().feed(data)

    def tick(self) -> Iterable[Message]:
        """Take an escape after which nothing came as the key; not within a paste, which has no keys."""
        return () if self._pasting else super().tick()

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        try:
            return list(super()._sequence_to_key_events(sequence, alt))
        except (ValueError, OverflowError):      # it names a character that there is not
            return []


def typed(number: int, ended: threading.Event) -> Iterator[Message]:
    """What comes from the terminal `number`, until `ended` is set or the terminal has gone (OSError too)."""
    parser, decoder = KeyParser(), getincrementaldecoder("utf-8")("replace")
    poll = select.poll()
    poll.register(number, select.POLLIN)
    while not ended.is_set():
        if poll.poll(TICK_MS):
            try:
                data = os.read(number, _READ)
            except BlockingIOError:              # another program took it
                continue
            if not data:
                return
            text = decoder.decode(data)
            if text:
                yield from parser.feed(text)
        yield from parser.tick()
