"""What a protocol is to the rest of the program: the one interface that trace, views and commands know.

A `Protocol` says how it is recognised and read, and holds ONE table of fields, from which the display filter,
the JSON objects and the detail tree are made. What runs on TCP is read by a `Decoder`; what stands in one
packet (DNS in UDP, ARP, ICMP) by a `PacketReader`. The trace names no protocol (import-linter holds it); of
the views those alone that are about one: the upgrade to WebSocket, HAR, what is asked again by curl.

    streams of a connection ─> sniff ─> Start ─> Decoder ─> records ─> fields, summaries, payloads, findings
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, MutableSequence, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, NamedTuple, NewType, TypeVar, cast, get_args
from typing import Protocol as Interface

from inspector.model.language import Sentence, sentence
from inspector.model.messages import Message
from inspector.model.numbers import ICMP, ICMPV6, TCP, UDP
from inspector.model.packets import Row
from inspector.wire.arrays import Int64s
from inspector.wire.findings import Finding, FirstFindings, Folded, Rulebook
from inspector.wire.keylog import KeyLog
from inspector.wire.tcp.delivery import Pump, Run
from inspector.wire.tcp.stream import ByteStream
from inspector.wire.text import worded

MessageIndex = NewType("MessageIndex", int)      # of one decoder's messages, from 0: all code
MessageNumber = NewType("MessageNumber", int)    # of the messages of a connection, from 1: people, JSON


def message_at(place: int) -> MessageIndex:
    """The message at `place` (from 0) among its decoder's."""
    return MessageIndex(place)


def message_number(index: int) -> MessageNumber:
    """The number of the message at `index` (from 0) of a list."""
    return MessageNumber(index + 1)


def number_column() -> MutableSequence[MessageNumber]:
    """A column in which numbers of messages are kept, four bytes each."""
    return cast("MutableSequence[MessageNumber]", array("I"))


def message_index(number: MessageNumber) -> MessageIndex:
    """The message with this number, where a connection's messages are all one decoder's."""
    return MessageIndex(number - 1)


def message_numbers(start: int, stop: int) -> Sequence[MessageNumber]:
    """The numbers of the messages at `start` to before `stop` (from 0)."""
    return cast("Sequence[MessageNumber]", range(start + 1, stop + 1))


Value = int | str | bytes
Type = Literal["number", "flag", "text", "bytes", "seconds", "protocol"]
Carrier = Literal["tcp", "udp", "arp", "icmp", "icmpv6"]
CARRIERS: tuple[Carrier, ...] = get_args(Carrier)
CARRIER_OF: dict[int, Carrier] = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMPV6: "icmpv6"}    # by IP's number
Colour = Literal["", "dim", "data", "exchange", "messages", "udp", "icmp"]
"""Roles in colour schemes, each a style of the views.

"exchange": requests and answers; "messages": what either end may send at any time.
"""

CERTAIN, LIKELY, GUESSED, LATE = 90, 60, 30, 10
"""How sure a sniffer is: by a rule nothing else keeps, by a strong sign, by evidence, by searching on."""


class Cut(NamedTuple):
    """What the capture cut off packet `row`: bytes [start, stop) of a stream; `snaplen`: how many it kept."""

    row: Row
    start: int
    stop: int
    snaplen: int

    @property
    def words(self) -> Sentence:
        """In words."""
        return sentence("cut by the capture, snaplen {snaplen}", snaplen=self.snaplen)


class Source(Interface):
    """What a decoder may ask of the conversation that it reads."""

    @property
    def streams(self) -> tuple[ByteStream, ByteStream]:
        """What a sent, and what b did."""

    @property
    def limit(self) -> int:
        """Bytes to which one compressed message may inflate."""

    @property
    def secrets(self) -> KeyLog:
        """Secrets of TLS sessions, as far as they are known."""

    def rows_of(self, direction: int, start: int, stop: int) -> tuple[Row, ...]:
        """Rows of the packets that brought bytes [start, stop) of a direction, in order of offset."""

    def missing_in(self, direction: int, start: int, stop: int) -> int:
        """How many bytes of [start, stop) of a direction the capture lacks."""

    def cut_in(self, direction: int, start: int, stop: int) -> Cut | None:
        """The first packet that the capture cut short at an offset in [start, stop) of a direction."""

    def time_of(self, row: Row) -> int:
        """Time of a packet, nanoseconds since the epoch."""

    def acknowledged(self, direction: int, rows: Int64s) -> Int64s:
        """For packets of a direction: the offsets of the other stream up to which they acknowledge."""

    def acknowledged_by(self, row: Row) -> int:
        """The offset of the other direction's stream up to which packet `row` says that it has all bytes."""

    def sent_to_others(self, direction: int) -> Sequence[bytes]:
        """First bytes that the end of a direction sent to others, from the same address and port."""


class Opening(NamedTuple):
    """What a sniffer sees: both streams, and the ports of a (which sent first) and b."""

    streams: tuple[ByteStream, ByteStream]
    ports: tuple[int, int]


class Start(NamedTuple):
    """Where a protocol begins: the client's direction and the stream offset in each direction.

    `protocol`: another one's name, where the sniffer knows that its own is over already; of a successor ""
    where it has to be found out (after a preface, in a tunnel). `agreed`: what an earlier protocol of the
    connection has agreed upon, for the decoder that follows. `base`: where in the streams all that the
    sniffer looked at begins.
    """

    client: int
    offsets: tuple[int, int]
    sure: int = LIKELY
    protocol: str = ""
    agreed: object = None
    base: tuple[int, int] = (0, 0)

    def from_the_start(self, streams: tuple[ByteStream, ByteStream]) -> bool:
        """Whether nothing was sent before what the decoder reads, but for an earlier protocol."""
        return self.offsets == self.base and all(stream.start_known for stream in streams)


class Hole(NamedTuple):
    """Bytes [start, stop) of a direction that the capture lacks for good; `row` brings what follows."""

    row: Row
    direction: int
    start: int
    stop: int


class Record(Interface):
    """One unit on a stream that fields are read from: an HTTP message, a WebSocket frame, a reply."""

    @property
    def direction(self) -> int:
        """0: a to b, 1: b to a."""

    @property
    def start(self) -> int:
        """Stream offset of its first byte."""

    @property
    def stop(self) -> int:
        """Stream offset after its last byte so far."""


_RECORD = 500            # bytes of memory that a record takes, about, where its decoder does not say
R = TypeVar("R", bound=Record)
T = TypeVar("T")


class MessageLine(NamedTuple):
    """One message as a list shows it. Texts are safe to show.

    `size` in bytes as the receiver means it; `parts`: how many records it opens to (0: none worth it).
    """

    direction: int
    kind: str                        # "TEXT", "GET", "200", "SET"
    text: str
    size: int
    rows: tuple[Row, ...]            # packets that carry it, ascending
    marks: tuple[str, ...] = ()      # "2 frames", "unfinished"
    troubled: bool = False           # there is a finding about it
    control: bool = False            # it serves the connection, not its user (ping, close)
    parts: int = 0


class Shown(NamedTuple):
    """A message laid out for reading: lines of a head (safe to show), then what it carries (as it came).

    `note`: in words (safe to show), what of it is not laid out, and why.
    """

    head: tuple[str, ...]
    body: bytes = b""
    binary: bool = False
    note: str = ""


class Rest(NamedTuple):
    """What bytes are that stand in no message, in words; `final`: they never will."""

    text: str
    final: bool = False


class Abandoned(NamedTuple):
    """A request that its sender gave up by a word of the protocol: positions of it and of that record.

    `how`: the word. `heard`: whether its answer had begun.
    """

    position: int
    by: int
    how: str
    heard: bool


class Decoder(ABC, Generic[R]):
    """One protocol's reading of one connection, without I/O: streams in, records out.

    A subclass fills `records`, in the order in which they came, and overrides what differs. The engine calls
    `take` when there may be more, `lose` for what the capture lacks, `end` once when all was read.
    """

    client: int
    inferred = False                 # its beginning was not captured, and it was told by its form
    over = False                     # what follows is of no protocol that is told here
    left = ""                        # what follows its last message, in words, safe to show
    successor: Start | None = None   # the connection goes on with another protocol
    inside: Source | None = None     # what it carries, opened: streams of their own
    beside: Beside | None = None     # records of another protocol that it reads with its own
    seals = False                    # what it carries goes encrypted
    grouped = False                  # a packet is told by its messages, not by their records
    explained_end = False                 # it said why the connection ends: that it ends needs no word of TCP
    in_turn = True                   # requests are answered one after the other, as they were asked
    cut_short: frozenset[str] = frozenset()  # rules about a request or an answer that the end cut short

    def __init__(self, source: Source, pump: Pump, start: Start) -> None:
        self.source, self.pump, self.client = source, pump, start.client
        self.findings = FirstFindings()
        self._findings_given = 0          # findings that were passed on
        self._starts: tuple[list[tuple[int, int]], ...] = ([], [])           # (start, position) of records
        self._indexed = 0

    # --- reading -----------------------------------------------------------------------------------

    @abstractmethod
    def take(self) -> bool:
        """Read what `pump` has from its position on, and move it; True when there was something."""

    @abstractmethod
    def lose(self, hole: Hole) -> bool:
        """Go on after a hole, with the position behind it; False when it is of no concern."""

    def knows_more(self, run: Run) -> bool:
        """Whether who sent `run` had bytes of the other end then that were not read here as yet."""
        direction, start, _ = run
        rows = self.source.rows_of(direction, start, start + 1)
        return bool(rows) and self.source.acknowledged_by(rows[0]) > self.pump.position[1 - direction]

    def wants(self, direction: int) -> bool:
        """False while bytes of the direction wait for the other side, or are read no more."""
        return True

    def end(self, first: int, reset: bool) -> None:
        """The connection is over and all was read. `first`: the direction that began to close."""

    def fresh_findings(self) -> list[Finding]:
        """The findings since the last call."""
        found = self.findings[self._findings_given :]
        self._findings_given += len(found)
        return found

    def provisional(self) -> list[Finding]:
        """What can be said already of a record that is not whole."""
        return []

    @property
    def uncounted(self) -> Mapping[str, Folded]:
        """The findings of a rule beyond those that are kept."""
        return self.findings.more

    # --- records -----------------------------------------------------------------------------------

    def let_go(self) -> None:
        """Nobody reads on: give up what refers back here, so that memory is free as soon as nobody asks."""

    @property
    def kept_bytes(self) -> int:
        """About how many bytes of memory its records take."""
        return _RECORD * len(self.records)

    @property
    @abstractmethod
    def records(self) -> Sequence[R]:
        """The records of both directions, in order; positions count from 0."""

    def within(self, direction: int, start: int, stop: int) -> Sequence[int]:
        """Positions of the direction's records that have bytes in [start, stop), in stream order."""
        records, starts = self.records, self._starts[direction]
        for position in range(self._indexed, len(records)):
            one = records[position]
            self._starts[one.direction].append((one.start, position))
        self._indexed = len(records)
        first = max(bisect_right(starts, (start, len(records))) - 1, 0)
        found = [position for _, position in starts[first : bisect_left(starts, (stop, -1))]]
        if found and records[found[0]].stop <= start and records[found[0]].start != start:
            found.pop(0)
        return found

    def rows_of(self, record: R) -> tuple[Row, ...]:
        """Rows of the packets that carry a record."""
        return self.source.rows_of(record.direction, record.start, record.stop)

    def cut(self, record: R) -> Cut | None:
        """What the capture cut off a packet of a record, so that it lacks bytes."""
        end = record.stop + (not getattr(record, "complete", True))
        return self.source.cut_in(record.direction, record.start, end)

    def marked_summary(self, record: R) -> str:
        """Its summary, with a word where the capture cut it."""
        cut = self.cut(record)
        return self.summary(record) if cut is None else worded((self.summary(record), cut.words))

    def counts_from(self, record: R) -> int:
        """The offset up to which bytes complete a record, and make their packet one of its protocol."""
        return record.stop

    def partner(self, position: int) -> int | None:
        """The position of the request that a record answers, or of the answer to it."""
        return None

    def unanswered(self) -> Sequence[int]:
        """Positions of the requests that certainly have no answer as yet, in order."""
        return ()

    def closing_words(self, direction: int) -> range:
        """The positions in which a direction's last records stand, where these serve the connection alone.

        Nothing is lost with them: all requests have their whole answers. Others may stand between them.
        """
        return range(0)

    def abandoned(self, since: int) -> Sequence[Abandoned]:
        """The requests that were given up on a connection that goes on, from the one at `since` on."""
        return ()

    def holds(self, position: int) -> bool:
        """Whether a request asks for an answer that comes late: a read that blocks, a long poll."""
        return False

    def endless(self) -> int | None:
        """The position of the last answer, where more may come of it or only the connection ends it."""
        return None

    def kept_open(self, position: int, silent: str, *, left: bool) -> Finding | None:
        """What to say of it, whose sender was silent for so long, and open; `left`: its receiver closed."""
        raise NotImplementedError

    def payload(self, record: R, limit: int) -> bytes:
        """What `contains` and `matches` search in a record."""
        stop = min(record.stop, record.start + limit)
        return self.source.streams[record.direction].read(record.start, stop)

    def repeatable(self, position: int, limit: int) -> Message | None:
        """The message that a composer of ours would say again of a record, `limit` bytes at most.

        None: what its packets carry is said again as it stands, byte by byte.
        """
        return None

    @abstractmethod
    def summary(self, record: R) -> str:
        """A record in one line, safe to show: `GET /chat  Upgrade: websocket`."""

    def short(self, record: R) -> str:
        """The same for a packet that only goes on with the record."""
        return self.summary(record)

    def heading(self, record: R) -> tuple[str, str]:
        """The title of a record's subtree in the detail, and what it says."""
        return type(self).__name__.removesuffix("Decoder"), self.summary(record)

    def parts(self, record: R) -> Sequence[Part]:
        """What the detail shows of a record beside the table of fields: each header, each bit."""
        return ()

    # --- messages: what a person reads; by default every record is one ----------------------------------

    @property
    def count(self) -> int:
        """How many messages there are."""
        return len(self.records)

    @property
    def turns(self) -> Sequence[int]:
        """With `beside`, how messages of both follow each other: n is message n here, ~n of the other."""
        return range(self.count)

    def complete(self, index: MessageIndex) -> bool:
        """Whether message `index` has ended."""
        return True

    def under_way(self, direction: int) -> MessageIndex | None:
        """The message of a direction that may still grow; None where there is none."""
        return None

    def rest(self, direction: int) -> Rest:
        """What bytes of a direction are that stand behind its last message."""
        if self.over or not self.wants(direction):
            return Rest(self.left or "not read any further", True)
        return Rest("the beginning of a message that has not ended")

    def span(self, index: MessageIndex) -> tuple[int, int, int]:
        """(direction, start, stop) of message `index`: all its bytes."""
        record = self.records[index]
        return record.direction, record.start, record.stop

    def message_of(self, position: int) -> MessageIndex:
        """The message that record `position` belongs to."""
        return message_at(position)

    def records_of(self, index: MessageIndex) -> Sequence[int]:
        """Positions of the records that make message `index`, ascending."""
        return (index,)

    def line(self, index: MessageIndex) -> MessageLine:
        """Message `index` for a list."""
        record = self.records[index]
        rows = tuple(sorted(self.rows_of(record)))
        return MessageLine(record.direction, "", self.summary(record), record.stop - record.start, rows)

    def message_summary(self, index: MessageIndex) -> str:
        """Message `index` in one line, safe to show, for the packet in which it begins."""
        return self.line(index).text

    def part_line(self, record: R) -> str:
        """One record of a message that opens to several."""
        return self.summary(record)

    def content(self, index: MessageIndex, limit: int) -> bytes:
        """What message `index` says, as a search in the list of messages looks at it."""
        direction, start, stop = self.span(index)
        return self.source.streams[direction].read(start, min(stop, start + limit))

    def shown(self, index: MessageIndex, limit: int) -> Shown:
        """Message `index` laid out for reading."""
        return Shown((self.line(index).text,))


class Beside(NamedTuple):
    """Another protocol's decoder, which reads in the same streams what a decoder gives to it."""

    protocol: str
    decoder: Decoder[Any]


class Part(NamedTuple):
    """A line of the detail tree. [start, stop) are bytes of the record's stream."""

    name: str
    label: str
    value: str
    start: int
    stop: int
    bit_start: int | None = None
    bit_stop: int | None = None
    children: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Field(Generic[T]):
    """One field of a protocol: asked by the filter, printed as JSON, shown in the detail.

    `get(decoder, record)` gives its values, none where the record has no such field (for packets the decoder
    is None); `alone`: of a `TurnRecord` they are always the same, whatever stands around it, so that
    `Scan.reader()` will do as the decoder. `json` is its key there, "" where it is no part of the object;
    `many` makes it a list, which with `empty` stands there without elements too.
    `label` and `place` (bytes of the stream) put it into the detail; without a label it is not
    there. Values of type "seconds" are nanoseconds, as the filter compares them.
    """

    name: str
    type: Type
    get: Callable[[Any, T], Sequence[Any]]
    label: str = ""
    json: str | None = None          # None: the name
    many: bool = False
    empty: bool = False
    bits: int = 64
    place: Callable[[T], tuple[int, int]] | None = None
    filtered: bool = True
    alone: bool = False

    @property
    def key(self) -> str:
        """Its key in a JSON object; "" where it has none."""
        return self.name if self.json is None else self.json


@dataclass(frozen=True, slots=True)
class SentRecord(Generic[T]):
    """One record of a conversation of datagrams: its packet, which end sent it, when, and what it says.

    `whole`: the capture has all of its bytes.
    """

    row: Row
    direction: int
    time_ns: int
    record: T
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Pairing(Generic[T]):
    """Which records in packets of a conversation answer each other: those of one `identity`.

    `time`, `request`, `response`: the filter's fields for how long an answer took, the packet that it
    answers, and the packet that answers.
    """

    identity: Callable[[T], object]
    answers: Callable[[T], bool]
    time: str
    request: str
    response: str


@dataclass(frozen=True, slots=True)
class PacketReader(Generic[T]):
    """Reads what stands in one packet. `ports`: of UDP, by which it is known.

    `read(data, hops)` gives a record or None for any bytes; `data` begins with the protocol's own header,
    `hops` is the byte of the IP header that counts hops (b"" where there is none).
    `judge(sent, end_ns)` looks at all records of one conversation, up to when the capture went on.
    Readers that share a `pairing` read records that may answer each other.
    """

    carrier: Carrier
    read: Callable[[bytes, bytes], T | None]
    info: Callable[[T], str]
    ports: tuple[int, ...] = ()
    judge: Callable[[Sequence[SentRecord[Any]], int], list[Finding]] | None = None
    pairing: Pairing[T] | None = None


class TurnRecord(Interface):
    """A record that one turn of an end is: `record` has the offsets that it would have as the first one."""

    @property
    def record(self) -> Any:
        """The record."""


L = TypeVar("L", bound=TurnRecord)


class Turns(NamedTuple):
    """What both ends of a conversation said in turn, a first, of which the capture may lack something.

    `sent`: of each turn the bytes up to the first that lack; `sizes`: how many it has, of the last one as
    far as it came. `kept`: how many bytes the capture has of the packet that lacks the first, 0: none does.
    `packets(number)`: the packets of a turn, as far as they are there, and whether the last one is whole.
    Without it each turn is one packet.
    """

    sent: Sequence[bytes]
    sizes: Sequence[int]
    kept: Sequence[int]
    packets: Callable[[int], tuple[Sequence[bytes], bool]] | None


class Loose(NamedTuple):
    """What such turns are: a record each, None where too much lacks for one.

    `partners`: by turn the turn of the record that answers it or is answered by it, -1: none. `whole`:
    nothing of the last record is still to come. `early`: turns that count for their first packet.
    """

    records: Sequence[Any]
    partners: Sequence[int]
    whole: bool
    early: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Scan(Generic[L]):
    """Reads conversations in which each turn of an end is one record, in turn, and nothing is wrong.

    `turns(sent)`: what each turn is, a's first; None: perhaps it is another protocol's, or something is
    wrong. Turns that are alike in all that is printed of them give one and the same object, mostly.
    `decoder(source, records, turns)`: a decoder that has all these records, the same as one that reads.
    `reader()`: what fields take for the decoder of a record that is `TurnRecord`, and who sums it up.
    `begins(head)`: whether a conversation of which these are the first bytes is worth being read for it.
    `loose(turns)`: the same as `turns` where the capture lacks bytes of what was sent, or the end; None: it
    has to be decoded. `loose_decoder(source, found, turns)`: its decoder.
    """

    turns: Callable[[Sequence[bytes]], Sequence[L] | None]
    decoder: Callable[[Source, Sequence[L], Sequence[bytes]], Decoder[Any]]
    reader: Callable[[], Decoder[Any]]
    begins: Callable[[bytes], bool]
    loose: Callable[[Turns], Loose | None]
    loose_decoder: Callable[[Source, Loose, Turns], Decoder[Any]]


@dataclass(frozen=True, slots=True)
class Protocol:
    """One protocol. `name` is Wireshark's (in the filter, in JSON); `colour` its role in colour schemes.

    A `decoder` reads it on TCP, a `packets` reader where it stands in one packet; DNS has both.
    `plain(asked, answered)`: whether all that a and b said, from a SYN on and without holes, is certainly of
    this protocol from the first byte to the last, and a list needs no decoder; False: perhaps not.
    `scan`: the same of what both ends said in turn, with all records, in which nothing is wrong.
    `within`: the protocol that carries it, and whose decoder gives it what to read (see `Beside`).
    `ordered`: whether its records are listed by their first or last byte. `pairs`: they answer each other.
    """

    name: str
    title: str
    colour: Colour
    fields: tuple[Field[Any], ...] = ()
    sniff: Callable[[Opening], Start | None] | None = None
    decoder: Callable[[Source, Pump, Start], Decoder[Any]] | None = None
    plain: Callable[[bytes, bytes], bool] | None = None
    scan: Scan[Any] | None = None
    packets: PacketReader[Any] | None = None
    book: Rulebook = field(default_factory=Rulebook)
    ordered: Literal["first", "last"] = "first"
    pairs: bool = False
    within: str = ""
    record: str = "message"          # what one JSON object stands for, in words

    @property
    def carriers(self) -> tuple[Carrier, ...]:
        """What it rides on."""
        packets = (self.packets.carrier,) if self.packets else ()
        return (*packets, "tcp") if self.decoder or self.within else packets
