"""The messages of a layer, with those of another protocol that it reads with its own, in their order.

HTTP's answers and the events that they bring are told in one list, and numbered (from 1) as they stand there.
Decoder and number in the list -> whose message it is, and which of that one's.
"""

from __future__ import annotations

from typing import Any

from inspector.protocols.api import (
    Decoder,
    MessageIndex,
    MessageNumber,
    message_at,
    message_index,
    message_number,
)


def turn_count(decoder: Decoder[Any]) -> int:
    """How many messages of both there are."""
    return decoder.count if decoder.beside is None else len(decoder.turns)


def turn(decoder: Decoder[Any], number: MessageNumber) -> tuple[Decoder[Any], MessageIndex]:
    """Whose message it is that has a number in the list, and which of its messages."""
    if decoder.beside is None:
        return decoder, message_index(number)
    index = decoder.turns[number - 1]
    return (decoder, message_at(index)) if index >= 0 else (decoder.beside.decoder, message_at(~index))


def number_of_turn(decoder: Decoder[Any], other: Decoder[Any], index: MessageIndex) -> MessageNumber | None:
    """The number of a message of the decoder, or of the one beside it; None for any other decoder's."""
    if decoder.beside is None:
        return message_number(index) if other is decoder else None
    if other is not decoder and other is not decoder.beside.decoder:
        return None
    turns, own = decoder.turns, other is decoder
    # Among one decoder's messages indices ascend, so that none stands before its own index.
    for place in range(index, len(turns)):
        if turns[place] == (index if own else ~index):
            return message_number(place)
    return None
