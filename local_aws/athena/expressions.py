"""Every expression is typed, and by its type becomes DuckDB's SQL; what matches no signature is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from local_aws.athena import forms, literals
from local_aws.athena.casts import cast, coerce
from local_aws.athena.kinds import (
    BIGINT,
    BOOLEAN,
    DATE,
    DAY_SECOND,
    DOUBLE,
    INTEGER,
    INTEGERS,
    MOMENTS,
    NUMBERS,
    REAL,
    UNKNOWN,
    VARBINARY,
    VARCHAR,
    YEAR_MONTH,
    ZONED,
    Type,
    array,
    coerces,
    common,
    comparable,
    decimal,
    duckdb_type,
    orderable,
    row,
    timestamp,
    varchar,
    zoned,
)
from local_aws.athena.plan import Plan, Typed, failure, has_identity, identity, quoted
from local_aws.athena.query_errors import QueryError, position
from local_aws.athena.scopes import Column, Scope
from local_aws.athena.semantics.json_functions import JSON_EMPTY, JSON_ERROR
from local_aws.athena.signatures import (
    RULES,
    Bindings,
    Pattern,
    Signature,
    build,
    by_name,
    decimal_of,
    match,
    read_pattern,
)
from local_aws.athena.syntax import Node
from local_aws.athena.trino_names import TRINO_FUNCTIONS

_NONE: frozenset[str] = frozenset()
_NESTED = ("array", "map", "row")
OUTER = "outer"
"""What stands among the columns of a value that reads the query around its own."""
_MICROS = 6
_DIGITS_OF_64_BITS = 18
_SCALARS_OF_JSON = ("boolean", "varchar", "char", "date", "time", "timestamp", ZONED, *NUMBERS)
_MOST_ARGUMENTS = 127
_MOST_ELEMENTS = 254


class Queries(Protocol):
    """What an expression asks of whoever translates queries."""

    def subquery(self, node: Node, scope: Scope) -> tuple[str, list[Column]]:
        """A query's SQL, its columns named ``c0``, ``c1`` …, and the columns."""


@dataclasses.dataclass(frozen=True)
class SortKey:
    """What rows are sorted by.

    Attributes:
        sql: The value.
        direction: ASC or DESC, and where NULL stands.
        nan_first: Whether NaN is less than every number, as where NULL comes first; greater otherwise.
        part: What of the value has the order, where it is not the whole: SQL with ``{}`` for the value.
    """

    sql: str
    direction: str
    nan_first: bool
    part: str = "{}"

    @property
    def text(self) -> str:
        """The item as DuckDB reads it."""
        return self.over(self.sql)

    def over(self, sql: str) -> str:
        """The item with the value named otherwise."""
        sql = self.part.format(sql)
        if self.nan_first:
            sql = f"CASE WHEN {sql} IS NULL THEN NULL ELSE {{'a': NOT isnan({sql}), 'b': {sql}}} END"
        return f"{sql} {self.direction}"


class Expressions:
    """Translates the expressions of one text.

    Args:
        sql: The text, for places in messages.
        plan: What is collected.
        queries: Translates subqueries.
    """

    def __init__(self, sql: str, plan: Plan, queries: Queries) -> None:
        self._sql = sql
        self._plan = plan
        self._queries = queries
        self._watched: list[tuple[Scope, set[str]]] = []

    def at(self, node: Node) -> tuple[int, int]:
        """Line and column of a node."""
        return position(self._sql, node.pos)

    def refuse(self, node: Node, name: str, message: str) -> QueryError:
        """The refusal of a node."""
        return QueryError(name, message, self.at(node))

    # --- the walk ------------------------------------------------------------------------------------------

    def translate(self, node: Node, scope: Scope) -> Typed:
        """An expression's SQL and type.

        Raises:
            QueryError: It has no type: a name or a signature is missing.
        """
        grouped = self._grouped(node, scope)
        if grouped is not None:
            return grouped
        read = _READERS.get(node.kind)
        if read is None:
            raise self.refuse(node, "NOT_SUPPORTED", f"{node.kind} cannot stand here")
        return read(self, node, scope)

    def boolean(self, node: Node, scope: Scope, clause: str) -> Typed:
        """An expression that must be true or false."""
        value = self.translate(node, scope)
        if not coerces(value.type, BOOLEAN):
            raise self.refuse(
                node, "TYPE_MISMATCH", f"{clause} must evaluate to a boolean: actual type {value.type}"
            )
        return self._as(value, BOOLEAN)

    def _as(self, value: Typed, wanted: Type) -> Typed:
        if value.type == wanted:
            return value
        return dataclasses.replace(value, sql=coerce(value, wanted, self._plan), type=wanted)

    def _grouped(self, node: Node, scope: Scope) -> Typed | None:
        """The column that a key of GROUP BY became, where a node is one."""
        aggregation = scope.aggregation
        if aggregation is None or not aggregation.has_expressions or node.kind in _LITERALS:
            return None
        root = node
        while root.kind == "Field":
            root = root.value
        if root.kind == "Name" or any(item.over for item in node.walk() if item.kind == "Call"):
            return None
        plain = dataclasses.replace(scope, aggregation=None, windows=False, aggregates=False)
        count = self._plan._count  # noqa: SLF001  # names of a try that is dropped
        try:
            value = self.translate(node, plain)
        except QueryError:
            return None
        finally:
            self._plan._count = count  # noqa: SLF001
        return self._key(value, scope)

    @staticmethod
    def _key(value: Typed, scope: Scope) -> Typed | None:
        assert scope.aggregation is not None  # noqa: S101  # asked before
        place = scope.aggregation.key(value)
        if place is None:
            return None
        name = f"{scope.aggregation.alias}.k{place}"
        return Typed(name, value.type, frozenset((name,)))

    def _parts(self, *values: Typed) -> dict[str, Any]:
        """What a whole takes from its parts."""
        return {
            "columns": frozenset().union(*(value.columns for value in values)) if values else _NONE,
            "volatile": any(value.volatile for value in values),
        }

    # --- names ---------------------------------------------------------------------------------------------

    def _name(self, node: Node, scope: Scope) -> Typed:
        return self._dotted(node, [node.name], [], scope)

    def _field(self, node: Node, scope: Scope) -> Typed:
        names: list[str] = []
        rest = node
        while rest.kind == "Field":
            names.insert(0, rest.name)
            rest = rest.value
        if rest.kind == "Name":
            return self._dotted(node, [rest.name, *names], names, scope)
        value = self.translate(node.value, scope)
        return self._member(node, value, node.name)

    def _dotted(self, node: Node, names: list[str], _: list[str], scope: Scope) -> Typed:
        """A column behind the names of its table, then fields of it."""
        value = scope.variable(names[0]) or self._output(node, names[0], scope)
        if value is not None:
            for name in names[1:]:
                value = self._member(node, value, name)
            return value
        place: Scope | None = scope
        while place is not None:
            listed = self._output(node, names[0], place) if place is not scope else None
            for split in range(len(names) - 1, -1, -1):
                column = place.find(tuple(names[:split]), names[split], self.at(node))
                if column is not None:
                    if place is not scope:
                        self._note_outer(place, scope.where)
                    value = self._column_field(node, column, names[split + 1 :], place, own=place is scope)
                    if listed is None or (len(names) == 1 and listed.sql == value.sql):
                        return value
            if listed is not None:
                message = "A column of the SELECT list in a subquery of ORDER BY is not supported here"
                raise self.refuse(node, "NOT_SUPPORTED", message)
            place = place.parent
        raise self.refuse(node, "COLUMN_NOT_FOUND", f"Column '{'.'.join(names)}' cannot be resolved")

    def _output(self, node: Node, name: str, scope: Scope) -> Typed | None:
        """The column of a SELECT list that a name means in its ORDER BY."""
        if name not in scope.outputs:
            return None
        found = scope.outputs[name]
        if scope.in_aggregate:
            message = "Invalid reference to output projection attribute from ORDER BY aggregation"
            raise self.refuse(node, "COLUMN_NOT_FOUND", message)
        if found is None:
            raise self.refuse(node, "AMBIGUOUS_NAME", f"Column '{name}' is ambiguous")
        return found

    def _column_field(
        self, node: Node, column: Column, names: list[str], scope: Scope, *, own: bool
    ) -> Typed:
        """A column, or a field of one, of which a group may have either as its key."""
        value, rest = None, names
        if scope.aggregation is not None and names:
            plain = self._column(node, column, dataclasses.replace(scope, aggregation=None), own=own)
            for place, name in enumerate(names, 1):
                plain = self._member(node, plain, name)
                key = self._key(plain, scope)
                if key is not None:
                    value = key if own else dataclasses.replace(key, columns=plain.columns)
                    rest = names[place:]
                    break
        if value is None:
            value = self._column(node, column, scope, own=own)
        for name in rest:
            value = self._member(node, value, name)
        return value

    def _note_outer(self, place: Scope, clause: str) -> None:
        """Note a clause that reads a column of a query around it."""
        for around, clauses in self._watched:
            if any(place is one for one in around.outwards()):
                clauses.add(clause)

    @contextmanager
    def watched(self, scope: Scope) -> Iterator[set[str]]:
        """The clauses, of a query that is translated meanwhile, that read what is around it.

        Args:
            scope: What is around it.
        """
        clauses: set[str] = set()
        self._watched.append((scope, clauses))
        try:
            yield clauses
        finally:
            self._watched.pop()

    def _column(self, node: Node, column: Column, scope: Scope, *, own: bool) -> Typed:
        # What a query around this one gives is no column of its own relations, and no constant either.
        value = Typed(column.sql, column.type, frozenset((column.sql if own else OUTER,)))
        if scope.aggregation is None:
            return value
        key = self._key(value, scope)
        if key is None:
            raise self.refuse(
                node,
                "EXPRESSION_NOT_AGGREGATE",
                f"'{column.name}' must be an aggregate expression or appear in GROUP BY clause",
            )
        return key if own else dataclasses.replace(key, columns=value.columns)

    def _member(self, node: Node, value: Typed, name: str) -> Typed:
        labels = [(label or "").lower() for label in value.type.names]
        places = [place for place, label in enumerate(labels) if label == name]
        if value.type.base != "row" or not places:
            raise self.refuse(
                node, "TYPE_MISMATCH", f"Expression is not of type ROW or has no field '{name}'"
            )
        if len(places) > 1:
            raise self.refuse(node, "AMBIGUOUS_NAME", f"Field '{name}' is ambiguous")
        return self.part_of_row(value, places[0])

    def part_of_row(self, value: Typed, place: int) -> Typed:
        """A field of a row, by its place."""
        return Typed(f"({value.sql}).f{place}", value.type.inner[place], **self._parts(value))

    def fields(self, node: Node, scope: Scope) -> list[tuple[str, Typed]]:
        """The fields of ``(row).*``, each with its name."""
        value = self.translate(node, scope)
        if value.type.base != "row":
            raise self.refuse(node, "TYPE_MISMATCH", "Expression is not of type ROW")
        names = value.type.names or [None] * len(value.type.args)
        return [(name or "", self.part_of_row(value, place)) for place, name in enumerate(names)]

    # --- literals ------------------------------------------------------------------------------------------

    def _null(self, _: Node, __: Scope) -> Typed:
        return Typed("CAST(NULL AS VARCHAR)", UNKNOWN, is_literal=True)

    def _boolean(self, node: Node, _: Scope) -> Typed:
        return Typed("true" if node.value else "false", BOOLEAN, constant=node.value, is_literal=True)

    def _integer(self, node: Node, _: Scope) -> Typed:
        return self._whole(node, node.value)

    def _whole(self, node: Node, value: int) -> Typed:
        kind = INTEGER if -(2**31) <= value < 2**31 else BIGINT
        if not -(2**63) <= value < 2**63:
            raise self.refuse(node, "INVALID_LITERAL", f"Invalid numeric literal: {value}")
        return Typed(f"CAST({value} AS {duckdb_type(kind)})", kind, constant=value, is_literal=True)

    def _double(self, node: Node, _: Scope) -> Typed:
        value = float(node.value)
        if value in (float("inf"), float("-inf")):
            raise self.refuse(node, "INVALID_LITERAL", f"Invalid numeric literal: {node.value}")
        return Typed(f"CAST({value!r} AS DOUBLE)", DOUBLE, constant=value, is_literal=True)

    def _string(self, node: Node, _: Scope) -> Typed:
        return Typed(quoted(node.value), varchar(len(node.value)), constant=node.value, is_literal=True)

    def _binary(self, node: Node, _: Scope) -> Typed:
        octets = "".join(f"\\x{octet:02X}" for octet in node.value)
        return Typed(f"CAST('{octets}' AS BLOB)", VARBINARY, constant=node.value, is_literal=True)

    def _interval(self, node: Node, _: Scope) -> Typed:
        try:
            value, kind = literals.interval(node.value, node.sign, node.first, node.last)
        except ValueError as error:
            raise self.refuse(node, "INVALID_LITERAL", str(error)) from None
        return Typed(f"CAST({value} AS {duckdb_type(kind)})", kind, constant=value, is_literal=True)

    def _typed(self, node: Node, _: Scope) -> Typed:
        """``DATE '2024-01-01'`` and the like."""
        try:
            made = literals.literal_value(node.type, node.value)
        except literals.UnknownType as error:
            raise self.refuse(node, "TYPE_NOT_FOUND", f"Unknown type: {error}") from None
        except ValueError as error:
            raise self.refuse(
                node, "INVALID_LITERAL", f"'{node.value}' is not a valid {node.type.upper()} literal: {error}"
            ) from None
        if made is not None:
            return made
        wanted = literals.type_of(node.type)
        text = Typed(quoted(node.value), VARCHAR, constant=node.value, is_literal=True)
        return Typed(cast(text, wanted, self._plan, at=self.at(node)), wanted)

    def _moment(self, node: Node, _: Scope) -> Typed:
        now = self._plan.now
        if node.name == "current_date":
            return Typed(f"DATE '{now:%Y-%m-%d}'", DATE)
        precision = 3 if node.precision is None else node.precision
        if precision > 3:
            raise self.refuse(
                node, "NOT_SUPPORTED", "Moments of more than milliseconds are not supported here"
            )
        cut = now.replace(microsecond=now.microsecond // 1000 * 1000)
        moment = f"TIMESTAMP '{cut:%Y-%m-%d %H:%M:%S.%f}'"
        if node.name == "current_timestamp":
            return Typed(f"{{'t': {moment}, 'z': 'UTC'}}", zoned(precision))
        if node.name == "localtimestamp":
            return Typed(moment, timestamp(precision))
        if node.name == "localtime":
            return Typed(f"TIME '{cut:%H:%M:%S.%f}'", Type("time", (precision,)))
        raise self.refuse(node, "NOT_SUPPORTED", f"{node.name} is not supported here: time with time zone")

    def _parameter(self, node: Node, _: Scope) -> Typed:
        raise self.refuse(node, "INVALID_PARAMETER_USAGE", "Query takes no parameters here")

    # --- logic ---------------------------------------------------------------------------------------------

    def _logical(self, node: Node, scope: Scope) -> Typed:
        parts = [
            self.boolean(part, scope, f"Logical expression term of {node.kind.upper()}")
            for part in node.parts
        ]
        sql = f" {node.kind.upper()} ".join(part.sql for part in parts)
        return Typed(f"({sql})", BOOLEAN, **self._parts(*parts))

    def _not(self, node: Node, scope: Scope) -> Typed:
        value = self.boolean(node.value, scope, "Value of logical NOT expression")
        return Typed(f"(NOT {value.sql})", BOOLEAN, **self._parts(value))

    def _is_null(self, node: Node, scope: Scope) -> Typed:
        if node.value.kind == "Call":
            node.value.only_whether = True
        value = self.translate(node.value, scope)
        return Typed(f"({value.sql} IS {'NOT ' if node.negated else ''}NULL)", BOOLEAN, **self._parts(value))

    def _shared(self, node: Node, values: list[Typed], what: str) -> Type:
        """The type that all values share."""
        shared = values[0].type
        for value in values[1:]:
            found = common(shared, value.type)
            if found is None:
                raise self.refuse(node, "TYPE_MISMATCH", what.format(left=shared, right=value.type))
            shared = found
        return shared

    def _compare(self, node: Node, scope: Scope) -> Typed:
        left, right = self.translate(node.left, scope), self.translate(node.right, scope)
        return self._compared(node, node.operator, left, right)

    def _compared(self, node: Node, sign: str, left: Typed, right: Typed, word: str = "") -> Typed:
        shared = common(left.type, right.type)
        fits = comparable if sign in ("=", "<>") else orderable
        if shared is None or not fits(shared):
            raise self.refuse(
                node, "TYPE_MISMATCH", f"Cannot apply operator: {left.type} {word or sign} {right.type}"
            )
        self._require_micros(node, left, right)
        parts = self._parts(left, right)
        one, two = (coerce(value, shared, self._plan) for value in (left, right))
        return Typed(self._comparison(sign, one, two, shared, (left, right)), BOOLEAN, **parts)

    def _comparison(self, sign: str, one: str, two: str, kind: Type, sides: tuple[Typed, ...]) -> str:
        if kind.base in _NESTED:
            if sign not in ("=", "<>"):
                return self._plan.call(
                    {"<": "less", ">": "greater", "<=": "at_most", ">=": "at_least"}[sign],
                    [(one, kind), (two, kind)],
                    BOOLEAN,
                )
            equal = self._plan.call("equal", [(one, kind), (two, kind)], BOOLEAN)
            return equal if sign == "=" else f"(NOT {equal})"
        if kind.base == ZONED:
            return f"(({one}).t {sign} ({two}).t)"
        if kind.base in ("real", "double") and not (sign in ("=", "<>") and any(s.is_literal for s in sides)):
            return self._float_comparison(sign, one, two)
        return f"({one} {sign} {two})"

    def _float_comparison(self, sign: str, one: str, two: str) -> str:
        """NaN equals nothing and has no order, where DuckDB takes it for the largest number."""
        unordered = "true" if sign == "<>" else "false"
        return self._plan.let_both(
            one,
            two,
            lambda a, b: f"CASE WHEN isnan({a}) OR isnan({b}) THEN {unordered} ELSE {a} {sign} {b} END",
        )

    def _require_micros(self, node: Node, *values: Typed) -> None:
        """Refuse what would look at digits behind the microseconds, which this stack does not hold."""
        for value in values:
            kind = value.type
            if kind.base in (*MOMENTS, "time") and (kind.length or 0) > _MICROS:
                raise self.refuse(
                    node, "NOT_SUPPORTED", f"A value of type {kind} cannot stand here in this stack"
                )

    def _distinct(self, node: Node, scope: Scope) -> Typed:
        left, right = self.translate(node.left, scope), self.translate(node.right, scope)
        shared = common(left.type, right.type)
        if shared is None or not comparable(shared):
            raise self.refuse(
                node, "TYPE_MISMATCH", f"Cannot apply operator: {left.type} IS DISTINCT FROM {right.type}"
            )
        one, two = (coerce(value, shared, self._plan) for value in (left, right))
        one, two = identity(one, shared), identity(two, shared)
        word = "IS NOT DISTINCT FROM" if node.negated else "IS DISTINCT FROM"
        return Typed(f"({one} {word} {two})", BOOLEAN, **self._parts(left, right))

    def _between(self, node: Node, scope: Scope) -> Typed:
        value, low, high = (self.translate(part, scope) for part in (node.value, node.low, node.high))
        for bound in (low, high):
            if common(value.type, bound.type) is None:
                raise self.refuse(
                    node, "TYPE_MISMATCH", f"Cannot apply operator: {value.type} BETWEEN {bound.type}"
                )
        from_low = self._compared(node, ">=", value, low, "BETWEEN")
        to_high = self._compared(node, "<=", value, high, "BETWEEN")
        sql = f"({from_low.sql} AND {to_high.sql})"
        return Typed(f"(NOT {sql})" if node.negated else sql, BOOLEAN, **self._parts(value, low, high))

    def _in_list(self, node: Node, scope: Scope) -> Typed:
        value = self.translate(node.value, scope)
        items = [self.translate(item, scope) for item in node.items]
        shared = value.type
        for item in items:
            found = common(shared, item.type)
            if found is None:
                raise self.refuse(
                    node, "TYPE_MISMATCH", f"Cannot apply operator: {value.type} IN {item.type}"
                )
            shared = found
        if not comparable(shared):
            raise self.refuse(node, "TYPE_MISMATCH", f"Cannot apply operator: {shared} IN")
        if shared.base in (*_NESTED, ZONED, "real", "double"):
            tests = [self._compared(node, "=", value, item) for item in items]
            sql = "(" + " OR ".join(test.sql for test in tests) + ")"
        else:
            listed = ", ".join(coerce(item, shared, self._plan) for item in items)
            sql = f"({coerce(value, shared, self._plan)} IN ({listed}))"
        return Typed(f"(NOT {sql})" if node.negated else sql, BOOLEAN, **self._parts(value, *items))

    def _like(self, node: Node, scope: Scope) -> Typed:
        value, pattern = self.translate(node.value, scope), self.translate(node.pattern, scope)
        escape = self.translate(node.escape, scope) if node.escape else None
        for part, name in ((value, "Left side of"), (pattern, "Pattern for"), (escape, "Escape for")):
            texts = ("varchar", "char", "unknown") if part is value else ("varchar", "unknown")
            if part is not None and part.type.base not in texts:
                raise self.refuse(
                    node,
                    "TYPE_MISMATCH",
                    f"{name} LIKE expression must evaluate to a varchar: actual type {part.type}",
                )
        if escape is not None and escape.type == UNKNOWN:
            return Typed("CAST(NULL AS BOOLEAN)", BOOLEAN, **self._parts(value, pattern))
        if escape is not None and not (escape.is_literal and len(escape.constant or "") == 1):
            raise self.refuse(node, "INVALID_FUNCTION_ARGUMENT", "Escape string must be a single character")
        end, wanted = "", pattern.sql
        if escape is not None:
            end = f" ESCAPE {escape.sql}"
            wanted = self._plan.call("like_pattern", [(wanted, VARCHAR), (escape.sql, VARCHAR)], VARCHAR)
        sql = f"({value.sql} {'NOT ' if node.negated else ''}LIKE {wanted}{end})"
        return Typed(sql, BOOLEAN, **self._parts(value, pattern))

    # --- subqueries ----------------------------------------------------------------------------------------

    def _one_column(self, node: Node, scope: Scope, what: str) -> tuple[str, Type]:
        sql, columns = self._queries.subquery(node.query, scope)
        if len(columns) != 1:
            raise self.refuse(
                node,
                "SUBQUERY_MULTIPLE_COLUMNS" if what else "NOT_SUPPORTED",
                f"Multiple columns returned by subquery are not yet supported. Found {len(columns)}",
            )
        return sql, columns[0].type

    def _subquery(self, node: Node, scope: Scope) -> Typed:
        node.query.body.is_scalar = True
        sql, columns = self._queries.subquery(node.query, scope)
        if len(columns) == 1:
            return Typed(f"({sql})", columns[0].type, volatile=True)
        kind = _row_type(columns)
        fields = ", ".join(f"'f{place}': q.c{place}" for place in range(len(columns)))
        # Of no rows Trino makes a row of fields that are NULL.
        empty = ", ".join(
            f"'f{place}': CAST(NULL AS {duckdb_type(column.type)})" for place, column in enumerate(columns)
        )
        sql = f"coalesce((SELECT {{{fields}}} FROM ({sql}) AS q), {{{empty}}})"
        return Typed(sql, kind, volatile=True)

    def _exists(self, node: Node, scope: Scope) -> Typed:
        node.query.only_whether = node.query.body.is_pruned = True
        sql, _ = self._queries.subquery(node.query, scope)
        return Typed(f"EXISTS ({sql})", BOOLEAN, volatile=True)

    def _in_query(self, node: Node, scope: Scope) -> Typed:
        value = self.translate(node.value, scope)
        node.query.only_whether = node.query.is_in = True
        sql, columns = self._queries.subquery(node.query, scope)
        if value.type.base == "row" or len(columns) > 1:
            return self._row_in_query(node, value, sql, columns)
        kind = columns[0].type
        one, two = self._against(node, value, kind, "IN")
        word = "NOT IN" if node.negated else "IN"
        numbers = self._but_nan(two, value.type, kind)
        return Typed(
            f"({one} {word} (SELECT {two} FROM ({sql}) AS q{numbers}))", BOOLEAN, value.columns, volatile=True
        )

    def _row_in_query(self, node: Node, value: Typed, sql: str, columns: list[Column]) -> Typed:
        """Whether a row is among those of a query; fields that are NULL may leave it open."""
        rows = _row_type(columns)
        if value.type.base != "row" or len(value.type.args) != len(columns):
            raise self.refuse(
                node,
                "TYPE_MISMATCH",
                f"Value expression and result of subquery must be of the same type: {value.type} vs {rows}",
            )
        fields = [
            self._compared(node, "=", self.part_of_row(value, place), Typed(f"q.c{place}", column.type), "IN")
            for place, column in enumerate(columns)
        ]
        equal = " AND ".join(field.sql for field in fields)
        found = "CASE WHEN bool_or(q.e) THEN true WHEN bool_or(q.e IS NULL) THEN NULL ELSE false END"
        test = f"(SELECT {found} FROM (SELECT ({equal}) AS e FROM ({sql}) AS q) AS q)"
        return Typed(f"(NOT {test})" if node.negated else test, BOOLEAN, value.columns, volatile=True)

    @staticmethod
    def _but_nan(sql: str, *kinds: Type) -> str:
        """A WHERE without the rows that are NaN, which equals nothing and has no order."""
        inexact = any(kind.base in ("real", "double") for kind in kinds)
        return f" WHERE isnan({sql}) IS NOT TRUE" if inexact else ""

    def _against(self, node: Node, value: Typed, kind: Type, word: str) -> tuple[str, str]:
        """Both sides of a comparison with the rows of a query, which is named ``q``."""
        shared = common(value.type, kind)
        if shared is None or not comparable(shared):
            raise self.refuse(node, "TYPE_MISMATCH", f"Cannot apply operator: {value.type} {word} {kind}")
        if shared.base in _NESTED:
            raise self.refuse(node, "NOT_SUPPORTED", f"{word} a query of type {shared} is not supported here")
        one, two = coerce(value, shared, self._plan), coerce(Typed("q.c0", kind), shared, self._plan)
        return (f"({one}).t", f"({two}).t") if shared.base == ZONED else (one, two)

    def _quantified(self, node: Node, scope: Scope) -> Typed:
        value = self.translate(node.value, scope)
        # These two are IN and NOT IN.
        node.query.is_in = (node.operator, node.quantifier == "ALL") in (("=", False), ("<>", True))
        sql, kind = self._one_column(node, scope, "quantified")
        one, two = self._against(node, value, kind, node.operator)
        word = "ALL" if node.quantifier == "ALL" else "ANY"
        numbers = self._but_nan(two, value.type, kind) if word == "ANY" and node.operator != "<>" else ""
        test = f"({one} {node.operator} {word} (SELECT {two} FROM ({sql}) AS q{numbers}))"
        return Typed(test, BOOLEAN, value.columns, volatile=True)

    # --- arithmetic ----------------------------------------------------------------------------------------

    def _arithmetic(self, node: Node, scope: Scope) -> Typed:
        left, right = self.translate(node.left, scope), self.translate(node.right, scope)
        found = None
        if left.type.base == "unknown" and right.type.base == "unknown":
            found = None
        elif left.type.base in (*NUMBERS, "unknown") and right.type.base in (*NUMBERS, "unknown"):
            found = self._numeric(node.operator, left, right)
        else:
            found = self._temporal(node, left, right)
        if found is None:
            raise self.refuse(
                node, "TYPE_MISMATCH", f"Cannot apply operator: {left.type} {node.operator} {right.type}"
            )
        sql, kind = found
        return Typed(sql, kind, **self._parts(left, right))

    def _numeric(self, sign: str, left: Typed, right: Typed) -> tuple[str, Type] | None:
        shared = common(left.type, right.type)
        if shared is None:
            return None
        if shared.base == "decimal":
            return self._decimal_arithmetic(sign, left, right)
        one, two = (coerce(value, shared, self._plan) for value in (left, right))
        name = duckdb_type(shared)
        if shared.base in ("real", "double"):
            if sign == "%":
                return self._plan.call("float_modulus", [(one, shared), (two, shared)], shared), shared
            return (
                f"CAST({one} {sign} {two} AS {name})" if shared == REAL else f"({one} {sign} {two})",
                shared,
            )
        if sign in "/%":
            word = "//" if sign == "/" else "%"
            if right.is_literal and right.constant not in (None, 0, -1):
                return f"CAST({one} {word} {two} AS {name})", shared
            wrong = failure("DIVISION_BY_ZERO", "Division by zero", shared)

            # The least of all numbers has no remainder by -1 in DuckDB.
            def divided(n: str, d: str) -> str:
                minus = f"WHEN -1 THEN 0 * {n} " if sign == "%" else ""
                return f"CAST(CASE {d} WHEN 0 THEN {wrong} {minus}ELSE {n} {word} {d} END AS {name})"

            return self._plan.let_both(one, two, divided), shared
        return f"CAST({one} {sign} {two} AS {name})", shared

    def _decimal_arithmetic(self, sign: str, left: Typed, right: Typed) -> tuple[str, Type] | None:
        kinds = [
            decimal_of(value.type) if value.type.base != "unknown" else decimal(1, 0)
            for value in (left, right)
        ]
        (p, s), (q, t) = kinds[0].numbers, kinds[1].numbers
        scale = max(s, t)
        if sign in "+-":
            kind = decimal(min(38, max(p - s, q - t) + scale + 1), scale)
            wide = duckdb_type(kind)
            return f"CAST(CAST({left.sql} AS {wide}) {sign} CAST({right.sql} AS {wide}) AS {wide})", kind
        one, two = (coerce(value, kind, self._plan) for value, kind in zip((left, right), kinds, strict=True))
        if sign == "*":
            if s + t > 38:
                return None
            kind = decimal(min(38, p + q), s + t)
            if max(p, q) <= _DIGITS_OF_64_BITS < p + q:
                # DuckDB multiplies two numbers of 64 bits as such, and says that the product overflows.
                one = f"CAST({one} AS DECIMAL({_DIGITS_OF_64_BITS + 1},{s}))"
            return f"CAST({one} * {two} AS {duckdb_type(kind)})", kind
        if sign == "/":
            kind = decimal(min(38, p + t + max(t - s, 0)), scale)
            texts = [(f"CAST({side} AS VARCHAR)", VARCHAR) for side in (one, two)]
            return f"CAST({self._plan.call('quotient', texts, VARCHAR)} AS {duckdb_type(kind)})", kind
        kind = RULES["remainder"](kinds)
        return self._plan.call("decimal_modulus", [(one, kinds[0]), (two, kinds[1])], kind), kind

    def _temporal(self, node: Node, left: Typed, right: Typed) -> tuple[str, Type] | None:
        self._require_micros(node, left, right)
        sign, pair = node.operator, (left.type, right.type)
        spans = (DAY_SECOND, YEAR_MONTH)
        if left.type in spans and right.type == left.type and sign in "+-":
            return f"({left.sql} {sign} {right.sql})", left.type
        if left.type in spans and right.type.base in NUMBERS and sign in "*/":
            return self._scaled(left, right, sign)
        if right.type in spans and left.type.base in NUMBERS and sign == "*":
            return self._scaled(right, left, sign)
        if left.type in spans and sign == "+":
            left, right = right, left
        if right.type in spans and sign in "+-" and left.type.base in ("date", "timestamp", ZONED, "time"):
            return self._shifted(node, left, right, sign)
        same = left.type.base == right.type.base or {kind.base for kind in pair} <= {
            "date",
            "timestamp",
            ZONED,
        }
        if sign == "-" and same and left.type.base in ("date", "timestamp", ZONED, "time"):
            shared = common(left.type, right.type)
            assert shared is not None  # noqa: S101  # two moments always share a type
            ends = [(coerce(value, shared, self._plan), shared) for value in (left, right)]
            return self._plan.call("elapsed", ends, DAY_SECOND), DAY_SECOND
        return None

    def _scaled(self, span: Typed, factor: Typed, sign: str) -> tuple[str, Type] | None:
        name = duckdb_type(span.type)
        if factor.type.base in INTEGERS and sign == "*":
            return f"CAST({span.sql} * {factor.sql} AS {name})", span.type
        if factor.type.base == "decimal" and sign == "*" and factor.type.base not in INTEGERS:
            factor = self._as(factor, DOUBLE)
        factor = self._as(factor, DOUBLE)
        word = "scaled" if sign == "*" else "shared_out"
        return self._plan.call(word, [(span.sql, span.type), (factor.sql, DOUBLE)], span.type), span.type

    def _shifted(self, node: Node, moment: Typed, span: Typed, sign: str) -> tuple[str, Type]:
        kind = moment.type
        minus = "-" if sign == "-" else ""
        if kind.base == "time":
            if span.type != DAY_SECOND:
                raise self.refuse(node, "TYPE_MISMATCH", f"Cannot apply operator: {kind} {sign} {span.type}")
            shifted = Type("time", (max(kind.length or 0, 3),))
            return self._plan.call(
                "shift_time", [(moment.sql, kind), (f"{minus}{span.sql}", span.type)], shifted
            ), kind
        if kind.base == "date" and span.type == DAY_SECOND:
            if span.is_literal and span.constant % 86_400_000:
                raise self.refuse(
                    node, "INVALID_FUNCTION_ARGUMENT", "Cannot add hour, minutes or seconds to a date"
                )
            if span.is_literal:
                return f"({moment.sql} {sign} CAST({span.constant // 86_400_000} AS INTEGER))", kind
            return self._plan.call(
                "shift_date", [(moment.sql, kind), (f"{minus}{span.sql}", span.type)], kind
            ), kind
        if span.type == YEAR_MONTH:
            if kind.base == ZONED:
                months = (f"CAST({minus}{span.sql} AS BIGINT)", BIGINT)
                return self._plan.call("shift_months", [(moment.sql, kind), months], kind), kind
            shifted_sql = f"({moment.sql} {sign} to_months({span.sql}))"
            return (f"CAST({shifted_sql} AS DATE)" if kind.base == "date" else shifted_sql), kind
        result = Type(kind.base, (max(kind.length or 0, 3),))
        if kind.base == ZONED:
            return self._plan.let(
                moment.sql,
                lambda it: (
                    f"CASE WHEN {it} IS NOT NULL THEN "
                    f"{{'t': ({it}).t {sign} to_milliseconds({span.sql}), 'z': ({it}).z}} END"
                ),
            ), result
        return f"({moment.sql} {sign} to_milliseconds({span.sql}))", result

    def _negate(self, node: Node, scope: Scope) -> Typed:
        if node.value.kind == "Integer":
            return self._whole(node, -node.value.value)
        value = self.translate(node.value, scope)
        if value.type.base not in NUMBERS and value.type not in (DAY_SECOND, YEAR_MONTH):
            raise self.refuse(node, "TYPE_MISMATCH", f"Cannot negate {value.type}")
        sql = f"CAST(- {value.sql} AS {duckdb_type(value.type)})"
        if value.is_literal and value.constant is not None:
            return dataclasses.replace(value, sql=sql, constant=-value.constant)
        return Typed(sql, value.type, **self._parts(value))

    def _plus(self, node: Node, scope: Scope) -> Typed:
        value = self.translate(node.value, scope)
        if value.type.base not in NUMBERS:
            raise self.refuse(
                node, "TYPE_MISMATCH", f"Unary '+' operator cannot by applied to {value.type} type"
            )
        return value

    def _concatenated(self, node: Node, scope: Scope) -> Typed:
        values = [self.translate(part, scope) for part in node.parts]
        whole = values[0]
        for value in values[1:]:
            whole = self._joined(node, whole, value)
        return whole

    def _joined(self, node: Node, left: Typed, right: Typed) -> Typed:
        if UNKNOWN in (left.type, right.type):
            return self._joined_to_null(node, left, right)
        parts = self._parts(left, right)
        one, two = left.type, right.type
        arrays = [side for side in (left, right) if side.type.base == "array"]
        if arrays and (len(arrays) == 1 or common(one, two) is None):
            # Of two arrays, one may be an item of the other.
            own = next((side for side in arrays if self._may_hold(side, left, right)), arrays[0])
            return self._appended(node, own, right if own is left else left, own_first=own is left)
        if one.base == "array" and two.base == "array":
            shared = common(one, two)
            assert shared is not None  # noqa: S101  # looked at just above
            sides = [coerce(value, shared, self._plan) for value in (left, right)]
            return Typed(f"({sides[0]} || {sides[1]})", shared, **parts)
        if (
            {one.base, two.base} <= {"varbinary", "unknown"} and one != two
        ) or one.base == two.base == "varbinary":
            return Typed(
                f"({coerce(left, VARBINARY, self._plan)} || {coerce(right, VARBINARY, self._plan)})",
                VARBINARY,
                **parts,
            )
        if one.base == two.base == "varchar":
            return Typed(f"({left.sql} || {right.sql})", VARCHAR, **parts)
        if {one.base, two.base} <= {"varchar", "char"}:
            if one.length is None or two.length is None:
                message = f"{one} || {two} is not supported here: CAST it to varchar"
                raise self.refuse(node, "NOT_SUPPORTED", message)
            texts = [self._as(value, Type("char", value.type.args)).sql for value in (left, right)]
            return Typed(f"({texts[0]} || {texts[1]})", RULES["joined_chars"]([one, two]), **parts)
        raise self.refuse(
            node,
            "FUNCTION_NOT_FOUND",
            f"Unexpected parameters ({one}, "
            f"{two}) for function concat. "
            "Expected: concat(char(x), char(y)), concat(array(E), E), concat(E, array(E)), "
            "concat(array(E)), concat(varchar), concat(varbinary)",
        )

    @staticmethod
    def _may_hold(whole: Typed, left: Typed, right: Typed) -> bool:
        """Whether one side of a concatenation may be an item of the other."""
        return common(whole.type.inner[0], (right if whole is left else left).type) is not None

    def _joined_to_null(self, node: Node, left: Typed, right: Typed) -> Typed:
        """What is NULL on one side has the other side's type; DuckDB would fold it to an integer."""
        known = next((side.type for side in (left, right) if side.type != UNKNOWN), VARCHAR)
        if known.base == "array":
            raise self.refuse(node, "NOT_SUPPORTED", "NULL beside an array may be either: CAST it")
        sides = [self._as(side, known) if side.type == UNKNOWN else side for side in (left, right)]
        whole = self._joined(node, *sides)
        return dataclasses.replace(whole, sql=f"CAST({whole.sql} AS {duckdb_type(whole.type)})")

    def _appended(self, node: Node, whole: Typed, item: Typed, *, own_first: bool) -> Typed:
        shared = common(whole.type.inner[0], item.type)
        if shared is None:
            pair = (whole.type, item.type) if own_first else (item.type, whole.type)
            raise self.refuse(
                node,
                "FUNCTION_NOT_FOUND",
                f"Unexpected parameters ({pair[0]}, {pair[1]}) for function concat",
            )
        own, one = coerce(whole, array(shared), self._plan), f"[{coerce(item, shared, self._plan)}]"
        sql = f"({own} || {one})" if own_first else f"({one} || {own})"
        return Typed(sql, array(shared), **self._parts(whole, item))

    # --- conditions ----------------------------------------------------------------------------------------

    def _case(self, node: Node, scope: Scope) -> Typed:
        operand = self.translate(node.operand, scope) if node.operand else None
        tests: list[Typed] = []
        for condition, _ in node.branches:
            if operand is None:
                tests.append(self.boolean(condition, scope, "CASE WHEN clause"))
            else:
                tests.append(self._compared(condition, "=", operand, self.translate(condition, scope)))
        values = [self.translate(value, scope) for _, value in node.branches]
        if node.default is not None:
            values.append(self.translate(node.default, scope))
        message = (
            "All CASE results must be the same type or coercible to a common type. "
            "Cannot find common type between {left} and {right}"
        )
        shared = self._shared(node, values, message)
        branches = " ".join(
            f"WHEN {test.sql} THEN {coerce(value, shared, self._plan)}"
            for test, value in zip(tests, values, strict=False)
        )
        default = coerce(values[-1], shared, self._plan) if node.default is not None else "NULL"
        return Typed(f"CASE {branches} ELSE {default} END", shared, **self._parts(*tests, *values))

    def _cast(self, node: Node, scope: Scope) -> Typed:
        value = self.translate(node.value, scope)
        if node.type == UNKNOWN:
            raise self.refuse(node, "TYPE_MISMATCH", "UNKNOWN is not a valid type")
        if node.type.base != "date" and node.type != value.type:
            self._require_micros(node, value)
        sql = cast(value, node.type, self._plan, at=self.at(node))
        if node.safe and not (
            value.type == node.type or (value.type.base, node.type) == ("unknown", node.type)
        ):
            sql = f"TRY({sql})"
        return Typed(sql, node.type, **self._parts(value))

    def _extract(self, node: Node, scope: Scope) -> Typed:
        name = forms.EXTRACTED.get(node.field)
        if name is None:
            raise self.refuse(node, "INVALID_EXTRACT_FIELD", f"Invalid EXTRACT field: {node.field}")
        kind = self.translate(node.value, scope).type
        if kind.base not in {entry.parameters[0].name for entry in by_name()[name]}:
            raise self.refuse(node.value, "TYPE_MISMATCH", f"Cannot extract {node.field.upper()} from {kind}")
        return self._resolved(Node("Call", node.pos, name=name, values=[node.value], order=[]), scope)

    def _at_time_zone(self, node: Node, scope: Scope) -> Typed:
        value = self.translate(node.value, scope)
        if value.type.base not in ("timestamp", ZONED):
            raise self.refuse(
                node,
                "TYPE_MISMATCH",
                f"Type of value must be a time or timestamp with or without time zone (actual {value.type})",
            )
        kind = Type(ZONED, value.type.args)
        if node.zone.kind == "Interval":
            offset = self.translate(node.zone, scope)
            if offset.type != DAY_SECOND:
                message = "Type of time zone must be varchar or interval day to second"
                raise self.refuse(node.zone, "TYPE_MISMATCH", f"{message} (actual {offset.type})")
            arguments = [(coerce(value, kind, self._plan), kind), (offset.sql, DAY_SECOND)]
            return Typed(self._plan.call("at_offset", arguments, kind), kind, **self._parts(value))
        zone = (quoted(self._zone(node, node.zone.value)), VARCHAR)
        sql = self._plan.call("at_timezone", [(coerce(value, kind, self._plan), kind), zone], kind)
        return Typed(sql, kind, **self._parts(value))

    def _zone(self, node: Node, name: str) -> str:
        try:
            return literals.zone_key(name)
        except ValueError:
            raise self.refuse(
                node, "INVALID_FUNCTION_ARGUMENT", f"'{name}' is not a valid time zone"
            ) from None

    # --- constructors --------------------------------------------------------------------------------------

    def _array(self, node: Node, scope: Scope) -> Typed:
        if len(node.items) > _MOST_ELEMENTS:
            raise self.refuse(node, "TOO_MANY_ARGUMENTS", "Too many arguments for array constructor")
        values = [self.translate(item, scope) for item in node.items]
        if not values:
            return Typed("CAST([] AS VARCHAR[])", array(UNKNOWN))
        shared = self._shared(node, values, "All ARRAY elements must be the same type: {left}, {right}")
        items = ", ".join(coerce(value, shared, self._plan) for value in values)
        return Typed(f"CAST([{items}] AS {duckdb_type(shared)}[])", array(shared), **self._parts(*values))

    def _row(self, node: Node, scope: Scope) -> Typed:
        values = [self.translate(item, scope) for item in node.items]
        kind = row(*(value.type for value in values))
        fields = ", ".join(
            f"'f{place}': CAST({value.sql} AS {duckdb_type(value.type)})"
            for place, value in enumerate(values)
        )
        return Typed(f"{{{fields}}}", kind, **self._parts(*values))

    def _subscript(self, node: Node, scope: Scope) -> Typed:
        value, index = self.translate(node.value, scope), self.translate(node.index, scope)
        base = value.type.base
        parts = self._parts(value, index)
        if base == "row":
            if (
                not index.is_literal
                or index.type != INTEGER
                or not 1 <= index.constant <= len(value.type.args)
            ):
                raise self.refuse(
                    node,
                    "INVALID_FUNCTION_ARGUMENT",
                    f"Invalid subscript index of a row with {len(value.type.args)} fields",
                )
            return self.part_of_row(value, index.constant - 1)
        if base == "array" and index.type.base in (*INTEGERS, "unknown"):
            at = coerce(index, BIGINT, self._plan)
            kind = value.type.inner[0]
            return Typed(
                self._plan.let_both(value.sql, at, lambda a, i: forms.subscript(a, i, kind)),
                kind,
                **parts,
            )
        if base == "map" and coerces(index.type, value.type.inner[0]):
            whole, key = value.type, coerce(index, value.type.inner[0], self._plan)
            found = self._plan.let_both(value.sql, key, lambda m, k: forms.map_subscript(m, k, whole))
            return Typed(found, whole.inner[1], **parts)
        raise self.refuse(node, "TYPE_MISMATCH", f"Cannot apply operator: {value.type}[{index.type}]")

    # --- calls ---------------------------------------------------------------------------------------------

    def _lambda(self, node: Node, _: Scope) -> Typed:
        raise self.refuse(node, "TYPE_MISMATCH", "Lambda expression should always be used inside a function")

    def _call(self, node: Node, scope: Scope) -> Typed:
        special = forms.SPECIAL.get(node.name)
        if special is not None:
            self._require_plain(node)
            return special(self, node, scope)
        return self._resolved(node, scope)

    def _require_plain(self, node: Node) -> None:
        if node.distinct or node.star or node.order or node.filter or node.over or node.nulls:
            raise self.refuse(
                node, "FUNCTION_NOT_AGGREGATE", f"DISTINCT, ORDER BY, FILTER and OVER are not for {node.name}"
            )

    def _resolved(self, node: Node, scope: Scope) -> Typed:
        candidates = by_name().get(node.name, ())
        if not candidates:
            if node.name in TRINO_FUNCTIONS or node.name.startswith("st_"):
                raise self.refuse(
                    node,
                    "NOT_SUPPORTED",
                    f"Function '{node.name}' is Athena's, but this stack does not have it",
                )
            raise self.refuse(node, "FUNCTION_NOT_FOUND", f"Function '{node.name}' not registered")
        if len(node.values) > _MOST_ARGUMENTS:
            message = f"Too many arguments for function call {node.name}()"
            raise self.refuse(node, "TOO_MANY_ARGUMENTS", message)
        kind = candidates[0].kind
        if kind == "scalar":
            self._require_plain(node)
            return self._scalar(node, candidates, scope)
        return self._aggregate(node, candidates, scope)

    def _scalar(self, node: Node, candidates: tuple[Signature, ...], scope: Scope) -> Typed:
        given = [None if item.kind == "Lambda" else self.translate(item, scope) for item in node.values]
        if node.name in forms.NOT_OF_CHAR and given and given[0] and given[0].type.base == "char":
            message = f"{node.name} of a {given[0].type} is not supported here: CAST it to varchar"
            raise self.refuse(node, "NOT_SUPPORTED", message)
        signature, bound, values = self._select(node, candidates, given, scope)
        if node.name not in forms.COARSE:
            self._require_micros(node, *values)
        return self._formed(node, signature, bound, values)

    def _formed(self, node: Node, signature: Signature, bound: Bindings, values: list[Typed]) -> Typed:
        result = self._result(signature, bound, values)
        if signature.form.startswith("!"):
            sql = forms.HOOKS[signature.form[1:]](self, node, values, result)
        else:
            sql = forms.fill(signature, bound, values, result, self._plan)
        volatile = signature.name in forms.VOLATILE
        parts = self._parts(*values)
        return Typed(sql, result, parts["columns"], volatile=parts["volatile"] or volatile)

    @staticmethod
    def _result(signature: Signature, bound: Bindings, values: list[Typed]) -> Type:
        if signature.result.startswith("@"):
            return RULES[signature.result[1:]]([value.type for value in values])
        return build(read_pattern(signature.result), bound)

    def _select(
        self, node: Node, candidates: tuple[Signature, ...], given: list[Typed | None], scope: Scope
    ) -> tuple[Signature, Bindings, list[Typed]]:
        """The first signature that fits as the types are, else the first that fits with coercions."""
        problem: QueryError | None = None
        for coerced in (False, True):
            for signature in candidates:
                if not signature.takes(len(given)):
                    continue
                try:
                    fitted = self._fit(node, signature, given, scope, coerced=coerced)
                except QueryError as error:
                    problem = problem or error
                    continue
                if fitted is not None:
                    return signature, *fitted
        if problem is not None:
            raise problem
        shown = ", ".join("<lambda>" if value is None else str(value.type) for value in given)
        expected = ", ".join(_shown(signature) for signature in candidates)
        raise self.refuse(
            node,
            "FUNCTION_NOT_FOUND",
            f"Unexpected parameters ({shown}) for function {node.name}. Expected: {expected}",
        )

    def _fit(
        self, node: Node, signature: Signature, given: list[Typed | None], scope: Scope, *, coerced: bool
    ) -> tuple[Bindings, list[Typed]] | None:
        bound: Bindings = {}
        for place, value in enumerate(given):
            pattern = signature.parameter(place)
            if (value is None) != (pattern.name == "function"):
                return None
            if value is not None and not match(pattern, value.type, bound, coerce=coerced):
                return None
        values: list[Typed] = []
        for place, value in enumerate(given):
            pattern = signature.parameter(place)
            if value is None:
                values.append(self._lambda_value(node.values[place], pattern, bound, scope, first=not values))
        read = frozenset().union(*(value.columns for value in values))
        if read and OUTER in read.union(*(value.columns for value in given if value is not None)):
            # DuckDB cannot join such a query to the one around.
            message = "A lambda that reads columns, beside columns of the query around, is not supported here"
            raise self.refuse(node, "NOT_SUPPORTED", message)
        made_lambdas = iter(values)
        final: list[Typed] = []
        for place, value in enumerate(given):
            if value is None:
                final.append(next(made_lambdas))
                continue
            wanted = build(signature.parameter(place), bound)
            if not coerces(value.type, wanted):
                return None
            final.append(self._as(value, wanted))
        return bound, final

    def _lambda_value(
        self, node: Node, pattern: Pattern, bound: Bindings, scope: Scope, *, first: bool
    ) -> Typed:
        *inputs, output = pattern.args
        if len(node.names) != len(inputs):
            raise self.refuse(
                node,
                "INVALID_PARAMETER_USAGE",
                f"Expected a lambda that takes {len(inputs)} argument(s) but got {len(node.names)}",
            )
        # Trino tells lambdas apart by the names of their arguments.
        names = [self._plan.name(f"lambda_argument_{name.encode().hex()}_") for name in node.names]
        variables = {
            name: Typed(sql, build(kind, bound))
            for name, sql, kind in zip(node.names, names, inputs, strict=True)
        }
        inner = dataclasses.replace(
            scope,
            variables={**scope.variables, **variables},
            aggregates=False,
            windows=False,
            inside_lambda=True,
            where="Lambda expression",
        )
        body = self.translate(node.body, inner)
        if body.volatile:
            raise self.refuse(node, "NOT_SUPPORTED", "A lambda cannot ask a query or draw at random here")
        if output.is_variable and output.name not in bound:
            bound[output.name] = body.type
        wanted = build(output, bound)
        if first and output.is_variable and body.type != wanted and coerces(wanted, body.type):
            # A state is of the type that its step gives, where that is a wider one.
            bound[output.name] = body.type
            return self._lambda_value(node, pattern, bound, scope, first=False)
        # Trino coerces no result of a lambda.
        if body.type != wanted and (output.is_variable or not body.type.base == wanted.base == "varchar"):
            raise self.refuse(node, "TYPE_MISMATCH", f"Lambda result must be {wanted}, but is {body.type}")
        return Typed(
            f"lambda {', '.join(names)}: {body.sql}",
            Type("function", (wanted,)),
            body.columns,
            constant=(names, body.sql),
        )

    # --- aggregates and windows ----------------------------------------------------------------------------

    def _aggregate(self, node: Node, candidates: tuple[Signature, ...], scope: Scope) -> Typed:
        windowed = node.over is not None
        self._require_place(node, candidates[0].kind, scope)
        if node.name == "checksum" and not node.only_whether:
            raise self.refuse(
                node, "NOT_SUPPORTED", "The value of checksum is not known here, but whether it is NULL"
            )
        inner = dataclasses.replace(scope, windows=False, aggregates=windowed and scope.aggregates)
        if not windowed:
            inner = dataclasses.replace(
                inner, aggregation=None, aggregates=False, where="An aggregate", in_aggregate=True
            )
        given: list[Typed | None] = []
        if not node.star:
            given = [None if item.kind == "Lambda" else self.translate(item, inner) for item in node.values]
        signature, bound, values = self._select(node, candidates, given, inner)
        self._require_modifiers(node, signature, values)
        if not windowed:
            self._require_own(node, values, inner)
        values = self._compared_by(node, values)
        if node.name in forms.LEAST_OFFSETS and len(values) > 1:
            values[1] = self._offset(node, values[1])
        modifiers = forms.Modifiers(
            distinct="DISTINCT " if node.distinct else "",
            order=self._ordered(node.order, inner),
            tail=self._tail(node, inner),
            nulls=" IGNORE NULLS" if node.nulls == "IGNORE" else "",
        )
        result = self._result(signature, bound, values)
        if signature.form.startswith("!"):
            sql = forms.AGGREGATE_HOOKS[signature.form[1:]](self, node, values, result, modifiers)
        else:
            sql = forms.fill(signature, bound, values, result, self._plan, modifiers)
        if windowed:
            return Typed(sql, result, self._parts(*values)["columns"], volatile=True)
        if scope.aggregation is None:
            return Typed(sql, result, volatile=True)
        name = scope.aggregation.column(sql)
        return Typed(name, result, frozenset((name,)))

    def _compared_by(self, node: Node, values: list[Typed]) -> list[Typed]:
        """The arguments of an aggregate, as it compares them with each other."""
        if node.distinct or node.name == "approx_distinct":
            return [
                dataclasses.replace(value, sql=value.identity)
                if node.name in ("count", "approx_distinct")
                else value
                for value in values
            ]
        place = {"max": 0, "min": 0, "max_by": 1, "min_by": 1}.get(node.name)
        if place is None:
            return values
        kind, sql, several = values[place].type, values[place].sql, len(values) > place + 1
        if kind.base in _NESTED:
            if has_identity(kind) and not several:
                raise self.refuse(
                    node, "NOT_SUPPORTED", f"{node.name} by values of type {kind} is not supported here"
                )
            sql = self._plan.call("ordered" if several else "ranked", [(sql, kind)], kind)
        elif kind.base in ("double", "real") and place == 1 and not several:
            # NaN is neither the largest nor the smallest where there is something else.
            number = "NOT isnan({0})" if node.name == "max_by" else "isnan({0})"
            sql = self._plan.let(
                sql, lambda x: f"CASE WHEN {x} IS NOT NULL THEN {{'n': {number.format(x)}, 'x': {x}}} END"
            )
        return [*values[:place], dataclasses.replace(values[place], sql=sql), *values[place + 1 :]]

    def _offset(self, node: Node, value: Typed) -> Typed:
        least = forms.LEAST_OFFSETS[node.name]
        message = f"Offset must be at least {least}"
        if value.is_literal and value.constant is not None and value.constant < least:
            raise self.refuse(node.values[1], "INVALID_FUNCTION_ARGUMENT", message)
        if value.is_literal:
            return value
        wrong = failure("INVALID_FUNCTION_ARGUMENT", message, value.type)
        return dataclasses.replace(
            value, sql=f"CASE WHEN {value.sql} < {least} THEN {wrong} ELSE {value.sql} END"
        )

    def _require_place(self, node: Node, kind: str, scope: Scope) -> None:
        """Refuse an aggregate or a window function where none may stand."""
        where = scope.where or "This clause"
        if node.over is not None:
            if not scope.windows:
                raise self.refuse(node, "EXPRESSION_NOT_SCALAR", f"{where} cannot contain window functions")
            if node.name in ("lag", "lead"):
                self._require_order(node, scope)
            if node.filter is not None and kind == "window":
                message = "Filter is only valid for aggregation functions"
                raise self.refuse(node, "FUNCTION_NOT_AGGREGATE", message)
            if node.distinct or node.order:
                word = "DISTINCT" if node.distinct else "ORDER BY"
                raise self.refuse(
                    node, "NOT_SUPPORTED", f"{word} in window function parameters not yet supported"
                )
        elif kind == "window":
            raise self.refuse(node, "MISSING_OVER", f"Window function {node.name} requires an OVER clause")
        elif scope.inside_lambda or not (scope.aggregates or scope.aggregation):
            raise self.refuse(
                node,
                "EXPRESSION_NOT_SCALAR",
                f"{where} cannot contain aggregations, window functions or grouping operations: {node.name}",
            )

    def _require_order(self, node: Node, scope: Scope) -> None:
        """Refuse a neighbour's value without an order, or in a frame."""
        window = self._whole_window(node.over, scope)
        if not window.order:
            message = f"{node.name} function requires an ORDER BY window clause"
            raise self.refuse(node, "MISSING_ORDER_BY", message)
        if window.frame is not None:
            message = f"Cannot specify window frame for {node.name} function"
            raise self.refuse(node, "INVALID_WINDOW_FRAME", message)

    def _require_own(self, node: Node, values: list[Typed], scope: Scope) -> None:
        """Refuse an aggregate of columns of the query around it: Trino makes no join of it."""
        around = [*(item.value for item in node.order or ()), *([node.filter] if node.filter else [])]
        asked = [*values, *(self.translate(item, scope) for item in around)]
        if OUTER in self._parts(*asked)["columns"]:
            raise self.refuse(
                node,
                "NOT_SUPPORTED",
                f"{node.name} of a column of the query around this one is not supported here",
            )

    def _require_modifiers(self, node: Node, signature: Signature, values: list[Typed]) -> None:
        """Refuse DISTINCT, ``*`` and the treatment of NULLs where a function has none."""
        if node.star and node.name != "count":
            raise self.refuse(
                node, "FUNCTION_NOT_FOUND", f"Unexpected parameters (*) for function {node.name}"
            )
        if node.distinct:
            if not all(comparable(item.type) for item in values):
                raise self.refuse(node, "TYPE_MISMATCH", "DISTINCT can only be applied to comparable types")
            same = node.name != "count" and any(has_identity(item.type) for item in values)
            if same or ("$d" not in signature.form and signature.form not in ("!sum_decimal", "!listagg")):
                raise self.refuse(node, "NOT_SUPPORTED", f"DISTINCT in {node.name} is not supported here")
            if node.order and not self._sorted_by_arguments(node):
                raise self.refuse(
                    node,
                    "EXPRESSION_NOT_IN_DISTINCT",
                    "For aggregate function with DISTINCT, ORDER BY expressions must appear in arguments",
                )
        if node.nulls and node.name not in forms.IGNORES_NULLS:
            raise self.refuse(
                node, "FUNCTION_NOT_WINDOW", f"Cannot specify null treatment clause for {node.name} function"
            )

    @staticmethod
    def _sorted_by_arguments(node: Node) -> bool:
        def shown(part: Node) -> str:
            value = shown(part.value) if isinstance(part.value, Node) else part.value
            return f"{part.kind} {part.name} {value}"

        arguments = {shown(value) for value in node.values}
        return all(shown(item.value) in arguments for item in node.order)

    def _ordered(self, items: list[Node], scope: Scope) -> str:
        if not items:
            return ""
        return " ORDER BY " + ", ".join(
            self.sort_key(item, self.translate(item.value, scope)).text for item in items
        )

    def sort_key(self, item: Node, value: Typed) -> SortKey:
        """One item of an ORDER BY; NULLs stand last unless the statement says otherwise."""
        if not orderable(value.type):
            raise self.refuse(
                item,
                "TYPE_MISMATCH",
                f"Type {value.type} is not orderable, and therefore cannot be used in ORDER BY",
            )
        # DuckDB takes no bare constant.
        sql = f"CAST({value.sql} AS {duckdb_type(value.type)})" if value.is_literal else value.sql
        direction = "DESC" if item.descending else "ASC"
        return SortKey(
            sql,
            f"{direction} NULLS {'FIRST' if item.first else 'LAST'}",
            item.first and value.type.base in ("double", "real"),
            self._ordered_part(value.type),
        )

    def _ordered_part(self, kind: Type) -> str:
        checked = self._plan.function("ordered", [kind], kind) + "(%s)" if kind.base in _NESTED else "%s"
        return identity(checked, kind).replace("{", "{{").replace("}", "}}").replace("%s", "{}")

    def _tail(self, node: Node, scope: Scope) -> str:
        tail = ""
        if node.filter is not None:
            condition = self.boolean(node.filter, dataclasses.replace(scope, aggregates=False), "FILTER")
            tail = f" FILTER (WHERE {condition.sql})"
        return tail + (f" OVER ({self._window(node.over, scope)})" if node.over is not None else "")

    def require_window(self, node: Node, scope: Scope) -> None:
        """Refuse a window that is none, whether or not anything reads it."""
        self._window(node, dataclasses.replace(scope, windows=False))

    def _window(self, node: Node, scope: Scope) -> str:
        window = self._whole_window(node, scope)
        # What a named window gives means the columns of the relations, in ORDER BY too.
        given = dataclasses.replace(scope, outputs={})
        by, ordering, framing = (
            scope if getattr(node, part) else given for part in ("partition", "order", "frame")
        )
        parts = []
        if window.partition:
            keys = [self.translate(item, by) for item in window.partition]
            for item, key in zip(window.partition, keys, strict=True):
                if not comparable(key.type):
                    raise self.refuse(
                        item,
                        "TYPE_MISMATCH",
                        f"{key.type} is not comparable, and therefore "
                        f"cannot be used in window function PARTITION BY",
                    )
            parts.append("PARTITION BY " + ", ".join(key.identity for key in keys))
        ranged = self._range_key(window, ordering) if _has_distance(window.frame) else None
        if ranged is not None:
            parts.append(f"ORDER BY {self.sort_key(window.order[0], ranged).text}")
        elif window.order:
            parts.append(self._ordered(window.order, ordering).strip())
        if window.frame is not None:
            parts.append(self._frame(window, framing, ranged))
        return " ".join(parts)

    def _whole_window(self, node: Node, scope: Scope) -> Node:
        """A window with what the named one gives that it begins with."""
        if node.base is None:
            return node
        base = scope.named_windows.get(node.base)
        if base is None:
            raise self.refuse(node, "INVALID_WINDOW_REFERENCE", f"Cannot resolve WINDOW name {node.base}")
        if node.partition:
            message = "WINDOW specification with named WINDOW reference cannot specify PARTITION BY"
            raise self.refuse(node, "INVALID_PARTITION_BY", message)
        if node.order and self._whole_window(base, scope).order:
            message = "Cannot specify ORDER BY if referenced named WINDOW specifies ORDER BY"
            raise self.refuse(node, "INVALID_ORDER_BY", message)
        if base.frame is not None and not node.is_reference:
            message = "Cannot reference named WINDOW containing frame specification"
            raise self.refuse(node, "INVALID_WINDOW_REFERENCE", message)
        window = Node(
            "Window",
            node.pos,
            base=base.base,
            partition=base.partition,
            order=node.order or base.order,
            frame=node.frame or base.frame,
        )
        return self._whole_window(window, scope)

    def _range_key(self, window: Node, scope: Scope) -> Typed:
        """What the rows of a RANGE frame with a distance are sorted by, in the type of its differences."""
        frame, order = window.frame, window.order
        what = "Window frame of type RANGE PRECEDING or FOLLOWING requires"
        if not order:
            raise self.refuse(frame, "MISSING_ORDER_BY", f"{what} ORDER BY")
        if len(order) != 1:
            message = f"{what} single sort item in ORDER BY (actual: {len(order)})"
            raise self.refuse(frame, "INVALID_ORDER_BY", message)
        key = self.translate(order[0].value, scope)
        self._require_micros(order[0], key)
        if key.type.base not in (*NUMBERS, "date", "timestamp", ZONED):
            message = f"{what} that sort item type be numeric, datetime or interval (actual: {key.type})"
            raise self.refuse(order[0], "TYPE_MISMATCH", message)
        if order[0].first and key.type.base in ("double", "real"):
            raise self.refuse(frame, "NOT_SUPPORTED", "Such a RANGE over NULLS FIRST is not supported here")
        for bound in (frame.start, frame.end):
            if bound is not None and bound.value is not None:
                key = self._as(key, self._range_type(bound, key, self.translate(bound.value, scope)))
        return key

    def _range_type(self, bound: Node, key: Typed, distance: Typed) -> Type:
        """The type of a sort item less a distance."""
        if key.type.base in NUMBERS and distance.type.base in NUMBERS:
            shared = common(key.type, distance.type)
            assert shared is not None  # noqa: S101  # two numbers always share a type
            less = self._decimal_arithmetic("-", key, distance) if shared.base == "decimal" else None
            return less[1] if less is not None else shared
        spans = (DAY_SECOND,) if key.type.base == ZONED else (DAY_SECOND, YEAR_MONTH)
        if key.type.base in NUMBERS or distance.type not in spans:
            if distance.type == YEAR_MONTH and key.type.base == ZONED:
                raise self.refuse(bound, "NOT_SUPPORTED", "Months beside a zone are not supported here")
            message = (
                f"Window frame RANGE value type ({distance.type}) not compatible with "
                f"sort item type ({key.type})"
            )
            raise self.refuse(bound, "TYPE_MISMATCH", message)
        return key.type

    def _frame(self, window: Node, scope: Scope, key: Typed | None) -> str:
        frame = window.frame
        start = self._bound(frame.start, scope, key)
        end = frame.end.direction if frame.end is not None else "CURRENT ROW"
        first, last = _BOUNDS.index(frame.start.direction), _BOUNDS.index(end)
        if first > last or first == len(_BOUNDS) - 1 or not last:
            raise self.refuse(frame, "INVALID_WINDOW_FRAME", "Window frame cannot begin behind its end")
        if frame.unit == "GROUPS" and not window.order and (frame.start.value or frame.end) is not None:
            raise self.refuse(frame, "MISSING_ORDER_BY", "Window frame of type GROUPS requires ORDER BY")
        if frame.end is None:
            return (
                f"{frame.unit} {start}"
                if frame.unit == "ROWS"
                else f"{frame.unit} BETWEEN {start} AND CURRENT ROW"
            )
        return f"{frame.unit} BETWEEN {start} AND {self._bound(frame.end, scope, key)}"

    def _bound(self, bound: Node, scope: Scope, key: Typed | None) -> str:
        if bound.value is None:
            return str(bound.direction)
        value = self.translate(bound.value, scope)
        if key is not None:
            return f"{self._distance(bound, key, value)} {bound.direction}"
        if value.type.base not in INTEGERS:
            raise self.refuse(
                bound,
                "TYPE_MISMATCH",
                f"Window frame offset value type must be INTEGER or BIGINT(actual {value.type})",
            )
        message = "Window frame offset must not be negative or null"
        if value.is_literal and value.constant is not None:
            if value.constant < 0:
                raise self.refuse(bound, "INVALID_WINDOW_FRAME", message)
            return f"{value.sql} {bound.direction}"
        wrong = failure("INVALID_WINDOW_FRAME", message, value.type)
        checked = self._plan.let(value.sql, lambda x: f"CASE WHEN {x} >= 0 THEN {x} ELSE {wrong} END")
        return f"{checked} {bound.direction}"

    def _distance(self, bound: Node, key: Typed, value: Typed) -> str:
        """How far a RANGE frame reaches, as DuckDB subtracts it from what the rows are sorted by."""
        if not value.is_literal or value.constant is None:
            raise self.refuse(
                bound, "NOT_SUPPORTED", "A distance of RANGE that is no literal is not supported here"
            )
        if value.constant < 0:
            message = "Window frame offset value must not be negative or null"
            raise self.refuse(bound, "INVALID_WINDOW_FRAME", message)
        if key.type.base == "date" and value.type == DAY_SECOND and value.constant % 86_400_000:
            message = "Cannot subtract hour, minutes or seconds from a date"
            raise self.refuse(bound, "INVALID_FUNCTION_ARGUMENT", message)
        if value.type in (DAY_SECOND, YEAR_MONTH):
            return f"to_{'months' if value.type == YEAR_MONTH else 'milliseconds'}({value.sql})"
        return coerce(value, key.type, self._plan)

    def _grouping(self, node: Node, scope: Scope) -> Typed:
        if scope.aggregation is None:
            raise self.refuse(
                node,
                "INVALID_PROCEDURE_ARGUMENT",
                "A GROUPING() operation can only be used with a "
                "corresponding GROUPING SET/CUBE/ROLLUP/GROUP BY clause",
            )
        plain = dataclasses.replace(scope, aggregation=None, windows=False, aggregates=False)
        keys = []
        for item in node.values:
            value = self.translate(item, plain)
            place = scope.aggregation.key(value)
            if place is None or all(value.sql != column.sql for column in scope.columns):
                raise self.refuse(
                    item,
                    "INVALID_PROCEDURE_ARGUMENT",
                    "The arguments to GROUPING() must be expressions referenced by the GROUP BY",
                )
            keys.append(scope.aggregation.keys[place].identity)
        kind = INTEGER if len(keys) < 32 else BIGINT
        name = scope.aggregation.column(f"CAST(GROUPING({', '.join(keys)}) AS {duckdb_type(kind)})")
        return Typed(name, kind, frozenset((name,)))

    # --- JSON forms ----------------------------------------------------------------------------------------

    def _json_values(self, nodes: list[Node], scope: Scope) -> list[Typed]:
        """What becomes parts of a JSON text; what is JSON itself has the type ``json``."""
        return [self._json_part(item, self.translate(item, scope)) for item in nodes]

    def _json_part(self, node: Node, value: Typed) -> Typed:
        if node.kind in ("JsonArray", "JsonObject") or node.name == "json_query" or node.json_encoding:
            return dataclasses.replace(value, sql=self._json_text(node, value), type=Type("json"))
        if value.type.base in ("date", "timestamp", ZONED, "time", "uuid"):
            sql = cast(value, VARCHAR, self._plan, at=self.at(node))
            return dataclasses.replace(value, sql=sql, type=VARCHAR)
        if value.type.base not in ("unknown", "boolean", "varchar", "char", *NUMBERS):
            raise self.refuse(
                node,
                "NOT_SUPPORTED",
                f"A value of type {value.type} in a JSON constructor is not supported here",
            )
        return value

    def _json_text(self, node: Node, value: Typed) -> str:
        """The SQL of a text that holds JSON, or of octets that do in the encoding behind FORMAT JSON."""
        if value.type.base in ("varchar", "char", "unknown") and not node.states_encoding:
            return coerce(value, VARCHAR, self._plan)
        encoding = node.json_encoding or "UTF8"
        if value.type != VARBINARY:
            message = f"Cannot read input of type {value.type} as JSON using formatting JSON"
            stated = f" ENCODING {encoding}" if node.states_encoding else ""
            raise self.refuse(node, "TYPE_MISMATCH", message + stated)
        octets = [(value.sql, VARBINARY), (quoted(encoding), VARCHAR)]
        return self._plan.call("json_octets", octets, VARCHAR)

    def _json_made(self, node: Node, sql: str, values: list[Typed]) -> Typed:
        """A JSON text in the type behind RETURNING."""
        kind = node.returning or VARCHAR
        if kind.base not in ("varchar", "char", "varbinary"):
            message = f"Cannot output JSON value as {kind} using formatting JSON"
            raise self.refuse(node, "TYPE_MISMATCH", message)
        sql = f"encode({sql})" if kind == VARBINARY else cast(Typed(sql, VARCHAR), kind, self._plan)
        return Typed(sql, kind, **self._parts(*values))

    def _json_array(self, node: Node, scope: Scope) -> Typed:
        values = self._json_values(node.values, scope)
        arguments = [(quoted(node.nulls), VARCHAR), *((value.sql, value.type) for value in values)]
        return self._json_made(node, self._plan.call("json_array", arguments, VARCHAR), values)

    def _json_object(self, node: Node, scope: Scope) -> Typed:
        names = [self.translate(name, scope) for name, _ in node.members]
        for (item, _), name in zip(node.members, names, strict=True):
            if name.type.base not in ("varchar", "char"):
                raise self.refuse(
                    item, "INVALID_FUNCTION_ARGUMENT", f"Key of a JSON object must be a text, not {name.type}"
                )
        values = self._json_values([value for _, value in node.members], scope)
        options = f"{node.nulls}|{'UNIQUE' if node.unique else ''}"
        arguments = [(quoted(options), VARCHAR)]
        for name, value in zip(names, values, strict=True):
            arguments += [(name.sql, name.type), (value.sql, value.type)]
        return self._json_made(node, self._plan.call("json_object", arguments, VARCHAR), names + values)

    def _json_path(self, node: Node, scope: Scope) -> Typed:
        from local_aws.athena import json_paths

        value = self.translate(node.value, scope)
        if value.type.base not in ("varchar", "char", "unknown"):
            raise self.refuse(
                node, "TYPE_MISMATCH", f"The input of {node.name} must be a text, not {value.type}"
            )
        try:
            json_paths.compile_path(node.path.value)
        except ValueError as error:
            raise self.refuse(node.path, "NOT_SUPPORTED", f"JSON path {node.path.value}: {error}") from None
        kind = BOOLEAN if node.name == "json_exists" else node.returning or VARCHAR
        if node.name == "json_value" and kind.base not in _SCALARS_OF_JSON:
            message = f"Invalid return type of function JSON_VALUE: {kind}"
            raise self.refuse(node, "TYPE_MISMATCH", message)
        behaviours = [
            "DEFAULT" if isinstance(item, Node) else item or "" for item in (node.empty, node.error)
        ]
        options = "|".join((node.wrapper, node.quotes, *behaviours))
        arguments = [
            (self._json_text(node.value, value), VARCHAR),
            (quoted(node.path.value), VARCHAR),
            (quoted(options), VARCHAR),
        ]
        if node.name == "json_exists":
            sql = self._plan.call(node.name, arguments, BOOLEAN)
            return Typed(sql, BOOLEAN, **self._parts(value))
        if node.name == "json_query":
            return self._json_made(node, self._plan.call(node.name, arguments, VARCHAR), [value])
        arguments.append((quoted(f"{kind.base}|{kind.length or ''}"), VARCHAR))
        sql = self._plan.call(node.name, arguments, VARCHAR)
        defaults = self._json_defaults(node, kind, scope)

        def chosen(found: str) -> str:
            made = found
            if kind != VARCHAR:
                made = cast(Typed(found, VARCHAR), kind, self._plan, at=self.at(node))
                made = made if node.error == "ERROR" else f"TRY({made})"
                if isinstance(node.error, Node):
                    # What is found has a value of the type, or cannot be cast to it.
                    wrong = f"CASE WHEN {found} IS NOT NULL THEN {defaults[JSON_ERROR].sql} END"
                    made = f"coalesce({made}, {wrong})"
            cases = [f"WHEN {found} = {quoted(mark)} THEN {one.sql}" for mark, one in defaults.items()]
            return f"CASE {' '.join(cases)} ELSE {made} END" if cases else made

        return Typed(self._plan.let(sql, chosen), kind, **self._parts(value, *defaults.values()))

    def _json_defaults(self, node: Node, kind: Type, scope: Scope) -> dict[str, Typed]:
        """What stands behind DEFAULT, by the mark that ``json_value`` gives in its place."""
        found = {}
        for mark, item in ((JSON_EMPTY, node.empty), (JSON_ERROR, node.error)):
            if not isinstance(item, Node):
                continue
            value = self.translate(item, scope)
            if not coerces(value.type, kind):
                raise self.refuse(
                    item, "TYPE_MISMATCH", f"The default of json_value must be {kind}, not {value.type}"
                )
            if value.volatile:
                raise self.refuse(item, "NOT_SUPPORTED", "Such a DEFAULT of json_value is not supported here")
            found[mark] = self._as(value, kind)
        return found

    # --- for the special forms -----------------------------------------------------------------------------

    @property
    def plan(self) -> Plan:
        """What is collected."""
        return self._plan

    def shared(self, node: Node, values: list[Typed], message: str) -> Type:
        """The type that all values share.

        Raises:
            QueryError: They share none.
        """
        return self._shared(node, values, message)

    def parts(self, *values: Typed) -> dict[str, Any]:
        """What a whole takes from its parts: columns, and whether it may differ from time to time."""
        return self._parts(*values)

    def equals(self, node: Node, left: Typed, right: Typed) -> Typed:
        """A comparison of two values."""
        return self._compared(node, "=", left, right)


_BOUNDS = ("UNBOUNDED PRECEDING", "PRECEDING", "CURRENT ROW", "FOLLOWING", "UNBOUNDED FOLLOWING")
"""Where a frame may begin and end, from the first row to the last."""


def _row_type(columns: list[Column]) -> Type:
    """The row that several columns of a query are together."""
    names = tuple((column.label or column.name) if column.name else None for column in columns)
    return row(*(column.type for column in columns), names=names)


def _has_distance(frame: Node | None) -> bool:
    """Whether a frame reaches as far as values differ."""
    bounds = (frame.start, frame.end) if frame is not None and frame.unit == "RANGE" else ()
    return any(bound is not None and bound.value is not None for bound in bounds)


def _shown(signature: Signature) -> str:
    """A signature as a message names it."""
    head = signature.text.partition(" -> ")[0]
    return head.removeprefix("aggregate ").removeprefix("window ")


Reader = Callable[[Expressions, Node, Scope], Typed]
_READERS: dict[str, Reader] = {
    name: getattr(Expressions, method)
    for name, method in {
        "Name": "_name",
        "Field": "_field",
        "Null": "_null",
        "Boolean": "_boolean",
        "Integer": "_integer",
        "Double": "_double",
        "String": "_string",
        "Binary": "_binary",
        "Interval": "_interval",
        "Typed": "_typed",
        "Moment": "_moment",
        "Parameter": "_parameter",
        "Or": "_logical",
        "And": "_logical",
        "Not": "_not",
        "IsNull": "_is_null",
        "Compare": "_compare",
        "Distinct": "_distinct",
        "Between": "_between",
        "InList": "_in_list",
        "Like": "_like",
        "Subquery": "_subquery",
        "Exists": "_exists",
        "InQuery": "_in_query",
        "Quantified": "_quantified",
        "Arithmetic": "_arithmetic",
        "Negate": "_negate",
        "Plus": "_plus",
        "Concat": "_concatenated",
        "Case": "_case",
        "Cast": "_cast",
        "Extract": "_extract",
        "AtTimeZone": "_at_time_zone",
        "Array": "_array",
        "Row": "_row",
        "Subscript": "_subscript",
        "Lambda": "_lambda",
        "Call": "_call",
        "Grouping": "_grouping",
        "JsonArray": "_json_array",
        "JsonObject": "_json_object",
        "JsonPath": "_json_path",
    }.items()
}
_LITERALS = ("Null", "Boolean", "Integer", "Double", "String", "Binary", "Interval", "Typed", "Moment")
