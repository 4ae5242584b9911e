"""How work that takes long shares the event loop: in turns, with room between them for keys and packets.

A turn of 8 ms is not felt when a key waits for it; a millisecond between two turns is enough for the loop to
take in what came meanwhile.
"""

WORK_SECONDS = 0.008       # of work in one turn
REST_SECONDS = 0.001       # between two turns
