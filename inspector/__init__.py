"""A terminal network inspector: live sessions, their system calls and their packets in one picture.

The data's way: endpoints and the kernel -> agent (a process of its own) -> one pcapng trace on disk
-> index and decoders -> pure views -> terminal, text, JSON.
"""

__version__ = "0.1.0"
