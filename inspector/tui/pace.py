"""How work that takes long shares the event loop: in turns, with room between them for keys and packets.

A turn of 8 ms is not felt when a key waits for it; a millisecond between two turns is enough for the loop to
take in what came meanwhile.

Python's collector looks at everything that lasts, again and again: a million decoded records hold up the loop
for half a second. `settle` takes what has lasted for a while out of its sight. It goes when nobody refers to
it any more, as ever; what decoding gives back cuts its own circles (`let_go`).
"""

import gc

WORK_SECONDS = 0.008       # of work in one turn
REST_SECONDS = 0.001       # between two turns
_YOUNG = 4                 # looks of the collector at what is young, after which what is left is no more


def settle() -> None:
    """Call after a turn of work that made things to keep."""
    if gc.get_count()[2] >= _YOUNG:
        gc.collect(1)
        gc.freeze()
