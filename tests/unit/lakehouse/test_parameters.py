"""A parameter of a question is a condition inside it, or is refused in words."""

from __future__ import annotations

import pytest

from glue_jobs.runtime.errors import UserError
from lakehouse.parameters import narrowed, parse_values

SALES = (
    "SELECT f.created_month AS month, c.code AS currency, sum(f.units) AS units\n"
    "FROM fact AS f JOIN dim AS c USING (currency_id) WHERE f.units > 1\n"
    "GROUP BY f.created_month, c.code ORDER BY month"
)
COLUMNS = {"month": "varchar", "currency": "varchar(3)", "units": "bigint"}


def condition(*given: str, sql: str = SALES, columns: dict[str, str] | None = None) -> str:
    """What stands between WHERE and GROUP BY."""
    found = narrowed(sql, parse_values(given), columns or COLUMNS)
    return found.partition(" WHERE ")[2].partition(" GROUP BY")[0]


def test_a_value_is_compared_with_what_the_column_is_made_of() -> None:
    assert condition("month=2024-11") == "f.units > 1 AND f.created_month IN ('2024-11')"


def test_several_columns_are_all_asked_for_and_several_values_of_one_are_alternatives() -> None:
    assert condition("currency=GBP", "month=2024-11", "currency=EUR") == (
        "(f.units > 1 AND c.code IN ('GBP', 'EUR')) AND f.created_month IN ('2024-11')"
    )


def test_the_order_and_the_groups_stay() -> None:
    found = narrowed(SALES, parse_values(["month=2024-11"]), COLUMNS)
    assert found.endswith("GROUP BY f.created_month, c.code ORDER BY month")


def test_a_value_is_a_value_whatever_it_holds() -> None:
    assert condition("month=x' OR 'a'='a") == "f.units > 1 AND f.created_month IN ('x'' OR ''a''=''a')"


@pytest.mark.parametrize(
    ("value", "kind", "written"),
    [
        ("7", "bigint", "CAST('7' AS BIGINT)"),
        ("-1.50", "decimal(10,2)", "CAST('-1.50' AS DECIMAL(10, 2))"),
        ("2024-11-01", "date", "CAST('2024-11-01' AS DATE)"),
        ("true", "boolean", "CAST('true' AS BOOLEAN)"),
    ],
)
def test_a_value_has_the_type_of_its_column(value: str, kind: str, written: str) -> None:
    assert condition(f"a={value}", sql="SELECT a FROM t", columns={"a": kind}) == f"a IN ({written})"


@pytest.mark.parametrize(
    ("given", "sql", "columns", "said"),
    [
        ("month", SALES, COLUMNS, "is no COLUMN=VALUE"),
        ("year=2024", SALES, COLUMNS, "no column year. It has month, currency, units"),
        ("units=3", SALES, COLUMNS, "units follows from several rows.* month, currency"),
        ("a=x", "SELECT a FROM t", {"a": "bigint"}, "--param a=x: the column is bigint"),
        ("a=x", "SELECT a FROM t", {"a": "array(bigint)"}, "whose values cannot be given"),
        ("a=1", "SELECT a FROM t LIMIT 3", {"a": "bigint"}, "are another answer"),
        ("a=1", "SELECT a, rank() OVER () AS r FROM t", {"a": "bigint"}, "are another answer"),
        ("a=1", "SELECT a FROM t UNION SELECT a FROM u", {"a": "bigint"}, "are another answer"),
        ("a=1", "SELECT (SELECT 1) AS a FROM t", {"a": "bigint"}, "follows from several rows"),
        ("a=1", "SELECT (", {"a": "bigint"}, "cannot be given parameters"),
    ],
)
def test_what_would_not_mean_the_same_is_refused(
    given: str, sql: str, columns: dict[str, str], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        narrowed(sql, parse_values([given]), columns)
