"""The engine and the translator alone, without an endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from local_stack.athena.catalogue import Catalogue, Column, Table, View
from local_stack.athena.execute import Engine
from local_stack.athena.results import as_text
from local_stack.athena.translate import Translator, parse

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


class KnownTables(Catalogue):
    """A catalogue that holds what the tests name, with nothing behind it."""

    def __init__(self) -> None:
        super().__init__(glue=None)

    def table(self, database: str, name: str) -> Table | None:
        return TABLES.get((database, name))

    def has_database(self, name: str) -> bool:
        return name == "shop"


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = Engine(tmp_path_factory.mktemp("swap"))
    yield made
    made.close()


@pytest.fixture
def translate() -> Callable[[str], str]:
    """DuckDB's SQL of a query in the database `shop`."""
    return lambda sql: Translator(KnownTables(), "shop").translate(sql, parse(sql))


@pytest.fixture
def first_column(engine: Engine, translate: Callable[[str], str]) -> Callable[[str], list[str | None]]:
    """The values of a query's first column, as Athena prints them."""

    def run(sql: str) -> list[str | None]:
        connection = engine.connect()
        try:
            found = connection.run(translate(sql)).read_all().column(0)
            return [cell for chunk in found.chunks for cell in as_text(chunk).to_pylist()]
        finally:
            connection.close()

    return run
