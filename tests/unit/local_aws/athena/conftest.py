"""The engine and the translator alone, without an endpoint."""

from __future__ import annotations

import datetime as dt
import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import duckdb
import pytest

from local_aws.athena.catalog_reader import Column, GlueCatalog, Table, View
from local_aws.athena.explain_plan import explain
from local_aws.athena.jobs import Job
from local_aws.athena.kinds import Type
from local_aws.athena.parameters import bind
from local_aws.athena.plan import Plan
from local_aws.athena.query_results import Result
from local_aws.athena.relations import check_result
from local_aws.athena.relations import translate as translate_query
from local_aws.athena.scan import ScanLog
from local_aws.athena.syntax import parse
from local_aws.athena.worker import confine, execute, open_engine

TABLES = {
    ("shop", "orders"): Table(
        "shop",
        "orders",
        (
            Column("id", "int"),
            Column("price", "decimal(10,2)"),
            Column("made", "date"),
            Column("r", "struct<x:int>"),
        ),
        (Column("month", "string"),),
        "s3://lake/orders/",
    ),
    ("shop", "cheap"): Table(
        "shop", "cheap", (Column("id", "int"),), view=View("SELECT id FROM orders WHERE price < 1", "shop")
    ),
    ("shop", "ring"): Table("shop", "ring", (Column("id", "int"),), view=View("SELECT * FROM ring", "shop")),
}


class KnownTables(GlueCatalog):
    """A catalogue that holds what the tests name, with nothing behind it."""

    def __init__(self) -> None:
        super().__init__(glue=cast("Any", None))

    def table(self, database: str, name: str) -> Table | None:
        return TABLES.get((database, name))

    def has_database(self, name: str) -> bool:
        return name == "shop"


@functools.cache
def engine() -> duckdb.DuckDBPyConnection:
    """One engine for all queries of a process: to open one takes longer than most of them."""
    opened = open_engine()
    confine(opened, Path(tempfile.gettempdir()) / "no-swap", 2 * 1024**3)
    return opened


def ask(
    sql: str, scratch: Path, tables: GlueCatalog | None = None, parameters: list[str] | None = None
) -> tuple[list[tuple[str, Type]], list[list[str | None]]]:
    """Columns and rows of a query, as Athena prints them; it runs in this process."""
    plan = Plan(dt.datetime(2026, 11, 28, 12, 0, 0, 123_000))  # noqa: DTZ001  # a moment in UTC
    tree = parse(sql) if parameters is None else bind(parse(sql), parameters)
    result = translate_query(sql, tree, tables or KnownTables(), "shop", plan)
    check_result(result.columns)
    columns = tuple((column.label, column.type) for column in result.columns)
    stem = scratch / uuid4().hex
    job = Job(result.sql, columns, plan.functions, {}, None, stem.with_suffix(".work"), result=stem)
    try:
        rows = execute(job, ScanLog(), lambda _: [], engine()).rows
    except duckdb.Error as error:
        raise explain(error) from error
    finally:
        for name in plan.functions:
            engine().remove_function(name)
    page = Result(columns, stem.with_name(f"{stem.name}.arrow"), rows, header=False).page(0, rows)
    return list(columns), [[cell.get("VarCharValue") for cell in row["Data"]] for row in page["Rows"]]


@pytest.fixture
def translate() -> Callable[[str], str]:
    """DuckDB's SQL of a query in the database `shop`."""
    plan = Plan(dt.datetime(2026, 11, 28, 12, 0, 0))  # noqa: DTZ001  # a moment in UTC
    return lambda sql: translate_query(sql, parse(sql), KnownTables(), "shop", plan).sql


@pytest.fixture(scope="session")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[list[str | None]]]:
    """The rows of a query, as Athena prints them."""
    scratch = tmp_path_factory.mktemp("answers")
    return lambda sql: ask(sql, scratch)[1]


@pytest.fixture(scope="session")
def first_column(answers: Callable[[str], list[list[str | None]]]) -> Callable[[str], list[str | None]]:
    """The values of a query's first column, as Athena prints them."""
    return lambda sql: [row[0] for row in answers(sql)]
