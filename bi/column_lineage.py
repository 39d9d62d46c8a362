"""Which columns a query's columns are made of, read from its parsed text.

A column of the answer has as inputs the columns whose values go into it, and those that decide its value: the
conditions of a CASE, and what windows are cut and ordered by. What decides which rows there are (WHERE, JOIN,
GROUP BY, ORDER BY) belongs to the answer as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional, Union

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from catalog.lineage import (
    AGGREGATION,
    CONDITIONAL,
    FILTER,
    GROUP_BY,
    IDENTITY,
    JOIN,
    SORT,
    TRANSFORMATION,
    WINDOW,
    Field,
    How,
    Input,
    inputs_of,
    through,
)

Tables = Mapping[str, Mapping[str, Mapping[str, str]]]
"""By database and table, the SQL type of each column."""


_OF_ANOTHER_ROW = (exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue)
"""Functions of windows that give the value of one row."""


class NotTracedError(ValueError):
    """A text of which nothing can be told; says why."""


@dataclass(frozen=True)
class Traced:
    """What a query's answer is made of.

    Attributes:
        columns: By column of the answer, in order, its inputs.
        rows: What decides which rows there are, and their order.
    """

    columns: Mapping[str, tuple[Input, ...]]
    rows: tuple[Input, ...]


def trace(sql: str, dialect: str, tables: Tables, default: str) -> Traced:
    """What the columns of a query's answer are made of, down to the tables and views that it names.

    Args:
        sql: The query.
        dialect: Whose SQL it is, as sqlglot calls it.
        tables: The tables and views that there are.
        default: The database of unqualified ones.

    Raises:
        NotTracedError: It cannot be read, or has a form of which this cannot tell what goes into what.
    """
    try:
        tree = sqlglot.parse_one(sql, dialect=dialect)
        stated: dict[str, object] = {name: dict(found) for name, found in tables.items()}
        whole = qualify(tree, schema=stated, db=default, dialect=dialect)
        scope = build_scope(whole)
    except SqlglotError as error:
        raise NotTracedError(str(error).partition("\n")[0]) from error
    if scope is None:
        raise NotTracedError("it is not a query")
    found = _Tracer().answer(scope)
    columns = {name: inputs_of(inputs) for name, inputs in found.columns}
    return Traced(columns, inputs_of(found.rows))


@dataclass(frozen=True)
class _Answer:
    """What a query gives back: its columns in order, of which two may have one name, and its rows."""

    columns: list[tuple[str, list[Input]]]
    rows: list[Input]

    def column(self, name: str) -> Optional[list[Input]]:
        """The inputs of a column, if it has one of that name."""
        return next((inputs for one, inputs in self.columns if one == name), None)


_Part = tuple[Union[exp.Column, exp.Query], How]
"""A column, or a query, within an expression, and what it is to the expression's value."""


class _Tracer:
    """Follows columns through the scopes of one query."""

    def __init__(self) -> None:
        self._answers: dict[int, _Answer] = {}

    def answer(self, scope: Scope) -> _Answer:
        """What a scope gives back."""
        known = self._answers.get(id(scope))
        if known is None:
            known = self._answers[id(scope)] = self._of(scope)
        return known

    def _of(self, scope: Scope) -> _Answer:
        if scope.set_operation_scopes:
            return self._union(scope)
        query = scope.expression
        if isinstance(query, exp.Select):
            return self._select(scope, query)
        if isinstance(query, exp.UDTF):
            return self._generated(scope, query)
        raise NotTracedError(f"nothing is known of what {type(query).__name__} makes of its columns")

    def _union(self, scope: Scope) -> _Answer:
        branches = [self.answer(branch) for branch in scope.set_operation_scopes]
        if len({len(branch.columns) for branch in branches}) > 1:
            raise NotTracedError("the branches of a UNION have different numbers of columns")
        # The first branch names the columns, all give them by place.
        places = zip(*(branch.columns for branch in branches))
        columns = [(found[0][0], [one for _, inputs in found for one in inputs]) for found in places]
        rows = [one for branch in branches for one in branch.rows]
        if scope.expression.args.get("distinct"):
            rows += _decides(columns, GROUP_BY)
        answer = _Answer(columns, rows)
        rows += self._sorted(scope, scope.expression, answer)
        return answer

    def _select(self, scope: Scope, query: exp.Select) -> _Answer:
        columns = [
            (item.alias_or_name, list(self._inputs(scope, item.unalias(), IDENTITY)))
            for item in query.selects
        ]
        rows = [one for source in _sources(scope, query) for one in self.answer(source).rows]
        answer = _Answer(columns, rows)
        for clause in ("where", "having", "qualify"):
            stated = query.args.get(clause)
            if stated is not None:
                rows += self._inputs(scope, stated.this, FILTER, answer)
        for join in query.args.get("joins") or ():
            if join.args.get("on") is not None:
                rows += self._inputs(scope, join.args["on"], JOIN)
        group = query.args.get("group")
        if group is not None:
            for stated in group.expressions:
                rows += self._inputs(scope, stated, GROUP_BY, answer)
        if query.args.get("distinct"):
            rows += _decides(columns, GROUP_BY)
        rows += self._sorted(scope, query, answer)
        return answer

    def _sorted(self, scope: Scope, query: exp.Expr, answer: _Answer) -> Iterator[Input]:
        order = query.args.get("order")
        for stated in order.expressions if order is not None else ():
            yield from self._inputs(scope, stated.this, SORT, answer)

    def _generated(self, scope: Scope, query: exp.Expr) -> _Answer:
        """Rows that a function makes of columns beside it, as UNNEST does."""
        made = [
            one
            for child in query.iter_expressions()
            if not isinstance(child, exp.TableAlias)
            for one in self._inputs(scope, child, TRANSFORMATION)
        ]
        alias = query.args.get("alias")
        names = [column.name for column in alias.columns] if isinstance(alias, exp.TableAlias) else []
        if not names:
            raise NotTracedError("a function gives rows whose columns have no names")
        # How many rows it makes is decided by what it makes them of.
        return _Answer([(name, made) for name in names], list(_decides([("", made)], JOIN)))

    def _inputs(
        self, scope: Scope, stated: exp.Expr, how: How, answer: Optional[_Answer] = None
    ) -> Iterator[Input]:
        """The columns of tables that go into an expression.

        Args:
            scope: Where it stands.
            stated: The expression.
            how: What it is to what it stands in.
            answer: The columns of the answer, where the expression may name these.
        """
        for part, what in _parts(stated, how, scope):
            if isinstance(part, exp.Column):
                for one in self._column(scope, part, answer):
                    yield Input(one.field, through(one.how, what))
            else:
                inner = self.answer(self._subquery(scope, part))
                for _, inputs in inner.columns:
                    for one in inputs:
                        yield Input(one.field, through(through(one.how, TRANSFORMATION), what))
                for one in inner.rows:
                    yield Input(one.field, through(one.how, CONDITIONAL if what.is_direct else what))

    def _column(self, scope: Scope, column: exp.Column, answer: Optional[_Answer]) -> Iterable[Input]:
        if not column.table:
            own = None if answer is None else answer.column(column.name)
            if own is None:
                raise NotTracedError(f"nothing says of which table {column.name} is")
            return own
        within: Optional[Scope] = scope
        while within is not None and column.table not in within.sources:
            # A query within another may name what that one reads.
            within = within.parent
        if within is None:
            raise NotTracedError(f"nothing says what {column.table} is")
        source = within.sources[column.table]
        if isinstance(source, Scope):
            found = self.answer(source).column(column.name)
            if found is None:
                raise NotTracedError(f"{column.table} has no column {column.name}")
            return found
        if not isinstance(source.this, exp.Identifier):
            raise NotTracedError(f"{column.table} is made by a function")
        return [Input(Field(source.db, source.name, column.name), IDENTITY)]

    @staticmethod
    def _subquery(scope: Scope, query: exp.Query) -> Scope:
        for inner in scope.subquery_scopes:
            if inner.expression is query:
                return inner
        raise NotTracedError("a query stands where none is followed")


def _sources(scope: Scope, query: exp.Select) -> Iterator[Scope]:
    """The queries whose rows a query reads, each once."""
    seen: set[int] = set()
    for name, (_, source) in scope.selected_sources.items():
        if isinstance(source, Scope) and id(source) not in seen:
            seen.add(id(source))
            yield source
        elif not isinstance(source, (Scope, exp.Table)):  # pragma: no cover - sqlglot has no other kind
            raise NotTracedError(f"nothing is known of {name} in {query.sql()}")


def _decides(columns: Iterable[tuple[str, Sequence[Input]]], how: How) -> Iterator[Input]:
    for _, inputs in columns:
        for one in inputs:
            yield Input(one.field, how)


def _parts(node: exp.Expr, how: How, scope: Scope) -> Iterator[_Part]:
    """The columns and queries of an expression, and what each is to its value."""
    if isinstance(node, exp.Column) or (isinstance(node, exp.Query) and not isinstance(node, exp.Subquery)):
        yield node, how
    elif isinstance(node, (exp.Subquery, exp.Paren, exp.Alias)):
        yield from _parts(node.this, how, scope)
    elif isinstance(node, (exp.Case, exp.If)):
        yield from _case(node, how, scope)
    elif isinstance(node, exp.Window):
        yield from _window(node, how, scope)
    elif isinstance(node, (exp.ArgMin, exp.ArgMax)):
        yield from _parts(node.this, through(AGGREGATION, how), scope)
        yield from _parts(node.expression, _or(how, SORT), scope)
    elif isinstance(node, exp.Filter):
        yield from _parts(node.this, how, scope)
        yield from _parts(node.expression.this, _or(how, CONDITIONAL), scope)
    else:
        adds_up = isinstance(node, exp.AggFunc) and not isinstance(node, _OF_ANOTHER_ROW)
        within = through(AGGREGATION if adds_up else TRANSFORMATION, how)
        for child in node.iter_expressions():
            yield from _parts(child, within, scope)


def _or(how: How, otherwise: How) -> How:
    """What something that decides a value is to what the value is part of."""
    return otherwise if how.is_direct else how


def _case(node: Union[exp.Case, exp.If], how: How, scope: Scope) -> Iterator[_Part]:
    """Conditions decide, results go in; ``if`` is one branch of a CASE, with an end of its own."""
    branches = [node] if isinstance(node, exp.If) else node.args["ifs"]
    conditions = [branch.this for branch in branches]
    if isinstance(node, exp.Case) and node.this is not None:
        conditions.append(node.this)
    results = [branch.args["true"] for branch in branches]
    otherwise = node.args.get("false" if isinstance(node, exp.If) else "default")
    if otherwise is not None:
        results.append(otherwise)
    for condition in conditions:
        yield from _parts(condition, _or(how, CONDITIONAL), scope)
    for result in results:
        yield from _parts(result, through(TRANSFORMATION, how), scope)


def _window(node: exp.Window, how: How, scope: Scope) -> Iterator[_Part]:
    yield from _parts(node.this, through(TRANSFORMATION, how), scope)
    names = {node.alias} - {""}
    named = [one for one in scope.expression.args.get("windows") or () if one.name in names]
    for window in (node, *named):
        order = window.args.get("order")
        parts = [*(window.args.get("partition_by") or ()), *(order.expressions if order is not None else ())]
        for part in parts:
            yield from _parts(part.this if isinstance(part, exp.Ordered) else part, _or(how, WINDOW), scope)
