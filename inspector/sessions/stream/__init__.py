"""Sessions over TCP: a connection, a protocol's exchange over it, and the two ends that make connections."""
