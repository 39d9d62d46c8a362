"""The star's lineage against what the engine does: a raw column that is changed changes what it is traced to.

The rows of a raw table are alike but for their keys and for one column each, so a star row differs from the
first one in exactly what that column goes into. Nothing here reads SQL or an expression of a contract.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

from catalog.catalogue import Catalogue
from catalog.lineage import CONDITIONAL, IDENTITY, ColumnLineage, Dataset, Field, Input
from catalog.model import Column, Contract
from glue_jobs.documentation.column_lineage import core
from tests.lake import Lake, Row, lake, raw_row

ALIKE = 900
"""The key of a row that is like the first one."""

POINTING = 1000
"""From here on are the keys of rows that point to the other rows of a joined table."""


@dataclass(frozen=True)
class Difference:
    """What lineage and engine disagree about: what changes with a raw column, and what is traced to it."""

    start: Field
    table: str
    changed: frozenset[str]
    traced: frozenset[str]


@dataclass(frozen=True)
class Referred:
    """A value of a raw column by which a row of a dimension is inferred, or a year of the calendar used."""

    start: Field
    end: Contract
    value: int


def other(column: Column, value: Any) -> Any:
    """Another value that a column can have."""
    if column.allowed_values:
        return next(one for one in column.allowed_values if one != value)
    if column.name == "currency_code":
        return "USD"
    if column.type.name == "text":
        return "2025-02-03" if column.name.endswith("_date") else f"other {column.name}"
    if column.type.name == "boolean":
        return not value
    if column.type.name in ("integer", "bigint", "decimal"):
        return (value or 0) + (Decimal("1.25") if column.type.name == "decimal" and column.type.scale else 1)
    if column.type.name == "date":
        return (value or dt.date(2024, 11, 1)) + dt.timedelta(40)
    return (value or dt.datetime(2024, 11, 1, 8, 0, 0)) + dt.timedelta(40, 3723)  # noqa: DTZ001


def key_of(contract: Contract, number: int) -> Any:
    return f"row {number:04}" if contract.column(contract.key[0]).type.name == "text" else number


def plain_row(contract: Contract, key: Any) -> Row:
    """A row of a raw table, with values of its columns' types."""
    dates = {c.name: dt.date(2024, 11, 1) for c in contract.columns if c.type.name == "date"}
    return {**raw_row(contract.table, key), **dates}


def own_columns(contract: Contract) -> list[Column]:
    return [column for column in contract.columns if column.name not in contract.key]


def given(catalogue: Catalogue) -> dict[str, list[Row]]:
    """By raw table: a row, one like it, and for each column one that differs in it alone."""
    found = {}
    for name, contract in catalogue.raw.items():
        key, first = contract.key[0], plain_row(contract, key_of(contract, 1))
        rows = [first, {**first, key: key_of(contract, ALIKE)}]
        rows += [
            {**first, key: key_of(contract, place), c.name: other(c, first[c.name])}
            for place, c in enumerate(own_columns(contract), 2)
        ]
        found[name] = rows
    for contract in built(catalogue):
        rows = found[main_of(catalogue, contract).table]
        (key,) = main_of(catalogue, contract).key
        for on, joined in joined_to(catalogue, contract):
            for row in rows[1:]:
                if row[on] != rows[0][on]:
                    row[on] = key_of(joined, ALIKE)
            rows += [
                {**rows[0], key: POINTING + place, on: key_of(joined, place)}
                for place, _ in enumerate(own_columns(joined), 2)
            ]
    return found


def built(catalogue: Catalogue) -> list[Contract]:
    """The facts and dimensions."""
    return [one for one in catalogue.star.values() if one.kind in ("fact", "dimension")]


def main_of(catalogue: Catalogue, contract: Contract) -> Contract:
    """The raw table that a fact's or a dimension's rows come from."""
    assert contract.built_from is not None
    assert contract.built_from.table is not None
    return catalogue.raw[contract.built_from.table]


def joined_to(catalogue: Catalogue, contract: Contract) -> list[tuple[str, Contract]]:
    """The raw tables that it joins, each after the column that points to it."""
    assert contract.built_from is not None
    return [(join.on, catalogue.raw[join.table]) for join in contract.built_from.joins]


def differences(lake: Lake, lineage: ColumnLineage) -> list[Difference]:
    """Where what changes in the star is not what is traced, either way."""
    return [one for one in compared(lake, lineage) if one.changed != one.traced]


def compared(lake: Lake, lineage: ColumnLineage) -> Iterator[Difference]:
    """What changes in the star with each raw column, beside what is traced to it."""
    for contract in built(lake.catalogue):
        table = lineage.tables[Dataset(contract.zone_info.database, contract.table)]
        rows = {row[contract.key[0]]: row for row in lake.rows(contract.table)}
        main = main_of(lake.catalogue, contract)
        joined = [(raw, POINTING) for _, raw in joined_to(lake.catalogue, contract)]
        for raw, begin in [(main, 0), *joined]:
            for place, column in enumerate(own_columns(raw), 2):
                start = Field(raw.zone_info.database, raw.table, column.name)
                row, first = rows[key_of(main, begin + place)], rows[key_of(main, 1)]
                yield Difference(
                    start, contract.table, changed(contract, first, row), traced(table.columns, start)
                )


def changed(contract: Contract, first: Row, row: Row) -> frozenset[str]:
    numbered = {column.name for column in contract.columns if column.record_id}
    return frozenset(
        name for name in row if row[name] != first[name] and name not in {*contract.key, *numbered}
    )


def traced(columns: Mapping[str, tuple[Input, ...]], start: Field) -> frozenset[str]:
    return frozenset(
        name
        for name, inputs in columns.items()
        if any(one.field == start and (one.how.is_direct or one.how == CONDITIONAL) for one in inputs)
    )


def with_edge(lineage: ColumnLineage, end: Field, inputs: tuple[Input, ...]) -> ColumnLineage:
    """The lineage with other inputs of one column."""
    table = lineage.tables[end.dataset]
    return ColumnLineage(
        {**lineage.tables, end.dataset: replace(table, columns={**table.columns, end.column: inputs})}
    )


def referring(catalogue: Catalogue) -> tuple[dict[str, list[Row]], list[Referred]]:
    """Rows of facts, each of which refers to a key or uses a year that no other does, and which these are."""
    keys, years = iter(range(700, 800)), iter(range(1950, 1999))
    tables: dict[str, list[Row]] = {}
    found = []
    for fact in catalogue.star_of_kind("fact"):
        raw = main_of(catalogue, fact)
        rows = tables[raw.table] = []
        for reference in fact.references:
            end = catalogue.star[reference.table]
            (name,) = fact.column(reference.column).inputs
            start = Field(raw.zone_info.database, raw.table, name)
            value: Any = next(keys if end.kind == "dimension" else years)
            found.append(Referred(start, end, value))
            if end.kind == "calendar":
                of_type = {"text": f"{value}-05-06", "date": dt.date(value, 5, 6)}
                value = of_type.get(raw.column(name).type.name, dt.datetime(value, 5, 6))  # noqa: DTZ001
            key = key_of(raw, 2 * POINTING + len(rows))
            rows.append({**plain_row(raw, key), name: value})
    return tables, found


@dataclass(frozen=True)
class Built:
    """A star that was built, and what its rows were made of.

    Attributes:
        lake: The lake.
        lineage: What is known of its tables.
        referred: Keys and years that rows of facts refer to.
    """

    lake: Lake
    lineage: ColumnLineage
    referred: list[Referred]


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    folder = tmp_path_factory.mktemp("lineage")
    with pytest.MonkeyPatch.context() as patched, lake(folder, patched) as made:
        made.capture(given(made.catalogue))
        made.accept()
        assert made.dimensions() == made.facts() == 0
        tables, referred = referring(made.catalogue)
        made.capture(tables)
        made.accept()
        assert made.dimensions() == 0
        yield Built(made, ColumnLineage.of(core(made.catalogue)), referred)


def test_what_a_raw_column_changes_is_what_is_traced_to_it(star: Built) -> None:
    every = list(compared(star.lake, star.lineage))
    assert len(every) > 90
    assert sum(len(one.changed) for one in every) > 80
    assert differences(star.lake, star.lineage) == []


@pytest.mark.parametrize("wrong", ["units_sold", None])
def test_a_planted_wrong_edge_and_a_missing_one_are_told_by_what_the_engine_does(
    star: Built, wrong: str | None
) -> None:
    raw, database = (star.lake.catalogue.zones[name].database for name in ("raw", "star"))
    price = Field(raw, "sales_order", "unit_price")
    planted = () if wrong is None else (Input(Field(raw, "sales_order", wrong), IDENTITY),)
    bad = with_edge(star.lineage, Field(database, "fact_sales_order", "unit_price"), planted)
    found = {one.start: one for one in differences(star.lake, bad)}
    assert found[price].changed - found[price].traced == {"unit_price"}
    assert set(found) == {price, *(one.field for one in planted)}


def test_a_key_that_is_referred_to_and_a_year_that_is_used_are_traced_to_the_rows_they_make(
    star: Built,
) -> None:
    assert {one.end.kind for one in star.referred} == {"dimension", "calendar"}
    rows = {one.end.table: star.lake.rows(one.end.table) for one in star.referred}
    for one in star.referred:
        end = Dataset(one.end.zone_info.database, one.end.table)
        name = "year" if one.end.kind == "calendar" else one.end.key[0]
        assert one.value in {row[name] for row in rows[one.end.table]}
        if one.end.kind == "calendar":
            deciding = star.lineage.tables[end].rows
        else:
            deciding = tuple(i for i in star.lineage.origins(Field(*end, name)) if i.how.is_direct)
        assert one.start in {i.field for i in deciding}
