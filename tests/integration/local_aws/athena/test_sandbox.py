"""Where analysts may write: one database, below one prefix; elsewhere rights refuse it, as on AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_aws.athena.query_errors import QueryError
from local_aws.athena.service import AthenaService
from local_aws.athena.statements import Sandbox
from tests.integration.local_aws.athena.lake import LAKE, RESULTS, Lake
from tests.integration.local_aws.athena.test_limits import Small

PLAY, BUCKET = "play", "playground"


@pytest.fixture(scope="module")
def sandboxed(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Runs a statement, and says how it ended."""
    spool: Path = tmp_path_factory.mktemp("sandbox")
    lake.s3.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": lake.endpoint.region}
    )
    lake.glue.create_database(DatabaseInput={"Name": PLAY, "LocationUri": f"s3://{BUCKET}/data/"})
    service = AthenaService(
        lake.glue,
        lake.s3,
        lake.athena,
        spool=spool,
        path_of=lambda bucket, key: lake.endpoint.bucket_dir(bucket) / key,
        sandbox=Sandbox(PLAY, f"s3://{BUCKET}/"),
    )
    small = Small(service)

    def run(sql: str) -> str:
        status = small.ended(small.start(sql))
        return str(status.get("StateChangeReason", status["State"]))

    yield run
    service.close()
    lake.glue.delete_database(Name=PLAY)


def test_an_analyst_writes_in_the_sandbox(lake: Lake, sandboxed: Callable[[str], str]) -> None:
    for sql in (
        "CREATE TABLE play.t AS SELECT order_id, units FROM shop.orders WHERE order_id < 1003",
        "INSERT INTO play.t VALUES (7, 8)",
        "CREATE OR REPLACE VIEW play.v AS SELECT sum(units) AS units FROM play.t",
        f"UNLOAD (SELECT * FROM play.t) TO 's3://{BUCKET}/out/' WITH (format = 'JSON')",
        f"CREATE EXTERNAL TABLE play.e (order_id int) {'STORED AS PARQUET'} LOCATION 's3://{BUCKET}/hand/'",
        "ALTER TABLE play.t ADD COLUMNS (more string)",
    ):
        assert sandboxed(sql) == "SUCCEEDED", sql
    keys = [item["Key"] for item in lake.s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert keys
    assert all(key.startswith(("data/tables/", "out/")) for key in keys)
    assert lake.values("SELECT units FROM play.v") == [("3011",)]
    for sql in (
        "DROP VIEW play.v",
        "DROP TABLE play.t",
        "DROP TABLE IF EXISTS play.e",
        "DROP TABLE IF EXISTS play.t",
    ):
        assert sandboxed(sql) == "SUCCEEDED", sql


@pytest.mark.parametrize(
    ("columns", "values", "row"),
    [
        ("a int", "BIGINT '5'", ("5",)),
        ("a decimal(5,2)", "1.005", ("1.01",)),
        ("a decimal(5,2)", "DECIMAL '1.239'", ("1.24",)),
        ("a bigint", "2.5", ("3",)),
        ("a date", "TIMESTAMP '2024-01-31 10:00:00'", ("2024-01-31",)),
        ("a varchar(3)", "'ab   '", ("ab ",)),
        ("a varchar(3)", "CAST('abc' AS varchar)", ("abc",)),
        ("a array<int>", "ARRAY[BIGINT '1']", ("[1]",)),
        ("a int", "3e9", "NUMERIC_VALUE_OUT_OF_RANGE"),
        (
            "a varchar(3)",
            "'abcd'",
            "INVALID_CAST_ARGUMENT: Cannot truncate non-space characters when casting",
        ),
        ("a int", "'1'", "TYPE_MISMATCH: Insert query has mismatched column types"),
        ("a string", "1", "TYPE_MISMATCH: Insert query has mismatched column types"),
        ("a array<varchar(1)>", "ARRAY['ab']", "TYPE_MISMATCH: Insert query has mismatched column types"),
    ],
)
def test_what_is_inserted_becomes_the_columns_type(
    lake: Lake,
    sandboxed: Callable[[str], str],
    table_name: Callable[[], str],
    columns: str,
    values: str,
    row: tuple[str, ...] | str,
) -> None:
    name = f"play.{table_name()}"
    sandboxed(
        f"CREATE EXTERNAL TABLE {name} ({columns}) {'STORED AS PARQUET'} LOCATION 's3://{BUCKET}/{name}/'"
    )
    ended = sandboxed(f"INSERT INTO {name} VALUES ({values})")
    if isinstance(row, str):
        assert ended.startswith(row)
    else:
        assert (ended, lake.values(f"SELECT * FROM {name}")) == ("SUCCEEDED", [row])
    assert sandboxed(f"DROP TABLE {name}") == "SUCCEEDED"


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE shop.t AS SELECT 1 AS a",
        "CREATE VIEW shop.v AS SELECT 1 AS a",
        "INSERT INTO shop.currencies VALUES ('x', 'y')",
        "DROP TABLE shop.orders",
        "DROP VIEW IF EXISTS shop.v",
        "ALTER TABLE shop.orders ADD COLUMNS (a int)",
        "ALTER TABLE shop.orders REPLACE COLUMNS (a int)",
        f"ALTER TABLE shop.orders SET LOCATION 's3://{BUCKET}/x/'",
        "MSCK REPAIR TABLE shop.orders",
        f"CREATE EXTERNAL TABLE shop.t (a int) LOCATION 's3://{BUCKET}/x/'",
        f"CREATE TABLE play.t WITH (external_location = 's3://{LAKE}/x/') AS SELECT 1 AS a",
        f"UNLOAD (SELECT 1 AS a) TO 's3://{RESULTS}/x/' WITH (format = 'PARQUET')",
        f"CREATE EXTERNAL TABLE play.t (a int) LOCATION 's3://{LAKE}/x/'",
        f"CREATE EXTERNAL TABLE play.t (a int) LOCATION 's3://{BUCKET}-too/x/'",
    ],
)
def test_elsewhere_rights_refuse_it(lake: Lake, sandboxed: Callable[[str], str], sql: str) -> None:
    assert sandboxed(sql).startswith("PERMISSION_DENIED: Access Denied: ")
    assert lake.values("SELECT count(*) FROM orders") == [("120",)]


def test_a_create_table_as_that_fails_leaves_nothing(lake: Lake, sandboxed: Callable[[str], str]) -> None:
    before = lake.s3.list_objects_v2(Bucket=BUCKET).get("KeyCount")
    for query in (
        "SELECT 1 / (order_id - 1003) AS a FROM shop.orders",
        "SELECT TIME '10:00:00' AS a",
        "SELECT nope AS a",
    ):
        assert sandboxed(f"CREATE TABLE play.broken AS {query}") != "SUCCEEDED"
    assert lake.s3.list_objects_v2(Bucket=BUCKET).get("KeyCount") == before
    assert lake.values("SHOW TABLES IN play 'broken'") == []


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE play.broken WITH (partitioned_by = ARRAY['b']) AS SELECT 1 AS a, trim(' ') AS b",
        "CREATE TABLE play.broken WITH (partitioned_by = ARRAY['b', 'c']) AS SELECT 1 a, 'x' b, trim(' ') c",
        "CREATE TABLE play.broken WITH (partitioned_by = ARRAY['b']) AS SELECT 1 AS a, 'São' AS b",
        "CREATE TABLE play.broken WITH (partitioned_by = ARRAY['b']) AS SELECT 1 AS a, chr(7) AS b",
        "INSERT INTO play.months VALUES (2, '')",
        "INSERT INTO play.months VALUES (2, 'x'), (3, '')",
    ],
)
def test_a_value_that_can_name_no_partition_is_refused_and_nothing_is_left(
    lake: Lake, sandboxed: Callable[[str], str], statement: str
) -> None:
    made = "CREATE TABLE play.months WITH (partitioned_by = ARRAY['m']) AS SELECT 1 AS a, '2024-11' AS m"
    assert sandboxed(made) == "SUCCEEDED"
    before = lake.s3.list_objects_v2(Bucket=BUCKET).get("KeyCount")
    assert sandboxed(statement).startswith("HIVE_INVALID_PARTITION_VALUE")
    assert lake.s3.list_objects_v2(Bucket=BUCKET).get("KeyCount") == before
    assert lake.values("SHOW TABLES IN play 'broken'") == []
    assert lake.values("SELECT a, m FROM play.months") == [("1", "2024-11")]
    assert sandboxed("DROP TABLE play.months") == "SUCCEEDED"


def test_a_table_whose_registration_fails_leaves_no_data(
    lake: Lake, sandboxed: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from local_aws.athena.catalog_reader import GlueCatalog

    def broken(*_: object, **__: object) -> None:
        raise QueryError("HIVE_METASTORE_ERROR", "the catalogue does not answer")

    monkeypatch.setattr(GlueCatalog, "create_table", broken)
    before = lake.s3.list_objects_v2(Bucket=BUCKET).get("KeyCount")
    assert "the catalogue does not answer" in sandboxed("CREATE TABLE play.broken AS SELECT 1 AS a")
    assert lake.s3.list_objects_v2(Bucket=BUCKET).get("KeyCount") == before
