"""What the functions of a lesson's expressions mean: tree -> `Expression`, checked once, asked of any scene.

| function | gives |
| --- | --- |
| count(packets, "FILTER"), also new_packets, calls, new_calls; the filter may be left out | a number |
| count(findings, "tcp.*") | how many findings have such an id |
| first(packets, "FILTER", "FIELD"), last(…); also of calls | the field's value |
| byte(packets, "FILTER", "FIELD", N) | byte N, from 0, of a field of bytes, such as tcp.payload |
| returned(client, "connect"), blocked(server, "accept") | true or false: of the last such call |
| held(client, "send") | whether this end is held before such a call |
| outcome(client, "connect") | what the last one returned, as text: "0", "ECONNREFUSED" |
| state(server) | the TCP state now: "LISTEN" |
| queue(server) | bytes in its receive queue, as the kernel last said |
| gap(packets, "FILTER", 1) | milliseconds from the first such packet to the second |
| waiting(client) | packets of this end that wait on a held wire |
| row(1) | the first packet of this step, by who sent it and what it is: "client SYN", or "nothing" |
| xor(A, B), hex(N), letter(N) | arithmetic on bytes; letter gives the ASCII character |

FILTER is a display filter, FIELD one of its fields, or of calls: call, role, arguments, result, errno, time.
"New" is what came since the step began. What there is not (yet) makes every comparison false.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, assert_never

from inspector.lessons.asking.scene import NOTHING, ROLES, Scene
from inspector.lessons.asking.syntax import (
    Call,
    Comparison,
    Constant,
    ExpressionError,
    Node,
    Not,
    Two,
    Word,
    parse,
)
from inspector.model.packets import Row, first_rows, row_after, rows_in
from inspector.trace.filter.column_fields import COLUMNS, ColumnField
from inspector.trace.filter.deep_fields import DEEP
from inspector.trace.filter.field import DeepField
from inspector.trace.filter.filter import Filter, FilterError
from inspector.trace.filter.tests import nearest
from inspector.wire.text import escaped

Value = int | str | bool | None
Kind = Literal["number", "text", "flag"]
Ask = Callable[[Scene], Value]
Maker = Callable[[Call], tuple[Kind, Ask]]
PACKETS, CALLS = ("packets", "new_packets"), ("calls", "new_calls")
CALL_FIELDS: dict[str, tuple[Kind, str]] = {
    "call": ("text", "name"), "role": ("text", "role"), "arguments": ("text", "arguments"),
    "result": ("number", "result"), "errno": ("text", "errno"), "time": ("number", "time_ns"),
}
CALL_NAMES = ("execve", "socket", "setsockopt", "bind", "listen", "accept", "connect", "getsockname", "send",
              "sendto", "recv", "recvfrom", "recvmsg", "shutdown", "close")


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression. `kind`: what it gives."""

    text: str
    kind: Kind
    _ask: Ask

    def of(self, scene: Scene) -> Value:
        """Its value now; None where what it speaks of is not there."""
        return self._ask(scene)

    def holds(self, scene: Scene) -> bool:
        """Whether it is true now."""
        return self._ask(scene) is True


def compiled(text: str, wanted: Kind | None = None) -> Expression:
    """The expression; ExpressionError where it is wrong or gives something else than `wanted`."""
    kind, ask = _compile(parse(text))
    if wanted is not None and kind != wanted:
        names = {"number": "a number", "text": "a text", "flag": "true or false"}
        raise ExpressionError(f"This gives {names[kind]}; {names[wanted]} is wanted here.", 0)
    return Expression(text, kind, ask)


def _compile(node: Node) -> tuple[Kind, Ask]:
    if isinstance(node, Constant):
        value = node.value
        kind: Kind = "flag" if isinstance(value, bool) else "number" if isinstance(value, int) else "text"
        return kind, lambda _: value
    if isinstance(node, Word):
        raise ExpressionError(f"{node.name} has no value of its own; it stands in a function's parentheses.",
                              node.position)
    if isinstance(node, Not):
        inside = _flag(node.inside)
        return "flag", lambda scene: _negated(inside(scene))
    if isinstance(node, Two):
        return _two(node)
    return _call(node)


def _negated(value: Value) -> Value:
    return None if value is None else not value


def _flag(node: Node) -> Ask:
    return _typed(node, "flag", "true or false")


def _typed(node: Node, wanted: Kind, wanted_words: str) -> Ask:
    kind, ask = _compile(node)
    if kind != wanted:
        raise ExpressionError(f"Here {wanted_words} should stand.", node.position)
    return ask


def _two(node: Two) -> tuple[Kind, Ask]:
    match node.operator:
        case "and":
            one, other = _flag(node.left), _flag(node.right)
            return "flag", lambda scene: one(scene) is True and other(scene) is True
        case "or":
            one, other = _flag(node.left), _flag(node.right)
            return "flag", lambda scene: one(scene) is True or other(scene) is True
        case "==" | "!=" | ">" | "<" | ">=" | "<=" as sign:
            (kind, left), (other_kind, right) = _compile(node.left), _compile(node.right)
            if kind != other_kind or (kind != "number" and sign not in ("==", "!=")):
                raise ExpressionError("These two cannot be compared with each other.", node.position)
            return "flag", lambda scene: _compared(left(scene), sign, right(scene))
        case "+":
            return "number", _sum(node, 1)
        case "-":
            return "number", _sum(node, -1)
        case _:
            assert_never(node.operator)


def _sum(node: Two, factor: int) -> Ask:
    first, second = _typed(node.left, "number", "a number"), _typed(node.right, "number", "a number")

    def total(scene: Scene) -> Value:
        one, other = first(scene), second(scene)
        return None if one is None or other is None else int(one) + factor * int(other)

    return total


def _compared(left: Value, sign: Comparison, right: Value) -> bool:
    if left is None or right is None:
        return False
    match sign:
        case "==":
            return left == right
        case "!=":
            return left != right
        case ">":
            return int(left) > int(right)
        case "<":
            return int(left) < int(right)
        case ">=":
            return int(left) >= int(right)
        case "<=":
            return int(left) <= int(right)
        case _:
            assert_never(sign)


# --- functions ---


def _call(node: Call) -> tuple[Kind, Ask]:
    found = _FUNCTIONS.get(node.name)
    if found is None:
        raise ExpressionError(f"There is no function {node.name}; there are {', '.join(_FUNCTIONS)}.",
                              node.position)
    least, most, make = found
    if not least <= len(node.arguments) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise ExpressionError(f"{node.name} takes {wanted} arguments, not {len(node.arguments)}.",
                              node.position)
    return make(node)


def _word(node: Node, choices: Sequence[str]) -> str:
    if not isinstance(node, Word) or node.name not in choices:
        raise ExpressionError(f"One of {', '.join(choices)} should stand here.", node.position)
    return node.name


def _text(node: Node, what: str) -> str:
    if not isinstance(node, Constant) or not isinstance(node.value, str):
        raise ExpressionError(f"{what} should stand here, in quotes.", node.position)
    return node.value


def _number(node: Node) -> Ask:
    return _typed(node, "number", "a number")


def _filter(node: Node, *, of_calls: bool) -> Filter:
    text = _text(node, "A display filter")
    try:
        made = Filter(text)
    except FilterError as error:
        raise ExpressionError(f"The display filter {text!r} is wrong at {error.position + 1}: {error}",
                              node.position) from error
    if made.asks_calls != of_calls:
        kinds = "system calls and their" if of_calls else "packets and their"
        raise ExpressionError(f"A filter of {kinds} fields should stand here.", node.position)
    return made


def _rows(scene: Scene, where: str, made: Filter | None) -> list[Row]:
    first = scene.first_packet if where == "new_packets" else 0
    if made is None:
        return list(first_rows(scene.trace.index.count)[first:])
    return [row for row in rows_in(made.rows(scene.trace)) if row >= first]


def _places(scene: Scene, where: str, made: Filter | None) -> list[int]:
    first = scene.first_call if where == "new_calls" else 0
    found = range(len(scene.trace.calls)) if made is None else made.calls(scene.trace)
    return [place for place in found if place >= first]


def _count(node: Call) -> tuple[Kind, Ask]:
    where = _word(node.arguments[0], (*PACKETS, *CALLS, "findings"))
    if where == "findings":
        pattern = _text(node.arguments[1], "A finding's id") if len(node.arguments) > 1 else "*"
        return "number", lambda scene: scene.findings(pattern)
    made = _filter(node.arguments[1], of_calls=where in CALLS) if len(node.arguments) > 1 else None
    if where in CALLS:
        return "number", lambda scene: len(_places(scene, where, made))
    return "number", lambda scene: len(_rows(scene, where, made))


def _at(place: int) -> Maker:
    """`first` and `last`."""

    def make(node: Call) -> tuple[Kind, Ask]:
        where = _word(node.arguments[0], (*PACKETS, *CALLS))
        made = _filter(node.arguments[1], of_calls=where in CALLS)
        name = _text(node.arguments[2], "A field's name")
        if where in CALLS:
            if name not in CALL_FIELDS:
                raise ExpressionError(f"A call has no field {name[:40]}; it has {', '.join(CALL_FIELDS)}.",
                                      node.arguments[2].position)
            kind, attribute = CALL_FIELDS[name]

            def of_call(scene: Scene) -> Value:
                found = _places(scene, where, made)
                value: Value = getattr(scene.trace.calls[found[place]], attribute) if found else None
                return value

            return kind, of_call
        field, kind = _field(name, node.arguments[2].position)

        def of_packet(scene: Scene) -> Value:
            found = _rows(scene, where, made)
            values = _values(scene, field, found[place]) if found else ()
            return _plain(values[0]) if values else None

        return kind, of_packet

    return make


def _field(name: str, position: int) -> tuple[ColumnField | DeepField, Kind]:
    field = COLUMNS.get(name) or DEEP.get(name)
    if field is None:
        hint = f"; {near} there is" if (near := nearest(name)) else ""
        raise ExpressionError(f"There is no field {escaped(name, 40)}{hint}.", position)
    if field.type not in ("number", "flag", "text"):
        raise ExpressionError(f"{name} is neither a number nor a text, so it has no value here.", position)
    return field, "text" if field.type == "text" else "number"


def _values(scene: Scene, field: ColumnField | DeepField, row: Row) -> Sequence[Any]:
    if isinstance(field, DeepField):
        return field.read(scene.trace, row)
    column = field.read(scene.trace.index, slice(row, row + 1))
    return [values[0] for values in column.values] if column.present[0] else []


def _plain(value: Any) -> Value:
    return escaped(value, 400) if isinstance(value, str) else int(value)


def field_value(scene: Scene, row: Row, name: str) -> int | None:
    """The number that packet `row` has in field `name`; ExpressionError where it is no field of numbers."""
    field, kind = _field(name, 0)
    if kind != "number":
        raise ExpressionError(f"{name} is no number.", 0)
    values = _values(scene, field, row)
    return int(values[0]) if values else None


def _byte(node: Call) -> tuple[Kind, Ask]:
    where = _word(node.arguments[0], PACKETS)
    made = _filter(node.arguments[1], of_calls=False)
    name = _text(node.arguments[2], "A field's name")
    field, place = DEEP.get(name), _number(node.arguments[3])
    if field is None or field.type != "bytes":
        raise ExpressionError(f"{escaped(name, 40)} is no field of bytes, such as tcp.payload.",
                              node.arguments[2].position)
    read = field.read

    def byte(scene: Scene) -> Value:
        found, number = _rows(scene, where, made), place(scene)
        values = read(scene.trace, found[0]) if found else ()
        data = values[0] if values else b""
        if not isinstance(data, bytes) or number is None or not 0 <= int(number) < len(data):
            return None
        return data[int(number)]

    return "number", byte


def _of_calls(decide: Callable[[Scene, str, str], Value], kind: Kind = "flag") -> Maker:
    """A function of an end and a call's name."""

    def make(node: Call) -> tuple[Kind, Ask]:
        role = _word(node.arguments[0], ROLES)
        name = _text(node.arguments[1], "A call's name")
        if name not in CALL_NAMES:
            raise ExpressionError(f"There is no call {escaped(name, 40)} here; the ends make "
                                  f"{', '.join(CALL_NAMES)}.", node.arguments[1].position)
        return kind, lambda scene: decide(scene, role, name)

    return make


def _returned(scene: Scene, role: str, name: str) -> Value:
    calls = scene.calls(role, name)
    return bool(calls) and calls[-1].end_ns is not None


def _blocked(scene: Scene, role: str, name: str) -> Value:
    calls = scene.calls(role, name)
    return bool(calls) and calls[-1].end_ns is None


def _is_held(scene: Scene, role: str, name: str) -> Value:
    return any(call == name for _, call in scene.held.waiting[role])


def _outcome(scene: Scene, role: str, name: str) -> Value:
    calls = scene.calls(role, name)
    if not calls or calls[-1].end_ns is None:
        return None
    return calls[-1].errno or str(calls[-1].result)


def _state(node: Call) -> tuple[Kind, Ask]:
    role = _word(node.arguments[0], ROLES)
    return "text", lambda scene: scene.state(role) or None


def _queue(node: Call) -> tuple[Kind, Ask]:
    role = _word(node.arguments[0], ROLES)
    return "number", lambda scene: scene.queue(role)


def _gap(node: Call) -> tuple[Kind, Ask]:
    where = _word(node.arguments[0], PACKETS)
    made, place = _filter(node.arguments[1], of_calls=False), _number(node.arguments[2])

    def gap(scene: Scene) -> Value:
        found, number = _rows(scene, where, made), place(scene)
        if number is None or not 1 <= int(number) < len(found):
            return None
        times = scene.trace.index.time_ns
        return int(times[found[int(number)]] - times[found[int(number) - 1]]) // 1_000_000

    return "number", gap


def _waiting(node: Call) -> tuple[Kind, Ask]:
    role = _word(node.arguments[0], ROLES)
    return "number", lambda scene: sum(fate.sender == role for fate in scene.trace.fates.waiting)


def _row(node: Call) -> tuple[Kind, Ask]:
    number = _number(node.arguments[0])

    def row(scene: Scene) -> Value:
        wanted = number(scene)
        if wanted is None or int(wanted) < 1:
            return None
        place = scene.first_packet + int(wanted) - 1
        return scene.row_name(row_after(place)) if place < scene.trace.index.count else NOTHING

    return "text", row


def _xor(node: Call) -> tuple[Kind, Ask]:
    first, second = _number(node.arguments[0]), _number(node.arguments[1])

    def xor(scene: Scene) -> Value:
        one, other = first(scene), second(scene)
        return None if one is None or other is None else int(one) ^ int(other)

    return "number", xor


def _shown(how: Callable[[int], str]) -> Maker:
    def make(node: Call) -> tuple[Kind, Ask]:
        number = _number(node.arguments[0])

        def show(scene: Scene) -> Value:
            value = number(scene)
            return None if value is None else how(int(value))

        return "text", show

    return make


_FUNCTIONS: dict[str, tuple[int, int, Maker]] = {
    "count": (1, 2, _count),
    "first": (3, 3, _at(0)),
    "last": (3, 3, _at(-1)),
    "byte": (4, 4, _byte),
    "returned": (2, 2, _of_calls(_returned)),
    "blocked": (2, 2, _of_calls(_blocked)),
    "held": (2, 2, _of_calls(_is_held)),
    "outcome": (2, 2, _of_calls(_outcome, "text")),
    "state": (1, 1, _state),
    "queue": (1, 1, _queue),
    "gap": (3, 3, _gap),
    "waiting": (1, 1, _waiting),
    "row": (1, 1, _row),
    "xor": (2, 2, _xor),
    "hex": (1, 1, _shown(lambda number: f"{number:#04x}")),
    "letter": (1, 1, _shown(lambda number: escaped(chr(number)) if 0 <= number < 128 else "·")),
}
