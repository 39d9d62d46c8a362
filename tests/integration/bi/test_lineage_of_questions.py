"""Questions' lineage against what an engine answers: a changed column changes nothing that it does not reach.

The tables hold a few invented rows, the views over them and the questions are asked of DuckDB. What a column
decides about rows may change every column of an answer; anything else may change what is traced to it alone.
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from bi.questions import load_questions
from catalog.catalogue import load_catalogue
from catalog.lineage import QUESTION, ColumnLineage, Dataset, Field
from catalog.model import Column, Contract
from catalog.star_views import athena_views
from catalog.types import MOMENTS, sql_type
from glue_jobs.documentation.column_lineage import load_lineage

CATALOGUE = load_catalogue()
NOW = dt.datetime.now(dt.UTC)
TODAY = NOW.date()
"""Questions ask of the last days, and an answer may not change because the clock goes on."""
ROWS = 24


def number_of(column: str, row: int) -> int:
    """A small number that is another for another row, and goes another way through them in another column."""
    return (row * (1 + zlib.crc32(column.encode()) % 5)) % ROWS


def value(contract: Contract, column: Column, row: int) -> Any:
    """What a row has in a column: keys count, what refers to them is among them, days are the last ones."""
    name, kind, number = column.name, column.type.name, number_of(column.name, row)
    day = TODAY - dt.timedelta(row // 3 % 6)
    if kind == "boolean":
        return row % 7 == 6 if name == "is_deleted" else row // 2 % 3 == 0
    if name in contract.key:
        # Of a record of a fact there are two versions.
        key = row // 2 if contract.kind == "fact" else row
        return key if kind in ("integer", "bigint") else day if kind == "date" else f"{key}"
    if column.allowed_values:
        return column.allowed_values[number % len(column.allowed_values)]
    if kind in MOMENTS:
        return dt.datetime.combine(day, dt.time(number % 24, row))
    texts = {"text": _text(name, row, day), "time": f"{number % 24:02}:00:00.000"}
    return {"date": day, "decimal": number + 1, **texts}.get(kind, number)


def _text(name: str, row: int, day: dt.date) -> str:
    stated = {
        "currency_code": ("GBP", "USD", "EUR")[row % 3],
        "base_currency": "EUR",
        "provider": "ecb",
        "payment_type_name": ("SALES_RECEIPT", "PURCHASE_PAYMENT")[row % 2],
    }
    if name in stated:
        return stated[name]
    return f"{day:%Y-%m}" if name.endswith("_month") else f"{name} {number_of(name, row) % 5}"


class Answers:
    """An engine with every table, view and question."""

    def __init__(self) -> None:
        self.engine = duckdb.connect()
        for zone in CATALOGUE.zones.values():
            self.engine.execute(f"CREATE SCHEMA {zone.database}")
        for contract in (*CATALOGUE.star.values(), *CATALOGUE.ops.values()):
            self._fill(contract)
        for contract in CATALOGUE.star.values():
            for view in athena_views(contract):
                name = f"{contract.zone_info.database}.{view.name}"
                self.engine.execute(f"CREATE VIEW {name} AS {translated(view.sql)}")
        self.engine.execute(f"USE {CATALOGUE.zones['star'].database}")
        self._asked = {name: translated(question.sql) for name, question in load_questions().items()}

    def _fill(self, contract: Contract) -> None:
        columns = (*contract.all_columns, *contract.partition_columns)
        named = ", ".join(f'"{c.name}" {sql_type(c.type)}' for c in columns)
        table = f"{contract.zone_info.database}.{contract.table}"
        self.engine.execute(f"CREATE TABLE {table} ({named})")
        rows = [[value(contract, c, row) for c in columns] for row in range(ROWS)]
        if contract.kind == "calendar":
            rows = [[TODAY - dt.timedelta(n - 6), *one[1:]] for n, one in enumerate(rows)]
        self.engine.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' for _ in columns)})", rows)

    def ask(self, question: str) -> dict[str, list[str]]:
        """An answer's columns, each with its values in order."""
        asked = self.engine.execute(self._asked[question])
        names = [one[0] for one in asked.description or ()]
        columns = list(zip(*asked.fetchall(), strict=True)) or [()] * len(names)
        return {name: sorted(map(str, found)) for name, found in zip(names, columns, strict=True)}

    def change(self, contract: Contract, column: Column) -> None:
        """Give each of a table's rows what another row has in a column, or a value that no row has."""
        table = f"{contract.zone_info.database}.{contract.table}"
        rows = self.engine.execute(f'SELECT rowid, "{column.name}" FROM {table} ORDER BY rowid').fetchall()
        for (place, own), (_, found) in zip(rows, rows[5:] + rows[:5], strict=True):
            other = not own if column.type.name == "boolean" else found
            self.engine.execute(f'UPDATE {table} SET "{column.name}" = ? WHERE rowid = ?', [other, place])


def translated(sql: str) -> str:
    """A query for DuckDB; the order of its rows is nobody's matter here."""
    stopped = {
        exp.CurrentTimestamp: f"CAST('{NOW.isoformat()}' AS TIMESTAMPTZ)",
        exp.CurrentDate: f"CAST('{TODAY}' AS DATE)",
    }
    tree = sqlglot.parse_one(sql, read="athena").transform(
        lambda node: sqlglot.parse_one(stopped[type(node)], read="duckdb") if type(node) in stopped else node
    )
    tree.set("order", None)
    return tree.sql("duckdb")


@dataclass(frozen=True)
class Reach:
    """What may change an answer: by column, and about its rows."""

    columns: dict[str, frozenset[Field]]
    rows: frozenset[Field]


def reach_of(lineage: ColumnLineage, dataset: Dataset) -> Reach:
    """What of tables may change a dataset, through every view between."""
    table = lineage.tables[dataset]
    if table.by not in ("view", QUESTION):
        return Reach({name: frozenset({Field(*dataset, name)}) for name in table.columns}, frozenset())
    read = {one: reach_of(lineage, one) for one in table.read}

    def of(inputs: Any) -> frozenset[Field]:
        return frozenset(end for one in inputs for end in read[one.field.dataset].columns[one.field.column])

    rows = of(table.rows).union(*(one.rows for one in read.values()))
    return Reach({name: of(inputs) for name, inputs in table.columns.items()}, rows)


def unexpected(lineage: ColumnLineage, question: str) -> Iterator[tuple[Field, str]]:
    """The columns of tables that change a column of an answer which they do not reach by the lineage."""
    reach = reach_of(lineage, Dataset(QUESTION, question))
    answers = Answers()
    before = answers.ask(question)
    assert all(before.values())
    tables = {field.dataset for fields in (*reach.columns.values(), reach.rows) for field in fields}
    for contract in (*CATALOGUE.star.values(), *CATALOGUE.ops.values()):
        if Dataset(contract.zone_info.database, contract.table) not in tables:
            continue
        for column in (*contract.all_columns, *contract.partition_columns):
            start = Field(contract.zone_info.database, contract.table, column.name)
            if start in reach.rows:
                continue
            answers.engine.begin()
            answers.change(contract, column)
            after = answers.ask(question)
            answers.engine.rollback()
            for name in before:
                if after[name] != before[name] and start not in reach.columns[name]:
                    yield start, name


SHORT = ("revenue_by_month", "net_cash_by_month_reported")


@pytest.mark.parametrize(
    "question",
    [pytest.param(q, marks=() if q in SHORT else pytest.mark.slow) for q in load_questions()],
)
def test_what_changes_an_answer_is_traced_to_it(question: str) -> None:
    assert list(unexpected(load_lineage(), question)) == []


def test_a_missing_edge_is_told_by_the_answer() -> None:
    lineage, asked = load_lineage(), Dataset(QUESTION, "revenue_by_month")
    table = lineage.tables[asked]
    columns = {
        **table.columns,
        "revenue": tuple(i for i in table.columns["revenue"] if i.field.column != "unit_price"),
    }
    planted = ColumnLineage({**lineage.tables, asked: replace(table, columns=columns)})
    price = Field(CATALOGUE.zones["star"].database, "fact_sales_order", "unit_price")
    assert list(unexpected(planted, "revenue_by_month")) == [(price, "revenue")]
