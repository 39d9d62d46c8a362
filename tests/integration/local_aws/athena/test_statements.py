"""SHOW and DESCRIBE, views, CREATE TABLE AS, UNLOAD, information_schema, and what is refused."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from glue_jobs.runtime.athena import QueryFailed
from tests.integration.local_aws.athena.lake import LAKE, RESULTS, Lake

TOOLS = Path(__file__).parents[3] / "cases" / "athena_tools.sql"


def test_show_and_describe_tell_what_the_catalogue_holds(lake: Lake) -> None:
    assert lake.values("SHOW DATABASES") == [("shop",)]
    assert lake.values("SHOW SCHEMAS LIKE 's*'") == [("shop",)]
    assert lake.values("SHOW TABLES 'curr*|ord*'") == [("currencies",), ("orders",)]
    assert lake.values("SHOW TABLES IN shop 'orders'", database=None) == [("orders",)]
    assert lake.values("SHOW PARTITIONS orders") == [(f"created_month=2024-0{month}",) for month in (1, 2, 3)]
    columns = [name for (name,) in lake.values("SHOW COLUMNS IN shop.orders")]
    assert columns[0] == "order_id            "
    assert columns[-1] == "created_month       "
    described = lake.values("DESCRIBE orders")
    assert ("price", "decimal(10,2)", "the price") in described
    assert ("# Partition Information", "", "") in described
    assert ("EXTERNAL", "TRUE") not in lake.values("SHOW TBLPROPERTIES orders")
    created = "\n".join(str(line) for (line,) in lake.values("SHOW CREATE TABLE orders"))
    assert "PARTITIONED BY (\n  `created_month` string)" in created
    assert f"LOCATION\n  's3://{LAKE}/orders/'" in created


def _lines(lake: Lake, sql: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The columns' descriptions and the rows of a statement, each of which is one text."""
    lake.ask(sql)
    (identity,) = lake.athena.list_query_executions(MaxResults=1)["QueryExecutionIds"]
    found = lake.athena.get_query_results(QueryExecutionId=identity)["ResultSet"]
    rows = [row["Data"] for row in found["Rows"]]
    assert all(len(row) == 1 for row in rows)
    return found["ResultSetMetadata"]["ColumnInfo"], [row[0]["VarCharValue"] for row in rows]


def test_a_description_is_laid_out_as_hive_lays_it_out(lake: Lake) -> None:
    columns, lines = _lines(lake, "DESCRIBE shop.orders")
    assert [column["Name"] for column in columns] == ["col_name", "data_type", "comment"]
    assert {(column["Type"], column["Precision"], column["Scale"]) for column in columns} == {
        ("string", 0, 0)
    }
    assert lines[1] == "units               \tint                 \tthe units           "
    assert lines[-6:] == [
        "created_month       \tstring              \t                    ",
        "\t \t ",
        "# Partition Information\t \t ",
        "# col_name            \tdata_type           \tcomment             ",
        "\t \t ",
        "created_month       \tstring              \t                    ",
    ]
    _, formatted = _lines(lake, "DESCRIBE FORMATTED shop.orders")
    assert formatted[:2] == ["# col_name            \tdata_type           \tcomment             ", "\t \t "]
    assert "Table Type:         \tEXTERNAL_TABLE      \t " in formatted
    _, extended = _lines(lake, "DESCRIBE EXTENDED shop.orders")
    assert extended[-1].startswith("Detailed Table Information\tTable(tableName:orders, dbName:shop, ")
    _, (column,) = _lines(lake, "DESCRIBE orders units")
    assert column == "units               \tint                 \tfrom deserializer   "


def test_explain_says_whether_a_query_is_valid(lake: Lake) -> None:
    assert lake.ask("EXPLAIN (TYPE VALIDATE) SELECT code FROM currencies").columns == [("Valid", "boolean")]
    assert lake.values("EXPLAIN (TYPE VALIDATE) SELECT code FROM currencies") == [("true",)]
    with pytest.raises(QueryFailed, match="Column 'nope' cannot be resolved"):
        lake.ask("EXPLAIN (TYPE VALIDATE) SELECT nope FROM currencies")


def test_explain_shows_a_plan_that_says_whose_it_is(lake: Lake) -> None:
    ((first,), *_) = lake.values("EXPLAIN SELECT code FROM currencies")
    assert "Athena's is another one" in str(first)
    lines = lake.values("EXPLAIN (TYPE LOGICAL, FORMAT JSON) SELECT code FROM currencies")
    assert json.loads("\n".join(str(line) for (line,) in lines))
    assert lake.ask("EXPLAIN SELECT code FROM currencies").bytes_scanned == 0
    assert lake.ask("EXPLAIN ANALYZE SELECT code FROM currencies").bytes_scanned > 0


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("EXPLAIN (TYPE IO, FORMAT JSON) SELECT 1", "EXPLAIN \\(TYPE IO\\) is not supported here"),
        ("EXPLAIN (FORMAT GRAPHVIZ) SELECT 1", "EXPLAIN \\(FORMAT GRAPHVIZ\\) is not supported here"),
        ("EXPLAIN INSERT INTO currencies SELECT 'a', 'b'", "EXPLAIN INSERT is not supported here"),
        ("DESCRIBE FORMATTED orders units", "DESCRIBE FORMATTED of a column is not supported here"),
        ("DESCRIBE DATABASE shop", "DESCRIBE DATABASE is not supported here"),
        ("SHOW FUNCTIONS", "SHOW FUNCTIONS is not supported here"),
    ],
)
def test_what_is_not_told_here_is_named(lake: Lake, sql: str, message: str) -> None:
    with pytest.raises(QueryFailed, match=message):
        lake.ask(sql)


@pytest.mark.parametrize(
    "sql",
    [
        'DESCRIBE "orders"',
        'SHOW COLUMNS IN "orders"',
        'SHOW CREATE TABLE "orders"',
        'SHOW PARTITIONS "orders"',
        'DROP TABLE "orders"',
        'MSCK REPAIR TABLE "orders"',
        'ALTER TABLE "orders" ADD COLUMNS (z int)',
        "CREATE TABLE `x` AS SELECT 1 AS a",
        "DROP VIEW `x`",
    ],
)
def test_statements_of_hive_and_of_trino_quote_names_their_own_way(lake: Lake, sql: str) -> None:
    with pytest.raises(QueryFailed, match=r"mismatched input|backquoted identifiers are not supported"):
        lake.ask(sql)


def test_table_is_all_of_a_table(lake: Lake) -> None:
    assert sorted(lake.values("TABLE currencies")) == sorted(lake.values("SELECT * FROM currencies"))


def test_information_schema_tells_the_same(lake: Lake) -> None:
    assert ("shop",) in lake.values("SELECT schema_name FROM information_schema.schemata")
    assert lake.values(
        "SELECT column_name, data_type, ordinal_position FROM information_schema.columns "
        "WHERE table_schema = 'shop' AND table_name = 'orders' AND column_name IN ('price', 'created_at') "
        "ORDER BY ordinal_position"
    ) == [("price", "decimal(10,2)", "3"), ("created_at", "timestamp(3)", "5")]
    assert lake.values("SELECT table_name FROM information_schema.views WHERE table_schema = 'nope'") == []
    assert lake.values("SELECT table_type FROM information_schema.tables WHERE table_name = 'orders'") == [
        ("BASE TABLE",)
    ]


@pytest.mark.parametrize("statement", TOOLS.read_text(encoding="utf-8").splitlines())
def test_what_tools_ask_is_answered(lake: Lake, statement: str) -> None:
    """As Metabase, dbt's packages, QuickSight and JDBC clients spell it."""
    assert lake.values(statement, database=None if "IN shop" in statement else "shop")


def test_a_view_is_stored_as_athena_stores_it(lake: Lake, table_name: Callable[[], str]) -> None:
    name = table_name()
    lake.ask(f"CREATE VIEW {name} AS\nSELECT order_id, price AS value, created_at FROM orders;")
    stored = lake.glue.get_table(DatabaseName="shop", Name=name)["Table"]
    assert (stored["TableType"], stored["Parameters"]["presto_view"]) == ("VIRTUAL_VIEW", "true")
    assert [column["Type"] for column in stored["StorageDescriptor"]["Columns"]] == [
        "int",
        "decimal(10,2)",
        "timestamp",
    ]
    assert stored["PartitionKeys"] == []
    text = stored["ViewOriginalText"]
    assert text.startswith("/* Presto View: ")
    assert text.endswith(" */")
    definition = json.loads(base64.b64decode(text.removeprefix("/* Presto View: ").removesuffix(" */")))
    assert definition == {
        "originalSql": "SELECT order_id, price AS value, created_at FROM orders",
        "catalog": "awsdatacatalog",
        "schema": "shop",
        "columns": [
            {"name": "order_id", "type": "integer"},
            {"name": "value", "type": "decimal(10,2)"},
            {"name": "created_at", "type": "timestamp(3)"},
        ],
    }


def test_a_view_on_a_view_reads_only_what_is_asked_of_it(lake: Lake, table_name: Callable[[], str]) -> None:
    outer, inner = table_name(), table_name()
    lake.ask(f"CREATE VIEW {inner} AS SELECT order_id, units, created_month FROM orders WHERE NOT is_deleted")
    lake.ask(
        f"CREATE VIEW {outer} AS SELECT created_month AS month, sum(units) AS units FROM {inner} GROUP BY 1"
    )
    one = lake.ask(f"SELECT units FROM shop.{outer} WHERE month = '2024-02'", database=None)
    assert one.rows == [(str(sum(1000 + i * 2 for i in range(40) if i % 10 != 9)),)]
    assert 0 < one.bytes_scanned < lake.ask(f"SELECT units FROM {outer}").bytes_scanned
    assert (outer,) in lake.values("SHOW VIEWS")
    lake.ask(f"CREATE OR REPLACE VIEW {outer} AS SELECT 1 AS one")
    assert lake.values(f"SELECT one FROM {outer}") == [("1",)]
    with pytest.raises(QueryFailed, match="TABLE_ALREADY_EXISTS"):
        lake.ask(f"CREATE VIEW {outer} AS SELECT 1 AS one")
    lake.ask(f"DROP VIEW {outer}")
    lake.ask(f"DROP VIEW IF EXISTS {outer}")
    with pytest.raises(QueryFailed, match="TABLE_NOT_FOUND"):
        lake.ask(f"DROP VIEW {outer}")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT 1", "Column name not specified at position 1"),
        ("SELECT 1 AS a, 2 AS A", "Column name 'a' specified more than once"),
        ("SELECT TIME '10:00:00' AS a", r"Unsupported Hive type: time\(0\)"),
        ("SELECT current_timestamp AS a", r"Unsupported Hive type: timestamp\(3\) with time zone"),
        ("SELECT nope FROM orders", "COLUMN_NOT_FOUND"),
    ],
)
@pytest.mark.parametrize("kind", ["VIEW", "TABLE"])
def test_what_cannot_be_stored_is_refused(
    lake: Lake, table_name: Callable[[], str], kind: str, query: str, message: str
) -> None:
    name = table_name()
    with pytest.raises(QueryFailed, match=message):
        lake.ask(f"CREATE {kind} {name} AS {query}")
    assert lake.values(f"SHOW TABLES '{name}'") == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT '' AS a", r"Unsupported Hive type: varchar\(0\)"),
        ("SELECT CAST('' AS varchar(65536)) AS a", r"Unsupported Hive type: varchar\(65536\)"),
        ("SELECT CAST('' AS char(256)) AS a", r"Unsupported Hive type: char\(256\)"),
        ("SELECT ROW(1, 'a') AS a", "Anonymous row type is not supported in Hive"),
        ("SELECT ARRAY[ROW(1, 'a')] AS a", "Anonymous row type is not supported in Hive"),
        ("SELECT NULL AS a", "unknown"),
        ("SELECT uuid() AS a", "Unsupported Hive type: uuid"),
        ("SELECT JSON '1' AS a", "Unsupported Hive type: json"),
        ("SELECT INTERVAL '1' DAY AS a", "Unsupported Hive type: interval day to second"),
    ],
)
def test_what_no_table_holds_is_refused(
    lake: Lake, table_name: Callable[[], str], query: str, message: str
) -> None:
    name = table_name()
    with pytest.raises(QueryFailed, match=message):
        lake.ask(f"CREATE TABLE {name} AS {query}")
    with pytest.raises(QueryFailed, match=message):
        lake.ask(f"UNLOAD ({query}) TO 's3://{LAKE}/unloaded/{name}/' WITH (format = 'PARQUET')")
    assert lake.values(f"SHOW TABLES '{name}'") == []


def test_a_table_made_from_a_query_holds_its_rows_and_types(
    lake: Lake, table_name: Callable[[], str]
) -> None:
    name = table_name()
    lake.ask(
        f"CREATE TABLE {name} WITH (format = 'PARQUET', external_location = 's3://{LAKE}/{name}/', "
        "partitioned_by = ARRAY['created_month']) AS SELECT * FROM orders"
    )
    for table in ("orders", name):
        assert lake.values(f"SELECT count(*), sum(units * price), max(created_at) FROM {table}") == [
            ("120", "273992.40", "2024-03-12 18:30:00.125")
        ]
    assert lake.values(f"SHOW PARTITIONS {name}") == lake.values("SHOW PARTITIONS orders")
    with pytest.raises(QueryFailed, match="TABLE_ALREADY_EXISTS"):
        lake.ask(f"CREATE TABLE {name} AS SELECT 1 AS a")
    lake.ask(f"CREATE TABLE IF NOT EXISTS {name} AS SELECT 1 AS a")
    lake.ask(f"DROP TABLE {name}")
    with pytest.raises(QueryFailed, match="HIVE_PATH_ALREADY_EXISTS"):  # the data stayed
        lake.ask(f"CREATE TABLE {name} WITH (external_location = 's3://{LAKE}/{name}/') AS SELECT 1 AS a")


def test_a_table_can_be_made_without_its_data(lake: Lake, table_name: Callable[[], str]) -> None:
    name = table_name()
    lake.ask(f"CREATE TABLE {name} AS SELECT order_id, price FROM orders WITH NO DATA")
    result = lake.ask(f"SELECT * FROM {name}")
    assert (result.columns, result.rows) == ([("order_id", "integer"), ("price", "decimal(10,2)")], [])


def test_unload_writes_parquet_and_names_it_in_a_manifest(lake: Lake, table_name: Callable[[], str]) -> None:
    folder = f"s3://{LAKE}/unloaded/{table_name()}/"
    query = "SELECT order_id, price FROM orders WHERE created_month = '2024-01'"
    sql = f"UNLOAD ({query}) TO '{folder}' WITH (format = 'PARQUET')"
    identity = lake.athena.start_query_execution(
        QueryString=sql,
        QueryExecutionContext={"Database": "shop"},
        ResultConfiguration={"OutputLocation": f"s3://{RESULTS}/unload/"},
    )["QueryExecutionId"]
    while (execution := lake.athena.get_query_execution(QueryExecutionId=identity)["QueryExecution"])[
        "Status"
    ]["State"] in ("QUEUED", "RUNNING"):
        pass
    assert execution["Status"]["State"] == "SUCCEEDED"
    manifest = execution["Statistics"]["DataManifestLocation"]
    files = (
        lake.s3.get_object(Bucket=RESULTS, Key=manifest.removeprefix(f"s3://{RESULTS}/"))["Body"]
        .read()
        .decode()
    )
    rows = []
    for uri in files.splitlines():
        assert uri.startswith(folder)
        content = lake.s3.get_object(Bucket=LAKE, Key=uri.removeprefix(f"s3://{LAKE}/"))["Body"].read()
        rows += pq.read_table(io.BytesIO(content)).to_pylist()
    assert sorted(row["order_id"] for row in rows) == [1000 + i for i in range(40)]
    with pytest.raises(QueryFailed, match="HIVE_PATH_ALREADY_EXISTS"):
        lake.ask(sql)
    with pytest.raises(QueryFailed, match="COLUMN_NOT_FOUND: line 1:16"):
        lake.ask(f"UNLOAD (SELECT nope FROM orders) TO '{folder}x/' WITH (format = 'PARQUET')")


def test_explain_shows_a_plan_and_reads_nothing(lake: Lake) -> None:
    result = lake.ask("EXPLAIN SELECT sum(units) FROM orders")
    assert result.columns == [("Query Plan", "varchar")]
    assert result.rows
    assert result.bytes_scanned == 0


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("DELETE FROM orders WHERE order_id = 1", "DELETE is for Iceberg tables alone"),
        ("UPDATE orders SET units = 1", "UPDATE is for Iceberg tables alone"),
        (
            "MERGE INTO orders USING currencies ON true WHEN MATCHED THEN DELETE",
            "MERGE is for Iceberg tables",
        ),
        ("MSCK REPAIR TABLE currencies", "is not a partitioned table"),
        ("INSERT INTO currencies VALUES (1)", "Insert query has mismatched column types"),
        ("INSERT INTO nope VALUES (1)", "TABLE_NOT_FOUND"),
        (
            "INSERT INTO currencies (code, code) VALUES ('a', 'b')",
            "Insert column name is specified more than once",
        ),
        ("SHOW CREATE VIEW currencies", "is a table, not a view"),
        (
            "CREATE TABLE t WITH (bucketed_by = ARRAY['z'], bucket_count = 2) AS SELECT 1 AS a",
            r"Bucketing columns \['z'\] not present in schema",
        ),
        (
            "CREATE TABLE t WITH (bucketed_by = ARRAY['a']) AS SELECT 1 AS a",
            "bucketed_by and bucket_count must be stated together",
        ),
        ("CREATE EXTERNAL TABLE t (a int) STORED AS PARQUET", "needs a LOCATION"),
        (
            "CREATE EXTERNAL TABLE t (a int) STORED AS ORC LOCATION 's3://lake/t/'",
            "STORED AS ORC is not supported",
        ),
        ("CREATE EXTERNAL TABLE t (a int) LOCATION 'nonsense'", "nonsense"),
        ("CREATE EXTERNAL TABLE t (a integer) LOCATION 's3://lake/t/'", "Unsupported Hive type: integer"),
        ("CREATE EXTERNAL TABLE \"t\" (a int) LOCATION 's3://lake/t/'", "mismatched input"),
        ("CREATE TABLE t (a int) AS SELECT 1 AS a", "without EXTERNAL is for Iceberg tables alone"),
        ("CREATE TABLE t WITH (nope = 'x') AS SELECT 1 AS a", "nope"),
        ("CREATE TABLE t WITH (partitioned_by = ARRAY['z']) AS SELECT 1 AS a", "z"),
        (
            "CREATE TABLE t WITH (partitioned_by = ARRAY['a']) AS SELECT 1 AS a, 2 AS b",
            "Partition keys must be the last",
        ),
        ("CREATE TABLE t WITH (partitioned_by = ARRAY['a']) AS SELECT 1 AS a", "partition"),
        ("ALTER TABLE currencies RENAME TO t", "not supported|not run"),
        ("ALTER TABLE currencies ADD COLUMNS (code int)", "code"),
        ("ALTER TABLE currencies ADD PARTITION (p = 'x')", "partition"),
        ("UNLOAD (SELECT 1 AS a) TO 's3://lake/t/'", "format"),
        ("UNLOAD (SELECT 1 AS a, 2 AS a) TO 's3://lake/t/' WITH (format = 'JSON')", "more than once"),
        ("SELECT * FROM orders FOR TIMESTAMP AS OF current_timestamp", "for Iceberg tables alone"),
        ("SELECT * FROM nope.shop.orders", "nope"),
        ("SELECT * FROM information_schema.nope", "nope"),
        ("SHOW STATS FOR orders", "not supported"),
        ("PREPARE p FROM SHOW TABLES", "PREPARE takes SELECT"),
        ("SET SESSION a = 1", "mismatched input 'SET'"),
        ("GRANT SELECT ON orders TO a", "mismatched input 'GRANT'"),
        ("CALL system.sync()", "mismatched input 'CALL'"),
        ("START TRANSACTION", "mismatched input 'START'"),
        ("CREATE FUNCTION f(x int) RETURNS int RETURN x", "not supported|mismatched input"),
        ("-- a comment alone", "<EOF>"),
        ("DROP DATABASE shop", "DROP DATABASE is not run here"),
        ("DROP TABLE nope", "TABLE_NOT_FOUND"),
        ("CREATE VIEW other.v AS SELECT 1 AS a", "SCHEMA_NOT_FOUND"),
        ("SHOW PARTITIONS currencies", "is not a partitioned table"),
        ("SHOW TABLES IN nope", "Schema 'nope' does not exist"),
        ("DESCRIBE nope", "Table 'awsdatacatalog.shop.nope' does not exist"),
        (
            "CREATE TABLE t WITH (format = 'ORC') AS SELECT 1 AS a",
            "format = 'ORC' is Athena's, but not written here",
        ),
    ],
)
def test_what_this_stack_does_not_run_is_refused_with_the_reason(lake: Lake, sql: str, message: str) -> None:
    with pytest.raises(QueryFailed, match=message):
        lake.ask(sql)


def test_without_a_database_a_bare_name_is_refused(lake: Lake) -> None:
    with pytest.raises(QueryFailed, match="Schema must be specified when session schema is not set"):
        lake.ask("SELECT 1 FROM orders", database=None)
