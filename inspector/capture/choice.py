"""Which BPF program a capture gets: none, ports, or BPF text.

Text made of `port N` and `host A` alone is understood here; any other goes through libpcap, where it is
installed (pcap-filter(7)).
"""

from __future__ import annotations

import ctypes
import ipaddress
import struct
from collections.abc import Sequence
from ctypes.util import find_library

from inspector.capture.bpf import KEEP, Address, Instruction, Program, returning, select
from inspector.model.numbers import LINK_ETHERNET

_UNKNOWN_NETMASK = 0xFFFFFFFF
_LIBRARIES = ("libpcap.so.1", "libpcap.so.0.8")


class FilterError(ValueError):
    """A capture filter that cannot be used; the text is one sentence."""


def choose_program(ports: Sequence[int] = (), text: str = "", snaplen: int = 0) -> tuple[Program, str]:
    """The program, and its text for the trace (as pcap-filter(7) would put it). Raises FilterError."""
    text = text.strip()
    for port in ports:
        if not 0 < port < 65536:
            raise FilterError(f"Port {port} is out of range; a port is a number from 1 to 65535.")
    if text and ports:
        text = f"({text}) and ({_port_text(ports)})"
    try:
        simple = None if text and ports else _simple(text)
        if simple is not None:
            found_ports, hosts = simple
            return select(found_ports or ports, hosts, snaplen), text or _port_text(ports)
    except ValueError as error:
        raise FilterError(str(error)) from error
    return returning(compile_text(text), snaplen), text


def compile_text(text: str) -> Program:
    """The program that libpcap makes of a filter expression. Raises FilterError."""
    library = load_libpcap()
    if library is None:
        raise FilterError(
            f"The filter {text!r} needs libpcap, which is not here; only 'port N' and 'host A' do not."
        )
    handle = library.pcap_open_dead(LINK_ETHERNET, KEEP)
    program = _BpfProgram()
    try:
        if library.pcap_compile(handle, ctypes.byref(program), text.encode(), 1, _UNKNOWN_NETMASK) != 0:
            reason = library.pcap_geterr(handle).decode("utf-8", "replace")
            raise FilterError(f"The filter {text!r} is wrong: {reason}.")
        code = ctypes.string_at(program.instructions, program.length * 8)
        library.pcap_freecode(ctypes.byref(program))
    finally:
        library.pcap_close(handle)
    return tuple(Instruction(*fields) for fields in struct.iter_unpack("=HBBI", code))


def load_libpcap() -> ctypes.CDLL | None:
    """libpcap, or None where it is not installed."""
    for name in _LIBRARIES:
        try:
            return _typed(ctypes.CDLL(name))
        except OSError:
            continue
    found = find_library("pcap")                           # starts programs to find it, so only now
    return _typed(ctypes.CDLL(found)) if found else None


class _BpfProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))


def _typed(library: ctypes.CDLL) -> ctypes.CDLL:
    pointer = ctypes.POINTER(_BpfProgram)
    library.pcap_open_dead.argtypes = (ctypes.c_int, ctypes.c_int)
    library.pcap_open_dead.restype = ctypes.c_void_p
    library.pcap_compile.argtypes = (ctypes.c_void_p, pointer, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32)
    library.pcap_geterr.argtypes = (ctypes.c_void_p,)
    library.pcap_geterr.restype = ctypes.c_char_p
    library.pcap_freecode.argtypes = (pointer,)
    library.pcap_close.argtypes = (ctypes.c_void_p,)
    return library


def _port_text(ports: Sequence[int]) -> str:
    return " or ".join(f"port {port}" for port in ports)


def _simple(text: str) -> tuple[list[int], list[Address]] | None:
    """Ports and hosts of text like "port 80 or port 81", "host ::1 and port 80"; None for any other."""
    ports: list[int] = []
    hosts: list[Address] = []
    for group in text.split(" and ") if text else ():
        words = [alternative.split() for alternative in group.split(" or ")]
        kinds = {word[0] for word in words if len(word) == 2}
        if any(len(word) != 2 for word in words) or len(kinds) != 1:
            return None
        values = [word[1] for word in words]
        kind = kinds.pop()
        try:
            if kind == "port" and not ports:
                ports = [int(value) for value in values if value.isascii() and 0 < int(value) < 65536]
                if len(ports) != len(values):
                    return None
            elif kind == "host" and not hosts:
                hosts = [ipaddress.ip_address(value) for value in values]
            else:
                return None
        except ValueError:
            return None
    return ports, hosts
