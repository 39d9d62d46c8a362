"""Asking Athena a question through its ordinary API, and waiting for the answer."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from botocore.exceptions import BotoCoreError, ClientError

from glue_jobs.runtime.aws import AthenaClient

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import (
        ColumnInfoTypeDef,
        DatumTypeDef,
        NamedQueryTypeDef,
        QueryExecutionTypeDef,
        StartQueryExecutionInputTypeDef,
    )

_FINAL = ("SUCCEEDED", "FAILED", "CANCELLED")
_LONGEST_PAUSE = 1.0
_PLACE = re.compile(r"\bline (\d+):(\d+): ")

Cell = Optional[str]
"""A value as Athena writes it; None is NULL."""


class QueryFailed(Exception):  # noqa: N818  # the word a person reads
    """A query that did not succeed; the text says why and points at the place."""


@dataclass(frozen=True)
class QueryResult:
    """A query's answer.

    Attributes:
        columns: Name and Athena type of each column, for example ``("price", "decimal(10,2)")``.
        rows: Values as Athena writes them; None is NULL.
        bytes_scanned: Bytes read from the lake.
        seconds: Total time of the execution.
    """

    columns: list[tuple[str, str]]
    rows: list[tuple[Cell, ...]]
    bytes_scanned: int
    seconds: float


@dataclass(frozen=True)
class QueryStream:
    """A query's answer, whose rows are fetched as they are read.

    Attributes:
        columns: As of :class:`QueryResult`.
        rows: Values as Athena writes them; None is NULL.
        bytes_scanned: As of :class:`QueryResult`.
        seconds: As of :class:`QueryResult`.
    """

    columns: list[tuple[str, str]]
    rows: Iterator[tuple[Cell, ...]]
    bytes_scanned: int
    seconds: float


def run_query(
    athena: AthenaClient,
    sql: str,
    database: Optional[str] = None,
    *,
    output: Optional[str] = None,
    work_group: Optional[str] = None,
    parameters: Optional[list[str]] = None,
) -> QueryResult:
    """Run one statement and fetch all of its result.

    Args:
        athena: A boto3 Athena client.
        sql: The statement.
        database: Where unqualified names are looked up.
        output: ``s3://`` folder of the result, where the work group does not say.
        work_group: The work group, ``primary`` unless told.
        parameters: SQL literals for the question marks.

    Raises:
        QueryFailed: The request was refused, or the query failed or was cancelled.
    """
    found = stream_query(athena, sql, database, output=output, work_group=work_group, parameters=parameters)
    return QueryResult(found.columns, list(found.rows), found.bytes_scanned, found.seconds)


def stream_query(
    athena: AthenaClient,
    sql: str,
    database: Optional[str] = None,
    *,
    output: Optional[str] = None,
    work_group: Optional[str] = None,
    parameters: Optional[list[str]] = None,
) -> QueryStream:
    """Run one statement; its rows are fetched as they are read.

    Args:
        athena: A boto3 Athena client.
        sql: The statement.
        database: Where unqualified names are looked up.
        output: ``s3://`` folder of the result, where the work group does not say.
        work_group: The work group, ``primary`` unless told.
        parameters: SQL literals for the question marks.

    Raises:
        QueryFailed: The request was refused, or the query failed or was cancelled.
    """
    request: StartQueryExecutionInputTypeDef = {"QueryString": sql}
    if database:
        request["QueryExecutionContext"] = {"Database": database}
    if output:
        request["ResultConfiguration"] = {"OutputLocation": output}
    if work_group:
        request["WorkGroup"] = work_group
    if parameters:
        request["ExecutionParameters"] = parameters
    try:
        identity = athena.start_query_execution(**request)["QueryExecutionId"]
    except ClientError as error:
        raise QueryFailed(_pointed(sql, error.response["Error"]["Message"])) from None
    except BotoCoreError as error:
        raise QueryFailed(str(error)) from None
    try:
        execution = _wait(athena, identity)
    except KeyboardInterrupt:
        athena.stop_query_execution(QueryExecutionId=identity)
        raise
    if execution["Status"]["State"] != "SUCCEEDED":
        raise QueryFailed(_pointed(sql, execution["Status"].get("StateChangeReason", "Query cancelled")))
    pages = iter(athena.get_paginator("get_query_results").paginate(QueryExecutionId=identity))
    first = next(pages)["ResultSet"]
    columns = [(item["Name"], _type_text(item)) for item in first["ResultSetMetadata"]["ColumnInfo"]]
    # The first row of a query's answer names its columns.
    header = 1 if execution.get("StatementType") == "DML" else 0
    following = (row for page in pages for row in page["ResultSet"]["Rows"])
    statistics = execution["Statistics"]
    return QueryStream(
        columns,
        (_cells(row["Data"], len(columns)) for row in itertools.chain(first["Rows"][header:], following)),
        statistics.get("DataScannedInBytes", 0),
        statistics.get("TotalExecutionTimeInMillis", 0) / 1000,
    )


def named_queries(athena: AthenaClient, work_group: str) -> dict[str, NamedQueryTypeDef]:
    """The named queries of a work group, by name.

    Args:
        athena: A boto3 ``athena`` client.
        work_group: The work group.
    """
    pages = athena.get_paginator("list_named_queries").paginate(WorkGroup=work_group)
    found = [
        query
        for page in pages
        if page["NamedQueryIds"]
        for query in athena.batch_get_named_query(NamedQueryIds=page["NamedQueryIds"])["NamedQueries"]
    ]
    return {query["Name"]: query for query in found}


def _wait(athena: AthenaClient, identity: str) -> QueryExecutionTypeDef:
    pause = 0.01
    while True:
        execution = athena.get_query_execution(QueryExecutionId=identity)["QueryExecution"]
        if execution["Status"]["State"] in _FINAL:
            return execution
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _cells(data: list[DatumTypeDef], count: int) -> tuple[Cell, ...]:
    """The cells of a row; DESCRIBE and the like give them in one text, with tabs and blanks between."""
    cells = [cell.get("VarCharValue") for cell in data]
    if len(cells) == 1 < count and cells[0] is not None:
        parts = cells[0].split("\t", count - 1)
        cells = [part.strip() for part in [*parts, *[""] * (count - len(parts))]]
    return tuple(cells)


def _type_text(column: ColumnInfoTypeDef) -> str:
    name = str(column["Type"])
    return f"decimal({column['Precision']},{column['Scale']})" if name == "decimal" else name


def _pointed(sql: str, message: str) -> str:
    """A message with the line of SQL that it speaks of, and a caret below the place."""
    found = _PLACE.search(message)
    lines = sql.splitlines()
    if not found or not 1 <= int(found[1]) <= len(lines):
        return message
    line = lines[int(found[1]) - 1].replace("\t", " ")
    return f"{message}\n  {line}\n  {' ' * (int(found[2]) - 1)}^"
