"""Compiles expressions of contracts and rules to SQL that DuckDB and Spark read alike.

An author writes ``units_sold * unit_price``; the compiler knows the columns' types, refuses what the engines
would understand differently, and states every cast itself. The text that comes out is the same for both
engines. No compiled expression fails for a value: numbers have room for every result, texts are read by the
library (:mod:`catalog.functions`), and a cast that could lose something is refused.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Callable, Optional

from catalog import sql_parser
from catalog.functions import BY_NAME, Function, literal
from catalog.regex import PatternError, portable
from catalog.sql_parser import ExpressionError, Node
from catalog.types import FLOATS, MOMENTS, LogicalType, UnknownTypeError, parse_type, sql_type

if TYPE_CHECKING:
    from catalog.catalogue import Catalogue
    from catalog.model import Column, Contract

__all__ = [
    "CALENDAR_DAY",
    "Expression",
    "ExpressionError",
    "calendar_expression",
    "compile_expression",
    "flat_name",
    "literal",
    "references",
    "star_columns",
    "star_expression",
    "star_unreadable",
]

CALENDAR_DAY = "calendar_day"
"""The one column that expressions of the calendar see: the day, a date."""

MAX_DIGITS = 37
"""Digits of a result: with one more, Spark gives up digits after the point to make room for a carry."""

_SHOWN_DIGITS = 3
"""Digits of a second that a ``timestamp`` has."""

SHORT = 18
"""Digits of a decimal that DuckDB keeps in 64 bits."""

_BOOLEAN, _TEXT = parse_type("boolean"), parse_type("text")
_INTEGER, _BIGINT = parse_type("integer"), parse_type("bigint")
_DIGITS = {"integer": 10, "bigint": 19}
_NUMBERS = ("integer", "bigint", "decimal")
_DATE_LITERAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_TIMESTAMP_LITERAL = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?", re.ASCII
)
_CASTS = {
    # To: from. A number is cast to a wider one as well, see _holds.
    "text": ("integer", "bigint", "boolean", "time"),
    "date": MOMENTS,
}
_ANY_MOMENT = "TIMESTAMP"
"""How the library spells an argument that may be a time of any kind: the engines have but one."""

_SPELLED = {"int": "integer", "string": "text", "varchar": "text"}

# How tightly operators bind, loosest first.
_OR, _AND, _NOT, _PREDICATE, _SUM, _PRODUCT, _ATOM = range(7)


@dataclass(frozen=True)
class Expression:
    """A compiled expression.

    Attributes:
        sql: Text that both engines read alike, over flat names: ``address.city`` is ``address__city``.
        type: The type of its values.
        columns: The flat names that it reads.
        nullable: Whether it may be empty, where every column that may not be is not, and texts can be read.
        unreadable: Conditions, each true where a text that is there cannot be read.
    """

    sql: str
    type: LogicalType
    columns: frozenset[str]
    nullable: bool
    unreadable: tuple[str, ...] = ()


def compile_expression(
    text: str,
    columns: Mapping[str, LogicalType],
    wanted: Optional[LogicalType] = None,
    nullable: Optional[Collection[str]] = None,
) -> Expression:
    """Compile an expression.

    Args:
        text: The expression, in the common subset.
        columns: Type by name of what it may read, ``name`` or ``table.name``.
        wanted: The type that it must give, cast to it where that loses nothing; its own by default.
        nullable: Which of the columns may be empty; all by default.

    Raises:
        ExpressionError: It is refused; says why and where.
    """
    compiler = _Compiler(text, columns, columns if nullable is None else nullable)
    found = compiler.compile(sql_parser.parse(text))
    if wanted is not None:
        found = compiler.convert(found, wanted, 0)
    if found.type is None:
        raise ExpressionError(f"NULL alone has no type: {text}")
    return Expression(found.sql, found.type, found.columns, found.nullable, found.unreadable)


@lru_cache(maxsize=1024)
def references(text: str) -> tuple[str, ...]:
    """The columns that an expression names, ``name`` or ``table.name``, each once, in order.

    Raises:
        ExpressionError: It is not of the grammar.
    """
    nodes = sql_parser.walk(sql_parser.parse(text))
    return tuple(dict.fromkeys(node.name for node in nodes if isinstance(node, sql_parser.Name)))


def flat_name(name: str) -> str:
    """The name of ``table.column`` in a relation: ``table__column``."""
    return name.replace(".", "__")


# ---------------------------------------------------------------------- star columns


def star_columns(contract: Contract, catalogue: Catalogue) -> dict[str, Column]:
    """What expressions of a star table see: ``name`` of the main table, ``table.name`` of a joined one."""
    built_from = contract.built_from
    if built_from is None or built_from.table is None:
        return {}
    seen = {column.name: column for column in catalogue.raw[built_from.table].columns}
    for join in built_from.joins:
        seen.update({f"{join.table}.{column.name}": column for column in catalogue.raw[join.table].columns})
    return seen


def star_expression(contract: Contract, column: Column, catalogue: Catalogue) -> Expression:
    """How a star column is made from raw columns, its default included.

    Args:
        contract: The star table.
        column: One of its columns that is made from others, so not the record's number.
        catalogue: All contracts.

    Raises:
        ExpressionError: The contract's expression is refused.
        ValueError: The column states no expression.
    """
    text = column.expression
    if text is None:
        raise ValueError(f"{contract.table}.{column.name} is made from no other column")
    if contract.kind == "calendar":
        return calendar_expression(column)
    seen = star_columns(contract, catalogue)
    types = {name: source.type for name, source in seen.items()}
    nullable = [name for name, source in seen.items() if source.nullable]
    made = compile_expression(text, types, column.type, nullable)
    if column.default is None:
        return made
    return replace(made, sql=f"coalesce({made.sql}, {literal(column.default)})", nullable=False)


def calendar_expression(column: Column) -> Expression:
    """How a column of the calendar is made from the day.

    Raises:
        ExpressionError: The contract's expression is refused.
    """
    return compile_expression(
        column.expression or "", {CALENDAR_DAY: parse_type("date")}, column.type, nullable=()
    )


def star_unreadable(contract: Contract, column: Column, catalogue: Catalogue) -> Optional[str]:
    """A condition, never NULL, for rows that state a text which the column's expression cannot read.

    Returns:
        ``None`` where the expression reads no text.
    """
    conditions = star_expression(contract, column, catalogue).unreadable
    return " OR ".join(conditions) if conditions else None


# ---------------------------------------------------------------------- the compiler


@dataclass(frozen=True)
class _Typed:
    """Compiled text with its type; ``None`` is the type of NULL. ``level`` says how tightly it binds."""

    sql: str
    type: Optional[LogicalType]
    level: int = _ATOM
    columns: frozenset[str] = frozenset()
    nullable: bool = False
    unreadable: tuple[str, ...] = ()
    literal: Optional[str] = None

    @property
    def smallest(self) -> Optional[LogicalType]:
        """The type, or for a whole number that is stated a decimal of as many digits."""
        if self.literal is None or self.type not in (_INTEGER, _BIGINT):
            return self.type
        return LogicalType("decimal", len(self.literal.lstrip("-")), 0)

    def at_least(self, level: int) -> str:
        """The text, in parentheses unless it binds as tightly as stated."""
        return self.sql if self.level >= level else f"({self.sql})"


class _Compiler:
    def __init__(self, text: str, columns: Mapping[str, LogicalType], nullable: Collection[str]) -> None:
        self._text = text
        self._columns = columns
        self._nullable = nullable
        self._forms: dict[type, Callable[..., _Typed]] = {
            sql_parser.Name: self._name,
            sql_parser.Literal: self._literal,
            sql_parser.Call: self._call,
            sql_parser.Cast: self._cast,
            sql_parser.Unary: self._unary,
            sql_parser.Binary: self._binary,
            sql_parser.IsNull: self._is_null,
            sql_parser.Between: self._between,
            sql_parser.In: self._in,
            sql_parser.Case: self._case,
        }

    def compile(self, node: Node) -> _Typed:
        found = self._forms[type(node)](node)
        if found.type is not None and found.nullable and not found.columns:
            # DuckDB works it out beforehand, and forgets the type of a NULL that comes of it.
            raise self._error(node.at, f"{self._said(found)} reads no column, and may be NULL")
        return found

    def convert(self, found: _Typed, wanted: LogicalType, at: int) -> _Typed:
        """Cast to a type that holds every value, or refuse."""
        if found.type == wanted:
            return found
        if found.literal is not None and found.type == _TEXT and wanted.name == "time":
            return replace(found, type=wanted)
        kind = found.smallest if wanted.name == "decimal" else found.type
        if kind is not None and not _holds(wanted, kind):
            raise self._error(at, f"{self._said(found)} is {found.type}, which {wanted} does not hold")
        text = found.sql if found.literal is None or found.type == _TEXT else found.literal
        return replace(
            found, sql=f"CAST({text} AS {sql_type(wanted)})", type=wanted, level=_ATOM, literal=None
        )

    def _error(self, at: int, reason: str) -> ExpressionError:
        return sql_parser.error_at(self._text, at, reason)

    def _said(self, found: _Typed) -> str:
        return found.sql if len(found.sql) <= 40 else "this"

    def _alike(self, found: Sequence[_Typed], at: int) -> list[_Typed]:
        """Values cast to one type that holds all of them."""
        decimals = any(one.type is not None and one.type.name == "decimal" for one in found)
        kinds = [one.smallest if decimals else one.type for one in found]
        types = [kind for kind in kinds if kind is not None]
        if not types:
            raise self._error(at, "NULL alone has no type")
        common = next((kind for kind in types if kind.name == "time"), types[0])
        for kind in types:
            joined = _joined(common, kind)
            if joined is None and common.name == "time" and kind == _TEXT:
                continue
            if joined is None or (joined.precision or 0) > MAX_DIGITS + 1:
                raise self._error(at, f"{common} and {kind} are not of one kind")
            common = joined
        return [self.convert(one, common, at) for one in found]

    def _comparable(self, found: Sequence[_Typed], at: int) -> list[_Typed]:
        """Values of one type of which one is the other, or is less, by one rule everywhere."""
        alike = self._alike(found, at)
        kind = alike[0].type
        if kind is not None and kind.name in FLOATS:
            raise self._error(at, f"{kind} is not compared: NaN, and 0 beside -0, have a rule in each engine")
        return alike

    def _boolean(self, node: Node) -> _Typed:
        found = self.compile(node)
        if found.type is None:
            return replace(found, sql="CAST(NULL AS BOOLEAN)", type=_BOOLEAN)
        if found.type != _BOOLEAN:
            raise self._error(node.at, f"a condition is expected, not {found.type}")
        return found

    # ------------------------------------------------------------------ leaves

    def _name(self, node: sql_parser.Name) -> _Typed:
        if node.name not in self._columns:
            raise self._error(node.at, f"there is no column {node.name}")
        flat = flat_name(node.name)
        return _Typed(
            flat, self._columns[node.name], columns=frozenset({flat}), nullable=node.name in self._nullable
        )

    def _literal(self, node: sql_parser.Literal) -> _Typed:
        if node.kind == "null":
            return _Typed("NULL", None, nullable=True)
        if node.kind == "boolean":
            return _Typed(node.text, _BOOLEAN)
        if node.kind == "text":
            try:
                return _Typed(literal(node.text), _TEXT, literal=node.text)
            except ValueError as error:
                raise self._error(node.at, str(error)) from error
        if node.kind == "number":
            return self._number(node)
        return self._moment(node)

    def _number(self, node: sql_parser.Literal) -> _Typed:
        whole, _, fraction = node.text.partition(".")
        digits = len(whole.lstrip("0"))
        if digits + len(fraction) > MAX_DIGITS:
            raise self._error(node.at, f"a number has at most {MAX_DIGITS} digits")
        if not fraction and int(whole) < 2**31:
            return _Typed(str(int(whole)), _INTEGER, literal=str(int(whole)))
        if not fraction and int(whole) < 2**63:
            return _Typed(f"CAST({int(whole)} AS BIGINT)", _BIGINT, literal=str(int(whole)))
        kind = LogicalType("decimal", max(digits + len(fraction), 1), len(fraction))
        return _Typed(f"CAST({node.text} AS {sql_type(kind)})", kind, literal=node.text)

    def _moment(self, node: sql_parser.Literal) -> _Typed:
        if not _is_moment(node):
            form = "YYYY-MM-DD" + (" HH:MM:SS" if node.kind == "timestamp" else "")
            raise self._error(node.at, f"{node.text!r} is no {node.kind} written {form}")
        fine = len(node.text.partition(".")[2]) > _SHOWN_DIGITS
        kind = parse_type("timestamp(6)" if fine else node.kind)
        return _Typed(f"CAST('{node.text}' AS {sql_type(kind)})", kind)

    # ------------------------------------------------------------------ operators

    def _unary(self, node: sql_parser.Unary) -> _Typed:
        if node.operator == "NOT":
            found = self._boolean(node.operand)
            return replace(found, sql=f"NOT {found.at_least(_ATOM)}", level=_NOT)
        found = self._numeric(self.compile(node.operand), node.at)
        if found.literal is not None and found.type == _INTEGER:
            return replace(found, sql=f"(-{found.sql})", literal=f"-{found.literal}")
        # The smallest whole number has no opposite of its own type.
        wider = {"integer": _BIGINT, "bigint": LogicalType("decimal", 19, 0)}
        kind = found.type
        if kind is not None and kind.name in wider:
            found = self.convert(found, wider[kind.name], node.at)
        return replace(found, sql=f"(-{found.at_least(_ATOM)})", level=_ATOM, literal=None)

    def _binary(self, node: sql_parser.Binary) -> _Typed:
        if node.operator in ("AND", "OR"):
            level = _AND if node.operator == "AND" else _OR
            left, right = self._boolean(node.left), self._boolean(node.right)
            # Nobody should have to know that AND binds tighter than OR.
            first = left.sql if left.level == level else left.at_least(_NOT)
            sql = f"{first} {node.operator} {right.at_least(_NOT)}"
            return self._combined([left, right], sql, _BOOLEAN, level)
        left, right = self.compile(node.left), self.compile(node.right)
        if node.operator in ("+", "-", "*"):
            return self._arithmetic(node, left, right)
        if node.operator == "||":
            for one, operand in ((left, node.left), (right, node.right)):
                if one.type != _TEXT:
                    raise self._error(operand.at, f"|| joins texts, not {one.type}: cast it AS STRING")
            sql = f"{left.at_least(_SUM)} || {right.at_least(_PRODUCT)}"
            return self._combined([left, right], sql, _TEXT, _SUM)
        distinct = node.operator.startswith("IS")
        if distinct and left.type is None and right.type is None:
            raise self._error(node.at, "NULL is compared with NULL")
        left, right = self._comparable([left, right], node.at)
        sql = f"{left.at_least(_SUM)} {node.operator} {right.at_least(_SUM)}"
        found = self._combined([left, right], sql, _BOOLEAN, _PREDICATE)
        return replace(found, nullable=False) if distinct else found

    def _numeric(self, found: _Typed, at: int) -> _Typed:
        if found.type is None or found.type.name not in _NUMBERS:
            raise self._error(at, f"a number is expected, not {found.type or 'NULL'}")
        return found

    def _arithmetic(self, node: sql_parser.Binary, left: _Typed, right: _Typed) -> _Typed:
        parts = [self._numeric(left, node.left.at), self._numeric(right, node.right.at)]
        level = _PRODUCT if node.operator == "*" else _SUM
        if all(part.type == _INTEGER for part in parts):
            kind, *operands = _BIGINT, _BIGINT, _BIGINT
        else:
            kind, *operands = _room(node.operator, *(part.smallest or _INTEGER for part in parts))
            if (kind.precision or 0) > MAX_DIGITS:
                raise self._error(
                    node.at, f"the result has {kind.precision} digits, and at most {MAX_DIGITS} are held"
                )
        parts = [self.convert(part, wanted, node.at) for part, wanted in zip(parts, operands)]
        sql = f"{parts[0].at_least(level)} {node.operator} {parts[1].at_least(level + 1)}"
        if kind.name == "decimal":
            return self._combined(parts, f"CAST({sql} AS {sql_type(kind)})", kind, _ATOM)
        return self._combined(parts, sql, kind, level)

    def _is_null(self, node: sql_parser.IsNull) -> _Typed:
        found = self.compile(node.operand)
        sql = f"{found.at_least(_SUM)} IS {'NOT ' if node.negated else ''}NULL"
        return replace(
            found, sql=sql, type=_BOOLEAN, level=_PREDICATE, nullable=False, unreadable=(), literal=None
        )

    def _between(self, node: sql_parser.Between) -> _Typed:
        parts = self._comparable(
            [self.compile(part) for part in (node.operand, node.low, node.high)], node.at
        )
        value, low, high = (part.at_least(_SUM) for part in parts)
        sql = f"{value} {'NOT ' if node.negated else ''}BETWEEN {low} AND {high}"
        return self._combined(parts, sql, _BOOLEAN, _PREDICATE)

    def _in(self, node: sql_parser.In) -> _Typed:
        parts = self._comparable([self.compile(part) for part in (node.operand, *node.values)], node.at)
        values = ", ".join(part.sql for part in parts[1:])
        sql = f"{parts[0].at_least(_SUM)} {'NOT ' if node.negated else ''}IN ({values})"
        return self._combined(parts, sql, _BOOLEAN, _PREDICATE)

    def _case(self, node: sql_parser.Case) -> _Typed:
        conditions = [self._boolean(condition) for condition, _ in node.branches]
        results = [self.compile(value) for _, value in node.branches]
        if node.otherwise is not None:
            results.append(self.compile(node.otherwise))
        results = self._alike(results, node.at)
        branches = [f"WHEN {condition.sql} THEN {value.sql}" for condition, value in zip(conditions, results)]
        if node.otherwise is not None:
            branches.append(f"ELSE {results[-1].sql}")
        found = self._combined([*conditions, *results], f"CASE {' '.join(branches)} END", results[0].type)
        nullable = node.otherwise is None or any(result.nullable for result in results)
        return replace(found, nullable=nullable)

    # ------------------------------------------------------------------ functions and casts

    def _call(self, node: sql_parser.Call) -> _Typed:
        if node.name == "coalesce" and node.arguments:
            parts = self._alike([self.compile(argument) for argument in node.arguments], node.at)
            found = self._combined(parts, f"coalesce({_listed(parts)})", parts[0].type)
            return replace(found, nullable=all(part.nullable for part in parts))
        if node.name == "nullif" and len(node.arguments) == 2:
            parts = self._comparable([self.compile(argument) for argument in node.arguments], node.at)
            found = self._combined(parts, f"nullif({_listed(parts)})", parts[0].type)
            return replace(found, nullable=True)
        function = BY_NAME.get(node.name)
        if function is None:
            known = ", ".join(["coalesce", "nullif", *BY_NAME])
            raise self._error(node.at, f"there is no function {node.name}; there are {known}")
        if len(node.arguments) != len(function.arguments):
            raise self._error(node.at, f"{node.name} takes {len(function.arguments)} arguments")
        return self._library(node, function)

    def _library(self, node: sql_parser.Call, function: Function) -> _Typed:
        parts = []
        for argument, (name, spelled) in zip(node.arguments, function.arguments):
            part = self.compile(argument)
            if not (spelled == _ANY_MOMENT and part.type is not None and part.type.name in MOMENTS):
                part = self.convert(part, _type(spelled), argument.at)
            parts.append(self._pattern(part, argument) if name == "pattern" else part)
        found = self._combined(parts, f"{node.name}({_listed(parts)})", function.result)
        if function.partial:
            found = replace(found, nullable=True)
        if not function.parses:
            return found
        unread = f"({parts[0].at_least(_SUM)} IS NOT NULL AND {found.sql} IS NULL)"
        return replace(found, unreadable=(*found.unreadable, unread))

    def _pattern(self, found: _Typed, argument: Node) -> _Typed:
        if found.literal is None:
            raise self._error(argument.at, "a pattern is a text literal")
        try:
            pattern = portable(found.literal)
        except PatternError as error:
            raise self._error(argument.at, str(error)) from error
        return replace(found, sql=literal(pattern))

    def _cast(self, node: sql_parser.Cast) -> _Typed:
        try:
            wanted = _type(node.type)
        except UnknownTypeError as error:
            raise self._error(node.at, str(error)) from error
        found = self.compile(node.operand)
        if found.type is None:
            raise self._error(node.at, "NULL is not cast: it has the type of what stands beside it")
        allowed = _CASTS.get(wanted.name, ())
        if found.type.name in allowed:
            sql = f"CAST({found.sql} AS {sql_type(wanted)})"
            return replace(found, sql=sql, type=wanted, level=_ATOM, literal=None)
        return self.convert(found, wanted, node.at)

    def _combined(
        self, parts: Sequence[_Typed], sql: str, kind: Optional[LogicalType], level: int = _ATOM
    ) -> _Typed:
        return _Typed(
            sql,
            kind,
            level,
            columns=frozenset().union(*(part.columns for part in parts)),
            nullable=any(part.nullable for part in parts),
            unreadable=tuple(dict.fromkeys(text for part in parts for text in part.unreadable)),
        )


def _is_moment(node: sql_parser.Literal) -> bool:
    pattern = _DATE_LITERAL if node.kind == "date" else _TIMESTAMP_LITERAL
    try:
        dt.datetime.fromisoformat(node.text.partition(".")[0])
    except ValueError:
        return False
    return bool(pattern.fullmatch(node.text))


def _listed(parts: Sequence[_Typed]) -> str:
    return ", ".join(part.sql for part in parts)


def _type(spelled: str) -> LogicalType:
    lowered = spelled.lower()
    return parse_type(_SPELLED.get(lowered, lowered))


def _digits(kind: LogicalType) -> tuple[int, int]:
    """Digits before and after the point."""
    if kind.name in _DIGITS:
        return _DIGITS[kind.name], 0
    return (kind.precision or 0) - (kind.scale or 0), kind.scale or 0


def _room(
    operator: str, left: LogicalType, right: LogicalType
) -> tuple[LogicalType, LogicalType, LogicalType]:
    """The type that holds every result of two numbers, and what each is cast to before."""
    (whole, scale), (whole_too, scale_too) = _digits(left), _digits(right)
    if operator != "*":
        scale = max(scale, scale_too)
        kind = LogicalType("decimal", max(whole, whole_too) + 1 + scale, scale)
        return kind, kind, kind
    first, second = whole + scale, whole_too + scale_too
    kind = LogicalType("decimal", first + second, scale + scale_too)
    if first + second > SHORT and max(first, second) <= SHORT:
        # DuckDB keeps a product of two short decimals short, and fails where it is not.
        first = SHORT + 1
    return kind, LogicalType("decimal", first, scale), LogicalType("decimal", second, scale_too)


def _joined(one: LogicalType, other: LogicalType) -> Optional[LogicalType]:
    """The smallest type that holds the values of both, if there is one."""
    if one == other:
        return one
    if one.name in MOMENTS and other.name in MOMENTS:
        return max(one, other, key=lambda kind: MOMENTS.index(kind.name))
    if one.name not in _NUMBERS or other.name not in _NUMBERS:
        return None
    if "decimal" not in (one.name, other.name):
        return _BIGINT
    (whole, scale), (whole_too, scale_too) = _digits(one), _digits(other)
    scale = max(scale, scale_too)
    return LogicalType("decimal", max(whole, whole_too) + scale, scale)


def _holds(wanted: LogicalType, kind: LogicalType) -> bool:
    """Whether a type holds every value of another one, exactly."""
    return _joined(wanted, kind) == wanted
