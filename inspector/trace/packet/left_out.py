"""What limits of ours left out of a trace, as findings: nobody is to think that it is not there.

And that its clock was set back, so that nobody takes the times across that for real.
Headers deeper than they are read, datagrams out of fragments that were given up, secrets that were not kept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from inspector.model.language import marked, sentence
from inspector.model.packets import packet_number, row_at, rows_in
from inspector.model.units import amount, duration
from inspector.trace.index.reassembly import MOST_WAITING
from inspector.wire.findings import MOST_ROWS, Finding, Rule, Rulebook
from inspector.wire.headers.link import MAX_TAGS
from inspector.wire.headers.network import MAX_EXTENSIONS, MAX_TUNNELS
from inspector.wire.headers.read import DEEP
from inspector.wire.keylog import MOST_SECRETS

if TYPE_CHECKING:
    from inspector.trace.trace import Trace

_SET_BACK_NS = 100_000_000, 1_000_000_000   # queues put packets out of order by less; and several interfaces
_CLAUSE = "a limit of ours"
BOOK = Rulebook(
    Rule("reading.too-deep", "note", _CLAUSE, "Their bytes are shown; no conversation has what is inside."),
    Rule("reading.fragments", "note", _CLAUSE, "The fragments are shown; conversations lack their bytes."),
    Rule("reading.clock-back", "note", "the clock of the capture",
         "Times and waits across it mean nothing: the clock was set, or files were joined in another order."),
    Rule("reading.secrets", "note", _CLAUSE, "What these would open stays closed: give fewer at once."),
)


def left_out_findings(trace: Trace) -> list[Finding]:
    """A finding for each limit that was reached."""
    index, found = trace.index, []
    deep = np.flatnonzero(index.status[: index.count] & DEEP)
    if len(deep):
        what = sentence(
            "More than {tags} tags or labels, {tunnels} tunnels within each other, or {extensions} extension "
            "headers in {packets}: what stands behind is not read.", tags=MAX_TAGS, tunnels=MAX_TUNNELS,
            extensions=MAX_EXTENSIONS, packets=amount(len(deep), "packet"))
        first = replace(BOOK.finding("reading.too-deep", what), more_rows=max(len(deep) - MOST_ROWS, 0))
        found.append(first.at(-1, rows_in(deep[:MOST_ROWS])))
    given_up = index.reassembly.given_up
    if given_up:
        form = _ONE_GIVEN_UP if given_up == 1 else _GIVEN_UP
        what = sentence(form, datagrams=amount(given_up, "datagram"), most=MOST_WAITING)
        found.append(BOOK.finding("reading.fragments", what).at(-1, index.reassembly.first_given_up))
    if trace.secrets.left_out:
        form = _ONE_SECRET if trace.secrets.left_out == 1 else _SECRETS
        what = sentence(form, secrets=amount(trace.secrets.left_out, "secret"), most=MOST_SECRETS)
        found.append(BOOK.finding("reading.secrets", what))
    back = _set_back(trace)
    if back is not None:
        found.append(back)
    if trace.secrets_cut:
        found.append(BOOK.finding("reading.secrets", trace.secrets_cut))
    return found


def _set_back(trace: Trace) -> Finding | None:
    """That time goes back in the file by more than packets of several queues are out of order."""
    moments = trace.index.time_ns[: trace.index.count]
    most = _SET_BACK_NS[trace.index.several_interfaces]
    back = np.flatnonzero(moments[1:] < moments[:-1] - most) + 1
    back = back[~np.isin(back, trace.index.sections.values)]        # of these other words tell
    if not len(back):
        return None
    by = duration(int(moments[back[0] - 1]) - int(moments[back[0]]))
    more = sentence(", and {count:,} times more", count=len(back) - 1) if len(back) > 1 else ""
    what = sentence("Time goes back by {by} at packet {number}{more}.", by=by,
                    number=packet_number(row_at(back, 0)), more=more)
    first = replace(BOOK.finding("reading.clock-back", what), more_rows=max(len(back) - MOST_ROWS, 0))
    return first.at(-1, rows_in(back[:MOST_ROWS]))


_ONE_GIVEN_UP = marked("{datagrams} out of fragments was given up: no more than {most:,} are waited for.")
_GIVEN_UP = marked("{datagrams} out of fragments were given up: no more than {most:,} are waited for.")
_ONE_SECRET = marked("{secrets} of TLS was left out: {most:,} are kept.")
_SECRETS = marked("{secrets} of TLS were left out: {most:,} are kept.")
