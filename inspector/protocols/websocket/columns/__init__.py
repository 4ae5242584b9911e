"""Many WebSocket frames at once: found by scanning runs, kept as columns, read again on access."""
