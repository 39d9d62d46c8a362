"""The reconciliation itself: source, lake and warehouse, table by table."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import duckdb
import pycountry
from adbc_driver_manager import Error as AdbcError
from adbc_driver_postgresql import dbapi

from catalog.catalogue import Catalogue, load_catalogue
from catalog.model import Contract
from catalog.warehouse import SCHEMA
from glue_jobs.reconciliation import postgres
from glue_jobs.reconciliation.canonical import MACROS, fingerprint, from_postgres, literal, quoted
from glue_jobs.reconciliation.compare import EXAMPLES, compare, count
from glue_jobs.reconciliation.derive import (
    CALENDAR,
    DEAD,
    EXPECTED,
    SOURCE,
    create_functions,
    days_needed,
    dead_keys,
    from_source,
    star_rows,
)
from glue_jobs.reconciliation.lake import (
    Lake,
    load_dead_letters,
    load_raw,
    load_star,
    open_lake,
    stage_of,
)
from glue_jobs.reconciliation.listing import list_live_prefixes
from glue_jobs.reconciliation.report import Comparison, Report, TableReport
from glue_jobs.runtime.errors import UserError
from glue_jobs.runtime.postgres import DatabaseError, secured_dsn
from glue_jobs.sources.state import SourceState

MEMORY = "400MB"
"""What DuckDB may hold before it moves to its temporary directory."""

_PART = 2**60
"""Half of a fingerprint, nearly: sums of so many bits fit what DuckDB adds up exactly."""

_BATCH = "batch_sequence"
_DELETED = "is_deleted"
_INFERRED = "is_inferred"


@dataclass(frozen=True)
class _Bench:
    """What the steps work with."""

    workspace: duckdb.DuckDBPyConnection
    catalogue: Catalogue
    lake: Lake
    source: postgres.Snapshot
    warehouse: dbapi.Connection
    schema: str

    def base(self, batch: int) -> Optional[int]:
        """Source rows with this version or a later one may have changed after a batch was captured.

        Nothing where that cannot be told: the source is another server now, or was restored.
        """
        commit = self.lake.capture(batch)
        if commit is None:
            return 0
        state = SourceState.of(commit)
        captured = (state.source.system_id, state.source.timeline)
        same = tuple(None if one is None else str(one) for one in captured) == (
            self.source.system_id,
            self.source.timeline,
        )
        return state.snapshot_xmin if same else None


def reconcile(
    source_dsn: str,
    warehouse_dsn: str,
    s3: Any,
    buckets: Mapping[str, str],
    *,
    catalogue: Optional[Catalogue] = None,
    schema: str = SCHEMA,
    directory: Optional[Path] = None,
    progress: Optional[Callable[[str], None]] = None,
) -> Report:
    """Compare source, lake and warehouse to the row, for every table.

    The source is read once, in one snapshot; the lake by its commits, every object checked against its
    checksum. Memory stays bounded however many rows there are: the work is done in a file of its own.

    Args:
        source_dsn: totesys, as a role that may SELECT.
        warehouse_dsn: The warehouse, as a role that may SELECT.
        s3: A boto3 ``s3`` client.
        buckets: Logical name (``ingestion``, ``processed``) to bucket.
        catalogue: All contracts; the project's own by default.
        schema: The warehouse's schema.
        directory: Where temporary files go.
        progress: Told which table is next.

    Raises:
        DatabaseError: A database cannot be read.
        UserError: The lake contradicts its own commits.
        ChecksumMismatch: An object of the lake is not what its commit says.
    """
    contracts = catalogue or load_catalogue()
    tell = progress or (lambda _: None)
    with _workspace(directory) as workspace, _speaking("source"):
        lake = open_lake(s3, buckets)
        with postgres.one_snapshot(secured_dsn(source_dsn, "source")) as connection:
            snapshot = postgres.snapshot_of(connection)
            for contract in contracts.raw.values():
                tell(f"source {contract.table}")
                postgres.copy_table(
                    connection,
                    workspace,
                    contract.table,
                    [column.name for column in contract.columns],
                    f"{SOURCE}.{quoted(contract.table)}",
                    high=snapshot.high,
                    limits={c.name: c.cell_limit for c in contract.columns if c.type.name == "text"},
                )
        with (
            _speaking("warehouse"),
            postgres.one_snapshot(secured_dsn(warehouse_dsn, "warehouse")) as connection,
        ):
            bench = _Bench(workspace, contracts, lake, snapshot, connection, schema)
            create_functions(workspace, contracts)
            for name in contracts.raw:
                load_dead_letters(workspace, lake, name, f"{DEAD}.{quoted(name)}")
            tables = []
            for contract in contracts.raw.values():
                tell(f"raw {contract.table}")
                with _at_once(workspace):
                    tables.append(_raw_table(bench, contract))
            # The calendar last: which dates are needed follows from the facts.
            star = sorted(contracts.star.values(), key=lambda contract: contract.kind == "calendar")
            for contract in star:
                tell(f"star {contract.table}")
                with _at_once(workspace):
                    tables.append(_star_table(bench, contract))
    last = lake.last_capture
    return Report(last.sequence if last else 0, tuple(tables))


def star_checksums(
    warehouse_dsn: str,
    s3: Any,
    buckets: Mapping[str, str],
    *,
    catalogue: Optional[Catalogue] = None,
    schema: str = SCHEMA,
) -> dict[str, tuple[int, int, int]]:
    """Rows and checksums of every star table, whole history and lineage included, whatever their order.

    Args:
        warehouse_dsn: The warehouse, as a role that may SELECT.
        s3: A boto3 ``s3`` client.
        buckets: Logical name (``ingestion``, ``processed``) to bucket.
        catalogue: All contracts; the project's own by default.
        schema: The warehouse's schema.

    Returns:
        By ``lake.<table>`` and ``warehouse.<table>``: rows, and two sums over the rows' fingerprints.

    Raises:
        UserError: The warehouse cannot be read.
        ChecksumMismatch: An object of the lake is not what its commit says.
    """
    contracts = catalogue or load_catalogue()
    found = {}
    with (
        _workspace(None) as workspace,
        _speaking("warehouse"),
        postgres.one_snapshot(secured_dsn(warehouse_dsn, "warehouse")) as connection,
    ):
        nothing = postgres.Snapshot(None, None, 0)
        bench = _Bench(workspace, contracts, open_lake(s3, buckets), nothing, connection, schema)
        for contract in contracts.star.values():
            listing = list_live_prefixes(bench.lake, contract, stage_of(contract))
            load_star(workspace, bench.lake, contract, listing.named, "lake_rows")
            _load_warehouse(bench, contract)
            for side in ("lake", "warehouse"):
                row = workspace.execute(
                    f"SELECT count(*), coalesce(sum((whole % {_PART})::BIGINT), 0),"  # noqa: S608 - our own
                    f" coalesce(sum((whole // {_PART} % {_PART})::BIGINT), 0) FROM {side}_rows"
                ).fetchone()
                rows, low, high = row if row is not None else (0, 0, 0)
                found[f"{side}.{contract.table}"] = (int(rows), int(low), int(high))
            _drop(workspace, "lake_rows", "warehouse_rows", "warehouse_current")
    return found


# ---------------------------------------------------------------------- tables


def _raw_table(bench: _Bench, contract: Contract) -> TableReport:
    workspace, names = bench.workspace, [column.name for column in contract.columns]
    key = _key(contract.key)
    spelled = ", ".join(
        f"{from_postgres(column, quoted(column.name))} AS {quoted(column.name)}"
        for column in contract.columns
    )
    workspace.execute(
        f"CREATE TEMP TABLE should_be AS SELECT *, {key} AS key, {fingerprint(names)} AS fingerprint"  # noqa: S608
        f" FROM (SELECT {spelled}, row_version FROM {SOURCE}.{quoted(contract.table)})"
    )
    load_raw(workspace, bench.lake, contract, "lake_rows")
    workspace.execute(
        f"CREATE TEMP TABLE lake_current AS SELECT *, {key} AS key, content AS fingerprint FROM lake_rows"  # noqa: S608
        f" QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY batch DESC) = 1 AND operation <> 'delete'"
    )
    last = bench.lake.last_capture
    comparison = compare(
        workspace,
        ("source", "lake"),
        "should_be",
        "lake_current",
        names,
        bench.base(last.sequence if last else 0),
        repeated=_repeated("lake_rows", key, "batch"),
    )
    report = TableReport(
        "raw",
        contract.table,
        count(workspace, "should_be"),
        count(workspace, "lake_current"),
        None,
        (comparison,),
    )
    _drop(workspace, "should_be", "lake_rows", "lake_current")
    return report


def _star_table(bench: _Bench, contract: Contract) -> TableReport:
    workspace, stage = bench.workspace, stage_of(contract)
    names = [column.name for column in from_source(contract)]
    key = _key(contract.key)
    listing = list_live_prefixes(bench.lake, contract, stage)
    # What is missing is reported, as an object and by its rows.
    load_star(workspace, bench.lake, contract, listing.present, "lake_rows")
    _load_warehouse(bench, contract)
    workspace.execute(
        f"CREATE TEMP TABLE lake_current AS SELECT *, {key} AS key, content AS fingerprint FROM lake_rows"  # noqa: S608
        f" QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {_BATCH}::BIGINT DESC) = 1"
        f" AND {_counts(contract)}"
    )
    dead = _leave_out_dead_letters(bench, contract)
    expected = {side: _should_be(bench, contract, side) for side in ("lake", "warehouse")}
    built, loaded = bench.lake.last_build(stage), _last_loaded(bench, stage)
    comparisons = (
        compare(
            workspace,
            ("source", "lake"),
            expected["lake"],
            "lake_current",
            names,
            bench.base(built.last_batch if built else 0),
            repeated=_repeated("lake_rows", key, _BATCH if contract.kind == "fact" else None),
        ),
        compare(
            workspace,
            ("source", "warehouse"),
            expected["warehouse"],
            "warehouse_current",
            names,
            bench.base(loaded),
        ),
        _lake_and_warehouse(workspace, contract, loaded),
        listing.comparison(),
    )
    report = TableReport(
        "star",
        contract.table,
        count(workspace, f"{expected['lake']} WHERE row_version IS NOT NULL"),
        count(workspace, "lake_current"),
        count(workspace, "warehouse_current"),
        comparisons,
        *(_inferred(workspace, key) if contract.kind == "dimension" else (0, ())),
        dead_letters=dead,
        commits=len(listing.named),
        prefixes=len(listing.sizes),
    )
    _drop(workspace, "lake_rows", "lake_current", "warehouse_rows", "warehouse_current")
    return report


def _counts(contract: Contract) -> str:
    """The condition on a latest row under which the source should have it."""
    known = f" AND {_INFERRED} IS DISTINCT FROM 'true'" if contract.kind == "dimension" else ""
    return f"{_DELETED} = 'false'{known}"


def _inferred(workspace: duckdb.DuckDBPyConnection, key: str) -> tuple[int, tuple[str, ...]]:
    """How many inferred members lake or warehouse have, and the first keys.

    They are in the comparison of lake and warehouse as every row is. Against the source they are no rows: one
    that stands in the place of a row which should have come is missing there.
    """
    members = " UNION ".join(
        f"SELECT {key} AS key FROM {side}_rows WHERE {_INFERRED} = 'true'"  # noqa: S608 - quoted
        for side in ("lake", "warehouse")
    )
    keys = workspace.execute(
        f"SELECT key FROM ({members}) ORDER BY try_cast(key AS BIGINT), key LIMIT {EXAMPLES}"  # noqa: S608
    ).fetchall()
    return count(workspace, f"({members})"), tuple(key for (key,) in keys)


def _leave_out_dead_letters(bench: _Bench, contract: Contract) -> int:
    """Take rows that open dead letters concern off both sides; returns how many of its rows are open."""
    if contract.built_from is None or contract.built_from.table is None:
        return 0
    dead = dead_keys(contract, bench.catalogue)
    for relation in ("lake_current", "warehouse_current"):
        bench.workspace.execute(f"DELETE FROM {relation} WHERE key IN ({dead})")  # noqa: S608 - quoted
    return count(bench.workspace, f"{DEAD}.{quoted(contract.built_from.table)}")


def _should_be(bench: _Bench, contract: Contract, side: str) -> str:
    """Make the table of what a star table should hold; returns its name.

    A fact or a dimension is the same for both sides. Of the calendar each side may hold more days than are
    needed, and all that it holds must read as it should.
    """
    relation = f"{EXPECTED}.{quoted(contract.table)}"
    if contract.kind == "calendar":
        relation = f"{EXPECTED}.{quoted(contract.table + '_' + side)}"
        query = _calendar_rows(bench, contract, f"{side}_rows")
    else:
        dead = dead_keys(contract, bench.catalogue)
        query = f"SELECT * FROM ({star_rows(contract, bench.catalogue)})"  # noqa: S608 - quoted
        query += f" WHERE {_key(contract.key)} NOT IN ({dead})"
    names = [column.name for column in from_source(contract)]
    bench.workspace.execute(
        f"CREATE TABLE IF NOT EXISTS {relation} AS SELECT *, {_key(contract.key)} AS key,"  # noqa: S608 - quoted
        f" {fingerprint(names)} AS fingerprint FROM ({query})"
    )
    return relation


def _calendar_rows(bench: _Bench, contract: Contract, held: str) -> str:
    """The days that are needed, and those that a relation holds beside them, as they should read."""
    unknown = [column.name for column in contract.columns if column.name not in CALENDAR]
    if unknown:
        raise UserError(
            f"The contract of {contract.table} has columns that no calendar states: {', '.join(unknown)}.",
            "Add them to CALENDAR in glue_jobs/reconciliation/derive.py.",
        )
    columns = ", ".join(f"{CALENDAR[column.name]} AS {quoted(column.name)}" for column in contract.columns)
    return (
        f"SELECT {columns}, max(row_version) AS row_version FROM ("  # noqa: S608 - quoted
        f"SELECT day, row_version FROM ({days_needed(bench.catalogue, contract.table)}) UNION ALL"
        f" SELECT try_cast({quoted(contract.key[0])} AS DATE), NULL FROM {held}"
        ") WHERE day IS NOT NULL GROUP BY day"
    )


def _load_warehouse(bench: _Bench, contract: Contract) -> None:
    """``warehouse_rows`` with everything that the table holds, ``warehouse_current`` with what is now."""
    workspace, key = bench.workspace, _key(contract.key)
    everything = [column.name for column in contract.all_columns]
    content = [column.name for column in from_source(contract)]
    _copy_if_there(bench, contract.table, everything, "warehouse_text")
    workspace.execute(
        f"CREATE TEMP TABLE warehouse_rows AS SELECT *, {fingerprint(everything)} AS whole,"  # noqa: S608
        f" {fingerprint(content)} AS content FROM (SELECT {_spelled(contract)} FROM warehouse_text)"
    )
    if contract.kind == "fact":
        # The view is what people read, so the view is what is judged.
        _drop(workspace, "warehouse_text")
        _copy_if_there(bench, f"{contract.table}_current", everything, "warehouse_text")
        current = (
            f"SELECT *, {fingerprint(content)} AS content"  # noqa: S608
            f" FROM (SELECT {_spelled(contract)} FROM warehouse_text)"
        )
    else:
        current = f"SELECT * EXCLUDE (whole) FROM warehouse_rows WHERE {_counts(contract)}"  # noqa: S608
    workspace.execute(
        f"CREATE TEMP TABLE warehouse_current AS SELECT *, {key} AS key,"  # noqa: S608 - quoted
        f" content AS fingerprint FROM ({current})"
    )
    _drop(workspace, "warehouse_text")


def _lake_and_warehouse(workspace: duckdb.DuckDBPyConnection, contract: Contract, loaded: int) -> Comparison:
    """Every row, old versions and lineage included; rows of later batches than the last load are waiting."""
    numbers = [column.name for column in contract.columns if column.record_id]
    key = _key(numbers or contract.key)
    for relation in ("lake_rows", "warehouse_rows"):
        workspace.execute(
            f"CREATE OR REPLACE TEMP VIEW all_{relation} AS SELECT *, {key} AS key, whole AS fingerprint,"  # noqa: S608
            f" {_BATCH}::BIGINT AS row_version FROM {relation}"
        )
    return compare(
        workspace,
        ("lake", "warehouse"),
        "all_lake_rows",
        "all_warehouse_rows",
        [column.name for column in contract.all_columns],
        loaded + 1,
    )


# ---------------------------------------------------------------------- parts


@contextmanager
def _workspace(directory: Optional[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    with tempfile.TemporaryDirectory(prefix="reconcile-", dir=directory) as folder:
        workspace = duckdb.connect(
            str(Path(folder, "workspace.duckdb")),
            config={
                "memory_limit": MEMORY,
                "threads": 2,
                "temp_directory": str(Path(folder, "spill")),
                "preserve_insertion_order": False,
            },
        )
        try:
            # The file ends with the reconciliation: what would make it last is left out.
            workspace.execute("PRAGMA disable_checkpoint_on_shutdown")
            for statement in (*MACROS, *(f"CREATE SCHEMA {name}" for name in (SOURCE, EXPECTED, DEAD))):
                workspace.execute(statement)
            names = ", ".join(
                f"({literal(currency.alpha_3)}, {literal(currency.name)})"
                for currency in pycountry.currencies
            )
            workspace.execute(f"CREATE TABLE iso_4217 AS SELECT * FROM (VALUES {names}) AS t(code, name)")  # noqa: S608
            yield workspace
        finally:
            workspace.close()


@contextmanager
def _at_once(workspace: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """One transaction of the workspace, which spares it a write to disk for each statement."""
    workspace.begin()
    try:
        yield
    except BaseException:
        workspace.rollback()
        raise
    workspace.commit()


@contextmanager
def _speaking(database: str) -> Iterator[None]:
    """Say which database an error is about, and leave everything but PostgreSQL's own first line out."""
    try:
        yield
    except AdbcError as error:
        words = str(error).strip().splitlines()[0]
        raise DatabaseError(
            f"The {database} cannot be read: {words}",
            "Check that it runs, its address, and that the role may SELECT every table.",
        ) from error


def _copy_if_there(bench: _Bench, table: str, columns: Sequence[str], into: str) -> None:
    """Copy a table of the warehouse; before the first load it is not there, and counts as empty."""
    with bench.warehouse.cursor() as cursor:
        cursor.execute("SELECT to_regclass($1) IS NOT NULL", [f"{quoted(bench.schema)}.{quoted(table)}"])
        there = cursor.fetchone()
    if there and there[0]:
        postgres.copy_table(bench.warehouse, bench.workspace, table, columns, into, schema=bench.schema)
    else:
        bench.workspace.execute(f"CREATE TABLE {into} ({', '.join(f'{quoted(c)} VARCHAR' for c in columns)})")


def _last_loaded(bench: _Bench, stage: str) -> int:
    """The last batch that the warehouse holds of a stage's tables, 0 before the first load."""
    _copy_if_there(bench, "load_offset", ["stage", "last_batch"], "load_offset")
    row = bench.workspace.execute(
        "SELECT last_batch::BIGINT FROM load_offset WHERE stage = ?", [stage]
    ).fetchone()
    _drop(bench.workspace, "load_offset")
    return int(row[0]) if row and row[0] is not None else 0


def _spelled(contract: Contract) -> str:
    return ", ".join(
        f"{from_postgres(column, quoted(column.name))} AS {quoted(column.name)}"
        for column in contract.all_columns
    )


def _key(columns: Sequence[str]) -> str:
    return quoted(columns[0]) if len(columns) == 1 else f"concat_ws('/', {', '.join(map(quoted, columns))})"


def _repeated(relation: str, key: str, version: Optional[str]) -> str:
    by = f"{key}, {quoted(version)}" if version else key
    return (
        f"SELECT {key} AS key FROM {relation}"  # noqa: S608 - quoted
        f" QUALIFY row_number() OVER (PARTITION BY {by}) > 1"
    )


def _drop(workspace: duckdb.DuckDBPyConnection, *tables: str) -> None:
    for table in tables:
        workspace.execute(f"DROP TABLE IF EXISTS {table}")
