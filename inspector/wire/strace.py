"""What strace prints, read into the journal's records: the system calls that a program makes on its sockets.

Bytes of its output, as they come -> lines -> a call entered, and returned (`<unfinished ...>` and
`resumed` are joined) -> `CallRecord`s written as our own endpoints write theirs. Calls on anything else
than TCP and UDP sockets are left out. `OPTIONS` are those that give this form of output.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from inspector.wire.journal import CallRecord
from inspector.wire.text import escaped

DATA_IN = ("read", "readv", "recv", "recvfrom", "recvmsg", "recvmmsg")
DATA_OUT = ("write", "writev", "send", "sendto", "sendmsg", "sendmmsg", "sendfile")
SELECTS = ("select", "pselect6")
EPOLL_WAITS = ("epoll_wait", "epoll_pwait", "epoll_pwait2")
BLOCKING = ("accept", "accept4", "connect", *DATA_IN, *DATA_OUT, "poll", "ppoll", *SELECTS)
CALLS = ("socket", "bind", "listen", "shutdown", "close", "setsockopt", "getsockname", "epoll_ctl",
         *EPOLL_WAITS, *BLOCKING)
# Times in nanoseconds, descriptors with what they are, no signals, no columns; 32 characters of each string.
OPTIONS = (
    "-f", "-yy", "-Y", "-q", "-s", "32", "-a", "0", "-e", "signal=none",
    "--absolute-timestamps=format:unix,precision:ns", "--syscall-times=ns",
)

_PREVIEW, _LONGEST_LINE, _LONGEST_ARGUMENTS = 32, 1 << 20, 300
_LINE = re.compile(r"(\d+)(?:<(.*?)>)? +(\d+)\.(\d{9}) (.*)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>", re.ASCII)
_RETURNED = re.compile(r"(.*)\) += (.*?)(?: <(\d+)\.(\d{9})>)?", re.DOTALL)
_RESULT = re.compile(r"(-?\d+)(?:<.*>)?(?: ([A-Z][A-Z0-9_]+)\b)?.*", re.DOTALL)
_SOCKET = re.compile(r"(\d+)<(TCP|UDP)(?:v6)?:\[([^<\"]*?)\]>")
_EVENT = re.compile(r"events=([A-Z|0-9a-fx]+), data=(?:\{u32=\w+, u64=(\w+)\}|(\w+))")
_EPOLL = re.compile(r"(\d+)<anon_inode:\[eventpoll")
_MOST_WATCHED = 10_000       # sockets that one epoll watches
_ENDS = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[\d.]+):(\d+)")
_PART = re.compile(
    r"""(?P<four>\{sa_family=AF_INET,\ sin_port=htons\((?P<port>\d+)\),
        \ sin_addr=inet_addr\("(?P<host>[\d.]+)"\)\})
    | (?P<six>\{sa_family=AF_INET6,\ sin6_port=htons\((?P<port6>\d+)\),
        [^{}]*?inet_pton\(AF_INET6,\ "(?P<host6>[0-9a-fA-F:.]+)"[^{}]*\})
    | (?P<text>"(?P<inside>(?:[^"\\]|\\.)*)"(?P<more>\.\.\.)?)
    | (?P<fd>\d+)<(?:[A-Zv0-9-]+:\[[^<"]*?\]|[^<>]*)>""",
    re.VERBOSE | re.DOTALL,
)  # fmt: skip
_ESCAPE = re.compile(r"\\([0-7]{1,3}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPED = {"n": b"\n", "r": b"\r", "t": b"\t", "v": b"\v", "f": b"\f", "a": b"\a", "b": b"\b"}


@dataclass(frozen=True, slots=True)
class _Entered:
    """A call that has not returned: its record where it is one of ours, and its arguments as far as known."""

    name: str
    arguments: str
    record: CallRecord


class StraceReader:
    """Reads the output of one strace. `process_of` gives the process of a thread (both by their number)."""

    def __init__(self, process_of: Callable[[int], int] = lambda thread: thread) -> None:
        self._process_of = process_of
        self._processes: dict[int, int] = {}
        self._entered: dict[int, _Entered] = {}
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
        thread, name = int(found[1]), found[2] or ""
        time_ns, body = int(found[3]) * 1_000_000_000 + int(found[4]), found[5]
        if body.startswith("+++"):
            self.done.add(thread)
            self._processes.pop(thread, None)
            self._entered.pop(thread, None)
            return None
        resumed = _RESUMED.match(body)
        if resumed is not None:
            return self._resumed(thread, resumed[1], body[resumed.end() :])
        call, opening, rest = body.partition("(")
        if not opening or call not in CALLS:
            return None
        record = CallRecord(0, self._process(thread), thread, escaped(name, 32), call, "", time_ns)
        if rest.endswith(" <unfinished ...>"):
            entered = _Entered(call, rest.removesuffix(" <unfinished ...>"), record)
            return self._enter(thread, entered)
        return self._return(_Entered(call, "", record), rest)

    def _process(self, thread: int) -> int:
        if thread not in self._processes:
            self._processes[thread] = self._process_of(thread)
        return self._processes[thread]

    def _enter(self, thread: int, entered: _Entered) -> CallRecord | None:
        record = _described(entered.record, entered.arguments, "") if entered.name in BLOCKING else None
        if record is not None:
            record = self._numbered(record)
            entered = replace(entered, record=replace(entered.record, id=record.id))
        self._entered[thread] = entered
        return record

    def _resumed(self, thread: int, call: str, rest: str) -> CallRecord | None:
        entered = self._entered.pop(thread, None)
        if entered is None or entered.name != call:
            return None
        return self._return(entered, rest)

    def _return(self, entered: _Entered, rest: str) -> CallRecord | None:
        found = _RETURNED.fullmatch(rest)
        if found is None or found[3] is None:          # `= ?`: it never came back
            return None
        took = int(found[3]) * 1_000_000_000 + int(found[4])
        given = entered.arguments + found[1]
        record = replace(entered.record, end_ns=entered.record.time_ns + took)
        if record.name == "epoll_ctl":
            self._watch(record.pid, _split(given))
            return None
        described = self._epoll(record, _split(given), found[2]) if record.name in EPOLL_WAITS else (
            _described(record, given, found[2]))
        return None if described is None else self._numbered(described)

    def _watch(self, process: int, arguments: list[str]) -> None:
        """Take note of what an epoll gives back for a socket: epoll_ctl(2)."""
        own = _EPOLL.match(arguments[0]) if len(arguments) == 4 else None
        if own is None or not _SOCKET.match(arguments[2]):
            return
        watched, event = self._watched.setdefault((process, own[1]), {}), _EVENT.search(arguments[3])
        if event is not None and len(watched) < _MOST_WATCHED:
            watched[event[2] or event[3]] = arguments[2]

    def _epoll(self, record: CallRecord, arguments: list[str], result: str) -> CallRecord | None:
        """The wait for several descriptors, on the first socket that is ready; None where none is."""
        own = _EPOLL.match(arguments[0]) if len(arguments) >= 4 else None
        if own is None or not result.isdigit():
            return None
        watched = self._watched.get((record.pid, own[1]), {})
        ready = [(watched.get(event[2] or event[3], ""), event[1]) for event in _EVENT.finditer(arguments[1])]
        sockets = [(found, events) for text, events in ready if (found := _SOCKET.match(text))]
        if not sockets:
            return None
        first = next((found for found, _ in sockets if "->" in found[3]), sockets[0][0])
        local, peer = _ends(first[3])
        names = ", ".join(f"{found[1]} {events.replace('EPOLL', '')}" for found, events in sockets[:8])
        return replace(record, arguments=_plain([own[1], arguments[3]]), result=int(result), fd=int(first[1]),
                       local=local, peer=peer, protocol=first[2].lower(), detail=escaped(names))

    def _numbered(self, record: CallRecord) -> CallRecord:
        if record.id:
            return record
        self._next += 1
        return replace(record, id=self._next - 1)


def _described(record: CallRecord, given: str, result: str) -> CallRecord | None:
    """The record with what the call's text says; None where it is on no TCP or UDP socket.

    `given`: the arguments as strace printed them, as far as they are known; `result`: what follows the `=`.
    """
    outcome = _RESULT.fullmatch(result)
    value = int(outcome[1]) if outcome else None
    error = outcome[2] if outcome and value == -1 else None
    made = _SOCKET.match(result)
    arguments = _split(given)
    own = _SOCKET.search(arguments[0]) if arguments else None
    if record.name in SELECTS:                     # what is ready, else the first one that is waited for
        own = _SOCKET.search(result) or _SOCKET.search(given)
    if own is None and not (record.name == "socket" and _makes_socket(arguments)):
        return None
    local, peer = _ends(own[3]) if own else (None, None)
    known = own or made
    found = replace(
        record, result=value, errno=error, fd=int(own[1]) if own else None, local=local, peer=peer,
        protocol=known[2].lower() if known else "",
    )
    if record.name in ("accept", "accept4"):
        caller = _ends(made[3])[1] if made else None
        detail = f"from {caller}" if caller else ""
        return replace(found, arguments=_plain(arguments[:1] + arguments[3:]), detail=detail)
    if record.name in ("connect", "bind"):
        address = _plain(arguments[1:2])
        if record.name == "bind":
            found = replace(found, local=found.local or address or None)
        elif value == 0 or error == "EINPROGRESS":
            found = replace(found, peer=address or None)
        return replace(found, arguments=_plain(arguments[:2]))
    if record.name in DATA_IN:
        return _data_in(found, arguments)
    if record.name in DATA_OUT and len(arguments) >= 6 and "sa_family" in arguments[4]:
        found = replace(found, peer=_plain(arguments[4:5]))
    return replace(found, arguments=_plain(_meaningful(arguments, record.name)))


def _makes_socket(arguments: list[str]) -> bool:
    family, kind = [*arguments, "", ""][:2]
    return family in ("AF_INET", "AF_INET6") and kind.startswith(("SOCK_STREAM", "SOCK_DGRAM"))


def _data_in(found: CallRecord, arguments: list[str]) -> CallRecord:
    """What came in stands beside the result, not among the arguments, which were known at the entry."""
    sized = found.name in ("read", "recv", "recvfrom")
    shown = arguments[:1] + (arguments[2:3] if sized else [])
    if sized and arguments[3:4] not in ([], ["0"]):
        shown.append(arguments[3])
    detail = ""
    if found.result == 0 and found.protocol == "tcp":
        detail = "end of stream"
    elif found.result is not None and found.result > 0:
        detail = _plain(arguments[1:2])
        if len(arguments) > 4 and arguments[4].startswith("{sa_family"):
            found = replace(found, peer=_plain(arguments[4:5]))
            detail += f" from {found.peer}"
    return replace(found, arguments=_plain(shown), detail=detail)


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
        return f"{found['host']}:{found['port']}"
    if found["six"]:
        return _end(f"[{found['host6']}]:{found['port6']}") or found["six"]
    if found["text"]:
        data = _as_bytes(found["inside"])
        more = "…" if found["more"] or len(data) > _PREVIEW else ""
        return '"' + escaped(data[:_PREVIEW]).replace('"', '\\"') + '"' + more
    return found["fd"]


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
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"?|<[^<>"]*?\]>|[\[\](){},]', text, re.DOTALL):
        sign = token[0]
        if sign in "[({":
            depth += 1
        elif sign in "])}":
            depth -= 1
        elif sign == "," and depth <= 0:
            parts.append(text[start : token.start()].strip())
            start = token.end()
    rest = text[start:].strip()
    return [*parts, rest] if rest or parts else []
