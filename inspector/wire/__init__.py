"""Bytes to meaning, and back. Pure: no I/O, no clock, no threads; any bytes give a value or a finding.

What scapy does: its `AsyncSniffer` runs the capture over a socket of ours (`inspector.capture`), and it
dissects the one packet that somebody looks at (`dissection`). Everything else is our own. numpy reads columns
of a million headers; TCP, HTTP, WebSocket and other decoders must show broken input instead of refusing it,
and keep for each byte which packet brought it, which neither scapy nor the protocols' libraries (h11,
websockets) do. Those libraries run the endpoints, and tests hold our decoders to them.
"""
