"""What cards ask for: the SQL, run on made-up rows, gives what they show of what is chosen."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from bi.card_queries import Choices, SheetQueries, sheet_queries
from bi.dashboard import Dashboard, Declaration, Query
from bi.periods import Range
from bi.select_lists import ENGINES

ROWS = """SELECT * FROM (VALUES
    (1, DATE '2024-08-31', '2024-08', 'GBP', 'France',  'd''Or', 1, 10.00),
    (2, DATE '2024-09-01', '2024-09', 'GBP', 'France',  'Ash',   2, 20.00),
    (3, DATE '2024-09-30', '2024-09', 'GBP', 'Ghana',   'Ash',   3, 40.00),
    (4, DATE '2024-09-30', '2024-09', 'EUR', 'Ghana',   'Ash',   4, 80.00),
    (5, DATE '2024-10-01', '2024-10', 'GBP', 'Ireland', 'd''Or', 5, 1.00),
    (6, DATE '2024-09-15', '2024-09', 'GBP', NULL,      'd''Or', NULL, NULL)
) AS t (sale, day, month, currency, country, design, units, revenue)"""
DECLARED = {
    "name": "small",
    "title": "Small",
    "fields": {
        "sale": {"title": "Sale", "key_of": "sale"},
        "day": {"title": "Day"},
        "month": {"title": "Month"},
        "currency": {"title": "Currency"},
        "country": {"title": "Country"},
        "design": {"title": "Design"},
        "units": {"title": "Totes", "unit": "totes"},
        "revenue": {"title": "Revenue", "unit": "money"},
    },
    "filters": {
        "currency": {"title": "Currency", "field": "currency", "choose": "one", "default": "GBP"},
        "when": {
            "title": "Period", "field": "day", "months": "month", "choose": "range", "default": "this_year",
        },
        "country": {"title": "Country", "field": "country", "choose": "any"},
        "design": {"title": "Design", "field": "design", "choose": "any"},
    },
    "sheets": {
        "sales": {
            "title": "Sales",
            "about": "What was sold.",
            "filters": ["currency", "when", "country", "design"],
            "visuals": {
                "revenue": {"title": "R", "query": "sales", "kind": "key_figure", "values": ["revenue"]},
                "units": {"title": "T", "query": "sales", "kind": "key_figure", "values": ["units"]},
                "by_month": {
                    "title": "M", "query": "sales", "kind": "line", "category": "month",
                    "values": ["revenue"],
                },
                "by_country": {
                    "title": "C", "query": "sales", "kind": "ranked_bar", "category": "country",
                    "values": ["revenue"], "limit": 2,
                },
                "listed": {
                    "title": "L", "query": "sales", "kind": "table",
                    "columns": ["sale", "day", "units", "revenue"],
                    "sort": "sale", "descending": True, "limit": 2,
                },
            },
        }
    },
}  # fmt: skip
COLUMNS: dict[str, Any] = {
    "sale": "integer",
    "day": "date",
    "month": "text",
    "currency": "text",
    "country": "text",
    "design": "text",
    "units": "integer",
    "revenue": "decimal",
}
DASHBOARD = Dashboard(
    Declaration.model_validate(DECLARED),
    {"sales": Query("sales", COLUMNS, frozenset({"revenue"}), dict.fromkeys(ENGINES, ROWS))},
)
SHEET = DASHBOARD.declared.sheets["sales"]
SEPTEMBER = Range(date(2024, 9, 1), date(2024, 9, 30))


def asked(days: Range | None = None, **values: str) -> SheetQueries:
    return sheet_queries(DASHBOARD, SHEET, Choices({"currency": "GBP", **values}, days))


def answer(queries: SheetQueries, visual: str) -> list[tuple[Any, ...]]:
    """The rows of a card, of the query that answers several; its own query gives the same."""
    card = queries.cards[visual]
    asked = duckdb.sql(queries.queries[card.asked].statements["lake"])
    assert asked.columns == list(queries.queries[card.asked].columns)
    rows = queries.rows_of(visual, asked.fetchall())
    own = duckdb.sql(card.query.statements["lake"])
    assert own.columns == list(card.query.columns)
    assert sorted(map(repr, own.fetchall())) == sorted(map(repr, rows))
    plain = [tuple(float(cell) if isinstance(cell, Decimal) else cell for cell in row) for row in rows]
    return sorted(plain, key=lambda row: -(row[-1] or 0)) if visual == "by_month" else plain


def test_figures_and_charts_of_a_query_are_one_question_and_a_table_another() -> None:
    queries = asked()
    assert list(queries.queries) == ["sales: charts", "listed"]
    assert {card.asked for name, card in queries.cards.items() if name != "listed"} == {"sales: charts"}
    assert answer(queries, "revenue") == [(71.0,)]
    assert answer(queries, "units") == [(11,)]


def test_what_is_chosen_narrows_every_card_and_nothing_else_does() -> None:
    assert answer(asked(currency="EUR"), "revenue") == [(80.0,)]
    assert answer(asked(country="France"), "by_month") == [("2024-09", 20.0), ("2024-08", 10.0)]
    assert answer(asked(design="d'Or", country="France"), "revenue") == [(10.0,)]
    assert answer(asked(design="' OR '1' = '1"), "revenue") == [(None,)]
    assert answer(asked(SEPTEMBER), "by_month") == [("2024-09", 60.0)]


def test_a_key_figure_is_given_with_that_of_as_many_days_before() -> None:
    # Thirty days of September, and the thirty before: from 2 to 31 August.
    assert answer(asked(SEPTEMBER), "revenue") == [(60.0, 10.0)]
    one_day = Range(date(2024, 10, 1), date(2024, 10, 1))
    assert answer(asked(one_day), "revenue") == [(1.0, 40.0)]


def test_a_ranking_has_its_longest_and_a_table_its_first_in_order() -> None:
    assert answer(asked(), "by_country") == [("Ghana", 40.0), ("France", 30.0)]
    assert answer(asked(), "listed") == [
        (6, date(2024, 9, 15), None, None),
        (5, date(2024, 10, 1), 5, 1.0),
    ]


def test_what_can_be_chosen_is_everything_there_is_whatever_is_chosen() -> None:
    (options,) = asked(SEPTEMBER, country="France").options.values()
    found = duckdb.sql(options.statements["lake"])
    assert (
        found.columns == list(options.columns) == ["currency", "country", "design", "first_day", "last_day"]
    )
    columns = list(zip(*found.fetchall(), strict=True))
    assert [{cell for cell in cells if cell is not None} for cells in columns[:3]] == [
        {"GBP", "EUR"},
        {"France", "Ghana", "Ireland"},
        {"Ash", "d'Or"},
    ]
    assert (min(filter(None, columns[3])), max(filter(None, columns[4]))) == (
        date(2024, 8, 31),
        date(2024, 10, 1),
    )


def test_the_months_of_the_days_are_named_so_that_other_partitions_are_not_read() -> None:
    queries = asked(SEPTEMBER)
    # A key figure reads the month before, too.
    for query, first in (
        (queries.queries["sales: charts"], "2024-08"),
        (queries.queries["listed"], "2024-09"),
    ):
        assert f"month BETWEEN '{first}' AND '2024-09'" in query.statements["lake"]


def test_both_engines_are_asked_what_their_parsers_read() -> None:
    queries = asked(SEPTEMBER, country="France", design="d'Or")
    for query in (*queries.queries.values(), *queries.options.values()):
        dialects = ("athena", "postgres")
        for statement, dialect in zip(map(query.statements.__getitem__, ENGINES), dialects, strict=True):
            assert isinstance(sqlglot.parse_one(statement, dialect=dialect), exp.Select)
