"""What goes wrong with names: refused, unknown, failed, or not answered at all (RFC 1035, RFC 2308)."""

from __future__ import annotations

from collections.abc import Sequence

from inspector.protocols.api import SentRecord
from inspector.protocols.dns.message import RESPONSE_CODES, DnsMessage
from inspector.wire.findings import Finding, Rule, Rulebook

WAIT_NS = 5_000_000_000      # so long a resolver waits before it asks again (resolv.conf(5), timeout)
_NO_SUCH_NAME = 3

BOOK = Rulebook(
    Rule("dns.no-such-name", "note", "RFC 2308 §2.1", "Look at the spelling, and at the search list."),
    Rule("dns.failure", "warning", "RFC 1035 §4.1.1", "Look at the server, or at one that it asked."),
    Rule("dns.no-answer", "warning", "RFC 1035 §4.2.1",
         "A name server should be at this address, and its answers should find the way back."),
)


def refusal(answer: DnsMessage) -> tuple[str, str] | None:
    """Rule and sentence for an answer that says no; None for one that does not."""
    if not answer.response or not answer.rcode:
        return None
    name = answer.questions[0].name if answer.questions else "?"
    if answer.rcode == _NO_SUCH_NAME:
        return "dns.no-such-name", f"The server says that there is no name \"{name}\" (NXDOMAIN)."
    reason = RESPONSE_CODES.get(answer.rcode, f"code {answer.rcode}")
    return "dns.failure", f"The server answers \"{name}\" with an error: {reason}."


def judge(sent: Sequence[SentRecord[DnsMessage]], end_ns: int) -> list[Finding]:
    """The findings of one conversation of datagrams; `end_ns`: up to when the capture went on."""
    found: list[Finding] = []
    waiting: dict[tuple[int, str], list[SentRecord[DnsMessage]]] = {}
    for one in sent:
        message = one.record
        name = message.questions[0].name if message.questions else ""
        if not message.response:
            waiting.setdefault((message.id, name), []).append(one)
            continue
        asked = waiting.pop((message.id, name), None) or waiting.pop((message.id, ""), [])
        refused = refusal(message)
        if refused is not None:
            rows = [one.row, *(query.row for query in asked)]
            found.append(BOOK.finding(*refused).at(-1, rows))
    for (_, name), asked in waiting.items():
        seconds = (end_ns - asked[0].time_ns) / 1e9
        if len(asked) < 2 and seconds * 1e9 < WAIT_NS:
            continue
        times = "once" if len(asked) == 1 else f"{len(asked)} times"
        what = f"\"{name}\" was asked for {times}, and no answer came in {seconds:.1f} s."
        found.append(BOOK.finding("dns.no-answer", what).at(-1, [one.row for one in asked]))
    return found
