"""The fast way through WebSocket frames gives what the plain way gives: frames, messages, findings."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.protocols.websocket import decoder as websocket_decoder
from inspector.protocols.websocket.columns import alike
from inspector.protocols.websocket.columns.scan import scan
from inspector.protocols.websocket.frame import FrameDecoder, FrameIndex, encode
from inspector.protocols.websocket.session.deflate import DeflateParameters
from inspector.protocols.websocket.session.session import WebSocketSession
from inspector.wire import findings
from tests.support.captures.websocket import (
    CLIENT,
    DEFLATE,
    SERVER,
    UPGRADE,
    Keys,
    exchange,
    request,
    response,
)

Spec = tuple[tuple[bytes, int, bool, int, int | None], str]
TEXTS = st.sampled_from([
    b"", b"a", b"hello", "grüße".encode(), b"\xff", b"\xc3", b"x" * 125, b"y" * 126, b"z" * 700,
    "é".encode() * 400, bytes(70_000)])
PLAIN = st.tuples(TEXTS, st.sampled_from([1, 2]), st.just(True), st.just(0), st.none())
ODD = st.tuples(TEXTS, st.integers(0, 15), st.booleans(), st.integers(0, 7), st.sampled_from([None, 16, 64]))
KEYS = st.sampled_from(["fresh", "fresh", "same", "zero", "none"])
FRAMES = st.lists(st.tuples(PLAIN | PLAIN | PLAIN | ODD, KEYS), min_size=1, max_size=6)
TURNS = st.lists(st.tuples(st.integers(0, 1), FRAMES), max_size=8)


def bytes_of(turns: list[tuple[int, list[Spec]]]) -> list[tuple[int, bytes]]:
    """The bytes of the turns."""
    keys, found = Keys(), []
    for direction, frames in turns:
        parts = []
        for (payload, opcode, fin, rsv, form), kind in frames:
            form = None if form == 16 and len(payload) > 65535 else form
            fresh = keys() if direction == CLIENT else None
            key = {"fresh": fresh, "same": b"same", "zero": bytes(4), "none": None}[kind]
            parts.append(encode(payload, opcode, fin=fin, rsv=rsv, key=key, length_form=form))
        found.append((direction, b"".join(parts)))
    return found


@pytest.mark.parametrize("bounds", [(1 << 16, 1 << 20), (60, 300)])
@settings(max_examples=15, deadline=None)
@given(turns=TURNS, deflate=st.booleans(), size=st.sampled_from([7, 90, 1400, 60_000]))
def test_both_ways_give_the_same(
    bounds: tuple[int, int], turns: list[tuple[int, list[Spec]]], deflate: bool, size: int
) -> None:
    with patch.multiple(websocket_decoder, KEEP=bounds[0], _BATCH=bounds[1]):
        compare(turns, deflate, size)


REPEATED = st.lists(st.tuples(st.integers(0, 1), FRAMES, st.integers(1, 12)), max_size=5)


@settings(max_examples=60, deadline=None)
@given(turns=REPEATED, deflate=st.booleans(), size=st.sampled_from([90, 1400]))
def test_frames_wrong_in_the_same_way_are_counted_together(
    turns: list[tuple[int, list[Spec], int]], deflate: bool, size: int
) -> None:
    again = [(direction, [one for one in frames for _ in range(times)]) for direction, frames, times in turns]
    with (patch.object(findings, "REPEATS", 2), patch.object(alike, "LEAST", 4),
          patch.multiple(websocket_decoder, LEAST=4, _AGAIN=2)):
        compare(again, deflate, size)


def compare(turns: list[tuple[int, list[Spec]]], deflate: bool, size: int) -> None:
    """What the decoder makes of the turns beside frame decoder and session alone."""
    start = [(CLIENT, request(DEFLATE)), (SERVER, response(DEFLATE))] if deflate else UPGRADE
    turns = [(d, frames) for d, frames in turns if size > 90 or all(len(f[0][0]) < 999 for f in frames)]
    spoken = bytes_of(turns)
    found = exchange(*start, *spoken, size=size).application()
    session = WebSocketSession(0, DeflateParameters() if deflate else None, limit=1 << 20)
    decoders = [FrameDecoder(len(data)) for _, data in start]
    frames, parts = [], []
    for direction, data in spoken:
        for frame in decoders[direction].feed(data):
            frames.append((direction, frame))
            parts.append(session.add(direction, frame))
    assert [
        (r.direction, r.start, r.stop, r.fin, r.rsv, r.opcode, r.masked, r.masking_key, r.payload_length,
         r.length_form, r.message - 1, r.compressed, r.findings) for r in found.frames
    ] == [
        (direction, f.start, f.stop, f.fin, f.rsv, f.opcode, f.masked, f.masking_key, f.payload_length,
         f.length_form, part.message, part.compressed, session.ids.get(FrameIndex(number), ()))
        for number, ((direction, f), part) in enumerate(zip(frames, parts, strict=True))]
    assert len(found.messages) == session.messages
    assert sum(message.size for message in found.messages) == sum(part.size for part in parts)
    assert {(one.id, one.direction, one.start, one.stop) for one in found.findings} == {
        (one.id, one.direction, one.start, one.stop) for one in session.findings}
    decoder = found.decoder("websocket")
    assert decoder is None or decoder.uncounted == session.findings.more


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_can_be_scanned(data: bytes, masked: bool) -> None:
    found, frames = scan(data, 1000, masked, b""), FrameDecoder(1000).feed(data)
    assert [(f.start, f.header_size, f.payload_length) for f in frames] == list(
        zip(found.start.tolist(), found.header.tolist(), found.length.tolist(), strict=True))
    assert found.end == (frames[-1].stop if frames else 1000)
