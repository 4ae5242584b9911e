"""Any bytes: what real programs said, with bytes changed, taken out, put in, or said by the other end.

No protocol may raise, every record has its place in the stream, and all that views ask for is safe to show.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspector.model.packets import first_rows
from inspector.trace.application.application import ApplicationLayers
from inspector.trace.flows.tcp import TcpFlow
from inspector.wire.keylog import KeyLog
from tests.protocols.every_protocol.test_cutting import SPOKEN, Turn, port_of, secrets_of, turns_of
from tests.support.captures.tcp import MemoryTrace, segment
from tests.support.tiers import sweep


def read(turns: list[Turn], lost: frozenset[int], begun: bool, port: int,
         secrets: KeyLog) -> ApplicationLayers:
    """The application of turns in segments of at most 900 bytes, without the packets `lost`."""
    trace, place, ports = MemoryTrace(secrets=secrets), [1, 1], (40000, port)
    frames = [segment(0, "S", 0, ports=ports), segment(1, "SA", 0, 1, ports=ports)] if begun else []
    for end, data in turns:
        for at in range(0, len(data), 900):
            part = data[at : at + 900]
            frames.append(segment(end, "PA", place[end], place[1 - end], part, ports=ports))
            place[end] += len(part)
    frames += [segment(end, "FA", place[end], place[1 - end] + end, ports=ports) for end in (0, 1)]
    frames = [frame for number, frame in enumerate(frames) if number not in lost]
    trace.add(frames, list(range(len(frames))))
    return ApplicationLayers(trace, TcpFlow(trace, 0))


def check(application: ApplicationLayers) -> None:
    for layer in application.layers:
        decoder: Any = layer.decoder
        for position, record in enumerate(decoder.records):
            assert record.start <= record.stop
            assert decoder.summary(record).isprintable() and decoder.short(record).isprintable()
            assert all(text.isprintable() for text in decoder.heading(record))
            assert all(part.value.isprintable() for part in decoder.parts(record))
            assert decoder.partner(position) is None or 0 <= decoder.partner(position) < len(decoder.records)
            for field in layer.protocol.fields:
                list(field.get(decoder, record))
        for number in range(decoder.count):
            line = decoder.line(number)
            assert line.kind.isprintable() and line.text.isprintable()
            assert position_of(decoder, number) == number
            decoder.shown(number, 2000), decoder.content(number, 2000), decoder.complete(number)
    for row in first_rows(20):
        if row < len(application._trace.index.time_ns):
            assert application.info(row).isprintable()
    assert all(one.text.isprintable() for one in application.findings)


def position_of(decoder: Any, number: int) -> int:
    return int(decoder.message_of(decoder.records_of(number)[0]))


CHANGES = st.lists(st.tuples(st.integers(0, 1 << 16), st.sampled_from(["set", "cut", "put", "say"]),
                             st.binary(min_size=1, max_size=6)), max_size=5)


def changed(turns: list[Turn], changes: list[tuple[int, str, bytes]]) -> list[Turn]:
    found = list(turns)
    for place, how, data in changes:
        number = place % len(found)
        end, sent = found[number]
        at = (place // 7) % (len(sent) + 1)
        found[number] = {
            "set": (end, sent[:at] + data + sent[at + len(data) :]), "cut": (end, sent[:at] + sent[at + 3 :]),
            "put": (end, sent[:at] + data + sent[at:]), "say": (1 - end, sent),
        }[how]
    return [(end, sent) for end, sent in found if sent]


@sweep(("path", "most"), [(path, most) for most in (13, 40) for path in SPOKEN], lambda case: case[1] < 40,
       ids=lambda one: one.stem if isinstance(one, Path) else str(one))
def test_any_bytes_give_records_or_findings(path: Path, most: int) -> None:
    turns, secrets = turns_of(path), secrets_of(path)

    @settings(max_examples=most, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(CHANGES, st.frozensets(st.integers(0, 30), max_size=3), st.booleans(),
           st.sampled_from(sorted({80, 53, 1080, 1883, 5432, 6379, port_of(path)})))
    def holds(changes: list[tuple[int, str, bytes]], lost: frozenset[int], begun: bool, port: int) -> None:
        spoilt = changed(turns, changes)
        if spoilt:
            check(read(spoilt, lost, begun, port, secrets))

    holds()
