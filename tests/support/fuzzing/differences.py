"""The same conversation twice, which has to give the same: cut elsewhere, live, out of a file that grows.

What was told of each way is compared: protocols, records with their fields, messages, findings; of files all
that `decode --json` prints. And a file read with the compiled loops and without: every column, byte for byte.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from inspector.cli.exports import exports
from inspector.model.numbers import LINK_RAW
from inspector.model.packets import Row
from inspector.trace.index.beside import OtherHeader
from inspector.trace.index.index import DTYPES
from inspector.trace.trace import Trace, TraceError
from inspector.wire import compiled, pcapng
from tests.support.captures.frames import headers_of
from tests.support.captures.tcp import segment
from tests.support.fuzzing import seeds
from tests.support.fuzzing.conversation import Input, Part, cut, messages_of, read, read_input

Result = TypeVar("Result")
WHOLE = (1 << 14,)
STEP = 1_000_000


def _begun(data: bytes) -> Input:
    """The input as a whole conversation: of others, cuts are what tells where messages begin."""
    given = read_input(data)
    parts: list[Part] = []
    for part in given.parts:                       # one end's words in one piece, however they were given
        if parts and parts[-1].end == part.end:
            parts[-1] = parts[-1]._replace(data=parts[-1].data + part.data)
        else:
            parts.append(part._replace(lost=False))
    return given._replace(options=given.options & 4, parts=parts)


def _sizes(data: bytes) -> list[int]:
    """Sizes of segments, out of the same bytes."""
    number = int.from_bytes(data[:2].ljust(2, b"\0"), "big") * 40503 & 0xFFFF
    return [1 + number % 7, 1 + number % 61, 1 + (number >> 3) % 700]


def cuts(data: bytes) -> None:
    """The same stream in other segments."""
    given, known = _begun(data), seeds.secrets()
    whole = messages_of(read(given, known, sizes=WHOLE))
    for sizes in (_sizes(data), [1] if len(data) < 300 else [13]):
        other = messages_of(read(given, known, sizes=sizes))
        assert None in (whole, other) or other == whole, sizes


def live(data: bytes) -> None:
    """The same packets, read one by one and at once."""
    given, known = _begun(data), seeds.secrets()
    sizes = [80 + one for one in _sizes(data)]      # of the first words alone it is guessed what is spoken
    once, live = (messages_of(read(given, known, sizes=sizes, live=live)) for live in (False, True))
    assert None in (live, once) or live == once


def files(data: bytes) -> None:
    """A file that grows while all is looked at, and the same as it stands in the end."""
    given = read_input(data)
    head = pcapng.section_header() + pcapng.interface_description(LINK_RAW)
    blocks = [head, *_packets(given, [40 + one for one in _sizes(data)])]
    step = max(2, -(-len(blocks) // 3))
    with tempfile.TemporaryDirectory() as name:
        path, growing = Path(name, "whole.pcapng"), Path(name, "growing.pcapng")
        path.write_bytes(b"".join(blocks))
        with Trace.open(path) as trace:
            trace.finish()
            whole = printed(trace)
        growing.write_bytes(b"")
        with growing.open("ab", buffering=0) as file, Trace.open(growing, following=True) as trace:
            for number in range(0, len(blocks), step):
                file.write(b"".join(blocks[number : number + step]))
                trace.refresh()
                printed(trace)
            trace.finish()
            assert printed(trace) == whole


def printed(trace: Trace) -> list[Any]:
    """All that `decode --json` prints."""
    return [(export.name, [json.dumps(one) for one in export.objects(trace, None)]) for export in exports()]


def _packets(given: Input, sizes: list[int]) -> list[bytes]:
    """A handshake, what is said, and the end of both, as blocks of a file."""
    ports, place = (40000, given.port), [1, 1]
    opening = [segment(0, "S", 0, ports=ports), segment(1, "SA", 0, 1, ports=ports)]
    frames = [] if given.options & 2 else opening
    for part in cut(given.parts, sizes):
        end = part.end
        if not part.lost:
            frames.append(segment(end, "PA", place[end], place[1 - end], part.data, ports=ports))
        place[end] += len(part.data)
    if not given.options & 4:
        frames += [segment(end, "FA", place[end], place[1 - end] + end, ports=ports) for end in (0, 1)]
    return [pcapng.enhanced_packet(frame, 10**18 + number * STEP) for number, frame in enumerate(frames)]


def compiled_and_not(do: Callable[[], Result]) -> tuple[Result, Result]:
    """What is found with the compiled loops, and without."""
    loops = compiled.loops
    try:
        first = do()
        compiled.loops = None  # type: ignore[assignment]
        return first, do()
    finally:
        compiled.loops = loops


def index_of(path: Path) -> dict[str, Any]:
    """All that is read of a file: columns, conversations, tables beside them; or why it is none."""
    try:
        with Trace.open(path) as trace:
            trace.finish()
            return _columns_of(trace)
    except TraceError as error:
        return {"error": str(error)}


def _columns_of(trace: Trace) -> dict[str, Any]:
    index = trace.index
    found: dict[str, Any] = {name: getattr(index, name).tobytes() for name in DTYPES}
    found |= {"damage": trace.truncated, "cut": trace.cut, "interfaces": trace.interfaces,
              "comments": [trace.comments.of(Row(row)) for row in range(min(index.count, 100))],
              "sections": index.sections.values.tolist(), "frames": index.other_frames.values.tolist()}
    for name, table in (("outer", index.outer), ("quoted", index.quoted)):
        found |= {f"{name}.{column}": getattr(table, column).tobytes() for column in OtherHeader._fields}
    for number, streams in index.streams.items():
        reopened = [streams.reopened(one) for one in range(len(streams))]
        found[f"streams.{number}"] = streams.first_row.tolist(), streams.answered.tolist(), reopened
    numbers = np.unique(np.concatenate((index.src, index.dst))).tolist()
    return found | {"addresses": [index.address(one) for one in numbers]}


def loop_frames(data: bytes) -> None:
    """A frame, whole and cut, among others, with the compiled loops and without."""
    link, frame = seeds.LINKS[data[0] % len(seeds.LINKS)] if data else 1, data[1:]
    cut = len(data) * 40503 % (len(frame) + 1)

    def read() -> list[bytes]:
        found = headers_of([frame, frame[:cut], frame[:cut], frame[cut:]], link,
                           [len(frame), len(frame), cut, len(frame)])
        return [column.tobytes() for column in found.columns()]

    looped, plain = compiled_and_not(read)
    assert looped == plain


def loops(data: bytes) -> None:
    """A file of any bytes, with the compiled loops and without."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "x")
        path.write_bytes(data)
        looped, plain = compiled_and_not(lambda: index_of(path))
    assert looped == plain
