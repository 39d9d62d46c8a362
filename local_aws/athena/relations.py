"""Queries: their relations, groups, set operations and orders, as DuckDB's SQL."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, compress, product

from local_aws.athena import forms
from local_aws.athena.casts import coerce
from local_aws.athena.catalog_reader import CATALOG, GlueCatalog, Table
from local_aws.athena.expressions import OUTER, Expressions, SortKey
from local_aws.athena.information import INFORMATION_SCHEMA, INFORMATION_TABLES
from local_aws.athena.kinds import (
    BIGINT,
    BOOLEAN,
    SKETCHES,
    VARCHAR,
    Type,
    coerces,
    common,
    comparable,
    duckdb_type,
)
from local_aws.athena.plan import Plan, Scan, Typed, failure, has_identity, identifier, identity
from local_aws.athena.query_errors import QueryError, position
from local_aws.athena.scopes import Aggregation, Column, Scope, alike
from local_aws.athena.signatures import by_name
from local_aws.athena.syntax import Node, parse
from local_aws.athena.ties import Ties, below, conjuncts, core, injective, is_row, subqueries
from local_aws.athena.typenames import hive_type

_MAX_VIEW_DEPTH = 20
_MOST_SETS = 2048
_RECURSIONS = 10
_TOO_DEEP = (
    f"Recursion depth limit exceeded ({_RECURSIONS}). "
    "Use 'max_recursion_depth' session property to modify the limit."
)


_CORRELATED = "Given correlated subquery is not supported"


@dataclass(frozen=True)
class Relation:
    """A relation: what stands in FROM, and its columns."""

    sql: str
    columns: list[Column]
    scans: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Result:
    """A query: its SQL, whose columns are named ``c0``, ``c1`` …, and what they are."""

    sql: str
    columns: list[Column]


@dataclass
class _Named:
    """A query of WITH."""

    name: str
    columns: list[Column]


@dataclass
class _Body:
    """A SELECT before its ORDER BY; ``tail`` gives what stands from FROM on."""

    tail: Callable[[], str]
    columns: list[Column]
    items: list[Typed]
    scope: Scope
    distinct: bool = False


class Queries:
    """Translates the queries of one text.

    Args:
        sql: The text, for places in messages.
        plan: What is collected.
        catalogue: Where tables are looked up.
        database: Where unqualified names are looked up.
        depth: How many views the text stands in.
    """

    def __init__(
        self, sql: str, plan: Plan, catalogue: GlueCatalog, database: str | None, depth: int = 0
    ) -> None:
        self._sql = sql
        self._plan = plan
        self._catalogue = catalogue
        self._database = database
        self._depth = depth
        self._walk = Expressions(sql, plan, self)
        self._ctes: list[dict[str, _Named]] = []
        self._barriers: list[int] = []

    def _refuse(self, node: Node, name: str, message: str) -> QueryError:
        return QueryError(name, message, position(self._sql, node.pos))

    # --- queries -------------------------------------------------------------------------------------------

    def subquery(self, node: Node, scope: Scope) -> tuple[str, list[Column]]:
        """A query's SQL inside of an expression, and its columns."""
        with self._walk.watched(scope) as clauses, self._walk.watched(scope.parent or Scope()) as further:
            result = self.query(node, scope)
        # What reads a query further out is a join's part, unless it is joined to a row without columns alone.
        if further and (node.is_in or not scope.is_row or scope.where != "SELECT clause"):
            raise self._refuse(node, "NOT_SUPPORTED", _CORRELATED)
        # Trino makes a join of IN alone where rows are read and filtered, and nothing but the filter is tied.
        tied = [node, *(below for below in node.walk() if below.is_tied)] if node.is_in and clauses else []
        if tied and (clauses != {"WHERE clause"} or not all(map(self._is_filter, tied))):
            raise self._refuse(node, "NOT_SUPPORTED", _CORRELATED)
        return result.sql, result.columns

    @contextmanager
    def _untied(self, node: Node, parent: Scope | None) -> Iterator[None]:
        """Refuse a part that reads the query around, where Trino makes no join of what has such a part."""
        if parent is None:
            yield
            return
        with self._walk.watched(parent) as clauses:
            yield
        if clauses:
            raise self._refuse(node, "NOT_SUPPORTED", _CORRELATED)

    def _is_filter(self, node: Node) -> bool:
        """Whether a query reads rows and filters them, and does nothing else with them."""
        body = node.body
        others = (node.limit, node.offset, body.group, body.having, body.distinct)
        return body.kind == "Select" and not any(others) and not self._has_aggregates(body, [])

    def query(self, node: Node, parent: Scope | None = None) -> Result:
        """A query with all its clauses.

        Raises:
            QueryError: Something in it does not exist, or Athena or this stack cannot do it.
        """
        named: dict[str, _Named] = {}
        self._ctes.append(named)
        try:
            definitions = [self._cte(cte, named, recursive=node.recursive) for cte in node.ctes]
            body = self._ordered(node, parent)
        finally:
            self._ctes.pop()
        if definitions:
            return Result(f"WITH {', '.join(definitions)} SELECT * FROM ({body.sql})", body.columns)
        return body

    def _cte(self, cte: Node, named: dict[str, _Named], *, recursive: bool) -> str:
        if cte.name in named:
            raise self._refuse(
                cte, "DUPLICATE_NAMED_QUERY", f"WITH query name '{cte.name}' specified more than once"
            )
        names = [column.lower() for column in cte.columns]
        if len(set(names)) < len(names):
            raise self._refuse(cte, "DUPLICATE_COLUMN_NAME", f"WITH query '{cte.name}' names a column twice")
        if recursive:
            if not names:
                message = "missing column aliases in recursive WITH query"
                raise self._refuse(cte, "MISSING_COLUMN_ALIASES", message)
            if any(part.recursive for part in cte.query.walk()):
                raise self._refuse(cte, "NESTED_RECURSIVE", "nested recursive WITH query")
            if self._references(cte.query, cte.name):
                return self._recursive(cte, named)
        result = self.query(cte.query)
        columns = self._renamed(cte, result.columns, cte.columns)
        name = self._plan.name("w")
        named[cte.name] = _Named(name, columns)
        return f"{name} AS NOT MATERIALIZED ({result.sql})"

    @staticmethod
    def _references(query: Node, name: str) -> int:
        """How often a query reads a table of a name."""
        return sum(node.kind == "Table" and node.parts == [name] for node in query.walk())

    def _require_reference(self, cte: Node) -> None:
        """Refuse a recursive query that reads itself where Trino lets none."""

        def reads(part: Node) -> bool:
            return self._references(part, cte.name) > 0

        below_it = cte.query.walk()
        several = self._references(cte.query, cte.name) > 1
        shadowed = any(other.name == cte.name for part in below_it for other in part.ctes or ())
        outer = {"LEFT": ["right"], "RIGHT": ["left"], "FULL": ["left", "right"]}
        joined = any(
            reads(getattr(part, side))
            for part in below_it
            if part.kind == "Join"
            for side in outer.get(part.side, ())
        )
        combined = any(
            (part.operator == "EXCEPT" and reads(part.right))
            or (part.operator != "UNION" and part.all and reads(part))
            for part in below_it
            if part.kind == "SetOperation"
        )
        if several or shadowed or joined or combined:
            raise self._refuse(
                cte, "INVALID_RECURSIVE_REFERENCE", f"WITH query '{cte.name}' cannot read itself there"
            )

    def _recursive(self, cte: Node, named: dict[str, _Named]) -> str:
        body = cte.query.body
        whole = [cte.query]
        step = body.right
        while step is not None and step.kind == "Query":
            whole.append(step)
            step = step.body
        if (
            body.kind != "SetOperation"
            or body.operator != "UNION"
            or any(part.order or part.offset or part.limit or part.ctes for part in whole)
        ):
            raise self._refuse(
                cte, "NOT_SUPPORTED", "A recursive query must be a UNION [ALL] of its start and its step"
            )
        self._require_reference(cte)
        if not body.all:
            raise self._refuse(
                cte, "NOT_SUPPORTED", "UNION DISTINCT in a recursive query is not supported here"
            )
        start = self._body(body.left, None)
        columns = self._renamed(cte, start.columns, cte.columns)
        name = self._plan.name("w")
        named[cte.name] = _Named(name, columns)
        made = self._body(body.right, None)
        if len(made.columns) != len(columns) or any(
            not coerces(own.type, first.type) for own, first in zip(made.columns, columns, strict=True)
        ):
            raise self._refuse(
                cte, "TYPE_MISMATCH", "recursion step relation output types do not match the start's"
            )
        casts = ", ".join(
            f"CAST({coerce(Typed(f'q.c{i}', own.type), wanted.type, self._plan)} "
            f"AS {duckdb_type(wanted.type)}) AS c{i}"
            for i, (own, wanted) in enumerate(zip(made.columns, columns, strict=True))
        )
        wrong = failure("NOT_SUPPORTED", _TOO_DEEP, BOOLEAN)
        # Every step is a query of its own, so that the number of steps is bounded as Trino bounds it.
        parts = [f"{name}_0 AS MATERIALIZED ({start.sql})"]
        for turn in range(1, _RECURSIONS + 2):
            text = made.sql.replace(f"{name} AS ", f"{name}_{turn - 1} AS ")
            parts.append(f"{name}_{turn} AS MATERIALIZED (SELECT {casts} FROM ({text}) AS q)")
        every = " UNION ALL ".join(f"SELECT * FROM {name}_{turn}" for turn in range(_RECURSIONS + 1))
        last = f"SELECT * FROM {name}_{_RECURSIONS + 1} WHERE {wrong}"
        return ", ".join([*parts, f"{name} AS MATERIALIZED ({every} UNION ALL {last})"])

    def _renamed(self, node: Node, columns: list[Column], names: list[str]) -> list[Column]:
        if names and len(names) != len(columns):
            raise self._refuse(
                node,
                "MISMATCHED_COLUMN_ALIASES",
                f"Column alias list has {len(names)} entries but relation has {len(columns)} columns",
            )
        if not names:
            return columns
        return [
            dataclasses.replace(column, name=name.lower(), label=name)
            for column, name in zip(columns, names, strict=True)
        ]

    def _ordered(self, node: Node, parent: Scope | None) -> Result:
        """A query's body with its ORDER BY, OFFSET and LIMIT."""
        offset, limit = self._count(node.offset), self._count(node.limit)
        if node.ties and not node.order:
            raise self._refuse(node, "MISSING_ORDER_BY", "FETCH FIRST WITH TIES clause requires ORDER BY")
        end = (f" LIMIT {limit}" if limit is not None else "") + (
            f" OFFSET {offset}" if offset is not None else ""
        )
        if node.body.kind != "Select":
            with self._untied(node, parent if end else None):
                result = self._body(node.body, parent)
            if not node.order and not end:
                return result
            scope = Scope(self._placed(result.columns, "q"), parent, where="ORDER BY clause")
            keys = [
                self._sort_key(item, scope, [Typed(c.sql, c.type) for c in scope.columns])
                for item in node.order
            ]
            return self._cut(
                f"({result.sql}) AS q",
                [f"q.c{i}" for i in range(len(result.columns))],
                keys,
                node,
                end,
                result.columns,
            )
        body = self._select(node.body, parent, node.order)
        if parent is not None and end:
            self._require_decorrelation(node, body)
        # Without a limit Trino leaves the order of a subquery out.
        with self._untied(node, parent if end else None):
            keys = [self._sort_key(item, body.scope, body.items) for item in node.order]
        if body.distinct:
            for item, key in zip(node.order, keys, strict=True):
                # A name within an expression means a column of the SELECT list, which no item of it reads.
                renamed = item.value.kind != "Name" and any(
                    part.kind == "Name" and part.name in body.scope.outputs
                    for part in _unqualified(item.value)
                )
                is_random = item.value.kind != "Name" and any(
                    part.kind == "Call" and part.name in forms.VOLATILE for part in item.value.walk()
                )
                if renamed or is_random or alike(key.sql) not in [alike(value.sql) for value in body.items]:
                    raise self._refuse(
                        item,
                        "EXPRESSION_NOT_IN_DISTINCT",
                        "For SELECT DISTINCT, ORDER BY expressions must appear in select list",
                    )
        # Aggregates are known only once ORDER BY is translated too: the text is put together last.
        return self._cut(
            body.tail(),
            [value.sql for value in body.items],
            keys,
            node,
            end,
            body.columns,
            distinct=body.distinct,
        )

    def _require_decorrelation(self, node: Node, body: _Body) -> None:
        """Refuse a query of which each row of the query around it takes the first rows, where Trino cannot.

        What ties such a query to the one around it must be equalities, or conditions of that one alone; and
        the first of its rows in any order must be made of what those equalities compare.
        """
        select = node.body
        if not select.reads_around:
            return
        if node.offset is not None or self._count(node.limit) == 0:
            raise self._refuse(node, "NOT_SUPPORTED", _CORRELATED)
        if select.is_unnested or not select.relations:
            return
        ties = self._ties(select, body.scope)
        keys = body.scope.aggregation.keys if body.scope.aggregation is not None else []
        single = select.group is not None and {key.sql for key in keys} <= ties.equal
        if not node.ties and (select.is_whole or (single and ties.tied and not select.reads_from)):
            return
        refused = node.ties or select.reads_from or not ties.read <= ties.equal
        if self._count(node.limit) == 1 and not node.order:
            made = set() if node.only_whether else {item.sql for item in body.items}
            refused = refused or not ties.equal or not made <= ties.equal
        if refused:
            raise self._refuse(node, "NOT_SUPPORTED", _CORRELATED)

    def _ties(self, select: Node, scope: Scope) -> Ties:
        """What the WHERE of a query says of columns of the query around it."""
        clause = dataclasses.replace(scope, aggregation=None, outputs={}, where="WHERE clause")
        tied = False
        read: set[str] = set()
        equal: set[str] = set()
        for part in conjuncts(select.where):
            reads = self._walk.translate(part, clause).columns
            if OUTER not in reads:
                continue
            tied = True
            read |= reads - {OUTER}
            if part.kind != "Compare" or part.operator != "=":
                continue
            told = [self._walk.translate(side, clause) for side in (part.left, part.right)]
            for own, other in (told, told[::-1]):
                shared = common(own.type, other.type)
                is_told = own.columns == {own.sql} and other.columns == {OUTER} and not other.volatile
                if is_told and shared is not None and injective(own.type, shared):
                    equal.add(own.sql)
        return Ties(tied, frozenset(read), frozenset(equal))

    def _cut(
        self,
        source: str,
        items: list[str],
        keys: list[SortKey],
        node: Node,
        end: str,
        columns: list[Column],
        *,
        distinct: bool = False,
    ) -> Result:
        listed = ", ".join(f"{item} AS c{i}" for i, item in enumerate(items))
        word = _distinct(items, columns) if distinct else ""
        order = f" ORDER BY {', '.join(key.text for key in keys)}" if keys else ""
        if distinct and keys:
            places = {alike(item): f"c{i}" for i, item in reversed(list(enumerate(items)))}
            order = f" ORDER BY {', '.join(key.over(places[alike(key.sql)]) for key in keys)}"
            return Result(
                f"SELECT * FROM (SELECT {word}{listed} {self._from(source)}) AS q{order}{end}", columns
            )
        if not node.ties:
            return Result(f"SELECT {word}{listed} {self._from(source)}{order}{end}", columns)
        limit, offset = self._count(node.limit) or 0, self._count(node.offset) or 0
        hidden = ", ".join(f"{key.sql} AS o{i}" for i, key in enumerate(keys))
        window = ", ".join(key.over(f"o{i}") for i, key in enumerate(keys))
        inner = f"SELECT {word}{listed}, {hidden} {self._from(source)}"
        skipped = f"SELECT * FROM ({inner}) ORDER BY {window} OFFSET {offset}"
        ranked = f"SELECT *, rank() OVER (ORDER BY {window}) AS place FROM ({skipped})"
        names = ", ".join(f"c{i}" for i in range(len(items)))
        return Result(f"SELECT {names} FROM ({ranked}) WHERE place <= {limit} ORDER BY {window}", columns)

    @staticmethod
    def _from(source: str) -> str:
        return source if source.lstrip().startswith(("FROM ", "WHERE ")) or not source else f"FROM {source}"

    def _count(self, node: Node | None) -> int | None:
        if node is None:
            return None
        if node.kind != "Integer":
            raise self._refuse(node, "TYPE_MISMATCH", "OFFSET and LIMIT take whole numbers")
        return int(node.value)

    def _refuse_bound(self, key: Node) -> None:
        if key.is_bound:  # to Trino it is a value, and no position
            message = "A parameter alone in GROUP BY or ORDER BY is not supported here: name the column"
            raise self._refuse(key, "NOT_SUPPORTED", message)

    def _sort_key(self, item: Node, scope: Scope, items: list[Typed]) -> SortKey:
        value = item.value
        self._refuse_bound(value)
        if value.kind == "Integer" or (value.kind == "Negate" and value.value.kind == "Integer"):
            if value.kind == "Negate" or not 1 <= value.value <= len(items):
                raise self._refuse(
                    value,
                    "INVALID_COLUMN_REFERENCE",
                    f"ORDER BY position {self._walk.translate(value, scope).constant} is not in select list",
                )
            found = items[value.value - 1]
        else:
            found = self._walk.translate(value, scope)
        return self._walk.sort_key(item, found)

    def _body(self, node: Node, parent: Scope | None) -> Result:
        if node.kind == "Query":
            return self.query(node, parent)
        if node.kind == "SetOperation":
            return self._set_operation(node, parent)
        if node.kind == "Values":
            return self._values(node, parent)
        return self._ordered(Node("Query", node.pos, body=node, order=[], ctes=[]), parent)

    def _set_operation(self, node: Node, parent: Scope | None) -> Result:
        with self._untied(node, parent):
            left, right = self._body(node.left, parent), self._body(node.right, parent)
        word = node.operator + (" ALL" if node.all else "")
        if len(left.columns) != len(right.columns):
            raise self._refuse(
                node,
                "TYPE_MISMATCH",
                f"{node.operator} query has different number of "
                f"fields: {len(left.columns)}, {len(right.columns)}",
            )
        columns: list[Column] = []
        for place, (one, two) in enumerate(zip(left.columns, right.columns, strict=True)):
            shared = common(one.type, two.type)
            if shared is None:
                raise self._refuse(
                    node,
                    "TYPE_MISMATCH",
                    f"column {place + 1} in {node.operator} query "
                    f"has incompatible types: {one.type}, {two.type}",
                )
            if not node.all and not comparable(shared):
                raise self._refuse(
                    node,
                    "TYPE_MISMATCH",
                    f"Type {shared} is not comparable, and therefore cannot be used in {node.operator}",
                )
            columns.append(Column(one.name, shared, f"c{place}", label=one.label))
        sides = [self._as(result, columns) for result in (left, right)]
        if any(has_identity(column.type) for column in columns) and word != "UNION ALL":
            if node.all:
                message = f"{word} of maps and moments with a zone is not supported here"
                raise self._refuse(node, "NOT_SUPPORTED", message)
            kept = _distinct([f"q.c{place}" for place in range(len(columns))], columns)
            if word == "UNION":
                both = f"(SELECT * FROM ({sides[0]})) UNION ALL (SELECT * FROM ({sides[1]}))"
                return Result(f"SELECT {kept}* FROM ({both}) AS q", columns)
            alike = " AND ".join(
                f"{identity(f'q.c{place}', column.type)} IS NOT DISTINCT FROM "
                f"{identity(f'r.c{place}', column.type)}"
                for place, column in enumerate(columns)
            )
            there = (
                f"{'NOT ' if word == 'EXCEPT' else ''}EXISTS (SELECT 1 FROM ({sides[1]}) AS r WHERE {alike})"
            )
            return Result(f"SELECT {kept}* FROM ({sides[0]}) AS q WHERE {there}", columns)
        return Result(f"(SELECT * FROM ({sides[0]})) {word} (SELECT * FROM ({sides[1]}))", columns)

    def _as(self, result: Result, columns: list[Column]) -> str:
        """A query whose columns have other types."""
        if all(own.type == wanted.type for own, wanted in zip(result.columns, columns, strict=True)):
            return result.sql
        listed = ", ".join(
            f"CAST({coerce(Typed(f'q.c{i}', own.type), wanted.type, self._plan)} "
            f"AS {duckdb_type(wanted.type)}) AS c{i}"
            for i, (own, wanted) in enumerate(zip(result.columns, columns, strict=True))
        )
        return f"SELECT {listed} FROM ({result.sql}) AS q"

    def _values(self, node: Node, parent: Scope | None) -> Result:
        scope = Scope(parent=parent, where="VALUES")
        rows = [self._values_row(row, scope) for row in node.rows]
        # Of a single row that stands for itself Trino makes a projection.
        alone = node.lateral and len(rows) == 1
        if not alone and any(OUTER in item.columns for row in rows for item in row):
            raise self._refuse(node, "NOT_SUPPORTED", _CORRELATED)
        if len({len(row) for row in rows}) > 1:
            raise self._refuse(node, "TYPE_MISMATCH", "Values rows have mismatched sizes")
        types: list[Type] = []
        for place in range(len(rows[0])):
            shared = rows[0][place].type
            for row in rows[1:]:
                found = common(shared, row[place].type)
                if found is None:
                    raise self._refuse(
                        node,
                        "TYPE_MISMATCH",
                        f"Values rows have mismatched types: {shared} vs {row[place].type}",
                    )
                shared = found
            types.append(shared)
        listed = ", ".join(
            "("
            + ", ".join(
                f"CAST({coerce(item, kind, self._plan)} AS {duckdb_type(kind)})"
                for item, kind in zip(row, types, strict=True)
            )
            + ")"
            for row in rows
        )
        names = ", ".join(f"c{i}" for i in range(len(types)))
        columns = [Column("", kind, f"c{i}", label=f"_col{i}") for i, kind in enumerate(types)]
        return Result(f"SELECT * FROM (VALUES {listed}) AS v({names})", columns)

    def _values_row(self, row: Node, scope: Scope) -> list[Typed]:
        if row.kind == "Row":
            return [self._walk.translate(item, scope) for item in row.items]
        value = self._walk.translate(row, scope)
        if value.type.base != "row":
            return [value]
        if value.volatile:
            raise self._refuse(row, "NOT_SUPPORTED", "VALUES of such a row is not supported here")
        return [self._walk.part_of_row(value, place) for place in range(len(value.type.args))]

    # --- SELECT --------------------------------------------------------------------------------------------

    def _select(self, node: Node, parent: Scope | None, order: list[Node]) -> _Body:
        with self._walk.watched(parent or Scope()) as tied:
            relation = self._relations(node, parent)
            node.reads_from = bool(tied)
            inner = Scope(relation.columns, parent)
            where = ""
            if node.where is not None:
                clause = dataclasses.replace(inner, where="WHERE clause")
                where = f" WHERE {self._condition(node.where, clause, relation, 'WHERE clause')}"
        if tied and any(below.over for part in (*node.items, *order) for below in part.walk()):
            raise self._refuse(node, "NOT_SUPPORTED", _CORRELATED)
        source = f"FROM {relation.sql}" if relation.sql else ""
        grouped = node.group is not None or node.having is not None or self._has_aggregates(node, order)
        node.is_whole = grouped and node.group is None
        if not grouped:
            scope = dataclasses.replace(inner, windows=True, where="SELECT clause")
            self._name_windows(node, scope)
            values = [item.value for item in node.items if item.kind == "Item"]
            scope.is_row = not (relation.columns or conjuncts(node.where)) and subqueries(values) == 1
            with self._walk.watched(parent or Scope()) as carried:
                body = self._selected(node, scope, relation, lambda: source + where)
            self._require_join(node, inner, body, tied=bool(tied), carried=bool(carried))
            return body
        aggregation = Aggregation(self._plan.name("g"))
        sets = self._group(node, inner, aggregation)
        if parent is not None and sets.startswith("GROUPING SETS") and tied:
            raise self._refuse(node, "NOT_SUPPORTED", _CORRELATED)
        scope = dataclasses.replace(inner, windows=True, aggregates=True, aggregation=aggregation)
        self._name_windows(node, scope)
        having: list[str] = []
        with self._walk.watched(parent or Scope()) as carried:
            body = self._selected(
                node, scope, relation, lambda: self._grouped(aggregation, source + where, sets, having)
            )
        if node.having is not None:
            clause = dataclasses.replace(scope, windows=False, outputs={}, where="HAVING clause")
            having.append(self._walk.boolean(node.having, clause, "HAVING clause").sql)
        self._require_join(node, inner, body, tied=bool(tied), carried=bool(carried))
        return body

    def _require_join(self, node: Node, inner: Scope, body: _Body, *, tied: bool, carried: bool) -> None:
        """Refuse a query that reads the one around it, of which Trino makes no join with that one.

        Args:
            node: The query.
            inner: The columns of its relations.
            body: Its translation.
            tied: Whether its relations or its WHERE read the query around it.
            carried: Whether its SELECT list does.
        """
        grouped = body.scope.aggregation is not None
        filters = conjuncts(node.where)
        others = below(node)
        unnested = any(core(relation).kind == "Unnest" for relation in node.relations)
        node.reads_around = tied or carried
        node.is_unnested = bool(node.reads_from) and (unnested or any(one.is_unnested for one in others))
        node.carries = carried or any(one.carries for one in others)
        node.is_fixed = (node.is_whole and tied) or any(one.is_fixed for one in others)
        if not node.reads_around:
            return
        direct = any(OUTER in item.columns for item in body.items)
        own = any(item.columns - {OUTER} for item in body.items)
        values = [item.value for item in node.items if item.kind == "Item"]
        refused = [
            # A group of all rows, or what the query around gives, only stands below projections.
            any(one.carries or one.is_fixed for one in others) and (filters or grouped or node.distinct),
            node.is_whole and tied and (node.having is not None or node.distinct),
            node.is_unnested and (filters or node.having is not None or node.distinct),
            node.is_unnested and grouped and self._are_filtered(node),
            carried and node.distinct,
            carried and grouped and node.group is not None and (node.lateral != "INNER" or node.having),
            carried and node.is_whole and node.having is not None,
            carried and not grouped and not node.is_pruned and (filters or not is_row(node, own=own)),
            direct and not grouped and not node.is_pruned and subqueries(values) > 0,
        ]
        if any(refused):
            raise self._refuse(node, "NOT_SUPPORTED", _CORRELATED)
        keys = body.scope.aggregation.keys if body.scope.aggregation is not None else body.items
        if node.group is None and not node.distinct:
            return
        # Groups alone, and those of an inner join, are made after the join.
        aggregates = body.scope.aggregation is not None and body.scope.aggregation.columns
        later = node.having is None and (
            node.lateral == "INNER" or ((node.is_scalar or node.lateral) and not aggregates)
        )
        ties = self._ties(node, inner)
        if not later and not ties.read <= ties.equal | {key.sql for key in keys}:
            raise self._refuse(node, "NOT_SUPPORTED", _CORRELATED)

    def _are_filtered(self, node: Node) -> bool:
        """Whether all aggregates of a query take some rows alone, so that Trino filters the rows before."""
        found = [
            part
            for item in (*node.items, *([node.having] if node.having else []))
            for part in item.walk()
            if part.kind == "Call"
            and part.over is None
            and (entries := by_name().get(part.name, ()))
            and entries[0].kind == "aggregate"
        ]
        return bool(found) and all(part.filter is not None for part in found)

    def _name_windows(self, node: Node, scope: Scope) -> None:
        """Let a scope know the windows of a WINDOW clause, each of which may begin with one before it."""
        for name, window in node.windows:
            if name in scope.named_windows:
                raise self._refuse(window, "DUPLICATE_WINDOW_NAME", f"WINDOW {name} specified more than once")
            self._walk.require_window(window, scope)
            scope.named_windows[name] = window

    @staticmethod
    def _grouped(aggregation: Aggregation, source: str, sets: str, having: list[str]) -> str:
        columns = [f"{_grouped_key(key)} AS k{place}" for place, key in enumerate(aggregation.keys)]
        columns += [f"{sql} AS {name}" for sql, name in aggregation.columns.items()]
        listed = ", ".join(columns) or "1 AS one"
        by = f" GROUP BY {sets}" if sets else " HAVING true" if not aggregation.columns else ""
        where = f" WHERE {having[0]}" if having else ""
        return f"FROM (SELECT {listed} {source}{by}) AS {aggregation.alias}{where}"

    def _condition(self, node: Node, scope: Scope, relation: Relation, clause: str) -> str:
        """A WHERE; what it says of partition columns alone narrows the tables at once."""
        value = self._walk.boolean(node, scope, clause)
        if relation.scans:
            for part in node.parts if node.kind == "And" else [node]:
                said = self._walk.boolean(part, scope, clause)
                for alias, name in relation.scans:
                    scan = self._plan.scans[name]
                    keys = {f"{alias}.{identifier(key.name)}" for key in scan.table.partition_keys}
                    if said.columns and said.columns <= keys and not said.volatile:
                        condition = f"{scan.condition} AND {said.sql}" if scan.condition else said.sql
                        self._plan.scans[name] = dataclasses.replace(scan, condition=condition, alias=alias)
        return value.sql

    def _has_aggregates(self, node: Node, order: list[Node]) -> bool:
        waiting = [*node.items, *order]
        while waiting:
            found = waiting.pop()
            if found.kind in ("Query", "Subquery", "Exists", "InQuery", "Quantified"):
                waiting.extend([found.value] if isinstance(found.value, Node) else [])
                continue
            if found.kind == "Call" and found.over is None:
                entries = by_name().get(found.name, ())
                if entries and entries[0].kind == "aggregate":
                    return True
            if found.kind == "Grouping":
                return True
            waiting.extend(found.children())
        return False

    def _selected(self, node: Node, scope: Scope, relation: Relation, tail: Callable[[], str]) -> _Body:
        found: list[tuple[Typed, str | None]] = []
        for item in node.items:
            if item.kind in ("Star", "AllFields"):
                found += self._starred(item, scope, relation)
                continue
            named = item.value.kind in ("Name", "Field")
            label = item.alias or (item.value.written if named else None)
            found.append((self._walk.translate(item.value, scope), label))
        columns = [
            Column((label or "").lower(), value.type, f"c{i}", label=f"_col{i}" if label is None else label)
            for i, (value, label) in enumerate(found)
        ]
        for column in columns if node.distinct else []:
            if not comparable(column.type):
                raise self._refuse(
                    node,
                    "TYPE_MISMATCH",
                    f"DISTINCT can only be applied to comparable types (actual: {column.type})",
                )
        ordering = dataclasses.replace(scope, outputs=self._outputs(found), where="ORDER BY clause")
        return _Body(tail, columns, [value for value, _ in found], ordering, distinct=bool(node.distinct))

    @staticmethod
    def _outputs(found: list[tuple[Typed, str | None]]) -> dict[str, Typed | None]:
        """What ORDER BY means by the names of a SELECT list; None where a name stands for several things."""
        outputs: dict[str, Typed | None] = {}
        for value, label in found:
            if not label:
                continue
            outputs[label.lower()] = None if label.lower() in outputs else value
        return outputs

    def _starred(self, item: Node, scope: Scope, relation: Relation) -> list[tuple[Typed, str | None]]:
        visible = [column for column in relation.columns if not column.hidden]
        if item.kind == "Star":
            if not relation.columns:
                raise self._refuse(
                    item, "COLUMN_NOT_FOUND", "SELECT * not allowed in queries without FROM clause"
                )
            return [
                (self._output(item, column, scope), column.label or column.name or None) for column in visible
            ]
        names = self._names_of(item.value)
        if names:
            found = [column for column in visible if column.answers_to(tuple(names))]
            if found:
                if item.aliases and len(item.aliases) != len(found):
                    raise self._refuse(
                        item,
                        "MISMATCHED_COLUMN_ALIASES",
                        f"Column alias list has {len(item.aliases)} entries but "
                        f"'{'.'.join(names)}' has {len(found)} columns available",
                    )
                labels = item.aliases or [column.label or column.name or None for column in found]
                return [
                    (self._output(item, column, scope), label)
                    for column, label in zip(found, labels, strict=True)
                ]
        fields = self._walk.fields(item.value, scope)
        if item.aliases and len(item.aliases) != len(fields):
            raise self._refuse(
                item,
                "MISMATCHED_COLUMN_ALIASES",
                f"Column alias list has {len(item.aliases)} entries but the row has {len(fields)} fields",
            )
        labels = item.aliases or [name or None for name, _ in fields]
        return [(value, label) for (_, value), label in zip(fields, labels, strict=True)]

    @staticmethod
    def _names_of(node: Node) -> list[str]:
        names: list[str] = []
        while node.kind == "Field":
            names.insert(0, node.name)
            node = node.value
        return [node.name, *names] if node.kind == "Name" else []

    def _output(self, node: Node, column: Column, scope: Scope) -> Typed:
        return self._walk._column(node, column, scope, own=True)  # noqa: SLF001  # one walk in two modules

    # --- GROUP BY ------------------------------------------------------------------------------------------

    def _group(self, node: Node, scope: Scope, aggregation: Aggregation) -> str:
        if node.group is None:
            return ""
        clause = dataclasses.replace(scope, where="GROUP BY clause")
        choices: list[list[list[int]]] = []
        for element in node.group.elements:
            if element.kind == "Simple":
                choices.append([[self._key(key, clause, node, aggregation) for key in element.keys]])
                continue
            self._require_columns(chain(*element.sets), clause)
            sets = [[self._key(key, clause, node, aggregation) for key in keys] for keys in element.sets]
            if element.kind == "Rollup":
                sets = [list(chain(*sets[:count])) for count in range(len(sets), -1, -1)]
            elif element.kind == "Cube":
                sets = [
                    list(chain(*compress(sets, picks))) for picks in product((True, False), repeat=len(sets))
                ]
            choices.append(sets)
        combined = [list(chain(*parts)) for parts in product(*choices)]
        if len(combined) > _MOST_SETS:
            raise self._refuse(
                node.group,
                "TOO_MANY_GROUPING_SETS",
                f"GROUP BY has {len(combined)} grouping sets but can contain at most {_MOST_SETS}",
            )
        if node.group.distinct:
            unique = {frozenset(keys): keys for keys in reversed(combined)}
            combined = list(reversed(unique.values()))
        aggregation.has_expressions = any(key.sql not in key.columns for key in aggregation.keys)
        if len(combined) == 1:
            return ", ".join(aggregation.keys[key].identity for key in dict.fromkeys(combined[0])) or "()"
        listed = ", ".join(
            "(" + ", ".join(aggregation.keys[key].identity for key in dict.fromkeys(keys)) + ")"
            for keys in combined
        )
        return f"GROUPING SETS ({listed})"

    def _require_columns(self, keys: Iterable[Node], scope: Scope) -> None:
        """Refuse what ROLLUP and the like do not group by."""
        for key in keys:
            value = self._walk.translate(key, scope)
            if all(value.sql != column.sql for column in scope.columns):
                message = "GROUP BY expression must be a column reference"
                raise self._refuse(key, "INVALID_COLUMN_REFERENCE", message)

    def _key(self, key: Node, scope: Scope, select: Node, aggregation: Aggregation) -> int:
        node = key
        self._refuse_bound(key)
        if key.kind == "Integer":
            if any(item.kind != "Item" for item in select.items):
                items = self._flat_items(select, scope)
            else:
                items = [item.value for item in select.items]
            if not 1 <= key.value <= len(items):
                raise self._refuse(
                    key, "INVALID_COLUMN_REFERENCE", f"GROUP BY position {key.value} is not in select list"
                )
            node = items[key.value - 1]
        value = self._walk.translate(node, scope)
        if not comparable(value.type):
            raise self._refuse(
                key,
                "TYPE_MISMATCH",
                f"{value.type} is not comparable, and therefore cannot be used in GROUP BY",
            )
        if OUTER in value.columns:
            message = "Grouping field should originate from the relations of its own query"
            raise self._refuse(key, "NOT_SUPPORTED", message)
        if value.volatile:
            raise self._refuse(
                key, "NOT_SUPPORTED", "GROUP BY of a subquery or of a random value is not supported here"
            )
        place = aggregation.key(value)
        if place is None:
            aggregation.keys.append(value)
            place = len(aggregation.keys) - 1
        return place

    def _flat_items(self, select: Node, scope: Scope) -> list[Node]:
        found: list[Node] = []
        for item in select.items:
            if item.kind != "Star":
                found.append(item.value)
                continue
            names = [column.name for column in scope.columns if not column.hidden]
            found += [Node("Name", item.pos, name=name, written=name) for name in names]
        return found

    # --- FROM ----------------------------------------------------------------------------------------------

    def _relations(self, node: Node, parent: Scope | None) -> Relation:
        if not node.relations:
            return Relation("", [])
        with self._untied(node, parent if len(node.relations) > 1 else None):
            whole = self._relation(node.relations[0], parent, None)
        for part in node.relations[1:]:
            whole = self._join(Node("Join", part.pos, side="CROSS", right=part), whole, parent)
        return whole

    def _relation(self, node: Node, parent: Scope | None, left: Relation | None) -> Relation:
        """A relation; UNNEST and LATERAL see the columns of what stands left of them."""
        if node.kind == "Join":
            with self._untied(node, parent):
                first = self._relation(node.left, parent, left)
            return self._join(node, first, parent)
        if node.kind == "Aliased":
            return self._aliased(node, parent, left)
        if node.kind == "Table":
            return self._table(node)
        if node.kind == "Derived":
            if node.relation is not None:
                return self._relation(node.relation, parent, left)
            with self._walk.watched(parent or Scope()) as clauses:
                result = self.query(node.query, parent)
            node.query.is_tied = bool(clauses)
            return self._derived(result)
        if node.kind == "Lateral":
            raise self._refuse(node, "NOT_SUPPORTED", "LATERAL stands behind CROSS JOIN or a comma")
        if node.kind == "Sample":
            return self._sample(node, parent, left)
        return self._join(
            Node("Join", node.pos, side="CROSS", right=node),
            Relation("(SELECT 1 AS one) AS " + self._plan.name("r"), []),
            parent,
        )

    def _derived(self, result: Result, qualifier: tuple[str, ...] = ()) -> Relation:
        alias = self._plan.name("r")
        return Relation(f"({result.sql}) AS {alias}", self._placed(result.columns, alias, qualifier))

    @staticmethod
    def _placed(columns: list[Column], alias: str, qualifier: tuple[str, ...] = ()) -> list[Column]:
        return [
            Column(column.name, column.type, f"{alias}.c{place}", qualifier, column.label)
            for place, column in enumerate(columns)
        ]

    def _aliased(self, node: Node, parent: Scope | None, left: Relation | None) -> Relation:
        inner = self._relation(node.relation, parent, left)
        return dataclasses.replace(inner, columns=self._named(node, inner.columns))

    def _named(self, node: Node, columns: list[Column]) -> list[Column]:
        shown = [column for column in columns if not column.hidden]
        renamed = self._renamed(node, shown, node.columns) + (
            [] if node.columns else [c for c in columns if c.hidden]
        )
        return [dataclasses.replace(column, qualifier=(node.alias,)) for column in renamed]

    def _sample(self, node: Node, parent: Scope | None, left: Relation | None) -> Relation:
        inner = self._relation(node.relation, parent, left)
        share = self._walk.translate(node.share, Scope())
        if share.type.base not in ("integer", "bigint", "double", "decimal") or not share.is_literal:
            raise self._refuse(node, "TYPE_MISMATCH", "Sample percentage must be a number")
        if not 0 <= share.constant <= 100:
            raise self._refuse(node, "INVALID_ARGUMENTS", "Sample percentage must be between 0 and 100")
        if node.method == "SYSTEM":
            raise self._refuse(
                node, "NOT_SUPPORTED", "TABLESAMPLE SYSTEM is not supported here; use BERNOULLI"
            )
        alias = self._plan.name("r")
        listed = ", ".join(f"{column.sql} AS c{i}" for i, column in enumerate(inner.columns)) or "1 AS one"
        columns = [dataclasses.replace(c, sql=f"{alias}.c{i}") for i, c in enumerate(inner.columns)]
        return Relation(
            f"(SELECT {listed} FROM {inner.sql} WHERE random() * 100 < {share.constant}) AS {alias}", columns
        )

    def _join(self, node: Node, left: Relation, parent: Scope | None) -> Relation:
        right_node = node.right
        core = right_node.relation if right_node.kind == "Aliased" else right_node
        # What stands alone is joined to a row without columns.
        with self._untied(node, parent if left.columns else None):
            if core.kind == "Unnest":
                return self._unnest(node, core, right_node, left, parent)
            if core.kind == "Lateral":
                return self._lateral(node, core, right_node, left, parent)
            right = self._relation(right_node, parent, left)
        if node.side == "CROSS":
            return Relation(
                f"{left.sql} CROSS JOIN {self._enclosed(right)}",
                left.columns + right.columns,
                left.scans + right.scans,
            )
        if node.using is not None:
            return self._using(node, left, right)
        scope = Scope(left.columns + right.columns, parent, where="JOIN clause")
        condition = self._walk.boolean(node.on, scope, "JOIN ON clause")
        if OUTER in condition.columns and node.side != "INNER":
            raise self._refuse(node, "NOT_SUPPORTED", _CORRELATED)
        scans = left.scans + right.scans if node.side == "INNER" else ()
        if condition.volatile and node.side != "INNER":
            raise self._refuse(
                node, "NOT_SUPPORTED", "A subquery in the condition of an outer join is not supported here"
            )
        return Relation(
            f"{left.sql} {node.side} JOIN {self._enclosed(right)} ON {condition.sql}",
            left.columns + right.columns,
            scans,
        )

    @staticmethod
    def _enclosed(right: Relation) -> str:
        return f"({right.sql})" if " JOIN " in right.sql and not right.sql.startswith("(") else right.sql

    def _using(self, node: Node, left: Relation, right: Relation) -> Relation:
        tests: list[str] = []
        columns: list[Column] = []
        for place, name in enumerate(node.using):
            if name in node.using[:place]:
                message = f"Column '{name}' appears multiple times in USING clause"
                raise self._refuse(node, "DUPLICATE_COLUMN_NAME", message)
            sides = []
            for relation, word in ((left, "left"), (right, "right")):
                found = [column for column in relation.columns if column.name == name]
                if len(found) != 1:
                    raise self._refuse(
                        node,
                        "COLUMN_NOT_FOUND" if not found else "AMBIGUOUS_NAME",
                        f"Column '{name}' is {'missing from' if not found else 'ambiguous on'} "
                        f"{word} side of join",
                    )
                sides.append(found[0])
            shared = common(sides[0].type, sides[1].type)
            if shared is None or not comparable(shared):
                raise self._refuse(
                    node,
                    "TYPE_MISMATCH",
                    f"Column types of left and right side are not "
                    f"the same: {sides[0].type} vs {sides[1].type}",
                )
            both = [Typed(side.sql, side.type) for side in sides]
            tests.append(self._walk.equals(node, both[0], both[1]).sql)
            one, two = (coerce(side, shared, self._plan) for side in both)
            columns.append(Column(name, shared, f"coalesce({one}, {two})", label=name))
        rest = [c for relation in (left, right) for c in relation.columns if c.name not in node.using]
        scans = left.scans + right.scans if node.side == "INNER" else ()
        sql = f"{left.sql} {node.side} JOIN {self._enclosed(right)} ON {' AND '.join(tests)}"
        return Relation(sql, columns + rest, scans)

    def _lateral(self, node: Node, core: Node, whole: Node, left: Relation, parent: Scope | None) -> Relation:
        if node.side not in ("CROSS", "INNER", "LEFT") or node.using is not None:
            raise self._refuse(node, "NOT_SUPPORTED", f"{node.side} JOIN LATERAL is not supported here")
        scope = Scope(left.columns, parent)
        core.query.body.lateral = "LEFT" if node.side == "LEFT" else "INNER"
        relation = self._derived(self.query(core.query, scope))
        columns = self._named(whole, relation.columns) if whole.kind == "Aliased" else relation.columns
        join = "LEFT JOIN" if node.side == "LEFT" else "JOIN"
        condition = "true"
        if node.on is not None:
            condition = self._walk.boolean(
                node.on, Scope(left.columns + columns, parent, where="JOIN clause"), "JOIN ON clause"
            ).sql
        return Relation(f"{left.sql} {join} LATERAL {relation.sql} ON {condition}", left.columns + columns)

    def _unnest(self, node: Node, core: Node, whole: Node, left: Relation, parent: Scope | None) -> Relation:
        """Rows of arrays and maps; of several at once the shorter ones end in NULL."""
        outer = node.side == "LEFT"
        if node.side not in ("CROSS", "LEFT") and not (node.side == "INNER" and self._is_true(node.on)):
            raise self._refuse(
                node,
                "NOT_SUPPORTED",
                "UNNEST on other than the right side of CROSS JOIN or LEFT JOIN is not supported",
            )
        if outer and not self._is_true(node.on):
            raise self._refuse(
                node, "NOT_SUPPORTED", "LEFT JOIN involving UNNEST is only supported with condition ON TRUE"
            )
        scope = Scope(left.columns, parent, where="UNNEST")
        values = [self._walk.translate(item, scope) for item in core.values]
        alias, inner = self._plan.name("r"), self._plan.name("r")
        listed = [f"{column.sql} AS c{i}" for i, column in enumerate(left.columns)]
        columns = [dataclasses.replace(column, sql=f"{alias}.c{i}") for i, column in enumerate(left.columns)]
        made: list[Column] = []
        arrays: list[str] = []
        for item, value in zip(core.values, values, strict=True):
            made += self._elements(item, value, alias, arrays)
        if core.ordinality:
            made.append(Column("", BIGINT, f"{alias}.i"))
        # DuckDB fills the shorter ones of several lists with NULL, as Trino does.
        taken = [f"{inner}.c{i}" for i in range(len(left.columns))]
        taken += [f"unnest({inner}.u{i}) AS e{i}" for i in range(len(arrays))]
        if core.ordinality or outer:
            taken.append(f"unnest({self._places(inner, len(arrays), outer=outer)}) AS i")
        source = f"SELECT {', '.join([*listed, *arrays])} FROM {left.sql}"
        sql = f"(SELECT {', '.join(taken)} FROM ({source}) AS {inner}) AS {alias}"
        if whole.kind == "Aliased":
            made = self._named(whole, made)
        return Relation(sql, columns + made)

    def _elements(self, item: Node, value: Typed, alias: str, arrays: list[str]) -> list[Column]:
        """The columns that an array or a map becomes; its lists are added to ``arrays``."""
        place = len(arrays)
        element = f"{alias}.e{place}"
        if value.type.base == "map":
            arrays += [f"map_keys({value.sql}) AS u{place}", f"map_values({value.sql}) AS u{place + 1}"]
            return [
                Column("", value.type.inner[0], element),
                Column("", value.type.inner[1], f"{alias}.e{place + 1}"),
            ]
        if value.type.base != "array":
            raise self._refuse(item, "TYPE_MISMATCH", f"Cannot unnest type: {value.type}")
        kind = value.type.inner[0]
        arrays.append(f"CAST({value.sql} AS {duckdb_type(kind)}[]) AS u{place}")
        if kind.base != "row":
            return [Column("", kind, element)]
        names = kind.names or (None,) * len(kind.args)
        return [
            Column(name or "", part, f"({element}).f{f}", label=name or "")
            for f, (name, part) in enumerate(zip(names, kind.inner, strict=True))
        ]

    @staticmethod
    def _places(inner: str, count: int, *, outer: bool) -> str:
        """The places of the longest list; of a LEFT JOIN one place that is none, where all are empty."""
        lengths = [f"coalesce(len({inner}.u{i}), 0)" for i in range(count)]
        longest = lengths[0] if count == 1 else f"greatest({', '.join(lengths)})"
        places = f"range(1, {longest} + 1)"
        return f"CASE WHEN {longest} = 0 THEN [CAST(NULL AS BIGINT)] ELSE {places} END" if outer else places

    @staticmethod
    def _is_true(node: Node | None) -> bool:
        return node is not None and node.kind == "Boolean" and bool(node.value)

    # --- tables --------------------------------------------------------------------------------------------

    def _table(self, node: Node) -> Relation:
        if len(node.parts) == 1:
            for names in reversed(self._ctes):
                found = names.get(node.parts[0])
                if found is not None:
                    alias = self._plan.name("r")
                    columns = self._placed(found.columns, alias, (node.parts[0],))
                    return Relation(f"{found.name} AS {alias}", columns)
        table, view = self._resolve(node)
        qualifier = (CATALOG, table.database, node.parts[-1])
        if table.view:
            return self._view(table, qualifier)
        return self._scan(table, view, qualifier)

    def _resolve(self, node: Node) -> tuple[Table, str]:
        if len(node.parts) > 3:
            raise self._refuse(node, "SYNTAX_ERROR", f"Too many dots in table name: {'.'.join(node.parts)}")
        catalog, schema, name = [""] * (3 - len(node.parts)) + list(node.parts)
        schema = schema or (self._database or "").lower()
        if not schema:
            raise self._refuse(
                node, "MISSING_SCHEMA_NAME", "Schema must be specified when session schema is not set"
            )
        if catalog and catalog != CATALOG:
            raise self._refuse(node, "CATALOG_NOT_FOUND", f"Catalog '{catalog}' does not exist")
        base, _, suffix = name.partition("$")
        if schema == INFORMATION_SCHEMA:
            table = INFORMATION_TABLES.get(name)
        else:
            table = self._catalogue.table(schema, base if suffix == "partitions" else name)
            if table is None and not self._catalogue.has_database(schema):
                raise self._refuse(node, "SCHEMA_NOT_FOUND", f"Schema '{schema}' does not exist")
        if table is None or (suffix == "partitions" and (table.view or not table.partition_keys)):
            raise self._refuse(node, "TABLE_NOT_FOUND", f"Table '{CATALOG}.{schema}.{name}' does not exist")
        return table, suffix if schema != INFORMATION_SCHEMA else ""

    def _view(self, table: Table, qualifier: tuple[str, ...]) -> Relation:
        assert table.view is not None  # noqa: S101  # asked before
        if self._depth >= _MAX_VIEW_DEPTH:
            raise QueryError("VIEW_IS_RECURSIVE", f"Views are nested more than {_MAX_VIEW_DEPTH} deep")
        text = table.view.sql
        queries = Queries(text, self._plan, self._catalogue, table.view.database, self._depth + 1)
        result = queries.query(parse(text))
        names = [column.name for column in table.all_columns]
        if len(names) == len(result.columns):
            columns = [
                dataclasses.replace(c, name=name, label=name)
                for c, name in zip(result.columns, names, strict=True)
            ]
            result = Result(result.sql, columns)
        return self._derived(result, qualifier)

    def _scan(self, table: Table, view: str, qualifier: tuple[str, ...]) -> Relation:
        alias, name = self._plan.name("r"), self._plan.name(f"{table.database}.{table.name}#")
        self._plan.scans[name] = Scan(table, view=view)
        columns = []
        declared = table.partition_keys if view else table.all_columns
        for column in declared:
            kind = hive_type(column.type)
            sql = f"{alias}.{identifier(column.name)}"
            columns.append(Column(column.name, kind, self._held(sql, kind), qualifier, column.name))
        if not view and table.database != INFORMATION_SCHEMA:
            columns.append(Column("$path", VARCHAR, f'{alias}."$path"', qualifier, "$path", hidden=True))
        return Relation(f"{identifier(name)} AS {alias}", columns, ((alias, name),))

    def _held(self, sql: str, kind: Type) -> str:
        """A column of a file as this stack holds the type: texts cut and padded, rows by place."""
        if kind.base == "char":
            return f"rpad({sql}, {kind.length or 1}, ' ')"
        if kind.base == "varchar" and kind.length is not None:
            return f"left({sql}, {kind.length})"
        if kind.base == "row":
            names = kind.names or tuple("" for _ in kind.args)

            def rebuilt(it: str) -> str:
                parts = [
                    f"'f{i}': {self._held(f'({it}).{identifier(name or str())}', part)}"
                    for i, (name, part) in enumerate(zip(names, kind.inner, strict=True))
                ]
                return f"CASE WHEN {it} IS NULL THEN NULL ELSE {{{', '.join(parts)}}} END"

            return self._plan.let(sql, rebuilt)
        if kind.inner and self._changes(kind):
            name = self._plan.name("e")
            if kind.base == "array":
                return f"list_transform({sql}, lambda {name}: {self._held(name, kind.inner[0])})"
            values = f"list_transform(map_values({sql}), lambda {name}: {self._held(name, kind.inner[1])})"
            return f"CASE WHEN {sql} IS NULL THEN NULL ELSE map(map_keys({sql}), {values}) END"
        return sql

    def _changes(self, kind: Type) -> bool:
        return (
            kind.base in ("row", "char")
            or (kind.base == "varchar" and kind.length is not None)
            or any(self._changes(item) for item in kind.inner)
        )


def _unqualified(node: Node) -> list[Node]:
    """The nodes of an expression, without what a name stands before."""
    if node.kind == "Field":
        return []
    return [node, *(part for child in node.children() for part in _unqualified(child))]


def _distinct(items: list[str], columns: list[Column]) -> str:
    """DISTINCT, by what tells values apart."""
    if not any(has_identity(column.type) for column in columns):
        return "DISTINCT "
    keys = [Typed(item, column.type).identity for item, column in zip(items, columns, strict=True)]
    return f"DISTINCT ON ({', '.join(keys)}) "


def _grouped_key(key: Typed) -> str:
    """A key of GROUP BY as a column of the groups; of those that are the same one is kept."""
    if not has_identity(key.type):
        return key.sql
    return f"CASE WHEN {key.identity} IS NOT NULL THEN min({key.sql}) END"


def translate(sql: str, node: Node, catalogue: GlueCatalog, database: str | None, plan: Plan) -> Result:
    """DuckDB's SQL of a query, with the types of its columns.

    Raises:
        QueryError: Something in it does not exist, or Athena or this stack cannot do it.
    """
    return Queries(sql, plan, catalogue, database).query(node)


def check_result(columns: list[Column]) -> None:
    """Refuse a result whose text in Athena is not known.

    Raises:
        QueryError: A column is such.
    """
    for column in columns:
        kinds = [column.type]
        while kinds:
            kind = kinds.pop()
            kinds.extend(kind.inner)
            if kind.base in SKETCHES:
                message = f"Column '{column.label}' is a {kind}: how Athena shows one is not known here"
                raise QueryError("NOT_SUPPORTED", message)
            if kind.base in ("timestamp", "timestamp with time zone", "time") and (kind.length or 0) > 3:
                raise QueryError(
                    "NOT_SUPPORTED",
                    f"Column '{column.label}' is a {kind}: how Athena "
                    f"shows more than milliseconds is not known here; "
                    "CAST it to three digits",
                )
