"""What a build of a table is, printed."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from catalog.catalogue import load_catalogue
from glue_jobs.engine.protocol import Engine
from glue_jobs.star.explain import explain_table
from lakehouse.cli import main

CATALOG = load_catalogue()


@pytest.mark.parametrize("table", sorted(CATALOG.star))
def test_every_query_of_a_table_is_a_whole_one(engine: Engine, table: str) -> None:
    for step in explain_table(CATALOG.star[table], CATALOG):
        text = step.sql.replace("'", "''")
        (found,) = engine.fetch(f"SELECT CAST(json_serialize_sql('{text}') AS STRING) AS parsed")
        assert not json.loads(found["parsed"])["error"], step.relation


def test_the_command_prints_a_star_tables_queries_with_what_they_give() -> None:
    done = CliRunner().invoke(main, ["explain", "fact_sales_order"])
    assert done.exit_code == 0
    assert "-- candidates: Rows of sales_order that validation accepted" in done.output
    assert "time_of(created_at) AS created_time" in done.output


def test_the_command_prints_when_a_captured_row_breaks_a_rule() -> None:
    done = CliRunner().invoke(main, ["explain", "transaction"])
    assert done.exit_code == 0
    assert "-- sale_has_its_order (reject): A sale carries a sales order" in done.output


def test_a_table_that_is_none_is_named_with_those_that_are() -> None:
    done = CliRunner().invoke(main, ["explain", "fact_nothing"])
    assert done.exit_code != 0
    assert "There is no table fact_nothing" in done.output
    assert "fact_payment" in done.output
