"""One load: everything that waits in the lake into the warehouse, in one transaction."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any, Optional

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from catalog import warehouse
from catalog.catalogue import Catalogue
from catalog.model import UNRESOLVED
from catalog.warehouse_names import AUDIT_TABLE, OFFSET_TABLE, WAREHOUSE_SCHEMA
from glue_jobs.lake import layout
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Commit, DataObject
from glue_jobs.lake.objects import ChecksumMismatch, open_verified
from glue_jobs.runtime import log, session_settings
from glue_jobs.runtime.connections import connect, explain, require_utf8
from glue_jobs.runtime.errors import UserError
from glue_jobs.warehouse import offsets, pending, schema
from glue_jobs.warehouse.binary_copy import EncodeError
from glue_jobs.warehouse.pending import Pending, Position
from glue_jobs.warehouse.tables import Loaded, Target, load_dimension, load_fact, replace_entries

DATABASE = "warehouse"

BATCH_ROWS = 32_768
"""Rows encoded at once, at most."""

BATCH_BYTES = 8 << 20
"""Bytes of rows encoded at once, about, where rows are long."""

LOCK = 0x746F7465  # "tote"
"""The advisory lock that one load holds; the second key is the schema's hash."""

LOCK_SECONDS = 600
"""How long to wait for another load, or for readers of a table whose constraints are taken off."""


class AnotherLake(UserError):  # noqa: N818 - named for what was found
    """The warehouse counts the commits of another lake; nothing was loaded."""


@dataclass(frozen=True)
class Load:
    """What a load did, as the audit table holds it.

    Attributes:
        load_id: Its number, dense from 1.
        run_id: The run of the job.
        first_batch: First capture that it brought anything of.
        last_batch: Last capture that is wholly loaded after it.
        dimensions_sequence: Dimension commits are read up to here.
        facts_sequence: Fact commits are read up to here.
        snapshot_at: When the last capture took its snapshot (UTC), if the capture says so.
        tables: By table, rows read and changed.
        seconds: From the lock to the commit.
        loaded_at: When (UTC).
    """

    load_id: int
    run_id: str
    first_batch: int
    last_batch: int
    dimensions_sequence: int
    facts_sequence: int
    snapshot_at: Optional[datetime]
    tables: Mapping[str, Loaded]
    seconds: float
    loaded_at: datetime


@dataclass(frozen=True)
class Outcome:
    """What a run found and did.

    Attributes:
        changed: Whether anything waited, and is now loaded.
        last: The warehouse's last load, this one or an earlier one.
    """

    changed: bool
    last: Optional[Load]


def load(
    lake: LakeClients,
    dsn: str,
    catalogue: Catalogue,
    schema_name: str = WAREHOUSE_SCHEMA,
    allowed: Collection[str] = (),
) -> Outcome:
    """Load what waits. All tables of all waiting commits change together, or nothing does.

    A second load waits for the first, then finds what is left. What another lake has loaded is replaced by a
    full rebuild alone, which a person asks for.

    Args:
        lake: Where the commits and their objects are.
        dsn: The warehouse, as a libpq URI.
        catalogue: The contracts.
        schema_name: The PostgreSQL schema of the tables, made if missing.
        allowed: Columns that may be added, or may be let be empty, see :func:`schema.alterations`.

    Raises:
        AnotherLake: The warehouse holds what another lake has loaded.
        UserError: The warehouse or an object of the lake cannot be used; nothing has changed.
    """
    tables = warehouse.metadata(catalogue, schema_name)
    with _spoken_errors(), _transaction(dsn) as connection:
        began = time.monotonic()
        _lock(connection, schema_name)
        log.step("load.locked")
        made = schema.install(connection, tables, warehouse.views(catalogue, tables), allowed)
        if made:
            log.step("load.installed", made=made)
        positions, waiting = _waiting(connection, lake, schema_name, _last_load(connection, tables))
        if not waiting.commits:
            return Outcome(False, _last_load(connection, tables))
        if waiting.replaces:
            _empty(connection, tables, catalogue)
            log.step("load.emptied")
        loaded = _load_tables(connection, lake, waiting, catalogue, schema_name)
        done = _describe(connection, tables, lake, positions, waiting, loaded, time.monotonic() - began)
        _record(connection, tables, done, positions, waiting, lake.identity)
        log.step("load.recorded", last_batch=done.last_batch)
    log.step("load.committed", load=done.load_id, last_batch=done.last_batch)
    return Outcome(True, done)


def read_alterations(
    dsn: str, catalogue: Catalogue, schema_name: str = WAREHOUSE_SCHEMA
) -> list[schema.Alteration]:
    """What a load could add to a warehouse's tables; changes nothing.

    Args:
        dsn: The warehouse, as a libpq URI.
        catalogue: The contracts.
        schema_name: The PostgreSQL schema of the tables.

    Raises:
        UserError: The warehouse cannot be read, or differs in a way that takes more.
    """
    with _spoken_errors(), _transaction(dsn) as connection:
        return schema.alterations(connection, warehouse.metadata(catalogue, schema_name))


@contextmanager
def _spoken_errors() -> Iterator[None]:
    """Errors of the database and of damaged objects, as a person can read them."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise explain(error.orig, DATABASE) from error
        raise
    except psycopg.Error as error:
        raise explain(error, DATABASE) from error
    except ChecksumMismatch as error:
        raise UserError(f"{error}.", "Nothing was loaded. Restore the object from its backup.") from error
    except EncodeError as error:
        raise UserError(str(error), "Nothing was loaded. The object differs from its contract.") from error


@contextmanager
def _transaction(dsn: str) -> Iterator[sa.Connection]:
    def open_connection() -> psycopg.Connection:
        connection = connect(dsn, DATABASE, "load_warehouse")
        # The transaction begins with a message of ours.
        connection.autocommit = True
        return connection

    engine = sa.create_engine("postgresql+psycopg://", creator=open_connection, poolclass=sa.NullPool)
    sa.event.listen(engine, "begin", _begin)
    with engine.begin() as connection:
        require_utf8(_driver(connection), DATABASE)
        yield connection


def _begin(connection: sa.Connection) -> None:
    """Begin the transaction, and say how it speaks, whatever the role or the database is set to."""
    driver = _driver(connection)
    own = {"lock_timeout": f"{LOCK_SECONDS}s", "statement_timeout": "0"}
    message = session_settings.begin(driver.info.server_version, session_settings.READ_WRITE, own)
    driver.execute(message.encode())


def _driver(connection: sa.Connection) -> psycopg.Connection:
    """The same session, for what SQLAlchemy has no words for: COPY."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):  # pragma: no cover - the engine names the driver
        raise TypeError(f"expected psycopg, not {type(driver)}")
    return driver


def _lock(connection: sa.Connection, schema_name: str) -> None:
    connection.execute(
        sa.text("SELECT pg_advisory_xact_lock(:lock, hashtext(:schema))"),
        {"lock": LOCK, "schema": schema_name},
    )


def _waiting(
    connection: sa.Connection, lake: LakeClients, schema_name: str, last: Optional[Load]
) -> tuple[Mapping[str, Position], Pending]:
    """From where the warehouse reads the lake, and what it takes.

    Raises:
        AnotherLake: What it holds is another lake's, and nobody asked since then that this one replace it.
    """
    driver = _driver(connection)
    positions = offsets.read_offsets(driver, schema_name)
    reason = offsets.foreign(driver, schema_name, lake, positions)
    if reason is None:
        positions = offsets.adopt(driver, schema_name, lake, positions)
        return positions, _committed(lake, positions)
    positions = {stage: Position() for stage in offsets.STAGES}
    waiting = _committed(lake, positions)
    if waiting.replaces and (last is None or waiting.commits[0].committed_at > layout.iso(last.loaded_at)):
        log.warning("load.replaces_another_lake", reason=reason)
        return positions, waiting
    raise AnotherLake(
        f"The warehouse is not this lake's: {reason}.",
        "Nothing was loaded. Name the warehouse of this lake, or an empty one; or let this lake replace all "
        "that it holds: ask for a rebuild, `lakehouse rebuild` on a laptop.",
    )


def _committed(lake: LakeClients, positions: Mapping[str, Position]) -> Pending:
    # Facts first: whatever dimensions are committed meanwhile can only let more facts through.
    facts, dimensions = (
        lake.log(stage).after(positions[stage].sequence) for stage in ("facts", "dimensions")
    )
    return pending.choose(positions, dimensions, facts)


def _empty(connection: sa.Connection, tables: sa.MetaData, catalogue: Catalogue) -> None:
    """Take every row out of the star's tables; until the commit readers go on seeing them.

    DELETE and not TRUNCATE, which would show an older snapshot an empty table.
    """
    for table in reversed(tables.sorted_tables):
        if table.name in catalogue.star:
            connection.execute(sa.delete(table))


def _load_tables(
    connection: sa.Connection, lake: LakeClients, waiting: Pending, catalogue: Catalogue, schema_name: str
) -> dict[str, Loaded]:
    """Every star table that has changes, dimensions before the facts that refer to them."""
    driver = _driver(connection)
    order = [c for c in catalogue.star.values() if c.kind not in ("fact", "dead_letters")]
    order += catalogue.star_of_kind("fact")
    loaded = {}
    for contract in order:
        objects = waiting.objects(contract.table)
        expected = sum(data.rows for data in objects)
        if not expected:
            continue
        target = Target(contract, schema_name)
        batches = partial(_batches, lake, objects, target.columns)
        with log.timed("load.table", table=contract.table) as found:
            if contract.kind == "fact":
                loaded[contract.table] = load_fact(driver, target, batches, expected)
            else:
                loaded[contract.table] = load_dimension(driver, target, batches)
            found.update(asdict(loaded[contract.table]))
        log.step("load.copied", table=contract.table)
    target = Target(catalogue.star[UNRESOLVED], schema_name)
    for stage, objects in waiting.last_written(UNRESOLVED).items():
        tables = [c.table for c in catalogue.star_of_kind("fact" if stage == "facts" else "dimension")]
        done = replace_entries(driver, target, partial(_batches, lake, objects, target.columns), tables)
        loaded[UNRESOLVED] = loaded.get(UNRESOLVED, Loaded(0, 0)) + done
    return loaded


def _batches(
    lake: LakeClients, objects: Iterable[DataObject], columns: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    """The rows of objects, a few at a time, after each object's checksum has been compared."""
    for data in objects:
        with open_verified(lake.s3, lake.processed, data) as file:
            yield from read_batches(file, columns)


def read_batches(file: Any, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    """A parquet file's rows in batches of bounded size.

    Args:
        file: A path or an open file.
        columns: The columns wanted; one that the file lacks is left out.
    """
    source = file if isinstance(file, str) else pa.PythonFile(file, mode="r")
    with pq.ParquetFile(source, buffer_size=1 << 20) as parquet:
        for group in range(parquet.num_row_groups):
            stated = parquet.metadata.row_group(group)
            bytes_a_row = max(stated.total_byte_size // max(stated.num_rows, 1), 1)
            rows = max(min(BATCH_ROWS, BATCH_BYTES // bytes_a_row), 1)
            yield from parquet.iter_batches(rows, [group], list(columns), use_threads=False)


def _describe(
    connection: sa.Connection,
    tables: sa.MetaData,
    lake: LakeClients,
    positions: Mapping[str, Position],
    waiting: Pending,
    loaded: Mapping[str, Loaded],
    seconds: float,
) -> Load:
    before = _last_load(connection, tables)
    dimensions = pending.advance(positions["dimensions"], waiting.dimensions)
    facts = pending.advance(positions["facts"], waiting.facts)
    last_batch = min(dimensions.last_batch, facts.last_batch)
    return Load(
        load_id=before.load_id + 1 if before else 1,
        run_id=log.run_id(),
        first_batch=min(last_batch, *(commit.first_batch for commit in waiting.commits)),
        last_batch=last_batch,
        dimensions_sequence=dimensions.sequence,
        facts_sequence=facts.sequence,
        snapshot_at=_snapshot(lake.log("capture").get(last_batch)),
        tables=dict(loaded),
        seconds=round(seconds, 3),
        loaded_at=layout.utc_now(),
    )


def _last_load(connection: sa.Connection, tables: sa.MetaData) -> Optional[Load]:
    audit = warehouse.table_of(tables, AUDIT_TABLE)
    row = connection.execute(sa.select(audit).order_by(audit.c.load_id.desc()).limit(1)).mappings().first()
    if row is None:
        return None
    counts = {name: Loaded(**stated) for name, stated in row["tables"].items()}
    return Load(**{**row, "tables": counts, "seconds": float(row["seconds"])})


def _snapshot(capture: Optional[Commit]) -> Optional[datetime]:
    stated = capture.captured_at if capture else None
    return layout.from_iso(stated) if stated else None


def _record(
    connection: sa.Connection,
    tables: sa.MetaData,
    done: Load,
    positions: Mapping[str, Position],
    waiting: Pending,
    identity: Optional[str],
) -> None:
    """The audit row and the new offsets, in the transaction that holds the data."""
    connection.execute(sa.insert(warehouse.table_of(tables, AUDIT_TABLE)), asdict(done))
    table = warehouse.table_of(tables, OFFSET_TABLE)
    for stage, commits in (("dimensions", waiting.dimensions), ("facts", waiting.facts)):
        position = pending.advance(positions[stage], commits, identity)
        values = {**asdict(position), "loaded_at": done.loaded_at}
        connection.execute(
            insert(table)
            .values(stage=stage, **values)
            .on_conflict_do_update(index_elements=["stage"], set_=values)
        )
