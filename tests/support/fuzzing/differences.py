"""The same conversation twice, which has to give the same: cut elsewhere, live, out of a file that grows.

What was told of each way is compared: protocols, records with their fields, messages, findings; of files all
that `decode --json` prints.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from inspector.cli.exports import exports
from inspector.model.numbers import LINK_RAW
from inspector.trace.trace import Trace
from inspector.wire import pcapng
from tests.support.captures.tcp import segment
from tests.support.fuzzing import seeds
from tests.support.fuzzing.conversation import Input, Part, cut, read, read_input, told

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
    whole = told(read(given, known, sizes=WHOLE))
    for sizes in (_sizes(data), [1] if len(data) < 300 else [13]):
        other = told(read(given, known, sizes=sizes))
        assert None in (whole, other) or other == whole, sizes


def live(data: bytes) -> None:
    """The same packets, read one by one and at once."""
    given, known = _begun(data), seeds.secrets()
    sizes = [80 + one for one in _sizes(data)]      # of the first words alone it is guessed what is spoken
    once, live = (told(read(given, known, sizes=sizes, live=live)) for live in (False, True))
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
