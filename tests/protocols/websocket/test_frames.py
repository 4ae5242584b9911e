"""Frames: the RFC's own vectors, any cutting, any bytes, frames beyond the bound, the scapy layer."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.protocols.http.upgrade import prove
from inspector.protocols.websocket.frame import Frame, FrameDecoder, encode, unmask
from inspector.protocols.websocket.layer import WebSocketFrame
from inspector.protocols.websocket.session.deflate import Inflater

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "data" / "rfc_vectors.json").read_text(encoding="utf8"))
NAMES = [vector["name"] for vector in VECTORS["rfc6455_frames"]]


def decode(data: bytes, cuts: list[int] | None = None, keep: int = 1 << 20) -> list[Frame]:
    decoder, frames = FrameDecoder(keep=keep), []
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts or ())})
    for start, stop in pairwise(places):
        frames += decoder.feed(data[start:stop])
    return frames


def vector_bytes(vector: dict[str, Any]) -> bytes:
    if "hex" in vector:
        return bytes.fromhex(vector["hex"])
    return bytes.fromhex(vector["header_hex"]) + bytes(vector["payload_len"])


@pytest.mark.parametrize("name", NAMES)
def test_rfc_6455_examples(name: str) -> None:
    vector = next(v for v in VECTORS["rfc6455_frames"] if v["name"] == name)
    frames = decode(vector_bytes(vector))
    assert len(frames) == len(vector["frames"])
    for frame, wanted in zip(frames, vector["frames"], strict=True):
        assert (frame.fin, frame.rsv, frame.opcode, frame.masked, frame.payload_length) == (
            wanted["fin"], wanted["rsv"], wanted["opcode"], wanted["mask"], wanted["len"])
        assert frame.masking_key.hex() == wanted.get("masking_key", "")
        assert "payload" not in wanted or frame.payload == wanted["payload"].encode()
    assert "message" not in vector or b"".join(f.payload for f in frames) == vector["message"].encode()


@pytest.mark.parametrize("name", NAMES)
def test_the_layer_shows_and_builds_the_examples(name: str) -> None:
    vector = next(v for v in VECTORS["rfc6455_frames"] if v["name"] == name)
    data = vector_bytes(vector)
    packet = WebSocketFrame(data)
    assert bytes(packet) == data
    layers = [packet.getlayer(WebSocketFrame, n + 1) for n in range(len(vector["frames"]))]
    for layer, wanted in zip(layers, vector["frames"], strict=True):
        assert (layer.fin, layer.opcode, layer.mask) == (wanted["fin"], wanted["opcode"], wanted["mask"])
        assert "payload" not in wanted or layer.unmasked == wanted["payload"].encode()
    assert "unmasked" in packet.show(dump=True)


def test_rfc_6455_handshake() -> None:
    wanted = VECTORS["rfc6455_handshake"]
    proof = prove(wanted["key"])
    assert proof.expected == wanted["accept"]
    assert proof.joined == wanted["key"] + wanted["guid"] and len(proof.sha1) == 20


def test_rfc_7692_examples() -> None:
    for vector in VECTORS["rfc7692_messages"]:
        inflater = Inflater()
        for step in vector.get("sequence", [vector]):
            assert inflater.feed(bytes.fromhex(step["payload_hex"]), final=True) == step["message"].encode()
            inflater.end()
        if "frame_hex" in vector:
            frames = decode(bytes.fromhex(vector["frame_hex"]))
            assert b"".join(frame.payload for frame in frames).hex() == vector["payload_hex"]
            assert [bool(frame.rsv & 4) for frame in frames] == [True] + [False] * (len(frames) - 1)


FRAMES = st.lists(st.builds(
    encode, st.binary(max_size=200) | st.integers(65_530, 65_540).map(bytes), st.integers(0, 15),
    fin=st.booleans(), rsv=st.integers(0, 7), key=st.none() | st.binary(min_size=4, max_size=4),
), max_size=5)


@settings(max_examples=60, deadline=None)
@given(FRAMES, st.lists(st.integers(0, 1 << 20), max_size=12))
def test_any_cutting_gives_the_same_frames(frames: list[bytes], cuts: list[int]) -> None:
    data = b"".join(frames)
    whole = decode(data)
    assert decode(data, cuts) == whole
    assert [(frame.start, frame.stop) for frame in whole] == _spans(frames)


def _spans(frames: list[bytes]) -> list[tuple[int, int]]:
    spans, start = [], 0
    for frame in frames:
        spans.append((start, start + len(frame)))
        start += len(frame)
    return spans


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=600), st.lists(st.integers(0, 600), max_size=6), st.sampled_from([1, 50, 1 << 20]))
def test_any_bytes_give_frames(data: bytes, cuts: list[int], keep: int) -> None:
    frames = decode(data, cuts, keep)
    assert [frame.start for frame in frames] == [0, *(frame.stop for frame in frames)][: len(frames)]
    assert all(len(frame.payload) == min(frame.payload_length, keep) for frame in frames)
    assert not data or bytes(WebSocketFrame(data)) == data


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=5000), st.binary(min_size=4, max_size=4), st.integers(0, 9))
def test_unmasking_from_any_position(data: bytes, key: bytes, position: int) -> None:
    wanted = bytes(byte ^ key[(position + i) % 4] for i, byte in enumerate(data))
    assert unmask(data, key, position) == wanted and unmask(wanted, key, position) == data


def test_a_frame_beyond_the_bound_is_counted_not_kept() -> None:
    decoder = FrameDecoder(start=1000, keep=100)
    data = encode(bytes(range(256)) * 40, 2, key=b"abcd")
    assert decoder.feed(data[:200]) == [] and decoder.pending == 200
    assert decoder.skippable == len(data) - 200
    begun = decoder.partial
    assert begun is not None and begun.payload == bytes(range(100)) and not begun.whole
    assert decoder.skip(5000) == [] and decoder.offset == 1000 + 5200
    (frame,) = decoder.feed(data[5200:])
    assert (frame.start, frame.stop, frame.payload_length) == (1000, 1000 + len(data), 10240)
    assert decoder.feed(b"\x81\x01!")[0].start == frame.stop


def test_an_endless_frame_costs_nothing() -> None:
    decoder = FrameDecoder(keep=64)
    assert decoder.feed(b"\x82\x7f" + b"\xff" * 8) == []
    for _ in range(100):
        assert decoder.feed(bytes(10_000)) == []
    begun = decoder.partial
    assert begun is not None and begun.payload_length == (1 << 64) - 1 and len(begun.payload) == 64


def test_the_layer_builds_what_it_is_told() -> None:
    assert bytes(WebSocketFrame(unmasked=b"Hello", mask=1, masking_key=0x37FA213D)).hex() == VECTORS[
        "rfc6455_frames"][1]["hex"]
    wrong = WebSocketFrame(opcode=2, unmasked=b"abc", length=126, length16=3)
    assert bytes(wrong) == b"\x82\x7e\0\3abc"
    assert bytes(WebSocketFrame(opcode="ping", fin=0, rsv2=1)) == b"\x29\0"
    assert WebSocketFrame(bytes(4000)).show(dump=True)
