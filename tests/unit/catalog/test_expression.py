"""What expressions are compiled to, and what is refused, in words and with its place."""

from __future__ import annotations

import duckdb
import pytest

from catalog.catalogue import load_catalogue
from catalog.expression import (
    ExpressionError,
    compile_expression,
    references,
    star_expression,
    star_unreadable,
)
from catalog.functions import literal
from catalog.sql_parser import RESERVED
from catalog.types import TYPE_TABLE, parse_type, sql_type

COLUMNS = {
    name: parse_type(kind)
    for name, kind in {
        "units": "integer",
        "total": "bigint",
        "price": "decimal(10,2)",
        "wide": "decimal(30,7)",
        "code": "text",
        "made_at": "timestamp",
        "seen_at": "timestamp(6)",
        "sent_at": "timestamptz",
        "weight": "double",
        "girth": "real",
        "day": "date",
        "clock": "time",
        "paid": "boolean",
        "address.city": "text",
        "known.address_id": "boolean",
    }.items()
}


@pytest.mark.parametrize(
    ("text", "kind", "sql"),
    [
        ("units", "integer", "units"),
        ("address.city", "text", "address__city"),
        ("units + 1", "bigint", "CAST(units AS BIGINT) + CAST(1 AS BIGINT)"),
        ("units * price", "decimal(20,2)", "CAST(CAST(units AS DECIMAL(19,0)) * price AS DECIMAL(20,2))"),
        ("price * 2", "decimal(11,2)", "CAST(price * CAST(2 AS DECIMAL(1,0)) AS DECIMAL(11,2))"),
        (
            "price - 0.005",
            "decimal(12,3)",
            "CAST(CAST(price AS DECIMAL(12,3)) - CAST(0.005 AS DECIMAL(12,3)) AS DECIMAL(12,3))",
        ),
        ("-units", "bigint", "(-CAST(units AS BIGINT))"),
        ("units - -5", "bigint", "CAST(units AS BIGINT) - CAST(-5 AS BIGINT)"),
        ("price >= 0", "boolean", "price >= CAST(0 AS DECIMAL(10,2))"),
        ("units = total", "boolean", "CAST(units AS BIGINT) = total"),
        ("code IN ('a', 'it''s')", "boolean", "code IN ('a', ('it' || chr(39) || 's'))"),
        ("units not between 1 and 5", "boolean", "units NOT BETWEEN 1 AND 5"),
        ("paid or not known.address_id and paid", "boolean", "paid OR (NOT known__address_id AND paid)"),
        ("CODE IS DISTINCT FROM NULL", "boolean", "code IS DISTINCT FROM CAST(NULL AS STRING)"),
        ("coalesce(code, '')", "text", "coalesce(code, '')"),
        (
            "case when paid then 1 else total end",
            "bigint",
            "CASE WHEN paid THEN CAST(1 AS BIGINT) ELSE total END",
        ),
        ("clock < '10:00:00.000'", "boolean", "clock < '10:00:00.000'"),
        ("date_of(made_at) = DATE '2024-11-15'", "boolean", "date_of(made_at) = CAST('2024-11-15' AS DATE)"),
        ("date_of(seen_at)", "date", "date_of(seen_at)"),
        ("CAST(sent_at AS DATE)", "date", "CAST(sent_at AS DATE)"),
        ("made_at < seen_at", "boolean", "CAST(made_at AS TIMESTAMP) < seen_at"),
        ("coalesce(seen_at, sent_at)", "timestamptz", "coalesce(CAST(seen_at AS TIMESTAMP), sent_at)"),
        (
            "sent_at = TIMESTAMP '2024-06-30 23:59:59.9996'",
            "boolean",
            "sent_at = CAST(CAST('2024-06-30 23:59:59.9996' AS TIMESTAMP) AS TIMESTAMP)",
        ),
        ("TIMESTAMP '2024-06-30 23:59:59.9996'", "timestamp(6)", None),
        ("coalesce(weight, NULL)", "double", "coalesce(weight, CAST(NULL AS DOUBLE))"),
        ("girth IS NULL", "boolean", "girth IS NULL"),
        ("CAST(units AS STRING) || code", "text", "CAST(units AS STRING) || code"),
        ("CAST(price AS DECIMAL(12,3))", "decimal(12,3)", "CAST(price AS DECIMAL(12,3))"),
        (r"matches(code, '\d{5}')", "boolean", "matches(code, '[0-9]{5}')"),
        (r"finds(code, '[0-9]\z')", "boolean", "finds(code, ('[0-9]' || chr(92) || 'z'))"),
        ("(units)", "integer", "units"),
        ("(units + 1) * 2", "decimal(20,0)", None),
    ],
)
def test_expressions_are_typed_and_every_cast_is_stated(text: str, kind: str, sql: str | None) -> None:
    found = compile_expression(text, COLUMNS)
    assert str(found.type) == kind
    assert sql is None or found.sql == sql


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("salary", "there is no column salary, at character 1 of: salary"),
        ("units = 1 = 1", "= is not expected here, at character 11"),
        ("units / 2", "/ is not of the common subset of SQL, at character 7"),
        ("code LIKE 'a%'", "like is not expected here, at character 6"),
        ("lower(code)", "there is no function lower; there are coalesce, nullif, iso_date"),
        ("iso_date(code, code)", "iso_date takes 1 arguments"),
        ("iso_date(units)", "units is integer, which text does not hold, at character 10"),
        ("code || units", r"\|\| joins texts, not integer"),
        ("code = 5", "text and integer are not of one kind, at character 6"),
        ("day < made_at", "date and timestamp are not of one kind"),
        ("weight > 1", "double and integer are not of one kind"),
        ("weight = weight", "double is not compared: NaN, and 0 beside -0, have a rule in each engine"),
        ("girth IN (girth)", "real is not compared"),
        ("nullif(girth, girth)", "real is not compared"),
        ("coalesce(girth, weight)", "real and double are not of one kind"),
        ("weight + 1", "a number is expected, not double"),
        ("CAST(weight AS STRING)", "weight is double, which text does not hold"),
        ("CAST(seen_at AS TIMESTAMP)", r"seen_at is timestamp\(6\), which timestamp does not hold"),
        ("code + 1", "a number is expected, not text, at character 1"),
        ("paid + 1", "a number is expected, not boolean"),
        ("NOT code", "a condition is expected, not text"),
        ("CAST(code AS INT)", "code is text, which integer does not hold"),
        ("CAST(price AS INT)", r"price is decimal\(10,2\), which integer does not hold"),
        ("CAST(price AS STRING)", "which text does not hold"),
        ("CAST(day AS TIMESTAMP)", "which timestamp does not hold"),
        ("CAST(code AS VARCHAR(5))", "unknown type"),
        ("wide * wide", "the result has 60 digits, and at most 37 are held, at character 6"),
        ("NULL", "NULL alone has no type"),
        ("coalesce(NULL)", "NULL alone has no type"),
        ("CAST(NULL AS INT)", "NULL is not cast"),
        ("nullif('a', 'a')", "reads no column, and may be NULL"),
        ("NULL = NULL", "NULL alone has no type"),
        ("finds(code, code)", "a pattern is a text literal, at character 13"),
        ("finds(code, 'a.b')", "state the characters, .* at character 13 of: finds"),
        ("DATE '2024-02-30' = day", "'2024-02-30' is no date written YYYY-MM-DD"),
        ("made_at > TIMESTAMP '2024'", "is no timestamp written YYYY-MM-DD HH:MM:SS"),
        ("units IN (SELECT 1)", r"\) is expected, not 1"),
        ("units IN ()", r"a value is expected, not \)"),
        ("units; DROP", "; is not of the common subset"),
        ('"units"', '" is not of the common subset'),
        ("`units`", "` is not of the common subset"),
        ("count(*)", r"a value is expected, not \*"),
        ("a.b.c", r"\. is not expected here"),
        ("--units", "-- is not expected here"),
        ("units /* x */", "/ is not of the common subset"),
        ("CASE paid WHEN TRUE THEN 1 END", "WHEN is expected"),
        ("CASE WHEN paid THEN 1", "END is expected, not the end"),
        ("units IS 1", "NULL or DISTINCT FROM is expected"),
        ("units NOT 1", "BETWEEN or IN is expected"),
        ("NOT NOT paid", "NOT NOT says nothing"),
        ("units = 'a", "' is not of the common subset"),
        ("1.", "1 is not of the common subset"),
        ("12345678901234567890123456789012345678", "at most 37 digits"),
        ("(" * 70 + "units" + ")" * 70, "nests too deep"),
        (" + ".join(["units"] * 300), "more than 200 operators"),
        ("", "a value is expected, not the end, at character 1"),
        ("code = '\0'", "cannot hold the character NUL"),
    ],
)
def test_all_else_is_refused_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(ExpressionError, match=complaint):
        compile_expression(text, COLUMNS)


def test_a_result_is_cast_to_the_wanted_type_where_nothing_is_lost() -> None:
    assert (
        compile_expression("units", COLUMNS, parse_type("decimal(12,2)")).sql
        == "CAST(units AS DECIMAL(12,2))"
    )
    with pytest.raises(ExpressionError, match=r"is decimal\(20,2\), which decimal\(10,2\) does not hold"):
        compile_expression("units * price", COLUMNS, parse_type("decimal(10,2)"))


@pytest.mark.parametrize(
    ("text", "nullable"),
    [
        ("units", False),
        ("code", True),
        ("coalesce(code, 'x')", False),
        ("nullif(units, 1)", True),
        ("units = 1", False),
        ("code = 'a'", True),
        ("code IS NULL", False),
        ("code IS DISTINCT FROM 'a'", False),
        ("CASE WHEN paid THEN 1 END", True),
        ("CASE WHEN code = 'a' THEN 1 ELSE units END", False),
        ("iso_date(code)", True),
    ],
)
def test_it_is_known_what_may_be_empty(text: str, nullable: bool) -> None:
    assert compile_expression(text, COLUMNS, nullable=["code"]).nullable == nullable


def test_texts_that_cannot_be_read_have_a_condition() -> None:
    found = compile_expression("coalesce(iso_date(code), iso_date(address.city))", COLUMNS)
    assert found.unreadable == (
        "(code IS NOT NULL AND iso_date(code) IS NULL)",
        "(address__city IS NOT NULL AND iso_date(address__city) IS NULL)",
    )
    assert found.columns == {"code", "address__city"}
    assert compile_expression("iso_date(code) IS NOT NULL", COLUMNS).unreadable == ()


def test_references_are_named_once_and_in_order() -> None:
    assert references("b + a * b - address.city") == ("b", "a", "address.city")


def test_star_columns_are_made_as_their_contracts_say() -> None:
    catalogue = load_catalogue()
    fact, staff, calendar = (catalogue.star[name] for name in ("fact_payment", "dim_staff", "dim_date"))
    assert star_expression(fact, fact.column("created_time"), catalogue).sql == "time_of(created_at)"
    assert star_expression(staff, staff.column("location"), catalogue).sql == (
        "coalesce(department__location, 'Unknown')"
    )
    assert star_expression(calendar, calendar.column("quarter"), catalogue).sql == "quarter_of(calendar_day)"
    assert star_unreadable(fact, fact.column("payment_date"), catalogue) == (
        "(payment_date IS NOT NULL AND iso_date(payment_date) IS NULL)"
    )
    assert star_unreadable(fact, fact.column("created_time"), catalogue) is None
    with pytest.raises(ValueError, match="payment_record_id is made from no other column"):
        star_expression(fact, fact.column("payment_record_id"), catalogue)


@pytest.mark.parametrize("name", TYPE_TABLE)
def test_every_type_has_a_name_in_sql(name: str) -> None:
    kind = parse_type("decimal(12,3)" if name == "decimal" else name)
    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT CAST(NULL AS {sql_type(kind)})").fetchall() == [(None,)]


@pytest.mark.parametrize("text", ["", "a", "it's", "\\", "\\'", "a\nb", "${x}", "$", "é😀"])
def test_a_literal_is_its_text(text: str) -> None:
    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT {literal(text)}").fetchall() == [(text,)]
    assert "\\" not in literal(text)
    assert "''" not in literal(text) or not text


def test_what_duckdb_reserves_is_no_name() -> None:
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
        ).fetchall()
        assert {name for (name,) in found} <= RESERVED
        plain = connection.execute("SELECT keyword_name FROM duckdb_keywords()").fetchall()
        for (name,) in plain:
            if name not in RESERVED:
                assert connection.execute(f"SELECT {name} FROM (SELECT 7 AS {name})").fetchall() == [(7,)]
