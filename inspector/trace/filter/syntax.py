"""The display filter's language: text -> tokens -> a tree of what is asked, and where it is wrong.

A part of Wireshark's (wireshark-filter(4)): comparisons, `contains`, `matches`, `in {…}`, `and or not`,
parentheses, `any`/`all` before a comparison, bare names, slices, `&`, some functions. Meaning (fields, types)
is added in tests.py.
"""

from __future__ import annotations

import operator
import re
import string
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from inspector.model.language import marked
from inspector.wire.text import escaped

_LONGEST = 20_000
_DEEPEST = 100

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<string>r?"(?:[^"\\]|\\.)*")
    | (?P<sign>\.\. | === | !== | == | != | ~= | >= | <= | && | \|\| | [][><!~(){},=&|])
    | (?P<word>(?:(?!\.\.)[\w.:/+%$@*-])+)
    | (?P<end>$)
    )""",
    re.VERBOSE | re.ASCII,
)
Order = Literal["==", "===", "!=", "!==", ">", "<", ">=", "<="]
Operator = Literal[Order, "contains", "matches", "in"]
TokenKind = Literal["string", "sign", "word", "end"]
TOKEN_KINDS: tuple[TokenKind, ...] = get_args(TokenKind)
ORDERS: dict[Order, Callable[[Any, Any], Any]] = {          # of two values, or of a column and a value
    "==": operator.eq, "===": operator.eq, "!=": operator.ne, "!==": operator.ne, ">": operator.gt,
    "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}
_COMPARISONS: dict[str, Operator] = {
    "==": "==", "eq": "==", "any_eq": "==", "!=": "!=", "ne": "!=", "all_ne": "!=", "===": "===",
    "all_eq": "===", "!==": "!==", "~=": "!==", "any_ne": "!==", ">": ">", "gt": ">", "<": "<", "lt": "<",
    ">=": ">=", "ge": ">=", "<=": "<=", "le": "<=", "contains": "contains",
    "matches": "matches", "~": "matches", "in": "in",
}
_CAPTURE_FILTER = {"port": "tcp.port ==", "host": "ip.addr ==", "src": "ip.src ==", "dst": "ip.dst ==",
                   "net": "ip.addr =="}     # what tcpdump's users type first
_SINGLE = {"=": marked("“equals” is written ==."), "&": marked("“and” is written &&."),
           "|": marked("“or” is written ||.")}
_BITS = ("&", "bitwise_and")
_MASK = re.compile(r"0[xX][0-9a-fA-F]+|0[bB][01]+|\d+|(?:[0-9a-fA-F]{2}[:.-])*[0-9a-fA-F]{2}")
_PART = re.compile(r"(?P<first>-?\d+)?(?:(?P<colon>:)(?P<count>\d+)?|-(?P<last>-?\d+))?", re.ASCII)
_LARGEST_PLACE = 9           # digits of a place in a slice
FUNCTIONS = ("len", "lower", "upper", "count")
_NO_FUNCTIONS = ("max", "min", "abs", "string", "vals", "dec", "hex", "base")      # Wireshark's alone
_NO_SLICE = marked("A slice is written [0:4] (place and length), [0-3], [4:] or [2].")
_AND, _OR, _NOT = ("and", "&&"), ("or", "||"), ("not", "!")


class FilterError(ValueError):
    """A display filter is wrong: one sentence, and where. `position` and `length` count characters.

    The sentence is made in English, and `recognised` where it is shown.
    """

    def __init__(self, sentence: str, text: str, position: int, length: int = 1) -> None:
        super().__init__(escaped(sentence))          # it may quote the filter, which may be anybody's
        self.text = text
        self.position = position
        self.length = max(length, 1)

    def marked(self) -> str:
        """The filter and below it a line that marks the place."""
        line = "".join(character if character.isprintable() else " " for character in self.text)
        return f"{line}\n{' ' * self.position}{'^' + '~' * (self.length - 1)}"


@dataclass(frozen=True, slots=True)
class Token:
    """A word, sign or string; `value` is a string's content or the word itself."""

    kind: TokenKind
    value: str
    position: int
    length: int
    raw: bool = False        # r"…": backslashes stand for themselves


def wrong(sentence: str, token: Token, text: str) -> FilterError:
    """The error that marks `token` in the filter `text`."""
    return FilterError(sentence, text, token.position, token.length)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a slice, from place `first` on: `count` places, to place `last`, or (both None) to the end.

    Places below 0 are counted from the end.
    """

    first: int
    count: int | None
    last: int | None


@dataclass(frozen=True, slots=True)
class Slice:
    """`field[0:4]`, `field[0-3]`, `field[:2,-1]`: parts of a value, joined."""

    parts: tuple[Part, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Mask:
    """`field & 0x02`: these bits of a value."""

    value: Token


@dataclass(frozen=True, slots=True)
class Function:
    """`len(field)` and others of FUNCTIONS."""

    name: str


Change = Slice | Mask | Function


@dataclass(frozen=True, slots=True)
class Compare:
    """`field op value`, `value` a token, or several (each one or a range's two) for `in`."""

    field: Token
    operator: Operator
    values: tuple[tuple[Token, ...], ...]
    quantifier: str = ""     # "any", "all" where written
    changes: tuple[Change, ...] = ()      # what is made of the field's values before they are compared


@dataclass(frozen=True, slots=True)
class Has:
    """A bare name: the packet has that field or protocol; with a mask, one of its bits."""

    field: Token
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    """Not what is inside."""

    inside: Node


@dataclass(frozen=True, slots=True)
class Both:
    """All of the parts (`all` True) or at least one."""

    parts: tuple[Node, ...]
    all: bool


Node = Compare | Has | Not | Both


def tokens_of(text: str) -> list[Token]:
    """The tokens of a filter, an "end" at last; FilterError for what is none."""
    if len(text) > _LONGEST:
        raise FilterError(f"The filter is longer than {_LONGEST} characters.", text[:_LONGEST], _LONGEST - 1)
    found, position = [], 0
    while True:
        match = _TOKEN.match(text, position)
        if match is None:
            start = position + len(text[position:]) - len(text[position:].lstrip(string.whitespace))
            if text[start] == '"' or text[start : start + 2] == 'r"':
                raise FilterError("A string begins here and does not end.", text, start, len(text) - start)
            raise FilterError(f"The character {text[start]!r} has no meaning here.", text, start)
        kind: TokenKind = next((one for one in TOKEN_KINDS if one == match.lastgroup), "end")
        value, start = match.group(kind), match.start(kind)
        raw = kind == "string" and value.startswith("r")
        found.append(Token(kind, _unquoted(value) if kind == "string" else value, start, len(value), raw))
        if kind == "end":
            return found
        position = match.end()


def _unquoted(value: str) -> str:
    if value.startswith("r"):
        return value[2:-1]
    simple = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}

    def escape(match: re.Match[str]) -> str:
        what = match.group(1)
        if what[0] == "x" and len(what) == 3:
            return chr(int(what[1:], 16))
        return simple.get(what, what)

    return re.sub(r"\\(x[0-9a-fA-F]{2}|.)", escape, value[1:-1], flags=re.DOTALL)


def _renamed(token: Token) -> Token:
    """A field by its name of today: Wireshark takes ssl for tls too."""
    old = token.kind == "word" and token.value.partition(".")[0] == "ssl"
    return replace(token, value="tls" + token.value[3:]) if old else token


def _part(text: str) -> Part | None:
    """What one part of a slice means; None where it means nothing."""
    match = _PART.fullmatch(text)
    if match is None or not text or any(len(part) > _LARGEST_PLACE for part in re.findall(r"\d+", text)):
        return None
    first, count, last = match["first"], match["count"], match["last"]
    if first is None and (match["colon"] is None or count is None):
        return None
    if match["colon"] is None:
        return Part(int(first), None if last else 1, int(last) if last else None)
    return None if count and not int(count) else Part(int(first or 0), int(count) if count else None, None)


class Parser:
    """Recursive descent over the tokens of one filter."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens_of(text)
        self._place = 0
        self._depth = 0

    def parse(self) -> Node:
        """The tree of the whole filter; FilterError where it is wrong."""
        if self._tokens[0].kind == "end":
            raise FilterError("The filter is empty.", self._text, 0)
        tree = self._either()
        if self._next.kind != "end":
            if self._is(*_SINGLE):
                raise self._error(_SINGLE[self._next.value])
            before, there = self._tokens[self._place - 1], repr(self._next.value)
            meant = _CAPTURE_FILTER.get(before.value)
            if meant and self._next.kind == "word":
                typed, better = (f"{start} {self._next.value}" for start in (before.value, meant))
                raise self._error(f"Here {typed} is written {better}.", before)
            raise self._error(
                f"Nothing can follow here, but there is {there}; “and” or “or” joins two conditions."
                if self._next.kind == "word" else f"Nothing can follow here, but there is {there}.")
        return tree

    @property
    def _next(self) -> Token:
        return self._tokens[self._place]

    def _error(self, sentence: str, token: Token | None = None) -> FilterError:
        token = token or self._next
        return wrong(sentence, token, self._text)

    def _take(self) -> Token:
        token = self._next
        self._place += 1
        return token

    def _is(self, *values: str) -> bool:
        token = self._next
        return token.kind != "string" and token.value.lower() in values

    def _either(self) -> Node:
        parts = [self._every()]
        while self._is(*_OR):
            self._take()
            parts.append(self._every())
        return parts[0] if len(parts) == 1 else Both(tuple(parts), all=False)

    def _every(self) -> Node:
        parts = [self._one()]
        while self._is(*_AND):
            self._take()
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Both(tuple(parts), all=True)

    def _one(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error("The filter is nested too deeply.")
        try:
            if self._is(*_NOT):
                self._take()
                return Not(self._one())
            if self._is("("):
                opening = self._take()
                inside = self._either()
                if not self._is(")"):
                    raise self._error("This parenthesis is not closed.", opening)
                self._take()
                return inside
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Node:
        quantifier = ""
        if self._is("any", "all"):
            quantifier = self._take().value.lower()
        field = self._next
        if field.kind == "end":
            raise self._error("The filter ends where a condition should stand.")
        if self._is(*_AND, *_OR):
            raise self._error(f"A condition should stand before {field.value!r}.")
        if field.kind != "word":
            raise self._error(f"A field or protocol should stand here, not {field.value!r}.")
        field, changes = self._changed()
        negated = self._is("not") and self._tokens[self._place + 1].value.lower() == "in"
        if negated:
            self._take()
        sign = self._next
        asked = _COMPARISONS.get(sign.value.lower()) if sign.kind != "string" else None
        if asked is None:
            if self._is("=", "&", "|"):
                raise self._error(_SINGLE[sign.value])
            if quantifier:
                raise self._error(f"After {quantifier} and a field a comparison should stand.")
            if any(isinstance(one, Function) for one in changes):
                raise self._error("After a function a comparison should stand: len(tcp.payload) > 200.")
            return Has(field, changes)
        self._take()
        if asked == "in":
            test = Compare(field, "in", self._set(), quantifier, changes)
            return Not(test) if negated else test
        return Compare(field, asked, ((self._value(),),), quantifier, changes)

    def _changed(self) -> tuple[Token, tuple[Change, ...]]:
        """A field, and the slice, mask or function that stands with it."""
        field, changes = _renamed(self._take()), list[Change]()
        if self._is("(") and field.value in (*FUNCTIONS, *_NO_FUNCTIONS):
            if field.value not in FUNCTIONS:
                raise self._error(f"There is no function {field.value} here; len, lower, upper and count "
                                  "there are.", field)
            self._take()
            inside = self._take()
            if inside.kind != "word" or not self._is(")"):
                raise self._error("In a function one field stands: len(tcp.payload).", inside)
            self._take()
            changes.append(Function(field.value))
            field = _renamed(inside)
        elif self._is("["):
            changes.append(self._slice())
        if self._is(*_BITS):
            sign = self._take()
            mask = self._next
            if mask.kind != "word" or not _MASK.fullmatch(mask.value):
                raise self._error(_SINGLE["&"], sign)
            changes.append(Mask(self._take()))
        return field, tuple(changes)

    def _slice(self) -> Slice:
        opening, texts = self._take(), [""]
        while not self._is("]"):
            token = self._next
            if token.kind == "end":
                raise self._error("This bracket is not closed.", opening)
            if token.kind != "word" and not self._is(","):
                raise self._error(_NO_SLICE)
            texts += [""] if self._is(",") else []
            texts[-1] += "" if self._is(",") else token.value
            self._take()
        parts = [_part(text) for text in texts]
        if None in parts:
            raise self._error(_NO_SLICE, opening)
        self._take()
        return Slice(tuple(part for part in parts if part), ",".join(texts))

    def _value(self) -> Token:
        token = self._next
        if token.kind == "end":
            raise self._error("The filter ends where a value should stand.")
        if token.kind == "sign":
            raise self._error(f"A value should stand here, not {token.value!r}.")
        return self._take()

    def _set(self) -> tuple[tuple[Token, ...], ...]:
        if not self._is("{"):
            raise self._error("After in a set in braces should stand: {80, 443, 8000..8099}.")
        opening = self._take()
        values: list[tuple[Token, ...]] = []
        while True:
            value = self._value()
            if self._is(".."):
                self._take()
                values.append((value, self._value()))
            else:
                values.append((value,))
            if self._is("}"):
                self._take()
                return tuple(values)
            if self._next.kind == "end":
                raise self._error("This brace is not closed.", opening)
            if not self._is(","):
                raise self._error("Values of a set are separated by commas.")
            self._take()
