"""What a person says is spoken, where the guess is wrong: `tcp.port==8001,http`, as tshark's option -d.

Rules of this process, as options and prompts give them; `stamp` changes with each, so that who decoded before
does it anew, and is 0 where none is left.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from inspector.model.language import spoken
from inspector.protocols import REGISTRY

NONE = "none"                # of no protocol: bytes as they came
_RULE = re.compile(r"(tcp\.(?:port|stream)) *== *(\d{1,9}) *, *([A-Za-z0-9_./-]{1,40})")


class DecodeAs(NamedTuple):
    """One rule: `field` is "tcp.port" or "tcp.stream", `protocol` a registered name or NONE."""

    field: str
    value: int
    protocol: str


_rules: list[DecodeAs] = []
_changes: list[int] = []      # how many rules there were after each change


def known() -> list[str]:
    """The names that a rule may give."""
    return [*(protocol.name for protocol in REGISTRY if protocol.decoder is not None), NONE]


def parse(text: str) -> DecodeAs:
    """The rule that a text says; ValueError with a sentence, in English, for `recognised`."""
    found = _RULE.fullmatch(text.strip())
    if found is None:
        raise ValueError(spoken(f"{text!r} is no rule like tcp.port==8001,http or tcp.stream==3,redis."))
    field, value, name = found[1], int(found[2]), found[3].lower()
    if field == "tcp.port" and not 0 < value < 65536:
        raise ValueError(spoken(f"{value} is no port."))
    if name not in known():
        by_title = {protocol.title.lower(): protocol.name for protocol in REGISTRY}
        name = by_title.get(name, name)
    if name not in known():
        names = ", ".join(known())
        raise ValueError(spoken(f"{name!r} is not one of {names}."))
    return DecodeAs(field, value, name)


def choose(rule: DecodeAs) -> None:
    """Decode so from now on; a later rule goes before an earlier one."""
    _rules.append(rule)
    _changes.append(len(_rules))


def forget() -> None:
    """Guess again."""
    _rules.clear()
    _changes.append(0)


def stamp() -> int:
    """What differs once rules have changed; 0 whenever there is none, so that all is guessed as at first."""
    return len(_changes) if _rules else 0


def wanted(ports: tuple[int, int], stream: int) -> DecodeAs | None:
    """The rule for a conversation between two ports; None where it is guessed."""
    return next((rule for rule in reversed(_rules)
                 if (rule.field == "tcp.port" and rule.value in ports)
                 or (rule.field == "tcp.stream" and rule.value == stream)), None)

