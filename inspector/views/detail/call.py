"""The detail of one system call, as the same kind of tree as a packet's: what was asked, what came back.

Call -> fields without bytes, ready for `Detail`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.model.language import marked, sentence, verbatim
from inspector.model.records import Call
from inspector.model.units import duration
from inspector.views.packets.list import seconds_text
from inspector.views.session.call_text import detail_words, role_name
from inspector.views.session.kernel_times import call_times
from inspector.wire.dissection.field import Field
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

MEANINGS = {
    "socket": marked("asks the kernel for a new endpoint; nothing goes over the wire yet"),
    "bind": marked("gives the socket its own address and port"),
    "listen": marked("lets the kernel accept connections on its behalf and queue them"),
    "accept": marked("waits for a finished handshake and takes a socket of its own for it"),
    "accept4": marked("waits for a finished handshake and takes a socket of its own for it"),
    "connect": marked("TCP: sends SYN and waits for the answer; UDP: only remembers the peer"),
    "send": marked("copies bytes into the send buffer; the kernel decides when they leave"),
    "sendto": marked("sends one datagram to the address given with it"),
    "sendmsg": marked("sends from several buffers, with an address or control data"),
    "recv": marked("waits until bytes are there; 0 means that the peer has closed"),
    "recvfrom": marked("waits for a datagram and tells who sent it"),
    "recvmsg": marked("waits for bytes and control data"),
    "shutdown": marked("ends one direction; SHUT_WR sends FIN, SHUT_RD nothing: it wakes the own recv()"),
    "close": marked("gives the socket back; the kernel ends the connection if nobody did"),
    "setsockopt": marked("changes an option of the socket"),
    "getsockopt": marked("reads an option of the socket"),
    "getsockname": marked("asks which address the socket has"),
    "getpeername": marked("asks who is at the other end"),
    "poll": marked("waits until one of several descriptors can be used"),
    "ppoll": marked("waits until one of several descriptors can be used"),
    "select": marked("waits until one of several descriptors can be used"),
    "pselect6": marked("waits until one of several descriptors can be used"),
    "epoll_wait": marked("waits until one of the descriptors that it watches can be used"),
    "epoll_pwait": marked("waits until one of the descriptors that it watches can be used"),
}


def call_fields(trace: Trace, call: Call) -> tuple[Field, ...]:
    """All that is known of a call. Times count from the trace's first packet."""
    index = trace.index
    base = int(index.time_ns[0]) if index.count else call.time_ns
    if call.end_ns is None:
        answer, took = sentence("still blocks"), ""
    elif call.errno:
        answer, took = verbatim(f"-1  {escaped(call.errno)}"), duration(call.end_ns - call.time_ns)
    else:
        answer, took = verbatim(str(call.result)), duration(call.end_ns - call.time_ns)
    rows = [
        (marked("Arguments"), escaped(call.arguments)),
        (marked("Result"), answer),
        (marked("Detail"), detail_words(escaped(call.detail))),
        (marked("Entered at"), f"{seconds_text(call.time_ns - base)} s"),
        (marked("Returned after"), took),
        (marked("Process"), sentence("{role}, pid {pid}, thread {tid}", role=role_name(escaped(call.role)),
                                     pid=call.pid, tid=call.tid)),
        (marked("Descriptor"), "" if call.fd is None else str(call.fd)),
        (marked("Own address"), escaped(call.local or "")),
        (marked("Peer"), escaped(call.peer or "")),
        (marked("In the kernels"), call_times(trace, call)),
        (marked("What it does"), sentence(MEANINGS.get(call.name, ""))),
    ]
    children = tuple(Field(f"call.{label}", label, value, 0, 0) for label, value in rows if value)
    return (Field("call", verbatim(f"{escaped(call.name)}()"), sentence("a system call"), 0, 0,
                  children=children),)
