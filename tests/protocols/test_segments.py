"""Places in a stream are ruled out by one search, and none at which something begins."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from inspector.model.packets import Row
from inspector.protocols.framing.segments import ends_before, marks_of, with_mark
from inspector.protocols.http.message import METHODS
from inspector.protocols.http.start import _look, _marks
from inspector.wire.tcp.stream import ByteStream

PARTS = st.sampled_from([
    b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"\r\n\r\nHTTP/1.0 1", b"PUT ", b"x" * 2047, b"x",
    b"H", b"TTP/1.1", b"BREW /pot HTTP/1.1\r\n", b"\0" * 40_000, b"*1\r\n", b"POST " + b"a" * 3000,
])


@given(st.lists(PARTS, min_size=1, max_size=12))
def test_what_begins_somewhere_is_found(parts: list[bytes]) -> None:
    data = b"".join(parts)
    stream = ByteStream(lambda row, start, length: data[start : start + length])
    at = 0
    for row, part in enumerate(parts):
        stream.add(1000 + at, len(part), Row(row), at)
        at += len(part)
    with stream.sampled():
        ends = ends_before(stream, stream.length)
        kept = with_mark(stream, ends, _marks, 2048)
        for end in ends:
            if end not in kept:
                assert _look(stream, end) not in ("request", "response")
        assert [end for end in kept if end in ends] == kept


WORDS = st.sampled_from([*METHODS, b"ET ", b" ", b"  ", b"T", b"GE", b"G", b"x", b"HEAD", b"TRACE"])


@given(st.lists(WORDS, max_size=20))
def test_words_before_spaces_are_found_as_by_an_expression(parts: list[bytes]) -> None:
    data = b"".join(parts)
    wanted = [match.start() for match in re.finditer(b"|".join(METHODS), data)]
    assert sorted(marks_of(METHODS)(data)) == wanted
