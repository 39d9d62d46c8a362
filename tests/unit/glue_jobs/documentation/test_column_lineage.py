"""Where star columns come from: contracts and the SQL that is run say the same, or a column is untraced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.catalogue import load_catalogue, read_catalogue
from catalog.lineage import SOURCE, ColumnLineage, Dataset, Field, TableLineage
from glue_jobs.documentation import column_lineage
from glue_jobs.documentation.column_lineage import core, star
from glue_jobs.star import merge, projection
from tests.projects import FERRIES, PARCELS, lay_out

CATALOGUE = load_catalogue()
RAW, STAR = (CATALOGUE.zones[name].database for name in ("raw", "star"))
SALES = CATALOGUE.star["fact_sales_order"]


@pytest.fixture(scope="module")
def lineage() -> ColumnLineage:
    return ColumnLineage.of(core(CATALOGUE))


def test_every_column_of_every_table_is_there_once_with_its_origin(lineage: ColumnLineage) -> None:
    for contract in CATALOGUE.tables:
        table = lineage.tables[Dataset(contract.zone_info.database, contract.table)]
        names = [column.name for column in (*contract.all_columns, *contract.partition_columns)]
        assert list(table.columns) == names
        for name in names:
            told = [bool(table.columns[name]), name in table.made, name in table.untraced]
            assert sum(told) == 1, f"{contract.table}.{name}"


def test_of_facts_and_dimensions_nothing_is_untraced(lineage: ColumnLineage) -> None:
    traced = [c for c in CATALOGUE.star.values() if c.kind != "dead_letters"]
    assert [str(f) for f in lineage.untraced if f.dataset in {Dataset(STAR, c.table) for c in traced}] == []


@pytest.mark.parametrize("project", [FERRIES, PARCELS], ids=lambda path: path.name)
def test_of_projects_with_keys_of_every_kind_nothing_is_untraced_either(
    project: Path, root: Path, tmp_path: Path
) -> None:
    catalogue = read_catalogue(lay_out(project, root, tmp_path / project.name) / "catalog" / "contracts")
    built = [contract for contract in catalogue.star.values() if contract.kind != "dead_letters"]
    assert built
    for contract in built:
        assert star(contract, catalogue).untraced == {}


def test_a_star_column_is_traced_to_the_columns_of_the_source(lineage: ColumnLineage) -> None:
    def sources(of: Field) -> Iterator[str]:
        for one in lineage.origins(of):
            yield from [str(one.field)] if one.field.place == SOURCE else sources(one.field)

    assert set(sources(Field(STAR, "fact_sales_order", "unit_price"))) == {"source.sales_order.unit_price"}
    assert set(sources(Field(STAR, "dim_staff", "department_name"))) == {"source.department.department_name"}
    assert "source.sales_order.staff_id" in set(sources(Field(STAR, "dim_staff", "staff_id")))


def test_copies_without_personal_columns_come_from_their_tables(lineage: ColumnLineage) -> None:
    (copy,) = (one for one in CATALOGUE.copies if one.table == "dim_staff")
    end = Field(copy.zone_info.database, "dim_staff", "location")
    assert [one.field for one in lineage.origins(end)] == [Field(STAR, "dim_staff", "location")]


# --- planted wrong edges ---------------------------------------------------------------------------


def swapped(make: Callable[..., str], before: str, after: str) -> Callable[..., str]:
    """A function whose text has one thing in place of another."""

    def made(*given: Any) -> str:
        text = make(*given)
        assert before in text
        return text.replace(before, after)

    return made


def planted(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, before: str, after: str) -> TableLineage:
    monkeypatch.setattr(where, name, swapped(getattr(where, name), before, after))
    return star(SALES, CATALOGUE)


def test_sql_that_takes_another_column_than_the_contract_names_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = planted(
        monkeypatch, projection, "incoming", "\n       unit_price,", "\n       units_sold AS unit_price,"
    )
    assert dict(found.untraced) == {
        "unit_price": f"its contract names {RAW}.sales_order.unit_price,"
        f" and the SQL takes {RAW}.sales_order.units_sold"
    }
    assert found.columns["unit_price"] == ()


def test_a_contract_that_names_another_column_than_the_sql_takes_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    declared = column_lineage.declared(SALES, CATALOGUE)
    wrong = {**declared, "unit_price": declared["units_sold"]}
    monkeypatch.setattr(column_lineage, "declared", lambda *_: wrong)
    assert list(star(SALES, CATALOGUE).untraced) == ["unit_price"]


def test_an_edge_that_the_sql_lacks_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = planted(monkeypatch, projection, "incoming", "date_of(created_at)", "DATE '2024-11-01'")
    assert found.untraced["created_date"].endswith("and the SQL takes nothing")


def test_a_merge_that_mixes_columns_up_leaves_the_table_untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    found = planted(monkeypatch, merge, "rewritten", "new.unit_price", "new.units_sold AS unit_price")
    (reason,) = set(found.untraced.values())
    assert "the merge takes unit_price from transformation.candidates.units_sold" in reason
    assert set(found.untraced) == set(found.columns)
