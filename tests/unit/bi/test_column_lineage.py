"""What goes into a query's columns, read from its text: every form of SQL that questions and views have."""

from __future__ import annotations

import pytest

from bi.column_lineage import NotTracedError, Traced, trace

TABLES = {
    "shop": {
        "sale": {"id": "integer", "kind": "integer", "amount": "integer", "day": "date", "words": "varchar"},
        "kind": {"id": "integer", "name": "varchar"},
    }
}


def traced(sql: str, dialect: str = "athena") -> Traced:
    return trace(sql, dialect, TABLES, "shop")


def columns(sql: str, dialect: str = "athena") -> dict[str, set[str]]:
    found = traced(sql, dialect).columns
    return {
        name: {f"{one.field.table}.{one.field.column} {one.how.subtype}" for one in inputs}
        for name, inputs in found.items()
    }


def rows(sql: str) -> set[str]:
    return {f"{one.field.table}.{one.field.column} {one.how.subtype}" for one in traced(sql).rows}


@pytest.mark.parametrize(
    ("expression", "inputs"),
    [
        ("amount", {"sale.amount IDENTITY"}),
        ("(amount)", {"sale.amount IDENTITY"}),
        ("amount + kind", {"sale.amount TRANSFORMATION", "sale.kind TRANSFORMATION"}),
        ("CAST(amount AS varchar)", {"sale.amount TRANSFORMATION"}),
        ("coalesce(amount, 0)", {"sale.amount TRANSFORMATION"}),
        ("CASE WHEN kind = 1 THEN amount END", {"sale.kind CONDITIONAL", "sale.amount TRANSFORMATION"}),
        (
            "CASE kind WHEN 1 THEN amount ELSE id END",
            {"sale.kind CONDITIONAL", "sale.amount TRANSFORMATION", "sale.id TRANSFORMATION"},
        ),
        (
            "if(kind = 1, amount, id)",
            {"sale.kind CONDITIONAL", "sale.amount TRANSFORMATION", "sale.id TRANSFORMATION"},
        ),
        (
            "sum(amount) OVER (PARTITION BY kind ORDER BY day)",
            {"sale.amount AGGREGATION", "sale.kind WINDOW", "sale.day WINDOW"},
        ),
        (
            "row_number() OVER (PARTITION BY kind ORDER BY day DESC)",
            {"sale.kind WINDOW", "sale.day WINDOW"},
        ),
        ("lag(amount) OVER (ORDER BY day)", {"sale.amount TRANSFORMATION", "sale.day WINDOW"}),
        ("1", set()),
        ("current_date", set()),
        (
            "kind IN (SELECT id FROM kind WHERE name = 'x')",
            {"sale.kind TRANSFORMATION", "kind.id TRANSFORMATION", "kind.name CONDITIONAL"},
        ),
        (
            "(SELECT max(k.name) FROM kind AS k WHERE k.id = sale.kind)",
            {"kind.name AGGREGATION", "kind.id CONDITIONAL", "sale.kind CONDITIONAL"},
        ),
    ],
)
def test_what_goes_into_an_expression(expression: str, inputs: set[str]) -> None:
    assert columns(f"SELECT {expression} AS found FROM sale") == {"found": inputs}


@pytest.mark.parametrize(
    ("expression", "inputs"),
    [
        ("sum(amount * 2)", {"sale.amount AGGREGATION"}),
        ("sum(amount) + 1", {"sale.amount AGGREGATION"}),
        ("count(*)", set()),
        ("count_if(amount > 1)", {"sale.amount AGGREGATION"}),
        ("sum(amount) FILTER (WHERE kind = 1)", {"sale.amount AGGREGATION", "sale.kind CONDITIONAL"}),
        ("min_by(amount, day)", {"sale.amount AGGREGATION", "sale.day SORT"}),
        ("sum(CASE WHEN kind = 1 THEN amount END)", {"sale.amount AGGREGATION", "sale.kind CONDITIONAL"}),
    ],
)
def test_what_goes_into_an_aggregate(expression: str, inputs: set[str]) -> None:
    assert columns(f"SELECT {expression} AS found FROM sale") == {"found": inputs}


def test_a_value_is_followed_through_queries_that_queries_name() -> None:
    sql = """
        WITH sold AS (SELECT kind AS of, sum(amount) AS total FROM sale GROUP BY kind)
        SELECT k.name, doubled.twice FROM (SELECT of, total * 2 AS twice FROM sold) AS doubled
        JOIN kind AS k ON k.id = doubled.of WHERE doubled.twice > 5 ORDER BY name
    """
    assert columns(sql) == {"name": {"kind.name IDENTITY"}, "twice": {"sale.amount AGGREGATION"}}
    assert rows(sql) == {
        *("sale.kind GROUP_BY", "sale.kind JOIN", "kind.id JOIN", "sale.amount FILTER", "kind.name SORT"),
    }


def test_branches_of_a_union_give_their_columns_by_place() -> None:
    sql = "SELECT id AS a, kind AS b FROM sale UNION ALL SELECT id, id FROM kind"
    assert columns(sql) == {
        "a": {"sale.id IDENTITY", "kind.id IDENTITY"},
        "b": {"sale.kind IDENTITY", "kind.id IDENTITY"},
    }
    assert rows(sql) == set()
    assert "kind.id GROUP_BY" in rows(sql.replace("UNION ALL", "UNION"))


def test_a_window_with_a_name_is_cut_by_what_its_name_stands_for() -> None:
    sql = "SELECT max(amount) OVER w AS most FROM sale WINDOW w AS (PARTITION BY kind ORDER BY day)"
    assert columns(sql) == {"most": {"sale.amount AGGREGATION", "sale.kind WINDOW", "sale.day WINDOW"}}


def test_rows_that_a_function_makes_are_made_of_what_it_is_given() -> None:
    sql = "SELECT s.id, w.word FROM sale AS s CROSS JOIN UNNEST(split(s.words, ' ')) AS w (word)"
    assert columns(sql) == {"id": {"sale.id IDENTITY"}, "word": {"sale.words TRANSFORMATION"}}
    assert rows(sql) == {"sale.words JOIN"}


def test_every_row_once_is_decided_by_all_columns() -> None:
    assert rows("SELECT DISTINCT kind, day FROM sale") == {"sale.kind GROUP_BY", "sale.day GROUP_BY"}


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT price FROM sale", "price"),
        ("SELECT id FROM nothing", "id"),
        ("SELECT FROM WHERE", "."),
        ("SELECT id FROM sale UNION ALL SELECT id, kind FROM sale", "numbers of columns"),
        ("DROP TABLE sale", "not a query"),
        ("SELECT t.x FROM sale CROSS JOIN UNNEST(split(words, ' ')) AS t", "."),
    ],
)
def test_what_cannot_be_followed_is_refused_in_words(sql: str, reason: str) -> None:
    with pytest.raises(NotTracedError, match=reason):
        traced(sql)
