"""Reads the texts of expressions: the grammar of the common subset of DuckDB and Spark SQL.

What the grammar does not hold is refused with its place in the text. Functions are called by name; literals
are numbers, texts, TRUE, FALSE, NULL, and ``DATE '2024-11-15'``. A quote within a text is doubled, a
backslash stands for itself. A parser for all of SQL takes 0.4 s of CPU to import on Python 3.9, as long as
all else that a small run starts with; this one takes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Optional, Union

MAX_DEPTH, MAX_OPERATORS = 60, 200
"""How deep an expression may nest and how many operators it may have: far below what breaks a parser."""

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<number>[0-9]+(?:\.[0-9]+)?(?![A-Za-z0-9_.]))
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<text>'(?:[^']|'')*')
    |(?P<symbol><=|>=|<>|\|\||[-+*(),.=<>])""",
    re.VERBOSE,
)

_COMPARISONS = frozenset({"=", "<>", "<", "<=", ">", ">="})

_KEYWORDS = frozenset(
    {"and", "or", "not", "is", "null", "true", "false", "distinct", "from", "between", "in"}
    | {"case", "when", "then", "else", "end", "cast", "as"}
)

RESERVED = _KEYWORDS | frozenset(
    """
    all analyse analyze anti any array asc asof asymmetric at authorization binary both by check collate
    collation column concurrently constraint create cross default deferrable desc describe do except
    fetch for foreign freeze full glob group having ilike initially inner intersect into isnull join
    lambda lateral leading left like limit natural notnull offset on only order outer overlaps pivot
    pivot_longer pivot_wider placing positional primary qualify references returning right select semi
    show similar some summarize symmetric table tablesample to trailing union unique unpack unpivot
    using variadic verbose where window with
    """.split()  # noqa: SIM905 - a hundred words
)
"""Words that are no plain name on one of the engines: DuckDB reserves all of them, Spark some."""

VALUE_WORDS = frozenset(
    {"user", "current_user", "session_user", "current_role", "current_schema", "current_catalog"}
    | {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
)
"""Words that are a value where nobody quotes them: ``SELECT user`` names who asks, and no column."""


class ExpressionError(ValueError):
    """An expression that cannot be used: says why and where in its text."""


@dataclass(frozen=True)
class Name:
    """A column: ``name``, or ``table.name``."""

    at: int
    name: str


@dataclass(frozen=True)
class Literal:
    """A literal without its quotes; ``kind`` is number, text, boolean, null, date or timestamp."""

    at: int
    kind: str
    text: str


@dataclass(frozen=True)
class Call:
    """A call of a function, ``coalesce`` and ``nullif`` among them."""

    at: int
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Cast:
    """A cast to a type, as the author spelled it."""

    at: int
    operand: Node
    type: str


@dataclass(frozen=True)
class Unary:
    """``NOT`` or ``-`` before an operand."""

    at: int
    operator: str
    operand: Node


@dataclass(frozen=True)
class Binary:
    """Two operands with an operator between them, ``IS [NOT] DISTINCT FROM`` among these."""

    at: int
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class IsNull:
    """``IS [NOT] NULL``."""

    at: int
    operand: Node
    negated: bool


@dataclass(frozen=True)
class Between:
    """``[NOT] BETWEEN low AND high``."""

    at: int
    operand: Node
    low: Node
    high: Node
    negated: bool


@dataclass(frozen=True)
class In:
    """``[NOT] IN (values)``."""

    at: int
    operand: Node
    values: tuple[Node, ...]
    negated: bool


@dataclass(frozen=True)
class Case:
    """``CASE WHEN condition THEN value … [ELSE value] END``."""

    at: int
    branches: tuple[tuple[Node, Node], ...]
    otherwise: Optional[Node]


Node = Union[Name, Literal, Call, Cast, Unary, Binary, IsNull, Between, In, Case]


@dataclass(frozen=True)
class _Token:
    at: int
    kind: str
    text: str


# Of each expression there is one, and it is evaluated for every row.
@lru_cache(maxsize=1024)
def parse(text: str) -> Node:
    """Read an expression.

    Raises:
        ExpressionError: It is not of the grammar; names the place.
    """
    parser = _Parser(text)
    node = parser.disjunction()
    if parser.token.kind != "end":
        raise parser.error(f"{parser.token.text} is not expected here")
    return node


def walk(node: object) -> Iterator[Node]:
    """The node and everything below it."""
    if isinstance(node, tuple):
        for part in node:
            yield from walk(part)
    elif isinstance(node, (Name, Literal, Call, Cast, Unary, Binary, IsNull, Between, In, Case)):
        yield node
        for part in vars(node).values():
            yield from walk(part)


def error_at(text: str, at: int, reason: str) -> ExpressionError:
    """The error that says what is wrong at a place of a text."""
    return ExpressionError(f"{reason}, at character {at + 1} of: {text}")


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise error_at(text, at, f"{text[at]} is not of the common subset of SQL")
        kind = match.lastgroup or ""
        if kind != "space":
            word = match[0].lower() if kind == "word" else match[0]
            yield _Token(at, "keyword" if word in _KEYWORDS else kind, word)
        at = match.end()
    yield _Token(len(text), "end", "the end")


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._next = 0
        self._depth = 0
        self._operators = 0

    @property
    def token(self) -> _Token:
        return self._tokens[self._next]

    def error(self, reason: str) -> ExpressionError:
        return error_at(self._text, self.token.at, reason)

    def _take(self) -> _Token:
        token = self.token
        self._next += 1
        return token

    def _accept(self, *words: str) -> bool:
        """Take these words if they are the next ones."""
        ahead = self._tokens[self._next : self._next + len(words)]
        found = [token.text for token in ahead if token.kind in ("keyword", "symbol")] == list(words)
        self._next += len(words) if found else 0
        return found

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            raise self.error(f"{word.upper()} is expected, not {self.token.text}")

    def _binary(self, left: Node, right: Callable[[], Node]) -> Node:
        """Take an operator and what follows it."""
        self._operators += 1
        if self._operators > MAX_OPERATORS:
            raise self.error(f"the expression has more than {MAX_OPERATORS} operators")
        token = self._take()
        return Binary(token.at, token.text.upper(), left, right())

    # ------------------------------------------------------------------ truth, loosest first

    def disjunction(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self.error("the expression nests too deep")
        node = self._conjunction()
        while self.token.text == "or" and self.token.kind == "keyword":
            node = self._binary(node, self._conjunction)
        self._depth -= 1
        return node

    def _conjunction(self) -> Node:
        node = self._negation()
        while self.token.text == "and" and self.token.kind == "keyword":
            node = self._binary(node, self._negation)
        return node

    def _negation(self) -> Node:
        token = self.token
        if self._accept("not"):
            if self.token.text == "not":
                raise self.error("NOT NOT says nothing")
            return Unary(token.at, "NOT", self._negation())
        return self._predicate()

    def _predicate(self) -> Node:
        left = self._sum()
        token = self.token
        if token.kind == "symbol" and token.text in _COMPARISONS:
            return self._binary(left, self._sum)
        if self._accept("is"):
            return self._is(token.at, left)
        negated = self._accept("not")
        if self._accept("between"):
            low = self._sum()
            self._expect("and")
            return Between(token.at, left, low, self._sum(), negated)
        if self._accept("in"):
            self._expect("(")
            return In(token.at, left, self._list(), negated)
        if negated:
            raise self.error("BETWEEN or IN is expected")
        return left

    def _is(self, at: int, left: Node) -> Node:
        negated = self._accept("not")
        if self._accept("null"):
            return IsNull(at, left, negated)
        if self._accept("distinct", "from"):
            return Binary(at, f"IS {'NOT ' if negated else ''}DISTINCT FROM", left, self._sum())
        raise self.error("NULL or DISTINCT FROM is expected")

    # ------------------------------------------------------------------ values

    def _sum(self) -> Node:
        node = self._product()
        while self.token.kind == "symbol" and self.token.text in ("+", "-", "||"):
            node = self._binary(node, self._product)
        return node

    def _product(self) -> Node:
        node = self._factor()
        while self.token.kind == "symbol" and self.token.text == "*":
            node = self._binary(node, self._factor)
        return node

    def _factor(self) -> Node:
        token = self._take()
        if token.kind == "number":
            return Literal(token.at, "number", token.text)
        if token.kind == "text":
            return Literal(token.at, "text", _unquoted(token))
        if token.kind == "word":
            return self._named(token)
        if token.text == "-":
            if self.token.text == "-":
                raise self.error("-- is not expected here")
            return Unary(token.at, "-", self._factor())
        if token.text == "(":
            node = self.disjunction()
            self._expect(")")
            return node
        if token.kind == "keyword":
            return self._keyword(token)
        self._next -= 1
        raise self.error(f"a value is expected, not {token.text}")

    def _keyword(self, token: _Token) -> Node:
        if token.text in ("true", "false"):
            return Literal(token.at, "boolean", token.text.upper())
        if token.text == "null":
            return Literal(token.at, "null", "NULL")
        if token.text == "case":
            return self._case(token.at)
        if token.text == "cast":
            return self._cast(token.at)
        self._next -= 1
        raise self.error(f"a value is expected, not {token.text.upper()}")

    def _named(self, token: _Token) -> Node:
        if token.text in ("date", "timestamp") and self.token.kind == "text":
            return Literal(token.at, token.text, _unquoted(self._take()))
        if self._accept("("):
            return Call(token.at, token.text, () if self._accept(")") else self._list())
        if self._accept("."):
            if self.token.kind != "word":
                raise self.error(f"a column's name is expected, not {self.token.text}")
            return Name(token.at, f"{token.text}.{self._take().text}")
        return Name(token.at, token.text)

    def _list(self) -> tuple[Node, ...]:
        nodes = [self.disjunction()]
        while self._accept(","):
            nodes.append(self.disjunction())
        self._expect(")")
        return tuple(nodes)

    def _case(self, at: int) -> Node:
        branches = []
        while self._accept("when"):
            condition = self.disjunction()
            self._expect("then")
            branches.append((condition, self.disjunction()))
        if not branches:
            raise self.error("WHEN is expected")
        otherwise = self.disjunction() if self._accept("else") else None
        self._expect("end")
        return Case(at, tuple(branches), otherwise)

    def _cast(self, at: int) -> Node:
        self._expect("(")
        operand = self.disjunction()
        self._expect("as")
        spelled = self._take().text
        if self._accept("("):
            spelled += f"({self._take().text}"
            if self._accept(","):
                spelled += f",{self._take().text}"
            self._expect(")")
            spelled += ")"
        self._expect(")")
        return Cast(at, operand, spelled)


def _unquoted(token: _Token) -> str:
    return token.text[1:-1].replace("''", "'")
