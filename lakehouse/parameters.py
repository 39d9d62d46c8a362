"""A question with parameters: the same SQL, for the rows whose columns have the values that a person gave."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from glue_jobs.runtime.errors import UserError

_DIALECT = "athena"

Value = tuple[str, str]
"""A column of the answer, and the text that it must be."""

_LITERALS: Mapping[str, str] = {
    r"varchar|char": r".*",
    r"tinyint|smallint|integer|bigint": r"[+-]?\d+",
    r"decimal": r"[+-]?\d+(\.\d+)?",
    r"date": r"\d{4}-\d{2}-\d{2}",
    r"boolean": r"true|false",
}
"""By the kinds of column that can be given, what a value looks like."""


def parse_values(given: Sequence[str]) -> list[Value]:
    """Read ``COLUMN=VALUE`` texts.

    Raises:
        UserError: One is no such text.
    """
    pairs = [text.partition("=") for text in given]
    for column, equals, _ in pairs:
        if not equals or not column.isidentifier():
            raise UserError(f"--param {column}{equals} is no COLUMN=VALUE.", "As in: --param month=2024-11")
    return [(column, value) for column, _, value in pairs]


def narrowed(sql: str, values: Sequence[Value], columns: Mapping[str, str]) -> str:
    """A query for the rows of its answer that have some values; several for one column are alternatives.

    The condition stands inside the query, where it spares reading partitions, and the order stays.

    Args:
        sql: The query, in Athena's dialect.
        values: What is asked for.
        columns: The columns of its answer with their Athena types.

    Raises:
        UserError: It has no such column, or one whose value follows from other rows.
    """
    for column, _ in values:
        if column not in columns:
            raise UserError(f"The answer has no column {column}.", f"It has {', '.join(columns)}.")
    tree = _parsed(sql)
    stated = {one.alias_or_name: one.unalias() for one in tree.selects}
    for column in dict.fromkeys(column for column, _ in values):
        expression = stated.get(column)
        if expression is None or expression.find(exp.AggFunc, exp.Window, exp.Query):
            raise UserError(
                f"A value of {column} follows from several rows, so it cannot be asked for.",
                f"--output writes all of them to a file; of the rest there are {_others(stated, column)}.",
            )
        literals = [_literal(column, value, columns[column]) for name, value in values if name == column]
        tree = tree.where(expression.copy().isin(*literals))
    return tree.sql(dialect=_DIALECT)


def _parsed(sql: str) -> exp.Select:
    """The query, where a condition on a row means the same inside it as on its answer."""
    try:
        tree = sqlglot.parse_one(sql, dialect=_DIALECT)
    except SqlglotError as error:
        raise UserError("This query cannot be given parameters.", "Ask it without --param.") from error
    if isinstance(tree, exp.Select):
        counts = any(tree.args.get(name) for name in ("limit", "offset"))
        if not counts and not any(one.find(exp.Window) for one in tree.selects):
            return tree
    raise UserError(
        "This query compares or counts the rows of its answer, so that fewer of them are another answer.",
        "Ask it without --param.",
    )


def _others(stated: Mapping[str, exp.Expr], column: str) -> str:
    """The columns of an answer that can be asked for."""
    return ", ".join(
        name for name, one in stated.items() if name != column and not one.find(exp.AggFunc, exp.Query)
    )


def _literal(column: str, value: str, kind: str) -> exp.Expr:
    """A value as SQL of the column's own type."""
    base = kind.partition("(")[0]
    form = next((form for kinds, form in _LITERALS.items() if re.fullmatch(kinds, base)), None)
    if form is None:
        raise UserError(f"The column {column} is {kind}, whose values cannot be given.", "Ask without it.")
    if not re.fullmatch(form, value, re.DOTALL):
        raise UserError(f"--param {column}={value}: the column is {kind}.", "Correct the value.")
    text = exp.Literal.string(value)
    return text if base in ("varchar", "char") else exp.cast(text, kind, dialect=_DIALECT)
