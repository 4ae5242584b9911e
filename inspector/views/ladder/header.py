"""What stands above a ladder: both programs with pid and address, and their TCP states on the rule below.

Ladder and a packet -> two lines. The states are those after that packet, as the wire tells them; before
the first one, those that the calls tell (CLOSED, and LISTEN after a listen()).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, NamedTuple, Protocol

from inspector.model.endpoint import join_endpoint, split_endpoint
from inspector.model.language import marked, tr
from inspector.model.numbers import TCP, UDP
from inspector.model.packets import BEFORE, Instant, Row, row_at
from inspector.model.units import amount
from inspector.views.ladder.ends import Conversation, Ends, Side, conversation_ends, row_ends
from inspector.views.ladder.layout import LEFT, RIGHT, Moment
from inspector.views.ladder.margin import Margins
from inspector.views.line.spans import Line, Span, cell_width, centred, fit, tail
from inspector.views.session.call_text import role_name
from inspector.views.session.outside import Outside, outside_peers
from inspector.views.session.sockets import Socket, SocketTable
from inspector.wire.tcp.state import UNKNOWN
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.trace import Trace


_GONE = "gone"           # the state of a sample of a socket that is there no more
_NARROW = 12             # cells of a margin in which a TCP state has room
_BLOCKED_WIDTH = 20               # cells of a margin in which "┆ blocked 23 ms" has room
_LEGEND = marked(" ┆ = blocked ") # elsewhere


Programs = Set[tuple[str, int]]      # name and pid of those that made the calls of a margin


class Drawn(Protocol):
    """What the head needs of the ladder below it."""

    trace: Trace
    conversation: Conversation | None
    side: Side
    sockets: SocketTable
    deep: int
    margins: Margins
    programs: tuple[Programs, Programs]

    @property
    def several(self) -> bool:
        """Whether it shows more than one conversation."""

    @property
    def moments(self) -> Sequence[Moment]:
        """The moments of the calls of both margins, by time."""


class End(NamedTuple):
    """One margin's head. `name`: a program's, or what an end is called in the screens' language."""

    name: str
    pid: int | None
    address: str
    state: str
    inside: str = ""         # its address as packets have it: of a relayed one that is the relay's


_EVER = (1 << 63) - 1
_MOST_REFUSED = 64           # conversations that are looked at for one that met nobody
_NAMES = 2, 24               # programs that are named together, and the cells that they may take


def header_lines(ladder: Drawn, time: int, margin: int, middle: int, at: Instant | None, *,
                 before: bool = False) -> tuple[Line, ...]:
    """The two lines above the ladder, as wide as its lines.

    `before`: with the states before its first line, which calls alone tell: a capture may begin anywhere.
    """
    left, right, what = named_ends(ladder, at)
    if before:
        states = _states_at_first(ladder)
        left, right = left._replace(state=states[LEFT]), right._replace(state=states[RIGHT])
        if ladder.trace.may_grow:          # lines are printed as it happens: there will be more packets
            what = what.partition("  ")[0]
    width = time + 2 * margin + middle + 2
    names = _names(left, right, what, time, margin, width)
    legend = tr(_LEGEND) if ladder.margins.has_bars and margin < _BLOCKED_WIDTH else ""
    held = len(ladder.trace.fates.waiting)
    if held and not before:                # a head that is printed stays, and they will not
        legend = tr(" ┃ {count} waits ", count=held) if held == 1 else tr(" ┃ {count} wait ", count=held)
    return names, _rule(left.state, right.state, time, margin, middle, legend)


def named_ends(ladder: Drawn, at: Instant | None) -> tuple[End, End, str]:
    """The same for a head: of several conversations it names the client's port as their lines do.

    At the end of all it is nobody's: each of them has its own. So is the server's, where there are several.
    """
    left, right, what = ladder_ends(ladder, at)
    if ladder.conversation is not None or not ladder.several or not left.address:
        return left, right, what
    if at is None and ladder.side.several_servers:
        right = right._replace(address=_host_of_servers(ladder.side))
    peer = outside_peers(ladder.trace).get(left.inside)
    if at is None:
        address = split_endpoint(left.inside)[0] if peer is None else tr("relayed")
    elif peer is None:
        return left, right, what
    else:
        address = tr("{address} relayed as {port}", address=peer.address,
                     port=f":{split_endpoint(left.inside)[1]}")
    return left._replace(address=address), right, what


def _host_of_servers(side: Side) -> str:
    """The address that all servers have, "" where they have several."""
    hosts = {side.trace.index.address(address) for address, _ in side.servers}
    return escaped(hosts.pop()) if len(hosts) == 1 else ""


def ladder_ends(ladder: Drawn, at: Instant | None) -> tuple[End, End, str]:
    """Both ends at a height (None: the end), and what lies between them ("TCP  11 packets")."""
    rows = ladder.side.rows
    if at is None:
        at = Instant(row_at(rows, -1) if len(rows) else BEFORE, _EVER)
    conversation = ladder.conversation or _conversation_at(ladder, at.row)
    names, pids = _programs(ladder)
    together = ladder.conversation is None and ladder.several and (at.time_ns == _EVER or at.row == BEFORE)
    if together:
        names, pids = _programs_together(ladder, names, pids)
    if at.row == BEFORE:
        ends, states = ladder.side.ends, _states_of_calls(ladder, at.time_ns)
    elif conversation is None:
        ends, states = ladder.side.ends, ("", "")
    else:
        ends = conversation_ends(ladder.trace, conversation, ladder.sockets)
        states = _states(ladder, conversation, at, ends.client)
        if UNKNOWN in states:                  # nothing that it sent was captured: its calls may tell
            by_calls = _states_of_calls(ladder, at.time_ns)
            states = _known_state(states[0], by_calls[0]), _known_state(states[1], by_calls[1])
        if at.time_ns == _EVER and ladder.trace.fates.waiting:
            states = _states_of_kernel(ladder.trace, ends, states)
    if conversation is not None and not together:
        names, pids = _programs_of(ladder, conversation, ends, names, pids)
    client = End(role_name(names[LEFT]), pids[LEFT], ends.client, states[0])
    server = End(role_name(names[RIGHT]), pids[RIGHT], ends.server or _listening(ladder), states[1])
    outside = outside_peers(ladder.trace)
    client, server = _relayed(client, outside), _relayed(server, outside)
    count = tr(amount(len(rows), "packet")) if len(rows) else ""
    protocol = f"{conversation.protocol.upper()}  " if conversation else ""
    return client, server, protocol + (_others(ladder) or count)


def _others(ladder: Drawn) -> str:
    """That there are conversations which a ladder of one does not draw, and the key for them."""
    count = sum(len(streams) for streams in ladder.trace.index.streams.values())
    if ladder.conversation is None or count < 2:
        return ""
    return tr("1 of {count}  a: all", count=count)


def _relayed(end: End, outside: Mapping[str, Outside]) -> End:
    """The end as it is outside the lab, where the relay stands for it in there."""
    peer = outside.get(end.address)
    end = end._replace(inside=end.address)
    if peer is None:
        return end
    return end._replace(name=peer.process or tr("outside"), pid=peer.pid,
                        address=tr("{address} relayed", address=peer.address))


def _conversation_at(ladder: Drawn, row: Row) -> Conversation | None:
    """The conversation of packet `row`, or of the nearest one above it that has one."""
    index = ladder.trace.index
    for candidate in range(row, max(row - 64, -1), -1):
        protocol, stream = int(index.protocol[candidate]), int(index.stream[candidate])
        if protocol in (TCP, UDP) and stream >= 0:
            return Conversation("tcp" if protocol == TCP else "udp", stream)
    return None


def _programs(ladder: Drawn) -> tuple[list[str], list[int | None]]:
    """Name and pid of each margin's program, from its calls, else from the events."""
    names, pids = ["client", "server"], [None, None]  # type: list[str], list[int | None]
    if _without_server(ladder):
        names[RIGHT] = tr("nobody")
    for event in ladder.trace.events:
        if event.kind == "endpoint-started" and event.role in names:
            pids[names.index(event.role)] = event.pid
    seen: set[int] = set()
    for moment in reversed(ladder.moments):
        if moment.side not in seen:
            call = ladder.trace.calls[moment.call]
            names[moment.side], pids[moment.side] = escaped(call.role, 16) or names[moment.side], call.pid
            seen.add(moment.side)
        if len(seen) == 2:
            break
    return names, pids


def _programs_of(ladder: Drawn, conversation: Conversation, ends: Ends, names: list[str],
                 pids: list[int | None]) -> tuple[list[str], list[int | None]]:
    """Name and pid of whoever has the sockets of one conversation; `names` and `pids`: of the whole ladder.

    Where no call tells of one it is nobody's who stands in the ladder of several.
    """
    names, pids = list(names), list(pids)
    held = ladder.sockets.holders(conversation.protocol, ends.meeting)
    for side, socket in enumerate(held):
        if socket is not None:
            names[side], pids[side] = escaped(socket.role, 16) or names[side], socket.pid
        elif side == RIGHT and _is_refused(ladder, conversation, socket):
            names[side], pids[side] = tr("nobody"), None
        elif ladder.conversation is None and len(ladder.programs[side]) > 1:
            names[side], pids[side] = ("client", "server")[side], None
    return names, pids


def _is_refused(ladder: Drawn, conversation: Conversation, server: Socket | None) -> bool:
    """Whether nobody listened, as far as system calls tell of everybody who did."""
    return (server is None and bool(ladder.trace.calls) and conversation.protocol == "tcp"
            and conversation.stream in ladder.side.refused)


def _programs_together(ladder: Drawn, names: list[str],
                       pids: list[int | None]) -> tuple[list[str], list[int | None]]:
    """What all programs of each margin are called together, where they are several."""
    names, pids = list(names), list(pids)
    for side, programs in enumerate(ladder.programs):
        called = sorted({escaped(name, 16) for name, _ in programs} | _nobody(ladder, side))
        if len(programs) > 1:
            pids[side] = None
        if len(called) > 1:
            joined = ", ".join(called)
            fits = len(called) <= _NAMES[0] and cell_width(joined) <= _NAMES[1]
            names[side], pids[side] = joined if fits else tr("several"), None
    return names, pids


def _nobody(ladder: Drawn, side: int) -> set[str]:
    """The word for who did not listen, where a conversation of the ladder met nobody and others a server."""
    if side == LEFT or not ladder.programs[side]:
        return set()
    for stream in sorted(ladder.side.refused)[:_MOST_REFUSED]:
        conversation = Conversation("tcp", stream)
        ends = conversation_ends(ladder.trace, conversation, ladder.sockets)
        if _is_refused(ladder, conversation, ladder.sockets.holders("tcp", ends.meeting)[RIGHT]):
            return {tr("nobody")}
    return set()


def _without_server(ladder: Drawn) -> bool:
    """Whether the session was asked to have no server, so that nobody stands on the right."""
    for event in ladder.trace.events:
        if event.kind == "session-started":
            session = event.session
            return session is not None and not session.with_server
    return False


def _states_of_calls(ladder: Drawn, time_ns: int) -> tuple[str, str]:
    """TCP states at a time before the first packet (RFC 9293 §3.3.2); "" where no call speaks of TCP."""
    calls = [ladder.trace.calls[moment.call] for moment in ladder.moments if moment.time_ns <= time_ns]
    if not any(call.protocol == "tcp" for call in calls):
        return "", ""
    listens = any(call.name == "listen" and not call.errno for call in calls)
    return "CLOSED", "LISTEN" if listens else "CLOSED"


def _states_at_first(ladder: Drawn) -> tuple[str, str]:
    """CLOSED where the ladder begins with the calls that make TCP sockets; else "", which says nothing."""
    first = ladder.trace.calls[ladder.moments[0].call] if ladder.moments else None
    begins = first is not None and first.name == "socket" and first.protocol == "tcp"
    return ("CLOSED", "CLOSED") if begins else ("", "")


def _states(ladder: Drawn, conversation: Conversation, at: Instant, client: str) -> tuple[str, str]:
    """TCP states of client and server at a height; "" where there are none."""
    trace = ladder.trace
    if conversation.protocol != "tcp":
        return "", ""
    rows = trace.rows_of("tcp", conversation.stream)
    place = int(rows.searchsorted(at.row, side="right"))
    last = row_at(rows, place - 1) if place else None
    flow = None if last is None else trace.reached(last, ladder.deep)
    if last is None or flow is None:
        return "", ""
    a, b = flow.states(last, at.time_ns)
    if join_endpoint(*flow.a) == client or row_ends(trace, row_at(rows, 0))[0] == client:
        return a, b
    return b, a


def _states_of_kernel(trace: Trace, ends: Ends, states: tuple[str, str]) -> tuple[str, str]:
    """The states that the kernels told last: on a held wire packets arrive long after they were sent."""
    found = list(states)
    for side, own, other in ((LEFT, ends.client, ends.server), (RIGHT, ends.server, ends.client)):
        samples = (one.state for one in reversed(trace.kernel) if (one.local, one.peer) == (own, other))
        newest = next(samples, _GONE)
        found[side] = states[side] if newest == _GONE else newest
    return found[LEFT], found[RIGHT]


def _known_state(state: str, by_calls: str) -> str:
    return by_calls or state if state == UNKNOWN else state


def _listening(ladder: Drawn) -> str:
    """The address that the server waits on, before anybody came."""
    servers = (socket for socket in ladder.sockets.sockets if socket.listening or socket.role == "server")
    return next((socket.local for socket in servers if socket.local), "")


def _names(left: End, right: End, what: str, time: int, margin: int, width: int) -> Line:
    """The programs above their margins where they fit there, else at both edges."""
    half = (width - 2) // 2
    first, second = _name_spans(left, half, "client"), _name_spans(right, half, "server")
    sizes = [sum(cell_width(span.text) for span in spans) for spans in (first, second)]
    inside = max(sizes) < margin
    start = time + 1 if inside else 1
    end = margin - 1 - sizes[1] if inside else 1
    space = width - start - sum(sizes) - end
    shorter = (what, *(what.split("  ", place)[-1] for place in (1, 2)))        # the key says most of it
    middle = fit(next((one for one in shorter if space >= cell_width(one) + 4), ""), space, align="centre")
    return (Span(" " * start), *first, Span(middle, "dim"), *second, Span(" " * end))


def _name_spans(end: End, room: int, side: str) -> tuple[Span, ...]:
    """`client  pid 4131  127.0.0.1:50412`, as much of it as fits."""
    spans = [Span(end.name, "client" if side == "client" else "server")]
    pid = f"  pid {end.pid}" if end.pid is not None else ""
    address = f"  {end.address}" if end.address else ""
    name = cell_width(end.name)
    if name + len(pid) + cell_width(address) > room:
        pid = ""
    if pid:
        spans.append(Span(pid, "dim"))
    left = max(room - name - len(pid), 0)
    if cell_width(address) > left:           # its tail, with the port, tells more than its head
        address = "  " + tail(end.address, left - 2) if left > 8 else ""
    spans.append(Span(address))
    return tuple(span for span in spans if span.text)


def _rule(left: str, right: str, time: int, margin: int, middle: int, legend: str) -> Line:
    if margin >= _NARROW:
        between = Span("┬" + centred(legend, middle, "─") + "┬", "dim")
        return (Span(" " * time), *_state(left, margin), between, *_state(right, margin))
    half = middle // 2
    inner = (*_state(left, half), *_state(right, middle - half, at_end=True))
    edge = "─" * margin
    return (Span(" " * time), Span(edge + "┬", "dim"), *inner, Span("┬" + edge, "dim"))


def _state(state: str, margin: int, *, at_end: bool = False) -> tuple[Span, ...]:
    text = escaped(state)
    if not text or cell_width(text) > margin:
        return (Span("─" * margin, "dim"),)
    space = margin - cell_width(text)
    if space < 3:
        return (Span(fit(text, margin, align="centre"), "bold"),)
    if at_end:
        return Span("─" * (space - 3) + " ", "dim"), Span(text, "bold"), Span(" ─", "dim")
    return Span("─ ", "dim"), Span(text, "bold"), Span(" " + "─" * (space - 3), "dim")
