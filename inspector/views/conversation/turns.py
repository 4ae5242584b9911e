"""The messages of a layer, with those of another protocol that it reads with its own, in their order.

HTTP's answers and the events that they bring are told in one list. Decoder -> (whose, its number there).
"""

from __future__ import annotations

from typing import Any

from inspector.protocols.api import Decoder


def turn_count(decoder: Decoder[Any]) -> int:
    """How many messages of both there are."""
    return decoder.count if decoder.beside is None else len(decoder.turns)


def turn(decoder: Decoder[Any], place: int) -> tuple[Decoder[Any], int]:
    """Whose the message at a place is, and its number there; all from 0."""
    if decoder.beside is None:
        return decoder, place
    number = decoder.turns[place]
    return (decoder, number) if number >= 0 else (decoder.beside.decoder, ~number)


def place_of_turn(decoder: Decoder[Any], other: Decoder[Any], number: int) -> int | None:
    """The place of message `number` of the decoder, or of the one beside it; None for any other decoder's."""
    if decoder.beside is None:
        return number if other is decoder else None
    if other is not decoder and other is not decoder.beside.decoder:
        return None
    turns, own = decoder.turns, other is decoder
    # Among one decoder's messages numbers ascend, so that no place is lower than a message's own number.
    for place in range(number, len(turns)):
        if turns[place] == (number if own else ~number):
            return place
    return None
