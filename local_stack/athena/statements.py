"""What each kind of statement does: queries, SHOW and DESCRIBE, views, CREATE TABLE AS, UNLOAD."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import sqlglot
from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from local_stack.athena.catalogue import CATALOG, Catalogue, Column, Partition, Table
from local_stack.athena.errors import AthenaError, QueryError
from local_stack.athena.execute import Connection
from local_stack.athena.results import rows_reader
from local_stack.athena.saved import SavedStatements
from local_stack.athena.scan import ScanLog, Storage, TableDataset, partition_value, split_uri
from local_stack.athena.translate import INFORMATION_SCHEMA, Scan, Translator, bind_parameters, located, parse
from local_stack.athena.types import from_hive, hive_name, trino_name

_EXPLAIN = re.compile(r"\s*EXPLAIN\s+(?=[^\s])", re.IGNORECASE)
_UNLOAD = re.compile(
    r"\s*UNLOAD\s*\((?P<query>.*)\)\s*TO\s*'(?P<location>s3://[^']+)'\s*(?:WITH\s*\((?P<options>.*)\))?\s*;?\s*$",
    re.IGNORECASE | re.DOTALL,
)
_NAME = r"[`\"]?(\w+)[`\"]?"
_PREPARE = re.compile(rf"\s*PREPARE\s+{_NAME}\s+FROM\s+", re.IGNORECASE)
_EXECUTE = re.compile(
    rf"\s*EXECUTE\s+{_NAME}(?:\s+USING\s+(?P<values>.+?))?\s*;?\s*$", re.IGNORECASE | re.DOTALL
)
_DEALLOCATE = re.compile(rf"\s*DEALLOCATE\s+PREPARE\s+{_NAME}\s*;?\s*$", re.IGNORECASE)
_TABLE_NAME = rf"(?:{_NAME}\.)?{_NAME}"
_PATTERN = r"(?:\s+(?:LIKE\s+)?'([^']*)')?"
_IN = rf"(?:\s+(?:IN|FROM)\s+{_NAME})?"
_WRITES = "it would change data that is never rewritten: new state comes from the jobs alone"


@dataclass
class Session:
    """What a statement may use.

    Attributes:
        catalogue: The Glue catalogue.
        connection: The statement's own DuckDB connection.
        storage: The objects of tables.
        s3: Client through which results are written.
        database: Where unqualified names are looked up.
        output: ``s3://`` folder of results, ending in ``/``.
        id: The execution's id.
        log: What is read.
        saved: The prepared statements of all work groups.
        work_group: The work group that it runs in.
        parameters: Values of the question marks.
    """

    catalogue: Catalogue
    connection: Connection
    storage: Storage
    s3: Any
    database: str | None
    output: str
    id: str
    log: ScanLog
    saved: SavedStatements
    work_group: str
    parameters: list[str] = field(default_factory=list)


@dataclass
class Outcome:
    """What a statement leaves.

    Attributes:
        rows: The result's rows, where it has any.
        header: Whether the result begins with a header, as a query's does.
        location: Where the result is, when that is not ``<output>/<id>.csv``.
        manifest: The object that lists the files written, for CTAS and UNLOAD.
        update_count: Rows written.
    """

    rows: pa.RecordBatchReader | None = None
    header: bool = False
    location: str = ""
    manifest: str = ""
    update_count: int | None = None


def kind_of(statement: exp.Expr) -> tuple[str, str]:
    """``StatementType`` and ``SubstatementType`` as GetQueryExecution tells them."""
    if isinstance(statement, exp.Query):
        return "DML", "SELECT"
    if isinstance(statement, exp.Create):
        view = statement.kind == "VIEW"
        return "DDL", "CREATE_VIEW" if view else "CREATE_TABLE_AS_SELECT"
    if isinstance(statement, exp.Drop):
        return "DDL", f"DROP_{statement.kind}"
    if isinstance(statement, exp.Describe):
        return "UTILITY", "DESCRIBE_TABLE"
    word = statement.name.upper() if isinstance(statement, exp.Command) else statement.key.upper()
    if word.startswith(("PREPARE", "DEALLOCATE")):
        return "DDL", word
    return ("UTILITY" if word in ("SHOW", "EXPLAIN") else "DML"), word


@dataclass(frozen=True)
class Execute:
    """An ``EXECUTE``: which prepared statement, and the values that it states, as SQL literals."""

    name: str
    values: list[str]


def read_execute(sql: str) -> Execute | None:
    """Read a statement as ``EXECUTE name [USING value, …]``; None where it is something else.

    Raises:
        AthenaError: The values cannot be read.
    """
    found = _EXECUTE.match(sql)
    if not found:
        return None
    if not found["values"]:
        return Execute(found[1], [])
    try:
        listed = parse(f"SELECT {found['values']}")
    except QueryError as error:
        raise AthenaError("InvalidRequestException", error.message) from None
    return Execute(found[1], [item.sql(dialect="athena") for item in listed.selects])  # type: ignore[attr-defined]


def execute(sql: str, statement: exp.Expr, session: Session) -> Outcome:
    """Run a statement.

    Args:
        sql: Its text.
        statement: What ``parse`` made of it.
        session: What it may use.

    Raises:
        QueryError: It fails, or is not one that this stack runs.
    """
    if isinstance(statement, exp.Query):
        return Outcome(rows=_select(sql, statement, session), header=True)
    if isinstance(statement, exp.Create):
        return _create(sql, statement, session)
    if isinstance(statement, exp.Drop):
        return _drop(statement, session)
    if isinstance(statement, exp.Describe):
        table = _named(statement.this.text("db"), statement.this.name, session)
        return Outcome(rows=rows_reader(["col_name", "data_type", "comment"], _description(table)))
    if isinstance(statement, exp.Command):
        return _command(sql, statement, session)
    word = statement.key.upper()
    raise QueryError("NOT_SUPPORTED", f"{word} is refused here: {_WRITES}")


def _select(sql: str, query: exp.Expr, session: Session) -> pa.RecordBatchReader:
    try:
        return session.connection.run(_prepare(sql, query, session))
    except QueryError as error:
        raise located(sql, error) from error


def _prepare(sql: str, query: exp.Expr, session: Session) -> str:
    """Translate a query and register what it reads."""
    if session.parameters:
        query = bind_parameters(query.copy(), session.parameters)
    translator = Translator(session.catalogue, session.database)
    translated = translator.translate(sql, query)
    for name, scan in translator.scans.items():
        session.connection.register(name, _data(scan, session))
    return translated


def _data(scan: Scan, session: Session) -> Any:
    table = scan.table
    if table.database == INFORMATION_SCHEMA:
        return _INFORMATION[table.name](session.catalogue, table.schema())
    if "parquet" not in table.serde.lower():
        name = f"{table.database}.{table.name}"
        raise QueryError("NOT_SUPPORTED", f"Table '{CATALOG}.{name}' is not stored as parquet")
    partitions = session.catalogue.partitions(table)
    if scan.condition:
        partitions = _that_fulfil(scan.condition, table, partitions, session)
    return TableDataset(table, partitions, session.storage, session.log)


def _that_fulfil(
    condition: str, table: Table, partitions: list[Partition], session: Session
) -> list[Partition]:
    """The partitions whose values fulfil a condition, as DuckDB evaluates it."""
    keys = [table.schema().field(column.name) for column in table.partition_keys]
    rows = [
        {key.name: partition_value(key, value).as_py() for key, value in zip(keys, part.values, strict=True)}
        | {"#": place}
        for place, part in enumerate(partitions)
    ]
    session.connection.register(
        "#partitions", pa.Table.from_pylist(rows, pa.schema([*keys, ("#", pa.int64())]))
    )
    kept = session.connection.run(f'SELECT "#" FROM "#partitions" WHERE {condition} ORDER BY 1')  # noqa: S608
    return [partitions[place] for place in kept.read_all().column(0).to_pylist()]


# --- CREATE and DROP ---------------------------------------------------------------------------------------


def _create(sql: str, statement: exp.Create, session: Session) -> Outcome:
    query = statement.expression
    if not isinstance(query, exp.Query) or statement.kind not in ("TABLE", "VIEW"):
        raise QueryError(
            "NOT_SUPPORTED",
            "Only CREATE VIEW and CREATE TABLE AS are run here; tables come from the catalogue's API",
        )
    _require_names(query)
    database, name = _target(statement.this, session)
    if statement.kind == "TABLE":
        return _create_table(sql, statement, query, (database, name), session)
    text = _after_as(sql)
    schema = session.connection.schema(_prepare(sql, query, session))
    _require_distinct(schema)
    existing = session.catalogue.table(database, name)
    if existing and not existing.view:
        raise QueryError("TABLE_ALREADY_EXISTS", f"Table '{CATALOG}.{database}.{name}' already exists")
    session.catalogue.put_view(
        database, name, text, _lower(schema), replace=bool(statement.args.get("replace"))
    )
    return Outcome()


def _create_table(
    sql: str, statement: exp.Create, query: exp.Expr, name: tuple[str, str], session: Session
) -> Outcome:
    if session.catalogue.table(*name):
        if statement.args.get("exists"):
            return Outcome()
        raise QueryError("TABLE_ALREADY_EXISTS", f"Table '{CATALOG}.{'.'.join(name)}' already exists")
    options = _properties(statement)
    folder = options.get("external_location", f"{session.output}tables/{session.id}/").rstrip("/") + "/"
    if session.storage.files(folder):
        raise QueryError(
            "HIVE_PATH_ALREADY_EXISTS",
            f"Target directory for table '{'.'.join(name)}' already exists: {folder}",
        )
    keys = [str(key).lower() for key in options.get("partitioned_by", [])]
    rows = _select(sql, query, session)
    _require_distinct(rows.schema)
    schema = _stored(rows.schema)
    written = _Written()
    if options.get("no_data") is None:
        written = _write(rows, schema, keys, folder, options, session)
    session.catalogue.create_table(*name, schema, keys, folder)
    table = session.catalogue.table(*name)
    if keys and table:
        session.catalogue.add_partitions(table, written.partitions(keys, folder))
    manifest = f"{session.output}tables/{session.id}-manifest.csv"
    _put(session.s3, manifest, "\n".join(written.uris).encode())
    return Outcome(
        location=f"{session.output}tables/{session.id}", manifest=manifest, update_count=written.rows
    )


def _drop(statement: exp.Drop, session: Session) -> Outcome:
    if statement.kind not in ("TABLE", "VIEW"):
        raise QueryError("NOT_SUPPORTED", f"DROP {statement.kind} is not run here")
    database, name = _target(statement.args["tables"][0], session)
    table = session.catalogue.table(database, name)
    if table is None:
        if statement.args.get("exists"):
            return Outcome()
        raise QueryError(
            "TABLE_NOT_FOUND", f"{statement.kind.title()} '{CATALOG}.{database}.{name}' does not exist"
        )
    if (statement.kind == "VIEW") != bool(table.view):
        raise QueryError(
            "NOT_SUPPORTED", f"'{CATALOG}.{database}.{name}' is a {'view' if table.view else 'table'}"
        )
    session.catalogue.drop(database, name)
    return Outcome()


def _target(node: exp.Expr, session: Session) -> tuple[str, str]:
    table = node.find(exp.Table) if not isinstance(node, exp.Table) else node
    if table is None:
        raise QueryError("SYNTAX_ERROR", "A table's name is missing")
    database = (table.db or session.database or "").lower()
    if not database:
        raise QueryError("MISSING_SCHEMA_NAME", "Schema must be specified when session schema is not set")
    if not session.catalogue.has_database(database):
        raise QueryError("SCHEMA_NOT_FOUND", f"Schema '{database}' does not exist")
    return database, table.name.lower()


def _properties(statement: exp.Create) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in statement.args["properties"].expressions if statement.args.get("properties") else []:
        if isinstance(item, exp.FileFormatProperty):
            found["format"] = item.name
        elif isinstance(item, exp.PartitionedByProperty):
            found["partitioned_by"] = [part.name for part in item.this.expressions]
        elif isinstance(item, exp.WithDataProperty):
            found["no_data"] = True if item.args.get("no") else None
        else:
            value = item.args["value"]
            found[item.name.lower()] = value.expressions if isinstance(value, exp.Array) else value.name
    return found


def _require_names(query: exp.Query) -> None:
    for place, item in enumerate(query.selects, start=1):
        if not isinstance(item, exp.Alias | exp.Column | exp.Dot) and not item.is_star:
            raise QueryError("MISSING_COLUMN_NAME", f"Column name not specified at position {place}")


def _require_distinct(schema: pa.Schema) -> None:
    names = [name.lower() for name in schema.names]
    for name in names:
        if names.count(name) > 1:
            raise QueryError("DUPLICATE_COLUMN_NAME", f"Column name '{name}' specified more than once")


def _after_as(sql: str) -> str:
    """The query of a CREATE VIEW, as it was written."""
    first = next(
        token for token in sqlglot.tokenize(sql, dialect="athena") if token.token_type == TokenType.ALIAS
    )
    return sql[first.end + 1 :].strip().rstrip(";").rstrip()


def _lower(schema: pa.Schema) -> pa.Schema:
    return pa.schema([item.with_name(item.name.lower()) for item in schema])


# --- writing -----------------------------------------------------------------------------------------------


@dataclass
class _Written:
    """Files that a statement wrote."""

    uris: list[str] = field(default_factory=list)
    rows: int = 0

    def partitions(self, keys: list[str], folder: str) -> list[Partition]:
        """The partitions that the files lie in, from their folders ``key=value/``."""
        found = {}
        for uri in self.uris:
            parts = uri.removeprefix(folder).split("/")[: len(keys)]
            values = tuple(part.partition("=")[2] for part in parts)
            found[values] = Partition(values, folder + "/".join(parts) + "/")
        return list(found.values())


def _stored(schema: pa.Schema) -> pa.Schema:
    """The schema of files: lower-case names, timestamps of three digits."""
    fields = []
    for item in _lower(schema):
        hive_name(item.type)  # refuses what Hive has no type for
        fields.append(item.with_type(pa.timestamp("ms")) if pa.types.is_timestamp(item.type) else item)
    return pa.schema(fields)


def _write(
    rows: pa.RecordBatchReader,
    schema: pa.Schema,
    keys: list[str],
    folder: str,
    options: dict[str, Any],
    session: Session,
) -> _Written:
    form = str(options.get("format", "PARQUET")).upper()
    if form != "PARQUET":
        raise QueryError("NOT_SUPPORTED", f"format = '{form}': this stack writes PARQUET alone")
    if keys and schema.names[-len(keys) :] != keys:
        raise QueryError(
            "HIVE_COLUMN_ORDER_MISMATCH",
            f"Partition keys must be the last columns in the table and in the same order: {keys}",
        )
    written = _Written()

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in rows:
            written.rows += batch.num_rows
            columns = [
                column.cast(item.type, safe=False) for column, item in zip(batch.columns, schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    with tempfile.TemporaryDirectory() as scratch:
        ds.write_dataset(
            batches(),
            scratch,
            schema=schema,
            format="parquet",
            file_options=ds.ParquetFileFormat().make_write_options(
                compression=str(options.get("write_compression", options.get("compression", "zstd"))).lower()
            ),
            partitioning=ds.partitioning(pa.schema([schema.field(key) for key in keys]), flavor="hive")
            if keys
            else None,
            basename_template=f"{session.id}-{{i}}.parquet",
        )
        for path in sorted(Path(scratch).rglob("*.parquet")):
            uri = folder + path.relative_to(scratch).as_posix()
            bucket, key = split_uri(uri)
            session.s3.upload_file(str(path), bucket, key.rstrip("/"))
            written.uris.append(uri)
    return written


def _put(s3: Any, uri: str, body: bytes) -> None:
    bucket, key = split_uri(uri)
    s3.put_object(Bucket=bucket, Key=key.rstrip("/"), Body=body)


# --- SHOW, EXPLAIN, UNLOAD ---------------------------------------------------------------------------------


def _command(sql: str, statement: exp.Command, session: Session) -> Outcome:
    word = statement.name.upper()
    explained = _EXPLAIN.match(sql)
    if word == "EXPLAIN" and explained:
        text, query = _inner(sql, explained.end(), len(sql))
        lines = session.connection.explain(_prepare(text, query, session))
        return Outcome(rows=rows_reader(["Query Plan"], [(line,) for line in lines]))
    if word == "PREPARE" or word.startswith("DEALLOCATE"):
        return _keep_or_forget(sql, session)
    unload = _UNLOAD.match(sql)
    if word == "UNLOAD" and unload:
        return _unload(sql, unload, session)
    if word == "SHOW":
        for pattern, show in _SHOWS:
            found = re.fullmatch(rf"\s*SHOW\s+{pattern}\s*;?\s*", sql, re.IGNORECASE)
            if found:
                names, rows = show(session, *found.groups())
                return Outcome(rows=rows_reader(names, rows))
    raise QueryError("NOT_SUPPORTED", f"This stack does not run: {' '.join(sql.split())[:80]}")


def _keep_or_forget(sql: str, session: Session) -> Outcome:
    """``PREPARE name FROM query`` and ``DEALLOCATE PREPARE name``."""
    prepare, forget = _PREPARE.match(sql), _DEALLOCATE.match(sql)
    if prepare:
        _inner(sql, prepare.end(), len(sql))  # refuses what is no query
        session.saved.prepare(session.work_group, prepare[1], sql[prepare.end() :].strip().rstrip(";"))
    elif forget:
        session.saved.deallocate(session.work_group, forget[1])
    else:
        raise QueryError("SYNTAX_ERROR", "Write PREPARE name FROM query, or DEALLOCATE PREPARE name")
    return Outcome()


def _inner(sql: str, start: int, end: int) -> tuple[str, exp.Expr]:
    """A query inside another statement; blanks before it keep the places in messages right."""
    blank = re.sub(r"\S", " ", sql[:start])
    text = blank + sql[start:end]
    query = parse(text)
    if not isinstance(query, exp.Query):
        raise QueryError("NOT_SUPPORTED", f"Only a query may stand here, not {query.key.upper()}")
    return text, query


def _unload(sql: str, found: re.Match[str], session: Session) -> Outcome:
    text, query = _inner(sql, *found.span("query"))
    options = _options(found["options"] or "")
    rows = _select(text, query, session)
    _require_distinct(rows.schema)
    folder = found["location"].rstrip("/") + "/"
    if session.storage.files(folder):
        raise QueryError("HIVE_PATH_ALREADY_EXISTS", f"Target directory already exists: {folder}")
    keys = [key.lower() for key in options.pop("partitioned_by", [])]
    written = _write(rows, _stored(rows.schema), keys, folder, options, session)
    manifest = f"{session.output}{session.id}-manifest.csv"
    _put(session.s3, manifest, "\n".join(written.uris).encode())
    return Outcome(location=f"{session.output}{session.id}", manifest=manifest, update_count=written.rows)


def _options(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    shaped = sqlglot.parse_one(f"CREATE TABLE t WITH ({text}) AS SELECT 1 AS x", dialect="athena")
    return _properties(shaped) if isinstance(shaped, exp.Create) else {}


def _matching(names: list[str], pattern: str | None) -> list[tuple[str, ...]]:
    """Names that fit a pattern of Hive: ``*`` for anything, ``|`` between choices."""
    choices = (pattern or "*").lower().split("|")
    return [(name,) for name in names if any(fnmatchcase(name, choice) for choice in choices)]


def _show_databases(session: Session, pattern: str | None) -> Any:
    return ["database_name"], _matching(session.catalogue.databases(), pattern)


def _tables(session: Session, database: str | None) -> list[Table]:
    chosen = (database or session.database or "").lower()
    if not chosen:
        raise QueryError("MISSING_SCHEMA_NAME", "Schema must be specified when session schema is not set")
    if not session.catalogue.has_database(chosen):
        raise QueryError("SCHEMA_NOT_FOUND", f"Schema '{chosen}' does not exist")
    return session.catalogue.tables(chosen)


def _show_tables(session: Session, database: str | None, pattern: str | None) -> Any:
    return ["tab_name"], _matching([table.name for table in _tables(session, database)], pattern)


def _show_views(session: Session, database: str | None, pattern: str | None) -> Any:
    return ["views"], _matching([table.name for table in _tables(session, database) if table.view], pattern)


def _show_columns(session: Session, database: str | None, name: str, other: str | None) -> Any:
    table = _named(other or database or "", name, session)
    return ["field"], [(column.name,) for column in table.all_columns]


def _show_partitions(session: Session, database: str | None, name: str) -> Any:
    table = _named(database or "", name, session)
    if not table.partition_keys:
        raise QueryError(
            "INVALID_TABLE_PROPERTY", f"Table {table.database}.{table.name} is not a partitioned table"
        )
    names = [column.name for column in table.partition_keys]
    rows = [
        ("/".join(f"{key}={value}" for key, value in zip(names, part.values, strict=True)),)
        for part in session.catalogue.partitions(table)
    ]
    return ["partition"], sorted(rows)


def _show_create(session: Session, database: str | None, name: str) -> Any:
    table = _named(database or "", name, session)
    if table.view:
        text = f"CREATE VIEW {table.database}.{table.name} AS\n{table.view.sql}"
    else:
        text = _create_statement(table)
    return ["createtab_stmt"], [(line,) for line in text.splitlines()]


def _create_statement(table: Table) -> str:
    def listed(columns: Any) -> str:
        return ",\n".join(
            f"  `{column.name}` {column.type}"
            + (f" COMMENT '{_quoted(column.comment)}'" if column.comment else "")
            for column in columns
        )

    parts = [f"CREATE EXTERNAL TABLE `{table.database}`.`{table.name}`(\n{listed(table.columns)})"]
    if table.description:
        parts.append(f"COMMENT '{_quoted(table.description)}'")
    if table.partition_keys:
        parts.append(f"PARTITIONED BY (\n{listed(table.partition_keys)})")
    parts.append(f"STORED AS PARQUET\nLOCATION\n  '{table.location}'")
    if table.parameters:
        listing = ",\n".join(
            f"  '{key}'='{_quoted(value)}'" for key, value in sorted(table.parameters.items())
        )
        parts.append(f"TBLPROPERTIES (\n{listing})")
    return "\n".join(parts)


def _quoted(text: str) -> str:
    return text.replace("'", "\\'")


def _show_properties(session: Session, database: str | None, name: str) -> Any:
    table = _named(database or "", name, session)
    return ["prpt_name", "prpt_value"], sorted(table.parameters.items())


_SHOWS: list[tuple[str, Callable[..., Any]]] = [
    (rf"(?:DATABASES|SCHEMAS){_PATTERN}", _show_databases),
    (rf"TABLES{_IN}{_PATTERN}", _show_tables),
    (rf"VIEWS{_IN}{_PATTERN}", _show_views),
    (rf"COLUMNS\s+(?:IN|FROM)\s+{_TABLE_NAME}{_IN}", _show_columns),
    (rf"PARTITIONS\s+{_TABLE_NAME}", _show_partitions),
    (rf"TBLPROPERTIES\s+{_TABLE_NAME}", _show_properties),
    (rf"CREATE\s+(?:TABLE|VIEW)\s+{_TABLE_NAME}", _show_create),
]


def _named(database: str, name: str, session: Session) -> Table:
    chosen = (database or session.database or "").lower()
    table = session.catalogue.table(chosen, name) if chosen else None
    if table is None:
        raise QueryError("TABLE_NOT_FOUND", f"Table '{CATALOG}.{chosen}.{name.lower()}' does not exist")
    return table


def _description(table: Table) -> Iterator[tuple[str | None, ...]]:
    for column in table.all_columns:
        yield column.name, column.type, column.comment
    if table.partition_keys:
        yield "", "", ""
        yield "# Partition Information", "", ""
        yield "# col_name", "data_type", "comment"
        yield "", "", ""
        for column in table.partition_keys:
            yield column.name, column.type, column.comment


# --- information_schema ------------------------------------------------------------------------------------


def _schemata(catalogue: Catalogue, schema: pa.Schema) -> pa.Table:
    names = [*catalogue.databases(), INFORMATION_SCHEMA]
    return pa.Table.from_pylist([{"catalog_name": CATALOG, "schema_name": name} for name in names], schema)


def _all_tables(catalogue: Catalogue) -> Iterator[Table]:
    for database in catalogue.databases():
        yield from catalogue.tables(database)


def _information_tables(catalogue: Catalogue, schema: pa.Schema) -> pa.Table:
    rows = [
        {
            "table_catalog": CATALOG,
            "table_schema": table.database,
            "table_name": table.name,
            "table_type": "VIEW" if table.view else "BASE TABLE",
        }
        for table in _all_tables(catalogue)
    ]
    return pa.Table.from_pylist(rows, schema)


def _information_columns(catalogue: Catalogue, schema: pa.Schema) -> pa.Table:
    rows = [
        {
            "table_catalog": CATALOG,
            "table_schema": table.database,
            "table_name": table.name,
            "column_name": column.name,
            "ordinal_position": place,
            "is_nullable": "YES",
            "data_type": _shown_type(column),
            "comment": column.comment or None,
        }
        for table in _all_tables(catalogue)
        for place, column in enumerate(table.all_columns, start=1)
    ]
    return pa.Table.from_pylist(rows, schema)


def _information_views(catalogue: Catalogue, schema: pa.Schema) -> pa.Table:
    rows = [
        {
            "table_catalog": CATALOG,
            "table_schema": table.database,
            "table_name": table.name,
            "view_definition": table.view.sql,
        }
        for table in _all_tables(catalogue)
        if table.view
    ]
    return pa.Table.from_pylist(rows, schema)


def _shown_type(column: Column) -> str:
    try:
        return trino_name(from_hive(column.type))
    except QueryError:
        return column.type  # a table that cannot be read is listed all the same


_INFORMATION = {
    "schemata": _schemata,
    "tables": _information_tables,
    "columns": _information_columns,
    "views": _information_views,
}
