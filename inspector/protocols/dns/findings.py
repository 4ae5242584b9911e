"""What goes wrong with names: refused, unknown, failed, or not answered at all (RFC 1035, RFC 2308)."""

from __future__ import annotations

from collections.abc import Sequence

from inspector.model.language import sentence
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
    Rule("dns.one-direction", "note", "RFC 1035 §4.2.1",
         "Look whether the capture sees both directions, and whether a name server is at this address."),
    Rule("dns.malformed", "warning", "RFC 1035 §4.1", "Look at the program that wrote it."),
    Rule("dns.wrong-id", "warning", "RFC 1035 §4.1.1", "A response should have the id of its query."),
)


def refusal(answer: DnsMessage) -> tuple[str, str] | None:
    """Rule and sentence for an answer that says no; None for one that does not."""
    if not answer.response or not answer.rcode:
        return None
    name = answer.questions[0].name if answer.questions else "?"
    if answer.rcode == _NO_SUCH_NAME:
        return "dns.no-such-name", sentence(
            "The server says that there is no name \"{name}\" (NXDOMAIN).", name=name)
    known = RESPONSE_CODES.get(answer.rcode, "")
    reason = sentence(known) if known else sentence("code {code}", code=answer.rcode)
    return "dns.failure", sentence("The server answers \"{name}\" with an error: {reason}.", name=name,
                                   reason=reason)


def judge(sent: Sequence[SentRecord[DnsMessage]], end_ns: int) -> list[Finding]:
    """The findings of one conversation of datagrams; `end_ns`: up to when the capture went on."""
    found: list[Finding] = []
    waiting: dict[tuple[int, str], list[SentRecord[DnsMessage]]] = {}
    unasked: list[SentRecord[DnsMessage]] = []           # responses to what was not asked
    for one in sent:
        message = one.record
        if message.broken and one.whole:
            kind = sentence("response") if message.response else sentence("query")
            what = sentence("This {kind} is malformed: {broken}", kind=kind, broken=message.broken)
            found.append(BOOK.finding("dns.malformed", what).at(-1, [one.row]))
        name = message.questions[0].name if message.questions else ""
        if not message.response:
            if not message.broken or message.questions:      # else it asks nothing that could be answered
                waiting.setdefault((message.id, name), []).append(one)
            continue
        asked = waiting.pop((message.id, name), None) or waiting.pop((message.id, ""), [])
        if not asked:
            unasked.append(one)
        refused = refusal(message)
        if refused is not None:
            rows = [one.row, *(query.row for query in asked)]
            found.append(BOOK.finding(*refused).at(-1, rows))
    return found + _silence(waiting, unasked, end_ns, any(one.record.response for one in sent))


def _silence(waiting: dict[tuple[int, str], list[SentRecord[DnsMessage]]],
             unasked: Sequence[SentRecord[DnsMessage]], end_ns: int, responds: bool) -> list[Finding]:
    """Of queries without an answer. `responds`: the capture has a response of this conversation at all."""
    found, once = [], []
    for (number, name), asked in waiting.items():
        seconds = (end_ns - asked[0].time_ns) / 1e9
        if len(asked) < 2 and seconds * 1e9 < WAIT_NS:
            continue
        other = next((one for one in unasked if one.row > asked[0].row and name and one.record.questions
                      and one.record.questions[0].name == name), None)
        count = len(asked)
        times = (sentence("once") if count == 1 else sentence("twice") if count == 2 else
                 sentence("{count} times", count=count))
        silence = (sentence("no answer came") if responds else
                   sentence("nothing of the other direction was captured"))
        what = sentence(
            "\"{name}\" was asked for {times}, and {silence} in {seconds:.1f} s.", name=name, times=times,
            silence=silence, seconds=seconds)
        if other is not None:
            what = sentence(
                "\"{name}\" was asked for with the id {number}, and answered with {id}.", name=name,
                number=number, id=other.record.id)
            found.append(BOOK.finding("dns.wrong-id", what).at(-1, [asked[0].row, other.row]))
        else:
            found.append(BOOK.finding("dns.no-answer", what).at(-1, [one.row for one in asked]))
        if len(asked) == 1:
            once.append(asked[0].row)
    if responds or not once or len(waiting) < 2:
        return found
    # Whoever waits in vain asks again: these did not, so answers may have come where nobody captured.
    rows = [one.row for asked in waiting.values() for one in asked]
    what = sentence(
        "{count:,} queries and no response: the capture has no packet of the other direction, and {count2} "
        "of them were not asked again, as what is not answered is.", count=len(rows), count2=len(once))
    return [BOOK.finding("dns.one-direction", what).at(-1, rows)]
