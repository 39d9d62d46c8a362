"""What a query gives back, read from its SQL and the contracts; and the same query for the warehouse.

Queries are written in Athena's SQL. The warehouse has the same tables and views but for the columns by which
the lake is partitioned, so a query over the star is translated and never written twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, Optional

import sqlglot
from sqlalchemy.dialects import postgresql
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope, traverse_scope

from bi.questions import Question, load_questions
from catalog.catalogue import Catalogue
from catalog.functions import literal
from catalog.model import Column, Contract
from catalog.project import queries_folder
from catalog.star_views import athena_views
from catalog.types import FINE_MOMENTS
from catalog.warehouse import metadata
from catalog.warehouse_names import WAREHOUSE_SCHEMA
from catalog.yaml_lines import ContractError

Engine = Literal["lake", "warehouse"]
ENGINES: tuple[Engine, ...] = ("lake", "warehouse")
"""Athena over the lake, and the PostgreSQL of the warehouse."""

Kind = Literal["text", "integer", "decimal", "date", "timestamp", "boolean"]
"""What a column holds, as far as a chart is concerned."""

MONEY = ("price", "amount")
"""What the names of columns that hold money have in them."""

CURRENCY = "currency"
"""The column that says of what currency a query's money is."""

DIALECTS: Mapping[Engine, str] = {"lake": "athena", "warehouse": "postgres"}
"""Whose SQL each engine's is, as sqlglot calls it."""

NO_NAMES: Mapping[str, Mapping[str, str]] = MappingProxyType({})
"""Every code is what readers know."""

_FINE = "timestamp(6)"
_SQL_TYPES = {
    "text": "varchar",
    "time": "varchar",
    "decimal": "decimal(38,2)",
    **dict.fromkeys(FINE_MOMENTS, _FINE),
}
_KINDS: tuple[tuple[Kind, frozenset[exp.DType]], ...] = (
    ("text", frozenset(exp.DataType.TEXT_TYPES)),
    ("integer", frozenset(exp.DataType.INTEGER_TYPES)),
    ("decimal", frozenset({*exp.DataType.REAL_TYPES, exp.DType.DECIMAL})),
    ("date", frozenset({exp.DType.DATE})),
    ("timestamp", frozenset({exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ})),
    ("boolean", frozenset({exp.DType.BOOLEAN})),
)
_PARTITION_FORMATS = {"month": "YYYY-MM", "day": "YYYY-MM-DD"}


@dataclass(frozen=True)
class Schema:
    """The tables that queries of one engine may name.

    Attributes:
        engine: Athena over the lake, or the warehouse.
        default: The database, or schema, of unqualified tables.
        tables: By database and table, the SQL type of each column.
    """

    engine: Engine
    default: str
    tables: dict[str, dict[str, dict[str, str]]]


class QueryError(ValueError):
    """A query that does not fit the tables; says what is wrong."""


@dataclass(frozen=True)
class Selected:
    """A column of a query's answer.

    Attributes:
        name: Its name.
        kind: What it holds; None where the SQL does not tell.
        money: The columns of prices and amounts that it is made of; those in the reporting currency carry its
            code, the others are each in a currency of their own.
        constant: What it says of every row, if it is a text.
    """

    name: str
    kind: Optional[Kind]
    money: frozenset[str] = frozenset()
    constant: Optional[str] = None


def schema_of(engine: Engine, catalogue: Catalogue) -> Schema:
    """The tables and views of an engine, as the contracts state them."""
    return _lake_schema(catalogue) if engine == "lake" else _warehouse_schema(catalogue)


def selected(sql: str, schema: Schema) -> tuple[Selected, ...]:
    """The columns that a query gives back, in order.

    Args:
        sql: One query, in Athena's SQL for the lake and PostgreSQL's for the warehouse.
        schema: The tables.

    Raises:
        QueryError: It cannot be read, or names a table or a column that is not there.
    """
    dialect = DIALECTS[schema.engine]
    tree = _parsed(sql, dialect)
    if not isinstance(tree, exp.Query):
        raise QueryError("it is not a query")
    for part in traverse_scope(tree):
        for source in part.sources.values():
            # In place of a table may stand a function that gives rows.
            if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
                _check_table(source, schema)
    try:
        tables: dict[str, object] = {**schema.tables}
        whole = qualify(tree, schema=tables, db=schema.default, dialect=dialect)
        typed = annotate_types(whole, schema=tables, dialect=dialect)
    except SqlglotError as error:
        raise QueryError(str(error).partition("\n")[0]) from error
    if schema.engine == "lake":
        _check_moments(typed)
    scope = build_scope(typed)
    if scope is None or not isinstance(typed, exp.Query):
        raise QueryError("it is not a query")
    return tuple(
        Selected(item.alias_or_name, _kind(item), _money(item, scope), _constant(item))
        for item in typed.selects
    )


def check_questions(catalogue: Catalogue) -> None:
    """Refuse questions of the project that ask for times which Athena rounds, or cannot be read.

    Args:
        catalogue: The contracts.

    Raises:
        ContractError: Names the file.
    """
    schema = schema_of("lake", catalogue)
    for question in load_questions().values():
        _check_question(question, schema)


def _check_question(question: Question, schema: Schema) -> None:
    try:
        selected(question.sql, schema)
    except QueryError as error:
        path = queries_folder() / f"{question.name}.sql"
        raise ContractError(path, 1, str(error)) from error


def statement(
    sql: str,
    engine: Engine,
    catalogue: Catalogue,
    columns: Sequence[Selected],
    labels: Mapping[str, Sequence[str]],
    names: Mapping[str, Mapping[str, str]] = NO_NAMES,
) -> str:
    """A query in Athena's SQL as an engine is to be asked it, without its header.

    Args:
        sql: The query.
        engine: What is asked.
        catalogue: The contracts.
        columns: What the query gives back.
        labels: Texts to add to each row: a name, and the columns whose values make it, with blanks between.
            Whole numbers, which are keys, stand in parentheses.
        names: By column, what readers call its codes; others stay as they are.
    """
    shown = [
        _renamed(column.name, names[column.name]) if column.name in names else _shown(column, engine)
        for column in columns
    ]
    numbers = {column.name for column in columns if column.kind == "integer"}
    # concat_ws leaves out what is null, as a label should.
    shown += [
        f"concat_ws(' ', {', '.join(_part(part, is_key=part in numbers) for part in parts)}) AS {name}"
        for name, parts in labels.items()
    ]
    whole = _named(sql, catalogue) if engine == "lake" else _translated(sql, catalogue)
    # All names are plain: they were read from the query and the declaration, and checked.
    return f"SELECT {', '.join(shown)}\nFROM (\n{whole}\n) AS answer"


def _renamed(column: str, names: Mapping[str, str]) -> str:
    cases = " ".join(f"WHEN {literal(code)} THEN {literal(name)}" for code, name in names.items())
    return f"CASE {column} {cases} ELSE {column} END AS {column}"


def _part(column: str, *, is_key: bool) -> str:
    text = f"CAST({column} AS varchar)"
    return f"'(' || {text} || ')'" if is_key else text


def _shown(column: Selected, engine: Engine) -> str:
    # PostgreSQL adds bigint up to numeric, Athena to bigint: whoever reads both sees one type.
    cast = engine == "warehouse" and column.kind == "integer"
    return f"CAST({column.name} AS bigint) AS {column.name}" if cast else column.name


def own_statement(sql: str, engine: Engine) -> str:
    """A query that is written for one engine alone, without comments."""
    return _parsed(sql, DIALECTS[engine]).sql(DIALECTS[engine], pretty=True, comments=False)


def _parsed(sql: str, dialect: str) -> exp.Expr:
    try:
        return sqlglot.parse_one(sql, dialect=dialect)
    except SqlglotError as error:
        raise QueryError(str(error).partition("\n")[0]) from error


def _check_table(table: exp.Table, schema: Schema) -> None:
    database = table.db or schema.default
    if table.name not in schema.tables.get(database, {}):
        raise QueryError(f"there is no table {database}.{table.name}")


def _check_moments(query: exp.Expr) -> None:
    """Refuse times of which Athena shows three digits of six: rounded, one may be of another day or month."""
    # The innermost last: what a query in parentheses gives is named after what it is made of.
    for column in reversed(list(query.find_all(exp.Column))):
        if column.type is not None and column.type.sql().lower() == _FINE:
            raise QueryError(
                f"{column.name} has six digits of a second, which Athena rounds to three, so that the last"
                " moment of a month reads as the next one: ask for a column that the star makes of it, by"
                " date_of or time_of"
            )


def _kind(item: exp.Expr) -> Optional[Kind]:
    kind = item.type.this if item.type is not None else None
    return next((name for name, types in _KINDS if kind in types), None)


def _constant(item: exp.Expr) -> Optional[str]:
    value = item.unalias()
    return str(value.this) if isinstance(value, exp.Literal) and value.is_string else None


def _money(item: exp.Expr, scope: Scope) -> frozenset[str]:
    """The prices and amounts that a value is made of, also by way of a subquery; a count is of none."""
    found: set[str] = set()
    for column in item.find_all(exp.Column):
        if column.find_ancestor(exp.Count) is not None:
            continue
        source = scope.sources.get(column.table)
        origins = _origins(column.name, source) if isinstance(source, Scope) else []
        made_of = {name for origin in origins for name in _money(*origin)}
        found |= made_of or {column.name for word in MONEY if word in column.name}
    return frozenset(found)


def _origins(name: str, scope: Scope) -> list[tuple[exp.Expr, Scope]]:
    query = scope.expression
    if not isinstance(query, exp.Query):
        return []
    names = query.named_selects
    if name not in names:
        return []
    # The branches of a UNION give their columns by place.
    branches = scope.set_operation_scopes or [scope]
    place = names.index(name)
    return [
        (branch.expression.selects[place], branch)
        for branch in branches
        if isinstance(branch.expression, exp.Query)
    ]


def _named(sql: str, catalogue: Catalogue) -> str:
    """The text as it was written, but for its header, with a database before each table.

    Whoever asks Athena may have another default database, as QuickSight does.
    """
    # A header's lines are comments; without them places in the text are those that the parser tells.
    lines = sql.strip().splitlines()
    body = "\n".join(lines[next(at for at, line in enumerate(lines) if not line.startswith("--")) :])
    places = {
        source.this.meta["start"]
        for scope in traverse_scope(_parsed(body, "athena"))
        for source in scope.sources.values()
        if isinstance(source, exp.Table) and not source.db
    }
    for place in sorted(places, reverse=True):
        body = f"{body[:place]}{catalogue.zones['star'].database}.{body[place:]}"
    return body


def _translated(sql: str, catalogue: Catalogue) -> str:
    """The query in PostgreSQL's SQL, over tables without partitions."""
    tree = _parsed(sql, "athena")
    _without_partitions(tree, catalogue)
    for split in list(tree.find_all(exp.Split)):
        split.replace(exp.Anonymous(this="string_to_array", expressions=[split.this, split.expression]))
    return tree.sql(DIALECTS["warehouse"], pretty=True, comments=False)


def _without_partitions(tree: exp.Expr, catalogue: Catalogue) -> None:
    """Put the day from which a fact's partition follows in place of the partition's column."""
    facts = {
        name: fact
        for fact in catalogue.star_of_kind("fact")
        for name in (fact.table, *(view.name for view in athena_views(fact)))
    }
    for scope in traverse_scope(tree):
        tables = {
            alias: facts[source.name]
            for alias, source in scope.sources.items()
            if isinstance(source, exp.Table) and source.name in facts
        }
        for column in list(scope.columns):
            fact = tables.get(column.table) if column.table else next(iter(tables.values()), None)
            if fact is not None and fact.partition is not None and column.name == fact.partition.name:
                column.replace(_partition_value(fact, column.table))


def _partition_value(fact: Contract, alias: str) -> exp.Expr:
    partition = fact.partition
    if partition is None:
        raise QueryError(f"{fact.table} has no partitions")
    day = next(c.name for c in fact.columns if c.sql == f"date_of({partition.source_column})")
    return exp.Anonymous(
        this="to_char",
        expressions=[
            exp.column(day, table=alias or None),
            exp.Literal.string(_PARTITION_FORMATS[partition.granularity]),
        ],
    )


def _lake_schema(catalogue: Catalogue) -> Schema:
    databases: dict[str, dict[str, dict[str, str]]] = {}
    for contract in catalogue.contracts:
        tables = databases.setdefault(contract.zone_info.database, {})
        tables[contract.table] = _column_types(contract.all_columns + contract.partition_columns)
        tables.update({view.name: _column_types(view.columns) for view in athena_views(contract)})
    return Schema("lake", catalogue.zones["star"].database, databases)


def _warehouse_schema(catalogue: Catalogue) -> Schema:
    dialect: Any = postgresql.dialect()  # type: ignore[no-untyped-call,unused-ignore]
    tables = {
        table.name: {column.name: str(column.type.compile(dialect=dialect)) for column in table.columns}
        for table in metadata(catalogue).tables.values()
    }
    for contract in catalogue.star.values():
        partition = {column.name for column in contract.partition_columns}
        for view in athena_views(contract):
            shown = tuple(column for column in view.columns if column.name not in partition)
            tables[view.name] = _column_types(shown)
    return Schema("warehouse", WAREHOUSE_SCHEMA, {WAREHOUSE_SCHEMA: tables})


def _column_types(columns: tuple[Column, ...]) -> dict[str, str]:
    return {column.name: _SQL_TYPES.get(column.type.name, column.type.name) for column in columns}
