"""What people type leads to what they mean."""

from __future__ import annotations

import pytest

from bi.questions import load_questions
from catalog.catalogue import load_catalogue
from lakehouse.console.search import Found, search

CATALOGUE = load_catalogue()
ZONES = {"raw": CATALOGUE.raw, "star": CATALOGUE.star, "ops": CATALOGUE.ops}


def found(words: str) -> list[Found]:
    return search(words, ZONES, load_questions().values())


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("customer", "dim_counterparty"),
        ("Suppliers", "dim_counterparty"),
        ("employee", "dim_staff"),
        ("fact_payment", "fact_payment"),
        ("revenue country", "revenue_by_delivery_country"),
        ("late payments", "fact_payment"),
    ],
)
def test_the_words_of_people_find_what_they_mean_first(words: str, first: str) -> None:
    assert found(words)[0].name == first


def test_what_analysts_read_comes_before_what_it_is_made_of() -> None:
    zones = [one.zone for one in found("price") if one.zone != "question"]
    assert zones
    assert zones == sorted(zones, key=["star", "raw", "ops"].index)


def test_a_question_is_found_by_what_it_answers() -> None:
    assert "payments_due" in {one.name for one in found("late payments") if one.zone == "question"}


def test_every_word_has_to_fit() -> None:
    assert found("price elephant") == []
    assert found("") == []
    assert found("  ,.  ") == []


def test_the_columns_that_a_word_names_are_told() -> None:
    (table,) = [one for one in found("unit_price") if one.name == "fact_sales_order"]
    assert "unit_price" in table.columns
