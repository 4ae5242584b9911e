"""A classic BPF machine in a few lines, to run capture filters without a kernel (linux/filter.h)."""

from __future__ import annotations

from inspector.capture.bpf import Program


def run_program(program: Program, frame: bytes) -> int:
    """How many bytes of the frame are kept; 0 also for a load beyond its end, as in the kernel."""
    a = x = 0
    memory = [0] * 16
    at = 0
    while True:
        code, jt, jf, k = program[at]
        at += 1
        size = {0x00: 4, 0x08: 2, 0x10: 1}.get(code & 0x18, 0)
        kind, mode = code & 0x07, code & 0xE0
        if kind == 0x06:
            return k if code == 0x06 else a
        if kind == 0x00 and mode in (0x20, 0x40):
            start = k + (x if mode == 0x40 else 0)
            if start + size > len(frame):
                return 0
            a = int.from_bytes(frame[start : start + size], "big")
        elif code == 0xB1:
            if k >= len(frame):
                return 0
            x = 4 * (frame[k] & 15)
        elif code in (0x00, 0x01):
            a, x = (k, x) if code == 0x00 else (a, k)
        elif code in (0x60, 0x61):
            a, x = (memory[k], x) if code == 0x60 else (a, memory[k])
        elif code in (0x02, 0x03):
            memory[k] = a if code == 0x02 else x
        elif code in (0x07, 0x87):
            a, x = (a, a) if code == 0x07 else (x, x)
        elif kind == 0x04:
            operand = x if code & 0x08 else k
            a = {
                0x00: a + operand, 0x10: a - operand, 0x40: a | operand, 0x50: a & operand,
                0x60: a << operand, 0x70: a >> operand,
            }[code & 0xF0] & 0xFFFFFFFF
        elif kind == 0x05:
            operand = x if code & 0x08 else k
            if code & 0xF0 == 0x00:
                at += k
            else:
                true = {0x10: a == operand, 0x20: a > operand, 0x30: a >= operand, 0x40: bool(a & operand)}
                at += jt if true[code & 0xF0] else jf
        else:
            raise AssertionError(f"operation {code:#x}")
