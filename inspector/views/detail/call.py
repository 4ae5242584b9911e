"""The detail of one system call, as the same kind of tree as a packet's: what was asked, what came back.

Call -> fields without bytes, ready for `Detail`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.records import Call
from inspector.model.units import duration
from inspector.views.packets.list import seconds_text
from inspector.views.session.kernel_times import call_times
from inspector.wire.dissection.field import Field
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

MEANINGS = {
    "socket": "asks the kernel for a new endpoint; nothing goes over the wire yet",
    "bind": "gives the socket its own address and port",
    "listen": "lets the kernel accept connections on its behalf and queue them",
    "accept": "waits for a finished handshake and takes a socket of its own for it",
    "accept4": "waits for a finished handshake and takes a socket of its own for it",
    "connect": "TCP: sends SYN and waits for the answer; UDP: only remembers the peer",
    "send": "copies bytes into the send buffer; the kernel decides when they leave",
    "sendto": "sends one datagram to the address given with it",
    "sendmsg": "sends from several buffers, with an address or control data",
    "recv": "waits until bytes are there; 0 means that the peer has closed",
    "recvfrom": "waits for a datagram and tells who sent it",
    "recvmsg": "waits for bytes and control data",
    "shutdown": "ends one direction; SHUT_WR sends FIN, SHUT_RD nothing: it wakes the own recv()",
    "close": "gives the socket back; the kernel ends the connection if nobody did",
    "setsockopt": "changes an option of the socket",
    "getsockopt": "reads an option of the socket",
    "getsockname": "asks which address the socket has",
    "getpeername": "asks who is at the other end",
    "poll": "waits until one of several descriptors can be used",
    "ppoll": "waits until one of several descriptors can be used",
    "select": "waits until one of several descriptors can be used",
    "pselect6": "waits until one of several descriptors can be used",
    "epoll_wait": "waits until one of the descriptors that it watches can be used",
    "epoll_pwait": "waits until one of the descriptors that it watches can be used",
}


def call_fields(trace: Trace, call: Call) -> tuple[Field, ...]:
    """All that is known of a call. Times count from the trace's first packet."""
    index = trace.index
    base = int(index.time_ns[0]) if index.count else call.time_ns
    if call.end_ns is None:
        answer, took = "still blocks", ""
    elif call.errno:
        answer, took = f"-1  {escaped(call.errno)}", duration(call.end_ns - call.time_ns)
    else:
        answer, took = str(call.result), duration(call.end_ns - call.time_ns)
    rows = [
        ("Arguments", escaped(call.arguments)),
        ("Result", answer),
        ("Detail", escaped(call.detail)),
        ("Entered at", f"{seconds_text(call.time_ns - base)} s"),
        ("Returned after", took),
        ("Process", f"{escaped(call.role)}, pid {call.pid}, thread {call.tid}"),
        ("Descriptor", "" if call.fd is None else str(call.fd)),
        ("Own address", escaped(call.local or "")),
        ("Peer", escaped(call.peer or "")),
        ("In the kernels", call_times(trace, call)),
        ("What it does", MEANINGS.get(call.name, "")),
    ]
    children = tuple(Field(f"call.{label}", label, value, 0, 0) for label, value in rows if value)
    return (Field("call", f"{escaped(call.name)}()", "a system call", 0, 0, children=children),)
