"""The warehouse's declaration."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.schema import CreateTable

from catalog import warehouse
from catalog.catalogue import load_catalogue
from catalog.model import Contract
from catalog.star_views import athena_views

CATALOGUE = load_catalogue()
TABLES = warehouse.metadata(CATALOGUE)
DIALECT = PGDialect()


@pytest.mark.parametrize("contract", CATALOGUE.star_of_kind("fact"), ids=lambda contract: contract.table)
def test_a_fact_holds_each_version_of_a_record_once(contract: Contract) -> None:
    table = warehouse.table_of(TABLES, contract.table)
    unique = [c for c in table.constraints if isinstance(c, sa.UniqueConstraint)]
    assert [[column.name for column in c.columns] for c in unique] == [[*contract.key, "batch_sequence"]]


def test_every_table_and_column_says_what_it_means() -> None:
    for table in TABLES.sorted_tables:
        assert table.comment
        assert all(column.comment for column in table.columns)


def test_names_that_need_quoting_are_quoted() -> None:
    odd = warehouse.metadata(CATALOGUE, 'Odd "name"')
    statement = str(CreateTable(odd.sorted_tables[0]).compile(dialect=DIALECT))
    assert statement.strip().startswith('CREATE TABLE "Odd ""name""".')
    for view in warehouse.views(CATALOGUE, odd):
        create, comment = view.statements('Odd "name"')
        assert create.startswith(f'CREATE OR REPLACE VIEW "Odd ""name"""."{view.name}" AS ')
        assert comment.startswith(f'COMMENT ON VIEW "Odd ""name"""."{view.name}" IS ')
        assert "public" not in create


def test_the_warehouse_has_the_views_of_the_lake_and_the_synonym() -> None:
    names = {view.name for view in warehouse.views(CATALOGUE, TABLES)}
    in_the_lake = {view.name for contract in CATALOGUE.star.values() for view in athena_views(contract)}
    assert names == in_the_lake | {"fact_purchase_order"}


def test_no_view_reads_another_since_its_columns_could_not_change_then() -> None:
    views = warehouse.views(CATALOGUE, TABLES)
    read = {word for view in views for word in re.findall(r"\w+", re.sub(r"'[^']*'", "", view.body))}
    assert not read & {view.name for view in views}


def test_a_view_s_comment_changes_with_its_query() -> None:
    view, *_ = warehouse.views(CATALOGUE, TABLES)
    other = warehouse.View(view.name, f"{view.body} LIMIT 1", view.description)
    assert view.comment != other.comment
    assert view.comment == warehouse.views(CATALOGUE, TABLES)[0].comment
