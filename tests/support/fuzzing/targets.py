"""What takes bytes of strangers, a target a line: a function of any bytes, and where a fuzzer begins.

`TARGETS[name].run(data)` raises where something is wrong: no exception but those that say so in a sentence,
texts that are safe to show, places that lie within. `python -m tests.tools.fuzz` finds the bytes; what it
found once stands in tests/data/fuzz, a folder a target, and is tried with the tests.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from inspector.cli.exports import exports
from inspector.kernel.sock_diag import messages, socket_of
from inspector.lab import summary
from inspector.lab.network import commands as relay_commands
from inspector.lessons.asking.functions import compiled
from inspector.lessons.asking.scene import Scene, TooMuchError
from inspector.lessons.asking.syntax import ExpressionError
from inspector.lessons.classroom import tables, tallies
from inspector.lessons.classroom.ballot import Seat
from inspector.lessons.classroom.gather import results_of
from inspector.lessons.classroom.results import ResultsError, learner_of, object_of
from inspector.lessons.classroom.vote_page import vote_page
from inspector.lessons.format.faults import LessonError
from inspector.lessons.format.loader import load
from inspector.lessons.format.page import page
from inspector.model import commands
from inspector.model.packets import Row
from inspector.protocols import REGISTRY
from inspector.protocols.api import PacketReader, SentRecord
from inspector.protocols.http.message import decode_content
from inspector.protocols.http2.hpack import HpackError, Table
from inspector.protocols.websocket.session.deflate import Inflater, parse_extensions
from inspector.trace.filter.filter import Filter, FilterError
from inspector.trace.trace import Trace, TraceError
from inspector.wire import journal
from inspector.wire.dissection.tree import dissect
from inspector.wire.domain_name import read_name
from inspector.wire.headers.names import layers_of
from inspector.wire.keylog import KeyLog
from inspector.wire.strace import StraceReader
from inspector.wire.tcp.options import parse_options
from inspector.wire.text import escaped
from tests.support.captures.frames import headers_of
from tests.support.fuzzing import differences, seeds
from tests.support.fuzzing.conversation import check, read, read_input

TRACES = seeds.DATA / "traces"


class Target(NamedTuple):
    """`run` takes any bytes; `seeds`: inputs to begin with; `longest`: bytes of an input."""

    run: Callable[[bytes], None]
    seeds: seeds.Seeds
    longest: int = 2048


@cache
def _folder() -> Path:
    """Where files stand that readers want as files: in memory, for as long as the process lives."""
    shared = Path("/dev/shm")
    place = tempfile.TemporaryDirectory(prefix="fuzz-", dir=shared if shared.is_dir() else None)
    _kept.append(place)
    return Path(place.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []


@cache
def _capture() -> Trace:
    """What filters and expressions are asked about."""
    trace = Trace.open(TRACES / "websocket.pcapng")
    trace.finish()
    return trace


def capture(data: bytes) -> None:
    """A file of any kind that is read, and all that `decode --json` prints of it."""
    def printed(trace: Trace) -> None:
        for export in exports():
            for _ in export.objects(trace, None):
                pass

    _read(data, printed)


def index(data: bytes) -> None:
    """The same without what is made of the packets."""
    def whole(trace: Trace) -> None:
        assert len(trace.index.time_ns) == trace.index.count

    _read(data, whole)


def _read(data: bytes, look: Callable[[Trace], None]) -> None:
    """Look at a file of these bytes, all of it; what is no capture says so in a sentence."""
    path = _folder() / "x"
    path.write_bytes(data)
    try:
        with Trace.open(path) as trace:
            trace.finish()
            assert (trace.truncated or "").isprintable()
            look(trace)
    except TraceError as error:
        assert str(error).isprintable()


def headers(data: bytes) -> None:
    """Columns of frames that stand one after the other, each cut in its middle too."""
    link, frame = seeds.LINKS[data[0] % len(seeds.LINKS)] if data else 1, data[1:]
    found = headers_of([frame, frame[: len(frame) // 2], frame[: len(frame) // 2]], link,
                       [len(frame), len(frame), len(frame) // 2])
    alone = headers_of([frame], link)
    for column in ("l3", "l4", "payload", "payload_length", "protocol", "sport", "seq", "status"):
        assert getattr(found, column)[0] == getattr(alone, column)[0], column
    for place in layers_of(frame, link):
        assert 0 <= place.start <= len(frame)


def dissection(data: bytes) -> None:
    link, frame = seeds.LINKS[data[0] % len(seeds.LINKS)] if data else 1, data[1:]
    at = 0
    for layer in dissect(frame, link).layers:
        assert layer.start == at and layer.label.isprintable() and layer.value.isprintable()
        at = layer.stop
        for field in layer.children:
            assert 0 <= field.start <= field.stop <= len(frame) and field.value.isprintable()
    assert at == len(frame)


def conversation(data: bytes, protocol: str = "") -> None:
    """A TCP conversation; `protocol`: told to be spoken in it."""
    check(read(read_input(data), seeds.secrets(), protocol=protocol))


def packet(data: bytes, reader: PacketReader[object]) -> None:
    """What stands in one packet, and all of a conversation of two such."""
    hops, whole = data[:1], data[1:]
    sent = []
    for row, part in enumerate((whole, whole[: len(whole) // 2])):
        record = reader.read(part, hops)
        if record is not None:
            assert reader.info(record).isprintable()
            protocol = next(one for one in REGISTRY if one.packets is reader)
            for field in protocol.fields:
                list(field.get(None, record))
            sent.append(SentRecord(Row(row), row, row, record))
    if reader.judge is not None:
        for one in reader.judge(sent, 10**10):
            assert one.text.isprintable()


def display_filter(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    try:
        asked = Filter(text)
    except FilterError as error:
        assert str(error).isprintable() and 0 <= error.position <= len(text)
        error.marked()
        return
    rows = asked.rows(_capture())
    assert all(0 <= row < _capture().index.count for row in rows)


def expression(data: bytes) -> None:
    try:
        asked = compiled(data.decode("utf-8", "surrogateescape"))
    except ExpressionError as error:
        assert str(error).isprintable()
        return
    try:
        asked.of(Scene(_capture()))
    except TooMuchError:
        pass


def lesson(data: bytes) -> None:
    """A lesson of one language: its facts, a NUL, its words."""
    facts, _, words = data.partition(b"\0")
    folder = _folder() / "lesson"
    folder.mkdir(exist_ok=True)
    (folder / "lesson.toml").write_bytes(facts)
    (folder / "en.md").write_bytes(words)
    try:
        load(folder)
    except LessonError as error:
        assert error.faults and all(one.sentence.isprintable() and one.line >= 1 for one in error.faults)
    safe = "\n".join(map(escaped, words[:2000].split(b"\n")))        # as the loader does
    for line in page(safe, 60):
        assert all(map(str.isprintable, (text for text, *_ in line)))


def classroom(data: bytes) -> None:
    """What a learner hands in, and the question of a vote."""
    try:
        learners, counted = results_of(data)
        found = [(one, escaped(one.name)) for one in learners]
    except ResultsError as error:
        assert str(error).isprintable()
    else:
        rows = [tables.csv_line(row) for row in (*tables.lesson_rows(found), *tables.step_rows(found))]
        assert all(map(str.isprintable, (*rows, *tables.class_lines(found, (), "en", 100))))
        assert [learner_of(object_of(one)) for one, _ in found] == [one for one, _ in found]
        assert all(map(str.isprintable, tables.tally_lines(counted, (), "en", 100)))
        assert [tallies.tally_of(tallies.object_of(one)) for one in counted] == counted
    folder = _folder() / "class"
    (folder / "votes").mkdir(parents=True, exist_ok=True)
    (folder / "votes" / "ballot.json").write_bytes(data)
    ballot = Seat(folder, "one").ballot()
    for line in vote_page(ballot, None, "en", 60).lines:
        assert all(map(str.isprintable, (text for text, *_ in line)))


def lines(data: bytes) -> None:
    """A line to agent and endpoints, to the relay, of the journal, of the agent's end."""
    with in_a_sentence():
        command = commands.from_line(data)
        assert commands.from_line(commands.to_line(command)) == command
    with in_a_sentence():
        relay_commands.from_line(data)
    with in_a_sentence():
        record = journal.from_line(data)
        assert journal.from_line(journal.to_line(record)) == record
        journal.to_fields(record)
    with in_a_sentence():
        summary.from_line(data.decode("utf-8", "replace"))


@contextmanager
def in_a_sentence() -> Iterator[None]:
    """A ValueError says in one line what is wrong."""
    try:
        yield
    except ValueError as error:
        assert str(error) and "\n" not in str(error)


def hpack(data: bytes) -> None:
    """Blocks of headers that rest on each other, each behind a byte that tells its length."""
    table, at = Table(), 0
    while at < len(data):
        block = data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
        try:
            found, _ = table.read(block)
        except HpackError as error:
            assert str(error)
            table.lose()
            continue
        assert all(0 <= one.start <= one.stop <= len(block) for one in found)


def inflation(data: bytes) -> None:
    """Messages of permessage-deflate, whole and in pieces; the codings of HTTP."""
    options, body = data[0] if data else 0, data[1:]
    once, pieces = (Inflater(8 + options % 8, bool(options & 8), 1 << 18) for _ in range(2))
    for message in body.split(b"\xff\xfe\xfd"):
        whole = once.feed(message, final=True)
        middle = len(message) // 2
        parts = pieces.feed(message[:middle], final=False) + pieces.feed(message[middle:], final=True)
        assert once.problem == pieces.problem and (once.problem == "data" or parts == whole)
        once.end()
        pieces.end()
    codings = (["gzip"], ["deflate"], ["zstd"], ["gzip", "deflate"])[options >> 4 & 3]
    assert len(decode_content(body, codings, 1 << 18).data) <= max(1 << 18, len(body))


def texts(data: bytes) -> None:
    """The small readers of text."""
    assert escaped(data).isprintable() and len(escaped(data, 20)) <= 20
    KeyLog().add(data)
    for record in StraceReader().take(data + b"\n"):
        assert journal.from_line(journal.to_line(record)) == record
    parse_extensions(data.decode("latin-1"))
    parse_options(data[:40])
    name = read_name(data, min(12, len(data)))
    assert name.fault.isprintable() and name.stop <= len(data)


def kernel(data: bytes) -> None:
    for _, body in messages(data, 1):
        socket_of(body)
    socket_of(data)


_PROTOCOLS = {
    protocol.name: Target(partial(conversation, protocol=protocol.name), seeds.spoken(protocol.name))
    for protocol in REGISTRY if protocol.decoder is not None
}
_PACKETS = {
    f"{protocol.name}-packet": Target(partial(packet, reader=protocol.packets),
                                      seeds.packets_of(protocol.name), 1024)
    for protocol in REGISTRY if protocol.packets is not None
}
TARGETS: dict[str, Target] = {
    "pcap": Target(index, seeds.whole_files(".pcap")),
    "pcapng": Target(index, seeds.whole_files(".pcapng")),
    "compressed": Target(index, seeds.packed),
    "capture": Target(capture, seeds.whole_files(".pcap", ".pcapng")),
    "headers": Target(headers, seeds.frames, 512),
    "dissection": Target(dissection, seeds.frames, 512),
    "conversation": Target(conversation, seeds.spoken()),
    **_PROTOCOLS,
    **_PACKETS,
    "hpack": Target(hpack, seeds.blocks, 1024),
    "inflation": Target(inflation, seeds.bodies, 1024),
    "filter": Target(display_filter, seeds.filters, 300),
    "lesson": Target(lesson, seeds.a_lesson, 4096),
    "classroom": Target(classroom, seeds.a_class, 1024),
    "expression": Target(expression, seeds.expressions, 300),
    "lines": Target(lines, seeds.lines, 600),
    "texts": Target(texts, seeds.some_texts, 600),
    "kernel": Target(kernel, seeds.diagnoses, 600),
    "cuts": Target(differences.cuts, seeds.spoken(), 1024),
    "live": Target(differences.live, seeds.spoken(), 1024),
    "files": Target(differences.files, seeds.spoken(), 1024),
    "loops": Target(differences.loops, seeds.whole_files(".pcap", ".pcapng")),
    "loop-frames": Target(differences.loop_frames, seeds.frames, 512),
}
