"""What happened in one conversation, each step named by its meaning and without the numbers of the day.

Ladder of a conversation -> packets and system calls, in the order of time, each with a name ("client SYN",
"server accept = ok") by which steps of different runs are held against each other, and a text to be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from inspector.model.language import translated
from inspector.model.numbers import ACK, FIN, ICMP, ICMPV6, RST, SYN, TCP, UDP
from inspector.model.packets import Row, row_at
from inspector.trace.packet.facts import facts
from inspector.trace.packet.info import packet_info, protocol_name
from inspector.views.ladder.layout import LEFT, Moment
from inspector.views.session.call_text import role_name
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.model.records import Call
    from inspector.trace.index.index import Index
    from inspector.trace.trace import Trace
    from inspector.views.ladder.ladder import Ladder
    from inspector.views.line.spans import Style

FLAGS = {"SYN": SYN, "SYN ACK": SYN | ACK, "ACK": ACK, "FIN ACK": FIN | ACK, "RST": RST, "RST ACK": RST | ACK}
_CALLS = {"sendto": "send", "sendmsg": "send", "write": "send",      # what they do is the same
          "recvfrom": "recv", "recvmsg": "recv", "read": "recv", "accept4": "accept"}
_SIZED = ("send", "recv")    # what they return is how many bytes
# What puts nothing on the wire: when a thread enters it beside another one is chance.
_QUIET = frozenset({"accept", "recv", "getsockname", "getpeername", "getsockopt", "setsockopt"})
_WAITING = ("recv", "accept")
MOST = 400                   # steps of a conversation that are compared: more is read by nobody


class Happening(NamedTuple):
    """A packet or a call. `name` is what is aligned, `detail` what may differ still; `text` is shown.

    `protocol`: what a packet speaks ("HTTP"), "" of a call. `connection`: which one of several, from 1.
    `frame`: bytes of a packet with all its headers, where they are compared; else 0.
    """

    name: str
    detail: str
    text: str
    style: Style
    protocol: str = ""
    connection: int = 1
    frame: int = 0


def packet_name(index: Index, row: Row, sender: str) -> str:
    """Who sends and what: "client SYN", "server data", "client datagram", "server ICMP"."""
    protocol, flags = int(index.protocol[row]), int(index.tcp_flags[row])
    if protocol == TCP:
        if int(index.payload_length[row]):
            return f"{sender} data"
        plain = flags & (SYN | FIN | RST | ACK)
        return f"{sender} " + next((name for name, bits in FLAGS.items() if bits == plain), "ACK")
    if protocol == UDP:
        return f"{sender} datagram"
    return f"{sender} ICMP" if protocol in (ICMP, ICMPV6) else f"{sender} data"


def call_name(call: Call) -> str:
    """Who called what, and whether it went well: "server accept = ok", "client connect = ECONNREFUSED".

    Calls that do the same under two names have one: sendto() is a send.
    """
    return f"{call.role} {_CALLS.get(call.name, call.name)} = {call.errno or 'ok'}"


def step_name(name: str) -> str:
    """A call's name however it came out, "client connect"; a packet's name as it is."""
    return name.partition(" = ")[0]


def call_detail(call: Call) -> str:
    """What may differ between calls of one name: by which name, and of how many bytes."""
    sized = _CALLS.get(call.name, call.name) in _SIZED
    return f"{call.name} {call.result}" if sized else call.name


def may_pass(name: str, others: Sequence[str]) -> bool:
    """Whether a call is on one side of some steps or the other by chance: see `align.settled`.

    What puts nothing on the wire may pass all; another call what the same end neither sends nor calls.
    """
    if not _is_call(name):
        return False
    role = name.partition(" ")[0]
    own = [other for other in others if other.startswith(f"{role} ")]
    return _is_quiet(name) or all(map(_is_quiet, own))


def _is_call(name: str) -> bool:
    return " = " in name


def _is_quiet(name: str) -> bool:
    return _is_call(name) and name.partition(" ")[2].partition(" = ")[0] in _QUIET


def happenings(ladder: Ladder, most: int = MOST) -> Iterator[Happening]:
    """The first `most` packets and calls of a ladder, each made when it is asked for.

    A call stands where it was entered, since what it does follows; one that waits for something (accept,
    recv) where it returned, behind what it waited for.
    """
    places = [(int(stamp), 1, position) for position, stamp in enumerate(ladder.side.times[:most].tolist())]
    places += [_moment(ladder.trace.calls[moment.call], moment.call) for moment in _entries(ladder)[:most]]
    for _, kind, which in sorted(places)[:most]:
        yield _of_packet(ladder, which) if kind == 1 else _of_call(ladder.trace.calls[which])


def happened(ladder: Ladder) -> int:
    """How many packets and calls there are."""
    return len(ladder.side.rows) + len(_entries(ladder))


def _entries(ladder: Ladder) -> list[Moment]:
    return [moment for moment in ladder.moments if moment.part != "return"]


def _moment(call: Call, number: int) -> tuple[int, int, int]:
    waits = call.end_ns is not None and _CALLS.get(call.name, call.name) in _WAITING
    return (call.end_ns, 2, number) if waits and call.end_ns is not None else (call.time_ns, 0, number)


def _of_packet(ladder: Ladder, position: int) -> Happening:
    trace, row = ladder.trace, row_at(ladder.side.rows, position)
    from_client = ladder.side.direction(position) == LEFT
    sender = "client" if from_client else "server"
    name = packet_name(trace.index, row, sender).replace("datagram", "data")
    known = facts(trace, row)
    protocol = protocol_name(trace, known)
    detail = f"{protocol} {int(trace.index.payload_length[row])}"
    text = translated(packet_info(trace, known, brief=True))
    return Happening(name, detail, f"{'──▶' if from_client else '◀──'} {text}", _style(trace, row), protocol)


def _style(trace: Trace, row: Row) -> Style:
    flags = int(trace.index.tcp_flags[row])
    if int(trace.index.protocol[row]) != TCP:
        return "udp"
    if flags & RST:
        return "rst"
    return "syn" if flags & SYN else "fin" if flags & FIN else "data"


def _of_call(call: Call) -> Happening:
    outcome = call.errno or ("…" if call.result is None else str(call.result))
    side: Style = "client" if call.role == "client" else "server"
    arguments = escaped(call.arguments, 60)
    name = escaped(call.name, 20)
    text = f"{role_name(escaped(call.role, 20))}  {name}({arguments}) = {escaped(outcome, 20)}"
    return Happening(call_name(call), call_detail(call), text, side)
