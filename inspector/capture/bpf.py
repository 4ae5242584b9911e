"""Classic BPF programs for the capture, made here so that no libpcap is needed.

A program is a tuple of instructions (linux/filter.h); what it returns is how many bytes of a frame are
kept, 0 for none. All programs of ours return `KEEP` or the snaplen: libpcap's usual 65,535 would cut
loopback's frames. Frames are Ethernet, as `lo` gives them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import NamedTuple

from inspector.model.numbers import (
    DESTINATION,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    HOP_BY_HOP,
    ICMP,
    ICMPV6,
    IPV6_FRAGMENT,
    ROUTING,
    TCP,
    UDP,
)

KEEP = 262_144                     # more than any loopback frame (65,549 bytes with its link header)
MOST = 4096                        # instructions the kernel takes (BPF_MAXINSNS)

LD_WORD, LD_HALF, LD_BYTE = 0x20, 0x28, 0x30                # A = frame[k]
LD_HALF_X, LD_BYTE_X = 0x48, 0x50                           # A = frame[X + k]
LDX_HEADER = 0xB1                                           # X = 4 * (frame[k] & 15)
LDX_NUMBER, LDX_MEMORY = 0x01, 0x61
STORE, STORE_X = 0x02, 0x03                                 # M[k] = A, M[k] = X
ADD, ADD_X, AND, SHIFT_LEFT, TAX, TXA = 0x04, 0x0C, 0x54, 0x64, 0x07, 0x87
JUMP, JUMP_EQUAL, JUMP_SET = 0x05, 0x15, 0x45
RETURN = 0x06

_LINK = 14
_EXTENSIONS = (HOP_BY_HOP, ROUTING, DESTINATION)          # all of one form
_MOST_EXTENSIONS = 4
_AD_PACKET_TYPE = 0xFFFFF000 + 4   # SKF_AD_OFF + SKF_AD_PKTTYPE
_AD_INTERFACE = 0xFFFFF000 + 8     # SKF_AD_IFINDEX
_PACKET_OUTGOING = 4


class Instruction(NamedTuple):
    """One instruction as in struct sock_filter: operation, jump if true, if false, operand."""

    code: int
    jt: int
    jf: int
    k: int


Program = tuple[Instruction, ...]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def accept_all(snaplen: int = 0) -> Program:
    """Keep every frame, whole or its first `snaplen` bytes."""
    return (Instruction(RETURN, 0, 0, snaplen or KEEP),)


ACCEPT_ALL: Program = accept_all()
_DROP_OUTGOING: Program = (
    Instruction(LD_BYTE, 0, 0, _AD_PACKET_TYPE),
    Instruction(JUMP_EQUAL, 0, 1, _PACKET_OUTGOING),
    Instruction(RETURN, 0, 0, 0),
)


def without_outgoing(program: Program) -> Program:
    """The program behind a test that drops loopback's outgoing copies (for kernels before 4.20)."""
    return (*_DROP_OUTGOING, *program)


def without_outgoing_of(program: Program, index: int) -> Program:
    """Like `without_outgoing` for one interface, whose frames come in again; others' go out for good."""
    return (
        Instruction(LD_WORD, 0, 0, _AD_INTERFACE),
        Instruction(JUMP_EQUAL, 0, len(_DROP_OUTGOING), index),
        *_DROP_OUTGOING,
        *program,
    )


def without_groups(program: Program) -> Program:
    """The program behind a test that drops what is sent to a group: the devices' own chatter."""
    return (
        Instruction(LD_BYTE, 0, 0, 0),
        Instruction(JUMP_SET, 0, 1, 1),                    # IEEE 802.3 section 3.2.3: the address's first bit
        Instruction(RETURN, 0, 0, 0),
        *program,
    )


def only_interface(program: Program, index: int) -> Program:
    """The program behind a test that drops the frames of all interfaces but the one with this index."""
    return (
        Instruction(LD_WORD, 0, 0, _AD_INTERFACE),
        Instruction(JUMP_EQUAL, 1, 0, index),
        Instruction(RETURN, 0, 0, 0),
        *program,
    )


def returning(program: Program, snaplen: int = 0) -> Program:
    """The program with what it keeps set to ours, as compilers leave 65,535 there."""
    return tuple(
        step._replace(k=snaplen or KEEP) if step.code == RETURN and step.k else step for step in program
    )


def select(ports: Sequence[int] = (), hosts: Sequence[Address] = (), snaplen: int = 0) -> Program:
    """Keep frames from or to any of `hosts` and any of `ports` (TCP or UDP); an empty list is "any".

    IPv4 with options, IPv6 behind up to four extension headers; of fragments the first, which alone has
    the ports; ICMP errors that quote such a packet. ValueError when the list is too long for the kernel.
    """
    if not ports and not hosts:
        return accept_all(snaplen)
    program = _Selection(ports, hosts, snaplen or KEEP).build()
    if len(program) > MOST:
        raise ValueError("These are more ports and hosts than a capture filter can hold.")
    return program


class _Selection:
    """Writes the program down. Conditional jumps reach 255 steps only, so each one skips just a step."""

    def __init__(self, ports: Sequence[int], hosts: Sequence[Address], keep: int) -> None:
        self._ports = tuple(dict.fromkeys(ports))
        self._hosts = tuple(dict.fromkeys(hosts))
        self._keep = keep
        self._steps: list[tuple[int, int, int, int | str]] = []
        self._labels: dict[str, int] = {}

    def build(self) -> Program:
        """The whole program."""
        self._step(LD_HALF, 12)
        self._when(ETHERTYPE_IPV4, "ipv4")
        self._when(ETHERTYPE_IPV6, "ipv6")
        self._step(RETURN, 0)
        self._ipv4()
        self._ipv6()
        self._compare_ports()
        return tuple(
            Instruction(code, jt, jf, self._labels[k] - at - 1 if isinstance(k, str) else k)
            for at, (code, jt, jf, k) in enumerate(self._steps)
        )

    def _step(self, code: int, k: int | str = 0, jt: int = 0, jf: int = 0) -> None:
        self._steps.append((code, jt, jf, k))

    def _label(self, name: str) -> None:
        self._labels[name] = len(self._steps)

    def _when(self, value: int, label: str) -> None:
        self._step(JUMP_EQUAL, value, 0, 1)
        self._step(JUMP, label)

    def _keep_when(self, value: int) -> None:
        self._step(JUMP_EQUAL, value, 0, 1)
        self._step(RETURN, self._keep)

    def _ipv4(self) -> None:
        self._label("ipv4")
        hosts = [host for host in self._hosts if host.version == 4]
        for offset in (_LINK + 12, _LINK + 16) if self._hosts else ():
            self._step(LD_WORD, offset)
            for host in hosts:
                self._when(int(host), "ipv4 host")
        if self._hosts:
            self._step(RETURN, 0)
        self._label("ipv4 host")
        if not self._ports:
            self._step(RETURN, self._keep)
            return
        self._step(LD_HALF, _LINK + 6)
        self._step(JUMP_SET, 0x1FFF, 0, 1)                  # a later fragment
        self._step(RETURN, 0)
        self._step(LDX_HEADER, _LINK)
        self._step(LD_BYTE, _LINK + 9)
        self._when(TCP, "ipv4 ports")
        self._when(UDP, "ipv4 ports")
        self._when(ICMP, "icmp")
        self._step(RETURN, 0)
        self._label("ipv4 ports")
        self._step(TXA)
        self._ports_after(_LINK)
        self._icmp()

    def _icmp(self) -> None:
        """ICMP errors quote the packet that caused them behind eight bytes (RFC 792)."""
        self._label("icmp")
        self._step(LD_BYTE_X, _LINK)
        for kind in (3, 4, 5, 11, 12):
            self._when(kind, "icmp error")
        self._step(RETURN, 0)
        self._label("icmp error")
        self._step(LD_BYTE_X, _LINK + 8 + 9)
        self._when(TCP, "icmp ports")
        self._when(UDP, "icmp ports")
        self._step(RETURN, 0)
        self._label("icmp ports")
        self._step(LD_BYTE_X, _LINK + 8)
        self._step(AND, 15)
        self._step(SHIFT_LEFT, 2)
        self._step(ADD_X)
        self._ports_after(_LINK + 8)

    def _ipv6(self) -> None:
        self._label("ipv6")
        for number, host in enumerate(host for host in self._hosts if host.version == 6):
            for side, offset in (("from", _LINK + 8), ("to", _LINK + 24)):
                other = f"not {side} {number}"
                for word in range(4):
                    self._step(LD_WORD, offset + 4 * word)
                    self._step(JUMP_EQUAL, int(host) >> (96 - 32 * word) & 0xFFFFFFFF, 1, 0)
                    self._step(JUMP, other)
                self._step(JUMP, "ipv6 host")
                self._label(other)
        if self._hosts:
            self._step(RETURN, 0)
        self._label("ipv6 host")
        if not self._ports:
            self._step(RETURN, self._keep)
            return
        self._step(LDX_NUMBER, _LINK + 40)
        self._step(LD_BYTE, _LINK + 6)
        for level in range(_MOST_EXTENSIONS + 1):
            self._extension(level)
        self._step(RETURN, 0)
        self._icmp6()

    def _extension(self, level: int) -> None:
        """A is the type of the header at X; go to what it is, or step over it."""
        skip, fragment, size = f"skip {level}", f"fragment {level}", f"size {level}"
        self._when(TCP, "ports")
        self._when(UDP, "ports")
        self._when(ICMPV6, "icmp6")
        self._when(IPV6_FRAGMENT, fragment)
        for kind in _EXTENSIONS:
            self._when(kind, skip)
        self._step(RETURN, 0)
        self._label(fragment)
        self._step(LD_HALF_X, 2)
        self._step(JUMP_SET, 0xFFF8, 0, 1)                  # a later fragment
        self._step(RETURN, 0)
        self._step(LD_BYTE_X, 1)
        self._step(AND, 0)                                  # its second byte is reserved; it has eight bytes
        self._step(JUMP, size)
        self._label(skip)
        self._step(LD_BYTE_X, 1)                            # how many eights of bytes follow the first one
        self._label(size)
        self._step(STORE_X, 0)
        self._step(ADD, 1)
        self._step(SHIFT_LEFT, 3)
        self._step(ADD_X)
        self._step(STORE, 1)
        self._step(LDX_MEMORY, 0)
        self._step(LD_BYTE_X, 0)                            # the next header's type
        self._step(LDX_MEMORY, 1)

    def _icmp6(self) -> None:
        """ICMPv6 errors (types 1 to 4) quote the packet behind eight bytes (RFC 4443)."""
        self._label("icmp6")
        self._step(LD_BYTE_X, 0)
        for kind in (1, 2, 3, 4):
            self._when(kind, "icmp6 error")
        self._step(RETURN, 0)
        self._label("icmp6 error")
        self._step(LD_BYTE_X, 8 + 6)
        self._when(TCP, "icmp6 ports")
        self._when(UDP, "icmp6 ports")
        self._step(RETURN, 0)
        self._label("icmp6 ports")
        self._step(TXA)
        self._ports_after(8 + 40)

    def _ports_after(self, offset: int) -> None:
        """The ports stand at A + offset."""
        self._step(ADD, offset)
        self._step(TAX)
        self._step(JUMP, "ports")

    def _compare_ports(self) -> None:
        """The ports stand at X."""
        self._label("ports")
        for place in (0, 2):
            self._step(LD_HALF_X, place)
            for port in self._ports:
                self._keep_when(port)
        self._step(RETURN, 0)
