"""The display filter asked about system calls: `syscall`, and a call's own fields.

A call has no packet's field, so every test of one is false for it (and its negation true).
"""

from __future__ import annotations

from inspector.model.records import Call
from inspector.trace.filter.syntax import ORDERS, Both, Compare, Has, Mask, Node, Not
from inspector.trace.filter.tests import matcher
from inspector.trace.filter.values import values_changed

CALL_FIELDS = ("pid", "role", "call", "arguments", "result", "errno")



def call_matches(node: Node, call: Call) -> bool:
    """Whether `call` passes the tree of a filter."""
    if isinstance(node, Both):
        answers = (call_matches(part, call) for part in node.parts)
        return all(answers) if node.all else any(answers)
    if isinstance(node, Not):
        return not call_matches(node.inside, call)
    if isinstance(node, Has):
        return node.field.value == "syscall" or _asked(node, call) is not None
    return _compare(node, call)


def asks_calls(node: Node) -> bool:
    """Whether the tree names a field that only system calls have."""
    if isinstance(node, Both):
        return any(asks_calls(part) for part in node.parts)
    if isinstance(node, Not):
        return asks_calls(node.inside)
    return node.field.value == "syscall" or node.field.value.removeprefix("syscall.") in CALL_FIELDS


def value_of_call(call: Call, name: str) -> int | str | None:
    """A field of a call, None where it has none."""
    short = name.removeprefix("syscall.")
    if short not in CALL_FIELDS:
        return None
    value: int | str | None = getattr(call, {"call": "name"}.get(short, short))
    return value


def _asked(node: Compare | Has, call: Call) -> int | str | None:
    """What a test asks about: the call's field, or what a slice or a function makes of it."""
    value = value_of_call(call, node.field.value)
    for one in node.changes:
        if value is None or isinstance(one, Mask):       # masks are of numbers on the wire
            return None
        found = next(iter(values_changed([value], one)), None)
        value = None if isinstance(found, bytes) else found
    return value


def _compare(node: Compare, call: Call) -> bool:
    value = _asked(node, call)
    if value is None:
        return False
    groups = [[_like(value, token.value) for token in group] for group in node.values]
    if any(part is None for group in groups for part in group):
        return False
    if node.operator == "in":
        return any(
            value == group[0] if len(group) == 1 else group[0] <= value <= group[1]  # type: ignore[operator]
            for group in groups
        )
    if node.operator == "contains":
        return node.values[0][0].value in str(value)
    if node.operator == "matches":
        return matcher(node.values[0][0], "")(str(value))
    return bool(ORDERS[node.operator](value, groups[0][0]))


def _like(value: int | str, text: str) -> int | str | None:
    """`text` as what `value` is."""
    if isinstance(value, str):
        return text
    try:
        return int(text, 0)
    except ValueError:
        return None
