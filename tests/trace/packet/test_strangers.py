"""Short conversations in which nothing known is spoken are told as if each of them had been decoded."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from unittest.mock import patch

import pytest

from inspector.cli.exports import export_of
from inspector.trace.application.application import ApplicationLayers
from inspector.trace.application.known import Known
from inspector.trace.application.strangers import Strangers
from inspector.trace.trace import Trace
from tests.support.captures.hostile import CASES, pcap
from tests.support.captures.tcp import segment
from tests.support.tiers import sweep

EXPORTS = "findings", "packets", "conversations", "http", "redis"
FLAGS = "A", "PA", "A", "PA", "FA", "R", "RA", "S", "SA", "", "F", "SF"
NUMBERS = 0, 1, 5, 1000, 0xFFFFFFFF, 0xFFFFFFFE, 1 << 31
PAYLOADS = (
    b"", b"x", b"\x80\x81\x82", b"G", b"GET ", b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n",
    b"hello\n", b"+OK\r\n", b"*1\r\n$4\r\nPING\r\n", b"PING\r\n", b"\x16\3\1", b"\5\1\0",
    b"\xc3\xa9 \xff", b"z" * 90, b"PRI * HTTP/2.0\r\n\r\n", b"\x81\x02hi", b"Q\0\0\0\6a\0",
)
PORTS = 80, 6379, 1883, 3306, 5432, 1080, 9


def capture(seed: int) -> bytes:
    """Many conversations of a few packets, with any flags, numbers and words; ports used again, too."""
    chance, frames = Random(seed), []
    for number in range(250):
        ports = 40000 + number % 230, chance.choice(PORTS)
        straight, place = chance.random() < 0.6, [chance.choice(NUMBERS), chance.choice(NUMBERS)]
        for turn in range(chance.choice((1, 1, 1, 2, 2, 3, 6))):
            end, data = chance.randrange(2) if turn else 0, chance.choice(PAYLOADS)
            flags = chance.choice(("A", "PA")) if straight else chance.choice(FLAGS)
            seq, ack = (place[end], place[1 - end]) if straight else (
                chance.choice(NUMBERS), chance.choice((*place, 0)))
            window = chance.choice((0, 1, 500, 500, 500))
            frame = segment(end, flags, seq, ack, data, ports=ports, window=window)
            frames.append((number + chance.random() * 4, frame))
            place[end] = (place[end] + len(data)) & 0xFFFFFFFF
    return pcap(frame for _, frame in sorted(frames))


def printed(path: Path) -> dict[str, list[str]]:
    """All lines, as they are printed many at a time."""
    found = {}
    for name in EXPORTS:
        export = export_of(name)
        assert export is not None
        with Trace.open(path) as trace:
            trace.finish()
            found[name] = [line for lines in export.lines(trace, None) for line in lines]
    return found


def as_decoded(path: Path) -> dict[str, list[str]]:
    """The same where nobody knows of strangers."""
    with patch.object(Known, "is_strange", lambda self, stream: False), \
            patch.object(Strangers, "is_alone", lambda self, stream: False):
        return printed(path)


@sweep("seed", range(40), usual=lambda seed: seed < 2)
def test_they_are_told_as_if_they_were_decoded(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(capture(seed))
    assert printed(path) == as_decoded(path)


@pytest.mark.parametrize("name", ["conversations_of_a_byte", "conversations_of_nothing_known"])
def test_none_of_them_is_decoded(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(CASES[name](6000).data)
    with patch.object(ApplicationLayers, "__init__", side_effect=AssertionError("it was decoded")):
        found = printed(path)
    assert len(found["packets"]) > 100 and not found["findings"] and json.loads(found["conversations"][0])


def test_what_somebody_knows_is_decoded(tmp_path: Path) -> None:
    """Beginnings of protocols among the strangers."""
    path = tmp_path / "x.pcap"
    path.write_bytes(capture(1))
    found = printed(path)
    assert found["http"] and found["redis"] and found["findings"]
