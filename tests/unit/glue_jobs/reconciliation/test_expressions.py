"""Expressions as Python evaluates them: what the star's engines are compared with."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from catalog.catalogue import Catalogue, read_catalogue
from catalog.functions import FUNCTIONS as LIBRARY
from catalog.model import Column
from catalog.project import contracts_folder
from catalog.types import parse_type
from glue_jobs.reconciliation.canonical import MACROS
from glue_jobs.reconciliation.derive import create_functions, star_rows
from glue_jobs.reconciliation.expressions import FUNCTIONS, evaluate

CASES: dict[str, list[list[Any]]] = yaml.safe_load(
    (Path(__file__).parents[3] / "cases" / "functions.yaml").read_text(encoding="utf-8")
)
COLUMNS = {
    name: Column(name=name, type=parse_type(kind), nullable=True, description="x")
    for name, kind in {
        "units": "integer",
        "price": "decimal(10,2)",
        "code": "text",
        "at": "timestamp",
        "paid": "boolean",
    }.items()
}
ROW = {"units": "3", "price": "1.10", "code": "GBP", "at": "2024-11-15 09:05:07.5", "paid": "true"}


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    """A copy of the real contracts that a test may change."""
    return Path(shutil.copytree(contracts_folder(), tmp_path / "contracts"))


def test_every_function_of_the_library_is_there() -> None:
    assert set(FUNCTIONS) == {function.name for function in LIBRARY}


@pytest.mark.parametrize("name", CASES)
def test_functions_give_what_their_cases_say(name: str) -> None:
    for *arguments, wanted in CASES[name]:
        if None not in arguments:
            found = FUNCTIONS[name](*arguments)
            assert (f"{found:f}" if isinstance(found, Decimal) else found) == wanted, arguments


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("units * price", "3.3"),
        ("units * price - 0.3", "3"),
        ("-units", "-3"),
        ("price = 1.1 AND NOT units IN (1, 2)", "true"),
        ("units NOT BETWEEN 1 AND 3 OR paid", "true"),
        ("CASE WHEN units > 3 THEN 'many' WHEN paid THEN 'few' ELSE code END", "few"),
        ("CASE WHEN units > 3 THEN 'many' END", None),
        ("coalesce(nullif(code, 'GBP'), 'x') || CAST(units AS STRING)", "x3"),
        ("currency_name(code)", "Pound Sterling"),
        ("time_of(at)", "09:05:07.500"),
        ("CAST(at AS DATE)", "2024-11-15"),
        ("at < TIMESTAMP '2024-11-15 09:05:07.600'", "true"),
        ("iso_date(code) IS NULL", "true"),
        ("nullif(units, 3) IS DISTINCT FROM NULL", "false"),
        ("nullif(units, 3) + 1", None),
        ("nullif(units, 3) > 1 OR paid", "true"),
        ("nullif(units, 3) > 1 AND paid", None),
        (r"finds(code, '\A[A-Z]+\z')", "true"),
    ],
)
def test_expressions(text: str, wanted: str | None) -> None:
    assert evaluate(text, COLUMNS, ROW) == wanted


def changed(contracts: Path, old: str, new: str) -> Catalogue:
    path = contracts / "star" / "fact_sales_order.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return read_catalogue(contracts)


def test_a_star_column_of_any_expression_is_derived(contracts: Path) -> None:
    made = "  type: decimal(20,2)\n  nullable: false\n  description: All.\n  sql: units_sold * unit_price\n"
    catalogue = changed(contracts, "  source: unit_price\n", made)
    fact = catalogue.star["fact_sales_order"]
    with duckdb.connect() as workspace:
        for statement in (*MACROS, "CREATE SCHEMA source"):
            workspace.execute(statement)
        create_functions(workspace, catalogue)
        columns = [column.name for column in catalogue.raw["sales_order"].columns]
        stated = ", ".join(
            f"'{ {'units_sold': '7', 'unit_price': '2.50'}.get(name, '1') }' AS {name}" for name in columns
        )
        workspace.execute(f"CREATE TABLE source.sales_order AS SELECT {stated}, 5 AS _row_version")
        found = workspace.execute(f"SELECT unit_price FROM ({star_rows(fact, catalogue)})").fetchall()
    assert found == [("17.5",)]
