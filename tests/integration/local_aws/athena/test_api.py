"""The Athena API as boto3 sees it: executions, their states, results in pages, what is left in S3."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError

from glue_jobs.runtime.athena import QueryFailed
from tests.integration.local_aws.athena.lake import RESULTS, Lake, orders_of

ALL = [order for month in (1, 2, 3) for order in orders_of(month)]


def start(lake: Lake, sql: str, **more: Any) -> str:
    request = {
        "QueryString": sql,
        "QueryExecutionContext": {"Database": "shop"},
        "ResultConfiguration": {"OutputLocation": f"s3://{RESULTS}/api/"},
        **more,
    }
    return str(lake.athena.start_query_execution(**request)["QueryExecutionId"])


def finished(lake: Lake, identity: str) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        execution: dict[str, Any] = lake.athena.get_query_execution(QueryExecutionId=identity)[
            "QueryExecution"
        ]
        if execution["Status"]["State"] in ("SUCCEEDED", "FAILED", "CANCELLED"):
            return execution
        threading.Event().wait(0.02)
    raise AssertionError("the query did not end")


def body(lake: Lake, uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    content: bytes = lake.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def test_sums_over_decimals_are_exact(lake: Lake) -> None:
    expected: dict[str, Decimal] = {}
    for order in ALL:
        expected[order["currency"]] = (
            expected.get(order["currency"], Decimal(0)) + order["units"] * order["price"]
        )
    rows = lake.values("SELECT currency, sum(units * price) FROM orders GROUP BY currency")
    assert {currency: Decimal(str(total)) for currency, total in rows} == expected


def test_every_type_comes_back_as_athena_writes_it(lake: Lake) -> None:
    result = lake.ask("SELECT * FROM orders WHERE order_id IN (2000, 2009) ORDER BY order_id")
    assert result.columns == [
        ("order_id", "integer"),
        ("units", "integer"),
        ("price", "decimal(10,2)"),
        ("currency", "varchar"),
        ("created_at", "timestamp"),
        ("agreed_date", "date"),
        ("is_deleted", "boolean"),
        ("created_month", "varchar"),
    ]
    assert result.rows == [
        ("2000", "1000", "2.00", "GBP", "2024-02-01 09:30:00.125", None, "false", "2024-02"),
        ("2009", "1018", "2.09", "GBP", "2024-02-04 00:30:00.125", "2024-02-10", "true", "2024-02"),
    ]


def test_an_execution_tells_what_it_did(lake: Lake) -> None:
    execution = finished(lake, start(lake, "SELECT sum(units) AS total FROM orders"))
    assert execution["Status"]["State"] == "SUCCEEDED"
    assert (execution["StatementType"], execution["WorkGroup"]) == ("DML", "primary")
    assert execution["QueryExecutionContext"] == {"Database": "shop"}
    statistics = execution["Statistics"]
    assert statistics["DataScannedInBytes"] > 0
    assert statistics["TotalExecutionTimeInMillis"] >= statistics["EngineExecutionTimeInMillis"]
    assert execution["Status"]["CompletionDateTime"] >= execution["Status"]["SubmissionDateTime"]
    runtime = lake.athena.get_query_runtime_statistics(QueryExecutionId=execution["QueryExecutionId"])
    rows = runtime["QueryRuntimeStatistics"]["Rows"]
    assert (rows["InputRows"], rows["OutputRows"]) == (120, 1)


def test_the_result_lies_in_s3_quoted_as_athena_quotes(lake: Lake) -> None:
    sql = "SELECT 1 AS n, 'a \"b\"' AS t, '' AS empty, CAST(NULL AS varchar) AS nothing"
    execution = finished(lake, start(lake, sql))
    location = execution["ResultConfiguration"]["OutputLocation"]
    assert location == f"s3://{RESULTS}/api/{execution['QueryExecutionId']}.csv"
    assert body(lake, location).decode() == '"n","t","empty","nothing"\n"1","a ""b""","",\n'
    assert [c["Name"] for c in json.loads(body(lake, location + ".metadata"))["ColumnInfo"]] == [
        "n",
        "t",
        "empty",
        "nothing",
    ]


def test_results_come_in_pages_header_first(lake: Lake) -> None:
    identity = start(lake, "SELECT order_id, agreed_date FROM orders ORDER BY order_id LIMIT 5")
    finished(lake, identity)
    first = lake.athena.get_query_results(QueryExecutionId=identity, MaxResults=2)
    assert [row["Data"] for row in first["ResultSet"]["Rows"]] == [
        [{"VarCharValue": "order_id"}, {"VarCharValue": "agreed_date"}],
        [{"VarCharValue": "1000"}, {}],
    ]
    info = first["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    assert [(c["Name"], c["Type"]) for c in info] == [("order_id", "integer"), ("agreed_date", "date")]
    pages = lake.athena.get_paginator("get_query_results").paginate(
        QueryExecutionId=identity, PaginationConfig={"PageSize": 2}
    )
    firsts = [row["Data"][0]["VarCharValue"] for page in pages for row in page["ResultSet"]["Rows"]]
    assert firsts == ["order_id", "1000", "1001", "1002", "1003", "1004"]
    whole = lake.athena.get_query_results(QueryExecutionId=identity)
    assert "NextToken" not in whole
    assert len(whole["ResultSet"]["Rows"]) == 6


def test_a_result_larger_than_a_batch_is_whole(lake: Lake) -> None:
    numbers = "SELECT a.n * 1000 + b.n AS n FROM UNNEST(sequence(0, 119)) a(n), UNNEST(sequence(0, 999)) b(n)"
    execution = finished(lake, start(lake, f"{numbers} ORDER BY 1"))
    lines = body(lake, execution["ResultConfiguration"]["OutputLocation"]).decode().splitlines()
    assert lines[1:] == [f'"{n}"' for n in range(120_000)]
    page = lake.athena.get_query_results(
        QueryExecutionId=execution["QueryExecutionId"], NextToken="60001", MaxResults=3
    )
    assert [row["Data"][0]["VarCharValue"] for row in page["ResultSet"]["Rows"]] == [
        "60000",
        "60001",
        "60002",
    ]


def test_the_same_token_is_the_same_execution(lake: Lake) -> None:
    token = "a-token-of-at-least-thirty-two-characters"
    first = start(lake, "SELECT 1", ClientRequestToken=token)
    assert start(lake, "SELECT 1", ClientRequestToken=token) == first
    with pytest.raises(ClientError, match="Idempotent parameters do not match"):
        start(lake, "SELECT 2", ClientRequestToken=token)


def test_parameters_are_values_and_never_sql(lake: Lake) -> None:
    sql = "SELECT count(*) FROM orders WHERE currency = ? AND order_id >= ?"
    assert lake.values(sql, parameters=["'GBP'", "2000"]) == [("28",)]
    assert lake.values(
        "SELECT count(*) FROM orders WHERE currency = ?", parameters=["'x'' OR ''1''=''1'"]
    ) == [("0",)]
    with pytest.raises(QueryFailed, match="is not an SQL literal"):
        lake.values("SELECT count(*) FROM orders WHERE currency = ?", parameters=["GBP"])


def test_a_failed_query_says_why_and_has_no_result(lake: Lake) -> None:
    execution = finished(lake, start(lake, "SELECT nope FROM orders"))
    reason = "COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be resolved"
    assert execution["Status"]["State"] == "FAILED"
    assert execution["Status"]["StateChangeReason"] == reason
    assert execution["Status"]["AthenaError"]["ErrorCategory"] == 2
    assert execution["Status"]["AthenaError"]["ErrorMessage"] == reason
    with pytest.raises(ClientError, match="Current state: FAILED"):
        lake.athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"sql": "SELEC 1"}, "mismatched input"),
        ({"ResultConfiguration": {}}, "No output location provided"),
        ({"ResultConfiguration": {"OutputLocation": "/tmp"}}, "not a valid S3 path"),
        ({"WorkGroup": "nope"}, "WorkGroup nope is not found"),
    ],
)
def test_a_request_that_cannot_run_is_refused_at_once(
    lake: Lake, request_: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError, match=message) as caught:
        start(lake, **{"sql": "SELECT 1", **request_})
    assert caught.value.response["Error"]["Code"] == "InvalidRequestException"


def test_an_unknown_execution_is_refused(lake: Lake) -> None:
    with pytest.raises(ClientError, match="was not found"):
        lake.athena.get_query_execution(QueryExecutionId="11111111-1111-1111-1111-111111111111")


def test_a_work_group_says_where_results_go_and_how_much_may_be_read(lake: Lake) -> None:
    lake.athena.create_work_group(
        Name="careful",
        Configuration={
            "ResultConfiguration": {"OutputLocation": f"s3://{RESULTS}/careful/"},
            "EnforceWorkGroupConfiguration": True,
            "BytesScannedCutoffPerQuery": 10_000_000,
        },
    )
    execution = finished(lake, start(lake, "SELECT count(units) FROM orders", WorkGroup="careful"))
    assert execution["ResultConfiguration"]["OutputLocation"].startswith(f"s3://{RESULTS}/careful/")
    listed = lake.athena.list_query_executions(WorkGroup="careful")["QueryExecutionIds"]
    assert listed == [execution["QueryExecutionId"]]


def test_a_work_group_that_enforces_its_place_says_where_tables_go(
    lake: Lake, table_name: Callable[[], str]
) -> None:
    place = f"s3://{RESULTS}/central/"
    lake.athena.create_work_group(
        Name="central",
        Configuration={
            "ResultConfiguration": {"OutputLocation": place},
            "EnforceWorkGroupConfiguration": True,
        },
    )
    name = table_name()
    elsewhere = f"CREATE TABLE {name} WITH (external_location = 's3://{RESULTS}/mine/') AS SELECT 1 AS a"
    refused = finished(lake, start(lake, elsewhere, WorkGroup="central"))
    assert "enforces a centralized output location" in refused["Status"]["StateChangeReason"]
    made = finished(lake, start(lake, f"CREATE TABLE {name} AS SELECT 1 AS a", WorkGroup="central"))
    stored = lake.glue.get_table(DatabaseName="shop", Name=name)["Table"]["StorageDescriptor"]["Location"]
    assert stored.rstrip("/") == f"{place}tables/{made['QueryExecutionId']}"


def test_a_query_that_reads_more_than_its_work_group_allows_is_cancelled(
    lake: Lake, table_name: Callable[[], str]
) -> None:
    name = table_name()
    lake.table(name, {"n": "bigint"})
    numbers = pa.table({"n": pa.array(range(2_000_000), pa.int64())})
    lake.put(numbers, f"{name}/part-0.parquet", compression="none", use_dictionary=False)
    lake.athena.create_work_group(Name="frugal", Configuration={"BytesScannedCutoffPerQuery": 10_000_000})
    execution = finished(lake, start(lake, f"SELECT sum(n) FROM {name}", WorkGroup="frugal"))
    assert execution["Status"]["State"] == "CANCELLED"
    assert execution["Status"]["StateChangeReason"] == "Bytes scanned limit was exceeded"


def test_an_unknown_work_group_is_refused(lake: Lake) -> None:
    with pytest.raises(ClientError, match="WorkGroup nope is not found") as caught:
        lake.athena.get_work_group(WorkGroup="nope")
    assert caught.value.response["Error"]["Code"] == "InvalidRequestException"
    with pytest.raises(ClientError, match="WorkGroup nope is not found"):
        start(lake, "SELECT 1", WorkGroup="nope")


def test_a_work_group_can_be_changed(lake: Lake) -> None:
    lake.athena.create_work_group(
        Name="changed",
        Description="before",
        Configuration={"BytesScannedCutoffPerQuery": 10_000_000},
        Tags=[{"Key": "team", "Value": "data"}],
    )
    lake.athena.update_work_group(
        WorkGroup="changed",
        ConfigurationUpdates={
            "RemoveBytesScannedCutoffPerQuery": True,
            "ResultConfigurationUpdates": {"OutputLocation": f"s3://{RESULTS}/changed/"},
        },
    )
    group = lake.athena.get_work_group(WorkGroup="changed")["WorkGroup"]
    assert group["Description"] == "before"
    assert "BytesScannedCutoffPerQuery" not in group["Configuration"]
    arn = f"arn:aws:athena:{lake.endpoint.region}:{lake.endpoint.account_id}:workgroup/changed"
    assert lake.athena.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "team", "Value": "data"}]
    execution = finished(lake, start(lake, "SELECT 1", WorkGroup="changed", ResultConfiguration={}))
    assert execution["ResultConfiguration"]["OutputLocation"].startswith(f"s3://{RESULTS}/changed/")
    with pytest.raises(ClientError, match="WorkGroup nope is not found"):
        lake.athena.update_work_group(WorkGroup="nope", Description="x")


def test_executions_are_listed_newest_first_in_pages(lake: Lake) -> None:
    lake.athena.create_work_group(Name="listed", Configuration={})
    ids = [start(lake, f"SELECT {n}", WorkGroup="listed") for n in range(3)]
    pages = list(
        lake.athena.get_paginator("list_query_executions").paginate(
            WorkGroup="listed", PaginationConfig={"PageSize": 2}
        )
    )
    assert [page["QueryExecutionIds"] for page in pages] == [[ids[2], ids[1]], [ids[0]]]
    for identity in ids:
        finished(lake, identity)
    found = lake.athena.batch_get_query_execution(QueryExecutionIds=[*ids, "none"])
    assert {item["QueryExecutionId"] for item in found["QueryExecutions"]} == set(ids)
    assert [item["QueryExecutionId"] for item in found["UnprocessedQueryExecutionIds"]] == ["none"]


def test_a_running_query_can_be_stopped(lake: Lake) -> None:
    endless = (
        "SELECT count(*) FROM UNNEST(sequence(1, 20000)) a(x), UNNEST(sequence(1, 20000)) b(y), "
        "UNNEST(sequence(1, 20000)) c(z) WHERE x * y % 7 = z % 11"
    )
    identity = start(lake, endless)
    lake.athena.stop_query_execution(QueryExecutionId=identity)
    execution = finished(lake, identity)
    assert execution["Status"]["State"] == "CANCELLED"
    assert execution["Status"]["StateChangeReason"] == "Query cancelled"
    lake.athena.stop_query_execution(QueryExecutionId=identity)  # once more changes nothing
    assert finished(lake, identity)["Status"]["State"] == "CANCELLED"


def test_many_queries_at_once_do_not_disturb_each_other(lake: Lake) -> None:
    def ask(month: int) -> str | None:
        return lake.values(f"SELECT sum(units) FROM orders WHERE created_month = '2024-{month:02d}'")[0][0]

    months = [1 + n % 3 for n in range(12)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, months))
    assert answers == [str(sum(order["units"] for order in orders_of(month))) for month in months]


def test_a_person_is_shown_the_place_of_the_mistake(lake: Lake) -> None:
    with pytest.raises(QueryFailed) as caught:
        lake.ask("SELECT order_id,\n       nope\nFROM orders")
    assert str(caught.value).splitlines()[1:] == ["         nope", "         ^"]


def test_named_queries_are_kept_by_work_group(lake: Lake) -> None:
    athena = lake.athena
    athena.create_work_group(Name="named", Configuration={})
    ids = [
        athena.create_named_query(
            Name=f"n{n}",
            Database="shop",
            QueryString=f"SELECT {n}",
            WorkGroup="named",
            ClientRequestToken="x" * 32 + str(n),
        )["NamedQueryId"]
        for n in (0, 1, 2, 1)
    ]
    assert ids[1] == ids[3]  # the same token is the same query
    pages = athena.get_paginator("list_named_queries").paginate(
        WorkGroup="named", PaginationConfig={"PageSize": 2}
    )
    assert [page["NamedQueryIds"] for page in pages] == [ids[:2], [ids[2]]]
    athena.update_named_query(NamedQueryId=ids[0], Name="renamed", QueryString="SELECT 7")
    found = athena.batch_get_named_query(NamedQueryIds=[ids[0], "none"])
    assert found["NamedQueries"] == [
        {
            "NamedQueryId": ids[0],
            "Name": "renamed",
            "Database": "shop",
            "QueryString": "SELECT 7",
            "WorkGroup": "named",
        }
    ]
    assert [item["NamedQueryId"] for item in found["UnprocessedNamedQueryIds"]] == ["none"]
    athena.delete_named_query(NamedQueryId=ids[0])
    with pytest.raises(ClientError, match="was not found"):
        athena.get_named_query(NamedQueryId=ids[0])
    with pytest.raises(ClientError, match="WorkGroup nope is not found"):
        athena.create_named_query(Name="n", Database="shop", QueryString="SELECT 1", WorkGroup="nope")


def test_prepared_statements_take_parameters(lake: Lake) -> None:
    lake.ask("PREPARE of_currency FROM SELECT count(*) FROM orders WHERE currency = ? AND order_id >= ?")
    assert lake.values("EXECUTE of_currency USING 'GBP', 2000") == [("28",)]
    assert lake.values("EXECUTE of_currency", parameters=["'GBP'", "2000"]) == [("28",)]
    kept = lake.athena.get_prepared_statement(StatementName="of_currency", WorkGroup="primary")
    assert kept["PreparedStatement"]["QueryStatement"].startswith("SELECT count(*) FROM orders")
    with pytest.raises(QueryFailed, match="expected 2 but found 1"):
        lake.ask("EXECUTE of_currency USING 'GBP'")
    with pytest.raises(QueryFailed, match="Unknown type: text"):
        lake.ask("EXECUTE of_currency USING CAST('GBP' AS text), 2000")
    with pytest.raises(QueryFailed, match="already exists"):
        lake.ask("PREPARE of_currency FROM SELECT 1")
    lake.ask("DEALLOCATE PREPARE of_currency")
    with pytest.raises(QueryFailed, match="of_currency was not found"):
        lake.ask("EXECUTE of_currency USING 'GBP', 2000")


def test_prepared_statements_are_managed_through_the_api(lake: Lake) -> None:
    athena, group = lake.athena, {"WorkGroup": "primary"}
    for name in ("first", "second"):
        athena.create_prepared_statement(StatementName=name, QueryStatement="SELECT ?", **group)
    listed = athena.list_prepared_statements(**group)["PreparedStatements"]
    assert [item["StatementName"] for item in listed] == ["first", "second"]
    athena.update_prepared_statement(StatementName="first", QueryStatement="SELECT ? + 1", **group)
    assert lake.values("EXECUTE first USING 41") == [("42",)]
    found = athena.batch_get_prepared_statement(PreparedStatementNames=["second", "third"], **group)
    assert [item["QueryStatement"] for item in found["PreparedStatements"]] == ["SELECT ?"]
    assert [item["StatementName"] for item in found["UnprocessedPreparedStatementNames"]] == ["third"]
    for name in ("first", "second"):
        athena.delete_prepared_statement(StatementName=name, **group)
    with pytest.raises(ClientError, match="first was not found") as caught:
        athena.get_prepared_statement(StatementName="first", **group)
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


@pytest.mark.parametrize("written", ["text", "string", "float", "datetime", "nonsense"])
def test_a_type_that_athena_does_not_have_is_refused_at_its_place(lake: Lake, written: str) -> None:
    with pytest.raises(QueryFailed) as caught:
        lake.ask(f"SELECT order_id,\n  CAST(order_id AS {written}) AS x FROM orders")
    assert str(caught.value).splitlines() == [
        f"TYPE_NOT_FOUND: line 2:20: Unknown type: {written}",
        f"    CAST(order_id AS {written}) AS x FROM orders",
        "                     ^",
    ]


@pytest.mark.parametrize(
    ("sql", "told", "column"),
    [
        (
            "SELECT currency, sum(units) FROM orders GROUP BY agreed_date",
            "must be an aggregate expression",
            8,
        ),
        ("SELECT code FROM currencies a JOIN currencies b ON a.code = b.code", "is ambiguous", 8),
        ("SELECT order_id, upper(units) FROM orders", "Unexpected parameters", 18),
        ("SELECT order_id + 'x' FROM orders", "Cannot apply operator", 17),
    ],
)
def test_what_the_engine_refuses_is_shown_at_its_place(lake: Lake, sql: str, told: str, column: int) -> None:
    with pytest.raises(QueryFailed, match=told) as caught:
        lake.ask(sql)
    assert str(caught.value).splitlines()[1:] == [f"  {sql}", "  " + " " * (column - 1) + "^"]


def test_the_catalogue_is_described_through_athena(lake: Lake) -> None:
    where = {"CatalogName": "AwsDataCatalog", "DatabaseName": "shop"}
    table = lake.athena.get_table_metadata(TableName="orders", **where)["TableMetadata"]
    assert (table["TableType"], table["Columns"][0]) == (
        "EXTERNAL_TABLE",
        {"Name": "order_id", "Type": "int", "Comment": "the order_id"},
    )
    assert [key["Name"] for key in table["PartitionKeys"]] == ["created_month"]
    listed = lake.athena.list_table_metadata(Expression="ord.*", **where)["TableMetadataList"]
    assert [item["Name"] for item in listed] == ["orders"]
    assert {"Name": "shop"} in lake.athena.list_databases(CatalogName="AwsDataCatalog")["DatabaseList"]
    assert lake.athena.get_database(**where)["Database"]["Name"] == "shop"
    for wrong in ({**where, "DatabaseName": "nope"}, {**where, "CatalogName": "nope"}):
        with pytest.raises(ClientError, match="not found"):
            lake.athena.get_table_metadata(TableName="orders", **wrong)
    with pytest.raises(ClientError, match="table nope does not exist"):
        lake.athena.get_table_metadata(TableName="nope", **where)
