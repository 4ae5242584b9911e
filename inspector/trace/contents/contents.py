"""What a trace holds, as its reader finds it: the index, system calls, events, counts, names, comments.

`Contents` takes what a format gives (see file/format.py): packets go through the header columns into the
index, journal entries become calls and events. Texts are escaped here.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from inspector.model.packets import row_after
from inspector.model.records import Call, Event, KernelSample, Statistics
from inspector.trace.contents.comments import Comments
from inspector.trace.file.format import PacketBatch, nanoseconds
from inspector.trace.index.columns import Growing
from inspector.trace.index.index import Index
from inspector.wire import pcapng
from inspector.wire.arrays import Int64s, UInt8s
from inspector.wire.headers.read import Headers, read_headers
from inspector.wire.journal import PREFIX, CallRecord, from_fields
from inspector.wire.keylog import KeyLog
from inspector.wire.text import escaped

_BATCH = 16384                  # packets whose columns are read together: as much as the caches hold
_ALIKE = 16                     # interfaces of a section that are told apart though they are alike
_FREEZES = "ring queue freezes: "
_LONGEST_TEXT = 64 * 1024
_RECORD_FIELDS = tuple(field.name for field in fields(CallRecord))


class Contents:
    """Everything that was read so far. `base` and `data` are set by the reader for each walk."""

    def __init__(self) -> None:
        self.index = Index()
        self.calls: list[Call] = []
        self.events: list[Event] = []
        self.kernel: list[KernelSample] = []
        self.kernel_udp: list[KernelSample] = []
        self.kernel_outside: list[KernelSample] = []
        self.interfaces: list[pcapng.Interface] = []
        self.comments = Comments()
        self.host_names: dict[str, str] = {}
        self.secrets = KeyLog()
        self.late_secrets = b""              # those that stand behind packets
        self.statistics = Statistics()
        self.counts_drops = False             # somebody counted what the capture could not keep
        self.watched_ns: tuple[int, int] | None = None    # since when and up to when
        self.cut = 0                         # packets of which the beginning alone was captured
        self.spoilt = 0                      # records of a session that cannot be read
        self.blocks = 0                      # journal and statistics blocks met,
        self.counts_met = 0                  # and the latter alone
        self.data: UInt8s = np.zeros(0, "u1")
        self.base = 0                        # offset in the file of the first byte of `data`
        self._counted: dict[int, Statistics] = {}
        # By what they are, and which of several alike in a section; how many there were of each in it so far.
        self._numbers: dict[tuple[pcapng.Interface, int], int] = {}
        self._alike: dict[pcapng.Interface, int] = {}
        self._links = Growing(np.int64)          # link types of the interfaces
        self._pending: dict[tuple[int, int], int] = {}

    def interface(self, interface: pcapng.Interface) -> int:
        """A new interface, or the number of one of an earlier section that is the same in every way.

        Several of a section may be alike (two files merged): they are several all the same.
        """
        which = self._alike.get(interface, 0)
        self._alike[interface] = min(which + 1, _ALIKE - 1)
        number = self._numbers.setdefault((interface, which), len(self.interfaces))
        if number == len(self.interfaces):
            self.interfaces.append(interface)
            self._links.extend(np.array([interface.link_type]))
        return number

    def packets(self, packets: PacketBatch) -> None:
        """Read the headers of these packets and append them to the index."""
        for start in range(0, len(packets.starts), _BATCH):
            part = slice(start, start + _BATCH)
            names = ("starts", "captured", "lengths", "time_ns", "interface")
            columns = [getattr(packets, name)[part] for name in names]
            self._append(*columns)

    def _append(
        self, starts: Int64s, captured: Int64s, lengths: Int64s, time_ns: Int64s, interface: Int64s
    ) -> None:
        # A file may claim that less was on the wire than was captured: what is there is read.
        whole, links = np.maximum(lengths, captured), self._links.values[interface]
        kinds = np.unique(links).tolist()
        if len(kinds) == 1:
            headers = read_headers(self.data, starts, captured, whole, kinds[0])
        else:                                # interfaces may take turns: each kind of them is read at once
            headers = Headers.empty(len(starts))
            for kind in kinds:
                rows = np.flatnonzero(links == kind)
                headers.put(rows, read_headers(self.data, starts[rows], captured[rows], whole[rows], kind))
        self.cut += int(np.count_nonzero(captured < lengths))
        self.index.append(headers, time_ns, lengths, captured, starts + self.base, interface)

    def journal(self, fields: dict[str, str]) -> None:
        """A call or an event of ours; entries of others become events of the kind "journal"."""
        self.blocks += 1
        record = from_fields(fields)
        if isinstance(record, CallRecord):
            self._call(record)
        elif isinstance(record, KernelSample):
            kept = self.kernel_outside if record.lab[0] else (
                self.kernel if record.protocol == "tcp" else self.kernel_udp)
            kept.append(replace(
                record, local=escaped(record.local, 80), peer=escaped(record.peer, 80),
                state=escaped(record.state, 20), process=escaped(record.process, 32),
                info=tuple((escaped(name, 40), value) for name, value in record.info),
                lab=(escaped(record.lab[0], 80), escaped(record.lab[1], 80)),
            ))
        elif record is not None:
            extra = tuple((escaped(k, 100), escaped(v, _LONGEST_TEXT)) for k, v in record.fields)
            self.events.append(Event(
                record.time_ns, record.kind, escaped(record.text, _LONGEST_TEXT), escaped(record.role, 100),
                record.pid, extra,
            ))
        else:
            self._foreign(fields)

    def section(self, before: int) -> None:
        """A capture of its own begins, behind others where there are packets before it."""
        self._alike = {}
        if self.index.count + before:
            self.index.sections.extend(np.array([self.index.count + before]))

    def other_frame(self, before: int) -> None:
        """A block that counts as a frame elsewhere."""
        self.index.other_frames.extend(np.array([self.index.count + before]))

    def _foreign(self, fields: dict[str, str]) -> None:
        """An entry of somebody else, or one of ours that is damaged: the rest of the file is shown."""
        text = escaped(fields.get("MESSAGE", ""), _LONGEST_TEXT)
        if any(key.startswith(PREFIX) for key in fields):
            self.spoilt += 1
            name = text or escaped(fields.get(PREFIX + "CALL", ""), 100)
            text = f"A record of a session is damaged, and not shown: {name}".removesuffix(": ")
        elif not text:
            return
        stamp = fields.get("__REALTIME_TIMESTAMP", "0")
        time_ns = int(stamp) * 1000 if stamp.isascii() and stamp.isdigit() and len(stamp) < 17 else 0
        pid = fields.get("_PID", "")
        number = int(pid) if pid.isascii() and pid.isdigit() and len(pid) < 10 else None
        self.events.append(Event(time_ns, "journal", text, escaped(fields.get("_COMM", ""), 100), number))

    def _call(self, record: CallRecord) -> None:
        values = {name: getattr(record, name) for name in _RECORD_FIELDS}
        for name in ("role", "name", "arguments", "detail", "errno", "local", "peer", "protocol"):
            if values[name]:
                values[name] = escaped(values[name], _LONGEST_TEXT)
        call = Call(**values)
        key = (record.pid, record.id)
        place = self._pending.pop(key, None)
        if place is not None:
            self.calls[place] = call
        else:
            place = len(self.calls)
            self.calls.append(call)
        if record.end_ns is None:
            self._pending[key] = place

    def statistics_block(self, interface: int, statistics: pcapng.Statistics) -> None:
        """The newest counts of an interface; the sum of all interfaces' is what a trace has."""
        self.blocks += 1
        self.counts_met += 1
        before = self._counted.get(interface, Statistics())
        dropped = statistics.dropped if statistics.dropped is not None else statistics.os_dropped
        self.counts_drops |= dropped is not None
        freezes = [
            int(text.removeprefix(_FREEZES)) for text in statistics.comments
            if text.startswith(_FREEZES) and text.removeprefix(_FREEZES).isascii()
            and text.removeprefix(_FREEZES).isdigit() and len(text) < 40
        ]
        now = self._counted[interface] = Statistics(
            before.received if statistics.received is None else statistics.received,
            before.dropped if dropped is None else dropped,
            freezes[0] if freezes else before.freezes,
        )
        if statistics.start_ticks is not None and statistics.end_ticks is not None:
            one = self.interfaces[interface]
            ticks = np.array([statistics.start_ticks, statistics.end_ticks], "u8")
            begun, ended = nanoseconds(ticks, one.resolution, np.full(2, one.offset, "i8")).tolist()
            self.watched_ns = begun, ended
        all_of_them = self.statistics
        self.statistics = Statistics(
            all_of_them.received + now.received - before.received,
            all_of_them.dropped + now.dropped - before.dropped,
            all_of_them.freezes + now.freezes - before.freezes,
        )

    def keylog(self, lines: bytes, waiting: int) -> None:
        """Secrets of TLS sessions that the capture holds; `waiting`: packets before them not given yet."""
        self.blocks += 1
        self.secrets.add(lines)
        if self.index.count + waiting:
            self.late_secrets += lines

    def names(self, names: dict[bytes, tuple[str, ...]]) -> None:
        """Names that the capture gives to addresses."""
        numbers = self.index.addresses
        for packed, found in names.items():
            if found:
                self.host_names[numbers.text_of(packed)] = escaped(found[0], 255)

    def comment(self, texts: tuple[str, ...], before: int) -> None:
        """Comments on the packet that follows `before` packets of the present walk."""
        self.comments.read(row_after(self.index.count + before), texts)
