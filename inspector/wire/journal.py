"""System calls and events as records, and as the fields of a systemd Journal Export Block.

Endpoints send records to the agent as JSON lines; the agent writes their fields into the trace
(pcapng block type 9); readers turn the fields back into records. A call during which packets went by,
or that blocks longer than the agent holds records back, is written twice, like strace's "unfinished" and
"resumed": at its entry without, at its return with its result; both carry the same id and pid.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass
from dataclasses import fields as dataclass_fields
from functools import cache
from typing import Any, get_args, get_type_hints

from inspector.model.records import EVENT_KINDS, EventKind, KernelSample

PREFIX = "INSPECTOR_"

@dataclass(frozen=True, slots=True)
class CallRecord:
    """One system call, entered (`end_ns` None) or returned. Times: nanoseconds since the epoch."""

    id: int
    pid: int
    tid: int
    role: str
    name: str
    arguments: str
    time_ns: int
    end_ns: int | None = None
    result: int | None = None
    errno: str | None = None
    detail: str = ""
    fd: int | None = None
    local: str | None = None
    peer: str | None = None
    protocol: str = ""

    @property
    def message(self) -> str:
        """The call as strace prints it: `connect(3, 127.0.0.1:8000) = 0`, `accept(3) …`."""
        call = f"{self.name}({self.arguments})"
        if self.end_ns is None:
            return f"{call} …"
        value = f"-1 {self.errno}" if self.errno else str(self.result)
        return f"{call} = {value}" + (f"  {self.detail}" if self.detail else "")


@dataclass(frozen=True, slots=True)
class EventRecord:
    """Something else that happened; `text` is a sentence for people."""

    kind: EventKind
    text: str
    time_ns: int
    role: str = ""
    pid: int | None = None
    fields: tuple[tuple[str, str], ...] = ()


Reported = CallRecord | EventRecord                # what endpoints and programs report, as JSON lines
Record = Reported | KernelSample                   # what a trace holds


def to_line(record: Reported) -> bytes:
    """The record as one JSON line, as endpoints send it to the agent."""
    data = {key: value for key, value in asdict(record).items() if value is not None}
    return json.dumps(data, separators=(",", ":")).encode() + b"\n"


def carrying(sample: KernelSample) -> EventRecord:
    """An event with a sample in it: what reports to the agent in lines sends one so."""
    return EventRecord("sample", "", sample.time_ns, fields=tuple(to_fields(sample).items()))


def carried(event: EventRecord) -> KernelSample | None:
    """The sample in such an event; None where there is none that can be read."""
    found = from_fields(dict(event.fields))
    return found if isinstance(found, KernelSample) else None


def from_line(line: bytes | str) -> Reported:
    """Read what `to_line` wrote; anything else gives a ValueError with one sentence."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("A record of the journal is not JSON.") from None
    if not isinstance(data, dict):
        raise ValueError("A record of the journal is not a JSON object.")
    if "kind" not in data:
        return CallRecord(**_checked(data, CallRecord))
    given = _checked(data, EventRecord)
    pairs = given.get("fields", ())
    if not all(isinstance(pair, list) and len(pair) == 2 and all(map(_is_text, pair)) for pair in pairs):
        raise ValueError("An event's fields are not pairs of texts.")
    return EventRecord(**given | {"kind": _event_kind(given["kind"]), "fields": tuple(map(tuple, pairs))})


def _checked(data: dict[str, Any], record: type[Reported]) -> dict[str, Any]:
    """The object itself, where its keys are the record's, none that it needs is missing, and types fit."""
    types = _types(record is CallRecord)
    needed = {each.name for each in dataclass_fields(record) if each.default is MISSING}
    fits = needed <= set(data) <= set(types) and all(type(data[key]) in types[key] for key in data)
    if not fits or not all(_is_text(value) for value in data.values() if isinstance(value, str)):
        raise ValueError("A record of the journal has wrong fields.")
    return data


@cache
def _types(of_call: bool) -> dict[str, tuple[type, ...]]:
    """What JSON may give for each field: of `kind` a text, of `fields` a list of pairs, else what it says."""
    given: dict[str, tuple[type, ...]] = {"kind": (str,), "fields": (list,)}
    hints = get_type_hints(CallRecord if of_call else EventRecord)
    return {name: given.get(name) or get_args(hint) or (hint,) for name, hint in hints.items()}


def _is_text(value: object) -> bool:
    """Whether it is a string that can be written; JSON may hold half of a surrogate pair."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _event_kind(text: str) -> EventKind:
    for kind in EVENT_KINDS:
        if kind == text:
            return kind
    raise ValueError(f"There is no event {text!r:.40}.")


def to_fields(record: Record) -> dict[str, str]:
    """The record as journal fields, `__REALTIME_TIMESTAMP` (microseconds) first, as readers expect it."""
    fields = {"__REALTIME_TIMESTAMP": str(record.time_ns // 1000)}
    if record.pid is not None:
        fields["_PID"] = str(record.pid)
    if isinstance(record, CallRecord):
        fields |= {"_COMM": record.role, "PRIORITY": "6", "MESSAGE": record.message}
        fields[PREFIX + "CALL"] = record.name
    elif isinstance(record, KernelSample):
        return fields | _of_sample(record)
    else:
        priority = "3" if record.kind == "failed" else "6"
        fields |= {"_COMM": record.role or "inspector", "PRIORITY": priority, "MESSAGE": record.text}
        fields[PREFIX + "EVENT"] = record.kind
        fields |= {f"{PREFIX}X_{key.upper()}": value for key, value in record.fields}
    for name, key in _written(isinstance(record, CallRecord)):
        value = getattr(record, name)
        if value is not None and value != "":
            fields[key] = str(value)
    return fields


@cache
def _written(of_call: bool) -> tuple[tuple[str, str], ...]:
    """The fields of a record that are written by their own name, and that name."""
    skipped = {"pid", "name", "fields", "kind", "text"}
    return tuple((one.name, PREFIX + one.name.upper())
                 for one in dataclass_fields(CallRecord if of_call else EventRecord)
                 if one.name not in skipped)


def _of_sample(sample: KernelSample) -> dict[str, str]:
    queues = f"receive queue {sample.receive_queue}, send queue {sample.send_queue}"
    return {
        "_COMM": sample.process or "inspector", "PRIORITY": "7",
        "MESSAGE": f"{sample.local} {sample.peer} {sample.state}, {queues}",
        PREFIX + "KERNEL": sample.state, PREFIX + "TIME_NS": str(sample.time_ns),
        PREFIX + "LOCAL": sample.local, PREFIX + "PEER": sample.peer,
        PREFIX + "RECEIVE_QUEUE": str(sample.receive_queue), PREFIX + "SEND_QUEUE": str(sample.send_queue),
        PREFIX + "PROCESS": sample.process,
        **({PREFIX + "LAB": sample.lab[0], PREFIX + "LAB_PEER": sample.lab[1]} if sample.lab[0] else {}),
        **({PREFIX + "PROTOCOL": sample.protocol} if sample.protocol != "tcp" else {}),
        **{f"{PREFIX}X_{k.upper()}": str(v) for k, v in sample.info},
    }


def _sample(fields: Mapping[str, str]) -> KernelSample:
    pid = fields.get("_PID")
    return KernelSample(
        time_ns=_time(fields[PREFIX + "TIME_NS"]),
        local=fields[PREFIX + "LOCAL"],
        peer=fields[PREFIX + "PEER"],
        state=fields[PREFIX + "KERNEL"],
        receive_queue=_integer(fields[PREFIX + "RECEIVE_QUEUE"]),
        send_queue=_integer(fields[PREFIX + "SEND_QUEUE"]),
        process=fields.get(PREFIX + "PROCESS", ""),
        pid=None if pid is None else _integer(pid),
        info=tuple(
            (key[len(PREFIX) + 2 :].lower(), _integer(value))
            for key, value in fields.items() if key.startswith(PREFIX + "X_")
        ),
        protocol="udp" if fields.get(PREFIX + "PROTOCOL") == "udp" else "tcp",
        lab=(fields.get(PREFIX + "LAB", ""), fields.get(PREFIX + "LAB_PEER", "")),
    )


def from_fields(fields: Mapping[str, str]) -> Record | None:
    """The record in a journal block's fields, or None where they are somebody else's or damaged."""
    try:
        if PREFIX + "CALL" in fields:
            return _call(fields)
        if PREFIX + "EVENT" in fields:
            return _event(fields)
        if PREFIX + "KERNEL" in fields:
            return _sample(fields)
    except (KeyError, ValueError):
        pass
    return None


def _number(fields: Mapping[str, str], key: str) -> int | None:
    value = fields.get(PREFIX + key)
    return None if value is None else _integer(value)


def _integer(text: str) -> int:
    """A number of a journal; ValueError beyond the 64 bits that we write."""
    number = int(text)
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(f"{text} is no number of 64 bits")
    return number


def _time(text: str) -> int:
    """Nanoseconds since the epoch; ValueError for what cannot be one."""
    number = _integer(text)
    if number < 0:
        raise ValueError(f"{text} is no time")
    return number


def _call(fields: Mapping[str, str]) -> CallRecord:
    def text(key: str) -> str:
        return fields.get(PREFIX + key, "")

    return CallRecord(
        id=_integer(fields[PREFIX + "ID"]),
        pid=_integer(fields["_PID"]),
        tid=_integer(fields[PREFIX + "TID"]),
        role=text("ROLE"),
        name=text("CALL"),
        arguments=text("ARGUMENTS"),
        time_ns=_time(fields[PREFIX + "TIME_NS"]),
        end_ns=None if PREFIX + "END_NS" not in fields else _time(fields[PREFIX + "END_NS"]),
        result=_number(fields, "RESULT"),
        errno=text("ERRNO") or None,
        detail=text("DETAIL"),
        fd=_number(fields, "FD"),
        local=text("LOCAL") or None,
        peer=text("PEER") or None,
        protocol=text("PROTOCOL"),
    )


def _event(fields: Mapping[str, str]) -> EventRecord:
    extra = tuple((k[len(PREFIX) + 2 :].lower(), v) for k, v in fields.items() if k.startswith(PREFIX + "X_"))
    pid = fields.get("_PID")
    return EventRecord(
        kind=_event_kind(fields[PREFIX + "EVENT"]),
        text=fields.get("MESSAGE", ""),
        time_ns=_time(fields[PREFIX + "TIME_NS"]),
        role=fields.get(PREFIX + "ROLE", ""),
        pid=None if pid is None else _integer(pid),
        fields=extra,
    )
