"""Asking Athena a question from Python or the command line, through the ordinary API."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

_FINAL = ("SUCCEEDED", "FAILED", "CANCELLED")
_LONGEST_PAUSE = 1.0
_UNFOLDED = 100_000
_NARROWEST = 80
_NUMBERS = ("tinyint", "smallint", "integer", "bigint", "decimal", "double", "float")
_PLACE = re.compile(r"\bline (\d+):(\d+): ")

Cell = str | None


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


def run_query(
    athena: Any,
    sql: str,
    database: str | None = None,
    *,
    output: str | None = None,
    work_group: str | None = None,
    parameters: list[str] | None = None,
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
    request: dict[str, Any] = {"QueryString": sql}
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
    columns, rows = _fetch(athena, identity, header=execution.get("StatementType") == "DML")
    statistics = execution["Statistics"]
    return QueryResult(
        columns,
        rows,
        statistics.get("DataScannedInBytes", 0),
        statistics.get("TotalExecutionTimeInMillis", 0) / 1000,
    )


def _wait(athena: Any, identity: str) -> dict[str, Any]:
    pause = 0.01
    while True:
        execution: dict[str, Any] = athena.get_query_execution(QueryExecutionId=identity)["QueryExecution"]
        if execution["Status"]["State"] in _FINAL:
            return execution
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _fetch(
    athena: Any, identity: str, *, header: bool
) -> tuple[list[tuple[str, str]], list[tuple[Cell, ...]]]:
    columns: list[tuple[str, str]] = []
    rows: list[tuple[Cell, ...]] = []
    for page in athena.get_paginator("get_query_results").paginate(QueryExecutionId=identity):
        found = page["ResultSet"]
        columns = [(item["Name"], _type_text(item)) for item in found["ResultSetMetadata"]["ColumnInfo"]]
        rows.extend(tuple(cell.get("VarCharValue") for cell in row["Data"]) for row in found["Rows"])
    return columns, rows[1:] if header else rows


def _type_text(column: dict[str, Any]) -> str:
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


def as_table(result: QueryResult) -> str:
    """An aligned table with types, and below it rows, bytes scanned and seconds."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, kind in result.columns:
        heading = Text(name, style="bold") + Text(f"\n{kind}", style="dim")
        table.add_column(heading, justify="right" if _is_number(kind) else "left", overflow="fold")
    for row in result.rows:
        table.add_row(*(Text("NULL", style="dim") if cell is None else Text(cell) for cell in row))
    out = io.StringIO()
    # In a file or a pipe nothing need be folded; a person's screen is as wide as it is.
    screen = Console()
    wide = screen.width if screen.is_terminal else Console(width=_UNFOLDED).measure(table).maximum + 1
    console = Console(file=out, width=max(wide, _NARROWEST), force_terminal=screen.is_terminal)
    if result.columns:
        console.print(table)
    count = len(result.rows)
    rows = f"{count:,} row{'' if count == 1 else 's'}" if result.columns else "done"
    console.print(
        f"{rows}, {_size(result.bytes_scanned)} scanned, {result.seconds:.2f} s", style="dim", highlight=False
    )
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _size(number: int) -> str:
    amount = float(number)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:  # decimal units
            return f"{number:,} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def as_csv(result: QueryResult) -> str:
    """CSV with a header; NULL is an empty field, an empty text is ``""``."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([name for name, _ in result.columns])
    for row in result.rows:
        if row == ("",) or any(cell == "" for cell in row):
            out.write(",".join(_csv_cell(cell) for cell in row) + "\n")
        else:
            writer.writerow(["" if cell is None else cell for cell in row])
    return out.getvalue().removesuffix("\n")


def _csv_cell(cell: Cell) -> str:
    return "" if cell is None else '"' + cell.replace('"', '""') + '"'


def as_json(result: QueryResult) -> str:
    """A JSON array of objects by column name; numbers are exact, dates and times are strings."""
    return "[" + ",\n ".join(_json_object(result.columns, row) for row in result.rows) + "]"


def _json_object(columns: list[tuple[str, str]], row: tuple[Cell, ...]) -> str:
    return "{" + ", ".join(_json_members(columns, row)) + "}"


def _json_members(columns: list[tuple[str, str]], row: tuple[Cell, ...]) -> Iterator[str]:
    for (name, kind), cell in zip(columns, row, strict=True):
        yield f"{json.dumps(name, ensure_ascii=False)}: {_json_value(kind, cell)}"


def _json_value(kind: str, cell: Cell) -> str:
    if cell is None or (_is_number(kind) and cell.lstrip("-") in ("NaN", "Infinity")):
        return "null"  # JSON has no number for NaN and infinity
    if _is_number(kind) or kind == "boolean":
        return cell  # the text itself is the JSON: a decimal keeps every digit
    return json.dumps(cell, ensure_ascii=False)


def _is_number(kind: str) -> bool:
    return kind.partition("(")[0] in _NUMBERS


FORMATS: dict[str, Callable[[QueryResult], str]] = {"table": as_table, "csv": as_csv, "json": as_json}
"""How ``lakehouse sql`` prints a result."""
