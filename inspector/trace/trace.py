"""A trace: one capture file, its index, and what was found in it.

`Trace.open` reads only the header; `refresh` reads on in slices and again whenever the file has grown;
views take columns from `index` and bytes from `frame`. Flows and applications of conversations are made
when somebody asks for them, and kept.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from inspector.model.endpoint import Transport
from inspector.model.numbers import LINK_NAMES, READ_LINKS, TCP
from inspector.model.packets import BEFORE, Row
from inspector.model.records import Call, Event, KernelSample, Statistics
from inspector.trace.application import decode_as
from inspector.trace.application.application import ApplicationLayers
from inspector.trace.application.datagrams import findings_of_datagrams, worth_judging
from inspector.trace.application.known import Known
from inspector.trace.contents.comments import Comments
from inspector.trace.contents.contents import Contents
from inspector.trace.file.keylog import KeyLogFiles
from inspector.trace.file.plain import Writer
from inspector.trace.file.reader import SLICE, Reader
from inspector.trace.file.source import TraceError, open_source
from inspector.trace.file.window import Window, are_scattered
from inspector.trace.flows.kept import BUDGET, Kept
from inspector.trace.flows.tcp import TcpFlow
from inspector.trace.flows.together.ahead import Ahead
from inspector.trace.flows.turns import AT_ONCE, Turns, UndecodedError
from inspector.trace.flows.udp import UdpFlow
from inspector.trace.index.conversations import (
    PROTOCOLS,
    ConversationColumns,
    ConversationRow,
    RowLists,
    conversation_columns,
    conversations,
    grown,
)
from inspector.trace.index.fates import Fates
from inspector.trace.index.index import Index
from inspector.wire.arrays import Int64s
from inspector.wire.findings import Finding
from inspector.wire.keylog import KeyLog
from inspector.wire.pcapng import Interface

__all__ = ["Trace", "TraceError"]


_LAST_WORDS = 32         # events at the end among which a program's end is looked for
_PATIENCE = 1.5          # seconds of waiting for who writes at this moment
_BUDGET = 160 << 20      # bytes, about, that commands keep of decoded conversations; by turns it is chosen
_CONVERSATION, _PACKET = 20_000, 100       # bytes that flow and application take, about, and for each packet


def searched_words(count: int) -> str:
    """That `count` large messages were searched in part alone; "" for none."""
    if not count:
        return ""
    what = f"{count:,} messages are large and were" if count > 1 else "1 message is large and was"
    return f"{what} searched from the beginning only, up to a limit; more of them may match."


class Trace:
    """One capture file and all that was read of it so far. Not for several threads at once."""

    def __init__(self, path: str | Path, following: bool = False) -> None:
        self.path = path if str(path) == "-" else Path(path)
        self.name = "standard input" if str(path) == "-" else Path(path).name
        self.following = following     # somebody still writes: a half-written end is no fault
        self._source = open_source(path)
        self._window = Window(self._source)
        self._contents = Contents()
        self._reader = Reader(self._source, self.name, self._contents)
        self._rows = RowLists(self._contents.index)
        self.ahead = Ahead(self._contents.index, self._rows.of, self.pieces)
        self._last: tuple[Row, bytes] = (BEFORE, b"")
        self._truncation_before: str | None = None       # the sentence of it when it was refreshed last
        self.turns: Turns | None = None        # conversations are decoded by turns
        self._applications = Kept(lambda stream: ApplicationLayers(self, self._flow(stream)))
        self._flows = Kept(lambda stream: TcpFlow(self, stream, self._grant), self._cost, self._drop, _BUDGET)
        self.known = Known(self, self._flow, self._applications, self._rows)
        self.given_back = 0                    # bytes, about, of what was decoded
        self._dropped: list[TcpFlow | ApplicationLayers] = []       # whom nobody asks any more, by turns
        # (protocol, packet) of messages too large to be searched whole, by the filter that looked last
        self.searched_in_part: set[tuple[str, Row]] = set()
        self._datagrams = Kept(lambda stream: UdpFlow(self, stream))
        self._fates = Fates()
        self._keylogs = KeyLogFiles()
        self._decoded_by: object = None      # secrets and rules by which conversations were decoded

    @classmethod
    def open(cls, path: str | Path, following: bool = False) -> Self:
        """Open the capture at `path` (`-`: standard input) and read its header, no more.

        TraceError (one sentence) where it is missing, unreadable, or no capture. Waits for a stream's first
        bytes. `following`: another process is still writing, so it may even be empty yet, and nothing is
        waited for.
        """
        trace = cls(path, following)
        try:
            if not trace._reader.begin() and not following:
                trace._finish_head()
        except BaseException:
            trace.close()
            raise
        return trace

    def _finish_head(self) -> None:
        """A file that is all there but too short, or a stream that has not begun to flow."""
        while not self._reader.begin():
            if self._source.all_there:
                fault = "too short to be a capture" if self._reader.size else "empty"
                raise TraceError(self._source.problem or self._source.cut or f"{self.name} is {fault}.")
            self._source.wait(0.1)

    def close(self) -> None:
        """Give back the file; columns that were read stay readable."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- reading on -------------------------------------------------------------------------------

    def refresh(self, limit_bytes: int | None = None) -> bool:
        """Read what stands there and was not read yet, at most about `limit_bytes`; whether it gave anything.

        Never waits. TraceError where a stream's first bytes turn out to be no capture.
        """
        reader, before = self._reader, self._state()
        self._source.check()
        left = sys.maxsize if limit_bytes is None else limit_bytes
        if not reader.begun and not reader.begin() and self._source.ended:
            raise TraceError(self._source.problem or f"{self.name} is empty or too short to be a capture.")
        while left > 0:
            start = reader.offset
            if not reader.step(min(left, SLICE)):
                break
            left -= max(reader.offset - start, 1)
            self._source.held(self.index.count)
        self.secrets.add(self._keylogs.fresh())
        self._read_fates()
        # The sentence may come later than the last packet: who may still write gets a moment to go on.
        sentence, self._truncation_before = self._truncation_before, self.truncated
        return before != self._state() or sentence != self._truncation_before

    def _state(self) -> tuple[object, ...]:
        contents = self._contents
        return (contents.index.count, contents.blocks, len(contents.interfaces), self._reader.damage,
                contents.secrets.count, self._source.writer)

    def finish(self) -> None:
        """Read all there is, as of a file that nobody writes any more; waits for the end of a stream.

        Who writes at this very moment gets a second to end the packet that is half there; who then still
        writes may always be in the middle of one (a compressor mostly is).
        """
        self.following = False
        patience = _PATIENCE
        while True:
            changed = self.refresh()
            if self.complete:
                if self._source.settled or not self._is_cut() or patience <= 0:
                    return
                before = time.monotonic()
                self._source.wait(0.05)
                patience -= time.monotonic() - before
            elif not changed:
                self._source.wait(0.5)

    @property
    def complete(self) -> bool:
        """Whether all that stands there now was read (of a stream: all there will ever be)."""
        reader = self._reader
        return reader.damage is not None or (self._source.all_there and reader.begun and reader.idle)

    @property
    def progress(self) -> float:
        """Which part of what stands there was read, 0 to 1."""
        reader = self._reader
        if reader.damage:
            return 1.0
        share = min(reader.offset / reader.size, 1.0) if reader.size else 0.0
        return share * self._source.share() if self._source.share() < 1.0 else share

    @property
    def behind(self) -> int:
        """About how many packets stand in the file by now and were not read yet, as long as those read."""
        count = self.index.count
        unread = self._source.advance(0) - self._reader.offset
        return unread * count // self._reader.offset if count and unread > 0 else 0

    @property
    def writer(self) -> Writer:
        """Whether somebody writes on: nobody is known to, somebody does, or did and has ended.

        A trace around a program is at its end when it says that the program ended, whoever still has it open.
        """
        found = self._source.writer
        over = found == "writes" and any(one.kind == "program-ended" for one in self.events[-_LAST_WORDS:])
        return "ended" if over else found

    @property
    def may_grow(self) -> bool:
        """Whether there may be more than was read: it is followed, written, or still being read."""
        return self.following or self.writer == "writes" or not self.complete

    @property
    def searched(self) -> str | None:
        """One sentence where a filter looked at the beginning alone of some messages, else None."""
        return searched_words(len(self.searched_in_part)) or None

    @property
    def truncated(self) -> str | None:
        """One sentence where the file is cut, damaged or was replaced, else None.

        While the trace is `following`, a last packet that is only half there is no fault.
        """
        reader, count = self._reader, self.index.count
        if reader.damage:
            return f"The file is damaged after packet {count}: {reader.damage}; all before that is shown."
        if self._source.problem:
            return self._source.problem
        if self._is_cut() and self._source.settled:
            if self._source.cut:
                return self._source.cut
            where = f"packet {count + 1}" if reader.rest_is_packet() else f"a block after packet {count}"
            return f"The file ends in the middle of {where}; all before that is shown."
        return None

    def _is_cut(self) -> bool:
        """Whether the last packet is only half there, and nobody is known to write on."""
        reader = self._reader
        source = self._source
        return bool((reader.rest or source.cut) and not self.following and source.all_there
                    and not reader.damage and not source.problem)

    def let_go(self) -> None:
        """Its file is about to be written anew by us: what is open stays all that there is of it."""
        self._source.ended = True

    def read_file(self) -> Iterator[bytes]:
        """The capture itself, as far as it was read: a compressed one's bytes as they were before."""
        offset, buffer = 0, memoryview(bytearray(1 << 20))
        while count := self._source.read(offset, buffer):
            yield bytes(buffer[:count])
            offset += count

    @property
    def read_to(self) -> int:
        """How many bytes of `read_file` were read into it."""
        return self._reader.offset

    @property
    def unread(self) -> str | None:
        """One sentence where packets have a link type that is not read, else None."""
        kinds = sorted({one.link_type for one in self.interfaces} - READ_LINKS)
        if not kinds or not self.index.count:
            return None
        mine = [number for number, one in enumerate(self.interfaces) if one.link_type in kinds]
        count = int(np.isin(self.index.interface, mine).sum())
        names = ", ".join(f"{kind} ({LINK_NAMES.get(kind, 'unknown')})" for kind in kinds)
        plural = f"{count} packets have" if count != 1 else "1 packet has"
        sentence = f"{plural} a link type that is not read, {names}: their bytes alone are shown."
        return sentence if count else None

    # --- what was found ---------------------------------------------------------------------------

    @property
    def index(self) -> Index:
        """The columns of the packets."""
        return self._contents.index

    @property
    def calls(self) -> list[Call]:
        """System calls in order of entry; one that blocks is replaced when it returns."""
        return self._contents.calls

    @property
    def events(self) -> list[Event]:
        """Everything else that the journal tells, in order."""
        return self._contents.events

    @property
    def kernel(self) -> list[KernelSample]:
        """What the kernel held of each TCP socket, in the order in which it was looked at."""
        return self._contents.kernel

    @property
    def kernel_udp(self) -> list[KernelSample]:
        """The same of each UDP socket."""
        return self._contents.kernel_udp

    @property
    def kernel_outside(self) -> list[KernelSample]:
        """The same of programs outside of the lab that the relay stands for there."""
        return self._contents.kernel_outside

    @property
    def samples(self) -> int:
        """How many of all there are."""
        return len(self.kernel) + len(self.kernel_udp) + len(self.kernel_outside)

    @property
    def shown_by_packets(self) -> tuple[int, ...]:
        """Counts of all that packets are told by; samples of the kernel change none of it, nor do statistics,
        but for what they say was dropped."""
        contents = self._contents
        return (self.index.count, contents.blocks - contents.counts_met - self.samples, self.dropped,
                self.secrets.count, self.comments.version)

    @property
    def statistics(self) -> Statistics:
        """What the kernel counted."""
        return self._contents.statistics

    @property
    def dropped(self) -> int:
        """How many packets the kernel could not keep."""
        return self.statistics.dropped

    @property
    def counts_drops(self) -> bool:
        """Whether the capture says how many packets it could not keep; else `statistics` has none counted."""
        return self._contents.counts_drops

    @property
    def cut(self) -> int:
        """How many packets were longer on the wire than what was captured of them."""
        return self._contents.cut

    @property
    def spoilt(self) -> int:
        """How many records of a session (system calls, events, samples) are damaged, and not shown."""
        return self._contents.spoilt

    @property
    def end_ns(self) -> int:
        """Up to when the capture is known to have gone on, nanoseconds since the epoch; 0 without packets.

        That is the time of the last packet, or a later one that the capture's statistics give: not where
        they began after the first packet, as in files whose times were moved or that were put together.
        """
        times = self.index.time_ns
        if not len(times):
            return 0
        begun, ended = self._contents.watched_ns or (0, 0)
        return max(int(times[-1]), ended if begun <= int(times[0]) else 0)

    @property
    def interfaces(self) -> list[Interface]:
        """The interfaces of all sections, by the numbers in `index.interface`."""
        return self._contents.interfaces

    @property
    def comments(self) -> Comments:
        """The comments of its packets, and of the file."""
        return self._contents.comments

    @property
    def fates(self) -> Fates:
        """What became of packets on a wire that somebody stood in."""
        return self._fates

    @property
    def secrets_cut(self) -> str:
        """A sentence where not all of a file of secrets is read, else ""."""
        return self._keylogs.cut

    def _read_fates(self) -> None:
        """Read on in the fates; what hangs on whether a packet came is said anew."""
        for row in self._fates.update(self, self.events, self.may_grow):
            stream = int(self.index.stream[row])
            flow = self._flows.known(stream) if self.index.protocol[row] == TCP else None
            fate = self._fates.of(row)
            on_time = fate is not None and fate.fate in ("under way", "arrived")     # nobody did anything
            if flow is not None and (flow.hangs_on(row) if on_time else flow.has_judged(row)):
                self._flows.forget(stream)
                self._applications.forget(stream)

    @property
    def secrets(self) -> KeyLog:
        """Secrets of TLS sessions: those of the capture, and what was added (`secrets.add`)."""
        return self._contents.secrets

    @property
    def late_secrets(self) -> bytes:
        """The secrets of the capture that stand behind packets: other readers want them before."""
        return self._contents.late_secrets

    @property
    def host_names(self) -> dict[str, str]:
        """Names that the capture itself gives to addresses."""
        return self._contents.host_names

    def frame(self, row: Row) -> bytes:
        """The captured bytes of a packet; fewer where the file became shorter. IndexError: no such row."""
        last, data = self._last            # several views ask for the same packet one after the other
        if last == row:
            return data
        index = self.index
        if not 0 <= row < index.count:
            raise IndexError(row)
        start = int(index.offset[row])
        data = self._window.read(start, start + int(index.cap_len[row]), self._reader.offset)
        self._last = row, data
        return data

    def gather(self, rows: Int64s, positions: Int64s, lengths: Int64s) -> bytes:
        """Bytes of many packets joined: `lengths` bytes of each from `positions` of its frame on.

        int64 columns; what lies close together in the file is read at once. Fewer where the file is shorter.
        """
        return b"".join(self.pieces(rows, positions, lengths))

    def pieces(self, rows: Int64s, positions: Int64s, lengths: Int64s) -> list[bytes]:
        """The same, each packet's by itself."""
        starts = self.index.offset[rows].astype("i8") + positions
        if not are_scattered(starts, starts + lengths):
            return self._window.together(starts, lengths)
        held = self.ahead.find(starts, lengths)
        return self._window.scattered(starts, lengths) if held is None else held

    def link_type(self, row: Row) -> int:
        """The link type (tcpdump.org/linktypes) of a packet."""
        return self.interfaces[self.index.interface_of(row)].link_type

    def rows_of(self, protocol: Transport, stream: int) -> Int64s:
        """Rows of one conversation's packets, in order."""
        return self._rows.of(protocol, stream)

    def conversations(self, protocol: Transport) -> list[ConversationRow]:
        """The conversations of a protocol, in order of their numbers."""
        return conversations(self.index, protocol)

    def conversation_columns(self, protocol: Transport) -> ConversationColumns:
        """The same as columns."""
        return conversation_columns(self.index, protocol)

    @property
    def conversation_count(self) -> int:
        """How many TCP and UDP conversations have packets."""
        return sum(len(grown(self.index, protocol, 0)[0]) for protocol in PROTOCOLS)

    def _cost(self, flow: TcpFlow) -> int:
        """About how many bytes a conversation takes that was decoded."""
        application = self._applications.so_far(flow.stream)
        kept = 0 if application is None else sum(layer.decoder.kept_bytes for layer in application.layers)
        return _CONVERSATION + _PACKET * len(flow.rows) + kept

    def flow(self, stream: int) -> TcpFlow:
        """The TCP conversation `stream` in depth, up to the packets read so far.

        By turns: as far as it was decoded; it is `wanted` then. `left` says how many packets it lacks.
        """
        if self.turns is not None:
            self.application(stream)       # they go on together
        return self._flow(stream)

    def _flow(self, stream: int) -> TcpFlow:
        return self._flows.of(stream, self.index.count)

    def client(self, stream: int) -> int:
        """The direction of a TCP conversation's client (0: a to b), as well as it is known.

        By SYN or SYN ACK, else by what is spoken; else the end with the smaller port is taken as the server.
        """
        flow = self.flow(stream)
        known = self.application(stream).client if flow.client is None else flow.client
        return int(flow.a[1] < flow.b[1]) if known is None else known

    def application(self, stream: int) -> ApplicationLayers:
        """What the TCP conversation `stream` carries, up to the packets read so far; by turns as `flow`."""
        decoded_by = self.secrets.count, decode_as.stamp()
        if decoded_by != self._decoded_by:
            self._decoded_by = decoded_by
            self._applications.clear()     # they are something else now
            if self.turns is not None:
                self._flows.clear()        # all of them begin with their first packets again
        self.ahead.come(stream)
        flow = self._flow(stream)          # its bytes come first
        if self.turns is not None and flow.left:
            if self.turns.strict:
                raise UndecodedError(stream)
            self.turns.want(stream)
        return self._applications.of(stream, self.index.count)

    # --- by turns ---

    def by_turns(self, budget: int = BUDGET) -> Turns:
        """Decode conversations by turns from now on, for somebody who must not wait.

        `budget`: bytes, about, that are kept of what was decoded.
        """
        self.turns = self.turns or Turns()
        self._flows.allow(budget)
        return self.turns

    def _drop(self, flow: TcpFlow) -> None:
        """What was decoded of a conversation is given back."""
        application = self._applications.so_far(flow.stream)
        self.given_back += self._cost(flow)
        self._applications.forget(flow.stream)
        if self.turns is not None:             # whoever looks at it right now goes on to
            self._dropped += [flow, *([application] if application is not None else [])]

    def let_dropped_go(self) -> None:
        """Free what was given back: nobody is in the middle of looking at a conversation."""
        for dropped in self._dropped:
            dropped.let_go()
        self._dropped.clear()

    def _grant(self, fresh: int, taken: int) -> int:
        return fresh if self.turns is None else self.turns.grant(fresh, taken)

    def advance(self, stream: int, seconds: float) -> bool:
        """Go on decoding a TCP conversation for about so long; whether all of it is decoded now.

        Without turns it is all decoded at once.
        """
        turns, until = self.turns, time.monotonic() + seconds
        self.let_dropped_go()
        wanted = None if turns is None else stream in turns.wanted
        application = self.application(stream)
        flow = self._flow(stream)
        while turns is not None and flow.left:
            turns.left, begun = turns.step, time.monotonic()
            flow.update()
            flow.take_in()
            application.update()
            now = time.monotonic()
            turns.took(now - begun)
            if now >= until:
                break
        if turns is not None:
            turns.left = AT_ONCE
            self._flows.weigh(stream)
            if not wanted or not flow.left:          # whoever goes on with it need not have it shown
                turns.wanted.pop(stream, None)
        return not flow.left

    @contextmanager
    def strictly(self) -> Iterator[None]:
        """Let nobody inside judge by a part of a conversation: where one is not whole, UndecodedError."""
        turns = self.turns
        if turns is None:
            yield
            return
        turns.strict, turns.left = True, AT_ONCE
        try:
            yield
        finally:
            turns.strict = False

    def share(self, stream: int) -> float:
        """Which part of a TCP conversation is decoded, 0 to 1."""
        flow = self._flows.so_far(stream)
        return 0.0 if flow is None else flow.share

    def reached(self, row: Row, deep: int) -> TcpFlow | None:
        """The conversation of a TCP packet, decoded up to it; None where it was not, as far as that goes.

        One of more than `deep` packets is not decoded for the sake of one of them.
        """
        stream = int(self.index.stream[row])
        flow: TcpFlow | None
        if len(self.rows_of("tcp", stream)) <= deep:
            flow = self.flow(stream)
        elif not self.decoded(stream):
            return None
        else:
            flow = self.flow(stream) if self.turns is None else self._flows.so_far(stream)
        return flow if flow is not None and flow.reaches(row) else None

    def datagrams(self, stream: int) -> UdpFlow:
        """The UDP conversation `stream` in depth, up to the packets read so far."""
        return self._datagrams.of(stream, self.index.count)

    def datagram_findings(self) -> list[Finding]:
        """The findings of all UDP conversations; `stream` of each is udp.stream."""
        return [one for stream in worth_judging(self.index) for one in self.findings_of_datagrams(stream)]

    def findings_of_datagrams(self, stream: int) -> list[Finding]:
        """The findings of one UDP conversation."""
        return findings_of_datagrams(self, self.datagrams(stream), lossless=not self.statistics.dropped)

    def decoded(self, stream: int) -> bool:
        """Whether the TCP conversation was decoded before, so that asking for it again costs little."""
        return stream in self._flows and stream in self._applications
