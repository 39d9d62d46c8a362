"""What the star should hold, derived from the source by the contracts: SQL for DuckDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Optional

import duckdb

from catalog.catalogue import Catalogue
from catalog.expression import CALENDAR_DAY, star_columns
from catalog.model import Column, Contract
from glue_jobs.reconciliation.canonical import from_postgres, key_of, literal, quoted
from glue_jobs.reconciliation.expressions import evaluate
from glue_jobs.reconciliation.python_functions import create_function

SOURCE = "source"
"""The DuckDB schema that holds the source's tables, every value as PostgreSQL's text."""

EXPECTED = "expected"
"""The DuckDB schema that holds what the star's tables should be."""

DEAD = "dead"
"""The DuckDB schema that holds, for each raw table, the ``key`` of every open dead letter."""

_MAIN = "main"

_LATEST = 2**62
"""A version that is later than every transaction's."""

_OWN_SQL = {
    "date_of": "split_part({0}, ' ', 1)",
    "time_of": "split_part({0}, ' ', 2)",
    "iso_date": "{0}",
    "currency_name": "CASE WHEN {0} IS NULL THEN NULL ELSE coalesce("
    "(SELECT iso_4217.name FROM iso_4217 WHERE iso_4217.code = {0}), concat('Unknown (', {0}, ')')) END",
}
"""What the contracts' commonest functions make of PostgreSQL's text; others are left to Python."""


def star_rows(contract: Contract, catalogue: Catalogue) -> str:
    """The rows of a fact or a dimension as the source would have them now.

    Args:
        contract: A star table that is built from source tables.
        catalogue: All contracts.

    Returns:
        A query with the table's columns that come from the source, spelled, and ``_row_version``, the newest
        of the source rows that a row is made of.
    """
    built_from = contract.built_from
    if built_from is None or built_from.table is None:
        raise ValueError(f"{contract.table} is built from no source table")
    joins = [
        f"LEFT JOIN {SOURCE}.{quoted(join.table)} AS {quoted(join.table)}"
        f" ON {quoted(join.table)}.{quoted(catalogue.raw[join.table].key[0])} = {_MAIN}.{quoted(join.on)}"
        for join in built_from.joins
    ]
    columns = [f"{_derived(contract, column)} AS {quoted(column.name)}" for column in from_source(contract)]
    newest = ", ".join(
        [f"{_MAIN}._row_version", *(f"coalesce({quoted(j.table)}._row_version, 0)" for j in built_from.joins)]
    )
    return (
        f"SELECT {', '.join(columns)}, greatest({newest}) AS _row_version"  # noqa: S608 - quoted
        f" FROM {SOURCE}.{quoted(built_from.table)} AS {_MAIN} {' '.join(joins)}"
    )


def dead_keys(contract: Contract, catalogue: Catalogue) -> str:
    """The keys of a star table whose rows cannot be as the source has them, because of open dead letters.

    Args:
        contract: A star table that is built from source tables.
        catalogue: All contracts.

    Returns:
        A query with ``key``: rows that are dead letters themselves, and rows that join one.
    """
    built_from = contract.built_from
    if built_from is None or built_from.table is None:
        raise ValueError(f"{contract.table} is built from no source table")
    main = catalogue.raw[built_from.table]
    joined = [
        f"SELECT {key_of(main)} AS key FROM {SOURCE}.{quoted(main.table)}"  # noqa: S608 - quoted
        f" WHERE {_joined_key(catalogue.raw[join.table], join.on)} IN"
        f" (SELECT key FROM {DEAD}.{quoted(join.table)})"
        for join in built_from.joins
    ]
    return " UNION ".join([f"SELECT key FROM {DEAD}.{quoted(main.table)}", *joined])  # noqa: S608 - quoted


def _joined_key(contract: Contract, column: str) -> str:
    """A column that holds the key of a table, spelled as that table's own."""
    kind = contract.column(contract.key[0]).type.name
    return f"six_digits({quoted(column)})" if kind == "timestamp" else quoted(column)


def calendar_rows(contract: Contract, catalogue: Catalogue, held: str, batch: int) -> str:
    """The days that are needed, and those that a relation holds beside them, as they should read.

    Needed is every date that a current row of a fact refers to.

    Args:
        contract: The calendar.
        catalogue: All contracts.
        held: The relation, with the calendar's columns.
        batch: The last batch that it was built from.

    Returns:
        A query as that of `star_rows`.
    """
    # Of a feed's rows the version is the batch: those that came later wait, whatever else does.
    of_feeds = f"CASE WHEN _row_version > {batch} THEN {_LATEST} ELSE 0 END"
    days = [
        f"SELECT try_cast({quoted(reference.column)} AS DATE) AS day,"  # noqa: S608 - quoted
        f" {of_feeds if fact.built_from and fact.built_from.table in catalogue.fed else '_row_version'}"
        " AS _row_version"
        f" FROM {EXPECTED}.{quoted(fact.table)}"
        for fact in catalogue.star_of_kind("fact")
        for reference in fact.references
        if reference.table == contract.table
    ]
    days.append(f"SELECT try_cast({quoted(contract.key[0])} AS DATE), NULL FROM {held}")  # noqa: S608 - quoted
    columns = [f"{_derived(contract, column)} AS {quoted(column.name)}" for column in from_source(contract)]
    return (
        f"SELECT {', '.join(columns)}, _row_version FROM (SELECT day::VARCHAR AS {CALENDAR_DAY},"  # noqa: S608
        f" max(_row_version) AS _row_version FROM ({' UNION ALL '.join(days)})"
        f" WHERE day IS NOT NULL GROUP BY day) AS {_MAIN}"
    )


def from_source(contract: Contract) -> tuple[Column, ...]:
    """The columns of a fact or a dimension whose values the source decides: all but the record's number."""
    return tuple(column for column in contract.columns if not column.record_id)


def create_functions(workspace: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Make a function for each star column whose expression has no SQL here: Python evaluates it."""
    for contract in catalogue.star.values():
        seen = star_columns(contract, catalogue)
        if contract.kind == "calendar":
            seen = {CALENDAR_DAY: contract.column(contract.key[0])}
        for column in from_source(contract) if contract.kind != "dead_letters" else ():
            if _own_sql(column) is None:
                evaluated = partial(_evaluated, column.expression or "", seen, column.inputs)
                create_function(workspace, _function(contract, column), evaluated)


def _evaluated(
    text: str, seen: Mapping[str, Column], names: tuple[str, ...], values: Sequence[Optional[str]]
) -> Optional[str]:
    return evaluate(text, seen, dict(zip(names, values)))


def _function(contract: Contract, column: Column) -> str:
    return f"made_{contract.table}_{column.name}"


def _own_sql(column: Column) -> Optional[str]:
    """The SQL of an expression that is a column, or one of the functions of ``_OWN_SQL`` of a column."""
    function, _, rest = (column.expression or "").partition("(")
    name = rest[:-1] if rest else function
    if column.inputs != (name,) or (rest and function not in _OWN_SQL):
        return None
    return _OWN_SQL[function].format(_text(name)) if rest else _text(name)


def _text(name: str) -> str:
    table, _, column = name.rpartition(".")
    return f"{quoted(table) if table else _MAIN}.{quoted(column)}"


def _derived(contract: Contract, column: Column) -> str:
    text = _own_sql(column)
    if text is None:
        text = (
            f"{_function(contract, column)}([{', '.join(_text(name) for name in column.inputs)}]::VARCHAR[])"
        )
        # PostgreSQL's own text of a time has no zeros at its end.
        text = f"less_zeros({text})" if column.type.name == "time" else text
    text = from_postgres(column, text)
    return f"coalesce({text}, {literal(column.default)})" if column.default is not None else text
