"""A display filter's tree with its meaning: each test answers for many packets at once.

`compile_tree` checks names and types of what the parser found and makes `Test`s. A test that columns answer
costs little; the others (`deep`) are asked only about packets that the cheap ones leave open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from inspector.model.numbers import TCP
from inspector.model.packets import Row, row_at
from inspector.trace.filter.column_fields import COLUMNS, Column, ColumnField, Rows
from inspector.trace.filter.deep_fields import BYTES_OF, DEEP
from inspector.trace.filter.field import Alike, DeepField, Value
from inspector.trace.filter.syntax import ORDERS, Both, Compare, Has, Mask, Node, Not, Order, Token, wrong
from inspector.trace.filter.values import Network, as_bytes, changed, name_of, value_of
from inspector.wire.arrays import Bools, Int64s, Integers
from inspector.wire.text import escaped

if TYPE_CHECKING:
    from inspector.trace.index.index import Index
    from inspector.trace.trace import Trace

_NUMERIC = ("number", "flag", "seconds", "time")

_ANSWERS = 4096                  # records of which it is known whether a test holds for them
_ALL_OF = ("!=", "===")          # these hold when they hold for every value of the field


class Test(Protocol):
    """Answers for packets. `deep`: it is slow, and asked last."""

    @property
    def deep(self) -> bool:
        """Whether it is slow, and so asked last."""

    def mask(self, trace: Trace, rows: Rows) -> Bools:
        """Which of the rows (a slice of all, or their numbers) it holds for."""


@dataclass(frozen=True, slots=True)
class ColumnTest:
    """Field against a value by columns; `holds` is applied to each of the field's values."""

    field: ColumnField
    holds: Callable[[Trace, Integers], Bools] | None
    every: bool
    deep: bool = False

    def mask(self, trace: Trace, rows: Rows) -> Bools:
        """Which of the rows it holds for."""
        column = self.field.read(trace.index, rows)
        found, present = self._answer(trace, column), column.present
        for other, at in self.field.elsewhere(trace.index, rows):
            answer, there = self._answer(trace, other)[other.present], at[other.present]
            found = found.copy()
            if self.every:                     # of all headers of a packet
                found[there] |= ~present[there]
                found[there[~answer]] = False
                present = present.copy()
                present[there] = True
            else:
                found[there[answer]] = True
        return found

    def _answer(self, trace: Trace, column: Column) -> Bools:
        if self.holds is None:
            return column.present
        answers = [self.holds(trace, values) for values in column.values]
        found = answers[0] if answers else np.zeros(len(column.present), np.bool_)
        for answer in answers[1:]:
            found = found & answer if self.every else found | answer
        return found & column.present


@dataclass(frozen=True, slots=True)
class FieldsTest:
    """One column field against another."""

    left: ColumnField
    right: ColumnField
    operator: Order
    every: bool
    deep: bool = False

    def mask(self, trace: Trace, rows: Rows) -> Bools:
        """Which of the rows it holds for."""
        index = trace.index
        (left, here), (right, there) = self.left.read(index, rows), self.right.read(index, rows)
        answers = [ORDERS[self.operator](a, b) for a in left for b in right]
        joined = np.logical_and.reduce(answers) if self.every else np.logical_or.reduce(answers)
        found: Bools = joined & here & there
        several = {at for field in (self.left, self.right) for _, places in field.elsewhere(index, rows)
                   for at in places.tolist()}
        if several:
            numbers = _numbers(index, rows)
            for at in several:
                found[at] = self._matches(index, row_at(numbers, at))
        return found

    def _matches(self, index: Index, row: Row) -> bool:
        """The same for a packet of several headers."""
        pairs = [(a, b) for a in self.left.values(index, row) for b in self.right.values(index, row)]
        answers = [bool(ORDERS[self.operator](a, b)) for a, b in pairs]
        return bool(answers) and (all(answers) if self.every else any(answers))


@dataclass(frozen=True, slots=True)
class DeepTest:
    """A field packet by packet; `holds` None asks only whether it is there.

    What a field says of records that are alike is asked once (`alike`), and `answers` has it.
    """

    read: Callable[[Trace, Row], object]
    possible: Callable[..., Bools]
    holds: Callable[[Value], bool] | None
    every: bool
    alike: Alike | None = None
    deep: bool = True
    answers: dict[Any, bool] = dataclass_field(default_factory=dict, compare=False, repr=False)

    def mask(self, trace: Trace, rows: Rows) -> Bools:
        """Which of the rows it holds for."""
        possible = self.possible(trace.index, rows)
        numbers = _numbers(trace.index, rows)
        found = np.zeros(len(numbers), np.bool_)
        places = np.flatnonzero(possible).tolist()
        if self.alike is not None:
            places = self._of_others(trace, numbers, places, found)
        for place in places:
            values = self.read(trace, row_at(numbers, place))
            assert isinstance(values, (list, tuple))
            found[place] = self._answer(values)
        return found

    def _answer(self, values: Sequence[Value]) -> bool:
        if not values or self.holds is None:
            return bool(values)
        answers = [self.holds(value) for value in values]
        return all(answers) if self.every else any(answers)

    def _of_others(self, trace: Trace, numbers: Int64s, places: list[int], found: Bools) -> list[int]:
        """Answer for packets whose conversations were scanned; the places of the others."""
        index, rows, alike = trace.index, numbers[places], self.alike
        assert alike is not None
        answers, others, holds = self.answers, [], []
        turned: dict[int, dict[Row, Any] | None] = {}
        streams = np.where(index.protocol[rows] == TCP, index.stream[rows], -1).tolist()
        for place, row, stream in zip(places, rows.tolist(), streams, strict=True):
            if stream not in turned:
                turned[stream] = None if stream < 0 else trace.known.turned(stream, alike.protocol)
            records = turned[stream]
            if records is None:
                others.append(place)
            elif (one := records.get(row)) is not None:
                answer = answers.get(one)
                if answer is None:
                    if len(answers) >= _ANSWERS:
                        answers.clear()
                    answer = answers[one] = self._answer(alike.get(one.record))
                if answer:
                    holds.append(place)
        found[holds] = True
        return others


def _numbers(index: Index, rows: Rows) -> Int64s:
    """The rows of a slice, or those that are given."""
    return np.arange(*rows.indices(index.count)) if isinstance(rows, slice) else rows


@dataclass(frozen=True, slots=True)
class NotTest:
    """What does not hold."""

    inside: Test
    deep: bool

    def mask(self, trace: Trace, rows: Rows) -> Bools:
        """Which of the rows it holds for."""
        return ~self.inside.mask(trace, rows)


@dataclass(frozen=True, slots=True)
class BothTest:
    """All parts, or at least one; parts stand in order of cost."""

    parts: tuple[Test, ...]
    all: bool
    deep: bool

    def mask(self, trace: Trace, rows: Rows) -> Bools:
        """Which of the rows it holds for; deep parts see only rows that the others left open."""
        found = self.parts[0].mask(trace, rows)
        for part in self.parts[1:]:
            if part.deep:
                open_ = np.flatnonzero(found if self.all else ~found)
                if len(open_):
                    found[open_] = part.mask(trace, _numbers(trace.index, rows)[open_])
            else:
                answer = part.mask(trace, rows)
                found = found & answer if self.all else found | answer
        return found


def compile_tree(node: Node, text: str) -> Test:
    """The test that a tree means; FilterError for unknown names and wrong types."""
    if isinstance(node, Both):
        parts = sorted((compile_tree(part, text) for part in node.parts), key=lambda part: part.deep)
        return BothTest(tuple(parts), node.all, any(part.deep for part in parts))
    if isinstance(node, Not):
        inside = compile_tree(node.inside, text)
        return NotTest(inside, inside.deep)
    if isinstance(node, Has):
        return _has(node, text)
    return _compare(node, text)


def field_of(token: Token, text: str) -> ColumnField | DeepField:
    """The field that a word names."""
    found = COLUMNS.get(token.value) or DEEP.get(token.value)
    if found is None:
        near = nearest(token.value)
        raise wrong(f"There is no field or protocol {token.value}; {near} there is." if near
                    else f"There is no field or protocol {token.value}.", token, text)
    return found


def nearest(name: str) -> str:
    """The known name that is most like `name`: tcp.port for tcp.prot, tcp.flags.syn for syn; "" for none."""
    wanted, known = name.lower(), [*COLUMNS, *DEEP]
    ends = [one for one in known if one.endswith("." + wanted)]
    if ends and wanted not in known:
        return min(ends, key=len)
    return next(iter(get_close_matches(wanted, known, 1, 0.7)), "")


def _asked(node: Compare | Has, text: str) -> ColumnField | DeepField:
    """The field of a test, changed as the test asks."""
    name = node.field.value
    return changed(field_of(node.field, text), node, BYTES_OF.get(name) if name in COLUMNS else None, text)


def _has(node: Has, text: str) -> Test:
    field = _asked(node, text)
    masked = bool(node.changes) and isinstance(node.changes[-1], Mask)       # one of the bits has to be set
    if isinstance(field, ColumnField):
        return ColumnTest(field, (lambda trace, values: values != 0) if masked else None, False)
    return DeepTest(field.read, field.possible, _any_bit if masked else None, False, field.alike)


def _any_bit(value: Value) -> bool:
    return any(value) if isinstance(value, bytes) else bool(value)


def _compare(node: Compare, text: str) -> Test:
    field, name, sign = _asked(node, text), name_of(node), node.operator
    every = node.quantifier == "all" or (sign in _ALL_OF and node.quantifier != "any")
    if sign == "contains" or sign == "matches":             # (not `in`: what is left is an order)
        return _search(node, field, every, text)
    if field.type == "protocol" and sign != "in":
        raise wrong(f"{name} can only be searched with contains or matches." if name in BYTES_OF
                    else f"{name} can only be asked for being there.", node.field, text)
    token = node.values[0][0]
    if sign != "in" and token.kind == "word" and isinstance(field, ColumnField):
        other = COLUMNS.get(token.value)
        if other is not None:
            return _two_fields(node, sign, field, other, every, text)
    tests = [[value_of(part, field, name, text) for part in group] for group in node.values]
    if isinstance(field, ColumnField):
        return ColumnTest(field, _by_column(field, sign, tests), every)
    return DeepTest(field.read, field.possible, _by_value(sign, tests), every, field.alike)


def _two_fields(
    node: Compare, sign: Order, field: ColumnField, other: ColumnField, every: bool, text: str
) -> Test:
    token = node.values[0][0]
    same = field.type == other.type or (field.type in _NUMERIC and other.type in _NUMERIC)
    if not same or other.type == "protocol":
        first, second = node.field.value, token.value
        raise wrong(f"{first} and {second} are of different types.", token, text)
    if field.type == "ipv6" and sign not in ("==", "!=", "===", "!=="):
        raise wrong("Two IPv6 fields can only be compared for being equal.", token, text)
    return FieldsTest(field, other, sign, every)


def _by_column(
    field: ColumnField, sign: Order | Literal["in"], tests: list[list[Any]]
) -> Callable[[Trace, Integers], Bools]:
    """How a value of the field is compared: a function of a whole column of them."""
    def one(trace: Trace, column: Integers, sign: Order, value: object) -> Bools:
        if field.type == "ipv6":
            assert isinstance(value, Network)
            addresses = trace.index.addresses
            high, low = addresses.table6()
            if not len(high):
                return np.zeros(len(column), np.bool_)
            answer: Bools = value.compare6(sign, high, low)[addresses.places6(column)]
            return answer
        if isinstance(value, Network):
            return value.compare4(sign, column)
        found: Bools = ORDERS[sign](column, value)
        return found

    if sign != "in":
        return lambda trace, column: one(trace, column, sign, tests[0][0])

    def in_set(trace: Trace, column: Integers) -> Bools:
        found = np.zeros(len(column), np.bool_)
        for group in tests:
            if len(group) == 1:
                found |= one(trace, column, "==", group[0])
            else:
                found |= one(trace, column, ">=", group[0]) & one(trace, column, "<=", group[1])
        return found

    return in_set


def _by_value(sign: Order | Literal["in"], tests: list[list[Any]]) -> Callable[[Value], bool]:
    def in_set(value: Any) -> bool:
        return any(
            value == group[0] if len(group) == 1 else group[0] <= value <= group[1]
            for group in tests
        )

    if sign == "in":
        return in_set
    compare = ORDERS[sign]
    return lambda value: bool(compare(value, tests[0][0]))


def _search(node: Compare, field: ColumnField | DeepField, every: bool, text: str) -> Test:
    name, token = name_of(node), node.values[0][0]
    if field.type not in ("text", "bytes", "protocol") or (field.type == "protocol" and name not in BYTES_OF):
        sentence = f"{name} is no text and no bytes, so it cannot be searched with {node.operator}."
        raise wrong(sentence, node.field, text)
    holds = matcher(token, text) if node.operator == "matches" else _container(token, field.type == "text")
    if isinstance(field, ColumnField):
        return DeepTest(BYTES_OF[name], field.present, holds, every)
    if name in BYTES_OF:
        return DeepTest(BYTES_OF[name], field.possible, holds, every)
    return DeepTest(field.read, field.possible, holds, every, field.alike)


def _container(token: Token, in_text: bool) -> Callable[[Value], bool]:
    needle = token.value
    if in_text:
        return lambda value: needle in str(value)
    hexadecimal = re.fullmatch(r"(?:[0-9a-fA-F]{2}[:.-])*[0-9a-fA-F]{2}|0x(?:[0-9a-fA-F]{2})+", needle)
    if token.kind == "word" and hexadecimal and not (len(needle) == 2 and needle.isdigit()):
        wanted = bytes.fromhex(re.sub(r"0x|[:.-]", "", needle))
    else:
        wanted = as_bytes(needle)
    return lambda value: wanted in as_bytes(value)


def matcher(token: Token, text: str) -> Callable[[Value], bool]:
    """What `matches` asks of a value; FilterError where the expression in `token` is none."""
    import re2  # takes a while to load, and few filters search

    options = re2.Options()            # a linear engine: what a person types never holds up the program
    options.case_sensitive = False     # as Wireshark
    options.log_errors = False
    options.never_capture = True
    if token.value.isascii():          # so that a dot stands for any byte, not only for those of UTF-8
        options.encoding = re2.Options.Encoding.LATIN1
    try:
        pattern = re2.compile(as_bytes(token.value), options)
    except re2.error as error:
        raise wrong(f"The regular expression is wrong: {_reason(error)}.", token, text) from None
    return lambda value: pattern.search(as_bytes(value)) is not None


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return escaped(reason if isinstance(reason, bytes | str) else str(reason), 100)



