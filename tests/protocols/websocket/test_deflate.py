"""permessage-deflate: context takeover, windows to the byte, limits, final blocks, contexts set aside."""

from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inspector.protocols.websocket.session.deflate import DeflateParameters, Inflater, parse_extensions


def packed(text: bytes, packer: zlib._Compress | None = None, flush: int = zlib.Z_SYNC_FLUSH) -> bytes:
    packer = packer or zlib.compressobj(9, zlib.DEFLATED, -15)
    return (packer.compress(text) + packer.flush(flush))[: -4 if flush == zlib.Z_SYNC_FLUSH else None]


def whole(inflater: Inflater, data: bytes) -> tuple[bytes, str]:
    found = inflater.feed(data, final=True)
    problem = inflater.problem
    inflater.end()
    return found, problem


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=300) | st.text("ab", max_size=600).map(str.encode), max_size=8),
       st.booleans(), st.integers(9, 15), st.integers(1, 50))
def test_messages_in_pieces(texts: list[bytes], takeover: bool, bits: int, size: int) -> None:
    inflater, packer = Inflater(bits, not takeover), zlib.compressobj(6, zlib.DEFLATED, -bits)
    for text in texts:
        packer = packer if takeover else zlib.compressobj(6, zlib.DEFLATED, -bits)
        data = packed(text, packer)
        pieces = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
        found = [inflater.feed(piece, final=at == len(pieces) - 1) for at, piece in enumerate(pieces)]
        assert b"".join(found) == text and inflater.problem == ""
        inflater.end()
    assert not inflater.window_exceeded


@pytest.mark.parametrize("bits", [8, 9, 11, 14])
@pytest.mark.parametrize("beyond", [0, 1, 30])
def test_the_window_is_held_to_the_byte(bits: int, beyond: int) -> None:
    base = random.Random(bits).randbytes((1 << bits) + beyond)
    inflater = Inflater(bits)
    assert whole(inflater, packed(base + base[:60])) == (base + base[:60], "")
    assert inflater.window_exceeded is (beyond > 0)


def test_a_new_context_has_an_empty_window() -> None:
    inflater = Inflater(8, no_context_takeover=True)
    for _ in range(3):
        assert whole(inflater, packed(b"hello " * 30)) == (b"hello " * 30, "")
    assert not inflater.window_exceeded


@pytest.mark.parametrize("size", [1000, 1001, 5000, 10 << 20])
def test_a_bomb_stops_at_the_limit(size: int) -> None:
    inflater = Inflater(limit=1000)
    found, problem = whole(inflater, packed(bytes(size)))
    assert (len(found), problem) == ((1000, "") if size == 1000 else (1000, "limit"))
    # The context is lost with it: what relies on it is not claimed.
    assert whole(inflater, packed(b"after"))[1] == ("" if size == 1000 else "data")


def test_without_takeover_the_next_message_is_whole_again() -> None:
    inflater = Inflater(no_context_takeover=True, limit=100)
    assert whole(inflater, packed(bytes(500)))[1] == "limit"
    assert whole(inflater, b"\xff\xff")[1] == "data"
    assert whole(inflater, packed(b"after")) == (b"after", "")


def test_a_final_block_keeps_the_window() -> None:
    inflater = Inflater()
    first = zlib.compressobj(9, zlib.DEFLATED, -15)
    assert whole(inflater, first.compress(b"hello hello") + first.flush() + b"\0") == (b"hello hello", "")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=b"hello hello")
    assert whole(inflater, packed(b"hello hello again", packer)) == (b"hello hello again", "")


def test_a_copy_goes_on_by_itself() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    inflater, texts = Inflater(), [b"hello %d" % n * 20 for n in range(3)]
    data = [packed(text, packer) for text in texts]
    whole(inflater, data[0])
    twin = inflater.copy()
    assert whole(inflater, data[1])[0] == whole(twin, data[1])[0] == texts[1]
    assert whole(twin, data[2])[0] == texts[2]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=5), st.integers(8, 15), st.booleans())
def test_any_bytes_are_taken(pieces: list[bytes], bits: int, takeover: bool) -> None:
    inflater = Inflater(bits, not takeover, limit=5000)
    for piece in pieces:
        found, problem = whole(inflater, piece)
        assert len(found) <= 5000 and problem in ("", "data", "limit")


@example(";")
@example(",;,")
@given(st.text(max_size=60))
def test_any_header_is_read(text: str) -> None:
    assert all(extension.name == extension.name.lower() for extension in parse_extensions([text, text]))


def test_who_inflates_with_what() -> None:
    parameters = DeflateParameters(True, False, 10, 12)
    server, client = parameters.inflater(from_client=False), parameters.inflater(from_client=True)
    assert (server.window_bits, server.no_context_takeover) == (10, True)
    assert (client.window_bits, client.no_context_takeover) == (12, False)
