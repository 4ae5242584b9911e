"""What works here and what does not: each check is a value, with the command that mends it.

The lab's checks are made by starting a real agent; everything else is looked up.
"""

from __future__ import annotations

import importlib.metadata
import locale
import os
import platform
import shutil
import sys
from ctypes.util import find_library
from dataclasses import dataclass
from typing import Literal, cast

from inspector import extras
from inspector.lab.capture.access import dumpcap, how_to_capture, may_capture
from inspector.lab.capture.privilege import asker
from inspector.lab.errors import LabError
from inspector.lab.files import folders
from inspector.lab.launch import start_agent
from inspector.lab.network import namespace
from inspector.lab.network.wire.ends import make as make_ends
from inspector.model.records import EventFields
from inspector.model.wiring import Wiring
from inspector.wire import compiled, pcapng
from inspector.wire.journal import EventRecord, from_fields

State = Literal["ok", "warn", "missing"]
_PACKAGES = ("scapy", "textual", "numpy", "websockets", "h11", "zstandard")


@dataclass(frozen=True, slots=True)
class Check:
    """`state`: ok, warn (something is less), missing (something cannot be done); `remedy` a command or ""."""

    name: str
    state: State
    what: str
    remedy: str = ""


def examine() -> list[Check]:
    """All checks, in the order in which they matter."""
    first = [_system(), _python(), loops()]
    return [*first, *_lab(), _host(), *_folders(), *_tools(), *_terminal(), *_packages(), ciphers()]


def _system() -> Check:
    name = f"{platform.system()} {platform.release()}, {platform.machine()}"
    if platform.system() != "Linux":
        return Check("system", "missing", f"{name}; live sessions need Linux, files can be read anywhere.")
    return Check("system", "ok", f"{name}.")


def _python() -> Check:
    return Check("python", "ok", f"Python {platform.python_version()}.")


def loops() -> Check:
    """Whether the loops over all packets are compiled."""
    if compiled.loops is not None:
        return Check("compiled loops", "ok", "Large captures are read by compiled loops.")
    if os.environ.get("INSPECTOR_COMPILED") == "0":
        what = "Large captures are read by numpy, slower: INSPECTOR_COMPILED=0 says so."
        return Check("compiled loops", "warn", what, "unset INSPECTOR_COMPILED")
    what = "Large captures are read by numpy, slower: no compiled loops were built when this was installed."
    return Check("compiled loops", "warn", what, "with a C compiler (cc), install the inspector anew")


def _lab() -> list[Check]:
    refusal = namespace.probe()
    if refusal is not None:
        if not may_capture():
            return [Check("namespaces", "missing", refusal.sentence, refusal.remedy)]
        what = f"{refusal.sentence} Sessions run on the host's loopback instead."
        return [Check("namespaces", "warn", what, refusal.remedy)]
    who = "by root" if os.geteuid() == 0 else "without root"
    checks = [Check("namespaces", "ok", f"A private network can be made {who}.")]
    with os.fdopen(os.memfd_create("trace"), "rb") as trace:
        try:
            with start_agent(f"/proc/self/fd/{trace.fileno()}", "lab"):
                pass
        except (LabError, OSError) as error:
            remedy = error.remedy if isinstance(error, LabError) else ""
            sentence = error.sentence if isinstance(error, LabError) else f"{error.strerror or error}."
            return [*checks, Check("lab", "missing", sentence, remedy)]
        facts = _ready(trace.read())
    checks.append(Check("lab", "ok", "The lab starts, and its loopback is up."))
    if facts.get("ipv6") == "no":
        checks.append(Check("lab ipv6", "warn", "IPv6 is off in this kernel; sessions over IPv6 cannot run."))
    else:
        checks.append(Check("lab ipv6", "ok", "IPv6 works in the lab."))
    if (lacking := namespace.probe(lambda: make_ends(Wiring()))) is not None:
        checks.append(Check("lab wire", "warn", lacking.sentence, lacking.remedy))
    else:
        checks.append(Check("lab wire", "ok", "A wire can be held: packets of a session can be lost."))
    if facts.get("capture") == "ring":
        checks.append(Check("capture", "ok", "The kernel gives a memory-mapped ring (TPACKET_V3)."))
    else:
        checks.append(Check("capture", "warn", "No TPACKET_V3 ring here; capturing is slower, by recvmsg."))
    return checks


def _ready(data: bytes) -> EventFields:
    at = 0
    while (block := pcapng.block_at(data, at, "<" if sys.byteorder == "little" else ">")) is not None:
        if block.type == pcapng.JOURNAL_EXPORT:
            record = from_fields(pcapng.parse_journal(data[block.body : block.body_end]))
            if isinstance(record, EventRecord) and record.kind == "agent-ready":
                return cast(EventFields, dict(record.fields))
        at = block.end
    return {}


def _host() -> Check:
    if may_capture():
        return Check("host capture", "ok", "This user may capture on the machine's own loopback.")
    path = dumpcap()
    if path is not None:
        return Check("host capture", "ok", f"The machine's own loopback can be captured through {path}.")
    if ask := asker():
        asked = f"'inspector watch' asks for a packet socket by {ask[0]}."
        return Check("host capture", "ok", asked)
    what = "This user may not capture on the machine's own loopback (the lab does not need it)."
    return Check("host capture", "warn", what, how_to_capture())


def _folders() -> list[Check]:
    checks = []
    try:
        checks.append(Check("kept traces", "ok", f"Traces are kept in {folders.traces_folder()}."))
    except folders.FolderError as error:
        what = f"{error} Sessions run, and can be saved elsewhere while they are open."
        checks.append(Check("kept traces", "warn", what, error.remedy))
    temporary = folders.temporary_folder()
    if temporary is None:
        what = "No temporary folder can be written; what is decompressed or not saved stands in memory."
        checks.append(Check("temporary files", "warn", what, "export TMPDIR=/a/folder/of/yours"))
    else:
        checks.append(Check("temporary files", "ok", f"Temporary files go to {temporary}."))
    return checks


def _tools() -> list[Check]:
    checks = []
    path = shutil.which("tshark")
    what = f"tshark is at {path}." if path else "tshark is not here, and not needed."
    checks.append(Check("tshark", "ok", what))
    path = shutil.which("strace")
    if path:
        checks.append(Check("strace", "ok", f"strace is at {path}, for --syscalls."))
    else:
        what = "strace is not here: --syscalls, which shows any program's system calls, needs it."
        checks.append(Check("strace", "warn", what, "sudo apt install strace"))
    if find_library("pcap"):
        checks.append(Check("libpcap", "ok", "libpcap compiles any capture filter."))
    else:
        what = "libpcap is not here: captures can be narrowed by ports and hosts, not by other filters."
        checks.append(Check("libpcap", "warn", what, "sudo apt install libpcap0.8"))
    return checks


def _terminal() -> list[Check]:
    if not sys.stdout.isatty():
        return [Check("terminal", "warn", "Standard output is no terminal; the app needs one.")]
    size = os.get_terminal_size()
    checks = []
    if size.columns < 60 or size.lines < 16:
        what = f"The terminal is {size.columns}x{size.lines}; the app wants 80x24 or more."
        checks.append(Check("terminal", "warn", what, "make the window larger"))
    else:
        checks.append(Check("terminal", "ok", f"The terminal is {size.columns}x{size.lines}."))
    colour, term = os.environ.get("COLORTERM", ""), os.environ.get("TERM", "")
    if colour in ("truecolor", "24bit") or term.endswith("-direct"):
        checks.append(Check("colours", "ok", "16 million colours."))
    elif "256" in term or "NO_COLOR" in os.environ:
        checks.append(Check("colours", "ok", f"TERM={term}."))
    else:
        what = f"TERM={term or '(unset)'} promises few colours."
        checks.append(Check("colours", "warn", what, "export TERM=xterm-256color"))
    if "UTF" not in locale.getpreferredencoding(False).upper():
        what = f"The locale's encoding is {locale.getpreferredencoding(False)}; lines and arrows need UTF-8."
        checks.append(Check("encoding", "warn", what, "export LC_ALL=C.UTF-8"))
    return checks


def _packages() -> list[Check]:
    checks = []
    for package in _PACKAGES:
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            remedy = f"{sys.executable} -m pip install {package}"
            checks.append(Check(package, "missing", f"{package} is not installed.", remedy))
        else:
            checks.append(Check(package, "ok", f"{package} {version}."))
    return checks


def ciphers() -> Check:
    """Whether TLS can be opened by its secrets, for which a package is needed that few captures want."""
    if not extras.has_ciphers():
        what = "cryptography is not here: what TLS holds stays sealed, whatever --keylog names."
        return Check("cryptography", "warn", what, extras.installing("tls"))
    version = importlib.metadata.version("cryptography")
    return Check("cryptography", "ok", f"cryptography {version} opens TLS by its secrets, for --keylog.")
