"""Bytes to meaning, and back. Pure: no I/O, no clock, no threads; any bytes give a value or a finding."""
