"""Which sockets no program has accepted as yet, by the kernel's samples.

Samples in order of time -> how many connections waited at each listener, by its port -> whether a socket that
no process holds is one of them. A process that may not be looked at holds nothing either, so that the
listener's queue has to say so.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from inspector.model.endpoint import split_endpoint
from inspector.model.records import KernelSample

_ONE_LOOK_NS = 50_000_000          # all that is asked of the kernel at one time comes within it


class Backlogs:
    """The queues of all listeners, whose samples may become more."""

    def __init__(self) -> None:
        self._count = 0
        self._looks: dict[str, tuple[list[int], list[int]]] = {}       # by port: when, how many waited

    def take(self, samples: Sequence[KernelSample]) -> None:
        """Read on in the samples of one network."""
        for sample in samples[self._count :]:
            if sample.state == "LISTEN":
                times, waiting = self._looks.setdefault(_port(sample.local), ([], []))
                times.append(sample.time_ns)
                waiting.append(sample.receive_queue)
        self._count = len(samples)

    def has(self, sample: KernelSample) -> bool:
        """Whether the socket waited for accept() when it was looked at."""
        looks = self._looks.get(_port(sample.local))
        if looks is None or sample.pid is not None or sample.state in ("LISTEN", "gone"):
            return False
        last = bisect_right(looks[0], sample.time_ns + _ONE_LOOK_NS) - 1
        return last >= 0 and looks[1][last] > 0


def _port(address: str) -> str:
    return str(split_endpoint(address)[1])
