"""Queries as Spark reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.functions import BY_NAME
from glue_jobs.engine.spark_text import spark_text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT a FROM b", "SELECT a FROM b"),
        (r"SELECT 'a\d''s' AS x", r"SELECT 'a\\d''s' AS x"),
        (r"SELECT a -- it's \d", r"SELECT a -- it's \d"),
        ("SELECT 'date_of(t)' AS x", "SELECT 'date_of(t)' AS x"),
        ("SELECT date_of AS x", "SELECT date_of AS x"),
        ("SELECT date_of(t) FROM r", "SELECT CAST(CAST(CAST(t AS TIMESTAMP) AS DATE) AS DATE) FROM r"),
        ("SELECT date_of (t) FROM r", "SELECT CAST(CAST(CAST(t AS TIMESTAMP) AS DATE) AS DATE) FROM r"),
        (
            "SELECT date_of(max(t, (1))) FROM r",
            "SELECT CAST(CAST(CAST(max(t, (1)) AS TIMESTAMP) AS DATE) AS DATE) FROM r",
        ),
        (
            "year_of(date_of(t))",
            "CAST(CAST(year(CAST(CAST(CAST(CAST(t AS TIMESTAMP) AS DATE) AS DATE) AS DATE)) AS INT) AS INT)",
        ),
        # The argument is called day, and so is the function of Spark's that takes it.
        ("SELECT day_number(d) FROM r", "SELECT CAST(CAST(day(CAST(d AS DATE)) AS INT) AS INT) FROM r"),
    ],
)
def test_functions_are_put_in_and_literals_mean_themselves(query: str, expected: str) -> None:
    assert spark_text(query) == expected


def test_arguments_end_at_commas_outside_of_literals_and_parentheses() -> None:
    found = spark_text("SELECT finds(coalesce(a, ','), 'x,y') AS f")
    assert (
        found == "SELECT CAST(CAST(coalesce(a, ',') AS STRING) RLIKE CAST( 'x,y' AS STRING) AS BOOLEAN) AS f"
    )


@pytest.mark.parametrize("query", ["SELECT date_of(a, b)", "SELECT finds(a)", "SELECT date_of(a"])
def test_a_call_that_does_not_fit_is_refused(query: str) -> None:
    with pytest.raises(ValueError, match=r"takes \d arguments between parentheses"):
        spark_text(query)


@given(st.text())
def test_text_without_calls_or_backslashes_stays(text: str) -> None:
    plain = text.replace("\\", "")
    for name in BY_NAME:
        plain = plain.replace(name, "")
    assert spark_text(plain) == plain
