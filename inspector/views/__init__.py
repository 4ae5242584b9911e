"""Trace to picture, pure: rows, ladder, trees, bytes, handshakes. No terminal is needed to test them."""
