"""What each kind of statement does: queries, those of the catalogue, and those that write."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local_aws.athena.catalog_reader import (
    CATALOG,
    CatalogOfStatement,
    Column,
    GlueCatalog,
    Partition,
    Table,
)
from local_aws.athena.commands import option_value
from local_aws.athena.information import INFORMATION_SCHEMA, information_rows
from local_aws.athena.jobs import Done, Job, Source, Writing
from local_aws.athena.kinds import BOOLEAN, VARCHAR, Type
from local_aws.athena.plan import Plan
from local_aws.athena.processes import Processes, Watch
from local_aws.athena.query_errors import QueryError, position
from local_aws.athena.query_results import Listing, listing, padded
from local_aws.athena.relations import Result, check_result, translate
from local_aws.athena.saved import SavedStatements
from local_aws.athena.scan import ListFiles, Storage, split_uri
from local_aws.athena.syntax import Node
from local_aws.athena.textfiles import (
    HIVE_JSON,
    LAZY,
    OPENX_JSON,
    PARQUET_SERDE,
    check_properties,
)
from local_aws.athena.typenames import hive_name, hive_type
from local_aws.athena.writing import USUAL, check_format, check_types

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Sandbox:
    """Where analysts may write.

    Attributes:
        database: The one database whose tables and views they may create, change and drop.
        location: The ``s3://`` prefix below which its data lies.
    """

    database: str
    location: str

    def holds(self, uri: str) -> bool:
        """Whether a place lies below the prefix."""
        return f"{uri.rstrip('/')}/".startswith(f"{self.location.rstrip('/')}/")


@dataclass
class Session:
    """What a statement may use.

    Attributes:
        catalogue: The Glue catalogue.
        processes: What runs queries.
        watch: Through which the statement's process is ended.
        storage: The objects of tables.
        s3: Client through which results are written.
        database: Where unqualified names are looked up.
        output: ``s3://`` folder of results, ending in ``/``.
        enforced: Whether the work group has everything written there, tables included.
        id: The execution's id.
        spool: Where result pages are kept.
        scan_limit: Bytes that the work group lets a query read.
        saved: The prepared statements of all work groups.
        work_group: The work group that it runs in.
        sandbox: Where it may write; everywhere where none is stated.
    """

    catalogue: GlueCatalog
    processes: Processes
    watch: Watch
    storage: Storage
    s3: S3Client
    database: str | None
    output: str
    enforced: bool
    id: str
    spool: Path
    scan_limit: int | None
    saved: SavedStatements
    work_group: str
    sandbox: Sandbox | None = None

    @cached_property
    def looked_up(self) -> CatalogOfStatement:
        """The catalogue as the statement's query finds it."""
        return self.catalogue.as_found()

    @cached_property
    def files(self) -> ListFiles:
        """From a location to its data files, each listed once."""
        return cache(self.storage.files)

    @property
    def scratch(self) -> Path:
        """A directory of this statement's own."""
        return self.spool / f"{self.id}.work"


@dataclass
class Outcome:
    """What a statement leaves.

    Attributes:
        columns: The result's columns, where a process wrote its rows.
        rows: How many.
        listing: The result, where it is one of texts.
        location: Where the result is, when that is not ``<output>/<id>.csv``.
        manifest: The object that lists the files written, for CTAS, INSERT and UNLOAD.
        update_count: Rows written.
    """

    columns: tuple[tuple[str, Type], ...] | None = None
    rows: int = 0
    listing: Listing | None = None
    location: str = ""
    manifest: str = ""
    update_count: int | None = None


def execute(sql: str, statement: Node, session: Session) -> Outcome:
    """Run a statement.

    Args:
        sql: Its text.
        statement: What ``parse`` made of it, its parameters bound.
        session: What it may use.

    Raises:
        QueryError: It fails, or is not one that this stack runs.
    """
    return _RUNNERS[statement.kind](sql, statement, session)


# --- queries -----------------------------------------------------------------------------------------------


def _plan(sql: str, query: Node, session: Session) -> tuple[Result, Plan]:
    plan = Plan(dt.datetime.now(dt.UTC).replace(tzinfo=None))
    return translate(sql, query, session.looked_up, session.database, plan), plan


def _job(query: Result, plan: Plan, session: Session, **more: Any) -> Job:
    return Job(
        sql=query.sql,
        columns=_columns(query),
        functions=plan.functions,
        sources={name: _source(scan, session) for name, scan in plan.scans.items()},
        scan_limit=session.scan_limit,
        scratch=session.scratch,
        memory=session.processes.limits.memory,
        **more,
    )


def _columns(result: Result) -> tuple[tuple[str, Type], ...]:
    return tuple((column.label, column.type) for column in result.columns)


def _source(scan: Any, session: Session) -> Source:
    table = scan.table
    if table.database == INFORMATION_SCHEMA:
        return Source(scan, rows=information_rows(session.looked_up, table))
    return Source(scan, tuple(session.looked_up.partitions(table)))


def _query(sql: str, query: Node, session: Session) -> Outcome:
    result, plan = _plan(sql, query, session)
    check_result(result.columns)
    job = _job(result, plan, session, result=session.spool / session.id)
    done = session.processes.run(job, session.files, session.watch)
    return Outcome(columns=job.columns, rows=done.rows)


def _explain(sql: str, statement: Node, session: Session) -> Outcome:
    result, plan = _plan(sql, statement.query, session)
    if statement.type == "VALIDATE":
        return Outcome(listing=listing(["Valid"], [("true",)], BOOLEAN))
    for option, value in (("TYPE", statement.type), ("FORMAT", statement.form)):
        if value in ("IO", "GRAPHVIZ"):
            raise QueryError("NOT_SUPPORTED", f"EXPLAIN ({option} {value}) is not supported here")
    stated = {"ANALYZE": statement.analyze, "FORMAT JSON": statement.form == "JSON"}
    options = [word for word, is_stated in stated.items() if is_stated]
    job = _job(result, plan, session, explain=f"EXPLAIN ({', '.join(options)})" if options else "EXPLAIN")
    lines = session.processes.run(job, session.files, session.watch).lines
    if statement.form == "TEXT":
        lines = ["This stack's own plan; Athena's is another one:", *lines]
    return Outcome(listing=listing(["Query Plan"], [(line,) for line in lines], VARCHAR))


# --- prepared statements -----------------------------------------------------------------------------------


def _prepare(sql: str, statement: Node, session: Session) -> Outcome:
    """``PREPARE name FROM statement``; of SELECT, CTAS, INSERT and UNLOAD."""
    if statement.statement.kind not in ("Query", "CreateTableAs", "Insert", "Unload"):
        raise QueryError("NOT_SUPPORTED", "PREPARE takes SELECT, CREATE TABLE AS, INSERT INTO and UNLOAD")
    text = sql[statement.start :].strip().rstrip(";")
    session.saved.prepare(session.work_group, statement.name, text)
    return Outcome()


def _deallocate(_: str, statement: Node, session: Session) -> Outcome:
    session.saved.deallocate(session.work_group, statement.name)
    return Outcome()


# --- rights ------------------------------------------------------------------------------------------------


def _target(sql: str, node: Node, session: Session) -> tuple[str, str]:
    """Database and name of a table that a statement makes or changes; its rights are looked at."""
    parts = list(node.parts)
    if len(parts) == 3 and parts[0] == CATALOG:
        parts = parts[1:]
    if len(parts) > 2:
        raise QueryError("CATALOG_NOT_FOUND", f"Catalog '{parts[0]}' does not exist", position(sql, node.pos))
    database = (parts[0] if len(parts) == 2 else session.database or "").lower()
    if not database:
        raise QueryError("MISSING_SCHEMA_NAME", "Schema must be specified when session schema is not set")
    if not session.catalogue.has_database(database):
        raise QueryError("SCHEMA_NOT_FOUND", f"Schema '{database}' does not exist", position(sql, node.pos))
    return database, parts[-1].lower()


def _require_write(database: str, what: str, session: Session) -> None:
    sandbox = session.sandbox
    if sandbox is not None and database != sandbox.database:
        raise QueryError(
            "PERMISSION_DENIED",
            f"Access Denied: {what} in database {database}: analysts may write in {sandbox.database} alone",
        )


def _require_place(location: str, session: Session) -> str:
    """A location that a statement states, as a folder."""
    if not location.startswith("s3://") or not split_uri(location)[0]:
        raise QueryError("INVALID_TABLE_PROPERTY", f"{location!r} is no s3:// location")
    sandbox = session.sandbox
    if sandbox is not None and not sandbox.holds(location):
        raise QueryError(
            "PERMISSION_DENIED",
            f"Access Denied: {location}: analysts may write below {sandbox.location} alone",
        )
    return location.rstrip("/") + "/"


def _data_folder(database: str, session: Session) -> str:
    """Where the data of a table goes that states no location."""
    base = session.output if session.enforced else session.catalogue.location(database) or session.output
    return f"{base.rstrip('/')}/tables/{session.id}/"


# --- views -------------------------------------------------------------------------------------------------


def _create_view(sql: str, statement: Node, session: Session) -> Outcome:
    database, name = _target(sql, statement.target, session)
    _require_write(database, "CREATE VIEW", session)
    result, _ = _plan(sql, statement.query, session)
    columns = _stored_columns(result)
    existing = session.catalogue.table(database, name)
    if existing and (not existing.view or not statement.replace):
        raise QueryError("TABLE_ALREADY_EXISTS", f"Table '{CATALOG}.{database}.{name}' already exists")
    session.catalogue.put_view(database, name, statement.text, columns, replace=bool(statement.replace))
    return Outcome()


def _stored_columns(result: Result) -> list[tuple[str, Type]]:
    """Names and types of a query's columns as a table or a view has them.

    Raises:
        QueryError: A column has no name, or that of another, or a type that Hive does not have.
    """
    names: list[str] = []
    for place, column in enumerate(result.columns, start=1):
        if not column.name:
            raise QueryError("MISSING_COLUMN_NAME", f"Column name not specified at position {place}")
        if column.name in names:
            raise QueryError("DUPLICATE_COLUMN_NAME", f"Column name '{column.name}' specified more than once")
        names.append(column.name)
    for column in result.columns:
        if column.type.base == "unknown":
            raise QueryError("COLUMN_TYPE_UNKNOWN", f"Column type is unknown: {column.name}")
        hive_name(column.type)
    return [(column.name, column.type) for column in result.columns]


def _drop(sql: str, statement: Node, session: Session) -> Outcome:
    word = "Table" if statement.table else "View"
    database, name = _target(sql, statement.target, session)
    _require_write(database, f"DROP {word.upper()}", session)
    table = session.catalogue.table(database, name)
    if table is None:
        if statement.exists:
            return Outcome()
        raise QueryError("TABLE_NOT_FOUND", f"{word} '{CATALOG}.{database}.{name}' does not exist")
    if statement.table == bool(table.view):
        raise QueryError(
            "NOT_SUPPORTED", f"'{CATALOG}.{database}.{name}' is a {'view' if table.view else 'table'}"
        )
    session.catalogue.drop(database, name)
    return Outcome()


# --- writing -----------------------------------------------------------------------------------------------

_OPTIONS = (
    "format",
    "external_location",
    "partitioned_by",
    "bucketed_by",
    "bucket_count",
    "field_delimiter",
    "parquet_compression",
    "write_compression",
    "compression",
    "orc_compression",
    "compression_level",
)


def _options(sql: str, options: dict[str, Node]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, node in options.items():
        if name not in _OPTIONS:
            raise QueryError(
                "NOT_SUPPORTED", f"The property {name} is not supported here", position(sql, node.pos)
            )
        try:
            found[name] = option_value(node)
        except ValueError as error:
            raise QueryError("INVALID_TABLE_PROPERTY", f"{name}: {error}", position(sql, node.pos)) from None
    return found


def _writing(options: dict[str, Any], names: list[str], session: Session) -> Writing:
    form = str(options.get("format", "PARQUET")).upper()
    stated = next(
        (
            options[name]
            for name in ("write_compression", "parquet_compression", "compression")
            if name in options
        ),
        None,
    )
    compression = str(stated or USUAL.get(form, "GZIP")).upper()
    check_format(form, compression)
    keys = [str(key).lower() for key in options.get("partitioned_by", [])]
    if keys and names[-len(keys) :] != keys:
        raise QueryError(
            "HIVE_COLUMN_ORDER_MISMATCH",
            f"Partition keys must be the last columns in the table and in the same order: {keys}",
        )
    if len(keys) == len(names):
        raise QueryError("INVALID_TABLE_PROPERTY", "Table contains only partition columns")
    _check_buckets(options, names)
    delimiter = str(options.get("field_delimiter", "\x01"))
    if len(delimiter) != 1:
        raise QueryError(
            "INVALID_TABLE_PROPERTY", f"field_delimiter must be one character, not {delimiter!r}"
        )
    return Writing(form, compression, delimiter, tuple(keys), tuple(names), f"{session.id}-0")


def _check_buckets(options: dict[str, Any], names: list[str]) -> None:
    unknown = [key for key in options.get("bucketed_by", []) if str(key).lower() not in names]
    if unknown:
        raise QueryError("INVALID_TABLE_PROPERTY", f"Bucketing columns {unknown} not present in schema")
    if bool(options.get("bucketed_by")) != bool(options.get("bucket_count")):
        raise QueryError("INVALID_TABLE_PROPERTY", "bucketed_by and bucket_count must be stated together")


def _write(
    result: Result, plan: Plan, writing: Writing, folder: str, session: Session
) -> tuple[Done, list[str]]:
    """Run a query whose rows become files of a folder; a failure leaves none of them."""
    job = _job(result, plan, session, writing=writing)
    done = session.processes.run(job, session.files, session.watch)
    written: list[str] = []
    try:
        for name in done.files:
            uri = folder + name
            bucket, key = split_uri(uri)
            with (session.scratch / "files" / name).open("rb") as body:
                session.s3.put_object(Bucket=bucket, Key=key.rstrip("/"), Body=body)
            written.append(uri)
    except BaseException:
        _remove(written, session)
        raise
    return done, written


def _remove(uris: list[str], session: Session) -> None:
    for uri in uris:
        bucket, key = split_uri(uri)
        session.s3.delete_object(Bucket=bucket, Key=key.rstrip("/"))


def _put(s3: S3Client, uri: str, body: bytes) -> None:
    bucket, key = split_uri(uri)
    s3.put_object(Bucket=bucket, Key=key.rstrip("/"), Body=body)


def _partitions_of(uris: list[str], keys: tuple[str, ...], folder: str) -> list[Partition]:
    """The partitions that files lie in, from their folders ``key=value/``."""
    from urllib.parse import unquote

    found = {}
    for uri in uris:
        parts = uri.removeprefix(folder).split("/")[: len(keys)]
        values = tuple(unquote(part.partition("=")[2]) for part in parts)
        found[values] = Partition(values, folder + "/".join(parts) + "/")
    return list(found.values())


def _create_table_as(sql: str, statement: Node, session: Session) -> Outcome:
    database, name = _target(sql, statement.target, session)
    _require_write(database, "CREATE TABLE", session)
    if session.catalogue.table(database, name):
        if statement.exists:
            return Outcome()
        raise QueryError("TABLE_ALREADY_EXISTS", f"Table '{CATALOG}.{database}.{name}' already exists")
    options = _options(sql, statement.options)
    result, plan = _plan(sql, statement.query, session)
    columns = _stored_columns(result)
    writing = _writing(options, [column for column, _ in columns], session)
    check_types(columns, writing.form)
    stated = options.get("external_location")
    if stated and session.enforced:
        raise QueryError(
            "INVALID_TABLE_PROPERTY",
            "The Create Table As Select query failed because it was submitted with an 'external_location' "
            "property to an Athena Workgroup that enforces a centralized output location for all queries. "
            "Please remove the 'external_location' property and resubmit the query.",
        )
    folder = _require_place(str(stated), session) if stated else _data_folder(database, session)
    if session.storage.files(folder):
        raise QueryError(
            "HIVE_PATH_ALREADY_EXISTS",
            f"Target directory for table '{database}.{name}' already exists: {folder}",
        )
    count = 0
    written: list[str] = []
    if statement.data:
        done, written = _write(result, plan, writing, folder, session)
        count = done.rows
    try:
        _register(database, name, columns, writing, folder, written, options, session)
    except BaseException:
        session.catalogue.forget(database, name)
        _remove(written, session)
        raise
    return _written(written, count, session, "tables/")


def _register(
    database: str,
    name: str,
    columns: list[tuple[str, Type]],
    writing: Writing,
    folder: str,
    written: list[str],
    options: dict[str, Any],
    session: Session,
) -> None:
    serde, properties = _serde_of(writing)
    session.catalogue.create_table(
        database,
        name,
        columns,
        list(writing.keys),
        folder,
        form=writing.form,
        serde=serde,
        properties=properties,
        buckets=(
            [str(key).lower() for key in options.get("bucketed_by", [])],
            int(options.get("bucket_count", 0)),
        ),
    )
    table = session.catalogue.table(database, name)
    if writing.keys and table and written:
        session.catalogue.add_partitions(table, _partitions_of(written, writing.keys, folder))


def _serde_of(writing: Writing) -> tuple[str, dict[str, str]]:
    if writing.form == "TEXTFILE":
        return LAZY, {"field.delim": writing.delimiter, "serialization.format": writing.delimiter}
    if writing.form == "JSON":
        return HIVE_JSON, {"serialization.format": "1"}
    return PARQUET_SERDE, {"serialization.format": "1"}


def _written(uris: list[str], count: int, session: Session, folder: str) -> Outcome:
    manifest = f"{session.output}{folder}{session.id}-manifest.csv"
    _put(session.s3, manifest, "\n".join(uris).encode())
    return Outcome(location=f"{session.output}{folder}{session.id}", manifest=manifest, update_count=count)


def _unload(sql: str, statement: Node, session: Session) -> Outcome:
    options = _options(sql, statement.options)
    if "format" not in options:
        raise QueryError(
            "INVALID_FUNCTION_ARGUMENT", "UNLOAD needs a format, as in WITH (format = 'PARQUET')"
        )
    result, plan = _plan(sql, statement.query, session)
    names = [column.name or f"_col{place}" for place, column in enumerate(result.columns)]
    for name in names:
        if names.count(name) > 1:
            raise QueryError("DUPLICATE_COLUMN_NAME", f"Column name '{name}' specified more than once")
    check_types(_columns(result), str(options["format"]).upper())
    writing = _writing(options, names, session)
    folder = _require_place(statement.location, session)
    if session.storage.files(folder):
        raise QueryError("HIVE_PATH_ALREADY_EXISTS", f"Target directory already exists: {folder}")
    done, written = _write(result, plan, writing, folder, session)
    return _written(written, done.rows, session, "")


def _insert(sql: str, statement: Node, session: Session) -> Outcome:
    database, name = _target(sql, statement.target, session)
    _require_write(database, "INSERT INTO", session)
    table = session.catalogue.table(database, name)
    if table is None:
        raise QueryError(
            "TABLE_NOT_FOUND",
            f"Table '{CATALOG}.{database}.{name}' does not exist",
            position(sql, statement.target.pos),
        )
    if table.view:
        raise QueryError("NOT_SUPPORTED", f"Inserting into views is not supported: {database}.{name}")
    _require_place(table.location, session)
    columns = [(column.name, hive_type(column.type)) for column in table.all_columns]
    result, plan = _plan(sql, statement.query, session)
    ordered = _in_order(statement, result, columns, plan)
    keys = [column.name for column in table.partition_keys]
    form = {PARQUET_SERDE: "PARQUET", LAZY: "TEXTFILE", HIVE_JSON: "JSON", OPENX_JSON: "JSON"}.get(
        table.serde
    )
    if form is None:
        raise QueryError("NOT_SUPPORTED", f"INSERT INTO a table of {table.serde} is not supported here")
    delimiter = table.serde_properties.get("field.delim", "\x01")
    options: dict[str, Any] = {"format": form, "field_delimiter": delimiter, "partitioned_by": keys}
    writing = _writing(options, [column for column, _ in columns], session)
    folder = table.location.rstrip("/") + "/"
    done, written = _write(ordered, plan, writing, folder, session)
    if keys and written:
        known = {part.values for part in session.catalogue.partitions(table)}
        new = [part for part in _partitions_of(written, tuple(keys), folder) if part.values not in known]
        try:
            session.catalogue.add_partitions(table, new)
        except ClientError:
            _remove(written, session)
            raise
    return _written(written, done.rows, session, "")


def _in_order(statement: Node, result: Result, columns: list[tuple[str, Type]], plan: Plan) -> Result:
    """A query whose columns are those of a table, in its order and types."""
    import dataclasses

    from local_aws.athena.casts import assign, assignable
    from local_aws.athena.kinds import duckdb_type
    from local_aws.athena.plan import Typed

    names = statement.columns or [name for name, _ in columns]
    types = dict(columns)
    unknown = [name for name in names if name not in types]
    if unknown:
        raise QueryError(
            "COLUMN_NOT_FOUND", f"Insert column name does not exist in target table: {unknown[0]}"
        )
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise QueryError(
            "DUPLICATE_COLUMN_NAME", f"Insert column name is specified more than once: {twice[0]}"
        )
    given = [column.type for column in result.columns]
    wanted = [types[name] for name in names]
    if len(given) != len(wanted) or not all(
        assignable(one, two) for one, two in zip(given, wanted, strict=True)
    ):
        raise QueryError(
            "TYPE_MISMATCH",
            f"Insert query has mismatched column types: Table: [{', '.join(map(str, wanted))}], "
            f"Query: [{', '.join(map(str, given))}]",
        )
    listed = []
    for place, (name, kind) in enumerate(columns):
        if name not in names:
            listed.append(f"CAST(NULL AS {duckdb_type(kind)}) AS c{place}")
            continue
        at = names.index(name)
        sql = assign(Typed(f"q.c{at}", given[at]), kind, plan)
        listed.append(f"CAST({sql} AS {duckdb_type(kind)}) AS c{place}")
    made = [
        dataclasses.replace(result.columns[0], name=name, type=kind, label=name) for name, kind in columns
    ]
    return Result(f"SELECT {', '.join(listed)} FROM ({result.sql}) AS q", made)


# --- tables by hand ----------------------------------------------------------------------------------------

_STORED = {
    "PARQUET": (PARQUET_SERDE, "PARQUET"),
    "TEXTFILE": (LAZY, "TEXTFILE"),
    "JSONFILE": (HIVE_JSON, "JSON"),
}


_PROPERTIES = (
    "skip.header.line.count",
    "classification",
    "has_encrypted_data",
    "comment",
    "parquet.compression",
    "parquet.compress",
)


def _check_table_properties(properties: dict[str, str]) -> None:
    for key in properties:
        if key.startswith("projection."):
            raise QueryError("NOT_SUPPORTED", "Partition projection is Athena's, but not supported here")
        if "." in key and key not in _PROPERTIES:
            raise QueryError("NOT_SUPPORTED", f"The table property {key} is not supported here")


def _storage_of(statement: Node) -> tuple[str, str]:
    """The usual SerDe and the format that STORED AS means."""
    if statement.formats:
        given = str(statement.formats[0])
        if "parquet" not in given.lower() and "TextInputFormat" not in given:
            raise QueryError("NOT_SUPPORTED", f"The input format {given} is not supported here")
        return _STORED["PARQUET" if "parquet" in given.lower() else "TEXTFILE"]
    stored = statement.stored or "TEXTFILE"
    if stored not in _STORED:
        raise QueryError(
            "NOT_SUPPORTED", f"STORED AS {stored} is not supported here; {', '.join(_STORED)} are"
        )
    return _STORED[stored]


def _create_external(sql: str, statement: Node, session: Session) -> Outcome:
    database, name = _target(sql, statement.target, session)
    _require_write(database, "CREATE EXTERNAL TABLE", session)
    if session.catalogue.table(database, name):
        if statement.exists:
            return Outcome()
        raise QueryError("TABLE_ALREADY_EXISTS", f"Table '{CATALOG}.{database}.{name}' already exists")
    if not statement.location:
        raise QueryError("SYNTAX_ERROR", "CREATE EXTERNAL TABLE needs a LOCATION")
    location = _require_place(statement.location, session)
    _check_table_properties(statement.properties)
    usual, form = _storage_of(statement)
    serde = statement.serde or usual
    properties = {**statement.delimiters, **statement.serde_properties}
    columns = [(column, declared, comment) for column, declared, comment in statement.columns]
    names = [column for column, _, _ in [*columns, *statement.keys]]
    for column in names:
        if names.count(column) > 1:
            raise QueryError("DUPLICATE_COLUMN_NAME", f"Column name '{column}' specified more than once")
    if not columns:
        raise QueryError("SYNTAX_ERROR", "CREATE EXTERNAL TABLE needs columns")
    check_properties(serde, properties, {column: hive_type(declared) for column, declared, _ in columns})
    session.catalogue.create_external(
        database,
        name,
        columns,
        statement.keys,
        location,
        serde,
        properties or {"serialization.format": "1"},
        {**statement.properties, "EXTERNAL": "TRUE"},
        statement.comment,
        form,
    )
    return Outcome()


def _changed(sql: str, statement: Node, session: Session, what: str) -> Table:
    database, name = _target(sql, statement.target, session)
    _require_write(database, what, session)
    table = session.catalogue.table(database, name)
    if table is None or table.view:
        raise QueryError("TABLE_NOT_FOUND", f"Table '{CATALOG}.{database}.{name}' does not exist")
    return table


def _alter(sql: str, statement: Node, session: Session) -> Outcome:
    table = _changed(sql, statement, session, "ALTER TABLE")
    if statement.action in ("columns", "replace"):
        added = statement.action == "columns"
        have = {column.name for column in (table.all_columns if added else table.partition_keys)}
        for name, declared, _ in statement.columns:
            hive_type(declared)
            if name in have:
                raise QueryError("DUPLICATE_COLUMN_NAME", f"Column '{name}' already exists")
            have.add(name)
        session.catalogue.put_columns(table, statement.columns, replace=not added)
    elif statement.action == "properties":
        _check_table_properties(statement.properties)
        session.catalogue.set_properties(table, statement.properties)
    elif statement.action == "location" and not statement.partitions:
        session.catalogue.set_location(table, _require_place(statement.location, session))
    elif statement.action in ("location", "rename"):
        _alter_partition(table, statement, session)
    else:
        _alter_partitions(table, statement, session)
    return Outcome()


def _partition_values(table: Table, spec: dict[str, str]) -> tuple[str, ...]:
    keys = [column.name for column in table.partition_keys]
    if set(spec) != set(keys):
        raise QueryError(
            "SYNTAX_ERROR", f"PARTITION names {sorted(spec)}, but the table is partitioned by {keys}"
        )
    return tuple(spec[key] for key in keys)


def _alter_partition(table: Table, statement: Node, session: Session) -> None:
    """Put a partition at another place, or give it other values; its files stay where they are."""
    known = {part.values: part for part in session.catalogue.partitions(table)}
    values, *renamed = (_partition_values(table, spec) for spec, _ in statement.partitions)
    if values not in known:
        raise QueryError("PARTITION_NOT_FOUND", f"Partition {statement.partitions[0][0]} not found")
    if renamed and renamed[0] in known:
        raise QueryError("ALREADY_EXISTS", f"Partition already exists: {statement.partitions[1][0]}")
    place = known[values].location if renamed else _require_place(statement.location, session)
    session.catalogue.change_partition(table, values, Partition(renamed[0] if renamed else values, place))


def _alter_partitions(table: Table, statement: Node, session: Session) -> None:
    keys = [column.name for column in table.partition_keys]
    known = {part.values for part in session.catalogue.partitions(table)}
    for spec, location in statement.partitions:
        values = _partition_values(table, spec)
        if statement.action == "drop":
            if values in known:
                session.catalogue.drop_partition(table, values)
            elif not statement.exists:
                raise QueryError("PARTITION_NOT_FOUND", f"Partition {spec} not found")
            continue
        if values in known:
            if statement.exists:
                continue
            raise QueryError("ALREADY_EXISTS", f"Partition already exists: {spec}")
        from local_aws.athena.writing import partition_path

        folder = (
            _require_place(location, session)
            if location
            else table.location.rstrip("/") + "/" + partition_path(keys, values)
        )
        session.catalogue.add_partitions(table, [Partition(values, folder)])


def _msck(sql: str, statement: Node, session: Session) -> Outcome:
    """Add the partitions whose folders lie below a table's location."""
    table = _changed(sql, statement, session, "MSCK REPAIR TABLE")
    keys = tuple(column.name for column in table.partition_keys)
    if not keys:
        raise QueryError(
            "INVALID_TABLE_PROPERTY", f"Table {table.database}.{table.name} is not a partitioned table"
        )
    folder = table.location.rstrip("/") + "/"
    named = re.compile("".join(f"{re.escape(key)}=[^/]+/" for key in keys))
    uris = [uri for uri, _ in session.storage.files(folder) if named.match(uri.removeprefix(folder))]
    known = {part.values for part in session.catalogue.partitions(table)}
    new = [part for part in _partitions_of(uris, keys, folder) if part.values not in known]
    session.catalogue.add_partitions(table, new)
    rows = [
        (
            "Repair: Added partition to metastore "
            f"{table.name}:" + "/".join(f"{k}={v}" for k, v in zip(keys, part.values, strict=True)),
        )
        for part in new
    ]
    return Outcome(listing=listing(["partition"], rows)) if rows else Outcome()


def _iceberg(_: str, statement: Node, __: Session) -> Outcome:
    raise QueryError("NOT_SUPPORTED", f"{statement.word} is for Iceberg tables alone, and this lake has none")


# --- SHOW and DESCRIBE -------------------------------------------------------------------------------------


def _matching(names: list[str], pattern: str | None) -> list[tuple[str, ...]]:
    """Names that fit a pattern of Hive: ``*`` or ``.*`` for anything, ``|`` between choices."""
    choices = (pattern or "*").lower().replace(".*", "*").split("|")
    return [(name,) for name in names if any(fnmatchcase(name, choice) for choice in choices)]


def _tables(session: Session, database: str) -> list[Table]:
    chosen = (database or session.database or "").lower()
    if not chosen:
        raise QueryError("MISSING_SCHEMA_NAME", "Schema must be specified when session schema is not set")
    if not session.catalogue.has_database(chosen):
        raise QueryError("SCHEMA_NOT_FOUND", f"Schema '{chosen}' does not exist")
    return session.catalogue.tables(chosen)


def _named(node: Node, session: Session) -> Table:
    parts = node.parts[1:] if len(node.parts) == 3 else node.parts
    chosen = (parts[0] if len(parts) == 2 else session.database or "").lower()
    name = parts[-1].lower()
    table = session.catalogue.table(chosen, name) if chosen else None
    if table is None:
        raise QueryError("TABLE_NOT_FOUND", f"Table '{CATALOG}.{chosen}.{name}' does not exist")
    return table


def _show(_: str, statement: Node, session: Session) -> Outcome:
    names, rows = _SHOWN[statement.what](statement, session)
    return Outcome(listing=listing(names, rows))


def _show_partitions(statement: Node, session: Session) -> Any:
    table = _named(statement.target, session)
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


def _show_create(statement: Node, session: Session) -> Any:
    table = _named(statement.target, session)
    if statement.view and not table.view:
        raise QueryError("NOT_SUPPORTED", f"'{CATALOG}.{table.database}.{table.name}' is a table, not a view")
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
    if "parquet" in table.serde.lower():
        parts.append(f"STORED AS PARQUET\nLOCATION\n  '{table.location}'")
    else:
        parts.append(f"ROW FORMAT SERDE\n  '{table.serde}'\nLOCATION\n  '{table.location}'")
    if table.parameters:
        listing_ = ",\n".join(
            f"  '{key}'='{_quoted(value)}'" for key, value in sorted(table.parameters.items())
        )
        parts.append(f"TBLPROPERTIES (\n{listing_})")
    return "\n".join(parts)


def _quoted(text: str) -> str:
    return text.replace("'", "\\'")


_SHOWN: dict[str, Callable[[Node, Session], Any]] = {
    "databases": lambda node, session: (
        ["database_name"],
        _matching(session.catalogue.databases(), node.pattern),
    ),
    "tables": lambda node, session: (
        ["tab_name"],
        _matching([table.name for table in _tables(session, node.database)], node.pattern),
    ),
    "views": lambda node, session: (
        ["views"],
        _matching([table.name for table in _tables(session, node.database) if table.view], node.pattern),
    ),
    "columns": lambda node, session: (
        ["field"],
        [padded(column.name) for column in _named(node.target, session).all_columns],
    ),
    "partitions": _show_partitions,
    "create": _show_create,
    "tblproperties": lambda node, session: (
        ["prpt_name", "prpt_value"],
        sorted(
            item
            for item in _named(node.target, session).parameters.items()
            if node.pattern in (None, item[0])
        ),
    ),
}


def _describe(_: str, statement: Node, session: Session) -> Outcome:
    table = _named(statement.target, session)
    if statement.partition:
        names = [column.name for column in table.partition_keys]
        if set(statement.partition) != set(names):
            raise QueryError(
                "SYNTAX_ERROR",
                f"PARTITION names {sorted(statement.partition)}, but the table is partitioned by {names}",
            )
        values = tuple(statement.partition[name] for name in names)
        if values not in {part.values for part in session.catalogue.partitions(table)}:
            raise QueryError("PARTITION_NOT_FOUND", f"Partition {statement.partition} not found")
    if statement.column:
        if statement.detail or statement.partition:
            raise QueryError(
                "NOT_SUPPORTED", f"DESCRIBE {statement.detail} of a column is not supported here"
            )
        rows = [
            padded(column.name, column.type, "from deserializer")
            for column in table.all_columns
            if column.name == statement.column
        ]
        if not rows:
            raise QueryError("COLUMN_NOT_FOUND", f"Column '{statement.column}' cannot be resolved")
    elif statement.detail and statement.partition:
        raise QueryError("NOT_SUPPORTED", f"DESCRIBE {statement.detail} of a partition is not supported here")
    else:
        rows = list(_DESCRIPTIONS[statement.detail](table))
    return Outcome(listing=listing(["col_name", "data_type", "comment"], rows))


Lines = Iterator[tuple[str, ...]]
_NO_LINE = ("", " ", " ")
_COLUMNS_LINE = (f"# {'col_name':<20}", f"{'data_type':<20}", f"{'comment':<20}")


def _described_columns(columns: Iterable[Column]) -> Lines:
    for column in columns:
        yield padded(column.name, column.type, column.comment)


def _described_partitions(table: Table) -> Lines:
    if table.partition_keys:
        yield _NO_LINE
        yield "# Partition Information", " ", " "
        yield _COLUMNS_LINE
        yield _NO_LINE
        yield from _described_columns(table.partition_keys)


def _described(table: Table) -> Lines:
    yield from _described_columns(table.all_columns)
    yield from _described_partitions(table)


def _described_extended(table: Table) -> Lines:
    def listed(columns: Iterable[Column]) -> str:
        fields = (
            f"FieldSchema(name:{item.name}, type:{item.type}, comment:{item.comment or 'null'})"
            for item in columns
        )
        return ", ".join(fields)

    yield from _described(table)
    yield _NO_LINE
    stored = (
        f"cols:[{listed(table.all_columns)}], location:{table.location}, compressed:false, bucketCols:[], "
        "sortCols:[], parameters:{}, storedAsSubDirectories:false"
    )
    about = (
        f"Table(tableName:{table.name}, dbName:{table.database}, lastAccessTime:0, retention:0, "
        f"sd:StorageDescriptor({stored}), partitionKeys:[{listed(table.partition_keys)}], "
        f"tableType:{_table_type(table)})"
    )
    yield "Detailed Table Information", about, ""


def _described_formatted(table: Table) -> Lines:
    yield _COLUMNS_LINE
    yield _NO_LINE
    yield from _described_columns(table.columns)
    yield from _described_partitions(table)
    yield _NO_LINE
    yield "# Detailed Table Information", " ", " "
    for name, value in (
        ("Database:", table.database),
        ("LastAccessTime:", "UNKNOWN"),
        ("Protect Mode:", "None"),
        ("Retention:", "0"),
        ("Location:", table.location),
        ("Table Type:", _table_type(table)),
    ):
        yield *padded(name, value), " "
    yield _NO_LINE
    yield "# Storage Information", " ", " "
    for name, value in (("Compressed:", "No"), ("Bucket Columns:", "[]"), ("Sort Columns:", "[]")):
        yield *padded(name, value), " "


def _table_type(table: Table) -> str:
    return "VIRTUAL_VIEW" if table.view else "EXTERNAL_TABLE"


_DESCRIPTIONS = {"": _described, "EXTENDED": _described_extended, "FORMATTED": _described_formatted}


Runner = Callable[[str, Node, Session], Outcome]
_RUNNERS: dict[str, Runner] = {
    "Query": _query,
    "Explain": _explain,
    "Prepare": _prepare,
    "Deallocate": _deallocate,
    "CreateView": _create_view,
    "CreateTableAs": _create_table_as,
    "CreateExternal": _create_external,
    "Drop": _drop,
    "Unload": _unload,
    "Insert": _insert,
    "Alter": _alter,
    "Msck": _msck,
    "Iceberg": _iceberg,
    "Show": _show,
    "Describe": _describe,
}
