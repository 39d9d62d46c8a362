"""Reading Athena's SQL: what is refused, with which words and where; views and names resolved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from local_aws.athena.parameters import bind
from local_aws.athena.query_errors import AthenaError, QueryError
from local_aws.athena.syntax import DEEPEST, LARGEST_STATEMENT, Node, parse
from tests.unit.local_aws.athena.conftest import ask

Translate = Callable[[str], str]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT 1 FORM x", "line 1:15: mismatched input 'x'"),
        ("SELECT 1\nFROM", "line 2:5: mismatched input '<EOF>'"),
        ("SELECT id::int FROM orders", "line 1:10: mismatched input ':'"),
        ("SELECT 1; SELECT 2", "Only one sql statement is allowed. Got: SELECT 1; SELECT 2"),
        ("SELECT id FROM orders WHERE id ILIKE 'x'", "line 1:32: mismatched input 'ILIKE'"),
        ("SELECT id, FROM orders", "line 1:12: mismatched input 'FROM'"),
        ("   ", "line 1:1: mismatched input '<EOF>'"),
    ],
)
def test_what_is_not_athenas_sql_is_refused_when_it_is_started(sql: str, message: str) -> None:
    with pytest.raises(AthenaError) as caught:
        parse(sql)
    assert (caught.value.code, caught.value.message) == ("InvalidRequestException", message)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT nope FROM orders", "COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be resolved"),
        ("SELECT\n  o.nope\nFROM orders o", "COLUMN_NOT_FOUND: line 2:3: Column 'o.nope' cannot be resolved"),
        (
            "SELECT orders.id FROM orders o",
            "COLUMN_NOT_FOUND: line 1:8: Column 'orders.id' cannot be resolved",
        ),
        (
            "SELECT id + 1 AS n, n + 1 FROM orders",
            "COLUMN_NOT_FOUND: line 1:21: Column 'n' cannot be resolved",
        ),
        (
            "SELECT id AS n FROM orders WHERE n = 1",
            "COLUMN_NOT_FOUND: line 1:34: Column 'n' cannot be resolved",
        ),
        (
            "SELECT id AS n FROM orders GROUP BY n",
            "COLUMN_NOT_FOUND: line 1:37: Column 'n' cannot be resolved",
        ),
        ("SELECT z FROM (SELECT * FROM orders)", "COLUMN_NOT_FOUND: line 1:8: Column 'z' cannot be resolved"),
        (
            "WITH a AS (SELECT id FROM orders) SELECT price FROM a",
            "COLUMN_NOT_FOUND: line 1:42: Column 'price'",
        ),
        (
            "SELECT id FROM nope",
            "TABLE_NOT_FOUND: line 1:16: Table 'awsdatacatalog.shop.nope' does not exist",
        ),
        ("SELECT id FROM other.t", "SCHEMA_NOT_FOUND: line 1:16: Schema 'other' does not exist"),
        ("SELECT id FROM lake.other.t", "CATALOG_NOT_FOUND: line 1:16: Catalog 'lake' does not exist"),
        ("SELECT nope(id) FROM orders", "FUNCTION_NOT_FOUND: line 1:8: Function 'nope' not registered"),
        ("SELECT datediff(made, made) FROM orders", "FUNCTION_NOT_FOUND: line 1:8: Function 'datediff' not"),
        ("SELECT nvl(id, 1) FROM orders", "FUNCTION_NOT_FOUND: line 1:8: Function 'nvl' not registered"),
        ("SELECT st_area(id) FROM orders", "NOT_SUPPORTED: line 1:8: Function 'st_area' is Athena's, but"),
        (
            f"SELECT concat({', '.join(['month'] * 128)}) FROM orders",
            "TOO_MANY_ARGUMENTS: line 1:8: Too many arguments for function call concat()",
        ),
        ("SELECT * FROM read_csv('/etc/passwd')", "FUNCTION_NOT_FOUND: line 1:15: "),
        ("SELECT * FROM '/etc/passwd'", "TABLE_NOT_FOUND"),
        ("SELECT id FROM ring", "VIEW_IS_RECURSIVE: Views are nested more than 20 deep"),
        (
            "SELECT date_trunc(cast(id AS varchar), made) FROM orders",
            "NOT_SUPPORTED: line 1:8: date_trunc needs its unit as a literal here",
        ),
    ],
)
def test_what_does_not_exist_is_named_with_its_place(translate: Translate, sql: str, message: str) -> None:
    with pytest.raises((QueryError, AthenaError)) as caught:
        translate(sql)
    if "/etc/passwd'" in sql and "read_csv" not in sql:
        return  # refused either as SQL or as a table: never read
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id AS n FROM orders ORDER BY n",
        "SELECT r.x, orders.r.x, shop.orders.id FROM shop.orders",
        "SELECT id FROM orders o WHERE EXISTS (SELECT 1 FROM orders p WHERE p.id = o.id)",
        "WITH orders AS (SELECT 1 AS own) SELECT own FROM orders",
        "SELECT (SELECT sum(price) FROM orders) / 2",
        "SELECT k FROM (VALUES 1) AS t(k) WHERE k IN (SELECT id FROM orders WHERE price > 1)",
        "SELECT x, n FROM orders CROSS JOIN UNNEST(ARRAY[1, 2]) WITH ORDINALITY AS u(x, n)",
        "SELECT k FROM (VALUES (1, 'a')) AS t(k, v)",
        "SELECT month FROM (SELECT * FROM orders) WHERE month = '2024-01'",
        "SELECT transform(ARRAY[1], y -> y + id) FROM orders",
        "SELECT id FROM orders UNION ALL SELECT id FROM cheap ORDER BY id",
        "SELECT grouping(id), count(*) FROM orders GROUP BY ROLLUP (id)",
    ],
)
def test_names_that_trino_finds_are_found(translate: Translate, sql: str) -> None:
    assert translate(sql)


def test_a_view_is_its_query_in_its_own_database(translate: Translate) -> None:
    sql = translate("SELECT c.id FROM shop.cheap AS c")
    assert '"shop.orders#' in sql
    assert "WHERE" in sql


def test_columns_without_a_name_are_named_by_their_place(tmp_path: Path) -> None:
    columns, _ = ask("SELECT x, 1 + 1 FROM (VALUES 1) t(x)", tmp_path)
    assert [name for name, _ in columns] == ["x", "_col1"]


def _literals(sql: str, values: list[str]) -> list[object]:
    """The values of the literals that stand where question marks stood, in the order of the text."""
    marks = {place for place, sign in enumerate(sql) if sign == "?"}
    found = [node for node in bind(parse(sql), values).walk() if node.pos in marks and not node.children()]
    return [node.value for node in sorted(found, key=lambda node: node.pos)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ? FROM t WHERE a = ? AND d > ?",
        "WITH a AS (SELECT ? AS x) SELECT x FROM a WHERE x IN (?, ?)",
        "SELECT x FROM t WHERE x > (SELECT max(y) FROM u WHERE y < ?) AND x < ? ORDER BY coalesce(x, ?)",
        "SELECT CASE WHEN ? THEN ? END FROM t LIMIT ?",
        "SELECT x FROM t WHERE x = ? ORDER BY 1 OFFSET ? LIMIT ?",
        "SELECT sum(x) FILTER (WHERE x > ?) OVER (PARTITION BY ? ORDER BY ?) FROM t",
        "SELECT transform(ARRAY[?], x -> x + ?), CAST(? AS varchar) FROM t",
        "SELECT a FROM t JOIN u ON t.a = ? WHERE a BETWEEN ? AND ?",
        "UNLOAD (SELECT ? AS a, ? AS b, ? AS c) TO 's3://b/x/' WITH (format = 'PARQUET')",
        "INSERT INTO t VALUES (?, ?), (?, 1)",
        "CREATE TABLE t AS SELECT ? AS a, ? AS b WHERE 1 = ?",
    ],
)
def test_parameters_take_the_places_of_question_marks_in_the_order_of_the_text(sql: str) -> None:
    assert _literals(sql, ["1", "2", "3"]) == [1, 2, 3]


def test_a_parameter_may_be_any_literal() -> None:
    assert _literals("SELECT ?, ?", ["'it''s'", "TRUE"]) == ["it's", True]
    bound: Node = bind(parse("SELECT ? + ?"), ["DATE '2024-01-01'", "INTERVAL '1' DAY"])
    assert {node.kind for node in bound.walk()} >= {"Typed", "Interval"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "Incorrect number of parameters: expected 1 but found 0"),
        (["1", "2"], "Incorrect number of parameters: expected 1 but found 2"),
        (["GBP"], "The execution parameter GBP is not an SQL literal"),
        (["(SELECT 1)"], "The execution parameter (SELECT 1) is not an SQL literal"),
        (["'a' OR"], "The execution parameter 'a' OR is not an SQL literal"),
    ],
)
def test_a_parameter_that_is_no_literal_is_refused(values: list[str], message: str) -> None:
    with pytest.raises(AthenaError, match=message.replace("(", r"\(").replace(")", r"\)")):
        bind(parse("SELECT ?"), values)


@pytest.mark.parametrize(
    ("sql", "parameters", "row"),
    [
        ("SELECT ? - ?, -?", ["5", "-3", "-3"], ["8", "3"]),
        ('SELECT \'?\', "?", ? FROM (SELECT 1 AS "?") -- ?\n /* ? */', ["7"], ["?", "1", "7"]),
        ("SELECT x FROM (VALUES ?, ?) AS t(x) WHERE x > ? ORDER BY x LIMIT ?", ["2", "1", "0", "1"], ["1"]),
        (
            "SELECT x FROM (VALUES 1, 2) AS t(x) ORDER BY 1 OFFSET ? ROWS FETCH FIRST ? ROWS ONLY",
            ["1", "1"],
            ["2"],
        ),
        (
            "WITH w AS (SELECT ? AS a) SELECT a, ? FROM w WHERE a IN (?, ?)",
            ["1", "'b'", "3", "1"],
            ["1", "b"],
        ),
        ("SELECT CASE ? WHEN ? THEN ? ELSE ? END", ["1", "1", "'y'", "'n'"], ["y"]),
        ("SELECT ARRAY[?, ?][?], transform(ARRAY[1], x -> x + ?)", ["1", "2", "2", "10"], ["2", "[11]"]),
        (
            "SELECT ROW(?, ?), MAP(ARRAY[?], ARRAY[?])",
            ["1", "'b'", "2", "3"],
            ["{field0=1, field1=b}", "{2=3}"],
        ),
        ("SELECT sum(x) FILTER (WHERE x > ?) FROM (VALUES 1, 2) AS t(x) HAVING ? > 0", ["1", "1"], ["2"]),
        (
            "SELECT y FROM (VALUES 1) AS t(x) JOIN UNNEST(ARRAY[?, ?]) AS v(y) ON true WHERE y = x + ?",
            ["1", "2", "1"],
            ["2"],
        ),
        ("SELECT EXISTS (SELECT 1 WHERE ? = ?), (SELECT ?)", ["1", "2", "'z'"], ["false", "z"]),
        ("SELECT substring(? FROM ? FOR ?), TRIM(? FROM ?)", ["'abc'", "2", "1", "'x'", "'xa'"], ["b", "a"]),
        ("SELECT 'a' LIKE ? ESCAPE ?, ? BETWEEN ? AND ?", ["'a%'", "'!'", "2", "1", "3"], ["true", "true"]),
        (
            "SELECT extract(year FROM ?), date_trunc(?, ?)",
            ["DATE '2024-05-06'", "'month'", "DATE '2024-05-06'"],
            ["2024", "2024-05-01"],
        ),
        (
            "SELECT ? IS NULL, TRY(? / ?), CAST(? AS integer)",
            ["NULL", "1", "0", "'12'"],
            ["true", None, "12"],
        ),
        ("SELECT ?, ?, ?, ?", ["1.5", "DECIMAL '1.50'", "X'41'", "ARRAY[1]"], ["1.5", "1.50", "41", "[1]"]),
    ],
)
def test_a_parameter_counts_where_it_stands(
    tmp_path: Path, sql: str, parameters: list[str], row: list[str | None]
) -> None:
    assert ask(sql, tmp_path, parameters=parameters)[1] == [row]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT id FROM orders ORDER BY ?", "A parameter alone in GROUP BY or ORDER BY"),
        ("SELECT id, count(*) FROM orders GROUP BY ?", "A parameter alone in GROUP BY or ORDER BY"),
        ("SELECT 1 LIMIT -?", "mismatched input '-'"),
        ("SELECT DATE ?", "mismatched input"),
        ("SELECT 1 AS ?", "mismatched input"),
        ("SELECT * FROM ?", "mismatched input"),
        ("SELECT json_value('1', ?)", "mismatched input"),
        ("SELECT INTERVAL ? DAY", "mismatched input"),
    ],
)
def test_where_no_parameter_may_stand_it_is_refused(tmp_path: Path, sql: str, message: str) -> None:
    with pytest.raises((QueryError, AthenaError), match=message):
        ask(sql, tmp_path, parameters=["1"])


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("made = '2024-01-01'", "line 1:36: Cannot apply operator: date = varchar(10)"),
        ("o.made IN (DATE '2024-01-01', '2024-01-02')", "Cannot apply operator: date IN varchar(10)"),
        ("made BETWEEN 1 AND 2", "Cannot apply operator: date BETWEEN integer"),
        ("'7' > id", "Cannot apply operator: varchar(1) > integer"),
        ("price <> 'x'", "Cannot apply operator: decimal(10,2) <> varchar(1)"),
        ("month = 2024", "Cannot apply operator: varchar = integer"),
        ("id = TRUE", "Cannot apply operator: integer = boolean"),
    ],
)
def test_a_column_is_not_compared_with_a_value_of_another_kind(
    translate: Callable[[str], str], condition: str, told: str
) -> None:
    with pytest.raises(QueryError) as caught:
        translate(f"SELECT id FROM orders o WHERE {condition}")
    assert caught.value.name == "TYPE_MISMATCH"
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "condition",
    [
        "made = DATE '2024-01-01'",
        "made > TIMESTAMP '2024-01-01 10:00:00'",
        "price > 1 AND id < 2.5",
        "month IN ('2024-01', '2024-02')",
        "CAST(made AS varchar) = '2024-01-01'",
        "r.x = 1",
    ],
)
def test_what_trino_compares_is_compared(translate: Callable[[str], str], condition: str) -> None:
    assert "WHERE" in translate(f"SELECT id FROM orders WHERE {condition}")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT '" + "x" * LARGEST_STATEMENT + "'", "bytes; a statement has 262,144 bytes at most"),
        ("SELECT " + "(" * DEEPEST + "1" + ")" * DEEPEST, "the statement is nested more than"),
        ("SELECT " + "abs(" * DEEPEST + "1" + ")" * DEEPEST, "the statement is nested more than"),
        ("SELECT " + "NOT " * DEEPEST * 2 + "true", "the statement is nested more than"),
        ("SELECT " + "- " * DEEPEST * 2 + "1", "the statement is nested more than"),
        ("SELECT 1" + " FROM (SELECT 1" * DEEPEST, "the statement is nested more than"),
    ],
)
def test_a_statement_of_no_end_is_refused_in_words(sql: str, message: str) -> None:
    with pytest.raises(AthenaError, match=message):
        parse(sql)


def test_many_terms_are_no_nesting(translate: Translate) -> None:
    assert translate("SELECT id FROM orders WHERE " + " OR ".join(f"id = {n}" for n in range(2000)))
    assert translate("SELECT " + " || ".join("'a'" for _ in range(400)))
    assert translate("SELECT " + " + ".join("1" for _ in range(300)))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT (SELECT max(x) FROM (VALUES 1) AS u(y)) FROM (VALUES 1) AS t(x)",
        "SELECT approx_percentile(x, x) FROM (VALUES 1) AS t(x)",
        "SELECT (SELECT last_value(true) OVER (ORDER BY x)) FROM (VALUES 1) AS t(x)",
    ],
)
def test_what_the_engine_cannot_bind_is_refused_as_not_supported(tmp_path: Path, sql: str) -> None:
    with pytest.raises(QueryError, match=r"NOT_SUPPORTED: .* is not supported here"):
        ask(sql, tmp_path)
