"""What the lake holds, by its commits: exactly the objects that they name, checked, streamed into DuckDB."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Optional

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from catalog.model import Contract
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Commit, DataObject
from glue_jobs.lake.layout import star_location
from glue_jobs.lake.objects import open_verified
from glue_jobs.lake.rebuilds import BUILT
from glue_jobs.lake.validation_state import ValidationState
from glue_jobs.reconciliation.canonical import fingerprint, from_lake, from_raw, quoted
from glue_jobs.reconciliation.database_rows import insert_stream
from glue_jobs.reconciliation.derive import from_source
from glue_jobs.runtime.errors import UserError

BATCH = "_batch"
"""The column in which each row has the number of its object."""

_ROWS_AT_A_TIME = 65_536

_BYTES = 32 << 20
"""Weight of the rows that are added at once, about."""


@dataclass(frozen=True)
class Lake:
    """The lake as its commits state it.

    Attributes:
        clients: Its clients.
        captures: Every capture, in order.
        builds: Every commit of the dimensions and the facts, in order, by stage.
        validated: The newest commit of ``validate``, which knows the unresolved dead letters.
    """

    clients: LakeClients
    captures: tuple[Commit, ...]
    builds: Mapping[str, tuple[Commit, ...]]
    validated: Optional[Commit] = None

    @property
    def last_capture(self) -> Optional[Commit]:
        """The newest capture, if there is one."""
        return self.captures[-1] if self.captures else None

    def capture(self, batch: int) -> Optional[Commit]:
        """The capture of a batch."""
        return self.captures[batch - 1] if 0 < batch <= len(self.captures) else None

    def last_build(self, stage: str) -> Optional[Commit]:
        """The newest commit of a stage that builds the star."""
        return self.builds[stage][-1] if self.builds[stage] else None


def open_lake(clients: LakeClients) -> Lake:
    """Read every commit."""
    # The star first: what it was built from is then surely among the captures.
    builds = {stage: tuple(clients.log(stage).after(0)) for stage in BUILT}
    validated = clients.log("validate").latest()
    return Lake(clients, tuple(clients.log("capture").after(0)), builds, validated)


def load_dead_letters(workspace: duckdb.DuckDBPyConnection, lake: Lake, table: str, into: str) -> None:
    """Add the keys of a raw table's unresolved dead letters, spelled: captured, and not in the star."""
    for data in ValidationState.of(lake.validated).unresolved.get(table, ()):
        with open_verified(lake.clients.s3, lake.clients.ingestion, data) as file:
            parquet = pq.ParquetFile(file)
            insert_stream(
                workspace,
                pa.RecordBatchReader.from_batches(
                    parquet.schema_arrow, parquet.iter_batches(_ROWS_AT_A_TIME)
                ),
                f"INSERT INTO {into} SELECT DISTINCT key::VARCHAR FROM incoming WHERE key IS NOT NULL",  # noqa: S608
            )


def load_raw(workspace: duckdb.DuckDBPyConnection, lake: Lake, contract: Contract, into: str) -> None:
    """Every captured version of a raw table: columns and ``operation`` spelled, ``batch``, ``_content``."""
    names = [column.name for column in contract.columns]
    spelled = {
        **{c.name: from_raw(c, quoted(c.name), quoted("unrepresentable")) for c in contract.columns},
        "operation": quoted("operation"),
    }
    _make(workspace, into, spelled, "batch BIGINT, _content UHUGEINT")
    captured = (
        (data, commit.sequence)
        for commit in lake.captures
        if contract.table in commit.tables
        for partition in commit.tables[contract.table].partitions
        for data in partition.objects
    )
    load_objects(workspace, lake, contract, captured, into, spelled, f"{BATCH}, {fingerprint(names)}")


def load_star(
    workspace: duckdb.DuckDBPyConnection,
    lake: Lake,
    contract: Contract,
    objects: Iterable[DataObject],
    into: str,
) -> None:
    """Every row of the live objects of a star table, spelled.

    Adds ``_content``, which stands for what the source decides, and ``_whole``, which stands for all columns.
    """
    spelled = {column.name: from_lake(column, quoted(column.name)) for column in contract.all_columns}
    _make(workspace, into, spelled, "_content UHUGEINT, _whole UHUGEINT")
    content = fingerprint([column.name for column in from_source(contract)])
    rest = f"{content}, {fingerprint(list(spelled))}"
    load_objects(workspace, lake, contract, ((data, 0) for data in objects), into, spelled, rest)


def _make(workspace: duckdb.DuckDBPyConnection, table: str, spelled: Iterable[str], rest: str) -> None:
    columns = ", ".join(f"{quoted(name)} VARCHAR" for name in spelled)
    workspace.execute(f"CREATE TABLE {table} ({columns}, {rest})")


def live_partitions(
    lake: Lake, contract: Contract, stage: str
) -> Iterator[tuple[str, tuple[DataObject, ...]]]:
    """The prefix of each live partition of a star table, and its objects as the commit that wrote them says.

    Raises:
        UserError: A live partition was written by no commit.
    """
    newest = lake.last_build(stage)
    table = newest.tables.get(contract.table) if newest else None
    if table is None:
        return
    written = {
        partition.location: partition.objects
        for commit in lake.builds[stage]
        if contract.table in commit.tables
        for partition in commit.tables[contract.table].partitions
    }
    for spec, label in sorted(table.versions.items()):
        location = star_location(contract, spec, label)
        if location not in written:
            raise UserError(
                f"The live version {location} of {contract.table} was written by no commit of {stage}.",
                f"Look for the commit that is missing in _commits/{stage}/.",
            )
        yield location, written[location]


def load_objects(
    workspace: duckdb.DuckDBPyConnection,
    lake: Lake,
    contract: Contract,
    objects: Iterable[tuple[DataObject, int]],
    into: str,
    spelled: Mapping[str, str],
    rest: str,
    hidden: Collection[str] = (),
) -> None:
    """Add the rows of objects to a table, those of many small ones at once.

    DuckDB plans each statement by itself, which takes longer than a small object's rows.

    Args:
        workspace: DuckDB.
        lake: The lake.
        contract: The table that the objects are of.
        objects: The objects, each with the number that `BATCH` is in its rows.
        into: The table that the rows go to.
        spelled: By column, the expression that spells it.
        rest: The expressions of what stands behind the columns.
        hidden: Columns that no object may have, since it is one of a copy without them. A column that the
            contract states no more may stay in an object of before.

    Raises:
        UserError: One has a column that it must not have.
    """
    spellings = ", ".join(f"{expression} AS {quoted(name)}" for name, expression in spelled.items())
    for rows in _gathered(_pieces(lake, contract, objects, hidden)):
        # A column that the contract gained after the objects were written is empty in them.
        absent = [column.name for column in contract.all_columns if column.name not in rows.column_names]
        columns = ", ".join(["*", *(f"NULL AS {quoted(name)}" for name in absent)])
        insert_stream(
            workspace,
            rows,
            f"INSERT INTO {into} SELECT {', '.join(map(quoted, spelled))}, {rest}"  # noqa: S608 - quoted
            f" FROM (SELECT {spellings}, {BATCH} FROM (SELECT {columns} FROM incoming))",
        )


def _pieces(
    lake: Lake, contract: Contract, objects: Iterable[tuple[DataObject, int]], hidden: Collection[str]
) -> Iterator[pa.Table]:
    bucket = lake.clients.bucket(contract)
    for data, batch in objects:
        with open_verified(lake.clients.s3, bucket, data) as file:
            parquet = pq.ParquetFile(file)
            shown = sorted(set(hidden) & set(parquet.schema_arrow.names))
            if shown:
                raise UserError(
                    f"s3://{bucket}/{data.key} shows {', '.join(shown)}.",
                    "Its copy is made without: take the object away, and ask for a rebuild.",
                )
            for some in parquet.iter_batches(_ROWS_AT_A_TIME):
                rows = pa.Table.from_batches([some])
                yield rows.append_column(BATCH, pa.repeat(pa.scalar(batch, pa.int64()), len(rows)))


def _gathered(pieces: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Pieces that follow each other and have the same columns, as one, up to a bound."""
    waiting: list[pa.Table] = []
    for piece in pieces:
        is_full = sum(map(len, waiting)) >= _ROWS_AT_A_TIME or sum(p.nbytes for p in waiting) >= _BYTES
        if waiting and (is_full or piece.schema != waiting[0].schema):
            yield pa.concat_tables(waiting)
            waiting = []
        waiting.append(piece)
    if waiting:
        yield pa.concat_tables(waiting)
