"""Names, as programs in the lab ask for them: this machine's resolvers, and who stands for them there.

/etc/resolv.conf -> addresses, for which the relay stands in the lab: the machine's own resolver answers.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path

PORT = 53
_MOST = 3                                      # MAXNS of resolv.conf(5)


def resolvers(path: Path = Path("/etc/resolv.conf")) -> tuple[str, ...]:
    """Addresses of the resolvers that programs of this machine ask; none where that is not known."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ()
    words = [line.split() for line in lines]
    named = [word[1] for word in words if len(word) > 1 and word[0] == "nameserver"]
    return tuple(one for one in dict.fromkeys(named) if _is_address(one))[:_MOST]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text                     # a link's own address is another one in the lab
