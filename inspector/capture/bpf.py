"""Classic BPF programs for the capture, made here so that no libpcap is needed.

A program is a tuple of instructions; what it returns is how many bytes of a frame are kept (0: none).
All programs of ours return `KEEP` or the snaplen: libpcap's usual 65,535 would cut loopback's frames.
"""

from __future__ import annotations

from typing import NamedTuple

KEEP = 262_144                     # more than any loopback frame (65,549 bytes with its link header)


class Instruction(NamedTuple):
    """One instruction as in struct sock_filter: operation, jump if true, if false, operand."""

    code: int
    jt: int
    jf: int
    k: int


Program = tuple[Instruction, ...]

BPF_RET_K = 0x06
ACCEPT_ALL: Program = (Instruction(BPF_RET_K, 0, 0, KEEP),)


def accept_all(snaplen: int = 0) -> Program:
    """Keep every frame, whole or its first `snaplen` bytes."""
    return (Instruction(BPF_RET_K, 0, 0, snaplen or KEEP),)


_LOAD_BYTE = 0x30
_JUMP_EQUAL = 0x15
_AD_PACKET_TYPE = 0xFFFFF000 + 4   # SKF_AD_OFF + SKF_AD_PKTTYPE
_PACKET_OUTGOING = 4


def without_outgoing(program: Program) -> Program:
    """The program behind a test that drops loopback's outgoing copies (for old kernels)."""
    return (
        Instruction(_LOAD_BYTE, 0, 0, _AD_PACKET_TYPE),
        Instruction(_JUMP_EQUAL, 0, 1, _PACKET_OUTGOING),
        Instruction(BPF_RET_K, 0, 0, 0),
        *program,
    )
