"""DuckDB as the engine: one small database with Trino's macros, a connection for each query."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import PythonUDFType

from local_stack.athena.decimals import ZERO_DIVISOR, quotient
from local_stack.athena.errors import QueryError
from local_stack.athena.functions import MACROS

BATCH_ROWS = 50_000
"""Rows in a batch of a result."""

# Types that Trino lacks, and what their values are in a result.
_RESULT_TYPES = [
    (re.compile(r"^(U?HUGEINT|UBIGINT|UINTEGER|USMALLINT|UTINYINT)$"), "BIGINT"),
    (re.compile(r"^TIMESTAMP_(S|MS|NS)$"), "TIMESTAMP"),
    (re.compile(r"^(INTERVAL|UUID|JSON|TIME WITH TIME ZONE|BIT|ENUM.*)$"), "VARCHAR"),
]


class Engine:
    """Runs DuckDB's SQL over datasets that are passed in; nothing else can be read.

    Args:
        scratch: A directory for what does not fit in memory.
        threads: DuckDB's threads, for all queries together.
        memory: DuckDB's memory limit, for all queries together.
    """

    def __init__(self, scratch: Path, threads: int = 2, memory: str = "1GB") -> None:
        self._database = duckdb.connect(
            ":memory:",
            config={
                "threads": threads,
                "memory_limit": memory,
                "temp_directory": str(scratch),
                "autoload_known_extensions": False,
                "autoinstall_known_extensions": False,
                "python_enable_replacements": False,
            },
        )
        self._database.execute("SET GLOBAL TimeZone = 'UTC'")
        self._database.execute("SET GLOBAL enable_external_access = false")
        text = duckdb.sqltypes.VARCHAR
        kind = PythonUDFType.ARROW
        self._database.create_function("decimal_quotient", quotient, [text, text], text, type=kind)
        for macro in MACROS:
            self._database.execute(macro)

    def connect(self) -> Connection:
        """A connection for one query."""
        return Connection(self._database.cursor())

    def close(self) -> None:
        """Give the memory back."""
        self._database.close()


class Connection:
    """One query's connection; ``interrupt`` may be called from another thread."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor

    def register(self, name: str, data: Any) -> None:
        """Make an Arrow table or dataset readable under a name."""
        self._cursor.register(name, data)

    def run(self, sql: str) -> pa.RecordBatchReader:
        """The rows of a query, as they are produced, in types that Trino has.

        Raises:
            QueryError: DuckDB refuses the query.
        """
        try:
            described = self._cursor.execute(f"DESCRIBE {sql}").fetchall()
            self._cursor.execute(_in_trino_types(sql, [kind for _, kind, *_ in described]))
            reader = self._cursor.fetch_record_batch(BATCH_ROWS)
        except duckdb.Error as error:
            raise explain(error) from error
        # Taken from the query itself, since a name that stands twice is changed inside a subquery.
        names = [name for name, *_ in described]
        schema = pa.schema([field.with_name(name) for field, name in zip(reader.schema, names, strict=True)])
        return pa.RecordBatchReader.from_batches(schema, _renamed(reader, schema))

    def schema(self, sql: str) -> pa.Schema:
        """Names and types of a query's columns, without running it.

        Raises:
            QueryError: DuckDB refuses the query.
        """
        try:
            names = [name for name, *_ in self._cursor.execute(f"DESCRIBE {sql}").fetchall()]
        except duckdb.Error as error:
            raise explain(error) from error
        types = self.run(f"SELECT * FROM ({sql}) LIMIT 0").schema.types  # noqa: S608  # translated before
        return pa.schema(list(zip(names, types, strict=True)))

    def explain(self, sql: str) -> list[str]:
        """The lines of DuckDB's plan of a query."""
        try:
            rows = self._cursor.execute(f"EXPLAIN {sql}").fetchall()
        except duckdb.Error as error:
            raise explain(error) from error
        return [line for row in rows for line in str(row[1]).splitlines()]

    def interrupt(self) -> None:
        """Stop what runs."""
        self._cursor.interrupt()

    def close(self) -> None:
        """Forget the connection and what is registered on it."""
        self._cursor.close()


def _renamed(reader: pa.RecordBatchReader, schema: pa.Schema) -> Any:
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)


def _in_trino_types(sql: str, kinds: list[str]) -> str:
    casts = [next((to for pattern, to in _RESULT_TYPES if pattern.match(kind)), None) for kind in kinds]
    columns = [
        f'CAST(#{place} AS {to}) AS "{place}"' if to else f'#{place} AS "{place}"'
        for place, to in enumerate(casts, start=1)
    ]
    return f"SELECT {', '.join(columns)} FROM ({sql})"  # noqa: S608  # numbers and type names


_EXPLANATIONS: list[tuple[str, str, str]] = [
    (ZERO_DIVISOR, "DIVISION_BY_ZERO", "Division by zero"),
    (r'Referenced column "([^"]+)" not found', "COLUMN_NOT_FOUND", "Column '{0}' cannot be resolved"),
    (r'does not have a column named "([^"]+)"', "COLUMN_NOT_FOUND", "Column '{0}' cannot be resolved"),
    (r'Ambiguous reference to column name "([^"]+)"', "AMBIGUOUS_NAME", "Column '{0}' is ambiguous"),
    (
        r'column "?([^" ]+)"? must appear in the GROUP BY',
        "EXPRESSION_NOT_AGGREGATE",
        "'{0}' must be an aggregate expression or appear in GROUP BY clause",
    ),
    (r"Function with name (\w+) does not exist", "NOT_SUPPORTED", "Function '{0}' is not in this stack"),
    (r"argument types '([^\w(]+)\(([^)]*)\)'", "TYPE_MISMATCH", "Cannot apply operator: {0} to {1}"),
    (r"function call \"([^\w(]+)\(([^)]*)\)\"", "TYPE_MISMATCH", "Cannot apply operator: {0} to {1}"),
    (
        r"argument types '(\w+)\(([^)]*)\)'",
        "FUNCTION_NOT_FOUND",
        "Unexpected parameters ({1}) for function {0}",
    ),
    (r"Could not convert string '(.*)' to (\w+)", "INVALID_CAST_ARGUMENT", "Cannot cast '{0}' to {1}"),
    (r"Out of Range Error: (.*)", "NUMERIC_VALUE_OUT_OF_RANGE", "{0}"),
    (r"Out of Memory Error: (.*)", "EXCEEDED_LOCAL_MEMORY_LIMIT", "{0}"),
]


def explain(error: duckdb.Error) -> QueryError:
    """What DuckDB says, in Trino's words as far as they are known."""
    text = str(error)
    for pattern, name, message in _EXPLANATIONS:
        found = re.search(pattern, text)
        if found:
            groups = found.groups()
            return QueryError(name, message.format(*groups), about=groups[0] if groups else "")
    first = text.splitlines()[0]
    name = "SYNTAX_ERROR" if isinstance(error, duckdb.ParserException | duckdb.BinderException) else ""
    return QueryError(name or "GENERIC_USER_ERROR", first.partition(": ")[2] or first)
