"""Our packets held against tshark's tables: every field equal, or different for a reason that stands here."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inspector.trace.trace import Trace, TraceError
from inspector.views.json.packets import packets
from inspector.wire.headers.read import SHORT

DATA = Path(__file__).parents[2] / "data"
CAPTURES = sorted(path.with_suffix("").with_suffix("") for path in DATA.glob("*/**/*.frames.tsv"))

NUMBERS = (
    "frame.number", "frame.len", "frame.cap_len", "ip.proto", "tcp.stream", "tcp.srcport", "tcp.dstport",
    "tcp.seq_raw", "tcp.ack_raw", "tcp.window_size_value", "tcp.len", "udp.stream", "udp.srcport",
    "udp.dstport", "udp.length", "icmp.type", "icmp.code", "icmpv6.type", "icmpv6.code",
)
TEXTS = ("ip.src", "ip.dst", "ipv6.src", "ipv6.dst")
ADDRESSES = (*TEXTS, "ip.proto")
QUOTING = ("icmp", "icmpv6")
NOT_READ = ("arcnet", "juniper", "wpan")

REASONS = {
    "link": "a link type that is not read: ARCNET, Juniper, IEEE 802.15.4",
    "cut-header": "of a header that was cut the part that is there is not told",
    "quoted": "of a TCP segment that an ICMP error quotes only stream and ports are told",
    "malformed-extension": "tshark stops at a malformed IPv6 option; the headers behind it are told",
    "inner-names": "protocols that are not taken apart: their names, and those that stand behind them",
    "reassembled": "the last fragment of a TCP segment is told as the segment; tshark was asked not to",
    "renumbered": "one more conversation was counted before, for a reason given there",
    "application": "what HTTP was upgraded to, what follows a preface, what is known without its port",
}


def oracle(capture: Path) -> list[dict[str, str]]:
    """tshark's rows of a capture; custom blocks, which it counts as packets, left out."""
    with capture.with_name(capture.name + ".frames.tsv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [row for row in rows if row["frame.encap_type"] or row["frame.protocols"] != "data"]


def compare(capture: Path) -> Iterator[tuple[str, str, dict[str, Any], dict[str, str]]]:
    """(field, "" or reason or "?", our object, tshark's row) for every field of every packet."""
    expected = oracle(capture)
    try:
        trace = Trace.open(capture)
    except TraceError:
        assert not expected
        return
    with trace:
        trace.finish()
        found = list(packets(trace))
        assert len(found) == len(expected)
        more: Counter[str] = Counter()         # conversations that tshark did not count
        seen: set[tuple[str, int]] = set()
        for row, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
            short = bool(trace.index.status[row] & SHORT)
            theirs["frame.number"] = str(row + 1)
            for field, equal in _fields(ours, theirs):
                reason = "" if equal else _reason(field, ours, theirs, short)
                if field.endswith(".stream") and field in ours:
                    new = (field, ours[field]) not in seen
                    seen.add((field, ours[field]))
                    if reason == "malformed-extension" and new:
                        more[field] += 1
                    elif reason == "?" and _last(theirs[field]) == ours[field] - more[field]:
                        reason = "renumbered"
                yield field, reason, ours, theirs


def _fields(ours: dict[str, Any], theirs: dict[str, str]) -> Iterator[tuple[str, bool]]:
    for field in (*NUMBERS, *TEXTS, "tcp.flags"):
        values = [value if field in TEXTS else int(value, 0) for value in theirs[field].split(",") if value]
        found = [one[field] for one in (*ours.get("outer", ()), ours) if field in one]
        more = len(values) - len(found) if set(QUOTING) & set(theirs["frame.protocols"].split(":")) else 0
        yield field, found == values if more <= 0 else found == values[: len(found)] or found == values[more:]
    yield "frame.time_epoch_ns", ours["frame.time_epoch_ns"] == _nanoseconds(theirs["frame.time_epoch"])
    yield "frame.protocols", _same_protocols(ours["frame.protocols"], theirs["frame.protocols"])


def _last(text: str) -> int:
    return int(text.rpartition(",")[2] or -1)


def _nanoseconds(text: str) -> int:
    seconds, _, part = text.partition(".")
    return int(seconds or 0) * 1_000_000_000 + int(part.ljust(9, "0"))


def _same_protocols(ours: str, theirs: str) -> bool:
    # tshark goes on into applications, and says "data" of what it does not know; ours ends before.
    return f"{theirs}:".startswith(f"{ours}:")


def _reason(field: str, ours: dict[str, Any], theirs: dict[str, str], short: bool) -> str:
    names = theirs["frame.protocols"].split(":")
    ours_names = ours["frame.protocols"].split(":")
    if names[0] in NOT_READ:
        return "link"
    if field in (*ADDRESSES, "icmp.type", "icmp.code") and short:
        return "cut-header"
    cut = ours["frame.cap_len"] < ours["frame.len"]
    if field in ("ip.dst", "icmp.type", "icmp.code") and not theirs[field] and cut:
        return "cut-header"
    if field in ("tcp.ack_raw", "tcp.flags", "tcp.window_size_value") and {"icmp", "icmpv6"} & set(names):
        return "quoted"
    if field == "frame.protocols":
        return _reason_of_names(ours_names, names)
    if any(name.startswith("ipv6.") for name in names) and names != ours_names and not theirs[field]:
        return "malformed-extension"
    return "?"


def _reason_of_names(ours: list[str], theirs: list[str]) -> str:
    if any(name.startswith("ipv6.") for name in theirs) and ours[: len(theirs)] == theirs:
        return "malformed-extension"
    if ours[-1] == "data":
        return "inner-names"
    if theirs[-1] == "data" and ours[: len(theirs)] == [*theirs[:-1], "tcp"]:
        return "reassembled"
    unknown = theirs[-1] == "data" and ours[:-1] == theirs[:-1]
    return "application" if ours[-1] in ("http", "websocket") or unknown else "?"


def table(captures: list[Path]) -> tuple[str, Counter[str]]:
    """The table of all fields, equal and different by reason, and how often each reason was needed."""
    equal, different, reasons = Counter[str](), Counter[str](), Counter[str]()
    for capture in captures:
        for field, reason, _, _ in compare(capture):
            if reason:
                different[field] += 1
                reasons[reason] += 1
            else:
                equal[field] += 1
    lines = [f"{'field':<24}{'equal':>9}{'different':>11}"]
    lines += [f"{field:<24}{count:>9}{different[field]:>11}" for field, count in sorted(equal.items())]
    lines.append("")
    for reason, count in reasons.most_common():
        lines.append(f"{count:>6}  {REASONS.get(reason, 'not explained')}")
    return "\n".join(lines), reasons
