"""What strace prints, read into the journal's records: the system calls that a program makes on its sockets.

Bytes of its output, as they come -> lines -> a call entered, and returned (`<unfinished ...>` and
`resumed` are joined) -> `CallRecord`s written as our own endpoints write theirs. Calls on anything else
than TCP and UDP sockets are left out. `OPTIONS` are those that give this form of output.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from inspector.model.endpoint import join_endpoint
from inspector.model.records import END_OF_STREAM
from inspector.wire.journal import CallRecord
from inspector.wire.text import escaped

DATA_IN = ("read", "readv", "recv", "recvfrom", "recvmsg", "recvmmsg")
DATA_OUT = ("write", "writev", "send", "sendto", "sendmsg", "sendmmsg", "sendfile")
SELECTS = ("select", "pselect6")
EPOLL_WAITS = ("epoll_wait", "epoll_pwait", "epoll_pwait2")
BLOCKING = ("accept", "accept4", "connect", *DATA_IN, *DATA_OUT, "poll", "ppoll", *SELECTS)
STARTS = ("clone", "clone3")         # what makes a thread or a process
CALLS = (*STARTS, "socket", "bind", "listen", "shutdown", "close", "setsockopt", "getsockname", "epoll_ctl",
         *EPOLL_WAITS, *BLOCKING)
# Times in nanoseconds, descriptors with what they are, no signals, no columns; 32 characters of each string.
OPTIONS = (
    "-f", "-yy", "-Y", "-q", "-s", "32", "-a", "0", "-e", "signal=none",
    "--absolute-timestamps=format:unix,precision:ns", "--syscall-times=ns",
)

_REMEMBERED = 4096           # pairs of ends and texts: a program says the same again and again
_KNOWN, _BLOCKING = frozenset(CALLS), frozenset(BLOCKING)
_PREVIEW, _LONGEST_LINE, _LONGEST_ARGUMENTS = 32, 1 << 20, 300
_LINE = re.compile(r"(\d+)(?:<(.*?)>)? +(\d+)\.(\d{9}) (.*)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>", re.ASCII)
_RETURNED = re.compile(r"(.*)\) += (.*?)(?: <(\d+)\.(\d{9})>)?", re.DOTALL)
_RESULT = re.compile(r"(-?\d+)(?:<.*>)?(?: ([A-Z][A-Z0-9_]+)\b)?.*", re.DOTALL)
_FLAGS = re.compile(r"\bflags=([A-Z_|0-9a-fx]+)")
_SOCKET = re.compile(r"(\d+)<(TCP|UDP)(?:v6)?:\[([^<\"]*?)\]>")
_EVENT = re.compile(r"events=([A-Z|0-9a-fx]+), data=(?:\{u32=\w+, u64=(\w+)\}|(\w+))")
_KINDS = ("<TCP", "<UDP")
_EPOLL = re.compile(r"(\d+)<anon_inode:\[eventpoll")
_MOST_WATCHED = 10_000       # sockets that one epoll watches
_ENDS = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[\d.]+):(\d+)")
_PART = re.compile(
    r"""(?P<four>\{sa_family=AF_INET,\ sin_port=htons\((?P<port>\d+)\),
        \ sin_addr=inet_addr\("(?P<host>[\d.]+)"\)\})
    | (?P<six>\{sa_family=AF_INET6,\ sin6_port=htons\((?P<port6>\d+)\),
        [^{}]*?inet_pton\(AF_INET6,\ "(?P<host6>[0-9a-fA-F:.]+)"[^{}]*\})
    | (?P<text>"(?P<inside>(?:[^"\\]++|\\.)*+)(?:"(?P<more>\.\.\.)?)?)
    | (?<!\d)(?P<fd>\d++)<(?:[A-Zv0-9-]+:\[[^<"]*?\]|[^<>]*)>""",
    re.VERBOSE | re.DOTALL,
)  # fmt: skip

_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|<[^<>"]*?\]>|[\[\](){},]', re.DOTALL)
_ESCAPE = re.compile(r"\\([0-7]{1,3}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPED = {"n": b"\n", "r": b"\r", "t": b"\t", "v": b"\v", "f": b"\f", "a": b"\a", "b": b"\b"}


@dataclass(slots=True)
class _Call:
    """A call under way. `given`: its arguments as strace printed them; `id` 0: it was not told yet."""

    pid: int
    tid: int
    role: str
    name: str
    time_ns: int
    given: str = ""
    end_ns: int | None = None
    id: int = 0

    def record(self, on: _Socket, arguments: str, result: int | None, errno: str | None,
               detail: str) -> CallRecord:
        """It as the journal has it."""
        return CallRecord(self.id, self.pid, self.tid, self.role, self.name, arguments, self.time_ns,
                          self.end_ns, result, errno, detail, on.fd, on.local, on.peer, on.protocol)


class _Socket(NamedTuple):
    """What a call is on, as far as it is known."""

    fd: int | None = None
    protocol: str = ""
    local: str | None = None
    peer: str | None = None


class StraceReader:
    """Reads the output of one strace. `process_of` gives the process of a thread (both by their number).

    A thread may be gone when it is asked for: whoever made it tells whose it was, clone(2).
    """

    def __init__(self, process_of: Callable[[int], int] = lambda thread: thread) -> None:
        self._process_of = process_of
        self._processes: dict[int, int] = {}
        self._entered: dict[int, _Call] = {}
        self._starting: dict[int, int] = {}  # thread in a clone() that makes one -> process
        self._rest = b""
        self._next = 1
        self.done: set[int] = set()          # threads whose end was told
        # What an epoll of a process watches: the data that it gives back -> the socket, as strace prints it.
        self._watched: dict[tuple[int, str], dict[str, str]] = {}

    def take(self, data: bytes) -> Iterator[CallRecord]:
        """The records of all lines that `data` completes; calls that block are given at their entry too."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            self._rest = b""
        for line in lines:
            record = self._line(line.decode("utf-8", "replace"))
            if record is not None:
                yield record

    def _line(self, line: str) -> CallRecord | None:
        found = _LINE.fullmatch(line)
        if found is None:
            return None
        thread, program = int(found[1]), found[2] or ""
        time_ns, body = int(found[3]) * 1_000_000_000 + int(found[4]), found[5]
        if body.startswith("+++"):
            self.done.add(thread)
            self._processes.pop(thread, None)
            self._entered.pop(thread, None)
            self._starting.pop(thread, None)
            return None
        resumed = _RESUMED.match(body)
        if resumed is not None:
            return self._resumed(thread, resumed[1], body[resumed.end() :])
        name, opening, rest = body.partition("(")
        if not opening or name not in _KNOWN:
            return None
        call = _Call(self._process(thread), thread, escaped(program, 32), name, time_ns)
        if rest.endswith(" <unfinished ...>"):
            call.given = rest.removesuffix(" <unfinished ...>")
            self._entered[thread] = call
            if name in STARTS and _makes_thread(call.given):
                self._starting[thread] = call.pid
            return self._numbered(call, _described, "") if name in _BLOCKING else None
        return self._return(call, rest)

    def _process(self, thread: int) -> int:
        if thread not in self._processes:
            process = self._process_of(thread)
            makers = set(self._starting.values())
            if process == thread and len(makers) == 1:        # its first call may come before clone() returns
                process = makers.pop()
            self._processes[thread] = process
        return self._processes[thread]

    def _started(self, call: _Call, result: str) -> None:
        """Take note of whose the thread is that a clone() has made."""
        self._starting.pop(call.tid, None)
        made = _RESULT.fullmatch(result)
        thread = int(made[1]) if made is not None else 0
        if thread > 0 and thread not in self.done and _makes_thread(call.given):
            self._processes[thread] = call.pid

    def _resumed(self, thread: int, name: str, rest: str) -> CallRecord | None:
        call = self._entered.pop(thread, None)
        return None if call is None or call.name != name else self._return(call, rest)

    def _return(self, call: _Call, rest: str) -> CallRecord | None:
        found = _RETURNED.fullmatch(rest)
        if found is None or found[3] is None:          # `= ?`: it never came back
            return None
        call.end_ns = call.time_ns + int(found[3]) * 1_000_000_000 + int(found[4])
        call.given += found[1]
        if call.name in STARTS:
            self._started(call, found[2])
            return None
        if call.name == "epoll_ctl":
            self._watch(call.pid, _split(call.given))
            return None
        return self._numbered(call, self._epoll if call.name in EPOLL_WAITS else _described, found[2])

    def _watch(self, process: int, arguments: list[str]) -> None:
        """Take note of what an epoll gives back for a socket: epoll_ctl(2)."""
        own = _EPOLL.match(arguments[0]) if len(arguments) == 4 else None
        if own is None or not _SOCKET.match(arguments[2]):
            return
        watched, event = self._watched.setdefault((process, own[1]), {}), _EVENT.search(arguments[3])
        if event is not None and len(watched) < _MOST_WATCHED:
            watched[event[2] or event[3]] = arguments[2]

    def _epoll(self, call: _Call, result: str) -> CallRecord | None:
        """The wait for several, on the first socket that is ready; None where none is."""
        arguments = _split(call.given)
        own = _EPOLL.match(arguments[0]) if len(arguments) >= 4 else None
        if own is None or not result.isdigit():
            return None
        watched = self._watched.get((call.pid, own[1]), {})
        ready = [(watched.get(event[2] or event[3], ""), event[1]) for event in _EVENT.finditer(arguments[1])]
        sockets = [(found, events) for text, events in ready if (found := _SOCKET.match(text))]
        if not sockets:
            return None
        first = next((found for found, _ in sockets if "->" in found[3]), sockets[0][0])
        names = ", ".join(f"{found[1]} {events.replace('EPOLL', '')}" for found, events in sockets[:8])
        return call.record(_on(first), _plain([own[1], arguments[3]]), int(result), None, escaped(names))

    def _numbered(self, call: _Call, described: Callable[[_Call, str], CallRecord | None],
                  result: str) -> CallRecord | None:
        """The call as a record, with a number of its own, which stays when it is told once more."""
        known, call.id = call.id, call.id or self._next
        record = described(call, result)
        if record is None:
            call.id = known
        elif not known:
            self._next += 1
        return record


def _on(socket: re.Match[str]) -> _Socket:
    return _Socket(int(socket[1]), socket[2].lower(), *_ends(socket[3]))


def _described(call: _Call, result: str) -> CallRecord | None:
    """The call as its text says; None where it is on no TCP or UDP socket.

    `result`: what follows the `=`, nothing at its entry.
    """
    name, on = call.name, _Socket()
    if name != "socket" and not any(kind in text for text in (call.given, result) for kind in _KINDS):
        return None
    made = _SOCKET.match(result)
    arguments = _split(call.given)
    own = _SOCKET.search(arguments[0]) if arguments else None
    if name in SELECTS:                            # what is ready, else the first one that is waited for
        own = _SOCKET.search(result) or _SOCKET.search(call.given)
    if own is not None:
        on = _on(own)
    elif name != "socket" or not _makes_socket(arguments):
        return None
    elif made is not None:
        on = _Socket(protocol=made[2].lower())
    outcome = _RESULT.fullmatch(result)
    value = int(outcome[1]) if outcome else None
    return _explained(call, on, arguments, value, outcome[2] if outcome and value == -1 else None, made)


def _explained(call: _Call, on: _Socket, arguments: list[str], result: int | None, errno: str | None,
               made: re.Match[str] | None) -> CallRecord:
    """The call with its arguments as a reader wants them; `made`: the socket that it gave."""
    name, detail = call.name, ""
    if name in ("accept", "accept4"):
        caller = _ends(made[3])[1] if made else None
        detail = f"from {caller}" if caller else ""
        arguments = arguments[:1] + arguments[3:]
    elif name in ("connect", "bind"):
        address = _plain(arguments[1:2]) or None
        if name == "bind":
            on = on._replace(local=on.local or address)
        elif result == 0 or errno == "EINPROGRESS":
            on = on._replace(peer=address)
        arguments = arguments[:2]
    elif name in DATA_IN:
        detail, sender = _came_in(arguments, result, on.protocol)
        on = on._replace(peer=sender) if sender else on
        arguments = _asked_for(name, arguments)
    else:
        if name in DATA_OUT and len(arguments) >= 6 and "sa_family" in arguments[4]:
            on = on._replace(peer=_plain(arguments[4:5]))
        arguments = _meaningful(arguments, name)
    return call.record(on, _plain(arguments), result, errno, detail)


def _makes_thread(arguments: str) -> bool:
    """Whether clone() makes a thread of the same process, not a process."""
    flags = _FLAGS.search(arguments)
    return flags is not None and "CLONE_THREAD" in flags[1].split("|")


def _makes_socket(arguments: list[str]) -> bool:
    family, kind = [*arguments, "", ""][:2]
    return family in ("AF_INET", "AF_INET6") and kind.startswith(("SOCK_STREAM", "SOCK_DGRAM"))


def _asked_for(name: str, arguments: list[str]) -> list[str]:
    """The arguments of a call that takes data, without the data, which were not known at its entry."""
    sized = name in ("read", "recv", "recvfrom")
    shown = arguments[:1] + (arguments[2:3] if sized else [])
    return shown + [flag for flag in arguments[3:4] if sized and flag != "0"]


def _came_in(arguments: list[str], result: int | None, protocol: str) -> tuple[str, str]:
    """What came in, which stands beside the result, and from whom, where the call says so."""
    if result == 0 and protocol == "tcp":
        return END_OF_STREAM, ""
    if result is None or result <= 0:
        return "", ""
    detail = _plain(arguments[1:2])
    if len(arguments) > 4 and arguments[4].startswith("{sa_family"):
        sender = _plain(arguments[4:5])
        return f"{detail} from {sender}", sender
    return detail, ""


def _meaningful(arguments: list[str], name: str) -> list[str]:
    """Without lengths of addresses and empty addresses, which say nothing to a reader."""
    if name in SELECTS:
        return [arguments[0], *(one for one in arguments[1:4] if one != "NULL")]
    if name in ("sendto", "send"):
        shown = arguments[:3] + [flag for flag in arguments[3:4] if flag != "0"]
        return shown + [address for address in arguments[4:5] if address != "NULL"]
    if name == "getsockname":
        return arguments[:2]
    return arguments[:-1] if name == "setsockopt" and len(arguments) > 4 else arguments


@lru_cache(_REMEMBERED)
def _ends(text: str) -> tuple[str | None, str | None]:
    """Own and other end of `127.0.0.1:8000->127.0.0.1:4242`; an inode's number has none."""
    own, _, other = text.partition("->")
    return _end(own), _end(other)


def _end(text: str) -> str | None:
    found = _ENDS.fullmatch(text)
    if found is None:
        return None
    mapped = re.fullmatch(r"\[::ffff:([\d.]+)\]", found[1], re.IGNORECASE)
    return f"{mapped[1] if mapped else found[1]}:{found[2]}"


def _plain(arguments: list[str]) -> str:
    """Arguments as our own journal writes them: addresses as text, descriptors as numbers, texts escaped."""
    text = _PART.sub(_part, ", ".join(arguments))
    return text if len(text) <= _LONGEST_ARGUMENTS else text[: _LONGEST_ARGUMENTS - 1] + "…"


def _part(found: re.Match[str]) -> str:
    if found["four"]:
        return join_endpoint(found["host"], found["port"])
    if found["six"]:
        return _end(join_endpoint(found["host6"], found["port6"])) or found["six"]
    return _text(found["inside"], bool(found["more"])) if found["text"] else found["fd"]


@lru_cache(_REMEMBERED)
def _text(inside: str, more: bool) -> str:
    """A string in C's notation as we show it; `more`: strace printed its beginning alone."""
    data = _as_bytes(inside)
    cut = "…" if more or len(data) > _PREVIEW else ""
    return '"' + escaped(data[:_PREVIEW]).replace('"', '\\"') + '"' + cut


def _as_bytes(text: str) -> bytes:
    """The bytes of a string in C's notation."""
    parts, position = [], 0
    for found in _ESCAPE.finditer(text):
        parts.append(text[position : found.start()].encode("utf-8", "surrogateescape"))
        position = found.end()
        escape = found[1]
        if escape[0] in "01234567":
            parts.append(bytes([int(escape, 8) & 0xFF]))
        elif escape[0] == "x" and len(escape) == 3:
            parts.append(bytes.fromhex(escape[1:]))
        else:
            parts.append(_ESCAPED.get(escape, escape.encode("utf-8", "surrogateescape")))
    return b"".join([*parts, text[position:].encode("utf-8", "surrogateescape")])


def _split(text: str) -> list[str]:
    """Arguments of a call, cut at the commas outside of strings, brackets and braces."""
    parts, start, depth = [], 0, 0
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign == ",":
            if depth <= 0:
                parts.append(text[start : token.start()].strip())
                start = token.end()
        elif sign in "[({":
            depth += 1
        elif sign in "])}":
            depth -= 1
    rest = text[start:].strip()
    return [*parts, rest] if rest or parts else []
