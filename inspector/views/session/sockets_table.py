"""The sockets pane: every socket of the session with its owner, its addresses and its state.

Journal -> `SocketTable` -> one line a socket. What the calls cannot know comes from the wire (the TCP state
of the socket's end after the chosen packet, or at the chosen call) and from the kernel's samples (its queues
then). Sockets that only the kernel listed of stand below.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple

from inspector.model.endpoint import join_endpoint
from inspector.model.language import marked, sentence, tr
from inspector.model.numbers import TCP
from inspector.model.packets import BEFORE, Instant, Row, packet_number, row_at, rows_in
from inspector.model.units import amount
from inspector.trace.index.conversations import grown
from inspector.trace.packet.dropped import counted
from inspector.trace.packet.facts import DEEP
from inspector.views.line.spans import Line, Span, Style, cell_width, fit, tail
from inspector.views.line.wrap import wrap
from inspector.views.session.call_text import role_name
from inspector.views.session.custody import SENTENCE, Custody, Known, custody, custody_lines
from inspector.views.session.outside import Outside, outside_peers
from inspector.views.session.sockets import Socket, SocketTable
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.model.records import Call, KernelSample
    from inspector.trace.trace import Trace

_TITLES = (marked("Owner"), "fd", marked("Proto"), marked("Local address"), marked("Peer"), marked("State"),
           marked("Unread"), marked("Unacked"), marked("Made by"))
_WORDS = frozenset({marked("not yet"), marked("closed"), marked("connected"), marked("unconnected"),
                    marked("open"), marked("gone")})         # of states that are none of TCP's
_GONE = ("closed", "CLOSED")
_WITHOUT_QUEUES = (*_GONE, "gone", "not yet", "LISTEN", "TIME-WAIT")
_NOT_HELD = ("gone", "LISTEN", "TIME-WAIT")       # the calls know a listener by its address
_USUAL = 80            # cells for which it is counted how many lines there are
_TIGHT, _ROOMY = 71, 77        # cells from which the kernel's numbers have room, and two blanks before each
_OWNER = 30            # cells of the owner, where there is room


class SocketRow(NamedTuple):
    """One socket as texts. `first_row`: the first packet of its conversation, None where it has none."""

    owner: str
    fd: int | None           # None where no call told it
    protocol: str
    local: str
    peer: str
    state: str
    made_by: str
    role: str
    first_row: Row | None
    queues: tuple[str, str] = ("", "")      # by the kernel: not read, and not acknowledged


class SocketLines:
    """The sockets of a trace as lines: `count`, `line(i, width)`, `target(i)` (the first packet's row)."""

    def __init__(self, trace: Trace, row: Row | None = None, *, deep: int = DEEP) -> None:
        """`row`: the packet after which states are shown; None: the last."""
        self.trace = trace
        self.row = row                     # BEFORE: none has come, at the moment of a call
        self.call: Call | None = None      # the call at whose moment states are shown,
        self._time_ns: int | None = None   # and that moment, of which `row` is the last packet
        self.deep = deep
        self._table = SocketTable()
        self._packets_read = 0                                  # packets
        self._streams: set[int] = set()
        self.asked: Row | None = None      # a packet of the conversation of which it is told where bytes are
        self._samples: dict[tuple[str, str, str], KernelSample] = {}      # the last one of each socket, then
        self._listening: dict[str, KernelSample] = {}          # of services, by the relay's listener
        self._of_calls: dict[int, KernelSample] = {}           # a socket's number -> its sample
        self._by_ends: dict[frozenset[str], tuple[int, Row]] = {}    # both ends -> conversation, first row
        # To an address: when each conversation began, in order, and who began it.
        self._begun: dict[str, tuple[list[int], list[str]]] = {}
        self.rows: tuple[SocketRow, ...] = ()
        self._below: tuple[int, list[Line]] = 0, []              # for a width: where the bytes are
        self._known: Known | None = None
        self._custodies: dict[int, tuple[Custody, Custody] | None] = {}      # by conversation
        self.update()

    def look_at(self, row: Row | None, call: tuple[int, int] | None, at: Instant | None) -> bool:
        """Look at the moment of a packet, or of a call (pid, id); False where that is looked at already.

        `update` draws it.
        """
        before = self.row, self._time_ns
        if row is None and call is not None and at is not None:
            calls = reversed(self.trace.calls)
            self.call = next((one for one in calls if (one.pid, one.id) == call), None)
            self.row, self._time_ns = at
        else:
            self.row, self._time_ns, self.call = row, None, None
        if before == (self.row, self._time_ns):
            return False
        self.asked = None
        return True

    @property
    def _here_ns(self) -> int | None:
        """The moment that is looked at; None: the end."""
        if self._time_ns is not None or self.row is None:
            return self._time_ns
        return int(self.trace.index.time_ns[self.row])

    def update(self) -> None:
        """Take in what the trace gained, or another `row`."""
        self._known, self._custodies = None, {}
        self._table.update(self.trace.calls)
        self._outside = outside_peers(self.trace)
        self._take_conversations()
        self._name_refused()
        self._samples = self._samples_now()
        self._of_calls = self._matched()
        known = tuple(map(self._describe, self._table.sockets))
        listed = {(row.protocol.lower(), row.local, "–" if row.peer.startswith("(") else row.peer)
                  for row in known}
        others = [one for one in self._samples.values() if _ends(one) not in listed and one.state != "gone"]
        self.rows = known + tuple(map(self._of_kernel, others))
        self._stream = self._conversation()
        self._below = 0, []
        self._count = len(self.rows) + (len(self._lines_below(_USUAL)) if self.rows else 0)

    def _conversation(self) -> int | None:
        """The TCP conversation that was asked for, else the chosen packet's, else the last one; None where
        its bytes are not told."""
        trace = self.trace
        if not (trace.calls or trace.kernel) or not self._streams:
            return None
        found = max(self._streams)
        row = self.row if self.asked is None else self.asked
        called = None if self.call is None else self._by_ends.get(
            frozenset((self.call.local or "", self.call.peer or "")))
        if called is not None and self.asked is None:
            row = called[1]
        elif row == BEFORE:
            return None
        if row is not None and row < trace.index.count and int(trace.index.protocol[row]) == TCP:
            found = max(int(trace.index.stream[row]), 0)
        return found if self._custody(found) is not None else None

    def _custody(self, stream: int) -> tuple[Custody, Custody] | None:
        """Where a conversation's bytes are after the chosen packet; None where it is not decoded."""
        if stream not in self._custodies:
            trace, found = self.trace, None
            if trace.reached(row_at(trace.rows_of("tcp", stream), -1), self.deep) is not None:
                self._known = self._known or Known(trace)
                found = custody(trace, stream, self.row, self._known, self._time_ns)
            self._custodies[stream] = found
        return self._custodies[stream]

    def queues(self, index: int) -> tuple[str, str]:
        """What waits in both queues of a socket: the numbers that the table below has of its conversation.

        The kernel was looked at now and then; calls and packets tell of the chosen packet itself.
        """
        socket = self.rows[index]
        if socket.state in (*_GONE, "TIME-WAIT"):      # a sample may be of before: all was acknowledged since
            return ("", "") if socket.state in _GONE or not socket.queues[0] else ("0", "0")
        if socket.first_row is None or socket.state in _WITHOUT_QUEUES or not self.trace.samples:
            return socket.queues
        both = self._custody(int(self.trace.index.stream[socket.first_row]))
        for way in both or ():
            if way.sender.address == socket.local and way.written is not None:
                socket = socket._replace(queues=(socket.queues[0], str(way.unacknowledged)))
            elif way.receiver.address == socket.local and way.unread is not None:
                socket = socket._replace(queues=(str(way.unread), socket.queues[1]))
        return socket.queues

    def _lines_below(self, width: int) -> list[Line]:
        if self._below[0] != width:
            both = None if self._stream is None else self._custody(self._stream)
            found = [] if both is None or self._stream is None else custody_lines(both, self._stream, width)
            self._below = width, self._moment(width) + self._relays(width) + self._datagrams(width) + found
        return self._below[1]

    def _samples_now(self) -> dict[tuple[str, str, str], KernelSample]:
        """The kernel's last word on each socket while the chosen packet was the last: until the next one;
        at a chosen call: before it.

        A socket that went after that packet was there at its time, and is shown.
        """
        index = self.trace.index
        here, until = self._here_ns, self._time_ns
        if until is None and self.row is not None and self.row + 1 < index.count:
            until = int(index.time_ns[self.row + 1]) - 1
        found: dict[tuple[str, str, str], KernelSample] = {}
        for samples in (self.trace.kernel, self.trace.kernel_udp):
            if until is not None:
                samples = samples[: bisect_right(samples, until, key=lambda one: one.time_ns)]
            found |= {_ends(one): one for one in samples
                      if here is None or one.state != "gone" or one.time_ns <= here}
        self._listening = {one.lab[0]: one for one in self.trace.kernel_outside
                           if one.state == "LISTEN" and (until is None or one.time_ns <= until)}
        return found

    def _matched(self) -> dict[int, KernelSample]:
        """The sample of each socket that the calls know: by its addresses, else by who holds it.

        Until connect() has returned no call tells the local address that the kernel has chosen.
        """
        found: dict[int, KernelSample] = {}
        by_holder: dict[int, list[KernelSample]] = {}
        exact = {_ends_of(socket): socket.number for socket in self._table.sockets}
        for ends, sample in self._samples.items():
            if ends in exact:
                found[exact[ends]] = sample
            elif sample.protocol == "tcp" and sample.pid is not None and sample.state not in _NOT_HELD:
                by_holder.setdefault(sample.pid, []).append(sample)
        for socket in self._table.sockets:
            waiting = by_holder.get(socket.pid, [])
            if socket.number not in found and waiting and self._is_unnamed(socket):
                fitting = (each for each in waiting if socket.peer in (None, each.peer))
                if (one := next(fitting, None)) is not None:
                    waiting.remove(one)
                    found[socket.number] = one
        return found

    def _is_unnamed(self, socket: Socket) -> bool:
        """Whether it is a TCP socket that is open then, and of which the calls do not know both addresses."""
        unnamed = socket.local is None or socket.peer is None
        return (socket.protocol == "tcp" and not socket.listening and unnamed
                and self._by_now(socket.made_ns) and not self._is_closed(socket))

    def _by_now(self, time_ns: int) -> bool:
        """Whether that was at the moment that is looked at, or before."""
        return (here := self._here_ns) is None or time_ns <= here

    def _is_news(self, sample: KernelSample) -> bool:
        """Whether the sample was taken after the chosen packet, so that what the packet did is in it."""
        index = self.trace.index
        row = index.count - 1 if self.row is None else self.row
        return row < 0 or sample.time_ns >= int(index.time_ns[row])

    def _is_closed(self, socket: Socket) -> bool:
        return socket.closed_ns is not None and self._by_now(socket.closed_ns)

    @property
    def empty(self) -> str:
        """Why there is no socket to show; "" where there are some."""
        trace = self.trace
        if self.rows:
            return ""
        if not (trace.calls or trace.samples):
            return tr("Neither system calls nor the kernel's sockets were kept with this capture.")
        if self.call is not None:
            return tr("At {call}() no socket was known yet.", call=escaped(self.call.name, 20))
        if self.row is None:
            return tr("All sockets of which the kernel told are gone. Choose a packet: those of its time are "
                      "shown.")
        index, here = trace.index, packet_number(self.row)
        times = [one.time_ns for one in (*trace.kernel, *trace.kernel_udp) if one.state != "gone"]
        first = int(index.time_ns.searchsorted(min(times))) if times else index.count
        if self.row < first < index.count:
            return tr("At packet {number} the kernel had told of no socket yet: it did before packet "
                      "{first}.",
                      number=here, first=first + 1)
        if self.row < first:
            return tr("At packet {number} the kernel had told of no socket yet: it did after the last "
                      "packet.",
                      number=here)
        return tr("At packet {number} all sockets of which the kernel had told were gone.", number=here)

    def _moment(self, width: int) -> list[Line]:
        """That it is the past that is shown, where it is."""
        count = self.trace.index.count
        if self.row is None or (self._time_ns is None and self.row + 1 >= count):
            return []
        call = None if self.call is None else escaped(self.call.name, 20)
        if call is not None and self.row == BEFORE:
            text = tr("As they were at {call}(), before packet 1.", call=call)
        elif call is not None:
            text = tr("As they were at {call}(), after packet {number} of {count:,}.", call=call,
                      number=packet_number(self.row), count=count)
        else:
            text = tr("As they were at packet {number} of {count:,}.", number=packet_number(self.row),
                      count=count)
        return [(Span(" " * width),), (Span(fit(f" {text}", width), "dim"),)]

    def _relays(self, width: int) -> list[Line]:
        """Whose place the relay takes: a queue of its socket is not the program's."""
        found: list[Line] = []
        listening = [row.local for row in self.rows if row.fd is None and row.state == "LISTEN"]
        for inside in dict.fromkeys(listening):
            if (outside := self._outside.get(inside)) is None:
                continue
            most, listener = outside.backlog, self._listening.get(inside)
            own: str = "" if most is None else sentence(", where {connections} may wait for it",
                                                        connections=amount(most, "connection"))
            if listener is not None:
                own = sentence(", where {waiting:,} of {most:,} connections wait for it",
                               waiting=listener.receive_queue, most=listener.send_queue)
            text = tr("{inside} is the relay's socket in the lab: {outside} listens outside, at "
                      "{address}{own}.",
                      inside=escaped(inside, 60), outside=outside, address=outside.address, own=own)
            found += [(Span(fit(f" {line}", width), "dim"),) for line in wrap(text, SENTENCE)]
        return [(Span(" " * width),), *found] if found else []

    def _datagrams(self, width: int) -> list[Line]:
        """What the queues of UDP sockets hold: memory, and what had no room in it."""
        found: list[Line] = []
        for one in self._samples.values():
            if one.protocol != "udp" or one.state == "gone":
                continue
            drops, most = counted(one)
            if not (drops or one.receive_queue):
                continue
            lost = sentence("; {datagrams} dropped there so far",
                            datagrams=amount(drops, "datagram")) if drops else ""
            text = tr("{local} (UDP): datagrams that wait to be read take {used:,} of {most:,} bytes of "
                      "memory{lost}.", local=escaped(one.local,
                                                     60), used=one.receive_queue, most=most, lost=lost)
            style: Style = "warning" if drops else "dim"
            found += [(Span(fit(f" {line}", width), style),) for line in wrap(text, SENTENCE)]
        return [(Span(" " * width),), *found] if found else []

    def _of_kernel(self, sample: KernelSample) -> SocketRow:
        protocol, local, peer = _ends(sample)
        place = self._by_ends.get(frozenset((local, peer))) if protocol == "tcp" else None
        outside = None if sample.process or protocol != "tcp" else self._outside.get(local)
        stands_for = tr("relay: {outside}", outside=outside) if outside else "–"
        owner = f"{sample.process} {sample.pid}" if sample.process else stands_for
        queues = _queues(sample)
        if outside and sample.state == "LISTEN":
            own = self._listening.get(local)
            queues = _relayed(outside) if own is None else _queues(own)
        first = place[1] if place else None
        return SocketRow(owner, None, protocol.upper(), local, peer, sample.state, "", "", first, queues)

    def _take_conversations(self) -> None:
        """Note the ends of new conversations; of several between the same ends the last one counts."""
        index = self.trace.index
        if not (self.trace.calls or self.trace.samples):       # nobody's sockets are known
            return
        streams, rows = grown(index, "tcp", self._packets_read)
        self._packets_read = index.count
        for stream, row in zip(streams.tolist(), rows_in(rows), strict=True):
            if stream not in self._streams:
                self._streams.add(stream)
                caller, called = (join_endpoint(index.address(address[row]), int(port[row]))
                                  for address, port in ((index.src, index.sport), (index.dst, index.dport)))
                self._by_ends[frozenset((caller, called))] = stream, row
                times, callers = self._begun.setdefault(called, ([], []))
                times.append(int(index.time_ns[row]))
                callers.append(caller)

    def _name_refused(self) -> None:
        """Give the sockets that nobody answered the address that their SYN had: no call of them tells it."""
        for socket in self._table.sockets:
            if socket.tried_ns is None or socket.local is not None or socket.peer is None:
                continue
            times, callers = self._begun.get(socket.peer, ([], []))
            first, stop = bisect_left(times, socket.tried_ns), bisect_right(times, socket.failed_ns)
            if stop - first == 1:
                socket.local = callers[first]
            socket.tried_ns = None         # its packets are there already when it has failed

    @property
    def count(self) -> int:
        """How many lines there are."""
        return self._count

    def line(self, index: int, width: int) -> Line:
        """Line `index` in exactly `width` cells."""
        if index >= len(self.rows):
            below = self._lines_below(width)
            place = index - len(self.rows)
            return below[place] if place < len(below) else (Span(" " * width),)
        socket = self.rows[index]
        role: Style = "client" if socket.role == "client" else "server" if socket.role == "server" else ""
        gone = socket.state in _GONE
        queues = self.queues(index)
        waits: list[Style] = ["warning" if text not in ("", "0", "–") else "dim" for text in queues]
        styles: tuple[Style, ...] = (role, "number", "", "", "", "dim" if gone else "bold", *waits, "dim")
        fd = "–" if socket.fd is None else str(socket.fd)
        state = tr(socket.state) if socket.state in _WORDS else socket.state
        return self._cells((socket.owner, fd, socket.protocol, socket.local, socket.peer, state,
                            *queues, socket.made_by), styles, width)

    def title(self, width: int) -> Line:
        """The titles above the lines."""
        titles = tuple(map(tr, _TITLES))
        styles: tuple[Style, ...] = tuple("title" for _ in titles)
        return self._cells(titles, styles, width)

    def _cells(self, texts: tuple[str, ...], styles: tuple[Style, ...], width: int) -> Line:
        return _cells(texts, styles, width, kernel=bool(self.trace.samples))

    def target(self, index: int) -> Row | None:
        """The first packet of the socket's conversation."""
        return self.rows[index].first_row if index < len(self.rows) else None

    def nearest(self, index: int) -> Row | None:
        """Of the socket's conversation the packet at the time that is looked at, or the last before it."""
        first = self.target(index)
        if first is None or self.row is None:
            return first
        rows = self.trace.rows_of("tcp", int(self.trace.index.stream[first]))
        return row_at(rows, max(int(rows.searchsorted(self.row, side="right")) - 1, 0))

    def _describe(self, socket: Socket) -> SocketRow:
        sample = self._of_calls.get(socket.number)
        local, peer = socket.local, socket.peer
        if sample is not None:
            _, own, other = _ends(sample)
            local, peer = local or own, peer or (None if other == "–" else other)
        stream = None
        if socket.protocol == "tcp" and local and peer:
            stream = self._by_ends.get(frozenset((local, peer)))
        met = sorted(peer for peer, since in socket.peers.items() if self._by_now(since))
        peers = ", ".join(met[:3]) + (" …" if len(met) > 3 else "")
        spoke = stream is not None and self.row is not None and stream[1] <= self.row
        if not (spoke or self._by_now(socket.bound_ns or 0)):       # as it was then: a later call binds it
            local = None
        if not (spoke or self._by_now(socket.called_ns or 0)):
            peer = None
        parent = None if socket.parent is None else self._table.sockets[socket.parent]
        return SocketRow(
            owner=escaped(f"{role_name(socket.role)} {socket.pid}", 30),
            fd=socket.fd,
            protocol=socket.protocol.upper() or "?",
            local=escaped(local or tr("not bound"), 60),
            peer=escaped(peer or (f"({peers})" if peers else "–"), 120),
            state=self._state(socket, None if stream is None else stream[0], sample),
            made_by="socket()" if parent is None else tr("accept() on {fd}", fd=parent.fd),
            role=socket.role,
            first_row=None if stream is None else stream[1],
            queues=_queues(sample) if sample is not None else ("", ""),
        )

    def _state(self, socket: Socket, stream: int | None, sample: KernelSample | None) -> str:
        closed = self._is_closed(socket)
        if stream is None and not self._by_now(socket.made_ns):
            return "not yet"
        if socket.listening and (closed or self._by_now(socket.listens_ns)):
            return "closed" if closed else "LISTEN"
        if socket.listening:
            return "CLOSED"              # made, perhaps bound: listen() is to come
        if socket.protocol == "udp":
            connected = socket.peer is not None and self._by_now(socket.connected_ns)
            return "closed" if closed else "connected" if connected else "unconnected"
        if stream is None or (socket.refused and self._by_now(socket.failed_ns)):
            error = socket.error if self._by_now(socket.failed_ns) else ""
            return escaped(error or ("closed" if closed else "open"), 24)
        if sample is not None and self.trace.fates and sample.state != "gone" and self._is_news(sample):
            return sample.state          # on a wire that holds packets they arrive long after they were sent
        return self._state_of_flow(socket, stream)

    def _state_of_flow(self, socket: Socket, stream: int) -> str:
        """The state of the socket's end of a conversation after the chosen packet."""
        rows = self.trace.rows_of("tcp", stream)
        place = len(rows) if self.row is None else int(rows.searchsorted(self.row, side="right"))
        if not place:            # a connect() may come, or nothing of it has been sent yet
            return "CLOSED" if socket.parent is None and self._by_now(socket.made_ns) else "not yet"
        flow = self.trace.reached(row_at(rows, place - 1), self.deep)
        if flow is None:
            return "closed" if self._is_closed(socket) else "connected"
        sample = self._of_calls.get(socket.number)
        local = socket.local or ("" if sample is None else sample.local)
        is_a = local == join_endpoint(*flow.a)
        states = flow.state if self.row is None else flow.states(row_at(rows, place - 1), self._time_ns or 0)
        return states[0 if is_a else 1]


def _ends_of(socket: Socket) -> tuple[str, str, str]:
    """The same of a socket that calls tell of."""
    return socket.protocol, socket.local or "", "–" if socket.listening else socket.peer or "–"


def _ends(sample: KernelSample) -> tuple[str, str, str]:
    """Protocol, local address and peer, "–" for a socket that has none."""
    return sample.protocol, sample.local, "–" if sample.peer.endswith(":0") else sample.peer


def _queues(sample: KernelSample) -> tuple[str, str]:
    """What waits in both queues; of a listener how many connections wait, and the most that may."""
    if sample.state == "gone":
        return "", ""
    if sample.state == "LISTEN":
        return tr("{count} conn", count=sample.receive_queue), tr("of {most}", most=sample.send_queue)
    return str(sample.unread), str(sample.unacknowledged)


def _relayed(outside: Outside) -> tuple[str, str]:
    """Of a listener that the relay stands in for: who waits outside is not counted, the most is its own."""
    return "–", "–" if outside.backlog is None else tr("of {most}", most=outside.backlog)


def _cells(texts: tuple[str, ...], styles: tuple[Style, ...], width: int, *, kernel: bool) -> Line:
    """The columns that fit `width`: from the right, who made it and the owner's room give way first."""
    queues = (7, 7) if kernel else (0, 0)
    wide = width >= (122 if kernel else 104)
    widths = [16, 3, 5, 21, 21, 12, *queues, 14] if wide else [13, 3, 5, 17, 17, 12, *queues, 0]
    if kernel and width < 100:            # the state stands in sight; a pid of six digits where it has room
        owner = (min(width - 65, 16) if width >= _ROOMY else width - 61 if width >= _TIGHT
                 else max(9, min(width - 48, 11)))
        widths = [owner, 0, 0, 15, 15, 11, 6, 7, 0]
    elif width < 78:                                  # the state stands in sight, whatever else does not
        widths = [max(9, min(width - (61 if width >= 72 else 49), 13)), 3, 5, 15, 15, 12, 0, 0, 0]
        widths[1:3] = (3, 5) if width >= 72 else (0, 0)
    if width >= 140:
        widths[3] = widths[4] = 30
    spare = width + 1 - sum(size + 2 for size in widths if size)       # a program's name is the longest text
    widths[0] += max(min(spare, _OWNER - widths[0]), 0)
    spans: list[Span] = [Span(" ")]
    used, tight = 1, kernel and _TIGHT <= width < _ROOMY
    for place, (text, style, size) in enumerate(zip(texts, styles, widths, strict=True)):
        if not size or used + size > width:
            continue
        is_address = place in (3, 4) and cell_width(text) > size
        shown = text
        if is_address:                    # its tail, with the port, tells more than its head
            shown = f"({tail(text[1:-1], size - 2)})" if text[:1] == "(" else tail(text, size)
        cell = fit(shown, size, align="right" if place in (1, 6, 7) else "left")
        spans.append(Span(cell, style))
        used += size
        gap = "  "[: max(min(1 if tight and place >= 3 else 2, width - used), 0)]
        if gap:
            spans.append(Span(gap))
            used += len(gap)
    if used < width:
        spans.append(Span(" " * (width - used)))
    return tuple(spans)
