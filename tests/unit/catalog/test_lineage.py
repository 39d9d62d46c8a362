"""Walks along what goes into what."""

from __future__ import annotations

import pytest

from catalog.lineage import (
    AGGREGATION,
    CARD,
    CONDITIONAL,
    FILTER,
    IDENTITY,
    QUESTION,
    TRANSFORMATION,
    ColumnLineage,
    Dataset,
    Field,
    How,
    Input,
    TableLineage,
    inputs_of,
    through,
)


def table(place: str, name: str, rows: tuple[Input, ...] = (), **columns: tuple[Input, ...]) -> TableLineage:
    return TableLineage(Dataset(place, name), "test", columns, rows)


RAW, OTHER = Field("raw", "sale", "amount"), Field("raw", "sale", "kind")
STAR = Field("star", "fact", "amount")
LINEAGE = ColumnLineage.of(
    [
        table("star", "fact", amount=(Input(RAW, IDENTITY),), kind=(Input(OTHER, IDENTITY),)),
        table("star", "view", amount=(Input(STAR, TRANSFORMATION), Input(OTHER, CONDITIONAL))),
        table(
            QUESTION,
            "totals",
            (Input(Field("star", "fact", "kind"), FILTER),),
            total=(Input(Field("star", "view", "amount"), AGGREGATION),),
        ),
        table(CARD, "sales/total", total=(Input(Field(QUESTION, "totals", "total"), IDENTITY),)),
    ]
)


def test_a_value_reaches_what_it_goes_into_the_nearest_first() -> None:
    assert list(map(str, LINEAGE.reached(RAW))) == [
        *("star.fact.amount", "star.view.amount", "question totals.total", "card sales/total.total"),
    ]
    assert list(map(str, LINEAGE.reached(OTHER))) == ["star.fact.kind"]


def test_what_decides_rows_or_values_is_told_apart() -> None:
    assert LINEAGE.decided(RAW) == ()
    assert set(LINEAGE.decided(OTHER)) == {Dataset("star", "view"), Dataset(QUESTION, "totals")}


def test_a_walk_ends_where_columns_go_into_each_other() -> None:
    one, other = Field("a", "t", "x"), Field("b", "t", "x")
    circle = ColumnLineage.of(
        [table("a", "t", x=(Input(other, IDENTITY),)), table("b", "t", x=(Input(one, IDENTITY),))]
    )
    assert circle.reached(one) == (other,)


@pytest.mark.parametrize(
    ("first", "then", "both"),
    [
        (IDENTITY, IDENTITY, IDENTITY),
        (IDENTITY, TRANSFORMATION, TRANSFORMATION),
        (AGGREGATION, TRANSFORMATION, AGGREGATION),
        (AGGREGATION, CONDITIONAL, CONDITIONAL),
        (CONDITIONAL, AGGREGATION, CONDITIONAL),
        (CONDITIONAL, FILTER, FILTER),
    ],
)
def test_two_steps_are_what_the_stronger_is(first: How, then: How, both: How) -> None:
    assert through(first, then) == both


def test_a_column_counts_once_by_what_changes_it_most() -> None:
    found = inputs_of(
        [Input(RAW, IDENTITY), Input(RAW, TRANSFORMATION), Input(RAW, FILTER), Input(RAW, FILTER)]
    )
    assert set(found) == {Input(RAW, TRANSFORMATION), Input(RAW, FILTER)}
