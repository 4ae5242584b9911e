"""Whatever a terminal sends, in whatever pieces, the next key is heard."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from textual import events
from textual.constants import ESCAPE_DELAY

from inspector.tui.terminal.keyboard import TICK_MS, Ended, KeyParser, typed
from tests.support.screen.window import LEFT, inspector, terminal
from tests.support.tiers import sweep

STRANGE = {
    "no UTF-8": [b"\xff\xfe"],
    "a paste whose end comes in two pieces": [b"\x1b[200~abc\x1b[20", b"1~"],
    "a paste whose beginning does": [b"\x1b[20", b"0~abc\x1b[201~"],
    "a number that is none": [b"\x1b[:A"],
    "a character that there is not": [b"\x1b[99999999;5u"],
    "a mouse that breaks off": [b"\x1b[<0;5;5"],
}


@sweep("pieces", STRANGE.values(), lambda pieces: pieces[-1] == b"1~", ids=STRANGE)
def test_ctrl_q_is_heard_after(pieces: Sequence[bytes], tmp_path: Path) -> None:
    with terminal(tmp_path, inspector()) as app:
        app.until_shown("WebSocket")
        for piece in pieces:
            app.write(piece)
            app.read_for(4 * ESCAPE_DELAY)
        app.write(b" \x11")
        app.read_until(LEFT)
        assert app.ended() == 0


def heard(pieces: Sequence[bytes]) -> list[str]:
    """Keys and pastes of what comes in pieces, with time in between for an escape to stand alone."""
    reading, writing = os.pipe()
    taken: list[str] = []

    def listen() -> None:
        for message in typed(reading, Ended()):
            if isinstance(message, events.Key):
                taken.append(message.key)
            elif isinstance(message, events.Paste):
                taken.append(f"paste {message.text!r}")

    listener = threading.Thread(target=listen)
    listener.start()
    pause = threading.Event()
    for piece in pieces:
        os.write(writing, piece)
        pause.wait(4 * ESCAPE_DELAY)
    os.close(writing)
    listener.join()
    os.close(reading)
    return taken


def test_who_waits_for_a_key_looks_at_nothing_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app that nobody touches woke ten times a second; the end wakes it by itself."""
    reading, writing = os.pipe()
    ended, waited = Ended(), list[float | None]()

    class Poll:
        def __init__(self) -> None:
            self.real = poll()
            self.register = self.real.register

        def poll(self, timeout: float | None) -> list[tuple[int, int]]:
            waited.append(timeout)
            if len(waited) == 2:
                os.write(writing, b"\x1b")          # the key alone, or the beginning of another
            elif timeout is None and len(waited) > 2:
                ended.set()
            return self.real.poll(timeout)

    poll = select.poll
    monkeypatch.setattr("inspector.tui.terminal.keyboard.select.poll", Poll)
    os.write(writing, b"a")
    keys = [one.key for one in typed(reading, ended) if isinstance(one, events.Key)]
    assert keys == ["a", "escape"]
    assert waited[:2] == [None, None] and waited[-1] is None and set(waited[2:-1]) == {TICK_MS}
    ended.clear()
    assert not poll_now(ended)
    os.close(reading)
    os.close(writing)


def poll_now(ended: Ended) -> bool:
    return bool(select.select([ended], [], [], 0)[0])


@pytest.mark.parametrize(("pieces", "keys"), [
    ([b"\x1b[200~ab\x1b", b"[201~c"], ["paste 'ab'", "c"]),
    ([b"\x1b[200~a\x1b[201~\x1b[200~b\x1b[2", b"01~"], ["paste 'a'", "paste 'b'"]),
    ([b"\x1b", b"a"], ["escape", "a"]),
    ([b"\x1ba"], ["escape", "a"]),
    ([b"\x1b/udp\r"], ["escape", "slash", "u", "d", "p", "enter"]),
    ([b"\x1bn\x1b[A:12"], ["escape", "n", "up", "colon", "1", "2"]),
    ([b"\x1b7\x1b0"], ["escape", "7", "escape", "0"]),
    ([b"\x1b[200~a\x1bb\x1b[201~c"], ["paste 'a␛b'", "c"]),
    ([b"\x1b[200~a\x1b[Ab", b"\x1bn\x1b[20", b"1~\x1bn"], ["paste 'a␛[Ab␛n'", "escape", "n"]),
    ([b"\x1b\x7f"], ["ctrl+w"]),
    ([b"\xe6\xbc", b"\xa2"], ["漢"]),
    ([b"\xffa"], ["replacement_character", "a"]),
])
def test_keys_and_pastes_in_pieces(pieces: list[bytes], keys: list[str]) -> None:
    assert heard(pieces) == keys


def test_a_paste_is_known_by_its_marks_wherever_they_are_cut() -> None:
    text = "x\x1b[200~one\x1b[201~y"
    for cut in range(len(text) + 1):
        parser = KeyParser()
        pasted = [message for piece in (text[:cut], text[cut:]) if piece for message in parser.feed(piece)
                  if isinstance(message, events.Paste)]
        assert [paste.text for paste in pasted] == ["one"]
        assert not parser._pasting


@pytest.mark.parametrize("cut", range(1, 26))
def test_a_paste_is_the_same_wherever_it_is_cut(cut: int) -> None:
    came, parser = "ab\x1b[200~x\x1by[2\x1b[201~cd\x1b[A", KeyParser()
    events_heard = [*parser.feed(came[:cut]), *parser.feed(came[cut:])]
    pastes = [one.text for one in events_heard if isinstance(one, events.Paste)]
    keys = [one.key for one in events_heard if isinstance(one, events.Key)]
    assert (pastes, keys) == (["x␛y[2"], ["a", "b", "c", "d", "up"])


@pytest.mark.parametrize(("pieces", "keys"), [
    (["\x1b", "7"], ["escape", "7"]), (["\x1b", "x"], ["escape", "x"]), (["\x1b", "/udp\r"], [
        "escape", "slash", "u", "d", "p", "enter"]),
    (["a\x1b", "0\x1b", "q"], ["a", "escape", "0", "escape", "q"]), (["\x1b", "[A"], ["up"]),
    (["\x1b[", "A"], ["up"]), (["\x1b", "\x7f"], ["ctrl+w"]), (["\x1b", "漢"], ["escape", "漢"]),
])  # fmt: skip
def test_an_escape_and_a_key_in_two_reads_are_two_keys(pieces: list[str], keys: list[str]) -> None:
    parser = KeyParser()
    assert [one.key for piece in pieces for one in parser.feed(piece) if isinstance(one, events.Key)] == keys


def test_an_escape_that_stood_alone_is_not_taken_twice() -> None:
    parser = KeyParser()
    assert list(parser.feed("\x1b")) == []
    while not (alone := [one.key for one in parser.tick() if isinstance(one, events.Key)]):
        pass
    after = [one.key for one in parser.feed("7") if isinstance(one, events.Key)]
    assert (alone, after) == (["escape"], ["7"])
