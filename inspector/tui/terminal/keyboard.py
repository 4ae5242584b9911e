"""What the terminal sends, as events: whatever that is, the next key is heard.

terminal -> bytes -> text -> `KeyParser` -> keys, pastes, mouse -> driver. Textual's own thread ends, and
the app is deaf from then on, with the first byte that is no UTF-8 or the first sequence that names no
character; and a paste whose end arrives in two pieces, as it may over a slow line, never ends there.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import threading
import weakref
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator

from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.message import Message

TICK_MS = 100            # between looks at whether an escape stands alone, while one may
_READ = 1 << 12         # taken at once
ESCAPE_SHOWN = "\u241b"  # stands for an escape that is pasted
_ESCAPE = "\x1b[27u"      # the key alone, as terminals name it that can (Kitty's protocol)
_MEANT = "".join(known[1] for known, keys in ANSI_SEQUENCES_KEYS.items()
                 if len(known) == 2 and known[0] == "\x1b" and isinstance(keys, tuple))     # alt+backspace
# Not before what begins a sequence (ECMA-48 §5.3), is one, or is still to come.
_KEY = rf"[^\[O\]P_^X\x1b{re.escape(_MEANT)}]"
_THEN_A_KEY = re.compile(rf"\x1b(?={_KEY})")
_A_KEY = re.compile(_KEY)
_BEGUN = re.compile(r"\x1b(\[(2(01?)?)?)?$")        # the mark of a paste's end


class KeyParser(XTermParser):
    """Textual's parser; nothing that it is fed can stop it.

    An escape and a key that come together, as over a slow line, are two keys; one that is pasted is none, but
    a character of its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self._pasting = False
        self._tail = ""          # of what came: a paste's first mark may arrive in pieces
        self._held = ""          # the beginning of its last one, while it may be that

    def feed(self, data: str) -> Iterable[Message]:
        """The events of `data`."""
        waits = self._timeout_time is not None and self._tail.endswith("\x1b")
        if waits and not self._pasting and _A_KEY.match(data):
            data = _ESCAPE[1:] + data            # the escape that came just before was one
        return super().feed("".join(self._pieces(data)))

    @property
    def waits(self) -> bool:
        """Whether what came may be all of a key after a moment: then `tick` is to be called."""
        return self._timeout_time is not None

    def tick(self) -> Iterable[Message]:
        """Take an escape after which nothing came as the key; not within a paste, which has no keys."""
        return () if self._pasting else super().tick()

    def _pieces(self, data: str) -> Iterator[str]:
        """What came, cut where pastes begin and end."""
        while data:
            if self._pasting:
                whole, self._held = self._held + data, ""
                pasted, mark, data = whole.partition(BRACKETED_PASTE_END)
                if mark:
                    self._pasting = False
                elif begun := _BEGUN.search(pasted):
                    pasted, self._held = pasted[: begun.start()], begun[0]
                yield pasted.replace("\x1b", ESCAPE_SHOWN) + mark
            else:
                text = self._tail + data
                start = text.find(BRACKETED_PASTE_START)
                typed_to = len(data) if start < 0 else start + len(BRACKETED_PASTE_START) - len(self._tail)
                typed_text, data = data[:typed_to], data[typed_to:]
                self._pasting = start >= 0
                self._tail = "" if self._pasting else text[1 - len(BRACKETED_PASTE_START) :]
                yield _THEN_A_KEY.sub(_ESCAPE, typed_text)

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        try:
            return list(super()._sequence_to_key_events(sequence, alt))
        except (ValueError, OverflowError):      # it names a character that there is not
            return []


class Ended(threading.Event):
    """An event for which `poll` can wait too, by its descriptor: readable while it is set."""

    def __init__(self) -> None:
        super().__init__()
        self._number = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        weakref.finalize(self, os.close, self._number)

    def fileno(self) -> int:
        """Its descriptor."""
        return self._number

    def set(self) -> None:
        """The app ends, or leaves its terminal to another program."""
        super().set()
        os.eventfd_write(self._number, 1)

    def clear(self) -> None:
        """It goes on."""
        super().clear()
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._number)


def typed(number: int, ended: Ended) -> Iterator[Message]:
    """What comes from the terminal `number`, until `ended` is set or the terminal has gone (OSError too)."""
    parser, decoder = KeyParser(), getincrementaldecoder("utf-8")("replace")
    poll = select.poll()
    poll.register(number, select.POLLIN)
    poll.register(ended, select.POLLIN)
    while not ended.is_set():
        if any(ready == number for ready, _ in poll.poll(TICK_MS if parser.waits else None)):
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
