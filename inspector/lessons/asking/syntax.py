"""The language of a lesson's checks: text -> tokens -> a tree. Small, closed, and without loops.

    count(packets, "tcp.flags.syn == 1") == 2 and returned(client, "connect")

Numbers, texts in either quotes, true, false; `and or not`, comparisons, `+ -`, parentheses, and calls of the
functions in functions.py. An argument is an expression, or a bare word where the function takes one (packets,
client). Bounded in length and depth, so that a stranger's lesson is safe to read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from inspector.wire.text import escaped

LONGEST = 1000           # characters of an expression
DEEPEST = 20             # parentheses, calls and nots within each other
MOST_TOKENS = 200

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>"(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*')
    | (?P<number>0[xX][0-9a-fA-F]{1,16}(?!\w) | [0-9]{1,18}(?!\w))
    | (?P<word>[A-Za-z_][A-Za-z_0-9]*)
    | (?P<sign>== | != | >= | <= | [-+<>(),])
    | (?P<end>$)
    )""",
    re.VERBOSE | re.ASCII,
)
_SPACES = " \t\n\r\f\v"          # those of ASCII, as above
Comparison = Literal["==", "!=", ">=", "<=", ">", "<"]
Sum = Literal["+", "-"]
Operator = Literal["and", "or", Comparison, Sum]
TokenKind = Literal["text", "number", "word", "sign", "end"]
COMPARISONS: tuple[Comparison, ...] = get_args(Comparison)
SUMS: tuple[Sum, ...] = get_args(Sum)
TOKEN_KINDS: tuple[TokenKind, ...] = get_args(TokenKind)
_OWN = ("and", "or", "not", "true", "false")


class ExpressionError(ValueError):
    """An expression is wrong: one sentence, and the place of its character from 0."""

    def __init__(self, sentence: str, position: int) -> None:
        super().__init__(escaped(sentence))          # it may name what stands in the expression
        self.position = position


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, a text, true or false."""

    value: int | str | bool
    position: int


@dataclass(frozen=True, slots=True)
class Word:
    """A bare word, which only a function gives a meaning to."""

    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function of functions.py and its arguments."""

    name: str
    arguments: tuple[Node, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Not:
    """Not what is inside."""

    inside: Node
    position: int


@dataclass(frozen=True, slots=True)
class Two:
    """Two values joined by `and`, `or`, a comparison, `+` or `-`."""

    operator: Operator
    left: Node
    right: Node
    position: int


Node = Constant | Word | Call | Not | Two


S = TypeVar("S", bound=str)


class _Token:
    __slots__ = ("kind", "position", "value")

    def __init__(self, kind: TokenKind, value: str, position: int) -> None:
        self.kind: TokenKind = kind
        self.value, self.position = value, position


def parse(text: str) -> Node:
    """The tree of an expression; ExpressionError where it is wrong."""
    return _Parser(text).whole()


def _tokens(text: str) -> list[_Token]:
    if len(text) > LONGEST:
        raise ExpressionError(f"An expression has at most {LONGEST} characters.", LONGEST)
    found: list[_Token] = []
    position = 0
    while True:
        match = _TOKEN.match(text, position)
        if match is None:
            start = position + len(text[position:]) - len(text[position:].lstrip(_SPACES))
            if text[start] in "\"'":
                raise ExpressionError("A text begins here and does not end.", start)
            raise ExpressionError(f"{text[start]!r} has no meaning here.", start)
        kind: TokenKind = next((one for one in TOKEN_KINDS if one == match.lastgroup), "end")
        found.append(_Token(kind, match.group(kind), match.start(kind)))
        if kind == "end":
            return found
        if len(found) > MOST_TOKENS:
            raise ExpressionError(f"An expression has at most {MOST_TOKENS} words and signs.",
                                  match.start(kind))
        position = match.end()


class _Parser:
    """Recursive descent, the loosest operator first."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._place = self._depth = 0

    def whole(self) -> Node:
        if self._tokens[0].kind == "end":
            raise ExpressionError("The expression is empty.", 0)
        node = self._either()
        if self._next.kind != "end":
            raise ExpressionError(f"Nothing can follow here, but there is {self._next.value!r}.",
                                  self._next.position)
        return node

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place]

    def _take(self, *values: str) -> _Token | None:
        """The next token, if it is one of these words or signs."""
        token = self._next
        if token.kind in ("word", "sign") and token.value in values:
            self._place += 1
            return token
        return None

    def _taken(self, signs: tuple[S, ...]) -> S | None:
        """The next token's sign, if it is one of these."""
        token = self._next
        found = next((one for one in signs if token.kind == "sign" and one == token.value), None)
        self._place += found is not None
        return found

    def _either(self) -> Node:
        node = self._both()
        while token := self._take("or"):
            node = Two("or", node, self._both(), token.position)
        return node

    def _both(self) -> Node:
        node = self._negated()
        while token := self._take("and"):
            node = Two("and", node, self._negated(), token.position)
        return node

    def _negated(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ExpressionError("The expression is nested too deeply.", self._next.position)
        try:
            if token := self._take("not"):
                return Not(self._negated(), token.position)
            return self._compared()
        finally:
            self._depth -= 1

    def _compared(self) -> Node:
        node, position = self._sum(), self._next.position
        if sign := self._taken(COMPARISONS):
            node = Two(sign, node, self._sum(), position)
        return node

    def _sum(self) -> Node:
        node, position = self._one(), self._next.position
        while sign := self._taken(SUMS):
            node = Two(sign, node, self._one(), position)
            position = self._next.position
        return node

    def _one(self) -> Node:
        token = self._next
        if token.kind == "number":
            self._place += 1
            return Constant(int(token.value, 0) if token.value[:2] in ("0x", "0X") else int(token.value),
                            token.position)
        if token.kind == "text":
            self._place += 1
            return Constant(re.sub(r"\\(.)", r"\1", token.value[1:-1], flags=re.DOTALL), token.position)
        if self._take("true", "false"):
            return Constant(token.value == "true", token.position)
        if self._take("("):
            node = self._either()
            self._close(token)
            return node
        if token.kind == "word" and token.value not in _OWN:
            self._place += 1
            if self._take("("):
                return Call(token.value, self._arguments(token), token.position)
            return Word(token.value, token.position)
        found = f", not {token.value!r}" if token.value else ""
        raise ExpressionError(f"A value should stand here{found}.", token.position)

    def _arguments(self, opening: _Token) -> tuple[Node, ...]:
        if self._take(")"):
            return ()
        found = [self._either()]
        while self._take(","):
            found.append(self._either())
        self._close(opening)
        return tuple(found)

    def _close(self, opening: _Token) -> None:
        if not self._take(")"):
            raise ExpressionError("This parenthesis is not closed.", opening.position)
