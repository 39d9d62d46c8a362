"""The declaration of the dashboard: what it holds, and what it refuses by file and line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bi.dashboard import Dashboard, dashboard_file, load_dashboard, read_dashboard
from bi.select_lists import ENGINES, QueryError, Schema, schema_of, selected, statement
from catalog.catalogue import load_catalogue
from catalog.yaml_lines import ContractError

SQL = """-- Sales
-- Answers: What was sold?
-- Avoids:
--   * counting twice.
SELECT
    f.created_month AS month,
    c.currency_code AS currency,
    d.design_name AS design,
    sum(f.units_sold) AS units,
    sum(f.unit_price * f.units_sold) AS revenue,
    max(f.captured_at) AS seen_at
FROM fact_sales_order_current AS f
JOIN dim_currency AS c ON c.currency_id = f.currency_id
JOIN dim_design AS d ON d.design_id = f.design_id
GROUP BY 1, 2, 3
"""
DECLARED = """name: small
title: Small
fields:
  month: {title: Month}
  currency: {title: Currency}
  units: {title: Totes, unit: totes}
  revenue: {title: Revenue, unit: money}
filters:
  currency: {title: Currency, field: currency, choose: one, default: GBP}
sheets:
  sales:
    title: Sales
    about: What was sold.
    filters: [currency]
    visuals:
      revenue:
        title: Revenue by month
        query: sold
        kind: bar
        category: month
        values: [revenue]
      units:
        title: Totes
        query: sold
        kind: key_figure
        values: [units]
"""
Read = Callable[[str, str], Dashboard]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def from_texts(declared: str = DECLARED, sql: str = SQL) -> Dashboard:
        (tmp_path / "sold.sql").write_text(sql)
        (tmp_path / "dashboard.yaml").write_text(declared)
        return read_dashboard(tmp_path / "dashboard.yaml", load_catalogue())

    return from_texts


def test_the_dashboard_has_eight_sheets_and_both_engines_answer_them() -> None:
    dashboard = load_dashboard()
    rest = ["deliveries", "history", "trust"]
    assert list(dashboard.declared.sheets) == ["sales", "people", "orders", "cash", "reported", *rest]
    for engine in ENGINES:
        sheets = dashboard.sheets_on(engine)
        assert all(sheet.visuals for sheet in sheets.values())
        assert set(dashboard.queries_on(engine)) == {
            visual.query for sheet in sheets.values() for visual in sheet.visuals.values()
        }
    both = [query for query in dashboard.queries.values() if len(query.statements) == 2]
    assert len(both) == 10


def test_a_sound_declaration_is_read(read: Read) -> None:
    dashboard = read(DECLARED, SQL)
    query = dashboard.queries["sold"]
    assert dict(query.columns) == {
        "month": "text",
        "currency": "text",
        "design": "text",
        "units": "integer",
        "revenue": "decimal",
        "seen_at": "timestamp",
    }
    assert query.money == {"revenue"}
    sheet = dashboard.declared.sheets["sales"]
    # What holds of the whole sheet is said by its controls, once.
    assert {dashboard.caption(sheet, visual) for visual in sheet.visuals.values()} == {""}
    described = {name: dashboard.description(sheet, visual) for name, visual in sheet.visuals.items()}
    assert described == {
        "revenue": "Revenue by month. Amounts in the chosen currency.",
        "units": "Totes. Totes.",
    }


def test_a_caption_says_what_does_not_narrow_a_card() -> None:
    dashboard = load_dashboard()
    cash = dashboard.declared.sheets["cash"]
    assert dashboard.caption(cash, cash.visuals["payments_due"]) == "Not narrowed by period."
    assert dashboard.caption(cash, cash.visuals["spend"]) == ""


def test_codes_are_called_what_people_call_them_and_keys_stand_in_parentheses() -> None:
    queries = load_dashboard().queries
    for engine in ENGINES:
        due, sales = (queries[name].statements[engine] for name in ("payments_due", "sales"))
        assert "WHEN 'SALES_RECEIPT' THEN 'Customers pay us'" in due
        assert "'(' || CAST(design_id AS varchar) || ')') AS design" in sales


RANGE = "filters:\n  period: {title: Period, field: seen_on, choose: range, default: this_year}\n"


@pytest.mark.parametrize(
    ("old", "new", "at", "words"),
    [
        ("kind: bar", "kind: pie", "kind: pie", "kind"),
        ("kind: bar", "kind: bar\n        shade: 3", "shade: 3", "unknown key"),
        ("        title: Totes\n", "", "units:", "title' is missing"),
        ("query: sold", "query: bought", "query: bought", "no query bought"),
        ("[revenue]", "[profit]", "values: [profit]", "gives back no profit, but month, currency"),
        ("[revenue]", "[month]", "values: [month]", "month has no unit"),
        ("category: month", "category: units", "category: units", "measured in totes"),
        ("category: month", "category: design", "category: design", "design is not described"),
        ("[revenue]", "[revenue, units]", "values: [revenue, units]", "have one unit"),
        ("[currency]", "[month]", "filters: [month]", "no filter month"),
        (", choose: one, default: GBP", ", choose: any", "revenue:", "money of several currencies"),
        ("choose: one, default: GBP", "choose: one", "currency:", "states a default"),
        ("unit: totes", "unit: money", "values: [units]", "units is not money"),
        ("unit: money", "unit: pounds", "values: [revenue]", "its unit is money"),
        ("title: Revenue,", "title: Totes,", "revenue:", "units is called Totes too"),
        ("  month:", "  day: {title: Day}\n  month:", "day:", "no visual shows day"),
        ("filters:\n", "queries:\n  gone: {only: lake}\nfilters:\n", "gone:", "no visual asks gone"),
        ("kind: key_figure", "kind: table", "units:", "a table states columns"),
        ("kind: key_figure", "kind: line", "units:", "a chart states a category"),
        ("kind: bar", "kind: bar\n        sort: currency", "sort: currency", "nothing is sorted by it"),
        ("filters:\n", RANGE.replace("this_year", "soon"), "period:", "a range begins as one of this_month"),
        ("filters:\n", RANGE.replace("seen_on", "month"), "period:", "no sheet has the filter period"),
        ("[currency]\n", "[currency]\n    details: gone\n", "details:", "no sheet gone"),
        ("title: Totes, unit", "title: Totes, names: {a: b}, unit", "units:", "has no names and is no key"),
    ],
)
def test_a_declaration_that_does_not_hang_together_is_refused_by_file_and_line(
    read: Read, old: str, new: str, at: str, words: str
) -> None:
    assert old in DECLARED
    declared = DECLARED.replace(old, new, 1)
    with pytest.raises(ContractError) as caught:
        read(declared, SQL)
    assert words in caught.value.reason
    assert caught.value.path.name == "dashboard.yaml"
    assert declared.splitlines()[caught.value.line - 1].strip().startswith(at), caught.value


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("f.units_sold)", "f.nothing)", "nothing"),
        ("FROM fact_sales_order_current", "FROM fact_of_nothing", "no table totesys_star.fact_of_nothing"),
        ("SELECT\n", "DELETE\n", ""),
        ("c.currency_code AS currency", "c.currency_code AS coin", "no column currency"),
        ("-- Answers: What was sold?\n", "", "the header states a title"),
        ("-- Sales", "-- Sales", "made of size, which it does not give back"),
        ("max(f.captured_at)", "element_at(split(d.design_name, ' '), 1)", "state it below kinds"),
    ],
)
def test_a_query_that_does_not_fit_the_tables_is_refused_by_its_file(
    read: Read, old: str, new: str, words: str
) -> None:
    assert old in SQL
    labelled = DECLARED.replace("filters:", "queries:\n  sold: {labels: {what: [design, size]}}\nfilters:", 1)
    with pytest.raises(ContractError) as caught:
        read(labelled if "size" in words else DECLARED, SQL.replace(old, new))
    assert words in caught.value.reason
    assert caught.value.path.name == "sold.sql"


@pytest.mark.parametrize(("kind", "fits"), [("bar", True), ("line", True), ("stacked_bar", False)])
def test_without_a_chosen_currency_money_is_shown_apart_and_never_stacked(
    read: Read, kind: str, fits: bool
) -> None:
    declared = DECLARED.replace("    filters: [currency]\n", "").replace(
        "filters:\n  currency: {title: Currency, field: currency, choose: one, default: GBP}\n", ""
    )
    declared = declared.replace("kind: bar", f"kind: {kind}\n        colour: currency")
    if fits:
        read(declared, SQL)
    else:
        with pytest.raises(ContractError, match="money of several currencies is added up"):
            read(declared, SQL)


def test_money_is_known_through_subqueries_and_unions_and_a_count_of_it_is_none() -> None:
    sql = """WITH paid AS (
        SELECT payment_amount AS sum_of_it, payment_id FROM fact_payment_current
        UNION ALL
        SELECT unit_price, sales_order_id FROM fact_sales_order_current
    ), again AS (SELECT * FROM paid)
    SELECT sum(sum_of_it) AS total, count(sum_of_it) AS how_many, max(payment_id) AS last FROM again"""
    found = selected(sql, schema_of("lake", load_catalogue()))
    assert [(column.name, column.kind, sorted(column.money)) for column in found] == [
        ("total", "decimal", ["payment_amount", "unit_price"]),
        ("how_many", "integer", []),
        ("last", "integer", []),
    ]


@pytest.mark.parametrize(
    ("currency", "revenue", "words"),
    [
        ("'GBP'", "sum(f.amount_gbp)", ""),
        ("'GBP'", "sum(f.amount)", "revenue is of several currencies, and currency says GBP of all"),
        ("'EUR'", "sum(f.amount_gbp)", "revenue is of several currencies, and currency says EUR of all"),
        (
            "'GBP'",
            "sum(f.amount_gbp + f.amount)",
            "revenue adds amounts of the reporting currency and of others",
        ),
        ("c.currency_code", "sum(f.amount_gbp)", "revenue is not money"),
    ],
)
def test_amounts_are_added_over_currencies_in_the_reporting_currency_alone(
    read: Read, currency: str, revenue: str, words: str
) -> None:
    sql = SQL.replace("sum(f.unit_price * f.units_sold)", revenue).replace("_current AS f", "_gbp AS f")
    sql = sql.replace("c.currency_code AS", f"{currency} AS")
    if not words:
        assert read(DECLARED, sql).queries["sold"].money == {"revenue"}
        return
    with pytest.raises(ContractError, match=words):
        read(DECLARED, sql)


def test_for_the_warehouse_a_partition_is_the_day_that_it_follows_from() -> None:
    catalogue = load_catalogue()
    sql = "SELECT f.created_month AS month, count(*) AS orders FROM fact_payment_current AS f GROUP BY 1"
    columns = selected(sql, schema_of("lake", catalogue))
    assert "created_month" in statement(sql, "lake", catalogue, columns, {})
    asked = statement(sql, "warehouse", catalogue, columns, {})
    assert asked.count("TO_CHAR(f.created_date, 'YYYY-MM')") == 1
    assert "CAST(orders AS bigint) AS orders" in asked
    with pytest.raises(QueryError, match="created_month"):
        selected(sql, schema_of("warehouse", catalogue))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT date_trunc('month', at) AS month FROM seen",
        "SELECT count(*) AS few FROM seen WHERE at < TIMESTAMP '2024-07-01 00:00:00'",
        "SELECT s.shown FROM (SELECT max(at) AS shown FROM seen) AS s",
        "SELECT * FROM seen",
    ],
)
def test_a_time_that_athena_rounds_is_not_asked_for(sql: str) -> None:
    columns = {"at": "timestamp(6)", "on_day": "date", "at_last": "timestamp"}
    schema = Schema("lake", "star", {"star": {"seen": columns}})
    with pytest.raises(QueryError, match="at has six digits of a second, which Athena rounds to three"):
        selected(sql, schema)
    assert selected("SELECT on_day, at_last FROM seen", schema)
    warehouse = Schema("warehouse", "star", {"star": {"seen": columns}})
    assert selected("SELECT max(at) AS shown FROM seen", warehouse)


def test_the_declaration_is_a_file_among_its_queries() -> None:
    assert {path.suffix for path in dashboard_file().parent.iterdir()} == {".yaml", ".sql"}
